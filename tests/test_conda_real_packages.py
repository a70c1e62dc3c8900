"""What inspection says of real conda packages, held against the records of rattler's own indexer."""

import asyncio
import json
from pathlib import Path

import pytest
from conda_inspect_support import (
    LIMITS,
    claim,
)
from rattler import MatchSpec
from rattler.index import index_fs

from packhouse.ecosystems.conda.inspect import inspect
from packhouse.errors import BadArchive, BadMetadata, BadName

SHARED = Path(__file__).parents[2] / "shared/data/conda"

needs_real_packages = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared real packages are not beside this checkout"
)

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
