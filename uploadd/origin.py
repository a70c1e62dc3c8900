"""The address at which the caller reached this server, for the few answers that must hold whole URLs."""

import re

from uploadd.call import Call

_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def origin(call: Call) -> str:
    """Return `base_url`, else scheme and host of the request, without a slash at the end; empty if it tells no host.

    The host is the caller's own word, so such an answer is for this caller only: none of them is kept by a cache. A
    server behind a prefix, or behind a proxy that does the TLS, is known by its `base_url`.
    """
    base = call.services.house.settings.base_url
    if base:
        return base.rstrip("/")
    host = call.request.headers.get("Host", "")
    if not _HOST.fullmatch(host):
        return ""
    scheme = "https" if call.request.headers.get("X-Forwarded-Proto") == "https" else "http"
    return f"{scheme}://{host}"
