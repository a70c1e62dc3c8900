"""Readers of local sources: a channel's directory, a bandersnatch mirror, any folder with packages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packhouse.ecosystems.registry import format_of
from packhouse.errors import BadName, NotFound, Unprocessable
from packhouse.importing import simple
from packhouse.importing.items import Item, Source, local, told_digests
from packhouse.importing.products import Products
from packhouse.model import Ecosystem
from packhouse.names import SUBDIRS

_HOTFIX = "patch_instructions.json"
_REPODATA = "repodata.json"
_PAGES = ("index.v1_json", "index.json", "index.html")
"""As bandersnatch and Packhouse name a project's page; JSON first, since only that tells upload times."""
_PACKAGES = "/packages/"


class CondaChannel:
    """A directory with subdirs that hold conda packages and, usually, a repodata.json."""

    title = "a conda channel"

    def __init__(self, root: Path) -> None:
        self._found = [
            (folder.name, path, said)
            for folder in _subdirs(root)
            for path, said in _with_records(folder, _records(folder / _REPODATA))
        ]
        self._root = root
        self.total: int | None = len(self._found)

    def items(self) -> Iterator[Item]:
        """Yield every package file; what repodata says of it is claimed, and so verified."""
        for subdir, path, said in self._found:
            size = said.get("size")
            stamp_ms = said.get("indexed_timestamp")
            yield Item(
                name=path.name,
                where=f"{subdir}/{path.name}",
                ecosystem=Ecosystem.CONDA,
                body=local(partial(Path, path)),
                directory=subdir,
                size=size if isinstance(size, int) else None,
                digests=told_digests(said),
                # CEP 47: milliseconds since 1970, when the server first published it. A file's mtime tells no
                # such thing: copying changes it.
                uploaded_us=stamp_ms * 1000 if isinstance(stamp_ms, int) and stamp_ms > 0 else None,
            )

    def hotfixes(self) -> Mapping[str, bytes]:
        """Return each subdir's patch_instructions.json."""
        return {
            f"{folder.name}/{_HOTFIX}": (folder / _HOTFIX).read_bytes()
            for folder in _subdirs(self._root)
            if (folder / _HOTFIX).is_file()
        }


class Folder:
    """Packages anywhere below a folder, as pypiserver keeps them."""

    title = "a folder of packages"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found = [
            (path, ecosystem)
            for path in sorted(_files(root))
            if (ecosystem := _ecosystem(path.name)) is not None
        ]
        self.total: int | None = len(self._found)

    def items(self) -> Iterator[Item]:
        """Yield every file whose extension an ecosystem knows; no upload times: an mtime is none."""
        for path, ecosystem in self._found:
            where = str(path.relative_to(self._root))
            yield Item(name=path.name, where=where, ecosystem=ecosystem, body=local(partial(Path, path)))

    def hotfixes(self) -> Mapping[str, bytes]:
        """Return nothing: a folder has none."""
        return {}


class Mirror:
    """Pages under `simple/`, files under `packages/`: bandersnatch's `web/`, or a channel of Packhouse."""

    title = "a Python mirror"

    def __init__(self, web: Path) -> None:
        self._web = web.resolve()
        self._found = [
            (page, listed) for page in sorted(_mirror_pages(self._web / "simple")) for listed in _listed(page)
        ]
        self.total: int | None = len(self._found)

    def items(self) -> Iterator[Item]:
        """Yield every file that the pages list, with upload time, digests and yanked state."""
        for _page, listed in self._found:
            yield Item(
                name=listed.name,
                where=_below(listed),
                ecosystem=Ecosystem.PYPI,
                body=local(partial(self._local, listed)),
                size=listed.size,
                digests=listed.digests,
                uploaded_us=listed.uploaded_us,
                yanked=listed.yanked,
            )

    def hotfixes(self) -> Mapping[str, bytes]:
        """Return nothing: Python has none."""
        return {}

    def _local(self, listed: simple.Listed) -> Path:
        """Return where a listed file lies."""
        target = (self._web / _below(listed)).resolve()
        if not target.is_relative_to(self._web):
            raise Unprocessable(f"{listed.name} is refused: the mirror's page leads out of the mirror")
        return target


