"""Opening conda packages: what real ones say, what odd and hostile ones are told (CEP 34, 35)."""

import asyncio
import bz2
import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from backports import zstd
from conda_support import (
    BUILD_TIME_MS,
    FORMAT_VERSION,
    conda_of,
    index_json,
    info_members,
    make_conda,
    make_tarbz2,
    tar_of,
    zip_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from rattler import MatchSpec
from rattler.index import index_fs

from packhouse.ecosystems import Limits
from packhouse.ecosystems.conda import CONDA
from packhouse.ecosystems.conda.container import member_problem
from packhouse.ecosystems.conda.inspect import inspect
from packhouse.ecosystems.conda.strictjson import JsonError, parse_json
from packhouse.errors import BadArchive, BadMetadata, BadName
from packhouse.model import Claim, Ecosystem
from packhouse.names import ChannelName, Filename

SHARED = Path(__file__).parents[2] / "shared/data/conda"
LIMITS = Limits(now_us=1_780_000_000_000_000)

needs_real_packages = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared real packages are not beside this checkout"
)


def claim(filename, **facts):
    return Claim(channel=ChannelName("main"), ecosystem=Ecosystem.CONDA, filename=Filename(filename), **facts)


@pytest.fixture
def look(tmp_path):
    """Inspect bytes under a name, at a path that says nothing."""

    def look(filename, body, limits=LIMITS, **facts):
        path = tmp_path / "upload"
        path.write_bytes(body)
        return CONDA.inspect(path, claim(filename, **facts), limits)

    return look


def refused(look, error, said, filename, body, **facts):
    with pytest.raises(error) as caught:
        look(filename, body, **facts)
    assert said in str(caught.value)
    assert filename in str(caught.value)
    return caught.value


# --- real packages -----------------------------------------------------------------------------------------

REAL_GOOD = sorted(SHARED.glob("good/*/*/*/*"))
REAL_ODD = sorted(SHARED.glob("odd/*/*/*/*"))

# The four that break the rules; everything else in the folder must pass.
REFUSED = {
    "foo-0.1-0.tar.bz2": "subdir is None",
    "nano-2.4.1-0.tar.bz2": "subdir is None",
    "test-package-0.1-0_copy.tar.bz2": "build is '0' in info/index.json, but '0_copy' in the file name",
    "f35729f4/conda_gc_test-2.2.1-py27_3.conda": "its metadata.json is not",
}


def rule_broken_by(path):
    return REFUSED.get(path.name) or REFUSED.get(f"{path.parent.name}/{path.name}")


@needs_real_packages
def test_real_packages_pass_but_for_four():
    refusals = 0
    for path in REAL_GOOD:
        said = rule_broken_by(path)
        if said:
            refusals += 1
            with pytest.raises((BadArchive, BadMetadata)) as caught:
                inspect(path, claim(path.name), LIMITS)
            assert said in str(caught.value)
        else:
            assert inspect(path, claim(path.name), LIMITS).directory == path.parts[-3]
    assert len(REAL_GOOD) == 119
    assert refusals == 4


# What Packhouse's record may have that rattler's index lacks, or the other way round, and why.
ALLOWED_DIFFERENCES = {
    # rattler rewrites specs that its strict mode refuses (`x ==3*` to `x 3.*`, `x 0.1 y` to `x ==0.1 y`). The record
    # keeps the publisher's text, as conda-index does; both mean the same to rattler, which the test asserts.
    "depends": lambda path, ours, theirs: meanings(ours) == meanings(theirs),
    "constrains": lambda path, ours, theirs: meanings(ours) == meanings(theirs),
    # rattler's reader of .tar.bz2 stops at index.json; conda-index reads run exports of both kinds, and so do we.
    "run_exports": lambda path, ours, theirs: path.name.endswith(".tar.bz2") and theirs is None,
}


def meanings(specs):
    return [str(MatchSpec(spec)) for spec in specs or ()]


