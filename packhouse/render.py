"""The one Jinja environment; templates know nothing of formats or channels' contents.

Escaping belongs to the last writer, and that is here: everything is text until a template puts it on a page.
"""

import functools
import time
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from packhouse.assets import asset

_US = 1_000_000
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def environment(templates: Path) -> Environment:
    """Return an environment for a folder of templates.

    Autoescape is on for every file, whatever its extension; an unknown name is an error, never an empty string.
    """
    made = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"iso": iso, "day": day, "moment": moment, "bytes": amount}
    return made


def iso(us: int) -> str:
    """Return a time in microseconds since 1970 UTC as `<time datetime>` wants it: `2026-11-21T10:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(us // _US))


def day(us: int) -> str:
    """Return the date of a time in microseconds since 1970 UTC: `2026-11-21`."""
    return time.strftime("%Y-%m-%d", time.gmtime(us // _US))


def moment(us: int) -> str:
    """Return a time in microseconds since 1970 UTC in full, for people: `2026-11-21 10:00:00 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(us // _US))


def amount(size: int) -> str:
    """Return a size in bytes with three digits that count: `512 B`, `1.21 kB`, `34.5 MB` (powers of 1000)."""
    value, unit = float(size), 0
    while value >= 999.5 and unit + 1 < len(_UNITS):
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{size} B"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


@functools.cache
def _ours() -> Environment:
    return environment(asset("templates"))


def render(template: str, **values: Any) -> bytes:
    """Render a template of `templates/` as UTF-8; equal values give equal bytes."""
    return _ours().get_template(template).render(**values).encode()
