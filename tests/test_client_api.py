"""The Python client against a server whose moods a test decides: what it asks, what it keeps, what it refuses."""

import inspect
import os
import stat
import subprocess
import sys
from dataclasses import fields

import pytest
from client_support import (
    KEY,
    OTHER,
    Cut,
    For,
    Silent,
    file_of,
    product,
    site,
    turns,
    version_of,
    versions,
)

import packhouse
from packhouse import errors
from packhouse.client import connection, preferences, registry, stopping
from packhouse.client.keys import read_store, store_path
from packhouse.tree import fsio

WHO = {"login": "ann", "kind": "user", "admin": False, "groups": []}
DENIED = (403, {"detail": "ann may not delete package tool: ask an admin", "code": "forbidden"})


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A home of its own, no keys of this machine, and no pauses between tries."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.delenv("PACKHOUSE_KEY", raising=False)
    monkeypatch.setattr(stopping.time, "sleep", lambda _seconds: None)
    yield tmp_path / "home" / ".config" / "packhouse"
    packhouse.clear_api_key()


# --- the import -------------------------------------------------------------------------------------------------


def loaded_after(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_import_costs_nothing():
    loaded = loaded_after("import packhouse")

    assert {name for name in loaded if name.startswith("packhouse")} == {"packhouse"}
    assert not loaded & {"urllib3", "aiohttp", "sqlalchemy", "jinja2", "orjson", "click", "asyncio", "json"}


def test_using_all_of_it_loads_neither_server_nor_catalog_nor_templates():
    loaded = loaded_after("import packhouse\nfor name in packhouse.__all__: getattr(packhouse, name)")

    assert not loaded & {"aiohttp", "sqlalchemy", "alembic", "jinja2", "click", "rich", "cryptography"}
    assert not {name for name in loaded if name.startswith(("packhouse.catalog", "packhouse.intake"))}
    assert "urllib3" in loaded  # the comparison is not blind


def test_every_name_is_there_and_no_other():
    assert {*packhouse.__all__} <= {*dir(packhouse)}
    for name in packhouse.__all__:
        assert getattr(packhouse, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lost_packages'"):
        packhouse.lost_packages  # noqa: B018 - the attribute is the test


def test_the_signatures_are_those_of_the_reference():
    """Name and order of what quilt3's callers give; ours may take more by keyword."""
    reference = {
        packhouse.config: ["catalog_url", "config_values"],
        packhouse.delete_package: ["name", "registry", "top_hash"],
        packhouse.list_package_versions: ["name", "registry"],
        packhouse.list_packages: ["registry"],
        packhouse.logged_in: [],
        packhouse.login: [],
        packhouse.login_with_api_key: ["key"],
        packhouse.clear_api_key: [],
        packhouse.logout: [],
        packhouse.search: ["query", "limit"],
        packhouse.api_keys.list: ["name", "fingerprint", "status"],
        packhouse.api_keys.get: ["id"],
        packhouse.api_keys.create: ["name", "expires_in_days"],
        packhouse.api_keys.revoke: ["id", "secret"],
    }
    for function, names in reference.items():
        assert list(inspect.signature(function).parameters)[: len(names)] == names, function
        assert function.__doc__
    assert inspect.signature(packhouse.search).parameters["limit"].default == 10
    assert inspect.signature(packhouse.api_keys.create).parameters["expires_in_days"].default == 90
    assert [field.name for field in fields(packhouse.APIKey)] == (
        ["id", "name", "fingerprint", "created_at", "expires_at", "last_used_at", "status", "user_email"]
    )


def test_every_refusal_of_the_client_is_of_our_own_tree():
    kinds = [
        getattr(packhouse, name) for name in packhouse.__all__ if inspect.isclass(getattr(packhouse, name))
    ]
    refusals = [kind for kind in kinds if issubclass(kind, Exception)]

    assert len(refusals) > 10
    assert all(issubclass(kind, packhouse.PackhouseError) for kind in refusals)


# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "server", "channel"),
    [
        ("http://Host:8080/main", "http://host:8080", "main"),
        ("https://host/main/", "https://host", "main"),
        ("https://host/below/main", "https://host/below", "main"),
    ],
)
def test_a_registry_is_a_server_and_a_channel(url, server, channel):
    found = registry.parse_registry(url)

    assert (found.server, found.channel, found.url) == (server, channel, f"{server}/{channel}")


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "http://host/",
        "ftp://host/main",
        "main",
        "http://ann:secret@host/main",
        "http://host/main?x=1",
        "http://[host/main",
    ],
)
def test_what_names_no_channel_is_refused(url):
    with pytest.raises(packhouse.Malformed) as caught:
        registry.parse_registry(url)
    assert "secret" not in str(caught.value)


