"""The parts of a conda page: requirements, comparison with the version before, what was verified, platforms."""

import pytest
from conda_inspect_support import LIMITS, claim, looking
from conda_pages_support import add
from conda_support import FakeRecords, make_conda, make_tarbz2

from packhouse.ecosystems import Limits
from packhouse.ecosystems.conda.compare import normal, variant
from packhouse.ecosystems.conda.inspect import inspect
from packhouse.ecosystems.conda.needs import requires
from packhouse.ecosystems.conda.people import view
from packhouse.ecosystems.conda.platforms import in_words
from packhouse.ecosystems.view import Dependency
from packhouse.names import SUBDIRS


def groups(records, version=None):
    return {group.title: list(group.items) for group in view("tiny", records, version).requirements}


# --- requirements ------------------------------------------------------------------------------------------


def test_requirements_stand_under_headings():
    records = FakeRecords()
    add(
        records,
        depends=["python >=3.8", "__glibc >=2.17", "conda-forge::zlib", "NumPy"],
        constrains=["old <2"],
        extra_depends={"test": ["pytest"], "doc": ["sphinx"]},
        run_exports={"weak": ["tiny >=1.0,<2"], "strong_constrains": ["{{ odd }}"]},
        track_features="slow mkl",
    )
    assert groups(records) == {
        "Runtime": [
            Dependency(text="python >=3.8", package="python"),
            Dependency(text="__glibc >=2.17"),
            Dependency(text="conda-forge::zlib"),
            Dependency(text="NumPy", package="numpy"),
        ],
        "Constrains": [Dependency(text="old <2", package="old")],
        "Extra: doc": [Dependency(text="sphinx", package="sphinx")],
        "Extra: test": [Dependency(text="pytest", package="pytest")],
        "Run exports (strong constrains)": [Dependency(text="{{ odd }}")],
        "Run exports (weak)": [Dependency(text="tiny >=1.0,<2", package="tiny")],
        "Track features": [Dependency(text="slow"), Dependency(text="mkl")],
    }


def test_a_condition_stands_apart():
    records = FakeRecords()
    add(
        records,
        depends=['numpy[version=">=1",when="python >=3.9"]', 'six[when="python <3"]'],
        schema_version=3,
    )
    assert groups(records)["Runtime"] == [
        Dependency(text='numpy[version=">=1"]', package="numpy", when="python>=3.9"),
        Dependency(text="six", package="six", when="python<3"),
    ]


def test_lines_of_some_builds_say_which():
    records = FakeRecords()
    for subdir in ("linux-64", "osx-64"):
        for python in ("39", "310", "311", "312"):
            lines = ["python", f"abi {python}"]
            lines += ["glibc"] if subdir == "linux-64" else []
            lines += ["rare"] if python != "39" and subdir == "linux-64" else []
            lines += ["new"] if python in {"311", "312"} else []
            add(records, build=f"py{python}_0", subdir=subdir, depends=lines)
    add(
        records,
        build="py39_0",
        subdir="linux-64",
        extension=".tar.bz2",
        depends=["python", "abi 39", "glibc"],
    )
    assert {item.text: item.when for item in groups(records)["Runtime"]} == {
        "python": "",
        "glibc": "linux-64",
        "abi 39": "build py39_0",
        "abi 310": "build py310_0",
        "abi 311": "build py311_0",
        "abi 312": "build py312_0",
        "rare": "3 of 8 builds",
        "new": "build py311_0, py312_0",
    }
    assert groups(records)["Runtime"][0].text == "python"


def test_very_many_lines_are_counted():
    records = FakeRecords()
    add(records, depends=[f"p{number}" for number in range(302)])
    items = groups(records)["Runtime"]
    assert (len(items), items[-1].text) == (301, "and 2 more lines, of some builds")


def test_what_a_file_requires_by_name():
    record = {"depends": ["python >=3", "Zlib", "python <4", "__unix", "other::x", "not a [spec", ">=1"]}
    assert requires(record) == ("python", "zlib", "not")
    assert requires({}) == ()


# --- the version before ------------------------------------------------------------------------------------


def members(*paths, files=None, whole=True):
    return {
        "members": [[path, 1] for path in paths],
        "files": len(paths) if files is None else files,
        "checked": {"whole": whole},
    }


