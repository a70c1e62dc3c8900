"""Every source tells its files with what it knows of them; the intake judges them like uploads."""

import hashlib
import json
import shutil

import pytest
import urllib3
from conda_support import make_conda
from house_support import Direct, new_house, take_in
from pypi_support import make_sdist, make_wheel
from test_client_connection import answering

from indexer import reindex as reindexing
from packhouse.client import Unreachable
from packhouse.errors import Malformed, NotFound, Unprocessable
from packhouse.house import initialise, open_house
from packhouse.importing import remote, simple
from packhouse.importing.adopt import Adoption, Fate
from packhouse.importing.folders import CondaChannel, Folder, Mirror, detect
from packhouse.importing.items import told_digests, told_time
from packhouse.importing.products import Products
from packhouse.importing.remote import SimpleIndex
from packhouse.intake.pool import InspectionPool
from packhouse.intake.receive import History, Intake
from packhouse.model import Ecosystem
from packhouse.names import parse_channel

WHEN_US = 1_600_000_000_000_000
WHEN = "2020-09-13T12:26:40.000000Z"


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def put(folder, *made):
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in made:
        (folder / name).write_bytes(body)
    return folder


@pytest.fixture(scope="module")
def pool():
    with InspectionPool(workers=1) as pool:
        yield pool


@pytest.fixture
def house(tmp_path):
    data = tmp_path / "data"
    initialise(data)
    house = open_house(data)
    house.create_channel(parse_channel("main"))
    yield house
    house.close()


def adopt(house, pool, source, *, lenient=False):
    told = []
    adoption = Adoption(house, Intake(house, pool), house.catalog.channels.get("main"), lenient=lenient)
    report = adoption.run(source, tell=told.append)
    return report, {result.item.name: result for result in told}


def live(house, path):
    return house.catalog.artifacts.live("main", path)


# --- what sources say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "us"),
    [
        (WHEN, WHEN_US),
        ("2020-09-13T14:26:40+02:00", WHEN_US),
        ("2020-09-13T12:26:40", None),
        ("yesterday", None),
        (5, None),
        (None, None),
    ],
)
def test_only_a_time_with_a_zone_is_a_time(text, us):
    assert told_time(text) == us


def test_only_digests_are_digests():
    said = {"sha256": "A" * 64, "md5": "zz", "blake2b": "1"}
    assert told_digests(said) == {"sha256": "a" * 64}
    assert told_digests({"sha256": 5}) == {}


PAGE = {
    "meta": {"api-version": "1.4"},
    "files": [
        {
            "filename": "a-1.whl",
            "url": "../f/a-1.whl",
            "hashes": {"sha256": "0" * 64},
            "size": 3,
            "upload-time": WHEN,
        },
        {"filename": "a-2.whl", "url": "https://cdn.example/a-2.whl#sha256=" + "1" * 64, "yanked": True},
        {"filename": "a-3.whl", "url": "a-3.whl", "yanked": "bad", "size": True},
        {"filename": "a-4.whl", "url": "a-4.whl", "yanked": False, "hashes": []},
        {"url": "no-name.whl"},
        "nonsense",
    ],
}
HTML = """<html><head><meta name="pypi:repository-version" content="1.1"><base href="/simple/a/"></head><body>
<a href="../../f/a-1.whl#sha256={zeros}" data-requires-python="&gt;=3">anything</a>
<a href="a-2.whl" data-yanked>a-2.whl</a><a href="a-3%2Bx.whl" data-yanked="&lt;bad&gt;">x</a><a name="no">y</a>
<a href="../">up</a></body></html>""".replace("{zeros}", "0" * 64)


def test_a_json_page_tells_everything():
    found = simple.files(json.dumps(PAGE).encode(), "http://h/simple/a/", is_json=True)

    assert [(f.name, f.url, f.yanked) for f in found] == [
        ("a-1.whl", "http://h/simple/f/a-1.whl", None),
        ("a-2.whl", "https://cdn.example/a-2.whl", ""),
        ("a-3.whl", "http://h/simple/a/a-3.whl", "bad"),
        ("a-4.whl", "http://h/simple/a/a-4.whl", None),
    ]
    assert (found[0].size, found[0].uploaded_us, found[0].digests) == (3, WHEN_US, {"sha256": "0" * 64})
    assert (found[1].digests, found[2].size) == ({"sha256": "1" * 64}, None)


