"""anaconda.org's API call by call, and every way in which one is refused."""

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass

import aiohttp
import pytest
from conda_support import make_conda
from house_support import Direct
from pypi_support import make_wheel
from uploadd_support import SETTINGS, Answer, Daemon, run_daemon, sha256

from packhouse.errors import Busy, NotFound, Unprocessable
from packhouse.model import Action, Claim, Ecosystem, Grant, Principal
from packhouse.names import ChannelName, Filename
from uploadd import app, deferred
from uploadd.deferred import LIFE_S, MOST, DeferredUploads

NAME, BODY = make_conda("tiny", "1.2.3")
OTHER = make_conda("tiny", "1.2.3", files={"other": b"bytes"})[1]
ANYTHING = {
    "distribution_type": "conda",
    "description": None,
    "attrs": {"name": "tiny"},
    "dependencies": None,
}


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Direct()) as running:
        yield running


def file_path(owner="main", name="tiny", version="1.2.3", filename=NAME, subdir="noarch"):
    return f"{owner}/{name}/{version}/{subdir}/{filename}"


async def send(daemon: Daemon, method: str, path: str, body: object = None, key: str | None = "ci") -> Answer:
    """Send a JSON document as the clients do."""
    return await daemon.ask(
        method,
        f"/anaconda/{path}",
        json.dumps(body).encode(),
        key=key,
        headers={"Content-Type": "application/json"},
    )


async def announce(daemon, where=None, *, key="ci", labels=("main",), body=BODY, **more) -> Answer:
    document = {**ANYTHING, "channels": list(labels), "sha256": sha256(body), **more}
    return await send(daemon, "POST", f"stage/{where or file_path()}", document, key)


