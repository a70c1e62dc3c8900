"""What the Python client lists and finds, packages and their versions, with a key and without."""

import pytest
from client_support import KEY, OTHER, For, file_of, fresh_client, product, site, version_of, versions

import packhouse
from packhouse.client import connection


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    with fresh_client(tmp_path, monkeypatch) as folder:
        yield folder


# --- packages ---------------------------------------------------------------------------------------------------

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
