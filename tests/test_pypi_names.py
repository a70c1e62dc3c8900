"""What a Python file name says, and what is refused before any parser sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from packhouse.ecosystems.pypi.names import (
    newest,
    parse_distribution,
    parse_version,
    recognises,
    same_project,
    version_key,
)
from packhouse.errors import BadName

ACCEPTED = [
    # name, project, version, kind, python part, tags, warned
    ("tiny-1.0-py3-none-any.whl", "tiny", "1.0", "bdist_wheel", "py3", 1, False),
    ("tiny-1.0-1-py3-none-any.whl", "tiny", "1.0", "bdist_wheel", "py3", 1, False),
    ("six-1.17.0-py2.py3-none-any.whl", "six", "1.17.0", "bdist_wheel", "py2.py3", 2, False),
    # a local version is why private indexes exist
    ("torch-2.0+cu118-cp311-cp311-linux_x86_64.whl", "torch", "2.0+cu118", "bdist_wheel", "cp311", 1, False),
    (
        "a-1!2.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "a",
        "1!2",
        "bdist_wheel",
        "cp311",
        2,
        False,
    ),
    ("zope_interface-8.7-py3-none-any.whl", "zope-interface", "8.7", "bdist_wheel", "py3", 1, False),
    # before the wheel specification asked for lower case and `_`
    ("MarkupSafe-2.0.1-cp39-cp39-win_amd64.whl", "markupsafe", "2.0.1", "bdist_wheel", "cp39", 1, True),
    ("zope.interface-5.4.0-cp39-cp39-win32.whl", "zope-interface", "5.4.0", "bdist_wheel", "cp39", 1, True),
    ("tiny-1.0.0.RC1-py3-none-any.whl", "tiny", "1.0.0rc1", "bdist_wheel", "py3", 1, True),
    ("tiny-1.0.tar.gz", "tiny", "1.0", "sdist", "source", 0, False),
    ("tiny-1.0.zip", "tiny", "1.0", "sdist", "source", 0, False),
    ("typing_extensions-4.0.tar.gz", "typing-extensions", "4.0", "sdist", "source", 0, False),
    # before PEP 625
    ("typing-extensions-4.0.tar.gz", "typing-extensions", "4.0", "sdist", "source", 0, True),
    ("zope.interface-5.4.0.tar.gz", "zope-interface", "5.4.0", "sdist", "source", 0, True),
    ("pytz-2023.3.post1.tar.gz", "pytz", "2023.3.post1", "sdist", "source", 0, False),
]


@pytest.mark.parametrize(("text", "project", "version", "kind", "python", "tags", "warned"), ACCEPTED)
def test_a_name_says_project_version_and_kind(text, project, version, kind, python, tags, warned):
    name = parse_distribution(text)

    assert (name.project, name.version, name.kind, name.python) == (project, Version(version), kind, python)
    assert len(name.tags) == tags
    assert bool(name.warnings) is warned
    assert name.directory == f"packages/{project}"


REFUSED = [
    "",
    "tiny",
    "tiny.whl",
    "tiny-1.0.tar.bz2",
    "tiny-1.0.egg",
    "tiny-1.0-py3-none.whl",
    "tiny-1.0-1-2-py3-none-any.whl",
    "tiny-1.0-x1-py3-none-any.whl",  # a build tag begins with a digit
    "tiny-one-py3-none-any.whl",
    "tiny--py3-none-any.whl",
    "-1.0-py3-none-any.whl",
    "ti__ny-1.0-py3-none-any.whl",
    "tiny_-1.0-py3-none-any.whl",
    "tiny-1.0-py3.-none-any.whl",
    "tiny-1.0-py3-none-any+x.whl",
    "tiny-1.0-py3-none-.whl",
    # packaging's own parser accepts these two
    "../../etc/foo-1.0.tar.gz",
    "tiny-1.0-py3-none-any\u202e.whl",
    "tiny-1.0-py3-none-any.whl\n",
    "tiny-1.0\0.tar.gz",
    "tiny-1.0-py3-none-any.whl/x.whl",
    ".tiny-1.0.tar.gz",
    "tiny1.0.tar.gz",
    "tiny-.tar.gz",
    "-1.0.tar.gz",
    "tiny-latest.tar.gz",
    "tiny_-1.0.tar.gz",
    "1.0.tar.gz",
    "\uff54iny-1.0.tar.gz",  # a fullwidth t
    "con.x-1.0.tar.gz",  # Windows takes it for a device
    "tiny-" + "1" * 129 + ".tar.gz",
    "tiny-" + "1" * 129 + "-py3-none-any.whl",
    "t" * 129 + "-1.0.tar.gz",
    "t" * 300 + "-1.0.tar.gz",
    # 12 000 combinations from 211 characters
    "a-1-" + ".".join("abcdefghijklmnopqrstuvwxyz"[:24]) + "-" + ".".join("abcdefghijklmnopqrstuvwxyz") + "-"
    + ".".join("abcdefghijklmnopqrst") + ".whl",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_a_name_that_breaks_a_rule_is_refused(text):
    with pytest.raises(BadName):
        parse_distribution(text)


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text):
    try:
        name = parse_distribution(text)
    except BadName:
        return
    assert name.filename == text
    assert canonicalize_name(name.project) == name.project


_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9_]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda text: "__" not in text
)
_VERSIONS = st.builds(
    lambda release, pre, post, dev: ".".join(map(str, release)) + pre + post + dev,
    st.lists(st.integers(0, 99), min_size=1, max_size=4),
    st.sampled_from(["", "a1", "b2", "rc3"]),
    st.sampled_from(["", ".post1"]),
    st.sampled_from(["", ".dev4"]),
)


@given(_NAMES, _VERSIONS)
def test_normalised_names_come_back_without_a_warning(name, version):
    if name in ("con", "prn", "aux", "nul") or name[:3] in ("com", "lpt"):
        return
    for text in (f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.tar.gz"):
        parsed = parse_distribution(text)
        assert (parsed.project, str(parsed.version)) == (name.replace("_", "-"), version)
        assert parsed.warnings == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.whl", True),
        ("a.tar.gz", True),
        ("a.zip", True),
        ("a.conda", False),
        ("a.tar.bz2", False),
        ("", False),
    ],
)
def test_wheels_and_sdists_are_recognised_by_extension(name, expected):
    assert recognises(name) is expected


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (["1.0"], "1.0"),
        (["1.9", "1.10"], "1.10"),
        (["1.0", "2.0rc1"], "1.0"),
        (["2.0.dev1", "2.0rc1"], "2.0rc1"),
        (["1!0.1", "9.0"], "1!0.1"),
        (["1.0", "1.0+cu118"], "1.0+cu118"),
        # an import may have brought what PEP 440 does not know
        (["2004d", "junk", "1.0a1"], "1.0a1"),
        (["junk", "other"], "other"),
        (["1.0", "1.0.0"], "1.0.0"),
        (["1" * 200, "0.1"], "0.1"),
    ],
)
def test_the_newest_version_is_a_final_release_if_there_is_one(versions, expected):
    assert newest(versions) == expected
    assert newest(reversed(versions)) == expected


def test_versions_sort_by_pep_440_and_unknown_ones_first():
    assert sorted(["1.10", "x", "1.9", "1.9rc1"], key=version_key) == ["x", "1.9rc1", "1.9", "1.10"]
    assert parse_version("x") is None


def test_names_are_compared_normalised():
    assert same_project("Zope.Interface", "zope-interface")
    assert not same_project("foobar", "foo")


@pytest.mark.parametrize(
    "text",
    ["a!" * 50_000, "1." * 50_000, "(" * 100_000, "a-" * 50_000 + "1.0.tar.gz", "-" * 100_000 + ".whl"],
)
def test_long_texts_are_refused_by_their_length(text):
    """No parser with a regular expression behind it is given them."""
    with pytest.raises(BadName, match="characters"):
        parse_distribution(text)

    assert parse_version(text) is None
