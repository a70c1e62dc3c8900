"""Nobody who may not read a thing gets a byte of it, by any address, or learns that it is there.

One private object of every kind lies on a real server, and somebody reads each of them. Then every file under
`private/` and `restricted/`, and every route of the daemon, is asked for by those who may not, in every spelling.
What is asked and what counts as a leak is written as functions over answers, so that planted holes can show that they
are found.
"""

import gzip
import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from backports import zstd
from conda_support import make_conda
from private_support import UNLIMITED, World, world
from rawhttp_support import Raw, Wire

from packhouse.model import Action
from uploadd.app import ROUTES
from uploadd.routing import ADMIN, Route

pytestmark = pytest.mark.e2e

VAULT = "zqvault"
"""A private channel; every private name begins with zq, which no hex digest, key or word of ours holds by chance."""
INSIDE = ("zqhushco", "zqhushpy", "zqhushsd", "zqhushto")
"""Packages in it: conda, a wheel, an sdist, a product."""
RESTRICTED = {
    "zqveilpy": (VAULT, "pypi"),
    "zqveilto": (VAULT, "generic"),
    "zqsecrpy": ("main", "pypi"),
    "zqsecrto": ("main", "generic"),
}
"""Restricted packages, of the private channel and of a public one."""
WHISPER = "zqwhisper"
"""A word in the summary or the bytes of each of them."""

EVERYTHING = (VAULT, *INSIDE, *RESTRICTED, WHISPER)
PLAIN = re.compile(r"^(?:date|connection|keep-alive|x-ratelimit-.*|retry-after)$")
"""Headers that differ from one request to the next whatever is asked."""


@dataclass(frozen=True)
class Caller:
    """Somebody who may not read some of it.

    Attributes:
        secrets: the names that they must not learn.
        headers: what they show.
    """

    name: str
    secrets: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()
    key: str = ""


@dataclass
class Site:
    """The server, those who ask, and what lies there."""

    world: World
    insider: str
    callers: list[Caller] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.world.server.port

    def caller(self, name: str) -> Caller:
        return next(caller for caller in self.callers if caller.name == name)


def files_of(data: Path) -> list[str]:
    """Every URL path that a private file has by its place, its folder too."""
    found = set()
    for tree in ("private", "restricted"):
        for path in (data / tree).rglob("*"):
            if not path.is_file():
                continue
            url = "/" + quote(path.relative_to(data / tree).as_posix(), safe="/+!")
            found.add(url)
            if path.name == "index.html" or (url.endswith("/index.json") and "/simple/" in url):
                found.add(url.removesuffix(path.name))
    return sorted(found)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """One object of every kind, one who reads all of it, and three who do not."""
    with world(tmp_path_factory.mktemp("crawl"), **UNLIMITED) as made:
        made.channel(VAULT, private=True, overwrite=True)
        made.channel("elsewhere", private=True)
        plant(made)
        insider = made.user("insider", None, "inner")
        mallory, reader = made.user("mallory"), made.user("reader")
        made.give("group:inner", VAULT)
        for principal in ("user:mallory", "group:inner"):
            made.give(principal, "elsewhere")
        made.give("user:reader", VAULT)
        made.give("user:reader", "main")
        for name, (channel, ecosystem) in RESTRICTED.items():
            made.give("group:inner", f"{channel}/{ecosystem}/{name}")
        made.settled()
        found = Site(made, insider)
        bearer = [(("Authorization", f"Bearer {key}"),) for key in (mallory, reader)]
        found.callers = [
            Caller("a stranger", EVERYTHING),
            Caller("a member of another channel", EVERYTHING, bearer[0], mallory),
            Caller("a reader of the channel", tuple(RESTRICTED), bearer[1], reader),
        ]
        yield found


