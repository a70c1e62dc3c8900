"""The `packhouse` command: wiring only; the commands live in `packhouse/cli/`, the exit codes are told there."""

import os
import sys
import traceback
from collections.abc import Sequence

import click

import packhouse
from packhouse.cli.channels import channel
from packhouse.cli.checkfiles import check
from packhouse.cli.doctor import doctor
from packhouse.cli.importing import import_
from packhouse.cli.keys import key
from packhouse.cli.options import exit_code
from packhouse.cli.push import delete, push_, reindex, unyank, yank
from packhouse.cli.serve import serve
from packhouse.errors import PackhouseError

_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(packhouse.__version__, prog_name="packhouse")
def cli() -> None:
    """Conda channels, Python indexes and build products as one directory tree that nginx serves.

    Start with `packhouse serve`. Exit codes: 0 done, 1 refused, 2 wrong command line, 3 the server or the store
    cannot be reached now, 130 interrupted.
    """


for command in (serve, channel, key, check, push_, delete, yank, unyank, reindex, import_, doctor):
    cli.add_command(command)


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
        _fail(
            f"a fault in Packhouse itself ({type(error).__name__}: {error}): "
            "please report it with what PACKHOUSE_DEBUG=1 shows",
            1,
        )


def _fail(sentence: str, code: int) -> None:
    click.echo(f"packhouse: {sentence}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
