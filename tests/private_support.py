"""People, rights and packages on a running Packhouse, made as an admin's tools make them, for tests of who reads what."""

import base64
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conda_support import make_conda
from e2e_support import Server, serving, wait_until
from pypi_support import make_sdist, make_wheel
from template_support import stored_password

from packhouse.house import House, initialise, open_house
from packhouse.intake import moving
from packhouse.model import Action, Grant
from packhouse.names import ChannelName
from packhouse.settings import Settings

UNLIMITED = {
    f"PACKHOUSE_{name.upper()}": "0" for name in Settings.__dataclass_fields__ if "per_minute" in name
}
"""The environment of a server that answers as many requests as a test sends."""


@dataclass
class World:
    """A running server, and its data directory opened by the test."""

    server: Server
    house: House

    # --- people and rights ----------------------------------------------------------------------------------------

    def user(self, name: str, password: str | None = None, *groups: str) -> str:
        """Make a user, in these groups, and return a key of theirs."""
        catalog = self.house.catalog
        catalog.accounts.create(name, password=stored_password(password) if password else None)
        for group in groups:
            catalog.groups.create(group)
            catalog.groups.add(name, group)
        return self.key(name)

    def key(self, account: str, name: str = "test", **scope) -> str:
        """Make a key and return its secret."""
        week_us = 7 * 86_400_000_000
        expires_us = self.house.catalog.clock() + week_us
        return self.house.catalog.keys.create(account, name, expires_us=expires_us, **scope)[1]

    def give(self, principal: str, where: str, action: str = "read") -> None:
        """Give a right on `channel` or `channel/ecosystem/package`, and wait until it shows."""
        self.published(moving.give(self.house, grant_of(principal, where, action)).awaited)

    def take(self, principal: str, where: str, action: str = "read") -> None:
        """Take it away again."""
        self.published(moving.take(self.house, grant_of(principal, where, action)).awaited)

    def published(self, awaited) -> None:
        """Wait until the indexer has done all that."""
        wait_until(lambda: not self.house.catalog.areas.unpublished(awaited), what=f"publishing {awaited}")

    def settled(self) -> None:
        """Wait until nothing is left to publish, lists that may lag too."""
        channels = [item.name for item in self.house.catalog.channels.list()]
        dirty = self.house.catalog.areas.dirty
        wait_until(lambda: not any(dirty(name) for name in channels), what="an indexer at rest")

    # --- channels and packages --------------------------------------------------------------------------------------

    def channel(self, name: str, *, private: bool = False, overwrite: bool = False) -> str:
        """Make a channel and return its URL."""
        awaited = self.house.create_channel(ChannelName(name), private=private, overwrite=overwrite)
        initialise(self.house.data, [name])
        self.published(awaited)
        return f"{self.server.url}/{name}"

    def put(self, path: str, body: bytes, *, key: str = "") -> None:
        """PUT a conda package or a file of a product."""
        headers = {"Authorization": f"Bearer {key or self.server.key}"}
        status, _, answer = self.server.ask(
            path, "PUT", body, Content_Type="application/octet-stream", **headers
        )
        assert status in (200, 201), (path, status, answer)

    def conda(self, channel: str, name: str, version: str = "1.0", *, force: bool = False, **more) -> str:
        """Upload a conda package; returns its file name."""
        filename, body = make_conda(name, version, **more)
        self.put(f"/{channel}/noarch/{filename}{'?force=true' if force else ''}", body)
        return filename

    def wheel(self, channel: str, name: str, version: str = "1.0", *, force: bool = False, **more) -> str:
        """Upload a wheel; returns its file name."""
        return self._legacy(channel, *make_wheel(name=name, version=version, **more), force=force)

    def sdist(self, channel: str, name: str, version: str = "1.0", **more) -> str:
        """Upload an sdist; returns its file name."""
        return self._legacy(channel, *make_sdist(name=name, version=version, **more))

    def _legacy(self, channel: str, filename: str, body: bytes, *, force: bool = False) -> str:
        form, media_type = legacy_form(filename, body)
        status, _, answer = self.server.ask(
            f"/{channel}/legacy/{'?force=true' if force else ''}",
            "POST",
            form,
            key=True,
            Content_Type=media_type,
        )
        assert status == 200, (filename, status, answer)
        return filename


@contextmanager
def world(folder: Path, *, port: int = 0, **env: str):
    """A fresh server, and the world on it."""
    with serving(folder, port=port, **env) as server:
        house = open_house(server.data)
        try:
            yield World(server, house)
        finally:
            house.close()


def grant_of(principal: str, where: str, action: str = "read") -> Grant:
    """`user:x`, `main/pypi/six`, `read` as a grant."""
    channel, _, rest = where.partition("/")
    ecosystem, _, package = rest.partition("/")
    return Grant(
        principal=principal,
        action=Action(action),
        channel=channel,
        ecosystem=ecosystem or None,
        package=package or None,
    )


def basic(user: str, password: str) -> str:
    """The Authorization header of a user with a password, or with a key in its place."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def legacy_form(filename: str, body: bytes) -> tuple[bytes, str]:
    """The least form of PyPI's legacy upload, and its media type."""
    edge = "----packhouse"
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "sha256_digest": hashlib.sha256(body).hexdigest(),
    }
    form = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    form += (
        f'--{edge}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return form.encode() + body + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"
