"""`packhouse audit`: what it prints, for people and for programs, and how it is narrowed."""

import json

import pytest
from cli_support import make_data, make_run
from house_support import Direct, take_in
from pypi_support import make_wheel

from packhouse.house import open_house
from packhouse.intake.receive import Intake
from packhouse.model import Principal


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    data = make_data(tmp_path)
    house = open_house(data)
    ann = Principal(name="ann", kind="user", via="password", address="192.0.2.7")
    house.catalog.audit.note(ann, "user create", "ben")
    house.catalog.audit.note(ann, "grant give", "read on main/pypi/flask for user:ben", outcome="forbidden")
    house.close()
    return make_run(monkeypatch, capfd, PACKHOUSE_DATA=data)


def test_the_newest_line_comes_first(run):
    run("group", "create", "team")
    head, *lines = run("audit").out.splitlines()

    assert head.split() == ["TIME", "(UTC)", "WHO", "VIA", "FROM", "ACTION", "OBJECT", "OUTCOME", "NOTE"]
    assert [line.split()[2:5] for line in lines] == [
        ["local", "local", "local"],
        ["ann", "password", "192.0.2.7"],
        ["ann", "password", "192.0.2.7"],
    ]
    assert lines[1].endswith("grant give    read on main/pypi/flask for user:ben  forbidden")


@pytest.mark.parametrize(
    ("options", "objects"),
    [
        (["--who", "ann"], ["read on main/pypi/flask for user:ben", "ben"]),
        (["--who", "local"], []),
        (["--action", "user create"], ["ben"]),
        (["--object", "flask"], ["read on main/pypi/flask for user:ben"]),
        (["--object", "%"], []),
        (["--limit", "1"], ["read on main/pypi/flask for user:ben"]),
    ],
)
def test_the_log_is_narrowed_and_read_by_programs(run, options, objects):
    ran = run("audit", "--json", *options)

    assert [json.loads(line)["object"] for line in ran.out.splitlines()] == objects


def test_uploads_are_told_together_with_the_rest(run, tmp_path):
    house = open_house(tmp_path / "data")
    name, body = make_wheel(name="apple")
    take_in(Intake(house, Direct()), name, body)
    house.close()

    (line,) = run("audit", "--json", "--action", "upload").out.splitlines()
    assert json.loads(line)["object"] == f"main/packages/apple/{name}"
    assert len(run("audit").lines) == 3


def test_a_line_for_programs_has_everything(run):
    (line,) = run("audit", "--json", "--action", "user create").out.splitlines()
    said = json.loads(line)

    assert said.pop("at").startswith("20")
    assert said.pop("at_us") > 0
    assert said == {
        "id": 1, "who": "ann", "via": "password", "origin": "192.0.2.7", "action": "user create", "object": "ben",
        "outcome": "ok", "note": "",
    }  # fmt: skip


def test_a_number_of_lines_that_is_none_is_refused(run):
    assert run("audit", "--limit", "0").code == 2


def test_asking_is_no_change(run):
    for command in (
        "audit",
        "user list",
        "group list",
        "grant list",
        "key list",
        "service list",
        "channel list",
    ):
        assert run(*command.split()).code == 0

    assert len(run("audit").lines) == 2
