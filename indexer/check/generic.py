"""Read the product listings as a script would: json and relative URLs."""

import json
from posixpath import dirname, normpath
from urllib.parse import unquote

from indexer.check.shelf import Shelf


def check(shelf: Shelf) -> None:
    """Check every listing: each entry true of its file, and no file unlisted."""
    live = {path for path, artifact in shelf.artifacts.items() if artifact.ecosystem == "generic"}
    named: set[str] = set()
    indexes = sorted(
        path
        for path, (area, _) in shelf.published.items()
        if (area.ecosystem, area.kind) == ("generic", "index")
    )
    for index in indexes:
        try:
            listing = json.loads(shelf.body(index) or b"")
            files = [file for release in listing["versions"].values() for file in release]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            shelf.wrong(index, f"is no listing: {error}")
            continue
        for file in files:
            path = normpath(f"{dirname(index)}/{unquote(str(file.get('url')))}")
            named.add(path)
            shelf.entry(index, path, size=file.get("size"), sha256=file.get("sha256"))
    for path in sorted(live - named):
        shelf.wrong(path, "is listed nowhere")
