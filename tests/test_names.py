"""The safety gate lets nothing through that could leave its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse import names
from packhouse.errors import BadName

HOSTILE = [
    "", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", "a\0b", "a\nb", "a\rb", "name\n", "\x7f", "a b", "a\tb",
    ".hidden", "-rf", "a.", "a" * 5000, "a%2fb", "a%00", "numpy\N{FULLWIDTH LATIN SMALL LETTER A}",
    "p\N{CYRILLIC SMALL LETTER A}ckage", "a\N{RIGHT-TO-LEFT OVERRIDE}b", "a\N{ZERO WIDTH SPACE}b", "\N{DIGIT ONE}\N{ARABIC-INDIC DIGIT ONE}",
    "con", "NUL.whl", "com1.tar.gz", "a:b", "a*b", "a?b", "a|b", 'a"b', "a<b", "a;b", "a$b", "a`b", "~a", "a@b", "a,b",
]  # fmt: skip

DEVICES = ("con", "NUL.whl", "com1.tar.gz")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "parse",
    [
        names.parse_filename,
        names.parse_channel,
        names.parse_project,
        names.parse_subdir,
        lambda t: names.parse_segment("product", t),
    ],
)
def test_hostile_text_is_no_name(parse, text):
    if text in DEVICES and parse is names.parse_project:
        text += "\n"  # a project may be called con: its name only ever is a directory on the server
    with pytest.raises(BadName) as refusal:
        parse(text)
    assert len(str(refusal.value)) < 300


@given(st.text())
def test_whatever_passes_is_one_safe_path_segment(text):
    try:
        name = names.parse_filename(text)
    except BadName:
        return
    assert name == text
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set('/\\:*?"<>| %~')
    assert name[0] not in ".-"
    assert len(name) <= 211


@pytest.mark.parametrize(
    "name",
    [
        "numpy-1.26.4-py311_0.conda",
        "_libgcc_mutex-0.1-main.tar.bz2",
        "torch-2.1.0+cu121-cp311-cp311-linux_x86_64.whl",
        "r-base-4!1.0-0.conda",
    ],
)
def test_real_file_names_pass(name):
    assert names.parse_filename(name) == name


def test_a_file_name_leaves_room_for_its_sidecars():
    assert names.parse_filename("a" * 211)
    with pytest.raises(BadName, match="212 characters, at most 211"):
        names.parse_filename("a" * 212)


@pytest.mark.parametrize("name", ["main", "team-a", "conda_forge", "r.2024", "0ad"])
def test_channel_names(name):
    assert names.parse_channel(name) == name


@pytest.mark.parametrize("name", ["Main", "simple", "noarch", "linux-64", "t", "api", "static", "_x", "x+y"])
def test_reserved_and_upper_case_channels_are_refused(name):
    with pytest.raises(BadName):
        names.parse_channel(name)


@pytest.mark.parametrize(
    ("said", "normal"),
    [("Six", "six"), ("zope.interface", "zope-interface"), ("a__b-._c", "a-b-c"), ("x", "x")],
)
def test_projects_have_one_spelling(said, normal):
    assert names.parse_project(said) == normal


def test_a_long_project_is_refused_before_any_pattern_runs():
    with pytest.raises(BadName, match="100000 characters"):
        names.parse_project("a" * 100_000)


def test_subdirs_are_those_that_clients_know():
    assert names.parse_subdir("noarch") == "noarch"
    with pytest.raises(BadName, match="none of the platforms"):
        names.parse_subdir("linux-128")
