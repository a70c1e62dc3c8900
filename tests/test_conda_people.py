"""What the page of a conda package shows: `packhouse.ecosystems.conda.people.view`."""

import re
import shlex

import pytest
from conda_inspect_support import LIMITS, claim
from conda_pages_support import add
from conda_support import FakeRecords, make_conda, make_tarbz2

from packhouse.ecosystems.conda import people
from packhouse.ecosystems.conda.inspect import inspect
from packhouse.ecosystems.conda.people import view
from packhouse.ecosystems.view import Readme


@pytest.fixture
def upload(tmp_path):
    """Return `upload`: it builds a package, inspects it and commits what was observed."""

    def do(records, *, make=make_conda, facts=None, **package):
        filename, body = make(**package)
        path = tmp_path / "upload"
        path.write_bytes(body)
        seen = inspect(path, claim(filename), LIMITS)
        row = records.add(
            seen.directory, filename, seen.record, warnings=tuple(seen.warnings), **(facts or {})
        )
        records.about[row.id] = seen.details
        return row

    return do


def about(**values):
    import json

    return {"info/about.json": json.dumps(values).encode()}


# --- the version shown -------------------------------------------------------------------------------------


def test_a_package_that_is_not_there_has_no_page():
    records = FakeRecords()
    assert view("absent", records) is None
    add(records)
    assert view("tiny", records, "2.0") is None


def test_the_newest_final_version_is_shown_and_every_version_listed_newest_first():
    records = FakeRecords()
    for version in ("1.9", "1.10", "2.0rc1"):
        add(records, version=version)
    late = add(records, version="1.10", subdir="linux-64")
    records.add("noarch", "tiny-odd-0.conda", {"name": "tiny", "version": "odd version!", "build": "0"})
    page = view("tiny", records)
    assert (page.ecosystem, page.name, page.version) == ("conda", "tiny", "1.10")
    assert [line.version for line in page.versions] == ["2.0rc1", "1.10", "1.9", "odd version!"]
    first = records.rows["noarch/tiny-1.10-0.conda"]
    line = page.versions[1]
    assert (line.files, line.size, line.uploaded_us) == (2, first.size + late.size, first.uploaded_us)
    assert [line.prerelease for line in page.versions] == [True, False, False, False]
    assert all(line.yanked is None for line in page.versions)
    assert page.marks == []


def test_a_pre_release_says_so():
    records = FakeRecords()
    add(records, version="2.0rc1")
    [(kind, sentence)] = view("tiny", records).marks
    assert kind == "prerelease"
    assert sentence.startswith("2.0rc1 is a pre-release")


@pytest.mark.parametrize(
    ("versions", "shown", "since"),
    [
        (["1.0", "1.1", "2.0rc1"], "1.1", "1.0"),
        (["1.0", "2.0rc1", "2.0"], "2.0", "1.0"),
        (["2.0rc1", "2.0"], "2.0", "2.0rc1"),
        (["1.0", "2.0rc1", "2.0rc2"], "2.0rc2", "2.0rc1"),
        (["1.0"], "1.0", None),
    ],
)
def test_a_version_is_compared_with_the_one_before(versions, shown, since):
    records = FakeRecords()
    for version in versions:
        add(records, version=version)
    diff = view("tiny", records, shown).diff
    assert (diff.since if diff else None) == since


# --- install -----------------------------------------------------------------------------------------------


def test_the_commands_of_a_package_and_of_a_release():
    records = FakeRecords()
    add(records, version="1.0")
    assert view("tiny", records).install == {
        "pixi": "pixi workspace channel add {channel} && pixi add '{channel}::tiny'",
        "conda": "conda install --channel {channel} tiny",
        "mamba": "mamba install --channel {channel} tiny",
        "rattler-build": "rattler-build build --recipe recipe.yaml --channel {channel}",
    }
    assert view("tiny", records, "1.0").install == {
        "pixi": "pixi workspace channel add {channel} && pixi add '{channel}::tiny==1.0'",
        "conda": "conda install --channel {channel} tiny==1.0",
        "mamba": "mamba install --channel {channel} tiny==1.0",
        "rattler-build": "rattler-build build --recipe recipe.yaml --channel {channel} --variant tiny=1.0",
    }


