"""The forms of pages, and the password that some of them ask for twice."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from packhouse.catalog.passwords import check_password, hash_password
from packhouse.errors import Malformed, WeakPassword
from uploadd.call import Call
from uploadd.headers import refuse_encodings
from uploadd.limits import small_body

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 32


async def read_form(call: Call) -> Mapping[str, str]:
    """Return the fields of a page's form.

    Raises:
        Malformed: it is no form, or a field occurs twice (which one counts would depend on who reads it).
    """
    if call.request.content_type != FORM:
        raise Malformed(f"the body is {call.request.content_type[:80]!r}; send it as {FORM}")
    refuse_encodings(call.request.headers)
    return _form(await small_body(call.request, call.pace()))


def new_password(form: Mapping[str, str], name: str, *, least: int) -> str:
    """Return the stored form of the password that a form asks for twice; blocking.

    Raises:
        WeakPassword: the two differ, or it is one that is guessed first.
    """
    password = form.get("password", "")
    if password != form.get("again", ""):
        raise WeakPassword("the two new passwords differ: type the same one twice")
    check_password(password, name, least=least)
    return hash_password(password)


def _form(body: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        # Never what was wrong with it: the sentence would quote a password.
        raise Malformed("the body is not a valid form of at most 32 fields in UTF-8") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("a field of the form occurs twice; send each once")
    return fields
