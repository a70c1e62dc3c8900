"""The native API over HTTP: the conventions' own examples, every list in every form, whole lists, and who sees what."""

import asyncio
import re
import threading

import pytest
import yaml
from catalog_support import RULES, upload, verified
from house_support import Direct
from pypi_support import make_wheel, wheel_metadata
from uploadd_support import SETTINGS, legacy_form, run_daemon, sha256

from packhouse.catalog.browse import Browse
from packhouse.catalog.engine import open_engine
from packhouse.intake import moving
from packhouse.manifest import File, top_hash
from packhouse.model import Action, Grant
from uploadd.operations import OPERATIONS, SCHEMAS

API = "/api/1"
UNLIMITED = "anonymous_requests_per_minute = 0\nrefused_requests_per_minute = 0\n"
LINK = re.compile(r'<(/[^>]+)>; rel="next"')
JSON = {"Content-Type": "application/json"}
UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Direct(), settings=SETTINGS + UNLIMITED) as running:
        yield running


@pytest.fixture
async def limited(tmp_path):
    async with run_daemon(
        tmp_path / "data", Direct(), settings=SETTINGS + "anonymous_requests_per_minute = 3\n"
    ) as running:
        yield running


def fill(daemon, count=3, channel="main"):
    for number in range(count):
        upload(daemon.house.catalog, verified(f"p{number:03}", channel=channel, summary=f"text {number}"))


async def read(daemon, path, *, key=None, **headers):
    answer = await daemon.ask("GET", path, key=key, headers=headers)
    assert answer.status == 200, (path, answer.body)
    return answer.json


async def walk(daemon, path, *, key=None):
    """Every item of a list, page by page as its links say."""
    found = []
    while path:
        answer = await daemon.ask("GET", path, key=key)
        assert answer.status == 200, (path, answer.body)
        found += answer.json
        linked = LINK.fullmatch(answer.headers.get("Link", ""))
        path = linked[1] if linked else None
    return found


