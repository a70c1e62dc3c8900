"""Claims against bytes: every difference is named, and only differences."""

import dataclasses

import pytest

from packhouse.digest import digest
from packhouse.errors import ClaimMismatch, Mismatch
from packhouse.model import Claim, Ecosystem, Observed, Verified
from packhouse.names import Filename, parse_channel
from packhouse.verify import verify

BYTES = digest([b"bytes"])
MAIN = parse_channel("main")


def observed(**more) -> Observed:
    plain = {"package": "foo-bar", "version": "1.0", "directory": "packages/foo-bar", "record": {}}
    return Observed(filename=Filename("foo_bar-1.0.tar.gz"), **{**plain, **more})


def claim(ecosystem: Ecosystem = Ecosystem.PYPI, **more) -> Claim:
    return Claim(channel=MAIN, ecosystem=ecosystem, **{"filename": Filename("foo_bar-1.0.tar.gz"), **more})


def test_what_agrees_becomes_verified():
    """Everything said, everything true: the artifact's place follows from the bytes."""
    said = claim(
        size=5,
        digests={"sha256": BYTES.sha256, "md5": BYTES.md5, "blake2b_256": BYTES.blake2b_256},
        directory="packages/foo-bar",
        package="Foo.Bar",
        version="1.0.0",
    )

    assert verify(said, BYTES, observed()) == Verified(
        channel=MAIN,
        ecosystem=Ecosystem.PYPI,
        path="packages/foo-bar/foo_bar-1.0.tar.gz",
        digests=BYTES,
        observed=observed(),
    )


def test_what_was_not_said_is_not_compared():
    assert verify(claim(), BYTES, observed()).digests == BYTES


def test_every_difference_is_named_at_once():
    """Whoever uploads learns of all of them in one go."""
    said = claim(
        filename=Filename("foo_bar-1.0.zip"),
        size=4,
        digests={"sha256": "0" * 64, "md5": "1" * 32, "blake2b_256": "2" * 64},
        directory="packages/other",
        package="other",
        version="2.0",
    )
    with pytest.raises(ClaimMismatch) as raised:
        verify(said, BYTES, observed())

    assert raised.value.mismatches == (
        Mismatch("size", 4, 5),
        Mismatch("sha256", "0" * 64, BYTES.sha256),
        Mismatch("md5", "1" * 32, BYTES.md5),
        Mismatch("blake2b_256", "2" * 64, BYTES.blake2b_256),
        Mismatch("filename", "foo_bar-1.0.zip", "foo_bar-1.0.tar.gz"),
        Mismatch("directory", "packages/other", "packages/foo-bar"),
        Mismatch("package", "other", "foo-bar"),
        Mismatch("version", "2.0", "1.0"),
    )
    assert "size is 5, but the upload claimed 4" in str(raised.value)


@pytest.mark.parametrize(
    ("ecosystem", "said", "found", "agree"),
    [
        (Ecosystem.PYPI, "Foo__Bar", "foo-bar", True),
        (Ecosystem.PYPI, "foobar", "foo-bar", False),
        (Ecosystem.CONDA, "foo-bar", "foo-bar", True),
        (Ecosystem.CONDA, "foo_bar", "foo-bar", False),
        (Ecosystem.CONDA, "Foo-Bar", "foo-bar", False),
        (Ecosystem.GENERIC, "foo.bar", "foo-bar", False),
        (Ecosystem.GENERIC, "", "foo-bar", False),
    ],
)
def test_names_are_compared_as_their_ecosystem_does(ecosystem, said, found, agree):
    """PEP 503 folds spellings for Python only."""
    assert _agree(claim(ecosystem, package=said), observed(package=found)) == agree


@pytest.mark.parametrize(
    ("ecosystem", "said", "found", "agree"),
    [
        (Ecosystem.PYPI, "1.0", "1.0.0", True),
        (Ecosystem.PYPI, "v1.0RC1", "1.0rc1", True),
        (Ecosystem.PYPI, "1.0+cpu", "1.0", False),
        (Ecosystem.PYPI, "1.0", "11.0", False),
        (Ecosystem.PYPI, "2004d-x", "2004d-x", True),
        (Ecosystem.PYPI, "2004d-x", "2004d", False),
        (Ecosystem.PYPI, "1.0", "weird version", False),
        (Ecosystem.CONDA, "1.0", "1.0.0", False),
        (Ecosystem.CONDA, "1.0", "1.0", True),
        (Ecosystem.GENERIC, "nightly", "nightly", True),
    ],
)
def test_versions_are_compared_as_their_ecosystem_does(ecosystem, said, found, agree):
    """PEP 440 where both texts are versions of it; as text everywhere else."""
    assert _agree(claim(ecosystem, version=said), observed(version=found)) == agree


def _agree(said: Claim, seen: Observed) -> bool:
    try:
        return bool(verify(said, BYTES, seen))
    except ClaimMismatch:
        return False


def test_verifying_changes_nothing():
    said, seen = claim(size=5), observed()
    before = (dataclasses.replace(said), dataclasses.replace(seen))
    verify(said, BYTES, seen)

    assert (said, seen) == before
