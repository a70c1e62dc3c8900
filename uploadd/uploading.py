"""An upload from claim to receipt: admit, stage in threads while reading, commit in a thread."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from packhouse.intake.receive import Receipt, Shelf
from packhouse.intake.stage import Stage
from packhouse.model import Action, Channel, Claim, Ecosystem
from uploadd.call import Call
from uploadd.door import admit
from uploadd.headers import refuse_encodings
from uploadd.services import run

PIECE = 1 << 20


class Upload:
    """A body on its way in. One write runs in a thread while the next bytes are read."""

    def __init__(self, call: Call, stage: Stage) -> None:
        self._call, self._stage = call, stage
        self._buffer = bytearray()
        self._writing: asyncio.Future[None] | None = None
        self.kept = False

    async def write(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            TooLarge: the file goes on past the limit.
            StorageFull, Unavailable: the disk does not take it.
        """
        self._buffer += piece
        if len(self._buffer) >= PIECE:
            await self._flush()

    async def commit(
        self, claim: Claim, *, within: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Receipt:
        """Judge and commit what came.

        Args:
            claim: all that was said, before and after the file.
            within: what holds while that is done, such as a lock; entered and left in the thread that does it.

        Raises:
            Unauthenticated: the key was revoked, or expired, while the body came.
            PackhouseError: any other refusal; nothing is kept.
        """
        await self._flush()
        await self.settle()
        services = self._call.services

        def judge() -> Receipt:
            with within():
                return services.intake.receive(
                    claim, self._stage, self._call.principal, shelf=self._shelf(claim)
                )

        return await run(services.judge, judge)

    async def keep(self) -> Stage:
        """Make what came durable and keep it beyond this request, to be committed in another.

        Returns:
            The stage; whoever gets it leaves it in the end, which removes the bytes.

        Raises:
            StorageFull, Unavailable: the disk does not take it; nothing is kept.
        """
        await self._flush()
        await self.settle()
        await run(self._call.services.write, self._stage.finish)
        self.kept = True
        return self._stage

    async def settle(self) -> None:
        """Wait for the write that is under way."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _flush(self) -> None:
        await self.settle()
        if self._buffer:
            piece, self._buffer = bytes(self._buffer), bytearray()
            self._writing = asyncio.ensure_future(run(self._call.services.write, self._stage.write, piece))

    def _shelf(self, claim: Claim) -> Shelf:
        call, rights = self._call, self._call.services.rights

        def shelf(channel: Channel, ecosystem: Ecosystem, package: str) -> None:
            # Asked again: the body may have taken hours, and a key that leaked is revoked to stop just this.
            principal = call.identify()
            rights.require(principal, Action.WRITE, channel, ecosystem, package)
            if claim.force:
                rights.require(principal, Action.MAINTAIN, channel, ecosystem, package)

        return shelf


@asynccontextmanager
async def begin(call: Call, claim: Claim) -> AsyncIterator[Upload]:
    """Admit an upload by its claim and hold a stage for its bytes; on leaving the stage is gone.

    Raises:
        PackhouseError: the refusal, before a byte was read.
    """
    await call.services.ask(admit, call, claim)
    async with hold(call) as upload:
        yield upload


@asynccontextmanager
async def hold(call: Call) -> AsyncIterator[Upload]:
    """Hold a stage for bytes of which nothing is known yet; whether they may be stored is asked at the commit.

    For a form whose file may come before the fields that say what it is; `begin` is for everything else.

    Raises:
        Busy: too many uploads are under way.
    """
    services = call.services
    async with services.uploads.enter():
        stage = services.intake.stage()
        await run(services.write, stage.__enter__)
        upload = Upload(call, stage)
        try:
            yield upload
        finally:
            # No write may still run when the file is closed, also when this task is being cancelled.
            await asyncio.shield(_end(call, upload, stage))


async def take_body(call: Call, claim: Claim) -> Receipt:
    """Take the whole request body for the file.

    Raises:
        PackhouseError: the refusal; nothing is kept.
    """
    refuse_encodings(call.request.headers)
    pace = call.pace()
    async with begin(call, claim) as upload:
        while piece := await pace.read(call.request.content.readany()):
            await upload.write(piece)
        return await upload.commit(claim)


async def _end(call: Call, upload: Upload, stage: Stage) -> None:
    try:
        await upload.settle()
    finally:
        if not upload.kept:
            await run(call.services.write, stage.__exit__, None, None, None)
