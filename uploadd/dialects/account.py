"""The pages of whoever is signed in with a browser: API keys, sessions, password.

GET  /account                          who am I; keys, sessions, forms for the rest
POST /account/keys                     make a key; the answer shows it, once
POST /account/keys/{id}/revoke
POST /account/sessions/{id}/revoke
POST /account/password

They are for the session's cookie and for nothing else: a program with a key has no use for a form. Every form carries
the session's token, and every object is looked up among the caller's own, so that another's is as absent as none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from packhouse.catalog.keys import DEFAULT_DAYS, MAX_DAYS, Key
from packhouse.catalog.sessions import Session
from packhouse.errors import Malformed, PackhouseError, Unauthenticated
from packhouse.model import Action
from uploadd import browser, keymaking, pages
from uploadd.backstage import Moment, moment, own_form, refused, session_of
from uploadd.call import Call
from uploadd.forms import form_route, new_password
from uploadd.keymaking import Wish
from uploadd.routing import ANYONE, Route

ABILITIES: Mapping[str, tuple[str, tuple[Action, ...] | None]] = {
    "all": ("everything that I may", None),
    "read": ("read", (Action.READ,)),
    "write": ("read and upload", (Action.READ, Action.WRITE)),
    "delete": ("read, upload and delete", (Action.READ, Action.WRITE, Action.DELETE)),
}
"""What a key may be limited to: the form's word to its text and the key's scope."""

_BLANK = {"name": "", "may": "all", "channels": "", "days": str(DEFAULT_DAYS)}
_NOTICES = {
    "key-revoked": "The key is revoked: the next request with it is refused.",
    "session-ended": "That browser is signed out.",
    "password": "The password is changed, and every other browser is signed out.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key of the table; `used` and `ends` None where there is no such time."""

    id: int
    name: str
    fingerprint: str
    scope: str
    status: str
    used: Moment | None
    ends: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One signed-in browser; `here` for the one that asks."""

    id: str
    agent: str
    origin: str
    since: Moment
    used: Moment
    here: bool


async def show(call: Call) -> web.Response:
    """Show the account, or lead to the sign-in page."""
    if call.session is None:
        # Whoever was sent here by a sign-in and comes without its cookie has a browser that did not keep it.
        return browser.go(browser.ENTRANCE + ("?note=no-cookie" if "fresh" in call.query else ""))
    notice = _NOTICES.get(call.query.get("done", ""), "")
    return await _page(call, notice=notice)


async def make_key(call: Call) -> web.Response:
    """Make a key and show it, this once."""
    form = await own_form(call)
    try:
        made = await call.services.ask(keymaking.make, call, _wish(form))
    except PackhouseError as error:
        return await _page(call, error, part="key", form={name: form.get(name, "") for name in _BLANK})
    return pages.page(
        call,
        "account/key.html",
        place="account",
        title="New API key",
        key=_key_row(made.key, call.services.house.catalog.clock()),
        secret=made.secret,
    )


async def revoke_key(call: Call) -> web.Response:
    """Revoke one of the caller's own keys."""
    await own_form(call)
    await call.services.ask(keymaking.revoke, call, call.path["id"])
    return browser.go(browser.HOME + "?done=key-revoked")


async def end_session(call: Call) -> web.Response:
    """Sign one of the caller's own browsers out; it may be this one."""
    await own_form(call)
    sessions = call.services.house.catalog.sessions
    await call.services.ask(sessions.revoke, session_of(call).account, call.path["id"])
    if call.path["id"] == session_of(call).id:
        return browser.drop(browser.go(browser.ENTRANCE + "?note=signed-out"))
    return browser.go(browser.HOME + "?done=session-ended")


async def change_password(call: Call) -> web.Response:
    """Replace the password; every session ends, and this browser gets a new one."""
    form = await own_form(call)
    try:
        secret = await call.services.ask(_change_password, call, form)
    except PackhouseError as error:
        return await _page(call, error, part="password")
    return browser.keep(browser.go(browser.HOME + "?done=password"), secret)


