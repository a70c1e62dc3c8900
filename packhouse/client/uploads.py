"""Upload files: one way per ecosystem, and waiting until what was uploaded is listed.

conda     POST /api/v1/upload/<channel>          the raw body, X-File-Name, X-File-SHA256
Python    POST /<channel>/legacy/                the form that PyPI takes
products  PUT  /<channel>/products/<product>/<version>/<file>
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from packhouse.client.connection import Answer, Missing, Server, ServerRefused, Unreachable
from packhouse.digest import Digests, digest
from packhouse.ecosystems.registry import format_of
from packhouse.errors import BadName
from packhouse.model import Claim, Ecosystem
from packhouse.names import ChannelName, parse_filename, parse_segment

LISTED_S = 60.0
"""How long a stored file may take to be listed."""
_LOOK_S = 0.25
_CHUNK = 1 << 18
_ACCEPTED, _CONFLICT = 202, 409

Progress = Callable[[int], None]
"""Told how many bytes more were sent; a negative number takes back what an earlier try had sent."""


class Outcome(StrEnum):
    """What became of a file."""

    UPLOADED = "uploaded"
    UNCHANGED = "unchanged"
    """The same bytes were there already."""
    SKIPPED = "skipped"
    """Other bytes are there, and that was said to be fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A file that is ready to be sent: what it claims, and what its bytes hash to."""

    file: Path
    claim: Claim
    digests: Digests


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one file, the server's warnings about it, and the serial its channel has since (0: none told)."""

    outcome: Outcome
    notes: tuple[str, ...] = ()
    serial: int = 0


def pack(
    file: Path,
    channel: ChannelName,
    *,
    product: str | None = None,
    version: str | None = None,
    force: bool = False,
    lenient: bool = False,
) -> Parcel:
    """Read a file and say what it is.

    Args:
        file: to upload.
        channel: where to.
        product: makes it a build product, with `version`.
        version: of the product.
        force: replace other bytes.
        lenient: judge as an import does.

    Raises:
        BadName: no ecosystem recognises the name and no product was named, or a name is unsafe.
        OSError: it cannot be read.
    """
    name = parse_filename(file.name)
    if product is not None and version is not None:
        ecosystem = Ecosystem.GENERIC
        directory = (
            f"products/{parse_segment('product name', product)}/{parse_segment('product version', version)}"
        )
    else:
        try:
            ecosystem, directory = format_of(name).ecosystem, None
        except BadName as error:
            raise BadName(
                error.kind, name, f"{error.rule}; any other file needs --product NAME --version VERSION"
            ) from error
    with file.open("rb") as stream:
        digests = digest(iter(lambda: stream.read(_CHUNK), b""))
    claim = Claim(
        channel=channel,
        ecosystem=ecosystem,
        filename=name,
        size=digests.size,
        digests={"sha256": digests.sha256},
        directory=directory,
        package=product if directory else None,
        version=version if directory else None,
        force=force,
        lenient=lenient,
    )
    return Parcel(file=file, claim=claim, digests=digests)


def push(
    server: Server, parcel: Parcel, *, skip_existing: bool = False, progress: Progress | None = None
) -> Pushed:
    """Upload one file and return when every index lists it.

    Args:
        server: where to.
        parcel: from `pack`.
        skip_existing: other bytes under the name are no error; they stay.
        progress: told of the bytes sent.

    Raises:
        ServerRefused: the server said no.
        Unreachable: it did not answer, or stored the file and did not list it in time.
    """
    sender = {Ecosystem.CONDA: _conda, Ecosystem.PYPI: _python, Ecosystem.GENERIC: _product}
    try:
        answer = sender[parcel.claim.ecosystem](server, parcel, progress or _ignore)
    except ServerRefused as error:
        if skip_existing and error.status == _CONFLICT:
            return Pushed(Outcome.SKIPPED, (str(error),))
        raise
    if answer.status == _ACCEPTED:
        wait_until_listed(server, parcel.claim.channel, int(answer.body.get("serial", 0)))
    outcome = Outcome.UPLOADED if answer.body.get("changed", True) else Outcome.UNCHANGED
    notes = tuple(map(str, answer.body.get("warnings") or ()))
    return Pushed(outcome, notes, int(answer.body.get("serial", 0)))


