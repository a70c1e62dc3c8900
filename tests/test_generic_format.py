"""Build products: any file as product, version and file name."""

import json
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypi_support import FakeRecords, committed

from packhouse.ecosystems import Limits
from packhouse.ecosystems.generic import GENERIC
from packhouse.ecosystems.generic.names import in_order, kind, newest
from packhouse.errors import BadName
from packhouse.model import Area, Artifact, Claim, Ecosystem
from packhouse.names import ChannelName, Filename

INDEX, ROOT = Area("main", "generic", "index", "tool"), Area("main", "generic", "root")


def claim(
    directory: str | None,
    filename: str = "tool.tar.gz",
    *,
    package: str | None = None,
    version: str | None = None,
) -> Claim:
    return Claim(
        channel=ChannelName("main"),
        ecosystem=Ecosystem.GENERIC,
        filename=Filename(filename),
        directory=directory,
        package=package,
        version=version,
    )


@pytest.fixture
def stored(tmp_path):
    def store(
        directory: str, filename: str = "tool.tar.gz", *, data: bytes = b"bytes", serial: int = 1
    ) -> Artifact:
        path = tmp_path / "staged"
        path.write_bytes(data)
        seen = GENERIC.inspect(path, claim(directory, filename), Limits())
        return committed(seen, data, ecosystem=Ecosystem.GENERIC, serial=serial)

    return store


def pages(records: FakeRecords, area: Area = INDEX) -> dict[str, dict]:
    return {page.path: json.loads(page.body) for page in GENERIC.render(area, records).leaves}


# --- names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("directory", "filename", "package"),
    [
        ("products/tool/1.0", "tool.tar.gz", "tool"),
        ("products/tool/1.0", "index.html", "tool"),
        # Case is kept on disk and never makes a second product.
        ("products/Tool/1.0", "Tool.EXE", "tool"),
        ("products/my_tool/nightly-2026", "README", "my_tool"),
        ("products/tool/1.0", "index.json", "tool"),
    ],
)
def test_a_claim_names_the_place(directory, filename, package):
    assert GENERIC.place(claim(directory, filename)) == (package, f"{directory}/{filename}")


def test_package_and_version_of_a_claim_do_as_well():
    assert GENERIC.place(claim(None, package="tool", version="1.0")) == (
        "tool",
        "products/tool/1.0/tool.tar.gz",
    )


@pytest.mark.parametrize(
    ("directory", "filename"),
    [
        (None, "tool.tar.gz"),
        ("", "tool.tar.gz"),
        ("products", "tool.tar.gz"),
        ("products/tool", "tool.tar.gz"),
        ("products/tool/1.0/deep", "tool.tar.gz"),
        ("packages/tool/1.0", "tool.tar.gz"),
        ("products/../1.0", "tool.tar.gz"),
        ("products/tool/..", "tool.tar.gz"),
        ("products//1.0", "tool.tar.gz"),
        ("products/tool/1 0", "tool.tar.gz"),
        ("products/tool/1.0", "../x"),
        ("products/tool/1.0", ".htaccess"),
        ("products/nul/1.0", "tool.tar.gz"),
        ("products/tool/" + "1" * 129, "tool.tar.gz"),
        # There the listings lie.
        ("products/index.json/1.0", "tool.tar.gz"),
        ("products/tool/index.json", "tool.tar.gz"),
        ("products/tool/INDEX.JSON.gz", "tool.tar.gz"),
    ],
)
def test_a_claim_without_a_safe_place_is_refused(directory, filename):
    with pytest.raises(BadName):
        GENERIC.place(claim(directory, filename))


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_safe_place_or_refused(product, version):
    try:
        package, path = GENERIC.place(claim(f"products/{product}/{version}"))
    except BadName:
        return
    assert path == f"products/{product}/{version}/tool.tar.gz"
    assert package == product.lower()
    assert ".." not in path.split("/")


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.tar.gz", "tar.gz"),
        ("a.EXE", "exe"),
        ("a-1.0.zip", "zip"),
        ("README", ""),
        ("a.b-c", ""),
        ("v1.tar.x_z", ""),
    ],
)
def test_the_kind_is_the_extension(filename, expected):
    assert kind(filename) == expected


