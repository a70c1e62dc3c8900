"""What headers claim of the bytes."""

import base64
import hashlib

import pytest
from multidict import CIMultiDict

from packhouse.errors import EncodedBody, Malformed
from uploadd.headers import claimed_digests, claimed_size, refuse_encodings

SHA256, MD5 = hashlib.sha256(b"x").hexdigest(), hashlib.md5(b"x").hexdigest()
B64_SHA256 = base64.b64encode(bytes.fromhex(SHA256)).decode()
B64_MD5 = base64.b64encode(bytes.fromhex(MD5)).decode()


@pytest.mark.parametrize(
    ("headers", "digests"),
    [
        ({}, {}),
        ({"X-File-SHA256": SHA256.upper()}, {"sha256": SHA256}),
        ({"x-checksum-sha256": SHA256, "x-checksum-md5": MD5}, {"sha256": SHA256, "md5": MD5}),
        ({"Content-MD5": B64_MD5}, {"md5": MD5}),
        ({"Digest": f"sha-256={B64_SHA256}, md5={B64_MD5}"}, {"sha256": SHA256, "md5": MD5}),
        ({"Content-Digest": f"sha-256=:{B64_SHA256}:"}, {"sha256": SHA256}),
        ({"Repr-Digest": f"sha-512=:AAAA:, sha-256=:{B64_SHA256}:"}, {"sha256": SHA256}),
        ({"Digest": f"sha-256={B64_SHA256}", "X-File-SHA256": SHA256}, {"sha256": SHA256}),
    ],
)
def test_digests_in_every_spelling(headers, digests):
    assert claimed_digests(CIMultiDict(headers)) == digests


@pytest.mark.parametrize(
    "headers",
    [
        {"X-File-SHA256": "xyz"},
        {"X-File-SHA256": ""},
        {"Content-MD5": "not base64!"},
        {"Content-MD5": "AAAA"},
        {"Digest": "sha-256=AAAA"},
        {"Digest": f"sha-256={B64_SHA256}", "X-File-SHA256": "0" * 64},
    ],
)
def test_what_is_no_digest_or_contradicts_another_is_refused(headers):
    with pytest.raises(Malformed):
        claimed_digests(CIMultiDict(headers))


def test_a_header_twice_with_two_digests_is_refused():
    with pytest.raises(Malformed):
        claimed_digests(CIMultiDict([("X-File-SHA256", SHA256), ("X-File-SHA256", "0" * 64)]))


@pytest.mark.parametrize(("headers", "size"), [({}, None), ({"Content-Length": "12"}, 12)])
def test_a_size(headers, size):
    assert claimed_size(CIMultiDict(headers)) == size


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", "٣", "9" * 20, "0x10"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(Malformed):
        claimed_size(CIMultiDict({"Content-Length": text}))


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Encoding": "identity"}, {"Content-Encoding": ""}, {"Content-Transfer-Encoding": "8bit"}],
)
def test_bytes_as_they_are(headers):
    refuse_encodings(CIMultiDict(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "zstd, gzip"},
        {"Content-Transfer-Encoding": "base64"},
    ],
)
def test_encoded_bytes_are_refused(headers):
    with pytest.raises(EncodedBody):
        refuse_encodings(CIMultiDict(headers))
