"""The search index of a channel: static JSON that a script reads where the daemon cannot be asked. Pure.

Three kinds of file in `search/`, for every reader of the channel:

- `names.json`: `{"count": N, "names": [[letter, name, display?], ...]}` for matches in the middle of a name; beyond
  `MAX_NAMES` packages only the count.
- `w/<prefix>.json`: a shard, `[[letter, name, display, summary], ...]`: the packages of which a word of name or
  summary starts with the prefix. One that would pass `SHARD_BYTES` is cut: it keeps the best matches, and shards with
  one character more hold them all. No file is larger, however many packages begin with `py`.
- `index.json`: `{"shards": "a+ ab ac ..."}`: every prefix there is, `+` behind those that were cut. The shard of a
  typed word is found by going on by one character for as long as the shard was cut.

`letter` is `c`, `p` or `g` for the ecosystem; `display` is empty (or left out) where it is the name itself. No version
stands here, so a new version of a package that is described as before changes no byte.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, takewhile

import orjson

from packhouse.ecosystems import Package, Page, Pages
from packhouse.model import Ecosystem

MAX_NAMES = 20_000
"""Packages whose names `names.json` lists."""

SHARD_BYTES = 64_000
"""A shard that would be larger is cut."""

CUT_BYTES = 12_000
"""What a cut shard keeps, unless its prefix is a whole word: some hundred packages, of which ten are shown."""

DEPTH = 8
"""Characters of the longest prefix: as far as the words of thousands of packages are told apart."""

SUMMARY = 200
"""Characters of a summary that are shown, and searched."""

_GZIP_FROM = 1000
"""Bytes from which a file gets a compressed sibling."""

_GZIP_LEVEL = 6

_LETTERS: Mapping[Ecosystem, str] = {Ecosystem.CONDA: "c", Ecosystem.PYPI: "p", Ecosystem.GENERIC: "g"}

# Letters and digits of any script, as site/search.js takes them apart (\p{L}, \p{N}); the underscore parts words.
_WORD = re.compile(r"[^\W_]+")
_PLAIN = re.compile(r"[a-z0-9]")


@dataclass(frozen=True, slots=True)
class _Lines:
    """What shards are made of; a package is its number in the order of equally good matches.

    Attributes:
        lines: of each package.
        keys: its names, levelled, from which its rank follows.
        named: word to the packages that have it in a name.
        words: word to the packages that have it anywhere.
    """

    lines: Sequence[bytes]
    keys: Sequence[tuple[str, ...]]
    named: Mapping[str, Sequence[int]]
    words: Mapping[str, Sequence[int]]


def search_pages(packages: Iterable[tuple[Ecosystem, Package]]) -> Pages:
    """Render `search/` of a channel: shards, then the index that names them, then the names.

    Args:
        packages: those that every reader of the channel may know of, in any order.
    """
    # The order of equally good matches, in the API too: the shorter name first.
    ordered = sorted(packages, key=lambda item: (len(item[1].name), item[1].name, item[0]))
    found: list[str] = []
    leaves: list[Page] = []
    for prefix, cut, lines in _shards(_taken_apart(ordered)):
        found.append(f"{prefix}+" if cut else prefix)
        leaves += _with_gzip(f"search/w/{shard_name(prefix)}.json", b"[" + b",\n".join(lines) + b"]\n")
    index = orjson.dumps({"shards": " ".join(sorted(found))}, option=orjson.OPT_APPEND_NEWLINE)
    leaves += _with_gzip("search/index.json", index)
    leaves += _with_gzip("search/names.json", _names(ordered))
    return Pages(leaves=leaves)


def described(display: str, summary: str) -> tuple[str, str]:
    """Return what the search index says of a package besides its name.

    Where it is equal before and after a change of a package that stays, the index does not change.
    """
    return display, _shortened(summary)


def words(text: str) -> list[str]:
    """Return the words of a text as the index knows them: letters and digits, compatible forms and case levelled."""
    return _WORD.findall(_levelled(text))


def shard_name(prefix: str) -> str:
    """Return the file name of a prefix's shard: `nu`, and `_f6_l` for `öl`."""
    return "".join(char if _PLAIN.fullmatch(char) else f"_{ord(char):x}_" for char in prefix)