def plant(made: World) -> None:
    """Upload everything, and overwrite some of it; what makes it private comes later for some, first for others."""
    made.wheel("main", "openpy", requires_dist=["openpy"])
    made.conda("elsewhere", "theirs")
    hush, summary = {"files": {"hush.txt": WHISPER.encode()}}, f"says {WHISPER}"
    for force in (False, True):
        about = {"extra_index": {"license": f"{WHISPER} {force}"}}
        made.conda(VAULT, "zqhushco", force=force, **hush, **about)
        made.wheel(VAULT, "zqhushpy", summary=f"{summary} {force}", force=force)
        made.wheel(VAULT, "zqveilpy", summary=f"{summary} {force}", force=force)
        made.put(
            f"/{VAULT}/products/zqhushto/1.0/tool.bin?force={str(force).lower()}",
            f"{WHISPER} {force}".encode(),
        )
        made.put(
            f"/{VAULT}/products/zqveilto/1.0/tool.bin?force={str(force).lower()}",
            f"{WHISPER} {force}".encode(),
        )
    made.sdist(VAULT, "zqhushsd", summary=summary)
    made.wheel("main", "zqsecrpy", summary=summary)
    made.sdist("main", "zqsecrpy", summary=summary)
    made.put("/main/products/zqsecrto/1.0/tool.bin", WHISPER.encode())
    linux, body = make_conda("zqhushco", "2.0", subdir="linux-64", **hush)
    made.put(f"/{VAULT}/linux-64/{linux}", body)


# --- how a path can be written ----------------------------------------------------------------------------------------


def aliases(path: str) -> list[str]:
    """Other addresses of the same thing: those of the default channel, and hatch's."""
    found = []
    if path.startswith("/main/simple/"):
        found += [path.removeprefix("/main"), path.replace("/main/simple", "/pypi", 1)]
        found += [
            path.replace("/main/simple/", f"/{base}/%2Bsimple/", 1) for base in ("legacy", "main/legacy")
        ]
    if path.startswith("/main/packages/"):
        found.append(path.removeprefix("/main"))
    if path.startswith("/main/pypi/") and path.endswith("/json"):
        found.append(path.removeprefix("/main"))
    if "/simple/" in path and not path.startswith("/main"):
        found.append(path.replace("/simple/", "/legacy/%2Bsimple/", 1))
    return found


def encoded(path: str, pick: slice, *, twice: bool = False) -> str:
    """The path with some characters of each segment percent-encoded."""

    def one(segment: str) -> str:
        text = unquote(segment)
        start, stop, _ = pick.indices(len(text))
        percent = "%25" if twice else "%"
        return "".join(
            f"{percent}{ord(c):02x}" if start <= n < stop else quote(c, safe="+!") for n, c in enumerate(text)
        )

    return "/".join(one(segment) for segment in path.split("/"))


def spellings(path: str, port: int, key: str) -> list[str]:
    """The ways in which somebody might write an address so that a rule overlooks it."""
    first, _, rest = path[1:].partition("/")
    folder = path.rpartition("/")[0]
    return [
        path,
        f"/{path}",
        path.replace("/", "//"),
        path.replace("/", "/./"),
        f"/{first}//{rest}",
        f"/main/..{path}",
        f"/static/../{first}/{rest}",
        f"/static/%2e%2e{path}",
        f"/{first}/x/../{rest}",
        f"/{first}%2f{rest}",
        "/" + path[1:].replace("/", "%2F"),
        f"{folder}%2f{path.rpartition('/')[2]}",
        encoded(path, slice(0, 1)),
        encoded(path, slice(0, None)),
        encoded(path, slice(0, 1), twice=True),
        f"/{first.upper()}/{rest}",
        path.upper(),
        path.swapcase(),
        f"/t/x{path}",
        f"/t/{key or 'pkh-0'}{path}",
        f"/t/{key or 'x'}/{path}",
        f"/t/x/t/y{path}",
        f"{path}/",
        f"{path}//",
        f"{path}/.",
        f"{path}/index.html",
        f"{path}/index.json",
        f"{path}%00",
        f"{path}%20",
        f"{path}.",
        f"{path};x=1",
        f"{path}?format=json",
        f"{path}?x=/main/simple/",
        f"{path}.zst",
        f"{path}.gz",
        f"{path}.metadata",
        f"{path}.provenance",
        f"{path}.sigs",
        path.removesuffix(".zst").removesuffix(".gz").removesuffix(".metadata"),
        f"/private{path}",
        f"/restricted{path}",
        f"/public/../private{path}",
        f"/main/../../private{path}",
        f"/%2e%2e/private{path}",
        f"/..%2frestricted{path}",
        f"/main{path}",
        path.replace("/", "\\"),
        f"/{first}\\{rest}",
        f"http://127.0.0.1:{port}{path}",
        f"http://elsewhere.example{path}",
    ]


