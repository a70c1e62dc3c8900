"""No key, password, cookie or one-time code is kept anywhere, in any spelling, once it has been used.

A run uses every kind of secret in every way that clients and browsers use it, rightly and wrongly. Then everything that
stays is searched: the database, row by row and byte by byte, every file of the data directory, every log, what the
answers said, and the command lines of all processes.
"""

import base64
import hashlib
import itertools
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from e2e_support import wait_until
from private_support import UNLIMITED, World, basic, world
from pypi_support import make_wheel
from rawhttp_support import Raw, Wire

from packhouse.catalog.keys import new_secret

pytestmark = pytest.mark.e2e

FORM = ("Content-Type", "application/x-www-form-urlencoded")
PAGE = ("Accept", "text/html")


@dataclass
class Run:
    """What was used, and what was answered.

    Attributes:
        secrets: kind to text.
        answers: (what was asked, answer), all of them.
        shown: (kind, a part of the question) of secrets that the answer exists to hand over.
    """

    world: World
    wire: Wire
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[str, Raw]] = field(default_factory=list)
    shown: set[tuple[str, str]] = field(default_factory=set)

    def ask(self, target: str, method: str = "GET", *headers: tuple[str, str], body: bytes = b"") -> Raw:
        answer = self.wire.ask(target, method, headers, body)
        self.answers.append((f"{method} {target}", answer))
        return answer

    def post(self, target: str, *headers: tuple[str, str], **fields: str) -> Raw:
        """Send a page's form."""
        return self.ask(target, "POST", FORM, PAGE, *headers, body=urlencode(fields).encode())


# --- using them ---------------------------------------------------------------------------------------------------


def spellings(key: str, user: str) -> list[tuple[tuple[str, str], ...]]:
    """The headers in which a key, or a password, is sent; and some in which nobody should."""
    return [
        (("Authorization", f"Bearer {key}"),),
        (("Authorization", f"token {key}"),),
        (("Authorization", basic(user, key)),),
        (("Authorization", basic("__token__", key)),),
        (("Authorization", basic(key, "")),),
        (("Authorization", key),),
        (("Authorization", f"Digest {key}"),),
        (("X-API-Key", key),),
        (("X-Api-Token", key),),
        (("X-API-Key", key), ("X-API-Key", key)),
        (("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")),
        (("X-Packhouse-Key", key),),
        (("Cookie", f"__Host-packhouse={key}"),),
    ]


def paths(key: str) -> list[str]:
    """Addresses with a key in them, at their place and by mistake."""
    encoded = "".join(f"%{ord(c):02x}" for c in key)
    return [
        f"/t/{key}/main/noarch/repodata.json",
        f"/t/{key}/vault/noarch/repodata.json",
        f"/t/{key}/main/nothing/here",
        f"/t/{key}/",
        f"/t/{key}",
        f"//t//{key}//main/",
        f"/%74/{key}/main/",
        f"/t/{encoded}/main/noarch/repodata.json",
        f"/t/{key}/api/1/whoami",
        f"/t/{key}/main/legacy/",
        f"/fetch/{key}",
        f"/fetch/{key}/",
        f"/prune/{key}",
        f"//fetch/{key}",
        f"/fetch/{encoded}",
        f"/main/noarch/repodata.json?token={key}",
        f"/health?key={key}",
        f"/api/1/whoami?api_key={encoded}",
    ]


MISTAKES = [
    "/{}", "/main/{}", "/main/{}/x", "/{}/simple/", "/main/simple/{}/", "/account/invitation?code={}", "/api/package/{}/",
    "/t/x/../{}/main/", "/t/{0}/t/{0}/main/", "/t/x/main/{}",
]  # fmt: skip
"""Where keys of ours land by mistake; being spelled as they are, they are known there too."""


