"""How a GraphQL query is executed: within its time, a few at once, and only then with the library."""

import itertools
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest
from graphql_support import ask, codes, graphql_daemon

from packhouse.model import ANONYMOUS
from uploadd.graphql import execution, late
from uploadd.graphql.question import Question


@pytest.fixture
async def daemon(tmp_path):
    async with graphql_daemon(tmp_path / "data") as running:
        yield running


class TestTime:
    async def test_a_query_that_takes_too_long_is_ended(self, daemon, monkeypatch):
        """A clock that jumps: no field after the first one is looked up."""
        real = execution.Deadline
        query = "{ channels { nodes { name packages { nodes { name versions { nodes { version } } } } } } }"
        for step in (9.0, 0.5):  # at the first look at the clock, and in the middle
            now = itertools.count(0.0, step)
            monkeypatch.setattr(execution, "Deadline", partial(real, clock=lambda now=now: next(now)))
            answer = await ask(daemon, query, key="reader")

            assert (answer.status, codes(answer)) == (200, ["unprocessable"])
            assert "2 seconds" in answer.json["errors"][0]["message"]
            assert answer.json["data"] is None

    async def test_too_many_at_once_are_told_to_come_again(self, daemon, monkeypatch):
        monkeypatch.setattr(late, "_PLACES", late.threading.BoundedSemaphore(1))
        late._PLACES.acquire()

        answer = await ask(daemon, "{ viewer { login } }")

        assert (answer.status, codes(answer)) == (503, ["busy"])
        assert answer.headers["Retry-After"] == "5"
        late._PLACES.release()
        assert (await ask(daemon, "{ viewer { login } }")).status == 200


def test_a_deadline_passes():
    now = iter([0.0, 1.0, 3.0])
    deadline = execution.Deadline(2.0, lambda: next(now))

    deadline.check()
    with pytest.raises(execution.TooLate):
        deadline.check()


def test_a_change_has_no_deadline():
    now = itertools.count(0.0, 10.0)

    execution.Deadline(None, lambda: next(now)).check()


def test_the_daemon_starts_without_the_library():
    """It costs more than everybody should pay at the start."""
    code = "import sys, uploadd.app; print('graphql' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "False"


def test_an_operation_that_is_not_in_the_query_is_no_answer():
    house = SimpleNamespace(catalog=None)
    call = SimpleNamespace(services=SimpleNamespace(house=house), principal=ANONYMOUS)
    asked = Question(query="query a { viewer { login } }", variables={}, operation_name="b")

    found = execution.answer(call, asked)

    assert found.status == 400
    assert found.body["errors"][0]["extensions"]["code"] == "malformed"
