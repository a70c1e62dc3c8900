"""The simple API: HTML, JSON and the legacy JSON say the same, whatever the records hold."""

import gzip
import json
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import html5lib
import pytest
from backports import zstd
from bandersnatch.package import Package as MirroredPackage
from hypothesis import given
from hypothesis import strategies as st
from pypi_simple import ProjectPage
from pypi_support import FakeRecords, committed, make_sdist, make_wheel

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi import PYPI
from packhouse.ecosystems.pypi.pages import latest_of, project_html, project_json, versions_of
from packhouse.model import Area, Artifact, Claim, Ecosystem, Observed
from packhouse.names import ChannelName, Filename

INDEX, ROOT = Area("main", "pypi", "index", "tiny"), Area("main", "pypi", "root")
URL = "http://127.0.0.1/main/simple/tiny/"


def artifact(
    version: str = "1.0",
    *,
    kind: str = "bdist_wheel",
    serial: int = 1,
    yanked: str | None = None,
    project: str = "tiny",
    **record: object,
) -> Artifact:
    """Return a row as if uploaded; `record` overrides fields of its record."""
    wheel = kind == "bdist_wheel"
    filename = f"{project}-{version}-py3-none-any.whl" if wheel else f"{project}-{version}.tar.gz"
    observed = Observed(
        filename=Filename(filename),
        package=project,
        version=version,
        directory=f"packages/{project}",
        record={
            "name": project.title(),
            "version": version,
            "packagetype": kind,
            "python_version": "py3" if wheel else "source",
            "requires_python": ">=3.8",
            "requires_dist": [],
            "summary": "A tiny thing",
            "core_metadata": "c" * 64 if wheel else None,
        }
        | record,
    )
    return committed(observed, filename.encode(), serial=serial, yanked=yanked)


def pages(records: FakeRecords, area: Area = INDEX) -> dict[str, bytes]:
    return {page.path: page.body for page in PYPI.render(area, records).leaves}


def anchors(body: bytes) -> list[dict[str, str]]:
    """Return the attributes of every anchor and its text, as a browser reads them."""
    document = html5lib.parse(body, treebuilder="etree", namespaceHTMLElements=False)
    return [dict(anchor.attrib) | {"text": "".join(anchor.itertext())} for anchor in document.iter("a")]


# --- the order and the forms -----------------------------------------------------------------------------------


def test_compressed_forms_are_written_before_the_plain_one():
    """A reader that is sent to a `.zst` by the presence of the plain page must find it."""
    assert list(pages(FakeRecords([artifact()]))) == [
        "simple/tiny/index.json.zst",
        "simple/tiny/index.json.gz",
        "simple/tiny/index.json",
        "simple/tiny/index.html.zst",
        "simple/tiny/index.html.gz",
        "simple/tiny/index.html",
        "pypi/tiny/json",
    ]


@pytest.mark.parametrize("area", [INDEX, ROOT])
def test_every_form_holds_the_same_bytes(area):
    written = pages(FakeRecords([artifact()]), area)

    for name in ("index.json", "index.html"):
        path = next(path for path in written if path.endswith(name))
        assert zstd.decompress(written[f"{path}.zst"]) == written[path]
        assert gzip.decompress(written[f"{path}.gz"]) == written[path]
        assert zstd.get_frame_size(written[f"{path}.zst"]) == len(written[f"{path}.zst"])
        assert written[f"{path}.gz"][4:8] == b"\0" * 4  # no time in it


def test_equal_records_give_equal_bytes_in_any_order():
    rows = [artifact("1.0"), artifact("1.10", serial=2), artifact("1.9", serial=3)]

    assert PYPI.render(INDEX, FakeRecords(rows)) == PYPI.render(INDEX, FakeRecords(rows[::-1]))


def test_a_project_without_files_has_no_pages():
    assert PYPI.render(INDEX, FakeRecords()).leaves == ()
    assert PYPI.render(INDEX, FakeRecords([artifact(project="other")])).leaves == ()


# --- one project -----------------------------------------------------------------------------------------------


