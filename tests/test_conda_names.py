"""Conda names, versions and match specs: CEP 26, 29, 33."""

import json
import time
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st
from rattler import MatchSpec as RattlerSpec
from rattler import Version as RattlerVersion

from packhouse.ecosystems.conda.matchspec import SpecError, parse_matchspec, version_spec_problem
from packhouse.ecosystems.conda.names import parse_coordinates, split_extension
from packhouse.ecosystems.conda.versions import (
    bound_problem,
    compare,
    is_prerelease,
    newest,
    order,
    version_problem,
)
from packhouse.errors import BadName

REPODATA = Path(__file__).parents[2] / "shared/data/conda/repodata"


def real_records():
    for path in sorted(REPODATA.glob("*.zst")):
        document = json.loads(zstd.decompress(path.read_bytes()))
        for key in ("packages", "packages.conda"):
            for filename, record in (document.get(key) or {}).items():
                if "name" in record:
                    yield filename, record


# --- file names --------------------------------------------------------------------------------------------


def test_a_file_name_is_split_at_the_last_two_dashes():
    found = parse_coordinates("ca-certificates-2025.11.12-hbd8a1cb_0.conda")
    assert (found.name, found.version, found.build) == ("ca-certificates", "2025.11.12", "hbd8a1cb_0")
    assert found.filename == "ca-certificates-2025.11.12-hbd8a1cb_0.conda"
    assert found.stem == "ca-certificates-2025.11.12-hbd8a1cb_0"


@pytest.mark.parametrize(
    ("filename", "said"),
    [
        ("foo-1.0.conda", "<name>-<version>-<build>"),
        ("foo-1.0-0.zip", "must end with"),
        ("Foo-1.0-0.conda", "lower-case"),
        ("__glibc-1.0-0.conda", "virtual"),
        ("foo--1.0-0.conda", "must not end with"),
        ("foo.-1.0-0.conda", "must not end with"),
        ("foo..bar-1.0-0.conda", "two separators"),
        ("foo-1.0--0.conda", "1 to 64"),
        ("foo-1..0-0.conda", "lower-case letters and digits in parts"),
        ("foo-99999999999-0.conda", "at most 2147483647"),
        ("foo-1.0-0!.conda", "a build string"),
        ("f" * 65 + "-1.0-0.conda", "1 to 64"),
        ("f" * 300 + "-1.0-0.conda", "at most 211"),
        ("../foo-1.0-0.conda", "ASCII"),
        ("foo-1.0-" + "b" * 65 + ".conda", "a build string"),
        ("foo-" + "1" * 65 + "-0.conda", "1 to 64"),
    ],
)
def test_a_file_name_that_breaks_cep_26_is_refused(filename, said):
    with pytest.raises(BadName, match=said.replace("(", r"\(")):
        parse_coordinates(filename)


@pytest.mark.parametrize(
    "name", ["_libgcc_mutex", "python_abi", "a.b", "r-base64enc", "x_", "ld_impl_linux-64", "7zip"]
)
def test_real_shapes_of_names_are_accepted(name):
    assert parse_coordinates(f"{name}-1!2.0_rc1+local.1-py_0.tar.bz2").name == name


def test_other_extensions_are_not_ours():
    assert split_extension("six-1.0-py3-none-any.whl") == ("six-1.0-py3-none-any.whl", "")


@pytest.mark.skipif(not REPODATA.is_dir(), reason="the shared repodata is not beside this checkout")
def test_every_real_file_name_and_spec_is_accepted():
    """About 29,000 published records: no rule here may refuse what the world lives on."""
    specs = set()
    for filename, record in real_records():
        found = parse_coordinates(filename)
        assert (found.name, found.version, found.build) == (
            record["name"],
            record["version"],
            record["build"],
        )
        specs.update((record.get("depends") or []) + (record.get("constrains") or []))
    for spec in specs:
        parse_matchspec(spec)
        RattlerSpec(spec)
    assert len(specs) > 9000


# --- versions ----------------------------------------------------------------------------------------------


