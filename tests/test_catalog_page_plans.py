"""What pages ask of a large channel is looked up by an index that leads to the few rows it needs, not by reading all."""

import pytest
from house_support import new_house
from sqlalchemy import event

from packhouse.model import Ecosystem


@pytest.fixture
def house(tmp_path):
    house = new_house(tmp_path, "main")
    yield house
    house.close()


def plans(house, ask):
    """Return how SQLite finds what `ask` asks of the records of a channel: one text per statement."""
    records = house.catalog.records("main", lambda _path: None).naming_published("page")
    engine, asked = house.catalog.artifacts._engine, []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    ask(records)
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        return [
            " ".join(str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values))
            for text, values in asked
            if text.startswith("SELECT")
        ]


def test_dependents_are_found_by_what_they_require(house):
    found = plans(house, lambda records: records.dependents(Ecosystem.PYPI, "numpy", 100))

    assert len(found) == 2
    for plan in found:
        assert "INDEX ix_requirements_requires (channel=? AND ecosystem=? AND requires=?" in plan
        assert "packages_1 (channel=? AND ecosystem=? AND package=?)" in plan


def test_the_history_of_a_package_is_found_by_its_paths(house):
    (plan,) = plans(house, lambda records: records.history(Ecosystem.PYPI, "numpy", 50))

    assert "SEARCH events USING INDEX ix_events_path (channel=? AND path=?)" in plan


def test_somebody_may_read_more_restricted_packages_than_an_expression_is_deep(house):
    """SQLite: "Expression tree is too large (maximum depth 1000)"."""
    mine = {(ecosystem, f"p{number}") for ecosystem in ("generic", "pypi") for number in range(600)}
    records = house.catalog.records("main", lambda _path: None).showing(mine)

    assert list(records.packages(Ecosystem.PYPI)) == []
    assert records.happened(10) == []
