"""Grants as requests spell them, and who may read what, in words: for every API and page about rights."""

from collections.abc import Mapping

from packhouse import access
from packhouse.errors import Malformed
from packhouse.house import House
from packhouse.model import ANONYMOUS, Action, Channel, Ecosystem, Grant, Principal
from packhouse.names import parse_channel, parse_project, parse_segment
from packhouse.rights import Rights

FIELDS = ("principal", "action", "ecosystem", "package")
"""What a request says of a grant besides the channel."""
LATE = "done; the lists do not show it yet, which they will without further action"

_LONGEST = 120
"""Characters of a principal: the kind, a colon and a name of at most 100."""
_SOMEBODY = Principal(name="", kind="user", groups=access.BUILT_IN)
"""Whoever signed in, and nobody in particular: no account has an empty name."""


def grant_of(channel: str, said: Mapping[str, str]) -> Grant:
    """Return the grant that a request speaks of; the package in the one spelling of its name.

    Raises:
        BadName: no channel, or no package, can have that name.
        Malformed: something is missing, or strange.
    """
    for name in ("principal", "action"):
        if not said.get(name):
            raise Malformed(
                f"{name} is missing; send principal (user:NAME, service:NAME, group:NAME) and action"
            )
    strange = sorted(set(said) - set(FIELDS))
    if strange:
        raise Malformed(f"{strange[0][:80]!r} is not known here; these are: {', '.join(FIELDS)}")
    if ("ecosystem" in said) != ("package" in said):
        raise Malformed("send ecosystem and package both, or neither for the whole channel")
    if len(said["principal"]) > _LONGEST:
        raise Malformed(f"the principal has {len(said['principal'])} characters; no name is that long")
    name = parse_channel(channel)
    try:
        action = Action(said["action"])
        ecosystem = Ecosystem(said["ecosystem"]) if "ecosystem" in said else None
    except ValueError:
        raise Malformed(
            f"the action is one of {', '.join(Action)}, the ecosystem of {', '.join(Ecosystem)}"
        ) from None
    return Grant(
        principal=said["principal"],
        action=action,
        channel=name,
        ecosystem=ecosystem,
        package=None if ecosystem is None else package_name(ecosystem, said["package"]),
    )


def package_name(ecosystem: Ecosystem, text: str) -> str:
    """Return the one spelling of a package's name under which its rights are kept; raises `BadName`."""
    if ecosystem is Ecosystem.PYPI:
        return parse_project(text)
    return parse_segment(f"{ecosystem} package", text).lower()


def readers(
    house: House,
    rights: Rights,
    channel: Channel,
    ecosystem: Ecosystem | None = None,
    package: str | None = None,
) -> str:
    """Return who may read a channel or a package now, in words that end a sentence; blocking."""
    if rights.permits(ANONYMOUS, Action.READ, channel, ecosystem, package):
        return "everyone, without signing in"
    if rights.permits(_SOMEBODY, Action.READ, channel, ecosystem, package):
        return "everyone who is signed in"
    if (
        package is None or ecosystem is Ecosystem.CONDA
    ):  # repodata.json is one file: conda is read per channel
        return "only those who were granted a right on the channel, and admins"
    if (ecosystem, package) in house.catalog.grants.closed(channel.name):
        return (
            "only those who were granted a right on this package or a change of the whole channel, and admins"
        )
    return "the readers of the channel, and those who were granted a right on this package"
