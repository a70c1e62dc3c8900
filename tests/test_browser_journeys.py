"""People who find a package, install it with what they copied, make keys and let others in: by keyboard alone."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import rattler
from browser_support import PASSWORD, chromium, need_chromium, press_on, sign_in, tab_to, visitor
from e2e_support import clean_environment
from playwright.sync_api import Browser, BrowserContext, Page, expect
from private_support import UNLIMITED, World, world

need_chromium()
pytestmark = pytest.mark.e2e

KEY = re.compile(r"pkh-[0-9A-Za-z]{42}")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[World]:
    """Packages of every kind in a public channel, a private one, an admin, and alice, who reads both."""
    with world(tmp_path_factory.mktemp("journeys"), **UNLIMITED) as made:
        made.channel("vault", private=True)
        made.conda("main", "gammaconda")
        made.wheel("main", "gammapy")
        made.put("/main/products/gammatool/1.0/tool.bin", b"a tool")
        made.wheel("vault", "hushpy")
        made.user("alice", PASSWORD)
        made.give("user:alice", "vault")
        made.user("ada", PASSWORD)
        made.house.catalog.accounts.set_admin("ada", admin=True)
        made.settled()
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with visitor(browser, permissions=["clipboard-read", "clipboard-write"]) as opened:
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def copied(page: Page, what: str) -> str:
    """Copy by keyboard; what the clipboard holds then."""
    button = page.get_by_role("button", name=f"Copy {what}", exact=True)
    press_on(page, button)
    expect(page.get_by_role("button", name=f"Copied {what}", exact=True)).to_be_focused()
    return page.evaluate("() => navigator.clipboard.readText()")


def pasted(text: str, folder, **env: str) -> str:
    """Run text in a newcomer's shell, in an empty folder; what it said."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["sh", "-c", text],
        cwd=folder,
        env=clean_environment(folder / "home", **env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}"
    return done.stdout


def solved(url: str, spec: str, folder) -> list[str]:
    """What py-rattler would install from a channel; in a thread, as Playwright's loop runs in this one."""
    gateway = rattler.Gateway(cache_dir=folder / "cache")

    async def solve():
        return await rattler.solve([rattler.Channel(url)], [spec], gateway=gateway, platforms=["noarch"])

    with ThreadPoolExecutor(1) as pool:
        return [str(record.file_name) for record in pool.submit(asyncio.run, solve()).result(60)]


def test_a_package_is_found_and_opened_without_a_mouse(site: World, page: Page) -> None:
    page.goto(f"{site.server.url}/")
    page.keyboard.press("/")
    page.keyboard.type("gamma")
    expect(page.get_by_role("option")).to_have_count(3)

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.locator("[role=option][aria-selected=true]")
    href = chosen.get_attribute("href")
    page.keyboard.press("Enter")

    page.wait_for_url(href)
    expect(page.get_by_role("heading", level=1)).to_contain_text("gamma")


def test_what_is_copied_for_pip_and_uv_installs(site: World, page: Page, tmp_path) -> None:
    page.goto(f"{site.server.url}/main/pypi/gammapy/")
    venv = tmp_path / "venv"
    site.server.must("uv", "venv", "--python", sys.executable, venv)
    installed = venv / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"

    pip = copied(page, "the pip command")
    assert pip.startswith("pip install ")
    pasted(pip, tmp_path / "pip", PIP_PYTHON=str(venv / "bin" / "python"))
    assert (installed / "gammapy" / "__init__.py").is_file()

    site.server.must("uv", "pip", "uninstall", "--python", venv, "gammapy")
    assert not (installed / "gammapy").exists()
    pasted(copied(page, "the uv command"), tmp_path / "uv", VIRTUAL_ENV=str(venv))
    assert (installed / "gammapy" / "__init__.py").is_file()


def test_what_is_copied_for_conda_names_a_channel_that_solves(site: World, page: Page, tmp_path) -> None:
    page.goto(f"{site.server.url}/main/conda/gammaconda/")
    for tool, pattern in {
        "conda": r"conda install --channel (\S+) (\S+)",
        "mamba": r"mamba install --channel (\S+) (\S+)",
        "pixi": r"pixi workspace channel add (\S+) && pixi add '\1::([^']+)'",
    }.items():
        text = copied(page, f"the {tool} command")
        command = re.fullmatch(pattern, text)
        assert command, text
        assert solved(command[1], command[2], tmp_path / tool) == ["gammaconda-1.0-0.conda"]


