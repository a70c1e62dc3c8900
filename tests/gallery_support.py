"""A Packhouse with something of everything on it, for tests that look at every kind of page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from browser_support import PASSWORD
from conda_support import make_conda
from e2e_support import free_port, wait_until
from many_support import count_as_published, fill, mark_lists, name_of
from private_support import UNLIMITED, World, world

from packhouse.catalog.passwords import hash_password

README = """\
# Numeral

Numbers as **words**, and back again. See [the manual](https://example.org/manual) or write to `numeral`.

## Usage

```python
from numeral import spell

assert spell(1_000_000_000_000_000_000) == "a quintillion, which takes quite some room on a line that does not break"
```

| language | up to | since | remarks |
|----------|------:|-------|---------|
| English  | 10^66 | 1.0   | short scale |
| Deutsch  | 10^66 | 1.1   | lange Leiter |

1. Install it.
2. Import it.

> Numbers are hard.

- [x] cardinal
- [ ] ordinal

![a picture](https://example.org/picture.png)
"""
HEADERS = """\
Author: Ann Example
Author-email: Ann Example <ann@example.org>
License-Expression: BSD-3-Clause
Keywords: numbers,words,language
Classifier: Programming Language :: Python :: 3
Classifier: Topic :: Text Processing :: Linguistic
Project-URL: Homepage, https://example.org/numeral
Project-URL: Source Code, https://example.org/numeral/source
Provides-Extra: german
Description-Content-Type: text/markdown
"""
LARGE = 450
"""Packages of the channel that is too large for one page."""
LONG = "a-python-package-with-a-name-that-is-longer-than-any-telephone-is-wide-and-has-no-space"


@dataclass(frozen=True)
class Kind:
    """A kind of page: where one is, and who looks at it."""

    name: str
    path: str
    signed_in: bool = False
    status: int = 200


PACKAGES = (
    Kind("a Python package", "/main/pypi/numeral/"),
    Kind("a conda package", "/main/conda/libnumeral/"),
    Kind("a build product", "/main/generic/toolbox/"),
)
ANYONE = (
    Kind("home", "/"),
    Kind("a channel", "/main/"),
    Kind("a channel without packages", "/empty/"),
    Kind("a channel of many packages", "/large/"),
    Kind("a list by letter", "/main/browse/pypi/n/"),
    Kind("a list by two letters", "/large/browse/pypi/p/"),
    *PACKAGES,
    Kind("a package with a long name", f"/main/pypi/{LONG}/"),
    Kind("a Python release", "/main/pypi/numeral/release/1.1/"),
    Kind("a yanked release", "/main/pypi/numeral/release/1.0/"),
    Kind("a conda release", "/main/conda/libnumeral/release/2.0/"),
    Kind("a Python file", "/main/pypi/numeral/release/1.1/files/numeral-1.1-py3-none-any.whl/"),
    Kind("a conda file", "/main/conda/libnumeral/release/2.0/files/libnumeral-2.0-h1_0.conda/"),
    Kind("a product's file", "/main/generic/toolbox/release/2.1/files/toolbox-linux.tar.gz/"),
    Kind("found", "/search/?q=numeral"),
    Kind("nothing found", "/search/?q=nothinglikethis"),
    Kind("an empty search", "/search/"),
    Kind("the API", "/api/1/"),
    Kind("sign in", "/account/sign-in"),
    Kind("register", "/account/register"),
    Kind("an invitation", "/account/invitation"),
    Kind("not found", "/main/nope", status=404),
    Kind("not allowed", "/vault/", status=403),
)
ADMIN = (
    Kind("the account", "/account/", signed_in=True),
    Kind("my packages", "/account/packages/", signed_in=True),
    *(
        Kind(name, f"/account/admin/{path}/", signed_in=True)
        for name, path in (
            ("users", "users"), ("a user", "users/nora"), ("groups", "groups"), ("a group", "groups/team"),
            ("rights", "rights"), ("rights of a channel", "rights/vault"),
            ("rights of a package", "rights/main/pypi/secretpkg"), ("channels", "channels"),
            ("make private", "channels/main/visibility"), ("make public", "channels/vault/visibility"),
            ("delete a channel", "channels/empty/delete"), ("delete a channel that is used", "channels/main/delete"),
            ("the audit log", "audit"), ("the indexer", "indexer"),
        )
    ),
    Kind("a private channel", "/vault/", signed_in=True),
    Kind("a private package", "/vault/pypi/hushpy/", signed_in=True),
    Kind("a private conda package", "/vault/conda/hushconda/", signed_in=True),
    Kind("a restricted package", "/main/pypi/secretpkg/", signed_in=True),
)  # fmt: skip
EVERY = (*ANYONE, *ADMIN)


def public_packages(made: World) -> None:
    """Packages of every kind, with descriptions, versions, a yanked one, and dependencies."""
    more = {"metadata_extra": HEADERS, "metadata_version": "2.4", "description": README}
    needs = ["helper>=1", "elsewhere[fast]~=3.2; python_version < '3.13'", "umlaut; extra == 'german'"]
    made.wheel("main", "helper", summary="Helps numeral, and others")
    for version in ("1.0", "1.1"):
        made.wheel("main", "numeral", version, summary="Numbers as words", requires_dist=needs, **more)
    made.sdist("main", "numeral", "1.1", summary="Numbers as words")
    made.wheel("main", "numeral", "2.0rc1", summary="Numbers as words")
    status, _, answer = made.server.ask(
        "/api/1/main/numeral/1.0/yank", "POST", b'{"reason": "spelt forty with a u"}',
        key=True, Content_Type="application/json",
    )  # fmt: skip
    assert status == 200, answer
    about = {
        "summary": "Numbers as words, for C", "description": README, "home": "https://example.org/libnumeral",
        "dev_url": "https://example.org/libnumeral/source", "doc_url": "https://example.org/libnumeral/manual",
    }  # fmt: skip
    info = {
        "info/about.json": json.dumps(about).encode(),
        "info/run_exports.json": b'{"weak": ["libnumeral >=2"]}',
    }
    for version, build in (("1.9", "h0_0"), ("2.0", "h1_0")):
        for subdir in ("linux-64", "osx-arm64"):
            filename, body = make_conda(
                "libnumeral", version, build, subdir, ["helperlib >=1", "python >=3.9,<4"], info_files=info
            )
            made.put(f"/main/{subdir}/{filename}", body)
    made.conda("main", "helperlib")
    for version in ("2.0", "2.1"):
        for name in ("toolbox-linux.tar.gz", "toolbox-windows.zip", "toolbox.sha256"):
            made.put(f"/main/products/toolbox/{version}/{name}", f"{name} {version}".encode())


def long_names(made: World) -> None:
    """A package with words that are wider than a telephone."""
    made.wheel("main", LONG, f"1.0.post{'1' * 40}", summary=f"{'Unbreakable' * 12} 数を言葉に مرحبا", files={
        f"{LONG.replace('-', '_')}/{'deep/' * 12}module.py": b""
    })  # fmt: skip


def private_things(made: World) -> None:
    """A private channel and a restricted package, and people with rights on them."""
    made.channel("vault", private=True)
    made.wheel("vault", "hushpy", summary="Nobody's business")
    made.conda("vault", "hushconda")
    made.wheel("main", "secretpkg", summary="Some people's business")
    made.user("alice", PASSWORD, "team")
    made.user("ada", PASSWORD)
    made.house.catalog.accounts.set_admin("ada", admin=True)
    made.give("group:team", "vault")
    made.give("user:alice", "main/pypi/secretpkg")
    made.house.catalog.accounts.open_registration(allow=True)
    made.house.catalog.accounts.register("nora", hash_password(PASSWORD), default_open=True)


def many_packages(made: World) -> None:
    """A channel that is too large for one page; its packages have none of their own."""
    made.channel("large")
    made.wheel("large", "seed")
    catalog, names = made.house.catalog, [name_of(number) for number in range(LARGE)]
    fill(catalog, "large", LARGE)
    count_as_published(catalog, "large", names)
    mark_lists(catalog, "large", names)
    made.house.wake.poke("wake")
    made.settled()


@contextmanager
def gallery(folder: Path) -> Iterator[tuple[World, bytes]]:
    """The world, and the front page as it was before anything was in it; it knows its own address, as real ones do."""
    port = free_port()
    with world(folder, port=port, PACKHOUSE_BASE_URL=f"http://127.0.0.1:{port}", **UNLIMITED) as made:
        wait_until(lambda: made.server.ask("/")[0] == 200, what="the front page")
        first_run = made.server.ask("/", Accept="text/html")[2]
        made.channel("empty")
        public_packages(made)
        long_names(made)
        private_things(made)
        made.settled()
        yield made, first_run