def _wish(form: Mapping[str, str]) -> Wish:
    """Return the key that a form asks for.

    Raises:
        Malformed: the days are no number, or the limit is none of the list's.
    """
    days, may = form.get("days", "").strip(), form.get("may", "")
    if not (days.isascii() and days.isdigit() and len(days) < 5):
        raise Malformed(f"the key should work for {days[:20]!r} days; write a number from 1 to {MAX_DAYS}")
    if may not in ABILITIES:
        raise Malformed(f"{may[:20]!r} is nothing that a key can be limited to; choose from the list")
    return Wish(
        name=form.get("name", "").strip(),
        days=int(days),
        channels=form.get("channels", "").replace(",", " ").split() or None,
        actions=ABILITIES[may][1],
    )


def _change_password(call: Call, form: Mapping[str, str]) -> str:
    house, account = call.services.house, session_of(call).account
    try:
        call.services.signin.by_password(account, form.get("old", ""), call.address)
    except Unauthenticated:
        raise Unauthenticated("the password that you have now is another one: type that first") from None
    stored = new_password(form, account, least=house.settings.password_min_length)
    house.catalog.accounts.set_password(account, stored)
    return browser.sign_in(call, account)


async def _page(
    call: Call,
    error: PackhouseError | None = None,
    *,
    part: str = "",
    form: Mapping[str, str] = _BLANK,
    notice: str = "",
) -> web.Response:
    """Render the account's page; `error` stands at the form that `part` names, whose fields are kept."""
    status, headers, said = refused(call, error)
    values = await call.services.ask(_values, call)
    return pages.page(
        call,
        "account/account.html",
        status=status,
        headers=headers,
        place="account",
        title="Your account",
        notice=notice,
        form=form,
        key_error=said if part == "key" else "",
        password_error=said if part == "password" else "",
        abilities=[(word, text) for word, (text, _) in ABILITIES.items()],
        max_days=MAX_DAYS,
        least=call.services.house.settings.password_min_length,
        **values,
    )


def _values(call: Call) -> dict[str, Any]:
    catalog, session = call.services.house.catalog, session_of(call)
    rows = [_key_row(key, catalog.clock()) for key in reversed(catalog.keys.list(session.account))]
    return {
        "admin": call.principal.admin,
        "groups": list(catalog.groups.of(session.account)),
        "since": moment(catalog.accounts.get(session.account).created_us),
        "keys": [row for row in rows if row.status == "active"],
        "ended": [row for row in rows if row.status != "active"],
        "sessions": [_session_row(one, session) for one in catalog.sessions.list(session.account)],
    }


def _key_row(key: Key, now_us: int) -> KeyRow:
    return KeyRow(
        id=key.id,
        name=key.name,
        fingerprint=key.fingerprint,
        scope=_scope(key.actions, key.channels),
        status=key.status(now_us),
        used=None if key.last_used_us is None else moment(key.last_used_us),
        ends=None if key.expires_us is None else moment(key.expires_us),
    )


def _session_row(session: Session, mine: Session) -> SessionRow:
    return SessionRow(
        id=session.id,
        agent=session.agent,
        origin=session.origin,
        since=moment(session.created_us),
        used=moment(session.used_us),
        here=session.id == mine.id,
    )


def _scope(actions: Sequence[Action] | None, channels: Sequence[str] | None) -> str:
    may = "everything" if actions is None else ", ".join(actions)
    return may if channels is None else f"{may} in {', '.join(channels)}"


ROUTES = (
    Route(method="GET", pattern="/account", action=ANYONE, handler=show),
    form_route("/account/keys", make_key, "key create"),
    form_route("/account/keys/{id}/revoke", revoke_key, "key revoke"),
    form_route("/account/sessions/{id}/revoke", end_session, "session revoke"),
    form_route("/account/password", change_password, "password"),
)
