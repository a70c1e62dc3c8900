"""Running a command as a user does: the whole of `main`, on a data directory, with standard input at hand."""

import io
import sys
from dataclasses import dataclass

from house_support import new_house

from packhouse.__main__ import main
from packhouse.house import House


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[list[str]]:
        """The words of each line of a table, without its head."""
        return [line.split() for line in self.out.splitlines()[1:]]


class Terminal(io.TextIOWrapper):
    """Standard input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def make_data(folder, *channels):
    """A data directory with these channels (`main` without any)."""
    new_house(folder, *channels).close()
    return folder / "data"


def make_run(monkeypatch, capfd, **environ):
    """Return a function that runs a command: `run("user", "list")`, with what standard input holds as `stdin`."""
    for name in ("PACKHOUSE_KEY", "PACKHOUSE_SERVER", "PACKHOUSE_DEBUG", "PACKHOUSE_DATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, str(value))

    def run(*arguments, stdin=b"", terminal=False):
        kind = Terminal if terminal else io.TextIOWrapper
        monkeypatch.setattr(sys, "stdin", kind(io.BytesIO(stdin), encoding="utf-8"))
        capfd.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return run


def answer_prompts(monkeypatch, *answers):
    """Type these at the prompts that show nothing; returns the prompts."""
    asked, left = [], list(answers)

    def typed(prompt=""):
        asked.append(prompt)
        return left.pop(0)

    monkeypatch.setattr("click.termui.hidden_prompt_func", typed)
    return asked


def audit_lines(house: House):
    """(action, object, outcome) of every line of the audit log, oldest first; each is the command line's."""
    entries = house.catalog.audit.entries(limit=1000)[::-1]
    assert {(entry.who, entry.via, entry.origin) for entry in entries} <= {("local", "local", "local")}
    return [(entry.action, entry.object, entry.outcome) for entry in entries]
