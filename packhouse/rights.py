"""Rights with the grants loaded: the one place where `access.permits` meets the catalog."""

from packhouse import access
from packhouse.catalog import Catalog
from packhouse.errors import Forbidden, Unauthenticated
from packhouse.model import Action, Channel, Principal


class Rights:
    """Decide for one catalog; every decision is live, nothing is cached."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def permits(
        self,
        principal: Principal,
        action: Action,
        channel: Channel,
        ecosystem: str | None = None,
        package: str | None = None,
    ) -> bool:
        """Return whether `principal` may do `action`; `package` is the normalised name of the file's owner."""
        return access.permits(
            self._catalog.accounts.grants(channel.name),
            principal,
            action,
            channel.name,
            ecosystem,
            package,
            private=channel.private,
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
