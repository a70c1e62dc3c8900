"""What METADATA may say, what is refused, what is only shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.ecosystems.pypi.metadata import (
    MAX_DESCRIPTION,
    MAX_LINE,
    MAX_REQUIREMENTS,
    CoreMetadata,
    parse_metadata,
)
from packhouse.ecosystems.pypi.names import parse_distribution

WHEEL = parse_distribution("tiny-1.0-py3-none-any.whl")
HEAD = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"


def parse(text: str | bytes) -> CoreMetadata:
    data = text if isinstance(text, bytes) else text.encode()
    return parse_metadata(data, WHEEL, source="METADATA")


def test_the_fields_are_kept_for_pages():
    metadata = parse(
        HEAD + "Summary: A  tiny\tthing\nRequires-Python: >=3.8\nRequires-Dist: six>=1\nAuthor: Zoë\n"
        "Keywords: a,b\nProject-URL: Home, https://example.org\n\n# Tiny\n"
    )

    assert (metadata.name, metadata.version, metadata.requires_python) == ("tiny", "1.0", ">=3.8")
    assert metadata.summary == "A tiny thing"
    assert metadata.fields["author"] == "Zoë"
    assert metadata.fields["keywords"] == ["a", "b"]
    assert metadata.fields["project_urls"] == {"Home": "https://example.org"}
    assert metadata.fields["description"] == "# Tiny\n"
    assert (metadata.fatal, metadata.problems, metadata.warnings) == ((), (), ())


FATAL = [
    ("another name", "Metadata-Version: 2.1\nName: other\nVersion: 1.0\n", "its Name is 'other'"),
    # A prefix is not the name: foo is not foobar.
    ("a longer name", "Metadata-Version: 2.1\nName: tinytiny\nVersion: 1.0\n", "its Name"),
    ("another version", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0.1\n", "its Version is '1.0.1'"),
    # ... and 1.0 is in 11.0
    ("a version that contains it", "Metadata-Version: 2.1\nName: tiny\nVersion: 11.0\n", "its Version"),
    ("no name", "Metadata-Version: 2.1\nVersion: 1.0\n", "no single Name"),
    ("two names", HEAD + "Name: other\n", "no single Name"),
    ("two versions", HEAD + "Version: 2.0\n", "no single Version"),
    ("no version", "Metadata-Version: 2.1\nName: tiny\n", "no single Version"),
    ("not a version", "Metadata-Version: 2.1\nName: tiny\nVersion: x\n", "its Version is 'x'"),
    ("everything in the body", "\n" + HEAD, "no single Name"),
]


@pytest.mark.parametrize(("_", "text", "reason"), FATAL, ids=[row[0] for row in FATAL])
def test_a_file_that_names_another_project_is_never_accepted(_, text, reason):
    assert reason in " ".join(parse(text).fatal)


@pytest.mark.parametrize("name", ["Tiny", "TINY", "tiny"])
@pytest.mark.parametrize("version", ["1.0", "1.0.0", "v1.0", "1"])
def test_name_and_version_are_compared_normalised(name, version):
    assert parse(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n").fatal == ()


PROBLEMS = [
    ("Requires-Python: >=3.6.*\n", "requires-python is not valid"),
    ("Requires-Python: three\n", "requires-python is not valid"),
    ("Requires-Python: >=3.8\nRequires-Python: >=3.9\n", "requires-python is given twice"),
    ("Requires-Dist: six (>=1.0.*)\n", "requires-dist is not valid"),
    ("Requires-Dist: ../six\n", "requires-dist is not valid"),
    ("Requires-Dist: six ; " + "(" * 8_000 + "\n", "requires-dist"),
    ("Requires-Dist: six ; " + "(" * 5_000 + "a" + ")" * 5_000 + "\n", "requires-dist"),
    ("Requires-Dist: " + "a" * MAX_LINE + "b\n", "longer than"),
    ("Requires-Dist: a\n" * (MAX_REQUIREMENTS + 1), "at most 5000"),
    (("Requires-Dist: a" + ",>1" * 5_000 + "\n") * 80, "characters together"),
    ("Requires-Python: " + ">=3," * 30_000 + "\n", "longer than"),
]


@pytest.mark.parametrize(("line", "reason"), PROBLEMS, ids=range(len(PROBLEMS)))
def test_what_clients_resolve_by_must_be_valid(line, reason):
    metadata = parse(HEAD + line)

    assert reason in " ".join(metadata.problems)
    assert metadata.fatal == ()


@pytest.mark.parametrize(
    "line", ["Requires-Python: >=3.6.*\n", "Requires-Python: >=3\nRequires-Python: >=2\n"]
)
def test_a_broken_specifier_never_reaches_an_index(line):
    """An import may keep the file; the page then says nothing, which means any Python."""
    assert parse(HEAD + line).requires_python is None


def test_an_empty_specifier_is_none():
    metadata = parse(HEAD + "Requires-Python:\n")

    assert (metadata.requires_python, metadata.problems) == (None, ())


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("", "expected something like"),
        ("2", "expected something like"),
        ("2.x", "expected something like"),
        ("3.0", "only 1.x and 2.x are known"),
        ("9" * 100_000 + ".1", "longer than"),
        ("999999999999.1", "expected something like"),
    ],
)
def test_a_metadata_version_of_the_future_is_refused(version, reason):
    metadata = parse(f"Metadata-Version: {version}\nName: tiny\nVersion: 1.0\n")

    assert reason in " ".join(metadata.problems)


def test_no_metadata_version_is_refused():
    assert parse("Name: tiny\nVersion: 1.0\n").problems != ()


@pytest.mark.parametrize("version", ["1.0", "1.2", "2.2", "2.4", "2.9"])
def test_a_minor_version_of_the_future_is_read(version):
    """A field that a tool does not know hurts nobody."""
    assert parse(f"Metadata-Version: {version}\nName: tiny\nVersion: 1.0\n").problems == ()


WARNINGS = [
    ("Metadata-Version: 2.0\nName: tiny\nVersion: 1.0\n", "never adopted"),
    (HEAD.replace("2.1", "2.4") + "License: MIT\nLicense-Expression: MIT\n", "both License and"),
    (HEAD + "License-Expression: MIT\n", "license-expression introduced in"),
    (HEAD + "Summary: " + "x" * 600 + "\n", "longer than 512"),
    (HEAD + "Requires-Dist: six @ https://example.org/six.whl\n", "direct URL"),
    (HEAD + "X-Own: 1\n", "'x-own' is unknown"),
    (HEAD + "Summary: a\nSummary: b\n", "'summary' is unknown, given twice"),
    (HEAD.encode() + b"Author: caf\xe9\n", "'author' is unknown, given twice or not UTF-8"),
    (HEAD + "Description-Content-Type: text/html\n", "description-content-type"),
    (HEAD + "Description: a\n\nbody\n", "'description' is unknown, given twice"),
]


@pytest.mark.parametrize(("text", "warning"), WARNINGS, ids=range(len(WARNINGS)))
def test_what_clients_do_not_need_is_a_warning(text, warning):
    metadata = parse(text)

    assert warning in " ".join(metadata.warnings)
    assert (metadata.fatal, metadata.problems) == ((), ())


def test_text_that_is_not_utf8_is_kept_with_its_bytes_escaped():
    """Shown, and told to be so; what is given twice, and what clients resolve by, is not guessed at."""
    metadata = parse(
        HEAD.encode()
        + b"Summary: caf\xe9 \xc3\xa9\nAuthor: \xff\nLicense: a\nLicense: \xe9\nRequires-Dist: \xe9\n\nbody \xe9\n"
    )

    assert metadata.undecodable == ("author", "description", "summary")
    assert metadata.summary == "caf\\xe9 é"
    assert metadata.fields["author"] == "\\xff"
    assert metadata.fields["description"] == "body \\xe9\n"
    assert "license" not in metadata.fields
    assert "requires-dist is given twice or is not UTF-8" in " ".join(metadata.problems)
    assert "'summary' is unknown, given twice or not UTF-8" in " ".join(metadata.warnings)
    assert parse(HEAD + "Summary: \\xe9\n").undecodable == ()


def test_old_license_file_lines_are_no_news():
    """Setuptools wrote them under Metadata 2.1 for years."""
    assert parse(HEAD + "License-File: LICENSE\n").warnings == ()


def test_warnings_are_counted_past_twenty():
    metadata = parse(HEAD + "".join(f"X-{n}: 1\n" for n in range(30)))

    assert len(metadata.warnings) == 21
    assert metadata.warnings[-1] == "METADATA: and 10 more"


def test_long_values_are_cut_and_nul_is_replaced():
    metadata = parse(HEAD + "Author: a\0b\nKeywords: " + "k" * 20_000 + "\n\n" + "d" * (MAX_DESCRIPTION + 1))

    assert metadata.fields["author"] == "a\ufffdb"
    assert len(metadata.fields["keywords"][0]) == 8 << 10
    assert len(metadata.fields["description"]) == MAX_DESCRIPTION


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(data):
    assert parse(data).fatal != ()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60))
def test_any_requirement_is_accepted_or_refused_with_a_sentence(text):
    metadata = parse(HEAD + f"Requires-Dist: {text}\n")

    assert all(problem.startswith("METADATA: ") for problem in metadata.problems)
