"""Who is asking: headers to credentials (pure), credentials to a principal (the catalog).

One key, every spelling that clients use (DESIGN "Who is who"): `Bearer`, `token`, Basic as password with any
user, Basic as user with an empty password, `X-Api-Token`, `X-API-Key`, and `/t/<key>/` in the path.
"""

import base64
import binascii
from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy

from packhouse.catalog import Catalog
from packhouse.errors import Malformed, Unauthenticated
from packhouse.model import ANONYMOUS, Principal

_HEADERS = ("X-Packhouse-Key", "Authorization", "X-API-Key", "X-Api-Token")
"""Where a key may be, the one that counts first. nginx fills the first with the key of `/t/<key>/`."""

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller shows: the text of a key, empty if nothing was shown that could be one."""

    secret: str
    shown: bool

    def __repr__(self) -> str:
        """Never the secret."""
        return f"Credentials(shown={self.shown})"


NONE = Credentials("", shown=False)
"""Nothing was shown."""


def credentials(headers: Headers, path_key: str = "") -> Credentials:
    """Return what the headers, or else the path, show.

    A URL with a key in it is the most deliberate spelling, so it wins over headers that a client adds by
    itself (netrc); of the headers the first one that is there counts.

    Raises:
        Malformed: a header that carries credentials occurs twice (who reads which one would be luck).
    """
    for name in _HEADERS:
        if len(headers.getall(name, [])) > 1:
            raise Malformed(f"the request has more than one {name} header; send one")
    if path_key:
        return Credentials(path_key, shown=True)
    for name in _HEADERS:
        value = headers.get(name, "").strip()
        if value:
            return Credentials(_authorization(value) if name == "Authorization" else value, shown=True)
    return NONE


def _authorization(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer" | "token":
            return rest
        case "basic":
            return _basic(rest)
        case _:
            return ""  # a scheme we do not know shows no key


def _basic(text: str) -> str:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    try:
        pair = raw.decode()
    except UnicodeDecodeError:
        pair = raw.decode("latin-1")  # twine sends latin-1
    user, _, password = pair.partition(":")
    # `http://KEY@host/` arrives as the user with an empty password.
    return password or user


def principal(catalog: Catalog, shown: Credentials) -> Principal:
    """Return who that is; asks the catalog each time, so that a revoked key stops at once.

    Raises:
        Unauthenticated: something was shown, but it is no active key. It is never taken for nobody.
    """
    if not shown.shown:
        return ANONYMOUS
    found = catalog.accounts.authenticate(shown.secret)
    if found is None:
        raise Unauthenticated(
            "the API key is unknown, revoked or expired: check it, or make a new one with "
            "`packhouse key create`"
        )
    return found
