"""Delete, yank, reindex over HTTP."""

import pytest
from conda_support import make_conda
from pypi_support import make_sdist, make_wheel
from uploadd_support import Daemon, legacy_form, run_daemon

from packhouse.intake.pool import InspectionPool
from packhouse.model import Action, Ecosystem, Grant


@pytest.fixture(scope="module")
def pool():
    with InspectionPool(workers=1, wall_s=30) as inspectors:
        yield inspectors


@pytest.fixture
async def daemon(tmp_path, pool):
    async with run_daemon(tmp_path / "data", pool) as running:
        yield running


async def upload(daemon: Daemon, filename: str, body: bytes) -> None:
    if filename.endswith(".conda"):
        answer = await daemon.ask("PUT", f"/main/noarch/{filename}", body)
    else:
        answer = await daemon.ask("POST", "/main/legacy/", legacy_form(filename, body))
    assert answer.status in (200, 201), answer.body


class TestDelete:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/delete/main/noarch/{}",
            "/main/noarch/{}",
            "/main/noarch/{}?now=true&reason=leaked%20secret",
        ],
    )
    async def test_a_conda_package(self, daemon, path):
        filename, body = make_conda("tiny", "1.0")
        await upload(daemon, filename, body)

        answer = await daemon.ask("DELETE", path.format(filename))

        assert answer.status == 200, answer.body
        assert (answer.json["deleted"], answer.json["published"], answer.json["serial"]) == (True, True, 2)
        assert [file["path"] for file in answer.json["files"]] == [f"noarch/{filename}"]
        assert daemon.house.catalog.artifacts.live("main", f"noarch/{filename}") is None
        event = daemon.house.catalog.artifacts.events("main")[-1]
        assert event.note == ("leaked secret" if "reason" in path else "")
        due = daemon.house.catalog.areas.discarded("main", due=True)
        assert bool(due) is ("now" in path)

    async def test_a_wheel_by_any_spelling_of_its_project(self, daemon):
        filename, body = make_wheel("tiny-thing", "1.0")
        await upload(daemon, filename, body)

        assert (await daemon.ask("DELETE", f"/main/packages/Tiny_Thing/{filename}")).status == 200

    async def test_a_wheel_of_the_default_channel_by_its_alias(self, daemon):
        """Where a file is read, there it is deleted."""
        filename, body = make_wheel("tiny", "1.0")
        await upload(daemon, filename, body)

        assert (await daemon.ask("DELETE", f"/packages/tiny/{filename}")).status == 200
        assert daemon.house.catalog.artifacts.burnt("main", f"packages/tiny/{filename}")

    async def test_a_product(self, daemon):
        path = "/main/products/tool/1.0/t.bin"
        assert (await daemon.ask("PUT", path, b"x")).status == 201

        assert (await daemon.ask("DELETE", path)).status == 200
        assert (await daemon.ask("DELETE", path)).status == 404

    async def test_what_is_not_there_is_404(self, daemon):
        answer = await daemon.ask("DELETE", "/main/noarch/tiny-1.0-0.conda")

        assert (answer.status, answer.code) == (404, "not-found")

    async def test_one_who_may_write_may_not_delete(self, daemon):
        filename, body = make_conda("tiny", "1.0")
        await upload(daemon, filename, body)
        secret = daemon.house.catalog.keys.create_for_service("writer", grants=[(Action.WRITE, "main")])[1]

        answer = await daemon.ask(
            "DELETE", f"/main/noarch/{filename}", key=None, headers={"Authorization": f"Bearer {secret}"}
        )

        assert (answer.status, answer.code) == (403, "forbidden")
        assert daemon.house.catalog.artifacts.live("main", f"noarch/{filename}") is not None

    @pytest.mark.parametrize(
        "path",
        [
            "/closed/products/hidden/{}/f.bin",
            "/closed/packages/hidden/hidden-{}-py3-none-any.whl",
            "/closed/noarch/hidden-{}-0.conda",
        ],
    )
    async def test_a_right_on_one_package_does_not_tell_of_the_others(self, daemon, path):
        """What is there and may not be read looks like what is not; one who may read it is told 403."""
        grants = daemon.house.catalog.grants
        for ecosystem in Ecosystem:
            for who in ("reader", "insider"):
                grants.give(
                    Grant(
                        principal=f"service:{who}",
                        action=Action.DELETE,
                        channel="closed",
                        ecosystem=ecosystem,
                        package="mine",
                    )
                )
        for url, data in (
            ("/closed/products/hidden/1.0/f.bin", b"x"),
            ("/closed/noarch/hidden-1.0-0.conda", make_conda("hidden", "1.0")[1]),
        ):
            assert (await daemon.ask("PUT", url, data, key="admin")).status == 201
        wheel = legacy_form(*make_wheel("hidden", "1.0"))
        assert (await daemon.ask("POST", "/closed/legacy/", wheel, key="admin")).status == 200

        there = await daemon.ask("DELETE", path.format("1.0"), key="reader")
        missing = await daemon.ask("DELETE", path.format("9.9"), key="reader")
        told = await daemon.ask("DELETE", path.format("1.0"), key="insider")

        assert there.status == missing.status == 404
        assert there.body == missing.body.replace(b"9.9", b"1.0")
        assert (told.status, told.code) == (403, "forbidden")
        assert (await daemon.ask("DELETE", path.format("1.0"), key="admin")).status == 200

    @pytest.mark.parametrize("reason", ["x" * 1001, "a%0ab", "%1b[2J"])
    async def test_a_reason_is_one_line(self, daemon, reason):
        answer = await daemon.ask("DELETE", f"/main/noarch/tiny-1.0-0.conda?reason={reason}")

        assert (answer.status, answer.code) == (400, "malformed")


