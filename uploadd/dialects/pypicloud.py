"""pypicloud's API, the part about packages: lists, uploads, files. It speaks of the default channel's Python packages.

    POST   /simple/  /pypi/  /                     upload
    GET    /api/package/[?verbose=true]            names of the packages that the caller may read
    GET    /api/package/<package>/                 its files, and whether the caller may write it
    GET    /api/package/<package>/<file>           302 to the file
    POST   /api/package/<package>/<file>           upload
    DELETE /api/package/<package>/<file>           delete
    GET, POST /api/fetch                           refused: there is no upstream

What the original gets wrong here is done right: a file is found in the folder of the package that owns it, so the right
that is asked is always the owner's, and every spelling of a name is one package.
"""

from collections.abc import Collection, Sequence
from urllib.parse import quote

from aiohttp import web

from packhouse.ecosystems import Package
from packhouse.ecosystems.pypi.names import newest, parse_version, version_key
from packhouse.ecosystems.pypi.pages import in_order
from packhouse.errors import NotFound, NoUpstream
from packhouse.intake.receive import Receipt
from packhouse.model import Action, Artifact, Ecosystem, Json
from packhouse.names import parse_filename, parse_project
from uploadd import legacyform
from uploadd.answers import json_answer, uploaded
from uploadd.call import Call
from uploadd.changing import delete_file
from uploadd.origin import origin
from uploadd.parameters import yes_or_no
from uploadd.routing import ACCOUNT, Route

_PACKAGE, _FILE = "/api/package/{package}", "/api/package/{package}/{file}"


# --- uploading ---------------------------------------------------------------------------------------------------


async def upload(call: Call) -> web.Response:
    """Take one wheel or sdist; the form's `:action` may be left out."""
    return await _upload(call, await legacyform.take(call, must_say=False))


async def upload_to(call: Call) -> web.Response:
    """Take one wheel or sdist of the package that the address names; the file's own name counts."""
    project = parse_project(call.path["package"])
    return await _upload(call, await legacyform.take(call, project=project, must_say=False))


async def _upload(call: Call, taken: tuple[Receipt, Sequence[str]]) -> web.Response:
    receipt, notes = taken
    more = _described(receipt.artifact, origin(call))
    return await uploaded(call, receipt, created=200, notes=notes, more=more)


# --- reading -----------------------------------------------------------------------------------------------------


async def packages(call: Call) -> web.Response:
    """List the packages that the caller may read: their names, or with `verbose` a summary of each."""
    verbose = yes_or_no("verbose", call.query.get("verbose", "false"))
    return json_answer({"packages": await call.services.ask(_packages, call, verbose)})


def _packages(call: Call, verbose: bool) -> list[Json]:
    found = _readable(call)
    if not verbose:
        return [package.name for package in found]
    versions = call.services.house.catalog.artifacts.versions(call.here.name, Ecosystem.PYPI)
    return [_summary(package, versions.get(package.name, ())) for package in found]


def _readable(call: Call) -> Sequence[Package]:
    """Return the packages that the caller may read, by name: each of them is in a list for somebody."""
    rights, principal, here = call.services.rights, call.principal, call.here
    records = call.services.house.catalog.records(here.name, lambda _path: None)
    if rights.permits(principal, Action.READ, here):
        mine = rights.restricted_for(principal, here, Ecosystem.PYPI)
        return records.showing({(Ecosystem.PYPI, name) for name in mine}).packages(Ecosystem.PYPI)
    granted = rights.granted(principal, here)
    found = records.showing(granted).packages(Ecosystem.PYPI)
    return [package for package in found if (Ecosystem.PYPI, package.name) in granted]


def _summary(package: Package, versions: Collection[str]) -> Json:
    stable = newest(versions) if versions else None
    version = parse_version(stable) if stable else None
    return {
        "name": package.name,
        "summary": package.summary or None,
        "stable": None if version is None or version.is_prerelease else stable,
        "unstable": max(versions, key=version_key, default=None),
        "last_modified": package.updated_us // 1_000_000,
    }


