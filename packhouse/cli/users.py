"""`packhouse user` and `packhouse service`: the accounts of people and of programs."""

from collections.abc import Sequence
from pathlib import Path

import click

from packhouse.catalog.accounts import Account
from packhouse.catalog.passwords import check_password, hash_password
from packhouse.catalog.sessions import INVITATION_S
from packhouse.cli.asking import from_stdin, hidden
from packhouse.cli.keys import key_table
from packhouse.cli.local import noted, opened
from packhouse.cli.options import data_option
from packhouse.cli.output import moment, say, table, yes
from packhouse.cli.words import where_of
from packhouse.errors import NotFound, Unprocessable
from packhouse.house import House
from packhouse.model import Grant

_INVITATION = "/account/invitation#"
"""Behind the `#`, which no browser sends: the secret stands in no server's log."""


@click.group()
def user() -> None:
    """Make, list, change and delete the accounts of people."""


@click.group()
def service() -> None:
    """List and delete service accounts, which `packhouse key create` makes."""


# --- making an account, and its password -------------------------------------------------------------------------


@user.command(
    epilog="\b\nExamples:\n  packhouse user create ann --invite\n  packhouse user create ben --admin\n"
    "  packhouse user create eve --password-stdin < password.txt"
)
@click.argument("name")
@click.option("--admin", is_flag=True, help="The user may do everything.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; without, it is asked for."
)
@click.option(
    "--invite", is_flag=True, help="Set no password, and print a link with which the user sets one."
)
@data_option
def create(name: str, admin: bool, password_stdin: bool, invite: bool, data: Path) -> None:
    """Make the account of the user NAME, with a password or with an invitation to set one."""
    if password_stdin and invite:
        raise click.UsageError("--invite sets no password: leave out --password-stdin")
    with opened(data) as house:
        password = None
        if not invite:
            password = _new_password(
                house, name, stdin=password_stdin, instead="--password-stdin or --invite"
            )
        with noted(house, "user create", name, "as an admin" if admin else ""):
            house.catalog.accounts.create(name, password=password, admin=admin)
        say(f"user {name} is there{'; they are an admin' if admin else ''}")
        if invite:
            _invite(house, name)


@user.command(epilog="\b\nExample:\n  packhouse user password ann")
@click.argument("name")
@click.option(
    "--stdin", is_flag=True, help="Read the password from standard input; without, it is asked for."
)
@data_option
def password(name: str, stdin: bool, data: Path) -> None:
    """Set a new password for the user NAME; every browser they are signed in with is signed out."""
    with opened(data) as house:
        _user(house, name)
        stored = _new_password(house, name, stdin=stdin, instead="--stdin")
        with noted(house, "password", name):
            house.catalog.accounts.set_password(name, stored)
    say(f"user {name} has a new password; their keys stay as they are")


@user.command(epilog="\b\nExample:\n  packhouse user invite ann")
@click.argument("name")
@data_option
def invite(name: str, data: Path) -> None:
    """Print a link with which the user NAME sets a password, once. An earlier link ends."""
    with opened(data) as house:
        _user(house, name)
        _invite(house, name)


def _new_password(house: House, name: str, *, stdin: bool, instead: str) -> str:
    """Ask for a password and return it as it is stored."""
    given = from_stdin("password") if stdin else hidden("Password", instead=instead, confirm=True)
    check_password(given, name, least=house.settings.password_min_length)
    return hash_password(given)


def _invite(house: House, name: str) -> None:
    with noted(house, "user invite", name):
        secret = house.catalog.sessions.invite(name)
    hint = (
        "" if house.settings.base_url else "; put the server's address before it (the setting base_url would)"
    )
    say(f"who opens this link within {INVITATION_S // 86_400} days sets the password of {name}, once{hint}:")
    click.echo(invitation_link(house, secret))


def invitation_link(house: House, secret: str) -> str:
    """Return the address of the page on which an invitation is taken up."""
    return f"{house.settings.base_url.rstrip('/')}{_INVITATION}{secret}"


# --- what there is -----------------------------------------------------------------------------------------------


@user.command("list", epilog="\b\nExample:\n  packhouse user list")
@data_option
def list_(data: Path) -> None:
    """List the accounts, those of services too."""
    with opened(data) as house:
        click.echo(_accounts(house.catalog.accounts.list()))


@user.command(epilog="\b\nExample:\n  packhouse user pending")
@data_option
def pending(data: Path) -> None:
    """List the users who registered themselves and wait for approval."""
    with opened(data) as house:
        click.echo(_accounts(house.catalog.accounts.list(pending=True)))


def _accounts(accounts: Sequence[Account]) -> str:
    rows = [
        (
            item.name,
            item.kind,
            yes(item.admin),
            yes(item.pending),
            yes(item.has_password),
            moment(item.created_us),
        )
        for item in accounts
    ]
    return table(("NAME", "KIND", "ADMIN", "PENDING", "PASSWORD", "CREATED (UTC)"), rows)