class TestYank:
    @pytest.fixture(autouse=True)
    async def release(self, daemon):
        for filename, body in (
            make_wheel("tiny", "1.0"),
            make_sdist("tiny", "1.0"),
            make_wheel("tiny", "2.0"),
        ):
            await upload(daemon, filename, body)

    def yanked(self, daemon: Daemon) -> dict[str, str | None]:
        files = daemon.house.catalog.artifacts.of_version("main", Ecosystem.PYPI, "tiny")
        return {file.filename: file.yanked for file in files}

    @pytest.mark.parametrize(
        ("body", "content_type", "reason"),
        [
            (b'{"reason": "broken"}', "application/json", "broken"),
            (b"{}", "application/json", ""),
            (b"reason=broken+on+Windows", "application/x-www-form-urlencoded", "broken on Windows"),
            (b"", "application/octet-stream", ""),
        ],
    )
    async def test_a_release_is_yanked_whole_and_taken_back(self, daemon, body, content_type, reason):
        headers = {"Content-Type": content_type}
        answer = await daemon.ask("POST", "/api/1/main/Tiny/1.0.0/yank", body, headers=headers)

        assert answer.status == 200, answer.body
        assert (answer.json["yanked"], answer.json["reason"], len(answer.json["files"])) == (True, reason, 2)
        assert sorted(self.yanked(daemon).values(), key=str) == sorted([reason, reason, None], key=str)

        back = await daemon.ask("DELETE", "/api/1/main/tiny/1.0/yank/")

        assert (back.status, back.json["yanked"]) == (200, False)
        assert set(self.yanked(daemon).values()) == {None}

    @pytest.mark.parametrize("path", ["/api/1/main/tiny/3.0/yank", "/api/1/main/nobody/1.0/yank"])
    async def test_a_release_that_is_not_there_is_404(self, daemon, path):
        assert (await daemon.ask("POST", path)).status == 404

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"[]", "application/json"),
            (b'{"reason": 1}', "application/json"),
            (b"{", "application/json"),
            (b"[" * 100_000, "application/json"),
            (b'{"reason": NaN}', "application/json"),
            (b'{"reason": "a\\nb"}', "application/json"),
            (b"reason=%ff", "application/x-www-form-urlencoded"),
            (b"reason=\xff", "application/x-www-form-urlencoded"),
            (b"reason", "text/plain"),
        ],
    )
    async def test_a_body_that_says_nothing_sensible_is_400(self, daemon, body, content_type):
        answer = await daemon.ask(
            "POST", "/api/1/main/tiny/1.0/yank", body, headers={"Content-Type": content_type}
        )

        assert (answer.status, answer.code) == (400, "malformed")
        assert set(self.yanked(daemon).values()) == {None}

    @pytest.mark.parametrize("chunked", [True, False])
    async def test_a_huge_body_is_413(self, daemon, chunked):
        async def chunks():
            for _ in range(3):
                yield b" " * 500_000

        body = chunks() if chunked else b" " * 1_500_000
        headers = {"Content-Type": "application/json"}

        assert (await daemon.ask("POST", "/api/1/main/tiny/1.0/yank", body, headers=headers)).status == 413

    async def test_a_yank_needs_the_right_to_delete(self, daemon):
        assert (await daemon.ask("POST", "/api/1/main/tiny/1.0/yank", key="reader")).status == 403


class TestReindex:
    async def test_it_answers_when_it_is_done(self, daemon):
        answer = await daemon.ask("POST", "/api/v1/reindex/main/noarch")

        assert (answer.status, answer.json) == (
            200,
            {"channel": "main", "subdir": "noarch", "published": True},
        )

    async def test_or_202_when_it_takes_longer(self, tmp_path, pool):
        settings = "min_free_bytes = 0\npublish_wait_s = 0.1\n"
        async with run_daemon(tmp_path / "data", pool, settings=settings, publish=False) as daemon:
            answer = await daemon.ask("POST", "/api/v1/reindex/main/noarch")

        assert (answer.status, answer.json["published"]) == (202, False)

    async def test_a_subdir_nobody_knows_is_400(self, daemon):
        assert (await daemon.ask("POST", "/api/v1/reindex/main/nosuch")).status == 400
