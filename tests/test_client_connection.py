"""The client says what the server said, tries again when that helps, and never follows an upload elsewhere."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from packhouse.client import Outcome, Server, ServerRefused, Unreachable, pack, push
from packhouse.client.connection import TRIES
from packhouse.errors import BadName, Malformed
from packhouse.names import parse_channel

MAIN = parse_channel("main")


@contextmanager
def answering(*answers):
    """A server that gives these answers in turn, the last one for ever; yields its URL and what it was asked."""
    asked, left = [], list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.command, self.path, dict(self.headers), body))
            status, headers, text = left.pop(0) if len(left) > 1 else left[0]
            data = text if isinstance(text, bytes) else json.dumps(text).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = reply  # noqa: N815 - the library's names

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", asked
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def client(url, key="pkh-x"):
    naps = []
    return Server(url, key, sleep=naps.append), naps


def test_the_key_travels_as_bearer_and_empty_parameters_stay_at_home():
    with answering((200, {}, {"serial": 7})) as (url, asked):
        server, _ = client(f"{url}/")
        answer = server.ask("GET", "/main/serial.json", query={"a": "1 2", "b": ""})

    assert answer.body == {"serial": 7}
    ((method, path, headers, _body),) = asked
    assert (method, path) == ("GET", "/main/serial.json?a=1+2")
    assert headers["Authorization"] == "Bearer pkh-x"


def test_a_stranger_sends_no_key():
    with answering((200, {}, {})) as (url, asked):
        client(url, key="")[0].ask("GET", "/")

    assert "Authorization" not in asked[0][2]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"detail": "because of this", "title": "Conflict", "code": "exists"}, "because of this"),
        ({"message": "m"}, "m"),
        (b"plain words", "the server answered 409 (plain words)"),
        (b"<html>no</html>", "the server answered 409 (Conflict)"),
        (b"[1]", "the server answered 409 ([1])"),
        ({"detail": "a\x1b[2Jb"}, "a [2Jb"),
        ({"detail": "x" * 900}, "x" * 497 + "..."),
    ],
)
def test_a_refusal_is_the_servers_sentence(body, says):
    with answering((409, {}, body)) as (url, asked), pytest.raises(ServerRefused) as caught:
        client(url)[0].ask("POST", "/x")

    assert str(caught.value) == says
    assert caught.value.status == 409
    assert len(asked) == 1


def test_a_busy_server_is_asked_again_but_not_for_ever():
    with answering((503, {}, {"detail": "busy"}), (503, {}, {}), (200, {}, {"ok": True})) as (url, asked):
        server, naps = client(url)
        assert server.ask("PUT", "/x", headers={"Content-Length": "2"}, body=lambda: [b"a", b"b"]).body["ok"]

    assert [body for *_, body in asked] == [b"ab"] * 3
    assert len(naps) == 2

    with answering((503, {}, {"detail": "busy"})) as (url, asked):
        server, naps = client(url)
        with pytest.raises(Unreachable, match="cannot do this now: busy"):
            server.ask("GET", "/x")

    assert len(asked) == TRIES


def test_a_server_that_is_not_there_is_named():
    with answering((200, {}, {})) as (url, _):
        pass
    server, naps = client(url)

    with pytest.raises(Unreachable, match=f"{url} does not answer: Connection refused"):
        server.ask("GET", "/x")
    assert len(naps) == TRIES - 1


def test_an_upload_is_never_sent_on():
    """A client that follows would send a GET and report success for nothing."""
    with (
        answering((301, {"Location": "https://new.example/"}, b"")) as (url, asked),
        pytest.raises(ServerRefused, match=r"sends on to https://new\.example/"),
    ):
        client(url)[0].ask("POST", "/x")
    assert len(asked) == 1


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host/", "http://", "http://host/?q=1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(Malformed):
        Server(url)


def wheel(tmp_path, name="apple-1.0-py3-none-any.whl"):
    file = tmp_path / name
    file.write_bytes(b"not opened by the client")
    return file


def test_a_file_is_what_its_name_says_or_a_product(tmp_path):
    assert pack(wheel(tmp_path), MAIN).claim.ecosystem == "pypi"
    assert pack(wheel(tmp_path, "a-1-0.conda"), MAIN).claim.ecosystem == "conda"
    made = pack(wheel(tmp_path, "tool.bin"), MAIN, product="Tool", version="1.0").claim
    assert (made.ecosystem, made.directory, made.package) == ("generic", "products/Tool/1.0", "Tool")
    with pytest.raises(BadName, match="needs --product NAME --version VERSION"):
        pack(wheel(tmp_path, "tool.bin"), MAIN)


@pytest.mark.parametrize(
    ("name", "product", "method", "path"),
    [
        ("apple-1.0-py3-none-any.whl", None, "POST", "/main/legacy/?force=true"),
        ("plum-1-0.conda", None, "POST", "/api/v1/upload/main?force=true"),
        ("tool+x.bin", "tool", "PUT", "/main/products/tool/2/tool%2Bx.bin?force=true"),
    ],
)
def test_each_ecosystem_has_its_way_in(tmp_path, name, product, method, path):
    parcel = pack(wheel(tmp_path, name), MAIN, product=product, version=product and "2", force=True)
    sent = []
    with answering((201, {}, {"changed": True, "warnings": ["old"]})) as (url, asked):
        pushed = push(client(url)[0], parcel, progress=sent.append)

    assert pushed.outcome is Outcome.UPLOADED
    assert pushed.notes == ("old",)
    assert sum(sent) == parcel.digests.size
    ((got_method, got_path, headers, body),) = asked
    assert (got_method, got_path) == (method, path)
    assert parcel.digests.sha256 in f"{headers}{body}"
    assert b"not opened by the client" in body


def test_a_second_try_takes_back_what_the_first_one_counted(tmp_path):
    parcel, sent = pack(wheel(tmp_path), MAIN), []
    with answering((503, {}, {}), (200, {}, {"changed": False})) as (url, _):
        assert push(client(url)[0], parcel, progress=sent.append).outcome is Outcome.UNCHANGED

    assert sum(sent) == parcel.digests.size


def test_other_bytes_are_an_error_unless_they_may_stay(tmp_path):
    parcel = pack(wheel(tmp_path), MAIN)
    with answering((409, {}, {"detail": "File already exists"})) as (url, _):
        assert push(client(url)[0], parcel, skip_existing=True).outcome is Outcome.SKIPPED
        with pytest.raises(ServerRefused):
            push(client(url)[0], parcel)
    with answering((403, {}, {"detail": "no"})) as (url, _), pytest.raises(ServerRefused):
        push(client(url)[0], parcel, skip_existing=True)


def test_a_late_index_is_waited_for(tmp_path):
    """202 means stored, not listed: `push` then install in the next line must work."""
    late = (202, {}, {"changed": True, "serial": 5})
    with answering(late, (404, {}, {}), (200, {}, {"serial": 4}), (200, {}, {"serial": 5})) as (url, asked):
        server, naps = client(url)
        assert push(server, pack(wheel(tmp_path), MAIN)).outcome is Outcome.UPLOADED

    assert [path for _, path, *_ in asked[1:]] == ["/main/serial.json"] * 3
    assert len(naps) == 2


def test_an_index_that_never_comes_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("packhouse.client.uploads.LISTED_S", 0.0)
    with (
        answering((202, {}, {"serial": 5}), (200, {}, {"serial": 4})) as (url, _),
        pytest.raises(Unreachable, match="stored it, but did not list it"),
    ):
        push(client(url)[0], pack(wheel(tmp_path), MAIN))