@needs_real_packages
def test_records_equal_those_of_rattlers_index(tmp_path):
    """An independent indexer writes the same record for the same file; the exceptions are the closed list above."""
    compared = 0
    for path in REAL_GOOD:
        if rule_broken_by(path):
            continue
        channel = tmp_path / path.parent.name
        (channel / path.parts[-3]).mkdir(parents=True)
        (channel / "noarch").mkdir(exist_ok=True)
        (channel / path.parts[-3] / path.name).write_bytes(path.read_bytes())
        asyncio.run(index_fs(channel, write_zst=False, write_shards=False))
        document = json.loads((channel / path.parts[-3] / "repodata.json").read_text())
        theirs = {**document["packages"], **document["packages.conda"]}[path.name]
        ours = dict(inspect(path, claim(path.name), LIMITS).record)
        for key in ("md5", "sha256", "size", "indexed_timestamp"):  # the catalog's part of the record
            del theirs[key]
        for key, excuse in ALLOWED_DIFFERENCES.items():
            if ours.get(key) != theirs.get(key) and excuse(path, ours.get(key), theirs.get(key)):
                ours.pop(key, None)
                theirs.pop(key, None)
        assert ours == theirs, path
        compared += 1
    assert compared == 115


@needs_real_packages
def test_odd_files_are_refused_with_a_reason():
    """Empty files, text, names without three parts, a tar whose members begin with `./`: each is told what is wrong."""
    for path in REAL_ODD:
        with pytest.raises((BadName, BadArchive)) as caught:
            inspect(path, claim(path.name), LIMITS)
        assert len(str(caught.value)) > len(path.name) + 20
    assert len(REAL_ODD) == 25


# --- what is kept ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_conda, make_tarbz2])
def test_a_package_is_read(look, make):
    filename, body = make(
        "tiny",
        "1.0",
        "h0_3",
        "linux-64",
        ["python >=3"],
        {"constrains": ["foo <2"], "track_features": ["a", "b"], "unknown": 1, "license_family": None},
        {
            "bin/.tiny-post-link.sh": b"",
            "etc/conda/activate.d/x.sh": b"",
            "Scripts/.tiny-pre-unlink.bat": b"",
            "lib/libtiny.so": b"1234",
        },
        info_files={
            "info/run_exports.json": b'{"weak": ["tiny >=1"], "strong": [], "noise": 1}',
            "info/has_prefix": b"/opt/placeholder binary lib/libtiny.so\n/opt/placeholder text bin/x\nold\n",
            "info/recipe/meta.yaml": b"package: {name: tiny}",
            "info/about.json": b'{"summary": "a tiny one", "home": "", "tags": ["x"], "extra": {"no": 1}}',
        },
    )
    observed = look(filename, body)
    assert (observed.package, observed.version, observed.directory) == ("tiny", "1.0", "linux-64")
    assert observed.record == {
        "arch": "x86_64",
        "build": "h0_3",
        "build_number": 3,
        "constrains": ["foo <2"],
        "depends": ["python >=3"],
        "license": "BSD-3-Clause",
        "name": "tiny",
        "platform": "linux",
        "run_exports": {"weak": ["tiny >=1"]},
        "subdir": "linux-64",
        "timestamp": BUILD_TIME_MS,
        "track_features": "a b",
        "version": "1.0",
    }
    assert observed.details["about"] == {"summary": "a tiny one", "tags": ["x"]}
    assert observed.details["files"] == 4
    assert observed.details["bytes"] == 4
    assert ["lib/libtiny.so", 4] in observed.details["members"]
    assert observed.details["recipe"] == "package: {name: tiny}"
    assert observed.details["flags"] == {
        "activate.d": True,
        "binary_prefix": True,
        "deactivate.d": False,
        "post_link": True,
        "pre_link": False,
        "pre_unlink": True,
        "text_prefix": True,
    }
    assert observed.warnings == []


def test_prefix_modes_come_from_paths_json_too(look):
    paths = {"paths": [{"_path": "x", "prefix_placeholder": "/p", "file_mode": "binary"}, {"_path": "y"}, 7]}
    filename, body = make_conda(info_files={"info/paths.json": json.dumps(paths).encode()})
    assert look(filename, body).details["flags"]["binary_prefix"] is True


