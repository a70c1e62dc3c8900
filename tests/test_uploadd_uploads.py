"""Uploads over HTTP: a test per row of the status policy, and per dialect."""

import asyncio
import hashlib

import pytest
from conda_support import make_conda, make_tarbz2
from pypi_support import make_sdist, make_wheel
from uploadd_support import (
    BOUNDARY,
    MULTIPART,
    Answer,
    Daemon,
    file_part,
    legacy_form,
    multipart,
    run_daemon,
    sha256,
)

from packhouse.intake.pool import InspectionPool
from packhouse.model import Area, Claim
from uploadd import door, uploading
from uploadd.call import Call


@pytest.fixture(scope="module")
def pool():
    with InspectionPool(workers=2, wall_s=30) as inspectors:
        yield inspectors


@pytest.fixture
async def daemon(tmp_path, pool):
    async with run_daemon(tmp_path / "data", pool) as running:
        yield running


async def put_wheel(daemon: Daemon, filename: str, body: bytes, path="/main/legacy/", **fields) -> Answer:
    return await daemon.ask("POST", path, legacy_form(filename, body, **fields))


async def put_conda(daemon: Daemon, filename: str, body: bytes, query: str = "", **more) -> Answer:
    return await daemon.ask("PUT", f"/main/noarch/{filename}{query}", body, **more)


def assert_problem(answer: Answer, status: int, code: str) -> None:
    """The body every client understands, the sentence in the reason phrase, and nothing left behind."""
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    sentence = answer.json["detail"]
    assert answer.json["message"] == answer.json["error"] == sentence
    assert answer.json["status"] == status
    keys = ["type", "title", "status", "detail", "code", "message", "error", "exception", "reason"]
    assert list(answer.json) == keys
    assert answer.reason == sentence[:512]


def left_behind(daemon: Daemon) -> list[str]:
    return [
        name for name in daemon.files() if "incoming" in name or name.endswith((".whl", ".conda", ".bin"))
    ]