def test_an_html_page_tells_digests_and_yanks():
    found = simple.files(HTML.encode(), "http://h/elsewhere/", is_json=False)

    assert [(f.name, f.url, f.yanked) for f in found] == [
        ("a-1.whl", "http://h/f/a-1.whl", None),
        ("a-2.whl", "http://h/simple/a/a-2.whl", ""),
        ("a-3+x.whl", "http://h/simple/a/a-3%2Bx.whl", "<bad>"),
    ]
    assert found[0].digests == {"sha256": "0" * 64}


def test_projects_are_found_in_both_forms():
    page = {"meta": {"api-version": "1.0"}, "projects": [{"name": "a"}, {"name": 3}]}
    assert simple.projects(json.dumps(page).encode(), "http://h/s/", is_json=True) == ["http://h/s/a/"]
    assert simple.projects(b'<a href="a/">a</a><a href="mailto:x@y">x</a>', "http://h/s/", is_json=False) == [
        "http://h/s/a/"
    ]


@pytest.mark.parametrize(
    ("body", "is_json"),
    [
        (b"no json", True),
        (b"[]", True),
        (b"{}", True),
        (b'{"files": {}}', True),
        (b'{"meta": {"api-version": "2.0"}, "files": []}', True),
        (b'<meta name="pypi:repository-version" content="2.0">', False),
    ],
)
def test_a_page_of_another_kind_is_refused(body, is_json):
    with pytest.raises(simple.NoSimpleIndex):
        simple.files(body, "http://h/", is_json=is_json)


# --- directories --------------------------------------------------------------------------------------------


