"""The line that the catalog keeps of each package, what it requires, and which areas a change of it makes dirty."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, insert, select, update

from packhouse import areas as people
from packhouse.catalog import schema
from packhouse.catalog.areas import mark
from packhouse.model import Area, Artifact, Ecosystem, Json, State

_T, _P, _R = schema.artifacts, schema.packages, schema.requirements
_BATCH = 500


class Rules(Protocol):
    """What the catalog asks of a format when a package changes (a part of `ecosystems.Format`)."""

    def newest(self, versions: Iterable[str]) -> str:
        """Return the newest of n >= 1 versions."""
        ...

    def in_order(self, versions: Iterable[str]) -> list[str]:
        """Return different versions as pages spell them, oldest first."""
        ...

    def requires(self, record: Mapping[str, Json]) -> Sequence[str]:
        """Return the normalised names of the packages that a file needs."""
        ...

    def mentions(self, record: Mapping[str, Json]) -> Sequence[str]:
        """Return the normalised names of all packages to which a file's requirements may lead from a page."""
        ...

    def areas(self, artifact: Artifact, *, first_or_last: bool) -> Mapping[Area, float]:
        """Return the areas to mark, with the seconds each may wait."""
        ...


def touch_package(connection: Connection, artifact: Artifact, rules: Rules, now: int) -> dict[Area, int]:
    """Bring the package's line up to date and mark the areas of a changed artifact.

    Returns:
        The generations of the areas that are due at once, for the uploader to wait for.
    """
    where = _is(_P, artifact)
    before = connection.execute(select(_P).where(where)).one_or_none()
    rows = connection.execute(
        select(
            _T.c.version,
            func.count().label("files"),
            func.sum(_T.c.size).label("size"),
            func.max(_T.c.uploaded_us).label("uploaded_us"),
            func.max(_T.c.id).label("speaker"),
            func.max(case((_T.c.yanked.is_(None), 1), else_=0)).label("stands"),
        )
        .where(_is(_T, artifact), _T.c.state == State.LIVE)
        .group_by(_T.c.version)
    ).all()
    values = _line(connection, artifact, rows, rules, now)
    if before is None:
        key = {"channel": artifact.channel, "ecosystem": artifact.ecosystem, "package": artifact.package}
        connection.execute(insert(_P).values(**key, **values))
    else:
        connection.execute(update(_P).where(where).values(**values))
    changed = _renew_requirements(connection, artifact, values["latest"], rules)
    first_or_last = before is None or before.files == 0 or not rows
    delays = dict(rules.areas(artifact, first_or_last=first_or_last))
    delays |= _pages(artifact, [row.version for row in rows], rules)
    told = None if before is None else (before.display, before.summary)
    if first_or_last or told != (values["display"], values["summary"]):
        delays[people.search(artifact.channel)] = people.SEARCH_LAG_S
    near = [
        people.page(artifact.channel, artifact.ecosystem.value, name)
        for name in _existing(connection, artifact, changed)
    ]
    if not rows:  # links to it vanish; they appear when its page is there (`indexer/publish.py`)
        near += neighbours(connection, artifact.channel, artifact.ecosystem, artifact.package)
    for area in near:
        delays.setdefault(area, people.LIST_LAG_S)
    return mark(connection, delays, now)


def neighbours(connection: Connection, channel: str, ecosystem: Ecosystem, package: str) -> list[Area]:
    """Return the pages that link to a package: of those that require it, that it requires, and of its namesakes."""
    mine = (_R.c.channel == channel, _R.c.ecosystem == ecosystem)
    with_it = select(_R.c.package).where(*mine, _R.c.requires == package)
    for_it = select(_R.c.requires).where(*mine, _R.c.package == package)
    names = connection.execute(
        select(_P.c.package).where(
            _P.c.channel == channel,
            _P.c.ecosystem == ecosystem,
            _P.c.files > 0,
            _P.c.package.in_(with_it.union(for_it)),
        )
    ).scalars()
    pages = [people.page(channel, ecosystem.value, name) for name in sorted(names)]
    namesakes = connection.execute(
        select(_P.c.ecosystem).where(
            _P.c.channel == channel, _P.c.package == package, _P.c.ecosystem != ecosystem, _P.c.files > 0
        )
    ).scalars()
    return pages + [people.page(channel, other, package) for other in sorted(namesakes)]


