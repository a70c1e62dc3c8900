"""Read the pages of a simple index, as JSON (PEP 691, PEP 700) or HTML (PEP 503, PEP 592)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, unquote, urldefrag, urljoin, urlsplit

from packhouse.errors import Unprocessable
from packhouse.importing.items import told_digests, told_time

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class NoSimpleIndex(Unprocessable):
    """A page is not one of a simple index that we understand."""

    code = "no-simple-index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One file as a project's page lists it; `url` is absolute and has no fragment."""

    name: str
    url: str
    digests: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    uploaded_us: int | None = None
    yanked: str | None = None


def projects(body: bytes, url: str, *, is_json: bool) -> list[str]:
    """Return the URLs of all projects' pages, each with its closing slash.

    Raises:
        NoSimpleIndex: the page is something else.
    """
    if not is_json:
        targets = [urldefrag(urljoin(base, href))[0] for base, href, _ in _anchors(body, url)]
        return [target for target in targets if target.startswith(("http://", "https://"))]
    names = [entry["name"] for entry in _entries(body, url, "projects") if isinstance(entry.get("name"), str)]
    return [urljoin(url, f"{name}/") for name in names]


def files(body: bytes, url: str, *, is_json: bool) -> list[Listed]:
    """Return the files of one project's page.

    Raises:
        NoSimpleIndex: the page is something else.
    """
    if not is_json:
        return [
            Listed(
                name=name,
                url=urldefrag(target)[0],
                digests=told_digests(_fragment(target)),
                yanked=attributes.get("data-yanked", "") or "" if "data-yanked" in attributes else None,
            )
            for base, href, attributes in _anchors(body, url)
            if (name := _last(target := urljoin(base, href)))
        ]
    return [_from_json(entry, url) for entry in _entries(body, url, "files") if _is_file(entry)]


def _is_file(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("url"), str) and isinstance(entry.get("filename"), str)


def _from_json(entry: Mapping[str, Any], url: str) -> Listed:
    target = urljoin(url, entry["url"])
    said, size, yanked = entry.get("hashes"), entry.get("size"), entry.get("yanked", False)
    hashes = {**_fragment(target), **(said if isinstance(said, dict) else {})}
    return Listed(
        name=entry["filename"],
        url=urldefrag(target)[0],
        digests=told_digests(hashes),
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        uploaded_us=told_time(entry.get("upload-time")),
        # PEP 691: true, or a non-empty string that is the reason; false is not yanked.
        yanked=None if yanked in (False, None) else yanked if isinstance(yanked, str) else "",
    )


def _entries(body: bytes, url: str, key: str) -> list[dict[str, Any]]:
    try:
        page = json.loads(body)
        version = str(page.get("meta", {}).get("api-version", "1.0"))
        found = page[key]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise NoSimpleIndex(f"{url} is no page of a simple index: it has no list of {key}") from error
    # PEP 629: "the client MUST NOT process" a page of another major version.
    if version.partition(".")[0] != "1":
        raise NoSimpleIndex(
            f"{url} speaks version {version} of the simple API; this Packhouse reads version 1"
        )
    if not isinstance(found, list):
        raise NoSimpleIndex(f"{url} is no page of a simple index: its {key} are no list")
    return [entry for entry in found if isinstance(entry, dict)]


def _fragment(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urldefrag(url)[1]).items()}


def _last(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _anchors(body: bytes, url: str) -> list[tuple[str, str, dict[str, str | None]]]:
    """Return (base, href, attributes) of every link."""
    reader = _Links(url)
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    if reader.version.partition(".")[0] != "1":
        raise NoSimpleIndex(
            f"{url} speaks version {reader.version} of the simple API; this Packhouse reads version 1"
        )
    return [(reader.base, href, attributes) for href, attributes in reader.links]


class _Links(HTMLParser):
    """Collects `<a href>`; `<base href>` and the version's `<meta>` count too (PEP 503, PEP 629)."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base, self.version = url, "1.0"
        self.links: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what the tag says."""
        said = dict(attrs)
        if tag == "a" and (href := said.get("href")):
            self.links.append((href, said))
        elif tag == "base" and (href := said.get("href")):
            self.base = urljoin(self.base, href)
        elif tag == "meta" and said.get("name") == "pypi:repository-version":
            self.version = said.get("content") or "1.0"
