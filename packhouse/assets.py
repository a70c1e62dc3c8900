"""Where the files that are no code lie: templates, hand-written assets, nginx.conf.

An installed wheel carries them at `packhouse/_assets`; in a checkout they lie beside the package.
"""

from pathlib import Path

from packhouse.errors import AssetMissing

_PACKAGE = Path(__file__).resolve().parent


def asset(name: str, *, package: Path = _PACKAGE) -> Path:
    """Return the path of `templates`, `site` or `nginx.conf`.

    Args:
        name: of the file or folder.
        package: where the `packhouse` package lies.

    Raises:
        AssetMissing: it is neither inside the package nor beside it.
    """
    for candidate in (package / "_assets" / name, package.parent / name):
        if candidate.exists():
            return candidate
    raise AssetMissing(f"{name} is missing from this installation of Packhouse: install the package again")


def site_files(*, package: Path = _PACKAGE) -> dict[str, bytes]:
    """Return the hand-written assets: path below `site/`, with `/` between segments, to bytes; sorted.

    Dot files and Python's leftovers are no assets.

    Raises:
        AssetMissing: there is no such folder.
    """
    root = asset("site", package=package)
    found = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__")) for part in path.relative_to(root).parts)
    }
    return dict(sorted(found.items()))
