"""Asking a daemon with low limits, from a chosen address."""

import base64

from uploadd_support import SETTINGS, Answer, Daemon

from packhouse.model import Claim, Ecosystem, Observed

LOW = SETTINGS + "anonymous_requests_per_minute = 5\nrefused_requests_per_minute = 5\n"
LIST = "/main/simple/"


class Fine:
    """An inspector that believes everything."""

    def inspect(self, ecosystem: Ecosystem, path: str, claim: Claim, limits: object) -> Observed:
        product, version = (claim.directory or "products/p/1").split("/")[1:3]
        return Observed(
            filename=claim.filename,
            package=product,
            version=version,
            directory=claim.directory or "",
            record={},
        )


async def ask(
    daemon: Daemon, path: str, address: str = "192.0.2.1", key: str | None = None, **headers: str
) -> Answer:
    sent = {"X-Real-IP": address, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await daemon.ask("GET", path, key=key, headers=sent)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def flood(daemon: Daemon, path: str = LIST, address: str = "192.0.2.1") -> Answer:
    """Ask until it is refused."""
    for _ in range(5):
        assert (await ask(daemon, path, address)).status != 429
    return await ask(daemon, path, address)
