"""The catalog's file: durable settings, migrations under a lock, one view for readers."""

import sqlite3
import subprocess
import sys
from importlib import resources

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from packhouse import access
from packhouse.catalog import Catalog
from packhouse.catalog.engine import migrate, newest_version, open_engine, reading, writing, writing_at_once
from packhouse.catalog.schema import metadata
from packhouse.errors import Busy, NotAPackhouse, Unavailable
from packhouse.model import Policy


def test_commits_survive_a_power_cut(tmp_path):
    """With synchronous=NORMAL a power cut loses acknowledged commits."""
    engine = open_engine(tmp_path / "c.sqlite")
    with reading(engine) as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    engine.dispose()


def test_the_migrations_make_exactly_the_schema(tmp_path):
    engine = open_engine(tmp_path / "c.sqlite")
    migrate(engine)
    plain = open_engine(tmp_path / "plain.sqlite")
    with writing(plain) as connection:
        metadata.create_all(connection)

    def shape(path):
        rows = (
            sqlite3.connect(path)
            .execute("SELECT type, name, tbl_name FROM sqlite_master ORDER BY 1, 2")
            .fetchall()
        )
        columns = {
            name: sorted(sqlite3.connect(path).execute(f"PRAGMA table_info('{name}')").fetchall())
            for kind, name, _ in rows
            if kind == "table"
        }
        # (column, name) of each index, unique or not, whole or partial: the names alone say little.
        indexes = {
            name: (
                sqlite3.connect(path).execute(f"PRAGMA index_info('{name}')").fetchall(),
                sqlite3.connect(path)
                .execute('SELECT "unique", partial FROM pragma_index_list(?) WHERE name = ?', (table, name))
                .fetchall(),
            )
            for kind, name, table in rows
            if kind == "index" and "alembic" not in name
        }
        named = [row for row in rows if "alembic" not in row[1]]
        return named, {k: v for k, v in columns.items() if "alembic" not in k}, indexes

    assert shape(tmp_path / "c.sqlite") == shape(tmp_path / "plain.sqlite")
    engine.dispose()
    plain.dispose()


def test_the_newest_version_is_the_last_migration():
    """It is known without Alembic, by the names of the files."""
    folder = resources.files("packhouse.catalog") / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))

    assert ScriptDirectory.from_config(config).get_heads() == [newest_version()]


def test_alembic_is_loaded_only_to_migrate(tmp_path):
    """Every start of a program opens the catalog, which is at the newest version but for the first time."""
    code = (
        "import sys; from pathlib import Path; from packhouse.catalog import Catalog; "
        f"Catalog(Path({str(tmp_path / 'c.sqlite')!r})).close(); print('alembic' in sys.modules)"
    )

    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]

    assert said == ["True\n", "False\n"]


