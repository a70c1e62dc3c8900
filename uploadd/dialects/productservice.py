"""The product service: build products with one file per version, each product with rights of its own.

GET    /product/access                        names of the products that the caller may read
PUT    /product/create                        {"name"}: the caller becomes its maintainer
GET    /product/fetch/{product}               tokens and versions
DELETE /product/delete/{product}
PUT    /product/modify/addToken               {"product", "token", "permissions"}
DELETE /product/modify/deleteVersion          {"product", "version"}
DELETE /product/modify/deleteToken            {"product", "token"}
POST   /product/upload                        multipart: product, version, file
GET    /product/download/{product}/{version}
DELETE /product/delete/{product}/{version}

Products lie among the build products of the default channel: what is uploaded here is served as a static file too,
and what was uploaded there is listed here. A product that is not there and one that the caller may not read give one
answer.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

from aiohttp import web

from packhouse.ecosystems.generic.names import parse_part
from packhouse.ecosystems.generic.pages import by_version
from packhouse.errors import Malformed, NotFound, Unprocessable, VersionExists
from packhouse.intake.receive import Receipt
from packhouse.model import Action, Area, Artifact, Claim, Ecosystem, Json
from packhouse.names import parse_filename
from uploadd import auditing, productrights
from uploadd.answers import json_answer, record
from uploadd.call import Call
from uploadd.changing import clean_reason
from uploadd.jsonbody import Fields, json_fields
from uploadd.multipart import Form, FormLimits, Part
from uploadd.routing import ACCOUNT, Route
from uploadd.target import flag
from uploadd.uploading import Upload, begin, hold

_LIMITS = FormLimits(parts=16, field=4 << 10, fields=64 << 10)
_FIELDS = ("product", "version")
_LATE = "stored; the static index does not list it yet, which it will without further action"


# --- products ------------------------------------------------------------------------------------------------------


async def access(call: Call) -> web.Response:
    """List the names of the products that the caller may read, as a flat list."""
    return json_answer(
        await call.services.ask(lambda: list(productrights.readable(productrights.here(call))))
    )


async def create(call: Call) -> web.Response:
    """Make a product that nobody but the caller (and admins) may read, and make the caller its maintainer."""
    name = productrights.parse_name((await json_fields(call, ("name",))).text("name"))
    auditing.tell(call, object_=name)
    await _settle(
        call, await call.services.change(lambda: productrights.create(productrights.here(call), name))
    )
    return json_answer({"name": name}, 201)


async def fetch(call: Call) -> web.Response:
    """Describe a product: what each token may do to it, and each version with its file."""
    return json_answer(await call.services.ask(_fetch, call))


def _fetch(call: Call) -> dict[str, Json]:
    call, name = productrights.here(call), _product(call)
    productrights.require(call, Action.READ, name)
    found = by_version(productrights.versions(call, name))
    return {
        "name": name,
        "tokens": productrights.tokens(call, name),
        "versions": {text: _described(files) for text, files in found.items()},
    }


def _described(files: Sequence[Artifact]) -> dict[str, Json]:
    """Return where the file of a version lies below its channel; of several the first, and all as `files`."""
    every: list[Json] = [{"path": f"./{file.path}", "checksum": f"sha256:{file.sha256}"} for file in files]
    return {**every[0], "files": every} if len(every) > 1 else every[0]


async def delete(call: Call) -> web.Response:
    """Delete a product with all its versions, and every right on it."""
    now, note = flag(call.query, "now"), clean_reason(call.query.get("reason", ""))
    name = _product(call)
    auditing.tell(call, object_=name)

    def work() -> Mapping[Area, int]:
        at = productrights.here(call)
        productrights.require(at, Action.MAINTAIN, name)
        return productrights.delete(at, name, now=now, note=note)

    return await _gone(call, await call.services.change(work))


async def delete_version(call: Call) -> web.Response:
    """Delete one version; it is burnt."""
    return await _gone(call, await _delete_version(call, _product(call), call.path["version"]))


async def _delete_version(call: Call, name: str, version: str) -> Mapping[Area, int]:
    now, note = flag(call.query, "now"), clean_reason(call.query.get("reason", ""))

    def work() -> Mapping[Area, int]:
        at = productrights.here(call)
        productrights.require(at, Action.DELETE, name)
        files = productrights.version(at, name, version)
        return productrights.delete_versions(at, files, now=now, note=note)

    return await call.services.ask(work)


# --- modify ----------------------------------------------------------------------------------------------------------


async def modify(call: Call) -> web.Response:
    """Give a token's account rights on a product, in place of those that it had."""
    _check_action(call, ("addToken",))
    fields = await json_fields(call, ("product", "token", "permissions"))
    name = productrights.parse_name(fields.text("product"))
    wanted = _permissions(fields)

    def work() -> Mapping[Area, int]:
        at = productrights.here(call)
        productrights.require(at, Action.MAINTAIN, name)
        catalog = at.services.house.catalog
        key = catalog.keys.find(fields.text("token"))
        if key is None or key.status(catalog.clock()) != "active":
            raise NotFound("active token", "with that secret or fingerprint", "ask its owner for it")
        auditing.tell(call, object_=f"{name} for {key.kind}:{key.account}", note=", ".join(wanted))
        return productrights.set_permissions(at, name, key, wanted)

    await _settle(call, await call.services.change(work))
    return json_answer({"product": name, "permissions": [str(action) for action in wanted]}, 201)


