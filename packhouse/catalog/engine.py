"""Open the catalog: connection settings, write transactions, migrations.

SQLite runs in WAL mode with synchronous=FULL: with NORMAL a power cut loses acknowledged commits.
"""

import importlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, cast

import orjson
from sqlalchemy import Connection, Engine, Row, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from packhouse.errors import Busy, Unavailable

_BUSY_TIMEOUT_MS = 30_000


def open_engine(database: Path) -> Engine:
    """Return an engine on a SQLite file; the file is made by the first connection."""
    engine = create_engine(
        f"sqlite:///{database}",
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=24,
        connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=_loads,
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _loads(text_: str) -> Any:
    # orjson refuses integers over 64 bits, which old packages' records do not hold, but details may.
    try:
        return orjson.loads(text_)
    except orjson.JSONDecodeError:
        return json.loads(text_)


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: `_begin` does, and says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "cache_size=-32768",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("packhouse_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the catalog."""
    with _translated(), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction; commits on leaving, rolls back on any exception.

    SQLite: BEGIN IMMEDIATE takes the write lock at once, so a transaction never fails half-way for another.
    """
    with _translated(), engine.connect() as connection:
        connection = connection.execution_options(packhouse_begin="IMMEDIATE")  # noqa: PLW2901 - the same one
        with connection.begin():
            yield connection


@contextmanager
def writing_at_once(engine: Engine) -> Iterator[Connection]:
    """One write transaction that never waits for another writer: for notes that may be left out.

    Raises:
        Busy: another process is writing.
        Unavailable: the disk is full, or cannot be written.
    """
    with _translated(), engine.connect() as connection:
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        # Past SQLAlchemy, which would begin a transaction; set back, since the pool gives it to others next.
        driver.execute("PRAGMA busy_timeout=0")
        try:
            connection = connection.execution_options(packhouse_begin="IMMEDIATE")  # noqa: PLW2901 - the same one
            with connection.begin():
                yield connection
        finally:
            driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        cause = str(error.orig)
        if "locked" in cause or "busy" in cause:
            raise Busy("the catalog is locked by another process; try again in a moment") from error
        raise Unavailable(f"the catalog cannot be used: {cause}; see `packhouse doctor`") from error
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and not isinstance(
            error.orig, sqlite3.IntegrityError
        ):
            raise Unavailable(f"the catalog cannot be used: {error.orig}; see `packhouse doctor`") from error
        raise


def only(primary_key: Row[Any] | None) -> int:
    """Return the number of the row that was just inserted."""
    if primary_key is None:
        raise Unavailable("the database did not tell the number of a new row")
    return int(primary_key[0])


def migrate(engine: Engine) -> None:
    """Bring the catalog to the newest version, or leave it untouched.

    Several processes may start at once: the write lock lets one migrate and the others see it done.

    Raises:
        NotAPackhouse: the catalog was written by a newer Packhouse.
    """
    if _version(engine) != newest_version():
        importlib.import_module("packhouse.catalog.migrating").upgrade(engine)


def newest_version() -> str:
    """Return the version that the last migration makes: the number that its file begins with."""
    versions = resources.files("packhouse.catalog") / "migrations" / "versions"
    return max(file.name.partition("_")[0] for file in versions.iterdir() if file.name.endswith(".py"))


def _version(engine: Engine) -> str | None:
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def quick_check(engine: Engine) -> str:
    """Return SQLite's own verdict on the file: "ok", or what is wrong."""
    with reading(engine) as connection:
        return str(connection.execute(text("PRAGMA quick_check")).scalar_one())
