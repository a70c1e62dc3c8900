"""Brings a question to what executes it, which is loaded at the first one: graphql-core costs 0.2 s of processor time.

Questions have two threads of their own, so that no number of them keeps uploads and sign-ins from the catalog.
"""

import importlib
import threading
from concurrent.futures import ThreadPoolExecutor

from packhouse.errors import Busy
from uploadd.call import Call
from uploadd.graphql.question import Answer, Question
from uploadd.services import run

THREADS, PLACES = 2, 32
"""Questions that are answered at once, and that may wait or be answered."""

_THREADS = ThreadPoolExecutor(THREADS, thread_name_prefix="graphql")
_PLACES = threading.BoundedSemaphore(PLACES)


async def answer(call: Call, question: Question) -> Answer:
    """Return the answer to a question.

    Raises:
        Busy: too many wait already.
    """
    if not _PLACES.acquire(blocking=False):
        raise Busy("too many queries wait for their turn; try again in a moment")
    try:
        return await run(_THREADS, _answer, call, question)
    finally:
        _PLACES.release()


def _answer(call: Call, question: Question) -> Answer:
    found: Answer = importlib.import_module("uploadd.graphql.execution").answer(call, question)
    return found
