"""Users as admins manage them, over every API and on the pages. Everything here blocks."""

from packhouse.catalog.accounts import Account
from packhouse.errors import NotFound
from packhouse.house import House
from uploadd.call import Call
from uploadd.origin import origin

INVITATION = "/account/invitation#"
"""The page on which a browser takes an invitation up; what stands behind the `#` is sent to no server."""


def user_of(house: House, name: str) -> Account:
    """Return a user.

    Raises:
        NotFound: there is no such user. A service account is none: it has no password, and other commands manage it.
    """
    found = house.catalog.accounts.find(name)
    if found is None:
        raise NotFound("user", name, "`packhouse user list` shows them")
    if found.kind != "user":
        raise NotFound("user", name, "a service account has that name, which has keys and no password")
    return found


def invite(house: House, name: str) -> str:
    """Make an invitation with which a user sets a password; for a new name the user is made, without one."""
    if house.catalog.accounts.find(name) is None:
        house.catalog.accounts.create(name)
    return house.catalog.sessions.invite(user_of(house, name).name)


def invitation_link(call: Call, secret: str) -> str:
    """Return the address at which an invitation is taken up."""
    return f"{origin(call)}{INVITATION}{secret}"