class TestTheExamplesOfTheConventions:
    """Each command of the document that the API follows, in its order; `curl` stands in the manual."""

    async def test_counters(self, daemon):
        """`curl -i …/api/1/stat/counters/`: JSON unless something else is asked for."""
        fill(daemon)

        answer = await daemon.ask("GET", f"{API}/stat/counters/", key=None)

        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.json == {
            "channels": 2,
            "packages": 3,
            "files": 3,
            "bytes": 15,
            "by_ecosystem": {"pypi": {"packages": 3, "files": 3, "bytes": 15}},
        }

    async def test_yaml(self, daemon):
        """`curl -i -H 'Accept: application/yaml' …/api/1/stat/counters/`."""
        fill(daemon)

        answer = await daemon.ask(
            "GET", f"{API}/stat/counters/", key=None, headers={"Accept": "application/yaml"}
        )

        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/yaml")
        assert yaml.safe_load(answer.body) == await read(daemon, f"{API}/stat/counters/")

    async def test_html(self, daemon):
        """`Accept: text/html` "(that web browsers send by default) requests HTML pretty-printing"."""
        upload(daemon.house.catalog, verified("a", summary="<script>alert(1)</script>"))
        upload(daemon.house.catalog, verified("b"))

        answer = await daemon.ask(
            "GET", f"{API}/packages/?per_page=1", key=None, headers={"Accept": "text/html,*/*;q=0.8"}
        )

        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert b"<script>alert" not in answer.body
        assert b"&lt;script&gt;alert" in answer.body
        assert b'rel="next"' in answer.body
        assert "Accept" in answer.headers["Vary"]

    async def test_fields(self, daemon):
        """`…/api/1/stat/counters/?fields=content,directory,revision`: ours are called otherwise."""
        assert set(await read(daemon, f"{API}/stat/counters/?fields=files,bytes")) == {"files", "bytes"}
        assert await read(daemon, f"{API}/stat/counters/?fields=content,directory,revision") == {}

    @pytest.mark.parametrize(
        "text", ["deadbeef", "sha256:deadbeef", UNKNOWN.upper(), "0" * 64, "sha1:" + "0" * 40]
    )
    async def test_a_bad_identifier(self, daemon, text):
        """`curl -i …/api/1/content/deadbeef/`: 400."""
        answer = await daemon.ask("GET", f"{API}/content/{text}/", key=None)

        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
        assert (answer.json["exception"], answer.json["reason"]) == ("BadInputExc", answer.json["detail"])

    async def test_an_unknown_object(self, daemon):
        """`curl -i …/api/1/content/04740277…/`: 404, whatever fields are asked for."""
        answer = await daemon.ask("GET", f"{API}/content/{UNKNOWN}/?fields=x", key=None)

        assert (answer.status, answer.json["exception"]) == (404, "NotFoundExc")

    async def test_the_storage_is_away(self, daemon, tmp_path, monkeypatch):
        """503 Service Unavailable, and when to come again."""
        away = open_engine(tmp_path / "not" / "there" / "catalog.sqlite")
        monkeypatch.setattr(daemon.house.catalog, "browse", Browse(away))

        answer = await daemon.ask("GET", f"{API}/stat/counters/", key=None)
        away.dispose()

        assert (answer.status, answer.json["exception"]) == (503, "StorageAPIError")
        assert answer.headers["Retry-After"]

    async def test_pages(self, daemon):
        """`curl -i '….?per_page=2' | grep ^Link:`; 10 without it, at most 50."""
        fill(daemon, 51)

        two = await daemon.ask("GET", f"{API}/packages/?per_page=2", key=None)

        assert len(two.json) == 2
        assert (
            LINK.fullmatch(two.headers["Link"])[1]
            == f"{API}/packages/?per_page=2&page_token=main%2Fpypi%2Fp001"
        )
        assert len(await read(daemon, f"{API}/packages/")) == 10
        most = await daemon.ask("GET", f"{API}/packages/?per_page=50", key=None)
        assert (len(most.json), "Link" in most.headers) == (50, True)
        last = await daemon.ask("GET", LINK.fullmatch(most.headers["Link"])[1], key=None)
        assert (len(last.json), "Link" in last.headers) == (1, False)
        assert (await daemon.ask("GET", f"{API}/packages/?per_page=51", key=None)).status == 400

    async def test_limits(self, limited):
        """`curl -i …/api/1/stat/counters/ | grep ^X-RateLimit`: three headers, and 429 behind them."""
        told = []
        for _ in range(4):
            answer = await limited.ask("GET", f"{API}/stat/counters/", key=None)
            told.append(
                (answer.status, *(answer.headers[f"X-RateLimit-{n}"] for n in ("Limit", "Remaining")))
            )
        assert told == [(200, "3", "2"), (200, "3", "1"), (200, "3", "0"), (429, "3", "0")]
        assert int(answer.headers["X-RateLimit-Reset"]) > 1_700_000_000
        assert answer.json["exception"] == "Throttled"

    async def test_a_bearer_lifts_the_limits(self, limited):
        """`curl -H "Authorization: Bearer ${TOKEN}" …`."""
        for _ in range(5):
            answer = await limited.ask("GET", f"{API}/stat/counters/", key="reader")
            assert answer.status == 200
            assert not [name for name in answer.headers if name.startswith("X-RateLimit")]
        wrong = await limited.ask(
            "GET", f"{API}/stat/counters/", key=None, headers={"Authorization": "Bearer nobody"}
        )
        assert (wrong.status, wrong.json["exception"]) == (401, "UnauthorizedExc")

    async def test_text_that_is_not_utf8(self, daemon):
        r"""The object is served, the key is in `decoding_failures`, the bytes are `\x<hex>`."""
        form = legacy_form(*latin1_wheel())
        assert (await daemon.ask("POST", "/main/legacy/", form)).status == 200

        for path in (f"{API}/channels/main/packages/pypi/cafe/", f"{API}/packages/", f"{API}/search/?q=cafe"):
            found = await read(daemon, path)
            shown = found if isinstance(found, dict) else found[0]
            assert shown["summary"] == "un caf\\xe9 \\xff, s'il vous plaît"
            assert shown["decoding_failures"] == ["summary"]
        named = await read(daemon, f"{API}/packages/?fields=name")
        assert named == [{"name": "cafe"}]
        (file,) = await read(daemon, f"{API}/channels/main/files/")
        assert "not UTF-8" in " ".join(file["warnings"])