def test_damaged_documents_that_only_pages_need_are_a_warning(look):
    filename, body = make_conda(info_files={"info/about.json": b"{", "info/paths.json": None})
    warnings = " ".join(look(filename, body).warnings)
    assert "info/about.json was not used" in warnings
    assert "info/paths.json is missing" in warnings


def test_run_exports_of_older_shapes_mean_weak(look):
    for text in (b'"tiny"', b'["tiny"]', b'{"weak": "tiny"}'):
        filename, body = make_conda(info_files={"info/run_exports.json": text})
        assert look(filename, body).record["run_exports"] == {"weak": ["tiny"]}


def test_past_the_scan_budget_the_rest_is_not_looked_at_and_said_so(look):
    big = {f"share/{n}": bytes(200_000) for n in range(8)}
    for make in (make_conda, make_tarbz2):
        filename, body = make(files=big)
        observed = look(filename, body, limits=Limits(scan_bytes=800_000))
        assert any("only the first" in warning for warning in observed.warnings)
        assert observed.details["files"] < 8
        assert look(filename, body).warnings == []


# --- metadata that breaks a rule ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "evil"}, "name is 'evil' in info/index.json, but 'tiny' in the file name"),
        ({"version": "1.0.0"}, "version is '1.0.0'"),
        ({"build": "1"}, "build is '1'"),
        ({"build_number": "0"}, "build_number is '0'"),
        ({"build_number": True}, "build_number is True"),
        ({"build_number": -1}, "build_number is -1"),
        ({"subdir": "noarch "}, "subdir is 'noarch '"),
        ({"subdir": ["noarch"]}, "subdir is ['noarch']"),
        ({"noarch": ...}, "noarch is neither"),
        ({"noarch": "ruby"}, "noarch is 'ruby'"),
        ({"noarch": ["python"]}, "noarch is ['python']"),
        ({"depends": ...}, "has no depends"),
        ({"depends": None}, "depends is None"),
        ({"depends": "python"}, "depends is 'python'"),
        ({"depends": ["python", 3]}, "depends is ['python', 3]"),
        ({"depends": ["python >=3,"]}, "'python >=3,', which is no match spec"),
        ({"constrains": ["a b c d"]}, "constrains holds"),
        ({"constrains": {"a": 1}}, "constrains is {'a': 1}"),
        ({"license": ["MIT"]}, "license is ['MIT']"),
        ({"features": ["x"]}, "features is ['x']"),
        ({"track_features": {"x": 1}}, "track_features is"),
        ({"timestamp": 1.5e12}, "timestamp is 1500000000000.0"),
        ({"timestamp": 10**17}, "timestamp is"),
        ({"timestamp": 1_790_000_000_000}, "lies in the future"),
        ({"purls": ["nonsense"]}, "purls is"),
        ({"flags": ["A B"]}, "flags is"),
        ({"extra_depends": {"A B": []}}, "extra_depends is"),
        ({"extra_depends": {"x": ["a ("]}}, "extra_depends[x] holds"),
        ({"schema_version": "3"}, "schema_version is '3'"),
        ({"schema_version": 3, "depends": ["c::foo"]}, "sets channel for foo"),
        ({"license": "x" * 200 + "y", "license_family": ["z" * 200]}, "..."),
    ],
)
def test_metadata_that_breaks_a_rule_is_refused(look, changes, said):
    refused(look, BadMetadata, said, *make_conda(extra_index=changes))


def test_every_problem_is_named_at_once(look):
    filename, body = make_conda(
        extra_index={"name": "evil", "license": 1, "depends": ["a ("]},
        info_files={"info/run_exports.json": b"7"},
    )
    error = refused(look, BadMetadata, "name is", filename, body)
    assert len(error.problems) == 4


def test_run_exports_must_be_specs(look):
    refused(
        look,
        BadMetadata,
        "run_exports.weak",
        *make_conda(info_files={"info/run_exports.json": b'{"weak": [1]}'}),
    )