def test_a_bare_name_may_mean_one_package_of_each_ecosystem():
    assert [str(name) for name in registry.parse_package("Py_Tool")] == [
        "conda/py_tool",
        "pypi/py-tool",
        "generic/py_tool",
    ]
    assert [str(name) for name in registry.parse_package("pypi/Py_Tool")] == ["pypi/py-tool"]
    assert [str(name) for name in registry.parse_package("_x")] == ["conda/_x", "generic/_x"]


@pytest.mark.parametrize("name", ["", "npm/x", "pypi/", "pypi/a/b", "../x", "generic/..", "a b"])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(name):
    with site({}) as there, pytest.raises(packhouse.BadName):
        packhouse.list_package_versions(name, f"{there.url}/main")
    assert there.asked == []


# --- config -----------------------------------------------------------------------------------------------------


def test_the_configuration_is_read_set_and_taken_back(fresh):
    assert dict(packhouse.config()) == {
        "registry": None,
        "connect_timeout_s": 10.0,
        "timeout_s": 300.0,
        "tries": 4,
    }
    assert not fresh.exists()

    set_ = packhouse.config(registry="http://Host/main/", timeout_s=5, tries=2)

    assert (set_.registry, set_["timeout_s"], len(set_)) == ("http://host/main", 5.0, 4)
    assert packhouse.config() == set_
    assert packhouse.config(timeout_s=None, connect_timeout_s=0.5).timeout_s == 300.0
    assert packhouse.config().connect_timeout_s == 0.5
    assert 'registry = "http://host/main"\n' in (fresh / "config.toml").read_text()
    with pytest.raises(KeyError):
        set_["colour"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"colour": "red"}, "there is no setting 'colour'; there are registry"),
        ({"timeout_s": 0}, "more than 0 and at most"),
        ({"timeout_s": float("nan")}, "more than 0"),
        ({"timeout_s": True}, "should be a number of seconds"),
        ({"connect_timeout_s": "5"}, "should be a number of seconds"),
        ({"tries": 0}, "whole number from 1"),
        ({"tries": 1.5}, "whole number from 1"),
        ({"registry": 7}, "should be the URL of a channel"),
    ],
)
def test_a_setting_that_is_none_changes_nothing(values, says):
    packhouse.config(tries=3)

    with pytest.raises(packhouse.BadSettings, match=says):
        packhouse.config(**{"timeout_s": 7, **values})
    assert packhouse.config() == preferences.Config(tries=3)


@pytest.mark.parametrize(
    ("text", "says"),
    [("tries = ", "cannot be read as TOML"), ("colour = 1", "config.toml: there is no setting")],
)
def test_a_damaged_configuration_is_named(fresh, text, says):
    fresh.mkdir(parents=True)
    (fresh / "config.toml").write_text(text)

    with pytest.raises(packhouse.BadSettings, match=says):
        packhouse.config()


def test_a_url_configures_the_client_from_what_is_there():
    with site({"/main/serial.json": {"serial": 3}, "/other/serial.json": {"serial": 0}}) as there:
        assert packhouse.config(there.url).registry == f"{there.url}/main"
        assert packhouse.config(f"{there.url}/other/").registry == f"{there.url}/other"
        assert packhouse.list_packages.__doc__
    assert there.keys() == ["", ""]


