"""`packhouse audit`: who did what, when, and from where."""

import json
from dataclasses import asdict
from datetime import UTC
from pathlib import Path

import click

from packhouse.catalog.audit import Entry
from packhouse.cli.local import opened
from packhouse.cli.options import data_option
from packhouse.cli.output import table
from packhouse.model import from_us


@click.command(
    epilog="\b\nExamples:\n  packhouse audit --who ann\n"
    "  packhouse audit --action 'grant give' --object main/pypi/flask\n"
    "  packhouse audit --limit 10000 --json > audit.jsonl"
)
@click.option("--who", help="Only what this account did; `local` is the command line on the server.")
@click.option("--action", help="Only this, such as 'user create' or upload.")
@click.option("--object", "object_", help="Only what was done to something with this text in its name.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many lines.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@data_option
def audit(
    who: str | None, action: str | None, object_: str | None, limit: int, as_json: bool, data: Path
) -> None:
    """Print who did what, newest first: uploads and deletions, changes of accounts and rights, and what was refused."""
    with opened(data) as house:
        entries = house.catalog.audit.history(limit=limit, who=who, action=action, object_=object_)
    if as_json:
        for entry in entries:
            click.echo(json.dumps({**asdict(entry), "at": _time(entry)}))
        return
    rows = [
        (
            _time(entry),
            entry.who,
            entry.via,
            entry.origin,
            entry.action,
            entry.object,
            entry.outcome,
            entry.note,
        )
        for entry in entries
    ]
    click.echo(table(("TIME (UTC)", "WHO", "VIA", "FROM", "ACTION", "OBJECT", "OUTCOME", "NOTE"), rows))


def _time(entry: Entry) -> str:
    return from_us(entry.at_us).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
