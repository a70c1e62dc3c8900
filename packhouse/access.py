"""Who may do what: pure functions, and the only place that decides.

What they leave to others: finding out who asks (`uploadd/identity.py`), loading the grants
(`packhouse/catalog`), and turning a no into a status code.
"""

from collections.abc import Iterable

from packhouse.model import Action, Grant, Principal


def permits(
    grants: Iterable[Grant],
    principal: Principal,
    action: Action,
    channel: str,
    ecosystem: str | None = None,
    package: str | None = None,
    *,
    private: bool = False,
    default_read: str = "everyone",
    default_write: str = "",
) -> bool:
    """Decide whether `principal` may do `action`.

    Args:
        grants: the grants of `channel`, those of other channels do no harm; any order.
        principal: who asks, with groups and the scope of the key.
        action: what they want to do.
        channel: where.
        ecosystem: of the package; None asks for the whole channel.
        package: normalised name of the package that owns the file; None asks for the whole channel.
        private: whether the channel is private: then the defaults do not apply to reading.
        default_read: the group that may read what has no grant.
        default_write: the group that may write what has no grant; empty is nobody.

    Returns:
        True if some grant, a default or being admin allows it and the key's scope does not forbid it.

    Source: DESIGN "Who is who": "The first grant on a package switches the defaults off for it".
    """
    in_scope = (principal.channels is None or channel in principal.channels) and (
        principal.actions is None or action in principal.actions
    )
    if principal.admin or not in_scope:
        return in_scope
    me = {f"{principal.kind}:{principal.name}"} | {f"group:{group}" for group in principal.groups}
    here = [grant for grant in grants if grant.channel == channel]
    of_package = [g for g in here if package is not None and (g.ecosystem, g.package) == (ecosystem, package)]
    relevant = of_package + [
        grant for grant in here if grant.package is None and grant.ecosystem in (None, ecosystem)
    ]
    if any(grant.principal in me and _covers(grant.action, action) for grant in relevant):
        return True
    # Without a grant that fits, the defaults decide, and only for a package that has no grant of its own.
    defaults = {Action.READ: "" if private else default_read, Action.WRITE: default_write}
    return not of_package and defaults.get(action, "") in principal.groups


def _covers(granted: Action, wanted: Action) -> bool:
    """`maintain` covers the rest; everything covers reading."""
    return granted in (wanted, Action.MAINTAIN) or wanted is Action.READ


def readable_by_all(
    grants: Iterable[Grant], channel: str, ecosystem: str, package: str, *, private: bool
) -> bool:
    """Whether a package is served from `public/`: asked once, where its place is decided."""
    stranger = Principal(name="anonymous")
    return permits(grants, stranger, Action.READ, channel, ecosystem, package, private=private)
