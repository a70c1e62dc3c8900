"""anaconda.org's API below `/anaconda`: what is there, and what clients register before they upload.

    GET    /anaconda, /anaconda/user, /anaconda/user/{channel}
    GET    /anaconda/package/{channel}/{name}                  POST, PATCH: nothing is stored, the files say it all
    GET    /anaconda/release/{channel}/{name}/{version}        the same
    GET    /anaconda/dist/{channel}/{name}/{version}/{subdir}/{file}

The owner in their addresses is a channel here; a private one tells whoever may not read it what a missing one tells.
"""

from collections.abc import Sequence

from aiohttp import web

from packhouse.errors import NotFound, Unprocessable
from packhouse.model import Action, Artifact, Ecosystem, Json
from packhouse.names import parse_segment
from uploadd.answers import json_answer
from uploadd.call import Call
from uploadd.condafiles import conda_only, describe, document, named_file
from uploadd.routing import ACCOUNT, ANYONE, Route


async def about(_call: Call) -> web.Response:
    """Say that the API is here: anaconda-client asks for it first, with HEAD."""
    return json_answer({"name": "Packhouse", "api": "anaconda.org, uploads of conda packages"})


async def me(call: Call) -> web.Response:
    """Tell who asks; anaconda-client uploads to an owner of that name where it is told no other."""
    return json_answer({"login": call.principal.name, "name": call.principal.name, "user_type": "user"})


async def owner(call: Call) -> web.Response:
    """Tell that there is such an owner: a channel that the caller may read."""
    return json_answer({"login": call.here.name, "name": call.here.name, "user_type": "org"})


async def package(call: Call) -> web.Response:
    """Tell of a conda package and all its files."""
    files = await _files(call, call.path["name"])
    return json_answer(_package(call, files))


async def release(call: Call) -> web.Response:
    """Tell of one version of a conda package and its files."""
    files = await _files(call, call.path["name"], call.path["version"])
    return json_answer(_release(call, files))


async def dist(call: Call) -> web.Response:
    """Tell of one file."""
    return json_answer(describe(await call.services.ask(named_file, call)))


def _package(call: Call, files: Sequence[Artifact]) -> dict[str, Json]:
    return {
        "name": call.path["name"],
        "owner": {"login": call.here.name},
        "public": not call.here.private,
        "package_types": ["conda"] if files else [],
        "versions": list(dict.fromkeys(file.version for file in files)),
        "files": [describe(file) for file in files],
    }


def _release(call: Call, files: Sequence[Artifact]) -> dict[str, Json]:
    return {"version": call.path["version"], "distributions": [describe(file) for file in files]}


async def _files(call: Call, name: str, version: str | None = None) -> Sequence[Artifact]:
    """Return the files of a package, or of one version; raises `NotFound` for none, and for none that is theirs."""
    files = await call.services.ask(_readable, call, name, version)
    if not files:
        what = "/".join(part for part in (call.here.name, name, version) if part)
        raise NotFound("release" if version else "package", what)
    return files


def _readable(call: Call, name: str, version: str | None) -> Sequence[Artifact]:
    rights, artifacts = call.services.rights, call.services.house.catalog.artifacts
    if not rights.permits(call.principal, Action.READ, call.here, Ecosystem.CONDA, name):
        return ()
    return artifacts.of_version(call.here.name, Ecosystem.CONDA, name, version)


async def register_package(call: Call) -> web.Response:
    """Answer as if the package were registered: what it is, its files say.

    Raises:
        Unprocessable: it is no conda package, or shall be private in a channel that is not.
        NotFound: it is to be changed (PATCH), and has no file.
    """
    body = await document(call)
    attributes = body.get("public_attrs")
    kinds = attributes.get("package_types") if isinstance(attributes, dict) else None
    conda_only(kinds if isinstance(kinds, list) else [])
    if body.get("public") is False and not call.here.private:
        raise Unprocessable(
            f"channel {call.here.name} is public, and whoever reads a conda channel reads all of it: "
            "leave out --private, or upload to a private channel"
        )
    return json_answer(_package(call, await _registered(call)))


async def register_release(call: Call) -> web.Response:
    """Answer as if the version were registered; raises `NotFound` for a PATCH of one that has no file."""
    await document(call)
    return json_answer(_release(call, await _registered(call, call.path["version"])))


async def _registered(call: Call, version: str | None = None) -> Sequence[Artifact]:
    name = parse_segment("package name", call.path["name"])
    await call.services.ask(call.require, Action.WRITE, Ecosystem.CONDA, name)
    if call.request.method == "PATCH":
        return await _files(call, name, version)
    return await call.services.ask(_readable, call, name, version)


_PACKAGE, _RELEASE = "/anaconda/package/{channel}/{name}", "/anaconda/release/{channel}/{name}/{version}"
_DIST = "/anaconda/dist/{channel}/{name}/{version}/{subdir}/{file}"

ROUTES = (
    Route(method="GET", pattern="/anaconda", action=ANYONE, handler=about),
    Route(method="GET", pattern="/anaconda/user", action=ACCOUNT, handler=me),
    Route(method="GET", pattern="/anaconda/user/{channel}", action=Action.READ, handler=owner),
    Route(method="GET", pattern=_PACKAGE, action=Action.READ, handler=package),
    Route(method="POST", pattern=_PACKAGE, action=Action.WRITE, handler=register_package),
    Route(method="PATCH", pattern=_PACKAGE, action=Action.WRITE, handler=register_package),
    Route(method="GET", pattern=_RELEASE, action=Action.READ, handler=release),
    Route(method="POST", pattern=_RELEASE, action=Action.WRITE, handler=register_release),
    Route(method="PATCH", pattern=_RELEASE, action=Action.WRITE, handler=register_release),
    Route(method="GET", pattern=_DIST, action=Action.READ, handler=dist),
)
