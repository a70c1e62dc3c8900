"""PyPI's legacy upload: twine, uv, flit, hatch, poetry, pdm.

    POST /{channel}/legacy/        also /{channel}/simple/ and, for the default channel, /legacy/

`/simple/` and `/pypi/` of the default channel are pypicloud's (`dialects/pypicloud.py`): they take the same form. Two
statuses are this API's own: 400 where others answer 422, since flit shows the sentence only then, and 200
for a new file.
"""

from aiohttp import web

from packhouse.model import Action
from uploadd import legacyform
from uploadd.answers import uploaded
from uploadd.call import Call
from uploadd.routing import Route


async def upload(call: Call) -> web.Response:
    """Take one wheel or sdist: 200."""
    receipt, notes = await legacyform.take(call)
    return await uploaded(call, receipt, created=200, notes=notes)


ROUTES = tuple(
    Route(method="POST", pattern=pattern, action=Action.WRITE, handler=upload, statuses=legacyform.STATUSES)
    for pattern in ("/{channel}/legacy", "/{channel}/simple", "/legacy")
)
