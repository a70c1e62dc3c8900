"""Who may do what: pure functions, and the only place that decides.

What they leave to others: finding out who asks (`uploadd/identity.py`), loading the grants
(`packhouse/rights.py`), and turning a no into a status code.
"""

from packhouse.model import Action, Ecosystem, Grant, Policy, Principal

EVERYONE, AUTHENTICATED = "everyone", "authenticated"
"""The built-in groups; nobody can make, change or delete them."""

BUILT_IN = frozenset({EVERYONE, AUTHENTICATED})


def permits(
    policy: Policy,
    principal: Principal,
    action: Action,
    ecosystem: str | None = None,
    package: str | None = None,
) -> bool:
    """Decide whether `principal` may do `action` in the policy's channel.

    Args:
        policy: of the channel; holds at least the grants on the whole channel and on this package.
        principal: who asks, with groups and the scope of the key.
        action: what they want to do.
        ecosystem: of the package; None asks for the whole channel.
        package: normalised name of the package that owns the file; None asks for the whole channel.

    Returns:
        True if being admin, a grant or a default allows it, and the key's scope does not forbid it. Nobody changes
        anything without an account, whatever `everyone` was granted.

    Raises:
        ValueError: a package without its ecosystem: nothing would be known to be closed.

    Source: DESIGN "Who is who": "The first grant on a package switches the defaults off for it, and it stays so".
    """
    if package is not None and ecosystem is None:
        raise ValueError(f"the package {package} needs its ecosystem")
    in_scope = _in_scope(policy, principal, action)
    if principal.admin or not in_scope:
        return in_scope
    if action is Action.READ and ecosystem == Ecosystem.CONDA:
        package = None  # repodata.json is one file for all packages of a subdir: conda reading is per channel
    closed = package is not None and (ecosystem, package) in policy.closed
    me = names(principal)
    for grant in policy.grants:
        if grant.channel != policy.channel or grant.principal not in me or not _covers(grant.action, action):
            continue
        if grant.package is not None:
            if (grant.ecosystem, grant.package) == (ecosystem, package):
                return True
        # Reading the whole channel is reading what all its readers may; a closed package is not part of that.
        # Who was trusted to change everything in the channel may see what they change.
        elif grant.ecosystem in (None, ecosystem) and not (closed and grant.action is Action.READ):
            return True
    if closed or policy.private:
        return False
    defaults = {Action.READ: policy.default_read, Action.WRITE: policy.default_write}
    return defaults.get(action, "") in principal.groups


def administers(principal: Principal) -> bool:
    """Whether they may manage accounts and the server; an admin's key with a scope may not."""
    return principal.admin and principal.channels is None and principal.actions is None


def open_to_all(policy: Policy) -> bool:
    """Whether anyone may read the channel: then its files belong to `public/`, else to `private/`."""
    return permits(policy, Principal(name="anonymous"), Action.READ)


def restricted(policy: Policy, ecosystem: str, package: str) -> bool:
    """Whether a package is for fewer people than its channel: then its files belong to `restricted/`.

    Such a package is named in no list of its channel. Asked once, when a grant comes or goes; the answer is kept.
    """
    if ecosystem == Ecosystem.CONDA or (ecosystem, package) not in policy.closed:
        return False
    return not permits(policy, Principal(name="anonymous"), Action.READ, ecosystem, package)


def names(principal: Principal) -> set[str]:
    """Return the principals of grants that mean them: themselves, and their groups."""
    groups = {f"group:{group}" for group in principal.groups}
    return groups if principal.anonymous else groups | {f"{principal.kind}:{principal.name}"}


def _in_scope(policy: Policy, principal: Principal, action: Action) -> bool:
    """Whether the key is for that; without an account one only reads."""
    if principal.anonymous and action is not Action.READ:
        return False
    return (principal.channels is None or policy.channel in principal.channels) and (
        principal.actions is None or action in principal.actions
    )


def _covers(granted: Action, wanted: Action) -> bool:
    """`maintain` covers the rest; everything covers reading."""
    return granted in (wanted, Action.MAINTAIN) or wanted is Action.READ


def explain(grant: Grant) -> str:
    """Return a grant as a sentence's part: `read on main/pypi/flask for group:team`."""
    where = "/".join(part for part in (grant.channel, grant.ecosystem, grant.package) if part)
    return f"{grant.action} on {where} for {grant.principal}"
