"""Read the build products of a copied Packhouse channel: `products/<product>/<version>/<file>` and their listings."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packhouse.errors import Unprocessable
from packhouse.importing.items import Item, local, told_digests, told_time
from packhouse.model import Ecosystem

_PRODUCTS = "products"
_LISTING = "index.json"
_DEPTH = 3
"""Product, version, file name: what lies higher is a listing."""


class Products:
    """Files below `products/`; the listings tell digests and upload times."""

    title = "build products"

    def __init__(self, root: Path) -> None:
        self._root = root / _PRODUCTS
        listed = _listed(self._root)
        there = {
            str(path.relative_to(self._root))
            for path in self._root.glob("*/*/*")
            if not path.name.startswith(".") and path.is_file()
        }
        self._found = [(path, listed.get(path, {})) for path in sorted(there | set(listed))]
        self.total: int | None = len(self._found)

    @staticmethod
    def fits(root: Path) -> bool:
        """Whether this is a channel with products: any other folder named `products` has no such list."""
        return (root / _PRODUCTS / _LISTING).is_file()

    def items(self) -> Iterator[Item]:
        """Yield every file; one that is listed but missing is yielded all the same, and refused later."""
        for path, said in self._found:
            directory, _, name = path.rpartition("/")
            size = said.get("size")
            yield Item(
                name=name,
                where=f"{_PRODUCTS}/{path}",
                ecosystem=Ecosystem.GENERIC,
                body=local(partial(Path, self._root / path)),
                directory=f"{_PRODUCTS}/{directory}",
                size=size if isinstance(size, int) and not isinstance(size, bool) else None,
                digests=told_digests(said),
                uploaded_us=told_time(said.get("upload-time")),
            )

    def hotfixes(self) -> Mapping[str, bytes]:
        """Return nothing: products have none."""
        return {}


def _listed(root: Path) -> dict[str, Mapping[str, Any]]:
    """Return what the listings say of each file, by its path below `products/`."""
    found: dict[str, Mapping[str, Any]] = {}
    for listing in sorted(root.glob(f"*/{_LISTING}")):
        try:
            versions = json.loads(listing.read_bytes())["versions"]
            entries = [entry for files in versions.values() for entry in files]
            # Relative to the listing, which lies one folder below `products/`.
            found |= {unquote(entry["url"]).removeprefix("../"): entry for entry in entries}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unprocessable(f"{listing} is no listing of a product: mend it or move it away") from error
    return {path: said for path, said in found.items() if _is_place(path)}


def _is_place(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == _DEPTH and not {"", ".", ".."}.intersection(parts) and "\0" not in path
