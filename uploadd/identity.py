"""What a caller shows: headers to credentials, pure. Whose they are is asked in `uploadd/signin.py`.

One key, every spelling that clients use (DESIGN "Who is who"): `Bearer`, `token`, Basic as password with any
user, Basic as user with an empty password, `X-Api-Token`, `X-API-Key`, and `/t/<key>/` in the path. A user's
password comes as Basic only. A browser's session comes as a cookie, and counts only where nothing else is shown.
"""

import base64
import binascii
from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy

from packhouse.errors import Malformed

_HEADERS = ("X-Packhouse-Key", "Authorization", "X-API-Key", "X-Api-Token")
"""Where a key may be, the one that counts first. nginx fills the first with the key of `/t/<key>/`."""

COOKIE = "__Host-packhouse"
"""The session's cookie; the prefix makes browsers insist on Secure, no Domain and Path=/ (RFC 6265bis)."""

QUILT = "qk_"
"""What Quilt's client insists that a key begins with; as a Bearer token one may."""

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller shows.

    Attributes:
        secret: the text of a key or of a password, empty if nothing was shown that could be one.
        shown: whether a header or the path carried credentials of any kind.
        user: the account's name beside a password (Basic); empty for a key in any other spelling.
        session: the value of the session's cookie; empty without one.
    """

    secret: str
    shown: bool
    user: str = ""
    session: str = ""

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
            secret, user = _authorization(value) if name == "Authorization" else (value, "")
            return Credentials(secret, shown=True, user=user)
    session = _cookie(headers)
    return Credentials("", shown=False, session=session) if session else NONE


def _cookie(headers: Headers) -> str:
    """Return the session's cookie; two of that name are none: one of them may have been planted."""
    pairs = (pair.strip().partition("=") for line in headers.getall("Cookie", []) for pair in line.split(";"))
    found = [value.strip() for name, _, value in pairs if name.strip() == COOKIE]
    return found[0] if len(found) == 1 and len(found[0]) <= _LONGEST_COOKIE else ""


_LONGEST_COOKIE = 200


def _authorization(value: str) -> tuple[str, str]:
    scheme, _, rest = value.partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer":
            return rest.removeprefix(QUILT), ""
        case "token":
            return rest, ""
        case "basic":
            return _basic(rest)
        case _:
            return "", ""  # a scheme we do not know shows no key


def _basic(text: str) -> tuple[str, str]:
    """Return secret and user name."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "", ""
    try:
        pair = raw.decode()
    except UnicodeDecodeError:
        pair = raw.decode("latin-1")  # twine sends latin-1
    user, _, password = pair.partition(":")
    # `http://KEY@host/` arrives as the user with an empty password.
    return (password, user) if password else (user, "")
