"""Pages of real conda packages, and the commands of pages solved by rattler (pixi's and rattler-build's solver)."""

import asyncio
import shlex
from pathlib import Path

import pytest
import rattler_build
from conda_inspect_support import LIMITS, claim
from conda_support import FakeRecords, make_conda
from rattler import Channel, Gateway, MatchSpec, solve
from rattler.index import index_fs
from rattler.package_streaming import extract

from packhouse.ecosystems.conda.inspect import inspect
from packhouse.ecosystems.conda.people import requires, view
from packhouse.errors import PackhouseError

SHARED = Path(__file__).parents[2] / "shared/data/conda"

needs_real_packages = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared real packages are not beside this checkout"
)


def stored(paths):
    records = FakeRecords()
    for path in paths:
        try:
            seen = inspect(path, claim(path.name), LIMITS)
        except PackhouseError:
            continue
        row = records.add(seen.directory, path.name, seen.record, warnings=tuple(seen.warnings))
        records.about[row.id] = seen.details
    return records


@pytest.fixture(scope="module")
def real():
    return stored(sorted(SHARED.glob("good/*/*/*/*")))


@needs_real_packages
def test_every_real_package_has_a_page_at_every_version(real):
    packages = sorted({row.package for row in real.rows.values()})
    assert len(packages) > 40
    for package in packages:
        page = view(package, real)
        for line in page.versions:
            release = view(package, real, line.version)
            assert release.version == line.version
            assert len(release.files) == line.files
            assert all(file.checks and file.members_total >= len(file.members) for file in release.files)
            assert all(name == name.lower() for row in real.rows.values() for name in requires(row.record))


@needs_real_packages
def test_the_page_of_a_real_python(real):
    page = view("python", real)
    assert page.version == "3.12.12"
    assert page.summary == "General purpose programming language"
    assert dict(page.facts)["Licence"] == "Python-2.0"
    assert ("Home page", "https://www.python.org/") in page.links
    runtime, constrains, *exports = page.requirements
    assert "libsqlite" in {item.package for item in runtime.items}
    assert [item.package for item in constrains.items] == ["python_abi"]
    assert [group.title for group in exports] == ["Run exports (noarch)", "Run exports (weak)"]
    assert page.files[0].target == "macOS ARM64"
    assert page.readme is not None


@needs_real_packages
def test_two_versions_of_a_real_package_are_compared(real):
    diff = view("libexpat", real).diff
    assert diff.since == "2.6.2"
    assert diff.requirements_removed


# --- commands ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def channels(tmp_path_factory):
    """Two channels that both have `tiny`: ours, and one with more."""
    folder = tmp_path_factory.mktemp("channels")
    for name, versions in (("ours", ("1.0", "1!2.0+x", "2.0", "3.0rc1")), ("other", ("1.0", "9!9"))):
        (folder / name / "noarch").mkdir(parents=True)
        for version in versions:
            filename, body = make_conda("tiny", version)
            (folder / name / "noarch" / filename).write_bytes(body)
        asyncio.run(index_fs(folder / name, write_zst=False, write_shards=False))
    return folder


def solved(spec, channels, *names, cache):
    found = asyncio.run(
        solve(
            [Channel((channels / name).as_uri()) for name in names],
            [MatchSpec(spec)],
            platforms=["linux-64", "noarch"],
            gateway=Gateway(cache_dir=str(cache)),
        )
    )
    return [(str(record.version), str(record.channel).rstrip("/").rpartition("/")[2]) for record in found]


def page_of(*versions, shown=None):
    records = FakeRecords()
    for version in versions:
        records.add("noarch", f"tiny-{version}-0.conda", {"name": "tiny", "version": version, "build": "0"})
    return view("tiny", records, shown)


@pytest.mark.parametrize("version", ["1.0", "1!2.0+x", "2.0"])
def test_the_spec_of_a_release_is_solved_to_that_release(channels, tmp_path, version):
    install = page_of("1.0", "1!2.0+x", "2.0", "3.0rc1", shown=version).install
    for tool in ("conda", "mamba"):
        words = shlex.split(install[tool].replace("{channel}", (channels / "ours").as_uri()))
        assert words[:4] == [tool, "install", "--channel", (channels / "ours").as_uri()]
        assert solved(words[4], channels, "ours", "other", cache=tmp_path) == [(version, "ours")]


@pytest.mark.parametrize(("shown", "found"), [(None, "1!2.0+x"), ("1.0", "1.0")])
def test_pixi_gets_the_package_from_this_channel_whatever_the_order_of_channels(
    channels, tmp_path, shown, found
):
    install = page_of("1.0", "1!2.0+x", "2.0", "3.0rc1", shown=shown).install
    command = install["pixi"].replace("{channel}", (channels / "ours").as_uri())
    words = shlex.split(command)
    assert words[:-1] == [
        *["pixi", "workspace", "channel", "add"],
        (channels / "ours").as_uri(),
        "&&",
        "pixi",
        "add",
    ]
    for order in (("other", "ours"), ("ours", "other")):
        assert solved(words[-1], channels, *order, cache=tmp_path) == [(found, "ours")]


def test_an_open_command_would_install_a_newer_pre_release(channels, tmp_path):
    """So the page of a package whose newest version is one pins the final version that it shows."""
    folder = channels / "early"
    (folder / "noarch").mkdir(parents=True)
    for version in ("2.0", "3.0rc1"):
        filename, body = make_conda("tiny", version)
        (folder / "noarch" / filename).write_bytes(body)
    asyncio.run(index_fs(folder, write_zst=False, write_shards=False))
    assert solved("tiny", channels, "early", cache=tmp_path) == [("3.0rc1", "early")]
    spec = shlex.split(page_of("2.0", "3.0rc1").install["conda"])[-1]
    assert solved(spec, channels, "early", cache=tmp_path) == [("2.0", "early")]


def test_rattler_build_builds_against_the_release(channels, tmp_path):
    """The arguments of the page's command, given to rattler-build's own front end."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "package: {name: uses, version: '1'}\nbuild: {noarch: generic}\nrequirements: {host: [tiny]}\n"
    )
    command = page_of("1.0", "2.0", shown="1.0").install["rattler-build"]
    words = shlex.split(command.replace("{channel}", (channels / "ours").as_uri()))
    assert words[:4] == ["rattler-build", "build", "--recipe", "recipe.yaml"]
    options = dict(zip(words[4::2], words[5::2], strict=True))
    name, _, version = options["--variant"].partition("=")
    with pytest.warns(DeprecationWarning, match="build_recipes"):
        rattler_build.cli_api.build_recipes(
            [recipe],
            channel=[options["--channel"]],
            variant_overrides={name: [version]},
            output_dir=tmp_path / "out",
            test="skip",
        )
    [built] = (tmp_path / "out/noarch").glob("*.conda")
    extract(built, tmp_path / "built")
    text = (tmp_path / "built/info/recipe/rendered_recipe.yaml").read_text()
    assert "tiny-1.0-0.conda" in text
    assert "tiny-2.0-0.conda" not in text
