"""`packhouse.config`: what is set, taken back and refused, and what a server's URL configures."""

import pytest
from client_support import fresh_client, site, turns

import packhouse
from packhouse import errors
from packhouse.client import preferences
from packhouse.tree import fsio


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    with fresh_client(tmp_path, monkeypatch) as folder:
        yield folder


def test_the_configuration_is_read_set_and_taken_back(fresh):
    assert dict(packhouse.config()) == {
        "registry": None,
        "connect_timeout_s": 10.0,
        "timeout_s": 300.0,
        "tries": 4,
    }
    assert not fresh.exists()

    set_ = packhouse.config(registry="http://Host/main/", timeout_s=5, tries=2)

    assert (set_.registry, set_["timeout_s"], len(set_)) == ("http://host/main", 5.0, 4)
    assert packhouse.config() == set_
    assert packhouse.config(timeout_s=None, connect_timeout_s=0.5).timeout_s == 300.0
    assert packhouse.config().connect_timeout_s == 0.5
    assert 'registry = "http://host/main"\n' in (fresh / "config.toml").read_text()
    with pytest.raises(KeyError):
        set_["colour"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"colour": "red"}, "there is no setting 'colour'; there are registry"),
        ({"timeout_s": 0}, "more than 0 and at most"),
        ({"timeout_s": float("nan")}, "more than 0"),
        ({"timeout_s": True}, "should be a number of seconds"),
        ({"connect_timeout_s": "5"}, "should be a number of seconds"),
        ({"tries": 0}, "whole number from 1"),
        ({"tries": 1.5}, "whole number from 1"),
        ({"registry": 7}, "should be the URL of a channel"),
    ],
)
def test_a_setting_that_is_none_changes_nothing(values, says):
    packhouse.config(tries=3)

    with pytest.raises(packhouse.BadSettings, match=says):
        packhouse.config(**{"timeout_s": 7, **values})
    assert packhouse.config() == preferences.Config(tries=3)


@pytest.mark.parametrize(
    ("text", "says"),
    [("tries = ", "cannot be read as TOML"), ("colour = 1", "config.toml: there is no setting")],
)
def test_a_damaged_configuration_is_named(fresh, text, says):
    fresh.mkdir(parents=True)
    (fresh / "config.toml").write_text(text)

    with pytest.raises(packhouse.BadSettings, match=says):
        packhouse.config()


def test_a_url_configures_the_client_from_what_is_there():
    with site({"/main/serial.json": {"serial": 3}, "/other/serial.json": {"serial": 0}}) as there:
        assert packhouse.config(there.url).registry == f"{there.url}/main"
        assert packhouse.config(f"{there.url}/other/").registry == f"{there.url}/other"
        assert packhouse.list_packages.__doc__
    assert there.keys() == ["", ""]


def test_a_private_channel_may_be_configured_before_the_login():
    with site({"/team/serial.json": (401, "who?")}) as there:
        assert packhouse.config(f"{there.url}/team").registry == f"{there.url}/team"


def test_a_channel_that_was_made_a_moment_ago_is_waited_for():
    with site({"/main/serial.json": turns((404, "no"), (404, "no"), {"serial": 0})}) as there:
        assert packhouse.config(there.url).registry == f"{there.url}/main"
    assert len(there.asked) == 3


@pytest.mark.parametrize("answer", [{}, b"<html>", (404, "no"), (500, "no"), {"serial": "7"}])
def test_what_is_no_packhouse_is_not_configured(answer):
    with (
        site({"/main/serial.json": answer}) as there,
        pytest.raises(packhouse.BadSettings, match="as a channel"),
    ):
        packhouse.config(there.url)
    assert packhouse.config().registry is None


def test_one_url_and_nothing_else():
    with pytest.raises(packhouse.BadSettings, match="not both"):
        packhouse.config("http://a/main", "http://b/main")
    with pytest.raises(packhouse.BadSettings, match="not both"):
        packhouse.config("http://a/main", tries=1)


def test_a_configuration_that_cannot_be_written_stays_as_it_was(monkeypatch):
    packhouse.config(tries=2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fsio, "write", full)
    with pytest.raises(errors.StorageFull):
        packhouse.config(tries=3)
    assert packhouse.config().tries == 2