def latin1_wheel():
    """File name and bytes of a wheel whose summary was written in two encodings."""
    metadata = wheel_metadata("cafe", "1.0", summary="un caf@ #, s'il vous plaît")
    return make_wheel("cafe", "1.0", metadata=metadata.replace(b"@", b"\xe9").replace(b"#", b"\xff"))


class TestLists:
    LISTS = (
        f"{API}/",
        f"{API}/packages/",
        f"{API}/channels/",
        f"{API}/channels/main/packages/",
        f"{API}/channels/main/packages/pypi/p000/versions/",
        f"{API}/channels/main/files/",
        f"{API}/channels/main/events/",
        f"{API}/channels/main/grants/",
        f"{API}/search/?q=p",
        f"{API}/keys/",
        f"{API}/audit/",
    )

    def test_these_are_all_the_lists(self):
        lists = {
            pattern
            for (method, pattern), told in OPERATIONS.items()
            if method == "GET" and told.answer.get("type") == "array"
        }
        mine = {
            re.sub("/channels/main", "/channels/{channel}", path.partition("?")[0])
            .replace("/pypi/p000", "/{ecosystem}/{name}")
            .rstrip("/")
            for path in self.LISTS
        }
        assert mine == lists

    @pytest.mark.parametrize("path", LISTS)
    async def test_every_list_in_yaml_and_with_fields(self, daemon, path):
        fill(daemon)
        made = await daemon.ask("POST", f"{API}/keys/", b'{"name": "k"}', key="admin", headers=JSON)
        assert made.status == 201

        items = await read(daemon, path, key="admin")
        in_yaml = await daemon.ask("GET", path, key="admin", headers={"Accept": "application/yaml"})
        first = next(iter(items[0]))
        chosen = await read(daemon, f"{path}{'&' if '?' in path else '?'}fields={first},no", key="admin")

        assert isinstance(items, list)
        assert items
        assert yaml.safe_load(in_yaml.body) == items
        assert chosen == [{first: item[first]} for item in items]

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            (f"{API}/", "Endpoint"),
            (f"{API}/whoami/", "Who"),
            (f"{API}/keys/", "Key"),
            (f"{API}/channels/", "Channel"),
            (f"{API}/channels/main/", "Channel"),
            (f"{API}/channels/main/grants/", "Grant"),
            (f"{API}/audit/", "Entry"),
            (f"{API}/packages/", "Package"),
            (f"{API}/channels/main/packages/pypi/p000/", "Package"),
            (f"{API}/channels/main/packages/pypi/p000/versions/", "Version"),
            (f"{API}/channels/main/packages/pypi/P_000/versions/1/", "VersionFiles"),
            (f"{API}/channels/main/files/", "File"),
            (f"{API}/channels/main/events/", "Event"),
            (f"{API}/content/sha256:{sha256(b'bytes')}/", "Content"),
            (f"{API}/stat/counters/", "Counters"),
        ],
    )
    async def test_an_answer_has_every_key_that_is_described(self, daemon, path, name):
        fill(daemon)
        upload(daemon.house.catalog, verified("p-000"))

        found = await read(daemon, path, key="admin")

        described = set(SCHEMAS[name]["properties"]) - {"decoding_failures"}
        assert set(found[0] if isinstance(found, list) else found) == described

    @pytest.mark.parametrize(
        "query",
        ["ecosytem=pypi", "ecosystem=npm", "page_token=x", "page_token=a/b/c/d", "per_page=ten", "q=x"],
    )
    async def test_what_is_not_understood_is_refused(self, daemon, query):
        """Passed over, a misspelled filter would look like an answer."""
        assert (await daemon.ask("GET", f"{API}/packages/?{query}", key=None)).status == 400

    async def test_a_thousand_packages_while_others_come(self, daemon):
        """Each once: those that were there are all visited, and nothing twice."""
        catalog = daemon.house.catalog
        before = [f"p{number:04}" for number in range(1000)]
        stop = threading.Event()

        def put(names):
            for name in names:
                upload(catalog, verified(name))

        def put_others():
            number = 0
            while not stop.is_set():
                put([f"p{(number * 37) % 1000:04}x{number}"])
                number += 1
            return number

        await asyncio.to_thread(put, before)
        others = asyncio.create_task(asyncio.to_thread(put_others))
        try:
            found = [
                item["name"] for item in await walk(daemon, f"{API}/channels/main/packages/?per_page=50")
            ]
            hits = [item["name"] for item in await walk(daemon, f"{API}/search/?q=p&per_page=50&fields=name")]
        finally:
            stop.set()
        assert await others > 3
        for seen in (found, hits):
            assert len(seen) == len(set(seen))
            assert [name for name in seen if len(name) == 5] == before


