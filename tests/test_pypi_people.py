"""What the page of a Python project says: which version, which files first, what is linked and what is marked."""

import pytest
from pypi_people_support import artifact, page
from pypi_support import FakeRecords, committed, make_wheel

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi import PYPI, people
from packhouse.ecosystems.pypi.people import view
from packhouse.model import Claim, Ecosystem
from packhouse.names import ChannelName, Filename

# --- versions ------------------------------------------------------------------------------------------------


def test_versions_come_newest_first_and_say_what_they_are():
    rows = [
        artifact("1.9", serial=1),
        artifact("1.10", serial=2, yanked="broken"),
        artifact("1.10", tags="", serial=3, yanked=""),
        artifact("2.0rc1", serial=4),
        artifact("1.0", serial=5, yanked="old"),
        artifact("1.0", tags="", serial=6),
    ]

    found = page(rows)

    assert [(v.version, v.files, v.yanked, v.prerelease) for v in found.versions] == [
        ("2.0rc1", 1, None, True),
        ("1.10", 2, "broken", False),
        ("1.9", 1, None, False),
        ("1.0", 2, None, False),
    ]
    assert found.versions[1].uploaded_us == rows[1].uploaded_us
    assert found.versions[1].size == rows[1].size + rows[2].size
    assert (found.name, found.version, found.ecosystem) == ("Tiny", "1.9", "pypi")


@pytest.mark.parametrize("asked", ["1.0", "1.0.0", "v1.0"])
def test_a_version_is_found_in_any_spelling(asked):
    assert page([artifact("1.0"), artifact("2.0", serial=2)], asked).version == "1.0"


def test_two_spellings_are_one_version():
    rows = [artifact("1.0"), artifact("1.0.0", tags="", serial=2)]

    assert [(v.version, v.files) for v in page(rows).versions] == [("1.0", 2)]
    assert len(page(rows).files) == 2


def test_what_is_not_there_has_no_page():
    assert view("tiny", FakeRecords()) is None
    assert view("tiny", FakeRecords([artifact()]), "2.0") is None
    assert view("tiny", FakeRecords([artifact()]), "no version") is None


def test_an_old_project_whose_versions_pep_440_does_not_know_has_a_page():
    found = page([artifact("nightly"), artifact("1.0", serial=2)])

    assert [v.version for v in found.versions] == ["1.0", "nightly"]
    assert page([artifact("nightly")], "nightly").marks == []


# --- the difference ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "since"),
    [
        ("2.0", "1.1"),
        ("2.0rc2", "2.0rc1"),
        ("2.0rc1", "1.1"),
        ("1.1", "1.0"),
        ("1.0", "1.0b1"),
        ("1.0b1", None),
    ],
)
def test_a_version_is_compared_with_the_one_that_its_readers_had(shown, since):
    """A final version with the final one before it, a pre-release with what came right before."""
    rows = [
        artifact(version, serial=serial)
        for serial, version in enumerate(("1.0b1", "1.0", "1.1", "2.0rc1", "2.0rc2", "2.0"), 1)
    ]

    diff = page(rows, shown).diff

    assert (diff and diff.since) == since


def test_details_are_asked_for_of_the_files_shown_and_one_more():
    """A project with thousands of files stays quick."""
    asked = []

    class Counting(FakeRecords):
        def details(self, artifact_id):
            asked.append(artifact_id)
            return {"members": [], "members_total": 0}

    rows = [artifact(f"{n}.0", serial=n) for n in range(1, 300)]
    rows += [artifact(f"{n}.0", tags="", serial=1000 + n) for n in range(1, 300)]

    found = view("tiny", Counting(rows))

    assert found is not None
    assert found.diff is not None
    assert sorted(asked) == [298, 299, 1299]


def test_a_version_with_too_many_files_lists_the_first(monkeypatch):
    monkeypatch.setattr(people, "MAX_FILES", 2)
    rows = [artifact(tags=f"cp3{minor}-cp3{minor}-win_amd64", serial=minor) for minor in range(8, 13)]

    found = page(rows)

    assert [file.filename for file in found.files] == [rows[4].filename, rows[3].filename]
    assert found.warnings == ["1.0 has 5 files; the first 2 are listed."]


# --- the files -----------------------------------------------------------------------------------------------


def test_the_files_that_suit_most_readers_come_first():
    tags = ["", "cp39-cp39-win_amd64", "cp311-cp311-manylinux_2_17_x86_64", "cp39-cp39-manylinux_2_17_x86_64",
            "cp310-cp310-beos", "py3-none-any", "pypy-pypy-beos"]  # fmt: skip
    rows = [artifact(tags=tag, serial=serial) for serial, tag in enumerate(tags, 1)]

    shown = [file.filename for file in page(rows).files]

    assert shown == [rows[at].filename for at in (5, 2, 3, 1, 4, 6, 0)]


def test_a_file_says_what_it_is(tmp_path):
    filename, data = make_wheel(
        files={"tiny/a.py": b"1"},
        description="# Hi",
        metadata_extra="Description-Content-Type: text/markdown\n",
    )
    (tmp_path / filename).write_bytes(data)
    claim = Claim(channel=ChannelName("main"), ecosystem=Ecosystem.PYPI, filename=Filename(filename))
    observed = PYPI.inspect(tmp_path / filename, claim, Limits())
    row = committed(observed, data)

    found = page([row], details={row.id: observed.details})
    file = found.files[0]

    assert (file.kind, file.target, file.platform, file.build) == (
        "Wheel",
        "Python 3, any platform",
        "any",
        "",
    )
    assert file.sidecars == [(".metadata", f"packages/tiny/{filename}.metadata")]
    assert file.members[0] == ("tiny/a.py", 1)
    assert file.members_total == len(file.members) == 4
    assert (file.sha256, file.size, file.uploaded_by, file.version) == (
        row.sha256,
        len(data),
        "user:ann",
        "1.0",
    )
    assert {check.outcome for check in file.checks} == {"verified", "missing"}
    assert found.readme is not None
    assert (found.readme.text, found.readme.html) == ("# Hi", '<h3 id="user-content-hi">Hi</h3>\n')


def test_an_sdist_and_a_build_tag_are_told():
    found = page([artifact(tags="2-py3-none-any"), artifact(tags="", serial=2)])

    assert [(file.kind, file.target) for file in found.files] == [
        ("Wheel", "Python 3, any platform, build 2"),
        ("Source distribution", ""),
    ]
    assert found.files[1].sidecars == []
