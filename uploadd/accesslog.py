"""One readable line per request. What a caller chose is escaped, so that no name can forge a line or a field."""

import ipaddress
import logging
from dataclasses import dataclass

from aiohttp import web

from uploadd.target import redact

_LOG = logging.getLogger("uploadd.access")


@dataclass(slots=True)
class Trace:
    """What is learned of a request on its way: the account, and the code of a refusal."""

    who: str = "-"
    code: str = "-"


def write(request: web.Request, response: web.StreamResponse, trace: Trace, seconds: float) -> None:
    """Log one request: address, method, path without query and keys, status, seconds, account, refusal."""
    _LOG.info(
        '%s %s "%s" %d %.3fs by=%s code=%s',
        address(request),
        redact(request.method)[:20],
        redact(request.raw_path),
        response.status,
        seconds,
        redact(trace.who),
        trace.code,
    )


def address(request: web.Request) -> str:
    """Return the caller's address as nginx saw it: X-Real-IP, which it overwrites; never X-Forwarded-For."""
    try:
        return str(ipaddress.ip_address(request.headers.get("X-Real-IP", "")))
    except ValueError:
        return "-"
