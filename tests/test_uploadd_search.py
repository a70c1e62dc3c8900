"""The search page: what it finds for whom, where its links lead, and what it says when there is nothing."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import html5lib
import pytest
from house_support import Direct
from pypi_support import make_wheel
from uploadd_account_support import said
from uploadd_support import SETTINGS, Answer, Daemon, legacy_form, run_daemon, sha256

from packhouse.intake import moving
from packhouse.model import Action, Grant

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """Channels main and closed (private), each with a project and a product; `hushed` is for `guest` only."""
    async with run_daemon(
        tmp_path / "data", Direct(), settings=f"{SETTINGS}\nanonymous_requests_per_minute = 9\n"
    ) as running:
        for channel in ("main", "closed"):
            for name in ("seen", "hushed"):
                await put(running, f"{name}-{channel}", channel=channel)
        running.keys = dict(running.keys) | {
            "guest": running.house.catalog.keys.create_for_service("guest")[1]
        }
        for channel in ("main", "closed"):
            package = {"ecosystem": "pypi", "package": f"hushed-{channel}"}
            moving.give(
                running.house,
                Grant(principal="service:guest", action=Action.READ, channel=channel, **package),
            )
        yield running


async def put(daemon: Daemon, name: str, summary: str = "A thing", channel: str = "main") -> None:
    filename, body = make_wheel(name, summary=summary)
    form = legacy_form(filename, body, sha256_digest=sha256(body))
    answer = await daemon.ask("POST", f"/{channel}/legacy/", form, key="admin")
    assert answer.status == 200, answer.body


async def product(daemon: Daemon, name: str) -> None:
    answer = await daemon.ask("PUT", f"/main/products/{name}/1.0/{name}.bin", name.encode())
    assert answer.status == 201, answer.body


async def find(daemon: Daemon, query: str, key: str | None = None) -> Answer:
    answer = await daemon.ask("GET", f"/search/?{query}", key=key)
    html5lib.HTMLParser(strict=True).parse(answer.body.decode())
    return answer


def links(answer: Answer) -> list[str]:
    return re.findall(r'<th scope="row"><a href="([^"]*)">', answer.body.decode())


class TestWhatIsFound:
    @pytest.mark.parametrize(
        ("key", "found"),
        [
            (None, {"seen-main"}),
            ("reader", {"seen-main"}),
            ("insider", {"seen-main", "seen-closed"}),
            ("guest", {"seen-main", "hushed-main", "hushed-closed"}),
            ("admin", {"seen-main", "hushed-main", "seen-closed", "hushed-closed"}),
        ],
    )
    async def test_everybody_finds_what_they_may_see(
        self, daemon: Daemon, key: str | None, found: set[str]
    ) -> None:
        answer = await find(daemon, "q=e", key)

        assert {link.split("/")[-2] for link in links(answer)} == found
        if key in (None, "reader"):
            assert b"hushed" not in answer.body
            assert b"closed" not in answer.body

    async def test_of_the_kind_that_is_asked_for_the_best_first(self, daemon: Daemon) -> None:
        for name in ("seen-tool", "seen"):
            await product(daemon, name)

        every = links(await find(daemon, "q=seen"))
        assert every == [
            "../main/generic/seen/",
            *("../main/pypi/seen-main/", "../main/generic/seen-tool/"),
        ]
        assert links(await find(daemon, "q=seen&ecosystem=")) == every
        assert links(await find(daemon, "q=seen&ecosystem=pypi")) == every[1:2]

        answer = await find(daemon, "q=seen&ecosystem=generic")
        assert links(answer) == every[::2]
        assert b'<input type="hidden" name="ecosystem" value="generic">' in answer.body
        assert (
            b'<a href="?q=seen&amp;ecosystem=generic" aria-current="page">Build products</a>' in answer.body
        )

    async def test_page_after_page_shows_each_once(self, daemon: Daemon) -> None:
        for number in range(45):
            await product(daemon, f"part-{number}")

        seen, query = [], "q=part&ecosystem=generic"
        for size in (20, 20, 5):
            answer = await find(daemon, query)
            found = links(answer)
            assert len(found) == size
            seen += found
            further = re.search(r'rel="next" href="\?([^"]*)"', answer.body.decode())
            query = further[1].replace("&amp;", "&") if further else ""
        assert query == ""
        assert len(set(seen)) == 45

        late = await find(daemon, "q=part&page_token=3/9/zz/zz/zz")
        assert b"There are no more." in late.body


class TestAddresses:
    @pytest.mark.parametrize("path", ["/search", "/search/"])
    async def test_links_lead_to_the_package_below_any_prefix(self, daemon: Daemon, path: str) -> None:
        for prefix in ("", f"/t/{daemon.keys['guest']}"):
            answer = await daemon.ask("GET", f"{prefix}{path}?q=/seen", key=None)
            assert links(answer) == []
            answer = await daemon.ask("GET", f"{prefix}{path}?q=seen", key=None)
            (link,) = links(answer)
            assert urljoin(f"http://here{prefix}{path}", link) == f"http://here{prefix}/main/pypi/seen-main/"
            assert answer.body.count(b"pkh-") == 0

    async def test_a_page_is_kept_by_nobody_and_runs_nothing_of_others(self, daemon: Daemon) -> None:
        answer = await find(daemon, "q=seen")

        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")


class TestWhatIsSaid:
    async def test_without_words_it_explains_itself(self, daemon: Daemon) -> None:
        for query in ("", "q=", "q=+%09"):
            answer = await find(daemon, query)
            assert answer.status == 200
            assert b"each of them must be there" in answer.body
            assert links(answer) == []

    async def test_nothing_found_leads_to_the_channels(self, daemon: Daemon) -> None:
        answer = await find(daemon, "q=nowhere")

        assert answer.status == 200
        assert b"No package that you may read matches." in answer.body
        assert b'<a href="../">the channels</a>' in answer.body

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("q=a&ecosystem=npm", "'npm' is no ecosystem; these are: conda, pypi, generic"),
            ("q=a&page_token=1", "page_token is '1'; send the one that the last page's Link holds"),
            ("q=a&page_token=x/1/a/b/c", "page_token is 'x'; send a number"),
        ],
    )
    async def test_what_means_nothing_is_refused_in_words(
        self, daemon: Daemon, query: str, sentence: str
    ) -> None:
        answer = await find(daemon, query)

        assert answer.status == 400
        assert sentence.casefold() in said(answer).casefold()

    async def test_text_from_outside_stays_text(self, daemon: Daemon) -> None:
        await put(daemon, "odd", HOSTILE)
        answer = await find(daemon, "q=%3Cscript%3E%00%22")

        assert b"&lt;script&gt;\xef\xbf\xbd&#34;" in answer.body
        answer = await find(daemon, "q=alert")
        assert links(answer) == ["../main/pypi/odd/"]
        assert b"alert(1)&lt;/script&gt;" in answer.body
        assert b"<script>" not in answer.body

    async def test_strangers_are_counted_as_everywhere(self, daemon: Daemon) -> None:
        answers = [await daemon.ask("GET", "/search/?q=seen", key=None) for _ in range(10)]

        assert [answer.status for answer in answers] == [200] * 9 + [429]
        assert int(answers[-1].headers["Retry-After"]) > 0