class TestNew:
    async def test_a_wheel_is_200_and_its_bytes_are_in_the_tree(self, daemon):
        filename, body = make_wheel("tiny", "1.0")

        answer = await put_wheel(
            daemon, filename, body, name="Tiny", version="1.0", sha256_digest=sha256(body)
        )

        assert answer.status == 200, answer.body
        assert answer.json["changed"] is True
        assert answer.json["published"] is True
        assert answer.json["sha256"] == sha256(body)
        assert answer.json["url"] == f"main/packages/tiny/{filename}"
        assert (daemon.house.data / "public" / answer.json["url"]).read_bytes() == body
        assert answer.headers["Content-Type"] == "application/json"
        assert [name for name in daemon.files() if name.startswith("incoming")] == []

    @pytest.mark.parametrize(
        "path",
        [
            "/main/legacy/",
            "/main/legacy",
            "/main/simple/",
            "/main/simple",
            "/legacy/",
            "/legacy",
            "/simple/",
            "/pypi/",
        ],
    )
    async def test_every_spelling_of_the_legacy_url_is_answered_and_never_redirected(self, daemon, path):
        """Some uploaders fail on a redirect; flit follows it as GET and reports success for nothing."""
        filename, body = make_sdist("tiny", "1.0")

        answer = await put_wheel(daemon, filename, body, path)

        assert answer.status == 200, answer.body
        assert answer.json["channel"] == "main"

    async def test_put_to_the_read_url_is_201(self, daemon):
        filename, body = make_conda("tiny", "1.0")

        answer = await put_conda(daemon, filename, body)

        assert answer.status == 201, answer.body
        assert answer.json["path"] == f"noarch/{filename}"
        assert answer.json["serial"] == 1

    async def test_a_raw_prefix_upload_is_201(self, daemon):
        filename, body = make_tarbz2("tiny", "1.0")
        headers = {
            "X-File-Name": filename,
            "X-File-SHA256": sha256(body),
            "Content-Type": "application/octet-stream",
        }

        answer = await daemon.ask("POST", "/api/v1/upload/main", body, headers=headers)

        assert answer.status == 201, answer.body
        assert answer.json["path"] == f"noarch/{filename}"

    @pytest.mark.parametrize("first", ["file", "attestation"])
    async def test_a_prefix_form_takes_its_parts_in_any_order(self, daemon, first):
        filename, body = make_conda("tiny", "1.0")
        headers = {"X-File-Name": filename, "X-File-SHA256": sha256(body), "Content-Length": str(len(body))}
        parts = [
            file_part(filename, body, **headers),
            ({"Content-Disposition": 'form-data; name="attestation"'}, b"{}"),
        ]
        form = multipart(*(parts if first == "file" else reversed(parts)))

        answer = await daemon.ask("POST", "/api/v1/upload/main?force=false", form, headers=MULTIPART)

        assert answer.status == 201, answer.body
        assert answer.json["notes"] == ["the attestation was not verified and is not kept"]

    async def test_a_quetz_upload_is_chunked_and_201(self, daemon):
        filename, body = make_conda("tiny", "1.0")

        async def chunks():
            for start in range(0, len(body), 100):
                yield body[start : start + 100]

        path = f"/api/channels/main/upload/{filename}?force=false&sha256={sha256(body)}"
        answer = await daemon.ask("POST", path, chunks(), key=None, headers={"X-API-Key": daemon.keys["ci"]})

        assert answer.status == 201, answer.body

    async def test_a_product_is_201(self, daemon):
        answer = await daemon.ask("PUT", "/main/products/Tool/1.0+x/tool.bin", b"\x00" * 100)

        assert answer.status == 201, answer.body
        assert answer.json["url"] == "main/products/Tool/1.0+x/tool.bin"
        assert answer.json["package"] == "tool"

    async def test_an_upload_is_stored_but_not_listed_yet(self, tmp_path, pool):
        """202 says so, and the same bytes again wait for the same areas."""
        settings = "min_free_bytes = 0\npublish_wait_s = 0.2\n"
        async with run_daemon(tmp_path / "data", pool, settings=settings, publish=False) as daemon:
            first = await daemon.ask("PUT", "/main/products/tool/1.0/tool.bin", b"x")
            again = await daemon.ask("PUT", "/main/products/tool/1.0/tool.bin", b"x")
            daemon.indexer.publish()
            listed = await daemon.ask("PUT", "/main/products/tool/1.0/tool.bin", b"x")

        assert (first.status, first.json["changed"], first.json["published"]) == (202, True, False)
        assert "does not list it yet" in first.json["notes"][0]
        assert (again.status, again.json["changed"], again.json["published"]) == (202, False, False)
        assert (listed.status, listed.json["published"]) == (200, True)

    async def test_the_same_bytes_again_do_not_wait_for_lists_that_may_lag(self, tmp_path, pool):
        """Unless the root is due: then their first upload may have been its package's."""
        settings = "min_free_bytes = 0\npublish_wait_s = 0.2\n"
        root, page = Area("main", "generic", "root"), Area("main", "", "channel")
        async with run_daemon(tmp_path / "data", pool, settings=settings, publish=False) as daemon:
            areas = daemon.house.catalog.areas
            await daemon.ask("PUT", "/main/products/tool/1.0/tool.bin", b"x")
            daemon.indexer.publish()
            areas.mark({root: 3600.0, page: 3600.0})
            lagging = await daemon.ask("PUT", "/main/products/tool/1.0/tool.bin", b"x")
            areas.mark({root: 0.0})
            due = await daemon.ask("PUT", "/main/products/tool/1.0/tool.bin", b"x")

        assert (lagging.status, lagging.json["published"]) == (200, True)
        assert (due.status, due.json["published"]) == (202, False)


class TestTheSameBytes:
    async def test_legacy(self, daemon):
        filename, body = make_wheel("tiny", "1.0")
        first = await put_wheel(daemon, filename, body)
        again = await put_wheel(daemon, filename, body)

        assert (first.status, again.status) == (200, 200)
        assert again.json["changed"] is False
        assert again.json["serial"] == first.json["serial"]

    async def test_elsewhere(self, daemon):
        filename, body = make_conda("tiny", "1.0")
        first = await put_conda(daemon, filename, body)
        again = await put_conda(daemon, filename, body)

        assert (first.status, again.status) == (201, 200)
        assert again.json["changed"] is False