@user.command(epilog="\b\nExample:\n  packhouse user show ann")
@click.argument("name")
@data_option
def show(name: str, data: Path) -> None:
    """Show what the account NAME is, which groups it is in, what it may do, and its keys."""
    with opened(data) as house:
        account = house.catalog.accounts.get(name)
        groups = house.catalog.groups.of(name)
        mine = [
            f"{account.kind}:{name}",
            *(f"group:{group}" for group in (*groups, "authenticated", "everyone")),
        ]
        grants = house.catalog.grants.of_principals(mine)
        keys = house.catalog.keys.list(name)
        now = house.catalog.clock()
    click.echo(_accounts([account]))
    click.echo(f"\ngroups: {', '.join(groups) or 'none'}\n")
    click.echo(_rights(account, grants))
    if keys:
        click.echo(f"\n{key_table(keys, now)}")


def _rights(account: Account, grants: Sequence[Grant]) -> str:
    if account.admin:
        return "may do everything, as an admin"
    if not grants:
        return "has no grant: may do what the settings default_read and default_write allow"
    rows = [(item.action, where_of(item), item.principal) for item in grants]
    return table(("MAY", "WHERE", "AS"), rows)


# --- changing ----------------------------------------------------------------------------------------------------


@user.command(epilog="\b\nExample:\n  packhouse user approve ann")
@click.argument("name")
@data_option
def approve(name: str, data: Path) -> None:
    """Let the user NAME in, who registered and waits."""
    with opened(data) as house, noted(house, "user approve", name):
        house.catalog.accounts.approve(name)
    say(f"user {name} may sign in")


@user.command(epilog="\b\nExample:\n  packhouse user promote ann")
@click.argument("name")
@data_option
def promote(name: str, data: Path) -> None:
    """Make NAME an admin, who may do everything."""
    with opened(data) as house, noted(house, "user admin", name, "promoted"):
        house.catalog.accounts.set_admin(name, admin=True)
    say(f"{name} is an admin")


@user.command(epilog="\b\nExample:\n  packhouse user demote ann")
@click.argument("name")
@data_option
def demote(name: str, data: Path) -> None:
    """Make the admin NAME an ordinary account; the last admin stays one."""
    with opened(data) as house, noted(house, "user admin", name, "demoted"):
        house.catalog.accounts.set_admin(name, admin=False)
    say(f"{name} is no admin any more")


@user.command(epilog="\b\nExample:\n  packhouse user delete ann")
@click.argument("name")
@data_option
def delete(name: str, data: Path) -> None:
    """Delete the user NAME with keys, memberships and rights. What they uploaded stays."""
    with opened(data) as house, noted(house, "user delete", name):
        _user(house, name)
        house.catalog.accounts.delete(name)
    say(f"user {name} is deleted, with keys, memberships and rights")


@user.command(epilog="\b\nExample:\n  packhouse user registration allow")
@click.argument("state", type=click.Choice(["allow", "forbid", "status"]))
@data_option
def registration(state: str, data: Path) -> None:
    """Let people register themselves, or stop that; an admin approves whoever did."""
    with opened(data) as house:
        accounts = house.catalog.accounts
        if state != "status":
            with noted(house, "registration", state):
                accounts.open_registration(allow=state == "allow")
        open_ = accounts.registration_open(default=house.settings.allow_register)
    click.echo(f"registration is {'allowed' if open_ else 'forbidden'}")


def _user(house: House, name: str) -> Account:
    account = house.catalog.accounts.get(name)
    if account.kind != "user":
        raise Unprocessable(
            f"{name} is a service account: it has keys and no password; see `packhouse service`"
        )
    return account


# --- service accounts --------------------------------------------------------------------------------------------


@service.command("list", epilog="\b\nExample:\n  packhouse service list")
@data_option
def services(data: Path) -> None:
    """List the service accounts, and how many of their keys work."""
    with opened(data) as house:
        accounts, keys = house.catalog.accounts.list(kind="service"), house.catalog.keys.list()
        now = house.catalog.clock()
    active = [item.account for item in keys if item.status(now) == "active"]
    rows = [
        (item.name, yes(item.admin), str(active.count(item.name)), moment(item.created_us))
        for item in accounts
    ]
    click.echo(table(("NAME", "ADMIN", "ACTIVE KEYS", "CREATED (UTC)"), rows))


@service.command("delete", epilog="\b\nExample:\n  packhouse service delete ci")
@click.argument("name")
@data_option
def delete_service(name: str, data: Path) -> None:
    """Delete the service account NAME with its keys, memberships and rights. What it uploaded stays."""
    with opened(data) as house, noted(house, "service delete", name):
        account = house.catalog.accounts.find(name)
        if account is None or account.kind != "service":
            raise NotFound("service account", name, "`packhouse service list` shows them")
        house.catalog.accounts.delete(name)
    say(f"service account {name} is deleted, with keys, memberships and rights")