def md5_of(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


async def deliver(daemon, post_url: str, body=BODY, key=None, **fields: str) -> Answer:
    """POST the bytes as a form; nobody's key, as the clients."""
    form = aiohttp.FormData()
    for name, value in ({"Content-Length": str(len(body)), "Content-MD5": md5_of(body)} | fields).items():
        form.add_field(name, value)
    form.add_field("file", body, filename=f"noarch/{NAME}", content_type="application/octet-stream")
    assert post_url.startswith(daemon.url)
    return await daemon.ask("POST", post_url.removeprefix(daemon.url), form, key=key)


async def commit(daemon, dist_id, where=None, key="ci") -> Answer:
    return await send(daemon, "POST", f"commit/{where or file_path()}", {"dist_id": dist_id}, key)


@dataclass(frozen=True)
class Steps:
    """What the three steps of an upload were answered."""

    staged: Answer
    delivered: Answer
    committed: Answer


async def upload(daemon, where=None, *, body=BODY, key="ci", labels=("main",), sent=None, **fields) -> Steps:
    staged = await announce(daemon, where, key=key, labels=labels, body=body)
    assert staged.status == 200, staged.json
    delivered = await deliver(daemon, staged.json["post_url"], sent or body, **fields)
    return Steps(staged, delivered, await commit(daemon, staged.json["dist_id"], where, key))


def served(daemon, channel="main", tree="public"):
    path = daemon.house.data / tree / channel / "noarch" / NAME
    return path.read_bytes() if path.is_file() else None


def waiting(daemon) -> list[str]:
    return [path for path in daemon.files() if path.startswith("incoming/")]


# --- an upload -------------------------------------------------------------------------------------------------------


async def test_an_upload_takes_three_steps_and_shows_nothing_before_the_last(daemon):
    staged = await announce(daemon)
    assert staged.status == 200
    assert set(staged.json) == {"post_url", "form_data", "dist_id"}
    assert daemon.files() == []

    delivered = await deliver(daemon, staged.json["post_url"])
    assert (delivered.status, delivered.json) == (201, {"received": len(BODY)})
    assert served(daemon) is None
    assert (await daemon.ask("GET", f"/anaconda/dist/{file_path()}")).status == 404
    assert daemon.house.catalog.artifacts.events("main") == []

    committed = await commit(daemon, staged.json["dist_id"])
    assert committed.status == 200
    assert committed.json["url"] == f"{daemon.url}/main/conda/tiny/"
    assert (committed.json["changed"], committed.json["published"]) == (True, True)
    assert (committed.json["sha256"], committed.json["basename"]) == (sha256(BODY), f"noarch/{NAME}")
    assert committed.json["files"][0]["uploaded_by"] == "ci"
    assert served(daemon) == BODY
    assert waiting(daemon) == []


async def test_the_same_bytes_again_change_nothing(daemon):
    await upload(daemon)

    again = await upload(daemon)

    assert again.committed.status == 200
    assert again.committed.json["changed"] is False
    assert len(daemon.house.catalog.artifacts.events("main")) == 1
    assert waiting(daemon) == []


async def test_a_commit_is_200_also_before_the_index_lists_it(tmp_path):
    """The clients take nothing else for a success."""
    settings = SETTINGS.replace("publish_wait_s = 6.0", "publish_wait_s = 0.1")
    async with run_daemon(tmp_path / "data", Direct(), settings=settings, publish=False) as daemon:
        done = await upload(daemon)

        assert done.committed.status == 200
        assert done.committed.json["published"] is False
        assert served(daemon) == BODY


async def test_base_url_leads_to_the_bytes(tmp_path):
    settings = f'{SETTINGS}base_url = "https://packages.example/sub/"\n'
    async with run_daemon(tmp_path / "data", Direct(), settings=settings) as daemon:
        post_url = (await announce(daemon)).json["post_url"]

        assert post_url.startswith("https://packages.example/sub/anaconda/blob?upload=")


async def test_a_request_that_names_no_host_gets_no_address(daemon):
    document = json.dumps({**ANYTHING, "channels": ["main"]}).encode()
    answer = await daemon.raw(
        f"POST /anaconda/stage/{file_path()} HTTP/1.1\r\nHost: no host/at all\r\nConnection: close\r\n"
        f"Authorization: token {daemon.keys['ci']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(document)}\r\n\r\n".encode(),
        document,
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"names no host" in answer


# --- labels ----------------------------------------------------------------------------------------------------------


async def test_a_label_is_a_channel_beside_the_owners(daemon):
    daemon.house.create_channel(ChannelName("main-dev"))
    for action in (Action.WRITE, Action.READ):
        daemon.house.catalog.grants.give(Grant(principal="service:ci", action=action, channel="main-dev"))

    only = await upload(daemon, labels=["dev"])
    assert only.committed.json["url"].endswith("/main-dev/conda/tiny/")
    assert (served(daemon, "main-dev"), served(daemon)) == (BODY, None)

    both = await upload(daemon, labels=["main", "dev", "main"])
    assert [file["channel"] for file in both.committed.json["files"]] == ["main", "main-dev"]
    assert (served(daemon, "main-dev"), served(daemon)) == (BODY, BODY)
    assert waiting(daemon) == []


@pytest.mark.parametrize("labels", [[], None])
async def test_no_label_is_main(daemon, labels):
    staged = await send(daemon, "POST", f"stage/{file_path()}", {"channels": labels})

    await deliver(daemon, staged.json["post_url"])
    assert (await commit(daemon, staged.json["dist_id"])).json["files"][0]["channel"] == "main"


async def test_a_label_without_its_channel_or_right_is_refused_before_the_bytes(daemon):
    daemon.house.create_channel(ChannelName("main-public"))
    daemon.house.create_channel(ChannelName("main-hidden"), private=True)

    none, hidden, public = [
        await announce(daemon, labels=["main", label]) for label in ("none", "hidden", "public")
    ]
    bad = await announce(daemon, labels=["Dev/../x"])

    assert (none.status, hidden.status, public.status, bad.status) == (404, 404, 403, 400)
    assert none.body.replace(b"main-none", b"main-hidden") == hidden.body
    assert (public.code, bad.code) == ("forbidden", "bad-name")


async def test_labels_are_a_short_list_of_texts(daemon):
    for labels in ("dev", [1], {"main": 1}):
        assert (await send(daemon, "POST", f"stage/{file_path()}", {"channels": labels})).code == "malformed"
    many = await announce(daemon, labels=[f"l{n}" for n in range(9)])

    assert (many.status, "9 labels" in many.json["detail"]) == (400, True)


async def test_what_an_earlier_label_took_stays_when_a_later_one_refuses(daemon):
    daemon.house.create_channel(ChannelName("main-dev"))
    daemon.house.catalog.grants.give(Grant(principal="service:ci", action=Action.WRITE, channel="main-dev"))
    staged = await announce(daemon, labels=["main", "dev"])
    await upload(daemon, labels=["dev"], body=OTHER)  # somebody is quicker
    await deliver(daemon, staged.json["post_url"])

    refused = await commit(daemon, staged.json["dist_id"])

    assert (refused.status, refused.code) == (409, "exists")
    assert "in main-dev" in refused.json["detail"]
    assert (served(daemon), served(daemon, "main-dev")) == (BODY, OTHER)
    assert waiting(daemon) == []


# --- who may ---------------------------------------------------------------------------------------------------------

CALLS = [
    ("POST", "package/{}/tiny"),
    ("PATCH", "package/{}/tiny"),
    ("POST", "release/{}/tiny/1.2.3"),
    ("PATCH", "release/{}/tiny/1.2.3"),
    ("POST", f"stage/{{}}/tiny/1.2.3/noarch/{NAME}"),
    ("POST", f"commit/{{}}/tiny/1.2.3/noarch/{NAME}"),
    ("DELETE", f"dist/{{}}/tiny/1.2.3/noarch/{NAME}"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_who_has_no_right_is_refused(daemon, method, path):
    """Nobody 401, a wrong key 401, a reader 403, a channel that is not theirs as one that is not there."""
    daemon.keys = {**daemon.keys, "wrong": "pkh-" + "a" * 42}

    async def ask(owner, key):
        return await send(daemon, method, path.format(owner), ANYTHING, key)

    assert (await ask("main", None)).status == 401
    assert (await ask("main", "wrong")).status == 401
    assert (await ask("main", "reader")).status == 403
    assert (await ask("closed", None)).status == (await ask("nowhere", None)).status == 401
    hidden, missing = await ask("closed", "reader"), await ask("nowhere", "reader")
    assert hidden.status == missing.status == 404
    assert hidden.body.replace(b"closed", b"nowhere") == missing.body


async def test_a_key_is_taken_as_a_token(daemon):
    answer = await daemon.ask(
        "GET", "/anaconda/user", key=None, headers={"Authorization": f"token {daemon.keys['ci']}"}
    )

    assert answer.json["login"] == "ci"
    assert (await daemon.ask("GET", "/anaconda/user", key=None)).status == 401


async def test_a_right_on_one_package_is_none_on_another(daemon):
    daemon.house.catalog.grants.give(
        Grant(
            principal="service:reader",
            action=Action.WRITE,
            channel="main",
            ecosystem=Ecosystem.CONDA,
            package="tiny",
        )
    )
    name, body = make_conda("huge", "1.0")

    assert (await upload(daemon, key="reader")).committed.status == 200
    refused = await announce(daemon, file_path("main", "huge", "1.0", name), key="reader", body=body)
    register = await send(daemon, "POST", "package/main/huge", {}, "reader")
    assert (refused.status, register.status) == (403, 403)


async def test_the_address_for_the_bytes_works_once_and_its_secret_is_never_told(daemon, caplog):
    staged = await announce(daemon)
    with caplog.at_level("INFO"):
        first = await deliver(daemon, staged.json["post_url"])
        again = await deliver(daemon, staged.json["post_url"], OTHER)
        other = await deliver(daemon, f"{daemon.url}/anaconda/blob?upload={'x' * 43}")
        none = await deliver(daemon, f"{daemon.url}/anaconda/blob")

    assert (first.status, again.status, other.status, none.status) == (201, 404, 404, 404)
    assert again.body == other.body == none.body
    secret = staged.json["post_url"].rpartition("=")[2]
    assert len(secret) >= 40
    assert secret not in caplog.text + again.body.decode() + again.reason
    assert "/anaconda/blob" in caplog.text
    assert (await commit(daemon, staged.json["dist_id"])).json["sha256"] == sha256(BODY)


async def test_only_who_announced_an_upload_commits_it_and_only_for_what_it_was(daemon):
    boss = Grant(principal="service:boss", action=Action.WRITE, channel="main")
    daemon.house.catalog.grants.give(boss)
    staged = await announce(daemon)
    await deliver(daemon, staged.json["post_url"])
    dist_id = staged.json["dist_id"]

    theirs = await commit(daemon, dist_id, key="boss")
    unknown = await commit(daemon, "nothing", key="boss")
    elsewhere = await commit(daemon, dist_id, file_path("other"))
    another = await commit(daemon, dist_id, file_path(version="1.2.4"))

    assert (theirs.status, elsewhere.status, another.status) == (404, 404, 404)
    assert theirs.body == unknown.body
    assert (await commit(daemon, dist_id)).status == 200
    assert (await commit(daemon, dist_id)).status == 404  # used up
    for body in ({}, {"dist_id": 7}, {"dist_id": ""}):
        assert (await send(daemon, "POST", f"commit/{file_path()}", body)).code == "malformed"


async def test_a_right_that_ends_before_the_commit_ends_the_upload(daemon):
    staged = await announce(daemon)
    await deliver(daemon, staged.json["post_url"])
    everything = Grant(principal="service:ci", action=Action.WRITE, channel="main")
    daemon.house.catalog.grants.take(everything)

    refused = await commit(daemon, staged.json["dist_id"])

    assert refused.status == 403
    assert served(daemon) is None


# --- what the bytes say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sent", "told"),
    [
        ({}, OTHER, "sha256"),
        ({"Content-MD5": md5_of(OTHER)}, None, "md5"),
        ({"Content-Length": "7"}, None, "size"),
    ],
)
async def test_bytes_that_are_not_what_was_said_are_refused_and_forgotten(daemon, fields, sent, told):
    steps = await upload(daemon, sent=sent, **fields)

    assert steps.delivered.status == 201
    assert (steps.committed.status, steps.committed.code) == (422, "claim-mismatch")
    assert told in steps.committed.json["detail"]
    assert (served(daemon), waiting(daemon)) == (None, [])
    assert (await commit(daemon, steps.staged.json["dist_id"])).status == 404


@pytest.mark.parametrize(
    "where", [file_path(name="other"), file_path(version="1.2"), file_path(subdir="linux-64")]
)
async def test_package_version_and_subdir_of_the_address_are_compared(daemon, where):
    steps = await upload(daemon, where)

    assert steps.committed.code == "claim-mismatch"
    assert served(daemon) is None


@pytest.mark.parametrize("where", [file_path(filename="tiny.conda"), file_path(subdir="moon-64")])
async def test_a_name_that_breaks_its_rule_is_refused_at_once(daemon, where):
    assert (await announce(daemon, where)).code == "bad-name"


@pytest.mark.parametrize(
    "more", [{"sha256": 7}, {"sha256": "abc"}, {"distribution_type": "pypi"}, {"distribution_type": None}]
)
async def test_an_announcement_with_a_wrong_field_is_refused(daemon, more):
    assert (await announce(daemon, **more)).code in {"malformed", "unprocessable"}


async def test_other_bytes_under_a_name_are_409_and_a_deleted_name_is_422(daemon):
    await upload(daemon)
    assert (await announce(daemon, body=OTHER)).code == "exists"

    await daemon.ask("DELETE", f"/api/v1/delete/main/noarch/{NAME}")
    burnt = await announce(daemon)

    assert (burnt.status, burnt.code) == (422, "name-burnt")


async def test_a_commit_without_bytes_is_refused_and_ends_nothing(daemon):
    staged = await announce(daemon)

    early = await commit(daemon, staged.json["dist_id"])
    await deliver(daemon, staged.json["post_url"])

    assert (early.status, early.code) == (422, "unprocessable")
    assert (await commit(daemon, staged.json["dist_id"])).status == 200


@pytest.mark.parametrize("broken", ["no file", "two files", "cut", "no form", "md5", "size"])
async def test_a_broken_form_ends_the_upload(daemon, broken):
    staged = await announce(daemon)
    path = staged.json["post_url"].removeprefix(daemon.url)
    files = {"no file": [], "two files": [BODY, BODY]}.get(broken, [BODY])
    with aiohttp.MultipartWriter("form-data") as form:
        for body in files:
            form.append(body).set_content_disposition("form-data", name="file")
        for name in {"md5": "Content-MD5", "size": "Content-Length"}.get(broken, "key").split():
            form.append("wrong").set_content_disposition("form-data", name=name)
    headers = {"Content-Type": "text/plain" if broken == "no form" else form.content_type}
    body = await form.as_bytes()

    answer = await daemon.ask(
        "POST", path, body[:-20] if broken == "cut" else body, key=None, headers=headers
    )

    assert (answer.status, answer.code) == (400, "malformed")
    assert (await deliver(daemon, staged.json["post_url"])).status == 404
    assert (await commit(daemon, staged.json["dist_id"])).status == 404
    assert waiting(daemon) == []


async def test_more_bytes_than_this_server_takes_are_refused(tmp_path):
    settings = SETTINGS.replace("8_000_000", str(len(BODY) - 1))
    async with run_daemon(tmp_path / "data", Direct(), settings=settings) as daemon:
        staged = await announce(daemon)

        assert (await deliver(daemon, staged.json["post_url"])).status == 413
        assert waiting(daemon) == []


async def test_bodies_have_to_be_json_objects(daemon):
    for path in (f"stage/{file_path()}", "package/main/tiny", "release/main/tiny/1.2.3"):
        for body, media_type in (
            (b"[]", "application/json"),
            (b"{", "application/json"),
            (b"{}", "text/plain"),
        ):
            answer = await daemon.ask("POST", f"/anaconda/{path}", body, headers={"Content-Type": media_type})
            assert answer.code == "malformed", (path, body)


# --- what was never committed ----------------------------------------------------------------------------------------


async def test_bytes_that_nobody_commits_are_swept(daemon, monkeypatch):
    """The daemon's own look-out takes them away, without another request."""
    staged = await announce(daemon)
    await deliver(daemon, staged.json["post_url"])
    assert len(waiting(daemon)) == 1
    monkeypatch.setattr(app, "REAP_EVERY_S", 0.01)
    monkeypatch.setattr(deferred, "LIFE_S", 0.0)

    async with asyncio.timeout(30):
        while waiting(daemon):  # noqa: ASYNC110 - the daemon's look-out tells nobody that it is done
            await asyncio.sleep(0.01)

    assert (await commit(daemon, staged.json["dist_id"])).status == 404
    assert served(daemon) is None


async def test_a_stopping_daemon_takes_away_what_nobody_committed(tmp_path):
    async with run_daemon(tmp_path / "data", Direct()) as daemon:
        staged = await announce(daemon)
        await deliver(daemon, staged.json["post_url"])
        (left,) = waiting(daemon)

    assert not (tmp_path / "data" / left).exists()


PERSON = Principal(name="ci", kind="service")
CLAIM = Claim(channel=ChannelName("main"), ecosystem=Ecosystem.CONDA, filename=Filename(NAME))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def table():
    clock = Clock()
    return clock, DeferredUploads(monotonic=clock)


def test_each_step_has_its_time():
    clock, uploads = table()
    first, second = (uploads.announce(PERSON, target, (CLAIM,)) for target in ("a", "b"))
    clock.now = LIFE_S - 1
    used_up = first.delivery
    assert uploads.deliver(used_up) is first
    clock.now = LIFE_S * 3  # a body takes its own time
    assert uploads.overdue() == []
    stage = object()  # the table never looks into it
    uploads.arrived(first, stage, 3, {"md5": "0" * 32})
    assert first.claims[0].size == 3

    with pytest.raises(NotFound):
        uploads.deliver(second.delivery)
    with pytest.raises(NotFound):
        uploads.deliver(used_up)
    clock.now += LIFE_S
    with pytest.raises(NotFound):
        uploads.take(PERSON, first.id, "a")
    assert uploads.overdue() == [stage]
    assert uploads.overdue() == []


def test_an_account_has_only_so_many_uploads_open():
    clock, uploads = table()
    for number in range(MOST):
        uploads.announce(PERSON, str(number), (CLAIM,))

    with pytest.raises(Busy, match="100 uploads"):
        uploads.announce(PERSON, "more", (CLAIM,))
    uploads.announce(Principal(name="ci", kind="user"), "another account", (CLAIM,))
    clock.now = LIFE_S
    assert uploads.overdue() == []  # no bytes came of them
    uploads.announce(PERSON, "later", (CLAIM,))


def test_bytes_on_their_way_cannot_be_committed():
    _clock, uploads = table()
    upload = uploads.announce(PERSON, "a", (CLAIM,))
    uploads.deliver(upload.delivery)

    with pytest.raises(Unprocessable):
        uploads.take(PERSON, upload.id, "a")
    uploads.drop(upload)
    with pytest.raises(NotFound):
        uploads.take(PERSON, upload.id, "a")


def test_leave_to_replace_is_one_accounts_for_one_file_and_ends():
    clock, uploads = table()
    uploads.allow_replacing(PERSON, "main", "noarch/a")

    assert uploads.may_replace(PERSON, "main", "noarch/a")
    assert not uploads.may_replace(Principal(name="ci", kind="user"), "main", "noarch/a")
    assert not uploads.may_replace(PERSON, "other", "noarch/a")
    clock.now = LIFE_S
    assert not uploads.may_replace(PERSON, "main", "noarch/a")
    uploads.overdue()
    clock.now = 0.0
    assert not uploads.may_replace(PERSON, "main", "noarch/a")


# --- force -----------------------------------------------------------------------------------------------------------


async def test_force_replaces_where_the_channel_lets_a_maintainer(daemon):
    where = file_path("other")
    await upload(daemon, where, key="boss")
    assert (await announce(daemon, where, key="boss", body=OTHER)).status == 409

    let = await send(daemon, "DELETE", f"dist/{where}", key="boss")
    assert (let.status, let.json["deleted"]) == (200, False)
    assert served(daemon, "other") == BODY
    done = await upload(daemon, where, key="boss", body=OTHER)

    assert (done.committed.status, done.committed.json["changed"]) == (200, True)
    file = daemon.house.catalog.artifacts.live("other", f"noarch/{NAME}")
    assert file.sha256 == sha256(OTHER)
    assert [str(event.kind) for event in daemon.house.catalog.artifacts.events("other")] == [
        "upload",
        "replace",
    ]
    # Once is once.
    assert (await announce(daemon, where, key="boss")).status == 409


async def test_force_deletes_nothing_and_needs_both_the_right_and_the_channel(daemon):
    daemon.house.catalog.grants.give(Grant(principal="service:boss", action=Action.MAINTAIN, channel="main"))
    await upload(daemon)
    await upload(daemon, file_path("other"))

    fixed = await send(daemon, "DELETE", f"dist/{file_path()}", key="boss")
    writer = await send(daemon, "DELETE", f"dist/{file_path('other')}")
    missing = await send(
        daemon, "DELETE", f"dist/{file_path('other', filename='tiny-9-0.conda')}", key="boss"
    )

    assert (fixed.status, fixed.code) == (403, "overwrite-forbidden")
    assert (writer.status, missing.status) == (403, 404)
    assert (served(daemon), served(daemon, "other")) == (BODY, BODY)
    assert not daemon.house.catalog.artifacts.burnt("main", f"noarch/{NAME}")
    # What one account was let, another was not.
    await send(daemon, "DELETE", f"dist/{file_path('other')}", key="boss")
    assert (await announce(daemon, file_path("other"), body=OTHER)).status == 409


async def test_a_right_to_maintain_one_package_replaces_no_other(daemon):
    daemon.house.catalog.grants.give(
        Grant(
            principal="service:reader",
            action=Action.MAINTAIN,
            channel="other",
            ecosystem=Ecosystem.CONDA,
            package="mine",
        )
    )
    await upload(daemon, file_path("other"))

    refused = await send(daemon, "DELETE", f"dist/{file_path('other')}", key="reader")

    assert (refused.status, refused.code) == (403, "forbidden")


# --- what is there ---------------------------------------------------------------------------------------------------


async def test_what_is_there_is_told_and_what_is_not_is_404(daemon):
    for path in ("package/main/tiny", "release/main/tiny/1.2.3", f"dist/{file_path()}"):
        assert (await daemon.ask("GET", f"/anaconda/{path}")).status == 404
    await upload(daemon)

    package = (await daemon.ask("GET", "/anaconda/package/main/tiny", key=None)).json
    release = (await daemon.ask("GET", "/anaconda/release/main/tiny/1.2.3")).json
    dist = (await daemon.ask("GET", f"/anaconda/dist/{file_path()}")).json

    assert (package["name"], package["package_types"], package["versions"]) == ("tiny", ["conda"], ["1.2.3"])
    assert package["owner"] == {"login": "main"}
    assert package["public"] is True
    assert package["files"] == release["distributions"] == [dist]
    assert dist["full_name"] == f"main/tiny/1.2.3/noarch/{NAME}"
    assert (dist["md5"], dist["size"]) == (hashlib.md5(BODY).hexdigest(), len(BODY))
    for wrong in (file_path(version="1.2"), file_path(name="tin"), file_path(subdir="linux-64")):
        assert (await daemon.ask("GET", f"/anaconda/dist/{wrong}")).status == 404
    assert (await daemon.ask("GET", "/anaconda/release/main/tiny/1.2")).status == 404


async def test_the_server_and_its_owners_answer_head_and_get(daemon):
    assert (await daemon.ask("HEAD", "/anaconda", key=None)).status == 200
    assert (await daemon.ask("GET", "/anaconda/", key=None)).json["name"] == "Packhouse"
    assert (await daemon.ask("GET", "/anaconda/user/main", key=None)).json["login"] == "main"
    assert (await daemon.ask("GET", "/anaconda/user/nowhere")).status == 404
    assert (await daemon.ask("GET", "/anaconda/user/nowhere", key=None)).status == 401


async def test_a_private_channel_tells_strangers_nothing(daemon):
    """Nor somebody who may read a Python package of it and no conda package."""
    await upload(daemon, file_path("closed"), key="admin")
    daemon.house.catalog.grants.give(
        Grant(
            principal="service:reader",
            action=Action.READ,
            channel="closed",
            ecosystem=Ecosystem.PYPI,
            package="six",
        )
    )

    for path in ("package/closed/{}", "release/closed/{}/1.2.3", f"dist/closed/{{}}/1.2.3/noarch/{NAME}"):
        there, absent = path.format("tiny"), path.format("none")
        assert (await daemon.ask("GET", f"/anaconda/{there}", key=None)).status == 401
        assert (await daemon.ask("GET", f"/anaconda/{there}", key="insider")).status == 200
        assert (await daemon.ask("GET", f"/anaconda/{there}", key="ci")).status == 404
        hidden = await daemon.ask("GET", f"/anaconda/{there}", key="reader")
        missing = await daemon.ask("GET", f"/anaconda/{absent}", key="reader")
        assert hidden.status == missing.status == 404
        assert hidden.body.replace(b"tiny", b"none") == missing.body or path.startswith("dist")


async def test_registering_stores_nothing(daemon):
    before = daemon.files()
    package = {"public": True, "publish": False, "public_attrs": {"package_types": ["conda"], "name": "tiny"}}

    first = await send(daemon, "POST", "package/main/tiny", package)
    version = await send(daemon, "POST", "release/main/tiny/1.2.3", {"requirements": [], "announce": None})

    assert (first.status, first.json["files"], first.json["package_types"]) == (200, [], [])
    assert (version.status, version.json["distributions"]) == (200, [])
    assert (await send(daemon, "PATCH", "package/main/tiny", package)).status == 404
    assert (await send(daemon, "PATCH", "release/main/tiny/1.2.3", {})).status == 404
    assert daemon.files() == before
    await upload(daemon)
    assert len((await send(daemon, "PATCH", "package/main/tiny", package)).json["files"]) == 1
    assert len((await send(daemon, "PATCH", "release/main/tiny/1.2.3", {})).json["distributions"]) == 1
    assert (await send(daemon, "POST", "package/main/-tiny", package)).code == "bad-name"


async def test_what_cannot_be_kept_is_not_registered(daemon):
    python = await send(daemon, "POST", "package/main/six", {"public_attrs": {"package_types": ["pypi"]}})
    private = await send(daemon, "POST", "package/main/tiny", {"public": False})

    assert (python.status, "/legacy/" in python.json["detail"]) == (422, True)
    assert (private.status, "private channel" in private.json["detail"]) == (422, True)
    assert (await send(daemon, "POST", "package/closed/tiny", {"public": False}, "admin")).status == 200
    wheel = make_wheel("six", "1.0")[0]
    assert (await daemon.ask("GET", f"/anaconda/dist/main/six/1.0/{wheel}")).status == 404
