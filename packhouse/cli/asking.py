"""Asking for secrets: hidden on a terminal, or read from standard input. Never in an argument, which `ps` shows."""

import sys

import click

from packhouse.errors import Malformed

_MOST = 4096


def hidden(what: str, *, instead: str, confirm: bool = False) -> str:
    """Ask for a secret on the terminal, without showing it.

    Args:
        what: the prompt, such as `Password`.
        instead: the options that do without a terminal, for the sentence where there is none.
        confirm: ask twice, and again until both are the same.

    Raises:
        click.UsageError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask on: use {instead}")
    # On standard error: standard output holds results only.
    return str(click.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True))


def from_stdin(what: str) -> str:
    """Return the one line that standard input holds, without its end.

    Raises:
        Malformed: it is empty, too long, no text, or more than one line.
    """
    body = sys.stdin.buffer.read(_MOST + 1)
    try:
        text = body.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Malformed(f"the {what} on standard input is no UTF-8 text") from error
    if not text:
        raise Malformed(f"standard input is empty: it should hold the {what}, on one line")
    if len(body) > _MOST or "\n" in text or "\r" in text:
        raise Malformed(f"standard input should hold the {what} and nothing else, on one line")
    return text
