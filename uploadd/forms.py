"""The forms of pages, and the password that some of them ask for twice."""

from collections.abc import Mapping

from packhouse.catalog.passwords import check_password, hash_password
from packhouse.errors import Malformed, WeakPassword
from uploadd.call import Call
from uploadd.headers import refuse_encodings
from uploadd.limits import small_body
from uploadd.parameters import FORM, parse_form
from uploadd.routing import ANYONE, Handler, Need, Route


async def read_form(call: Call) -> Mapping[str, str]:
    """Return the fields of a page's form.

    Raises:
        Malformed: it is no form, or a field occurs twice (which one counts would depend on who reads it).
    """
    if call.request.content_type != FORM:
        raise Malformed(f"the body is {call.request.content_type[:80]!r}; send it as {FORM}")
    refuse_encodings(call.request.headers)
    return parse_form(await small_body(call.request, call.pace()))


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


def form_route(pattern: str, handler: Handler, audited: str, *, action: Need = ANYONE) -> Route:
    """Return the route of a page's form: whoever `action` names may send it, its handler checks the session's token."""
    return Route(method="POST", pattern=pattern, action=action, handler=handler, forms=True, audited=audited)
