"""`packhouse push`, `delete`, `yank`, `unyank`, `reindex`: what is asked of a server."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from packhouse.cli.checkfiles import judge, product_of
from packhouse.cli.options import SomeFailed, channel_option, server_option
from packhouse.cli.output import reason_of, say, size
from packhouse.cli.programs import python_command, python_environment
from packhouse.client import Answer, Outcome, Parcel, Pushed, Server, ServerRefused, Unreachable, pack, push
from packhouse.client.keys import find_key
from packhouse.client.uploads import wait_until_listed
from packhouse.errors import BadName, NotFound, PackhouseError, Unavailable
from packhouse.intake.pool import InspectionPool
from packhouse.names import ChannelName, parse_channel, parse_project, parse_segment, parse_subdir

_ACCEPTED = 202
_NOT_FOUND = 404
_COLOURS = {Outcome.UPLOADED: "green", Outcome.UNCHANGED: "blue", Outcome.SKIPPED: "yellow"}


def server_with_key(url: str, *, connections: int = 1) -> Server:
    """Return the server, with the key of the environment or of the login store.

    Raises:
        Unauthenticated: there is none, and everything asked here needs one.
    """
    return Server(url, find_key(url), connections)


@click.command(
    "push",
    short_help="Upload files, and wait until they are listed.",
    epilog="\b\nExample:\n  packhouse push dist/*.whl --channel main -j 4",
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@channel_option
@server_option
@click.option("--force", is_flag=True, help="Replace other bytes; the channel must allow it.")
@click.option("--skip-existing", is_flag=True, help="Other bytes under the name are no error; they stay.")
@click.option("-j", "jobs", default=2, show_default=True, type=click.IntRange(1, 32), help="Files at once.")
@click.option("--product", help="The files are build products of this name.")
@click.option("--version", help="The version of the build product.")
def push_(
    files: Sequence[Path],
    channel: str,
    server: str,
    force: bool,
    skip_existing: bool,
    jobs: int,
    product: str | None,
    version: str | None,
) -> None:
    """Check each FILE as the server would, upload it, and return when every index lists it.

    The same bytes again are a success. What a file is, its name tells: .conda, .tar.bz2, .whl, .tar.gz, .zip;
    any other file needs --product and --version.
    """
    product_of(product, version)
    where, home = parse_channel(channel), server_with_key(server, connections=jobs)
    failures: list[PackhouseError | OSError] = []
    with InspectionPool(workers=min(jobs, len(files))) as pool, _bar(files) as bar:

        def one(file: Path) -> tuple[Parcel, Pushed, Sequence[str]]:
            parcel = pack(file, where, product=product, version=version, force=force)
            warnings = judge(parcel, pool).observed.warnings
            return parcel, push(home, parcel, skip_existing=skip_existing, progress=bar), warnings

        with ThreadPoolExecutor(jobs) as executor:
            running = {executor.submit(one, file): file for file in files}
            try:
                for done in as_completed(running):
                    try:
                        _tell(*done.result())
                    except (PackhouseError, OSError) as error:
                        failures.append(error)
                        name = running[done].name
                        say(f"{click.style('failed', fg='red')}     {name}: {reason_of(str(error), name)}")
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                raise
    if failures:
        sentence = f"{len(failures)} of {len(files)} files were not uploaded"
        # Trying again helps only if nothing else is wrong.
        later = all(isinstance(error, Unavailable) for error in failures)
        raise Unreachable(f"{sentence}; try again later") if later else SomeFailed(sentence)


def _tell(parcel: Parcel, pushed: Pushed, warnings: Sequence[str]) -> None:
    word = click.style(f"{pushed.outcome:<9}", fg=_COLOURS[pushed.outcome])
    click.echo(f"{word}  {parcel.claim.filename}  {size(parcel.digests.size)}")
    for note in dict.fromkeys((*warnings, *pushed.notes)):
        say(f"{click.style('warning', fg='yellow')}    {parcel.claim.filename}: {note}")


@contextmanager
def _bar(files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """Show how many bytes of all files are sent, where somebody watches."""
    console = Console(stderr=True)
    columns = (TextColumn("uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    ) as progress:
        task = progress.add_task("", total=sum(file.stat().st_size for file in files))
        yield lambda sent: progress.advance(task, sent)


@click.command(
    short_help="Delete files; their names stay retired.",
    epilog="\b\nExample:\n  packhouse delete noarch/hello-1.0-0.conda --channel main --now",
)
@click.argument("targets", nargs=-1, required=True, metavar="PATH|URL...")
@click.option("--channel", metavar="CHANNEL", help="The channel that each PATH is in; a URL names its own.")
@server_option
@click.option("--now", is_flag=True, help="Take the bytes away at once: a leaked secret, malware.")
@click.option("--reason", default="", help="Why, for the history.")
def delete(targets: Sequence[str], channel: str | None, server: str, now: bool, reason: str) -> None:
    """Delete files by their path in the channel, or by the URL they are read from. Their names stay retired."""
    home = server_with_key(server)
    # All of them are understood before the first one is deleted.
    paths = [_read_path(home, target, channel) for target in targets]
    for path in paths:
        answer = home.ask(
            "DELETE", quote(path, safe="/+!"), query={"now": "true" if now else "", "reason": reason}
        )
        _listed(home, answer, path.split("/")[1])
        click.echo(f"deleted  {path.removeprefix('/')}")


def _read_path(server: Server, target: str, channel: str | None) -> str:
    """Return the path from the server's root, with its leading slash, of a path in a channel or a URL."""
    if "://" in target:
        if not target.startswith(f"{server.url}/"):
            raise BadName("URL", target, f"it is not below {server.url}: name its server with --server")
        path = unquote(urlsplit(target).path.removeprefix(urlsplit(server.url).path))
    elif channel is None:
        raise click.UsageError(f"{target} is a path in a channel: name the channel with --channel")
    else:
        path = f"/{parse_channel(channel)}/{target.lstrip('/')}"
    if path.count("/") < 3 or path.endswith("/"):
        raise BadName("file", target, "give its path in the channel, such as noarch/hello-1.0-0.conda")
    return path