def test_a_newer_pre_release_is_not_what_an_open_command_would_install():
    records = FakeRecords()
    add(records, version="1.0")
    add(records, version="2.0rc1")
    assert view("tiny", records).install["conda"].endswith(" tiny==1.0")


def test_versions_that_compare_equal_leave_the_command_open():
    records = FakeRecords()
    add(records, version="1.0")
    add(records, version="1.0.0")
    page = view("tiny", records)
    assert page.version == page.versions[0].version == "1.0"
    assert page.install["conda"].endswith(" tiny")


def test_what_a_shell_would_change_is_quoted():
    records = FakeRecords()
    add(records, version="1!2.0+local")
    commands = view("tiny", records, "1!2.0+local").install
    assert commands["conda"] == "conda install --channel {channel} 'tiny==1!2.0+local'"
    for command in commands.values():
        words = shlex.split(command.replace("{channel}", "https://h.example/main"))
        assert any(word.endswith("1!2.0+local") for word in words)
        assert not re.search(r"!(?![^']*')", command)


# --- what the package says of itself -----------------------------------------------------------------------


def test_summary_facts_tags_links_and_description_come_from_the_package(upload):
    records = FakeRecords()
    upload(
        records,
        version="1.0",
        build="h1234567_3",
        extra_index={
            "license": "MIT",
            "license_family": "MIT",
            "noarch": "python",
            "python_site_packages_path": "lib/x",
            "track_features": ["slow"],
            "purls": ["pkg:pypi/tiny@1.0"],
            "flags": ["cuda"],
        },
        info_files=about(
            summary="a tiny\n  thing",
            description="# Tiny\n\nIt *is* tiny.",
            home=["https://tiny.example", "javascript:alert(1)"],
            dev_url="https://tiny.example",
            doc_url="http://[broken",
            license_url="HTTPS://tiny.example/LICENSE",
            keywords=["small", "small", ""],
            tags=["a b"],
            identifiers=["doi:10.1/x", "https://doi.example/10.1/x"],
            extra={"recipe-maintainers": ["ada", "bob"], "remote_url": "https://git.example/r", "sha": "abc"},
        ),
    )
    page = view("tiny", records)
    assert page.summary == "a tiny thing"
    facts = dict(page.facts)
    assert facts.pop("Released") == "2025-06-15 15:06 UTC"
    assert facts == {
        "Platforms": "any platform",
        "Subdirs": "noarch",
        "Kind": "pure Python (noarch)",
        "Licence": "MIT",
        "Licence family": "MIT",
        "Built": "2023-11-14 22:13 UTC",
        "Uploaded by": "user:tester",
        "Recipe maintainers": "ada, bob",
        "Recipe commit": "abc",
        "Python files go to": "lib/x",
        "Track features": "slow",
        "Flags": "cuda",
        "Package URLs": "pkg:pypi/tiny@1.0",
        "Identifiers": "doi:10.1/x",
        "Needs": "a client that reads repodata of revision 3 (CEP 48)",
    }
    assert page.tags == ["small", "a b"]
    assert page.links == [
        ("Home page", "https://tiny.example"),
        ("Licence text", "HTTPS://tiny.example/LICENSE"),
        ("Recipe repository", "https://git.example/r"),
        ("Identifier", "https://doi.example/10.1/x"),
    ]
    assert page.readme.text == "# Tiny\n\nIt *is* tiny."
    assert "<em>is</em>" in page.readme.html


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//x.example", "https://", "https://a b", "https://[x/"],
)
def test_only_web_addresses_are_links(address):
    records = FakeRecords()
    row = add(records)
    records.about[row.id] = {"about": {"home": address, "identifiers": [address]}}
    assert view("tiny", records).links == []


def test_a_package_that_says_nothing_has_a_page(upload):
    records = FakeRecords()
    upload(records, extra_index={"license": None, "timestamp": ...}, info_files={"info/about.json": None})
    page = view("tiny", records)
    assert (page.summary, page.readme, page.links, page.tags) == ("", None, [], [])
    assert {"Licence", "Built", "Recipe maintainers"}.isdisjoint(dict(page.facts))


