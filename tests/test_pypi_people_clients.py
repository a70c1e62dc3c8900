"""The commands of a Python project's page, pasted into a shell: pip, uv and Poetry install from the channel."""

import sys

import pytest
from e2e_support import BIN, serving
from pypi_support import FakeRecords, committed, make_wheel

from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi import PYPI
from packhouse.ecosystems.pypi.people import view
from packhouse.model import Claim, Ecosystem
from packhouse.names import ChannelName, Filename

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("people-clients")]

# An epoch and a local part are what a shell or a URL could get wrong.
NAME, VERSION = "people-tiny", "1!2.0+local.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("people")) as running:
        yield running


@pytest.fixture(scope="module")
def commands(server, tmp_path_factory):
    """Every command of the page of an uploaded wheel, with the address of its channel put in."""
    filename, data = make_wheel(NAME, VERSION, files={"people_tiny.py": b"ANSWER = 42\n"})
    wheel = tmp_path_factory.mktemp("wheel") / filename
    wheel.write_bytes(data)
    server.packhouse("push", "--channel", "main", wheel)
    claim = Claim(channel=ChannelName("main"), ecosystem=Ecosystem.PYPI, filename=Filename(filename))
    page = view(NAME, FakeRecords([committed(PYPI.inspect(wheel, claim, Limits()), data)]))
    assert page is not None
    return {tool: text.replace("{channel}", f"{server.url}/main") for tool, text in page.install.items()}


def answer(server, python) -> str:
    return server.must(python, "-c", "import people_tiny; print(people_tiny.ANSWER)").strip()


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_the_command_installs_into_an_environment(server, commands, tool, tmp_path):
    server.must(sys.executable, "-m", "venv", tmp_path / "env")
    path = f"{tmp_path / 'env' / 'bin'}:{BIN}:/usr/bin:/bin"

    server.must("sh", "-c", commands[tool], PATH=path, VIRTUAL_ENV=str(tmp_path / "env"))

    assert answer(server, tmp_path / "env" / "bin" / "python") == "42"


def test_the_command_of_poetry_locks_and_installs(server, commands, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\n[tool.poetry]\npackage-mode = false\n'
    )

    server.must(
        "sh",
        "-ec",
        commands["poetry"],
        cwd=project,
        POETRY_VIRTUALENVS_CREATE="true",
        POETRY_VIRTUALENVS_IN_PROJECT="true",
    )

    assert answer(server, project / ".venv" / "bin" / "python") == "42"
    assert server.url in (project / "poetry.lock").read_text()