@pytest.mark.parametrize(
    ("versions", "ordered", "latest"),
    [
        (["1.0"], ["1.0"], "1.0"),
        (["1.10", "1.9"], ["1.9", "1.10"], "1.10"),
        (["2.0rc1", "1.0"], ["1.0", "2.0rc1"], "1.0"),
        (["1.0-rc.1", "1.0"], ["1.0-rc.1", "1.0"], "1.0"),
        (["2.0rc1"], ["2.0rc1"], "2.0rc1"),
        # no PEP 440 versions: runs of digits count as numbers
        (["build-9", "build-10"], ["build-9", "build-10"], "build-10"),
        (["nightly-2", "1.0"], ["nightly-2", "1.0"], "1.0"),
        (["b007", "b7", "b8"], ["b007", "b7", "b8"], "b8"),
    ],
)
def test_versions_have_an_order(versions, ordered, latest):
    assert in_order(versions) == in_order(reversed(versions)) == ordered
    assert GENERIC.newest(versions) == newest(versions) == latest


# --- inspection ------------------------------------------------------------------------------------------------


def test_nothing_is_believed_and_nothing_is_opened(tmp_path):
    """A product may be anything: only its size and the ending of its name are told."""
    path = tmp_path / "staged"
    path.write_bytes(b"PK\x03\x04 not really a zip")

    seen = GENERIC.inspect(path, claim("products/Tool/1.0", "Tool.zip"), Limits())

    assert (seen.package, seen.version, seen.directory) == ("tool", "1.0", "products/Tool/1.0")
    assert seen.record == {"name": "Tool", "version": "1.0", "kind": "zip", "summary": ""}
    assert seen.details == {"size": 21}
    assert (seen.sidecars, seen.warnings) == ({}, ())


def test_no_file_is_a_product_by_its_name():
    assert not GENERIC.recognises("tool.tar.gz")


# --- pages -------------------------------------------------------------------------------------------------------


def test_a_listing_says_every_file_of_every_version(stored):
    rows = [
        stored("products/tool/1.9", serial=1),
        stored("products/tool/1.10", "b.zip", serial=2),
        stored("products/tool/1.10", "a.zip", data=b"other", serial=3),
    ]

    listing = pages(FakeRecords(rows))["products/tool/index.json"]

    assert (listing["product"], listing["latest"]) == ("tool", "1.10")
    assert list(listing["versions"]) == ["1.10", "1.9"]
    assert [file["name"] for file in listing["versions"]["1.10"]] == ["a.zip", "b.zip"]
    assert listing["versions"]["1.9"] == [
        {
            "name": "tool.tar.gz",
            "url": "../tool/1.9/tool.tar.gz",
            "size": 5,
            "sha256": rows[0].sha256,
            "upload-time": "2025-10-09T08:53:20.123456Z",
        }
    ]


def test_spellings_of_one_product_share_a_listing(stored):
    rows = [stored("products/Tool/1.0", serial=1), stored("products/tool/1.1+x", serial=2)]

    written = pages(FakeRecords(rows))

    assert list(written) == ["products/Tool/index.json", "products/tool/index.json"]
    assert written["products/Tool/index.json"] == written["products/tool/index.json"]
    for page, listing in written.items():
        files = [file for version in listing["versions"].values() for file in version]
        resolved = {urljoin(f"http://h/deep/{page}", file["url"]) for file in files}
        assert resolved == {f"http://h/deep/{row.path}" for row in rows}


def test_a_product_without_files_has_no_listing():
    assert GENERIC.render(INDEX, FakeRecords()).leaves == ()
    assert GENERIC.view("tool", FakeRecords()) is None


def test_the_root_lists_products(stored):
    rows = [stored("products/zeta/1.0", serial=1), stored("products/Alpha/2.0", serial=2)]

    products = pages(FakeRecords(rows), ROOT)["products/index.json"]["products"]

    assert products == [
        {"product": "alpha", "url": "alpha/index.json", "latest": "2.0", "files": 1, "serial": 2},
        {"product": "zeta", "url": "zeta/index.json", "latest": "1.0", "files": 1, "serial": 1},
    ]
    assert pages(FakeRecords(), ROOT) == {"products/index.json": {"products": []}}


def test_equal_records_give_equal_bytes_in_any_order(stored):
    rows = [stored("products/tool/1.0"), stored("products/tool/1.1", serial=2)]

    assert GENERIC.render(INDEX, FakeRecords(rows)) == GENERIC.render(INDEX, FakeRecords(rows[::-1]))


# --- areas -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first_or_last", "lag"), [(True, 0.0), (False, 5.0)])
def test_a_change_makes_its_areas_dirty(stored, first_or_last, lag):
    assert GENERIC.areas(stored("products/Tool/1.0"), first_or_last=first_or_last) == {
        INDEX: 0.0,
        ROOT: lag,
    }


def test_a_channel_is_born_with_its_list():
    assert GENERIC.birth("main") == (ROOT,)