class TestOtherBytes:
    @pytest.mark.parametrize("claimed", [True, False], ids=["early", "late"])
    async def test_legacy(self, daemon, claimed):
        filename, body = make_wheel("tiny", "1.0")
        _, other = make_wheel("tiny", "1.0", summary="Another")
        await put_wheel(daemon, filename, body)

        answer = await put_wheel(
            daemon, filename, other, **({"sha256_digest": sha256(other)} if claimed else {})
        )

        assert_problem(answer, 409, "exists")
        assert "File already exists" in answer.reason
        assert (daemon.house.data / f"public/main/packages/tiny/{filename}").read_bytes() == body

    async def test_prefix(self, daemon):
        filename, body = make_conda("tiny", "1.0")
        _, other = make_conda("tiny", "1.0", files={"a": b"1"})
        await put_conda(daemon, filename, body)

        answer = await daemon.ask(
            "POST", "/api/v1/upload/main", multipart(file_part(filename, other)), headers=MULTIPART
        )

        assert_problem(answer, 409, "exists")

    async def test_force_where_the_channel_keeps_its_files(self, daemon):
        filename, body = make_conda("tiny", "1.0")

        answer = await put_conda(daemon, filename, body, "?force=true", key="admin")

        assert_problem(answer, 403, "overwrite-forbidden")

    async def test_force_needs_maintain(self, daemon):
        answer = await daemon.ask("PUT", "/other/products/tool/1/t.bin?force=true", b"1", key="ci")

        assert_problem(answer, 403, "forbidden")
        assert "maintain" in answer.json["detail"]

    async def test_force_replaces(self, daemon):
        first = await daemon.ask("PUT", "/other/products/tool/1/t.bin", b"1", key="ci")
        forced = await daemon.ask("PUT", "/other/products/tool/1/t.bin?force=true", b"22", key="boss")

        assert (first.status, forced.status) == (201, 201), forced.body
        assert forced.json["sha256"] == sha256(b"22")


class TestRetiredNames:
    """Never 409: a client that skips on 409 would report success for nothing."""

    @pytest.fixture
    async def burnt(self, daemon):
        wheel, body = make_wheel("tiny", "1.0")
        conda, packed = make_conda("tiny", "1.0")
        await put_wheel(daemon, wheel, body)
        await put_conda(daemon, conda, packed)
        for path in (f"/main/packages/tiny/{wheel}", f"/main/noarch/{conda}"):
            assert (await daemon.ask("DELETE", path)).status == 200
        return (wheel, body), (conda, packed)

    async def test_legacy_is_400(self, daemon, burnt):
        answer = await put_wheel(daemon, *burnt[0])

        assert_problem(answer, 400, "name-burnt")
        assert "already exist" not in (answer.reason + answer.body.decode()).lower()
        assert "was ever registered" not in answer.body.decode()

    async def test_elsewhere_is_422(self, daemon, burnt):
        answer = await put_conda(daemon, *burnt[1])

        assert_problem(answer, 422, "name-burnt")
        assert "already exist" not in (answer.reason + answer.body.decode()).lower()


