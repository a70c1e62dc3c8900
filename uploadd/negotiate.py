"""The native API's manners: fields, YAML or a readable page by Accept, undecodable text.

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

_LONE = re.compile("[\ud800-\udfff]")
_FORMS = {
    "application/json": "json",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
    "text/html": "html",
}
_TYPES = {"json": "application/json", "yaml": "application/yaml", "html": "text/html; charset=utf-8"}
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
    shown = escape_undecodable(select_fields(body, call.query.get("fields", "")))
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
    """Return only the named keys of an object, or of each object of an array; unknown names are left out."""
    wanted = [name.strip() for name in fields.split(",") if name.strip()]
    if not wanted:
        return body
    if isinstance(body, Mapping):
        return {name: body[name] for name in wanted if name in body}
    if isinstance(body, Sequence) and not isinstance(body, str):
        return [select_fields(item, fields) for item in body]
    return body


def escape_undecodable(body: Json) -> Json:
    r"""Return a value in which text that was not UTF-8 is readable.

    Such text holds lone surrogates (PEP 383) where bytes did not decode: each becomes `\x<hex>`, and the object that
    holds it names the key in `decoding_failures`.
    """
    if isinstance(body, str):
        return _readable(body)
    if isinstance(body, Mapping):
        shown = {_readable(str(key)): escape_undecodable(value) for key, value in body.items()}
        failed = sorted(
            _readable(str(key)) for key, value in body.items() if _is_broken(value) or _is_broken(str(key))
        )
        return {**shown, "decoding_failures": failed} if failed else shown
    if isinstance(body, list | tuple):
        return [escape_undecodable(item) for item in body]
    return body


def _is_broken(value: Json) -> bool:
    if isinstance(value, str):
        return _LONE.search(value) is not None
    # A list of texts has no keys of its own: the key that holds it is named.
    return isinstance(value, list | tuple) and any(_is_broken(item) for item in value)


def _readable(text: str) -> str:
    return _LONE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
