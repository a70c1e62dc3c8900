"""Who is asking: one key, every spelling."""

import base64

import pytest
from multidict import CIMultiDict

from packhouse.catalog import Catalog
from packhouse.errors import Malformed, Unauthenticated
from packhouse.model import ANONYMOUS
from uploadd.identity import NONE, Credentials, credentials, principal

KEY = "pkh-" + "k" * 42


def basic(user: str, password: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()


SPELLINGS = {
    "bearer": {"Authorization": f"Bearer {KEY}"},
    "bearer-lower": {"authorization": f"bearer  {KEY} "},
    "token": {"Authorization": f"token {KEY}"},
    "basic-__token__": {"Authorization": basic("__token__", KEY)},
    "basic-any-user": {"Authorization": basic("somebody", KEY)},
    "basic-no-user": {"Authorization": basic("", KEY)},
    "basic-user-only": {"Authorization": basic(KEY, "")},
    "basic-latin-1": {"Authorization": basic("ü", KEY, "latin-1")},
    "x-api-token": {"X-Api-Token": KEY},
    "x-api-key": {"X-API-Key": KEY},
    "x-api-key-lower": {"x-api-key": KEY},
    "from-nginx": {"X-Packhouse-Key": KEY},
}


@pytest.mark.parametrize("headers", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_shows_the_same_key(headers):
    assert credentials(CIMultiDict(headers)) == Credentials(KEY, shown=True)


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
    assert KEY not in repr(Credentials(KEY, shown=True))


@pytest.fixture
def catalog(tmp_path):
    opened = Catalog(tmp_path / "catalog.sqlite")
    yield opened
    opened.close()


def test_a_key_is_its_account(catalog):
    _, secret = catalog.keys.create_for_service("ci")

    assert principal(catalog, Credentials(secret, shown=True)).name == "ci"


def test_nobody_is_anonymous(catalog):
    assert principal(catalog, NONE) == ANONYMOUS


@pytest.mark.parametrize("secret", ["", KEY, "password"])
def test_what_nobody_issued_is_never_nobody(catalog, secret):
    with pytest.raises(Unauthenticated):
        principal(catalog, Credentials(secret, shown=True))