def conda_channel(root):
    plum = make_conda(name="plum", version="3.0", subdir="linux-64")
    noarch = make_conda(name="pear", version="1.0")
    put(
        root / "linux-64",
        plum,
        ("notes.txt", b""),
        ("patch_instructions.json", b'{"patch_instructions_version": 1}'),
    )
    put(root / "noarch", noarch)
    record = {"sha256": sha256(plum[1]), "size": len(plum[1]), "indexed_timestamp": WHEN_US // 1000}
    repodata = {
        "packages": {},
        "packages.conda": {plum[0]: record, "gone-1-0.conda": {"md5": "x"}, "../x": {}},
    }
    (root / "linux-64" / "repodata.json").write_text(json.dumps(repodata))
    return root


def test_a_conda_channel_keeps_times_and_hotfixes(house, pool, tmp_path):
    source = detect(conda_channel(tmp_path / "src"))
    assert isinstance(source, CondaChannel)
    report, results = adopt(house, pool, source)

    assert {name: result.fate for name, result in results.items()} == {
        "plum-3.0-0.conda": Fate.IMPORTED,
        "pear-1.0-0.conda": Fate.IMPORTED,
        "gone-1-0.conda": Fate.REFUSED,
    }
    assert "No such file" in results["gone-1-0.conda"].notes[0]
    plum, pear = live(house, "linux-64/plum-3.0-0.conda"), live(house, "noarch/pear-1.0-0.conda")
    assert (plum.uploaded_us, plum.imported, plum.uploaded_by) == (WHEN_US, False, "import")
    assert pear.imported
    assert report.undated == 1
    hotfix = house.data / "public/main/linux-64/patch_instructions.json"
    assert json.loads(hotfix.read_text()) == {"patch_instructions_version": 1}
    assert report.hotfixes == ["linux-64/patch_instructions.json"]
    assert any(area.key == "linux-64" for area in report.awaited)


def test_a_second_import_changes_nothing_and_keeps_local_hotfixes(house, pool, tmp_path):
    root = conda_channel(tmp_path / "src")
    adopt(house, pool, detect(root))
    serial = house.catalog.channels.get("main").serial
    (house.data / "public/main/linux-64/patch_instructions.json").write_text("{}")
    report, _ = adopt(house, pool, detect(root))

    assert report.files == {Fate.SKIPPED: 2, Fate.REFUSED: 1}
    assert house.catalog.channels.get("main").serial == serial
    assert report.kept == ["linux-64/patch_instructions.json"]


def test_a_wrong_record_refuses_its_file(house, pool, tmp_path):
    """What repodata promises is what clients were told: other bytes are damage."""
    root = conda_channel(tmp_path / "src")
    repodata = {"packages.conda": {"plum-3.0-0.conda": {"sha256": "0" * 64, "size": "x"}}}
    (root / "linux-64" / "repodata.json").write_text(json.dumps(repodata))
    _, results = adopt(house, pool, detect(root))

    assert "sha256 is" in results["plum-3.0-0.conda"].notes[0]
    assert live(house, "linux-64/plum-3.0-0.conda") is None
    assert list((house.data / "incoming").iterdir()) == []


def test_repodata_that_is_no_json_is_said(tmp_path):
    put(tmp_path / "noarch", ("repodata.json", b"{"))
    with pytest.raises(Unprocessable, match="is not valid JSON"):
        detect(tmp_path)


def test_a_channel_without_repodata_is_one_all_the_same(tmp_path):
    put(tmp_path / "noarch", make_conda(name="pear"))
    assert isinstance(detect(tmp_path), CondaChannel)


def test_a_folder_of_packages_is_taken_as_it_is(house, pool, tmp_path):
    root = tmp_path / "packages"
    put(root, make_wheel(name="apple"), ("README.txt", b""))
    put(
        root / "deep",
        make_sdist(name="apple"),
        make_conda(name="plum"),
        ("bad-1.0-py3-none-any.whl", b"junk"),
    )
    put(root / ".cache", make_wheel(name="hidden"))
    source = detect(root)
    assert isinstance(source, Folder)
    assert source.hotfixes() == {}
    report, results = adopt(house, pool, source)

    assert report.files == {Fate.IMPORTED: 3, Fate.REFUSED: 1}
    assert results["bad-1.0-py3-none-any.whl"].fate is Fate.REFUSED
    assert report.undated == 3
    assert live(house, "packages/apple/apple-1.0.tar.gz").imported
    assert live(house, "noarch/plum-1.0-0.conda") is not None
    assert live(house, "packages/hidden/hidden-1.0-py3-none-any.whl") is None


def test_old_metadata_comes_in_with_its_reason(house, pool, tmp_path):
    """pypi.md: import paths need `--lenient`, and the reason must be shown."""
    name, body = make_wheel(name="apple", requires_dist=["not a requirement !!"])
    source = detect(put(tmp_path / "packages", (name, body)))
    strict, _ = adopt(house, pool, source)
    lenient, results = adopt(house, pool, source, lenient=True)

    assert strict.files == {Fate.REFUSED: 1}
    assert lenient.files == {Fate.IMPORTED: 1}
    assert lenient.warned == 1
    assert results[name].notes == tuple(live(house, f"packages/apple/{name}").warnings)


def mirror(web, page=None):
    name, body = make_wheel(name="apple")
    put(web / "packages" / "aa" / "bb", (name, body))
    listed = {
        "filename": name,
        "url": f"../../packages/aa/bb/{name}",
        "hashes": {"sha256": sha256(body)},
        "upload-time": WHEN,
        "yanked": "bruised",
    }
    pages = web / "simple" / "apple"
    put(pages, ("index.html", f'<a href="/packages/aa/bb/{name}">{name}</a>'.encode()))
    if page is not False:
        document = page or {"meta": {"api-version": "1.1"}, "files": [listed]}
        put(pages, ("index.v1_json", json.dumps(document).encode()))
    put(web / "simple", ("index.html", b'<a href="apple/">apple</a>'))
    return name


@pytest.mark.parametrize("below", ["web", "."])
def test_a_bandersnatch_mirror_keeps_times_and_yanks(house, pool, tmp_path, below):
    name = mirror(tmp_path / "src" / below)
    source = detect(tmp_path / "src")
    assert isinstance(source, Mirror)
    assert source.total == 1
    adopt(house, pool, source)

    apple = live(house, f"packages/apple/{name}")
    assert (apple.uploaded_us, apple.imported, apple.yanked) == (WHEN_US, False, "bruised")
    report, _ = adopt(house, pool, source)
    assert report.files == {Fate.SKIPPED: 1}


def test_a_mirror_without_json_still_comes_in(house, pool, tmp_path):
    name = mirror(tmp_path / "src" / "web", page=False)
    report, _ = adopt(house, pool, detect(tmp_path / "src"))

    assert report.files == {Fate.IMPORTED: 1}
    assert live(house, f"packages/apple/{name}").imported


@pytest.mark.parametrize(
    "url", ["../../packages/%2e%2e/%2e%2e/secret/x", "https://h/packages/../../../etc/passwd"]
)
def test_a_mirrors_page_never_leads_out_of_it(house, pool, tmp_path, url):
    name = "apple-9.0-py3-none-any.whl"
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x").write_bytes(make_wheel(name="apple", version="9.0")[1])
    mirror(tmp_path / "src" / "web", {"files": [{"filename": name, "url": url}]})
    report, _ = adopt(house, pool, detect(tmp_path / "src"))

    assert report.files == {Fate.REFUSED: 1}
    assert live(house, f"packages/apple/{name}") is None


def test_what_is_no_source_is_said(tmp_path):
    with pytest.raises(NotFound, match="no package in"):
        detect(tmp_path)
    with pytest.raises(NotFound, match="give a directory, or the URL"):
        detect(tmp_path / "nowhere")


def test_a_time_in_the_future_becomes_now(house, pool, tmp_path):
    name, _ = make_wheel(name="apple")
    page = {
        "files": [
            {"filename": name, "url": f"../../packages/aa/bb/{name}", "upload-time": "2999-01-01T00:00:00Z"}
        ]
    }
    mirror(tmp_path / "src" / "web", page)
    adopt(house, pool, detect(tmp_path / "src"))

    assert live(house, f"packages/apple/{name}").uploaded_us <= house.catalog.clock()


# --- a copied channel of a Packhouse ------------------------------------------------------------------------


def copied_channel(root, folder):
    """Publish one package of each kind in another Packhouse, with its real indexer; copy what it serves."""
    other = new_house(folder)
    intake = Intake(other, Direct())
    kinds = {
        "linux-64/plum-3.0-0.conda": (make_conda(name="plum", version="3.0", subdir="linux-64"), {}),
        "packages/apple/apple-1.0-py3-none-any.whl": (make_wheel(name="apple"), {}),
        "products/Tool/1.0/tool+x.bin": (
            ("tool+x.bin", b"tool"),
            {"ecosystem": Ecosystem.GENERIC, "directory": "products/Tool/1.0"},
        ),
    }
    for path, ((name, body), said) in kinds.items():
        claim = {"ecosystem": Ecosystem.CONDA if name.endswith(".conda") else Ecosystem.PYPI, **said}
        take_in(intake, name, body, history=History(uploaded_us=WHEN_US, imported=False), **claim)
        assert other.catalog.artifacts.live("main", path) is not None
    reindexing.reindex(other)
    other.close()
    shutil.copytree(other.data / "public" / "main", root)
    return list(kinds)


def test_a_copied_channel_comes_in_whole(house, pool, tmp_path):
    """A folder with `simple/` and `packages/` may have conda packages and products beside them."""
    paths = copied_channel(tmp_path / "copy", tmp_path / "other")
    source = detect(tmp_path / "copy")
    assert source.title == "a conda channel, a Python mirror and build products"
    assert source.total == 3
    report, results = adopt(house, pool, source)

    assert report.files == {Fate.IMPORTED: 3}
    assert {result.item.where for result in results.values()} == set(paths)
    for path in paths:
        artifact = live(house, path)
        assert (artifact.uploaded_us, artifact.imported) == (WHEN_US, False)
    assert adopt(house, pool, detect(tmp_path / "copy"))[0].files == {Fate.SKIPPED: 3}


def test_a_copied_channel_without_products_keeps_its_hotfixes(house, pool, tmp_path):
    conda_channel(tmp_path / "src")
    mirror(tmp_path / "src")
    source = detect(tmp_path / "src")
    report, _ = adopt(house, pool, source)

    assert source.title == "a conda channel and a Python mirror"
    assert report.files == {Fate.IMPORTED: 3, Fate.REFUSED: 1}
    assert report.hotfixes == ["linux-64/patch_instructions.json"]


def products(root, versions):
    put(root / "products", ("index.json", b"{}"))
    put(root / "products" / "tool" / "1.0", ("tool.bin", b"tool"), (".hidden", b""))
    put(root / "products" / "tool", ("index.json", json.dumps({"versions": versions}).encode()))
    return root


def test_products_are_held_to_their_listing(house, pool, tmp_path):
    listed = [
        {"url": "../tool/1.0/tool.bin", "sha256": "0" * 64, "size": True},
        {"url": "../tool/1.0/gone.bin"},
        {"url": "../../../secret/x"},
        {"url": "elsewhere"},
    ]
    source = detect(products(tmp_path / "src", {"1.0": listed}))
    assert isinstance(source, Products)
    assert source.hotfixes() == {}
    report, results = adopt(house, pool, source)

    assert report.files == {Fate.REFUSED: 2}
    assert "sha256 is" in results["tool.bin"].notes[0]
    assert "No such file" in results["gone.bin"].notes[0]
    assert results["gone.bin"].item.where == "products/tool/1.0/gone.bin"


def test_a_product_that_no_listing_names_is_undated(house, pool, tmp_path):
    report, _ = adopt(house, pool, detect(products(tmp_path / "src", {})))

    assert (report.files, report.undated) == ({Fate.IMPORTED: 1}, 1)
    assert live(house, "products/tool/1.0/tool.bin").imported


@pytest.mark.parametrize("versions", [[], {"1.0": [{}]}, {"1.0": 5}, {"1.0": [{"url": 5}]}])
def test_a_listing_of_another_kind_is_said(tmp_path, versions):
    with pytest.raises(Unprocessable, match=r"tool/index\.json is no listing of a product"):
        detect(products(tmp_path / "src", versions))


def test_a_folder_that_is_just_named_products_is_a_folder(tmp_path):
    put(tmp_path / "products" / "apple" / "1.0", make_wheel(name="apple"))
    assert isinstance(detect(tmp_path), Folder)


@pytest.mark.parametrize("page", [None, False])
def test_what_a_mirror_lacks_is_named_by_its_path(house, pool, tmp_path, page):
    name = mirror(tmp_path / "src" / "web", page=page)
    (tmp_path / "src" / "web" / "packages" / "aa" / "bb" / name).unlink()
    _, results = adopt(house, pool, detect(tmp_path / "src"))

    assert results[name].item.where == f"packages/aa/bb/{name}"
    assert "No such file" in results[name].notes[0]


def test_a_mirrors_page_that_is_none_is_named_by_its_path(tmp_path):
    mirror(tmp_path / "src" / "web", {"no": "files"})
    with pytest.raises(simple.NoSimpleIndex) as caught:
        detect(tmp_path / "src")
    assert str(tmp_path / "src/web/simple/apple/index.v1_json") in str(caught.value)
    assert "http" not in str(caught.value)


# --- another index ------------------------------------------------------------------------------------------


def test_another_index_is_read_over_http(house, pool):
    name, body = make_wheel(name="apple")
    egg = {"filename": "apple-1.0-py2.7.egg", "url": "/files/apple.egg"}
    files = [
        {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": sha256(body)}, "upload-time": WHEN},
        egg,
    ]
    kind = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    root = {"meta": {"api-version": "1.1"}, "projects": [{"name": "apple"}]}
    page = {"meta": {"api-version": "1.1"}, "files": files}
    with answering((200, kind, root), (200, kind, page), (200, {}, body)) as (url, asked):
        report, _ = adopt(house, pool, SimpleIndex(url.replace("//", "//me:p%40ss@") + "/simple"))

    assert report.files == {Fate.IMPORTED: 1}
    assert live(house, f"packages/apple/{name}").uploaded_us == WHEN_US
    assert [path for _, path, *_ in asked] == ["/simple/", "/simple/apple/", f"/files/{name}"]
    sent = {name.lower(): value for name, value in asked[0][2].items()}
    assert sent["authorization"] == "Basic bWU6cEBzcw=="
    assert "simple.v1+json" in sent["accept"]


def test_a_file_that_is_not_what_its_index_says_is_refused(house, pool):
    name, body = make_wheel(name="apple")
    page = f'<a href="/f/{name}#sha256={"0" * 64}">{name}</a>'.encode()
    html = {"Content-Type": "text/html; charset=utf-8"}
    root = b'<a href="/simple/apple/">apple</a>'
    with answering((200, html, root), (200, html, page), (200, {}, body)) as (url, _):
        report, results = adopt(house, pool, SimpleIndex(f"{url}/simple/"))

    assert report.files == {Fate.REFUSED: 1}
    assert "the upload claimed 000" in results[name].notes[0]


def test_a_file_that_cannot_be_fetched_stops_no_other(house, pool):
    name, _ = make_wheel(name="apple")
    html = {"Content-Type": "text/html"}
    page = f'<a href="/f/{name}">{name}</a><a href="file:///etc/passwd/b-1.0.tar.gz">b</a>'.encode()
    with answering((200, html, b'<a href="/simple/apple/">a</a>'), (200, html, page), (404, {}, b"")) as (
        url,
        _,
    ):
        report, results = adopt(house, pool, SimpleIndex(f"{url}/simple/"))

    assert report.files == {Fate.REFUSED: 2}
    assert "answers 404" in results[name].notes[0]
    assert "no address that can be fetched" in results["b-1.0.tar.gz"].notes[0]


def test_an_index_that_does_not_answer_stops_the_import(house, pool):
    with answering((403, {}, b"")) as (url, _), pytest.raises(Unreachable, match="answers 403"):
        adopt(house, pool, SimpleIndex(f"{url}/simple/"))
    with pytest.raises(Malformed):
        SimpleIndex("https:///simple/")


def test_an_index_that_is_not_there_is_said_in_words(house, pool, monkeypatch):
    monkeypatch.setattr(remote, "_RETRIES", urllib3.Retry(total=1, backoff_factor=0))
    with answering((200, {}, b"")) as (url, _):
        pass
    with pytest.raises(Unreachable) as caught:
        adopt(house, pool, SimpleIndex(f"{url}/simple/"))
    assert str(caught.value) == f"{url}/simple/ does not answer: Connection refused; is it running there?"


def test_an_index_that_stays_busy_is_said_in_words(house, pool, monkeypatch):
    monkeypatch.setattr(remote, "_RETRIES", urllib3.Retry(total=1, backoff_factor=0, status_forcelist=(503,)))
    with (
        answering((503, {}, b"")) as (url, _),
        pytest.raises(Unreachable, match="does not answer: too many 503 error responses;"),
    ):
        adopt(house, pool, SimpleIndex(f"{url}/simple/"))


@pytest.mark.parametrize("path", ["page", "file"])
def test_a_body_that_breaks_off_is_said_in_words(house, pool, path):
    name, body = make_wheel(name="apple")
    html = {"Content-Type": "text/html"}
    page = f'<a href="/f/{name}">{name}</a>'.encode()
    short = {**html, "Content-Length": "9999999", "Connection": "close"}
    answers = [(200, html, b'<a href="/simple/apple/">a</a>'), (200, html, page)]
    answers = [(200, short, page)] if path == "page" else [*answers, (200, short, body)]
    with answering(*answers) as (url, _):
        source = SimpleIndex(f"{url}/simple/")
        if path == "page":
            with pytest.raises(Unreachable, match="/simple/ broke off: "):
                adopt(house, pool, source)
        else:
            _, results = adopt(house, pool, source)
            assert f"/f/{name} broke off: " in results[name].notes[0]
            assert "ProtocolError" not in results[name].notes[0]


def test_links_start_where_an_index_sent_us(house, pool):
    name, body = make_wheel(name="apple")
    html = {"Content-Type": "text/html"}
    moved = (301, {"Location": "/new/simple/"}, b"")
    root, page = (200, html, b'<a href="apple/">a</a>'), (200, html, f'<a href="{name}">x</a>'.encode())
    with answering(moved, root, page, (200, {}, body)) as (url, asked):
        report, _ = adopt(house, pool, SimpleIndex(f"{url}/old/simple/"))

    assert report.files == {Fate.IMPORTED: 1}
    assert [path for _, path, *_ in asked[2:]] == ["/new/simple/apple/", f"/new/simple/apple/{name}"]
