"""Passwords: Argon2id, and which ones are refused.

RFC 9106 Argon2id with 19 MiB, two passes, one lane (OWASP's first choice): about 40 ms of one core. The PHC text
carries its parameters, so that stronger ones later are adopted at the next sign-in.
"""

import os
import threading

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from packhouse.errors import Unavailable, WeakPassword

_ITERATIONS, _LANES, _MEMORY_KIB, _LENGTH = 2, 1, 19 * 1024, 32
_PREFIX = f"$argon2id$v=19$m={_MEMORY_KIB},t={_ITERATIONS},p={_LANES}$"

MAX_PASSWORD = 1000
"""Characters; a longer one would only cost time."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""More sign-ins than this wait: they must not take every core from the uploads."""
_PATIENCE_S = 20.0

_COMMON = """
    000000 0000000 00000000 111111 11111111 112233 121212 123123 123321 123456 1234567 12345678 123456789
    1234567890 123qwe 131313 159753 1q2w3e 1q2w3e4r 1qaz2wsx 222222 555555 654321 666666 696969 7777777 777777
    888888 987654321 999999 aa123456 abc123 abcdef access admin admin1 admin123 administrator asdfgh asdfghjkl
    baseball batman changeme charlie computer daniel default donald dragon flower football freedom guest hello123
    hunter2 iloveyou jordan letmein login lovely master michael monkey mustang p@ssw0rd p@ssword pass1234 passw0rd
    password password1 password12 password123 packhouse princess qazwsx qwerty qwerty1 qwerty123 qwertyuiop root
    root123 secret shadow starwars sunshine superman system test123 testing toor trustno1 user welcome welcome1
    welcome123 whatever zaq12wsx
"""
_TRIED_FIRST = frozenset(_COMMON.split())


def check_password(password: str, name: str, *, least: int) -> None:
    """Refuse what is guessed first.

    Args:
        password: as typed.
        name: of the account.
        least: characters it must have.

    Raises:
        WeakPassword: too short, too long, spelled like an API key, the account's name, or among those that are
            tried first.
    """
    if password.startswith("pkh-"):
        # Whatever begins so is taken for a key, and a mistyped key is not counted as a wrong password.
        raise WeakPassword("a password cannot begin with pkh-, as API keys do; choose another one")
    if len(password) < least:
        raise WeakPassword(f"the password has {len(password)} characters; use at least {least}")
    if len(password) > MAX_PASSWORD:
        raise WeakPassword(f"the password has {len(password)} characters; use at most {MAX_PASSWORD}")
    folded = password.casefold()
    if folded == name.casefold() or folded in _TRIED_FIRST or len(set(folded)) <= 1:
        raise WeakPassword("that password is among the first that are tried; choose another one")


def hash_password(password: str) -> str:
    """Return a password as it is stored: Argon2id with a fresh salt, as PHC text."""
    with _turn():
        return _kdf(os.urandom(16)).derive_phc_encoded(password.encode("utf-8", "surrogatepass"))


def verify_password(password: str, stored: str | None) -> bool:
    """Whether it is the stored password.

    An account without one costs the same time as a wrong password, so that time does not tell which accounts exist.
    """
    given = password[: MAX_PASSWORD + 1].encode("utf-8", "surrogatepass")
    with _turn():
        if stored is None:
            _kdf(b"sixteen bytes...").derive_phc_encoded(given)
            return False
        try:
            Argon2id.verify_phc_encoded(given, stored)
        except InvalidKey:
            return False
        return True


def is_outdated(stored: str) -> bool:
    """Whether a stored password was hashed with other parameters than today's."""
    return not stored.startswith(_PREFIX)


def _kdf(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=_LENGTH, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY_KIB)


class _turn:  # noqa: N801 - used as a statement, like the lock it is
    """Hold one of the places for hashing."""

    def __enter__(self) -> None:
        if not _AT_ONCE.acquire(timeout=_PATIENCE_S):
            raise Unavailable("too many people sign in at this moment; try again shortly")

    def __exit__(self, *_: object) -> None:
        _AT_ONCE.release()