def test_dependencies_and_members_are_compared():
    records = FakeRecords()
    old = add(records, version="1.0", build="py310h1234567_0", subdir="linux-64", depends=["a", "b 1"])
    new = add(records, version="1.1", build="py310habcdef0_0", subdir="linux-64", depends=["b 2", "a"])
    records.about[old.id] = members(
        "lib/python3.10/site-packages/t/a.py",
        "lib/python3.10/site-packages/t-1.0.dist-info/RECORD",
        "bin/old",
    )
    records.about[new.id] = members(
        "lib/python3.11/site-packages/t/a.py",
        "lib/python3.11/site-packages/t-1.1.dist-info/RECORD",
        "bin/new",
    )
    diff = view("tiny", records).diff
    assert (diff.since, diff.members_compared) == ("1.0", True)
    assert (diff.requirements_added, diff.requirements_removed) == (["b 2"], ["b 1"])
    assert (diff.members_added, diff.members_removed) == (["bin/new"], ["bin/old"])


def compared(records):
    """The file of the version before whose dependency line tells it apart."""
    return view("tiny", records).diff.requirements_removed


def test_like_is_compared_with_like():
    records = FakeRecords()
    for build, subdir, extension in (
        ("py39_0", "linux-64", ".conda"),
        ("py310_0", "osx-64", ".conda"),
        ("py310_0", "linux-64", ".tar.bz2"),
        ("py310_0", "linux-64", ".conda"),
        ("py310_0", "noarch", ".conda"),
    ):
        line = f"{subdir} {build} {extension[1]}"
        add(records, version="1.0", build=build, subdir=subdir, extension=extension, depends=[line])
    add(records, version="2.0", build="py310hfedcba9_3", subdir="linux-64", build_number=3)
    assert compared(records) == ["linux-64 py310_0 c"]
    add(records, version="2.0", build="py310_9", subdir="linux-64", build_number=9, extension=".tar.bz2")
    assert compared(records) == ["linux-64 py310_0 t"]
    records = FakeRecords()
    add(records, version="1.0", build="py39_0", subdir="osx-64", depends=["py39"])
    add(records, version="2.0", build="py313_0", subdir="linux-64")
    add(records, version="2.0", build="py312_0", subdir="osx-64")
    assert compared(records) == ["py39"]


@pytest.mark.parametrize(
    "listing", [{}, members("a", files=2001), members("a", whole=False)], ids=["none", "cut", "unread"]
)
def test_a_listing_that_is_not_whole_is_not_compared(listing):
    records = FakeRecords()
    old = add(records, version="1.0", depends=["a"])
    new = add(records, version="2.0", depends=["b"])
    records.about[old.id], records.about[new.id] = listing, members("x")
    diff = view("tiny", records).diff
    assert (diff.members_compared, diff.members_added, diff.members_removed) == (False, [], [])
    assert (diff.requirements_added, diff.requirements_removed) == (["b"], ["a"])


def test_other_platforms_have_no_members_in_common():
    records = FakeRecords()
    old = add(records, version="1.0", subdir="linux-64", depends=["a"])
    new = add(records, version="2.0", subdir="noarch", depends=["b"])
    records.about[old.id] = records.about[new.id] = members("x")
    diff = view("tiny", records).diff
    assert (diff.members_compared, diff.requirements_added) == (False, ["b"])


def test_two_empty_packages_are_compared():
    records = FakeRecords()
    for version in ("1.0", "2.0"):
        records.about[add(records, version=version).id] = members()
    assert view("tiny", records).diff.members_compared is True


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("lib/python3.11/site-packages/x.py", "site-packages/x.py"),
        ("lib/python3.13t/site-packages/x.py", "site-packages/x.py"),
        ("Lib/site-packages/x.py", "site-packages/x.py"),
        ("site-packages/x-1.0.dist-info/METADATA", "site-packages/x.dist-info/METADATA"),
        ("site-packages/x-1.0-py3.11.egg-info", "site-packages/x.egg-info"),
        ("site-packages/x-1.0-py3.11.egg-info/top", "site-packages/x.egg-info/top"),
        ("lib/python3.11/os.py", "lib/python/os.py"),
        ("include/python3.11/Python.h", "include/python/Python.h"),
        ("a/__pycache__/x.cpython-311.pyc", "a/__pycache__/x.pyc"),
        ("a/__pycache__/x.cpython-311.opt-2.pyc", "a/__pycache__/x.opt-2.pyc"),
        ("a/x.cpython-311-x86_64-linux-gnu.so", "a/x.so"),
        ("a/x.cp311-win_amd64.pyd", "a/x.pyd"),
        ("lib/libz.so.1.2.13", "lib/libz.so.1.2.13"),
        ("bin/a-1.0", "bin/a-1.0"),
    ],
)
def test_versions_in_paths_are_noise(path, plain):
    assert normal(path) == plain