@pytest.mark.parametrize("text", [b"[]", b"3"])
def test_an_index_that_is_no_object_is_refused(look, text):
    refused(look, BadMetadata, "is not an object", *make_conda(info_files={"info/index.json": text}))


def test_abi3_packages_are_noarch_in_a_platforms_subdir(look):
    """CEP 20: the rule holds one way only."""
    filename, body = make_conda(subdir="linux-64", extra_index={"noarch": "python"})
    assert look(filename, body).directory == "linux-64"


def test_old_spellings_that_clients_read_are_warnings(look):
    filename, body = make_conda(
        extra_index={"noarch": True, "timestamp": 1_700_000_000, "purls": ["pkg:pypi/tiny"]}
    )
    observed = look(filename, body)
    assert len(observed.warnings) == 2
    assert observed.record["noarch"] is True
    assert observed.record["timestamp"] == 1_700_000_000


@pytest.mark.parametrize(
    "changes", [{"noarch": ...}, {"depends": ...}, {"timestamp": 1_790_000_000_000}, {"subdir": ...}]
)
def test_lenient_imports_let_old_habits_in_with_a_warning(look, changes):
    filename, body = make_conda(extra_index=changes)
    observed = look(filename, body, lenient=True, directory="noarch")
    assert observed.directory == "noarch"
    assert len(observed.warnings) == 1


def test_lenient_imports_still_refuse_what_breaks_clients(look):
    filename, body = make_conda(extra_index={"depends": ["a ("], "build_number": "0", "name": "evil"})
    error = refused(look, BadMetadata, "no match spec", filename, body, lenient=True)
    assert len(error.problems) == 3


def test_an_installers_files_are_refused_and_imported_with_a_warning(look):
    filename, body = make_conda(
        files={"conda-meta/history": b""}, info_files={"info/repodata_record.json": b"{}"}
    )
    error = refused(look, BadMetadata, "only an installer may write", filename, body)
    assert len(error.problems) == 2
    assert len(look(filename, body, lenient=True).warnings) == 2


# --- revision 3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 3},
        {"repodata_revision": 3},
        {"flags": ["cuda", "blas:mkl"]},
        {"extra_depends": {"test": ["pytest >=8"]}},
        {"extra-depends": {"test": ["pytest >=8"]}},
        {"depends": ["foo[when='python >=3.10']"]},
        {"constrains": ["foo[extras=[a]]"]},
    ],
)
def test_records_that_older_clients_cannot_read_are_marked(look, changes):
    record = look(*make_conda(extra_index={"depends": ["bar >=1 *_0"], **changes})).record
    assert record["schema_version"] == 3
    if "depends" not in changes:  # CEP 48: name and square brackets
        assert record["depends"] == ['bar[build="*_0",version=">=1"]']
    if "extra_depends" in changes or "extra-depends" in changes:
        assert record["extra_depends"] == {"test": ['pytest[version=">=8"]']}


def test_empty_flags_and_groups_change_nothing(look):
    record = look(*make_conda(extra_index={"flags": [], "extra_depends": {}, "schema_version": 1})).record
    assert not {"flags", "extra_depends", "schema_version"} & record.keys()


# --- containers --------------------------------------------------------------------------------------------

STEM = "tiny-1.0-0"
NAME = f"{STEM}.conda"
INFO = tar_of(info_members(index_json(), {}))
PKG = tar_of([("share/x", b"x")])
PARTS = [
    ("metadata.json", FORMAT_VERSION),
    (f"pkg-{STEM}.tar.zst", zstd.compress(PKG)),
    (f"info-{STEM}.tar.zst", zstd.compress(INFO)),
]
GOOD = zip_of(PARTS)


def test_members_may_come_in_any_order(look):
    for parts in (PARTS, PARTS[::-1], [PARTS[1], PARTS[0], PARTS[2]]):
        assert look(NAME, zip_of(parts)).package == "tiny"


