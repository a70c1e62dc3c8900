"""Parameters of small requests, the server's own address, and the versions of packages: the parts under pypicloud's API."""

from types import SimpleNamespace

import aiohttp
import pytest
from catalog_support import RULES, upload, verified
from multidict import CIMultiDict
from pypi_support import make_sdist
from uploadd_support import MULTIPART, legacy_form, multipart, run_daemon

from packhouse.catalog import Catalog
from packhouse.errors import Malformed
from packhouse.intake.pool import InspectionPool
from packhouse.model import Ecosystem
from packhouse.names import ChannelName
from uploadd.origin import origin
from uploadd.parameters import WORDS, Parameters, yes_or_no


class TestBooleans:
    @pytest.mark.parametrize(("word", "is_"), WORDS.items())
    def test_a_word_means_the_same_in_any_case_and_as_json(self, word, is_):
        for value in (word, word.upper(), f" {word.title()} "):
            assert Parameters({"x": value}).boolean("x") is is_

    @pytest.mark.parametrize(("value", "is_"), [(True, True), (False, False), (1, True), (0, False)])
    def test_json_has_its_own(self, value, is_):
        assert yes_or_no("x", value) is is_

    @pytest.mark.parametrize("value", ["", "2", 2, -1, 1.0, 0.0, [], {}, ["true"], "yess", "нет"])
    def test_anything_else_names_the_parameter_and_not_the_value(self, value):
        with pytest.raises(Malformed, match="'x' is neither yes nor no"):
            Parameters({"x": value}).boolean("x")


class TestTexts:
    @pytest.mark.parametrize("value", [7, True, [], {"a": "b"}])
    def test_only_text_is_text(self, value):
        with pytest.raises(Malformed, match="'x' is no text"):
            Parameters({"x": value}).text("x")

    def test_an_empty_one_is_there(self):
        assert Parameters({"x": ""}).text("x") == ""

    @pytest.mark.parametrize("values", [{}, {"x": None}])
    def test_a_missing_one_is_named(self, values):
        with pytest.raises(Malformed, match="Missing argument 'x'"):
            Parameters(values).text("x")


class TestOrigin:
    @staticmethod
    def call(base_url="", **headers):
        settings = SimpleNamespace(base_url=base_url)
        services = SimpleNamespace(house=SimpleNamespace(settings=settings))
        sent = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
        return SimpleNamespace(services=services, request=SimpleNamespace(headers=sent))

    @pytest.mark.parametrize(
        ("headers", "found"),
        [
            ({"Host": "pypi.example.org"}, "http://pypi.example.org"),
            ({"Host": "127.0.0.1:8080"}, "http://127.0.0.1:8080"),
            ({"Host": "[::1]:8080"}, "http://[::1]:8080"),
            ({"Host": "h", "X_Forwarded_Proto": "https"}, "https://h"),
            ({"Host": "h", "X_Forwarded_Proto": "javascript"}, "http://h"),
            ({}, ""),
            ({"Host": ""}, ""),
            ({"Host": "evil/path"}, ""),
            ({"Host": "user@evil"}, ""),
            ({"Host": 'evil"><script>'}, ""),
            ({"Host": "evil:port"}, ""),
        ],
    )
    def test_it_is_scheme_and_host_and_nothing_else(self, headers, found):
        assert origin(self.call(**headers)) == found

    def test_the_setting_wins(self):
        assert origin(self.call("https://pkgs.example.org/py/", Host="evil")) == "https://pkgs.example.org/py"


class TestVersions:
    @pytest.fixture
    def catalog(self, tmp_path):
        catalog = Catalog(tmp_path / "catalog.sqlite")
        catalog.channels.create(ChannelName("main"), born=())
        yield catalog
        catalog.close()

    def test_they_are_those_that_stand(self, catalog):

        for version in ("1", "2", "3"):
            upload(catalog, verified("a", version), token=f"t{version}")
        upload(catalog, verified("b", "1"), token="tb")
        by = {"by": "ci"}
        catalog.artifacts.yank("main", ["packages/a/a-2.whl"], RULES, reason="", **by)
        catalog.artifacts.delete("main", ["packages/a/a-3.whl"], RULES, grace_s=0, **by)

        assert catalog.artifacts.versions("main", Ecosystem.PYPI) == {"a": {"1"}, "b": {"1"}}
        assert catalog.artifacts.versions("main", Ecosystem.CONDA) == {}
        assert catalog.artifacts.versions("other", Ecosystem.PYPI) == {}

    def test_where_all_are_yanked_all_count(self, catalog):

        for version in ("1", "2"):
            upload(catalog, verified("a", version), token=f"t{version}")
        catalog.artifacts.yank(
            "main", ["packages/a/a-1.whl", "packages/a/a-2.whl"], RULES, by="ci", reason="broken"
        )

        assert catalog.artifacts.versions("main", Ecosystem.PYPI) == {"a": {"1", "2"}}


