"""One frozen `Settings` from one TOML file and `PACKHOUSE_*` environment variables.

The file is `<data>/packhouse.toml`; every key may also be set as `PACKHOUSE_<KEY>` (upper case), which wins.
An empty variable is unset. The table in `docs/operator.md` is generated from the descriptions below,
so a key without one cannot exist.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from packhouse.errors import BadSettings
from packhouse.names import parse_channel


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set; sizes in bytes, times in seconds."""

    data: Path = field(metadata={"doc": "The data directory. Set by `--data`, not in the file."})
    default_channel: str = _setting(
        "main", "The channel that also answers at `/simple/`, `/pypi/` and `/packages/`."
    )
    default_read: str = _setting(
        "everyone",
        "Who may read what has no grant of its own: `everyone`, `authenticated`, or `nobody`.",
    )
    default_write: str = _setting(
        "nobody",
        "Who may upload to what has no grant of its own: `nobody`, `authenticated`, or a group's name.",
    )
    allow_register: bool = _setting(
        default=False,
        doc="Whether people may register themselves, until an admin switches it; an admin then approves them.",
    )
    password_min_length: int = _setting(6, "How many characters a password must have.")
    base_url: str = _setting(
        "",
        "The absolute URL people reach this server at; only feeds and shown snippets need it. Empty: relative.",
    )
    max_upload_bytes: int = _setting(2 << 30, "The largest file accepted, in bytes.")
    min_free_bytes: int = _setting(
        1 << 30, "Uploads are refused when the disk has less room than this, in bytes."
    )
    min_rate_bytes_s: int = _setting(1024, "The least rate at which a body must arrive, in bytes per second.")
    slow_window_s: int = _setting(30, "Over how many seconds the least rate is measured.")
    anonymous_requests_per_minute: int = _setting(
        300,
        "How many requests without credentials one address may send to the daemon per minute; files that nginx "
        "serves by itself do not count. 0: no limit.",
    )
    refused_requests_per_minute: int = _setting(
        60,
        "How many refused requests of one account, and requests with unknown credentials from one address, get their "
        "refusal per minute before a 429. 0: no limit.",
    )
    publish_wait_s: float = _setting(
        6.0, "How long an upload's answer waits until every index lists it, in seconds."
    )
    lease_s: int = _setting(
        120, "How long a name stays claimed by an upload that does not go on, in seconds."
    )
    delete_grace_s: int = _setting(
        86_400,
        "How long a deleted or replaced file stays readable for clients that hold an older index, in seconds.",
    )
    shard_grace_s: int = _setting(
        604_800, "How long an outdated repodata shard is kept (CEP 16: a week), in seconds."
    )
    reconcile_s: float = _setting(
        2.0, "How often the indexer looks for work that no wake-up announced, in seconds."
    )
    full_check_s: int = _setting(
        3600,
        "How often the indexer compares every hotfix file and published file with the catalog, in seconds.",
    )
    inspect_workers: int = _setting(2, "How many child processes open uploaded archives.")
    inspect_wall_s: int = _setting(60, "How long one archive may take to open, in seconds.")
    inspect_memory_bytes: int = _setting(2 << 30, "How much address space such a child may use, in bytes.")
    scan_bytes: int = _setting(2 << 30, "How much decompressed payload of one file is looked at, in bytes.")
    inbox_settle_s: float = _setting(2.0, "How long a dropped file's size must stand still, in seconds.")

    @property
    def database(self) -> Path:
        """Where the catalog lies."""
        return self.data / "state" / "catalog.sqlite"

    @property
    def socket(self) -> Path:
        """Where the daemon listens; nginx finds it relative to the data directory."""
        return self.data / "state" / "uploadd.sock"


def load(data: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of a data directory.

    Raises:
        BadSettings: the file is not TOML, a key is unknown, or a value has the wrong type or range. The
            sentence names the key, the value and what is expected.
    """
    values = _from_file(data / "packhouse.toml")
    types = get_type_hints(Settings)
    for key in types:
        text = environ.get(f"PACKHOUSE_{key.upper()}", "")
        if key != "data" and text:
            values[key] = _parse(key, text, types[key])
    settings = Settings(data=data, **values)
    _check(settings)
    return settings


def document() -> str:
    """Return the manual's table of settings as Markdown, one heading-free row per key."""
    rows = [
        f"| `{item.name}` | `{item.default!r}` | {item.metadata['doc']} |"
        for item in fields(Settings)
        if item.name != "data"
    ]
    rows = ["| key | default | meaning |", "|---|---|---|", *rows]
    return "\n".join(rows) + "\n"


def _from_file(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(
            f"{path.name} is not valid TOML: {error}; mend the line or move the file away"
        ) from error
    types = get_type_hints(Settings)
    for key, value in raw.items():
        if key not in types or key == "data":
            raise BadSettings(
                f"{path.name} sets {key!r}, which is no setting; known are {', '.join(sorted(types))}"
            )
        wanted = types[key]
        accepted = (int, float) if wanted is float else wanted
        # In Python, True is an int.
        if not isinstance(value, accepted) or (isinstance(value, bool) and wanted is not bool):
            raise BadSettings(
                f"{path.name} sets {key} to {value!r}; a value of type {wanted.__name__} is expected"
            )
    return raw


_BOOLEANS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def _parse(key: str, text: str, wanted: type) -> Any:
    try:
        if wanted is bool:
            return _BOOLEANS[text.lower()]
        return wanted(text)
    except (ValueError, KeyError) as error:
        raise BadSettings(
            f"PACKHOUSE_{key.upper()} is {text!r}; a value of type {wanted.__name__} is expected"
        ) from error


def _check(settings: Settings) -> None:
    parse_channel(settings.default_channel)
    for item in fields(Settings):
        value = getattr(settings, item.name)
        if isinstance(value, int | float) and value < 0:
            raise BadSettings(f"{item.name} is {value}; it must not be negative")
    if settings.inspect_workers < 1:
        raise BadSettings("inspect_workers is 0; at least one child is needed to open uploads")
    if settings.password_min_length < 1:
        raise BadSettings("password_min_length is 0; an empty password cannot be shown, so use at least 1")
    if settings.default_read not in ("everyone", "authenticated", "nobody"):
        raise BadSettings(
            f"default_read is {settings.default_read!r}; it must be everyone, authenticated or nobody"
        )
    if settings.default_write == "everyone":
        raise BadSettings(
            "default_write is 'everyone'; an upload always needs an account: use authenticated, a group or nobody"
        )
    if settings.base_url and not settings.base_url.startswith(("http://", "https://")):
        raise BadSettings(f"base_url is {settings.base_url!r}; it must start with http:// or https://")
