"""Very many packages put straight into a catalog: what each is, is one real file's row with another name."""

from sqlalchemy import insert, select

from packhouse import areas
from packhouse.catalog import Catalog, schema
from packhouse.catalog.engine import writing

WORDS = (
    "array",
    "battery",
    "cable",
    "draw",
    "event",
    "fast",
    "graph",
    "http",
    "index",
    "json",
    "kernel",
    "log",
)
AT_ONCE = 1000


def name_of(number: int) -> str:
    """A name as real ones are: half of them begin alike, the rest with any letter."""
    word = WORDS[number % len(WORDS)]
    return f"py{word}{number}" if number % 2 else f"{chr(97 + number % 26)}{word}-{number}"


def fill(catalog: Catalog, channel: str, count: int) -> None:
    """Give a channel so many Python packages more, each like the one it has."""
    with writing(catalog._engine) as connection:
        artifact = (
            connection.execute(select(schema.artifacts).where(schema.artifacts.c.channel == channel))
            .one()
            ._asdict()
        )
        detail = connection.execute(
            select(schema.details.c.body).where(schema.details.c.artifact == artifact["id"])
        ).scalar_one()
        package = (
            connection.execute(select(schema.packages).where(schema.packages.c.channel == channel))
            .one()
            ._asdict()
        )
        del artifact["id"]
        for start in range(0, count, AT_ONCE):
            rows = [one_of(artifact, package, number) for number in range(start, min(start + AT_ONCE, count))]
            connection.execute(insert(schema.packages), [row for _, row in rows])
            made = connection.execute(
                insert(schema.artifacts).returning(schema.artifacts.c.id), [row for row, _ in rows]
            ).scalars()
            connection.execute(
                insert(schema.details), [{"artifact": number, "body": detail} for number in made]
            )


def one_of(artifact: dict, package: dict, number: int) -> tuple[dict, dict]:
    """The two rows of one package."""
    name, summary = (
        name_of(number),
        f"Does {WORDS[number % len(WORDS)]} number {number} for people who need that",
    )
    filename = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    directory = f"packages/{name}"
    file = {"package": name, "filename": filename, "directory": directory, "path": f"{directory}/{filename}"}
    record = {**artifact["record"], "summary": summary, "display": name}
    line = {
        "package": name,
        "display": name,
        "summary": summary,
        "updated_us": package["updated_us"] - number,
    }
    return {**artifact, **file, "record": record}, {**package, **line}


def count_as_published(catalog: Catalog, channel: str, names: list[str]) -> None:
    """Have lists name packages whose pages nobody rendered: what those look like is not what the test is about."""
    with writing(catalog._engine) as connection:
        connection.execute(insert(schema.published), [_counted(channel, name) for name in names])


def _counted(channel: str, name: str) -> dict[str, object]:
    path, area = f"pypi/{name}/index.html", str(areas.page(channel, "pypi", name))
    return {"channel": channel, "path": path, "area": area, "sha256": "0" * 64, "size": 1, "mtime_s": 1}


def mark_lists(catalog: Catalog, channel: str, names: list[str]) -> None:
    """Have everything rendered that lists these packages."""
    lists = {areas.listed(channel, "pypi", name) for name in names}
    everything = {*lists, areas.search(channel), areas.front(channel), areas.SITE}
    catalog.areas.mark(dict.fromkeys(everything, 0.0))