FORGED = {
    "X-Packhouse-Key": "pkh-x",
    "X-Packhouse-Path": "/main/simple/openpy/",
    "X-Packhouse-Root": "public",
    "X-Real-IP": "127.0.0.1",
    "X-Forwarded-For": "127.0.0.1",
    "X-Original-URI": "/main/simple/openpy/",
    "X-Original-URL": "/main/simple/openpy/",
    "X-Rewrite-URL": "/main/simple/openpy/",
    "X-Accel-Redirect": "/private/zqvault/index.html",
}
MANNERS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "HEAD": ("HEAD", ()),
    "a range": ("GET", (("Range", "bytes=0-9"),)),
    "the last bytes": ("GET", (("Range", "bytes=-1"), ("If-Range", '"x"'))),
    "a tag": ("GET", (("If-None-Match", "*"),)),
    "no change since": ("GET", (("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"),)),
    "every encoding": ("GET", (("Accept-Encoding", "zstd, gzip, br"),)),
    "JSON": ("GET", (("Accept", "application/vnd.pypi.simple.v1+json"),)),
    "a person": ("GET", (("Accept", "text/html"),)),
    "forged headers": ("GET", tuple(FORGED.items())),
}
PERSON = (("Accept", "text/html"),)
UNKNOWN: dict[str, tuple[tuple[str, str], ...]] = {
    "an unknown key": (("Authorization", "Bearer pkh-" + "0" * 42),),
    "no key at all": (("Authorization", "Bearer"),),
    "a scheme of its own": (("Authorization", "Digest x"),),
    "a broken Basic": (("Authorization", "Basic !!!"),),
    "two keys": (("X-API-Key", "a"), ("X-API-Key", "b")),
    "a long key": (("X-Api-Token", "k" * 7000),),
    "an ended session": (("Cookie", "__Host-packhouse=gone"),),
}
"""What a stranger may show that is nothing."""


# --- what a leak is ---------------------------------------------------------------------------------------------------


def twin_of(text: str, secrets: tuple[str, ...]) -> str:
    """The same text about things that were never there: each secret name is another one, of the same length."""
    for name in secrets:
        text = re.sub(
            name,
            lambda m: m[0][0] + ("J" if m[0][1].isupper() else "j") + m[0][2:],
            text,
            flags=re.IGNORECASE,
        )
    return text


def tells(answer: Raw, asked: str, secrets: tuple[str, ...]) -> list[str]:
    """The secret names in an answer that were not in the question."""
    text, question = answer.everything.lower(), unquote(unquote(asked)).lower()
    return [name for name in secrets if name.encode() in text and name not in question]


def leaks(answer: Raw, asked: str, caller: Caller) -> list[str]:
    """What is wrong with an answer to somebody who may not read what lies at `asked`."""
    wrong = [f"names {name}" for name in tells(answer, asked, caller.secrets)]
    if WHISPER.encode() in answer.body:
        wrong.append("shows private bytes")
    if answer.status < 400 or answer.status >= 500:
        wrong.append("is no refusal")
    return [f"{caller.name}: {asked} is {answer.status} and {what}" for what in wrong]


def differs(answer: Raw, other: Raw, asked: str, caller: Caller) -> list[str]:
    """How the answer about a thing that is there differs from the one about a thing that never was."""

    def shape(raw: Raw) -> tuple[object, ...]:
        kept = [(name, value) for name, value in raw.headers if not PLAIN.match(name)]
        text = "\n".join((raw.reason, *(f"{name}: {value}" for name, value in sorted(kept))))
        return raw.status, twin_of(text, caller.secrets), twin_of(raw.body.decode("latin-1"), caller.secrets)

    ours, theirs = shape(answer), shape(other)
    if ours == theirs:
        return []
    return [f"{caller.name}: {asked} differs from what is not there:\n  {ours}\n  {theirs}"]


