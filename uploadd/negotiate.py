"""The native API's manners: fields, JSON, YAML or a readable page by Accept, and text that was not UTF-8.

After the conventions of the Software Heritage API: a bare array or object as body, `Link: <...>; rel="next"` where
there is more, `?fields=` on every answer but errors, `decoding_failures` beside the keys whose text was not UTF-8.
"""

import re
from collections.abc import Mapping, Sequence

import orjson
import yaml
from aiohttp import web

from packhouse.model import Json
from packhouse.render import render
from uploadd.call import Call

_FORMS = {
    "application/json": "json",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
    "text/html": "html",
}
_TYPES = {"json": "application/json", "yaml": "application/yaml", "html": "text/html; charset=utf-8"}
FAILURES = "decoding_failures"
"""The key under which an object lists its keys whose text was not UTF-8; absent where all was."""

_PAGE = {
    # Nothing on the page runs but our own style sheet and scripts; the search box asks this server only.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_Q = re.compile(r"[01](?:\.[0-9]{0,3})?")


def answer(
    call: Call,
    body: Json,
    *,
    title: str,
    next_: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return an answer in the form that the caller likes best.

    Args:
        call: with `Accept` and `?fields=`.
        body: an object or an array of objects.
        title: of the readable page.
        next_: address of the next page of a list, relative to the server's root; empty if there is none.
        status: of the answer.
        headers: more of them.
    """
    shown = select_fields(body, call.query.get("fields", ""))
    form = wanted_form(call.request.headers.get("Accept", ""))
    text: bytes
    if form == "yaml":
        text = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True).encode()
    else:
        pretty = orjson.OPT_INDENT_2 if form == "html" else 0
        text = orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE | pretty)
    if form == "html":
        text = render(
            "api.html",
            title=title,
            body=text.decode(),
            up="/",
            home="/",
            here="",
            static="/static/",
            next=next_,
        )
    return web.Response(
        body=text,
        status=status,
        headers={
            "Content-Type": _TYPES[form],
            "Cache-Control": "private, no-cache",
            "Vary": "Accept, Authorization, Cookie",
            **(_PAGE if form == "html" else {}),
            **({"Link": f'<{next_}>; rel="next"'} if next_ else {}),
            **(headers or {}),
        },
    )


def wanted_form(accept: str) -> str:
    """Return `json`, `yaml` or `html`: what an Accept header prefers; a tie and anything else is JSON."""
    best = {"json": 0.0, "yaml": 0.0, "html": 0.0}
    for item in accept.lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        form = _FORMS.get(media)
        if form is not None:
            best[form] = max(best[form], _quality(parameters))
    return max(best, key=lambda form: best[form])


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            text = value.strip()
            return min(float(text), 1.0) if _Q.fullmatch(text) else 0.0
    return 1.0


def select_fields(body: Json, fields: str) -> Json:
    """Return only the named keys of an object, or of each object of an array; unknown names are left out.

    What could not be decoded of the rest stays told.
    """
    wanted = [name.strip() for name in fields.split(",") if name.strip()]
    if not wanted:
        return body
    if isinstance(body, Mapping):
        failed = [name for name in body.get(FAILURES, ()) if name in wanted]
        chosen = {name: body[name] for name in wanted if name in body}
        return told(chosen, failed) if FAILURES not in wanted else chosen
    return [select_fields(item, fields) for item in body]


def told(body: Mapping[str, Json], undecodable: Sequence[str]) -> dict[str, Json]:
    r"""Return an object that says which of its texts hold bytes that were not UTF-8, each shown as `\x<hex>`."""
    return {**body, FAILURES: list(undecodable)} if undecodable else dict(body)
