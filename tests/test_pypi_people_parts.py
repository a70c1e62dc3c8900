"""The parts of a Python project's page: tags in words, requirements by extra, what was verified, what changed."""

from dataclasses import replace

import pytest
from pypi_support import committed, make_sdist, make_sdist_zip, make_wheel

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi import PYPI
from packhouse.ecosystems.pypi.checks import checks
from packhouse.ecosystems.pypi.compare import difference
from packhouse.ecosystems.pypi.needs import normalised, requirements, requires
from packhouse.ecosystems.pypi.tags import target
from packhouse.model import Artifact, Claim, Ecosystem
from packhouse.names import ChannelName, Filename


def uploaded(tmp_path, made, *, lenient=False, limits=None) -> tuple[Artifact, dict]:
    """Return the row of a real file, and its details."""
    filename, data = made
    (tmp_path / filename).write_bytes(data)
    claim = Claim(
        channel=ChannelName("main"), ecosystem=Ecosystem.PYPI, filename=Filename(filename), lenient=lenient
    )
    observed = PYPI.inspect(tmp_path / filename, claim, limits or Limits())
    return committed(observed, data), dict(observed.details)


# --- tags ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "words", "platform"),
    [
        ("py3-none-any", "Python 3, any platform", "any"),
        ("py2.py3-none-any", "Python 2 and 3, any platform", "any"),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "CPython 3.11, Linux x86-64, glibc 2.17+", "linux-x86_64"),
        ("cp311-cp311-manylinux_2_28_x86_64.manylinux_2_24_x86_64", "CPython 3.11, Linux x86-64, glibc 2.24+", "linux-x86_64"),
        ("cp38-abi3-manylinux_2_28_aarch64", "CPython 3.8+ (stable ABI), Linux ARM64, glibc 2.28+", "linux-aarch64"),
        ("cp313-cp313t-win_amd64", "CPython 3.13 (free-threaded), Windows x86-64", "windows-amd64"),
        ("cp27-cp27mu-manylinux1_i686", "CPython 2.7, Linux x86 (32 bits), glibc 2.5+", "linux-i686"),
        ("pp310-pypy310_pp73-macosx_11_0_arm64", "PyPy 3.10, macOS 11.0+ ARM64", "macos-arm64"),
        ("cp312-cp312-macosx_10_9_universal2", "CPython 3.12, macOS 10.9+ Intel and Apple silicon", "macos-universal2"),
        ("cp310-cp310-macosx_10_9_x86_64.macosx_11_0_arm64", "CPython 3.10, macOS 10.9+ x86-64 or macOS 11.0+ ARM64", "macos-x86_64"),
        ("cp312-cp312-musllinux_1_2_x86_64", "CPython 3.12, Linux x86-64, musl 1.2+", "musl-x86_64"),
        ("cp39-none-win32", "CPython 3.9, Windows x86 (32 bits)", "windows-32"),
        ("cp39-cp39-linux_riscv64", "CPython 3.9, Linux riscv64", "linux-riscv64"),
        ("graalpy311-graalpy240_311_native-linux_x86_64", "GraalPy 3.11, Linux x86-64", "linux-x86_64"),
        ("cp313-cp313-android_21_arm64_v8a", "CPython 3.13, Android ARM64, API level 21+", "android-arm64_v8a"),
        ("cp313-cp313-ios_13_0_arm64_iphoneos", "CPython 3.13, iOS 13.0+ ARM64", "ios-arm64"),
        ("cp312-cp312-pyodide_2024_0_wasm32", "CPython 3.12, Emscripten 2024.0 WebAssembly", "emscripten-wasm32"),
        ("py3.cp311-none-beos.any", "Python 3 or CPython 3.11, beos or any platform", "beos"),
        ("xx1-none-any", "xx1, any platform", "any"),
    ],
)  # fmt: skip
def test_tags_are_said_in_words(tags, words, platform):
    found = target(f"tiny-1.0-{tags}.whl")

    assert (found.words, found.platform) == (words, platform)


def test_an_sdist_is_for_everybody():
    assert target("tiny-1.0.tar.gz").words == ""
    assert target("tiny-1.0.tar.gz").platform == "source"


# --- requirements --------------------------------------------------------------------------------------------


