"""Hotfixes of a conda channel: what patch_instructions.json may change in the indexes, and what it may not."""

import json

import pytest
from conda_pages_support import add, read, render, shard_of
from conda_support import FakeRecords

from packhouse.ecosystems.conda.patch import REVOKED
from packhouse.errors import BadHotfix


def patched(records, **instructions):
    document = {"patch_instructions_version": 1, **instructions}
    records.files["noarch/patch_instructions.json"] = json.dumps(document).encode()
    return render(records)


def test_a_fix_for_the_old_format_reaches_the_new_one():
    records = FakeRecords()
    add(records, depends=["a"], license="MIT")
    add(records, extension=".tar.bz2", depends=["a"])
    rendered = patched(records, packages={"tiny-1.0-0.tar.bz2": {"depends": ["a <2"], "license": None}})
    document = read(rendered)["repodata.json"]
    assert document["packages"]["tiny-1.0-0.tar.bz2"]["depends"] == ["a <2"]
    assert document["packages.conda"]["tiny-1.0-0.conda"]["depends"] == ["a <2"]
    assert "license" not in document["packages.conda"]["tiny-1.0-0.conda"]
    assert shard_of(rendered, "tiny")["packages.conda"]["tiny-1.0-0.conda"]["depends"] == ["a <2"]
    assert rendered.notes == []


def test_removed_and_revoked():
    records = FakeRecords()
    for name in ("tiny", "bad", "poor"):
        add(records, name)
        add(records, name, extension=".tar.bz2")
    rendered = patched(
        records, remove=["bad-1.0-0.tar.bz2", "poor-1.0-0.conda"], revoke=["tiny-1.0-0.tar.bz2"]
    )
    document = read(rendered)["repodata.json"]
    assert document["removed"] == ["bad-1.0-0.conda", "bad-1.0-0.tar.bz2", "poor-1.0-0.conda"]
    assert set(document["packages"]) == {"poor-1.0-0.tar.bz2", "tiny-1.0-0.tar.bz2"}
    assert document["packages.conda"]["tiny-1.0-0.conda"]["revoked"] is True
    assert document["packages.conda"]["tiny-1.0-0.conda"]["depends"] == [REVOKED]
    assert set(read(rendered)["repodata_shards.msgpack.zst"]["shards"]) == {"poor", "tiny"}
    assert shard_of(rendered, "poor")["removed"] == ["poor-1.0-0.conda"]


def test_a_hotfix_cannot_change_what_the_file_is():
    records = FakeRecords()
    row = add(records)
    fix = {"name": "evil", "md5": "0" * 32, "sha256": None, "size": 1, "indexed_timestamp": None, "url": "x"}
    fix |= {"version": "9", "build": "9", "subdir": "win-64", "attestations_sha256": None, "license": "MIT"}
    rendered = patched(
        records, **{"packages.conda": {"tiny-1.0-0.conda": {**fix, "run_exports": {"weak": ["x"]}}}}
    )
    record = read(rendered)["repodata.json"]["packages.conda"]["tiny-1.0-0.conda"]
    assert (record["name"], record["sha256"], record["size"]) == ("tiny", row.sha256, row.size)
    assert record["license"] == "MIT"
    assert "run_exports" not in record
    assert (
        "must not change attestations_sha256, build, indexed_timestamp, md5, name, run_exports"
        in rendered.notes[0]
    )


def test_a_hotfix_that_would_break_the_record_is_not_applied():
    records = FakeRecords()
    add(records, depends=["a"])
    rendered = patched(
        records, **{"packages.conda": {"tiny-1.0-0.conda": {"depends": ["a ("], "license": "MIT"}}}
    )
    record = read(rendered)["repodata.json"]["packages.conda"]["tiny-1.0-0.conda"]
    assert record["depends"] == ["a"]
    assert "license" not in record
    assert "was not applied: depends holds 'a ('" in rendered.notes[0]


def test_a_hotfix_with_a_condition_moves_the_record_to_v3():
    records = FakeRecords()
    add(records, depends=["a >=1"])
    rendered = patched(
        records, **{"packages.conda": {"tiny-1.0-0.conda": {"depends": ["a >=1", "b[when=python]"]}}}
    )
    document = read(rendered)["repodata.json"]
    assert document["packages.conda"] == {}
    assert document["v3"]["conda"]["tiny-1.0-0"]["depends"] == ['a[version=">=1"]', 'b[when="python"]']
    fix = {"conda": {"tiny-1.0-0": {"license": "MIT"}}}
    records = FakeRecords()
    add(records, schema_version=3)
    assert read(patched(records, v3=fix))["repodata.json"]["v3"]["conda"]["tiny-1.0-0"]["license"] == "MIT"


def test_run_exports_are_mirrored_unpatched_but_for_version_2():
    """CEP 21: version 2 may correct run exports, and then run_exports.json says the same."""
    for version, expected in ((1, ["a"]), (2, ["b"])):
        records = FakeRecords()
        add(records, run_exports={"weak": ["a"]})
        fix = {"tiny-1.0-0.conda": {"run_exports": {"weak": ["b"]}}}
        rendered = patched(records, patch_instructions_version=version, **{"packages.conda": fix})
        files = read(rendered)
        assert files["run_exports.json"]["packages.conda"]["tiny-1.0-0.conda"]["run_exports"] == {
            "weak": expected
        }
        assert shard_of(rendered, "tiny")["packages.conda"]["tiny-1.0-0.conda"]["run_exports"] == {
            "weak": expected
        }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "it is not JSON"),
        (b"[]", "neither 1 nor 2"),
        (b'{"patch_instructions_version": 3}', "neither 1 nor 2"),
        (b'{"patch_instructions_version": true}', "neither 1 nor 2"),
        (b'{"patch_instructions_version": 1, "packages": {"x": 1}}', "packages must map file names"),
        (b'{"patch_instructions_version": 1, "remove": "x", "v3": 1}', "remove must be a list of file names"),
    ],
)
def test_instructions_that_are_not_understood_leave_the_indexes_as_they_are(text, said):
    """To publish without them would take every hotfix back in silence."""
    records = FakeRecords()
    add(records)
    records.files["noarch/patch_instructions.json"] = text
    with pytest.raises(BadHotfix, match="stay as they are") as refusal:
        render(records)
    assert said in str(refusal.value)
