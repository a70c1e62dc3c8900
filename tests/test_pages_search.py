"""The search index of a channel: what its files hold, how they are found, and which of them one package changes."""

import functools
import gzip
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.ecosystems import Package, Pages
from packhouse.model import Ecosystem
from packhouse.pages import search
from packhouse.pages.search import described, search_pages, shard_name, words


def package(name, summary="", display=None, ecosystem=Ecosystem.PYPI, latest="1.0"):
    made = Package(
        name=name, display=display or name, serial=1, files=1, latest=latest, summary=summary, updated_us=0
    )
    return ecosystem, made


def files(pages: Pages):
    return {page.path: page.body for page in pages.leaves}


def shard(found, prefix):
    return json.loads(found[f"search/w/{shard_name(prefix)}.json"])


def looked_up(found, word):
    """The shard in which a typed word is found, as the script walks to it."""
    known = json.loads(found["search/index.json"])["shards"].split()
    prefix = word[:1]
    while f"{prefix}+" in known and {word[: len(prefix) + 1], f"{word[: len(prefix) + 1]}+"} & set(known):
        if prefix == word:
            break
        prefix = word[: len(prefix) + 1]
    return shard(found, prefix)


MANY = [
    package(f"py{a}{b}{number}", f"Common words, and {a}{b}thing {number}")
    for a, b in itertools.product("abcdefgh", "stuvwxyz")
    for number in range(30)
]


@functools.cache
def many():
    return files(search_pages(MANY))


class TestIndex:
    def test_a_small_channel_has_one_shard_per_first_letter(self):
        found = files(
            search_pages(
                [
                    package("zarr", "Chunked arrays", "Zarr"),
                    package("numpy", "Arrays", ecosystem=Ecosystem.CONDA),
                ]
            )
        )

        assert json.loads(found["search/index.json"]) == {"shards": "a c n z"}
        zarr, numpy = ["p", "zarr", "Zarr", "Chunked arrays"], ["c", "numpy", "", "Arrays"]
        assert shard(found, "a") == [zarr, numpy]
        assert shard(found, "c") == shard(found, "z") == [zarr]
        assert shard(found, "n") == [numpy]
        assert json.loads(found["search/names.json"]) == {
            "count": 2,
            "names": [["p", "zarr", "Zarr"], ["c", "numpy"]],
        }

    def test_an_empty_channel_has_an_index_that_says_so(self):
        assert files(search_pages([])) == {
            "search/index.json": b'{"shards":""}\n',
            "search/names.json": b'{"count":0,"names":[]}\n',
        }

    def test_what_names_a_shard_comes_after_it(self):
        paths = [page.path for page in search_pages(MANY).leaves]

        assert paths[-3:] == ["search/index.json", "search/names.json.gz", "search/names.json"]

    def test_a_compressed_sibling_comes_before_each_larger_file_and_is_the_same(self):
        pages = search_pages(MANY).leaves
        found = many()

        for before, page in itertools.pairwise(pages):
            if page.path.endswith(".json"):
                assert (before.path == f"{page.path}.gz") == (len(page.body) >= 1000)
        for path, body in found.items():
            if path.endswith(".gz"):
                assert gzip.decompress(body) == found[path.removesuffix(".gz")]
                assert body[4:8] == bytes(4), "no time in it"

    def test_equal_packages_in_any_order_give_equal_bytes(self):
        assert search_pages(MANY) == search_pages(MANY[::-1])

    def test_names_stop_where_they_would_be_too_many(self, monkeypatch):
        monkeypatch.setattr(search, "MAX_NAMES", 2)
        three = [package(name) for name in ("a", "b", "c")]

        assert json.loads(files(search_pages(three))["search/names.json"]) == {"count": 3}
        assert "names" in json.loads(files(search_pages(three[:2]))["search/names.json"])


