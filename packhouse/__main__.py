"""The `packhouse` command: wiring only; the commands live in `packhouse/cli/`, the exit codes are told there."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

import packhouse
from packhouse.cli.options import exit_code
from packhouse.errors import PackhouseError

_INTERRUPTED = 130

COMMANDS = {
    "serve": "packhouse.cli.serve:serve",
    "channel": "packhouse.cli.channels:channel",
    "user": "packhouse.cli.users:user",
    "group": "packhouse.cli.groups:group",
    "grant": "packhouse.cli.grants:grant",
    "key": "packhouse.cli.keys:key",
    "service": "packhouse.cli.users:service",
    "login": "packhouse.cli.login:login",
    "logout": "packhouse.cli.login:logout",
    "whoami": "packhouse.cli.login:whoami",
    "push": "packhouse.cli.push:push_",
    "delete": "packhouse.cli.push:delete",
    "yank": "packhouse.cli.push:yank",
    "unyank": "packhouse.cli.push:unyank",
    "reindex": "packhouse.cli.push:reindex",
    "check": "packhouse.cli.checkfiles:check",
    "import": "packhouse.cli.importing:import_",
    "acl": "packhouse.cli.acl:acl",
    "audit": "packhouse.cli.audit:audit",
    "doctor": "packhouse.cli.doctor:doctor",
}
"""Command -> where it lives: imported only when it is used, since the catalog alone costs half a second."""


class Lazy(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(packhouse.__version__, prog_name="packhouse")
def cli() -> None:
    """Conda channels, Python indexes and build products as one directory tree that nginx serves.

    Start with `packhouse serve`. Exit codes: 0 done, 1 refused, 2 wrong command line, 3 the server or the store
    cannot be reached now, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; whatever goes wrong is one sentence on standard error and an exit code."""
    try:
        cli.main(args=arguments, prog_name="packhouse", standalone_mode=False)
    except PackhouseError as error:
        _fail(str(error), exit_code(error))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough (`packhouse key list | head -1`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}", 1)
    except Exception as error:  # noqa: BLE001 - a fault of ours; people get a sentence, developers the rest
        if os.environ.get("PACKHOUSE_DEBUG"):
            traceback.print_exc()
        said = str(error).partition("\n")[0]
        _fail(
            f"a fault in Packhouse itself ({type(error).__name__}: {said}): "
            "please report it with what PACKHOUSE_DEBUG=1 shows",
            1,
        )


def _fail(sentence: str, code: int) -> None:
    click.echo(f"packhouse: {sentence}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