def use_keys(run: Run, kind: str, key: str) -> None:
    run.secrets[kind] = key
    targets = (
        "/main/noarch/repodata.json",
        "/vault/simple/",
        "/vault/noarch/repodata.json",
        "/api/1/whoami",
        "/nothing",
    )
    for headers, target in itertools.product(spellings(key, "alice"), targets):
        run.ask(target, "GET", *headers)
        run.ask(target, "GET", PAGE, *headers)
    for path, method in itertools.product(paths(key), ("GET", "DELETE", "POST")):
        run.ask(path, method)
    if key.startswith("pkh-"):
        for pattern, method in itertools.product(MISTAKES, ("GET", "PUT")):
            run.ask(pattern.format(key), method)
            run.ask(pattern.format("".join(f"%{ord(c):02X}" for c in key)), method)
        for name in ("User-Agent", "Referer", "X-Forwarded-For", "X-Real-IP", "Accept", "Origin"):
            run.ask("/main/noarch/repodata.json", "GET", (name, f"x {key}"))
            run.ask("/api/1/whoami", "GET", (name, f"x {key}"))
    run.ask(f"http://user:{key}@127.0.0.1/main/noarch/repodata.json")
    run.ask(f"/t/{key}/main/x y z")  # no request line at all
    filename, body = make_wheel(name="taken")
    bearer = ("Authorization", f"Bearer {key}")
    run.ask(f"/main/products/p/1/{filename}", "PUT", bearer, body=body)
    run.ask(f"/t/{key}/main/products/p/1/{filename}", "PUT", body=body)
    edge = (
        f'--{key[-8:]}\r\nContent-Disposition: form-data; name="password"\r\n\r\n{key}\r\n--{key[-8:]}--\r\n'
    )
    run.ask(
        "/main/legacy/",
        "POST",
        bearer,
        ("Content-Type", f"multipart/form-data; boundary={key[-8:]}"),
        body=edge.encode(),
    )


def use_passwords(run: Run, name: str, password: str) -> None:
    """Sign in with Basic, with pypicloud's calls and with a browser; wrongly before, and changing it afterwards."""
    wrong = run.secrets["a wrong password"] = "wrong-Battery+staple"
    for target in ("/vault/simple/", "/vault/noarch/repodata.json", "/main/simple/"):
        run.ask(target, "GET", ("Authorization", basic(name, password)))
    run.ask("/vault/simple/", "GET", ("Authorization", basic(name, wrong)))
    run.ask("/vault/noarch/repodata.json", "GET", ("Authorization", basic("nobody", wrong)))
    run.ask("/vault/simple/", "GET", ("Authorization", f"Bearer {password}"))
    run.ask("/account/sign-in", "GET", PAGE)
    assert run.post("/account/sign-in", user=name, password=wrong).status in (401, 403)
    run.post(
        "/account/sign-in", user=wrong, password=name
    )  # into the wrong field, which comes back for another try
    run.shown.add(("a wrong password", "POST /account/sign-in"))
    json = ("Content-Type", "application/json")
    run.ask("/acct/login", "POST", json, body=f'{{"username":"{name}","password":"{wrong}"}}'.encode())
    run.ask("/acct/login", "POST", json, body=f'{{"username":"{name}","password":"{wrong}'.encode())
    run.post("/account/sign-in", user=name, password=password, also="%zz")
    run.ask("/account/sign-in", "POST", FORM, body=f"user={name}&password={password}&password=x".encode())


def use_a_browser(run: Run, name: str, password: str) -> None:
    """Sign in, make a key, change the password, sign out."""
    changed = run.secrets["a changed password"] = "another-Battery+staple"
    cookie = sign_in(run, name, password)
    run.secrets["a session"] = cookie[1].partition("=")[2]
    page = run.ask("/account/", "GET", PAGE, cookie)
    token = re.search(rb'name="token" value="([^"]+)"', page.body)[1].decode()
    run.secrets["a form's token"] = token
    run.shown |= {("a form's token", f"{method} /account/") for method in ("GET", "POST")}
    made = run.post("/account/keys", cookie, token=token, name="mine", may="all", channels="", days="7")
    run.secrets["a key of the account page"] = re.search(rb"pkh-\w{42}", made.body)[0].decode()
    run.shown.add(("a key of the account page", "POST /account/keys"))
    assert run.post("/account/keys", cookie, token="forged", name="x", may="all", days="7").status == 403
    run.ask("/vault/simple/", "GET", PAGE, cookie)
    run.ask("/account/sign-out", "POST", FORM, cookie, ("X-Packhouse-Token", "forged"))
    run.post("/account/password", cookie, token=token, old="nonsense", password=changed, again=changed)
    answer = run.post("/account/password", cookie, token=token, old=password, password=changed, again=changed)
    fresh = cookie_of(answer)
    run.secrets["a later session"] = fresh[1].partition("=")[2]
    run.shown |= {("a later session", "POST /account/password"), ("a session", "POST /account/sign-in")}
    run.ask("/account/", "GET", PAGE, cookie)
    page = run.ask("/account/", "GET", PAGE, fresh)
    later = re.search(rb'name="token" value="([^"]+)"', page.body)[1].decode()
    run.secrets["a later form's token"] = later
    run.shown.add(("a later form's token", "GET /account/"))