def test_the_json_page_has_every_key_of_version_1_4():
    rows = [artifact(serial=4, yanked="broken"), artifact(kind="sdist", serial=3, requires_python=None)]

    page = json.loads(pages(FakeRecords(rows))["simple/tiny/index.json"])

    assert page["meta"] == {"api-version": "1.4", "_last-serial": 4}
    assert (page["name"], page["versions"]) == ("tiny", ["1.0"])
    assert page["files"] == [
        {
            "filename": "tiny-1.0-py3-none-any.whl",
            "url": "../../packages/tiny/tiny-1.0-py3-none-any.whl",
            "hashes": {"sha256": rows[0].sha256},
            "requires-python": ">=3.8",
            "size": rows[0].size,
            "upload-time": "2025-10-09T08:53:20.123456Z",
            "yanked": "broken",
            "core-metadata": {"sha256": "c" * 64},
            "dist-info-metadata": {"sha256": "c" * 64},
        },
        {
            "filename": "tiny-1.0.tar.gz",
            "url": "../../packages/tiny/tiny-1.0.tar.gz",
            "hashes": {"sha256": rows[1].sha256},
            "requires-python": None,
            "size": rows[1].size,
            "upload-time": "2025-10-09T08:53:20.123456Z",
            "yanked": False,
            "core-metadata": False,
            "dist-info-metadata": False,
        },
    ]


def test_the_html_page_is_one_anchor_a_line():
    body = pages(FakeRecords([artifact(yanked="")]))["simple/tiny/index.html"].decode()

    line = next(line for line in body.splitlines() if line.startswith("<a "))
    assert '<meta name="pypi:repository-version" content="1.4">' in body
    assert body.startswith("<!DOCTYPE html>\n")
    assert ' data-requires-python="&gt;=3.8"' in line
    assert ' data-yanked=""' in line
    assert f' data-core-metadata="sha256={"c" * 64}" data-dist-info-metadata="sha256={"c" * 64}"' in line
    assert line.endswith(">tiny-1.0-py3-none-any.whl</a><br>")


def test_an_upload_time_on_the_second_still_has_six_digits():
    row = replace(artifact(), uploaded_us=1_760_000_000_000_000)

    assert (
        json.loads(project_json("tiny", [row], 1))["files"][0]["upload-time"] == "2025-10-09T08:53:20.000000Z"
    )


def test_a_yank_without_reason_is_true():
    assert json.loads(project_json("tiny", [artifact(yanked="")], 1))["files"][0]["yanked"] is True


def test_a_deletion_raises_the_serial():
    records = FakeRecords([artifact(serial=3)], gone=[artifact("0.9", serial=7)])

    assert json.loads(pages(records)["simple/tiny/index.json"])["meta"]["_last-serial"] == 7
    assert json.loads(pages(records)["pypi/tiny/json"])["last_serial"] == 7


def test_versions_are_distinct_and_in_order():
    """PEP 700: two spellings of one version are one version."""
    rows = [
        artifact("1.10"),
        artifact("1.9"),
        artifact("1.0"),
        artifact("1.0.0", kind="sdist"),
        artifact("1.9rc1"),
    ]

    assert versions_of(rows) == ["1.0", "1.9rc1", "1.9", "1.10"]


def test_urls_are_relative_and_keep_a_plus():
    """A channel copied elsewhere still installs; `+` is legal in a path and nginx takes it as it is."""
    row = artifact("1.0+cu118")

    url = json.loads(project_json("tiny", [row], 1))["files"][0]["url"]

    assert urljoin("http://h/deep/prefix/simple/tiny/", url) == f"http://h/deep/prefix/{row.path}"


# --- HTML and JSON agree, and escaping holds ----------------------------------------------------------------------

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ['"><script>alert(1)</script>', "</a><a href=x>", "a\nb", "a\r\nb", "'", "&amp;", "\x00", "]]>", "-->"]
)


@st.composite
def _rows(draw: st.DrawFn) -> list[Artifact]:
    versions = draw(
        st.lists(st.sampled_from(["0.1", "1.0", "1.0rc1", "2!1.0", "1.0+l"]), unique=True, min_size=1)
    )
    return [
        artifact(
            version,
            kind=draw(st.sampled_from(["bdist_wheel", "sdist"])),
            serial=serial,
            yanked=draw(st.none() | _TEXT),
            requires_python=draw(st.none() | _TEXT),
        )
        for serial, version in enumerate(versions, 1)
    ]


