"""`packhouse group`: groups and who is in them."""

from collections.abc import Sequence
from pathlib import Path

import click

from packhouse.cli.local import noted, opened
from packhouse.cli.options import data_option
from packhouse.cli.output import say, table
from packhouse.cli.words import where_of
from packhouse.errors import Unprocessable


@click.group()
def group() -> None:
    """Make, list, fill and delete groups. `everyone` and `authenticated` are built in."""


@group.command(epilog="\b\nExample:\n  packhouse group create team")
@click.argument("name")
@data_option
def create(name: str, data: Path) -> None:
    """Make the group NAME."""
    with opened(data) as house, noted(house, "group create", name):
        if not house.catalog.groups.create(name):
            raise Unprocessable(f"the group {name} is there already; use it as it is, or choose another name")
    say(f"group {name} is there")


@group.command(epilog="\b\nExample:\n  packhouse group delete team")
@click.argument("name")
@data_option
def delete(name: str, data: Path) -> None:
    """Delete the group NAME with what it was granted; what was closed to others stays closed."""
    with opened(data) as house, noted(house, "group delete", name):
        house.catalog.groups.delete(name)
    say(f"group {name} is deleted, with its rights")


@group.command("list", epilog="\b\nExample:\n  packhouse group list")
@data_option
def list_(data: Path) -> None:
    """List the groups and who is in them."""
    with opened(data) as house:
        rows = [(name, ", ".join(house.catalog.groups.members(name))) for name in house.catalog.groups.list()]
    click.echo(table(("NAME", "MEMBERS"), rows))


@group.command(epilog="\b\nExample:\n  packhouse group show team")
@click.argument("name")
@data_option
def show(name: str, data: Path) -> None:
    """Show who is in the group NAME, and what it may do."""
    with opened(data) as house:
        members = house.catalog.groups.members(name)
        grants = house.catalog.grants.of_principals([f"group:{name}"])
    click.echo(f"members: {', '.join(members) or 'none'}")
    if grants:
        click.echo(f"\n{table(('MAY', 'WHERE'), [(item.action, where_of(item)) for item in grants])}")


@group.command(epilog="\b\nExample:\n  packhouse group add team ann ben")
@click.argument("name", metavar="GROUP")
@click.argument("users", metavar="USER...", nargs=-1, required=True)
@data_option
def add(name: str, users: Sequence[str], data: Path) -> None:
    """Put each USER, or service account, into GROUP. The next request counts."""
    with opened(data) as house:
        for account in users:
            house.catalog.accounts.get(account)  # all of them, or none
        for account in users:
            with noted(house, "group add", f"{account}/{name}"):
                new = house.catalog.groups.add(account, name)
            say(f"{account} is in {name}{'' if new else ' already'}")


@group.command(epilog="\b\nExample:\n  packhouse group remove team ben")
@click.argument("name", metavar="GROUP")
@click.argument("users", metavar="USER...", nargs=-1, required=True)
@data_option
def remove(name: str, users: Sequence[str], data: Path) -> None:
    """Take each USER out of GROUP. The next request counts."""
    with opened(data) as house:
        for account in users:
            house.catalog.accounts.get(account)  # a misspelt name would stay what it is, unnoticed
        for account in users:
            with noted(house, "group remove", f"{account}/{name}"):
                gone = house.catalog.groups.remove(account, name)
            say(f"{account} is not in {name} any more" if gone else f"{account} was not in {name}")
