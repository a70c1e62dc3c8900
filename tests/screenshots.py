"""Make the pictures of the README anew, by `make screenshots`: real pages of a real server, light and dark."""

import sys
import tempfile
from pathlib import Path

from browser_support import chromium, visitor
from e2e_support import free_port
from gallery_support import public_packages
from private_support import UNLIMITED, world

FOLDER = Path(__file__).parents[1] / "docs" / "img"
HOST = "packages.example.org"
PAGES = {"home": "/", "package": "/main/pypi/numeral/"}


def main() -> None:
    """Serve a few packages under a name that is nobody's, and look at them."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        world(Path(folder), port=port, PACKHOUSE_BASE_URL=f"http://{HOST}", **UNLIMITED) as made,
        chromium(f"--host-resolver-rules=MAP {HOST}:80 127.0.0.1:{port}") as browser,
    ):
        public_packages(made)
        made.channel("nightly")
        for name in ("numeral", "helper"):
            made.wheel("nightly", name, "3.0.dev1", summary="Numbers as words")
        made.settled()
        for scheme in ("light", "dark"):
            with visitor(browser, viewport={"width": 1100, "height": 760}, color_scheme=scheme) as context:
                page = context.new_page()
                for name, path in PAGES.items():
                    page.goto(f"http://{HOST}{path}", wait_until="networkidle")
                    picture = FOLDER / f"{name}-{scheme}.png"
                    page.screenshot(path=picture)
                    print(f"{picture}: {picture.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main())
