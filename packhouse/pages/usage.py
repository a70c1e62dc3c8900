"""How a channel is used: the addresses of its indexes, how tools are told of them, how a first package gets in.

Commands are ours; only names and addresses are put in. Where an address goes stays marked, because it is known either
from `base_url` or, in the browser, from the page's own address.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packhouse.model import Ecosystem
from packhouse.pages.plain import segment

_PLACEHOLDER = re.compile(r"\{(channel|server|name|package)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Something to copy.

    Attributes:
        title: the tool, or the file it is for.
        copied: what the button says it copies.
        pieces: text, and the address that follows it: `channel`, `server` or none.
    """

    title: str
    copied: str
    pieces: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What is said of one ecosystem, in any channel.

    Attributes:
        title: of its list of packages.
        kind: of one package, in a list of all kinds.
        address: what its clients call the channel, below it.
        called: their word for that.
        tools: that read it.
        commands: tool to command; one with `{package}` needs one to exist.
        files: configuration file to content.
        upload: tool to command; files to upload lie in `dist/` or `built/`.
        advice: what to mind, if anything.
    """

    title: str
    kind: str
    address: str
    called: str
    tools: Sequence[str]
    commands: Mapping[str, str]
    files: Mapping[str, str]
    upload: Mapping[str, str]
    advice: str = ""


USAGES: Mapping[Ecosystem, Usage] = {
    Ecosystem.CONDA: Usage(
        title="Conda packages",
        kind="conda",
        address="",
        called="Conda channel",
        tools=("pixi", "conda", "mamba", "rattler-build"),
        commands={
            "pixi": "pixi workspace channel add {channel}",
            "conda, mamba": "conda config --add channels {channel}",
            "rattler-build": "rattler-build build --recipe recipe.yaml --channel {channel} --channel conda-forge",
        },
        files={
            ".condarc": "channels:\n  - {channel}\n  - conda-forge\n",
            "pixi.toml": '[workspace]\nchannels = ["{channel}", "conda-forge"]\n',
        },
        upload={
            "rattler-build": "rattler-build upload prefix --url {server} --channel {name}"
            ' --api-key "$PACKHOUSE_KEY" built/noarch/*.conda',
            "packhouse": "packhouse push built/noarch/*.conda --channel {name} --server {server}",
        },
    ),
    Ecosystem.PYPI: Usage(
        title="Python packages",
        kind="Python",
        address="/simple/",
        called="Python index",
        tools=("pip", "uv", "poetry"),
        commands={
            "pip": "pip install --index-url {channel}/simple/ {package}",
            "uv": "uv pip install --index-url {channel}/simple/ {package}",
            "uv project": "uv add --index {name}={channel}/simple/ {package}",
            "poetry": "poetry source add --priority=primary {name} {channel}/simple/",
        },
        files={
            "pip.conf": "[global]\nindex-url = {channel}/simple/\n",
            "uv.toml": '[[index]]\nname = "{name}"\nurl = "{channel}/simple/"\ndefault = true\n',
        },
        upload={
            "uv": 'uv publish --publish-url {channel}/legacy/ --token "$PACKHOUSE_KEY" dist/*',
            "twine": "twine upload --repository-url {channel}/legacy/ --username __token__"
            ' --password "$PACKHOUSE_KEY" dist/*',
        },
        # docs/protocol/reading.md: "pip installs the highest version that any of its indexes has"
        advice="Give pip this index alone, with --index-url. Beside another one, as --extra-index-url, a higher version"
        " that a stranger uploads there is installed instead of yours.",
    ),
    Ecosystem.GENERIC: Usage(
        title="Build products",
        kind="product",
        address="/products/",
        called="Build products",
        tools=("curl",),
        commands={
            "all products": "curl --fail {channel}/products/index.json",
            "one product": "curl --fail {channel}/products/{package}/index.json",
        },
        files={},
        upload={
            "curl": 'curl --fail-with-body --header "Authorization: Bearer $PACKHOUSE_KEY" --upload-file FILE'
            " {channel}/products/NAME/VERSION/FILE",
            "packhouse": "packhouse push FILE --channel {name} --product NAME --version VERSION --server {server}",
        },
    ),
}
"""In the order in which a page shows them."""


def lines(
    commands: Mapping[str, str], copied: str, *, name: str = "", package: str = "", before: str = ""
) -> list[Lines]:
    """Return commands ready for a page.

    Args:
        commands: title to text with placeholders; what names `{package}` is left out where there is none.
        copied: what a button copies, with `{}` for the title: "the {} command".
        name: of the channel.
        package: normalised name of one that exists; may be empty.
        before: put before each command.
    """
    texts = {"name": name, "package": shlex.quote(segment(package)) if package else ""}
    return [
        Lines(title=title, copied=copied.replace("{}", title), pieces=_pieces(before + command, texts))
        for title, command in commands.items()
        if package or "{package}" not in command
    ]


def _pieces(command: str, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Split, never format: what is put in may hold braces itself."""
    *parts, last = _PLACEHOLDER.split(command)
    found, text = [], ""
    for part, placeholder in zip(parts[::2], parts[1::2], strict=True):
        text += part
        if placeholder in texts:
            text += texts[placeholder]
        else:
            found.append((text, placeholder))
            text = ""
    return [*found, (text + last, "")]
