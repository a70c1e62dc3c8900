"""`packhouse.login` and `logout`: which key is used, where it is kept, and that it is never shown."""

import os
import stat

import pytest
from client_support import KEY, OTHER, For, fresh_client, site

import packhouse
from packhouse.client.keys import read_store, store_path

WHO = {"login": "ann", "kind": "user", "admin": False, "groups": []}


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    with fresh_client(tmp_path, monkeypatch) as folder:
        yield folder


@pytest.mark.parametrize("key", ["", "qk_abc", "pkh-", "pkh-a b", " pkh-abc", "PKH-abc"])
def test_what_is_no_key_is_a_value_error_that_does_not_show_it(key):
    with pytest.raises(ValueError, match="no API key") as caught:
        packhouse.login_with_api_key(key)
    assert not key or key not in str(caught.value).replace("pkh- and", "")
    assert packhouse.logged_in() is None


def test_the_key_in_memory_goes_before_the_variable_and_that_before_the_store(fresh, monkeypatch):
    with site({"/api/1/search/": []}) as there:
        packhouse.config(registry=f"{there.url}/main")
        assert packhouse.logged_in() is None
        packhouse.search("x")
        fresh.mkdir(parents=True, exist_ok=True)
        (fresh / "keys.toml").write_text(f'"{there.url}" = "pkh-stored"\n')
        (fresh / "keys.toml").chmod(0o600)
        packhouse.search("x")
        monkeypatch.setenv("PACKHOUSE_KEY", OTHER)
        packhouse.search("x")
        packhouse.login_with_api_key(KEY)
        packhouse.search("x")
        assert packhouse.logged_in() == there.url
        packhouse.clear_api_key()
        packhouse.search("x")

    assert there.keys() == ["", "pkh-stored", OTHER, KEY, OTHER]
    assert KEY not in "".join(path.read_text() for path in fresh.iterdir())


def test_nobody_is_logged_in_where_nothing_is_configured():
    packhouse.login_with_api_key(KEY)

    assert packhouse.logged_in() is None
    with pytest.raises(packhouse.Malformed, match="which channel"):
        packhouse.list_packages()


@pytest.fixture
def person(monkeypatch):
    """Somebody at the terminal: which pages their browser opened, and what they type."""

    class Person:
        opened, typed, browser = [], [], True

    me = Person()
    me.opened, me.typed = [], []

    def open_(page):
        me.opened.append(page)
        if isinstance(me.browser, Exception):
            raise me.browser
        return me.browser

    def ask(_prompt):
        if not me.typed:
            raise EOFError
        return me.typed.pop(0)

    monkeypatch.setattr("webbrowser.open", open_)
    monkeypatch.setattr("getpass.getpass", ask)
    return me


@pytest.mark.parametrize(
    ("browser", "says"),
    [(True, "Make an API key at"), (False, "Open http"), (OSError("no display"), "Open http")],
)
def test_login_opens_the_page_of_keys_and_keeps_the_key(person, fresh, capsys, browser, says):
    person.browser, person.typed = browser, [f" {KEY}\n"]
    with site({"/api/1/whoami/": For((401, "who?"), WHO)}) as there:
        packhouse.config(registry=f"{there.url}/main")
        packhouse.login()
        assert packhouse.logged_in() == there.url

    said = capsys.readouterr().err
    assert person.opened == [f"{there.url}/account/"]
    assert says in said
    assert f"Signed in to {there.url} as ann" in said
    assert KEY not in said
    assert read_store(store_path(os.environ)) == {there.url: KEY}
    assert stat.S_IMODE((fresh / "keys.toml").stat().st_mode) == 0o600


def test_a_key_that_the_server_does_not_take_is_not_kept(person):
    person.typed = [OTHER]
    with site({"/api/1/whoami/": For((401, "who?"), WHO)}) as there:
        packhouse.config(registry=f"{there.url}/main")
        with pytest.raises(packhouse.KeyRefused, match="unknown, revoked or expired"):
            packhouse.login()
        assert packhouse.logged_in() is None


def test_what_is_no_key_is_not_sent_anywhere(person):
    person.typed = ["my password"]
    with site({}) as there:
        packhouse.config(registry=f"{there.url}/main")
        with pytest.raises(ValueError, match="no API key"):
            packhouse.login()
    assert there.asked == []


def test_login_where_nobody_is_says_what_to_do(person):
    packhouse.config(registry="http://127.0.0.1:9/main")
    with pytest.raises(packhouse.Unauthenticated, match="login_with_api_key"):
        packhouse.login()


def test_login_over_an_open_line_warns(person, capsys):
    packhouse.config(registry="http://packages.example/main")
    with pytest.raises(packhouse.Unauthenticated):
        packhouse.login()
    assert "not encrypted" in capsys.readouterr().err


def test_logout_forgets_what_was_kept_and_what_is_in_memory(person, monkeypatch, capsys):
    person.typed = [KEY]
    with site({"/api/1/whoami/": WHO}) as there:
        packhouse.logout()  # nothing is configured: nothing to forget
        packhouse.config(registry=f"{there.url}/main")
        packhouse.login()
        packhouse.login_with_api_key(OTHER)
        packhouse.logout()
        assert packhouse.logged_in() is None
        monkeypatch.setenv("PACKHOUSE_KEY", KEY)
        packhouse.logout()
        assert packhouse.logged_in() == there.url
    assert "PACKHOUSE_KEY still holds a key" in capsys.readouterr().err
