"""What lists may ask of a channel: nothing of restricted packages, and nothing that has no page yet."""

import pytest
from catalog_support import upload, verified

from packhouse.catalog import Catalog
from packhouse.catalog.areas import Printed
from packhouse.model import Area, Ecosystem
from packhouse.names import ChannelName

PYPI = Ecosystem.PYPI


@pytest.fixture
def catalog(tmp_path):
    catalog = Catalog(tmp_path / "catalog.sqlite")
    for channel in ("main", "other"):
        catalog.channels.create(ChannelName(channel), born=())
        for name in ("open", "secret"):
            upload(catalog, verified(name, channel=channel))
    catalog.grants.close("main", "pypi", "secret")
    yield catalog
    catalog.close()


def records(catalog, channel="main"):
    return catalog.records(channel, lambda path: None)


def names(packages):
    return [package.name for package in packages]


def test_a_list_of_the_channel_leaves_restricted_packages_out(catalog):
    found = records(catalog)

    assert names(found.packages(PYPI)) == ["open"]
    assert [item.package for item in found.live(PYPI)] == ["open"]
    assert list(found.changed(PYPI, directory=None, since=0)) == ["open"]
    assert found.directories(PYPI) == ["packages/open"]
    assert names(records(catalog, "other").packages(PYPI)) == ["open", "secret"]


def test_its_own_pages_are_rendered_from_everything_it_has(catalog):
    found = records(catalog)

    assert [item.package for item in found.live(PYPI, package="secret")] == ["secret"]
    assert [item.package for item in found.live(PYPI, directory="packages/secret")] == ["secret"]
    assert list(found.changed(PYPI, directory="packages/secret", since=0)) == ["secret"]
    assert [item.package for item in found.everything(PYPI)] == ["open", "secret"]


def test_whoever_may_read_it_is_shown_it(catalog):
    catalog.grants.close("main", "pypi", "open")

    assert names(records(catalog).showing({("pypi", "secret")}).packages(PYPI)) == ["secret"]
    assert names(records(catalog).showing({("generic", "secret")}).packages(PYPI)) == []
    assert list(records(catalog).showing([("pypi", "open")]).changed(PYPI, directory=None, since=0)) == [
        "open"
    ]


def test_a_list_names_what_has_a_page(catalog):
    """Announced is not written, and removed is gone."""
    found = records(catalog, "other").naming_published("index")
    area = Area("other", "pypi", "index", "open")
    assert names(found.packages(PYPI)) == []
    assert names(found.showing(()).packages(PYPI)) == []
    assert records(catalog, "other").unpublished("index") == [
        area,
        Area("other", "pypi", "index", "secret"),
    ]

    catalog.areas.announce(area, {"simple/open/index.html": Printed("ab", 1, 5)})
    assert names(found.packages(PYPI)) == []
    catalog.areas.record(area, {"simple/open/index.html": Printed("ab", 1, 5)})
    assert names(found.packages(PYPI)) == ["open"]
    assert names(records(catalog, "other").naming_published("page").packages(PYPI)) == []
    catalog.areas.record(area, {"simple/open/index.html": Printed(None, 0, 5)})
    assert names(found.packages(PYPI)) == []


def test_only_what_is_due_can_be_published_first(catalog):
    """Neither what is restricted, nor what failed long ago and is not marked."""
    assert [area.key for area in records(catalog).unpublished("index", PYPI)] == ["open"]
    assert records(catalog).unpublished("index", Ecosystem.GENERIC) == []
    area = Area("main", "pypi", "index", "open")
    catalog.areas.clear(area, catalog.areas.generation(area))
    assert records(catalog).unpublished("index") == []
