"""Pages for people: relative, escaped, readable without scripts."""

import hashlib
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from indexer_support import World

from indexer.check import check
from packhouse.intake import moving
from packhouse.model import Action, Grant
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


def test_a_copied_channel_keeps_its_style(world):
    """Each channel carries the assets it needs."""
    world.settle()
    reader = Reader((world.house.data / "public/main/index.html").read_bytes())

    assert {"_static/packhouse.css", "_static/packhouse.js"} <= {
        link.removeprefix("./") for link in reader.links
    }


def test_a_private_channel_never_shows_on_the_front_page(world):
    """Its name alone may be a secret."""
    world.house.create_channel(ChannelName("secret-project"), private=True)
    world.settle()

    assert all(b"secret-project" not in body for body in world.files("public").values())
    assert "private/secret-project/index.html" in world.files("private")


def test_the_address_of_this_server_stands_only_where_it_is_shown_or_demanded(world):
    """A copied channel must not send people back here: without `base_url` nothing names a host."""
    world.wheel("one", "1.0")
    world.settle()

    for path, body in world.files().items():
        if (
            path.endswith((".html", ".json", ".atom", ".svg"))
            and "_static" not in path
            and "/static/" not in path
        ):
            told = body.replace(b"http://www.w3.org/", b"")  # the names of XML's vocabularies
            assert b"://" not in told, path


# Answered by the daemon, or by whatever the site's root is where a copied channel lies.
DYNAMIC = re.compile(r"(?:\./|(?:\.\./)*)(?:account/|search/|api/1/[^?#]*)$")


def test_every_link_of_every_page_leads_to_a_file_of_the_tree(world):
    """Relative, and there: in the tree as nginx serves it."""
    world.wheel("one", "1.0", requires_dist=["two>=1"], description="text")
    world.wheel("one", "1.1", requires_dist=["two>=1"])
    world.wheel("two", "1.0")
    world.conda("two", "1.0", depends=["three >=1"])
    world.product("Tool", "1.0")
    world.settle()
    root = world.house.data / "public"
    seen = 0
    for page in root.rglob("*.html"):
        if {"simple", "static"} & set(page.parts):
            continue
        seen += 1
        for link in Reader(page.read_bytes()).links:
            path = unquote(link.partition("#")[0].partition("?")[0])
            if not path or DYNAMIC.match(path):
                continue
            assert not re.match(r"[a-z]+:|/", link), (page, link)
            target = page.parent / path
            assert (target / "index.html" if path.endswith("/") else target).is_file(), (page, link)
    assert seen == 2 + 4 + 4 + 5 + 5, "site and channel; letters; packages; releases; files"


def test_what_requires_what_is_shown_on_both_sides_and_vanishes_with_either(world):
    """Links lead only to packages that are there; who needs a package is told on its page."""
    one, two = "public/main/pypi/one/index.html", "public/main/pypi/two/index.html"
    world.wheel("one", "1.0", requires_dist=["two>=1", "three"])
    world.settle()
    assert b"../../pypi/two/" not in world.files()[one]

    world.wheel("two", "1.0")
    world.settle()
    world.settle()
    assert b'href="../../pypi/two/"' in world.files()[one]
    assert b'href="../../pypi/one/"' in world.files()[two]

    world.wheel("one", "2.0", requires_dist=["three"])
    world.settle()
    assert b'href="../../pypi/one/"' not in world.files()[two]

    world.delete("packages/one/one-2.0-py3-none-any.whl")
    world.settle()
    assert b'href="../../pypi/one/"' in world.files()[two]
    world.delete("packages/two/two-1.0-py3-none-any.whl")
    world.settle()
    assert b"../../pypi/two/" not in world.files()[one]
    assert two not in world.files()
    assert check(world.house).findings == ()


def test_a_restricted_package_is_named_on_no_page_of_its_channel(world):
    """Neither as requirement, dependent or namesake, nor in lists, search, feeds, or what is new."""
    world.house.catalog.groups.create("team")
    world.wheel("hush-hush", "1.0", requires_dist=["open"])
    world.wheel("open", "1.0")
    world.wheel("open", "1.1")
    world.conda("hush-hush", "1.0")
    world.settle()
    grant = Grant(
        principal="group:team", action=Action.READ, channel="main", ecosystem="pypi", package="hush-hush"
    )
    assert b'href="../../pypi/hush-hush/"' in world.files()["public/main/conda/hush-hush/index.html"]
    assert b'href="../../pypi/hush-hush/"' in world.files()["public/main/pypi/open/index.html"]

    moving.give(world.house, grant)
    world.settle()

    telling = [path for path, body in world.files("public").items() if b"pypi/hush-hush" in body]
    assert telling == []
    assert b'"p","hush-hush"' not in b"".join(
        body for path, body in world.files("public").items() if "/search/" in path
    )
    own = world.files("restricted")["restricted/main/pypi/hush-hush/index.html"]
    assert b'href="../../pypi/open/"' in own
    assert check(world.house).findings == ()


def test_a_release_has_its_page_as_long_as_it_is_there_and_says_what_changed(world):
    """A version that comes in between changes what the next one is compared with."""
    world.product("tool", "1.0", filename="a.txt")
    world.product("tool", "3.0", filename="b.txt")
    world.settle()
    third = "public/main/generic/tool/release/3.0/index.html"
    assert b"1.0" in world.files()[third]

    world.product("tool", "2.0", filename="b.txt")
    world.settle()
    world.settle()
    assert b"2.0" in world.files()[third]
    assert b"release/2.0/" in world.files()["public/main/generic/tool/index.html"]
    world.delete("products/tool/2.0/b.txt")
    world.settle()
    assert not [path for path in world.files() if "release/2.0" in path]
    assert b"release/2.0/" not in world.files()["public/main/generic/tool/index.html"]
    assert b"2.0" not in world.files()[third]
    assert check(world.house).findings == ()


def test_both_spellings_of_a_version_have_their_page(world):
    """PEP 440: 1.0 and 1.0.0 are one version, but links to either must go on leading somewhere."""
    world.wheel("one", "1.0")
    world.wheel("one", "1.0.0")
    world.settle()

    assert "public/main/pypi/one/release/1.0/index.html" in world.files()
    assert "public/main/pypi/one/release/1.0.0/index.html" in world.files()
    assert check(world.house).findings == ()


def test_pages_of_a_channel_that_becomes_private_say_so(world):
    """How a key is given is shown where one is needed."""
    world.wheel("one", "1.0")
    world.settle()
    assert b"Everyone may read" in world.files()["public/main/pypi/one/index.html"]
    moving.set_private(world.house, "main", private=True)
    world.settle()

    assert b"Everyone may read" not in world.files("private")["private/main/pypi/one/index.html"]
    assert check(world.house).findings == ()


def test_a_channel_made_anew_tells_nothing_of_the_one_that_had_its_name(world):
    """That one may have been private."""
    world.house.create_channel(ChannelName("again"), private=True)
    world.wheel("one", "1.0", channel="again", summary="hush")
    world.settle()
    world.delete("packages/one/one-1.0-py3-none-any.whl", channel="again")
    world.settle()
    world.house.delete_channel(ChannelName("again"))
    world.settle()

    world.house.create_channel(ChannelName("again"))
    world.wheel("one", "2.0", channel="again")
    world.settle()

    told = {path: body for path, body in world.files().items() if path.startswith("public/again/")}
    assert b"one 2.0" in told["public/again/feed.atom"]
    assert not [path for path, body in told.items() if b"one-1.0" in body or b"one 1.0" in body]
