"""`packhouse import`: adopt what another server or a folder already holds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from packhouse.cli.local import opened
from packhouse.cli.options import SomeFailed, channel_option, data_option
from packhouse.cli.output import files, reason_of, say, size, table
from packhouse.cli.publishing import published
from packhouse.importing.adopt import Adoption, Fate, Report, Result, Tell, results
from packhouse.importing.folders import detect
from packhouse.importing.items import Source
from packhouse.importing.remote import SimpleIndex
from packhouse.intake.pool import InspectionPool
from packhouse.intake.receive import Intake
from packhouse.names import parse_channel

_PUBLISH_S = 600.0


@click.command(
    "import",
    short_help="Adopt a channel, a folder, a mirror or an index.",
    epilog="\b\nExamples:\n"
    "  packhouse import /srv/conda/our-channel --channel main\n"
    "  packhouse import /srv/pypiserver/packages --channel main --lenient\n"
    "  packhouse import https://old.example/simple/ --channel main -j 8",
)
@click.argument("source")
@channel_option
@click.option(
    "--lenient", is_flag=True, help="Take old metadata that today's rules refuse; the reason stays shown."
)
@click.option("-j", "jobs", default=2, show_default=True, type=click.IntRange(1, 32), help="Files at once.")
@data_option
def import_(source: str, channel: str, lenient: bool, jobs: int, data: Path) -> None:
    """Take in everything that SOURCE holds: run it again and it goes on where it stopped.

    SOURCE is a copied channel of a Packhouse, the directory of a conda channel, a folder of wheels and sdists
    (pypiserver's too), a bandersnatch mirror, or the URL of a simple index. Every file is verified like an
    upload. Upload times are kept where the source tells them; the other files are marked as imported.
    """
    with opened(data) as house:
        where = house.catalog.channels.get(parse_channel(channel))
        reader = _reader(source, jobs)
        say(f"importing {reader.title} into {where.name}")
        settings = house.settings
        with (
            InspectionPool(
                workers=jobs, memory_bytes=settings.inspect_memory_bytes, wall_s=settings.inspect_wall_s
            ) as pool,
            _bar(reader) as tell,
        ):
            adoption = Adoption(house, Intake(house, pool), where, lenient=lenient)
            try:
                report = adoption.run(reader, jobs=jobs, tell=tell)
            finally:
                _summary(adoption.report)
        published(house, report.awaited, where.name, wait_s=_PUBLISH_S)
    if refused := report.files[Fate.REFUSED]:
        hint = "; --lenient takes old metadata in, with the reason shown" if report.old_habits else ""
        raise SomeFailed(f"not imported: {files(refused)}, each with its reason above{hint}")


def _reader(source: str, jobs: int) -> Source:
    if source.startswith(("http://", "https://")):
        return SimpleIndex(source, connections=jobs + 1)
    return detect(Path(source))


@contextmanager
def _bar(source: Source) -> Iterator[Tell]:
    console = Console(stderr=True)
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    ) as progress:
        task = progress.add_task("", total=source.total)

        def tell(result: Result) -> None:
            progress.advance(task)
            name = result.item.where
            if result.fate is Fate.REFUSED:
                say(
                    f"{click.style('refused', fg='red')}  {name}: {reason_of(result.notes[0], result.item.name)}"
                )
            for note in result.notes if result.fate is Fate.IMPORTED else ():
                say(f"{click.style('warning', fg='yellow')}  {name}: {reason_of(note, result.item.name)}")

        yield tell


def _summary(report: Report) -> None:
    rows = [(what, str(count), size(total)) for what, count, total in results(report)]
    click.echo(table(("", "FILES", "SIZE"), rows))
    if report.undated:
        say(
            f"without an upload time in the source: {files(report.undated)}; theirs is the time of this import"
        )
    for path in report.hotfixes:
        say(f"hotfixes taken along: {path}")
    for path in report.kept:
        say(f"hotfixes left as they are, since the channel has other ones: {path}")
