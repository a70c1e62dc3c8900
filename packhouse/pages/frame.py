"""Where a page stands: the relative prefixes that lead from it to everything that surrounds it.

Links are relative, so that a channel's folder can be copied to another host or below another path and still works.
"""

from dataclasses import dataclass

from packhouse.model import Channel
from packhouse.settings import Settings

STATIC = "_static"
"""Folder of a channel that holds its copy of the assets; no subdir and no other name of the layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every page needs to link to what is around it.

    Attributes:
        home: prefix of the site's root: `../../../`, or `/` for pages that the daemon answers.
        here: prefix of the channel's root: `../../`, or `./`; empty for a page outside any channel.
        static: prefix of the assets.
    """

    home: str
    here: str
    static: str

    def values(self) -> dict[str, str]:
        """Return what `base.html` wants to know."""
        return {"home": self.home, "here": self.here, "static": self.static}


def in_channel(depth: int) -> Frame:
    """Return the frame of a page `depth` folders below its channel's root (0: the channel's own page)."""
    here = "../" * depth or "./"
    return Frame(home="../" * (depth + 1), here=here, static=f"{here}{STATIC}/")


AT_ROOT = Frame(home="./", here="", static="static/")
"""The site's front page."""


def channel_url(channel: Channel, settings: Settings) -> str:
    """Return the channel's absolute address without a slash at its end; empty where `base_url` is not set."""
    return f"{settings.base_url.rstrip('/')}/{channel.name}" if settings.base_url else ""
