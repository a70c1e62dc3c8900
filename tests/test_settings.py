"""Settings come from one file and the environment, and a wrong one is named."""

from dataclasses import FrozenInstanceError, fields

import pytest

from packhouse.errors import BadName, BadSettings
from packhouse.settings import Settings, document, load


def test_defaults_need_no_file(tmp_path):
    settings = load(tmp_path, {})

    assert settings.default_channel == "main"
    assert settings.database == tmp_path / "state" / "catalog.sqlite"
    assert settings.socket == tmp_path / "state" / "uploadd.sock"
    with pytest.raises(FrozenInstanceError):
        settings.default_channel = "x"


def test_the_environment_wins_and_an_empty_variable_is_unset(tmp_path):
    (tmp_path / "packhouse.toml").write_text('default_channel = "team"\npublish_wait_s = 3\n')
    environ = {"PACKHOUSE_PUBLISH_WAIT_S": "1.5", "PACKHOUSE_DEFAULT_CHANNEL": "", "PACKHOUSE_LEASE_S": "9"}

    settings = load(tmp_path, environ)

    assert (settings.default_channel, settings.publish_wait_s, settings.lease_s) == ("team", 1.5, 9)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("max_uploads = 3", "max_uploads"),
        ("max_upload_bytes = true", "of type int is expected"),
        ('lease_s = "long"', "of type int is expected"),
        ("= 3", "not valid TOML"),
        ("lease_s = -1", "must not be negative"),
        ("inspect_workers = 0", "at least one child"),
        ('base_url = "packages.example"', "must start with http"),
        ('data = "elsewhere"', "no setting"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, toml, says):
    (tmp_path / "packhouse.toml").write_text(toml)

    with pytest.raises(BadSettings, match=says):
        load(tmp_path, {})


def test_a_wrong_variable_is_refused_by_name(tmp_path):
    with pytest.raises(BadSettings, match="PACKHOUSE_LEASE_S is 'x'"):
        load(tmp_path, {"PACKHOUSE_LEASE_S": "x"})
    with pytest.raises(BadName):
        load(tmp_path, {"PACKHOUSE_DEFAULT_CHANNEL": "simple"})


def test_every_setting_is_documented():
    text = document()

    for item in fields(Settings):
        assert item.metadata["doc"].endswith(".")
        assert (f"| `{item.name}` |" in text) is (item.name != "data")