class TestRights:
    @pytest.mark.parametrize("channel", ["main", "nowhere", "closed"])
    async def test_without_a_key_it_is_401_whether_the_channel_exists_or_not(self, daemon, channel):
        answer = await daemon.ask("POST", f"/{channel}/legacy/", b"", key=None)

        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers.getall("WWW-Authenticate") == [
            'Basic realm="packhouse"',
            'Bearer realm="packhouse"',
        ]

    async def test_a_wrong_key_is_401(self, daemon):
        answer = await daemon.ask(
            "PUT",
            "/main/noarch/tiny-1.0-0.conda",
            b"x",
            key=None,
            headers={"Authorization": "Bearer pkh-wrong"},
        )

        assert_problem(answer, 401, "unauthenticated")

    async def test_a_revoked_key_is_401_at_once(self, daemon):
        assert (await daemon.ask("PUT", "/main/products/t/1/a.bin", b"x")).status == 201
        daemon.house.catalog.keys.revoke("ci")

        assert_problem(await daemon.ask("PUT", "/main/products/t/1/b.bin", b"x"), 401, "unauthenticated")

    async def test_a_key_revoked_while_the_body_comes_is_401_and_nothing_is_kept(self, daemon, monkeypatch):
        admitted, loop = asyncio.Event(), asyncio.get_running_loop()

        def admit(call: Call, claim: Claim) -> None:
            door.admit(call, claim)
            loop.call_soon_threadsafe(admitted.set)

        async def body():
            yield b"x" * 1000
            await admitted.wait()
            daemon.house.catalog.keys.revoke("ci")
            yield b"y"

        monkeypatch.setattr(uploading, "admit", admit)
        answer = await daemon.ask("PUT", "/main/products/t/1/t.bin", body())

        assert_problem(answer, 401, "unauthenticated")
        assert left_behind(daemon) == []

    async def test_a_good_key_without_the_right_is_403(self, daemon):
        answer = await put_conda(daemon, *make_conda(), key="reader")

        assert_problem(answer, 403, "forbidden")

    async def test_an_unknown_channel_is_404_with_a_good_key(self, daemon):
        answer = await daemon.ask("POST", "/nowhere/legacy/", legacy_form(*make_wheel()))

        assert_problem(answer, 404, "not-found")

    async def test_a_private_channel_one_may_not_read_looks_like_none(self, daemon):
        """The same bytes, so that nobody learns which private channels exist."""
        missing = await daemon.ask("PUT", "/closeb/noarch/tiny-1.0-0.conda", b"", key="reader")
        private = await daemon.ask("PUT", "/closed/noarch/tiny-1.0-0.conda", b"", key="reader")

        assert missing.status == private.status == 404
        assert missing.body.replace(b"closeb", b"closed") == private.body

    async def test_one_who_may_read_it_is_told_403(self, daemon):
        answer = await daemon.ask("PUT", "/closed/noarch/tiny-1.0-0.conda", b"", key="insider")

        assert_problem(answer, 403, "forbidden")

    async def test_a_right_on_one_package_lets_only_that_one_in(self, daemon):
        from packhouse.model import Action, Grant

        daemon.house.catalog.grants.give(
            Grant(
                principal="service:reader",
                action=Action.WRITE,
                channel="main",
                ecosystem="pypi",
                package="tiny",
            )
        )

        async def put(name: str) -> int:
            form = legacy_form(*make_wheel(name, "1.0"))
            return (await daemon.ask("POST", "/main/legacy/", form, key="reader")).status

        assert await put("tiny") == 200
        assert await put("other") == 403
        assert (await put_conda(daemon, *make_conda(), key="reader")).status == 403


