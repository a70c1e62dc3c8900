"""The admin's page of the audit log: who did what, when and from where, uploads and deletions too.

GET /account/admin/audit      ?who= ?action= ?object= ?page_token=
"""

from dataclasses import dataclass

from aiohttp import web

from packhouse.catalog.audit import Entry
from uploadd import backstage, pages, paging
from uploadd.backstage import Moment, moment, session_of
from uploadd.call import Call
from uploadd.routing import ADMIN, Route

PATH = "/account/admin/audit/"

_FILTERS = ("who", "action", "object")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One line of the log."""

    at: Moment
    who: str
    via: str
    origin: str
    action: str
    object: str
    outcome: str
    note: str


async def show(call: Call) -> web.Response:
    """Show lines of the log and of every channel's history, newest first."""
    session_of(call)
    size = paging.per_page({"per_page": str(backstage.PER_PAGE), **call.query})
    # An empty field of the form filters nothing.
    wanted = {name: text for name in _FILTERS if (text := call.query.get(name, "").strip())}
    found = await call.services.ask(
        call.services.house.catalog.audit.history,
        limit=size + 1,
        before=call.query.get("page_token", ""),
        who=wanted.get("who"),
        action=wanted.get("action"),
        object_=wanted.get("object"),
    )
    token = found[size - 1].position if len(found) > size else ""
    return pages.page(
        call,
        "account/audit.html",
        place="audit",
        title="Audit log",
        entries=[_row(entry) for entry in found[:size]],
        filters={name: wanted.get(name, "")[:100] for name in _FILTERS},
        filtered=bool(wanted),
        next=backstage.next_page(call, PATH, token),
    )


def _row(entry: Entry) -> EntryRow:
    return EntryRow(
        at=moment(entry.at_us),
        who=entry.who,
        via=entry.via,
        origin=entry.origin,
        action=entry.action,
        object=entry.object,
        outcome=entry.outcome,
        note=entry.note,
    )


ROUTES = (Route(method="GET", pattern="/account/admin/audit", action=ADMIN, handler=show),)
