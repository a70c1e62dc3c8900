"""What must be written and removed to go from what is published to what was rendered: pure.

It leaves to `publish.py`: reading, writing, the clock. The order of the plan is the order of publication
(DESIGN section 4): content-addressed files, then leaves in the order given, then removals; a content-addressed
file that nothing names any more is not removed but discarded, since clients may hold an index that names it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packhouse.catalog.areas import Printed
from packhouse.ecosystems import Page, Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, in this order, each class durable before the next begins.

    Attributes:
        fixed: content-addressed files to write.
        leaves: indexes and pages to write, in the order of publication.
        remove: paths of leaves to take away, a compressed variant before its plain file.
        discard: paths of content-addressed files to let go after a grace.
    """

    fixed: Sequence[Page] = ()
    leaves: Sequence[Page] = ()
    remove: Sequence[str] = ()
    discard: Sequence[str] = ()

    @property
    def write(self) -> list[Page]:
        """Everything to write, in order."""
        return [*self.fixed, *self.leaves]

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.fixed or self.leaves or self.remove or self.discard)


def plan(before: Mapping[str, Printed], pages: Pages) -> Plan:
    """Return how to get from `before` to `pages`.

    Args:
        before: what is published of the area; `sha256` None is a path that was removed, empty one that holds
            something else than was written; `mtime_s` 0 is a path that was announced and may or may not be there.
        pages: what was rendered; every path at most once.

    Returns:
        The plan. Bytes that are published already (same sha256) are not in it.

    Raises:
        ValueError: a path is rendered twice; one of the two would be lost.
    """
    fixed, leaves = list(pages.fixed), list(pages.leaves)
    wanted = {page.path for page in fixed} | {page.path for page in leaves}
    if len(wanted) != len(fixed) + len(leaves):
        raise ValueError("a path is rendered twice")
    gone = {
        path: printed.sha256
        for path, printed in before.items()
        if path not in wanted and printed.sha256 is not None
    }
    return Plan(
        fixed=[page for page in fixed if not _is_there(before.get(page.path), page)],
        leaves=[page for page in leaves if _differs(before.get(page.path), page)],
        # Backwards: `index.json.zst` goes before `index.json`.
        remove=sorted((path for path, sha in gone.items() if not (sha and sha in path)), reverse=True),
        # A path that holds its content's digest is content-addressed.
        discard=sorted(path for path, sha in gone.items() if sha and sha in path),
    )


def _is_there(printed: Printed | None, page: Page) -> bool:
    """Whether a content-addressed page is published: its path says what it holds, so nothing is hashed."""
    return bool(printed and printed.mtime_s and printed.sha256 and printed.sha256 in page.path)


def _differs(printed: Printed | None, page: Page) -> bool:
    if printed is None or printed.mtime_s == 0 or printed.size != len(page.body):
        return True
    return printed.sha256 != hashlib.sha256(page.body).hexdigest()