async def package(call: Call) -> web.Response:
    """List the files of a package, oldest version first. What is not there and what they may not read look the same."""
    files, write = await call.services.ask(_package, call)
    base = origin(call)
    return json_answer({"packages": [_described(file, base) for file in files], "write": write})


def _package(call: Call) -> tuple[list[Artifact], bool]:
    project, rights = parse_project(call.path["package"]), call.services.rights
    files = call.services.house.catalog.artifacts.of_version(call.here.name, Ecosystem.PYPI, project)
    owner = Ecosystem.PYPI, project
    if not files or not rights.permits(call.principal, Action.READ, call.here, *owner):
        return [], False
    return in_order(files), rights.permits(call.principal, Action.WRITE, call.here, *owner)


def _described(file: Artifact, base: str) -> dict[str, Json]:
    """Return a file as pypicloud describes it; `metadata` holds what is not empty."""
    summary = file.record.get("summary") or None
    metadata = {
        "requires_python": file.record.get("requires_python"),
        "summary": summary,
        "hash_sha256": file.sha256,
        "hash_md5": file.md5,
        "uploader": file.uploaded_by,
    }
    address = quote(f"{file.channel}/{file.path}", safe="/+!")
    return {
        "name": file.package,
        "filename": file.filename,
        "last_modified": file.uploaded_us // 1_000_000,
        "version": file.version,
        "url": f"{base}/{address}#sha256={file.sha256}",
        "summary": summary,
        "metadata": {key: value for key, value in metadata.items() if value},
    }


async def file(call: Call) -> web.Response:
    """Lead to a file: nginx sends it, and decides once more whether they may read it."""
    path = await call.services.ask(_file, call)
    # Relative, so that it is right behind any prefix and below /t/<key>/: up from the file's or the package's folder.
    up = "../" * (4 if call.request.raw_path.partition("?")[0].endswith("/") else 3)
    location = f"{up}{quote(path, safe='/+!')}"
    return web.Response(status=302, headers={"Location": location, "Cache-Control": "private, no-cache"})


def _file(call: Call) -> str:
    project, filename = parse_project(call.path["package"]), parse_filename(call.path["file"])
    path = f"packages/{project}/{filename}"
    here = call.here
    found = call.services.house.catalog.artifacts.live(here.name, path)
    if found is None or not call.services.rights.permits(
        call.principal, Action.READ, here, Ecosystem.PYPI, found.package
    ):
        raise NotFound("file", f"{here.name}/{path}")
    return f"{here.name}/{path}"


# --- the rest ----------------------------------------------------------------------------------------------------


async def delete(call: Call) -> web.Response:
    """Delete one file; its name is burnt."""
    project, filename = parse_project(call.path["package"]), parse_filename(call.path["file"])
    return await delete_file(call, Ecosystem.PYPI, f"packages/{project}/{filename}")


async def fetch(call: Call) -> web.Response:  # noqa: ARG001 - every handler gets its call
    """Refuse: nothing is fetched from anywhere."""
    raise NoUpstream


ROUTES = (
    *(
        Route(
            method="POST", pattern=pattern, action=Action.WRITE, handler=upload, statuses=legacyform.STATUSES
        )
        for pattern in ("/simple", "/pypi", "/")
    ),
    Route(method="POST", pattern=_FILE, action=Action.WRITE, handler=upload_to, statuses=legacyform.STATUSES),
    Route(method="DELETE", pattern=_FILE, action=Action.DELETE, handler=delete),
    Route(method="GET", pattern=_FILE, action=Action.READ, handler=file),
    Route(method="GET", pattern=_PACKAGE, action=Action.READ, handler=package),
    Route(method="GET", pattern="/api/package", action=Action.READ, handler=packages),
    Route(method="GET", pattern="/api/fetch", action=ACCOUNT, handler=fetch),
    Route(method="POST", pattern="/api/fetch", action=ACCOUNT, handler=fetch),
)
