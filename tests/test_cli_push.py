"""push, delete, yank, reindex against a whole server; the next line always sees what the last one did."""

import pytest
from conda_support import make_conda
from e2e_support import SIMPLE_JSON, serving, wait_until
from pypi_support import make_sdist, make_wheel

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("push")) as server:
        server.channel("shop", "--overwrite")
        yield server


@pytest.fixture
def run(server):
    def run(*arguments, **env):
        return server.run(
            "packhouse", *arguments, **{"PACKHOUSE_SERVER": server.url, "PACKHOUSE_KEY": server.key, **env}
        )

    return run


def put(folder, *made):
    paths = []
    for name, body in made:
        (folder / name).write_bytes(body)
        paths.append(folder / name)
    return paths


def words(ran):
    return sorted(line.split()[0] for line in ran.out.splitlines())


def test_push_takes_every_kind_and_the_indexes_have_it_at_once(server, run, tmp_path):
    files = put(
        tmp_path,
        make_wheel(name="apple"),
        make_sdist(name="apple"),
        make_conda(name="plum", version="3.0", subdir="linux-64"),
    )
    first = run("push", *files, "--channel", "main", "-j", "3")
    assert first.ok, first.out
    assert words(first) == ["uploaded"] * 3
    project = server.json("/main/simple/apple/", Accept=SIMPLE_JSON)
    assert {file["filename"] for file in project["files"]} == {files[0].name, files[1].name}
    assert files[2].name in server.json("/main/linux-64/repodata.json")["packages.conda"]

    again = run("push", *files, "--channel", "main")
    assert again.ok
    assert words(again) == ["unchanged"] * 3


def test_push_refuses_before_it_uploads(server, run, tmp_path):
    good, bad, other = put(
        tmp_path, make_wheel(name="pear"), ("bad-1.0-py3-none-any.whl", b"junk"), ("tool.bin", b"x")
    )
    ran = run("push", good, bad, other, "--channel", "main")

    assert ran.code == 1
    assert "failed     bad-1.0-py3-none-any.whl: " in ran.out
    assert "needs --product NAME --version VERSION" in ran.out
    assert "packhouse: 2 of 3 files were not uploaded" in ran.out
    assert server.ask("/main/packages/pear/pear-1.0-py3-none-any.whl")[0] == 200


def test_products_can_be_kept_skipped_or_replaced(server, run, tmp_path):
    (file,) = put(tmp_path, ("tool+1.bin", b"first"))
    push = ("push", file, "--channel", "shop", "--product", "tool", "--version", "1.0")
    assert run(*push).ok
    file.write_bytes(b"second")
    taken = run(*push)
    assert taken.code == 1
    assert "File already exists" in taken.out
    assert words(run(*push, "--skip-existing"))[0] == "skipped"
    url = "/shop/products/tool/1.0/tool+1.bin"
    assert server.ask(url)[2] == b"first"
    assert run(*push, "--force").ok
    assert server.ask(url)[2] == b"second"
    # main keeps its files
    forced = run("push", file, "--channel", "main", "--product", "tool", "--version", "1.0", "--force")
    assert forced.code == 1
    assert "does not allow overwriting" in forced.out


def test_yank_and_back(server, run, tmp_path):
    run("push", *put(tmp_path, make_wheel(name="yam")), "--channel", "main")

    def yanked():
        return server.json("/main/simple/yam/", Accept=SIMPLE_JSON)["files"][0].get("yanked", False)

    for undo in (("unyank", "Yam", "1.0"), ("yank", "yam", "1.0", "--undo")):
        assert run("yank", "Yam", "1.0", "--channel", "main", "--reason", 'a "bad" one').ok
        assert yanked() == 'a "bad" one'
        assert run(*undo, "--channel", "main").ok
        assert yanked() is False
    missing = run("yank", "yam", "9.9", "--channel", "main")
    assert missing.code == 1
    assert "there is no release yam 9.9" in missing.out


def test_delete_by_path_and_by_url(server, run, tmp_path):
    plum, apple = put(tmp_path, make_conda(name="prune", version="1.0"), make_wheel(name="quince"))
    run("push", plum, apple, "--channel", "shop")
    url = f"{server.url}/shop/packages/quince/{apple.name}"
    assert run("delete", f"noarch/{plum.name}", "--channel", "shop").ok
    assert run("delete", url, "--now", "--reason", "leaked").ok
    assert plum.name not in server.json("/shop/noarch/repodata.json")["packages.conda"]
    assert server.ask(f"/shop/packages/quince/{apple.name}")[0] == 404
    again = run("push", plum, "--channel", "shop")
    assert again.code == 1
    assert "a deleted name stays retired" in again.out
    assert run("delete", url).code == 1
    assert "it is not below" in run("delete", "http://elsewhere.example/shop/noarch/x-1-0.conda").out
    assert run("delete", "noarch/x-1-0.conda").code == 2
    assert run("delete", "x", "--channel", "shop").code == 1


def test_reindex_asks_the_server_or_works_on_the_data(server, run):
    assert "indexed  main/noarch" in run("reindex", "main").out
    assert run("reindex", "main", "noarch").out == "indexed  main/noarch\n"
    assert run("reindex", "main", "nonsense").code == 1
    assert run("reindex").code == 2
    for words in (["nochannel"], ["nochannel", "noarch"]):
        ran = run("reindex", *words)
        assert ran.code == 1
        assert "there is no channel nochannel" in ran.out
    # What links to a package may still be on its way when the package was published.
    wait_until(lambda: "main: nothing to change" in run("reindex", "--data", server.data).out)
    assert run("reindex", "nowhere", "--data", server.data).code == 1


def test_keys_without_the_right_say_so(server, run, tmp_path):
    (file,) = put(tmp_path, make_wheel(name="kiwi"))
    key = server.packhouse("key", "create", "reader", "--grant", "read:main").splitlines()[-1]
    ran = run("push", file, "--channel", "main", PACKHOUSE_KEY=key)
    assert ran.code == 1
    assert "reader may not write channel main" in ran.out
    unknown = run("push", file, "--channel", "nowhere")
    assert unknown.code == 1
    assert "there is no channel nowhere" in unknown.out


def test_a_whole_server_is_healthy(server):
    ran = server.run("packhouse", "doctor", "--data", server.data)
    assert ran.ok, ran.out
    assert "problem" not in ran.out