def test_a_private_channel_may_be_configured_before_the_login():
    with site({"/team/serial.json": (401, "who?")}) as there:
        assert packhouse.config(f"{there.url}/team").registry == f"{there.url}/team"


def test_a_channel_that_was_made_a_moment_ago_is_waited_for():
    with site({"/main/serial.json": turns((404, "no"), (404, "no"), {"serial": 0})}) as there:
        assert packhouse.config(there.url).registry == f"{there.url}/main"
    assert len(there.asked) == 3


@pytest.mark.parametrize("answer", [{}, b"<html>", (404, "no"), (500, "no"), {"serial": "7"}])
def test_what_is_no_packhouse_is_not_configured(answer):
    with (
        site({"/main/serial.json": answer}) as there,
        pytest.raises(packhouse.BadSettings, match="as a channel"),
    ):
        packhouse.config(there.url)
    assert packhouse.config().registry is None


def test_one_url_and_nothing_else():
    with pytest.raises(packhouse.BadSettings, match="not both"):
        packhouse.config("http://a/main", "http://b/main")
    with pytest.raises(packhouse.BadSettings, match="not both"):
        packhouse.config("http://a/main", tries=1)


def test_a_configuration_that_cannot_be_written_stays_as_it_was(monkeypatch):
    packhouse.config(tries=2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fsio, "write", full)
    with pytest.raises(errors.StorageFull):
        packhouse.config(tries=3)
    assert packhouse.config().tries == 2


# --- keys and sessions ------------------------------------------------------------------------------------------


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


# --- listing ----------------------------------------------------------------------------------------------------

LISTS = {
    "/main/simple/index.json": {"projects": [{"name": "Apple_Pie"}]},
    "/main/products/index.json": {"products": [{"product": "tool"}]},
    "/main/channeldata.json": {"packages": {"plum": {}}},
}
LISTED = ["conda/plum", "generic/tool", "pypi/apple-pie"]


def test_a_stranger_reads_files_and_no_daemon_is_asked():
    with site(LISTS) as there:
        assert packhouse.list_packages(f"{there.url}/main") == LISTED
    assert not [path for path in there.paths() if "/api/" in path]


def test_with_a_key_the_server_is_asked_for_all_pages():
    page = "/api/1/channels/main/packages/"
    row = [{"ecosystem": "pypi", "name": name} for name in "cab"]
    more = {"Link": f'<{page}?page_token=t&per_page=50>; rel="next"'}
    packhouse.login_with_api_key(KEY)
    with site({page: (200, row[:2], more), f"{page}?page_token=t&per_page=50": row[2:]}) as there:
        assert packhouse.list_packages(f"{there.url}/main") == ["pypi/a", "pypi/b", "pypi/c"]
    assert there.keys() == [KEY, KEY]


def test_a_page_that_links_to_itself_ends_the_list_and_one_elsewhere_is_refused():
    page = "/api/1/channels/main/packages/"
    packhouse.login_with_api_key(KEY)
    with site({page: (200, [], {"Link": f'<{page}?page_token=t>; rel="next"'})}) as there:
        assert packhouse.list_packages(f"{there.url}/main") == []
        assert len(there.asked) == 2
        there.answers[page] = (200, [], {"Link": '<http://other.example/>; rel="next"'})
        with pytest.raises(packhouse.ServerRefused, match="another server"):
            packhouse.list_packages(f"{there.url}/main")


def test_while_the_daemon_is_down_a_key_does_no_harm():
    packhouse.login_with_api_key(KEY)
    with site({"/api/1/channels/main/packages/": (503, "down"), **LISTS}) as there:
        assert packhouse.list_packages(f"{there.url}/main") == LISTED
    assert set(there.keys()[connection.TRIES :]) == {""}


def test_a_wrong_key_is_not_overlooked():
    packhouse.login_with_api_key(OTHER)
    with (
        site({"/api/1/channels/main/packages/": For([], []), **LISTS}) as there,
        pytest.raises(packhouse.KeyRefused, match="unknown, revoked or expired") as caught,
    ):
        packhouse.list_packages(f"{there.url}/main")
    assert (caught.value.status, caught.value.reason_code) == (401, "unauthenticated")
    assert isinstance(caught.value, packhouse.Unauthenticated)