def catalog_of_version_1(path):
    """A catalog as the first version wrote it, with something in every table that version 2 looks at."""
    engine = open_engine(path)
    config = Config()
    config.set_main_option("script_location", str(resources.files("packhouse.catalog") / "migrations"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            """INSERT INTO channels (name, private, overwrite, serial, created_us)
                VALUES ('main', 0, 0, 3, 1), ('secret', 1, 1, 0, 2)""",
            "INSERT INTO accounts (name, kind, admin, password, pending, created_us) VALUES ('ci', 'service', 1, NULL, 0, 3)",
            "INSERT INTO keys (account, name, sha256, fingerprint, created_us) VALUES ('ci', 'ci', 'ab', 'ab', 4)",
            """INSERT INTO members ("group", account) VALUES ('team', 'ci'), ('everyone', 'ci')""",
            """INSERT INTO events VALUES ('main', 3, 'upload', 'noarch/a.conda', 'cd', 'ci', 5, '')""",
            """INSERT INTO grants (principal, action, channel, ecosystem, package) VALUES
                ('service:ci', 'write', 'main', '', ''),
                ('group:everyone', 'write', 'main', 'generic', ''),
                ('service:ci', 'write', 'main', 'pypi', 'mine'),
                ('service:ci', 'read', 'main', 'pypi', 'mine'),
                ('service:ci', 'write', 'main', 'pypi', 'open'),
                ('group:everyone', 'read', 'main', 'pypi', 'open'),
                ('service:ci', 'write', 'main', 'generic', 'tool'),
                ('service:ci', 'write', 'main', 'conda', 'numpy'),
                ('group:everyone', 'read', 'main', 'pypi', ''),
                ('service:ci', 'read', 'secret', 'pypi', 'open')""",
        ):
            connection.execute(text(statement))
    engine.dispose()


def test_a_catalog_of_version_1_is_carried_on(tmp_path):
    catalog_of_version_1(tmp_path / "c.sqlite")

    catalog = Catalog(tmp_path / "c.sqlite")

    places = {
        channel.name: (channel.private, channel.overwrite, channel.place)
        for channel in catalog.channels.list()
    }
    assert places == {"main": (False, False, "public"), "secret": (True, True, "private")}
    assert catalog.channels.get("main").serial == 3
    assert [(key.account, key.name, key.channels, key.actions) for key in catalog.keys.list()] == [
        ("ci", "ci", None, None)
    ]
    assert catalog.accounts.has_admin()
    assert [(event.serial, event.by, event.origin) for event in catalog.artifacts.events("main")] == [
        (3, "ci", "")
    ]
    assert catalog.groups.list() == ["team"]
    assert catalog.groups.members("team") == ["ci"]
    assert len(catalog.grants.of_channel("main")) == 9
    assert catalog.sessions.list("ci") == []
    assert catalog.audit.entries(limit=9) == []
    catalog.close()


def test_packages_with_grants_are_closed_from_version_2_on(tmp_path):
    """They left the defaults while their grants were there; taking those away must not open them."""
    catalog_of_version_1(tmp_path / "c.sqlite")

    catalog = Catalog(tmp_path / "c.sqlite")

    closed = {("pypi", "mine"), ("pypi", "open"), ("generic", "tool"), ("conda", "numpy")}
    assert catalog.grants.closed("main") == closed
    assert catalog.grants.restricted("main") == {("pypi", "mine")}
    assert catalog.grants.restricted("secret") == {("pypi", "open")}
    for channel in ("main", "secret"):
        for package in catalog.grants.closed(channel):
            policy = Policy(
                channel=channel, grants=catalog.grants.of_channel(channel), closed=frozenset({package})
            )
            said = package in catalog.grants.restricted(channel)
            assert said is access.restricted(policy, *package), "the migration says what the rule says"
    catalog.close()


def test_three_processes_may_start_at_once(tmp_path):
    code = f"from packhouse.catalog import Catalog; from pathlib import Path; Catalog(Path({str(tmp_path / 'c.sqlite')!r})).close()"
    started = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code], stderr=subprocess.PIPE)
        for _ in range(3)
    ]

    assert [(process.communicate()[1], process.returncode) for process in started] == [(b"", 0)] * 3


def test_a_newer_catalog_is_left_alone(tmp_path):
    path = tmp_path / "c.sqlite"
    Catalog(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(NotAPackhouse, match="start the newer Packhouse"):
        Catalog(path)


def test_a_failed_transaction_leaves_nothing(tmp_path):
    catalog = Catalog(tmp_path / "c.sqlite")
    engine = catalog._engine
    with pytest.raises(RuntimeError), writing(engine) as connection:
        connection.execute(text("INSERT INTO counters VALUES ('x', 1)"))
        raise RuntimeError
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM counters")).scalar_one() == 0
    catalog.close()


def test_a_locked_catalog_is_busy_not_broken(tmp_path):
    catalog = Catalog(tmp_path / "c.sqlite")
    other = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with reading(catalog._engine) as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")
    with pytest.raises(Busy, match="try again"), writing(catalog._engine):
        pass
    other.close()
    catalog.close()


def test_a_note_that_may_be_left_out_never_waits(tmp_path):
    """And its connection is patient again when the pool gives it to the next transaction."""
    engine = open_engine(tmp_path / "c.sqlite")

    def patience_ms() -> int:
        with reading(engine) as connection:
            return connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()

    with writing_at_once(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 0
        connection.exec_driver_sql("CREATE TABLE notes (note)")
    assert patience_ms() == 30_000

    with writing(engine), pytest.raises(Busy), writing_at_once(engine):
        raise AssertionError
    assert patience_ms() == 30_000
    assert engine.pool.checkedin() == 2, "both connections were used"
    with reading(engine), reading(engine) as second:
        assert second.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 30_000
    engine.dispose()


def test_a_damaged_catalog_is_unavailable(tmp_path):
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"this is no database" * 100)

    with pytest.raises(Unavailable, match="packhouse doctor"):
        Catalog(path)


def test_a_sound_catalog_says_ok(tmp_path):
    catalog = Catalog(tmp_path / "c.sqlite")
    assert catalog.check() == "ok"
    catalog.close()


def test_integers_past_64_bits_are_read_back(tmp_path):
    engine = open_engine(tmp_path / "c.sqlite")
    assert engine.dialect._json_deserializer("[1e400]") == [float("inf")]
    engine.dispose()