def sign_in(run: Run, name: str, password: str) -> tuple[str, str]:
    agent = ("User-Agent", f"a browser whose owner put {run.secrets['a key']} here")
    return cookie_of(run.post("/account/sign-in", agent, user=name, password=password))


def cookie_of(answer: Raw) -> tuple[str, str]:
    assert answer.status == 303, (answer.status, answer.body)
    return "Cookie", answer.header("set-cookie").partition(";")[0]


def use_invitations(run: Run) -> None:
    """Two people are invited; one takes a weak password first, the other link is replaced by a later one."""
    house, password = run.world.house, "invited-Battery+staple"
    house.catalog.accounts.create("carol")
    spoiled = run.secrets["a replaced invitation"] = house.catalog.sessions.invite("carol")
    code = run.secrets["an invitation"] = house.catalog.sessions.invite("carol")
    run.secrets["an invited person's password"] = password
    run.ask("/account/invitation", "GET", PAGE)
    run.ask(f"/account/invitation?code={code}", "GET", PAGE)
    # A form that is refused comes back filled in, for another try.
    run.shown |= {(kind, "POST /account/invitation") for kind in ("an invitation", "a replaced invitation")}
    assert run.post("/account/invitation", code=spoiled, password=password, again=password).status == 400
    assert run.post("/account/invitation", code=code, password=password, again="x").status == 422
    cookie = cookie_of(run.post("/account/invitation", code=code, password=password, again=password))
    run.secrets["an invited person's session"] = cookie[1].partition("=")[2]
    run.shown.add(("an invited person's session", "POST /account/invitation"))
    run.post("/account/sign-out", cookie, token="forged")


