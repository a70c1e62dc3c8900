"""How people get in with a browser, and out: sign-in, registration, invitation; and pypicloud's `/acct/login`.

GET, POST /account/sign-in
POST      /account/sign-out
GET, POST /account/register       while it is allowed, or while nobody administers the server
GET, POST /account/invitation     set a password with a one-time link
POST      /acct/login             sign in, as pypicloud's page does (JSON or form)
PUT       /acct/login             register, as pypicloud's page does

Who sends these forms has no session yet, hence no token that a foreign page could not know: so the browser's own word
about where a form comes from decides (`browser.need_own_page`). An invitation's secret stands behind the `#` of its
link, which no browser sends to a server, and comes in a form's body: no log holds it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from packhouse.catalog.accounts import Account
from packhouse.catalog.passwords import check_password, hash_password
from packhouse.errors import (
    AccountExists,
    Malformed,
    PackhouseError,
    RegistrationClosed,
    TlsNeeded,
    Unauthenticated,
    WeakPassword,
)
from packhouse.model import Principal
from packhouse.settings import Settings
from uploadd import auditing, browser, pages, parameters
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.forms import form_route, new_password, read_form
from uploadd.routing import ANYONE, Route

_NOTICES = {
    "signed-out": "You are signed out.",
    "no-cookie": "The browser did not keep the cookie of the session: allow cookies for this address, and use https.",
}


# --- sign in and out ----------------------------------------------------------------------------------------


async def show_sign_in(call: Call) -> web.Response:
    """Show the form; whoever is signed in goes on."""
    if call.session is not None:
        return browser.go(browser.local_path(call.query.get("next", "")))
    notice = _NOTICES.get(call.query.get("note", ""), "")
    return await _sign_in_page(call, form=call.query, notice=notice)


async def sign_in(call: Call) -> web.Response:
    """Take name and password, and hand out a fresh session."""
    browser.need_own_page(call)
    form = await read_form(call)
    try:
        secret = await call.services.ask(
            _sign_in, call, form.get("user", "").strip(), form.get("password", "")
        )
    except PackhouseError as error:
        return await _sign_in_page(call, error, form=form)
    path = browser.local_path(form.get("next", ""))
    return browser.keep(browser.go(path + ("?fresh" if path == browser.HOME else "")), secret)


async def sign_out(call: Call) -> web.Response:
    """End the session on the server, or all of the account's; where there is none, nothing is left to do."""
    browser.need_own_page(call)
    form = await read_form(call)
    browser.check_form(call, form)
    await call.services.ask(_sign_out, call, form.get("everywhere") == "true")
    return browser.drop(browser.go(browser.ENTRANCE + "?note=signed-out"))


def _sign_in(call: Call, name: str, password: str) -> str:
    browser.need_secure(call)
    principal = call.services.signin.by_password(name, password, call.address)
    return _admit(call, principal)


def _admit(call: Call, principal: Principal) -> str:
    auditing.tell(call, by=replace(principal, via="session"), object_=principal.name)
    return browser.sign_in(call, principal.name)


def _sign_out(call: Call, everywhere: bool) -> None:
    sessions = call.services.house.catalog.sessions
    if call.session is None:
        return
    auditing.tell(call, object_=call.session.account, note="everywhere" if everywhere else "")
    if everywhere:
        sessions.revoke_all(call.session.account)
    sessions.end(call.shown.session)


async def _sign_in_page(
    call: Call, error: PackhouseError | None = None, *, form: Mapping[str, str], notice: str = ""
) -> web.Response:
    registration = await call.services.ask(_registration, call)
    keyed = registration != "first" and await call.services.ask(_only_keys_administer, call)
    path = browser.local_path(form.get("next", ""))
    return _form_page(
        call,
        "sign-in",
        error,
        title="Sign in",
        user=form.get("user", "").strip()[:100],
        next=path if path != browser.HOME else "",
        notice=notice,
        registration=registration,
        keyed=keyed,
    )


# --- registration -------------------------------------------------------------------------------------------


async def show_register(call: Call) -> web.Response:
    """Show the form, or say that there is none."""
    return await _register_page(call, form={})


async def register(call: Call) -> web.Response:
    """Make a pending account, or the first admin's, who is signed in at once."""
    browser.need_own_page(call)
    form = await read_form(call)
    try:
        account = await call.services.ask(_register_twice_typed, call, form)
    except PackhouseError as error:
        return await _register_page(call, error, form=form)
    if account.pending:
        return pages.page(call, "account/registered.html", title="Registered", user=account.name)
    secret = await call.services.ask(browser.sign_in, call, account.name)
    return browser.keep(browser.go(browser.HOME + "?fresh"), secret)


def _registration(call: Call) -> str:
    """Return `first` while no account is an admin's, else `open` or `closed`; blocking."""
    accounts, settings = call.services.house.catalog.accounts, call.services.house.settings
    if not any(account.admin for account in accounts.list()):
        return "first"
    return "open" if accounts.registration_open(default=settings.allow_register) else "closed"


def _only_keys_administer(call: Call) -> bool:
    """Whether no admin is a person: so it is after the first `packhouse serve`, which makes a key; blocking."""
    return not any(account.admin for account in call.services.house.catalog.accounts.list(kind="user"))


def _register_twice_typed(call: Call, form: Mapping[str, str]) -> Account:
    browser.need_secure(call)
    name, settings = form.get("user", "").strip(), call.services.house.settings
    _need_registration(call)
    return _register(call, name, new_password(form, name, least=settings.password_min_length))


def _need_registration(call: Call) -> None:
    """Refuse before the password is hashed, which costs more than the rest."""
    if _registration(call) == "closed":
        raise RegistrationClosed


