"""Wheels and sdists: what is stored, what is stored with a warning, what is refused."""

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from pypi_support import (
    make_sdist,
    make_sdist_zip,
    make_wheel,
    record_of,
    sdist_members,
    tar_bytes,
    wheel_members,
    wheel_metadata,
    zip_bytes,
)

from packhouse.digest import digest
from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi import PYPI
from packhouse.errors import BadArchive, BadMetadata, BadName, PackhouseError
from packhouse.model import Claim, Ecosystem, Observed
from packhouse.names import ChannelName, Filename

INFO = "tiny-1.0.dist-info"


def claim(filename: str, *, lenient: bool = False) -> Claim:
    return Claim(
        channel=ChannelName("main"), ecosystem=Ecosystem.PYPI, filename=Filename(filename), lenient=lenient
    )


@pytest.fixture
def judge(tmp_path: Path):
    def inspect(
        distribution: tuple[str, bytes], *, lenient: bool = False, limits: Limits | None = None
    ) -> Observed:
        filename, data = distribution
        path = tmp_path / "staged"
        path.write_bytes(data)
        return PYPI.inspect(path, claim(filename, lenient=lenient), limits or Limits())

    return inspect


def wheel(filename: str = "tiny-1.0-py3-none-any.whl", **arguments) -> tuple[str, bytes]:
    """Return a wheel with members added (`add`) or taken away (`drop`) and RECORD kept right unless given."""
    add, drop = arguments.pop("add", {}), arguments.pop("drop", ())
    members = wheel_members(**arguments) | add
    for path in drop:
        del members[path]
    record = next((path for path in members if path.endswith("/RECORD")), None)
    if record and "record" not in arguments:
        del members[record]
        members[record] = record_of(members, record)
    return filename, zip_bytes(members.items())


# --- what is stored ----------------------------------------------------------------------------------------


def test_a_wheel_is_observed_with_its_metadata_beside_it(judge):
    distribution = make_wheel(requires_dist=["six>=1"], metadata_extra="Author: Zoë\n", description="# Tiny")

    seen = judge(distribution)

    metadata = zipfile.ZipFile(io.BytesIO(distribution[1])).read(f"{INFO}/METADATA")
    assert (seen.package, seen.version, seen.directory) == ("tiny", "1.0", "packages/tiny")
    assert seen.sidecars == {".metadata": metadata}
    assert seen.record == {
        "name": "tiny",
        "version": "1.0",
        "packagetype": "bdist_wheel",
        "python_version": "py3",
        "requires_python": ">=3.8",
        "requires_dist": ["six>=1"],
        "summary": "A tiny thing",
        "core_metadata": digest([metadata]).sha256,
    }
    assert seen.details["metadata"]["author"] == "Zoë"
    assert seen.details["metadata"]["description"] == "# Tiny"
    assert seen.details["members"][0] == ["tiny/__init__.py", 20]
    assert seen.details["members_total"] == 4
    assert seen.warnings == []


@pytest.mark.parametrize("make", [make_sdist, make_sdist_zip])
def test_an_sdist_is_observed_without_a_sidecar(judge, make):
    seen = judge(make(name="Tiny.Thing", version="1.0rc1"))

    assert (seen.package, seen.version, seen.directory) == ("tiny-thing", "1.0rc1", "packages/tiny-thing")
    assert seen.record["packagetype"] == "sdist"
    assert seen.record["name"] == "Tiny.Thing"
    assert seen.record["core_metadata"] is None
    assert seen.sidecars == {}
    assert seen.details["members_total"] == 3
    assert seen.warnings == []


