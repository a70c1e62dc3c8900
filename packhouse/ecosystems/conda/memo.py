"""What was rendered of each package, kept until one of its rows changes: the cost of a change is that of the change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, TypeVar

from packhouse.ecosystems import Records
from packhouse.model import Artifact, Ecosystem

T = TypeVar("T")

_MANY = 200
"""From so many changed packages on, one pass over all rows is cheaper than one query for each."""


_Mark = tuple[tuple[int, int], ...]


def _mark(artifacts: Iterable[Artifact]) -> _Mark:
    return tuple((row.id, row.uploaded_us) for row in artifacts)


@dataclass(slots=True)
class Memo(Generic[T]):
    """One value per package with live files, brought up to date by the serials of the channel.

    The values depend on the rows and the salt alone; history shows nowhere. Should the channel have been deleted and
    made anew since the last refresh, its serials mean other things. So the rows of one package that seems unchanged
    are looked at each time: upload times never repeat, so those of another channel differ, and all is built again.
    """

    values: dict[str, T] = field(default_factory=dict)
    marks: dict[str, _Mark] = field(default_factory=dict)
    serial: int = 0
    salt: bytes | None = None

    def refresh(
        self,
        records: Records,
        build: Callable[[str, Sequence[Artifact]], T],
        *,
        directory: str | None,
        salt: bytes = b"",
    ) -> Mapping[str, T]:
        """Return the values of all packages with live files, by name, sorted.

        Args:
            records: the channel's.
            build: makes the value of one package from its live rows (n >= 1, ordered by path).
            directory: one subdir, or None for the whole channel.
            salt: whatever else the values depend on; another salt builds everything again.
        """
        if self.salt != salt or not self.values:
            self._forget(salt)
        changed = records.changed(Ecosystem.CONDA, directory=directory, since=self.serial)
        same = next((name for name in self.values if name not in changed), None)
        if same is not None and self.marks[same] != _mark(_of(records, same, directory)):
            self._forget(salt)
            changed = records.changed(Ecosystem.CONDA, directory=directory, since=0)
        known = len(self.values)
        try:
            for name, rows in _rows(records, changed, directory):
                if rows:
                    self.values[name], self.marks[name] = build(name, rows), _mark(rows)
                elif self.values.pop(name, None) is not None:
                    del self.marks[name]
                    known -= 1
        finally:
            # Also where a row could not be read: what was added so far is known to the next refresh, which has no
            # reason to sort again.
            if len(self.values) != known:
                self.values = dict(sorted(self.values.items()))
        self.serial = max([self.serial, *changed.values()])
        return self.values

    def _forget(self, salt: bytes) -> None:
        self.values, self.marks, self.serial, self.salt = {}, {}, 0, salt


def _of(records: Records, name: str, directory: str | None) -> list[Artifact]:
    return list(records.live(Ecosystem.CONDA, directory=directory, package=name))


def _rows(
    records: Records, changed: Mapping[str, int], directory: str | None
) -> Iterable[tuple[str, Sequence[Artifact]]]:
    """Yield each changed package with its live rows."""
    if len(changed) < _MANY:
        for name in sorted(changed):
            yield name, _of(records, name, directory)
        return
    gone = set(changed)
    rows = records.live(Ecosystem.CONDA, directory=directory)
    for name, group in groupby(rows, key=lambda row: row.package):
        if name in changed:
            gone.discard(name)
            yield name, list(group)
    for name in sorted(gone):
        yield name, []