def replay(mirror, event):
    """Do to a mirror (path to digest and yank) what an event says."""
    path = event["path"]
    match event["kind"]:
        case "upload" | "replace":
            mirror[path] = (event["sha256"], None)
        case "delete":
            del mirror[path]
        case "yank":
            mirror[path] = (mirror[path][0], event["note"])
        case "unyank":
            mirror[path] = (mirror[path][0], None)


class TestHistory:
    def change(self, catalog):
        """Uploads, replacements, deletions, yanks, and yanks taken back, in the channel other."""
        paths = [f"packages/p{number}/p{number}-1.whl" for number in range(30)]
        for number in range(30):
            upload(catalog, verified(f"p{number}", body=b"%d" % number, channel="other"))
        for number in range(0, 30, 3):
            upload(catalog, verified(f"p{number}", body=b"new", channel="other"), overwrite=True)
        catalog.artifacts.delete("other", paths[::5], RULES, by="ci", grace_s=1, note="gone")
        left = [path for path in paths[1::2] if path not in paths[::5]]
        catalog.artifacts.yank("other", left, RULES, by="ci", reason="bad")
        catalog.artifacts.yank("other", left[::3], RULES, by="ci", reason=None)
        return left

    async def test_replayed_from_the_start_it_rebuilds_the_channel(self, daemon):
        """What a mirror keeps by following the events is what is there."""
        yanked = self.change(daemon.house.catalog)

        mirror, serials = {}, []
        for event in await walk(daemon, f"{API}/channels/other/events/?since=0&per_page=7"):
            serials.append(event["serial"])
            replay(mirror, event)

        assert serials == list(range(1, len(serials) + 1))
        files = await walk(daemon, f"{API}/channels/other/files/?per_page=50")
        assert mirror == {file["path"]: (file["sha256"], file["yanked"]) for file in files}
        assert len(files) == 24
        assert sum(reason is not None for _, reason in mirror.values()) == len(yanked) - len(yanked[::3])

    async def test_since_and_the_file(self, daemon):
        fill(daemon, 3)
        path = "packages/p001/p001-1.whl"
        daemon.house.catalog.artifacts.delete("main", [path], RULES, by="ci", grace_s=1, note="leak")

        found = await read(daemon, f"{API}/channels/main/events/?since=1")

        assert [(event["serial"], event["kind"], event["file"] is None) for event in found] == [
            (2, "upload", True),
            (3, "upload", False),
            (4, "delete", True),
        ]
        assert found[1]["file"] == (await read(daemon, f"{API}/channels/main/files/"))[-1]
        assert found[2]["note"] == "leak"
        assert await read(daemon, f"{API}/channels/main/events/?since=4") == []


class TestVersions:
    async def test_the_manifest_has_the_top_hash(self, daemon):
        for version in ("1.0", "1.1"):
            upload(daemon.house.catalog, verified("a", version))

        listed = await read(daemon, f"{API}/channels/main/packages/pypi/A/versions/")
        one = await read(daemon, f"{API}/channels/main/packages/pypi/a/versions/1.1/")

        assert [item["version"] for item in listed] == ["1.0", "1.1"]
        assert {key: one[key] for key in listed[1]} == listed[1]
        assert one["top_hash"] == top_hash([File(**file) for file in one["manifest"]])
        files = await read(daemon, f"{API}/channels/main/files/?ecosystem=pypi&package=A&version=1.1")
        assert [file["filename"] for file in files] == ["a-1.1.whl"]

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("packages/pypi/b/", 404),
            ("packages/pypi/b/versions/", 404),
            ("packages/pypi/a/versions/2.0/", 404),
            ("packages/pypi/b/versions/1/", 404),
            ("packages/pypi/a/versions/-x/", 400),
            ("packages/npm/a/", 400),
            ("packages/pypi/-a-/", 400),
            ("packages/conda/a b/", 400),
            ("files/?package=a", 400),
            ("events/?since=-1", 400),
            ("events/?page_token=x", 400),
        ],
    )
    async def test_what_is_not_there_and_what_cannot_be(self, daemon, path, status):
        upload(daemon.house.catalog, verified("a"))

        answer = await daemon.ask("GET", f"{API}/channels/main/{path}".replace(" ", "%20"), key=None)

        assert answer.status == status

    @pytest.mark.parametrize("query", ["", "?q=", "?q=+", "?q=a&page_token=1/2", "?q=a&page_token=x/1/a/b/c"])
    async def test_a_search_needs_words(self, daemon, query):
        assert (await daemon.ask("GET", f"{API}/search/{query}", key=None)).status == 400