ACCEPTED = {
    "a local version": wheel("tiny-1.0+cu118-py3-none-any.whl", version="1.0+cu118"),
    "a bare linux tag": make_wheel(tag="cp311-cp311-linux_x86_64"),
    "a compressed tag set": make_wheel(tag="py2.py3-none-any"),
    "a private classifier": make_wheel(metadata_extra="Classifier: Private :: Do Not Upload\n"),
    "a signature that RECORD must not list": (
        "tiny-1.0-py3-none-any.whl",
        zip_bytes((wheel_members() | {f"{INFO}/RECORD.jws": b"{}"}).items()),
    ),
    "directories": wheel(add={"tiny/": b""}, record=wheel_members()[f"{INFO}/RECORD"]),
    "a blank line in RECORD": make_wheel(record=wheel_members()[f"{INFO}/RECORD"] + b"\n"),
    "entry points": make_wheel(
        files={
            "tiny.py": b"",
            f"{INFO}/entry_points.txt": b"[console_scripts]\ntiny = tiny:main\n[own]\nA=b\n",
        }
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_policy_allows(judge, name):
    assert judge(ACCEPTED[name]).warnings == []


def sha512_record() -> bytes:
    members = wheel_members()
    rows = []
    for path, data in members.items():
        value = base64.urlsafe_b64encode(hashlib.sha512(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},,\n" if path.endswith("RECORD") else f"{path},sha512={value},\n")
    return "".join(rows).encode()


def test_stronger_hashes_and_missing_sizes_are_fine(judge):
    assert judge(make_wheel(record=sha512_record())).warnings == []


# --- what is stored with a warning ---------------------------------------------------------------------------

WARNED = {
    "an old spelling of the name": (
        ("Tiny-1.0-py3-none-any.whl", make_wheel()[1]),
        "not normalised",
    ),
    "no Tag in WHEEL": (make_wheel(wheel=b"Wheel-Version: 1.0\n"), "WHEEL: it has no Tag"),
    "metadata 2.0": (make_wheel(metadata_version="2.0"), "never adopted"),
    "License twice": (
        make_wheel(metadata_version="2.4", metadata_extra="License: MIT\nLicense-Expression: MIT\n"),
        "both License",
    ),
    "entry points that do not parse": (
        make_wheel(files={f"{INFO}/entry_points.txt": b"no section"}),
        "entry_points.txt: it cannot be read",
    ),
    "entry points in another encoding": (
        make_wheel(files={f"{INFO}/entry_points.txt": b"[a]\nb=\xff"}),
        "entry_points.txt: it cannot be read",
    ),
    "an odd script name": (
        make_wheel(
            files={f"{INFO}/entry_points.txt": b"[console_scripts]\nti ny=a:b\n[gui_scripts]\nok=a:b\n"}
        ),
        "odd name for a script",
    ),
    "a top-level directory of another name": (
        (
            "tiny-1.0.tar.gz",
            gzip.compress(tar_bytes([("tiny/PKG-INFO", wheel_metadata())]), mtime=0),
        ),
        "top-level directory tiny is not called",
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_an_oddity_is_stored_with_a_warning(judge, name):
    distribution, warning = WARNED[name]

    assert warning in " ".join(judge(distribution).warnings)


# --- what is refused ------------------------------------------------------------------------------------------

STRUCTURE = {
    "text": (("tiny-1.0-py3-none-any.whl", b"print('hello')" * 10), "no end-of-central-directory"),
    "a wheel named like an sdist": (("tiny-1.0.zip", make_wheel()[1]), "2 top-level entries"),
    "a zip named like a tar": (("tiny-1.0.tar.gz", make_sdist_zip()[1]), "zip as well"),
    "a tar named like a zip": (("tiny-1.0.zip", make_sdist()[1]), "no end-of-central-directory"),
    "an uncompressed tar": (("tiny-1.0.tar.gz", tar_bytes(sdist_members().items())), "does not decompress"),
    "no METADATA": (wheel(drop=[f"{INFO}/METADATA"]), "it has no tiny-1.0.dist-info/METADATA"),
    "no WHEEL": (wheel(drop=[f"{INFO}/WHEEL"]), "it has no tiny-1.0.dist-info/WHEEL"),
    "no RECORD": (wheel(drop=[f"{INFO}/RECORD"]), "it has no tiny-1.0.dist-info/RECORD"),
    "no dist-info": (("tiny-1.0-py3-none-any.whl", zip_bytes([("tiny.py", b"")])), "0 .dist-info directories"),
    "two dist-infos": (wheel(add={"other-2.0.dist-info/METADATA": b""}), "2 .dist-info directories"),
    "two dist-infos by case": (wheel(add={"other-2.0.DIST-INFO/METADATA": b""}), "2 .dist-info directories"),
    "an empty dist-info": (
        wheel(add={"other-2.0.dist-info/": b""}, record=wheel_members()[f"{INFO}/RECORD"]),
        "2 .dist-info directories",
    ),
    "a file called dist-info": (wheel(add={"other-2.0.dist-info": b""}), "2 .dist-info directories"),
    "a dist-info of another project": (make_wheel(dist_info="other-1.0.dist-info"), "another project or version"),
    "a dist-info of another version": (make_wheel(dist_info="tiny-1.1.dist-info"), "another project or version"),
    "a dist-info without version": (make_wheel(dist_info="tiny.dist-info"), "another project or version"),
    "a member that climbs": (wheel(add={"../../x": b""}), "segment"),
    "no PKG-INFO": (
        ("tiny-1.0.tar.gz", gzip.compress(tar_bytes([("tiny-1.0/x", b"")]))),
        "no tiny-1.0/PKG-INFO, so it is no sdist",
    ),
    "no PKG-INFO in a zip": (("tiny-1.0.zip", zip_bytes([("tiny-1.0/x", b"")])), "no tiny-1.0/PKG-INFO"),
    "PKG-INFO too deep": (
        ("tiny-1.0.tar.gz", gzip.compress(tar_bytes([("tiny-1.0/a/PKG-INFO", wheel_metadata())]))),
        "no tiny-1.0/PKG-INFO",
    ),
    "two top-level directories": (
        ("tiny-1.0.tar.gz", gzip.compress(tar_bytes([("tiny-1.0/PKG-INFO", wheel_metadata()), ("x/y", b"")]))),
        "2 top-level entries",
    ),
    "an empty tar": (("tiny-1.0.tar.gz", gzip.compress(b"\0" * 1024)), "0 top-level entries"),
    "a damaged member of a zip sdist": (
        ("tiny-1.0.zip", zip_bytes(sdist_members().items(), zipfile.ZIP_STORED).replace(b"build-backend", b"built-backend")),
        "size and checksum",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("name", STRUCTURE)
def test_broken_structure_is_refused_even_from_imports(judge, name, lenient):
    distribution, reason = STRUCTURE[name]

    with pytest.raises(BadArchive, match=reason):
        judge(distribution, lenient=lenient)


MEMBERS = wheel_members()
RECORD = MEMBERS[f"{INFO}/RECORD"]

CONTENT = {
    "a member that RECORD does not list": (
        wheel(add={"evil.py": b""}, record=RECORD),
        "does not list: evil.py",
    ),
    "a member with another hash": (
        wheel(add={"tiny/__init__.py": b"evil"}, record=RECORD),
        "no right hash or size for: tiny/__init__.py",
    ),
    "a row without a member": (
        make_wheel(record=RECORD + b"gone.py,sha256=x,1\n"),
        "not in the wheel: gone.py",
    ),
    "a row with another size": (
        make_wheel(record=RECORD.replace(b",20\n", b",21\n")),
        "no right hash or size",
    ),
    "a row without a hash": (
        make_wheel(record=b"tiny/__init__.py,,\n" + RECORD.split(b"\n", 1)[1]),
        "no right hash or size",
    ),
    "md5, which anybody can forge": (make_wheel(record=RECORD.replace(b"sha256=", b"md5=")), "no right hash"),
    "a hash that is no base64": (
        make_wheel(record=RECORD.replace(b"sha256=", b"sha256=\xc3\xa9")),
        "no right hash",
    ),
    "a row with two fields": (make_wheel(record=b"a,b\n"), "has 2 fields"),
    "the same row twice": (make_wheel(record=RECORD + RECORD), "listed twice"),
    "an unclosed quote": (make_wheel(record=b'"a'), "RECORD: it cannot be read"),
    "RECORD in another encoding": (make_wheel(record=b"\xff,,\n"), "RECORD: it cannot be read"),
    "a Wheel-Version of the future": (make_wheel(wheel=b"Wheel-Version: 2.0\nTag: py3-none-any\n"), "'2.0'"),
    "no Wheel-Version": (make_wheel(wheel=b"Tag: py3-none-any\n"), "Wheel-Version is ''"),
    "other tags": (
        make_wheel(wheel=b"Wheel-Version: 1.0\nTag: cp311-cp311-win32\n"),
        "its tags are cp311-cp311-win32",
    ),
    "one tag too many": (
        make_wheel(wheel=b"Wheel-Version: 1.0\nTag: py3-none-any\nTag: py2-none-any\n"),
        "its tags are py2-none-any py3-none-any",
    ),
    "a tag that is none": (make_wheel(wheel=b"Wheel-Version: 1.0\nTag: py3\n"), "'py3' is not a tag"),
    "an empty part of a tag": (make_wheel(wheel=b"Wheel-Version: 1.0\nTag: py3.-none-any\n"), "is not a tag"),
    "a tag that expands to millions": (
        make_wheel(wheel=b"Wheel-Version: 1.0\nTag: " + b"a." * 40 + b"a-b-c\n"),
        "is not a tag",
    ),
    "a script that climbs": (
        make_wheel(files={f"{INFO}/entry_points.txt": b"[console_scripts]\n../../evil=a:b\n"}),
        "would be written elsewhere",
    ),
    "a specifier of old": (make_wheel(requires_python=">=3.6.*"), "requires-python is not valid"),
    "a requirement of old": (make_wheel(requires_dist=["six (>=1.*)"]), "requires-dist is not valid"),
    "an old specifier in an sdist": (make_sdist(requires_python=">=3.6.*"), "PKG-INFO: requires-python"),
}


@pytest.mark.parametrize("name", CONTENT)
def test_content_that_contradicts_itself_is_refused(judge, name):
    distribution, reason = CONTENT[name]

    with pytest.raises(BadMetadata) as refusal:
        judge(distribution)

    assert reason in str(refusal.value)


@pytest.mark.parametrize("name", CONTENT)
def test_an_import_keeps_it_with_the_reason(judge, name):
    distribution, reason = CONTENT[name]

    warnings = judge(distribution, lenient=True).warnings

    assert any(reason in warning and "kept although" in warning for warning in warnings)


def test_an_import_never_lists_a_broken_specifier(judge):
    assert judge(make_wheel(requires_python=">=3.6.*"), lenient=True).record["requires_python"] is None


DISAGREEING = {
    "METADATA of another project": make_wheel(metadata=wheel_metadata("other")),
    "METADATA of another version": make_wheel(metadata=wheel_metadata(version="1.1")),
    "METADATA with two names": make_wheel(metadata_extra="Name: other\n"),
    "PKG-INFO of another project": make_sdist(metadata=wheel_metadata("other")),
    "PKG-INFO of another version": make_sdist(metadata=wheel_metadata(version="1.1")),
    "a renamed sdist": ("six-1.0.tar.gz", make_sdist()[1]),
    "an sdist of a version that contains the other": ("tiny-11.0.tar.gz", make_sdist()[1]),
}


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("name", DISAGREEING)
def test_file_name_and_content_must_agree_even_for_imports(judge, name, lenient):
    with pytest.raises(BadMetadata, match=r"but the file name says|no single Name"):
        judge(DISAGREEING[name], lenient=lenient)


def test_every_problem_is_named_at_once(judge):
    with pytest.raises(BadMetadata) as refusal:
        judge(make_wheel(requires_python="x", requires_dist=["-"], record=b"a,b\n", wheel=b"Tag: x\n"))

    assert len(refusal.value.problems) == 5


def test_a_link_is_no_metadata(judge):
    link = tarfile.TarInfo("tiny-1.0/PKG-INFO")
    link.type, link.linkname = tarfile.SYMTYPE, "x"
    data = gzip.compress(tar_bytes([("tiny-1.0/x", wheel_metadata())], [link]), mtime=0)

    with pytest.raises(BadArchive, match=r"no tiny-1\.0/PKG-INFO"):
        judge(("tiny-1.0.tar.gz", data))


# --- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "count"),
    [
        (make_wheel(files={"a": b"x" * 5000, "b": b"x" * 5000}), "2 of 5 members were not looked at"),
        (make_sdist_zip(files={"a": b"x" * 5000, "b": b"x" * 5000}), "2 of 3 members were not looked at"),
    ],
)
def test_what_was_not_looked_at_is_counted(judge, distribution, count):
    assert count in " ".join(judge(distribution, limits=Limits(scan_bytes=4000)).warnings)


def test_a_tar_past_the_limit_says_so(judge):
    files = {name: bytes(range(256)) * 8192 for name in "ab"}

    warnings = judge(make_sdist(files=files), limits=Limits(scan_bytes=1 << 20)).warnings

    assert warnings == ["the rest was not looked at: it unpacks to more than 1048576 bytes"]


def test_members_shown_are_capped(judge):
    seen = judge(make_wheel(files={f"d/{n}": b"" for n in range(10_050)}))

    assert len(seen.details["members"]) == 10_000
    assert seen.details["members_total"] == 10_053


def test_a_damaged_member_past_the_metadata_is_found(judge):
    filename, data = make_wheel(files={"tiny.py": b"x = 1\n" * 3})
    at = data.index(b"PK\x03\x04") + 30 + len("tiny.py")

    with pytest.raises(BadArchive):
        judge((filename, data[:at] + b"\xff" * 4 + data[at + 4 :]))


# --- robustness ----------------------------------------------------------------------------------------------


def test_any_failure_of_a_parser_is_a_refusal(judge, monkeypatch):
    """Hostile bytes may break a parser in any way; the reason is kept, the worker is not lost."""

    def broken(*_: object) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr("packhouse.ecosystems.pypi.inspect.read_wheel", broken)

    with pytest.raises(BadArchive, match="RecursionError: maximum recursion depth"):
        judge(make_wheel())


def test_a_failing_disk_is_not_the_files_fault(tmp_path):
    with pytest.raises(FileNotFoundError):
        PYPI.inspect(tmp_path / "gone", claim("tiny-1.0.tar.gz"), Limits())


def test_a_bad_name_is_refused_before_anything_is_opened(tmp_path):
    with pytest.raises(BadName):
        PYPI.inspect(tmp_path / "gone", claim("tiny.whl"), Limits())


@pytest.mark.parametrize("make", [make_wheel, make_sdist, make_sdist_zip])
def test_no_truncation_is_accepted(judge, make):
    filename, data = make()
    for length in range(0, len(data), 7):
        with pytest.raises(PackhouseError):
            judge((filename, data[:length]))


def test_nothing_is_extracted(judge, tmp_path):
    judge(make_wheel())
    judge(make_sdist())

    assert [path.name for path in tmp_path.iterdir()] == ["staged"]