def named_in_public(data: Path) -> list[str]:
    """Public files that hold a private name, in their bytes, unpacked too, or in their own name."""
    found = []
    for path in sorted((data / "public").rglob("*")):
        name = path.relative_to(data).as_posix()
        body = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".gz":
            body += gzip.decompress(body)
        if path.suffix in (".zst", ".conda"):
            body += _unzstd(body)
        text = (name.encode() + b"\n" + body).lower()
        found += [f"{name} holds {secret}" for secret in EVERYTHING if secret.encode() in text]
    return found


def _unzstd(body: bytes) -> bytes:
    try:
        return zstd.decompress(body)
    except zstd.ZstdError:
        return b""


# --- asking -----------------------------------------------------------------------------------------------------------


def over(port: int, requests: list, judge) -> list[str]:
    """Judge every request, several at a time; `judge(wire, request)` returns complaints."""

    def some(part: list) -> list[str]:
        with Wire(port) as wire:
            return [line for request in part for line in judge(wire, request)]

    lanes = 3
    with ThreadPoolExecutor(lanes) as pool:
        return [
            line for found in pool.map(some, [requests[n::lanes] for n in range(lanes)]) for line in found
        ]


def hidden_from(caller: Caller, paths: list[str]) -> list[str]:
    """Those of the paths that the caller may not read."""
    return [path for path in paths if any(f"/{name}" in path for name in caller.secrets)]


def crawl(port: int, caller: Caller, paths: list[str], share: int = 6) -> list[str]:
    """Ask for each path in every spelling and every manner; complaints.

    Whoever shows a key makes nginx ask the daemon each time: they ask for each path as it is and in one of `share` parts
    of the spellings, for the next path in the next part.
    """
    plain = [address for path in paths for address in (path, *aliases(path))]
    requests = []
    for number, path in enumerate(plain):
        spelled = list(dict.fromkeys(spellings(path, port, caller.key)))
        chosen = [path, *spelled[number % share :: share]] if caller.headers else spelled
        requests += [(one, "GET", caller.headers) for one in chosen]
    requests += [
        (path, method, (*caller.headers, *more)) for path in plain for method, more in MANNERS.values()
    ]
    if not caller.headers:
        requests += [(path, "GET", shown) for path in plain for shown in UNKNOWN.values()]
        requests += [(f"/t/pkh-{'0' * 42}{path}", "GET", ()) for path in plain]

    def judge(wire: Wire, request: tuple[str, str, tuple[tuple[str, str], ...]]) -> list[str]:
        target, method, headers = request
        return leaks(wire.ask(target, method, headers), target, caller)

    return over(port, requests, judge)


def compare(
    port: int, caller: Caller, requests: list[tuple[str, str]], *more: tuple[tuple[str, str], ...]
) -> list[str]:
    """Ask (method, path) and the same about what never was, as they are, and with more headers; complaints."""
    shown = [caller.headers, *((*caller.headers, *headers) for headers in more)]

    def judge(wire: Wire, request: tuple[tuple[str, str], tuple[tuple[str, str], ...]]) -> list[str]:
        (method, path), headers = request
        answer = wire.ask(path, method, headers)
        other = wire.ask(twin_of(path, caller.secrets), method, headers)
        wrong = differs(answer, other, f"{method} {path}", caller)
        return wrong + [
            f"{caller.name}: {method} {path} names {name}" for name in tells(answer, path, caller.secrets)
        ]

    return over(port, list(itertools.product(requests, shown)), judge)


# --- the routes of the daemon -----------------------------------------------------------------------------------------

FILENAMES = {
    "zqhushco": ("zqhushco-1.0-0.conda",),
    "zqhushpy": ("zqhushpy-1.0-py3-none-any.whl",),
    "zqhushsd": ("zqhushsd-1.0.tar.gz",),
    "zqveilpy": ("zqveilpy-1.0-py3-none-any.whl",),
    "zqsecrpy": ("zqsecrpy-1.0-py3-none-any.whl", "zqsecrpy-1.0.tar.gz"),
}
PLACEHOLDERS = {
    "channel": (VAULT, "main"),
    "subdir": ("noarch",),
    "version": ("1.0",),
    "user": ("insider",),
    "username": ("insider",),
    "account": ("insider",),
    "group": ("inner",),
    "permission": ("read",),
    "kind": ("user", "group"),
    "id": ("1",),
    "action": ("read",),
}
"""What stands for a placeholder of a route; any other one gets every private name, and a file every file's."""


