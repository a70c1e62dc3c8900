"""The page of a release, and those of its files: what is inside them and what was checked."""

import hashlib
import os
import re
import shlex
import subprocess

import pytest
from people_support import (
    CHANNEL,
    PRIVATE,
    RELATIVE,
    SETTINGS,
    by_id,
    check_page,
    digest,
    file_view,
    hostile_view,
    text_of,
    view,
)

from packhouse.ecosystems.view import Check
from packhouse.pages.release import release_pages

FOLDER = "pypi/flask/release/3.1.0"
WHEEL = f"{FOLDER}/files/flask-3.1.0-py3-none-any.whl/index.html"


def pages(shown, **more):
    values = {"channel": CHANNEL, "key": "flask", "settings": SETTINGS, "readers": "everyone"}
    return {page.path: check_page(page) for page in release_pages(shown, **values | more).leaves}


def links(tree):
    return {text_of(link): link.get("href") for link in tree.iter("a")}


def test_a_release_has_its_page_after_those_of_its_files():
    assert list(pages(view())) == [
        WHEEL,
        f"{FOLDER}/files/flask-3.1.0.tar.gz/index.html",
        f"{FOLDER}/index.html",
    ]


def test_the_page_of_a_release_is_about_it_alone():
    """It is not rendered again when something newer comes, so it names nothing that then would be wrong."""
    tree = pages(view())[f"{FOLDER}/index.html"]

    text = text_of(tree)
    assert "This page is about version 3.1.0 alone." in text
    assert "3.2.0" not in text
    assert not [
        section for section in ("versions", "dependents", "log") if f'"{section}"' in str(links(tree))
    ]
    assert links(tree)["the page of the package"] == "../../../../pypi/flask/"
    assert links(tree)["flask-3.1.0.tar.gz"] == "../../../../packages/flask/flask-3.1.0.tar.gz"
    assert links(tree)["contents of flask-3.1.0.tar.gz"] == "files/flask-3.1.0.tar.gz/"
    assert links(tree)["main"] == "../../../../"


def test_a_release_links_no_requirement():
    """A package may come or go without this page being rendered."""
    tree = pages(view())[f"{FOLDER}/index.html"]

    assert "Werkzeug>=3.1" in text_of(tree)
    assert "Werkzeug>=3.1" not in links(tree)


def test_a_release_lists_all_its_files():
    tree = pages(view(files=[file_view(f"{number}.whl") for number in range(210)]))[f"{FOLDER}/index.html"]

    assert len(by_id(tree, "files-table").findall(".//tbody/tr")) == 210


def test_a_file_says_all_that_is_known_of_it():
    file = file_view(
        yanked="It breaks.",
        warnings=["odd name"],
        build="py_0",
        checks=[Check(outcome="verified", text="The CRC-32 of each member matches.")],
    )
    tree = pages(view(files=[file]))[WHEEL]

    text = text_of(tree)
    assert text_of(tree.find(".//h1")) == "flask-3.1.0-py3-none-any.whl"
    for said in (
        digest("flask-3.1.0-py3-none-any.whl"),
        "103 kB (102,979 bytes)",
        "2026-11-21 10:00:00 UTC by user:ann",
        "Python 3, any platform",
        "py_0",
        "It breaks.",
        "odd name",
        "verified: The CRC-32 of each member matches.",
        "missing: There is no provenance",
    ):
        assert said in text
    assert links(tree)["Download"] == "../../../../../../packages/flask/flask-3.1.0-py3-none-any.whl"
    assert (
        links(tree)[".metadata"] == "../../../../../../packages/flask/flask-3.1.0-py3-none-any.whl.metadata"
    )
    assert links(tree)["Flask"] == "../../../../../../pypi/flask/"
    assert links(tree)["3.1.0"] == "../../"


def test_members_are_listed_up_to_a_number():
    members = [(f"m{number}.py", number) for number in range(2100)]
    long = pages(view(files=[file_view(members=members, members_total=5000)]))[WHEEL]
    short = pages(view())[WHEEL]
    none = pages(view(files=[file_view(members=(), members_total=0)]))[WHEEL]
    hidden = pages(view(files=[file_view(members=(), members_total=7)]))[WHEEL]

    rows = long.findall(".//tbody/tr")
    assert len(rows) == 2000
    assert [text_of(cell) for cell in rows[7]] == ["m7.py", "7 B"]
    assert "and 3,000 more, which are not listed here" in text_of(long)
    assert "not listed here" not in text_of(short)
    assert "it is no archive, or it is empty" in text_of(none)
    assert "Nothing of it was listed." in text_of(hidden)


def test_files_of_one_name_share_a_page():
    """Conda's subdirs may hold the same name; each keeps its own section, with ids of its own."""
    files = [
        file_view("numpy-2.0-0.conda", path=f"{subdir}/numpy-2.0-0.conda", target=subdir)
        for subdir in ("linux-64", "win-64")
    ]
    tree = pages(view(files=files))[f"{FOLDER}/files/numpy-2.0-0.conda/index.html"]

    assert [text_of(heading) for heading in tree.iter("h2")] == [
        "linux-64/numpy-2.0-0.conda",
        "win-64/numpy-2.0-0.conda",
    ]
    assert "2 files of this version have the same name." in text_of(tree)
    hrefs = [link.get("href") for link in tree.iter("a") if text_of(link) == "Download"]
    assert hrefs == [
        "../../../../../../linux-64/numpy-2.0-0.conda",
        "../../../../../../win-64/numpy-2.0-0.conda",
    ]


def test_what_needs_a_key_says_so_on_each_page():
    shown = pages(view(), readers="channel", channel=PRIVATE)

    assert "machine packages.example login __token__ password YOUR-KEY" in text_of(shown[WHEEL])
    assert "Everyone who may read the channel team may read it." in text_of(shown[WHEEL])
    assert "YOUR-KEY" in text_of(shown[f"{FOLDER}/index.html"])


@pytest.mark.parametrize("settings", [SETTINGS, RELATIVE])
def test_hostile_text_is_text_everywhere(settings):
    for tree in pages(hostile_view(), settings=settings, readers="granted").values():
        assert all(
            re.search(r"_static/(packhouse|search)\.js$", item.get("src")) for item in tree.iter("script")
        )
        assert [re.sub(r"^(\.\./)+", "", item.get("src")) for item in tree.iter("img")] == [
            "_static/packhouse.svg"
        ]
        assert not [link for link in tree.iter("a") if link.get("rel")]


def test_the_commands_of_a_file_fetch_and_verify_it(tmp_path):
    """Pasted into a shell, with a `curl` that reads below a folder: the odd name arrives, and the hash is compared."""
    name = "it's a+b!1.whl"
    content = b"bytes"
    file = file_view(name, path=f"packages/{name}", sha256=hashlib.sha256(content).hexdigest())
    tree = pages(view(files=[file]))[f"{FOLDER}/files/{name}/index.html"]
    codes = [text_of(code) for figure in tree.iter("figure") for code in figure.iter("code")]
    fetch, verify = shlex.split(codes[0]), codes[1]

    assert fetch == [
        *("curl", "--fail", "--location", "--output", name),
        "https://packages.example:8443/main/packages/it%27s%20a%2Bb%211.whl",
    ]
    (tmp_path / name).write_bytes(content)
    run = {"cwd": tmp_path, "shell": True, "env": {**os.environ, "LC_ALL": "C"}, "capture_output": True}
    assert subprocess.run(verify, check=True, **run).stdout.endswith(b": OK\n")
    (tmp_path / name).write_bytes(b"others")
    assert subprocess.run(verify, check=False, **run).returncode == 1
