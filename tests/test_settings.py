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
        ('default_read = "team"', "default_read is 'team'; it must be everyone, authenticated or nobody"),
        ('default_read = ""', "default_read is ''"),
        ('default_write = "everyone"', "an upload always needs an account"),
        ("password_min_length = 0", "an empty password cannot be shown"),
        ("allow_register = 1", "allow_register to 1; a value of type bool is expected"),
        ('allow_register = "true"', "a value of type bool is expected"),
        ("lease_s = false", "of type int is expected"),
        ("publish_wait_s = true", "of type float is expected"),
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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("true", "True", "TRUE", "1", "yes", "on")),
        *((text, False) for text in ("false", "False", "0", "no", "off", "")),
    ],
)
def test_a_yes_or_no_variable(tmp_path, text, value):
    (tmp_path / "packhouse.toml").write_text("# nothing\n")

    assert load(tmp_path, {"PACKHOUSE_ALLOW_REGISTER": text}).allow_register is value


@pytest.mark.parametrize("text", ["2", "maybe", "y", " true"])
def test_what_is_neither_yes_nor_no_is_refused(tmp_path, text):
    """A server that lets people register because of a typing error would be found out too late."""
    with pytest.raises(BadSettings, match=r"PACKHOUSE_ALLOW_REGISTER is .* type bool"):
        load(tmp_path, {"PACKHOUSE_ALLOW_REGISTER": text})


def test_rights_are_narrow_until_somebody_widens_them(tmp_path):
    settings = load(tmp_path, {})

    assert (settings.default_read, settings.default_write) == ("everyone", "nobody")
    assert settings.allow_register is False
    assert settings.password_min_length >= 6


def test_rights_are_set_by_file_and_environment(tmp_path):
    (tmp_path / "packhouse.toml").write_text(
        'default_read = "authenticated"\ndefault_write = "team"\nallow_register = true\npassword_min_length = 12\n'
    )
    environ = {"PACKHOUSE_DEFAULT_READ": "nobody", "PACKHOUSE_ALLOW_REGISTER": "off"}

    settings = load(tmp_path, environ)

    assert (settings.default_read, settings.default_write) == ("nobody", "team")
    assert (settings.allow_register, settings.password_min_length) == (False, 12)


def test_every_setting_is_documented():
    text = document()

    for item in fields(Settings):
        assert item.metadata["doc"].endswith(".")
        assert (f"| `{item.name}` |" in text) is (item.name != "data")