async def unmodify(call: Call) -> web.Response:
    """Delete a version, or take every right on a product from a token's account."""
    if _check_action(call, ("deleteVersion", "deleteToken")) == "deleteVersion":
        fields = await json_fields(call, _FIELDS)
        name, version = productrights.parse_name(fields.text("product")), fields.text("version")
        auditing.tell(call, action="version delete", object_=f"{name}/{version[:128]}")
        await _settle(call, await _delete_version(call, name, version))
        return json_answer({"product": name, "version": version, "deleted": True})
    fields = await json_fields(call, ("product", "token"))
    name = productrights.parse_name(fields.text("product"))
    return await _gone(call, await call.services.change(_delete_token, call, name, fields.text("token")))


def _delete_token(call: Call, name: str, token: str) -> Mapping[Area, int]:
    at = productrights.here(call)
    productrights.require(at, Action.MAINTAIN, name)
    key = at.services.house.catalog.keys.find(token)
    # One sentence, whether the server knows the token or not: to this product it is nobody's.
    if key is None or not productrights.has_rights(at, name, key):
        raise NotFound("token", f"of that secret or fingerprint with rights on {name}")
    auditing.tell(call, object_=f"{name} for {key.kind}:{key.account}")
    return productrights.set_permissions(at, name, key, ())


def _check_action(call: Call, known: Sequence[str]) -> str:
    action = call.path["action"]
    if action not in known:
        raise Malformed(
            f"there is no action {action[:80]!r} for {call.request.method}: use {' or '.join(known)}"
        )
    return action


def _permissions(fields: Fields) -> Sequence[Action]:
    said = fields.flags("permissions", tuple(productrights.PERMISSIONS))
    wanted = [action for word, action in productrights.PERMISSIONS.items() if said.get(word, False)]
    if not wanted:
        raise Malformed(
            "the permissions are all false: say at least one, or use DELETE /product/modify/deleteToken"
        )
    return wanted


# --- versions ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Said:
    """The fields of an upload's form, as far as they came; the file may come before them."""

    values: dict[str, str] = field(default_factory=dict)

    async def take(self, part: Part) -> None:
        if part.name not in _FIELDS or part.name in self.values:
            what = "twice" if part.name in (*_FIELDS, "file") else "unknown"
            raise Malformed(
                f"the part {part.name[:80]!r} is {what} in the form: send product, version and file, once each"
            )
        self.values[part.name] = await part.text(_LIMITS.field)

    @property
    def complete(self) -> bool:
        return len(self.values) == len(_FIELDS)

    def coordinates(self) -> tuple[str, str]:
        """Return product and version; raises `Malformed` or `BadName`."""
        for name in _FIELDS:
            if not self.values.get(name):
                raise Malformed(f"the form has no field {name}: send product, version and file")
        product = productrights.parse_name(self.values["product"])
        return product, parse_part("product version", self.values["version"])

    def claim(self, call: Call, filename: str | None) -> Claim:
        if not filename:
            raise Malformed("the part named file has no file name: send the artifact's own")
        product, version = self.coordinates()
        return Claim(
            channel=call.here.name,
            ecosystem=Ecosystem.GENERIC,
            filename=parse_filename(filename),
            directory=f"products/{product}/{version}",
        )


