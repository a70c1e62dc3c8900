"""Who is asking: one key, every spelling."""

import base64

import pytest
from multidict import CIMultiDict
from rights_support import basic

from packhouse.errors import Malformed
from uploadd.identity import COOKIE, NONE, Credentials, credentials

KEY = "pkh-" + "k" * 42


SPELLINGS = {
    "bearer": {"Authorization": f"Bearer {KEY}"},
    "bearer-lower": {"authorization": f"bearer  {KEY} "},
    "token": {"Authorization": f"token {KEY}"},
    "basic-no-user": {"Authorization": basic("", KEY)},
    "basic-user-only": {"Authorization": basic(KEY, "")},
    "basic-lower": {"authorization": basic("", KEY).replace("Basic", "bAsIc")},
    "x-api-token": {"X-Api-Token": KEY},
    "x-api-key": {"X-API-Key": KEY},
    "x-api-key-lower": {"x-api-key": KEY},
    "from-nginx": {"X-Packhouse-Key": KEY},
}


@pytest.mark.parametrize("headers", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_shows_the_same_key(headers):
    assert credentials(CIMultiDict(headers)) == Credentials(KEY, shown=True)


@pytest.mark.parametrize("user", ["__token__", "somebody", "ü", "a b", "pkh-other"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_basic_shows_a_user_beside_it(user, encoding):
    """Twine sends latin-1, everybody else UTF-8."""
    shown = credentials(CIMultiDict({"Authorization": basic(user, KEY, encoding)}))

    assert shown == Credentials(KEY, shown=True, user=user)


@pytest.mark.parametrize("password", ["pässwörd", "with:colon", " edges ", "€uro", "\t", "pkh-"])
def test_a_password_comes_as_it_was_typed(password):
    shown = credentials(CIMultiDict({"Authorization": basic("ann", password)}))

    assert (shown.user, shown.secret) == ("ann", password)


def test_a_password_is_shown_by_basic_only():
    """In the other spellings there is no user whose it could be."""
    for headers in (
        {"Authorization": "Bearer secret"},
        {"Authorization": "token secret"},
        {"X-Api-Key": "secret"},
    ):
        assert credentials(CIMultiDict(headers)) == Credentials("secret", shown=True, user="")
    assert credentials(CIMultiDict(), "secret") == Credentials("secret", shown=True, user="")


def test_the_path_shows_it_too_and_wins_over_what_a_client_adds_by_itself():
    assert credentials(CIMultiDict({"Authorization": basic("netrc", "other")}), KEY).secret == KEY


def test_nothing_shown_is_nobody():
    assert credentials(CIMultiDict()) == NONE
    assert credentials(CIMultiDict({"Authorization": "  ", "X-API-Key": ""})) == NONE


@pytest.mark.parametrize(
    "value", ["Negotiate abc", "Bearer", "Basic %%%", "Basic " + base64.b64encode(b":").decode()]
)
def test_credentials_that_are_no_key_are_still_shown(value):
    """They must end in a 401, not in an anonymous answer."""
    assert credentials(CIMultiDict({"Authorization": value})) == Credentials("", shown=True)


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "X-Api-Token", "X-Packhouse-Key"])
def test_a_header_that_occurs_twice_is_refused(name):
    """Two programs would read two different ones."""
    with pytest.raises(Malformed):
        credentials(CIMultiDict([(name, "Bearer a"), (name.lower(), "Bearer b")]))


def test_a_secret_is_never_printed():
    shown = Credentials(KEY, shown=True, user="ann", session="cookie-value")

    for text in (repr(shown), str(shown), f"{shown}", f"{[shown]}"):
        assert KEY not in text
        assert "cookie-value" not in text


def test_the_first_header_counts():
    names = ("X-Packhouse-Key", "Authorization", "X-API-Key", "X-Api-Token")
    headers = {name: f"Bearer {name}" if name == "Authorization" else name for name in names}
    for name in names:
        assert credentials(CIMultiDict(headers)).secret == name
        del headers[name]


def test_an_unknown_scheme_hides_no_other_header():
    """Whoever shows something that is no key meant to be somebody: the next header must not make them another."""
    shown = credentials(CIMultiDict({"Authorization": "Negotiate abc", "X-API-Key": KEY}))

    assert shown == Credentials("", shown=True)


# --- browsers ----------------------------------------------------------------------------------------------------


def cookies(*lines):
    return CIMultiDict([("Cookie", line) for line in lines])


@pytest.mark.parametrize(
    "lines",
    [
        (f"{COOKIE}=abc",),
        (f"theme=dark; {COOKIE}=abc; x=y",),
        (f"  {COOKIE} = abc ;",),
        ("theme=dark", f"{COOKIE}=abc"),
        (f"x{COOKIE}=no; {COOKIE}=abc; {COOKIE.lower()}=no; {COOKIE}x=no",),
    ],
)
def test_a_browser_shows_its_session(lines):
    assert credentials(cookies(*lines)) == Credentials("", shown=False, session="abc")


@pytest.mark.parametrize(
    "lines",
    [
        (f"{COOKIE}=a; {COOKIE}=b",),
        (f"{COOKIE}=a; {COOKIE}=a",),
        (f"{COOKIE}=a", f"{COOKIE}=b"),
        (f"{COOKIE}=a; {COOKIE}=",),
    ],
)
def test_two_cookies_of_that_name_are_none(lines):
    """One of them was planted, and nobody knows which (cookie tossing)."""
    assert credentials(cookies(*lines)) == NONE


@pytest.mark.parametrize(
    "line", ["", ";;;", "=", COOKIE, f"{COOKIE}=", f"{COOKIE}={'x' * 201}", "packhouse=abc"]
)
def test_what_is_no_session_shows_nothing(line):
    assert credentials(cookies(line)) == NONE


@pytest.mark.parametrize(
    ("headers", "path_key"),
    [
        ({"Authorization": f"Bearer {KEY}"}, ""),
        ({"Authorization": "Negotiate x"}, ""),
        ({"Authorization": "Bearer"}, ""),
        ({"X-API-Key": "x"}, ""),
        ({}, KEY),
    ],
)
def test_whatever_else_is_shown_counts_before_the_cookie(headers, path_key):
    """A wrong key must not become the browser's session."""
    shown = credentials(CIMultiDict([("Cookie", f"{COOKIE}=abc"), *headers.items()]), path_key)

    assert shown.shown
    assert shown.session == ""


def test_an_empty_header_shows_nothing():
    headers = CIMultiDict([("Cookie", f"{COOKIE}=abc"), ("Authorization", " "), ("X-API-Key", "")])

    assert credentials(headers) == Credentials("", shown=False, session="abc")
