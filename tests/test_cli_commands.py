"""The local commands: what they print, what they change, and their exit codes. Nothing serves here."""

import json

import click
import pytest
from click.testing import CliRunner
from conda_support import make_conda
from pypi_support import make_wheel

from packhouse import webserver
from packhouse.__main__ import cli, main
from packhouse.cli import channels
from packhouse.cli.output import files, moment, reason_of, size, table
from packhouse.errors import Unavailable
from packhouse.house import initialise, open_house
from packhouse.names import parse_channel
from packhouse.tree import When


class Ran:
    """What a command did."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "data"
    initialise(data, ["main"])
    house = open_house(data)
    house.create_channel(parse_channel("main"))
    house.close()
    return data


@pytest.fixture
def run(data, monkeypatch, capfd):
    """Run a command as a user does, on the data directory of `PACKHOUSE_DATA`."""
    monkeypatch.setenv("PACKHOUSE_DATA", str(data))
    for name in ("PACKHOUSE_KEY", "PACKHOUSE_SERVER", "PACKHOUSE_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        capfd.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return run


@pytest.fixture
def house(data):
    house = open_house(data)
    yield house
    house.close()


def every_command(group=cli, path=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("command", sorted(every_command()), ids=" ".join)
def test_every_command_explains_itself_with_an_example(command):
    ran = CliRunner().invoke(cli, [*command, "--help"])

    assert ran.exit_code == 0
    assert f"packhouse {' '.join(command)}" in ran.output.partition("Example")[2]


def test_the_commands_are_those_that_were_promised():
    assert {" ".join(path) for path in every_command()} == {
        "serve", "push", "delete", "yank", "unyank", "reindex", "check", "import", "doctor", "audit",
        "channel create", "channel list", "channel set", "channel private", "channel public", "channel delete",
        "user create", "user password", "user invite", "user list", "user show", "user pending", "user approve",
        "user promote", "user demote", "user delete", "user registration", "service list", "service delete",
        "group create", "group delete", "group list", "group show", "group add", "group remove",
        "grant give", "grant take", "grant close", "grant list", "key create", "key list", "key revoke",
        "login", "logout", "whoami", "acl import", "acl export",
    }  # fmt: skip


# --- channels -----------------------------------------------------------------------------------------------


def test_a_new_channel_has_its_first_indexes_when_the_command_returns(run, data):
    """No indexer runs: one is run once, so that `channel create` and `pip index` in the next line work."""
    ran = run("channel", "create", "team")

    assert (ran.code, ran.out, ran.err) == (0, "", "channel team is there\n")
    for page in (
        "noarch/repodata.json",
        "noarch/repodata_shards.msgpack.zst",
        "simple/index.html",
        "serial.json",
    ):
        assert (data / "public" / "team" / page).is_file(), page
    assert (data / "inbox" / "team").is_dir()


@pytest.mark.parametrize("name", ["Team", "simple", "linux-64", "a/b", ".x", ""])
def test_a_bad_channel_name_is_one_sentence(run, name):
    ran = run("channel", "create", name)

    assert ran.code == 1
    assert ran.err.startswith("packhouse: ")
    assert ran.err.count("\n") == 1


def test_a_channel_is_made_once(run):
    ran = run("channel", "create", "main")

    assert (ran.code, ran.err) == (
        1, "packhouse: channel main is there already; choose another name or use it as it is\n"
    )  # fmt: skip


def test_channels_are_listed(run, house):
    house.create_channel(parse_channel("secret"), private=True, overwrite=True)
    lines = run("channel", "list").out.splitlines()

    assert [line.split()[:4] for line in lines[1:]] == [
        ["main", "public", "-", "0"],
        ["secret", "private", "yes", "0"],
    ]


def test_nginx_knows_who_may_overwrite_before_the_channel_does(run, data, house):
    """What nginx serves as immutable stays in caches for a year."""
    overwrite = data / webserver.INCLUDES / "overwrite.conf"
    assert run("channel", "set", "main", "--overwrite").code == 0
    assert '"/main" 1;' in overwrite.read_text()
    assert house.catalog.channels.get("main").overwrite
    assert run("channel", "set", "main", "--no-overwrite").code == 0
    assert '"/main"' not in overwrite.read_text()
    assert not house.catalog.channels.get("main").overwrite
    assert run("channel", "set", "main").code == 2
    assert run("channel", "set", "nowhere", "--overwrite").code == 1


def test_an_empty_channel_can_be_deleted(run, data):
    run("channel", "create", "team")
    ran = run("channel", "delete", "team")

    assert (ran.code, ran.err) == (0, "channel team is deleted\n")
    assert not (data / "public" / "team").exists()
    assert not (data / "inbox" / "team").exists()
    assert "team" not in (data / "public" / "index.html").read_text()
    assert run("channel", "delete", "team").code == 1


def test_a_deleted_channel_is_not_served_even_if_nothing_publishes_its_end(run, data, monkeypatch):
    """The wait for the indexer comes after the files left what is served."""

    def in_vain(house, *_args):
        assert not (data / "public" / "team").exists()
        raise Unavailable("the indexer did not publish it")

    run("channel", "create", "team")
    assert (data / "public" / "team").is_dir()
    with monkeypatch.context() as patch:
        patch.setattr(channels, "published", in_vain)
        assert run("channel", "delete", "team").code == 3
    assert list((data / "incoming").glob("gone.*"))

    assert run("channel", "create", "other").code == 0
    assert not (data / "public" / "team").exists()
    assert not list((data / "incoming").iterdir())


def test_a_channel_made_anew_while_the_old_one_is_deleted_keeps_its_files(run, data, monkeypatch):
    """The deletion waits for the indexer outside every lock; what it removes after that is its own."""
    real = channels.published

    def meanwhile(house, *args):
        house.create_channel(parse_channel("team"))
        house.tree.put("public/team/products/tool/1.0/tool.bin", b"new", when=When.ABSENT)
        real(house, *args)

    run("channel", "create", "team", "--private")
    old = data / "private" / "team"
    assert old.is_dir()
    monkeypatch.setattr(channels, "published", meanwhile)

    assert run("channel", "delete", "team").code == 0
    assert not old.exists()
    assert (data / "public/team/products/tool/1.0/tool.bin").read_bytes() == b"new"
    assert (data / "public/team/simple/index.html").is_file()
    assert not list((data / "incoming").iterdir())


# --- check --------------------------------------------------------------------------------------------------


def test_check_judges_without_a_server(run, tmp_path):
    for name, body in (make_wheel(name="apple"), make_conda(name="plum", subdir="linux-64")):
        (tmp_path / name).write_bytes(body)
    (tmp_path / "bad-1.0-py3-none-any.whl").write_bytes(b"junk")
    good = run("check", tmp_path / "apple-1.0-py3-none-any.whl", tmp_path / "plum-1.0-0.conda")
    bad = run("check", tmp_path / "apple-1.0-py3-none-any.whl", tmp_path / "bad-1.0-py3-none-any.whl")

    assert good.code == 0
    assert "it would lie at packages/apple/apple-1.0-py3-none-any.whl" in good.out
    assert "it would lie at linux-64/plum-1.0-0.conda" in good.out
    assert bad.code == 1
    assert "refused" in bad.err
    assert "packhouse: 1 of 2 files would be refused" in bad.err


def test_check_lenient_tells_old_habits_as_warnings(run, tmp_path):
    name, body = make_wheel(name="apple", requires_dist=["not a requirement !!"])
    (tmp_path / name).write_bytes(body)

    assert run("check", tmp_path / name).code == 1
    lenient = run("check", tmp_path / name, "--lenient")
    assert lenient.code == 0
    assert "warning" in lenient.err


# --- import -------------------------------------------------------------------------------------------------


def test_import_publishes_what_it_takes(run, data, tmp_path):
    source = tmp_path / "wheels"
    source.mkdir()
    name, body = make_wheel(name="apple")
    (source / name).write_bytes(body)
    (source / "bad-1.0-py3-none-any.whl").write_bytes(b"junk")
    ran = run("import", source, "--channel", "main")

    assert ran.code == 1
    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [
        ["imported", "1"], ["skipped", "0"], ["refused", "1"]
    ]  # fmt: skip
    assert "refused  bad-1.0-py3-none-any.whl: " in ran.err
    assert "not imported: 1 file, each with its reason above" in ran.err
    assert (data / "public/main/packages/apple" / name).read_bytes() == body
    assert name in (data / "public/main/simple/apple/index.html").read_text()
    (source / "bad-1.0-py3-none-any.whl").unlink()
    again = run("import", source, "--channel", "main")
    assert again.code == 0
    assert again.out.splitlines()[2].split()[:2] == ["skipped", "1"]


# --- doctor -------------------------------------------------------------------------------------------------


def problems(ran):
    return [
        line.split(None, 1)[1].partition(":")[0]
        for line in ran.out.splitlines()
        if line.startswith("problem")
    ]


def test_doctor_says_what_does_not_run_and_how_to_mend_it(run, data):
    """Nothing serves this data directory: that is a problem, and everything else is fine."""
    run("key", "create", "boss", "--admin")
    ran = run("doctor")

    assert ran.code == 1
    assert problems(ran) == ["daemon", "indexer", "nginx.conf"]
    assert ran.out.count("mend it: ") == 3
    assert "packhouse: 3 problems found" in ran.err


def test_doctor_finds_what_is_broken(run, data, house):
    house.catalog.keys.create_for_service("boss", admin=True)
    refused = data / "inbox" / ".refused" / "main"
    refused.mkdir(parents=True)
    (refused / "x.whl.reason").write_text("x.whl is refused: it is no zip\n")
    (data / "incoming").chmod(0o777)
    (data / "state" / "indexer.json").write_text(
        json.dumps({"round_us": 1, "failing": [{"area": "main/pypi/root/", "reason": "because"}] * 7})
    )
    house.catalog.areas.mark({next(iter(house.catalog.areas.dirty("main"))): -1000.0})
    with house.locks.exclusive("indexer"):
        ran = run("doctor")

    assert problems(ran) == [
        "folders",
        "daemon",
        "indexer",
        *["indexer"] * 5,
        "indexer",
        "publication",
        "inbox",
        "nginx.conf",
    ]
    assert "it is no zip" in ran.out
    assert "2 more areas fail" in ran.out
    assert "can be written by everyone" in ran.out


def test_doctor_looks_at_the_settings_and_the_folders(run, data, tmp_path):
    (data / "packhouse.toml").write_text("nonsense = 1\n")
    assert "is no setting" in run("doctor").out
    (data / "packhouse.toml").write_text(f"min_free_bytes = {10**15}\ndefault_channel = 'other'\n")
    ran = run("doctor")
    assert {"disk", "channels", "keys"} <= set(problems(ran))
    (data / "incoming").rmdir()
    assert "incoming are missing" in run("doctor").out
    assert "is no directory" in run("doctor", "--data", tmp_path / "nowhere").out


def test_doctor_lets_nginx_judge_its_configuration(run, data):
    includes = webserver.render_includes(
        listen=["127.0.0.1:1"], default_channel="main", overwrite_channels=[], run_as_root=True
    )
    webserver.install(data, "nonsense;", includes)

    assert "nginx refuses it" in run("doctor").out


# --- errors -------------------------------------------------------------------------------------------------


def test_what_is_no_data_directory_is_said(run, tmp_path):
    ran = run("channel", "list", "--data", tmp_path)

    assert ran.code == 1
    assert "is not a Packhouse data directory: make one with `packhouse serve" in ran.err


def test_wrong_command_lines_are_exit_code_2(run, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"")
    for arguments in (
        ["nonsense"],
        ["push", "--channel", "main"],
        ["push", tmp_path / "a.bin"],
        ["push", tmp_path / "a.bin", "--channel", "main", "--product", "a"],
        ["serve", "--port", "70000"],
        ["yank", "a", "1", "--channel", "main", "--undo", "--reason", "x"],
    ):
        assert run(*arguments).code == 2, arguments


def test_a_server_is_not_asked_without_a_key(run, tmp_path, monkeypatch):
    (tmp_path / "a-1-0.conda").write_bytes(b"")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # not the login store of whoever runs the tests
    arguments = ("push", tmp_path / "a-1-0.conda", "--channel", "main")
    assert "set PACKHOUSE_KEY" in run(*arguments).err
    monkeypatch.setenv("PACKHOUSE_KEY", "")
    assert run(*arguments).code == 1
    monkeypatch.setenv("PACKHOUSE_KEY", "pkh-\x07")
    assert "holds characters that no key has" in run(*arguments).err


def test_a_server_that_is_not_there_is_exit_code_3(run, monkeypatch):
    monkeypatch.setenv("PACKHOUSE_KEY", "pkh-x")
    monkeypatch.setenv("PACKHOUSE_SERVER", "http://127.0.0.1:1")
    monkeypatch.setattr("packhouse.client.connection._FIRST_PAUSE_S", 0.0)
    ran = run("reindex", "main")

    assert ran.code == 3
    assert "does not answer: Connection refused" in ran.err


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "/x"), 1, "/x: Permission denied"),
        (ZeroDivisionError("one by zero"), 1, "a fault in Packhouse itself (ZeroDivisionError: one by zero)"),
    ],
)
def test_whatever_happens_is_one_sentence(run, monkeypatch, error, code, says):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(cli, "main", fail)
    ran = run("key", "list")

    assert ran.code == code
    assert ran.err.startswith(f"packhouse: {says}")
    assert ran.err.count("\n") == 1


# --- output -------------------------------------------------------------------------------------------------


def test_tables_and_sizes_read_well():
    assert table(("A", "B"), [("long", "x"), ("y", "")]) == "A     B\nlong  x\ny"
    assert [size(count) for count in (0, 999, 1000, 12_345_678, 5 * 10**12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "12.3 MB",
        "5.0 TB",
    ]
    assert [files(1), files(2)] == ["1 file", "2 files"]
    assert [moment(None), moment(1_600_000_000_000_000)] == ["-", "2020-09-13 12:26"]
    assert reason_of("a.whl is refused: why", "a.whl") == "why"
