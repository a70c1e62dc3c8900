"""Digests are spelled one way, and counting is part of hashing."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.digest import Hasher, digest, parse_digest, parse_sha256
from packhouse.errors import Malformed


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_chunking_does_not_change_a_digest(chunks):
    whole = b"".join(chunks)

    found = digest(chunks)

    assert found.size == len(whole)
    assert found.sha256 == hashlib.sha256(whole).hexdigest()
    assert found.get("md5") == hashlib.md5(whole).hexdigest()
    assert found.get("blake2b_256") == hashlib.blake2b(whole, digest_size=32).hexdigest()
    assert found.get("sha256") == found.sha256


def test_a_hasher_counts():
    hasher = Hasher()
    hasher.update(b"abc")
    hasher.update(b"")

    assert hasher.size == 3
    assert hasher.digests().size == 3


def test_claimed_digests_are_read_in_either_case():
    assert parse_sha256(" " + "AB" * 32 + " ") == "ab" * 32


@pytest.mark.parametrize(
    ("algorithm", "text"), [("sha256", "ab"), ("md5", "g" * 32), ("sha256", "ab" * 31 + "a\n"), ("md5", "")]
)
def test_what_is_not_hex_is_malformed(algorithm, text):
    with pytest.raises(Malformed, match="hexadecimal digits"):
        parse_digest(algorithm, text)
