"""One version of a package as the values of a template: what the page of a package and that of a release share."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packhouse.ecosystems import Page
from packhouse.ecosystems.view import Diff, FileView, PackageView, Requirements
from packhouse.model import Channel
from packhouse.pages import commands
from packhouse.pages.frame import Frame, channel_url
from packhouse.pages.plain import address, may_link, printable, segment
from packhouse.prose import sanitise
from packhouse.render import render
from packhouse.settings import Settings

_FILES_NAMED = 5
"""How many files a line of the security section names; there may be hundreds."""

_CHANGES_SHOWN = 100

_PROVENANCE = re.compile("provenance|attestation|signature", re.IGNORECASE)
"""A format that says something of provenance has said it; a reader should never have to take silence for an answer."""

_NO_PROVENANCE = (
    "There is no provenance: nothing says where and from which source this was built. What is checked is that it is "
    "what was uploaded."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One file: its bytes' address, its own page's (or nothing), and those of what lies beside it (label, address)."""

    file: FileView
    href: str
    page: str
    beside: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement; `href` leads to the package's page, and is empty where it has none here."""

    text: str
    when: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """One line of the security section: what came of a check, and for which files (the first few, and how many)."""

    outcome: str
    text: str
    files: Sequence[str]
    more: int
    every: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A list that may be long: the first lines, and how many more there are."""

    title: str
    added: bool
    lines: Sequence[str]
    more: int


def page(path: str, template: str, frame: Frame, **values: Any) -> Page:
    """Render one page for people from a template of `templates/people/`."""
    body = render(f"people/{template}", **frame.values(), **values)
    # Text comes from strangers' archives; a control character would make the whole document invalid.
    return Page(path, printable(body.decode()).encode())


def release(
    view: PackageView,
    *,
    frame: Frame,
    channel: Channel,
    key: str,
    settings: Settings,
    readers: str,
    files_at: str,
    existing: Collection[str] = (),
    most_files: int | None = None,
) -> dict[str, Any]:
    """Return what the templates want to know of the version that a view shows.

    Args:
        view: of the package.
        frame: where the page stands.
        channel: of the package.
        key: its normalised name.
        settings: of the server.
        readers: who may read it.
        files_at: relative address of the folder of the files' own pages, with a slash at its end; empty where they
            have none yet.
        existing: normalised names of packages that may be linked.
        most_files: how many files are listed; None for all.
    """
    files = rows(view.files[:most_files], here=frame.here, files_at=files_at)
    return {
        "view": view,
        "channel": channel.name,
        "key": key,
        "package_page": f"{frame.here}{view.ecosystem}/{segment(key)}/",
        "snippets": commands.snippets(view.install),
        "channel_url": channel_url(channel, settings),
        "server_url": settings.base_url.rstrip("/"),
        "hints": commands.hints(view.install, readers=readers, channel=channel, settings=settings),
        "readers": commands.readers_sentence(readers, channel),
        "links": [(label, target, may_link(target)) for label, target in view.links],
        "files": files,
        "files_more": len(view.files) - len(files),
        "platforms": list(dict.fromkeys(row.file.platform for row in files if row.file.platform)),
        "requirements": [
            (group.title, list(_requirements(group, view.ecosystem, frame.here, existing)))
            for group in view.requirements
        ],
        "changes": list(_changes(view.diff)) if view.diff else [],
        "checks": list(checks(view.files)),
        "readme_html": sanitise(view.readme.html) if view.readme and view.readme.html else "",
    }


def rows(files: Sequence[FileView], *, here: str, files_at: str) -> list[FileRow]:
    """Return a page's lines for some files.

    Args:
        files: in order.
        here: prefix of the channel's root.
        files_at: relative address of the folder of the files' own pages; empty where they have none yet.
    """
    return [
        FileRow(
            file=file,
            href=here + address(file.path),
            page=f"{files_at}{segment(file.filename)}/" if files_at else "",
            beside=[(label, here + address(path)) for label, path in file.sidecars],
        )
        for file in files
    ]


def checks(files: Sequence[FileView]) -> Iterable[CheckLine]:
    """Yield what was checked of some files, equal lines as one."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        for check in file.checks:
            found.setdefault((check.outcome, check.text), []).append(file.filename)
    for (outcome, text), names in found.items():
        yield CheckLine(
            outcome=outcome,
            text=text,
            files=names[:_FILES_NAMED],
            more=max(0, len(names) - _FILES_NAMED),
            every=len(names) == len(files),
        )
    told = [*(text for _, text in found), *(label for file in files for label, _ in file.sidecars)]
    if files and not any(_PROVENANCE.search(text) for text in told):
        yield CheckLine(outcome="missing", text=_NO_PROVENANCE, files=(), more=0, every=True)


def _requirements(
    group: Requirements, ecosystem: str, here: str, existing: Collection[str]
) -> Iterable[Requirement]:
    for item in group.items:
        known = bool(item.package) and item.package in existing
        href = f"{here}{ecosystem}/{segment(item.package)}/" if known else ""
        yield Requirement(text=item.text, when=item.when, href=href)


def _changes(diff: Diff) -> Iterable[Changes]:
    inside = diff.members_compared
    lists: Mapping[tuple[str, bool], Sequence[str]] = {
        ("Requirements added", True): diff.requirements_added,
        ("Requirements removed", False): diff.requirements_removed,
        ("Files inside added", True): diff.members_added if inside else (),
        ("Files inside removed", False): diff.members_removed if inside else (),
    }
    for (title, added), lines in lists.items():
        if lines:
            yield Changes(
                title=title,
                added=added,
                lines=lines[:_CHANGES_SHOWN],
                more=max(0, len(lines) - _CHANGES_SHOWN),
            )