@click.command(
    short_help="Yank a Python release (PEP 592).",
    epilog="\b\nExample:\n  packhouse yank hello 1.0 --channel main --reason 'broken on Windows'",
)
@click.argument("project")
@click.argument("version")
@channel_option
@server_option
@click.option("--reason", default="", help="Why; installers show it.")
@click.option("--undo", is_flag=True, help="Take a yank back, as `packhouse unyank` does.")
def yank(project: str, version: str, channel: str, server: str, reason: str, undo: bool) -> None:
    """Yank VERSION of the Python PROJECT: only those who pin it still get it (PEP 592)."""
    if undo and reason:
        raise click.UsageError("--undo takes no --reason")
    _yank(project, version, channel, server, None if undo else reason)


@click.command(
    short_help="Take a yank back.", epilog="\b\nExample:\n  packhouse unyank hello 1.0 --channel main"
)
@click.argument("project")
@click.argument("version")
@channel_option
@server_option
def unyank(project: str, version: str, channel: str, server: str) -> None:
    """Take the yank of VERSION of the Python PROJECT back."""
    _yank(project, version, channel, server, None)


def _yank(project: str, version: str, channel: str, server: str, reason: str | None) -> None:
    home, where = server_with_key(server), parse_channel(channel)
    name, spelled = parse_project(project), parse_segment("version", version)
    path = f"/api/1/{where}/{name}/{quote(spelled)}/yank"
    if reason is None:
        answer = home.ask("DELETE", path)
    else:
        body = json.dumps({"reason": reason}).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        answer = home.ask("POST", path, headers=headers, body=lambda: [body])
    _listed(home, answer, where)
    click.echo(f"{'unyanked' if reason is None else 'yanked'}  {name} {spelled} in {where}")


@click.command(
    short_help="Write the indexes of a channel again.",
    epilog="\b\nExample:\n  packhouse reindex main linux-64\n  packhouse reindex --data packhouse-data",
)
@click.argument("channel", required=False)
@click.argument("subdir", required=False)
@server_option
@click.option(
    "--data",
    metavar="DATA",
    type=click.Path(path_type=Path),
    help="Work on this data directory instead of asking a server; CHANNEL may then be left out.",
)
def reindex(channel: str | None, subdir: str | None, server: str, data: Path | None) -> None:
    """Write the indexes of CHANNEL again, or those of one SUBDIR of it."""
    if data is not None:
        _reindex_here(data, [item for item in (channel, subdir) if item])
        return
    if channel is None:
        raise click.UsageError("which CHANNEL? Without one, work on the data directory with --data DATA")
    home, where = server_with_key(server), parse_channel(channel)
    for name in [parse_subdir(subdir)] if subdir else _subdirs(home, where):
        answer = home.ask("POST", f"/api/v1/reindex/{where}/{name}", headers={"Content-Length": "0"})
        late = answer.status == _ACCEPTED
        click.echo(f"{'started' if late else 'indexed'}  {where}/{name}")


def _subdirs(server: Server, channel: ChannelName) -> Iterator[str]:
    """Yield the subdirs of a channel, `noarch` first: every channel has it, so its answer tells of a missing one."""
    yield "noarch"
    try:
        said = server.ask("GET", f"/{channel}/channeldata.json").body.get("subdirs", [])
    except ServerRefused as refused:
        if refused.status != _NOT_FOUND:
            raise
        # nginx's own words know nothing of channels.
        hint = f"name the SUBDIR, or run `indexer reindex {channel}` on the server"
        raise NotFound("list of subdirs at", f"/{channel}/channeldata.json", hint) from refused
    yield from sorted({str(parse_subdir(name)) for name in said} - {"noarch"})


def _reindex_here(data: Path, arguments: Sequence[str]) -> None:
    # A program of its own: this command knows nothing of how pages are made. It says what went wrong itself.
    command = python_command("indexer", "reindex", "--data", str(data.absolute()), *arguments)
    done = subprocess.run(command, env=python_environment(), check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _listed(server: Server, answer: Answer, channel: str) -> None:
    if answer.status == _ACCEPTED:
        wait_until_listed(server, channel, int(answer.body.get("serial", 0)))