def filled(route: Route) -> list[str]:
    """The addresses of a route about each private thing."""
    names = [segment[1:-1] for segment in route.segments if segment.startswith("{")]
    found = []
    for package in (*INSIDE, *RESTRICTED):
        files = FILENAMES.get(package, ("tool.bin",))
        choices = [
            PLACEHOLDERS.get(name) or (files if name in ("file", "filename") else (package,))
            for name in names
        ]
        for chosen in itertools.product(*choices):
            values = iter(chosen)
            parts = [next(values) if part.startswith("{") else part for part in route.segments]
            path = "/" + "/".join(quote(part) for part in parts)
            found += [path, f"{path}/"] if path != "/" and route.method == "GET" else [path]
    return list(dict.fromkeys(found))


QUERIES = (
    "",
    "?verbose=true&format=json",
    "?q=zqveilpy&query=zqhush&search=zqsecr&name=zqsecrpy&package=zqsecrpy",
)


def dynamic(*, changing: bool) -> list[tuple[str, str]]:
    """(method, address) of the daemon's routes: those that read, or those that change something and need a right."""
    found = []
    for route in ROUTES:
        reads = route.method == "GET"
        if reads != changing and (reads or isinstance(route.action, Action) or route.action is ADMIN):
            named = {segment for segment in route.segments if segment.startswith("{")} - {"{channel}"}
            # A search, or a list: what is looked for stands in the query.
            queries = QUERIES if reads and not named else ("",)
            found += [(route.method, path + query) for path in filled(route) for query in queries]
    return list(dict.fromkeys(found))


# --- the tests --------------------------------------------------------------------------------------------------------


def test_there_is_one_of_every_kind_and_somebody_reads_each(site):
    """Otherwise the rest would prove nothing."""
    paths = files_of(site.world.house.data)
    kinds = {
        "a conda package": rf"/{VAULT}/noarch/[^/]+\.conda$",
        "another subdir": rf"/{VAULT}/linux-64/repodata\.json$",
        "repodata": rf"/{VAULT}/noarch/repodata\.json$",
        "its variant": rf"/{VAULT}/noarch/repodata\.json\.zst$",
        "a shard index": r"/repodata_shards\.msgpack\.zst$",
        "a shard": r"/shards/[0-9a-f]{64}\.msgpack\.zst$",
        "run exports": r"/run_exports\.json\.zst$",
        "channeldata": r"/channeldata\.json$",
        "the channel's page": rf"^/{VAULT}/$",
        "a page of a conda package": r"/conda/zqhushco/$",
        "a wheel": rf"/{VAULT}/packages/zqhushpy/.*\.whl$",
        "its metadata": r"zqhushpy.*\.whl\.metadata$",
        "an sdist": r"zqhushsd-1\.0\.tar\.gz$",
        "a simple page": r"/simple/zqhushpy/$",
        "its JSON variant": r"/simple/zqhushpy/index\.json\.zst$",
        "the list of projects": rf"^/{VAULT}/simple/$",
        "legacy JSON": r"/pypi/zqhushpy/json$",
        "a product": r"/products/zqhushto/1\.0/tool\.bin$",
        "its listing": r"/products/zqhushto/index\.json$",
        "the list of products": rf"^/{VAULT}/products/index\.json$",
        "overwritten conda bytes": rf"/{VAULT}/replaced/.*\.conda$",
        "overwritten wheel bytes": rf"/{VAULT}/replaced/.*zqhushpy.*\.whl$",
        "overwritten restricted bytes": rf"/{VAULT}/replaced/.*zqveilpy.*\.whl$",
        "a restricted project of a public channel": r"^/main/simple/zqsecrpy/$",
        "its wheel": r"^/main/packages/zqsecrpy/.*\.whl$",
        "a restricted project of a private channel": rf"^/{VAULT}/simple/zqveilpy/$",
        "a restricted product": r"^/main/products/zqsecrto/1\.0/tool\.bin$",
        "a restricted product of a private channel": rf"^/{VAULT}/products/zqveilto/index\.json$",
    }
    missing = [kind for kind, pattern in kinds.items() if not any(re.search(pattern, path) for path in paths)]
    assert not missing
    headers = (("Authorization", f"Bearer {site.insider}"),)

    def judge(wire: Wire, path: str) -> list[str]:
        answer = wire.ask(path, "GET", headers)
        return [] if answer.status == 200 and answer.body else [f"{path} is {answer.status} for its reader"]

    assert over(site.port, [address for path in paths for address in (path, *aliases(path))], judge) == []


