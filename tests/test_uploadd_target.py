"""The request line: split before it is decoded, and shown without secrets."""

import pytest

from packhouse.errors import BadName, Malformed
from uploadd.target import MAX_PARAMETERS, MAX_TARGET, flag, parse_target, redact, without_keys

KEY = "pkh-" + "a" * 42


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("/", ()),
        ("/main", ("main",)),
        ("/main/", ("main",)),
        ("/main/legacy/?a=b", ("main", "legacy")),
        ("/main/products/a%2Bb/1/x", ("main", "products", "a+b", "1", "x")),
        ("/main/%252e%252e/x", ("main", "%2e%2e", "x")),
    ],
)
def test_a_path_is_decoded_once_segment_by_segment(raw, segments):
    assert parse_target(raw).segments == segments


@pytest.mark.parametrize(
    "raw",
    [
        "/main//x", "/main/./x", "/main/../x", "/main/%2e%2e/x", "/main/%2E./x", "/main/a%2fb", "/main/a%2Fb",
        "/main/a%5cb", "/main/a\\b", "/main/%00", "/main/a%0d%0aX:%20y", "/main/%7f", "/main/%zz", "/main/%",
        "/main/%c0%ae%c0%ae/x", "/main/%ff", "//main/x",
    ],
)  # fmt: skip
def test_what_could_be_taken_for_another_path_is_refused(raw):
    with pytest.raises(BadName):
        parse_target(raw)


@pytest.mark.parametrize("raw", ["*", "http://host/main", "/a#b", "/ä", "/" + "a" * MAX_TARGET, ""])
def test_what_is_no_path_is_refused(raw):
    with pytest.raises(Malformed):
        parse_target(raw)


def test_the_key_of_the_path_is_no_segment():
    target = parse_target(f"/t/{KEY}/main/noarch/repodata.json")

    assert (target.key, target.segments) == (KEY, ("main", "noarch", "repodata.json"))


def test_a_query_is_decoded():
    assert parse_target("/x?force=true&sha256=a%2Bb&empty=").query == {
        "force": "true",
        "sha256": "a+b",
        "empty": "",
    }


@pytest.mark.parametrize(
    "query", ["a=1&a=2", "a=%ff", "&".join(f"a{n}=1" for n in range(MAX_PARAMETERS + 1))]
)
def test_a_query_that_two_readers_would_read_differently_is_refused(query):
    with pytest.raises(Malformed):
        parse_target(f"/x?{query}")


@pytest.mark.parametrize(
    ("query", "expected"), [({}, False), ({"f": "true"}, True), ({"f": "1"}, True), ({"f": "FALSE"}, False)]
)
def test_flags(query, expected):
    assert flag(query, "f") is expected


def test_a_flag_that_is_none_is_refused():
    with pytest.raises(Malformed):
        flag({"f": "maybe"}, "f")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (f"/t/{KEY}/main/x", "/t/***/main/x"),
        ("/t/anything", "/t/***"),
        (f"//t//{KEY}/x", "//t//***/x"),
        ("/fetch/secret", "/fetch/***"),
        ("/prune/secret", "/prune/***"),
        (f"/main/{KEY}/x", "/main/***/x"),
        (f"/main/%70kh-{KEY[4:]}/x", "/main/***/x"),
        (f"/%74/{KEY[4:]}/x", "/%74/***/x"),
        (f"/main?token={KEY}", "/main"),
        ('/a"b\\c', "/a\\x22b\\x5cc"),
        ("/a\x1b[2J\n{}", "/a\\x1b[2J\\x0a{}"),
        ("/ä\udcff", "/\\xe4\\udcff"),
    ],
)
def test_a_log_shows_neither_keys_nor_a_second_line(raw, shown):
    assert redact(raw) == shown


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        (f"there is no channel {KEY}; check the name", "there is no channel pkh-***; check the name"),
        (f"there is no channel {KEY.lower()};", "there is no channel pkh-***;"),
        ("".join(f"%{ord(c):02x}" for c in KEY) + "%ZZ is broken", "pkh-***%ZZ is broken"),
        ("".join(f"%{ord(c):02X}" for c in KEY), "pkh-***"),
        (f"{KEY} and {KEY}", "pkh-*** and pkh-***"),
        ("a package called pkg-config", "a package called pkg-config"),
    ],
)
def test_a_sentence_shows_no_key(sentence, shown):
    assert without_keys(sentence) == shown