def test_odd_texts_about_the_recipe_are_left_out(upload):
    records = FakeRecords()
    upload(records, info_files=about(description=["a", "b"], extra={"recipe-maintainers": [1], "sha": 2}))
    upload(records, version="0.9", info_files=about(summary="same", description=" same ", extra=[]))
    assert view("tiny", records).readme is None
    assert "Recipe maintainers" not in dict(view("tiny", records).facts)
    assert view("tiny", records, "0.9").readme is None


def test_a_description_without_html_is_shown_as_text():
    records = FakeRecords()
    row = add(records)
    records.about[row.id] = {"about": {"description": "plain"}}
    assert view("tiny", records).readme == Readme(text="plain")


# --- files -------------------------------------------------------------------------------------------------


def test_files_come_in_the_order_in_which_people_look_for_theirs(upload):
    records = FakeRecords()
    upload(records, build="1", subdir="win-64")
    upload(records, build="h0_1", subdir="linux-64", make=make_tarbz2)
    upload(records, build="h0_1", subdir="linux-64")
    upload(records, build="blue", subdir="linux-64", extra_index={"build_number": 7})
    upload(records, build="0", subdir="linux-ppc64le")
    files = view("tiny", records).files
    assert [(file.path, file.kind, file.target, file.build) for file in files] == [
        ("linux-64/tiny-1.0-blue.conda", "Conda package (.conda)", "Linux x86-64, build number 7", "blue"),
        ("linux-64/tiny-1.0-h0_1.conda", "Conda package (.conda)", "Linux x86-64", "h0_1"),
        ("linux-64/tiny-1.0-h0_1.tar.bz2", "Conda package (.tar.bz2)", "Linux x86-64", "h0_1"),
        ("win-64/tiny-1.0-1.conda", "Conda package (.conda)", "Windows x86-64", "1"),
        ("linux-ppc64le/tiny-1.0-0.conda", "Conda package (.conda)", "Linux PowerPC 64, little-endian", "0"),
    ]
    assert {file.platform for file in files} == {"linux-64", "win-64", "linux-ppc64le"}
    row = records.rows["win-64/tiny-1.0-1.conda"]
    file = files[3]
    assert (file.size, file.sha256, file.uploaded_us) == (row.size, row.sha256, row.uploaded_us)
    assert (file.filename, file.version, file.uploaded_by) == (row.filename, "1.0", "user:tester")
    assert (list(file.members), file.members_total) == ([("share/tiny/hello.txt", 6)], 1)


def test_warnings_are_told_once():
    records = FakeRecords()
    for build, warnings in (("0", ("all", "two")), ("1", ("all", "two")), ("2", ("all", "one"))):
        records.add(
            "noarch",
            f"tiny-1.0-{build}.conda",
            {"name": "tiny", "version": "1.0", "build": build, "build_number": 0},
            warnings=warnings,
        )
    page = view("tiny", records)
    assert page.warnings == ["all", "2 of 3 files: two", "tiny-1.0-2.conda: one"]
    assert page.files[2].warnings == ("all", "one")


class Counting(FakeRecords):
    """Records that count how often details are read."""

    def __init__(self):
        super().__init__()
        self.read = []

    def details(self, artifact_id):
        self.read.append(artifact_id)
        return super().details(artifact_id)


def test_a_page_reads_details_of_its_files_and_of_one_more_only(monkeypatch):
    monkeypatch.setattr(people, "MAX_FILES", 5)
    records = Counting()
    for version in range(40):
        for build in range(3):
            add(records, version=f"1.{version}", build=f"py3{build}_0", subdir="linux-64")
    page = view("tiny", records)
    assert page.version == "1.39"
    assert len(records.read) <= 3 + 2
    assert page.warnings == []


def test_a_version_of_very_many_files_lists_the_first(monkeypatch):
    monkeypatch.setattr(people, "MAX_FILES", 2)
    records = Counting()
    for build in range(4):
        add(records, build=f"py3{build}_0", build_number=0, timestamp=build, depends=[f"python 3.{build}.*"])
    page = view("tiny", records)
    assert [file.build for file in page.files] == ["py30_0", "py31_0"]
    assert page.warnings == ["1.0 has 4 files; the first 2 are listed."]
    assert len(page.requirements[0].items) == 4
    assert len(records.read) == 3  # the two, and the newest, which speaks for the version
