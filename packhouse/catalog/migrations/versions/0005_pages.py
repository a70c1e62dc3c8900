"""What pages for people show of packages: their size, subdirs and dependents, and their own history.

Revision ID: 0005
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")

_DISPLAY = sa.text(
    "UPDATE packages SET display = :display "
    "WHERE channel = :channel AND ecosystem = :ecosystem AND package = :package"
)


def upgrade() -> None:
    """Add what version 5 has, and fill it from the files that are there."""
    op.add_column("packages", sa.Column("size", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("packages", sa.Column("subdirs", sa.JSON, nullable=False, server_default="[]"))
    op.create_index("ix_packages_updated_us", "packages", ["channel", "updated_us"])
    op.create_index("ix_events_path", "events", ["channel", "path"])
    op.create_table(
        "requirements",
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("ecosystem", sa.String, primary_key=True),
        sa.Column("package", sa.String, primary_key=True),
        sa.Column("requires", sa.String, primary_key=True),
        sa.Column("optional", sa.Boolean, nullable=False),
    )
    op.create_index(
        "ix_requirements_requires",
        "requirements",
        ["channel", "ecosystem", "requires", "optional", "package"],
    )
    connection = op.get_bind()
    _fill_lines(connection)
    _fill_requirements(connection)


def _fill_lines(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "UPDATE packages SET size = coalesce((SELECT sum(a.size) FROM artifacts a WHERE a.channel = "
            "packages.channel AND a.ecosystem = packages.ecosystem AND a.package = packages.package "
            "AND a.state = 'live'), 0)"
        )
    )
    found: dict[tuple[str, str], set[str]] = {}
    rows = connection.execute(
        sa.text(
            "SELECT DISTINCT channel, package, directory FROM artifacts "
            "WHERE ecosystem = 'conda' AND state = 'live'"
        )
    )
    for channel, package, directory in rows:
        found.setdefault((channel, package), set()).add(directory)
    for (channel, package), subdirs in found.items():
        connection.execute(
            sa.text(
                "UPDATE packages SET subdirs = :subdirs "
                "WHERE channel = :channel AND ecosystem = 'conda' AND package = :package"
            ),
            {"subdirs": json.dumps(sorted(subdirs)), "channel": channel, "package": package},
        )


def _fill_requirements(connection: sa.Connection) -> None:
    rows = connection.execute(
        sa.text(
            "SELECT a.channel, a.ecosystem, a.package, a.record FROM artifacts a JOIN packages p "
            "ON p.channel = a.channel AND p.ecosystem = a.ecosystem AND p.package = a.package "
            "AND p.latest = a.version WHERE a.state = 'live'"
        )
    ).all()
    records = [(tuple(key), json.loads(text) if isinstance(text, str) else text) for *key, text in rows]
    found: dict[tuple[str, ...], bool] = {}
    for key, record in records:
        for name, optional in _names(key[1], record):
            found[*key, name] = optional and found.get((*key, name), True)
    for (channel, ecosystem, package), record in records:  # as people write it
        values = {"channel": channel, "ecosystem": ecosystem, "package": package}
        connection.execute(_DISPLAY, {**values, "display": record.get("name") or package})
    insert = sa.text("INSERT INTO requirements VALUES (:channel, :ecosystem, :package, :requires, :optional)")
    for (channel, ecosystem, package, name), optional in sorted(found.items()):
        values = {"channel": channel, "ecosystem": ecosystem, "package": package, "requires": name}
        connection.execute(insert, {**values, "optional": optional})


def _names(ecosystem: str, record: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield what a file requires, and whether it is optional, as the formats read it when this was written."""
    if ecosystem == "conda":
        others = [record.get("constrains") or ()]
        for below in ("extra_depends", "run_exports"):
            others += [lines or () for lines in (record.get(below) or {}).values()]
        for optional, specs in ((False, record.get("depends") or ()), *((True, lines) for lines in others)):
            for spec in specs:
                if not str(spec).startswith("__"):
                    yield str(spec).split(" ")[0].lower(), optional
        return
    for line in record.get("requires_dist") or ():
        wanted, _, marker = str(line).partition(";")
        match = _NAME.match(wanted)
        if match is not None:
            yield re.sub(r"[-_.]+", "-", match[1]).lower(), "extra" in marker
