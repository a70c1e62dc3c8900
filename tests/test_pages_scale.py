"""A channel of very many packages: small pages, one upload rewrites only what shows it, a search reads few files."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest
from indexer_support import World
from many_support import WORDS, count_as_published, fill, mark_lists, name_of

from packhouse import areas

COUNT = 10_000
WITH_PAGES = 40
"""Packages whose own pages are written: enough to see that no upload of another touches them.

Those of all others count as published: rendering them would say nothing about size, and take a minute.
"""
ROOM = 200_000


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("large"), "main")
    world.wheel("seed")
    world.settle()
    catalog, names = world.house.catalog, [name_of(number) for number in range(COUNT)]
    fill(catalog, "main", COUNT)
    count_as_published(catalog, "main", names[WITH_PAGES:])
    own = [areas.release("main", "pypi", name, "1.0") for name in names[:WITH_PAGES]]
    own += [areas.page("main", "pypi", name) for name in names[:WITH_PAGES]]
    catalog.areas.mark(dict.fromkeys(own, 0.0))
    mark_lists(catalog, "main", names)
    world.settle()
    yield world
    world.close()


def touched(world: World, do) -> set[str]:
    """The files that something wrote or removed, once all lags are over."""
    before = world.stats()
    do()
    world.settle()
    after = world.stats()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return {path.removeprefix("public/") for path in changed}


def unexpected(paths: set[str], *patterns: str) -> set[str]:
    return {path for path in paths if not any(fnmatchcase(path, pattern) for pattern in patterns)}


def test_every_page_is_small(large: World) -> None:
    pages = {path: len(body) for path, body in large.files().items() if path.endswith(".html")}

    # pip reads all names of an index at once: simple/index.html is made for programs.
    too_large = {path: size for path, size in pages.items() if size >= ROOM and "/simple/" not in path}
    assert too_large == {}
    assert "public/main/index.html" in pages
    assert len([path for path in pages if "/main/browse/" in path]) > 26


def test_every_package_has_a_line_on_one_page_of_the_lists(large: World) -> None:
    lists = b"".join(body for path, body in large.files().items() if "/main/browse/" in path)
    linked = Counter(re.findall(rb'href="(?:\.\./)+pypi/([^/"]+)/"', lists))

    assert {
        name: linked[name.encode()] for name in map(name_of, range(COUNT)) if linked[name.encode()] != 1
    } == {}


def test_a_new_version_rewrites_only_what_shows_it(large: World) -> None:
    name = name_of(1)
    summary = f"Does {WORDS[1]} number 1 for people who need that"
    files = touched(large, lambda: large.wheel(name, "2.0", summary=summary))

    own = {
        f"main/pypi/{name}/{leaf}"
        for leaf in ("index.html", "feed.atom", "latest.json", "badge.svg", "versions.json")
    }
    assert own < files
    assert f"main/pypi/{name}/release/2.0/index.html" in files
    assert "main/index.html" in files
    assert unexpected(
        files,
        f"main/pypi/{name}/*", f"main/packages/{name}/*", f"main/simple/{name}/*", "main/simple/index.*",
        "main/browse/pypi/p/*", "main/index.html", "main/feed.atom", "main/serial.json", "index.html", "sitemap.xml",
    ) == set()  # fmt: skip
    lists = [path for path in files if path.startswith("main/browse/")]
    assert len(lists) <= 2, lists
    assert len(files) <= 30, sorted(files)


def test_a_new_package_rewrites_its_lists_and_the_shards_of_its_words(large: World) -> None:
    files = touched(large, lambda: large.wheel("zebra-quagga", summary="Stripes"))

    shards = {path for path in files if path.startswith("main/search/w/")}
    assert {path[14] for path in shards} == {"z", "q", "s"}
    assert "main/search/names.json" in files
    assert unexpected(
        files - shards,
        "main/pypi/zebra-quagga/*", "main/packages/zebra-quagga/*", "main/simple/zebra-quagga/*",
        "main/simple/index.*", "main/browse/pypi/z/*", "main/search/names.json*", "main/search/index.json*",
        "main/index.html", "main/feed.atom", "main/sitemap.xml", "main/serial.json", "index.html", "sitemap.xml",
    ) == set()  # fmt: skip
    assert len(files) <= 45, sorted(files)


@pytest.mark.parametrize("number", [7, 4242, COUNT - 1])
def test_a_typed_name_is_found_in_one_shard(large: World, number: int) -> None:
    """As site/search.js reads: the index says how far to go on, one shard then has the line."""
    folder, name = large.house.data / "public/main/search", name_of(number)
    word = name.partition("-")[0]
    known = set(json.loads((folder / "index.json").read_bytes())["shards"].split())
    prefix = next(word[:length] for length in range(1, 9) if f"{word[:length]}+" not in known)
    assert prefix in known
    index, shard = ((folder / file).read_bytes() for file in ("index.json", f"w/{prefix}.json"))

    assert name in [row[1] for row in json.loads(shard)]
    sent = len(gzip.compress(index)) + len(gzip.compress(shard))
    assert sent < 30_000, f"{sent} bytes for one search"
