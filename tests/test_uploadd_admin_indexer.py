"""What an admin sees of the indexer and of the audit log, and how everything is published again."""

import html
import re

import orjson
import pytest
from admin_pages_support import admin, administered, lines, shown, text, told
from uploadd_account_support import said

from packhouse import heartbeat
from packhouse.house import areas_of
from packhouse.intake.refusals import REFUSED
from packhouse.model import ANONYMOUS, Area

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def daemon(tmp_path):
    async with administered(tmp_path / "data") as running:
        yield running


def say(daemon, **more) -> None:
    """Write what a running indexer would."""
    house = daemon.house
    body = {"instance": house.locks.instance(), "round_us": house.catalog.clock(), "failing": []}
    (house.data / heartbeat.PATH).write_bytes(orjson.dumps({**body, **more}))


async def test_how_the_indexer_is_stands_first(daemon):
    one = await admin(daemon)
    assert "It never ran here" in await shown(one, "/account/admin/indexer/")
    say(daemon)
    assert "It runs, and was last heard of at" in await shown(one, "/account/admin/indexer/")
    say(daemon, round_us=1_700_000_000_000_000)
    page = await shown(one, "/account/admin/indexer/")
    assert "It runs, but was last heard of at 2023-11-14 22:13 UTC" in page
    say(daemon, instance="0" * 16)
    assert "It does not run; it was last heard of" in await shown(one, "/account/admin/indexer/")


async def test_what_is_published_queued_and_failing(daemon):
    daemon.indexer.stop()
    house, one = daemon.house, await admin(daemon)
    page = await shown(one, "/account/admin/indexer/")
    assert "main nothing yet 0 nothing" in page
    assert "Nothing waits" in page
    assert "Nothing fails" in page

    (house.data / "public/main").mkdir(exist_ok=True)
    (house.data / "public/main/serial.json").write_text('{"serial": 3}')
    house.catalog.areas.mark({Area("main", "pypi", "index", HOSTILE): -1000.0, Area("", "", "site"): 90.0})
    failing = {
        "area": "main/conda/index/noarch",
        "reason": f"because of {HOSTILE}",
        "gen": 1,
        "since_us": 1_700_000_000_000_000,
        "tries": 7,
    }
    say(daemon, failing=[failing] * 60)
    answer = await one.get("/account/admin/indexer/")
    page = text(answer)
    assert HOSTILE.encode() not in answer.body
    assert "main 3 0 1 area" in page
    assert f"pypi: index of {HOSTILE} main" in page
    assert page.count("late") == 1
    assert "Queued 2" in page
    assert f"conda: index of noarch main because of {HOSTILE} 2023-11-14 22:13 UTC 7" in page
    assert "10 more fail" in page
    (house.data / "public/main/serial.json").write_text("nonsense")
    assert "main nothing yet" in await shown(one, "/account/admin/indexer/")


async def test_what_the_inbox_refused_and_why(daemon):
    folder = daemon.house.data / REFUSED / "main"
    folder.mkdir(parents=True)
    (folder / f"{HOSTILE.replace('/', '')}.reason").write_text("it is no zip\n")
    (folder / ".half.reason").write_text("not yet")
    (folder / "secret.reason").symlink_to(daemon.house.data / "packhouse.toml")
    (folder / "empty.whl.reason").write_text("")
    answer = await (await admin(daemon)).get("/account/admin/indexer/")
    page = text(answer)

    assert HOSTILE.encode() not in answer.body
    assert "Refused in the inbox 2" in page
    assert f"main/{HOSTILE} it is no zip" in page
    assert "main/empty.whl no reason is written beside it" in page
    assert "min_free_bytes" not in page


@pytest.mark.parametrize("channel", ["main", ""])
async def test_everything_is_marked_and_the_indexer_woken(daemon, channel):
    daemon.indexer.stop()
    house, one = daemon.house, await admin(daemon)
    names = [channel] if channel else [item.name for item in house.catalog.channels.list()]
    wanted = {area for name in names for area in areas_of(house, name)}
    before = (house.data / "state/wake").stat().st_mtime_ns
    page = await told(one, await one.submit("/account/admin/indexer/reindex", channel=channel))

    assert "Everything is marked to be published again" in page
    marked = {area for area, _ in house.catalog.areas.queued(1000)}
    assert marked == wanted | (set() if channel else {Area("", "", "site")})
    assert (house.data / "state/wake").stat().st_mtime_ns > before
    note = f"{len(marked)} areas"
    assert lines(daemon) == [("alice", "reindex", channel or "everything", "ok", note)]


@pytest.mark.parametrize(("channel", "status"), [("nowhere", 404), ("../x", 400)])
async def test_a_channel_that_is_not_there_is_told(daemon, channel, status):
    one = await admin(daemon)
    answer = await one.submit("/account/admin/indexer/reindex", channel=channel)

    assert answer.status == status
    text(answer)
    assert channel in said(answer)


# --- the audit log ------------------------------------------------------------------------------------------


async def test_the_audit_log_is_told_newest_first_and_filtered(daemon):
    audit, one = daemon.house.catalog.audit, await admin(daemon)
    for number in range(60):
        audit.note(ANONYMOUS, "grant give", f"thing {number:02} {HOSTILE}", note="n")
    answer = await one.get("/account/admin/audit/")
    page = text(answer)
    assert HOSTILE.encode() not in answer.body
    assert page.index("thing 59") < page.index("thing 58")
    assert "thing 10" in page
    assert "thing 09" not in page
    following = html.unescape(re.search(r'<a href="([^"]+)" rel="next">', answer.body.decode())[1])
    page = await shown(one, following)
    assert "thing 09" in page
    assert "thing 10" not in page
    assert "alice session sign in alice" in page

    page = await shown(one, "/account/admin/audit/?who=&action=grant+give&object=thing+1&page_token=")
    assert page.count("grant give thing") == 10
    page = await shown(one, "/account/admin/audit/?who=nobody-at-all")
    assert "No line is like that" in page
    assert (await one.get("/account/admin/audit/?page_token=x")).status == 400
