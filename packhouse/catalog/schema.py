"""The catalog's tables: one text for SQLite and PostgreSQL.

Times are integers, microseconds since 1970 UTC. JSON columns hold what `record`, `details` and `warnings`
of the model hold. Migrations live in `migrations/`; a change here comes with one there.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives automatic row numbers to INTEGER keys only.
_Id = BigInteger().with_variant(Integer, "sqlite")

counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column("name", String, primary_key=True),
    Column("private", Boolean, nullable=False),
    Column("overwrite", Boolean, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    # The tree its files belong to, `public` or `private`: what `private` and `default_read` come to.
    Column("place", String, nullable=False, server_default="public"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("channel", String, nullable=False),  # no foreign key: burnt names outlive their channel
    Column("ecosystem", String, nullable=False),
    Column("path", String, nullable=False),
    Column("directory", String, nullable=False),
    Column("package", String, nullable=False),
    Column("version", String, nullable=False),
    Column("filename", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("md5", String(32), nullable=False),
    Column("blake2b_256", String(64), nullable=False),
    Column("record", JSON, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("state", String, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("uploaded_us", BigInteger, nullable=False),
    Column("uploaded_by", String, nullable=False),
    Column("imported", Boolean, nullable=False),
    Column("yanked", Text),
    Column("staged", Text),
    Column("token", String),
    Column("lease_us", BigInteger),
    Column("origin", String, nullable=False, server_default=""),
    # The name is the lock: one live and one pending row per path. Burnt (gone) and replaced rows pile up.
    Index("uq_artifacts_live", "channel", "path", unique=True, sqlite_where=text("state = 'live'"),
          postgresql_where=text("state = 'live'")),
    Index("uq_artifacts_pending", "channel", "path", unique=True, sqlite_where=text("state = 'pending'"),
          postgresql_where=text("state = 'pending'")),
    Index("ix_artifacts_path", "channel", "path"),
    Index("ix_artifacts_package", "channel", "ecosystem", "package"),
    Index("ix_artifacts_directory", "channel", "ecosystem", "directory", "serial"),
    Index("ix_artifacts_filename", "channel", "filename"),
    Index("ix_artifacts_sha256", "sha256"),
    Index("ix_artifacts_state", "state", sqlite_where=text("state = 'pending'"),
          postgresql_where=text("state = 'pending'")),
    # The indexer asks before each publication for overwritten files that wait: nearly always none.
    Index("ix_artifacts_staged", "channel", sqlite_where=text("staged IS NOT NULL"),
          postgresql_where=text("staged IS NOT NULL")),
    sqlite_autoincrement=True,
)  # fmt: skip

details = Table(
    "details",
    metadata,
    Column("artifact", _Id, ForeignKey("artifacts.id"), primary_key=True, autoincrement=False),
    Column("body", JSON, nullable=False),
)

sidecars = Table(
    "sidecars",
    metadata,
    Column("artifact", _Id, ForeignKey("artifacts.id"), primary_key=True, autoincrement=False),
    Column("suffix", String, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

packages = Table(
    "packages",
    metadata,
    Column("channel", String, primary_key=True),
    Column("ecosystem", String, primary_key=True),
    Column("package", String, primary_key=True),
    Column("display", String, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("files", Integer, nullable=False),
    Column("latest", String, nullable=False),
    Column("summary", Text, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("subdirs", JSON, nullable=False, server_default="[]"),
    # What changed last stands first on the pages of channels and of the site.
    Index("ix_packages_updated_us", "channel", "updated_us"),
)

# What the newest version of a package requires, by name: read backwards these are its dependents. `optional` is what
# its page only mentions besides: an extra's, a constraint.
requirements = Table(
    "requirements",
    metadata,
    Column("channel", String, primary_key=True),
    Column("ecosystem", String, primary_key=True),
    Column("package", String, primary_key=True),
    Column("requires", String, primary_key=True),
    Column("optional", Boolean, nullable=False),
    # With the package in it, or SQLite goes through the requirements of all packages instead.
    Index("ix_requirements_requires", "channel", "ecosystem", "requires", "optional", "package"),
)

events = Table(
    "events",
    metadata,
    Column("channel", String, primary_key=True),
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("path", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("origin", String, nullable=False, server_default=""),
    Index("ix_events_at_us", "at_us"),
    Index("ix_events_path", "channel", "path"),
)

_area = ("channel", "ecosystem", "kind", "key")

dirty = Table(
    "dirty",
    metadata,
    *(Column(name, String, primary_key=True) for name in _area),
    Column("gen", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Index("ix_dirty_due_us", "due_us"),
)

areas = Table(
    "areas",
    metadata,
    *(Column(name, String, primary_key=True) for name in _area),
    Column("gen", BigInteger, nullable=False),
)

published = Table(
    "published",
    metadata,
    # `channel` is empty for the files of the site itself. `sha256` NULL: removed, but its mtime still counts.
    Column("channel", String, primary_key=True),
    Column("path", String, primary_key=True),
    Column("area", String, nullable=False),
    Column("sha256", String(64)),
    Column("size", BigInteger, nullable=False),
    Column("mtime_s", BigInteger, nullable=False),
    Index("ix_published_channel_area", "channel", "area"),
)

trash = Table(
    "trash",
    metadata,
    Column("channel", String, primary_key=True),
    Column("path", String, primary_key=True),
    Column("due_us", BigInteger, nullable=False),
    Index("ix_trash_due_us", "due_us"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("password", Text),
    Column("pending", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

groups = Table(
    "groups",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("group", String, primary_key=True),
    Column("account", String, ForeignKey("accounts.name"), primary_key=True),
)

grants = Table(
    "grants",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("principal", String, nullable=False),
    Column("action", String, nullable=False),
    Column("channel", String, nullable=False),
    # Empty text for "all", since NULLs are never equal in a unique constraint.
    Column("ecosystem", String, nullable=False),
    Column("package", String, nullable=False),
    UniqueConstraint("principal", "action", "channel", "ecosystem", "package"),
    Index("ix_grants_channel", "channel"),
)

# Packages that ever had a grant of their own: the defaults are off for them, for good.
closed = Table(
    "closed",
    metadata,
    Column("channel", String, primary_key=True),
    Column("ecosystem", String, primary_key=True),
    Column("package", String, primary_key=True),
    # Whether its files belong to `restricted/`: what `access.restricted` said of the grants that are there now.
    Column("restricted", Boolean, nullable=False),
    Column("since_us", BigInteger, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("account", String, ForeignKey("accounts.name"), nullable=False),
    Column("name", String, nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("fingerprint", String, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("last_used_us", BigInteger),
    Column("revoked_us", BigInteger),
    Column("channels", JSON),
    Column("actions", JSON),
)

sessions = Table(
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("account", String, ForeignKey("accounts.name"), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("origin", String, nullable=False),
    Column("agent", String, nullable=False),
    Index("ix_sessions_account", "account"),
)

# One-time links to set a password, for an account that may not be there yet.
invitations = Table(
    "invitations",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("account", String, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("via", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("action", String, nullable=False),
    Column("object", Text, nullable=False),
    Column("outcome", String, nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_audit_who", "who", "id"),
    Index("ix_audit_at_us", "at_us", "id"),
    sqlite_autoincrement=True,
)
