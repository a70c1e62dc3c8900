"""What was verified of one conda package, what could not be, and what is missing: in sentences that are true."""

from collections.abc import Mapping, Sequence

from packhouse.ecosystems.view import Check
from packhouse.model import Artifact, Json

_ALWAYS = (
    "SHA-256 and length were computed from the bytes received; an upload that announced others was refused.",
    "Name, version and build in the file name are those of info/index.json, letter for letter.",
    "info/index.json is JSON that every reader reads alike: no key twice, no number that some cannot hold.",
    "Every dependency and constraint is a match spec that clients can read (CEP 29).",
    "Every path looked at stays inside the package, and so does every link; no file occurs twice, none is a device.",
)
_CONTAINER = {
    ".conda": "The container is a ZIP of exactly the three members of CEP 35, with no byte outside them that "
    "one reader would see and another not.",
    ".tar.bz2": "The container is one bzip2 stream that holds one tar archive, and nothing behind it.",
}
_CRC = "The CRC-32 of each of the container's members matches its bytes."
_SUBDIR = "It lies in the subdir that info/index.json names."
_OWN = "It brings nothing that only an installer may write (conda-meta/, info/repodata_record.json; CEP 34)."
_MISSING = (
    "The SHA-256 of single files (info/paths.json) was not compared with what the archive holds.",
    "No signature and no attestation is kept with the file: who built it rests on the word of who uploaded it.",
)


def checks(artifact: Artifact, details: Mapping[str, Json]) -> Sequence[Check]:
    """Return the lines of one file; what the inspection did not note is not claimed."""
    extension = ".conda" if artifact.filename.endswith(".conda") else ".tar.bz2"
    noted: Mapping[str, Json] = details.get("checked") or {}
    found = [Check(outcome="verified", text=text) for text in _ALWAYS]
    if extension == ".conda":
        found.append(Check(outcome="verified", text=_CONTAINER[extension]))
    if "whole" in noted:
        found += _of_the_rest(extension, whole=bool(noted["whole"]))
    for key, good, bad in (
        ("subdir", _SUBDIR, "info/index.json names no subdir; the file lies where the import put it."),
        ("own", _OWN, "It brings files that only an installer may write; an import let them in."),
    ):
        if key in noted:
            found.append(
                Check(outcome="verified", text=good) if noted[key] else Check(outcome="warning", text=bad)
            )
    if artifact.imported:
        found.append(
            Check(
                outcome="missing", text="The source of the import told no upload time; the import's is shown."
            )
        )
    return [*found, *(Check(outcome="missing", text=text) for text in _MISSING)]


def _of_the_rest(extension: str, *, whole: bool) -> Sequence[Check]:
    """What holds only where the stream was read to its end."""
    if not whole:
        text = "The file holds more than an inspection may decompress: its end was not looked at."
        return [Check(outcome="warning", text=text)]
    return [Check(outcome="verified", text=_CRC if extension == ".conda" else _CONTAINER[extension])]
