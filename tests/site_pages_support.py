"""What tests of the front page, of channels' pages and of lists by letter share: packages, news, a strict reader."""

import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import html5lib

from packhouse.ecosystems import Package
from packhouse.model import Channel, Event, EventKind
from packhouse.names import ChannelName
from packhouse.pages.feed import News
from packhouse.settings import Settings

NOW = 1_795_255_205_000_000
DAY = 86_400 * 1_000_000
SETTINGS = Settings(data=Path("data"), base_url="https://pack.example/")
NO_ADDRESS = Settings(data=Path("data"))
MAIN = Channel(name=ChannelName("main"))
VAULT = Channel(name=ChannelName("vault"), private=True, place="private")
HOSTILE = "\"'><script>alert(1)</script>&{channel}\x01"


def package(name, **more):
    """One line of a list."""
    return Package(
        **{
            "name": name,
            "display": name,
            "serial": 1,
            "files": 2,
            "latest": "1.0",
            "summary": f"What {name} does",
            "updated_us": NOW,
            "size": 1_210,
        }
        | more
    )


def news(key, *, at_us=NOW, kind=EventKind.UPLOAD, channel="main", ecosystem="pypi", name="", version="1.0"):
    """Something that happened."""
    event = Event(
        channel=ChannelName(channel), serial=1, kind=kind, path=key, sha256="0" * 64, by="ann", at_us=at_us
    )
    return News(event=event, ecosystem=ecosystem, key=key, name=name or key, version=version)


class Reader:
    """A page as a strict HTML5 parser sees it, at an address below `http://host/`."""

    def __init__(self, body, at="/"):
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        self.tree = parser.parse(body.decode())
        self.at = at
        ids = [item.get("id") for item in self.tree.iter() if item.get("id")]
        assert len(ids) == len(set(ids))
        for item in self.tree.iter():
            assert not [key for key in item.keys() if key == "style" or key.startswith("on")]  # noqa: SIM118 - no mapping
            for key in ("aria-labelledby", "for"):
                assert not item.get(key) or item.get(key) in ids, item.get(key)
            assert item.tag != "script" or (item.get("src") and not item.text)

    @property
    def text(self):
        """All text, with single spaces."""
        return re.sub(r"\s+", " ", "".join(self.tree.find("body").itertext()))

    @property
    def links(self):
        """Every address, as written; all of them are relative."""
        found = [
            item.get(key) for item in self.tree.iter() for key in ("href", "src", "action") if item.get(key)
        ]
        assert not [link for link in found if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|/", link)]
        return found

    @property
    def targets(self):
        """Where the links lead, decoded, as paths of the host."""
        return {unquote(urlsplit(urljoin(f"http://host{self.at}", link)).path) for link in self.links}

    def all(self, tag, **attributes):
        """Every element of a kind."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [
            item
            for item in self.tree.iter(tag)
            if all(item.get(key) == value for key, value in wanted.items())
        ]

    def copied(self):
        """What each button copies, to the text."""
        return {item.get("data-copies"): "".join(item.find("pre").itertext()) for item in self.all("figure")}

    def rows(self):
        """The cells of each table row."""
        return [
            [re.sub(r"\s+", " ", "".join(cell.itertext())).strip() for cell in row]
            for row in self.tree.iter("tr")
            if row.find("td") is not None
        ]
