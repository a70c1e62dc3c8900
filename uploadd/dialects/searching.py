"""The search page: what the box of every page leads to, for browsers that run no script, and for all results.

GET /search/     ?q= ?ecosystem= ?page_token=

It answers from what the caller may see (`Sight`), and counts like the API's search.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiohttp import web

from packhouse.catalog.browse import PackageRow, Rank
from packhouse.errors import Malformed
from packhouse.model import Ecosystem
from packhouse.pages.plain import printable
from uploadd import pages, paging
from uploadd.call import Call
from uploadd.routing import ANYONE, Route

_SIZE = 20
"""Results of a page."""

_KINDS: Mapping[str, str] = {
    "": "Everything",
    Ecosystem.CONDA: "Conda packages",
    Ecosystem.PYPI: "Python packages",
    Ecosystem.GENERIC: "Build products",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One of the kinds to look through; `here` where it is the one that is shown."""

    name: str
    address: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    row: PackageRow
    address: str
    display: str
    summary: str
    kind: str


async def page(call: Call) -> web.Response:
    """Find packages by name or summary, the best match first, as a page."""
    try:
        text, kind, behind = _asked(call.query)
    except Malformed as error:
        return _page(call, status=400, error=pages.sentence(error))
    if not text.strip():
        return _page(call, kind=kind)

    def found() -> list[tuple[Rank, PackageRow]]:
        sight = call.services.rights.sight(call.principal)
        browse = call.services.house.catalog.browse
        return list(browse.search(sight, text, limit=_SIZE + 1, ecosystem=kind or None, after=behind))

    shown, token = paging.cut(await call.services.ask(found), _SIZE, lambda hit: hit[0])
    return _page(call, text=text, kind=kind, rows=[row for _, row in shown], token=token)


def _asked(query: Mapping[str, str]) -> tuple[str, str, Rank | None]:
    """Return the words, the ecosystem (empty for every one), and the place to go on behind."""
    kind = query.get("ecosystem", "")
    if kind not in _KINDS:
        raise Malformed(f"{kind[:80]!r} is no ecosystem; these are: {', '.join(Ecosystem)}")
    after = paging.texts(query, len(Rank._fields))
    if after is None:
        return query.get("q", ""), kind, None
    rank, length, *place = after
    return query.get("q", ""), kind, Rank(paging.rank(rank), paging.rank(length), *place)


def _page(
    call: Call,
    *,
    text: str = "",
    kind: str = "",
    rows: list[PackageRow] | None = None,
    token: str = "",
    status: int = 200,
    error: str = "",
) -> web.Response:
    # Relative, so that a key in the address (/t/<key>/search/) leads on to what it opens.
    root = "../" if call.request.raw_path.partition("?")[0].endswith("/") else "./"
    hits = [
        _Hit(
            row=row,
            # Names hold nothing else that an address would have to escape (`packhouse.names`).
            address=f"{root}{row.channel}/{row.ecosystem}/{quote(row.name, safe='')}/",
            display=printable(row.display),
            summary=printable(row.summary),
            kind=_KINDS[row.ecosystem].removesuffix("s"),
        )
        for row in rows or ()
    ]
    asked = {name: value for name, value in (("q", text), ("ecosystem", kind)) if value}
    ways = [
        _Way(name=name, address=f"?{urlencode({'q': text, 'ecosystem': value})}", here=value == kind)
        for value, name in _KINDS.items()
    ]
    return pages.page(
        call,
        "search.html",
        status=status,
        title=f"{printable(text)[:80]} · Search" if hits else "Search",
        q=printable(text),
        root=root,
        kind=kind,
        ways=ways,
        hits=hits,
        next=f"?{urlencode({**asked, 'page_token': token})}" if token else "",
        first=not call.query.get("page_token"),
        error=printable(error),
    )


ROUTES = (Route(method="GET", pattern="/search", action=ANYONE, handler=page),)
