"""The catalog: what is committed, what is dirty, what is published, who may.

`Catalog` opens one database; its parts share the engine and nothing else. No SQL exists outside this package.
"""

from pathlib import Path

from packhouse.catalog.accounts import Accounts
from packhouse.catalog.areas import Areas
from packhouse.catalog.artifacts import Artifacts
from packhouse.catalog.audit import Audit
from packhouse.catalog.browse import Browse
from packhouse.catalog.channels import Channels
from packhouse.catalog.clock import Clock, system_clock
from packhouse.catalog.engine import migrate, open_engine, quick_check
from packhouse.catalog.grants import Grants
from packhouse.catalog.groups import Groups
from packhouse.catalog.keys import Keys
from packhouse.catalog.page_records import PageRecords
from packhouse.catalog.records import FileReader
from packhouse.catalog.sessions import Sessions

__all__ = ["Catalog"]


class Catalog:
    """One open catalog; thread-safe.

    Attributes:
        channels: channels and their settings.
        artifacts: claim, commit, delete, yank; the history.
        areas: dirty marks and what is published.
        accounts: users and service accounts, passwords, registration.
        groups: groups and their members.
        keys: API keys.
        grants: rights, and which packages they closed.
        sessions: signed-in browsers, and invitations to set a password.
        audit: who did what.
        browse: what there is to see, page by page.
    """

    def __init__(self, database: Path, *, clock: Clock = system_clock) -> None:
        self._engine = open_engine(database)
        migrate(self._engine)
        self.clock = clock
        self.channels = Channels(self._engine, clock)
        self.artifacts = Artifacts(self._engine, clock)
        self.areas = Areas(self._engine, clock)
        self.accounts = Accounts(self._engine, clock)
        self.groups = Groups(self._engine, clock)
        self.keys = Keys(self._engine, clock)
        self.grants = Grants(self._engine, clock)
        self.sessions = Sessions(self._engine, clock)
        self.audit = Audit(self._engine, clock)
        self.browse = Browse(self._engine)

    def records(self, channel: str, read_file: FileReader) -> PageRecords:
        """Return what formats and pages may ask of one channel while they render.

        `read_file` maps a path in the channel to its bytes, or None.
        """
        return PageRecords(self._engine, channel, read_file)

    def check(self) -> str:
        """Return "ok", or what is wrong with the database file."""
        return quick_check(self._engine)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
