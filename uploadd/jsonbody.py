"""The body of a small request as one JSON object, checked field by field.

A browser's form cannot send this media type to a foreign server without asking it first, so nothing else is taken.
"""

from collections.abc import Collection

import orjson

from packhouse.errors import Malformed
from packhouse.model import Json
from uploadd.call import Call
from uploadd.headers import refuse_encodings
from uploadd.limits import small_body

_MOST = 100
"""Items of a list."""


class Fields:
    """The fields of a JSON object. No refusal quotes a value: it may be a secret."""

    def __init__(self, values: dict[str, Json]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        """Whether the field was sent, were it as null."""
        return name in self._values

    def text(self, name: str) -> str:
        """Return a text that has to be there, or raise `Malformed`."""
        found = self.optional_text(name)
        if found is None:
            raise Malformed(f"the field {name} is missing; send a string")
        return found

    def optional_text(self, name: str) -> str | None:
        """Return a text; None for null and where nothing was sent. Raises `Malformed` for anything else."""
        value = self._values.get(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise Malformed(f"the field {name} must be a string that is not empty")
        return value

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false; `default` where nothing was sent. Raises `Malformed` for anything else."""
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise Malformed(f"the field {name} must be true or false")
        return value

    def flags(self, name: str, known: Collection[str]) -> dict[str, bool]:
        """Return an object of true and false under known names, each of which may be left out; else `Malformed`."""
        value = self._values.get(name)
        if not isinstance(value, dict) or not all(isinstance(said, bool) for said in value.values()):
            raise Malformed(f"the field {name} must be an object such as {{{_example(known)}}}")
        strange = sorted(set(value) - set(known))
        if strange:
            raise Malformed(
                f"{strange[0][:80]!r} is not known in {name}; these are: {', '.join(sorted(known))}"
            )
        return value

    def optional_number(self, name: str, *, default: int) -> int | None:
        """Return a whole number; None for null, `default` where nothing was sent. Raises `Malformed` otherwise."""
        value = self._values.get(name, default)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise Malformed(f"the field {name} must be a whole number or null")
        return value

    def optional_list(self, name: str) -> list[str] | None:
        """Return 1 to 100 texts; None for null and where nothing was sent. Raises `Malformed` for anything else."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not 1 <= len(value) <= _MOST:
            raise Malformed(
                f"the field {name} must be a list of 1 to {_MOST} strings; leave it out for no limit"
            )
        if not all(isinstance(item, str) for item in value):
            raise Malformed(f"the field {name} must hold strings only")
        return list(dict.fromkeys(value))


def _example(names: Collection[str]) -> str:
    return ", ".join(f'"{name}": true' for name in names)


async def json_fields(call: Call, known: Collection[str]) -> Fields:
    """Read the body of a request as a JSON object.

    Args:
        call: the request.
        known: the names that it may have; another one is an error, not something to pass over: whoever misspells a
            limit must not get a key without one.

    Raises:
        Malformed: no JSON object, or one with other fields.
        EncodedBody: it is compressed.
        TooLarge, TooSlow: more than 1 MiB, or it does not come.
    """
    refuse_encodings(call.request.headers)
    body = await small_body(call.request, call.pace())
    if call.request.content_type != "application/json":
        raise Malformed("the body must be a JSON object, sent as Content-Type: application/json")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise Malformed("the body must be a JSON object")
    strange = sorted(set(value) - set(known))
    if strange:
        raise Malformed(
            f"the field {strange[0][:80]!r} is not known here; these are: {', '.join(sorted(known))}"
        )
    return Fields(value)