def said(lines, declared=()):
    return [
        (group.title, [(item.text, item.package, item.when) for item in group.items])
        for group in requirements(lines, declared)
    ]


def test_requirements_stand_by_extra():
    lines = [
        "Six_X>=1.16,<2",
        'numpy>=1.26; python_version < "3.12"',
        'pytest[dev]; extra == "Test_It"',
        "sphinx; 'docs' == extra and (os_name == 'nt' or os_name == 'posix')",
        'tomli; (extra == "docs" or extra == "test-it") and python_version < "3.11"',
        'direct @ https://example.org/d.whl ; extra == "docs"',
    ]

    assert said(lines, ["docs", "test-it", "empty"]) == [
        ("Runtime", [("Six_X<2,>=1.16", "six-x", ""), ("numpy>=1.26", "numpy", 'python_version < "3.12"')]),
        (
            "Extra: docs",
            [
                ("sphinx", "sphinx", '(os_name == "nt" or os_name == "posix")'),
                ("tomli", "tomli", 'python_version < "3.11"'),
                ("direct @ https://example.org/d.whl", "direct", ""),
            ],
        ),
        ("Extra: test-it", [("pytest[dev]", "pytest", ""), ("tomli", "tomli", 'python_version < "3.11"')]),
    ]


@pytest.mark.parametrize(
    ("marker", "titles", "when"),
    [
        ('extra == "a" or extra == "b"', ["Extra: a", "Extra: b"], ""),
        # there without the extra as well
        ('extra == "a" or os_name == "nt"', ["Runtime"], 'extra == "a" or os_name == "nt"'),
        ('extra != "a"', ["Runtime"], 'extra != "a"'),
        ('extra == "a" and extra == "b"', ["Extra: a"], 'extra == "b"'),
        ('os_name == "it\'s and (" and extra == "a"', ["Extra: a"], 'os_name == "it\'s and ("'),
    ],
)
def test_a_marker_is_taken_apart_only_where_that_keeps_its_meaning(marker, titles, when):
    found = requirements([f"x; {marker}"])

    assert [group.title for group in found] == titles
    assert {item.when for group in found for item in group.items} == {when}


def test_a_line_that_nobody_can_read_is_shown_as_it_is():
    assert said([" not a requirement !! "]) == [("Runtime", [("not a requirement !!", "", "")])]
    assert normalised(" not a requirement !! ") == "not a requirement !!"


def test_a_file_needs_what_no_extra_asks_for():
    record = {
        "name": "Tiny.Pkg",
        "requires_dist": ["B_b", "a>=1", "b-b; os_name == 'nt'", "c; extra == 'x'", "tiny-pkg[x]", "??"],
    }

    assert requires(record) == ["a", "b-b"]


# --- checks --------------------------------------------------------------------------------------------------


def outcomes(artifact, outcome):
    return [check.text for check in checks(artifact) if check.outcome == outcome]


def test_a_wheel_was_verified_member_by_member(tmp_path):
    artifact, _ = uploaded(tmp_path, make_wheel())

    verified = " ".join(outcomes(artifact, "verified"))

    for words in (
        "SHA-256",
        "one ZIP",
        "METADATA",
        ".dist-info",
        "RECORD lists",
        "tags in WHEEL",
        ".metadata file",
    ):
        assert words in verified
    assert outcomes(artifact, "warning") == []
    assert [text.split(":")[0] for text in outcomes(artifact, "missing")] == ["No attestation"]


def test_what_an_import_overlooked_is_not_claimed(tmp_path):
    """A RECORD with wrong hashes and foreign tags come in only leniently."""
    artifact, _ = uploaded(
        tmp_path,
        make_wheel(
            record=b"tiny/__init__.py,sha256=AAAA,1\n", wheel=b"Wheel-Version: 1.0\nTag: py2-none-any\n"
        ),
        lenient=True,
    )

    warned = outcomes(replace(artifact, imported=True), "warning")

    assert any("RECORD: it gives no right hash" in text for text in warned)
    assert any("WHEEL: its tags" in text for text in warned)
    assert not any("RECORD" in text or "tags" in text for text in outcomes(artifact, "verified"))
    assert "upload time" in outcomes(replace(artifact, imported=True), "missing")[-1]


