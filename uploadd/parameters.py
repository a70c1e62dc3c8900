"""The parameters of a small request: a form, a multipart form or a JSON object, all meaning the same.

Nothing is taken from the query: passwords travel here, and an address ends up in logs. For the same reason no
refusal quotes a value, only the parameter's name.
"""

from collections.abc import Mapping
from contextlib import aclosing
from urllib.parse import parse_qsl

import orjson

from packhouse.errors import Malformed
from packhouse.model import Json
from uploadd.call import Call
from uploadd.headers import refuse_encodings
from uploadd.limits import small_body
from uploadd.multipart import Form, FormLimits

FORM = "application/x-www-form-urlencoded"
_MULTIPART, _JSON = "multipart/form-data", "application/json"
_LIMITS = FormLimits(parts=32, field=64 << 10, fields=256 << 10)
_MAX_FIELDS = 32

WORDS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
"""How yes and no are spelled, in lower case."""


class Parameters:
    """What a request's body says, by name."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """Return a parameter's text.

        Raises:
            Malformed: it is missing, or no text.
        """
        value = self._need(name)
        if not isinstance(value, str):
            raise Malformed(f"the argument {name!r} is no text; send a string")
        return value

    def boolean(self, name: str) -> bool:
        """Return a yes or a no: true/false, yes/no, on/off or 1/0, in any letter case and in either encoding.

        Raises:
            Malformed: it is missing, or neither.
        """
        return yes_or_no(name, self._need(name))

    def _need(self, name: str) -> Json:
        value = self._values.get(name)
        if value is None:
            raise Malformed(f"Missing argument {name!r}: send it in the body, as a form or as JSON")
        return value


def yes_or_no(name: str, value: Json) -> bool:
    """Return what a yes-or-no parameter says; `value` is a JSON value or a form's text.

    Raises:
        Malformed: it is neither.
    """
    if isinstance(value, bool):
        return value
    text = str(value) if isinstance(value, int) else value
    found = WORDS.get(text.strip().lower()) if isinstance(text, str) else None
    if found is None:
        raise Malformed(f"the argument {name!r} is neither yes nor no; send true or false")
    return found


async def read(call: Call) -> Parameters:
    """Read the parameters of a request; no body is no parameters.

    Raises:
        Malformed: the body is none of the three, or broken, or names a parameter twice.
        EncodedBody: it is compressed.
        TooLarge, TooSlow: more than 1 MiB, or it does not come.
    """
    request = call.request
    refuse_encodings(request.headers)
    if request.content_type == _MULTIPART:
        return Parameters(await _parts(call))
    body = await small_body(request, call.pace())
    if not body.strip():
        return Parameters({})
    if request.content_type == _JSON:
        return Parameters(_object(body))
    if request.content_type == FORM:
        return Parameters(parse_form(body))
    raise Malformed(f"the body is {request.content_type[:80]!r}; send a form or a JSON object")


async def _parts(call: Call) -> dict[str, str]:
    found: dict[str, str] = {}
    async with aclosing(Form(call.request, call.pace(), _LIMITS).parts()) as parts:
        async for part in parts:
            text = await part.text(_LIMITS.field)
            if part.filename is not None:
                raise Malformed(f"the argument {part.name[:80]!r} is a file; send it as text")
            _put(found, part.name, text)
    return found


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form (`application/x-www-form-urlencoded`); an empty body has none.

    Raises:
        Malformed: it is no such form in UTF-8, has more than 32 fields, or names one twice. No value is quoted.
    """
    try:
        text = body.decode()
        pairs = (
            parse_qsl(
                text,
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=_MAX_FIELDS,
            )
            if text
            else []
        )
    except ValueError:
        # Python's own sentence quotes the field, and a field may be a password.
        raise Malformed(
            "the body is not a valid form: send at most 32 name=value pairs, percent-encoded"
        ) from None
    found: dict[str, str] = {}
    for name, value in pairs:
        _put(found, name, value)
    return found


def _object(body: bytes) -> dict[str, Json]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Malformed('the body is not a JSON object such as {"admin": true}')
    return value


def _put(found: dict[str, str], name: str, value: str) -> None:
    # Two values of one name: which one counts would depend on who reads it.
    if name in found:
        raise Malformed(f"the argument {name[:80]!r} occurs twice; send it once")
    found[name] = value