def _register(call: Call, name: str, stored: str) -> Account:
    settings: Settings = call.services.house.settings
    accounts = call.services.house.catalog.accounts
    account = accounts.register(name, stored, default_open=settings.allow_register)
    auditing.tell(call, object_=account.name, note="pending" if account.pending else "the first admin")
    return account


async def _register_page(
    call: Call, error: PackhouseError | None = None, *, form: Mapping[str, str]
) -> web.Response:
    registration = await call.services.ask(_registration, call)
    if error is None and registration == "closed":
        error = RegistrationClosed()
    return _form_page(
        call,
        "register",
        error,
        title="Register",
        user=form.get("user", "").strip()[:100],
        registration=registration,
        least=call.services.house.settings.password_min_length,
    )


# --- invitation ---------------------------------------------------------------------------------------------


async def show_invitation(call: Call) -> web.Response:
    """Show the form; a script puts what stands behind the link's `#` into it, or the person does."""
    return _invitation_page(call, code="")


async def redeem(call: Call) -> web.Response:
    """Set the password of whoever was invited, and sign them in."""
    browser.need_own_page(call)
    form = await read_form(call)
    try:
        secret = await call.services.ask(_redeem, call, form)
    except PackhouseError as error:
        return _invitation_page(call, error, code=form.get("code", "")[:1000])
    return browser.keep(browser.go(browser.HOME + "?fresh"), secret)


def _redeem(call: Call, form: Mapping[str, str]) -> str:
    browser.need_secure(call)
    catalog = call.services.house.catalog
    code = form.get("code", "").strip().rpartition("#")[2]
    name = catalog.sessions.invited(code)
    # Judged first: a password that is refused must not use the invitation up.
    least = call.services.house.settings.password_min_length
    stored = new_password(form, name, least=least) if name is not None else ""
    if name is None or catalog.sessions.redeem(code) is None:
        raise Malformed(
            "that invitation is used up, replaced by a later one, or older than a week: ask an admin for a new one"
        )
    catalog.accounts.set_password(name, stored)
    # An admin made the link, for this very account: whoever registered and waited is let in with it.
    catalog.accounts.approve(name)
    principal = catalog.accounts.principal(name, via="session", address=call.address)
    if principal is None:  # deleted in this very moment
        raise Unauthenticated(f"the account {name} is not there any more: ask an admin for a new invitation")
    return _admit(call, principal)


def _invitation_page(call: Call, error: PackhouseError | None = None, *, code: str) -> web.Response:
    return _form_page(
        call,
        "invitation",
        error,
        title="Set your password",
        code=code,
        least=call.services.house.settings.password_min_length,
    )


def _form_page(
    call: Call, name: str, error: PackhouseError | None, *, title: str, **values: Any
) -> web.Response:
    """Render a form with what was refused and what to do; where it could not be sent, why."""
    secure = browser.is_secure(call)
    status, headers = pages.told(error) if error is not None else (200, {})
    if error is not None:
        auditing.tell(call, note=error.code)
    shown = error if secure else TlsNeeded()
    return pages.page(
        call,
        f"account/{name}.html",
        status=status,
        headers=headers,
        title=title,
        error="" if shown is None else pages.sentence(shown),
        secure=secure,
        **values,
    )


# --- pypicloud ----------------------------------------------------------------------------------------------


async def acct_login(call: Call) -> web.Response:
    """Sign in: `{"next": <where the pages are>}` and the session's cookie; 403 for a wrong password."""
    browser.need_own_page(call)
    values = await parameters.read(call)
    secret = await call.services.ask(_sign_in, call, values.text("username"), values.text("password"))
    url = call.services.house.settings.base_url.rstrip("/") + "/"
    return browser.keep(_kept_by_nobody(json_answer({"next": url})), secret)


async def acct_register(call: Call) -> web.Response:
    """Register: 200, and 403 while that is not allowed."""
    browser.need_own_page(call)
    values = await parameters.read(call)
    await call.services.ask(_register_plain, call, values.text("username"), values.text("password"))
    return _kept_by_nobody(json_answer({}))


def _register_plain(call: Call, name: str, password: str) -> Account:
    _need_registration(call)
    check_password(password, name, least=call.services.house.settings.password_min_length)
    return _register(call, name, hash_password(password))


def _kept_by_nobody(response: web.Response) -> web.Response:
    response.headers["Cache-Control"] = "no-store"
    return response


# pypicloud answers 403 to a wrong password here, and 400 to a registration that cannot be.
_PYPICLOUD = {Unauthenticated: 403, AccountExists: 400, WeakPassword: 400}

ROUTES = (
    Route(method="GET", pattern="/account/sign-in", action=ANYONE, handler=show_sign_in),
    form_route("/account/sign-in", sign_in, auditing.SIGN_IN),
    form_route("/account/sign-out", sign_out, "sign out"),
    Route(method="GET", pattern="/account/register", action=ANYONE, handler=show_register),
    form_route("/account/register", register, "register"),
    Route(method="GET", pattern="/account/invitation", action=ANYONE, handler=show_invitation),
    form_route("/account/invitation", redeem, "invitation"),
    Route(
        method="POST",
        pattern="/acct/login",
        action=ANYONE,
        handler=acct_login,
        statuses=_PYPICLOUD,
        forms=True,
        audited=auditing.SIGN_IN,
    ),
    Route(
        method="PUT",
        pattern="/acct/login",
        action=ANYONE,
        handler=acct_register,
        statuses=_PYPICLOUD,
        forms=True,
        audited="register",
    ),
)
