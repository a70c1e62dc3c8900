"""The application: routes, services and background tasks, wired here and nowhere else."""

import asyncio
import logging
import time
import warnings
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import replace

from aiohttp import BadContentDispositionHeader, BadContentDispositionParam, web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestPayloadError

from packhouse.errors import Malformed, PackhouseError
from packhouse.house import House
from packhouse.intake.changes import tidy
from packhouse.intake.moving import follow_settings, settle_places
from packhouse.intake.receive import Intake, reap
from packhouse.intake.stage import sweep
from packhouse.model import ANONYMOUS, Action
from packhouse.rights import Rights
from uploadd import accesslog, auditing, door, identity, limiting, openapi, pages, problems
from uploadd.call import Call
from uploadd.deferred import discard
from uploadd.dialects import (
    account,
    account_packages,
    account_upload,
    admin_audit,
    admin_channels,
    admin_groups,
    admin_indexer,
    admin_rights,
    admin_users,
    anaconda,
    anaconda_packages,
    artifactory,
    audit,
    authz,
    browsing,
    channels,
    entrance,
    graphql,
    health,
    keys,
    listings,
    native,
    prefix,
    products,
    productservice,
    producttokens,
    pypi,
    pypicloud,
    pypicloud_accounts,
    pypicloud_rights,
    quetz,
    searching,
)
from uploadd.limits import Gate, InFlight
from uploadd.probe import Probe
from uploadd.publication import Publication
from uploadd.routing import Need, Route, Router
from uploadd.services import Services
from uploadd.target import parse_target

ROUTES: tuple[Route, ...] = (
    *prefix.ROUTES,
    *quetz.ROUTES,
    *anaconda.ROUTES,
    *anaconda_packages.ROUTES,
    *artifactory.ROUTES,
    *pypi.ROUTES,
    *pypicloud.ROUTES,
    *pypicloud_accounts.ROUTES,
    *pypicloud_rights.ROUTES,
    *products.ROUTES,
    *productservice.ROUTES,
    *producttokens.ROUTES,
    *native.ROUTES,
    *keys.ROUTES,
    *graphql.ROUTES,
    *channels.ROUTES,
    *audit.ROUTES,
    *browsing.ROUTES,
    *searching.ROUTES,
    *health.ROUTES,
    *authz.ROUTES,
    *listings.ROUTES,
    *account.ROUTES,
    *account_packages.ROUTES,
    *account_upload.ROUTES,
    *admin_users.ROUTES,
    *admin_groups.ROUTES,
    *admin_rights.ROUTES,
    *admin_channels.ROUTES,
    *admin_audit.ROUTES,
    *admin_indexer.ROUTES,
    *entrance.ROUTES,
)

IN_FLIGHT: web.AppKey[InFlight] = web.AppKey("in-flight", InFlight)
"""What a stopping daemon waits for before it lets the runner clean up."""

REAP_EVERY_S = 5.0
"""How often uploads of dead processes are looked for, in seconds."""

SETTLE_EVERY_S = 5.0
"""How often what a crash left between the trees is looked for, in seconds."""

DRAIN_S, DRAIN_BYTES = 10.0, 1 << 30
"""How much of a refused body is read and thrown away: seconds, bytes."""
READ_BUFFER = 1 << 20
CLEANUP_S = 2.0
"""How long handlers may take to end once nothing is read any more, in seconds."""

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
    auditor = auditing.Auditor(house.catalog)
    services = Services(
        house=house,
        intake=intake,
        rights=Rights(house.catalog, house.settings),
        signin=auditing.WatchedSignIn(house.catalog, auditor),
        publication=Publication(house.catalog.areas, house.wake, wait_s=house.settings.publish_wait_s),
        uploads=Gate(),
        limiter=limiting.Limiter(
            house.settings.anonymous_requests_per_minute, house.settings.refused_requests_per_minute
        ),
        probe=Probe(intake),
    )
    # A broken Content-Disposition is an error here, not a line on standard error with the client's text in it.
    warnings.simplefilter("error", BadContentDispositionHeader)
    warnings.simplefilter("error", BadContentDispositionParam)
    every = tuple(routes)
    entry = _Entry(services, Router(every), auditor)
    # One middleware and no aiohttp route: aiohttp decodes %2F before it matches. Bodies are limited by the
    # stage and by `limits`, never by aiohttp's own size.
    app = web.Application(middlewares=[entry.handle], client_max_size=0)
    app[IN_FLIGHT] = entry.in_flight
    app[openapi.DESCRIPTION] = openapi.describe(every)
    app.cleanup_ctx.append(lambda _: _background(services))
    return app


def make_runner(app: web.Application) -> web.AppRunner:
    """Return what runs the application."""
    return web.AppRunner(
        app,
        access_log=None,  # ours shows no keys
        auto_decompress=False,
        read_bufsize=READ_BUFFER,
        lingering_time=0,  # `_answer_early` does that
        shutdown_timeout=CLEANUP_S,
    )


