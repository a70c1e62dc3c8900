"""What stands beside the page of a package; and what holds for page and files alike: hostile text, and size."""

import gzip
import json

import pytest
from people_support import (
    HOSTILE,
    NOON,
    RELATIVE,
    SETTINGS,
    digest,
    event,
    file_view,
    hostile_view,
    package,
    package_page,
    text_of,
    versions,
    view,
)

from packhouse.ecosystems.view import VersionView
from packhouse.pages.package import Dependents


def test_latest_json_names_the_files_relative_to_itself():
    yanked = [VersionView(version="3.1.0", uploaded_us=NOON, files=1, size=1, yanked="")]
    said = json.loads(package(view(files=[file_view()], versions=yanked))["pypi/flask/latest.json"].body)
    empty = json.loads(package(view(files=()))["pypi/flask/latest.json"].body)

    assert said == {
        "channel": "main",
        "ecosystem": "pypi",
        "package": "flask",
        "version": "3.1.0",
        "released": "2026-11-21T10:00:00Z",
        "yanked": True,
        "files": [
            {
                "filename": "flask-3.1.0-py3-none-any.whl",
                "url": "../../packages/flask/flask-3.1.0-py3-none-any.whl",
                "size": 102_979,
                "sha256": digest("flask-3.1.0-py3-none-any.whl"),
            }
        ],
    }
    assert (empty["released"], empty["yanked"], empty["files"]) == (None, False, [])


@pytest.mark.parametrize("settings", [SETTINGS, RELATIVE])
def test_hostile_text_is_text_everywhere(settings):
    """The parser is strict, and `check_page` looks at every address and attribute."""
    tree = package_page(
        hostile_view(), settings=settings, readers="granted", events=[event(1, by=HOSTILE, note=HOSTILE)]
    )

    assert {element.get("src") for element in tree.iter("script")} == {
        "../../_static/packhouse.js",
        "../../_static/search.js",
    }
    assert {element.get("src") for element in tree.iter("img")} == {
        "../../_static/packhouse.svg",
        "badge.svg",
    }
    assert not [link for link in tree.iter("a") if link.get("rel")]
    assert "{{7*7}}{channel}" in text_of(tree)


def test_a_page_of_usual_size_is_small_on_its_way():
    """The budget of a page is 60 kB with its assets; a package of 500 files and 300 versions stays below half of it."""
    huge = view(files=[file_view(f"f{number}.whl") for number in range(500)], versions=versions(300))
    events = [event(number, note=digest(str(number))) for number in range(1000)]
    names = [digest(str(number))[:12] for number in range(500)]

    body = package(huge, events=events, dependents=Dependents(names, 500))["pypi/flask/index.html"].body

    assert len(gzip.compress(body, 5)) < 30_000
    assert len(body) < 350_000
