"""A conda channel beside its indexes: channeldata, pages for people, and which file changes which page."""

import json

import pytest
from conda_pages_support import INDEX, ROOT, add, render
from conda_support import FakeRecords

from packhouse.ecosystems.conda import CONDA
from packhouse.errors import BadName
from packhouse.model import Area, Claim, Ecosystem

# --- channeldata -------------------------------------------------------------------------------------------


def test_channeldata_tells_of_the_newest():
    records = FakeRecords()
    old = add(records, version="1.9", run_exports={"weak": ["tiny"]}, timestamp=1_700_000_000)
    new = add(records, version="1.10", subdir="linux-64", license="MIT", timestamp=1_600_000_000_000)
    add(records, "odd", extension=".tar.bz2")
    records.about[old.id] = {"about": {"summary": "old"}}
    flags = {"activate.d": True, "text_prefix": True}
    records.about[new.id] = {
        "about": {"summary": "new", "home": "https://tiny.example", "tags": ["x"]},
        "flags": flags,
    }
    [page] = render(records, ROOT).leaves
    document = json.loads(page.body)
    assert page.path == "channeldata.json"
    assert document["channeldata_version"] == 1
    assert document["subdirs"] == ["linux-64", "noarch"]
    assert document["packages"]["tiny"] == {
        "activate.d": True,
        "binary_prefix": False,
        "deactivate.d": False,
        "home": "https://tiny.example",
        "license": "MIT",
        "post_link": False,
        "pre_link": False,
        "pre_unlink": False,
        "run_exports": {"1.9": {"weak": ["tiny"]}},
        "subdirs": ["linux-64", "noarch"],
        "summary": "new",
        "text_prefix": True,
        "timestamp": 1_700_000_000,
        "version": "1.10",
    }
    assert (
        document["packages"]["odd"]["timestamp"]
        == records.rows["noarch/odd-1.0-0.tar.bz2"].uploaded_us // 10**6
    )


def test_an_empty_channel_has_channeldata():
    assert json.loads(render(FakeRecords(), ROOT).leaves[0].body) == {
        "channeldata_version": 1,
        "packages": {},
        "subdirs": ["noarch"],
    }


# --- the format object -------------------------------------------------------------------------------------


def test_a_file_makes_its_own_areas_dirty():
    row = add(FakeRecords(), subdir="linux-64")
    areas = CONDA.areas(row, first_or_last=False)
    assert areas == {
        Area("main", "conda", "index", "linux-64"): 0,
        Area("main", "conda", "root"): 0,
    }
    assert set(CONDA.areas(row, first_or_last=True).values()) == {0}
    assert CONDA.birth("main") == (INDEX, ROOT)


def test_a_claim_fixes_the_place_where_it_names_a_subdir():
    claim = Claim(channel="main", ecosystem=Ecosystem.CONDA, filename="a-b-1.0-0.conda", directory="linux-64")
    assert CONDA.place(claim) == ("a-b", "linux-64/a-b-1.0-0.conda")
    for directory in (None, "linux-65"):
        assert (
            CONDA.place(
                Claim(channel="main", ecosystem=Ecosystem.CONDA, filename="a-1-0.conda", directory=directory)
            )
            is None
        )
    with pytest.raises(BadName):
        CONDA.place(
            Claim(channel="main", ecosystem=Ecosystem.CONDA, filename="a.conda", directory="linux-64")
        )
    large = "a-20240101120000-0.conda"
    with pytest.raises(BadName):
        CONDA.place(Claim(channel="main", ecosystem=Ecosystem.CONDA, filename=large))
    assert CONDA.place(Claim(channel="main", ecosystem=Ecosystem.CONDA, filename=large, lenient=True)) is None


def test_what_is_ours():
    assert [CONDA.recognises(name) for name in ("a-1-0.conda", "a-1-0.tar.bz2", "a.whl")] == [
        True,
        True,
        False,
    ]
    assert CONDA.newest(["1.9", "1.10"]) == "1.10"