def _pages(artifact: Artifact, versions: Sequence[str], rules: Rules) -> dict[Area, float]:
    """Return the pages for people that show a changed file, with the seconds each may wait."""
    channel, ecosystem, package = artifact.channel, artifact.ecosystem.value, artifact.package
    delays = dict.fromkeys(people.own(artifact), 0.0)
    ordered, mine = rules.in_order({*versions, artifact.version}), people.spelled(artifact)
    following = ordered[ordered.index(mine) + 1 :] if mine in ordered else []
    # What changed since the version before is shown there: on the next one, and on the next final one, since a final
    # version is compared with the final one before it.
    for place, version in enumerate(following):
        supersedes = rules.newest([mine, version]) == version
        if place == 0 or supersedes:
            delays[people.release(channel, ecosystem, package, version)] = people.LIST_LAG_S
        if supersedes:
            break
    for area in (people.listed(channel, ecosystem, package), people.front(channel), people.SITE):
        delays[area] = people.LIST_LAG_S
    return delays


def _line(
    connection: Connection, artifact: Artifact, rows: Sequence[Row[Any]], rules: Rules, now: int
) -> dict[str, Any]:
    """Return the columns of the package's line; `rows` are its versions with a live file."""
    values: dict[str, Any] = {
        "serial": artifact.serial,
        "files": sum(row.files for row in rows),
        "size": sum(row.size for row in rows),
        "latest": "",
        "display": artifact.package,
        "summary": "",
        "updated_us": now,
        "subdirs": [],
    }
    if rows:
        # As pages and installers have it: a yanked version is the newest only where there is no other.
        standing = [row for row in rows if row.stands] or rows
        values["latest"] = rules.newest([row.version for row in standing])
        speaker = next(row.speaker for row in rows if row.version == values["latest"])
        record = connection.execute(select(_T.c.record).where(_T.c.id == speaker)).scalar_one()
        values["display"] = record.get("name") or artifact.package
        values["summary"] = record.get("summary") or _summary(connection, speaker)
        values["updated_us"] = max(row.uploaded_us for row in rows)
        if artifact.ecosystem is Ecosystem.CONDA:
            values["subdirs"] = sorted(
                connection.execute(
                    select(_T.c.directory).where(_is(_T, artifact), _T.c.state == State.LIVE).distinct()
                ).scalars()
            )
    return values


def _summary(connection: Connection, artifact_id: int) -> str:
    """Return the summary that a format keeps among the details, because its records have no place for one."""
    table = schema.details
    body = connection.execute(
        select(table.c.body).where(table.c.artifact == artifact_id)
    ).scalar_one_or_none()
    return str((body or {}).get("summary") or "")


def _renew_requirements(
    connection: Connection, artifact: Artifact, latest: str, rules: Rules
) -> frozenset[str]:
    """Write what the newest version requires; returns the names of which it became or ceased to be a dependent."""
    where = _is(_R, artifact)
    rows = connection.execute(select(_R.c.requires, _R.c.optional).where(where)).all()
    before = {row.requires: row.optional for row in rows}
    records = connection.execute(
        select(_T.c.record).where(_is(_T, artifact), _T.c.state == State.LIVE, _T.c.version == latest)
    ).scalars()
    after: dict[str, bool] = {}
    for record in records:
        after = (
            dict.fromkeys(rules.mentions(record), True) | after | dict.fromkeys(rules.requires(record), False)
        )
    gone = sorted(name for name in before if before[name] != after.get(name))
    for start in range(0, len(gone), _BATCH):
        connection.execute(delete(_R).where(where, _R.c.requires.in_(gone[start : start + _BATCH])))
    if new := sorted(name for name in after if after[name] != before.get(name)):
        key = {"channel": artifact.channel, "ecosystem": artifact.ecosystem, "package": artifact.package}
        connection.execute(insert(_R), [{**key, "requires": name, "optional": after[name]} for name in new])
    return frozenset(name for name in (*gone, *new) if False in (before.get(name), after.get(name)))


def _existing(connection: Connection, artifact: Artifact, names: Iterable[str]) -> list[str]:
    """Return those of some packages that have a live file, in batches that every database takes."""
    wanted, found = sorted(names), list[str]()
    for start in range(0, len(wanted), _BATCH):
        found += connection.execute(
            select(_P.c.package).where(
                _P.c.channel == artifact.channel,
                _P.c.ecosystem == artifact.ecosystem,
                _P.c.files > 0,
                _P.c.package.in_(wanted[start : start + _BATCH]),
            )
        ).scalars()
    return found


def _is(table: Any, artifact: Artifact) -> ColumnElement[bool]:
    return and_(
        table.c.channel == artifact.channel,
        table.c.ecosystem == artifact.ecosystem,
        table.c.package == artifact.package,
    )