def test_what_is_copied_for_curl_fetches_and_verifies(site: World, page: Page, tmp_path) -> None:
    page.goto(f"{site.server.url}/main/generic/gammatool/")

    assert "tool.bin: OK" in pasted(copied(page, "the curl command"), tmp_path)

    assert (tmp_path / "tool.bin").read_bytes() == b"a tool"


def test_a_key_is_made_copied_and_used(site: World, page: Page, tmp_path) -> None:
    """The key from the page opens the private channel, in the command from that channel's own page."""
    sign_in(page, site.server.url, "alice")
    press_on(page, page.locator("summary", has_text="Make a key"))
    tab_to(page, page.get_by_label("Name", exact=True))
    page.keyboard.type("laptop")
    tab_to(page, page.get_by_label("May"))
    page.keyboard.type("read")
    press_on(page, page.get_by_role("button", name="Make the key"))
    expect(page.get_by_role("heading", level=1)).to_have_text("New API key: laptop")
    key = copied(page, "the API key")
    assert KEY.fullmatch(key)

    page.goto(f"{site.server.url}/vault/pypi/hushpy/")
    command = copied(page, "the pip command")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login __token__ password {key}\n")
    netrc.chmod(0o600)
    target = tmp_path / "target"
    pasted(command, tmp_path, NETRC=str(netrc), PIP_TARGET=str(target), PIP_NO_INPUT="1")

    assert (target / "hushpy" / "__init__.py").is_file()
    page.goto(f"{site.server.url}/account/")
    row = page.get_by_role("row", name="laptop")
    expect(row.get_by_role("time")).not_to_have_count(0)
    press_on(page, page.get_by_role("button", name="Revoke the key laptop"))
    expect(page.get_by_role("button", name="Revoke the key laptop")).to_have_count(0)
    assert site.server.ask("/vault/serial.json", Authorization=f"Bearer {key}")[0] == 401


def test_somebody_registers_and_an_admin_lets_them_in(site: World, browser: Browser, page: Page) -> None:
    url = site.server.url
    sign_in(page, url, "ada")
    page.goto(f"{url}/account/admin/users/")
    press_on(page, page.get_by_role("button", name="Allow registration"))
    expect(page.get_by_role("button", name="Stop registration")).to_be_visible()
    with visitor(browser) as other:
        newcomer = other.new_page()
        newcomer.goto(f"{url}/account/register")
        newcomer.keyboard.type("nora")  # the first field has the focus
        tab_to(newcomer, newcomer.get_by_label("New password"))
        newcomer.keyboard.type(PASSWORD)
        tab_to(newcomer, newcomer.get_by_label("The same again"))
        newcomer.keyboard.type(PASSWORD)
        newcomer.keyboard.press("Enter")
        expect(newcomer.get_by_role("heading", level=1)).to_have_text("Registered")

        page.goto(f"{url}/account/admin/users/")
        press_on(page, page.get_by_role("button", name="Approve nora"))
        expect(page.get_by_role("button", name="Approve nora")).to_have_count(0)

        sign_in(newcomer, url, "nora")
        expect(newcomer.get_by_role("heading", level=1)).to_have_text("nora")


def test_a_channel_is_made_private_and_closed_to_strangers_at_once(site: World, page: Page) -> None:
    url = site.server.url
    site.channel("soonshut")
    site.conda("soonshut", "insider")
    site.settled()
    there = "/soonshut/conda/insider/"
    assert site.server.ask(there)[0] == 200
    sign_in(page, url, "ada")

    page.goto(f"{url}/account/admin/channels/")
    press_on(page, page.get_by_role("link", name="Make soonshut private"))
    press_on(page, page.get_by_role("button", name="Make soonshut private"))
    expect(page.get_by_role("link", name="Make soonshut public")).to_be_visible()

    assert site.server.ask(there)[0] == 401
    assert site.server.ask("/soonshut/noarch/repodata.json")[0] == 401
    page.goto(f"{url}{there}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("insider")
    site.settled()
    for path in ("/", "/channels.json", "/sitemap.xml"):
        assert b"soonshut" not in site.server.ask(path)[2]
