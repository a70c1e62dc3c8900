"""What is published after each change is what would be published if everything were rendered anew."""

import shutil

import pytest
from house_support import ADMIN
from indexer_support import World

from indexer import survey
from indexer.publish import publish
from packhouse.areas import SITE, listed
from packhouse.assets import asset
from packhouse.house import areas_of
from packhouse.intake import changes, moving
from packhouse.model import Ecosystem


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path, "main", overwrite=True)
    world.settle()
    yield world
    world.close()


def stale(world):
    """Publish what is due, then everything; return the paths that differ."""
    world.settle()
    world.settle()  # what links to a new page follows it with a lag
    before = world.files()
    areas = {
        area
        for channel in world.house.catalog.channels.list()
        for area in areas_of(world.house, channel.name)
    }
    world.house.catalog.areas.mark(dict.fromkeys((*areas, SITE), 0.0))
    world.settle()
    after = world.files()
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def text(world, path):
    return (world.house.data / "public/main" / path).read_text()


def test_a_final_release_is_compared_with_the_final_one_before_whatever_came_between(world):
    for version in ("1.1rc1", "1.1rc2", "1.1", "1.2"):
        world.wheel("aa", version, requires_dist=["new"])
        world.settle()
    world.wheel("aa", "1.0", requires_dist=["old"])

    assert not stale(world)
    assert "Changed since 1.0<" in text(world, "pypi/aa/release/1.1/index.html")
    world.delete("packages/aa/aa-1.0-py3-none-any.whl")
    assert not stale(world)
    assert "Changed since 1.1rc2<" in text(world, "pypi/aa/release/1.1/index.html")


def test_conda_versions_that_compare_equal_are_ordered_alike_everywhere(world):
    for version in ("1.0.0", "1.1", "1.0"):
        world.conda("aa", version)
        world.settle()

    assert not stale(world)
    assert "Changed since 1.0<" in text(world, "conda/aa/release/1.1/index.html")


def test_the_pages_of_a_products_release_do_not_count_the_others(world):
    for version in ("1.0", "2.0", "3.0"):
        world.product("tool", version)
        world.settle()

    assert not stale(world)


def test_a_package_that_requires_itself_has_no_link_to_itself(world):
    world.conda("aa", depends=["aa"])

    assert not stale(world)
    assert 'href="../../conda/aa/"' not in text(world, "conda/aa/index.html")


def test_a_spelling_of_a_version_that_is_gone_does_not_come_back(world):
    world.wheel("aa", "1.0.0")
    world.settle()
    world.delete("packages/aa/aa-1.0.0-py3-none-any.whl")
    world.wheel("aa", "1.0")

    assert not stale(world)
    assert not (world.house.data / "public/main/pypi/aa/release/1.0.0/index.html").exists()


def test_lists_call_a_package_as_people_write_it_and_its_newest_version_that_stands(world):
    for version in ("1.0", "2.0"):
        world.wheel("Big_Name", version)
    [newest] = world.house.catalog.artifacts.of_version("main", Ecosystem.PYPI, "big-name", "2.0")
    changes.yank(world.house, [newest], ADMIN, "broken")

    assert not stale(world)
    [package] = world.house.catalog.records("main", lambda _path: None).packages(Ecosystem.PYPI)
    assert (package.display, package.latest) == ("Big_Name", "1.0")
    assert ">Big_Name</a>" in text(world, "browse/pypi/b/index.html")
    assert "Big_Name 1.0" in text(world, "pypi/big-name/index.html")


def test_what_only_an_extra_needs_is_linked_as_long_as_everyone_may_know_of_it(world):
    link = 'href="../../pypi/secret/"'
    world.wheel("aa", requires_dist=['secret ; extra == "test"'], metadata_extra="Provides-Extra: test\n")
    world.settle()
    assert link not in text(world, "pypi/aa/index.html")

    world.wheel("secret")
    assert not stale(world)
    assert link in text(world, "pypi/aa/index.html")
    assert "pypi/aa/" not in text(world, "pypi/secret/index.html").partition("Dependents")[2]

    moving.close(world.house, "main", "pypi", "secret")
    assert not stale(world)
    assert link not in text(world, "pypi/aa/index.html")


def test_what_a_conda_package_constrains_is_linked_as_long_as_it_is_there(world):
    link = 'href="../../conda/other/"'
    world.conda("aa", extra_index={"constrains": ["other >=1"]})
    world.conda("other")
    assert not stale(world)
    assert link in text(world, "conda/aa/index.html")
    assert "conda/aa/" not in text(world, "conda/other/index.html").partition("Dependents")[2]

    world.delete("noarch/other-1.0-0.conda")
    assert not stale(world)
    assert link not in text(world, "conda/aa/index.html")


def test_a_list_waits_for_the_pages_of_its_own_letter_only(world):
    for name in ("aa", "zz"):
        world.wheel(name)
    publish(world.house, listed("main", "pypi", "zz"))

    assert "public/main/pypi/zz/index.html" in world.files()
    assert "public/main/pypi/aa/index.html" not in world.files()
    assert not stale(world)


@pytest.mark.parametrize("template", ["people/feed.atom", "people/badge.svg", "people/package.html"])
def test_a_change_of_any_template_renders_everything_anew(world, tmp_path, monkeypatch, template):
    shutil.copytree(asset("templates"), tmp_path / "templates")
    monkeypatch.setattr(survey, "asset", lambda name: tmp_path / name)
    assert not survey.Survey(world.house).renew()

    (tmp_path / "templates" / template).write_text("other")
    assert survey.Survey(world.house).renew()