async def upload(call: Call) -> web.Response:
    """Take the file of a new version; a version is there once, whatever its bytes."""
    receipt = await _take(await call.services.ask(productrights.here, call))
    listed = await call.services.publication.wait(receipt.awaited)
    file = receipt.artifact
    body: dict[str, Json] = {"changed": True, "published": listed, **record(file)}
    body |= {"product": file.package, **_described([file]), "notes": [] if listed else [_LATE]}
    return json_answer(body, 201)


async def _take(call: Call) -> Receipt:
    said = _Said()
    async with aclosing(Form(call.request, call.pace(), _LIMITS).parts()) as parts:
        async for part in parts:
            if part.name != "file":
                await said.take(part)
                continue
            async with await _begin(call, said, part) as coming:
                async for piece in part.pieces():
                    await coming.write(piece)
                async for later in parts:
                    await said.take(later)
                # Only here: the closing boundary was read, so the form is whole.
                claim, (product, version) = said.claim(call, part.filename), said.coordinates()
                receipt = await coming.commit(
                    claim, within=partial(productrights.taking, call, product, version)
                )
                # The same bytes may have come by the file's own address, just now.
                if not receipt.created:
                    raise VersionExists(product, version)
                return receipt
    raise Malformed("the form has no part named file: send the artifact in it")


async def _begin(call: Call, said: _Said, part: Part) -> AbstractAsyncContextManager[Upload]:
    """Judge as much as is known before the file comes."""
    if not said.complete:
        parse_filename(part.filename or "")
        await call.services.ask(productrights.expect_upload, call)
        return hold(call)
    claim, coordinates = said.claim(call, part.filename), said.coordinates()

    def judge() -> None:
        productrights.expect_upload(call)
        productrights.require(call, Action.WRITE, coordinates[0])
        productrights.refuse_taken(call, *coordinates)

    await call.services.ask(judge)
    return begin(call, claim)


async def download(call: Call) -> web.Response:
    """Send the file of a version under its own name; nginx does the sending, ranges and conditions included."""
    file = await call.services.ask(_file, call)
    return web.Response(
        headers={
            # Never a redirect that a client has to follow: nginx answers from here, once, for this request only.
            "X-Accel-Redirect": f"/_file/{quote(f'{file.channel}/{file.path}', safe='/')}",
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{file.filename}"',
            "Cache-Control": "private, no-cache",
        }
    )


def _file(call: Call) -> Artifact:
    call, name = productrights.here(call), _product(call)
    productrights.require(call, Action.READ, name)
    files = productrights.version(call, name, call.path["version"])
    wanted = call.query.get("file")
    found = [file for file in files if wanted in (None, file.filename)]
    if not found:
        raise NotFound("file", f"{str(wanted)[:128]} of {name} {call.path['version']}")
    if len(found) > 1:
        names = ", ".join(file.filename for file in found[:10])
        raise Unprocessable(f"this version has {len(found)} files: add ?file= and one of {names}")
    return found[0]


# --- the rest --------------------------------------------------------------------------------------------------------


def _product(call: Call) -> str:
    return productrights.parse_name(call.path["product"])


async def _settle(call: Call, awaited: Mapping[Area, int]) -> None:
    """Wait until lists name what they may, and no more; it is done in any case."""
    await call.services.publication.wait(awaited)


async def _gone(call: Call, awaited: Mapping[Area, int]) -> web.Response:
    await _settle(call, awaited)
    return web.Response(status=204)


_DELETE, _MODIFY = "/product/delete/{product}", "/product/modify/{action}"

ROUTES = (
    Route(method="GET", pattern="/product/access", action=ACCOUNT, handler=access),
    Route(method="PUT", pattern="/product/create", action=ACCOUNT, handler=create, audited="product create"),
    Route(method="GET", pattern="/product/fetch/{product}", action=ACCOUNT, handler=fetch),
    Route(method="DELETE", pattern=_DELETE, action=ACCOUNT, handler=delete, audited="product delete"),
    Route(method="PUT", pattern=_MODIFY, action=ACCOUNT, handler=modify, audited="grant give"),
    Route(method="DELETE", pattern=_MODIFY, action=ACCOUNT, handler=unmodify, audited="grant take"),
    Route(method="POST", pattern="/product/upload", action=ACCOUNT, handler=upload),
    Route(method="GET", pattern="/product/download/{product}/{version}", action=ACCOUNT, handler=download),
    Route(method="DELETE", pattern=f"{_DELETE}/{{version}}", action=ACCOUNT, handler=delete_version),
)
