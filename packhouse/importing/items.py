"""What a source yields: files, with what the source says of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from packhouse.digest import parse_digest
from packhouse.errors import Malformed
from packhouse.model import Ecosystem, to_us

_CHUNK = 1 << 20

Body = Callable[[], AbstractContextManager[Iterator[bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file of a source.

    Attributes:
        name: the file's name, not yet judged.
        where: path or URL, for messages.
        body: opens the bytes.
        directory: where in the channel the source has it, if that means something (a conda subdir).
        size: bytes, if the source says so.
        digests: what the source says: `sha256`, `md5`, lower-case hex.
        uploaded_us: microseconds since 1970 UTC; None where the source does not tell.
        yanked: the reason (may be empty), or None.
    """

    name: str
    where: str
    ecosystem: Ecosystem
    body: Body
    directory: str | None = None
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    uploaded_us: int | None = None
    yanked: str | None = None


class Source(Protocol):
    """Something that can be imported.

    Attributes:
        title: what it is, for people: "a conda channel".
        total: how many files it has, None where that shows only on the way.
    """

    title: str
    total: int | None

    def items(self) -> Iterator[Item]:
        """Yield every file once."""
        ...

    def hotfixes(self) -> Mapping[str, bytes]:
        """Return the hotfix files to take along: path in the channel to bytes."""
        ...


def local(find: Callable[[], Path]) -> Body:
    """Return the body of a local file; `find` tells its path when it is opened, and may refuse."""

    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        with find().open("rb") as file:
            yield iter(lambda: file.read(_CHUNK), b"")

    return opened


def told_digests(said: Mapping[str, object]) -> dict[str, str]:
    """Return those of the digests a source tells that we know; what is no digest was not told."""
    found = {}
    for algorithm in ("sha256", "md5"):
        if isinstance(text := said.get(algorithm), str):
            try:
                found[algorithm] = parse_digest(algorithm, text)
            except Malformed:
                continue
    return found


def told_time(text: object) -> int | None:
    """Return an upload time as microseconds since 1970 UTC; None for anything that is none (PEP 700: ISO 8601)."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # PEP 700 has UTC only; a time without a zone could be hours off.
    return to_us(moment) if moment.tzinfo is not None else None