@given(_rows())
def test_no_text_escapes_from_its_attribute(rows):
    """Whatever a reason or a specifier holds, there is one link a file, on one line, with its values intact."""
    body = project_html("tiny", rows)
    links = anchors(body)

    assert [link["text"] for link in links] == [row.filename for row in rows]
    assert body.count(b"\n<a ") == body.count(b"<a ") == len(rows)
    for link, row in zip(links, rows, strict=True):
        for name, value in (
            ("data-yanked", row.yanked),
            ("data-requires-python", row.record["requires_python"]),
        ):
            # HTML has no NUL: the parser replaces it
            assert link.get(name) == (None if value is None else value.replace("\0", "\ufffd"))


_SPECIFIERS = st.sampled_from([None, ">=3.8", "<4,>=3.8", "!=3.9.*"])
_REASONS = st.sampled_from([None, "", "broken", 'says "no" & <more>'])


@given(st.lists(st.tuples(_SPECIFIERS, _REASONS), min_size=1, max_size=4))
def test_html_and_json_have_equal_content_for_an_independent_reader(cells):
    rows = [
        artifact(f"1.{n}", requires_python=specifier, yanked=reason, kind="sdist" if n % 2 else "bdist_wheel")
        for n, (specifier, reason) in enumerate(cells)
    ]

    from_json = ProjectPage.from_json_data(json.loads(project_json("tiny", rows, 1)), base_url=URL)
    from_html = ProjectPage.from_html("tiny", project_html("tiny", rows), base_url=URL)

    assert from_json.repository_version == from_html.repository_version == "1.4"
    assert len(from_json.packages) == len(from_html.packages) == len(rows)
    for one, other in zip(from_json.packages, from_html.packages, strict=True):
        assert (one.filename, one.url, one.version, one.package_type) == (
            other.filename, other.url, other.version, other.package_type,
        )  # fmt: skip
        assert one.requires_python == other.requires_python
        assert (one.is_yanked, one.yanked_reason or "") == (other.is_yanked, other.yanked_reason or "")
        assert one.digests == other.digests
        assert (one.has_metadata or False) == (other.has_metadata or False)
        assert (one.metadata_digests or {}) == (other.metadata_digests or {})


# --- the legacy JSON ---------------------------------------------------------------------------------------------

DETAILS = {
    "metadata": {
        "author": "Ann",
        "keywords": ["a", "b"],
        "classifiers": ["Typing :: Typed"],
        "description": "# Tiny",
        "description_content_type": "text/markdown",
        "home_page": "javascript:alert(1)",
        "project_urls": {"Docs": "https://example.org", "Evil": "JavaScript:alert(1)"},
        "license_expression": "MIT",
    }
}


def test_the_legacy_json_has_what_mirrors_read():
    rows = [
        artifact("1.0", serial=1),
        artifact("1.1", serial=2, requires_dist=["six"]),
        artifact("2.0rc1", serial=3),
    ]
    records = FakeRecords(rows, detail={2: DETAILS})

    body = json.loads(pages(records)["pypi/tiny/json"])
    mirrored = MirroredPackage("tiny")
    mirrored._metadata = body

    assert mirrored.last_serial == 3
    assert [file["filename"] for file in mirrored.release_files] == [row.filename for row in rows]
    # bandersnatch joins the URL to its master's, and insists on this beginning.
    assert all(urlsplit(file["url"]).path.startswith("/packages/") for file in mirrored.release_files)
    assert body["info"]["version"] == "1.1"
    assert body["info"]["requires_dist"] == ["six"]
    assert (body["info"]["author"], body["info"]["keywords"]) == ("Ann", "a,b")
    assert body["urls"] == body["releases"]["1.1"]
    assert body["releases"]["1.1"][0]["digests"] == {"sha256": rows[1].sha256, "md5": rows[1].md5}


def test_a_project_that_is_yanked_as_a_whole_still_has_a_page():
    row = artifact(yanked="all broken")

    body = json.loads(pages(FakeRecords([row]))["pypi/tiny/json"])

    assert (body["info"]["yanked"], body["info"]["yanked_reason"]) == (True, "all broken")
    assert body["info"]["author"] is None


