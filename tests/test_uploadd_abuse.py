"""Hostile requests over real sockets: names, forms, headers, bodies; and refusals before the body."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from uploadd_support import (
    BOUNDARY,
    MULTIPART,
    Daemon,
    file_part,
    multipart,
    request_head,
    run_daemon,
)

from packhouse.ecosystems import Limits
from packhouse.model import Claim, Ecosystem, Observed

# Every spelling of a step out of the directory that was ever tried on a server, and what confuses parsers.
TRAVERSALS = [
    "..", "../x", "..%2f", "..%2Fx", "%2e%2e", "%2e%2e%2f", "%2E%2E%2Fetc", "..%5c", "..%5Cx", "..\\x", "%5c..%5c",
    "%252e%252e%252f", "..%252f", "..%c0%af", "%c0%ae%c0%ae", "%c0%ae%c0%ae%c0%af", "..%ef%bc%8f", "%uff0e%uff0e",
    "..%00", "%00", "x%00.conda", "x%0a", "x%0d%0aSet-Cookie:%20a=b", "%09x", "x%7f", "%20", "x%20", "%20x",
    ".hidden", "-rf", "x.", "~root", "x:y", "con", "nul.conda", "%2f", "%2fetc%2fpasswd", "a%2fb", ".%2e", "%2e.",
    "%e2%80%ae", "%ff", "%", "%zz", "x" * 256, "%f0%9f%92%a9", "%c3%9c", "*", "?", "$(id)", ";ls", "|x", "x%22y",
]  # fmt: skip

CONDA = "tiny-1.0-0.conda"
SLOTS = [
    ("PUT", "/{}/noarch/" + CONDA),
    ("PUT", "/main/{}/" + CONDA),
    ("PUT", "/main/noarch/{}"),
    ("PUT", "/{}/products/tool/1.0/t.bin"),
    ("PUT", "/main/products/{}/1.0/t.bin"),
    ("PUT", "/main/products/tool/{}/t.bin"),
    ("PUT", "/main/products/tool/1.0/{}"),
    ("POST", "/{}/legacy/"),
    ("POST", "/api/v1/upload/{}"),
    ("POST", "/api/channels/{}/upload/" + CONDA),
    ("POST", "/api/channels/main/upload/{}"),
    ("DELETE", "/api/v1/delete/main/{}/" + CONDA),
    ("DELETE", "/api/v1/delete/main/noarch/{}"),
    ("DELETE", "/main/packages/{}/x-1.0-py3-none-any.whl"),
    ("POST", "/api/v1/reindex/main/{}"),
    ("POST", "/api/1/main/{}/1.0/yank"),
    ("POST", "/api/1/main/tiny/{}/yank"),
]


class Credulous:
    """An inspector that believes everything, so that only the gates in front of it count."""

    def inspect(self, ecosystem: Ecosystem, path: str, claim: Claim, limits: Limits) -> Observed:
        return Observed(
            filename=claim.filename,
            package=claim.package or "believed",
            version=claim.version or "1.0",
            directory=claim.directory or "noarch",
            record={},
        )


@pytest.fixture
async def daemon(tmp_path):
    async with run_daemon(tmp_path / "data", Credulous()) as running:
        yield running


@pytest.mark.parametrize(("method", "pattern"), SLOTS)
async def test_no_name_leaves_its_place(daemon, method, pattern):
    """Each encoding in each slot is a 4xx, and the tree stays as it was."""
    before = daemon.files()
    outside = sorted(daemon.house.data.parent.rglob("*.conda"))

    for encoding in TRAVERSALS:
        head = request_head(
            method,
            pattern.format(encoding),
            **daemon.bearer("admin"),
            **{"Content-Length": "1", "Connection": "close"},
        )
        answer = await daemon.raw(head + b"x")
        status = int(answer.split(b" ", 2)[1]) if answer else 400
        assert 400 <= status < 500, (encoding, answer[:200])
        assert b"Set-Cookie" not in answer.split(b"\r\n\r\n")[0].replace(b"?", b"\n").split(b"\r\n", 1)[-1]

    assert daemon.files() == before
    assert sorted(daemon.house.data.parent.rglob("*.conda")) == outside


@pytest.mark.parametrize(
    "name", ["../../x.conda", "..\\x.conda", "/etc/x.conda", "x\x00.conda", ".x.conda", "ü.conda"]
)
@pytest.mark.parametrize("where", ["header", "part", "form"])
async def test_file_names_in_headers_and_parts_pass_the_same_gate(daemon, name, where):
    before = daemon.files()
    if where == "header":
        head = request_head(
            "POST", "/api/v1/upload/main", **daemon.bearer(), **{"Content-Length": "1", "Connection": "close"}
        )
        head = head[:-2] + f"X-File-Name: {name}\r\n\r\n".encode()
        status = int((await daemon.raw(head + b"x")).split(b" ", 2)[1])
    else:
        field = "file" if where == "part" else "content"
        path = "/api/v1/upload/main" if where == "part" else "/main/legacy/"
        action = ({"Content-Disposition": 'form-data; name=":action"'}, b"file_upload")
        part = ({"Content-Disposition": f'form-data; name="{field}"; filename="{name}"'}, b"x")
        parts = (part,) if where == "part" else (action, part)
        status = (await daemon.ask("POST", path, multipart(*parts), headers=MULTIPART)).status

    assert 400 <= status < 500
    assert daemon.files() == before


async def test_a_name_cannot_make_a_header_or_a_line_of_the_log(daemon, caplog):
    caplog.set_level(logging.INFO, logger="uploadd")
    for path in (
        "/main/noarch/x%0d%0aX-Evil:%20y",
        '/main/noarch/x%22%0a{"level":"evil"}',
        "/main/noarch/%1b[2J",
    ):
        answer = await daemon.ask("PUT", path, b"x")
        assert answer.status == 400
        assert "X-Evil" not in answer.headers

    lines = [record.getMessage() for record in caplog.records if record.name == "uploadd.access"]
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


async def test_the_log_shows_who_and_what_but_never_a_key(daemon, caplog):
    caplog.set_level(logging.INFO, logger="uploadd")
    key = daemon.keys["ci"]

    answer = await daemon.ask("PUT", f"/t/{key}/main/products/t/1/x.bin?token={key}", b"x", key=None)

    assert answer.status == 201, answer.body
    assert key not in caplog.text
    assert '"/t/***/main/products/t/1/x.bin" 201' in caplog.text
    assert "by=ci" in caplog.text


@pytest.mark.parametrize(
    "head",
    [
        b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nhell",
        b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nhell",
        b"POST /main/legacy/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_smuggled_requests_are_refused(daemon, head):
    assert (await daemon.raw(head)).startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 501"))


async def test_two_authorization_headers_are_400(daemon):
    head = request_head("PUT", f"/main/noarch/{CONDA}", **{"Content-Length": "0", "Connection": "close"})
    head = (
        head[:-2] + f"Authorization: Bearer {daemon.keys['ci']}\r\nAuthorization: Bearer x\r\n\r\n".encode()
    )

    assert (await daemon.raw(head)).startswith(b"HTTP/1.1 400 ")


class TestEarlyRefusals:
    """A client with 40 MB to send sees the answer, whole, although nobody reads its body."""

    SIZE = 40 << 20

    async def send(self, daemon: Daemon, head: bytes, size: int) -> bytes:
        """Send the head and as much of the body as is taken; return the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
        answer = asyncio.create_task(reader.read())
        sent = 0
        try:
            writer.write(head)
            while sent < size and not answer.done():
                writer.write(b"x" * (1 << 16))
                await writer.drain()
                sent += 1 << 16
        except ConnectionError:
            pass
        body = await answer
        writer.close()
        return body

    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [
            (f"/main/noarch/{CONDA}", {"Authorization": "Bearer pkh-wrong"}, 401),
            (f"/nowhere/noarch/{CONDA}", {}, 404),
            (f"/main/nosuch/{CONDA}", {}, 400),
            ("/main/products/taken/1.0/t.bin", {"X-Checksum-Sha256": "0" * 64}, 409),
            ("/main/products/tool/1.0/t.bin", {}, 413),
        ],
    )
    async def test_the_client_sees_it(self, daemon, path, headers, status):
        assert (await daemon.ask("PUT", "/main/products/taken/1.0/t.bin", b"x")).status == 201
        size = 4 << 20 if status == 409 else self.SIZE  # else the limit of 8 MB would win
        head = request_head("PUT", path, **{**daemon.bearer(), "Content-Length": str(size), **headers})

        answer = await self.send(daemon, head, size)

        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
        assert b"Connection: close" in answer
        assert answer.endswith(b"}\n")
        assert [name for name in daemon.files() if name.startswith("incoming")] == []


