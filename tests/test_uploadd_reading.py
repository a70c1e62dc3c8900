"""What the daemon answers readers: nginx's question, lists with credentials, health."""

import pytest
from uploadd_support import Daemon, run_daemon

from packhouse.errors import Unavailable
from packhouse.model import Action, Area, Claim, Ecosystem, Grant, Observed
from uploadd.dialects.listings import wanted_form

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


class Fine:
    """An inspector that works."""

    def inspect(self, ecosystem: Ecosystem, path: str, claim: Claim, limits: object) -> Observed:
        return Observed(
            filename=claim.filename, package="p", version="1", directory=claim.directory or "", record={}
        )


class Broken:
    """An inspector whose children cannot be started."""

    def inspect(self, ecosystem: Ecosystem, path: str, claim: Claim, limits: object) -> Observed:
        raise Unavailable("no process to read archives can be started")


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Fine()) as running:
        yield running


async def authz(daemon: Daemon, key: str | None, path: str, root: str = "private", **headers: str) -> int:
    sent = {"X-Packhouse-Path": path, "X-Packhouse-Root": root, **headers}
    return (await daemon.ask("GET", "/_authz", key=key, headers=sent)).status


class TestAuthz:
    @pytest.mark.parametrize(
        ("key", "status"), [(None, 401), ("reader", 403), ("ci", 403), ("insider", 204), ("admin", 204)]
    )
    async def test_private_channels_are_for_those_who_may_read_them(self, daemon, key, status):
        assert await authz(daemon, key, "/closed/noarch/repodata.json") == status

    async def test_a_wrong_key_is_401(self, daemon):
        assert await authz(daemon, None, "/closed/x", Authorization="Bearer pkh-wrong") == 401

    async def test_the_key_of_the_path_counts(self, daemon):
        headers = {"X-Packhouse-Key": daemon.keys["insider"]}

        assert await authz(daemon, None, "/closed/noarch/repodata.json", **headers) == 204

    @pytest.mark.parametrize(
        "path",
        ["", "/", "/nowhere/x", "/../closed/x", "/closed/../main/x", "/Closed/x", "closed\udcff/x", "/api/x"],
    )
    async def test_a_path_that_is_no_channels_is_refused(self, daemon, path):
        assert await authz(daemon, "insider", path.encode(errors="surrogateescape").decode("latin-1")) == 403

    @pytest.mark.parametrize("root", ["", "public", "other"])
    async def test_another_tree_is_refused(self, daemon, root):
        assert await authz(daemon, "admin", "/main/simple/x/", root) == 403

    async def test_below_private_the_rights_of_the_moment_decide(self, daemon):
        """A channel's row is changed before its files move: whoever may read it now reads them where they still lie."""
        for key in ("reader", "insider", None):
            assert await authz(daemon, key, "/main/noarch/repodata.json") == 204

        daemon.house.catalog.channels.set_private("main", private=True, place="private")

        assert await authz(daemon, "reader", "/main/noarch/repodata.json") == 403
        assert await authz(daemon, None, "/main/noarch/repodata.json") == 401

    async def test_a_closed_package_below_private_is_for_its_own_readers(self, daemon):
        """Its files are about to move to restricted/; a package that is open to everyone stays."""
        grants = daemon.house.catalog.grants
        own = {"action": Action.READ, "channel": "closed", "ecosystem": "pypi"}
        grants.give(Grant(principal="service:reader", package="tiny", **own))
        grants.give(Grant(principal="group:everyone", package="open", **own))

        assert await authz(daemon, "reader", "/closed/simple/tiny/") == 204
        assert await authz(daemon, "insider", "/closed/simple/tiny/") == 403
        assert await authz(daemon, "admin", "/closed/simple/tiny/") == 204
        assert await authz(daemon, "insider", "/closed/simple/open/") == 204

    async def test_who_may_read_one_package_gets_the_style_of_its_page(self, daemon):
        """The assets are the same for everyone; nothing else of the channel comes along."""
        own = {"action": Action.READ, "channel": "closed", "ecosystem": "pypi"}
        assert await authz(daemon, "reader", "/closed/_static/packhouse.css") == 403
        daemon.house.catalog.grants.give(Grant(principal="service:reader", package="tiny", **own))

        assert await authz(daemon, "reader", "/closed/_static/packhouse.css") == 204
        assert await authz(daemon, "reader", "/closed/_static/../noarch/repodata.json") == 403
        assert await authz(daemon, "reader", "/closed/index.html") == 403
        assert await authz(daemon, None, "/closed/_static/packhouse.css") == 401

    async def test_below_restricted_no_default_and_no_right_on_the_channel_counts(self, daemon):
        """Also where nobody closed the package: such a file should not be there."""
        assert await authz(daemon, "reader", "/main/simple/stray/", "restricted") == 403
        assert await authz(daemon, "admin", "/main/simple/stray/", "restricted") == 204

    @pytest.mark.parametrize(
        "path",
        [
            "/main/simple/tiny/index.html",
            "/main/packages/tiny/tiny-1.0.tar.gz",
            "/main/pypi/tiny/json",
            "/main/simple/Tiny_/x",
        ],
    )
    async def test_restricted_packages_are_decided_on_the_normalised_name_of_their_owner(self, daemon, path):
        daemon.house.catalog.grants.give(
            Grant(
                principal="service:reader",
                action=Action.READ,
                channel="main",
                ecosystem="pypi",
                package="tiny",
            )
        )

        assert await authz(daemon, "reader", path, "restricted") == (403 if "Tiny_" in path else 204)
        assert await authz(daemon, "insider", path, "restricted") == 403
        assert await authz(daemon, None, path, "restricted") == 401

    @pytest.mark.parametrize(
        "path", ["/main/noarch/x.conda", "/main/simple/index.html", "/main/index.html", "/main"]
    )
    async def test_a_restricted_file_without_an_owner_is_nobodys(self, daemon, path):
        assert await authz(daemon, "admin", path, "restricted") == 403


