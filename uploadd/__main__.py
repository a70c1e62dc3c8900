"""`uploadd --data DATA`: the daemon on its unix socket, until SIGTERM or SIGINT."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import click
from aiohttp import http_parser, web

from packhouse.errors import Busy, PackhouseError
from packhouse.house import House, open_house
from packhouse.intake.pool import InspectionPool
from packhouse.intake.receive import Intake
from uploadd.app import IN_FLIGHT, create_app, make_runner

GRACE_S = 20.0
"""How long running requests may take to finish when the daemon is told to stop, in seconds."""

_LOG = logging.getLogger("uploadd")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a refusal is one sentence on standard error and exit code 1."""
    try:
        _command.main(args=None if arguments is None else list(arguments), prog_name="uploadd")
    except PackhouseError as error:
        click.echo(f"uploadd: {error}", err=True)
        sys.exit(1)


@click.command()
@click.option(
    "--data",
    envvar="PACKHOUSE_DATA",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The data directory.",
)
def _command(data: Path) -> None:
    """Authenticate, verify and take in uploads for the data directory DATA."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("uploadd").setLevel(logging.INFO)
    with ExitStack() as stack:
        house = open_house(data)
        stack.callback(house.close)
        if not stack.enter_context(house.locks.exclusive("uploadd")):
            raise Busy(f"another uploadd serves {data} already; stop it first")
        settings = house.settings
        pool = stack.enter_context(
            InspectionPool(
                workers=settings.inspect_workers,
                memory_bytes=settings.inspect_memory_bytes,
                wall_s=settings.inspect_wall_s,
            )
        )
        asyncio.run(serve(house, Intake(house, pool)))


async def serve(house: House, intake: Intake) -> None:
    """Serve on `<data>/state/uploadd.sock` until SIGTERM or SIGINT; uploads under way are finished first."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        _LOG.warning("aiohttp runs without its C parser; uploads will be slow, install a binary wheel")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = create_app(house, intake)
    runner = make_runner(app)
    await runner.setup()
    socket = house.settings.socket
    try:
        socket.unlink(missing_ok=True)  # of a daemon that was killed: we hold the role
        old = os.umask(0o117)  # 0660 from its first moment
        try:
            site = web.UnixSite(runner, str(socket))
            await site.start()
        finally:
            os.umask(old)
        _LOG.info("uploadd answers on %s", socket)
        await stop.wait()
        await site.stop()
        _LOG.info("uploadd stops; uploads under way have %g seconds", GRACE_S)
        if not await app[IN_FLIGHT].none(GRACE_S):
            _LOG.warning("some requests took too long and are cut off; what they sent is not kept")
    finally:
        await runner.cleanup()
        with suppress(OSError):
            socket.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