def test_versions_are_ordered_as_cep_33_prints_them():
    # The chain of CEP 33's own example; = marks versions that compare equal.
    chain = """0.4 = 0.4.0, 0.4.1.rc = 0.4.1.RC, 0.4.1, 0.5a1, 0.5b3, 0.5C1, 0.5, 0.9.6, 0.960923, 1.0, 1.1dev1, 1.1_,
        1.1a1, 1.1.0dev1 = 1.1.dev1, 1.1.a1, 1.1.0rc1, 1.1.0 = 1.1, 1.1.0post1 = 1.1.post1, 1.1post1, 1996.07.12,
        1!0.4.1, 1!3.1.1.6, 2!0.4.1"""
    groups = [[text.strip() for text in group.split("=")] for group in chain.split(",")]
    for here, group in enumerate(groups):
        for there, other in enumerate(groups):
            expected = (here > there) - (here < there)
            assert {compare(left, right) for left in group for right in other} == {expected}


VERSIONS = st.from_regex(
    r"\A([0-9]!)?[0-9a-c]{1,2}(post|dev|rc)?[0-9]?([._][0-9a-b]{1,2}){0,3}(\+[0-9a]{1,2})?\Z"
)


@given(VERSIONS)
def test_what_is_a_version_here_is_one_for_rattler(text):
    assert not version_problem(text)
    assert not bound_problem(text)
    RattlerVersion(text)


@given(st.text("0123456789abc._+!-A", max_size=8))
def test_rattler_reads_every_text_that_passes(text):
    if not version_problem(text) or not bound_problem(text):
        RattlerVersion(text)


@given(VERSIONS, VERSIONS)
def test_order_agrees_with_rattler(left, right):
    ours, theirs = RattlerVersion(left), RattlerVersion(right)
    assert compare(left, right) == (ours > theirs) - (ours < theirs)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_order_is_total(left, middle, right):
    assert compare(left, right) == -compare(right, left)
    if compare(left, middle) <= 0 and compare(middle, right) <= 0:
        assert compare(left, right) <= 0
    assert sorted([left, right], key=order) in ([left, right], [right, left])


@pytest.mark.parametrize(
    "text", ["", "1..2", "1-2", "1!2!3", "1+a+b", "_1", "1__", "1.", "A", "1*", "1" * 65]
)
def test_a_text_that_is_no_version_is_named(text):
    assert version_problem(text)


@pytest.mark.parametrize("text", ["1-2_3", "9" * 20, "1..2"])
def test_a_bound_that_no_client_reads_is_named(text):
    assert bound_problem(text)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (["1.0", "1.10", "1.9"], "1.10"),
        (["2.0rc1", "1.0"], "1.0"),
        (["2.0rc1", "2.0a1"], "2.0rc1"),
        (["1.0.2a", "1.0.1"], "1.0.2a"),
        (["not a version", "0.1"], "0.1"),
        (["not a version", "another"], "another"),
        (["1.0", "1.0.0"], "1.0"),
        (["1!0.1", "99"], "1!0.1"),
    ],
)
def test_the_newest_is_final_before_prerelease(versions, expected):
    assert newest(versions) == newest(reversed(versions)) == expected


def test_a_lone_letter_is_no_prerelease():
    assert [text for text in ("1.0.2a", "1.0rc1", "1.0.dev0", "2b1", "1.0+rc1") if is_prerelease(text)] == [
        "1.0rc1",
        "1.0.dev0",
        "2b1",
    ]


# --- match specs -------------------------------------------------------------------------------------------

GOOD = {
    "numpy": "numpy",
    "numpy >=1,<2": 'numpy[version=">=1,<2"]',
    "numpy 1.0.*": 'numpy[version="1.0.*"]',
    "numpy 1*|>=3": 'numpy[version="1*|>=3"]',
    "numpy ==1.*": 'numpy[version="1.*"]',
    "pytorch 1.*.*": 'pytorch[version="1.*.*"]',
    "numpy 1.0 py_0": 'numpy[build="py_0",version="1.0"]',
    "numpy=1.0=py_0": 'numpy[build="py_0",version="1.0"]',
    "numpy=1.0": 'numpy[version="=1.0"]',
    "numpy>=1,(<2|>3) *_mkl*": 'numpy[build="*_mkl*",version=">=1,(<2|>3)"]',
    "libcblas   3.9.0   32*_openblas": 'libcblas[build="32*_openblas",version="3.9.0"]',
    "astroid >=3.3.8,<3.4.0-dev0": 'astroid[version=">=3.3.8,<3.4.0-dev0"]',
    "foo *": 'foo[version="*"]',
    "FOO =* x": 'foo[build="x",version="*"]',
    "foo[version='>=1', build=x_0,build_number='>3']": 'foo[build="x_0",build_number=">3",version=">=1"]',
    "conda-forge::foo": 'foo[channel="conda-forge"]',
    "foo[]": "foo",
    "foo[when='python >=3 and (__unix or b[version=\">=1\"])']": "foo[when='python>=3 and (__unix or b[version=\">=1\"])']",
    "foo[extras=[a, 'b'],flags='cuda:*']": "foo[extras=[a,b],flags=[cuda:*]]",
}


