"""`packhouse check`: the server's verifier, offline, before any upload."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from packhouse.cli.options import SomeFailed
from packhouse.cli.output import reason_of, say
from packhouse.client.uploads import Parcel, pack
from packhouse.ecosystems import Limits
from packhouse.errors import PackhouseError
from packhouse.intake.pool import InspectionPool
from packhouse.model import Verified
from packhouse.names import parse_channel
from packhouse.verify import verify

_ANYWHERE = parse_channel("anywhere")


def judge(parcel: Parcel, inspector: InspectionPool) -> Verified:
    """Judge one file as the server would: open it in a child, compare it with its claim.

    Raises:
        PackhouseError: the refusal.
    """
    limits = Limits(now_us=time.time_ns() // 1000)
    observed = inspector.inspect(parcel.claim.ecosystem, str(parcel.file), parcel.claim, limits)
    return verify(parcel.claim, parcel.digests, observed)


def product_of(product: str | None, version: str | None) -> None:
    """Refuse half a product."""
    if (product is None) is not (version is None):
        raise click.UsageError("--product and --version belong together: give both, or none")


@click.command(
    short_help="Judge files as the server would, offline.",
    epilog="\b\nExample:\n  packhouse check dist/*.whl built/noarch/*.conda",
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--lenient", is_flag=True, help="Judge as an import does: old habits are warnings.")
def check(files: Sequence[Path], lenient: bool) -> None:
    """Judge each FILE as the server would, without a server. Exit code 1 if one would be refused."""
    refused = 0
    with InspectionPool(workers=1) as pool:
        for file in files:
            try:
                parcel = pack(file, _ANYWHERE, lenient=lenient)
                verified = judge(parcel, pool)
            except PackhouseError as error:
                refused += 1
                say(f"{click.style('refused', fg='red')}  {file}: {reason_of(str(error), file.name)}")
                continue
            click.echo(f"{click.style('good', fg='green')}     {file}: it would lie at {verified.path}")
            for warning in verified.observed.warnings:
                say(f"{click.style('warning', fg='yellow')}  {file}: {warning}")
    if refused:
        raise SomeFailed(f"{refused} of {len(files)} files would be refused")
