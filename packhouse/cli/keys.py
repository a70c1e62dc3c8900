"""`packhouse key`: make, list and revoke API keys."""

from collections.abc import Sequence
from pathlib import Path

import click

from packhouse.catalog.keys import DEFAULT_DAYS, MAX_DAYS, Key, expiry
from packhouse.cli.asking import from_stdin
from packhouse.cli.local import noted, opened
from packhouse.cli.options import data_option
from packhouse.cli.output import moment, say, table, yes
from packhouse.cli.words import GrantType, Where
from packhouse.errors import NotFound
from packhouse.house import House
from packhouse.intake import moving
from packhouse.model import Action
from packhouse.names import parse_channel

Right = tuple[Action, Where]


@click.group()
def key() -> None:
    """Make, list and revoke API keys."""


@key.command(
    epilog="\b\nExamples:\n  PACKHOUSE_KEY=$(packhouse key create ci --grant write:main)\n"
    "  packhouse key create laptop --user ann --expires-days 30\n"
    "  packhouse key create mirror --grant read:main/pypi/secret --never\n"
    "  packhouse key create nightly-2 --service nightly --channel nightly --action write"
)
@click.argument("name")
@click.option("--user", help="Make the key for this user; it may what they may.")
@click.option(
    "--service", help="Make a further key for this service account; without, NAME is the account too."
)
@click.option("--admin", is_flag=True, help="The new service account may do everything.")
@click.option(
    "--grant",
    "grants",
    multiple=True,
    type=GrantType(),
    help="A right of the service account: read, write, delete or maintain, and the channel or package. "
    "May be given several times.",
)
@click.option(
    "--expires-days",
    type=click.IntRange(1, MAX_DAYS),
    metavar="N",
    help=f"Stop working after N days, at most {MAX_DAYS}.  [default: {DEFAULT_DAYS}]",
)
@click.option("--never", is_flag=True, help="Do not expire; for service accounts only.")
@click.option(
    "--channel", "channels", multiple=True, help="The key works in this channel only. May be repeated."
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    type=click.Choice([str(action) for action in Action]),
    help="The key is good for this action only. May be repeated.",
)
@data_option
def create(
    name: str,
    user: str | None,
    service: str | None,
    admin: bool,
    grants: Sequence[Right],
    expires_days: int | None,
    never: bool,
    channels: Sequence[str],
    actions: Sequence[str],
    data: Path,
) -> None:
    """Make a key called NAME and print its secret, alone, on standard output. It is shown only this once.

    Without --user and --service it belongs to the service account NAME, which is made for it.
    """
    if user is not None and service is not None:
        raise click.UsageError("a key belongs to one account: give --user or --service")
    owner = user or service
    if owner is not None and (admin or grants):
        raise click.UsageError(
            "--admin and --grant are rights of a new service account; for one that is there, use "
            "`packhouse user promote` and `packhouse grant give`"
        )
    if never and expires_days is not None:
        raise click.UsageError("--never and --expires-days contradict each other")
    days = None if never else expires_days or DEFAULT_DAYS
    scope = [parse_channel(channel) for channel in channels] or None
    allowed = [Action(action) for action in actions] or None
    with opened(data) as house:
        # A right on a misspelt channel would be found out at 3 a.m.
        for channel in (*(where.channel for _, where in grants), *(scope or ())):
            house.catalog.channels.get(channel)
        kind = "service" if user is None else "user"
        expires_us = expiry(days, kind, house.catalog.clock())
        with noted(house, "key create", f"{owner or name}/{name}") as line:
            if owner is not None:
                _owned(house, owner, kind)
                made, secret = house.catalog.keys.create(
                    owner, name, expires_us=expires_us, channels=scope, actions=allowed
                )
            else:
                _grant_packages(house, name, admin=admin, grants=grants)
                made, secret = house.catalog.keys.create_for_service(
                    name,
                    admin=admin,
                    expires_us=expires_us,
                    grants=[(action, where.channel) for action, where in grants if where.package is None],
                    channels=scope,
                    actions=allowed,
                )
            line.note = f"fingerprint {made.fingerprint}"
    say(f"key {made.name} (fingerprint {made.fingerprint}) {_may(made, grants)}; it is not shown again:")
    click.echo(secret)


