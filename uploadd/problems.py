"""Refusals on the wire: one table from refusal to status, one body for every client.

The statuses follow what the uploaders do with them: rattler's prefix upload skips on 409 only and retries
405, 411, 415, 429 and every 5xx; twine shows the reason phrase only; uv compares the media type as a whole
string, so there is no charset.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus

import orjson
from aiohttp import web

from packhouse.errors import (
    AccountExists,
    AssetMissing,
    BadSettings,
    Busy,
    ChannelExists,
    CrossSite,
    EncodedBody,
    Exists,
    Forbidden,
    Malformed,
    NginxMissing,
    NotAPackhouse,
    NotFound,
    OverwriteForbidden,
    PackhouseError,
    ProductExists,
    RateLimited,
    RegistrationClosed,
    StorageFull,
    TlsNeeded,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    VersionExists,
    Withdrawn,
)
from uploadd.target import without_keys

Statuses = Mapping[type[PackhouseError], int]

STATUS: Statuses = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    OverwriteForbidden: 403,
    CrossSite: 403,
    TlsNeeded: 403,
    RegistrationClosed: 403,
    NotFound: 404,
    Exists: 409,
    ProductExists: 409,
    VersionExists: 409,
    ChannelExists: 409,
    AccountExists: 409,
    Withdrawn: 410,
    TooLarge: 413,
    EncodedBody: 415,
    Unprocessable: 422,
    RateLimited: 429,
    # Not 408: clients and proxies repeat a 408 by themselves, and the second try would be as slow.
    TooSlow: 400,
    StorageFull: 503,
    Unavailable: 503,
    Busy: 503,
    BadSettings: 500,
    NotAPackhouse: 500,
    NginxMissing: 500,
    AssetMissing: 500,
}
"""The one table; a class that is not in it has the status of its nearest base that is."""

_EXCEPTIONS = {
    400: "BadInputExc",
    401: "UnauthorizedExc",
    403: "ForbiddenExc",
    404: "NotFoundExc",
    413: "LargePayloadExc",
    429: "Throttled",
    503: "StorageAPIError",
}
"""How the native API's conventions call what went wrong; another status goes by its title."""

MAX_REASON = 512
RETRY_AFTER_S = 5
MEDIA_TYPE = "application/problem+json"
REALM = "packhouse"

_LOG = logging.getLogger("uploadd")


def status_of(kind: type[PackhouseError], overrides: Statuses | None = None) -> int:
    """Return the HTTP status of a refusal; `overrides` are a dialect's own.

    An override for a base class does not change a subclass that has its own line in the table, unless the
    dialect names it too.
    """
    for base in kind.__mro__:
        for table in (overrides or {}, STATUS):
            if base in table:
                return table[base]
    return 500


def reason(sentence: str) -> str:
    """Return a sentence as a reason phrase: one line of printable ASCII of at most 512 characters."""
    clean = "".join(char if " " <= char <= "~" else " " if char.isspace() else "?" for char in sentence)
    return clean[:MAX_REASON].strip() or "Error"


def problem(
    sentence: str,
    *,
    status: int,
    code: str,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return the answer to a refused request (RFC 9457, and the keys that other clients read)."""
    sentence = without_keys(sentence)
    body = {
        "type": "about:blank",
        "title": _title(status),
        "status": status,
        "detail": sentence,
        "code": code,
        "message": sentence,
        "error": sentence,
        # the keys of Software Heritage's API, for clients that were written for it
        "exception": _EXCEPTIONS.get(status, _title(status).replace(" ", "")),
        "reason": sentence,
    }
    response = web.Response(
        # A sentence may quote what the caller sent; a lone surrogate in it must not break the answer.
        body=orjson.dumps(
            {k: _encodable(v) if isinstance(v, str) else v for k, v in body.items()},
            option=orjson.OPT_APPEND_NEWLINE,
        ),
        status=status,
        reason=reason(sentence),
        headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-cache", **(headers or {})},
    )
    if status == 401:
        # pip and twine read the first challenge, rattler looks for the second.
        response.headers.add("WWW-Authenticate", f'Basic realm="{REALM}"')
        response.headers.add("WWW-Authenticate", f'Bearer realm="{REALM}"')
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def refusal(error: PackhouseError, overrides: Statuses | None = None) -> web.Response:
    """Return the answer to a refusal."""
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, RateLimited) else {}
    return problem(str(error), status=status_of(type(error), overrides), code=error.code, headers=headers)


def unexpected(error: Exception) -> web.Response:
    """Return the answer to a defect of ours; what it was is for the log only."""
    _LOG.error("a request failed: %s", type(error).__name__, exc_info=error)
    return problem(
        "the server failed on this request; nothing is half done, and the log of uploadd says why",
        status=500,
        code="internal",
    )


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