def zip64_of(parts):
    """A ZIP file that states every size in zip64 fields."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in parts:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(body)
    return buffer.getvalue()


def with_zip64_end(body):
    """The same file, its end record replaced by zip64 records that say the same."""
    count, size, start = struct.unpack("<HLL", body[-12:-2])
    at = len(body) - 22
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return body[:-22] + end64 + locator + end


def test_zip64_is_read(look):
    assert look(NAME, zip64_of(PARTS)).package == "tiny"
    assert look(NAME, with_zip64_end(GOOD)).package == "tiny"


CENTRAL_HEADS = [at for at in range(len(GOOD)) if GOOD.startswith(b"PK\x01\x02", at)]


def with_end(body, start):
    """The same bytes, an end record behind them that says where the directory starts."""
    return body + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, len(body) - start, start, 0)


def far_away(body):
    """The second member claims a gigabyte, and the third to lie behind it."""
    for at in (SECOND + 18, SECOND + 22, CENTRAL_HEADS[1] + 20, CENTRAL_HEADS[1] + 24):
        body = patched(body, at, struct.pack("<L", 1 << 30))
    third = SECOND + 30 + len(PARTS[1][0]) + (1 << 30)
    return patched(body, CENTRAL_HEADS[2] + 42, struct.pack("<L", third))


def patched(body, at, data):
    at %= len(body)
    return body[:at] + data + body[at + len(data) :]


CENTRAL = GOOD.index(b"PK\x01\x02")
SECOND = GOOD.index(b"PK\x03\x04", 4)
END64 = with_zip64_end(GOOD)

HOSTILE_ZIPS = {
    "empty": (b"", "too short"),
    "text": (b"x" * 100, "not a ZIP file"),
    "prefix": (b"#!/bin/sh\n" + GOOD, "directory is not where"),
    "suffix": (GOOD + b"x", "not a ZIP file, or has a comment"),
    "comment": (patched(GOOD, -2, b"\x01\x00") + b"x", "not a ZIP file, or has a comment"),
    "several disks": (patched(GOOD, -18, b"\x01\x00"), "several parts"),
    "count lies": (patched(GOOD, -12, b"\x02\x00"), "exactly three"),
    "two members": (zip_of(PARTS[:2]), "exactly three"),
    "four members": (zip_of([*PARTS, ("more", b"")]), "exactly three"),
    "duplicate": (zip_of([PARTS[0], PARTS[0], PARTS[2]]), "have one name"),
    "deflated": (zip_of(PARTS, compression=zipfile.ZIP_DEFLATED), "is compressed"),
    "nested": (zip_of([(f"{STEM}/{name}", body) for name, body in PARTS]), "and nothing else"),
    "other stem": (zip_of([*PARTS[:2], ("info-evil-1.0-0.tar.zst", PARTS[2][1])]), "and nothing else"),
    "not ASCII": (zip_of([*PARTS[:2], ("infö", b"")]), "not ASCII"),
    "directory name differs": (patched(GOOD, CENTRAL + 46, b"M"), "own header contradicts"),
    "directory signature": (patched(GOOD, CENTRAL, b"X"), "directory is damaged"),
    "directory comment": (patched(GOOD, CENTRAL + 32, b"\x01"), "directory is damaged"),
    "directory name too long": (patched(GOOD, CENTRAL + 28, b"\xff\xff"), "directory is damaged"),
    "local signature": (patched(GOOD, 0, b"X"), "own header contradicts"),
    "local size": (patched(GOOD, 22, b"\x01"), "own header contradicts"),
    "encrypted": (patched(patched(GOOD, 6, b"\x01"), CENTRAL + 8, b"\x01"), "encrypted"),
    "gap": (patched(GOOD, CENTRAL + 42, b"\x01"), "overlap, or other data"),
    "checksum of metadata": (patched(patched(GOOD, 14, b"\0\0\0\0"), CENTRAL + 16, b"\0\0\0\0"), "checksum"),
    "behind the file": (far_away(GOOD), "ends in the middle of a ZIP record"),
    "data before the directory": (
        with_end(GOOD[:CENTRAL] + b"xx" + GOOD[CENTRAL:-22], CENTRAL + 2),
        "lies between",
    ),
    "directory cut": (with_end(GOOD[:-22], len(GOOD) - 22 - 10), "directory is cut short"),
    "directory longer": (with_end(GOOD[:-22] + b"xx", CENTRAL), "goes on after three"),
    "size only in zip64": (patched(GOOD, CENTRAL + 24, b"\xff" * 4), "zip64 field is missing"),
    "zip64 missing": (patched(GOOD, -14, b"\xff\xff\xff\xff"), "zip64"),
    "zip64 missing and short": (
        GOOD[-22:-16] + b"\0\0\xff\xff\xff\xff" + b"\0" * 10,
        "zip64 records are missing",
    ),
    "zip64 locator": (patched(END64, -42 + 16, b"\x02"), "zip64 records do not agree"),
    "zip64 end": (patched(END64, -98 + 4, b"\x00"), "zip64 records do not agree"),
    "metadata": (zip_of([("metadata.json", b"{}"), *PARTS[1:]]), "its metadata.json is not"),
    "metadata text": (zip_of([("metadata.json", b"nope"), *PARTS[1:]]), "its metadata.json is not"),
    "metadata size": (zip_of([("metadata.json", b" " * 5000), *PARTS[1:]]), "larger than 4 KiB"),
    "cut": (GOOD[:100] + GOOD[CENTRAL:], "directory is not where"),
}


@pytest.mark.parametrize("kind", HOSTILE_ZIPS)
def test_a_zip_that_readers_could_read_differently_is_refused(look, kind):
    body, said = HOSTILE_ZIPS[kind]
    refused(look, BadArchive, said, NAME, body)


EXTRA = struct.pack("<2H", 1, 16) + struct.pack("<2Q", 31, 31)


def extra_of(extra):
    """A good file whose metadata.json has an extra field in the directory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in PARTS:
            archive.writestr(zipfile.ZipInfo(name), body)
        archive.filelist[0].extra = extra
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (struct.pack("<2H", 0x7075, 3) + b"abc", "names the member again"),
        (struct.pack("<2H", 1, 3) + b"abc", "zip64 field is damaged"),
        (struct.pack("<2H", 9, 30) + b"abc", "extra field of a ZIP header is damaged"),
        (struct.pack("<2H", 9, 0) + b"abc", "extra field of a ZIP header is damaged"),
        (struct.pack("<2H", 1, 16) + struct.pack("<2Q", 7, 7), "contradicts its header"),
    ],
)
def test_extra_fields_that_say_something_else_are_refused(look, extra, said):
    refused(look, BadArchive, said, NAME, extra_of(extra))