@pytest.mark.parametrize(("make", "words"), [(make_sdist, "one gzip stream"), (make_sdist_zip, "CRC-32")])
def test_an_sdist_was_verified_as_far_as_it_was_looked_at(tmp_path, make, words):
    whole, _ = uploaded(tmp_path, make())
    partly, _ = uploaded(tmp_path, make(), limits=Limits(scan_bytes=1))

    assert words in " ".join(outcomes(whole, "verified"))
    assert "PKG-INFO" in " ".join(outcomes(whole, "verified"))
    assert words not in " ".join(outcomes(partly, "verified"))
    assert "not looked at" in outcomes(partly, "warning")[0]


def test_without_a_sidecar_none_is_claimed(tmp_path):
    artifact, _ = uploaded(tmp_path, make_wheel())
    without = replace(artifact, record={**artifact.record, "core_metadata": None})

    assert ".metadata" not in " ".join(outcomes(without, "verified"))


# --- the difference ------------------------------------------------------------------------------------------


def compared(tmp_path, new, old, change=lambda details: details):
    """Compare versions, each a list of made files."""
    found = {}
    for version, made in (("new", new), ("old", old)):
        found[version] = []
        for one in made:
            artifact, details = uploaded(tmp_path, one)
            found[version].append((artifact, change(details)))
    asked = {artifact.filename: details for pairs in found.values() for artifact, details in pairs}
    shown, before = ([artifact for artifact, _ in found[version]] for version in ("new", "old"))
    return difference(shown, before, (shown[0], before[0]), lambda artifact: asked[artifact.filename])


def test_members_are_compared_without_the_version_in_their_paths(tmp_path):
    new = make_wheel(
        version="2.0", requires_dist=["six>=2", "a"], files={"tiny/a.py": b"", "tiny/new.py": b""}
    )
    old = make_wheel(
        version="1.0",
        requires_dist=["six >= 2", "b"],
        files={"tiny/a.py": b"", "tiny-1.0.data/scripts/x": b""},
    )

    diff = compared(tmp_path, [new], [old])

    assert (diff.since, diff.requirements_added, diff.requirements_removed) == ("1.0", ["a"], ["b"])
    assert (diff.members_added, diff.members_removed) == (["tiny/new.py"], ["tiny.data/scripts/x"])
    assert diff.members_compared


def test_a_file_for_any_platform_is_compared_first(tmp_path):
    tag = "cp311-cp311-win_amd64"
    new = [make_wheel(version="2.0", tag=tag), make_wheel(version="2.0", files={"any.py": b""})]
    old = [make_wheel(version="1.0", tag=tag), make_wheel(version="1.0", files={"old.py": b""})]

    assert compared(tmp_path, new, old).members_added == ["any.py"]


def test_source_is_compared_with_source(tmp_path):
    new = [
        make_wheel(version="2.0", tag="cp311-cp311-win_amd64"),
        make_sdist(version="2.0", files={"new.py": b""}),
    ]
    old = [make_sdist_zip(version="1.0", files={"old.py": b""})]

    diff = compared(tmp_path, new, old)

    assert diff.members_compared
    assert "new.py" in diff.members_added


def test_files_of_different_kinds_are_not_compared(tmp_path):
    diff = compared(tmp_path, [make_wheel(version="2.0")], [make_sdist(version="1.0")])

    assert not diff.members_compared
    assert (diff.members_added, diff.members_removed) == ((), ())


@pytest.mark.parametrize(
    "change",
    [lambda details: {**details, "members_total": 10_001}, lambda details: {}],
    ids=["cut short", "not there"],
)
def test_a_listing_that_is_not_whole_is_not_compared(tmp_path, change):
    assert not compared(
        tmp_path, [make_wheel(version="2.0")], [make_wheel(version="1.0")], change
    ).members_compared


def test_an_archive_that_was_not_looked_at_whole_is_not_compared(tmp_path):
    new, _ = uploaded(tmp_path, make_sdist(version="2.0"), limits=Limits(scan_bytes=1))
    old, details = uploaded(tmp_path, make_sdist(version="1.0"))

    assert not difference([new], [old], (new, old), lambda row: details).members_compared
