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


# --- pages for people --------------------------------------------------------------------------------------


def test_the_page_of_a_package():
    records = FakeRecords()
    row = add(
        records,
        version="2.0",
        depends=["a >=1"],
        constrains=["b"],
        run_exports={"weak": ["c"]},
        timestamp=10**12,
    )
    add(records, version="3.0rc1", extra_depends={"test": ["d"]}, warnings=["no paths"])
    add(records, version="1.0", subdir="linux-64")
    warned = records.add(
        "noarch", "tiny-0.5-0.conda", {"name": "tiny", "version": "0.5"}, warnings=("odd but fine",)
    )
    records.about[row.id] = {
        "about": {
            "summary": "a tiny one",
            "description": "long",
            "home": "javascript:alert(1)",
            "dev_url": ["https://x.example"],
        },
        "members": [["bin/x", 3]],
    }
    view = CONDA.view("tiny", records)
    assert (view.name, view.version, view.summary, view.description) == ("tiny", "2.0", "a tiny one", "long")
    assert view.install["pixi"] == "pixi add --channel {channel} tiny"
    assert view.links == [("Source code", "https://x.example")]
    assert dict(view.facts)["Platforms"] == "linux-64, noarch"
    assert view.warnings == [f"{warned.filename}: odd but fine"]
    files, dependencies, contents = view.sections
    assert [cells[0] for cells in files.rows] == [
        ("tiny-3.0rc1-0.conda", "../../noarch/tiny-3.0rc1-0.conda"),
        ("tiny-2.0-0.conda", "../../noarch/tiny-2.0-0.conda"),
        ("tiny-1.0-0.conda", "../../linux-64/tiny-1.0-0.conda"),
        ("tiny-0.5-0.conda", "../../noarch/tiny-0.5-0.conda"),
    ]
    assert dependencies.rows == [("depends", "a >=1"), ("constrains", "b"), ("run export (weak)", "c")]
    assert contents.rows == [("bin/x", "3")]
    assert CONDA.view("absent", records) is None


def test_extras_are_shown_as_dependencies():
    records = FakeRecords()
    add(records, extra_depends={"test": ["d"]}, schema_version=3)
    assert CONDA.view("tiny", records).sections[1].rows == [("extra test", "d")]


# --- the format object -------------------------------------------------------------------------------------


def test_a_file_makes_its_own_areas_dirty():
    row = add(FakeRecords(), subdir="linux-64")
    areas = CONDA.areas(row, first_or_last=False)
    assert areas == {
        Area("main", "conda", "index", "linux-64"): 0,
        Area("main", "conda", "root"): 0,
        Area("main", "conda", "page", "tiny"): 0,
        Area("main", "", "channel"): 5,
    }
    assert set(CONDA.areas(row, first_or_last=True).values()) == {0}
    assert CONDA.birth("main") == (INDEX, ROOT, Area("main", "", "channel"))


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