def test_extra_fields_that_agree_are_read(look):
    assert look(NAME, extra_of(EXTRA)).package == "tiny"


def of_members(*members, pkg=()):
    info = [*info_members(index_json(), {}), *members]
    return conda_of(STEM, tar_of(info), tar_of(pkg))


def special(name, kind, linkname=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, linkname
    return (member, b"")


HOSTILE_MEMBERS = {
    "parent": (("share/../../x", b""), "a .. part"),
    "absolute": (("/etc/passwd", b""), "is not relative"),
    "drive": (("c:/x", b""), "is not relative"),
    "dot": (("./share/x", b""), "a . or a .. part"),
    "double slash": (("share//x", b""), "an empty"),
    "backslash": (("share\\x", b""), "a backslash"),
    "newline": (("share/a\nb", b""), "a control character"),
    "device": (special("dev/x", tarfile.CHRTYPE), "neither a file"),
    "fifo": (special("share/x", tarfile.FIFOTYPE), "neither a file"),
    "link out": (special("share/x", tarfile.SYMTYPE, "../../etc/passwd"), "leads out"),
    "absolute link": (special("share/x", tarfile.SYMTYPE, "/etc/passwd"), "leads out"),
    "hard link out": (special("share/x", tarfile.LNKTYPE, "../x"), "leads out"),
    "index in pkg": (("info/index.json", b"{}"), "belongs into the info part"),
    "link to index": (special("info/index.json", tarfile.SYMTYPE, "x"), "belongs into the info part"),
}


@pytest.mark.parametrize("kind", HOSTILE_MEMBERS)
def test_a_member_that_leaves_the_package_is_refused(look, kind):
    member, said = HOSTILE_MEMBERS[kind]
    refused(look, BadArchive, said, NAME, of_members(pkg=[member]))


def test_a_negative_size_is_refused():
    """Such headers made Python's tarfile loop for ever (CVE-2025-8194)."""
    member = tarfile.TarInfo("share/x")
    member.size = -512
    assert "negative size" in member_problem(member)


def test_links_inside_the_package_are_fine(look):
    links = [
        special("lib/a.so", tarfile.SYMTYPE, "../lib/b.so"),
        special("lib/c.so", tarfile.LNKTYPE, "lib/b.so"),
    ]
    assert (
        look(NAME, of_members(pkg=[("lib/b.so", b""), *links, special("lib/d", tarfile.DIRTYPE)])).details[
            "files"
        ]
        == 3
    )


def test_names_that_are_no_utf8_are_refused(look):
    tar = tar_of([("share/ZZ", b"")]).replace(b"share/ZZ", b"share/\xff\xfe")
    header = bytearray(tar[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    refused(look, BadArchive, "not UTF-8", NAME, conda_of(STEM, INFO, bytes(header) + tar[512:]))


@pytest.mark.parametrize("path", ["info/index.json", "info/other"])
def test_a_path_twice_is_refused(look, path):
    """One reader takes the first info/index.json, another the last: the file would be two packages."""
    refused(look, BadArchive, "twice", NAME, of_members((path, b"{}"), ("info/other", b"")))


def test_a_payload_in_the_info_part_is_refused(look):
    refused(look, BadArchive, "not below info/", NAME, of_members(("share/x", b"")))


def test_an_index_that_is_a_link_is_refused(look):
    info = tar_of([special("info/index.json", tarfile.SYMTYPE, "other.json")])
    refused(look, BadArchive, "not a regular file", NAME, conda_of(STEM, info, PKG))


def test_members_behind_the_end_are_refused(look):
    """Python stops at one block of zeros, other readers at two: what follows must be zeros."""
    hidden = tar_of([("info/index.json", b'{"name": "evil"}')])
    one_block = INFO.rstrip(b"\0")
    one_block += bytes(-len(one_block) % 512) + bytes(512)
    refused(
        look, BadArchive, "data follows the end of its tar", NAME, conda_of(STEM, one_block + hidden, PKG)
    )


def test_two_frames_are_refused(look):
    two = zstd.compress(INFO[:1024]) + zstd.compress(INFO[1024:])
    refused(
        look, BadArchive, "follows the end of its compressed", NAME, zip_of([*PARTS[:2], (PARTS[2][0], two)])
    )
    filename, body = make_tarbz2()
    plain = bz2.decompress(body)
    two = bz2.compress(plain[:1024]) + bz2.compress(plain[1024:])
    refused(look, BadArchive, "follows the end of its compressed", filename, two)


def test_a_wrong_checksum_is_refused(look):
    at = GOOD.index(b"PK\x03\x04", SECOND + 4)
    central = GOOD.index(b"PK\x01\x02", GOOD.index(b"PK\x01\x02", CENTRAL + 1) + 1)
    body = patched(patched(GOOD, at + 14, b"\0\0\0\0"), central + 16, b"\0\0\0\0")
    refused(look, BadArchive, "checksum", NAME, body)


def test_a_cut_stream_is_refused(look):
    refused(look, BadArchive, "ends too early", NAME, zip_of([*PARTS[:2], (PARTS[2][0], PARTS[2][1][:-9])]))
    filename, body = make_tarbz2()
    refused(look, BadArchive, "ends too early", filename, body[:-9])


def test_a_truncated_tar_is_refused(look):
    refused(look, BadArchive, "it cannot be read", NAME, conda_of(STEM, INFO, PKG[:700]))
    refused(look, BadArchive, "it cannot be read", f"{STEM}.tar.bz2", bz2.compress(INFO[:2000]))


def test_a_window_larger_than_clients_decode_is_refused(look):
    frame = zstd.compress(INFO, options={zstd.CompressionParameter.window_log: 20})
    # Magic, descriptor without content size, window of 1 GiB, then the blocks of a frame with the plain header.
    at = (
        4
        + 1
        + (0 if frame[4] & 0x20 else 1)
        + {0: 1 if frame[4] & 0x20 else 0, 1: 2, 2: 4, 3: 8}[frame[4] >> 6]
    )
    huge = frame[:4] + b"\x00" + bytes([(30 - 10) << 3]) + frame[at:]
    refused(look, BadArchive, "it cannot be read (ZstdError", NAME, zip_of([*PARTS[:2], (PARTS[2][0], huge)]))


def test_bombs_stop_at_the_cap(look):
    bomb = tar_of([*info_members(index_json(), {}), ("info/zeros", bytes(40_000_000))])
    limits = Limits(metadata_bytes=1_000_000, scan_bytes=1_000_000)
    refused(look, BadArchive, "more than 1000000 bytes", NAME, conda_of(STEM, bomb, PKG), limits=limits)
    name = f"{STEM}.tar.bz2"
    refused(look, BadArchive, "its info/ holds more than", name, bz2.compress(bomb), limits=limits)
    late = tar_of([("share/zeros", bytes(4_000_000)), *info_members(index_json(), {})])
    refused(look, BadArchive, "it holds no info/index.json", name, bz2.compress(late), limits=limits)
    assert look(name, bz2.compress(late)).package == "tiny"


def test_too_many_members_are_refused(look):
    body = of_members(pkg=[(f"share/{n}", b"") for n in range(50)])
    refused(look, BadArchive, "more than 20 members", NAME, body, limits=Limits(members=20))


def test_large_documents(look):
    """The index decides, so it must be read whole; about.json may be left out."""
    big = b" " * 2_000_000 + b"{}"
    filename, body = make_conda(info_files={"info/index.json": big})
    refused(look, BadArchive, "info/index.json has 2000002 bytes", filename, body)
    filename, body = make_conda(info_files={"info/about.json": big})
    assert "was not looked at" in look(filename, body, limits=Limits(member_bytes=1 << 20)).warnings[0]


def test_a_package_without_an_index_is_refused(look):
    for make in (make_conda, make_tarbz2):
        refused(look, BadArchive, "holds no info/index.json", *make(info_files={"info/index.json": None}))


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"a": 99999999999999999999}',
        b"[" * 100000,
        b'"\\ud800"',
        b'{"a": 1e999}',
        b'{"a": 9223372036854775808}',
    ],
)
def test_json_that_readers_understand_differently_is_refused(look, text):
    with pytest.raises(JsonError):
        parse_json(text)
    refused(look, BadArchive, "info/index.json: ", *make_conda(info_files={"info/index.json": text}))


def test_memory_that_runs_out_is_a_refusal(look, monkeypatch):
    """In the child a header that asks for gigabytes ends in MemoryError, not in a dead worker."""

    def greedy(*_, **__):
        raise MemoryError

    monkeypatch.setattr(tarfile.TarFile, "next", greedy)
    refused(look, BadArchive, "more memory", NAME, GOOD)


CONDA_NAME, CONDA_BODY = make_conda()
BZ2_NAME, BZ2_BODY = make_tarbz2()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_flipped_bytes_never_escape_as_another_error(tmp_path_factory, data):
    """Whatever the bytes: a package, or one of our refusals."""
    name, good = data.draw(st.sampled_from([(CONDA_NAME, CONDA_BODY), (BZ2_NAME, bz2.decompress(BZ2_BODY))]))
    body = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(bytes(body) if name == CONDA_NAME else bz2.compress(bytes(body)))
    try:
        observed = inspect(path, claim(name), LIMITS)
    except (BadArchive, BadMetadata):
        return
    assert observed.package == "tiny"
