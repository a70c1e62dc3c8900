"""Pages for people, and the small files of a channel that no ecosystem owns.

Every link is relative, and each channel carries its own copy of the style sheet, so that a copied channel
folder still looks right. The one absolute address, the channel's own inside shown commands, comes from
`base_url`; where that is empty a script puts in the page's own address, and without scripts a word to replace
stands there.
"""

from collections.abc import Iterable, Sequence

import orjson

from packhouse import lists, manifest
from packhouse.assets import site_files
from packhouse.ecosystems import PackageView, Page, Pages, Records
from packhouse.model import Artifact, Channel, Ecosystem, Json, from_us
from packhouse.pages.frame import STATIC, in_channel
from packhouse.render import render
from packhouse.settings import Settings

_WEB_LINKS = ("https://", "http://", "mailto:")


def serial(number: int) -> Pages:
    """Render `serial.json`: the serial up to which everything of the channel is published."""
    return Pages(leaves=(Page("serial.json", orjson.dumps({"serial": number}) + b"\n"),))


def package(
    channel: Channel, key: str, view: PackageView, files: Iterable[Artifact], settings: Settings
) -> Pages:
    """Render what tells of one package: `versions.json` and the page, both in `<ecosystem>/<key>/`.

    Args:
        channel: of the package.
        key: its normalised name.
        view: what the page shows.
        files: its live files.
        settings: of the server.
    """
    links = [(label, address if _is_safe(address) else "") for label, address in view.links]
    body = render(
        "package.html",
        title=f"{view.name} {view.version} · {channel.name}",
        view=view,
        links=links,
        snippets=lists.snippets(view.install),
        channel=channel.name,
        channel_url=lists.channel_url(channel, settings),
        up="../../",
        **in_channel(2).values(),
    )
    folder = f"{view.ecosystem}/{key}"
    return Pages(
        leaves=(
            Page(f"{folder}/versions.json", versions(view.ecosystem, key, files)),
            Page(f"{folder}/index.html", body),
        )
    )


def versions(ecosystem: str, key: str, files: Iterable[Artifact]) -> bytes:
    """Render `versions.json`: each version's files and top hash, so that it can be verified without the server.

    Versions stand in the order of their last upload, the newest first.
    """
    together: dict[str, list[Artifact]] = {}
    for artifact in files:
        together.setdefault(artifact.version, []).append(artifact)
    found = sorted(together.items(), key=lambda item: (-max(file.uploaded_us for file in item[1]), item[0]))
    body = {
        "package": key,
        "ecosystem": ecosystem,
        "versions": [_version(version, of_it) for version, of_it in found],
    }
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def _version(version: str, files: Sequence[Artifact]) -> dict[str, Json]:
    listed = [manifest.file_of(artifact) for artifact in files]
    last = from_us(max(artifact.uploaded_us for artifact in files))
    return {
        "version": version,
        "top_hash": manifest.top_hash(listed),
        "yanked": all(artifact.yanked is not None for artifact in files),
        "last_uploaded": last.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "files": manifest.as_json(listed),
    }


def channel(channel: Channel, records: Records, settings: Settings) -> Pages:
    """Render the channel's page, and its copy of the assets before it."""
    packages = {ecosystem: records.packages(ecosystem) for ecosystem in Ecosystem}
    assets = [
        Page(f"{STATIC}/{path}", content)
        for path, content in site_files().items()
        if not path.endswith(".html")
    ]
    body = lists.channel_page(channel, packages, settings, static=f"{STATIC}/")
    return Pages(leaves=(*assets, Page("index.html", body)))


def site(channels: Sequence[Channel], settings: Settings) -> Pages:
    """Render the server's front page, with the public channels only, and the assets before it.

    Another channel never shows here: its name alone may be a secret.
    """
    body = lists.site_page([item.name for item in channels if item.place == "public"], settings)
    assets = [Page(f"static/{path}", content) for path, content in site_files().items()]
    return Pages(leaves=(*assets, Page("index.html", body)))


def _is_safe(address: str) -> bool:
    """Whether an address may become a link: the web, mail, or a relative path; never `javascript:`."""
    scheme, colon, _ = address.partition(":")
    return address.lower().startswith(_WEB_LINKS) or not colon or "/" in scheme