class TestCut:
    """Many packages under few letters: no shard grows without end, and everything is found by its own words."""

    def test_no_shard_is_larger_than_it_may_be(self):
        found = many()
        assert sum(len(line) for line in found["search/w/p.json"].splitlines()) < search.CUT_BYTES
        assert all(
            len(body) <= search.SHARD_BYTES + 4
            for path, body in found.items()
            if path.startswith("search/w/") and path.endswith(".json")
        )

    def test_a_cut_one_is_marked_and_its_followers_hold_what_it_lost(self):
        found = many()
        shards = json.loads(found["search/index.json"])["shards"].split()

        assert {"p+", "py+", "pya"} <= set(shards)
        assert len(shard(found, "py")) < len(MANY)
        assert {line[1] for line in shard(found, "pya")} == {
            item.name for _, item in MANY if item.name.startswith("pya")
        }

    def test_every_package_is_found_by_its_name_and_by_a_word_of_its_summary(self):
        found = many()
        for _, item in MANY:
            assert item.name in {line[1] for line in looked_up(found, item.name)}
            word = words(item.summary)[3]
            assert word.endswith("thing")
            assert item.name in {line[1] for line in looked_up(found, word)}

    def test_a_whole_word_keeps_more_than_a_beginning(self):
        """More letters of it cannot be typed."""
        found = many()
        assert len(shard(found, "common")) > 3 * len(shard(found, "commo")) > 0
        assert "common+" in json.loads(found["search/index.json"])["shards"].split()

    def test_the_best_matches_are_kept_the_exact_name_first(self):
        many = [package(f"x-{number}-deep", "Deep below") for number in range(2500)]
        named = [
            package("deep"),
            package("deeper-still"),
            package("under-the-deep"),
            package("a", "In the deep"),
        ]
        kept = shard(files(search_pages([*many, *named])), "deep")

        assert [line[1] for line in kept[:2]] == ["deep", "deeper-still"]
        assert kept[2][1] == "x-0-deep"
        assert "a" not in {line[1] for line in kept}

    def test_prefixes_end_at_a_depth(self):
        long = "abcdefghijklmnop"
        found = files(search_pages([package(f"n{number}", f"{long}{number:04}") for number in range(3000)]))

        assert max(map(len, json.loads(found["search/index.json"])["shards"].split())) == search.DEPTH + 1
        assert shard(found, long[: search.DEPTH])

    def test_one_package_more_rewrites_its_own_shards_and_names(self):
        before = many()
        after = files(search_pages([*MANY, package("pyas", "A zebra")]))

        changed = {path for path, body in after.items() if before.get(path) != body}
        assert {path for path in changed if not path.endswith(".gz")} == {
            *("search/index.json", "search/names.json"),  # `z` was no beginning before
            *("search/w/a.json", "search/w/z.json", "search/w/pya.json"),
            *("search/w/p.json", "search/w/py.json"),  # a short name is among the best of those
        }


class TestWords:
    def test_a_new_version_changes_nothing(self):
        assert search_pages([package("six", "Compatibility")]) == search_pages(
            [package("six", "Compatibility", latest="2.0")]
        )
        assert described("Six", "one\n two ") == described("Six", "one two") == ("Six", "one two")
        assert described("Six", "one") != described("six", "one")

    def test_a_long_summary_is_found_by_what_is_shown_of_it(self):
        summary = "word " * 60 + "hidden"
        found = files(search_pages([package("n", summary)]))

        (line,) = shard(found, "w")
        assert line[3] == ("word " * 40)[:199].rstrip() + "…"
        assert json.loads(found["search/index.json"])["shards"] == "n w"

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("scikit-learn_extra.2", ["scikit", "learn", "extra", "2"]),
            ("Größe ÖL", ["größe", "öl"]),
            ("\ufb01ne \uff21\uff22", ["fine", "ab"]),
            ("日本語 の", ["日本語", "の"]),
            ("<script>../\0", ["script"]),
        ],
    )
    def test_words_are_letters_and_digits_of_any_script(self, text, found):
        assert words(text) == found

    @given(st.text())
    def test_any_text_makes_file_names_that_are_safe_and_differ(self, text):
        found = files(search_pages([package("n", text.encode("utf-8", "replace").decode())]))
        prefixes = json.loads(found["search/index.json"])["shards"].split()

        names = {shard_name(prefix) for prefix in prefixes}
        assert len(names) == len(prefixes)
        assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)
        assert {f"search/w/{name}.json" for name in names} == {
            path for path in found if path.startswith("search/w/") and path.endswith(".json")
        }

    def test_a_shard_is_named_by_code_points_where_letters_are_not_plain(self):
        assert [shard_name(text) for text in ("nu", "öl", "e", "\u0e9a")] == ["nu", "_f6_l", "e", "_e9a_"]
