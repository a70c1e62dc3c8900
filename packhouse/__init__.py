"""Packhouse: conda channels, Python indexes and build products as one tree of plain files.

This package is the domain: words, formats, the store and the client. It holds no HTTP server.

To Python programs it is the client (`docs/python-client.md`), whose names below are imported when they are first used,
so that `import packhouse` costs nothing:

    import packhouse

    packhouse.list_packages("http://localhost:8080/main")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` imports, told to type checkers
    from packhouse import aio, api_keys
    from packhouse.api_keys import APIKey, APIKeyError
    from packhouse.client.account import config, logged_in, login, logout
    from packhouse.client.changing import delete, delete_package, push, unyank, wait, yank
    from packhouse.client.connection import (
        KeyRefused,
        Missing,
        NotPermitted,
        ServerRefused,
        TimedOut,
        Unreachable,
    )
    from packhouse.client.listing import Package, list_package_versions, list_packages, search
    from packhouse.client.preferences import Config
    from packhouse.client.pulling import LocalFileExists, pull
    from packhouse.client.session import clear_api_key, login_with_api_key
    from packhouse.client.uploads import Outcome, Pushed
    from packhouse.client.versions import Ambiguous, HashMismatch
    from packhouse.errors import BadName, BadSettings, Malformed, PackhouseError, Unauthenticated

__version__ = "0.1.0"

__all__ = [
    "APIKey",
    "APIKeyError",
    "Ambiguous",
    "BadName",
    "BadSettings",
    "Config",
    "HashMismatch",
    "KeyRefused",
    "LocalFileExists",
    "Malformed",
    "Missing",
    "NotPermitted",
    "Outcome",
    "Package",
    "PackhouseError",
    "Pushed",
    "ServerRefused",
    "TimedOut",
    "Unauthenticated",
    "Unreachable",
    "__version__",
    "aio",
    "api_keys",
    "clear_api_key",
    "config",
    "delete",
    "delete_package",
    "list_package_versions",
    "list_packages",
    "logged_in",
    "login",
    "login_with_api_key",
    "logout",
    "pull",
    "push",
    "search",
    "unyank",
    "wait",
    "yank",
]

_HOMES = {
    "packhouse.api_keys": "APIKey APIKeyError",
    "packhouse.client.account": "config logged_in login logout",
    "packhouse.client.changing": "delete delete_package push unyank wait yank",
    "packhouse.client.connection": "KeyRefused Missing NotPermitted ServerRefused TimedOut Unreachable",
    "packhouse.client.listing": "Package list_package_versions list_packages search",
    "packhouse.client.preferences": "Config",
    "packhouse.client.pulling": "LocalFileExists pull",
    "packhouse.client.session": "clear_api_key login_with_api_key",
    "packhouse.client.uploads": "Outcome Pushed",
    "packhouse.client.versions": "Ambiguous HashMismatch",
    "packhouse.errors": "BadName BadSettings Malformed PackhouseError Unauthenticated",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}
_MODULES = frozenset({"aio", "api_keys"})


def __getattr__(name: str) -> Any:
    """Import what is used for the first time (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f"packhouse.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'packhouse' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the client's names too, imported or not."""
    return sorted({*globals(), *__all__})
