"""Rights with the grants loaded: the one place where `access` meets the catalog."""

from packhouse import access
from packhouse.catalog import Catalog
from packhouse.catalog.browse import Sight
from packhouse.errors import Forbidden, Unauthenticated
from packhouse.model import Action, Channel, Ecosystem, Grant, Policy, Principal
from packhouse.settings import Settings


class Rights:
    """Decide for one catalog; every decision is live, nothing is cached."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._read = "" if settings.default_read == "nobody" else settings.default_read
        self._write = "" if settings.default_write == "nobody" else settings.default_write

    def permits(
        self,
        principal: Principal,
        action: Action,
        channel: Channel,
        ecosystem: str | None = None,
        package: str | None = None,
    ) -> bool:
        """Return whether `principal` may do `action`; `package` is the normalised name of the file's owner."""
        grants, closed = self._catalog.grants.about(channel.name, ecosystem, package)
        return access.permits(
            self._policy(channel, grants=tuple(grants), closed=closed), principal, action, ecosystem, package
        )

    def require(
        self,
        principal: Principal,
        action: Action,
        channel: Channel,
        ecosystem: str | None = None,
        package: str | None = None,
    ) -> None:
        """Pass, or raise.

        Raises:
            Unauthenticated: nobody signed in, and the right is missing.
            Forbidden: somebody did.
        """
        if self.permits(principal, action, channel, ecosystem, package):
            return
        where = f"{package} in channel {channel.name}" if package else f"channel {channel.name}"
        if principal.anonymous:
            raise Unauthenticated(
                f"{action} {where} needs an API key: send it as a Bearer token, "
                "or as the password of Basic authentication"
            )
        raise Forbidden(principal.name, action, where)

    def anywhere(self, principal: Principal, action: Action, channel: Channel) -> bool:
        """Whether they may do `action` to the channel, to an ecosystem in it, or to a package granted to them."""
        grants, closed = self._catalog.grants.about(channel.name)
        policy = self._policy(channel, grants=tuple(grants), closed=closed)
        if any(access.permits(policy, principal, action, ecosystem) for ecosystem in (None, *Ecosystem)):
            return True
        return bool(self.granted(principal, channel, action))

    def granted(
        self, principal: Principal, channel: Channel, action: Action = Action.READ
    ) -> frozenset[tuple[str, str]]:
        """Return the packages, (ecosystem, package), that they may do `action` to because of a grant on them.

        For somebody without the right on the channel these are all there are.
        """
        mine = self._catalog.grants.of_principals(access.names(principal), channel.name)
        wanted = frozenset((grant.ecosystem or "", grant.package) for grant in mine if grant.package)
        policy = self._policy(channel, grants=tuple(mine), closed=wanted)
        return frozenset(
            (ecosystem, package)
            for ecosystem, package in wanted
            if access.permits(policy, principal, action, ecosystem, package)
        )

    def restricted_for(self, principal: Principal, channel: Channel, ecosystem: str) -> frozenset[str]:
        """Return the restricted packages of a channel that they may read: what a list for them holds more."""
        hidden = {name for eco, name in self._catalog.grants.restricted(channel.name) if eco == ecosystem}
        if not hidden:
            return frozenset()
        grants = tuple(self._catalog.grants.of_principals(access.names(principal), channel.name))
        policy = self._policy(channel, grants=grants, closed=frozenset((ecosystem, name) for name in hidden))
        return frozenset(
            name for name in hidden if access.permits(policy, principal, Action.READ, ecosystem, name)
        )

    def sight(self, principal: Principal, channel: str | None = None) -> Sight:
        """Return what they may see, in all channels or in one: for lists, counts and searches."""
        lists: set[str] = set()
        parts: set[tuple[str, str]] = set()
        extra: set[tuple[str, str, str]] = set()
        every = (item for item in self._catalog.channels.list() if channel in (None, item.name))
        for found in every:
            whole = self.permits(principal, Action.READ, found)
            read = {item for item in Ecosystem if whole or self.permits(principal, Action.READ, found, item)}
            if whole:
                lists.add(found.name)
            else:
                parts |= {(found.name, str(ecosystem)) for ecosystem in read}
                extra |= {(found.name, *item) for item in self.granted(principal, found)}
            for ecosystem in read:
                hidden = self.restricted_for(principal, found, ecosystem)
                extra |= {(found.name, str(ecosystem), name) for name in hidden}
        return Sight(channels=frozenset(lists), ecosystems=frozenset(parts), extra=frozenset(extra))

    def open_to_all(self, channel: Channel) -> bool:
        """Whether anyone may read the channel: then its files belong to `public/`."""
        return access.open_to_all(self._policy(channel, grants=(), closed=frozenset()))

    def _policy(
        self, channel: Channel, *, grants: tuple[Grant, ...], closed: frozenset[tuple[str, str]]
    ) -> Policy:
        return Policy(
            channel=channel.name,
            grants=grants,
            closed=closed,
            private=channel.private,
            default_read=self._read,
            default_write=self._write,
        )
