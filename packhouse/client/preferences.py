"""What the Python client is told once: which channel, and how patient to be. One small TOML file.

It is `$XDG_CONFIG_HOME/packhouse/config.toml` (`~/.config` where the variable is unset), beside the login store. It
holds no secret.
"""

import json
import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from fcntl import LOCK_EX, flock
from pathlib import Path

from packhouse.client.connection import CONNECT_S, SILENCE_S, TRIES
from packhouse.client.keys import store_path
from packhouse.client.registry import parse_registry
from packhouse.errors import BadSettings
from packhouse.tree import fsio

_LONGEST_S, _MOST_TRIES = 86_400.0, 20
_HEAD = "# What `packhouse.config()` keeps.\n"

Value = str | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Mapping[str, Value]):
    """The client's configuration: attributes, and a mapping of the same names.

    Attributes:
        registry: URL of the channel that is meant where none is named, such as `http://localhost:8080/main`.
        connect_timeout_s: how long a connection may take to open, in seconds.
        timeout_s: how long a server may say nothing, in seconds.
        tries: how often a request is sent in all, when the connection fails or the server is busy.
    """

    registry: str | None = None
    connect_timeout_s: float = CONNECT_S
    timeout_s: float = SILENCE_S
    tries: int = TRIES

    def __getitem__(self, name: str) -> Value:
        if name not in NAMES:
            raise KeyError(name)
        found: Value = getattr(self, name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


NAMES = tuple(field.name for field in fields(Config))
"""The settings that there are."""


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the configuration lies."""
    return store_path(environ).with_name("config.toml")


def read_config(path: Path) -> Config:
    """Return what a configuration file says; the defaults without one.

    Raises:
        BadSettings: it is no TOML, or a setting is unknown, of the wrong type or out of range.
    """
    try:
        with path.open("rb") as file:
            return changed(Config(), tomllib.load(file))
    except FileNotFoundError:
        return Config()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadSettings(f"{path} cannot be read as TOML: {error}; mend or remove it") from error
    except BadSettings as error:
        raise BadSettings(f"{path}: {error}") from error


def write_config(path: Path, values: Mapping[str, object]) -> Config:
    """Change some settings and return all; None takes a setting back to its default.

    Raises:
        BadSettings: as `read_config`, for the file and for the values.
        StorageFull, Unavailable: the file cannot be written; it is as it was.
    """
    with _held(path.parent):
        config = changed(read_config(path), values)
        lines = [
            f"{name} = {_toml(value)}\n"
            for name, value in config.items()
            if value is not None and value != getattr(Config(), name)
        ]
        fsio.write_atomic(path, (_HEAD + "".join(lines)).encode())
    return config


def changed(config: Config, values: Mapping[str, object]) -> Config:
    """Return a configuration with other values; pure.

    Raises:
        BadSettings: a setting is unknown, of the wrong type or out of range.
    """
    for name, value in values.items():
        if name not in NAMES:
            raise BadSettings(f"there is no setting {name[:80]!r}; there are {', '.join(NAMES)}")
        if value is None:
            config = replace(config, **{name: getattr(Config(), name)})
        elif name == "registry":
            if not isinstance(value, str):
                raise BadSettings(f"registry is {value!r}; it should be the URL of a channel")
            config = replace(config, registry=parse_registry(value).url)
        elif name == "tries":
            if type(value) is not int or not 1 <= value <= _MOST_TRIES:
                raise BadSettings(f"tries is {value!r}; it should be a whole number from 1 to {_MOST_TRIES}")
            config = replace(config, tries=value)
        elif name == "timeout_s":
            config = replace(config, timeout_s=_seconds(name, value))
        else:
            config = replace(config, connect_timeout_s=_seconds(name, value))
    return config


def _seconds(name: str, value: object) -> float:
    if type(value) not in {int, float} or not isinstance(value, (int, float)):
        raise BadSettings(f"{name} is {value!r}; it should be a number of seconds")
    if not math.isfinite(value) or not 0 < value <= _LONGEST_S:
        raise BadSettings(f"{name} is {value!r}; it should be more than 0 and at most {_LONGEST_S:g} seconds")
    return float(value)


def _toml(value: str | float) -> str:
    # TOML takes JSON's strings, but for DEL, which no URL of a channel has.
    return json.dumps(value)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder, made if it is not there, while no other process changes the configuration."""
    with fsio.answering(str(folder)):
        for missing in (item for item in (*reversed(folder.parents), folder) if not item.exists()):
            with suppress(FileExistsError):  # another process was faster
                fsio.mkdir(missing)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)