def test_what_pep_440_does_not_know_is_listed_all_the_same():
    """An import may bring it; a row is never dropped from an index in silence."""
    body = json.loads(pages(FakeRecords([artifact("2004d"), artifact("1.0", serial=2)]))["pypi/tiny/json"])

    assert list(body["releases"]) == ["1.0", "2004d"]
    assert body["info"]["version"] == "1.0"


def test_the_latest_file_is_a_standing_wheel_of_the_newest_version():
    wheel, sdist = artifact("1.0"), artifact("1.0", kind="sdist")
    assert latest_of([sdist, wheel, artifact("1.1", yanked="no"), artifact("2.0rc1")]) is wheel
    assert latest_of([sdist]) is sdist


# --- the root ------------------------------------------------------------------------------------------------------


def test_the_root_lists_projects_with_their_serials():
    records = FakeRecords([artifact(project="zeta", serial=2), artifact(project="alpha", serial=5)])

    written = pages(records, ROOT)

    assert json.loads(written["simple/index.json"]) == {
        "meta": {"api-version": "1.4", "_last-serial": 5},
        "projects": [{"name": "alpha", "_last-serial": 5}, {"name": "zeta", "_last-serial": 2}],
    }
    assert [(a["href"], a["text"]) for a in anchors(written["simple/index.html"])] == [
        ("alpha/", "alpha"),
        ("zeta/", "zeta"),
    ]
    assert list(written)[2:6:3] == ["simple/index.json", "simple/index.html"]


def test_an_empty_channel_has_an_empty_root():
    """The lists exist from a channel's birth: a client that finds none takes the index for broken."""
    written = pages(FakeRecords(), ROOT)

    assert json.loads(written["simple/index.json"]) == {
        "meta": {"api-version": "1.4", "_last-serial": 0},
        "projects": [],
    }
    assert anchors(written["simple/index.html"]) == []


# --- the page for people ---------------------------------------------------------------------------------------------


def test_a_project_without_files_has_no_view():
    assert PYPI.view("tiny", FakeRecords()) is None


# --- the format's other answers ----------------------------------------------------------------------------------------


def test_a_claim_fixes_the_place_by_the_file_name_alone():
    claim = Claim(
        channel=ChannelName("main"),
        ecosystem=Ecosystem.PYPI,
        filename=Filename("Zope.Interface-1.0.tar.gz"),
        package="six",
        directory="../elsewhere",
    )

    assert PYPI.place(claim) == ("zope-interface", "packages/zope-interface/Zope.Interface-1.0.tar.gz")


def test_the_format_recognises_its_files_and_orders_versions():
    assert PYPI.recognises("tiny-1.0.zip")
    assert PYPI.newest(["1.9", "1.10", "2.0rc1"]) == "1.10"


@pytest.mark.parametrize(("first_or_last", "lag"), [(True, 0.0), (False, 5.0)])
def test_the_root_may_lag_where_only_serials_change(first_or_last, lag):
    assert PYPI.areas(artifact(), first_or_last=first_or_last) == {
        INDEX: 0.0,
        ROOT: lag,
    }


def test_a_channel_is_born_with_its_lists():
    assert PYPI.birth("main") == (ROOT,)


def test_what_is_inspected_can_be_rendered(tmp_path):
    """The record that inspection makes is the record that pages need."""
    rows, details = [], {}
    for serial, (filename, data) in enumerate((make_wheel(), make_sdist()), 1):
        (tmp_path / filename).write_bytes(data)
        claim = Claim(channel=ChannelName("main"), ecosystem=Ecosystem.PYPI, filename=Filename(filename))
        seen = PYPI.inspect(tmp_path / filename, claim, Limits())
        rows.append(committed(seen, data, serial=serial))
        details[serial] = seen.details
    records = FakeRecords(rows, detail=details)

    page = ProjectPage.from_json_data(json.loads(pages(records)["simple/tiny/index.json"]))

    assert [package.filename for package in page.packages] == ["tiny-1.0-py3-none-any.whl", "tiny-1.0.tar.gz"]
    seen = PYPI.view("tiny", records)
    assert seen is not None
    assert seen.version == "1.0"
