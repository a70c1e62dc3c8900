"""What commands print: tables that read well and cut well, and moments in time."""

from collections.abc import Sequence
from datetime import UTC

import click

from packhouse.model import from_us


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns under a head line; two spaces part the columns."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def moment(us: int | None) -> str:
    """Return a time in UTC to the minute, or `-` for none."""
    return "-" if us is None else from_us(us).astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def yes(value: bool) -> str:
    """Return `yes` or `-`."""
    return "yes" if value else "-"


def say(text: str) -> None:
    """Print a line for people on standard error, so that standard output holds results only."""
    click.echo(text, err=True)


def size(count: int) -> str:
    """Return a number of bytes as people write it: 512 B, 1.4 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def reason_of(sentence: str, name: str) -> str:
    """Return a refusal without the file name that the line already shows."""
    return sentence.removeprefix(f"{name} is refused: ")


def files(count: int) -> str:
    """Return a number of files in words."""
    return "1 file" if count == 1 else f"{count} files"
