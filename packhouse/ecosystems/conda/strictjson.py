"""JSON of packages, read so that every reader sees the same value (RFC 8259)."""

import json
from typing import NoReturn

from packhouse.model import Json


class JsonError(ValueError):
    """The text is not JSON, or means different things to different readers."""


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # RFC 8259 section 4: with names that are not unique, "the behavior of software [...] is unpredictable".
        raise JsonError("an object names a key twice")
    return found


def _constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON")  # RFC 8259 section 6: "Infinity and NaN [...] are not permitted"


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) < 20 else 1 << 64  # int() of long texts is quadratic
    if not -(1 << 63) <= value < 1 << 63:
        raise JsonError("a number has more than 64 bits")
    return value


def parse_json(text: bytes) -> Json:
    """Return the value of a JSON text.

    Raises:
        JsonError: not UTF-8, not JSON, a key named twice, NaN or an infinity, an integer of more than 64 bits, half of
            a surrogate pair, or nesting that readers give up on.
    """
    try:
        value = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_constant, parse_int=_integer
        )
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")  # half a surrogate pair, 1e999
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(f"it is not JSON ({str(error)[:120]})") from error
    return value
