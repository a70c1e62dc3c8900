"""Rights on the default channel's Python packages, as lists of words per package or per principal. Blocking."""

from collections.abc import Iterable, Mapping

from packhouse.house import House
from packhouse.model import Action, Ecosystem, Grant, Json


def of_group(house: House, name: str) -> list[Json]:
    """Return `[{"package", "permissions"}]` of a group, by package."""
    return _by_package(house, f"group:{name}")


def of_account(house: House, kind: str, name: str) -> list[Json]:
    """Return `[{"package", "permissions"}]` of an account (`user`, `service`) itself, by package."""
    return _by_package(house, f"{kind}:{name}")


def of_package(house: House, package: str) -> dict[str, Json]:
    """Return `{"user": [{"username", "permissions"}], "group": [{"group", "permissions"}]}` of a package.

    Service accounts stand among the users: nobody who may do something is left out.
    """
    grants = house.catalog.grants.of_package(house.settings.default_channel, Ecosystem.PYPI, package)
    words = words_of((grant.principal, grant.action) for grant in grants)
    split = [(principal.partition(":"), said) for principal, said in sorted(words.items())]
    return {
        "user": [
            {"username": name, "permissions": said} for (kind, _, name), said in split if kind != "group"
        ],
        "group": [{"group": name, "permissions": said} for (kind, _, name), said in split if kind == "group"],
    }


def _by_package(house: House, principal: str) -> list[Json]:
    grants: Iterable[Grant] = house.catalog.grants.of_principals({principal}, house.settings.default_channel)
    words = words_of((grant.package, grant.action) for grant in grants if grant.ecosystem == Ecosystem.PYPI)
    return [{"package": name, "permissions": said} for name, said in sorted(words.items())]


def words_of(said: Iterable[tuple[str | None, Action]]) -> Mapping[str, list[str]]:
    """Return (who or what, action) pairs as words per who or what, `read` first; a whole channel (None) is left out."""
    found: dict[str, set[Action]] = {}
    for name, action in said:
        if name is not None:
            found.setdefault(name, set()).add(action)
    return {name: [str(action) for action in Action if action in actions] for name, actions in found.items()}
