"""What the page of a channel has to know before it offers an upload: who reads it, and what they may write.

GET /account/upload/{channel}

That page is a plain file, the same for everybody; `site/upload.js` asks this and then uploads over the routes that
every client uses, with the session's token in the header X-Packhouse-Token.
"""

from aiohttp import web

from packhouse.model import Action, Ecosystem, Json
from packhouse.names import parse_channel
from uploadd import browser
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.routing import ANYONE, Route

_HEADERS = {
    # The token is for a script of this origin: kept nowhere, read by no page elsewhere. There is no CORS header, so a
    # foreign script that asks gets nothing to read; and nginx says nosniff, so that none takes it for a script either.
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


async def standing(call: Call) -> web.Response:
    """Say who is signed in and what they may write in the channel; that nobody is, is no refusal here.

    A 401 would open the browser's own window for passwords. A channel that is not theirs to read and one that is not
    there get the same answer: nothing may be written.
    """
    browser.need_own_page(call)
    body = await call.services.ask(_standing, call)
    response = json_answer(body)
    response.headers.update(_HEADERS)
    return response


def _standing(call: Call) -> dict[str, Json]:
    me, rights = call.principal, call.services.rights
    answer: dict[str, Json] = {"login": None, "token": "", "kinds": [], "packages": []}
    if me.anonymous:
        return answer
    name = parse_channel(call.path["channel"])
    answer |= {"login": me.name, "token": call.session.csrf if call.session is not None else ""}
    channel = call.services.house.catalog.channels.find(name)
    if channel is None:
        return answer
    kinds = [str(kind) for kind in Ecosystem if rights.permits(me, Action.WRITE, channel, kind)]
    granted = sorted(rights.granted(me, channel, Action.WRITE))
    packages = [{"ecosystem": kind, "package": package} for kind, package in granted if kind not in kinds]
    return {**answer, "kinds": kinds, "packages": packages}


ROUTES = (Route(method="GET", pattern="/account/upload/{channel}", action=ANYONE, handler=standing),)
