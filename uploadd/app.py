"""The application: routes, services and background tasks, wired here and nowhere else."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestPayloadError

from packhouse.errors import Malformed, PackhouseError
from packhouse.house import House
from packhouse.intake.receive import Intake, reap
from packhouse.intake.stage import sweep
from packhouse.model import ANONYMOUS, Channel, Principal
from packhouse.rights import Rights
from uploadd import accesslog, door, identity, problems
from uploadd.call import Call
from uploadd.dialects import artifactory, authz, health, listings, native, prefix, products, pypi, quetz
from uploadd.limits import Gate
from uploadd.probe import Probe
from uploadd.publication import Publication
from uploadd.routing import Open, Route, Router
from uploadd.services import Services
from uploadd.target import parse_target

ROUTES: tuple[Route, ...] = (
    *prefix.ROUTES,
    *quetz.ROUTES,
    *artifactory.ROUTES,
    *pypi.ROUTES,
    *products.ROUTES,
    *native.ROUTES,
    *health.ROUTES,
    *authz.ROUTES,
    *listings.ROUTES,
)

REAP_EVERY_S = 5.0
"""How often uploads of dead processes are looked for, in seconds."""

_LOG = logging.getLogger("uploadd")


def create_app(house: House, intake: Intake, routes: Iterable[Route] = ROUTES) -> web.Application:
    """Return the daemon's application.

    Args:
        house: the open data directory; it stays open until after the application's clean-up.
        intake: the way in.
        routes: every route; each declares its action.

    Raises:
        ValueError: a route declares no action, or two are the same.
    """
    services = Services(
        house=house,
        intake=intake,
        rights=Rights(house.catalog),
        publication=Publication(house.catalog.areas, house.wake, wait_s=house.settings.publish_wait_s),
        uploads=Gate(),
        probe=Probe(intake),
    )
    entry = _Entry(services, Router(routes))
    # One middleware and no aiohttp route: aiohttp decodes %2F before it matches. Bodies are limited by the
    # stage and by `limits`, never by aiohttp's own size.
    app = web.Application(middlewares=[entry.handle], client_max_size=0)
    app.cleanup_ctx.append(lambda _: _background(services))
    return app


class _Entry:
    """Every request's way: target, route, caller, door, handler; and every refusal's way back."""

    def __init__(self, services: Services, router: Router) -> None:
        self._services, self._router = services, router

    @web.middleware
    async def handle(
        self,
        request: web.Request,
        handler: Handler,  # noqa: ARG002 - what aiohttp's own router found, which is not asked
    ) -> web.StreamResponse:
        began = time.monotonic()
        trace = accesslog.Trace()
        response = await self._respond(request, trace)
        if not request.content.is_eof():
            # The rest of the body is read for a while and thrown away (aiohttp lingers), so that the client
            # sees the answer instead of a reset; then the connection goes.
            response.force_close()
        accesslog.write(request, response, trace, time.monotonic() - began)
        return response

    async def _respond(self, request: web.Request, trace: accesslog.Trace) -> web.StreamResponse:
        overrides: problems.Statuses = {}
        try:
            target = parse_target(request.raw_path)
            route, path = self._router.resolve(request.method, target)
            overrides = route.statuses
            shown = identity.credentials(request.headers, target.key)
            principal, channel = await self._pass(route, shown, path)
            trace.who = principal.name
            call = Call(
                request=request,
                services=self._services,
                path=path,
                query=target.query,
                shown=shown,
                principal=principal,
                channel=channel,
            )
            return await route.handler(call)
        except PackhouseError as error:
            trace.code = error.code
            return problems.refusal(error, overrides)
        except (RequestPayloadError, ConnectionError) as error:
            trace.code = "client-left"
            return problems.refusal(Malformed(f"the body ended early: {str(error) or type(error).__name__}"))
        except web.HTTPException as error:
            trace.code = "http"
            return problems.problem(error.reason, status=error.status, code="http")
        except Exception as error:  # noqa: BLE001 - the last line: whatever it is, the client gets an answer
            trace.code = "internal"
            return problems.unexpected(error)

    async def _pass(
        self, route: Route, shown: identity.Credentials, path: Mapping[str, str]
    ) -> tuple[Principal, Channel | None]:
        action = route.action
        if action is None or isinstance(action, Open):
            return ANONYMOUS, None
        services = self._services
        text = path.get("channel", services.house.settings.default_channel)

        def decide() -> tuple[Principal, Channel]:
            principal = identity.principal(services.house.catalog, shown)
            return principal, door.enter(services, principal, action, text)

        return await services.ask(decide)


async def _background(services: Services) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(services.publication.watch(), name="publication"),
        asyncio.create_task(_reap(services), name="reaper"),
    ]
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    services.close()


async def _reap(services: Services) -> None:
    """Finish or undo what dead processes left, at the start and every few seconds."""
    house, instance = services.house, services.intake.instance
    while True:
        try:
            count = await services.ask(reap, house, instance)
            litter = await services.ask(sweep, house.data, house.locks)
        except PackhouseError as error:
            _LOG.warning("could not look after abandoned uploads: %s", error)
        else:
            if count or litter:
                _LOG.info("took care of %d abandoned uploads, removed %d staged files", count, len(litter))
        await asyncio.sleep(REAP_EVERY_S)
