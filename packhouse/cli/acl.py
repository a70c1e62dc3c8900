"""`packhouse acl`: accounts, groups and rights as one document, in the shape of pypicloud's export."""

import gzip
import io
import json
import zlib
from pathlib import Path
from typing import BinaryIO

import click

from packhouse.cli.local import LOCAL, noted, opened
from packhouse.cli.options import data_option
from packhouse.cli.output import say
from packhouse.cli.publishing import published
from packhouse.cli.users import invitation_link
from packhouse.errors import Malformed, TooLarge
from packhouse.importing.acl import Report, dump, load
from packhouse.model import Json

_MOST = 64 << 20
"""Bytes of a document; that of a company with 100,000 grants has 10 MB."""
_GZIP = b"\x1f\x8b"


@click.group()
def acl() -> None:
    """Take accounts, groups and rights in from a pypicloud or another Packhouse, and give them out."""


@acl.command(
    "import",
    epilog="\b\nExamples:\n  packhouse acl import acl.json.gz --invite > links.txt\n"
    "  ppc-export config.ini | packhouse acl import -",
)
@click.argument("file", type=click.File("rb"))
@click.option("--invite", is_flag=True, help="Print a link for each user who has no password, to set one.")
@data_option
def import_(file: BinaryIO, invite: bool, data: Path) -> None:
    """Take in what FILE (`-`: standard input) holds: `acl.json.gz`, or what `ppc-export` wrote.

    Whoever is here already stays as they are, and doing it again changes nothing. Passwords are never taken over:
    users set a new one, for which --invite prints a link each. Rights are those in the default channel.
    """
    document = _read(file)
    with opened(data) as house:
        report = load(house, document, LOCAL, invite=invite)
        if report.awaited:
            published(house, report.awaited, house.settings.default_channel)
        _tell(report, invited=invite)
        for name, secret in report.invitations.items():
            click.echo(f"{name}\t{invitation_link(house, secret)}")


@acl.command(epilog="\b\nExample:\n  packhouse acl export > acl.json")
@data_option
def export(data: Path) -> None:
    """Print the users, the groups and the rights in the default channel as JSON. Passwords and keys are not in it."""
    with opened(data) as house, noted(house, "acl export", house.settings.default_channel):
        document = dump(house)
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _read(file: BinaryIO) -> Json:
    """Return the JSON of a file, compressed or not.

    Raises:
        TooLarge: it has more than 64 MiB, or grows beyond them.
        Malformed: it is damaged, or no JSON.
    """
    body = file.read(_MOST + 1)
    if body.startswith(_GZIP):
        try:
            with gzip.open(io.BytesIO(body)) as stream:
                body = stream.read(_MOST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise Malformed(f"the file is damaged: {error}; export it again") from error
    if len(body) > _MOST:
        raise TooLarge("the document", None, _MOST)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(
            "the file is no JSON: give the document that /admin/acl.json.gz or ppc-export wrote"
        ) from error


def _tell(report: Report, *, invited: bool) -> None:
    """Say what was done, and what was not."""
    made = {
        "users": len(report.users),
        "pending users": len(report.pending),
        "groups": len(report.groups),
        "memberships": report.memberships,
        "grants": report.grants,
        "closed packages": report.closed,
    }
    new = ", ".join(f"{count} {what}" for what, count in made.items() if count)
    say(f"new: {new or 'nothing'}")
    if report.kept:
        say(f"there already, and kept as they are: {', '.join(report.kept)}")
    if report.registration is not None:
        say(f"registration is {'allowed' if report.registration else 'forbidden'}")
    if report.hashes:
        say(f"{report.hashes} password hashes were left aside: they are not kept here")
    if report.without_password and not invited:
        say(
            f"without a password: {', '.join(report.without_password)}; `packhouse user invite NAME`, or this "
            "command again with --invite, prints a link to set one"
        )
    for sentence in report.skipped:
        say(f"left aside: {sentence}")