class Together:
    """Several readers of one directory, such as a copied channel of Packhouse: each takes what is its own."""

    def __init__(self, readers: Sequence[Source]) -> None:
        self.readers = tuple(readers)
        *first, last = (reader.title for reader in self.readers)
        self.title = f"{', '.join(first)} and {last}"
        totals = [reader.total for reader in self.readers]
        self.total = None if None in totals else sum(total or 0 for total in totals)

    def items(self) -> Iterator[Item]:
        """Yield what every reader finds."""
        for reader in self.readers:
            yield from reader.items()

    def hotfixes(self) -> Mapping[str, bytes]:
        """Return the hotfixes of all readers."""
        return {path: body for reader in self.readers for path, body in reader.hotfixes().items()}


def _below(listed: simple.Listed) -> str:
    """Return a listed file's path in its mirror; the URL may be relative, or absolute to the mirror's own address."""
    path = unquote(urlsplit(listed.url).path)
    return path[path.find(_PACKAGES) :].lstrip("/") if _PACKAGES in path else f"packages/{listed.name}"


def _listed(page: Path) -> list[simple.Listed]:
    # No host is ever asked: relative links start at the path a server would have this page at.
    try:
        return simple.files(
            page.read_bytes(), f"/simple/{page.parent.name}/", is_json=page.name.endswith("json")
        )
    except simple.NoSimpleIndex as error:
        raise simple.NoSimpleIndex(f"{page} cannot be read: {error}") from error


def _mirror_pages(folder: Path) -> Iterator[Path]:
    """Yield one page per project: JSON where there is one, since only that tells upload times."""
    for project in sorted({path.parent for name in _PAGES for path in folder.rglob(name)} - {folder}):
        # hash-index = true puts projects one level deeper, below folders without a page of their own
        yield next(project / name for name in _PAGES if (project / name).is_file())


def _subdirs(root: Path) -> list[Path]:
    return sorted(folder for folder in root.iterdir() if folder.name in SUBDIRS and folder.is_dir())


def _with_records(folder: Path, records: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield package files with their records; a record whose file is missing yields its path all the same."""
    there = _conda_files(folder)
    for name in sorted(there | set(records)):
        if "/" not in name and "\0" not in name:
            yield folder / name, records.get(name, {})


def _conda_files(folder: Path) -> set[str]:
    return {
        path.name for path in folder.iterdir() if _ecosystem(path.name) is Ecosystem.CONDA and path.is_file()
    }


def _records(repodata: Path) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(repodata.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Unprocessable(f"{repodata} is not valid JSON ({error}): mend it or move it away") from error
    found: dict[str, dict[str, Any]] = {}
    for key in ("packages", "packages.conda"):
        section = document.get(key) if isinstance(document, dict) else None
        if isinstance(section, dict):
            found |= {name: record for name, record in section.items() if isinstance(record, dict)}
    return found


def _files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if not any(part.startswith(".") for part in path.relative_to(root).parts) and path.is_file():
            yield path


def _ecosystem(name: str) -> Ecosystem | None:
    try:
        return format_of(name).ecosystem
    except BadName:
        return None


def detect(root: Path) -> Source:
    """Return the reader that fits a directory, or all that do, together.

    Raises:
        NotFound: it is no directory, or nothing in it can be imported.
        Unprocessable: an index in it cannot be read.
    """
    if not root.is_dir():
        raise NotFound("directory", str(root), "give a directory, or the URL of a simple index")
    readers: list[Source] = []
    if any((folder / _REPODATA).is_file() or _conda_files(folder) for folder in _subdirs(root)):
        readers.append(CondaChannel(root))
    for web in (root / "web", root):
        if (web / "simple").is_dir() and (web / "packages").is_dir():
            readers.append(Mirror(web))
            break
    if Products.fits(root):
        readers.append(Products(root))
    if readers:
        return readers[0] if len(readers) == 1 else Together(readers)
    found = Folder(root)
    if not found.total:
        raise NotFound(
            "package in",
            str(root),
            "known are .conda, .tar.bz2, .whl, .tar.gz and .zip, in any folder below it",
        )
    return found
