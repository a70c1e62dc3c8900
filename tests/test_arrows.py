"""Which module may know which: the architecture's arrows, read from the source.

Every check is a function from sources to complaints, so that a planted source can show that it complains.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP = ("packhouse", "indexer", "uploadd")

FORBIDDEN = {"packhouse": {"indexer", "uploadd"}, "indexer": {"uploadd"}, "uploadd": {"indexer"}}
"""Package -> what it never imports (DESIGN: packhouse <- indexer, packhouse <- uploadd, and nothing else)."""

SIBLINGS = {
    "packhouse.ecosystems": {"packhouse.ecosystems.registry"},
    "uploadd.dialects": set(),
}
SHARED = {"packhouse.ecosystems.view"}
"""What the members of such a folder speak with the rest in: values, no member itself."""
"""Folder whose members never import each other -> the modules that may, since listing them is their purpose."""

SQL = re.compile(r"(sqlalchemy|sqlite3|alembic|aiosqlite|psycopg|asyncpg)(\.|$)")
SQL_HOME = "packhouse.catalog"

MAY_MUTATE = {
    "packhouse.tree.fsio": "the one module that changes stored files; tests break each of its calls",
    "packhouse.webserver": "nginx's own configuration under state/, never a stored file",
    "packhouse.house": "makes the empty folders of a data directory, once",
    "packhouse.coordination.locks": "lock files under state/locks/, which hold nothing",
    "uploadd.__main__": "removes the stale socket of a daemon that was killed",
}
"""Module -> why it may change the file system itself."""

OS_MUTATORS = frozenset(
    {
        "rename",
        "replace",
        "renames",
        "link",
        "symlink",
        "unlink",
        "remove",
        "rmdir",
        "removedirs",
        "mkdir",
        "makedirs",
        "mkfifo",
        "mknod",
        "truncate",
        "ftruncate",
        "fsync",
        "fdatasync",
        "utime",
        "chmod",
        "fchmod",
        "chown",
        "fchown",
        "write",
        "pwrite",
        "sendfile",
        "copy_file_range",
    }
)
SHUTIL_MUTATORS = frozenset(
    {"copy", "copy2", "copyfile", "copyfileobj", "copytree", "copymode", "copystat", "move", "rmtree"}
)
PATH_MUTATORS = frozenset(
    {
        "write_text",
        "write_bytes",
        "mkdir",
        "touch",
        "unlink",
        "rmdir",
        "symlink_to",
        "hardlink_to",
        "lchmod",
        "chmod",
    }
)
"""Method names that no other class in this project uses; `rename` and `replace` are told apart by their receiver."""

LINES = 400
LONG: dict[str, str] = {}
"""Module over the budget -> why cutting it would be worse."""


@dataclass(frozen=True)
class Source:
    """One module: its dotted name and its text."""

    name: str
    text: str
    package: bool = False

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def sources() -> dict[str, Source]:
    """Every module of the three packages."""
    found = {}
    for top in TOP:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if package else parts)
            found[name] = Source(name, path.read_text(encoding="utf-8"), package)
    return found


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Every imported module, wherever the statement stands; `from a import b` counts as `a` and `a.b`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            yield node.lineno, base
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant):
                    yield node.lineno, str(argument.value)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = source.name.split(".")
    parts = parts[: len(parts) - node.level + (1 if source.package else 0)]
    return ".".join([*parts, *filter(None, [node.module])])


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def wrong_arrows(modules: Mapping[str, Source]) -> list[str]:
    """Imports against the arrows between the three packages."""
    return [
        f"{source.name}:{line} imports {target}"
        for source in modules.values()
        for line, target in imports(source)
        if target.split(".")[0] in FORBIDDEN.get(source.name.split(".")[0], set())
    ]


def sibling_imports(modules: Mapping[str, Source]) -> list[str]:
    """Imports between members of a folder whose members do not know each other."""
    wrong = []
    for folder, exempt in SIBLINGS.items():
        members = {
            name.removeprefix(folder + ".").split(".")[0]
            for name in modules
            if name.startswith(folder + ".") and name not in SHARED
        }
        for source in modules.values():
            if not source.name.startswith(folder + ".") or source.name in exempt:
                continue
            own = source.name.removeprefix(folder + ".").split(".")[0]
            for line, target in imports(source):
                other = target.removeprefix(folder + ".").split(".")[0] if _within(target, folder) else ""
                if other in members - {own}:
                    wrong.append(f"{source.name}:{line} imports its sibling {target}")
    return wrong


def sql_outside(modules: Mapping[str, Source]) -> list[str]:
    """Database libraries imported anywhere but in the catalog."""
    return [
        f"{source.name}:{line} imports {target}"
        for source in modules.values()
        if not _within(source.name, SQL_HOME)
        for line, target in imports(source)
        if SQL.match(target)
    ]


def mutations(source: Source) -> list[str]:
    """Calls that change the file system, as far as their text tells."""
    borrowed = {
        alias.asname or alias.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module in {"os", "shutil"}
        for alias in node.names
        if alias.name in OS_MUTATORS | SHUTIL_MUTATORS
    }
    return [
        f"{source.name}:{node.lineno} calls {what}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and (what := _mutation(node, borrowed))
    ]


def _mutation(call: ast.Call, borrowed: set[str]) -> str:  # noqa: PLR0911 - a table of cases
    name = _called(call)
    receiver = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if receiver == "fsio":
        return ""  # the way it should be done
    if receiver == "os":
        if name in OS_MUTATORS:
            return f"os.{name}"
        flags = ast.unparse(call.args[1]) if name == "open" and len(call.args) > 1 else ""
        if flags and ast.unparse(call.args[0]) in {"os.devnull", "'/dev/null'"}:
            return ""
        return f"os.open({flags})" if re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)", flags) else ""
    if receiver == "shutil":
        return f"shutil.{name}" if name in SHUTIL_MUTATORS else ""
    if not receiver:
        if name in borrowed:
            return name
        return "open for writing" if name == "open" and _writes(call, 1) else ""
    if name in PATH_MUTATORS:
        return f"{receiver}.{name}"
    # Path.rename and Path.replace take one argument, str.replace two and dataclasses.replace keywords.
    if name in {"rename", "replace"} and len(call.args) == 1 and not call.keywords:
        return f"{receiver}.{name}"
    return f"{receiver}.open for writing" if name == "open" and _writes(call, 0) else ""


def _writes(call: ast.Call, position: int) -> bool:
    """Whether an `open` names a mode that writes; without a literal mode it reads."""
    given = call.args[position : position + 1] + [word.value for word in call.keywords if word.arg == "mode"]
    return any(
        isinstance(mode, ast.Constant)
        and isinstance(mode.value, str)
        and re.fullmatch(r"[rwaxbt+]*[wax+][rwaxbt+]*", mode.value)
        for mode in given
    )


def mutations_outside(modules: Mapping[str, Source]) -> list[str]:
    """Changes to the file system outside the modules that are named with a reason."""
    return [
        line for source in modules.values() if source.name not in MAY_MUTATE for line in mutations(source)
    ]


def too_long(modules: Mapping[str, Source]) -> list[str]:
    """Modules over the line budget."""
    return [
        f"{source.name} has {lines} lines"
        for source in modules.values()
        if (lines := source.text.count("\n")) > LINES and source.name not in LONG
    ]


CHECKS = (wrong_arrows, sibling_imports, sql_outside, mutations_outside, too_long)


@pytest.mark.parametrize("check", CHECKS)
def test_the_source_keeps_the_architecture(check):
    assert check(sources()) == []


@pytest.mark.parametrize(
    ("check", "name", "text"),
    [
        (wrong_arrows, "packhouse.x", "import uploadd.app"),
        (wrong_arrows, "packhouse.x", "def f():\n    from indexer import plan"),
        (wrong_arrows, "packhouse.x", "import importlib\nimportlib.import_module('indexer.plan')"),
        (wrong_arrows, "indexer.x", "from uploadd.app import create_app"),
        (wrong_arrows, "uploadd.x", "try:\n    import indexer\nexcept ImportError:\n    pass"),
        (sibling_imports, "packhouse.ecosystems.pypi.x", "from packhouse.ecosystems.conda import names"),
        (sibling_imports, "packhouse.ecosystems.pypi.x", "from packhouse.ecosystems import conda"),
        (sibling_imports, "packhouse.ecosystems.pypi.x", "from ..conda import names"),
        (
            sibling_imports,
            "packhouse.ecosystems.pypi.x",
            "def f():\n    import packhouse.ecosystems.conda.names",
        ),
        (sibling_imports, "uploadd.dialects.one", "from uploadd.dialects.two import ROUTES"),
        (sql_outside, "uploadd.x", "from sqlalchemy import select"),
        (sql_outside, "packhouse.x", "def f():\n    import sqlite3"),
        (mutations_outside, "packhouse.x", "import os\nos.rename('a', 'b')"),
        (mutations_outside, "packhouse.x", "from os import unlink as gone\ngone('a')"),
        (mutations_outside, "packhouse.x", "import os\nos.open('a', os.O_WRONLY | os.O_CREAT)"),
        (mutations_outside, "packhouse.x", "import shutil\nshutil.move('a', 'b')"),
        (mutations_outside, "packhouse.x", "path.write_bytes(b'')"),
        (mutations_outside, "packhouse.x", "path.replace(other)"),
        (mutations_outside, "packhouse.x", "path.open('wb')"),
        (mutations_outside, "packhouse.x", "open('a', mode='a')"),
        (mutations_outside, "packhouse.x", "folder.mkdir(exist_ok=True)"),
        (too_long, "packhouse.x", "pass\n" * (LINES + 1)),
    ],
)
def test_a_planted_offence_is_found(check, name, text):
    """A check that cannot complain proves nothing."""
    planted = {
        name: Source(name, text),
        "packhouse.ecosystems.conda": Source("packhouse.ecosystems.conda", "", package=True),
        "uploadd.dialects.two": Source("uploadd.dialects.two", "ROUTES = []"),
    }

    assert len(check(planted)) >= 1


@pytest.mark.parametrize(
    "text",
    [
        "'a'.replace('a', 'b')",
        "from dataclasses import replace\nreplace(record, state='live')",
        "dataclasses.replace(record, state='live')",
        "path.open('rb')",
        "open('a')",
        "archive.open('member')",
        "fsio.unlink('a')",
        "import os\nos.open('a', os.O_RDONLY)",
        "import os\nos.open(os.devnull, os.O_WRONLY)",
    ],
)
def test_reading_is_no_mutation(text):
    assert mutations(Source("packhouse.x", text)) == []


def test_the_registry_may_list_the_ecosystems():
    modules = {
        "packhouse.ecosystems.registry": Source(
            "packhouse.ecosystems.registry", "from packhouse.ecosystems import conda, pypi"
        ),
        "packhouse.ecosystems.conda": Source("packhouse.ecosystems.conda", "", package=True),
        "packhouse.ecosystems.pypi": Source("packhouse.ecosystems.pypi", "", package=True),
    }

    assert sibling_imports(modules) == []


def test_every_exception_names_a_module_that_is_there_and_needs_it():
    """An exception that nobody needs any more is a hole."""
    modules = sources()

    assert [name for name in MAY_MUTATE if not mutations(modules[name])] == []
    assert [name for name in LONG if modules[name].text.count("\n") <= LINES] == []


def test_the_assets_folder_is_no_package():
    """`site/__init__.py` would shadow the standard library's `site` for everything started from the checkout."""
    assert not (ROOT / "site" / "__init__.py").exists()
    assert list((ROOT / "site").rglob("*.py")) == []
    assert list((ROOT / "templates").rglob("*.py")) == []
