"""The one Jinja environment; templates know nothing of formats or channels' contents.

Escaping belongs to the last writer, and that is here: everything is text until a template puts it on a page.
"""

import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from packhouse.assets import asset


def environment(templates: Path) -> Environment:
    """Return an environment for a folder of templates.

    Autoescape is on for every file, whatever its extension; an unknown name is an error, never an empty string.
    """
    return Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@functools.cache
def _ours() -> Environment:
    return environment(asset("templates"))


def render(template: str, **values: Any) -> bytes:
    """Render a template of `templates/` as UTF-8; equal values give equal bytes."""
    return _ours().get_template(template).render(**values).encode()
