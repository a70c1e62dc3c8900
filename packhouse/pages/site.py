"""The front page: the channels, what is new, and how the first package of each kind gets in while there is none."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from packhouse.model import Ecosystem
from packhouse.names import ChannelName
from packhouse.pages.feed import News
from packhouse.pages.frame import Frame
from packhouse.pages.lists import news_lines, page
from packhouse.pages.usage import USAGES, lines
from packhouse.settings import Settings

MAX_NEWS = 30

_KEY = {"key": "export PACKHOUSE_KEY=pkh-YOUR-KEY"}

_FIRST: Mapping[Ecosystem, Mapping[str, str]] = {
    Ecosystem.CONDA: {
        "make": "cat > recipe.yaml <<'END'\n"
        'package: {name: hello-conda, version: "1.0"}\n'
        'build: {noarch: generic, script: "mkdir -p $PREFIX/share && echo hello > $PREFIX/share/hello.txt"}\n'
        "END\n"
        "rattler-build build --recipe recipe.yaml --output-dir built\n",
        "upload": USAGES[Ecosystem.CONDA].upload["rattler-build"],
    },
    Ecosystem.PYPI: {
        "make": "uv init --lib hello-packhouse\ncd hello-packhouse\nuv build\n",
        "upload": USAGES[Ecosystem.PYPI].upload["uv"],
    },
    Ecosystem.GENERIC: {
        "make": "echo hello > hello.txt\n",
        "upload": 'curl --fail-with-body --header "Authorization: Bearer $PACKHOUSE_KEY" --upload-file hello.txt'
        " {channel}/products/hello/1.0/hello.txt",
    },
}
"""The first package of each kind, from nothing; a test runs what needs no other tool than those of our tests."""

_INSTALL = {
    "conda": "conda create --name hello --channel {channel} hello-conda",
    "pip": "pip install --index-url {channel}/simple/ hello-packhouse",
    "curl": "curl --fail {channel}/products/hello/1.0/hello.txt",
}

_NOUNS = {
    Ecosystem.CONDA: "the conda package",
    Ecosystem.PYPI: "the Python package",
    Ecosystem.GENERIC: "the file",
}

_TITLES = {
    Ecosystem.CONDA: "A conda package, with rattler-build",
    Ecosystem.PYPI: "A Python package, with uv",
    Ecosystem.GENERIC: "Any other file, with curl",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLine:
    """One channel on the front page.

    Attributes:
        name: of the channel.
        packages: how many packages of each ecosystem the reader may see.
        updated_us: when the last of them changed; 0 where there is none.
    """

    name: ChannelName
    packages: Mapping[Ecosystem, int] = field(default_factory=dict)
    updated_us: int = 0


def site_page(
    channels: Sequence[ChannelLine],
    news: Iterable[News],
    settings: Settings,
    *,
    frame: Frame,
    closed: Collection[str] = (),
) -> bytes:
    """Render the server's front page.

    Args:
        channels: what it names, in order.
        news: what happened lately in them, in any order.
        settings: the default channel gets a badge, and `base_url` is shown.
        frame: where the page stands.
        closed: those of the channels that not everyone may read.
    """
    total = sum(sum(line.packages.values()) for line in channels)
    names = [line.name for line in channels]
    default = settings.default_channel if settings.default_channel in names else next(iter(names), "")
    shown = [
        usage for ecosystem, usage in USAGES.items() if any(line.packages.get(ecosystem) for line in channels)
    ]
    server_url = settings.base_url.rstrip("/")
    return page(
        "index.html",
        "site.html",
        frame,
        title=urlsplit(server_url).hostname or "Packages",
        total=total,
        heads=[usage.kind for usage in shown],
        channels=[
            (line, [line.packages.get(ecosystem, 0) for ecosystem, usage in USAGES.items() if usage in shown])
            for line in channels
        ],
        default=default,
        closed=closed,
        news=news_lines(news, MAX_NEWS, frame.home.removeprefix("./"), named=True),
        server_url=server_url,
        channel_url=f"{server_url}/{default}" if server_url else "",
        steps=_steps(default) if channels and not total else None,
    ).body


def _steps(name: str) -> Mapping[str, object]:
    return {
        "key": lines(_KEY, "the line that sets the key"),
        "install": lines(_INSTALL, "the {} command", name=name),
        "kinds": [
            (
                ecosystem.value,
                _TITLES[ecosystem],
                lines(commands, f"the lines to {{}} {_NOUNS[ecosystem]}", name=name),
            )
            for ecosystem, commands in _FIRST.items()
        ],
    }
