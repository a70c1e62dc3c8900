"""`packhouse.aio`: the same client, awaited; a cancelled call ends at once and leaves nothing behind."""

import asyncio
import inspect
import threading

import pytest
from client_support import KEY, Silent, product, self_signed, site

import packhouse
from packhouse import aio
from packhouse.client import stopping
from packhouse.client.threads import MOST, threaded

TOOL = product("tool", {"1": b"one" * 1000})
FILE = "/main/products/tool/1/tool.bin"


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.delenv("PACKHOUSE_KEY", raising=False)
    yield
    packhouse.clear_api_key()


def test_it_has_the_names_and_the_signatures_of_the_blocking_client():
    functions = {
        name
        for name in packhouse.__all__
        if inspect.isfunction(getattr(packhouse, name)) or name == "api_keys"
    }

    assert {*aio.__all__} == functions
    assert {*aio.api_keys.__all__} == {*packhouse.api_keys.__all__} - {"Status"}
    in_memory = {"login_with_api_key", "clear_api_key"}
    for module, twin, names in (
        (packhouse, aio, functions - {"api_keys"}),
        (packhouse.api_keys, aio.api_keys, {"list", "get", "create", "revoke"}),
    ):
        for name in names:
            one, two = getattr(module, name), getattr(twin, name)
            assert inspect.signature(one) == inspect.signature(two), name
            assert one.__doc__ == two.__doc__
            assert inspect.iscoroutinefunction(two) == (name not in in_memory), name


async def test_it_does_what_the_blocking_client_does(tmp_path):
    with site({**TOOL, "/api/1/keys/": [], "/main/serial.json": {"serial": 1}}) as there:
        url = f"{there.url}/main"
        assert (await aio.config(url)).registry == url
        assert await aio.logged_in() is None
        aio.login_with_api_key(KEY)
        assert await aio.logged_in() == there.url
        assert await aio.list_package_versions("tool") == packhouse.list_package_versions("tool")
        (path,) = await aio.pull("tool", dest=tmp_path)
        assert path.read_bytes() == b"one" * 1000
        assert await aio.api_keys.list() == []
        await aio.wait(1)
        with pytest.raises(packhouse.Missing):
            await aio.list_package_versions("nothing")
        with pytest.raises(ValueError, match="which key"):
            await aio.api_keys.revoke()
        await aio.logout()
        assert await aio.logged_in() is None


async def test_calls_run_at_the_same_time():
    """A call that waits does not keep the others, nor the loop."""
    with site({**TOOL, "/slow/serial.json": Silent()}) as there:
        waiting = asyncio.create_task(aio.wait(1, f"{there.url}/slow"))
        await there.reached("GET /slow/serial.json")
        found = await asyncio.gather(
            *(aio.list_package_versions("generic/tool", f"{there.url}/main") for _ in range(8))
        )
        assert len(found) == 8
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


@pytest.mark.parametrize("mood", [Silent(), Silent(b"half")], ids=["no status line", "half an answer"])
async def test_a_cancelled_download_ends_now_and_leaves_nothing(tmp_path, mood):
    ended = threading.Event()
    came = []

    with site({**TOOL, FILE: mood}) as there:

        def pull():
            try:
                packhouse.pull(
                    "generic/tool", dest=tmp_path / "dest", registry=f"{there.url}/main", progress=came.append
                )
            finally:
                ended.set()

        task = asyncio.create_task(threaded(pull)())
        await there.reached(f"GET {FILE}")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()  # before the caller goes on: nothing happens behind its back
        assert list((tmp_path / "dest").iterdir()) == []
        assert there.paths().count(f"GET {FILE}") == 1  # the broken connection was not tried again


async def test_a_timeout_is_a_cancellation():
    with site({"/main/serial.json": Silent()}) as there:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await aio.wait(1, f"{there.url}/main")
        assert len(there.asked) <= 1


async def test_over_tls_a_cancelled_call_ends_too(tmp_path, monkeypatch):
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with site({"/main/serial.json": Silent(), "/b/serial.json": {"serial": 1}}, certificate) as there:
        await aio.wait(1, f"{there.url}/b")
        task = asyncio.create_task(aio.wait(1, f"{there.url}/main"))
        await there.reached("GET /main/serial.json")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert there.paths().count("GET /main/serial.json") == 1


async def test_a_stranger_with_a_certificate_of_its_own_is_not_believed(tmp_path):
    packhouse.config(tries=1)
    aio.login_with_api_key(KEY)
    with (
        site({}, self_signed(tmp_path)) as there,
        pytest.raises(packhouse.Unreachable, match=r"[Cc]ertificate"),
    ):
        await aio.list_packages(f"{there.url}/main")
    assert there.asked == []


async def test_waiting_between_two_tries_ends_too():
    with site({"/main/serial.json": (503, "busy")}) as there:
        task = asyncio.create_task(aio.wait(1, f"{there.url}/main"))
        await there.reached("GET /main/serial.json")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(there.asked) == 1


async def test_a_call_that_was_cancelled_before_its_turn_is_never_made(tmp_path):
    with site({"/slow/serial.json": Silent()}) as there:
        full = [asyncio.create_task(aio.wait(1, f"{there.url}/slow")) for _ in range(MOST)]
        await there.reached("GET /slow/serial.json", MOST)
        late = asyncio.create_task(aio.list_packages(f"{there.url}/main"))
        await asyncio.sleep(0)
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
        for task in full:
            task.cancel()
        assert all(
            isinstance(end, asyncio.CancelledError)
            for end in await asyncio.gather(*full, return_exceptions=True)
        )
        assert set(there.paths()) == {"GET /slow/serial.json"}


async def test_a_second_cancellation_does_not_wait():
    """Whoever insists gets the task back, though the thread is in something that cannot be ended."""
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def deaf():
        started.set()
        release.wait(60)
        ended.set()
        raise ValueError("nobody hears this")

    task = asyncio.create_task(threaded(deaf)())
    await asyncio.get_running_loop().run_in_executor(None, started.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not ended.is_set()
    release.set()
    await asyncio.get_running_loop().run_in_executor(None, ended.wait, 60)


async def test_a_call_that_ended_while_it_was_cancelled_is_no_lost_exception():
    def fails():
        raise ValueError("lost")

    task = asyncio.create_task(threaded(fails)())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_stop_concerns_its_own_call_only():
    stop = stopping.Stop()
    with stop.current():
        stopping.check()
        stopping.sleep(0)
        stop.set()
        with pytest.raises(stopping.Stopped):
            stopping.check()
        with pytest.raises(stopping.Stopped):
            stopping.sleep(60)
    stopping.check()
    stopping.sleep(0)


async def test_the_callers_context_is_the_calls():
    """`progress` may look at what the caller set, as with asyncio.to_thread."""
    from contextvars import ContextVar

    who = ContextVar("who")
    who.set("ann")

    assert await threaded(who.get)() == "ann"
