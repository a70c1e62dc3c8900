"""`packhouse key`: make, list and revoke API keys."""

from collections.abc import Sequence
from pathlib import Path

import click

from packhouse.catalog.keys import Key
from packhouse.cli.local import opened
from packhouse.cli.options import data_option
from packhouse.cli.output import moment, say, table, yes
from packhouse.model import Action
from packhouse.names import parse_channel

_DAY_US = 86_400_000_000


class GrantType(click.ParamType[tuple[Action, str]]):
    """`ACTION:CHANNEL`, such as `write:main`."""

    name = "ACTION:CHANNEL"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Action, str]:
        """Return the action and the channel's name."""
        action, _, channel = str(value).partition(":")
        try:
            wanted = Action(action) if channel else None
        except ValueError:
            wanted = None
        if wanted is None:
            self.fail(f"{value!r} is not ACTION:CHANNEL with one of {', '.join(Action)}", param, ctx)
        return wanted, parse_channel(channel)


@click.group()
def key() -> None:
    """Make, list and revoke API keys."""


@key.command(epilog="\b\nExample:\n  PACKHOUSE_KEY=$(packhouse key create ci --grant write:main)")
@click.argument("name")
@click.option("--admin", is_flag=True, help="The key may do everything.")
@click.option(
    "--grant",
    "grants",
    multiple=True,
    type=GrantType(),
    help="A right of the key: read, write, delete or maintain, and the channel. May be given several times.",
)
@click.option(
    "--expires-days", type=click.IntRange(1, 36_500), metavar="N", help="Stop working after N days."
)
@data_option
def create(
    name: str, admin: bool, grants: Sequence[tuple[Action, str]], expires_days: int | None, data: Path
) -> None:
    """Make a key called NAME and print its secret, alone, on standard output. It is shown only this once."""
    with opened(data) as house:
        for _, channel in grants:
            house.catalog.channels.get(channel)  # a right on a misspelt channel would be found out at 3 a.m.
        expires_us = house.catalog.clock() + expires_days * _DAY_US if expires_days else None
        made, secret = house.catalog.keys.create_for_service(
            name, admin=admin, expires_us=expires_us, grants=grants
        )
    may = "everything" if admin else ", ".join(f"{a} {c}" for a, c in grants) or "read what everyone may read"
    until = f" until {moment(expires_us)} UTC" if expires_us else ""
    say(f"key {made.name} (fingerprint {made.fingerprint}) may {may}{until}; it is not shown again:")
    click.echo(secret)


@key.command("list", epilog="\b\nExample:\n  packhouse key list")
@data_option
def list_(data: Path) -> None:
    """List the keys; secrets are not stored and cannot be shown."""
    with opened(data) as house:
        now = house.catalog.clock()
        rows = [
            (
                str(item.id),
                item.name,
                item.fingerprint,
                yes(item.admin),
                moment(item.created_us),
                moment(item.expires_us),
                moment(item.last_used_us),
                _state(item, now),
            )
            for item in house.catalog.keys.list()
        ]
    head = ("ID", "NAME", "FINGERPRINT", "ADMIN", "CREATED (UTC)", "EXPIRES", "LAST USED", "STATE")
    click.echo(table(head, rows))


@key.command(epilog="\b\nExample:\n  packhouse key revoke ci")
@click.argument("key", metavar="NAME|ID|FINGERPRINT")
@data_option
def revoke(key: str, data: Path) -> None:
    """Revoke a key; the next request with it is refused."""
    with opened(data) as house:
        gone = house.catalog.keys.revoke(key)
    say(f"key {gone.name} (fingerprint {gone.fingerprint}) is revoked")


def _state(key: Key, now_us: int) -> str:
    if key.revoked_us is not None:
        return "revoked"
    return "expired" if key.expires_us is not None and key.expires_us <= now_us else "active"
