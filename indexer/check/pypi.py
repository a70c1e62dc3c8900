"""Read a Python index as clients do, with none of our own reading code: json, html.parser, and pypi-simple."""

import gzip
import json
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from posixpath import normpath
from typing import Any
from urllib.parse import unquote, urldefrag

from indexer.check.shelf import Shelf, optional
from packhouse.model import Ecosystem

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WINDOW = 23
"""Browsers and proxies decode zstd with a window of at most 8 MiB (RFC 9659)."""


class _Anchors(HTMLParser):
    """Collects every anchor: (text, attributes)."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[tuple[str, dict[str, str | None]]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.anchors.append(("", dict(attrs)))
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            text, attributes = self.anchors[-1]
            self.anchors[-1] = (text + data, attributes)


def check(shelf: Shelf) -> None:
    """Check every simple page in both forms and every variant, and each entry against its file."""
    projects = sorted({a.package for a in shelf.artifacts.values() if a.ecosystem == "pypi"})
    _root(shelf, shelf.listed(Ecosystem.PYPI))
    for project in projects:
        folder = f"simple/{project}"
        page = _json(shelf, f"{folder}/index.json")
        markup = _text(shelf, f"{folder}/index.html")
        if page is None or markup is None:
            continue
        _files(shelf, project, page)
        if _from_html(folder, markup) != _from_json(folder, page):
            shelf.wrong(f"{folder}/index.html", "lists other files than the JSON page")
        _second_opinion(shelf, project, page, markup)
        _legacy(shelf, project, page)


def _root(shelf: Shelf, projects: list[str]) -> None:
    listing, markup = _json(shelf, "simple/index.json"), _text(shelf, "simple/index.html")
    if listing is not None and [item["name"] for item in listing.get("projects", [])] != projects:
        shelf.wrong("simple/index.json", "lists other projects than the channel holds")
    if markup is not None and [text for text, _ in _anchors(markup)] != projects:
        shelf.wrong("simple/index.html", "lists other projects than the channel holds")


def _text(shelf: Shelf, path: str) -> str | None:
    """Read a page and demand that its precompressed variants hold the same bytes."""
    body = shelf.body(path)
    if body is None:
        shelf.wrong(path, "is missing")
        return None
    decoded = shelf.unzstd(f"{path}.zst", window_log=_WINDOW)
    if decoded is not None and decoded != body:
        shelf.wrong(f"{path}.zst", "holds other bytes than the plain file")
    try:
        if gzip.decompress(shelf.body(f"{path}.gz") or b"") != body:
            shelf.wrong(f"{path}.gz", "holds other bytes than the plain file")
    except (OSError, EOFError, ValueError, zstd.ZstdError) as error:
        shelf.wrong(f"{path}.gz", f"is no valid gzip: {error}")
    except Exception as error:  # noqa: BLE001 - zlib.error has no common base
        shelf.wrong(f"{path}.gz", f"cannot be decoded: {error}")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        shelf.wrong(path, f"is no UTF-8: {error}")
        return None


def _json(shelf: Shelf, path: str) -> dict[str, Any] | None:
    text = _text(shelf, path)
    return None if text is None else _parse(shelf, path, text)


def _parse(shelf: Shelf, path: str, text: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        shelf.wrong(path, f"is no valid JSON: {error}")
        return None
    if not isinstance(parsed, dict):
        shelf.wrong(path, "is no JSON object")
        return None
    return parsed


def _files(shelf: Shelf, project: str, page: Mapping[str, Any]) -> None:
    index = f"simple/{project}/index.json"
    live = {a.path for a in shelf.artifacts.values() if (a.ecosystem, a.package) == ("pypi", project)}
    named: set[str] = set()
    for file in page.get("files", []):
        path = _target(f"simple/{project}", str(file.get("url")))
        named.add(path)
        shelf.entry(index, path, size=file.get("size"), sha256=file.get("hashes", {}).get("sha256"))
        core = file.get("core-metadata")
        if isinstance(core, dict):
            _metadata(shelf, index, path, core.get("sha256"))
    for path in sorted(live - named):
        shelf.wrong(index, f"does not name {path}")


def _metadata(shelf: Shelf, index: str, path: str, sha256: object) -> None:
    artifact = shelf.artifacts.get(path)
    held = shelf.house.catalog.artifacts.sidecars(artifact.id) if artifact else {}
    if ".metadata" not in held:
        shelf.wrong(index, f"offers metadata of {path}, which has none")
    elif artifact is not None and artifact.record.get("core_metadata") != sha256:
        shelf.wrong(index, f"says another sha256 of the metadata of {path}")


def _target(folder: str, url: str) -> str:
    """Resolve a relative URL of a page in `folder` to a path of the channel."""
    return normpath(f"{folder}/{unquote(urldefrag(url).url)}")


def _anchors(markup: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Anchors()
    parser.feed(markup)
    parser.close()
    return parser.anchors


_Listed = dict[str, tuple[str, str, str | None, str | None]]
"""File name to (path, sha256, requires-python, yanked reason or None)."""


def _from_html(folder: str, markup: str) -> _Listed:
    found: _Listed = {}
    for text, attributes in _anchors(markup):
        href = attributes.get("href") or ""
        digest = urldefrag(href).fragment.removeprefix("sha256=")
        found[text] = (
            _target(folder, href),
            digest,
            attributes.get("data-requires-python"),
            attributes.get("data-yanked"),
        )
    return found


def _from_json(folder: str, page: Mapping[str, Any]) -> _Listed:
    found: _Listed = {}
    for file in page.get("files", []):
        yanked = file.get("yanked", False)
        reason = None if yanked is False else "" if yanked is True else str(yanked)
        found[str(file.get("filename"))] = (
            _target(folder, str(file.get("url"))),
            str(file.get("hashes", {}).get("sha256")),
            file.get("requires-python"),
            reason,
        )
    return found


def _second_opinion(shelf: Shelf, project: str, page: Mapping[str, Any], markup: str) -> None:
    """Ask pypi-simple to read both forms, and compare what both can say."""
    pypi_simple = optional("pypi_simple")
    if pypi_simple is None:
        return
    index = f"simple/{project}/index.json"
    try:
        first = pypi_simple.ProjectPage.from_json_data(dict(page), base_url="http://host/simple/p/")
        second = pypi_simple.ProjectPage.from_html(project, markup, base_url="http://host/simple/p/")
    except Exception as error:  # noqa: BLE001 - whatever it objects to is a finding
        shelf.wrong(index, f"is refused by pypi-simple: {error}")
        return
    one, two = (
        [
            (p.filename, p.url, p.digests, p.requires_python, p.is_yanked, p.yanked_reason, p.has_metadata)
            for p in parsed.packages
        ]
        for parsed in (first, second)
    )
    if one != two:
        shelf.wrong(index, "and the HTML page differ to pypi-simple")


def _legacy(shelf: Shelf, project: str, page: Mapping[str, Any]) -> None:
    path = f"pypi/{project}/json"
    body = shelf.body(path)
    if body is None:
        shelf.wrong(path, "is missing")
        return
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        shelf.wrong(path, f"is no UTF-8: {error}")
        return
    parsed = _parse(shelf, path, text)
    if parsed is None:
        return
    files = [file for release in parsed.get("releases", {}).values() for file in release]
    for file in files:
        target = unquote(str(file.get("url", ""))).lstrip("/")
        shelf.entry(
            path, target, size=file.get("size"), sha256=file.get("digests", {}).get("sha256"),
            md5=file.get("digests", {}).get("md5"),
        )  # fmt: skip
    if len(files) != len(page.get("files", [])):
        shelf.wrong(path, "lists another number of files than the simple page")
