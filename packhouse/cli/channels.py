"""`packhouse channel`: make, list, change and delete channels."""

from pathlib import Path

import click

from packhouse import webserver
from packhouse.access import EVERYONE
from packhouse.areas import SITE
from packhouse.cli.local import noted, opened
from packhouse.cli.options import data_option
from packhouse.cli.output import moment, say, table, yes
from packhouse.cli.publishing import published
from packhouse.errors import ChannelExists
from packhouse.house import House, initialise
from packhouse.intake import moving
from packhouse.names import parse_channel


@click.group()
def channel() -> None:
    """Make, list, change and delete channels."""


@channel.command(epilog="\b\nExample:\n  packhouse channel create team --private")
@click.argument("name")
@click.option("--private", is_flag=True, help="Only for those with a grant; nothing in it is public.")
@click.option("--overwrite", is_flag=True, help="Let `push --force` replace files.")
@data_option
def create(name: str, private: bool, overwrite: bool, data: Path) -> None:
    """Make the channel NAME; its first, empty indexes are there when this returns."""
    wanted = parse_channel(name)
    with opened(data) as house:
        with noted(house, "channel create", wanted, "private" if private else ""):
            if house.catalog.channels.find(wanted) is not None:
                raise ChannelExists(wanted)
            if overwrite:
                # nginx first: what it serves as immutable stays in clients' caches for a year.
                webserver.update_overwrite(house.data, [*_overwritable(house), wanted])
            awaited = house.create_channel(wanted, private=private, overwrite=overwrite)
        initialise(house.data, [wanted])
        published(house, awaited, wanted)
    say(f"channel {wanted} is there{'; it is private' if private else ''}")


@channel.command("list", epilog="\b\nExample:\n  packhouse channel list")
@data_option
def list_(data: Path) -> None:
    """List the channels."""
    with opened(data) as house:
        default = house.settings.default_read
        readers = "public" if default == EVERYONE else default
        rows = [
            (
                item.name,
                "private" if item.private else readers,
                yes(item.overwrite),
                str(item.serial),
                moment(item.created_us),
            )
            for item in house.catalog.channels.list()
        ]
    click.echo(table(("NAME", "READ BY", "OVERWRITE", "SERIAL", "CREATED (UTC)"), rows))


@channel.command("set", epilog="\b\nExample:\n  packhouse channel set nightly --overwrite")
@click.argument("name")
@click.option(
    "--overwrite/--no-overwrite",
    required=True,
    help="Whether `push --force` may replace files.",
)
@data_option
def set_(name: str, overwrite: bool, data: Path) -> None:
    """Change the settings of the channel NAME."""
    with opened(data) as house:
        found = house.catalog.channels.get(parse_channel(name))
        if overwrite:
            webserver.update_overwrite(house.data, [*_overwritable(house), found.name])
        with noted(house, "channel set", found.name, "overwrite" if overwrite else "no overwrite"):
            house.catalog.channels.set(found.name, overwrite=overwrite)
        # Forbidding it is told to nginx last, for the same reason.
        webserver.update_overwrite(house.data, _overwritable(house))
        house.wake.poke("wake")
    say(f"channel {found.name} {'lets' if overwrite else 'does not let'} files be replaced")


@channel.command(epilog="\b\nExample:\n  packhouse channel private team")
@click.argument("name")
@data_option
def private(name: str, data: Path) -> None:
    """Let only those read the channel NAME who were granted it. In force when this returns."""
    _set_private(name, data, private=True)


@channel.command(epilog="\b\nExample:\n  packhouse channel public team")
@click.argument("name")
@data_option
def public(name: str, data: Path) -> None:
    """Let those read the channel NAME whom the setting default_read names: everyone, if it was not changed."""
    _set_private(name, data, private=False)


def _set_private(name: str, data: Path, *, private: bool) -> None:
    word = "private" if private else "public"
    with opened(data) as house:
        found = house.catalog.channels.get(parse_channel(name))
        with noted(house, f"channel {word}", found.name):
            moved = moving.set_private(house, found.name, private)
        if moved.awaited:
            published(house, moved.awaited, found.name)
    say(f"channel {found.name} is {word}{'' if moved.changed else ' already'}")
    if moved.note:
        say(moved.note)


@channel.command(epilog="\b\nExample:\n  packhouse channel delete old-team")
@click.argument("name")
@data_option
def delete(name: str, data: Path) -> None:
    """Delete the channel NAME, which must hold no files any more; names deleted in it stay retired."""
    with opened(data) as house:
        with noted(house, "channel delete", name):
            gone = house.delete_channel(parse_channel(name))
        webserver.update_overwrite(house.data, _overwritable(house))
        # An indexer may be in the middle of the channel's pages: when it has published the list of channels
        # without it, it is not any more. What it wrote meanwhile goes with the rest.
        published(house, {SITE: house.catalog.areas.generation(SITE)}, None)
        house.remove_deleted()
    say(f"channel {gone.name} is deleted")


def _overwritable(house: House) -> list[str]:
    return [item.name for item in house.catalog.channels.list() if item.overwrite]
