"""The metadata of a conda package: what is kept of it, what is refused or warned of (CEP 20, 34, 48)."""

import json

import pytest
from conda_inspect_support import (
    looking,
    refused,
)
from conda_support import (
    BUILD_TIME_MS,
    make_conda,
    make_tarbz2,
)

from packhouse.ecosystems import Limits
from packhouse.ecosystems.conda.strictjson import JsonError, parse_json
from packhouse.errors import BadArchive, BadMetadata


@pytest.fixture
def look(tmp_path):
    return looking(tmp_path)


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


# --- JSON ---


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