@pytest.mark.parametrize(
    ("accept", "format_", "form"),
    [
        ("", "", "html"),
        ("*/*", "", "html"),
        (SIMPLE_JSON, "", "json"),
        (f"{SIMPLE_JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", "", "json"),
        (f"{SIMPLE_JSON}, text/html", "", "json"),
        (f"text/html, {SIMPLE_JSON};q=0.9", "", "html"),
        (f"{SIMPLE_JSON};q=0, */*", "", "html"),
        (f"{SIMPLE_JSON};q=nonsense", "", "html"),
        (f"{SIMPLE_JSON}; level=1; q=0.5", "", "json"),
        ("application/vnd.pypi.simple.latest+json", "", "json"),
        ("text/html", "json", "json"),
        ("text/html", SIMPLE_JSON.replace("+", " "), "json"),
        (SIMPLE_JSON, "text/html", "html"),
    ],
)
def test_which_form_an_accept_header_prefers(accept, format_, form):
    assert wanted_form(accept, format_) == form


class TestHealth:
    async def test_it_needs_no_key_and_every_sentence_ends_in_is_fine(self, daemon):
        answer = await daemon.ask("GET", "/health", key=None)

        assert answer.status == 200
        assert sorted(answer.json) == ["catalog", "indexer", "inspection", "store"]
        assert all(sentence.endswith("is fine") for sentence in answer.json.values())
        assert answer.headers["Content-Type"] == "application/json"

    async def test_an_indexer_that_stands_still_is_named(self, tmp_path):
        async with run_daemon(tmp_path / "data", Fine(), publish=False) as daemon:
            daemon.house.catalog.areas._clock = lambda: 1_000_000
            daemon.house.catalog.areas.mark({Area("main", "conda", "index", "noarch"): 0.0})
            answer = await daemon.ask("GET", "/health", key=None)

        assert answer.status == 500
        assert "the indexer is behind" in answer.json["indexer"]
        assert answer.json["catalog"] == "the catalog is fine"

    async def test_inspection_that_does_not_work_is_named_and_asked_once(self, tmp_path):
        async with run_daemon(tmp_path / "data", Broken()) as daemon:
            first = await daemon.ask("GET", "/health", key=None)
            again = await daemon.ask("GET", "/health", key=None)

        assert first.status == again.status == 500
        assert first.json["inspection"] == "no process to read archives can be started"
        assert again.json == first.json
