"""A client's key comes from the environment, then from a file that only its owner may read."""

import pytest

from packhouse.client.keys import find_key
from packhouse.errors import Unauthenticated

URL = "http://packages.example:8080"


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "packhouse" / "keys.toml"
    path.parent.mkdir()

    def write(text, mode=0o600):
        path.write_bytes(text)
        path.chmod(mode)
        return {"XDG_CONFIG_HOME": str(tmp_path)}

    return write


def test_the_variable_wins_and_an_empty_one_is_unset(store):
    environ = store(b'"http://packages.example:8080" = "pkh-stored"\n')

    assert find_key(URL, {**environ, "PACKHOUSE_KEY": " pkh-said\n"}) == "pkh-said"
    assert find_key(URL, {**environ, "PACKHOUSE_KEY": ""}) == "pkh-stored"


def test_a_slash_at_the_end_makes_no_difference(store):
    environ = store(b'"http://packages.example:8080/" = "pkh-stored"\n')

    assert find_key(URL, environ) == find_key(URL + "/", environ) == "pkh-stored"


def test_the_store_lies_below_home_by_default(tmp_path):
    folder = tmp_path / ".config" / "packhouse"
    folder.mkdir(parents=True)
    (folder / "keys.toml").write_text(f'"{URL}" = "pkh-home"\n')
    (folder / "keys.toml").chmod(0o600)

    assert find_key(URL, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}) == "pkh-home"


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (b'"http://packages.example:8080" = "pkh-secret"', 0o644, "can be read by others: run `chmod 600"),
        (b'"http://packages.example:8080" = pkh-secret', 0o600, "cannot be read as TOML"),
        (b"\xff\xfe", 0o600, "cannot be read as TOML"),
        (b'"http://packages.example:8080" = 5', 0o600, "a key stands in quotes"),
        (b'"http://packages.example:8080" = "pkh-secr\\u00e9t"', 0o600, "characters that no key has"),
        (b'"http://elsewhere.example" = "pkh-secret"', 0o600, "no key for http://packages.example:8080: run `packhouse login"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_without_showing_a_key(store, text, mode, says):
    with pytest.raises(Unauthenticated) as refusal:
        find_key(URL, store(text, mode))

    assert says in str(refusal.value)
    assert "secr" not in str(refusal.value)


def test_no_store_is_no_key(tmp_path):
    with pytest.raises(Unauthenticated, match=r"write it into .*keys\.toml \(mode 600\)"):
        find_key(URL, {"HOME": str(tmp_path)})
