"""The `indexer` command: watch, reindex, check."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from indexer import reindex as reindexing
from indexer import watch as watching
from indexer.check import check as run_check
from packhouse.cli.options import data_option
from packhouse.errors import Busy, PackhouseError
from packhouse.house import House, open_house
from packhouse.intake.inbox import Inbox
from packhouse.intake.pool import InspectionPool

log = logging.getLogger("indexer")


@click.group()
@click.option("--verbose", is_flag=True, help="Also say what was looked at and left as it is.")
@click.pass_context
def cli(context: click.Context, verbose: bool) -> None:
    """Keep the indexes and pages of a Packhouse."""
    # `watch` tells what it does line by line; the others say it at their end.
    usual = logging.INFO if context.invoked_subcommand == "watch" else logging.WARNING
    logging.basicConfig(
        level=logging.DEBUG if verbose else usual,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    for noisy in ("watchfiles", "alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


@cli.command()
@data_option
def watch(data: Path) -> None:
    """Publish whatever changes, until stopped."""
    with _house(data) as house, house.locks.exclusive("indexer", timeout_s=1.0) as mine:
        if not mine:
            raise Busy(f"an indexer already watches {house.data}: one is enough, stop the other one first")
        stop = threading.Event()
        _on_signal(stop, house)
        # One child: what is dropped can wait its turn; uploads have the daemon's own.
        pool = InspectionPool(
            workers=1,
            memory_bytes=house.settings.inspect_memory_bytes,
            cpu_s=house.settings.inspect_wall_s,
            wall_s=house.settings.inspect_wall_s,
        )
        inbox = Inbox(house, pool)
        thread = threading.Thread(target=inbox.run, args=(stop,), name="inbox", daemon=True)
        thread.start()
        log.info("watching %s", house.data)
        try:
            watching.run(house, stop)
        finally:
            stop.set()
            thread.join(timeout=house.settings.inspect_wall_s)
            pool.close()
            log.info("stopped")


@cli.command()
@data_option
@click.argument("channel", required=False)
@click.argument("subdir", required=False)
def reindex(data: Path, channel: str | None, subdir: str | None) -> None:
    """Publish CHANNEL (or SUBDIR of it: a subdir, project or product) again; say what changed."""
    console = Console(stderr=True)
    with _house(data) as house, _bar(console, "indexing") as progress:
        changes = reindexing.reindex(house, channel, subdir, progress=progress)
    for change in changes:
        click.echo(_sentence(change))


@cli.command()
@data_option
@click.argument("channel", required=False)
def check(data: Path, channel: str | None) -> None:
    """Read every served file by independent means, and compare with a rebuild; exit 1 on any difference."""
    console = Console(stderr=True)
    with _house(data) as house, _bar(console, "checking") as progress:
        report = run_check(house, channel, progress=progress)
    for finding in report.findings:
        click.echo(str(finding))
    click.echo(str(report))
    if report.findings:
        sys.exit(1)


@contextmanager
def _house(data: Path) -> Iterator[House]:
    house = open_house(data)
    try:
        yield house
    finally:
        house.close()


@contextmanager
def _bar(console: Console, title: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _sentence(change: reindexing.Change) -> str:
    counts = {
        "written": change.written,
        "removed": change.removed,
        "sidecars restored": change.sidecars,
    }
    said = ", ".join(f"{len(paths)} {what}" for what, paths in counts.items() if paths)
    return f"{change.channel or 'front page'}: {said or 'nothing to change'}"


def _on_signal(stop: threading.Event, house: House) -> None:
    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        house.wake.poke("wake")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a refusal is one sentence on standard error and exit code 1, never a traceback."""
    try:
        cli.main(args=arguments, prog_name="indexer", standalone_mode=False)
    except PackhouseError as error:
        click.echo(f"indexer: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