def test_a_private_channel_needs_a_key():
    refused = pytest.raises(packhouse.KeyRefused, match="team is private or not there, and there is no key")
    with site({"/team/simple/index.json": (401, "who?")}) as there, refused:
        packhouse.list_packages(f"{there.url}/team")


@pytest.mark.parametrize(
    "wrong",
    [
        {"/main/simple/index.json": {"projects": [{"name": 7}]}},
        {"/main/simple/index.json": {}},
        {"/main/products/index.json": [1]},
        {"/main/channeldata.json": b"not json"},
        {"/main/channeldata.json": b"[" * 100_000},
    ],
)
def test_an_answer_without_sense_is_refused(wrong):
    with (
        site({**LISTS, **wrong}) as there,
        pytest.raises(packhouse.ServerRefused, match="not answer as a Packhouse"),
    ):
        packhouse.list_packages(f"{there.url}/main")


def test_search_follows_the_pages_as_far_as_is_asked():
    def hit(number):
        return {
            "channel": "main", "ecosystem": "pypi", "name": f"p{number}", "display": f"P{number}", "latest": "1",
            "summary": "", "files": 1, "serial": number, "updated": "2026-01-01T00:00:00Z", "url": f"main/pypi/p{number}/",
        }  # fmt: skip

    path = "/api/1/search/"
    more = {"Link": f'<{path}?q=p&page_token=t>; rel="next"'}
    with site({path: (200, [hit(1), hit(2)], more), f"{path}?q=p&page_token=t": [hit(3)]}) as there:
        url = f"{there.url}/main"
        assert [found.name for found in packhouse.search("p", 2, url)] == ["p1", "p2"]
        assert len(there.asked) == 1
        first, *_, last = packhouse.search("p", 5, url)
        assert (last.name, last.registry, last.url) == ("p3", url, f"{there.url}/main/pypi/p3/")
        assert first.updated.tzinfo is not None
        with pytest.raises(packhouse.Malformed, match="at least one"):
            packhouse.search("p", 0, url)


# --- versions ---------------------------------------------------------------------------------------------------


def test_versions_come_oldest_first_and_the_newest_again_as_latest():
    answers = product("tool", {"1.10": b"new", "1.9": b"old, but uploaded later"})
    with site(answers) as there:
        pairs = packhouse.list_package_versions("tool", f"{there.url}/main")

    one, two = answers["/main/generic/tool/versions.json"]["versions"]
    assert pairs == [
        (1767225600, one["top_hash"]),
        (1767312000, two["top_hash"]),
        ("latest", one["top_hash"]),
    ]
    assert set(there.keys()) == {""}


def test_a_yanked_version_is_the_latest_only_if_all_are():
    a, b = file_of("packages/x/a.whl", b"a"), file_of("packages/x/b.whl", b"b")
    for yanked, latest in ((False, a), (True, b)):
        listed = versions(version_of("1.0", a, yanked=yanked), version_of("2.0", b, yanked=True))
        with site({"/main/pypi/x/versions.json": listed}) as there:
            found = packhouse.list_package_versions("pypi/x", f"{there.url}/main")
        assert found[-1] == ("latest", version_of("", latest)["top_hash"])


def test_a_bare_name_of_two_packages_is_ambiguous():
    listed = versions(version_of("1", file_of("x/y.bin", b"")))
    with site({"/main/pypi/tool/versions.json": listed, "/main/conda/tool/versions.json": listed}) as there:
        with pytest.raises(packhouse.Ambiguous, match="name one of conda/tool, pypi/tool"):
            packhouse.list_package_versions("tool", f"{there.url}/main")
        assert len(packhouse.list_package_versions("pypi/tool", f"{there.url}/main")) == 2


