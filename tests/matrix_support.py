"""The server that the matrix asks, and for each route a request that is right in everything but who sends it.

Everything happens in one private channel, `closed`, which is the default channel here: so nothing is open by default,
and each address without a channel means it too. Every request gets objects of its own.
"""

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from conda_support import make_conda
from house_support import Direct, take_in
from pypi_support import make_wheel
from rights_support import DAY_US
from uploadd_support import SETTINGS, Answer, Daemon, legacy_form, run_daemon

from indexer.reindex import reindex
from packhouse.catalog.passwords import hash_password
from packhouse.house import House
from packhouse.intake.receive import Intake
from packhouse.model import Action, Ecosystem, Grant

CHANNEL, PASSWORD = "closed", "an old password"
_SETTINGS = f"""{SETTINGS}
default_channel = "{CHANNEL}"
allow_register = true
anonymous_requests_per_minute = 0
refused_requests_per_minute = 0
"""


@dataclass(frozen=True)
class Ask:
    """One request: what its path's placeholders stand for, and what it carries."""

    path: Mapping[str, str] = field(default_factory=dict)
    data: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


def account_of(who: str) -> str:
    """Whose key that is; the reader stands in for strangers, who have none."""
    return f"{'reader' if who == 'anonymous' else who}-person"


class World:
    """A running daemon in a thread of its own, and who asks it."""

    def __init__(self, daemon: Daemon, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.daemon, self._run = daemon, run
        self.house: House = daemon.house
        self._intake = Intake(self.house, Direct())
        self._count = itertools.count(1)
        self._people()
        self.house.catalog.channels.set(CHANNEL, overwrite=True)  # or nobody could replace a file
        self.wheel()
        self.product()
        self.conda()
        reindex(self.house)
        # Only now: it says that all is published, and would say so of what this writes.
        daemon.indexer.start()

    def _people(self) -> None:
        catalog, stored = self.house.catalog, hash_password(PASSWORD)
        until = catalog.clock() + DAY_US
        keys = {}
        for who, right in (
            ("reader", Action.READ),
            ("writer", Action.WRITE),
            ("maintainer", Action.MAINTAIN),
        ):
            catalog.accounts.create(account_of(who), password=stored)
            catalog.grants.give(Grant(principal=f"user:{account_of(who)}", action=right, channel=CHANNEL))
        catalog.accounts.create(account_of("neighbour"), password=stored)
        for ecosystem in Ecosystem:
            right = Grant(
                principal=f"user:{account_of('neighbour')}",
                action=Action.MAINTAIN,
                channel=CHANNEL,
                ecosystem=ecosystem,
                package="elsewhere",
            )
            catalog.grants.give(right)
        for who in ("admin", "expired", "revoked", "elsewhere"):
            catalog.accounts.create(account_of(who), password=stored, admin=True)
        for who in (
            "neighbour",
            "reader",
            "writer",
            "maintainer",
            "admin",
            "revoked",
            "expired",
            "elsewhere",
        ):
            end = catalog.clock() - 1 if who == "expired" else until
            scope = {"channels": ["other"]} if who == "elsewhere" else {}
            keys[who] = catalog.keys.create(account_of(who), "matrix", expires_us=end, **scope)[1]
        catalog.keys.revoke("matrix", account=account_of("revoked"))
        self.daemon.keys = keys

    def ask(self, method: str, pattern: str, who: str, ask: Ask) -> Answer:
        """Send a request; nobody's key for `anonymous`."""
        path = "/".join(
            ask.path[segment[1:-1]] if segment.startswith("{") else segment for segment in pattern.split("/")
        )
        key = None if who == "anonymous" else who
        sent = self.daemon.ask(method, path + ask.query, ask.data, key=key, headers=ask.headers)
        answer: Answer = self._run(sent)
        return answer

    # --- objects, new each time -----------------------------------------------------------------------------------

    def number(self) -> int:
        """A number that was not used yet."""
        return next(self._count)

    def name(self) -> str:
        """A name that was not used yet."""
        return f"n{self.number()}"

    def new_wheel(self) -> tuple[str, bytes]:
        """File name and bytes of a wheel of `six` that is not there yet."""
        return make_wheel("six", f"1.{self.number()}")

    def new_conda(self) -> tuple[str, bytes]:
        """File name and bytes of a conda package that is not there yet."""
        return make_conda("numpy", f"1.{self.number()}")

    def wheel(self) -> str:
        """Store a wheel of `six` and return its file name."""
        filename, body = self.new_wheel()
        take_in(self._intake, filename, body, channel=CHANNEL)
        return filename

    def conda(self) -> str:
        """Store a conda package in `noarch` and return its file name."""
        filename, body = self.new_conda()
        take_in(self._intake, filename, body, channel=CHANNEL, ecosystem=Ecosystem.CONDA)
        return filename

    def product(self, name: str = "tool", version: str = "1.0") -> str:
        """Store a file of a product and return its name."""
        filename = f"{name}-{self.number()}.bin"
        take_in(
            self._intake,
            filename,
            filename.encode(),
            channel=CHANNEL,
            ecosystem=Ecosystem.GENERIC,
            directory=f"products/{name}/{version}",
        )
        return filename

    def user(self, *, pending: bool = False) -> str:
        """Make a user and return the name."""
        name = self.name()
        if pending:
            self.house.catalog.accounts.register(name, "phc", default_open=True)
        else:
            self.house.catalog.accounts.create(name)
        return name

    def group(self, *members: str) -> str:
        """Make a group and return its name."""
        name = self.name()
        self.house.catalog.groups.create(name)
        for member in members:
            self.house.catalog.groups.add(member, name)
        return name

    def granted(self) -> str:
        """Make a user who may read `granted` in the channel, and return the name."""
        name = self.user()
        self.house.catalog.grants.give(
            Grant(
                principal=f"user:{name}",
                action=Action.READ,
                channel=CHANNEL,
                ecosystem="pypi",
                package="granted",
            )
        )
        return name

    def key_of(self, who: str) -> tuple[str, str]:
        """Make another key for whoever asks; return its number and its secret."""
        catalog = self.house.catalog
        scope = {"channels": ["other"]} if who == "elsewhere" else {}
        key, secret = catalog.keys.create(
            account_of(who), self.name(), expires_us=catalog.clock() + DAY_US, **scope
        )
        return str(key.id), secret

    def invitation(self) -> str:
        """Make a user without a password and return the secret that sets one."""
        return self.house.catalog.sessions.invite(self.user())


@contextmanager
def world(data: Path) -> Iterator[World]:
    """Start the server in a thread, for tests that are not coroutines."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    running = run_daemon(data, Direct(), settings=_SETTINGS, publish=False)
    try:
        daemon = run(running.__aenter__())
        try:
            yield World(daemon, run)
        finally:
            run(running.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


# --- the requests -------------------------------------------------------------------------------------------------

Maker = Callable[[World, str], Ask]

_HERE = {"channel": CHANNEL}
_JSON = {"Content-Type": "application/json"}


def _json(text: str) -> dict[str, Any]:
    return {"data": text.encode(), "headers": _JSON}


def _plain(**path: str) -> Maker:
    return lambda _world, _who: Ask(path={**_HERE, **path})


def _form(**fields: str) -> Maker:
    return lambda _world, _who: Ask(path=_HERE, data=fields)


def _upload_conda(world: World, _who: str) -> Ask:
    filename, body = world.new_conda()
    return Ask(
        path={**_HERE, "subdir": "noarch", "file": filename},
        data=body,
        headers={"X-File-Name": filename, "Content-Type": "application/octet-stream"},
    )


def _stored_conda(world: World, _who: str) -> Ask:
    return Ask(path={**_HERE, "subdir": "noarch", "file": world.conda()})


def _upload_wheel(world: World, _who: str) -> Ask:
    filename, body = world.new_wheel()
    return Ask(path={**_HERE, "package": "six", "file": filename}, data=legacy_form(filename, body))


def _stored_wheel(world: World, _who: str) -> Ask:
    return Ask(path={**_HERE, "package": "six", "project": "six", "file": world.wheel()})


def _release(world: World, _who: str) -> Ask:
    version = world.wheel().split("-")[1]
    return Ask(path={**_HERE, "project": "six", "version": version}, data=b"")


def _upload_product(world: World, _who: str) -> Ask:
    path = {"product": "tool", "version": "1.0", "file": f"tool-{world.number()}.bin"}
    return Ask(path={**_HERE, **path}, data=b"body")


def _stored_product(world: World, _who: str) -> Ask:
    return Ask(path={**_HERE, "product": "tool", "version": "1.0", "file": world.product()})


def _versioned(world: World, _who: str) -> Ask:
    product = world.name()
    world.product(product)
    return Ask(path={"product": product, "version": "1.0"})


def _upload_version(world: World, _who: str) -> Ask:
    form = aiohttp.FormData()
    form.add_field("product", "tool")
    form.add_field("version", f"2.{world.number()}")
    form.add_field("file", b"body", filename="tool.bin", content_type="application/octet-stream")
    return Ask(data=form)


def _token(world: World, _who: str) -> Ask:
    product = _versioned(world, _who).path["product"]
    token = world.key_of("writer")[1]
    words = f'{{"product": "{product}", "token": "{token}", "permissions": {{"download": true}}}}'
    return Ask(path={"action": "addToken"}, **_json(words))


def _drop_version(world: World, _who: str) -> Ask:
    product = _versioned(world, _who).path["product"]
    return Ask(path={"action": "deleteVersion"}, **_json(f'{{"product": "{product}", "version": "1.0"}}'))


def _own_token(world: World, who: str) -> Ask:
    return Ask(path={"token": world.key_of(who)[1]})


def _content(world: World, _who: str) -> Ask:
    path = f"packages/six/{world.wheel()}"
    file = world.house.catalog.artifacts.live(CHANNEL, path)
    return Ask(path={"digest": f"sha256:{file.sha256}"})


def _package(world: World, _who: str) -> Ask:
    version = world.wheel().split("-")[1]
    return Ask(path={**_HERE, "ecosystem": "pypi", "name": "six", "version": version})


def _anaconda(filename: str, words: str = "{}") -> Ask:
    name, version, _ = filename.split("-")
    path = {**_HERE, "name": name, "version": version, "subdir": "noarch", "file": filename}
    return Ask(path=path, **_json(words))


def _announce(world: World, _who: str) -> Ask:
    return _anaconda(world.new_conda()[0])


def _about(world: World, _who: str) -> Ask:
    return _anaconda(world.conda())


def _announced(world: World, who: str) -> tuple[str, Ask, str]:
    """Announce an upload; return its file's name, the request that takes its bytes, and its number."""
    filename, body = world.new_conda()
    ask = _anaconda(filename)
    answer = world.ask("POST", "/anaconda/stage/{channel}/{name}/{version}/{subdir}/{file}", who, ask)
    assert answer.status == 200, answer.body
    form = aiohttp.FormData()
    form.add_field("file", body, filename=filename, content_type="application/octet-stream")
    query = "?" + answer.json["post_url"].partition("?")[2]
    return filename, Ask(data=form, query=query), answer.json["dist_id"]


def _blob(world: World, _who: str) -> Ask:
    return _announced(world, "writer")[1]


def _commit(world: World, who: str) -> Ask:
    """Of the caller's own upload; of the writer's for those who cannot have one."""
    filename, blob, number = _announced(world, who if who in ("writer", "maintainer", "admin") else "writer")
    assert world.ask("POST", "/anaconda/blob", "anonymous", blob).status == 201
    return _anaconda(filename, f'{{"dist_id": "{number}"}}')


def _right(world: World, _who: str) -> Ask:
    return Ask(path={"package": "granted", "kind": "user", "name": world.granted(), "permission": "read"})


def _new_right(world: World, _who: str) -> Ask:
    return Ask(path={"package": "granted", "kind": "user", "name": world.user(), "permission": "write"})


def _member(world: World, _who: str) -> Ask:
    user = world.user()
    return Ask(path={"user": user, "group": world.group(user)})


def _redeem(world: World, _who: str) -> Ask:
    return Ask(data={"token": world.invitation(), "password": "quite a new one"})


def _redeem_form(world: World, _who: str) -> Ask:
    return Ask(data={"code": world.invitation(), "password": "quite a new one", "again": "quite a new one"})


def _register_form(world: World, _who: str) -> Ask:
    return Ask(data={"user": world.name(), "password": "quite a new one", "again": "quite a new one"})


def _authz(_world: World, _who: str) -> Ask:
    return Ask(headers={"X-Packhouse-Root": "private", "X-Packhouse-Path": f"{CHANNEL}/noarch/repodata.json"})


_SIGN_IN = {"username": "writer-person", "password": PASSWORD}

REQUESTS: dict[str, Maker] = {
    # uploads and deletions
    "POST /api/v1/upload/{channel}": _upload_conda,
    "POST /api/channels/{channel}/upload/{file}": _upload_conda,
    "PUT /{channel}/{subdir}/{file}": _upload_conda,
    "DELETE /api/v1/delete/{channel}/{subdir}/{file}": _stored_conda,
    "DELETE /{channel}/{subdir}/{file}": _stored_conda,
    "POST /api/v1/reindex/{channel}/{subdir}": _plain(subdir="noarch"),
    "POST /{channel}/legacy": _upload_wheel,
    "POST /{channel}/simple": _upload_wheel,
    "POST /legacy": _upload_wheel,
    "POST /simple": _upload_wheel,
    "POST /pypi": _upload_wheel,
    "POST /": _upload_wheel,
    "POST /api/package/{package}/{file}": _upload_wheel,
    "DELETE /api/package/{package}/{file}": _stored_wheel,
    "DELETE /{channel}/packages/{project}/{file}": _stored_wheel,
    "DELETE /packages/{project}/{file}": _stored_wheel,
    "POST /api/1/{channel}/{project}/{version}/yank": _release,
    "DELETE /api/1/{channel}/{project}/{version}/yank": _release,
    "PUT /{channel}/products/{product}/{version}/{file}": _upload_product,
    "DELETE /{channel}/products/{product}/{version}/{file}": _stored_product,
    # reading
    "GET /api/package/{package}/{file}": _stored_wheel,
    "GET /api/package/{package}": _stored_wheel,
    "GET /api/package": _plain(),
    "GET /": _plain(),
    "GET /{channel}": _plain(),
    "GET /{channel}/simple": _plain(),
    "GET /simple": _plain(),
    "GET /pypi": _plain(),
    "GET /{channel}/products/index.json": _plain(),
    "GET /health": _plain(),
    "GET /_authz": _authz,
    "GET /api/fetch": _plain(),
    "POST /api/fetch": _plain(),
    # one's own account
    "PUT /api/user/{user}": lambda world, _: Ask(
        path={"user": world.name()}, data={"password": "quite a new one"}
    ),
    "POST /api/user/password": _form(old_password=PASSWORD, new_password=PASSWORD),
    "PUT /acct/tokenRegister": _redeem,
    "GET /api/1/whoami": _plain(),
    "GET /api/1/keys": _plain(),
    "POST /api/1/keys": lambda world, _: Ask(**_json(f'{{"name": "{world.name()}"}}')),
    "DELETE /api/1/keys/{id}": lambda world, who: Ask(path={"id": world.key_of(who)[0]}),
    "POST /api/1/keys/revoke": lambda world, who: Ask(**_json(f'{{"secret": "{world.key_of(who)[1]}"}}')),
    "POST /api/graphql": lambda _world, _who: Ask(**_json('{"query": "{ channels { nodes { name } } }"}')),
    "POST /graphql": lambda _world, _who: Ask(**_json('{"query": "{ viewer { login } }"}')),
    "GET /api/graphql": _plain(),
    "GET /graphql": _plain(),
    "GET /config.json": _plain(),
    # channels and rights
    "GET /api/1/channels": _plain(),
    "POST /api/1/channels": lambda world, _: Ask(**_json(f'{{"name": "{world.name()}", "private": true}}')),
    "GET /api/1/channels/{channel}": _plain(),
    "PUT /api/1/channels/{channel}/visibility": lambda _world, _who: Ask(
        path=_HERE, **_json('{"private": true}')
    ),
    "GET /api/1/channels/{channel}/grants": _plain(),
    "PUT /api/1/channels/{channel}/grants": lambda world, _: Ask(
        path=_HERE, **_json(f'{{"principal": "user:{world.user()}", "action": "read"}}')
    ),
    "DELETE /api/1/channels/{channel}/grants": lambda world, _: Ask(
        path=_HERE, query=f"?principal=user:{world.granted()}&action=read&ecosystem=pypi&package=granted"
    ),
    # what there is
    "GET /api/1": _plain(),
    "GET /api/1/openapi.json": _plain(),
    "GET /api/1/packages": _plain(),
    "GET /api/1/channels/{channel}/packages": _plain(),
    "GET /api/1/channels/{channel}/packages/{ecosystem}/{name}": _package,
    "GET /api/1/channels/{channel}/packages/{ecosystem}/{name}/versions": _package,
    "GET /api/1/channels/{channel}/packages/{ecosystem}/{name}/versions/{version}": _package,
    "GET /api/1/channels/{channel}/files": _plain(),
    "GET /api/1/channels/{channel}/events": _plain(),
    "GET /api/1/content/{digest}": _content,
    "GET /api/1/stat/counters": _plain(),
    "GET /api/1/search": lambda _world, _who: Ask(query="?q=six"),
    "GET /search": lambda _world, _who: Ask(query="?q=six"),
    # the product service
    "GET /product/access": _plain(),
    "PUT /product/create": lambda world, _: Ask(**_json(f'{{"name": "{world.name()}"}}')),
    "GET /product/fetch/{product}": _versioned,
    "DELETE /product/delete/{product}": _versioned,
    "PUT /product/modify/{action}": _token,
    "DELETE /product/modify/{action}": _drop_version,
    "POST /product/upload": _upload_version,
    "GET /product/download/{product}/{version}": _versioned,
    "DELETE /product/delete/{product}/{version}": _versioned,
    "PUT /register": lambda _world, _who: Ask(**_json('{"admin": false}')),
    "GET /fetch/{token}": _own_token,
    "DELETE /prune/{token}": _own_token,
    # anaconda.org's
    "POST /anaconda/stage/{channel}/{name}/{version}/{subdir}/{file}": _announce,
    "POST /anaconda/blob": _blob,
    "POST /anaconda/commit/{channel}/{name}/{version}/{subdir}/{file}": _commit,
    "DELETE /anaconda/dist/{channel}/{name}/{version}/{subdir}/{file}": _about,
    "GET /anaconda/dist/{channel}/{name}/{version}/{subdir}/{file}": _about,
    "GET /anaconda": _plain(),
    "GET /anaconda/user": _plain(),
    "GET /anaconda/user/{channel}": _plain(),
    "GET /anaconda/package/{channel}/{name}": _about,
    "POST /anaconda/package/{channel}/{name}": _about,
    "PATCH /anaconda/package/{channel}/{name}": _about,
    "GET /anaconda/release/{channel}/{name}/{version}": _about,
    "POST /anaconda/release/{channel}/{name}/{version}": _about,
    "PATCH /anaconda/release/{channel}/{name}/{version}": _about,
    # pypicloud's administration
    "GET /admin/user": _plain(),
    "GET /admin/pending_users": _plain(),
    "GET /admin/user/{user}": lambda world, _: Ask(path={"user": world.user()}),
    "PUT /admin/user/{user}": lambda world, _: Ask(
        path={"user": world.name()}, data={"password": "quite a new one"}
    ),
    "DELETE /admin/user/{user}": lambda world, _: Ask(path={"user": world.user()}),
    "POST /admin/user/{user}/approve": lambda world, _: Ask(path={"user": world.user(pending=True)}),
    "POST /admin/user/{user}/admin": lambda world, _: Ask(
        path={"user": world.user()}, data={"admin": "false"}
    ),
    "GET /admin/user/{user}/permissions": lambda world, _: Ask(path={"user": world.granted()}),
    "GET /admin/token/{user}": lambda world, _: Ask(path={"user": world.user()}),
    "POST /admin/register": _form(allow="true"),
    "GET /admin/group": _plain(),
    "GET /admin/group/{group}": lambda world, _: Ask(path={"group": world.group()}),
    "PUT /admin/group/{group}": lambda world, _: Ask(path={"group": world.name()}),
    "DELETE /admin/group/{group}": lambda world, _: Ask(path={"group": world.group()}),
    "PUT /admin/user/{user}/group/{group}": lambda world, _: Ask(
        path={"user": world.user(), "group": world.group()}
    ),
    "DELETE /admin/user/{user}/group/{group}": _member,
    "GET /admin/rebuild": _plain(),
    "GET /admin/acl.json.gz": _plain(),
    "GET /admin/package/{package}": _plain(package="six"),
    "PUT /admin/package/{package}/{kind}/{name}/{permission}": _new_right,
    "DELETE /admin/package/{package}/{kind}/{name}/{permission}": _right,
    "GET /api/1/audit": _plain(),
    # pages of a browser
    "GET /account": _plain(),
    "POST /account/keys": _form(name="laptop", may="all", days="9", channels=""),
    "POST /account/keys/{id}/revoke": lambda world, who: Ask(
        path={"id": world.key_of(who)[0]}, data={"x": ""}
    ),
    "POST /account/sessions/{id}/revoke": lambda _world, _who: Ask(path={"id": "0" * 12}, data={"x": ""}),
    "POST /account/password": _form(old=PASSWORD, password="quite a new one", again="quite a new one"),
    "GET /account/packages": _plain(),
    "GET /account/upload/{channel}": _plain(),
    "GET /account/admin/users": _plain(),
    "GET /account/admin/users/{user}": lambda world, _: Ask(path={"user": world.user()}),
    "POST /account/admin/users/invite": lambda world, _: Ask(data={"user": world.name()}),
    "POST /account/admin/users/registration": _form(allow="true"),
    "POST /account/admin/users/{user}/approve": lambda world, _: Ask(
        path={"user": world.user(pending=True)}, data={"x": ""}
    ),
    "POST /account/admin/users/{user}/admin": lambda world, _: Ask(
        path={"user": world.user()}, data={"admin": "true"}
    ),
    "POST /account/admin/users/{user}/delete": lambda world, _: Ask(
        path={"user": world.user()}, data={"x": ""}
    ),
    "GET /account/admin/groups": _plain(),
    "GET /account/admin/groups/{group}": lambda world, _: Ask(path={"group": world.group()}),
    "POST /account/admin/groups/create": lambda world, _: Ask(data={"group": world.name()}),
    "POST /account/admin/groups/add": lambda world, _: Ask(
        data={"group": world.group(), "user": world.user()}
    ),
    "POST /account/admin/groups/{group}/add": lambda world, _: Ask(
        path={"group": world.group()}, data={"user": world.user()}
    ),
    "POST /account/admin/groups/{group}/remove": lambda world, _: Ask(
        path={"group": world.group()}, data={"user": world.user()}
    ),
    "POST /account/admin/groups/{group}/delete": lambda world, _: Ask(
        path={"group": world.group()}, data={"x": ""}
    ),
    "GET /account/admin/rights": _plain(),
    "GET /account/admin/rights/{channel}": _plain(),
    "GET /account/admin/rights/{channel}/{ecosystem}/{package}": _plain(ecosystem="pypi", package="six"),
    "POST /account/admin/rights/{channel}/give": lambda world, _: Ask(
        path=_HERE, data={"kind": "user", "name": world.user(), "action": "read"}
    ),
    "POST /account/admin/rights/{channel}/take": lambda world, _: Ask(
        path=_HERE, data={"principal": f"user:{world.user()}", "action": "read"}
    ),
    "POST /account/admin/rights/{channel}/close": lambda _world, _who: Ask(
        path=_HERE, data={"ecosystem": "pypi", "package": "granted"}
    ),
    "GET /account/admin/channels": _plain(),
    "POST /account/admin/channels": lambda world, _: Ask(data={"name": world.name()}),
    "GET /account/admin/channels/{channel}/visibility": _plain(),
    "POST /account/admin/channels/{channel}/visibility": lambda _world, _who: Ask(
        path=_HERE, data={"private": "true"}
    ),
    "GET /account/admin/channels/{channel}/delete": _plain(),
    "POST /account/admin/channels/{channel}/delete": lambda _world, _who: Ask(path=_HERE, data={"x": ""}),
    "GET /account/admin/audit": _plain(),
    "GET /account/admin/indexer": _plain(),
    "POST /account/admin/indexer/reindex": _form(channel=""),
    "GET /account/sign-in": _plain(),
    "POST /account/sign-in": _form(user="writer-person", password=PASSWORD),
    "POST /account/sign-out": _form(everywhere=""),
    "GET /account/register": _plain(),
    "POST /account/register": _register_form,
    "GET /account/invitation": _plain(),
    "POST /account/invitation": _redeem_form,
    "POST /acct/login": _form(**_SIGN_IN),
    "PUT /acct/login": lambda world, _: Ask(data={"username": world.name(), "password": "quite a new one"}),
}
"""`METHOD pattern` to what makes a request of it, new objects and all."""
