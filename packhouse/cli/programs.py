"""How this command starts Packhouse's other programs: with this Python, importing what this process imports."""

import os
import sys


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module; nothing is imported from the directory it starts in."""
    return [sys.executable, "-P", "-m", module, *arguments]


def python_environment() -> dict[str, str]:
    """Return the environment for it: ours, with our import path, and output that arrives line by line."""
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path),
    }