def test_a_package_that_is_not_there_is_missing_with_and_without_a_key():
    with site({"/main/pypi/x/versions.json": versions()}) as there:
        for _ in range(2):
            with pytest.raises(
                packhouse.Missing, match=r"there is no package x in .*, or you may not see it"
            ):
                packhouse.list_package_versions("x", f"{there.url}/main")
            packhouse.login_with_api_key(KEY)
    assert set(there.keys()) == {"", KEY}


def test_what_only_a_key_shows_is_read_with_it():
    answers = {path: For((404, "no"), answer) for path, answer in product("tool", {"1": b"secret"}).items()}
    packhouse.login_with_api_key(KEY)
    with site(answers) as there:
        assert len(packhouse.list_package_versions("generic/tool", f"{there.url}/main")) == 2
        packhouse.login_with_api_key(OTHER)
        with pytest.raises(packhouse.KeyRefused):
            packhouse.list_package_versions("generic/tool", f"{there.url}/main")


@pytest.mark.parametrize(
    "files",
    [
        [{"path": "../../x", "filename": "x", "size": 1, "sha256": "0"}],
        [{"path": "a/.ssh/x", "filename": "x", "size": 1, "sha256": "0"}],
        [{"path": "/etc/x", "filename": "x", "size": 1, "sha256": "0"}],
        [{"path": "a/x", "filename": "y", "size": 1, "sha256": "0"}],
        [{"path": "a/../x", "filename": "../x", "size": 1, "sha256": "0"}],
        [{"path": "a/x", "filename": "x", "size": -1, "sha256": "0"}],
        [{"path": "a/x", "filename": "x", "size": True, "sha256": "0"}],
        [{"path": "a/x", "filename": "x", "size": 1}],
    ],
)
def test_a_manifest_names_no_file_outside_its_channel(files):
    wrong = version_of("1", files=files)
    refused = pytest.raises(packhouse.ServerRefused, match="not answer as a Packhouse")
    with site({"/main/pypi/x/versions.json": versions(wrong)}) as there, refused:
        packhouse.pull("pypi/x", registry=f"{there.url}/main")


def test_a_manifest_that_was_tampered_with_is_refused():
    good = file_of("packages/x/a.whl", b"good")
    wrong = version_of("1", file_of("packages/x/a.whl", b"evil"), top_hash=version_of("1", good)["top_hash"])
    refused = pytest.raises(packhouse.HashMismatch, match="its top hash is")
    with site({"/main/pypi/x/versions.json": versions(wrong)}) as there, refused:
        packhouse.list_package_versions("pypi/x", f"{there.url}/main")


# --- when nobody answers ----------------------------------------------------------------------------------------


def test_a_server_that_is_down_is_said_and_was_asked_again():
    with site({}) as there:
        pass

    with pytest.raises(packhouse.Unreachable, match="Connection refused") as caught:
        packhouse.list_packages(f"{there.url}/main")
    assert not isinstance(caught.value, packhouse.TimedOut)


@pytest.mark.parametrize(
    "mood", [Silent(), Silent(b'{"projects": [')], ids=["no status line", "half an answer"]
)
def test_a_slow_server_is_given_up_after_the_time_that_was_set(mood):
    packhouse.config(timeout_s=0.05)
    with site({"/main/simple/index.json": mood}) as there:
        with pytest.raises(packhouse.TimedOut, match=r"may pass 0\.05 s"):
            packhouse.list_packages(f"{there.url}/main")
        assert len(there.asked) == 1  # asking again would only add to its load


def test_tries_may_be_set():
    packhouse.config(tries=2)
    with site({"/main/simple/index.json": (503, {"detail": "busy"})}) as there:
        with pytest.raises(packhouse.Unreachable, match="cannot do this now: busy"):
            packhouse.list_packages(f"{there.url}/main")
        assert len(there.asked) == 2


