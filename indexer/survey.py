"""Look at everything: which areas exist, and where the tree or an operator's file differs from the catalog.

Nothing here publishes. It marks areas dirty, and takes away the belief that a path holds what it should.
"""

import hashlib
import re
from collections.abc import Iterator

import orjson

from indexer.publish import path_of
from packhouse import __version__
from packhouse.areas import SITE
from packhouse.assets import asset, site_files
from packhouse.catalog.areas import Printed
from packhouse.digest import digest
from packhouse.errors import NotFound
from packhouse.house import House, areas_of
from packhouse.model import Area, Channel, Ecosystem, State
from packhouse.tree import fsio

HOTFIX = "patch_instructions.json"
"""Conda's hotfixes: a file the operator puts into a subdir."""

_RENDERED_BY = "state/rendered-by"
_HOTFIXES = "state/hotfixes.json"
_WAITING = re.compile(r"incoming/replace\.([0-9]+)")
_CHUNK = 1 << 20


class Survey:
    """Compares one house with its catalog."""

    def __init__(self, house: House) -> None:
        self._house = house

    def renew(self) -> bool:
        """Mark every area if templates, assets, settings shown on pages or the program itself changed.

        Bytes that come out the same are not rewritten, so that this costs time only.
        """
        path = self._house.data / _RENDERED_BY
        now = fingerprint(self._house)
        if path.exists() and path.read_text(encoding="ascii", errors="replace").strip() == now:
            return False
        for channel in self._house.catalog.channels.list():
            self._house.catalog.areas.mark(dict.fromkeys(areas_of(self._house, channel.name), 0.0))
        self._house.catalog.areas.mark({SITE: 0.0})
        fsio.write_atomic(path, now.encode() + b"\n")
        return True

    def superseded(self) -> list[str]:
        """Remove overwrites that wait in vain: another one of the same path came before they were swapped in."""
        removed: list[str] = []
        for stat in list(self._house.tree.scan("incoming")):
            waiting = _WAITING.fullmatch(stat.path)
            if waiting is None:
                continue
            artifact = self._house.catalog.artifacts.get(int(waiting[1]))
            if artifact is None or (artifact.state is not State.PENDING and artifact.staged is None):
                self._house.tree.remove(stat.path)
                removed.append(stat.path)
        return removed

    def hotfixes(self) -> list[Area]:
        """Mark the subdirs whose hotfix file appeared, changed or vanished since the last look."""
        path = self._house.data / _HOTFIXES
        try:
            before: dict[str, str] = orjson.loads(path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            before = {}
        now: dict[str, str] = {}
        changed: list[Area] = []
        for channel in self._house.catalog.channels.list():
            for area in self._house.catalog.areas.known(channel.name):
                if (area.ecosystem, area.kind) != (Ecosystem.CONDA, "index"):
                    continue
                body = self._house.read(channel, f"{area.key}/{HOTFIX}")
                if body is not None:
                    now[str(area)] = hashlib.sha256(body).hexdigest()
                if now.get(str(area)) != before.get(str(area)):
                    changed.append(area)
        if changed or now != before:
            self._house.catalog.areas.mark(dict.fromkeys(changed, 0.0))
            fsio.write_atomic(path, orjson.dumps(now, option=orjson.OPT_SORT_KEYS) + b"\n")
        return changed

    def compare(self, channel: str | None = None, *, by_hash: bool = False) -> list[Area]:
        """Mark areas of which a published file is missing or not the one that was written.

        Args:
            channel: only this one; None is every channel and the site.
            by_hash: read every file instead of trusting size and time.

        Returns:
            The areas, sorted.
        """
        found: set[Area] = set()
        channels = self._house.catalog.channels.list()
        wanted = [item for item in channels if channel in (None, item.name)]
        for name in [*(item.name for item in wanted), *([""] if channel is None else [])]:
            for area, path, printed in self._differing(name, by_hash=by_hash):
                if printed.mtime_s:  # else it was announced only, and nobody believes in it anyway
                    # The next publication writes it even if it renders the same bytes, or takes it away.
                    self._house.catalog.areas.record(area, {path: Printed("", printed.size, printed.mtime_s)})
                found.add(area)
        self._house.catalog.areas.mark(dict.fromkeys(sorted(found), 0.0))
        return sorted(found)

    def _differing(self, name: str, *, by_hash: bool) -> Iterator[tuple[Area, str, Printed]]:
        """Yield what differs in a channel, or in the site (an empty name)."""
        published = self._house.catalog.areas.all_printed(name)
        place = self._house.placement(name) if name else None
        for path, (area, printed) in published.items():
            # The files are read without keeping movers waiting, so what seems to differ may only have moved since.
            if printed.sha256 is not None and self._differs(path_of(place, path), printed, by_hash=by_hash):
                now = self._house.placement(name) if name else None
                if name and now is None:
                    return  # deleted meanwhile
                if now == place or self._differs(path_of(now, path), printed, by_hash=by_hash):
                    yield area, path, printed

    def _differs(self, path: str, printed: Printed, *, by_hash: bool) -> bool:
        stat = self._house.tree.stat(path)
        same = stat is not None and (stat.size, stat.mtime_s) == (printed.size, printed.mtime_s)
        return not same or (by_hash and self._sha256(path) != printed.sha256)

    def _sha256(self, path: str) -> str:
        try:
            with self._house.tree.open(path) as file:
                return digest(iter(lambda: file.read(_CHUNK), b"")).sha256
        except FileNotFoundError:
            return ""


def areas_below(house: House, channel: Channel, key: str) -> list[Area]:
    """Return the areas of a channel that belong to one subdir, project or product.

    Raises:
        NotFound: the channel has no such area.
    """
    found = [area for area in areas_of(house, channel.name) if area.key == key]
    if not found:
        raise NotFound("subdir, project or product", f"{key} in channel {channel.name}")
    return found


def fingerprint(house: House) -> str:
    """Return a digest of everything that shapes a page besides the catalog's rows."""
    hasher = hashlib.sha256()
    # Of feeds and badges too.
    templates = sorted(path for path in asset("templates").rglob("*") if path.is_file())
    for name, body in [
        *((path.name, path.read_bytes()) for path in templates),
        *site_files().items(),
        ("version", __version__.encode()),
        ("base_url", house.settings.base_url.encode()),
        ("default_channel", house.settings.default_channel.encode()),
    ]:
        hasher.update(f"{name}\0{len(body)}\0".encode())
        hasher.update(body)
    return hasher.hexdigest()