@pytest.mark.parametrize("text", list(GOOD))
def test_a_spec_is_read_and_written_in_brackets(text):
    """What CEP 48 asks for means the same to rattler as what was read."""
    bracketed = parse_matchspec(text).bracketed()
    assert bracketed == GOOD[text]
    if "==1.*" not in text:  # rattler itself reads `==1.*` differently in its two places
        assert str(RattlerSpec(bracketed)) == str(RattlerSpec(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "foo*",
        "foo bar baz qux",
        "foo 1..2",
        "foo >=1,",
        "foo |1",
        "foo ^1",
        "foo >=1.*.2",
        "foo 1*.*",
        "foo >*",
        "foo[version=1",
        "foo[version=1]x",
        "foo[bar=1]",
        "foo[version=]",
        "foo[version=1,]",
        "foo[1]",
        "foo[version='1]",
        "foo[version=1,version=2]",
        "foo 1[version=2]",
        "foo[extras=[a",
        "foo[extras=[a]",
        "foo[extras=[A]]",
        "foo[build=[a]]",
        "foo[when='']",
        "foo[when='a and']",
        "foo[when='a b']",
        "foo[when='and a']",
        "foo[when='a)']",
        "foo[when='(a']",
        "foo[when='a (b)']",
        "foo[when='>=3']",
        "foo[version=1,x]",
        "foo[when='a[when=b]']",
        "foo[when='a[version=\">=1,\"]']",
        "foo[version='>=1,']",
        "foo[build_number=x]",
        "foo[build='^a$']",
        "foo[version='1 2']",
        "foo[version='1' build=x]",
        "foo >=(1)",
        "foo (>=1",
        "foo " + "(" * 9 + "1" + ")" * 9,
        "é",
        "foo é",
        "a\x00b",
        "fo/o",
        "a b::c",
        "foo@1",
        "foo=1=2=3",
        "foo ==",
        "foo (1)x",
        "foo =1*x",
        "x" * 2049,
    ],
)
def test_a_text_that_is_no_spec_is_refused(text):
    with pytest.raises(SpecError):
        parse_matchspec(text)


def test_a_version_expression_ends_where_it_says():
    assert version_spec_problem(">=1,<2") == ""
    assert "follows the version" in version_spec_problem(">=1 x")
    assert "is not a version" in version_spec_problem(">=1,")


def test_fields_of_revision_3_are_known():
    assert parse_matchspec("foo[when=python]").needs_revision_3
    assert not parse_matchspec("foo >=1").needs_revision_3
    assert parse_matchspec("c::foo[md5=" + "a" * 32 + "]").outside_revision_3 == ("channel", "md5")


FRAGMENTS = [
    ">=1",
    "1.*",
    "==",
    "=",
    " ",
    "[",
    "version=",
    "build=",
    "'",
    '"',
    "]",
    ",",
    "when=",
    " and ",
    " or ",
    "(",
]
FRAGMENTS += [
    ")",
    "|",
    "*",
    "x_0",
    "flags=",
    "extras=",
    "[a,b]",
    "build_number=",
    "3",
    "<2",
    "!=1.5",
    "~=1.2",
    "::",
    "c",
]
FRAGMENTS += ["1_", "-", ".", "subdir=", "channel=", "1a", "1!2", "+l", "\t", "#", "foo"]


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join))
def test_rattler_reads_every_spec_that_passes(tail):
    """The oracle for the rule that matters: what is let in, every client can read."""
    try:
        spec = parse_matchspec("foo" + tail)
    except SpecError:
        return
    RattlerSpec("foo" + tail)
    RattlerSpec(spec.bracketed())


@pytest.mark.parametrize(
    "text", ["a!" * 50_000, "1." * 50_000, "((((" * 25_000, "a" * 100_000, "foo " + "1," * 900]
)
def test_hostile_lengths_cost_nothing(text):
    """Length is checked first and every expression is linear; the bound is generous, quadratic would be minutes."""
    began = time.process_time()
    assert version_problem(text)
    with pytest.raises(BadName):
        parse_coordinates(text + "-1-0.conda")
    with pytest.raises(SpecError):
        parse_matchspec(text)
    newest([text, text + "1"])
    assert time.process_time() - began < 5