class _Entry:
    """Every request's way: target, route, caller, door, handler; and every refusal's way back."""

    def __init__(self, services: Services, router: Router, auditor: auditing.Auditor) -> None:
        self._services, self._router, self._auditor = services, router, auditor
        self.in_flight = InFlight()

    @web.middleware
    async def handle(
        self,
        request: web.Request,
        handler: Handler,  # noqa: ARG002 - what aiohttp's own router found, which is not asked
    ) -> web.StreamResponse:
        began = time.monotonic()
        trace = accesslog.Trace()
        with self.in_flight.one():
            meter = limiting.begin(self._services.limiter, request)
            response = await self._respond(request, trace, meter)
            meter.tell(response)
            if not request.content.is_eof():
                await _answer_early(request, response)
            accesslog.write(request, response, trace, time.monotonic() - began)
        return response

    async def _respond(
        self, request: web.Request, trace: accesslog.Trace, meter: limiting.Meter
    ) -> web.StreamResponse:
        overrides: problems.Statuses = {}
        try:
            target = parse_target(request.raw_path)
            shown = identity.credentials(request.headers, target.key)
            meter.shown = shown.shown or shown.session != ""
            route, path = self._router.resolve(request.method, target)
            overrides = route.statuses
            meter.free = route.pattern in limiting.FREE
            if not meter.shown:
                meter.stranger()
            call = Call(
                request=request,
                services=self._services,
                path=path,
                query=target.query,
                shown=shown,
                principal=ANONYMOUS,
                address=accesslog.address(request),
            )
            return await self._auditor.watch(
                route.audited, call, lambda call: self._serve(route, call, trace)
            )
        except PackhouseError as refused:
            error = meter.weigh(refused)
            trace.code = error.code
            if pages.wanted(request):
                return pages.refusal(error, request, overrides)
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

    async def _serve(self, route: Route, call: Call, trace: accesslog.Trace) -> web.StreamResponse:
        return await route.handler(await self._pass(route, call, trace))

    async def _pass(self, route: Route, call: Call, trace: accesslog.Trace) -> Call:
        """Return the call with its caller and channel, if they may make it."""
        action = route.action
        if action is None or action is Need.OPEN:
            meter = call.request[limiting.METER]
            if meter.shown and not meter.free:
                await self._services.ask(meter.open, call.identify)
            return call
        return await self._services.ask(_enter, route, call, trace)


def _enter(route: Route, call: Call, trace: accesslog.Trace) -> Call:
    """Find out who asks, refuse forged changes, and pass the door; blocking."""
    services, action = call.services, route.action
    principal = call.identify()
    trace.who = principal.name
    call.request[limiting.METER].known(principal)
    auditing.tell(call, by=principal)
    session = services.signin.session(call.shown) if principal.via == "session" else None
    call = replace(call, principal=principal, session=session)
    # A browser sends a password it was told once by itself, just like a cookie; programs are of no site.
    if not principal.anonymous and call.request.method not in ("GET", "HEAD"):
        door.same_site(call, token=not route.forms)
    if isinstance(action, Action):
        text = call.path.get("channel", services.house.settings.default_channel)
        return replace(call, channel=door.enter(services, principal, action, text))
    if action is Need.ACCOUNT:
        door.need_account(principal)
    elif action is Need.ADMIN:
        door.need_admin(principal)
    return call


async def _answer_early(request: web.Request, response: web.StreamResponse) -> None:
    """Answer before the body has come, then close the connection.

    The rest of the body is read for a while and thrown away: closing with unread bytes would reset the
    connection, and the client might never see the answer.
    """
    response.force_close()
    left = DRAIN_BYTES
    with suppress(TimeoutError, RequestPayloadError, ConnectionError):
        await response.prepare(request)
        await response.write_eof()
        async with asyncio.timeout(DRAIN_S):
            while left > 0 and (chunk := await request.content.readany()):
                left -= len(chunk)


async def _background(services: Services) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(services.publication.watch(), name="publication"),
        asyncio.create_task(_reap(services), name="reaper"),
        asyncio.create_task(_settle(services), name="places"),
    ]
    yield
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    for stage in services.deferred.forget():
        await services.ask(discard, stage)
    services.close()


async def _reap(services: Services) -> None:
    """Finish or undo what dead processes left, at the start and every few seconds."""
    house, instance = services.house, services.intake.instance
    while True:
        try:
            count = await services.ask(reap, house, instance)
            litter = await services.ask(sweep, house.data, house.locks)
            await services.ask(tidy, house)
            for stage in services.deferred.overdue():
                await services.ask(discard, stage)
        except PackhouseError as error:
            _LOG.warning("could not look after abandoned uploads: %s", error)
        else:
            if count or litter:
                _LOG.info("took care of %d abandoned uploads, removed %d staged files", count, len(litter))
        await asyncio.sleep(REAP_EVERY_S)


async def _settle(services: Services) -> None:
    """Move what a crash left between the trees, at the start and every few seconds; no indexer need run for that.

    At the start also what `default_read` says by now; not again later, since an indexer with other settings would
    move it back.
    """
    try:
        for name in await services.change(follow_settings, services.house):
            _LOG.info("channel %s moved, as default_read says now", name)
    except PackhouseError as error:
        _LOG.warning("channels could not be moved to where default_read says: %s", error)
    while True:
        try:
            if moved := await services.change(settle_places, services.house):
                _LOG.warning(
                    "%d folders lay where others may read, or fewer: moved to where they belong", moved
                )
        except PackhouseError as error:
            _LOG.warning("what a crash left between the trees could not be moved: %s", error)
        await asyncio.sleep(SETTLE_EVERY_S)
