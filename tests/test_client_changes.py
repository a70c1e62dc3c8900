"""Pushing, deleting and yanking by the Python client: what is sent, and what is refused before anything is."""

import pytest
from client_support import KEY, fresh_client, product, site, turns

import packhouse

DENIED = (403, {"detail": "ann may not delete package tool: ask an admin", "code": "forbidden"})


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    with fresh_client(tmp_path, monkeypatch) as folder:
        yield folder


def test_a_change_without_a_key_is_refused_before_anything_is_sent(tmp_path):
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"x")
    with site({}) as there:
        url = f"{there.url}/main"
        for change in (
            lambda: packhouse.push(tmp_path / "a-1-py3-none-any.whl", url),
            lambda: packhouse.delete("noarch/x-1-0.conda", url),
            lambda: packhouse.delete_package("x", url),
            lambda: packhouse.yank("x", "1", "", url),
            lambda: packhouse.unyank("x", "1", url),
            lambda: packhouse.api_keys.list(registry=url),
        ):
            with pytest.raises(packhouse.KeyRefused, match="there is no key for"):
                change()
    assert there.asked == []


def test_files_are_pushed_in_order_and_all_are_understood_first(tmp_path):
    good, odd = tmp_path / "a-1-py3-none-any.whl", tmp_path / "b.bin"
    good.write_bytes(b"a")
    odd.write_bytes(b"b")
    packhouse.login_with_api_key(KEY)
    with site({"/main/legacy/": {"changed": True, "serial": 7, "warnings": ["old"]}}) as there:
        url = f"{there.url}/main"
        with pytest.raises(packhouse.BadName):
            packhouse.push([good, odd], url)
        assert there.asked == []
        with pytest.raises(packhouse.Malformed, match="give both"):
            packhouse.push(odd, url, product="x")
        (pushed,) = packhouse.push(str(good), url)
        assert (pushed.outcome, pushed.notes, pushed.serial) == ("uploaded", ("old",), 7)
        there.answers["/main/legacy/"] = (409, {"detail": "File already exists", "code": "exists"})
        assert packhouse.push([good], url, skip_existing=True)[0].outcome is packhouse.Outcome.SKIPPED
        with pytest.raises(packhouse.ServerRefused, match="already exists") as caught:
            packhouse.push([good], url)
        assert (caught.value.status, caught.value.reason_code) == (409, "exists")


def test_a_deleted_file_is_named_by_path_or_url():
    packhouse.login_with_api_key(KEY)
    with site({"/main/noarch/x%21-1-0.conda": {}, "/main/serial.json": {"serial": 9}}) as there:
        url = f"{there.url}/main"
        there.answers["/main/noarch/x!-1-0.conda"] = {}
        packhouse.delete("/noarch/x!-1-0.conda", url, now=True, reason="a secret")
        there.answers["/main/noarch/x!-1-0.conda"] = (202, {"serial": 9})
        packhouse.delete(f"{url}/noarch/x%21-1-0.conda", url)
        assert there.paths() == [
            "DELETE /main/noarch/x!-1-0.conda?now=true&reason=a+secret",
            "DELETE /main/noarch/x!-1-0.conda",
            "GET /main/serial.json",
        ]
        for wrong in ("x.conda", "noarch/", "http://other.example/main/noarch/x.conda"):
            with pytest.raises(packhouse.BadName):
                packhouse.delete(wrong, url)
        with pytest.raises(packhouse.Missing):
            packhouse.delete("noarch/y-1-0.conda", url)


def test_a_version_or_the_whole_package_is_deleted_file_by_file():
    answers = product("tool", {"1": b"one", "2": b"two"})
    one, two = (item["top_hash"] for item in answers["/main/generic/tool/versions.json"]["versions"])
    answers["/main/products/tool/2/tool.bin"] = turns((202, {"serial": 3}), (404, "gone"))
    answers["/main/serial.json"] = {"serial": 3}
    packhouse.login_with_api_key(KEY)
    with site(answers) as there:
        url = f"{there.url}/main"
        packhouse.delete_package("tool", url, top_hash=two[:6].upper())
        packhouse.delete_package("tool", url)  # what is gone already is passed over
        packhouse.delete_package("tool", url, version="1")
        assert [path for path in there.paths() if path.startswith(("DELETE", "GET /main/serial"))] == [
            "DELETE /main/products/tool/2/tool.bin",
            "GET /main/serial.json",
            "DELETE /main/products/tool/1/tool.bin",
            "DELETE /main/products/tool/2/tool.bin",
            "DELETE /main/products/tool/1/tool.bin",
        ]
        for wrong, kind in (
            ("abc", packhouse.BadName),
            ("xyzxyz", packhouse.BadName),
            ("0" * 64, packhouse.Missing),
        ):
            with pytest.raises(kind):
                packhouse.delete_package("tool", url, top_hash=wrong)
        with pytest.raises(packhouse.HashMismatch):
            packhouse.delete_package("tool", url, top_hash=one, version="2")
        with pytest.raises(packhouse.Missing, match="no version 9"):
            packhouse.delete_package("tool", url, version="9")
        there.answers["/main/products/tool/1/tool.bin"] = DENIED
        with pytest.raises(packhouse.NotPermitted, match="may not delete"):
            packhouse.delete_package("tool", url)


def test_versions_of_the_same_files_are_told_apart_before_one_is_deleted():
    packhouse.login_with_api_key(KEY)
    with site(product("tool", {"1": b"same", "2": b"same"})) as there:
        url = f"{there.url}/main"
        same = packhouse.list_package_versions("tool", url)[0][1]
        with pytest.raises(packhouse.Ambiguous, match="the version too"):
            packhouse.delete_package("tool", url, top_hash=same)
        packhouse.delete_package("tool", url, top_hash=same, version="1")
    assert [path for path in there.paths() if "DELETE" in path] == ["DELETE /main/products/tool/1/tool.bin"]


def test_two_hashes_that_begin_alike_are_ambiguous(monkeypatch):
    monkeypatch.setattr("packhouse.client.versions.top_hash", lambda files: f"abcdef{files[0].size:058}")
    answers = product("tool", {"1": b"1", "2": b"22"})
    for item in answers["/main/generic/tool/versions.json"]["versions"]:
        item["top_hash"] = f"abcdef{item['files'][0]['size']:058}"
    packhouse.login_with_api_key(KEY)
    with site(answers) as there:
        for change in (
            lambda: packhouse.pull("tool", top_hash="abcdef", registry=f"{there.url}/main"),
            lambda: packhouse.delete_package("tool", f"{there.url}/main", "abcdef0"),
        ):
            with pytest.raises(packhouse.Ambiguous, match="give more of it"):
                change()


def test_yanking_is_for_python_releases():
    path = "/api/1/main/hello-world/1.0/yank"
    packhouse.login_with_api_key(KEY)
    with site(
        {path: turns((202, {"serial": 2}), {"serial": 3}), "/main/serial.json": {"serial": 2}}
    ) as there:
        url = f"{there.url}/main"
        packhouse.yank("Hello_World", "1.0", "too loud", url)
        packhouse.unyank("pypi/hello-world", "1.0", url)
        assert there.paths() == [f"POST {path}", "GET /main/serial.json", f"DELETE {path}"]
        assert there.asked[0][3] == b'{"reason": "too loud"}'
        with pytest.raises(packhouse.BadName, match="only Python releases"):
            packhouse.yank("conda/x", "1.0", registry=url)
        with pytest.raises(packhouse.BadName):
            packhouse.yank("x", "1/0", registry=url)