class TestWhoSeesWhat:
    """A restricted package of a public channel and all of a private one: for a stranger they are not there."""

    @pytest.fixture
    async def filled(self, daemon):
        house = daemon.house
        for channel in ("main", "closed"):
            upload(house.catalog, verified("seen", channel=channel))
        upload(house.catalog, verified("veiled", body=b"veiled", summary="seen by few"))
        upload(house.catalog, verified("veiled", channel="closed"))
        house.catalog.groups.create("team")
        grant = Grant(
            principal="group:team", action=Action.READ, channel="main", ecosystem="pypi", package="veiled"
        )
        await asyncio.to_thread(moving.give, house, grant)
        return daemon

    ADDRESSES = (
        "packages/",
        "packages/?per_page=1",
        "channels/",
        "channels/main/packages/",
        "channels/main/files/",
        "channels/main/files/?ecosystem=pypi&package=veiled",
        "channels/main/events/",
        "channels/main/packages/pypi/veiled/",
        "channels/main/packages/pypi/veiled/versions/",
        "channels/main/packages/pypi/veiled/versions/1/",
        "channels/closed/packages/",
        "channels/closed/packages/pypi/seen/",
        "channels/closed/events/",
        f"content/sha256:{sha256(b'veiled')}/",
        f"content/sha256:{sha256(b'bytes')}/",
        "search/?q=veil",
        "search/?q=seen",
        "stat/counters/",
    )

    @pytest.mark.parametrize("who", [None, "reader", "ci"])
    async def test_no_answer_names_or_counts_it(self, filled, who):
        """`ci` writes the channel main: a grant on the whole of it is more than a stranger has, so it sees there."""
        names = {"closed"} if who == "ci" else {"closed", "veiled"}
        for address in self.ADDRESSES:
            answer = await filled.ask("GET", f"{API}/{address}", key=who)
            told = answer.body.decode() + str(answer.headers)
            for name in names:
                if name not in address:
                    assert name not in told, (address, told)
        counted = await read(filled, f"{API}/stat/counters/", key=who)
        assert counted["files"] == (2 if who == "ci" else 1)

    async def test_hidden_looks_like_missing(self, filled):
        for hidden, missing in (
            ("channels/main/packages/pypi/veiled/", "channels/main/packages/pypi/absent/"),
            ("channels/main/packages/pypi/veiled/versions/", "channels/main/packages/pypi/absent/versions/"),
            (
                "channels/main/packages/pypi/veiled/versions/1/",
                "channels/main/packages/pypi/absent/versions/1/",
            ),
            ("channels/closed/events/", "channels/closet/events/"),
            (f"content/sha256:{sha256(b'veiled')}/", f"content/{UNKNOWN}/"),
        ):
            for who in (None, "reader"):
                one = await filled.ask("GET", f"{API}/{hidden}", key=who)
                other = await filled.ask("GET", f"{API}/{missing}", key=who)
                swapped = (
                    other.body.replace(b"absent", b"veiled")
                    .replace(b"closet", b"closed")
                    .replace(b"0" * 64, sha256(b"veiled").encode())
                )
                assert (one.status, one.body) == (other.status, swapped)
                assert one.status in (401, 404)

    async def test_whoever_may_sees_it_everywhere(self, filled):
        for address in self.ADDRESSES:
            answer = await filled.ask("GET", f"{API}/{address}", key="admin")
            assert answer.status == 200, address
            assert answer.json, address
        inside = await read(filled, f"{API}/packages/?fields=channel,name", key="insider")
        # What is granted on the channel is reading the whole of it.
        assert inside == [
            {"channel": "closed", "name": "seen"},
            {"channel": "closed", "name": "veiled"},
            {"channel": "main", "name": "seen"},
        ]
