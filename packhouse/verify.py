"""Compare what was said with what the bytes say. Pure: opens nothing, decides no right, stores nothing.

Whether the archive itself is sound is the format's `inspect`; whether the name is free is the catalog's.
"""

from collections.abc import Iterator

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from packhouse.digest import Digests
from packhouse.errors import ClaimMismatch, Mismatch
from packhouse.model import Claim, Ecosystem, Observed, Verified


def verify(claim: Claim, digests: Digests, observed: Observed) -> Verified:
    """Return the artifact to claim, or refuse it.

    Args:
        claim: what was said; what is None was not said and is not compared.
        digests: of the bytes that were received, with their size.
        observed: what the archive says of itself.

    Raises:
        ClaimMismatch: it names every difference, not only the first.
    """
    wrong = list(_differences(claim, digests, observed))
    if wrong:
        raise ClaimMismatch(claim.filename, wrong)
    return Verified(
        channel=claim.channel,
        ecosystem=claim.ecosystem,
        path=f"{observed.directory}/{observed.filename}",
        digests=digests,
        observed=observed,
    )


def _differences(claim: Claim, digests: Digests, observed: Observed) -> Iterator[Mismatch]:
    for field, said, found in (
        ("size", claim.size, digests.size),
        *((name, claim.digests.get(name), digests.get(name)) for name in ("sha256", "md5", "blake2b_256")),
        ("filename", claim.filename, observed.filename),
        ("directory", claim.directory, observed.directory),
    ):
        if said is not None and said != found:
            yield Mismatch(field, said, found)
    if claim.package is not None and _name(claim) != observed.package:
        yield Mismatch("package", claim.package, observed.package)
    if claim.version is not None and not _same_version(claim.ecosystem, claim.version, observed.version):
        yield Mismatch("version", claim.version, observed.version)


def _name(claim: Claim) -> str:
    # PEP 503: "Foo.Bar", "foo_bar" and "foo-bar" are one project; conda and generic names are exact.
    return (
        canonicalize_name(claim.package or "") if claim.ecosystem is Ecosystem.PYPI else claim.package or ""
    )


def _same_version(ecosystem: Ecosystem, said: str, found: str) -> bool:
    if ecosystem is Ecosystem.PYPI:
        try:
            # PEP 440: "1.0" equals "1.0.0"; a local version ("1.0+cpu") does not equal its public one.
            return Version(said) == Version(found)
        except InvalidVersion:
            pass
    return said == found
