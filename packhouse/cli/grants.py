"""`packhouse grant`: who may do what, in a channel or to one package of it."""

from pathlib import Path

import click

from packhouse import access
from packhouse.cli.local import noted, opened
from packhouse.cli.options import data_option
from packhouse.cli.output import say, table
from packhouse.cli.publishing import published
from packhouse.cli.words import KINDS, Where, WhereType, WhoType, where_of
from packhouse.errors import NotFound
from packhouse.house import House
from packhouse.intake import moving
from packhouse.intake.moving import Moved
from packhouse.model import Action, Ecosystem, Grant

_ACTIONS = click.Choice([str(action) for action in Action])


@click.group()
def grant() -> None:
    """Give and take rights: WHO may do what WHERE.

    WHO is user:NAME, service:NAME or group:NAME; everybody is group:everyone, whoever signed in
    group:authenticated. The right is read, write, delete, or maintain, which covers all; each covers reading.
    WHERE is CHANNEL, or CHANNEL/ECOSYSTEM/PACKAGE with the ecosystem pypi, generic or conda.

    The first grant on a package closes it for good: what everybody may do by default does not reach it any more.
    """


@grant.command(
    epilog="\b\nExamples:\n  packhouse grant give group:team write main\n"
    "  packhouse grant give user:ann maintain main/pypi/flask"
)
@click.argument("who", type=WhoType())
@click.argument("action", type=_ACTIONS, metavar="read|write|delete|maintain")
@click.argument("where", type=WhereType())
@data_option
def give(who: str, action: str, where: Where, data: Path) -> None:
    """Give WHO the right WHERE. The package need not be there yet."""
    right = where.grant(who, Action(action))
    with opened(data) as house:
        house.catalog.channels.get(where.channel)
        open_before = not _is_closed(house, where)
        with noted(house, "grant give", access.explain(right)):
            moved = moving.give(house, right)
        say(f"{access.explain(right)} is granted{'' if moved.changed else ' already'}")
        if where.package and open_before:
            say(f"{where} is closed from now on: what everybody may do by default does not reach it")
        _settle(house, moved, where)


@grant.command(epilog="\b\nExample:\n  packhouse grant take group:team read main/pypi/flask")
@click.argument("who", type=WhoType())
@click.argument("action", type=_ACTIONS, metavar="read|write|delete|maintain")
@click.argument("where", type=WhereType())
@data_option
def take(who: str, action: str, where: Where, data: Path) -> None:
    """Take a right from WHO that they were given. A closed package stays closed."""
    right = where.grant(who, Action(action))
    with opened(data) as house:
        house.catalog.channels.get(where.channel)
        with noted(house, "grant take", access.explain(right)):
            # Whoever takes a right away and misspells it must not believe that it is gone.
            if right not in house.catalog.grants.of_channel(where.channel):
                raise NotFound(
                    "grant of", access.explain(right), f"`packhouse grant list {where.channel}` shows them"
                )
            moved = moving.take(house, right)
        say(f"{access.explain(right)} is taken away")
        _settle(house, moved, where)


@grant.command(epilog="\b\nExample:\n  packhouse grant close main/pypi/flask")
@click.argument("where", type=WhereType(), metavar="CHANNEL/ECOSYSTEM/PACKAGE")
@data_option
def close(where: Where, data: Path) -> None:
    """Close a package for good without granting anything; it need not be there yet."""
    if where.ecosystem is None or where.package is None:
        raise click.UsageError(
            f"{where} is a channel, and only a package is closed: name it as CHANNEL/ECOSYSTEM/PACKAGE, or make "
            f"the channel private with `packhouse channel private {where}`"
        )
    with opened(data) as house:
        house.catalog.channels.get(where.channel)
        with noted(house, "grant close", str(where)):
            moved = moving.close(house, where.channel, where.ecosystem, where.package)
        say(f"{where} is closed{'' if moved.changed else ' already'}: only those with a grant may use it")
        if where.ecosystem is Ecosystem.CONDA:
            say(
                "whoever reads the channel still reads it: conda fetches a channel's repodata.json as a whole"
            )
        _settle(house, moved, where)


@grant.command(
    "list",
    epilog="\b\nExamples:\n  packhouse grant list\n  packhouse grant list main/pypi/flask\n"
    "  packhouse grant list group:team",
)
@click.argument("about", required=False, metavar="[WHERE|WHO]")
@data_option
def list_(about: str | None, data: Path) -> None:
    """List the grants: all, those in a channel, on a package, or of somebody."""
    who = WhoType().convert(about, None, None) if about and about.partition(":")[0] in KINDS else None
    where = WhereType().convert(about, None, None) if about and who is None else None
    with opened(data) as house:
        if who is not None:
            rows = [_row(item) for item in house.catalog.grants.of_principals([who])]
        else:
            channels = house.catalog.channels.list()
            if where is not None:
                channels = [house.catalog.channels.get(where.channel)]
            rows = [row for channel in channels for row in _rows(house, channel.name, where)]
    click.echo(table(("WHO", "MAY", "WHERE"), rows))


def _rows(house: House, channel: str, where: Where | None) -> list[tuple[str, str, str]]:
    """Return what is granted in a channel, or on one package of it; a closed package without a grant has a line too."""
    grants, closed = house.catalog.grants.of_channel(channel), house.catalog.grants.closed(channel)
    if where is not None and where.package is not None:
        grants = [
            item for item in grants if (item.ecosystem, item.package) == (where.ecosystem, where.package)
        ]
        closed &= {(str(where.ecosystem), where.package)}
    alone = closed - {(item.ecosystem, item.package) for item in grants}
    return [*map(_row, grants), *(("nobody", "closed", "/".join((channel, *item))) for item in sorted(alone))]


def _row(item: Grant) -> tuple[str, str, str]:
    return item.principal, item.action, where_of(item)


def _is_closed(house: House, where: Where) -> bool:
    return (where.ecosystem, where.package) in house.catalog.grants.closed(where.channel)


def _settle(house: House, moved: Moved, where: Where) -> None:
    """Return when everything that is published says what the new rights allow."""
    if moved.awaited:
        published(house, moved.awaited, where.channel)
    if moved.note:
        say(moved.note)