def test_waiting_for_a_serial():
    with site({"/main/serial.json": turns((404, "no"), {"serial": 4}, {"serial": 5})}) as there:
        packhouse.wait(5, f"{there.url}/main")
        assert len(there.asked) == 3
        with pytest.raises(packhouse.Unreachable, match="published up to serial 5, and not 6"):
            packhouse.wait(6, f"{there.url}/main", timeout=0)
    with site({"/main/serial.json": (401, "who?")}) as there, pytest.raises(packhouse.KeyRefused):
        packhouse.wait(1, f"{there.url}/main")


# --- changes ----------------------------------------------------------------------------------------------------


def test_a_change_without_a_key_is_refused_before_anything_is_sent(tmp_path):
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"x")
    with site({}) as there:
        url = f"{there.url}/main"
        for change in (
            lambda: packhouse.push(tmp_path / "a-1-py3-none-any.whl", url),
            lambda: packhouse.delete("noarch/x-1-0.conda", url),
            lambda: packhouse.delete_package("x", url),
            lambda: packhouse.yank("x", "1", "", url),
            lambda: packhouse.unyank("x", "1", url),
            lambda: packhouse.api_keys.list(registry=url),
        ):
            with pytest.raises(packhouse.KeyRefused, match="there is no key for"):
                change()
    assert there.asked == []


def test_files_are_pushed_in_order_and_all_are_understood_first(tmp_path):
    good, odd = tmp_path / "a-1-py3-none-any.whl", tmp_path / "b.bin"
    good.write_bytes(b"a")
    odd.write_bytes(b"b")
    packhouse.login_with_api_key(KEY)
    with site({"/main/legacy/": {"changed": True, "serial": 7, "warnings": ["old"]}}) as there:
        url = f"{there.url}/main"
        with pytest.raises(packhouse.BadName):
            packhouse.push([good, odd], url)
        assert there.asked == []
        with pytest.raises(packhouse.Malformed, match="give both"):
            packhouse.push(odd, url, product="x")
        (pushed,) = packhouse.push(str(good), url)
        assert (pushed.outcome, pushed.notes, pushed.serial) == ("uploaded", ("old",), 7)
        there.answers["/main/legacy/"] = (409, {"detail": "File already exists", "code": "exists"})
        assert packhouse.push([good], url, skip_existing=True)[0].outcome is packhouse.Outcome.SKIPPED
        with pytest.raises(packhouse.ServerRefused, match="already exists") as caught:
            packhouse.push([good], url)
        assert (caught.value.status, caught.value.reason_code) == (409, "exists")


def test_a_deleted_file_is_named_by_path_or_url():
    packhouse.login_with_api_key(KEY)
    with site({"/main/noarch/x%21-1-0.conda": {}, "/main/serial.json": {"serial": 9}}) as there:
        url = f"{there.url}/main"
        there.answers["/main/noarch/x!-1-0.conda"] = {}
        packhouse.delete("/noarch/x!-1-0.conda", url, now=True, reason="a secret")
        there.answers["/main/noarch/x!-1-0.conda"] = (202, {"serial": 9})
        packhouse.delete(f"{url}/noarch/x%21-1-0.conda", url)
        assert there.paths() == [
            "DELETE /main/noarch/x!-1-0.conda?now=true&reason=a+secret",
            "DELETE /main/noarch/x!-1-0.conda",
            "GET /main/serial.json",
        ]
        for wrong in ("x.conda", "noarch/", "http://other.example/main/noarch/x.conda"):
            with pytest.raises(packhouse.BadName):
                packhouse.delete(wrong, url)
        with pytest.raises(packhouse.Missing):
            packhouse.delete("noarch/y-1-0.conda", url)