class TestMalformed:
    @pytest.mark.parametrize(
        "fields",
        [
            {"sha256_digest": "0" * 64},
            {"md5_digest": "0" * 32},
            {"blake2_256_digest": "0" * 64},
            {"sha256_digest": "xyz"},
            {"md5_digest": "1B2M2Y8AsgTpgAmY7PhCfg"},
            {"name": "other"},
            {"version": "2.0"},
            {"name": "../../etc"},
        ],
        ids=lambda fields: "-".join(fields.items().__iter__().__next__()),
    )
    @pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
    async def test_wrong_legacy_fields_are_400_and_nothing_is_kept(self, daemon, fields, late):
        filename, body = make_wheel("tiny", "1.0")
        form = legacy_form(filename, body, late=fields) if late else legacy_form(filename, body, **fields)
        answer = await daemon.ask("POST", "/main/legacy/", form)

        assert answer.status == 400, answer.body
        assert left_behind(daemon) == []

    async def test_another_protocol_is_400(self, daemon):
        assert_problem(await put_wheel(daemon, *make_wheel(), protocol_version="2"), 400, "malformed")

    async def test_all_right_digests_are_taken(self, daemon):
        filename, body = make_wheel("tiny", "1.0")
        digests = {
            "sha256_digest": sha256(body).upper(),
            "md5_digest": hashlib.md5(body).hexdigest(),
            "blake2_256_digest": hashlib.blake2b(body, digest_size=32).hexdigest(),
        }

        assert (await put_wheel(daemon, filename, body, **digests)).status == 200

    async def test_empty_fields_are_not_claims(self, daemon):
        """What pdm sends for what it does not know."""
        empty = dict.fromkeys(
            ("md5_digest", "sha256_digest", "blake2_256_digest", "name", "version", "license"), ""
        )

        assert (await put_wheel(daemon, *make_wheel("tiny", "1.0"), **empty)).status == 200

    async def test_a_wrong_digest_elsewhere_is_422(self, daemon):
        filename, body = make_conda("tiny", "1.0")

        answer = await put_conda(daemon, filename, body, headers={"X-File-SHA256": "0" * 64})

        assert_problem(answer, 422, "claim-mismatch")
        assert left_behind(daemon) == []

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
            {"Digest": "sha-256=" + "A" * 43 + "="},
            {"Content-Digest": "sha-256=:" + "A" * 43 + "=:"},
            {"X-Checksum-Sha256": "0" * 64},
            {"X-Checksum-Md5": "0" * 32},
        ],
    )
    async def test_every_digest_header_is_compared(self, daemon, headers):
        assert_problem(await put_conda(daemon, *make_conda(), headers=headers), 422, "claim-mismatch")

    async def test_a_part_whose_length_is_not_what_it_says(self, daemon):
        filename, body = make_conda("tiny", "1.0")
        form = multipart(file_part(filename, body, **{"Content-Length": str(len(body) - 1)}))

        answer = await daemon.ask("POST", "/api/v1/upload/main", form, headers=MULTIPART)

        assert_problem(answer, 422, "claim-mismatch")

    async def test_the_wrong_subdir_is_422(self, daemon):
        filename, body = make_conda("tiny", "1.0", subdir="noarch")

        answer = await daemon.ask("PUT", f"/main/linux-64/{filename}", body)

        assert answer.status == 422
        assert left_behind(daemon) == []

    @pytest.mark.parametrize(
        ("path", "status"), [("/main/noarch/tiny-1.0-0.conda", 422), ("/main/legacy/", 400)]
    )
    async def test_a_broken_archive_is_refused_with_the_reason(self, daemon, path, status):
        if path.endswith(".conda"):
            answer = await daemon.ask("PUT", path, b"no zip")
        else:
            answer = await daemon.ask("POST", path, legacy_form("tiny-1.0-py3-none-any.whl", b"no zip"))

        assert_problem(answer, status, "bad-archive")
        assert left_behind(daemon) == []

    @pytest.mark.parametrize("action", ["submit", "doc_upload"])
    async def test_actions_of_old_are_410(self, daemon, action):
        answer = await daemon.ask(
            "POST",
            "/main/legacy/",
            multipart(({"Content-Disposition": 'form-data; name=":action"'}, action.encode())),
            headers=MULTIPART,
        )

        assert_problem(answer, 410, "withdrawn")

    @pytest.mark.parametrize("action", [b"", b"remove_pkg"])
    async def test_unknown_actions_are_400(self, daemon, action):
        part = ({"Content-Disposition": 'form-data; name=":action"'}, action)

        answer = await daemon.ask("POST", "/main/legacy/", multipart(part), headers=MULTIPART)

        assert_problem(answer, 400, "malformed")

    async def test_a_form_without_an_action_is_400(self, daemon):
        filename, body = make_wheel()
        part = ({"Content-Disposition": f'form-data; name="content"; filename="{filename}"'}, body)

        assert_problem(
            await daemon.ask("POST", "/main/legacy/", multipart(part), headers=MULTIPART), 400, "malformed"
        )
        assert left_behind(daemon) == []

    async def test_attestations_are_not_kept_and_the_answer_says_so(self, daemon):
        answer = await daemon.ask(
            "POST", "/main/legacy/", legacy_form(*make_wheel(), late={"attestations": "[]"})
        )

        assert answer.status == 200
        assert answer.json["notes"] == ["the attestations were not verified and are not kept"]

    @pytest.mark.parametrize(
        ("path", "status"), [("/main/noarch/a-1-0.conda", 415), ("/api/v1/upload/main", 400)]
    )
    async def test_compressed_bodies_are_refused(self, daemon, path, status):
        """400 on the prefix API, whose client retries a 415."""
        method = "PUT" if path.endswith("conda") else "POST"
        headers = {"Content-Encoding": "gzip", "X-File-Name": "a-1-0.conda"}

        assert_problem(await daemon.ask(method, path, b"\x1f\x8b", headers=headers), status, "encoded-body")

    @pytest.mark.parametrize("path", ["/main/legacy/", "/api/v1/upload/main"])
    async def test_a_body_that_is_no_form(self, daemon, path):
        answer = await daemon.ask("POST", path, b"{}", headers={"Content-Type": "application/json"})

        assert_problem(answer, 400, "malformed")

    async def test_force_must_be_a_yes_or_a_no(self, daemon):
        assert_problem(await put_conda(daemon, *make_conda(), "?force=maybe"), 400, "malformed")