def wait_until_listed(server: Server, channel: str, serial: int, *, within_s: float | None = None) -> None:
    """Wait until everything of a channel is published up to `serial`.

    Args:
        server: where.
        channel: which.
        serial: of the change.
        within_s: the longest wait, in seconds; None is `LISTED_S`.

    Raises:
        Unreachable: it is not published in that time.
    """
    longest_s = LISTED_S if within_s is None else within_s
    deadline = time.monotonic() + longest_s
    while True:
        try:
            published = server.ask("GET", f"/{channel}/serial.json").body.get("serial", 0)
        except Missing:
            published = 0  # a channel's first upload may come before its first pages
        if published >= serial:
            return
        if time.monotonic() > deadline:
            raise Unreachable(
                f"the server stored it, but did not list it in {longest_s:g} s: {channel} is published up to serial "
                f"{published}, and not {serial}; its indexer is behind or stopped"
            )
        server.sleep(_LOOK_S)


def _conda(server: Server, parcel: Parcel, progress: Progress) -> Answer:
    return server.ask(
        "POST",
        f"/api/v1/upload/{parcel.claim.channel}",
        query={"force": _flag(parcel)},
        headers={
            "Content-Type": "application/octet-stream",
            "Content-Length": str(parcel.digests.size),
            "X-File-Name": parcel.claim.filename,
            "X-File-SHA256": parcel.digests.sha256,
        },
        body=_Meter(progress).over(lambda: _pieces(parcel.file)),
    )


def _product(server: Server, parcel: Parcel, progress: Progress) -> Answer:
    return server.ask(
        "PUT",
        f"/{parcel.claim.channel}/{quote(parcel.claim.directory or '', safe='/')}/{quote(parcel.claim.filename)}",
        query={"force": _flag(parcel)},
        headers={
            "Content-Type": "application/octet-stream",
            "Content-Length": str(parcel.digests.size),
            "X-File-SHA256": parcel.digests.sha256,
        },
        body=_Meter(progress).over(lambda: _pieces(parcel.file)),
    )


def _python(server: Server, parcel: Parcel, progress: Progress) -> Answer:
    boundary = secrets.token_hex(16)
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "filetype": "bdist_wheel" if parcel.claim.filename.endswith(".whl") else "sdist",
        "sha256_digest": parcel.digests.sha256,
        "blake2_256_digest": parcel.digests.blake2b_256,
    }
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    # The gate let only ASCII letters, digits and . _ + ! - into the file name: nothing to quote.
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{parcel.claim.filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    before, after = head.encode("ascii"), f"\r\n--{boundary}--\r\n".encode("ascii")

    meter = _Meter(progress)

    def form() -> Iterator[bytes]:
        yield before
        yield from meter.count(_pieces(parcel.file))
        yield after

    return server.ask(
        "POST",
        f"/{parcel.claim.channel}/legacy/",
        query={"force": _flag(parcel)},
        headers={
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(before) + parcel.digests.size + len(after)),
        },
        body=form,
    )


class _Meter:
    """Counts what is sent; a second try takes back what the first one counted."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._sent = progress, 0

    def over(self, body: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
        """Return a body that counts itself."""
        return lambda: self.count(body())

    def count(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the pieces and tell of them."""
        self._progress(-self._sent)
        self._sent = 0
        for piece in pieces:
            yield piece
            self._sent += len(piece)
            self._progress(len(piece))


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            yield piece


def _flag(parcel: Parcel) -> str:
    return "true" if parcel.claim.force else ""


def _ignore(_sent: int) -> None:
    """Nobody watches."""