def test_a_version_or_the_whole_package_is_deleted_file_by_file():
    answers = product("tool", {"1": b"one", "2": b"two"})
    one, two = (item["top_hash"] for item in answers["/main/generic/tool/versions.json"]["versions"])
    answers["/main/products/tool/2/tool.bin"] = turns((202, {"serial": 3}), (404, "gone"))
    answers["/main/serial.json"] = {"serial": 3}
    packhouse.login_with_api_key(KEY)
    with site(answers) as there:
        url = f"{there.url}/main"
        packhouse.delete_package("tool", url, top_hash=two[:6].upper())
        packhouse.delete_package("tool", url)  # what is gone already is passed over
        packhouse.delete_package("tool", url, version="1")
        assert [path for path in there.paths() if path.startswith(("DELETE", "GET /main/serial"))] == [
            "DELETE /main/products/tool/2/tool.bin",
            "GET /main/serial.json",
            "DELETE /main/products/tool/1/tool.bin",
            "DELETE /main/products/tool/2/tool.bin",
            "DELETE /main/products/tool/1/tool.bin",
        ]
        for wrong, kind in (
            ("abc", packhouse.BadName),
            ("xyzxyz", packhouse.BadName),
            ("0" * 64, packhouse.Missing),
        ):
            with pytest.raises(kind):
                packhouse.delete_package("tool", url, top_hash=wrong)
        with pytest.raises(packhouse.HashMismatch):
            packhouse.delete_package("tool", url, top_hash=one, version="2")
        with pytest.raises(packhouse.Missing, match="no version 9"):
            packhouse.delete_package("tool", url, version="9")
        there.answers["/main/products/tool/1/tool.bin"] = DENIED
        with pytest.raises(packhouse.NotPermitted, match="may not delete"):
            packhouse.delete_package("tool", url)


def test_versions_of_the_same_files_are_told_apart_before_one_is_deleted():
    packhouse.login_with_api_key(KEY)
    with site(product("tool", {"1": b"same", "2": b"same"})) as there:
        url = f"{there.url}/main"
        same = packhouse.list_package_versions("tool", url)[0][1]
        with pytest.raises(packhouse.Ambiguous, match="the version too"):
            packhouse.delete_package("tool", url, top_hash=same)
        packhouse.delete_package("tool", url, top_hash=same, version="1")
    assert [path for path in there.paths() if "DELETE" in path] == ["DELETE /main/products/tool/1/tool.bin"]


def test_two_hashes_that_begin_alike_are_ambiguous(monkeypatch):
    monkeypatch.setattr("packhouse.client.versions.top_hash", lambda files: f"abcdef{files[0].size:058}")
    answers = product("tool", {"1": b"1", "2": b"22"})
    for item in answers["/main/generic/tool/versions.json"]["versions"]:
        item["top_hash"] = f"abcdef{item['files'][0]['size']:058}"
    packhouse.login_with_api_key(KEY)
    with site(answers) as there:
        for change in (
            lambda: packhouse.pull("tool", top_hash="abcdef", registry=f"{there.url}/main"),
            lambda: packhouse.delete_package("tool", f"{there.url}/main", "abcdef0"),
        ):
            with pytest.raises(packhouse.Ambiguous, match="give more of it"):
                change()


def test_yanking_is_for_python_releases():
    path = "/api/1/main/hello-world/1.0/yank"
    packhouse.login_with_api_key(KEY)
    with site(
        {path: turns((202, {"serial": 2}), {"serial": 3}), "/main/serial.json": {"serial": 2}}
    ) as there:
        url = f"{there.url}/main"
        packhouse.yank("Hello_World", "1.0", "too loud", url)
        packhouse.unyank("pypi/hello-world", "1.0", url)
        assert there.paths() == [f"POST {path}", "GET /main/serial.json", f"DELETE {path}"]
        assert there.asked[0][3] == b'{"reason": "too loud"}'
        with pytest.raises(packhouse.BadName, match="only Python releases"):
            packhouse.yank("conda/x", "1.0", registry=url)
        with pytest.raises(packhouse.BadName):
            packhouse.yank("x", "1/0", registry=url)


# --- keys -------------------------------------------------------------------------------------------------------


def key_record(number, **more):
    return {
        "id": number, "account": "ann", "name": f"k{number}", "fingerprint": f"{number:012x}",
        "created": "2026-01-01T00:00:00.000000Z", "expires": "2026-04-01T00:00:00.000000Z", "last_used": None,
        "status": "active", "scope": None, **more,
    }  # fmt: skip


