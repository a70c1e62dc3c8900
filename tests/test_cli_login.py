"""`packhouse login`, `logout`, `whoami`: a key goes from the server into a file for one pair of eyes, and nowhere else."""

import base64
import json
import os
import stat
import sys
from pathlib import Path

import keyring
import keyring.errors
import pytest
from cli_support import answer_prompts, make_run
from e2e_support import serving
from keyring.backend import KeyringBackend
from pypi_support import make_wheel
from test_client_connection import answering

from packhouse.client import login
from packhouse.client.keys import find_key, read_store, store_path
from packhouse.errors import Malformed, StorageFull, Unauthenticated, Unavailable
from packhouse.tree import fsio
from packhouse.webserver import ACCESS_LOG

SECRET = "pkh-0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
ANN = (200, {}, {"login": "ann", "kind": "user", "admin": False, "groups": ["team", "authenticated"]})
MADE = (201, {}, {"key": {"id": 7, "name": "x"}, "secret": SECRET})
WRONG = (401, {}, {"detail": "the user name or the password is wrong", "code": "unauthenticated"})


class Box(KeyringBackend):
    """A keyring in memory that can be locked."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.held, self.locked = {}, False

    def _open(self):
        if self.locked:
            raise keyring.errors.KeyringLocked("it is locked")

    def get_password(self, service, username):
        self._open()
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self._open()
        self.held[service, username] = password

    def delete_password(self, service, username):
        self._open()
        if self.held.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not there")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    return tmp_path / "home" / ".config" / "packhouse"


@pytest.fixture
def run(home, monkeypatch, capfd):
    return make_run(monkeypatch, capfd)


@pytest.fixture
def box():
    before, box = keyring.get_keyring(), Box()
    keyring.set_keyring(box)
    yield box
    keyring.set_keyring(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# --- login --------------------------------------------------------------------------------------------------


def test_a_key_is_asked_for_checked_and_kept_for_its_owner_only(run, home, monkeypatch):
    asked = answer_prompts(monkeypatch, SECRET)
    before = os.umask(0)  # the mode is no gift of the umask
    try:
        with answering(ANN) as (url, seen):
            ran = run("login", "--server", f"{url}/", terminal=True, stdin=b"\n")
            assert find_key(url) == SECRET
    finally:
        os.umask(before)

    assert ran.code == 0, ran.err
    assert len(asked) == 1
    assert f"signed in to {url} as ann; the key lies in {home / 'keys.toml'}" in ran.err
    assert SECRET not in ran.out + ran.err
    assert [(method, path, headers["Authorization"]) for method, path, headers, _ in seen] == [
        ("GET", "/api/1/whoami/", f"Bearer {SECRET}")
    ]
    assert (mode(home), mode(home / "keys.toml")) == (0o700, 0o600)


def test_a_key_may_come_from_standard_input(run):
    with answering(ANN) as (url, _):
        assert run("login", "--server", url, "--key-stdin", stdin=f"{SECRET}\n".encode()).code == 0
        assert find_key(url) == SECRET


@pytest.mark.parametrize("way", ["stdin", "option", "prompt"])
def test_a_password_makes_a_key_and_is_kept_nowhere(run, home, monkeypatch, way):
    answer_prompts(monkeypatch, "my long password")
    options = {
        "stdin": (["--user", "ann", "--password-stdin"], {"stdin": b"my long password\n"}),
        "option": (["--user", "ann"], {"terminal": True}),
        "prompt": ([], {"terminal": True, "stdin": b"ann\n"}),
    }
    arguments, given = options[way]
    with answering(MADE, ANN) as (url, seen):
        ran = run("login", "--server", url, "--expires-days", "30", *arguments, **given)
        assert ran.code == 0, ran.err
        assert find_key(url) == SECRET

    (method, path, headers, body), (_, asked, then, _) = seen
    assert (method, path, asked) == ("POST", "/api/1/keys/", "/api/1/whoami/")
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"ann:my long password"
    assert then["Authorization"] == f"Bearer {SECRET}"
    sent = json.loads(body)
    assert sent.pop("name").startswith("login on ")
    assert sent == {"expires_in_days": 30}
    text = (home / "keys.toml").read_text()
    assert "my long password" not in text + ran.out + ran.err
    assert SECRET not in ran.out + ran.err


def test_a_wrong_password_keeps_what_was_there(run, home):
    with answering(ANN) as (url, _):
        run("login", "--server", url, "--key-stdin", stdin=SECRET.encode())
    before = (home / "keys.toml").read_text()
    with answering(WRONG) as (other, _):
        ran = run("login", "--server", other, "--user", "ann", "--password-stdin", stdin=b"nonsense")

    assert (ran.code, ran.err) == (1, "packhouse: the user name or the password is wrong\n")
    assert (home / "keys.toml").read_text() == before


def test_a_key_that_the_server_does_not_know_is_not_kept(run, home):
    with answering((401, {}, {"detail": "the API key is unknown, revoked or expired"})) as (url, _):
        ran = run("login", "--server", url, "--key-stdin", stdin=SECRET.encode())

    assert ran.code == 1
    assert "is unknown, revoked or expired" in ran.err
    assert not (home / "keys.toml").exists()


@pytest.mark.parametrize("answer", [(200, {}, {}), (200, {}, b"<html>welcome</html>")])
def test_another_kind_of_server_is_found_out(run, home, answer):
    with answering(answer) as (url, _):
        by_key = run("login", "--server", url, "--key-stdin", stdin=SECRET.encode())
        by_password = run("login", "--server", url, "--user", "a", "--password-stdin", stdin=b"x")

    assert "does not answer as a Packhouse does" in by_key.err
    assert "made no key" in by_password.err
    assert not (home / "keys.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        ([], b"", 2, "there is no terminal to ask on: use --key-stdin"),
        (["--user", "ann"], b"", 2, "there is no terminal to ask on: use --password-stdin"),
        (["--user", "ann", "--key-stdin"], b"", 2, "leave out the other options"),
        (["--password-stdin"], b"", 2, "--password-stdin needs --user"),
        (["--key-stdin"], b"", 1, "standard input is empty: it should hold the key"),
        (["--key-stdin"], b"my-password", 1, "that is no API key"),
        (["--key-stdin"], b"pkh-x y", 1, "that is no API key"),
        (["--key-stdin"], "pkh-\u00e9".encode(), 1, "that is no API key"),
        (["--user", "a:b", "--password-stdin"], b"x", 1, "'a:b' is no user name"),
        (["--expires-days", "366"], b"", 2, "1<=x<=365"),
        (["--server", "https://ann:pw@packages.example"], b"", 1, "leave user name and password out"),
        (["--server", "ftp://packages.example"], b"", 1, "is no server: give its address as"),
    ],
)
def test_what_is_no_login_sends_nothing(run, home, arguments, stdin, code, says):
    with answering(ANN) as (url, seen):
        ran = run("login", *(() if "--server" in arguments else ("--server", url)), *arguments, stdin=stdin)

    assert ran.code == code
    assert says in ran.err
    assert seen == []
    assert not (home / "keys.toml").exists()


def test_a_damaged_or_open_store_is_said_before_a_key_is_made(run, home):
    """Or each try would leave another key behind that nobody holds."""
    home.mkdir(parents=True)
    with answering(MADE, ANN) as (url, seen):
        for text, bits, says in (
            ("x = \n", 0o600, "cannot be read as TOML"),
            ('"http://h" = 5\n', 0o600, "mend or remove the line first"),
            ('"http://h" = "k"\n', 0o640, "can be read by others: run `chmod 600"),
        ):
            (home / "keys.toml").write_text(text)
            (home / "keys.toml").chmod(bits)
            ran = run("login", "--server", url, "--user", "ann", "--password-stdin", stdin=b"x")
            assert ran.code == 1
            assert says in ran.err
        assert seen == []


def test_what_others_can_read_on_the_way_is_warned_of(run, monkeypatch):
    monkeypatch.setattr(
        "packhouse.cli.login.ask_who",
        lambda _server: login.Identity(login="a", kind="user", admin=False, groups=()),
    )
    ran = run("login", "--server", "http://packages.example", "--key-stdin", stdin=SECRET.encode())
    assert "warning: http://packages.example is not encrypted" in ran.err
    ran = run("login", "--server", "HTTPS://Packages.Example/", "--key-stdin", stdin=SECRET.encode())
    assert "warning" not in ran.err
    assert set(read_store(store_path())) == {"http://packages.example", "https://packages.example"}


def test_the_variable_still_wins_and_that_is_said(run, monkeypatch):
    monkeypatch.setenv("PACKHOUSE_KEY", "pkh-other")
    with answering(ANN) as (url, _):
        assert (
            "PACKHOUSE_KEY is set" in run("login", "--server", url, "--key-stdin", stdin=SECRET.encode()).err
        )
        assert find_key(url) == "pkh-other"
        assert "PACKHOUSE_KEY is set" in run("logout", "--server", url).err


# --- the file -----------------------------------------------------------------------------------------------


def test_the_file_is_never_wider_than_its_owner_even_for_an_instant(home, monkeypatch):
    """Every name in the folder is looked at after each system call that could have made one."""
    modes, calls = set(), []
    for name in ("create", "write", "chmod", "sync_file"):
        real = getattr(fsio, name)

        def watched(*args, real=real, name=name, **kwargs):
            done = real(*args, **kwargs)
            calls.append(name)
            modes.update(mode(file) for file in home.iterdir())
            return done

        monkeypatch.setattr(fsio, name, watched)
    before = os.umask(0)
    try:
        login.keep("https://packages.example", SECRET)
    finally:
        os.umask(before)

    assert calls == ["chmod", "create", "write", "chmod", "sync_file"]
    assert modes == {0o600}
    assert [file.name for file in home.iterdir()] == ["keys.toml"]


def test_other_servers_keep_their_keys(home):
    odd = 'https://o"dd\\.example/\x7f'
    login.keep("https://a.example", "pkh-a")
    login.keep(odd, "pkh-odd")
    login.keep("https://b.example", "pkh-b")
    login.keep("https://A.example/", "pkh-new")

    assert read_store(store_path()) == {
        "https://a.example": "pkh-new",
        "https://b.example": "pkh-b",
        odd: "pkh-odd",
    }
    assert login.forget("https://b.example/")
    assert not login.forget("https://b.example")
    assert set(read_store(store_path())) == {"https://a.example", odd}


@pytest.mark.parametrize("call", ["create", "write", "sync_file"])
def test_a_full_disk_leaves_the_file_as_it_was(home, monkeypatch, call):
    login.keep("https://a.example", "pkh-a")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(fsio, call, full)
        with pytest.raises(StorageFull):
            login.keep("https://b.example", "pkh-b")

    assert read_store(store_path()) == {"https://a.example": "pkh-a"}
    assert [file.name for file in home.iterdir()] == ["keys.toml"]


def test_a_link_in_the_file_s_place_is_replaced_not_followed(home, tmp_path):
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "elsewhere").chmod(0o600)
    home.mkdir(parents=True)
    (home / "keys.toml").symlink_to(tmp_path / "elsewhere")
    login.keep("https://a.example", SECRET)

    assert (tmp_path / "elsewhere").read_text() == ""
    assert not (home / "keys.toml").is_symlink()


def test_a_folder_that_is_none_is_said(home):
    home.parent.mkdir(parents=True)
    home.write_text("a file")

    with pytest.raises(Unavailable, match="cannot take or give"):
        login.keep("https://a.example", SECRET)


def test_a_folder_that_another_login_makes_meanwhile_is_used(home, monkeypatch):
    def faster(path):
        Path(path).mkdir(exist_ok=True)
        raise FileExistsError

    monkeypatch.setattr(fsio, "mkdir", faster)
    login.keep("https://a.example", SECRET)

    assert find_key("https://a.example") == SECRET


def test_a_port_of_another_server_is_another_server(home):
    login.keep("https://a.example:8443", SECRET)

    with pytest.raises(Unauthenticated, match=r"run `packhouse login --server https://a\.example`"):
        find_key("https://a.example")


def test_an_address_is_checked():
    assert login.check_server("HTTP://Localhost:8080/") == "http://localhost:8080"
    assert not login.is_open("http://localhost:8080")
    assert not login.is_open("http://[::1]:8080")
    with pytest.raises(Malformed):
        login.check_server("packages.example")


# --- the keyring --------------------------------------------------------------------------------------------


def test_a_key_may_lie_in_the_keyring_where_pip_and_uv_look_too(run, home, box):
    with answering(ANN) as (url, _):
        ran = run("login", "--server", url, "--keyring", "--key-stdin", stdin=SECRET.encode())
        assert ran.code == 0, ran.err
        assert "the key lies in the keyring" in ran.err
        host = url.removeprefix("http://")
        assert box.held == {(host, "__token__"): SECRET}
        assert SECRET not in (home / "keys.toml").read_text()
        assert find_key(url) == SECRET

        box.held.clear()
        with pytest.raises(Unauthenticated, match=r"holds no key for .* any more"):
            find_key(url)
        box.locked = True
        with pytest.raises(Unauthenticated, match=r"does not give the key for .*: it is locked"):
            find_key(url)


def test_logout_forgets_the_keyring_too(run, box):
    with answering(ANN) as (url, _):
        login_ = ("login", "--server", url, "--keyring", "--key-stdin")
        run(*login_, stdin=SECRET.encode())
        box.locked = True
        locked = run("logout", "--server", url)
        assert locked.code == 1
        assert "does not let go of the key" in locked.err
        box.locked = False
        assert run("logout", "--server", url).err == f"the key for {url} is forgotten here\n"
        assert box.held == {}
        assert run("logout", "--server", url).err == f"no key for {url} was kept\n"
        # somebody else took it out of the keyring
        run(*login_, stdin=SECRET.encode())
        box.held.clear()
        assert run("logout", "--server", url).code == 0
        # from the keyring into the file: it is in one place only
        run(*login_, stdin=SECRET.encode())
        run("login", "--server", url, "--key-stdin", stdin=SECRET.encode())
        assert box.held == {}
        assert find_key(url) == SECRET


def test_a_keyring_that_keeps_nothing_is_found_out(run, box, home, monkeypatch):
    with answering(ANN) as (url, _):
        login_ = ("login", "--server", url, "--keyring", "--key-stdin")
        box.locked = True
        assert "the keyring does not take the key (it is locked)" in run(*login_, stdin=SECRET.encode()).err
        box.locked = False
        monkeypatch.setattr(box, "set_password", lambda *_: None)
        assert "no keyring is set up here that keeps the key" in run(*login_, stdin=SECRET.encode()).err
    assert not (home / "keys.toml").exists()


def test_a_key_that_was_made_and_cannot_be_kept_is_ended(run, box, home):
    box.locked = True
    with answering(MADE, ANN, (200, {}, {"revoked": True})) as (url, seen):
        ran = run("login", "--server", url, "--keyring", "--user", "ann", "--password-stdin", stdin=b"x")

    assert ran.code == 1
    assert "the keyring does not take the key" in ran.err
    method, path, _, body = seen[2]
    assert (method, path, json.loads(body)) == ("POST", "/api/1/keys/revoke", {"secret": SECRET})
    with answering(MADE, ANN, (500, {}, {"detail": "broken"})) as (url, seen):
        ran = run("login", "--server", url, "--keyring", "--user", "ann", "--password-stdin", stdin=b"x")
        assert "the keyring does not take the key" in ran.err
        assert len(seen) == 3


def test_without_the_package_keyring_the_sentence_says_what_to_install(run, home, monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring.errors", None)
    with answering(MADE, ANN) as (url, seen):
        ran = run("login", "--server", url, "--keyring", "--user", "ann", "--password-stdin", stdin=b"x")

    assert ran.code == 1
    assert "install packhouse[keyring], or log in without --keyring" in ran.err
    assert seen == []


# --- logout and whoami --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--keyring"]])
def test_logout_may_revoke_the_key(run, box, options):
    gone = (404, {}, {"detail": "there is no active key with that secret", "code": "not-found"})
    with answering(ANN, (200, {}, {"revoked": True}), ANN, gone) as (url, seen):
        for _ in range(2):
            run("login", "--server", url, "--key-stdin", *options, stdin=SECRET.encode())
            ran = run("logout", "--server", url, "--revoke")
            assert (ran.code, ran.err) == (0, f"the key for {url} is forgotten here\n")

    method, path, headers, body = seen[1]
    assert (method, path, json.loads(body)) == ("POST", "/api/1/keys/revoke", {"secret": SECRET})
    assert "Authorization" not in headers
    assert (box.held, read_store(store_path())) == ({}, {})


def test_a_key_that_could_not_be_revoked_is_kept(run, home):
    """Or nobody could revoke it by its secret any more."""
    with answering(ANN, (403, {}, {"detail": "not from there"})) as (url, _):
        run("login", "--server", url, "--key-stdin", stdin=SECRET.encode())
        ran = run("logout", "--server", url, "--revoke")
        assert (ran.code, ran.err) == (1, "packhouse: not from there\n")
        assert find_key(url) == SECRET
        assert run("logout", "--server", "http://localhost:1", "--revoke").code == 0


def test_logout_without_a_login_is_fine(run, home):
    assert run("logout", "--server", "http://localhost:1").err == "no key for http://localhost:1 was kept\n"
    assert not home.exists()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"login": "ann", "kind": "user", "admin": False, "groups": ["team"]}, "ann (user), in team\n"),
        ({"login": "ci", "kind": "service", "admin": True, "groups": []}, "ci (service account, admin)\n"),
    ],
)
def test_whoami_says_whom_the_server_sees(run, monkeypatch, said, shown):
    monkeypatch.setenv("PACKHOUSE_KEY", SECRET)
    with answering((200, {}, said)) as (url, _):
        assert run("whoami", "--server", url).out == shown


def test_whoami_without_a_key_says_how_to_get_one(run, home):
    ran = run("whoami", "--server", "http://localhost:1")

    assert ran.code == 1
    assert "run `packhouse login --server http://localhost:1`" in ran.err


# --- against a whole server ---------------------------------------------------------------------------------

FILE_KEYRING = """
import json, os, keyring.backend, keyring.errors

