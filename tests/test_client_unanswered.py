"""What the Python client does when nobody answers: it asks again, gives up in time, and says so."""

import pytest
from client_support import Cut, Silent, fresh_client, site, turns

import packhouse


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    with fresh_client(tmp_path, monkeypatch) as folder:
        yield folder


def test_a_server_that_is_down_is_said_and_was_asked_again():
    with site({}) as there:
        pass

    with pytest.raises(packhouse.Unreachable, match="Connection refused") as caught:
        packhouse.list_packages(f"{there.url}/main")
    assert not isinstance(caught.value, packhouse.TimedOut)


@pytest.mark.parametrize(
    "mood", [Silent(), Silent(b'{"projects": [')], ids=["no status line", "half an answer"]
)
def test_a_slow_server_is_given_up_after_the_time_that_was_set(mood):
    packhouse.config(timeout_s=0.05)
    with site({"/main/simple/index.json": mood}) as there:
        with pytest.raises(packhouse.TimedOut, match=r"may pass 0\.05 s"):
            packhouse.list_packages(f"{there.url}/main")
        assert len(there.asked) == 1  # asking again would only add to its load


def test_tries_may_be_set():
    packhouse.config(tries=2)
    with site({"/main/simple/index.json": (503, {"detail": "busy"})}) as there:
        with pytest.raises(packhouse.Unreachable, match="cannot do this now: busy"):
            packhouse.list_packages(f"{there.url}/main")
        assert len(there.asked) == 2


def test_waiting_for_a_serial():
    with site({"/main/serial.json": turns((404, "no"), {"serial": 4}, {"serial": 5})}) as there:
        packhouse.wait(5, f"{there.url}/main")
        assert len(there.asked) == 3
        with pytest.raises(packhouse.Unreachable, match="published up to serial 5, and not 6"):
            packhouse.wait(6, f"{there.url}/main", timeout=0)
    with site({"/main/serial.json": (401, "who?")}) as there, pytest.raises(packhouse.KeyRefused):
        packhouse.wait(1, f"{there.url}/main")


def test_an_answer_that_breaks_off_is_asked_for_again():
    whole = b'{"serial": 5}'
    with site({"/main/serial.json": turns(Cut(whole), whole)}) as there:
        packhouse.wait(5, f"{there.url}/main")
    assert len(there.asked) == 2
