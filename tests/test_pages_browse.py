"""Lists of all packages by letter."""

import random

import pytest
from site_pages_support import HOSTILE, MAIN, Reader, package

from packhouse.model import Ecosystem
from packhouse.pages.browse import MAX_PACKAGES, browse_pages, letter_of, two_of


def read(pages):
    return {page.path: Reader(page.body, f"/main/{page.path.removesuffix('index.html')}") for page in pages}


def render(letter, packages, ecosystem=Ecosystem.PYPI):
    return browse_pages(ecosystem, letter, packages, channel=MAIN)


def test_few_packages_are_one_page():
    pages = read(
        render("p", [package("pz"), package("Pa", display="Pa"), package("py", subdirs=("noarch",))])
    )

    assert list(pages) == ["browse/pypi/p/index.html"]
    page = pages["browse/pypi/p/index.html"]
    assert [row[0] for row in page.rows()] == ["Pa", "py", "pz"]
    assert {"/", "/main/", "/main/pypi/py/", "/main/_static/packhouse.css", "/account/"} <= page.targets
    assert "3 packages" in page.text
    assert "#pypi" in "".join(page.links)


def test_no_package_is_no_page():
    assert render("q", []) == []


def test_many_packages_are_cut_by_two_characters():
    packages = [package(f"p{second}{n}") for second in "aby-_2" for n in range(100)] + [package("p")]
    pages = read(render("p", packages))

    assert sorted(pages) == [
        "browse/pypi/p/index.html",
        "browse/pypi/p/p-/index.html",
        "browse/pypi/p/p2/index.html",
        "browse/pypi/p/pa/index.html",
        "browse/pypi/p/pb/index.html",
        "browse/pypi/p/py/index.html",
    ]
    top = pages["browse/pypi/p/index.html"]
    assert {f"/main/browse/pypi/p/{two}/" for two in ("pa", "pb", "py", "p2", "p-")} <= top.targets
    assert not top.all("table")
    assert len(pages["browse/pypi/p/p-/index.html"].rows()) == 201
    assert "/main/browse/pypi/p/" in pages["browse/pypi/p/pa/index.html"].targets


def test_more_than_that_have_numbered_pages():
    packages = [package(f"py{n:04}") for n in range(2 * MAX_PACKAGES + 1)]
    pages = read(render("p", packages))
    numbered = [f"browse/pypi/p/py/{number}index.html" for number in ("", "2/", "3/")]

    assert list(pages)[1:] == numbered
    shown = [row[0] for path in numbered for row in pages[path].rows()]
    assert shown == [item.name for item in packages]
    ways = [
        {link.get("rel"): link.get("href") for link in pages[path].all("a") if link.get("rel")}
        for path in numbered
    ]
    assert ways == [{"next": "2/"}, {"prev": "../", "next": "../3/"}, {"prev": "../2/"}]
    for path in numbered:
        assert "/main/browse/pypi/p/" in pages[path].targets


def test_every_link_leads_to_a_page_or_a_package():
    packages = [package(f"{first}{second}{n:03}") for first in "ab" for second in "xyz" for n in range(300)]
    for letter in "ab":
        pages = read(render(letter, [item for item in packages if letter_of(item.name) == letter]))
        there = {f"/main/{path.removesuffix('index.html')}" for path in pages}
        for page in pages.values():
            assert {target for target in page.targets if "/browse/" in target} <= there


def test_ten_thousand_packages_are_all_listed_and_no_page_is_over_200_kb():
    chance = random.Random(1)
    words = ["array", "série", "tools for <data>", "&", "graph", "client", "well-known", "asynchronous"]
    names = {
        f"{chance.choice(['py', 'lib', '3d', 'r-', 'x'])}{chance.choice(words[4:])}-{n}"
        for n in range(10_000)
    }
    by_letter = {}
    for name in names:
        summary = " ".join(chance.choices(words, k=chance.randint(0, 30)))
        by_letter.setdefault(letter_of(name), []).append(package(name, summary=summary))
    pages = [page for letter, packages in by_letter.items() for page in render(letter, packages)]

    listed = [row[0] for page in read(pages).values() for row in page.rows()]
    assert sorted(listed) == sorted(names)
    assert max(len(page.body) for page in pages) < 200_000


def test_equal_packages_give_equal_bytes_in_any_order():
    packages = [package(name) for name in ("a", "b", "A", "c")]

    assert render("a", packages) == render("a", packages[::-1])


def test_what_strangers_wrote_is_text():
    [page] = render("other", [package("é" + HOSTILE, display=HOSTILE)], Ecosystem.GENERIC)

    assert b"<script>" not in page.body
    assert len(Reader(page.body).all("script")) == 2


@pytest.mark.parametrize(
    ("name", "letter", "two"),
    [
        ("flask", "f", "fl"), ("Flask", "f", "fl"), ("r", "r", "r-"), ("r-x", "r", "r-"), ("3d", "0-9", "3d"),
        ("7-zip", "0-9", "7-"), ("_x", "other", "other"), ("éa", "other", "other"), ("aé", "a", "a-"),
    ],
)  # fmt: skip
def test_the_heading_of_a_name_is_one_safe_segment(name, letter, two):
    assert (letter_of(name), two_of(name)) == (letter, two)
