"""What was verified of one wheel or sdist, what could not be, and what is missing: in sentences that are true."""

from collections.abc import Sequence

from packhouse.ecosystems.view import Check
from packhouse.model import Artifact

_RECEIVED = (
    "SHA-256 and length were computed from the bytes received; an upload that announced others was refused."
)
_PATHS = "Every path looked at stays inside the archive, and no two of them differ only by case or accents."
_ZIP = (
    "It is one ZIP that cannot be read in two ways: its directory and the headers of its members agree and fill the "
    "whole file."
)
_TAR = "It is one gzip stream that holds one tar archive, with nothing but padding behind."
_NAMES = "Name and version in {source} are those of the file name{more}."
_RECORD = "RECORD lists every member but itself, and each has the hash and size that RECORD gives."
_WHEEL = "The tags in WHEEL are those of the file name."
_CRC = "The CRC-32 of each member matches its bytes."
_SIDECAR = (
    "The .metadata file beside it is the METADATA inside it, byte for byte; the index gives its SHA-256."
)
_ATTESTATION = (
    "No attestation: this server keeps none. Who built the file rests on the word of who uploaded it."
)
_TIME = "The source of the import told no upload time; the import's is shown."
_UNLOOKED = "not looked at"


def checks(artifact: Artifact) -> Sequence[Check]:
    """Return the lines of one file; where a warning came with the upload, it stands in place of the claim."""
    wheel = artifact.record["packagetype"] == "bdist_wheel"
    found = [Check(outcome="verified", text=_RECEIVED)]
    if wheel:
        found += [_verified(_ZIP), _verified(_PATHS)]
        more = ", and of the .dist-info directory"
        found.append(_verified(_NAMES.format(source="METADATA", more=more)))
        found += _unless(artifact, "RECORD:", _RECORD)
        found += _unless(artifact, "WHEEL:", _WHEEL)
        if artifact.record["core_metadata"]:
            found.append(_verified(_SIDECAR))
    else:
        zipped = artifact.filename.endswith(".zip")
        found += [_verified(_ZIP)] if zipped else []
        found += _unless(artifact, _UNLOOKED, _CRC if zipped else _TAR)
        found += [_verified(_PATHS), _verified(_NAMES.format(source="PKG-INFO", more=""))]
    found.append(Check(outcome="missing", text=_ATTESTATION))
    if artifact.imported:
        found.append(Check(outcome="missing", text=_TIME))
    return found


def _verified(text: str) -> Check:
    return Check(outcome="verified", text=text)


def _unless(artifact: Artifact, words: str, claim: str) -> Sequence[Check]:
    against = [warning for warning in artifact.warnings if words in warning]
    if against:
        return [Check(outcome="warning", text=warning) for warning in against]
    return [_verified(claim)]