def use_the_api(run: Run, password: str) -> None:
    """Make keys and accounts by API, with secrets in bodies that are refused too."""
    admin, json = ("Authorization", f"Bearer {run.world.server.key}"), ("Content-Type", "application/json")
    born = run.secrets["a password set by an admin"] = "handed-Battery+staple"
    assert (
        run.ask("/admin/user/dave/", "PUT", admin, json, body=f'{{"password":"{born}"}}'.encode()).status
        == 200
    )
    run.ask("/admin/user/dave/", "PUT", admin, json, body=f'{{"password":"{born}'.encode())
    run.ask("/api/user/erin/", "PUT", json, body=f'{{"password":"{born}"}}'.encode())
    dave = ("Authorization", basic("dave", born))
    body = f'{{"old_password":"{password}","new_password":"{born}"}}'.encode()
    run.ask("/api/user/password", "POST", dave, json, body=body)
    run.ask("/api/1/keys", "POST", dave, json, body=b'{"name":"api"}')
    run.ask("/admin/acl.json.gz", "GET", admin)
    run.ask("/api/1/audit", "GET", admin)
    run.ask("/api/1/audit", "GET", admin, PAGE)
    for _what, answer in run.answers[-4:]:
        if found := re.search(rb"pkh-\w{42}", answer.body):
            run.secrets["a key of the API"] = found[0].decode()
            run.shown.add(("a key of the API", "POST /api/1/keys"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with world(tmp_path_factory.mktemp("secrets"), **UNLIMITED) as made, Wire(made.server.port) as wire:
        made.channel("vault", private=True)
        made.conda("vault", "hushco")
        made.wheel("main", "openpy")
        found = Run(made, wire)
        password = found.secrets["a password"] = "correct-Horse+battery"
        alice = found.secrets["a key"] = made.user("alice", password)
        made.give("user:alice", "vault")
        use_passwords(found, "alice", password)
        use_a_browser(found, "alice", password)
        use_invitations(found)
        use_keys(found, "a key", alice)
        revoked = made.key("alice", "revoked")
        made.house.catalog.keys.revoke(revoked)
        use_keys(found, "a revoked key", revoked)
        use_keys(found, "a key that was never made", new_secret())
        use_keys(found, "a mistyped key", new_secret()[:-1] + "!")
        use_keys(found, "another server's token", "6f1d4c0e-7a52-4b3a-9d0c-1f2e3d4c5b6a")
        use_the_api(found, password)
        made.server.packhouse("audit")
        found.secrets["the admin's key"] = made.server.key
        made.settled()
        mark = "/main/the-last-line"
        found.ask(mark)
        found.ask(f"/api/package{mark}/")
        log = made.house.data / "state/nginx/access.log"
        wait_until(lambda: "/api/package/main/the-last-line" in log.read_text(), what="nginx's last line")
        wait_until(
            lambda: "/api/package/main/the-last-line" in made.server.log.read_text(), what="the daemon's"
        )
        yield found


# --- finding them -------------------------------------------------------------------------------------------------


def disguises(secret: str) -> Mapping[str, bytes]:
    """How a secret may look when somebody wrote it down: name of the spelling to bytes."""
    raw = secret.encode()
    found = {
        "plain": raw,
        "percent-encoded": quote(secret, safe="").encode(),
        "form-encoded": urlencode({"x": secret})[2:].encode(),
        "all percent": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "hex": raw.hex().encode(),
        "utf-16": secret.encode("utf-16-le"),
        "JSON": secret.replace("+", "\\u002b").encode(),
        "HTML": secret.replace("+", "&#43;").encode(),
        "upside down": secret.swapcase().encode(),
    }
    for shift in range(3):  # whatever stands before it: `user:secret` is one case
        text = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")
        found[f"base64 after {shift}"] = text[(0, 2, 3)[shift] : len(text) - 1]
        url = base64.urlsafe_b64encode(b"\0" * shift + raw).rstrip(b"=")
        found[f"base64url after {shift}"] = url[(0, 2, 3)[shift] : len(url) - 1]
    return found


def fast_digests(secret: str) -> Mapping[str, bytes]:
    """What a thief of the database would break at once, for a password."""
    raw = secret.encode()
    return {name: hashlib.new(name, raw).hexdigest().encode() for name in ("md5", "sha1", "sha256", "sha512")}


def found_in(name: str, body: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Which secrets stand in some bytes, and how."""
    folded = body.lower()
    return [
        f"{name} holds {kind}, {how}"
        for kind, secret in secrets.items()
        for how, needle in disguises(secret).items()
        if needle.lower() in folded
    ]


def dump(database: Path) -> bytes:
    """Every row of the database, as it would be restored."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        text = "\n".join(connection.iterdump())
    connection.close()
    return text.encode("utf-8", "surrogateescape")


def in_the_database(database: Path, secrets: Mapping[str, str]) -> list[str]:
    """Rows, and bytes: what a deleted row leaves behind, and what waits in the write-ahead log."""
    found = found_in("the dump", dump(database), secrets)
    for path in sorted(database.parent.glob(f"{database.name}*")):
        found += found_in(path.name, path.read_bytes(), secrets)
    return found


def in_files(folder: Path, secrets: Mapping[str, str]) -> list[str]:
    """Every file below a folder, and their names."""
    found = []
    for path in sorted(folder.rglob("*")):
        found += found_in("a name", path.name.encode(), secrets)
        if path.is_file():
            found += found_in(str(path.relative_to(folder)), path.read_bytes(), secrets)
    return found


def in_answers(run: Run, secrets: Mapping[str, str]) -> list[str]:
    """Answers with a secret in them that they do not exist to hand over."""
    found = []
    for asked, answer in run.answers:
        allowed = {kind for kind, part in run.shown if part in asked}
        hidden = {kind: secret for kind, secret in secrets.items() if kind not in allowed}
        found += [f"the answer to {asked}: {line}" for line in found_in("it", answer.everything, hidden)]
    return found


def command_lines() -> Iterator[tuple[str, bytes]]:
    """The arguments of every process; not the environment, which only its owner reads."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.parent.name, path.read_bytes()
        except OSError:  # it ended
            continue


def in_processes(secrets: Mapping[str, str]) -> list[str]:
    return [line for pid, body in command_lines() for line in found_in(f"process {pid}", body, secrets)]


# --- the tests ----------------------------------------------------------------------------------------------------


def test_every_kind_of_secret_was_used_and_most_of_them_worked(run):
    """Otherwise the rest would prove nothing."""
    assert len(run.secrets) >= 18
    assert all(len(secret) >= 16 for secret in run.secrets.values())
    assert len(set(run.secrets.values())) == len(run.secrets)
    statuses = {answer.status for _, answer in run.answers}
    assert {200, 303, 400, 401, 403, 404} <= statuses
    assert not {status for status in statuses if status >= 500} - {501}
    log = (run.world.house.data / "state/nginx/access.log").read_text()
    for shown in ("/t/***", "/fetch/***", "/prune/***"):
        assert shown in log
    assert log.count("\n") >= len(run.answers)
    assert "GET /t/***" in run.world.server.log.read_text().replace('"', "")


def test_the_database_holds_none(run):
    database = run.world.house.settings.database

    assert in_the_database(database, run.secrets) == []
    rows = dump(database)
    passwords = {kind: secret for kind, secret in run.secrets.items() if "password" in kind}
    assert len(passwords) >= 4
    for kind, secret in passwords.items():
        assert [how for how, digest in fast_digests(secret).items() if digest in rows] == [], kind


def test_no_file_of_the_data_directory_holds_one(run):
    """The logs of nginx, what is served, what is kept for later."""
    assert in_files(run.world.house.data, run.secrets) == []


def test_the_programs_log_none(run):
    """`serve` prints the first admin's key once, for its owner's eyes, on a line of its own."""
    admin = run.world.server.key
    said = run.world.server.log.read_bytes()
    assert said.count(admin.encode()) == 1

    assert found_in("the log", said.replace(admin.encode(), b"", 1), run.secrets) == []


def test_no_answer_tells_one(run):
    """Neither error pages nor lists nor headers; but the page that hands out a new key shows it, once."""
    assert in_answers(run, run.secrets) == []


def test_no_command_line_holds_one(run):
    """Whoever is on the machine sees the arguments of all processes."""
    assert any(b"uploadd" in body for _, body in command_lines())
    assert in_processes(run.secrets) == []


@pytest.mark.parametrize("how", list(disguises("x" * 20)))
def test_a_planted_secret_is_found_in_every_spelling(run, tmp_path, how):
    """The search itself: in a row, in what a deleted row leaves, in a log, in a name."""
    kind = "a password"
    only = {kind: run.secrets[kind]}
    planted = disguises(run.secrets[kind])[how]
    database = tmp_path / "catalog.sqlite"
    with sqlite3.connect(run.world.house.settings.database) as source, sqlite3.connect(database) as copy:
        source.backup(copy)
        copy.execute("create table planted (body blob)")
        copy.execute("insert into planted values (?)", (b"user:" + planted + b"\n",))
    source.close()
    copy.close()
    logs = tmp_path / "logs"
    shutil.copytree(run.world.house.data / "state/nginx", logs, ignore=shutil.ignore_patterns("*.sock"))
    with (logs / "access.log").open("ab") as log:
        log.write(b"GET /x " + planted + b" 200\n")

    assert in_files(logs, only)
    assert any(line.startswith("catalog.sqlite") for line in in_the_database(database, only))
    if how in ("plain", "percent-encoded"):
        assert found_in("an answer", Raw(404, planted.decode(), (), b"").everything, only)


def test_a_planted_command_line_is_found(run):
    secret = run.secrets["a key"]
    process = subprocess.Popen([sys.executable, "-c", "input()", secret], stdin=subprocess.PIPE)
    try:
        assert in_processes({"a key": secret})
    finally:
        process.communicate(b"\n", timeout=30)