class TestTooLarge:
    async def test_a_declared_length_over_the_limit_is_413(self, daemon):
        answer = await daemon.ask("PUT", "/main/products/t/1/t.bin", b"x" * 8_000_001)

        assert_problem(answer, 413, "too-large")

    async def test_a_chunked_body_over_the_limit_is_413_and_nothing_is_kept(self, daemon):
        async def chunks():
            for _ in range(10):
                yield b"x" * 1_000_000

        answer = await daemon.ask("PUT", "/main/products/t/1/t.bin", chunks())

        assert_problem(answer, 413, "too-large")
        assert left_behind(daemon) == []

    async def test_a_multipart_file_over_the_limit_is_413(self, daemon):
        form = multipart(file_part("tiny-1.0-0.conda", b"x" * 8_000_001))

        answer = await daemon.ask("POST", "/api/v1/upload/main", form, headers=MULTIPART)

        assert_problem(answer, 413, "too-large")
        assert left_behind(daemon) == []


class TestNoRoom:
    async def test_a_full_disk_is_503_before_the_body(self, tmp_path, pool):
        settings = "min_free_bytes = 1_000_000_000_000_000_000\n"
        async with run_daemon(tmp_path / "data", pool, settings=settings) as daemon:
            answer = await put_conda(daemon, *make_conda())
            health = await daemon.ask("GET", "/health", key=None)

        assert_problem(answer, 503, "storage-full")
        assert answer.headers["Retry-After"] == "5"
        assert health.status == 500
        assert not health.json["store"].endswith("is fine")


class TestRaces:
    async def test_of_twenty_uploads_of_one_name_with_different_bytes_one_wins(self, daemon):
        bodies = [bytes([number]) * 1000 for number in range(20)]

        answers = await asyncio.gather(
            *(daemon.ask("PUT", "/main/products/tool/1.0/tool.bin", body) for body in bodies)
        )

        assert sorted(answer.status for answer in answers) == [201] + [409] * 19
        winner = next(body for body, answer in zip(bodies, answers, strict=True) if answer.status == 201)
        assert (daemon.house.data / "public/main/products/tool/1.0/tool.bin").read_bytes() == winner
        assert [name for name in daemon.files() if name.startswith("incoming")] == []

    async def test_of_ten_uploads_of_the_same_bytes_all_succeed_and_one_changes(self, daemon):
        answers = await asyncio.gather(
            *(daemon.ask("PUT", "/main/products/tool/1.0/tool.bin", b"same") for _ in range(10))
        )

        assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
        assert sum(answer.json["changed"] for answer in answers) == 1


def test_the_boundary_of_these_tests_is_a_legal_one():
    """RFC 2046: at most 70 characters."""
    assert len(BOUNDARY) <= 70
