"""A daemon with a few packages, one of them restricted, and one question in GraphQL to it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from conda_support import make_conda
from house_support import Direct, take_in
from pypi_support import make_wheel
from uploadd_support import Daemon, run_daemon

from packhouse.intake import moving
from packhouse.intake.receive import Intake
from packhouse.model import Action, Ecosystem, Grant

JSON = {"Content-Type": "application/json"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@asynccontextmanager
async def graphql_daemon(data_directory: Path) -> AsyncIterator[Daemon]:
    """Wheels six 1.0 and 2.0, and secret 1.0 which is restricted to insider, in main; conda numpy in main and closed."""
    async with run_daemon(data_directory, Direct()) as running:
        house = running.house
        intake = Intake(house, Direct())
        for name, version in (("six", "1.0"), ("six", "2.0"), ("secret", "1.0")):
            take_in(intake, *make_wheel(name, version))
        for channel in ("main", "closed"):
            take_in(intake, *make_conda("numpy", "1.5"), channel=channel, ecosystem=Ecosystem.CONDA)
        for principal in ("service:insider",):
            moving.give(
                house,
                Grant(
                    principal=principal,
                    action=Action.READ,
                    channel="main",
                    ecosystem=Ecosystem.PYPI,
                    package="secret",
                ),
            )
        yield running


async def ask(daemon, query, *, key="ci", path="/api/graphql", headers=None, **variables):
    """Send one query; the answer."""
    body = orjson.dumps({"query": query, "variables": variables})
    return await daemon.ask("POST", path, body, key=key, headers={**JSON, **(headers or {})})


async def data(daemon, query, **more):
    """Send a query that has to be answered without an error; its data."""
    answer = await ask(daemon, query, **more)
    assert (answer.status, answer.json.get("errors")) == (200, None), answer.body
    return answer.json["data"]


def codes(answer):
    return [error["extensions"]["code"] for error in answer.json["errors"]]


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}
