"""The door: who may go on, decided before a byte of the body is read. Everything here blocks."""

from packhouse import access
from packhouse.ecosystems.registry import FORMATS
from packhouse.errors import Forbidden, NotFound, Unauthenticated
from packhouse.model import Action, Channel, Claim, Principal
from packhouse.names import parse_channel
from uploadd.call import Call, forged
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
    if services.rights.anywhere(principal, action, channel):
        return channel
    if principal.anonymous:
        raise _sign_in(action, channel_text)
    if not services.rights.anywhere(principal, Action.READ, channel):
        raise no_channel(name)
    raise Forbidden(principal.name, action, f"channel {name}")


def need_account(principal: Principal) -> None:
    """Pass if somebody signed in; raises `Unauthenticated`."""
    if principal.anonymous:
        raise Unauthenticated(
            "this needs an account: send an API key as a Bearer token, or user name and password as Basic "
            "authentication"
        )


def need_admin(principal: Principal) -> None:
    """Pass if an admin asks, with nothing that narrows them.

    Raises:
        Unauthenticated: nobody signed in.
        Forbidden: somebody else did, or an admin with a key that has a scope.
    """
    need_account(principal)
    if not access.administers(principal):
        raise Forbidden(principal.name, "administer", "this server")


def same_site(call: Call, *, token: bool) -> None:
    """Pass if a change with a browser's session comes from a page of ours.

    A cookie goes along whoever made the browser ask. So the page sends the session's token with it (as the header
    X-Packhouse-Token, which no foreign page can add), and where the browser says where the request comes from, it
    must be from here.

    Raises:
        CrossSite: it does not, or the token is missing or wrong.
    """
    headers = call.request.headers
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise forged()
    if token:
        call.check_token(headers.get("X-Packhouse-Token", ""))


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