class Keyring(keyring.backend.KeyringBackend):
    priority = 1

    def _all(self):
        try:
            with open(os.environ["KEYRING_FILE"]) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def get_password(self, service, username):
        return self._all().get(service + " " + username)

    def set_password(self, service, username, password):
        held = {**self._all(), service + " " + username: password}
        with open(os.environ["KEYRING_FILE"], "w") as file:
            json.dump(held, file)

    def delete_password(self, service, username):
        os.unlink(os.environ["KEYRING_FILE"])
"""


@pytest.mark.e2e
def test_one_login_serves_packhouse_pip_and_uv(tmp_path):
    """A user signs in with a password once; packages of a private channel are pushed and installed without a key typed."""
    (tmp_path / "filekeyring.py").write_text(FILE_KEYRING)
    name, body = make_wheel(name="apple")
    (tmp_path / name).write_bytes(body)
    with serving(tmp_path) as server:
        local = {"PACKHOUSE_DATA": str(server.data)}
        mine = {
            "PACKHOUSE_SERVER": server.url,
            "PYTHONPATH": str(tmp_path),
            "PYTHON_KEYRING_BACKEND": "filekeyring.Keyring",
            "KEYRING_FILE": str(tmp_path / "ring.json"),
        }
        (tmp_path / "password").write_text("correct horse battery")
        server.channel("inner", "--private")
        server.must("sh", "-c", f"packhouse user create ann --password-stdin < {tmp_path}/password", **local)
        server.must("packhouse", "grant", "give", "user:ann", "write", "inner", **local)
        signing_in = f"packhouse login --user ann --password-stdin --keyring < {tmp_path}/password"
        said = server.must("sh", "-c", signing_in, **mine)
        assert "signed in to" in said
        assert server.must("packhouse", "whoami", **mine) == "ann (user)\n"
        server.must("packhouse", "push", tmp_path / name, "--channel", "inner", **mine)

        index = f"http://__token__@127.0.0.1:{server.port}/inner/simple/"
        assert server.ask("/inner/simple/apple/")[0] == 401
        server.must(
            "pip", "install", "--keyring-provider", "import", "--index-url", index, "--target", tmp_path / "pip",
            "apple", **mine,
        )  # fmt: skip
        server.must(
            "uv", "pip", "install", "--keyring-provider", "subprocess", "--index-url", index, "--target",
            tmp_path / "uv", "apple", **mine,
        )  # fmt: skip
        assert (tmp_path / "pip" / "apple").exists()
        assert (tmp_path / "uv" / "apple").exists()

        secret = json.loads((tmp_path / "ring.json").read_text())[f"127.0.0.1:{server.port} __token__"]
        for file in (server.log, server.data / ACCESS_LOG):
            assert secret not in file.read_text()
        server.must("packhouse", "logout", "--revoke", **mine)
        key = {"Authorization": f"Bearer {secret}"}
        assert server.ask("/inner/simple/apple/", **key)[0] == 401