class TestForms:
    async def ask(self, daemon: Daemon, body: bytes, path: str = "/api/v1/upload/main", **headers: str):
        return await daemon.ask("POST", path, body, headers={**MULTIPART, **headers})

    async def refused(
        self, daemon: Daemon, body: bytes, status: int, path: str = "/api/v1/upload/main"
    ) -> None:
        before = daemon.files()
        answer = await self.ask(daemon, body, path)
        assert answer.status == status, answer.body
        assert daemon.files() == before

    async def test_a_form_without_its_closing_boundary_commits_nothing(self, daemon):
        await self.refused(daemon, multipart(file_part(CONDA, b"x" * 1000), close=False), 400)

    async def test_a_cut_form_commits_nothing(self, daemon):
        whole = multipart(file_part(CONDA, b"x" * 1000))
        for cut in (10, 60, 150, 500, len(whole) - 30, len(whole) - 5):
            await self.refused(daemon, whole[:cut], 400)

    @pytest.mark.parametrize("path", ["/api/v1/upload/main", "/main/legacy/"])
    async def test_too_many_parts(self, daemon, path):
        part = ({"Content-Disposition": 'form-data; name="x"'}, b"")
        await self.refused(daemon, multipart(*[part] * 5000), 413, path)

    @pytest.mark.parametrize("path", ["/api/v1/upload/main", "/main/legacy/"])
    async def test_a_huge_field(self, daemon, path):
        part = ({"Content-Disposition": 'form-data; name="summary"'}, b"x" * 600_000)
        await self.refused(daemon, multipart(part), 413, path)

    async def test_many_fields_that_are_huge_together(self, daemon):
        part = ({"Content-Disposition": 'form-data; name="classifiers"'}, b"x" * 60_000)
        await self.refused(daemon, multipart(*[part] * 60), 413, "/main/legacy/")

    async def test_huge_part_headers(self, daemon):
        headers = {"Content-Disposition": 'form-data; name="file"; filename="a"'} | {
            f"X-{number}": "x" * 500 for number in range(20)
        }
        await self.refused(daemon, multipart((headers, b"x")), 413)

    async def test_many_part_headers(self, daemon):
        headers = {"Content-Disposition": 'form-data; name="file"'} | {
            f"X-{number}": "x" for number in range(200)
        }
        await self.refused(daemon, multipart((headers, b"x")), 400)

    async def test_one_endless_header_line(self, daemon):
        await self.refused(daemon, f"--{BOUNDARY}\r\nX: ".encode() + b"x" * 900_000, 400)

    async def test_an_endless_preamble(self, daemon):
        await self.refused(daemon, b"x\r\n" * 200_000 + multipart(file_part(CONDA, b"x"), close=False), 400)

    async def test_a_body_that_goes_on_after_its_closing_boundary(self, daemon):
        await self.refused(daemon, multipart(file_part(CONDA, b"x")) + b"x\r\n" * 2_000_000, 400)

    @pytest.mark.parametrize(
        "disposition",
        [
            "",
            "attachment",
            "form-data",
            'form-data; name="file"; name="other"',
            'form-data; filename="a.conda"',
            'form-data; name="file"; filename="a.conda"; filename="b.conda"',
            "form-data; name=\"file\"; filename*=utf-8''a.conda",
            'form-data; name="file',
        ],
    )
    async def test_part_names_that_two_parsers_would_read_differently(self, daemon, disposition):
        await self.refused(daemon, multipart(({"Content-Disposition": disposition}, b"x")), 400)

    async def test_a_nested_form(self, daemon):
        part = (
            {"Content-Disposition": 'form-data; name="file"', "Content-Type": "multipart/mixed; boundary=z"},
            b"--z",
        )
        await self.refused(daemon, multipart(part), 400)

    @pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
    async def test_an_encoded_part(self, daemon, encoding):
        part = file_part(CONDA, b"eA==", **{"Content-Transfer-Encoding": encoding})
        await self.refused(daemon, multipart(part), 400)

    async def test_two_files(self, daemon):
        await self.refused(daemon, multipart(file_part(CONDA, b"x"), file_part("b-1-0.conda", b"y")), 400)

    async def test_two_contents(self, daemon):
        action = ({"Content-Disposition": 'form-data; name=":action"'}, b"file_upload")
        part = ({"Content-Disposition": 'form-data; name="content"; filename="a-1.0-py3-none-any.whl"'}, b"x")
        await self.refused(daemon, multipart(action, part, part), 400, "/main/legacy/")

    async def test_two_digests(self, daemon):
        field = ({"Content-Disposition": 'form-data; name="sha256_digest"'}, b"0" * 64)
        await self.refused(daemon, multipart(field, field), 400, "/main/legacy/")

    async def test_a_field_that_is_not_text(self, daemon):
        await self.refused(
            daemon,
            multipart(({"Content-Disposition": 'form-data; name="name"'}, b"\xff")),
            400,
            "/main/legacy/",
        )

    async def test_no_file(self, daemon):
        await self.refused(daemon, multipart(), 400)

    async def test_two_names_for_one_file(self, daemon):
        await self.refused(daemon, multipart(file_part(CONDA, b"x", **{"X-File-Name": "b-1-0.conda"})), 400)

    @pytest.mark.parametrize(
        "content_type", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 100}"]
    )
    async def test_no_boundary(self, daemon, content_type):
        answer = await daemon.ask(
            "POST", "/api/v1/upload/main", b"--", headers={"Content-Type": content_type}
        )

        assert answer.status == 400

    async def test_a_package_whose_bytes_look_like_boundaries_comes_through(self, daemon):
        filename = CONDA
        body = (b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n--\r\n" + b"-" * 100) * 1000

        answer = await self.ask(daemon, multipart(file_part(filename, body)))

        assert answer.status == 201
        assert (daemon.house.data / "public/main/noarch" / filename).read_bytes() == body


async def until(true: Callable[[], bool]) -> None:
    """Wait for a state of the file system, which announces nothing."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


class TestSlowBodies:
    async def test_a_body_that_stops_is_given_up_and_nothing_is_kept(self, tmp_path):
        settings = "min_free_bytes = 0\nslow_window_s = 1\nmin_rate_bytes_s = 1000\n"
        async with run_daemon(tmp_path / "data", Credulous(), settings=settings) as daemon:
            head = request_head(
                "PUT", f"/main/noarch/{CONDA}", **daemon.bearer(), **{"Content-Length": "100000"}
            )
            reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
            writer.write(head + b"x" * 10)
            status = await reader.readline()
            writer.close()
            assert status.startswith(b"HTTP/1.1 400 the body arrived slower than 1000 bytes per second")
            assert [name for name in daemon.files() if name.startswith("incoming")] == []

    async def test_a_client_that_leaves_keeps_nothing(self, daemon, caplog):
        caplog.set_level(logging.INFO, logger="uploadd")
        head = request_head("PUT", f"/main/noarch/{CONDA}", **daemon.bearer(), **{"Content-Length": "100000"})
        _, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
        writer.write(head + b"x" * 10)
        await writer.drain()
        await until(lambda: any("incoming" in name for name in daemon.files()))
        writer.close()
        await until(lambda: not any("incoming" in name for name in daemon.files()))

        assert daemon.house.catalog.artifacts.live("main", f"noarch/{CONDA}") is None
        assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == []


class TestUnknownAddresses:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/main/"),
            ("PATCH", "/main/noarch/a.conda"),
            ("PUT", "/main"),
            ("POST", "/api/v2/x"),
            ("DELETE", "/main/legacy"),
        ],
    )
    async def test_they_are_404_in_json_and_never_405(self, daemon, method, path):
        """The prefix client repeats a 405."""
        answer = await daemon.ask(method, path, b"x")

        assert (answer.status, answer.code) == (404, "not-found")

    async def test_the_sentence_says_what_the_address_takes(self, daemon):
        answer = await daemon.ask("POST", f"/main/noarch/{CONDA}", b"x")

        assert "takes DELETE, PUT" in answer.json["detail"]
