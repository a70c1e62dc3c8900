"""A badge: the newest version of a package as a small picture, to show elsewhere."""

from dataclasses import dataclass

from packhouse.pages.plain import printable
from packhouse.render import render

_LONGEST = 40
_CHARACTER, _MARGIN = 6.6, 12.0
"""Widths in pixels: of a character of the badge's type (11 px Verdana and its kin), and of what is beside the text."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A drawn badge, and its width in pixels; 20 is its height."""

    svg: bytes
    width: int


def draw(label: str, version: str, *, yanked: bool = False) -> Badge:
    """Draw the badge of a package.

    Args:
        label: the package's name.
        version: its newest version.
        yanked: whether that version is yanked.
    """
    left = _short(printable(label))
    right = _short(printable(version)) + (" yanked" if yanked else "")
    widths = _width(left), _width(right)
    svg = render("people/badge.svg", left=left, right=right, widths=widths, yanked=yanked)
    return Badge(svg, sum(widths))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _width(text: str) -> int:
    # The text is then fitted to exactly this width (`textLength`), whatever type the viewer has.
    return round(len(text) * _CHARACTER + _MARGIN)
