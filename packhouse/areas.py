"""Which pages for people tell of a package: pure, and the same for every ecosystem.

What an ecosystem publishes for its clients (indexes, roots) is its own affair (`Format.areas`). Pages are not: every
package has a page, one page for each of its releases, a line in the lists of its channel and in its search index.
"""

from packhouse.model import Area, Artifact

SITE = Area("", "", "site")
"""The front page and what stands beside it; of no channel."""

LIST_LAG_S = 5.0
"""How long lists, and pages that only mention what changed, may lag, in seconds: no uploader waits for them."""

SEARCH_LAG_S = 2.0
"""How long the search index may lag, in seconds: no client waits for it, and it is rendered whole."""

OTHER = "other"


def letter_of(name: str) -> str:
    """Return under what a package's normalised name is listed: `a` to `z`, `0-9` or `other`."""
    first = name[:1].lower()
    if first.isascii() and first.isalpha():
        return first
    return "0-9" if first.isascii() and first.isdigit() else OTHER


def page(channel: str, ecosystem: str, package: str) -> Area:
    """Return the area of a package's page."""
    return Area(channel, ecosystem, "page", package)


def release(channel: str, ecosystem: str, package: str, version: str) -> Area:
    """Return the area of the pages of one version of a package."""
    return Area(channel, ecosystem, "release", f"{package}/{version}")


def listed(channel: str, ecosystem: str, package: str) -> Area:
    """Return the area of the list that has the package's line."""
    return Area(channel, ecosystem, "list", letter_of(package))


def search(channel: str) -> Area:
    """Return the area of a channel's search index."""
    return Area(channel, "", "search")


def front(channel: str) -> Area:
    """Return the area of the channel's own page."""
    return Area(channel, "", "channel")


def spelled(artifact: Artifact) -> str:
    """Return the version of a file as pages spell it: the format's normal form, where its record has one."""
    return str(artifact.record.get("version") or artifact.version)


def own(artifact: Artifact) -> tuple[Area, ...]:
    """Return the areas of the pages that show a file: its release's, then its package's, which links to that."""
    channel, ecosystem, package = artifact.channel, artifact.ecosystem.value, artifact.package
    return release(channel, ecosystem, package, spelled(artifact)), page(channel, ecosystem, package)


def naming(channel: str, ecosystem: str, package: str) -> tuple[Area, ...]:
    """Return the areas of everything in which a package has a line."""
    return listed(channel, ecosystem, package), search(channel), front(channel), SITE


def birth(channel: str) -> tuple[Area, ...]:
    """Return the areas of an empty channel."""
    return search(channel), front(channel)
