"""The audit log for admins: who did what, when and from where, uploads and deletions too.

GET /api/1/audit        ?who= ?action= ?object= ?per_page= ?page_token=
"""

from aiohttp import web

from packhouse.catalog.audit import Entry
from packhouse.errors import Malformed
from packhouse.model import Json, from_us
from uploadd.call import Call
from uploadd.negotiate import answer
from uploadd.paging import next_page, per_page
from uploadd.routing import ADMIN, Route

_AUDIT = "/api/1/audit"
_PARAMETERS = frozenset({"who", "action", "object", "per_page", "page_token", "fields"})


async def history(call: Call) -> web.Response:
    """Return lines of the audit log and of every channel's history, newest first."""
    size, query = per_page(call.query), call.query
    strange = sorted(set(query) - _PARAMETERS)
    if strange:
        # Passed over, a misspelled filter would look like an answer.
        raise Malformed(f"{strange[0][:80]!r} is not known here; these are: {', '.join(sorted(_PARAMETERS))}")
    found = await call.services.ask(
        call.services.house.catalog.audit.history,
        limit=size + 1,
        before=query.get("page_token", ""),
        who=query.get("who"),
        action=query.get("action"),
        object_=query.get("object"),
    )
    page = found[:size]
    token = page[-1].position if len(found) > size else ""
    return answer(
        call,
        [_record(entry) for entry in page],
        title="Audit log",
        next_=next_page(f"{_AUDIT}/", query, token),
        headers={"Cache-Control": "no-store"},
    )


def _record(entry: Entry) -> dict[str, Json]:
    return {
        "at": from_us(entry.at_us).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "who": entry.who,
        "via": entry.via,
        "from": entry.origin,
        "action": entry.action,
        "object": entry.object,
        "outcome": entry.outcome,
        "note": entry.note,
    }


ROUTES = (Route(method="GET", pattern=_AUDIT, action=ADMIN, handler=history),)