def test_keys_are_listed_filtered_and_found():
    rows = [
        key_record(1, last_used="2026-01-02T00:00:00.000000Z"),
        key_record(2, status="expired"),
        key_record(3, status="revoked"),
        key_record(4, expires=None),
    ]
    packhouse.login_with_api_key(KEY)
    with site({"/api/1/keys/": rows}) as there:
        packhouse.config(registry=f"{there.url}/main")
        first, second, fourth = packhouse.api_keys.list()
        assert (first.id, first.status, first.user_email, first.login) == ("1", "ACTIVE", "ann", "ann")
        assert first.last_used_at.isoformat() == "2026-01-02T00:00:00+00:00"
        assert (second.status, second.last_used_at, fourth.expires_at) == ("EXPIRED", None, None)
        assert packhouse.api_keys.list(name="k2") == packhouse.api_keys.list(status="EXPIRED") == [second]
        assert (
            packhouse.api_keys.list(fingerprint="000000000004") == [packhouse.api_keys.get("4")] == [fourth]
        )
        assert packhouse.api_keys.get("3") is None
        with pytest.raises(ValueError, match="status is 'LOST'"):
            packhouse.api_keys.list(status="LOST")


def test_a_key_is_made_once_and_what_the_server_says_is_passed_on():
    packhouse.login_with_api_key(KEY)
    with site({"/api/1/keys/": (201, {"key": key_record(5), "secret": OTHER, "notes": []})}) as there:
        packhouse.config(registry=f"{there.url}/main")
        key, secret = packhouse.api_keys.create("k5", 30)
        assert (key.name, secret) == ("k5", OTHER)
        assert there.asked[-1][3] == b'{"name": "k5", "expires_in_days": 30}'
        there.answers["/api/1/keys/"] = (
            422,
            {"detail": "a key named k5 is active already", "code": "unprocessable"},
        )
        with pytest.raises(packhouse.APIKeyError, match="active already") as caught:
            packhouse.api_keys.create("k5")
        assert caught.value.status == 422
        there.answers["/api/1/keys/"] = (401, {"detail": "expired"})
        with pytest.raises(packhouse.KeyRefused):
            packhouse.api_keys.create("k5")
        there.answers["/api/1/keys/"] = (201, {})
        with pytest.raises(packhouse.ServerRefused, match="not answer as a Packhouse"):
            packhouse.api_keys.create("k5")
        for days in (0, 366):
            with pytest.raises(packhouse.Malformed, match="choose 1 to 365"):
                packhouse.api_keys.create("k5", days)


def test_a_key_is_revoked_by_its_number_or_its_secret():
    with site({"/api/1/keys/7/": {"revoked": True}, "/api/1/keys/revoke/": {"revoked": True}}) as there:
        packhouse.config(registry=f"{there.url}/main")
        packhouse.api_keys.revoke(secret=OTHER)  # holding it is enough
        packhouse.login_with_api_key(KEY)
        packhouse.api_keys.revoke("7")
        assert there.paths() == ["POST /api/1/keys/revoke/", "DELETE /api/1/keys/7/"]
        assert there.keys() == ["", KEY]
        for wrong in ({}, {"id": "7", "secret": OTHER}, {"secret": "qk_x"}):
            with pytest.raises(ValueError):
                packhouse.api_keys.revoke(**wrong)
        with pytest.raises(packhouse.APIKeyError):
            packhouse.api_keys.revoke("8")
        # A secret that was given for the id is neither sent in a path nor shown.
        with pytest.raises(packhouse.APIKeyError, match="an id is a number") as caught:
            packhouse.api_keys.revoke(OTHER)
        assert OTHER not in str(caught.value)
        assert there.paths()[2:] == ["DELETE /api/1/keys/8/"]


def test_an_answer_that_breaks_off_is_asked_for_again():
    whole = b'{"serial": 5}'
    with site({"/main/serial.json": turns(Cut(whole), whole)}) as there:
        packhouse.wait(5, f"{there.url}/main")
    assert len(there.asked) == 2
