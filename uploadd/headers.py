"""What upload headers claim of the bytes: digests in every spelling in use."""

import base64
import binascii
import re

from multidict import CIMultiDict, CIMultiDictProxy

from packhouse.digest import parse_digest
from packhouse.errors import EncodedBody, Malformed

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

_HEX = {"X-File-SHA256": "sha256", "X-Checksum-Sha256": "sha256", "X-Checksum-Md5": "md5"}
# RFC 9530 `sha-256=:base64:` and the older RFC 3230 `sha-256=base64`
_DIGEST_HEADERS = ("Content-Digest", "Repr-Digest", "Digest")
_DIGEST_ITEM = re.compile(r"\s*(sha-256|md5)\s*=\s*:?([A-Za-z0-9+/]+={0,2}):?\s*", re.IGNORECASE)
_ALGORITHM = {"sha-256": "sha256", "md5": "md5"}


def claimed_digests(headers: Headers) -> dict[str, str]:
    """Return the digests that headers claim: `sha256`, `md5` to lower-case hex.

    Raises:
        Malformed: one is not a digest, or two of them contradict each other.
    """
    found: dict[str, str] = {}
    for header, algorithm in _HEX.items():
        for text in headers.getall(header, []):
            _put(found, algorithm, parse_digest(algorithm, text))
    for text in headers.getall("Content-MD5", []):
        _put(found, "md5", parse_digest("md5", _from_base64(text)))
    for header in _DIGEST_HEADERS:
        for item in ",".join(headers.getall(header, [])).split(","):
            if match := _DIGEST_ITEM.fullmatch(item):
                algorithm = _ALGORITHM[match[1].lower()]
                _put(found, algorithm, parse_digest(algorithm, _from_base64(match[2])))
    return found


def claimed_size(headers: Headers) -> int | None:
    """Return what `Content-Length` claims, in bytes, or None.

    Raises:
        Malformed: it is no number.
    """
    text = headers.get("Content-Length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Malformed(f"the Content-Length {text[:80]!r} is not a number of bytes")
    return int(text)


def refuse_encodings(headers: Headers) -> None:
    """Refuse a body, or a part of one, that is encoded for its way.

    Raises:
        EncodedBody: it has a Content-Encoding, or a Content-Transfer-Encoding that changes bytes.
    """
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    transfer = headers.get("Content-Transfer-Encoding", "binary").strip().lower()
    if encoding not in ("", "identity") or transfer not in ("", "binary", "8bit", "7bit"):
        shown = encoding if encoding != "identity" else transfer
        raise EncodedBody(f"the upload is sent with the encoding {shown[:80]!r}; send the file's own bytes")


def _put(found: dict[str, str], algorithm: str, value: str) -> None:
    if found.setdefault(algorithm, value) != value:
        raise Malformed(f"the request claims two different {algorithm} digests; send one")


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode(text.strip(), validate=True).hex()
    except (binascii.Error, ValueError):
        return text  # no base64, so no digest either: `parse_digest` says so