def _owned(house: House, account: str, kind: str) -> None:
    found = house.catalog.accounts.find(account)
    if found is None or found.kind != kind:
        word = "user" if kind == "user" else "service account"
        raise NotFound(word, account, f"`packhouse {kind} list` shows them")


def _grant_packages(house: House, account: str, *, admin: bool, grants: Sequence[Right]) -> None:
    """Give a new service account its rights on packages: their files may have to move, which takes an account."""
    wanted = [(action, where) for action, where in grants if where.package is not None]
    if wanted and house.catalog.accounts.find(account) is None:
        house.catalog.accounts.create(account, kind="service", admin=admin)
    for action, where in wanted:
        moving.give(house, where.grant(f"service:{account}", action))


def _may(made: Key, grants: Sequence[Right]) -> str:
    """Return in words what a new key is good for."""
    if made.admin:
        may = "may do everything"
    elif grants:
        may = "may " + ", ".join(f"{action} {where}" for action, where in grants)
    else:
        may = f"may do what {made.account} may"
    if made.channels is not None:
        may += f", in {', '.join(made.channels)} only"
    if made.actions is not None:
        may += f", to {', '.join(made.actions)} only"
    return f"{may} until {moment(made.expires_us)} UTC" if made.expires_us else f"{may} and does not expire"


@key.command("list", epilog="\b\nExample:\n  packhouse key list --user ann")
@click.option("--user", "account", metavar="ACCOUNT", help="Only those of one user or service account.")
@data_option
def list_(account: str | None, data: Path) -> None:
    """List the keys; secrets are not stored and cannot be shown."""
    with opened(data) as house:
        if account is not None:
            house.catalog.accounts.get(account)
        click.echo(key_table(house.catalog.keys.list(account), house.catalog.clock()))


@key.command(
    epilog="\b\nExamples:\n  packhouse key revoke ci\n  packhouse key revoke laptop --user ann\n"
    "  packhouse key revoke --stdin < leaked.txt"
)
@click.argument("key", metavar="NAME|ID|FINGERPRINT", required=False)
@click.option("--stdin", is_flag=True, help="Read the secret of the key from standard input.")
@click.option("--user", "account", metavar="ACCOUNT", help="It belongs to this user or service account.")
@data_option
def revoke(key: str | None, stdin: bool, account: str | None, data: Path) -> None:
    """Revoke a key; the next request with it is refused."""
    if stdin == (key is not None):
        raise click.UsageError("give the key's name, number or fingerprint, or its secret with --stdin")
    wanted = from_stdin("key") if key is None else key
    # What was asked for may be the secret: it is no object of a log.
    with opened(data) as house, noted(house, "key revoke", "a key") as line:
        gone = house.catalog.keys.revoke(wanted, account=account)
        line.object, line.note = f"{gone.account}/{gone.name}", f"fingerprint {gone.fingerprint}"
    say(f"key {gone.name} (fingerprint {gone.fingerprint}) is revoked")


def key_table(keys: Sequence[Key], now_us: int) -> str:
    """Return keys as a table."""
    rows = [
        (
            str(item.id),
            item.name,
            item.account,
            item.fingerprint,
            yes(item.admin),
            "-" if item.channels is None else ",".join(item.channels),
            "-" if item.actions is None else ",".join(item.actions),
            moment(item.created_us),
            moment(item.expires_us),
            moment(item.last_used_us),
            item.status(now_us),
        )
        for item in keys
    ]
    head = ("ID", "NAME", "ACCOUNT", "FINGERPRINT", "ADMIN", "ONLY IN", "ONLY TO", "CREATED (UTC)", "EXPIRES")
    return table((*head, "LAST USED", "STATE"), rows)
