"""The door: who may go on, decided before a byte of the body is read. Everything here blocks."""

from packhouse import access
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import Forbidden, NotFound, Unauthenticated
from packhouse.model import Action, Channel, Claim, Principal
from packhouse.names import parse_channel
from uploadd.call import Call
from uploadd.services import Services


def enter(services: Services, principal: Principal, action: Action, channel_text: str) -> Channel:
    """Return the channel if the caller may do `action` to it, or to some package in it.

    Raises:
        Unauthenticated: nobody signed in. The same whether the channel exists or not.
        BadName: no channel can have that name.
        NotFound: there is no such channel, or it is private and not theirs to read: one sentence for both.
        Forbidden: they may read it, but not do this.
    """
    if principal.anonymous and action is not Action.READ:
        raise _sign_in(action, channel_text)
    name = parse_channel(channel_text)
    channel = services.house.catalog.channels.find(name)
    if channel is None:
        if principal.anonymous:
            raise _sign_in(action, channel_text)
        raise no_channel(name)
    if may_somewhere(services, principal, action, channel):
        return channel
    if principal.anonymous:
        raise _sign_in(action, channel_text)
    if not may_somewhere(services, principal, Action.READ, channel):
        raise no_channel(name)
    raise Forbidden(principal.name, action, f"channel {name}")


def may_somewhere(services: Services, principal: Principal, action: Action, channel: Channel) -> bool:
    """Whether the caller may do `action` to the channel or to at least one package that has grants of its own."""
    grants = services.house.catalog.accounts.grants(channel.name)
    places = {(None, None)} | {(grant.ecosystem, grant.package) for grant in grants}
    return any(
        access.permits(grants, principal, action, channel.name, ecosystem, package, private=channel.private)
        for ecosystem, package in places
    )


def admit(call: Call, claim: Claim) -> None:
    """Refuse an upload before its body by what its claim alone says.

    Rights come first: whoever lacks them learns nothing about the names that are there.

    Raises:
        Forbidden: they may not write this package, or not overwrite.
        PackhouseError: whatever `Intake.door` refuses.
    """
    place = FORMATS[claim.ecosystem].place(claim)
    if place is not None:
        package, _path = place
        call.require(Action.WRITE, claim.ecosystem, package)
        if claim.force:
            call.require(Action.MAINTAIN, claim.ecosystem, package)
    call.services.intake.door(claim)


def _sign_in(action: Action, channel: str) -> Unauthenticated:
    return Unauthenticated(
        f"{action} in channel {channel[:128]} needs an API key: send it as a Bearer token, "
        "or as the password of Basic authentication"
    )


def no_channel(name: str) -> NotFound:
    """Return the one refusal for a channel that is not there and for one that the caller may not see."""
    return NotFound(
        "channel", name, "check the name, or let an admin create it with `packhouse channel create`"
    )
