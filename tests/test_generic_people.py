"""What the page of a build product shows: `packhouse.ecosystems.generic.people`."""

import subprocess

import pytest
from pypi_support import FakeRecords, committed

from packhouse.ecosystems import Limits
from packhouse.ecosystems.generic import GENERIC, people
from packhouse.ecosystems.generic.kinds import is_companion, words
from packhouse.ecosystems.generic.people import requires, view
from packhouse.model import Claim, Ecosystem


@pytest.fixture
def shelf(tmp_path):
    """Return `store`, which keeps a file as an upload would, and `records`, which reads them all."""
    rows = []

    def store(version, filename, data=b"bytes", *, product="tool", **facts):
        directory = f"products/{product}/{version}"
        path = tmp_path / "main" / directory / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        claim = Claim(channel="main", ecosystem=Ecosystem.GENERIC, filename=filename, directory=directory)
        seen = GENERIC.inspect(path, claim, Limits())
        number = len(rows) + 1
        row = committed(
            seen,
            data,
            ecosystem=Ecosystem.GENERIC,
            serial=number,
            uploaded_us=1_760_000_000_000_000 + number * 60_000_000,
        )
        for name, value in facts.items():
            object.__setattr__(row, name, value)
        rows.append(row)
        return row

    return store, lambda: FakeRecords(rows)


def test_a_product_that_is_not_there_has_no_page(shelf):
    store, records = shelf
    assert view("tool", records()) is None
    store("1.0", "tool.zip")
    assert view("tool", records(), "2.0") is None
    assert requires({"name": "tool"}) == ()


def test_the_page_of_a_product(shelf):
    store, records = shelf
    store("1.9", "tool-1.9.zip", b"old")
    store("1.10", "tool-1.10.zip.asc", b"sig", product="Tool")
    zipped = store("1.10", "tool-1.10.zip", b"new", product="Tool")
    store("2.0rc1", "tool-2.0rc1.zip")
    page = view("tool", records())
    assert (page.ecosystem, page.name, page.version, page.summary) == ("generic", "Tool", "1.10", "")
    assert page.facts == [
        ("Released", "2025-10-09 08:55 UTC"),
        ("Uploaded by", zipped.uploaded_by),
        ("Files", "2"),
        ("Total size", "6 bytes"),
        ("Listing (JSON)", "products/tool/index.json"),
    ]
    assert [(line.version, line.files, line.size, line.prerelease) for line in page.versions] == [
        ("2.0rc1", 1, 5, True),
        ("1.10", 2, 6, False),
        ("1.9", 1, 3, False),
    ]
    archive, signature = page.files
    assert (archive.path, archive.kind) == ("products/Tool/1.10/tool-1.10.zip", "Archive (.zip)")
    assert (archive.size, archive.sha256, archive.version) == (3, zipped.sha256, "1.10")
    assert archive.sidecars == [("tool-1.10.zip.asc", "products/Tool/1.10/tool-1.10.zip.asc")]
    assert (signature.kind, signature.sidecars) == ("Signature (.asc)", [])
    assert (page.readme, page.marks, page.requirements, page.links) == (None, [], (), ())
    assert page.diff.since == "1.9"
    assert (page.diff.members_added, page.diff.members_removed) == (["tool-1.10.zip.asc"], [])
    assert page.diff.members_compared is True


def test_versions_that_no_rule_orders_have_no_pre_releases(shelf):
    store, records = shelf
    for version in ("build-9", "build-10", "alpha1"):
        store(version, "tool.zip")
    page = view("tool", records())
    assert page.version == "build-10"
    assert not any(line.prerelease for line in page.versions)
    assert [line.version for line in page.versions] == ["build-10", "build-9", "alpha1"]
    assert page.diff.since == "build-9"


