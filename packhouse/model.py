"""The words of the domain, as frozen values.

Three degrees of trust are three types. A `Claim` is what somebody said; an `Observed` is what the bytes
say; an `Artifact` is what is committed. A function that takes an `Artifact` need not check it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from packhouse.digest import Digests, Sha256
from packhouse.names import ChannelName, Filename

Json = Any
"""A JSON value: None, bool, int, float, str, list of Json or dict of str to Json."""


class Ecosystem(StrEnum):
    """The formats Packhouse hosts."""

    CONDA = "conda"
    PYPI = "pypi"
    GENERIC = "generic"


class Action(StrEnum):
    """What a principal may do to a package or a channel."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    MAINTAIN = "maintain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an uploader says of the bytes; None where nothing was said.

    `digests` maps `sha256`, `md5`, `blake2b_256` to lower-case hex. `directory` is where in the channel
    the uploader wants the file (a conda subdir; `products/<product>/<version>`), if the request names it.
    `package` and `version` are claims about the content (a legacy form's `name` and `version`).
    """

    channel: ChannelName
    ecosystem: Ecosystem
    filename: Filename
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    directory: str | None = None
    package: str | None = None
    version: str | None = None
    force: bool = False
    lenient: bool = False
    """Real-world metadata that today's rules refuse is stored with a warning (imports only)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the bytes say of themselves, after every check of the format passed.

    Attributes:
        package: the normalised package name (conda name, PEP 503 project, product).
        version: the version as the file spells it.
        directory: where it belongs inside its channel: a conda subdir, `packages/<project>`,
            `products/<product>/<version>`.
        record: what indexes need, JSON-able; its shape is the ecosystem's own (`<ecosystem>/inspect.py`).
        details: what pages for people need (METADATA fields, about.json, member lists), JSON-able.
        sidecars: files published beside the artifact, suffix to bytes (`.metadata` for wheels).
        warnings: sentences shown on the page; none of them stops the upload.
    """

    filename: Filename
    package: str
    version: str
    directory: str
    record: Mapping[str, Json]
    details: Mapping[str, Json] = field(default_factory=dict)
    sidecars: Mapping[str, bytes] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A claim and the bytes agree; the next step is to claim the name in the catalog.

    `path` is relative to the channel: `<directory>/<filename>`.
    """

    channel: ChannelName
    ecosystem: Ecosystem
    path: str
    digests: Digests
    observed: Observed


class State(StrEnum):
    """The life of an artifact row: pending -> live -> gone, or live -> replaced."""

    PENDING = "pending"
    LIVE = "live"
    REPLACED = "replaced"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One committed file.

    Attributes:
        id: row number in the catalog.
        path: relative to the channel.
        size: bytes.
        serial: the channel serial of its last change (upload, yank, delete).
        uploaded_us: microseconds since 1970 UTC, assigned by the server, never going backwards, kept for ever.
        yanked: None, or the reason (PEP 592: may be empty).
        imported: True where the source told no upload time and `uploaded_us` is the time of the import.
        staged: None, or where the bytes of an overwrite wait (relative to the data directory) until the
            indexer renames them over the old ones.
    """

    id: int
    channel: ChannelName
    ecosystem: Ecosystem
    path: str
    package: str
    version: str
    filename: Filename
    size: int
    sha256: Sha256
    md5: str
    record: Mapping[str, Json]
    warnings: Sequence[str]
    state: State
    serial: int
    uploaded_us: int
    uploaded_by: str
    yanked: str | None = None
    imported: bool = False
    staged: str | None = None

    @property
    def directory(self) -> str:
        """Where the file lies inside its channel."""
        return self.path.rpartition("/")[0]

    @property
    def uploaded(self) -> datetime:
        """The upload time as an aware datetime."""
        return from_us(self.uploaded_us)


class Area(NamedTuple):
    """A part of the site that is published as one: the unit of dirtiness and of locking.

    kind: `index` (key: a conda subdir, a project, a product), `root` (an ecosystem's channel-wide lists), and for
    people: `release` (key: `<package>/<version>`), `page` (key: a package), `list` (key: the letter that its packages
    begin with), `search` (the channel's search index), `channel` (the channel's page; key `serial`: its serial), `site`
    (channel and ecosystem empty: the front page).
    """

    channel: str
    ecosystem: str
    kind: str
    key: str = ""

    def __str__(self) -> str:
        return "/".join(self)

    @classmethod
    def parse(cls, text: str) -> "Area":
        """Return the area that `str` wrote."""
        channel, ecosystem, kind, key = text.split("/", 3)
        return cls(channel, ecosystem, kind, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel.

    Attributes:
        private: only who was granted reading reads it.
        overwrite: `force` replaces files.
        place: the tree its files belong to, `public` or `private`. A channel that is not private belongs to
            `private` too where the setting `default_read` lets only some people read.
    """

    name: ChannelName
    private: bool = False
    overwrite: bool = False
    serial: int = 0
    created_us: int = 0
    place: str = "public"


class EventKind(StrEnum):
    """What happened to an artifact or a channel."""

    UPLOAD = "upload"
    REPLACE = "replace"
    DELETE = "delete"
    YANK = "yank"
    UNYANK = "unyank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a channel's history; `serial` counts from 1 without gaps, per channel.

    `origin` is the address that the change came from, or `local`; empty where nobody noted one.
    """

    channel: ChannelName
    serial: int
    kind: EventKind
    path: str
    sha256: str
    by: str
    at_us: int
    note: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking: an account, or nobody.

    `groups` holds group names; `everyone` and, for accounts, `authenticated` are built in. A key may be
    scoped: None means no limit, an empty set means nothing. `address` is where the request came from (IP address,
    or `local` for the command line) and `via` how they showed who they are (`key:<fingerprint>`, `password`,
    `session`): both are for the history only, no right depends on them.
    """

    name: str
    kind: str = "anonymous"
    admin: bool = False
    groups: frozenset[str] = frozenset({"everyone"})
    channels: frozenset[str] | None = None
    actions: frozenset[Action] | None = None
    key_id: int | None = None
    address: str = ""
    via: str = ""

    @property
    def anonymous(self) -> bool:
        """Whether nobody authenticated."""
        return self.kind == "anonymous"


ANONYMOUS = Principal(name="anonymous")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A right given to somebody; it may precede the package.

    `principal` is `user:<name>`, `service:<name>` or `group:<name>`. `ecosystem` and `package` None mean the
    whole channel; a package always has its ecosystem.
    """

    principal: str
    action: Action
    channel: str
    ecosystem: str | None = None
    package: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything besides the caller that decides about one channel, or about one package of it.

    Attributes:
        grants: those of the channel; those of other channels do no harm.
        closed: (ecosystem, package) of packages that ever had a grant of their own.
        private: whether the channel is private: then no default applies.
        default_read, default_write: the groups that may read and write what has no grant; empty is nobody.
    """

    channel: str
    grants: Sequence[Grant] = ()
    closed: frozenset[tuple[str, str]] = frozenset()
    private: bool = False
    default_read: str = "everyone"
    default_write: str = ""


def to_us(moment: datetime) -> int:
    """Return microseconds since 1970 UTC of an aware datetime."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_us(us: int) -> datetime:
    """Return the aware UTC datetime of microseconds since 1970."""
    return datetime.fromtimestamp(us // 1_000_000, tz=UTC).replace(microsecond=us % 1_000_000)
