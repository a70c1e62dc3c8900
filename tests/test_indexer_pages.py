"""Pages for people: relative, escaped, readable without scripts."""

import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from indexer_support import World

from indexer import pages
from packhouse.ecosystems import PackageView, Section
from packhouse.intake import moving
from packhouse.model import Action, Channel, Grant
from packhouse.names import ChannelName


class Reader(HTMLParser):
    """Collects links, and demands that every element is closed."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, body):
        super().__init__()
        self.links, self.ids, self.open, self.text = [], [], [], ""
        self.feed(body.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.links += [named[key] for key in ("href", "src") if key in named]
        self.ids += [named["id"]] if "id" in named else []
        assert not [key for key in named if key.startswith("on") or key == "style"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def view(**more):
    return PackageView(
        **{
            "ecosystem": "pypi",
            "name": "Demo",
            "version": "1.0",
            "summary": "<script>alert(1)</script>",
            "install": {"pip": "pip install --index-url {channel}/simple/ {demo}"},
            "facts": [("License", "a & b")],
            "links": [("Home", "https://example.org/?a=1&b=2"), ("Bad", "JavaScript:alert(1)")],
            "description": "1 < 2",
            "warnings": ["odd"],
            "sections": [
                Section(title="Files", head=("File", ""), rows=[(("f.whl", "../../packages/f.whl"), "x")])
            ],
        }
        | more
    )


CHANNEL = Channel(name=ChannelName("main"))


def page_of(shown, settings):
    """The page for people, which comes last: what tells of the versions is there before it."""
    *_, page = pages.package(CHANNEL, "demo", shown, (), settings).leaves
    return page


def test_versions_and_their_top_hashes_are_a_file(world):
    """Whoever has the files of a version can check them against it, and it against itself, without the server."""
    world.wheel("one", "1.0")
    world.wheel("one", "2.0")
    world.product("tool", "1.0")
    world.conda("two")
    world.settle()

    for folder in ("pypi/one", "generic/tool", "conda/two"):
        told = json.loads(world.files()[f"public/main/{folder}/versions.json"])
        assert f"{told['ecosystem']}/{told['package']}" == folder
        for version in told["versions"]:
            digest = hashlib.sha256()
            for file in sorted(version["files"], key=lambda file: file["filename"]):
                body = world.files()[f"public/main/{file['path']}"]
                assert (len(body), hashlib.sha256(body).hexdigest()) == (file["size"], file["sha256"])
                digest.update(f"{file['filename']}\t{file['size']}\t{file['sha256']}\n".encode())
            assert digest.hexdigest() == version["top_hash"]
    told = json.loads(world.files()["public/main/pypi/one/versions.json"])
    assert [version["version"] for version in told["versions"]] == ["2.0", "1.0"]
    assert told["versions"][0].keys() == {"version", "top_hash", "yanked", "last_uploaded", "files"}


def test_versions_are_as_restricted_as_their_package(world):
    """They lie in a folder that moves as a whole."""
    world.wheel("one")
    world.settle()
    world.house.catalog.groups.create("team")
    grant = Grant(principal="group:team", action=Action.READ, channel="main", ecosystem="pypi", package="one")
    moving.give(world.house, grant)
    world.settle()

    assert not [path for path in world.files() if "/one/" in path]
    assert "restricted/main/pypi/one/versions.json" in world.files("restricted")


def test_a_package_page_escapes_what_was_uploaded(world):
    """Summary, description and addresses come from strangers."""
    page = page_of(view(), world.house.settings)
    reader = Reader(page.body)

    assert page.path == "pypi/demo/index.html"
    assert b"<script>alert" not in page.body
    assert not [link for link in reader.links if link.lower().startswith("javascript")]
    assert "1 < 2" in reader.text
    assert len(reader.ids) == len(set(reader.ids))


def test_without_a_base_url_no_page_holds_the_address_of_this_server(world):
    """A copied channel must not send people back here."""
    page = page_of(view(links=()), world.house.settings)

    assert b"://" not in page.body
    assert "URL-OF-THIS-CHANNEL/simple/ {demo}" in Reader(page.body).text


def test_with_a_base_url_the_command_can_be_copied_as_it_is(world):
    """Only shown commands use it."""
    settings = dataclasses.replace(world.house.settings, base_url="https://pack.example/")
    page = page_of(view(links=()), settings)

    assert "--index-url https://pack.example/main/simple/" in Reader(page.body).text
    assert page.body.count(b"pack.example") == 1


def test_every_link_of_every_page_leads_to_a_file_of_the_tree(world):
    """Relative, and there: in the tree as nginx serves it."""
    world.wheel("one", "1.0", requires_dist=["two>=1"], description="text")
    world.conda("two", "1.0", depends=["three >=1"])
    world.product("Tool", "1.0")
    world.settle()
    root = world.house.data / "public"
    seen = 0
    for page in [root / "index.html", *root.glob("main/*/*/index.html"), root / "main/index.html"]:
        if "simple" in page.parts:
            continue
        seen += 1
        for link in Reader(page.read_bytes()).links:
            if link.startswith("#") or (page.parent / link).resolve() == root / "account":
                continue  # the second is the daemon's
            assert not re.match(r"[a-z]+:|/", link), (page, link)
            target = page.parent / link
            assert (target / "index.html" if link.endswith("/") else target).is_file(), (page, link)
    assert seen == 5


def test_a_copied_channel_keeps_its_style(world):
    """Each channel carries the assets it needs."""
    world.settle()
    reader = Reader((world.house.data / "public/main/index.html").read_bytes())

    assert {"_static/packhouse.css", "_static/packhouse.js"} <= set(reader.links)


def test_a_private_channel_never_shows_on_the_front_page(world):
    """Its name alone may be a secret."""
    world.house.create_channel(ChannelName("secret-project"), private=True)
    world.settle()

    assert all(b"secret-project" not in body for body in world.files("public").values())
    assert "private/secret-project/index.html" in world.files("private")


def test_the_front_page_of_a_house_without_public_channels_says_so(world):
    """An empty page would look broken."""
    (page,) = (page for page in pages.site([], world.house.settings).leaves if page.path == "index.html")

    assert "no public channel" in Reader(page.body).text


def test_an_empty_channel_says_what_to_do(world):
    """The first page a newcomer sees."""
    world.settle()

    assert b"packhouse push FILE --channel main" in world.files()["public/main/index.html"]
