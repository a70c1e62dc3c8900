"""An installed Packhouse works without the checkout: templates, site, nginx.conf and programs travel in the wheel."""

import configparser
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that a release would be; hatchling is in the environment, so nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel in a folder of its own; its dependencies come from this environment."""
    folder = tmp_path_factory.mktemp("installed") / "site-packages"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder), str(wheel)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return folder


def python(installed, code, cwd):
    """Run Python where the installed copy comes first and the checkout is out of sight."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def names(archive):
    with zipfile.ZipFile(archive) as file:
        return set(file.namelist())


def test_every_module_and_asset_is_in_the_wheel(wheel):
    """What is in the checkout is in the wheel, at its place."""
    wanted = {
        path.relative_to(ROOT).as_posix()
        for top in ("packhouse", "indexer", "uploadd")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "_assets" not in path.parts
    }
    wanted |= {
        f"packhouse/_assets/{path.relative_to(ROOT).as_posix()}"
        for top in ("templates", "site")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    wanted.add("packhouse/_assets/nginx.conf")

    assert wanted - names(wheel) == set()


def test_nothing_else_is_in_the_wheel(wheel):
    """No tests, no docs, and no top-level `site` or `templates` that would lie about in site-packages."""
    tops = {name.split("/")[0] for name in names(wheel)}

    assert tops == {"packhouse", "indexer", "uploadd", "packhouse-0.1.0.dist-info"}


def test_assets_are_found_from_the_installed_copy(installed, tmp_path):
    code = (
        "import pathlib, packhouse.assets as assets\n"
        "print(pathlib.Path(assets.__file__).resolve())\n"
        "for name in ('templates', 'site', 'nginx.conf'): print(assets.asset(name))\n"
        "print(sorted(assets.site_files())[0])\n"
    )

    module, *found = python(installed, code, tmp_path).splitlines()

    assert module == str(installed.resolve() / "packhouse" / "assets.py")
    assets = installed.resolve() / "packhouse" / "_assets"
    assert found[:3] == [str(assets / name) for name in ("templates", "site", "nginx.conf")]
    assert (assets / "nginx.conf").read_bytes() == (ROOT / "nginx.conf").read_bytes()


def test_the_installed_templates_render(installed, tmp_path):
    """The one Jinja environment finds its pages beside the installed package."""
    code = (
        "from packhouse.assets import asset\n"
        "from packhouse.render import environment\n"
        "print(environment(asset('templates')).list_templates())\n"
    )

    assert "base.html" in python(installed, code, tmp_path)


@pytest.mark.parametrize("program", ["packhouse", "uploadd", "indexer"])
def test_programs_start_from_the_installed_copy(installed, wheel, program, tmp_path):
    """Each console script names a function that is there, and answers --help."""
    with zipfile.ZipFile(wheel) as file:
        text = file.read("packhouse-0.1.0.dist-info/entry_points.txt").decode()
    scripts = configparser.ConfigParser()
    scripts.read_string(text)
    module, function = scripts["console_scripts"][program].split(":")

    code = (
        f"import sys, {module} as started\n"
        "print(started.__file__, file=sys.stderr)\n"
        f"assert started.__file__.startswith({str(installed.resolve())!r}), started.__file__\n"
        f"sys.argv = [{program!r}, '--help']\n"
        "try:\n"
        f"    code = started.{function}()\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "assert not code, code\n"
    )

    assert "usage" in python(installed, code, tmp_path).lower()


def test_the_licence_and_type_marker_travel(wheel):
    assert {"packhouse/py.typed", "packhouse-0.1.0.dist-info/licenses/LICENSE"} <= names(wheel)