@pytest.fixture(scope="module")
def pool():
    with InspectionPool(workers=1, wall_s=30) as inspectors:
        yield inspectors


@pytest.fixture
async def daemon(tmp_path, pool):
    async with run_daemon(tmp_path / "data", pool) as running:
        yield running


async def put(daemon, name, version, **form):
    answer = await daemon.ask("POST", "/simple/", legacy_form(*make_sdist(name, version), **form))
    assert answer.status == 200, answer.body
    return answer


async def summary(daemon, name):
    answer = await daemon.ask("GET", "/api/package/?verbose=true", key=None)
    return next(said for said in answer.json["packages"] if said["name"] == name)


async def test_without_a_final_release_there_is_no_stable_version(daemon):
    for version in ("1.0rc1", "1.0.dev3"):
        await put(daemon, "young", version)

    said = await summary(daemon, "young")

    assert (said["stable"], said["unstable"]) == (None, "1.0rc1")


async def test_stable_is_the_newest_final_release_and_unstable_the_newest(daemon):
    for version in ("1.9", "1.10", "2.0b1"):
        await put(daemon, "grown", version)

    said = await summary(daemon, "grown")

    assert (said["stable"], said["unstable"]) == ("1.10", "2.0b1")


async def test_a_server_without_a_host_answers_relative_addresses(daemon):
    await put(daemon, "plain", "1.0")
    head = b"GET /api/package/plain/ HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"

    answer = await daemon.raw(head)

    assert b'"url":"/main/packages/plain/plain-1.0.tar.gz#sha256=' in answer


async def test_attestations_are_named_as_left_aside(daemon):
    answer = await put(daemon, "attested", "1.0", attestations="[]")

    assert answer.json["notes"] == ["the attestations were not verified and are not kept"]


FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (FORM, b"allow=true", 200),
        (f"{FORM}; charset=utf-8", b"allow=off&more=1", 200),
        (JSON, b'{"allow": true}', 200),
        (JSON, b'  {"allow": "no"}\n', 200),
        (FORM, b"", 400),
        (JSON, b"  ", 400),
        (JSON, b"true", 400),
        (JSON, b'{"allow": tru', 400),
        (FORM, b"allow", 400),
        (FORM, b"allow=%ff", 400),
        (FORM, b"allow=\xff", 400),
        (FORM, b"&".join(b"a%d=1" % number for number in range(40)), 400),
        (FORM, b"allow=1&allow=1", 400),
        ("text/plain", b"allow=true", 400),
        ("multipart/form-data", b"allow=true", 400),
        (FORM, b"allow=" + b"x" * (1 << 20), 413),
    ],
)
async def test_a_body_is_one_of_three_kinds_and_whole(daemon, content_type, body, status):
    headers = {"Content-Type": content_type}

    answer = await daemon.ask("POST", "/admin/register/", body, key="admin", headers=headers)

    assert answer.status == status, answer.body


async def test_a_multipart_form_is_the_third_kind(daemon):
    field = ({"Content-Disposition": 'form-data; name="allow"'}, b"on")

    async def send(*fields):
        return await daemon.ask(
            "POST", "/admin/register/", multipart(*fields), key="admin", headers=MULTIPART
        )

    assert (await send(field)).json == {"allow": True}
    assert (await send(field, field)).status == 400


async def test_a_compressed_body_is_refused(daemon):
    headers = {"Content-Encoding": "gzip", "Content-Type": JSON}

    assert (await daemon.ask("POST", "/admin/register/", b"{}", key="admin", headers=headers)).status == 415


async def test_a_parameter_that_is_a_file_is_refused(daemon):
    form = aiohttp.FormData()
    form.add_field("allow", b"true", filename="allow.txt")

    answer = await daemon.ask("POST", "/admin/register/", form, key="admin")

    assert (answer.status, answer.code) == (400, "malformed")


async def test_a_cookie_alone_from_another_site_neither_invites_nor_rebuilds(daemon):
    """These GETs change something, as pypicloud has them; a browser says which page sent it here."""
    house = daemon.house
    house.catalog.accounts.create("ann", admin=True)
    _, secret = house.catalog.sessions.create("ann", origin="127.0.0.1", agent="a browser")
    cookie = {"Cookie": f"__Host-packhouse={secret}"}
    for path in ("/admin/token/ann/", "/admin/rebuild/"):
        foreign = {**cookie, "Sec-Fetch-Site": "cross-site"}
        refused = await daemon.ask("GET", path, key=None, headers=foreign)
        assert (refused.status, refused.code) == (403, "cross-site")
        assert (await daemon.ask("GET", path, key=None, headers=cookie)).status == 200
