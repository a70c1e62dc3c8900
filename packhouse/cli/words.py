"""What the words of a command line mean: who gets a right, which right, and where.

WHO     user:NAME, service:NAME or group:NAME
WHERE   CHANNEL, or CHANNEL/ECOSYSTEM/PACKAGE such as main/pypi/flask
"""

from dataclasses import dataclass

import click

from packhouse.ecosystems.conda.names import name_problem
from packhouse.errors import BadName
from packhouse.model import Action, Ecosystem, Grant
from packhouse.names import ChannelName, parse_channel, parse_project, parse_segment

KINDS = ("user", "service", "group")
_WHERE = "CHANNEL or CHANNEL/ECOSYSTEM/PACKAGE, such as main or main/pypi/flask"


@dataclass(frozen=True, slots=True)
class Where:
    """A channel, or one package in it under its normalised name."""

    channel: ChannelName
    ecosystem: Ecosystem | None = None
    package: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.channel, self.ecosystem, self.package) if part)

    def grant(self, principal: str, action: Action) -> Grant:
        """Return the right to do `action` here."""
        return Grant(
            principal=principal,
            action=action,
            channel=self.channel,
            ecosystem=self.ecosystem,
            package=self.package,
        )


class WhereType(click.ParamType[Where]):
    """`CHANNEL` or `CHANNEL/ECOSYSTEM/PACKAGE`."""

    name = "WHERE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Where:
        """Return the channel and the package, in the spelling under which rights are kept.

        Raises:
            BadName: a name breaks the rule for its kind.
        """
        channel, *rest = str(value).split("/")
        if not channel or len(rest) not in (0, 2):
            self.fail(f"{value!r} is not {_WHERE}", param, ctx)
        if not rest:
            return Where(parse_channel(channel))
        if rest[0] not in tuple(Ecosystem):
            known = "conda, pypi (Python) and generic (build products)"
            self.fail(f"{value!r} names the unknown ecosystem {rest[0]!r}; there are {known}", param, ctx)
        ecosystem = Ecosystem(rest[0])
        return Where(parse_channel(channel), ecosystem, package_name(ecosystem, rest[1]))


class WhoType(click.ParamType[str]):
    """`user:NAME`, `service:NAME` or `group:NAME`."""

    name = "WHO"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the principal as grants hold it; whether it is there is asked later."""
        kind, _, name = str(value).partition(":")
        if kind not in KINDS or not name:
            self.fail(
                f"{value!r} is not user:NAME, service:NAME or group:NAME (everybody is group:everyone)",
                param,
                ctx,
            )
        return f"{kind}:{name}"


class GrantType(click.ParamType[tuple[Action, Where]]):
    """`ACTION:WHERE`, such as `write:main`."""

    name = "ACTION:WHERE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Action, Where]:
        """Return the action and where it may be done."""
        action, _, where = str(value).partition(":")
        if action not in tuple(Action) or not where:
            self.fail(f"{value!r} is not ACTION:WHERE with one of {', '.join(Action)}", param, ctx)
        return Action(action), WhereType().convert(where, param, ctx)


def package_name(ecosystem: Ecosystem, text: str) -> str:
    """Return the one spelling of a package's name under which its rights are kept.

    Raises:
        BadName: no package of the ecosystem can have that name.
    """
    if ecosystem is Ecosystem.PYPI:
        return parse_project(text)
    if ecosystem is Ecosystem.GENERIC:
        # Case never makes two products; on the disk it is kept.
        return parse_segment("product name", text).lower()
    if problem := name_problem(text):
        raise BadName("conda package name", text, problem)
    return text


def where_of(grant: Grant) -> str:
    """Return where a grant holds, as the command line takes it."""
    return "/".join(part for part in (grant.channel, grant.ecosystem, grant.package) if part)