@pytest.mark.parametrize("who", range(3), ids=["stranger", "member-of-another", "reader-of-the-channel"])
@pytest.mark.parametrize("share", [6, pytest.param(1, marks=pytest.mark.soak)])
def test_nobody_else_gets_a_byte_in_any_spelling(site, who, share):
    caller = site.callers[who]
    paths = hidden_from(caller, files_of(site.world.house.data))
    assert len(paths) > 30

    assert crawl(site.port, caller, paths, share) == []


@pytest.mark.parametrize("who", range(3), ids=["stranger", "member-of-another", "reader-of-the-channel"])
def test_what_is_hidden_looks_like_what_is_not_there(site, who):
    """Status, sentence, headers and bytes are the same, but for the name that was asked for."""
    caller = site.callers[who]
    paths = hidden_from(caller, files_of(site.world.house.data))
    plain = [address for path in paths for address in (path, *aliases(path), path.rstrip("/"))]

    shown = () if caller.headers else UNKNOWN.values()
    assert compare(site.port, caller, [("GET", path) for path in plain], *shown) == []
    assert compare(site.port, caller, [("HEAD", path) for path in plain]) == []


@pytest.mark.parametrize("changing", [False, True], ids=["reading", "changing"])
@pytest.mark.parametrize("who", range(3), ids=["stranger", "member-of-another", "reader-of-the-channel"])
def test_no_route_of_the_daemon_tells_of_it(site, who, changing):
    caller = site.callers[who]
    requests = dynamic(changing=changing)
    assert requests

    assert compare(site.port, caller, requests, *([] if changing else [PERSON])) == []
    if not caller.headers:
        for shown in UNKNOWN.values():
            assert compare(site.port, replace(caller, headers=shown), requests[::7]) == []


def test_who_may_read_is_told_by_the_same_requests(site):
    """The comparison is not blind: for the insider what is there differs from what is not, file by file and route by route."""
    insider = Caller("the insider", EVERYTHING, (("Authorization", f"Bearer {site.insider}"),))
    data = site.world.house.data

    for path in hidden_from(insider, files_of(data)):
        assert compare(site.port, insider, [("GET", path)]), path
    told = " ".join(compare(site.port, insider, dynamic(changing=False)))
    for address in (
        f"/{VAULT}/simple",
        "/api/package/zqsecrpy",
        "/main/simple",
        "/api/1/channels",
        "/main",
        " / ",
    ):
        assert address in told


def test_no_public_file_names_what_is_private(site):
    assert named_in_public(site.world.house.data) == []


@pytest.mark.parametrize("hole", ["a link", "a folder", "a name"])
def test_a_planted_hole_is_found(site, hole):
    """The tests themselves: a link into the private tree, a folder that tells, a page that names."""
    data, stranger = site.world.house.data, site.caller("a stranger")
    reader = f"/{VAULT}/noarch/repodata.json"
    assert crawl(site.port, stranger, [reader]) == compare(site.port, stranger, [("GET", reader)]) == []
    planted = data / "public" / VAULT
    if hole == "a link":
        planted.symlink_to(data / "private" / VAULT)
    elif hole == "a folder":
        planted.mkdir()
    else:
        planted = data / "public" / "main" / "noarch" / "planted.json.gz"
        planted.write_bytes(gzip.compress(b'{"latest": "ZqVeilPy"}'))
    try:
        found = {
            "a link": lambda: crawl(site.port, stranger, [reader]),
            "a folder": lambda: compare(site.port, stranger, [("GET", reader)]),
            "a name": lambda: named_in_public(data),
        }[hole]()
    finally:
        planted.rmdir() if hole == "a folder" else planted.unlink()

    assert found
    if hole == "a link":
        assert any("shows private bytes" in line or "is no refusal" in line for line in found)
