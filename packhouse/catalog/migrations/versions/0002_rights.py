"""Groups, closed packages, sessions, invitations, the audit log, and where a channel's files belong.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what version 2 has."""
    op.add_column("channels", sa.Column("place", sa.String(), nullable=False, server_default="public"))
    op.execute("UPDATE channels SET place = 'private' WHERE private")
    op.add_column("artifacts", sa.Column("origin", sa.String(), nullable=False, server_default=""))
    op.add_column("events", sa.Column("origin", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "groups",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_groups")),
    )
    op.create_table(
        "closed",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("ecosystem", sa.String(), nullable=False),
        sa.Column("package", sa.String(), nullable=False),
        sa.Column("restricted", sa.Boolean(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "ecosystem", "package", name=op.f("pk_closed")),
    )
    _keep_rights()
    _sessions()
    op.create_table(
        "audit",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_who", "audit", ["who", "id"])


def _keep_rights() -> None:
    """Close the packages that have grants already, and name the groups that have members.

    Such a package was out of the defaults while its grants were there; now it is for good. As `access.restricted` says
    of it: not what everyone may read by a grant of its own, or by one of more than reading on the whole channel.
    """
    op.execute("""
        INSERT INTO closed (channel, ecosystem, package, restricted, since_us)
        SELECT DISTINCT channel, ecosystem, package, ecosystem <> 'conda' AND NOT EXISTS (
            SELECT 1 FROM grants AS wide
            WHERE wide.principal = 'group:everyone' AND wide.channel = grants.channel AND (
                (wide.ecosystem = grants.ecosystem AND wide.package = grants.package)
                OR (wide.package = '' AND wide.ecosystem IN ('', grants.ecosystem) AND wide.action <> 'read')
            )
        ), 0
        FROM grants WHERE package <> ''
    """)
    op.execute("""
        INSERT INTO groups (name, created_us)
        SELECT DISTINCT "group", 0 FROM members WHERE "group" NOT IN ('everyone', 'authenticated')
    """)


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], name=op.f("fk_sessions_account")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_account", "sessions", ["account"])
    op.create_table(
        "invitations",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_invitations")),
    )
