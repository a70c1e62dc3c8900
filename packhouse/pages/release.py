"""The page of one release, and one for each of its files: what is inside, and what was checked. Pure.

These are rendered when the release itself changes, so they never say what another release may make untrue.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from packhouse.ecosystems import Page, Pages
from packhouse.ecosystems.view import FileView, PackageView
from packhouse.model import Channel
from packhouse.pages import commands, shown
from packhouse.pages.frame import channel_url, in_channel
from packhouse.pages.plain import address, segment
from packhouse.settings import Settings

MAX_MEMBERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    row: shown.FileRow
    snippets: Sequence[commands.Snippet]
    checks: Sequence[shown.CheckLine]
    members: Sequence[tuple[str, int]]
    more: int


def release_pages(
    view: PackageView, *, channel: Channel, key: str, settings: Settings, readers: str
) -> Pages:
    """Render everything that stands in `<ecosystem>/<key>/release/<version>/`.

    Args:
        view: of the release.
        channel: of the package.
        key: its normalised name.
        settings: of the server.
        readers: who may read it: `everyone`, `channel` or `granted`.
    """
    folder = f"{view.ecosystem}/{key}/release/{view.version}"
    frame = in_channel(4)
    values = shown.release(
        view,
        frame=frame,
        channel=channel,
        key=key,
        settings=settings,
        readers=readers,
        files_at="files/",
    )
    title = f"{view.name} {view.version} · {channel.name}"
    page = shown.page(f"{folder}/index.html", "release.html", frame, title=title, **values)
    # Conda's subdirs may hold files of one name; they share a page.
    namesakes: dict[str, list[FileView]] = {}
    for file in view.files:
        namesakes.setdefault(file.filename, []).append(file)
    pages = [
        _file_page(view, folder, files, channel=channel, key=key, settings=settings, readers=readers)
        for files in namesakes.values()
    ]
    return Pages(leaves=(*pages, page))


def _file_page(
    view: PackageView,
    folder: str,
    files: Sequence[FileView],
    *,
    channel: Channel,
    key: str,
    settings: Settings,
    readers: str,
) -> Page:
    filename = files[0].filename
    frame = in_channel(6)
    return shown.page(
        f"{folder}/files/{filename}/index.html",
        "file.html",
        frame,
        title=f"{filename} · {channel.name}",
        name=view.name,
        version=view.version,
        filename=filename,
        channel=channel.name,
        package_page=f"{frame.here}{view.ecosystem}/{segment(key)}/",
        channel_url=channel_url(channel, settings),
        server_url=settings.base_url.rstrip("/"),
        readers=commands.readers_sentence(readers, channel),
        hints=commands.hints(("curl",), readers=readers, channel=channel, settings=settings),
        entries=[_entry(row) for row in shown.rows(files, here=frame.here, files_at="../")],
    )


def _entry(row: shown.FileRow) -> _Entry:
    file = row.file
    members = file.members[:MAX_MEMBERS]
    return _Entry(
        row=row,
        snippets=commands.snippets(_fetch(file)),
        checks=list(shown.checks([file])),
        members=members,
        more=max(0, file.members_total - len(members)),
    )


def _fetch(file: FileView) -> dict[str, str]:
    # --remote-name would keep percent-encoded characters in the name.
    name = shlex.quote(file.filename)
    return {
        "curl": f"curl --fail --location --output {name} {{channel}}/{address(file.path)}",
        "sha256sum": f"echo {shlex.quote(f'{file.sha256}  {file.filename}')} | sha256sum --check",
    }