def test_a_pre_release_says_so_and_the_first_version_has_no_diff(shelf):
    store, records = shelf
    store("1.0rc1", "tool.zip")
    store("1.0rc2", "other.zip")
    page = view("tool", records())
    assert page.marks == [("prerelease", "1.0rc2 is a pre-release.")]
    assert (page.diff.members_added, page.diff.members_removed) == (["other.zip"], ["tool.zip"])
    assert view("tool", records(), "1.0rc1").diff is None


def test_a_final_version_is_compared_with_the_final_one_before(shelf):
    store, records = shelf
    for version in ("1.0", "2.0rc1", "2.0"):
        store(version, "tool.zip")
    assert view("tool", records()).diff.since == "1.0"
    assert view("tool", records(), "2.0rc1").diff.since == "1.0"


@pytest.mark.parametrize("version", ["1!2", "1.0+local", "1.0"])
def test_the_command_downloads_and_verifies(shelf, tmp_path, version):
    store, records = shelf
    store(version, "a-tool+1!x.tar.gz", b"the very bytes")
    (tmp_path / "here").mkdir()
    command = view("tool", records()).install["curl"].replace("{channel}", (tmp_path / "main").as_uri())
    assert "!" not in command.replace("'a-tool+1!x.tar.gz'", "").replace("  a-tool+1!x.tar.gz'", "")

    def run():
        return subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path / "here", capture_output=True, check=False
        )

    done = run()
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"a-tool+1!x.tar.gz: OK\n"
    assert (tmp_path / "here/a-tool+1!x.tar.gz").read_bytes() == b"the very bytes"
    (tmp_path / f"main/products/tool/{version}/a-tool+1!x.tar.gz").write_bytes(b"other bytes")
    assert run().returncode == 1
    (tmp_path / f"main/products/tool/{version}/a-tool+1!x.tar.gz").unlink()
    assert run().returncode != 0


def test_what_was_verified_is_said(shelf):
    store, records = shelf
    store("1.0", "tool.zip", imported=True)
    store("1.0", "tool.zip.sig")
    store("1.0", "SHA256SUMS.sha256")
    store("1.0", "plain")
    checks = {
        file.filename: [(check.outcome, check.text) for check in file.checks]
        for file in view("tool", records()).files
    }
    assert {found[0][0] for found in checks.values()} == {"verified"}
    assert [text[:37] for _outcome, text in checks["tool.zip"][1:]] == [
        "The source of the import told no uplo",
        "The content was not opened: any bytes",
        "A signature lies beside it and was no",
    ]
    assert checks["tool.zip"][3][1].endswith("here: tool.zip.sig.")
    assert checks["plain"][-1][1].startswith("No signature lies beside it")
    assert len(checks["tool.zip.sig"]) == len(checks["SHA256SUMS.sha256"]) == 2


def test_a_signature_of_the_other_spelling_is_not_this_files(shelf):
    store, records = shelf
    store("1.0", "tool.zip")
    store("1.0", "tool.zip.asc", product="Tool")
    assert all(file.sidecars == [] for file in view("tool", records()).files)


def test_very_many_files_are_cut_with_a_word(shelf, monkeypatch):
    monkeypatch.setattr(people, "MAX_FILES", 2)
    store, records = shelf
    for number in range(3):
        store("1.0", f"tool-{number}.zip", warnings=("odd",) if number == 0 else ())
    page = view("tool", records())
    assert [file.filename for file in page.files] == ["tool-0.zip", "tool-1.zip"]
    assert page.warnings == ["tool-0.zip: odd", "1.0 has 3 files; the first 2 are listed."]


@pytest.mark.parametrize(
    ("extension", "said"),
    [
        ("tar.gz", "Archive (.tar.gz)"),
        ("deb", "Debian package (.deb)"),
        ("xyz", "File (.xyz)"),
        ("10", "File"),
        ("", "File"),
    ],
)
def test_extensions_in_words(extension, said):
    assert words(extension) == said


def test_companions_are_known_by_their_extension():
    assert [is_companion(name) for name in ("a.asc", "a.SHA256", "a.zip", "asc.d")] == [
        True,
        True,
        False,
        False,
    ]
