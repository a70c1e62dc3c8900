"""The manual is true: every code block of README.md and docs/ runs, every code, key and route is described.

The tag of a block says what happens to it, and a block without one of these tags fails:

    sh        run by bash, all blocks of a page in order in one shell, in one empty directory
    python    run by Python, in the same order and the same directory
    toml      read as a settings file        json   parsed
    ini       a systemd unit: its programs and their options have to exist
    nginx     accepted by every nginx that is here, in the server block of the shipped nginx.conf
    text      output, shown only             console  needs root or another machine; only what NOT_RUN allows

A page whose blocks speak of `localhost:8080` gets a server of its own there. Three words are replaced before a block
runs: that address, `pkh-…` (the admin key) and `/var/lib/packhouse` (the data directory).
"""

import configparser
import datetime as dt
import importlib
import json
import os
import pkgutil
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from e2e_support import BIN, KEY, Server, clean_environment, free_port, serving, wait_until

import indexer
import packhouse
import uploadd
from packhouse import errors, settings, webserver
from uploadd import dialects, problems, routing
from uploadd.app import ROUTES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TAGS = {"sh", "python", "toml", "json", "ini", "nginx", "text", "console"}
NOT_RUN = ("apt ", "useradd ", "install ", "systemctl ", "make serve", "make test", "runuser ")
"""How a line of a `console` block may begin: what needs root, or would start this very test."""

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<tag>\S*)[^\n]*\n(?P<text>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, what it is, what it says."""

    page: Path
    line: int
    tag: str
    text: str

    def __str__(self) -> str:
        page = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name
        return f"{page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    source = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            source.count("\n", 0, match.start()) + 1,
            match["tag"],
            re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE),
        )
        for match in FENCE.finditer(source)
    ]


def tagged(*tags: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.tag in tags]


def headings(page: str) -> set[str]:
    return set(re.findall(r"^#+ (.*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE))


# --- what runs ---------------------------------------------------------------------------------------------


def script(page: Path, folder: Path, words: dict[str, str]) -> str:
    """One bash script of a page's blocks, each announced by its line; Python blocks are files beside it."""
    lines = ["set -euo pipefail"]
    for block in blocks(page):
        text = block.text
        for word, value in words.items():
            text = text.replace(word, value)
        if block.tag == "sh":
            lines += [f"echo '=== {block}'", text]
        elif block.tag == "python":
            file = folder / f"block-{block.line}.py"
            file.write_text(text, encoding="utf-8")
            lines += [f"echo '=== {block}'", f"python {shlex.quote(str(file))}"]
    return "\n".join(lines) + "\n"


def run_page(page: Path, folder: Path, server: Server | None) -> subprocess.CompletedProcess[str]:
    """Run a page from its first block to its last, as a newcomer who pastes everything."""
    room = folder / "room"
    room.mkdir()
    (room / ".venv").symlink_to(sys.prefix)
    words = {}
    if server is not None:
        words = {
            "localhost:8080": f"localhost:{server.port}",
            "pkh-…": server.key,
            "/var/lib/packhouse": str(server.data),
        }
    # A file, not standard input: a client that reads its input would swallow the rest of the page.
    pasted = folder / "page.sh"
    pasted.write_text(script(page, folder, words), encoding="utf-8")
    return subprocess.run(
        ["bash", str(pasted)],
        cwd=room,
        env=clean_environment(folder / "client-home", TMPDIR=str(folder)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )


@contextmanager
def made_server(folder: Path):
    """`make serve`, in a process group of its own that gets the Ctrl-C, as from a terminal."""
    home, data, port, log = folder / "home", folder / "data", free_port(), folder / "make-serve.log"
    home.mkdir()
    with log.open("wb") as output:
        process = subprocess.Popen(
            # The environment is there (this test runs in it): never install while other tests use it.
            ["make", "-o", ".venv/.installed", "serve", f"PORT={port}", f"DATA={data}", f"VENV={sys.prefix}"],
            cwd=ROOT,
            env=clean_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(data=data, port=port, home=home, process=process, log=log)

    def healthy() -> bool:
        assert process.poll() is None, f"make serve ended with {process.returncode}:\n{server.tail()}"
        try:
            return server.ask("/health")[0] == 200 and server.ask("/main/noarch/repodata.json")[0] == 200
        except OSError:
            return False

    try:
        wait_until(healthy, what="the server's start")
        server.key = KEY.search(log.read_text())[0]
        yield server
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


RUNNING = [page for page in PAGES if any(block.tag in {"sh", "python"} for block in blocks(page))]


@pytest.mark.e2e
@pytest.mark.parametrize("page", RUNNING, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_line_of_a_page_works(page, tmp_path):
    """Pasted from top to bottom into a shell, against a server started as the page says."""
    needs_server = any(
        word in block.text for block in blocks(page) for word in ("localhost:8080", "/var/lib/packhouse")
    )
    if page.name == "README.md":
        with made_server(tmp_path) as server:
            ran, log = run_page(page, tmp_path, server), server.tail()
    elif needs_server:
        with serving(tmp_path) as server:
            ran, log = run_page(page, tmp_path, server), server.tail()
    else:
        ran, log = run_page(page, tmp_path, None), ""

    assert ran.returncode == 0, f"{ran.stdout}\n--- server\n{log}"
    assert ran.stdout.count("=== ") >= sum(block.tag in {"sh", "python"} for block in blocks(page))


def test_a_page_with_a_wrong_line_fails(tmp_path):
    """The runner itself: the first failing command ends the page, and the output says in which block."""
    page = tmp_path / "planted.md"
    page.write_text(
        "# x\n\n```sh\necho one\n```\n\n```python\nprint('two')\n```\n\n```sh\nfalse | cat\necho three\n```\n"
    )

    ran = run_page(page, tmp_path, None)

    assert ran.returncode == 1
    assert ran.stdout.split("\n")[:-1] == [
        "=== planted.md:3",
        "one",
        "=== planted.md:7",
        "two",
        "=== planted.md:11",
    ]


@pytest.mark.parametrize("block", tagged("toml"), ids=str)
def test_settings_examples_are_settings(block, tmp_path):
    (tmp_path / "packhouse.toml").write_text(block.text, encoding="utf-8")

    assert settings.load(tmp_path, {}) != settings.load(tmp_path / "none", {})


@pytest.mark.parametrize("block", tagged("json"), ids=str)
def test_json_examples_are_json(block):
    assert json.loads(block.text)


def write_certificate(folder: Path) -> None:
    """A certificate signed by itself, as `cert.pem` and `key.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "packages.example.org")])
    now = dt.datetime.now(dt.UTC)
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=2)
    ).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.mark.parametrize("block", tagged("nginx"), ids=str)
@pytest.mark.parametrize("binary", webserver.nginx_builds(), ids=lambda binary: binary.origin)
def test_nginx_examples_are_accepted(block, binary, tmp_path):
    includes = webserver.render_includes(
        listen=[f"127.0.0.1:{free_port()}"],
        default_channel="main",
        overwrite_channels=[],
        run_as_root=os.geteuid() == 0,
    )
    webserver.install(tmp_path, (ROOT / "nginx.conf").read_text(), includes)
    text = block.text.replace("/etc/ssl/packhouse", str(tmp_path))
    name = text.split()[1]  # the first line is a comment with the file's name
    assert re.fullmatch(r"(http|server)-[a-z]+\.conf", name)
    # A header of a server would replace all those of the http block, Content-Type among them.
    assert name.startswith("http-") or "add_header" not in text
    (tmp_path / webserver.INCLUDES / name).write_text(text)
    write_certificate(tmp_path)

    ran = subprocess.run(
        webserver.test_command(binary, tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("block", tagged("ini"), ids=str)
def test_unit_examples_start_programs_that_exist(block, tmp_path):
    """Each option in an ExecStart is one that the program knows."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(block.text)

    assert unit["Service"]["User"] == "packhouse"
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    if Path(program).name == "nginx":
        return
    words = [argument for argument in arguments if not argument.startswith(("-", "/"))]
    shown = subprocess.run(
        [str(BIN / Path(program).name), *words, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(tmp_path),
    )
    assert shown.returncode == 0, shown.stderr
    for option in (argument for argument in arguments if argument.startswith("--")):
        assert option in shown.stdout


# --- what is complete --------------------------------------------------------------------------------------


def test_every_block_has_a_tag_that_is_run():
    assert [str(block) for page in PAGES for block in blocks(page) if block.tag not in TAGS] == []


def test_only_what_cannot_run_is_left_out():
    """`console` is no way around the runner: it shows what needs root or a terminal of its own."""
    lines = [
        (str(block), line.lstrip("#$ "))
        for block in tagged("console")
        for line in block.text.splitlines()
        if line.startswith(("# ", "$ "))
    ]

    assert [line for line in lines if not line[1].startswith(NOT_RUN)] == []
    assert [str(block) for block in tagged("console") if not re.match(r"[#$] ", block.text)] == []


def test_fences_are_balanced():
    """An open fence would hide all that follows from this test."""
    for page in PAGES:
        assert len(re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)) == 2 * len(
            blocks(page)
        ), page


def test_every_link_inside_the_manual_leads_somewhere():
    missing = []
    for page in PAGES:
        prose = FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", prose):
            path, _, anchor = (target[0] or target[1]).partition("#")
            if "://" in path:
                continue
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                missing.append((str(page.relative_to(ROOT)), path))
            elif anchor and anchor not in _anchors(file):
                missing.append((str(page.relative_to(ROOT)), f"{path}#{anchor}"))
    assert missing == []


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }


def _refusals() -> set[type[errors.PackhouseError]]:
    """Every refusal of the three packages."""
    for package in (packhouse, indexer, uploadd):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if ".migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found, waiting = set(), [errors.PackhouseError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.split(".")[0] in {"packhouse", "indexer", "uploadd"}:
            found.add(kind)
    return found


def _described() -> dict[str, str]:
    """Code -> what `docs/errors.md` says under its heading."""
    _, *sections = re.split(
        r"^### `(.+)`$", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return dict(zip(sections[::2], sections[1::2], strict=True))


def test_every_error_code_has_a_heading_and_every_heading_a_code():
    assert set(_described()) == {kind.code for kind in _refusals()} | {"internal"}


def test_the_statuses_in_the_manual_are_the_served_ones():
    """The first bold number under a code is its status; what never leaves the command line has none."""
    told = {
        code: int(found[1])
        for code, text in _described().items()
        if (found := re.search(r"\*\*(\d{3})\b", text))
    }
    served = {kind for kind in _refusals() if kind.__module__ == "packhouse.errors"}

    assert told.pop("internal") == 500
    assert told == {kind.code: status for kind in served if (status := problems.status_of(kind)) != 500}


def test_the_settings_table_is_the_generated_one():
    """`packhouse.settings.document()` is the source; the manual holds a copy that cannot age."""
    assert settings.document() in (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")


def test_the_readme_shows_the_test_command_that_ci_runs():
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("make test")


def test_the_list_of_all_dialects_is_the_generated_one():
    """`uploadd.routing.document(uploadd.app.ROUTES)` is the source."""
    page = (ROOT / "docs" / "protocol" / "README.md").read_text(encoding="utf-8")

    assert page.endswith(routing.document(ROUTES))


def _route_text(method: str, pattern: str) -> str:
    return f"{method} {pattern.rstrip('/') or '/'}"


def test_every_route_is_on_a_protocol_page():
    """`METHOD /path` in code font, with the placeholders that the source uses; a slash at the end is no difference."""
    # The generated list of all does not count: each dialect's own page has to explain its requests.
    pages = [page for page in (ROOT / "docs" / "protocol").glob("*.md") if page.name != "README.md"]
    manual = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    written = {
        _route_text(method, path.partition("?")[0])
        for method, path in re.findall(r"`([A-Z]+) (/[^`]*)`", manual)
    }
    routes = {
        _route_text(route.method, route.pattern)
        for module in pkgutil.iter_modules(dialects.__path__, dialects.__name__ + ".")
        for route in importlib.import_module(module.name).ROUTES
    }

    assert routes - written == set()
    assert len(routes) > 10


def test_every_threat_names_a_test_that_is_there():
    """A row of the threat model is a promise; the test it names keeps it."""
    named = re.findall(
        r"`(test_\w+\.py)::(test_\w+)`", (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    )
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(
            rf"^(async )?def {test}\b", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE
        )
    ]

    assert missing == []
    assert len(named) > 30


def test_decisions_are_numbered_without_a_gap():
    numbers = [int(page.name[:4]) for page in sorted((ROOT / "docs" / "adr").glob("*.md"))]

    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 3
