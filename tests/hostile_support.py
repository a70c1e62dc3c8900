"""Packages that try to run a script in a reader's browser: the payloads of `xss_payloads`, wherever an upload has text."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from browser_support import PASSWORD
from conda_support import make_conda
from e2e_support import wait_until
from private_support import World
from xss_payloads import ADDRESSES, ALL, HTML, MARKDOWN, RST

PARTS = 5
"""Packages over which the payloads are spread; each has a version with the last payload first.

A tag that is never closed may hide what comes after it: in one of the two versions that comes before.
"""
ABOUT = (
    "summary", "description", "home", "dev_url", "doc_url", "doc_source_url", "source_url", "license", "license_family",
    "license_url", "icon_url", "keywords", "tags", "identifiers",
)  # fmt: skip


def line(text: str) -> str:
    """What a header of METADATA can hold of a payload: one line, and no character that no text may have."""
    return " ".join(re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text).split())


def parts(payloads: Mapping[str, str]) -> list[list[str]]:
    """The payloads, spread."""
    every = list(payloads.values())
    return [every[start::PARTS] for start in range(PARTS)]


def readme(payloads: Sequence[str]) -> str:
    """Each in a block of its own."""
    return "\n\n".join(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", payload) for payload in payloads)


def headers(payloads: Sequence[str], addresses: Sequence[str], content_type: str) -> str:
    """The fields of METADATA that take any text."""
    joined = [line(payload) for payload in payloads]
    fields = [("Author", " ".join(joined)), ("Maintainer", " ".join(joined)), ("License", " ".join(joined))]
    fields += [("Author-email", f"{one.replace('@', '')} <a@example.org>") for one in joined[:1]]
    fields += [
        ("Keywords", ",".join(joined)),
        ("Home-page", line(addresses[0])),
        ("Download-URL", line(addresses[-1])),
    ]
    labels = (re.sub(r"[,\s]+", " ", one)[:30] for one in joined)
    fields += [
        ("Project-URL", f"{label or 'x'}, {line(one)}") for label, one in zip(labels, addresses, strict=False)
    ]
    fields += [("Classifier", one) for one in joined]
    fields += [("Platform", one) for one in joined[:2]]
    fields += [("Description-Content-Type", content_type)]
    return "".join(f"{name}: {value}\n" for name, value in fields)


def members(payloads: Sequence[str]) -> dict[str, bytes]:
    """Files whose names are payloads, as far as a path inside an archive can be one."""
    names = (re.sub(r"/+", "/", line(payload).replace("\\", "")).strip("/ .") for payload in payloads)
    return {f"share/evil/{name[:150].rstrip('/ .')}.txt": b"x" for name in dict.fromkeys(names) if name}


def python_packages(world: World) -> None:
    """READMEs in all three languages, and every field of METADATA."""
    for number, payloads in enumerate(parts({**HTML, **MARKDOWN})):
        addresses = list(ADDRESSES.values())[number::PARTS]
        for version, ordered in (("1.0", payloads), ("2.0", payloads[::-1])):
            world.wheel(
                "main", f"evil-md{number}", version, summary=" ".join(map(line, ordered))[:500], metadata_version="2.1",
                metadata_extra=headers(ordered, addresses, "text/markdown"), description=readme(ordered + addresses),
            )  # fmt: skip
    for name, kind, payloads in (
        ("evil-rst", "text/x-rst", list(RST.values())),
        ("evil-plain", "text/plain", list(ALL.values())),
    ):
        extra = headers(payloads[:20], list(ADDRESSES.values()), kind)
        world.wheel(
            "main", name, summary=line(payloads[0]), metadata_extra=extra, description=readme(payloads)
        )
    reason = json.dumps({"reason": " ".join(map(line, HTML.values()))[:400]}).encode()
    status, _, answer = world.server.ask(
        "/api/1/main/evil-md0/1.0/yank", "POST", reason, key=True, Content_Type="application/json"
    )
    assert status == 200, answer


def conda_packages(world: World) -> None:
    """Every field of about.json, and names of files inside."""
    for number, payloads in enumerate(parts(ALL)):
        text = {key: " ".join(payloads[start:] + payloads[:start]) for start, key in enumerate(ABOUT)}
        about = {
            **text,
            "keywords": payloads,
            "tags": payloads,
            "identifiers": payloads,
            "description": readme(payloads),
        }
        urls = ("home", "dev_url", "doc_url", "doc_source_url", "source_url", "license_url", "icon_url")
        about |= {
            key: [*ADDRESSES.values()][(number * 7 + at) % len(ADDRESSES)] for at, key in enumerate(urls)
        }
        filename, body = make_conda(
            f"evil-conda{number}", extra_index={"license": " ".join(map(line, payloads))[:300]},
            info_files={"info/about.json": json.dumps(about).encode()}, files=members(payloads),
        )  # fmt: skip
        world.put(f"/main/noarch/{filename}", body)


def products(world: World) -> None:
    """Names as far as `packhouse.names` lets them, and bytes that are active where somebody opens them."""
    for name, body in (
        ("onerror!alert+1.html", HTML["script"].encode()),
        ("javascript!alert.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    ):
        world.put(f"/main/products/javascript-alert1/1.0+onload!alert/{quote(name, safe='')}", body)


def people(world: World) -> None:
    """An admin, and keys with odd names."""
    world.user("ada", PASSWORD)
    world.house.catalog.accounts.set_admin("ada", admin=True)
    for payload in list(HTML.values())[:20]:
        world.key("ada", line(payload)[:100])


def refused_files(data: Path) -> None:
    """Files in the inbox with names that are refused: the indexer's page shows them."""
    folder = data / "inbox" / "main"
    folder.mkdir(parents=True, exist_ok=True)
    for payload in list(HTML.values())[:20]:
        (folder / line(payload).replace("/", "_")[:100]).write_bytes(b"x")


def upload_everything(world: World) -> list[str]:
    """Upload all that; the paths of the pages that show some of it to anyone."""
    python_packages(world)
    conda_packages(world)
    products(world)
    people(world)
    refused_files(world.server.data)
    refused = world.server.data / "inbox" / ".refused" / "main"
    wait_until(lambda: len(list(refused.glob("*.reason"))) >= 15, what="the refusal of the inbox")
    world.settled()
    root = world.server.data / "public"
    pages = [
        page.parent.relative_to(root)
        for page in sorted(root.rglob("index.html"))
        if "simple" not in page.parts
    ]
    return [quote(f"/{page}/".replace("/./", "/"), safe="/") for page in pages]