@pytest.mark.parametrize(
    ("build", "number", "named"),
    [
        ("py311h1234567_3", 3, "py311"),
        ("cuda118_py311h1234567_0", 0, "cuda118_py311"),
        ("0", 0, ""),
        ("h77fa898_1", 1, ""),
        ("2_gnu", 2, "gnu"),
        ("h194c7f8_0_cpython", 0, "cpython"),
        ("pyhd8ed1ab_1", 1, "py"),
    ],
)
def test_build_strings_name_variants(build, number, named):
    assert variant(add(FakeRecords(), build=build, build_number=number)) == named


# --- what was verified -------------------------------------------------------------------------------------


def lines_of(tmp_path, filename, body, limits=LIMITS, **facts):
    observed = looking(tmp_path)(filename, body, limits, **facts)
    records = FakeRecords()
    row = records.add(observed.directory, filename, observed.record)
    records.about[row.id] = observed.details
    return {check.text: check.outcome for check in view("tiny", records).files[0].checks}


def about_container(lines):
    return [text for text in lines if "container" in text or "its end" in text]


def test_what_is_said_of_a_file_is_what_its_inspection_found(tmp_path):
    lines = lines_of(tmp_path, *make_conda())
    assert set(lines.values()) == {"verified", "missing"}
    assert [text[:40] for text, outcome in lines.items() if outcome == "missing"] == [
        "The SHA-256 of single files (info/paths.",
        "No signature and no attestation is kept ",
    ]
    assert len(about_container(lines)) == 2
    [line] = about_container(lines_of(tmp_path, *make_tarbz2()))
    assert line.startswith("The container is one bzip2 stream")


def test_what_was_not_looked_at_is_not_claimed(tmp_path):
    files = {"share/big": bytes(1 << 20)}
    short = Limits(scan_bytes=1 << 14)
    for make, claims in ((make_conda, 2), (make_tarbz2, 1)):
        lines = lines_of(tmp_path, *make(files=files), short)
        assert "warning" in lines.values()
        assert len(about_container(lines)) == claims
        assert not any("CRC-32" in text or "bzip2" in text for text in lines)


def test_what_an_import_let_in_is_a_warning(tmp_path):
    filename, body = make_conda(extra_index={"subdir": ...}, info_files={"info/repodata_record.json": b"{}"})
    lines = lines_of(tmp_path, filename, body, lenient=True, directory="noarch")
    warned = [text for text, outcome in lines.items() if outcome == "warning"]
    assert [text.split(";")[0] for text in warned] == [
        "info/index.json names no subdir",
        "It brings files that only an installer may write",
    ]


def test_a_file_without_notes_makes_no_claim_about_them():
    records = FakeRecords()
    records.add("noarch", "tiny-1.0-0.conda", {"name": "tiny", "version": "1.0"}, imported=True)
    texts = [check.text for check in view("tiny", records).files[0].checks]
    assert not any("CRC-32" in text or "subdir" in text or "installer" in text for text in texts)
    assert any("told no upload time" in text for text in texts)


def test_an_inspection_notes_nothing_it_did_not_see(tmp_path):
    filename, body = make_conda()
    path = tmp_path / "x"
    path.write_bytes(body)
    assert inspect(path, claim(filename), LIMITS).details["checked"] == {
        "whole": True,
        "subdir": True,
        "own": True,
    }


# --- platforms ---------------------------------------------------------------------------------------------


def test_every_subdir_has_words():
    assert in_words("noarch") == "any platform"
    assert in_words("osx-arm64") == "macOS ARM64"
    assert all(in_words(subdir) != subdir for subdir in SUBDIRS)
    assert in_words("plan9-64") == "plan9-64"
    assert in_words("linux-z80") == "linux-z80"