def _taken_apart(ordered: Iterable[tuple[Ecosystem, Package]]) -> _Lines:
    lines: list[bytes] = []
    keys: list[tuple[str, ...]] = []
    named: dict[str, list[int]] = {}
    every: dict[str, list[int]] = {}
    for number, (ecosystem, package) in enumerate(ordered):
        display, summary = described(package.display, package.summary)
        other = "" if display == package.name else display
        lines.append(orjson.dumps([_LETTERS[ecosystem], package.name, other, summary]))
        keys.append(tuple({_levelled(package.name), _levelled(display)}))
        of_name = set(words(f"{package.name} {display}"))
        for word in of_name:
            named.setdefault(word, []).append(number)
        for word in of_name.union(words(summary)):
            every.setdefault(word, []).append(number)
    return _Lines(lines, keys, named, every)


def _levelled(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


def _shortened(summary: str) -> str:
    """Return the start of a summary as one line; what is shown of it is what is found by it."""
    line = " ".join(summary.split())
    if len(line) <= SUMMARY:
        return line
    return line[: SUMMARY - 1].rstrip() + "…"


def _names(ordered: Sequence[tuple[Ecosystem, Package]]) -> bytes:
    body: dict[str, object] = {"count": len(ordered)}
    if len(ordered) <= MAX_NAMES:
        body["names"] = [
            [_LETTERS[ecosystem], package.name, *([package.display] * (package.display != package.name))]
            for ecosystem, package in ordered
        ]
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def _shards(known: _Lines) -> Iterator[tuple[str, bool, list[bytes]]]:
    """Yield each shard: its prefix, whether it was cut, and its lines."""
    todo = _longer("", sorted(known.words))
    while todo:
        prefix, group = todo.pop()
        members = sorted({number for word in group for number in known.words[word]})
        cut = sum(map(len, map(known.lines.__getitem__, members))) + 2 * len(members) > SHARD_BYTES
        if cut:
            members = _best(prefix, group, members, known)
            if len(prefix) < DEPTH:
                todo += _longer(prefix, group)
        yield prefix, cut, [known.lines[number] for number in members]


def _longer(prefix: str, group: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Return the prefixes with one character more, each with those of the sorted words that start with it."""
    end = len(prefix) + 1
    return [
        (longer, list(of_it))
        for longer, of_it in groupby(
            (word for word in group if len(word) >= end), key=lambda word: word[:end]
        )
    ]


def _best(prefix: str, group: Iterable[str], members: Iterable[int], known: _Lines) -> list[int]:
    """Return the best matches for a prefix, as many as a cut shard keeps: by name first."""
    named = {number for word in group for number in known.named.get(word, ())}
    ranked = sorted(named, key=lambda number: (_rank(prefix, known.keys[number]), number))
    # A whole word is not told apart by more of its letters: what is not kept here is found by another word only.
    room = SHARD_BYTES if prefix in known.words else CUT_BYTES
    order = [*ranked, *(number for number in members if number not in named)]
    ends = accumulate(len(known.lines[number]) + 2 for number in order)
    return [number for number, _ in takewhile(lambda item: item[1] <= room, zip(order, ends, strict=True))]


def _rank(prefix: str, keys: Iterable[str]) -> int:
    """How well a name with a word that starts so matches, by the API's order: 0 exactly, 1 from its start, 2 within."""
    return min(0 if key == prefix else 1 if key.startswith(prefix) else 2 for key in keys)


def _with_gzip(path: str, body: bytes) -> list[Page]:
    """Return a file behind its compressed sibling, where one is worth it; equal bytes give equal bytes."""
    plain = Page(path, body)
    if len(body) < _GZIP_FROM:
        return [plain]
    return [Page(f"{path}.gz", gzip.compress(body, _GZIP_LEVEL, mtime=0)), plain]
