"""A conda package goes in through every uploader and comes out through every index form."""

import asyncio
import hashlib
import threading
from pathlib import Path

import pytest
import rattler
import rattler_build
from e2e_support import serving

pytestmark = pytest.mark.e2e

FORMS = {
    "shards": "repodata_shards.msgpack.zst",
    "zst": "repodata.json.zst",
    "json": "repodata.json",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("conda")) as server:
        yield server


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    path = folder / "recipe.yaml"
    path.write_text(
        "package: {name: greeting, version: '1.2'}\n"
        "build: {number: 3, noarch: generic, script: mkdir -p $PREFIX/share && echo hello > $PREFIX/share/greeting.txt}\n"
        "about: {summary: Says hello, license: MIT}\n"
    )
    return path


@pytest.fixture(scope="module")
def package(recipe, tmp_path_factory):
    """A noarch package that the real rattler-build made from a recipe."""
    folder = tmp_path_factory.mktemp("built")
    rattler_build.Stage0Recipe.from_file(str(recipe)).run_build(output_dir=folder)
    (built,) = (folder / "noarch").glob("*.conda")
    return built


def other_bytes(package, folder):
    """The same name with other bytes inside: rebuilt with another summary."""
    folder.mkdir(parents=True, exist_ok=True)
    name, version, build = package.name.removesuffix(".conda").rsplit("-", 2)
    made = rattler_build.assemble_package(
        name, version, "noarch", build, folder, noarch="generic", summary="Other bytes", build_number=3
    )
    return made.path


def upload(how, package, server, channel, **kwargs):
    if how == "prefix":
        rattler_build.upload_package_to_prefix(
            [str(package)], server.url, channel, api_key=server.key, **kwargs
        )
    elif how == "quetz":
        rattler_build.upload_package_to_quetz([str(package)], server.url, channel, api_key=server.key)
    else:
        rattler_build.upload_package_to_artifactory([str(package)], server.url, channel, token=server.key)


def install(url, specs, folder, platforms=("noarch", "linux-64")):
    """Solve and install with py-rattler, cold."""
    # rattler's client is strict about nothing here: loopback, no proxy, a cache of its own.
    gateway = rattler.Gateway(cache_dir=folder / "cache")

    async def go():
        records = await rattler.solve(
            [rattler.Channel(url)], specs, gateway=gateway, platforms=list(platforms)
        )
        await rattler.install(records, folder / "prefix", cache_dir=folder / "packages", show_progress=False)
        return records

    return asyncio.run(go())


@pytest.mark.parametrize("how", ["prefix", "quetz", "artifactory"])
def test_every_uploader_publishes_and_rattler_installs(server, package, tmp_path, how):
    """The answer came after publication: no wait, no retry between upload and solve."""
    url = server.channel(f"up-{how}")

    upload(how, package, server, f"up-{how}")
    records = install(url, ["greeting >=1"], tmp_path)

    assert [str(record.file_name) for record in records] == [package.name]
    assert (tmp_path / "prefix" / "share" / "greeting.txt").read_text() == "hello\n"
    status, headers, body = server.ask(f"/up-{how}/noarch/{package.name}")
    assert (status, hashlib.sha256(body).digest()) == (200, hashlib.sha256(package.read_bytes()).digest())
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    upload(how, package, server, f"up-{how}")  # the same bytes again succeed
    assert 202 not in {status for _method, _path, status in server.fetched()}


@pytest.mark.parametrize("form", FORMS)
def test_each_index_form_is_enough_by_itself(server, package, tmp_path, form):
    """Forced by hiding the others; the access log tells what rattler really read."""
    name = f"form-{form}"
    url = server.channel(name)
    upload("prefix", package, server, name)
    subdir = server.data / "public" / name / "noarch"
    hidden = [subdir / other for kind, other in FORMS.items() if kind != form]
    for path in hidden:
        path.rename(path.with_suffix(".hidden"))
    server.fetched()
    try:
        records = install(url, ["greeting"], tmp_path)
    finally:
        for path in hidden:
            path.with_suffix(".hidden").rename(path)

    asked = [
        (path, status) for _method, path, status in server.fetched() if path.startswith(f"/{name}/noarch/")
    ]
    answered = {path.rpartition("/")[2] for path, status in asked if status == 200}
    assert answered & set(FORMS.values()) == {FORMS[form]}, asked
    assert any("/shards/" in path for path, _status in asked) is (form == "shards")
    assert (tmp_path / "prefix" / "share" / "greeting.txt").is_file()
    assert len(records) == 1


def test_other_bytes_under_the_name_are_refused_and_skipped_where_the_client_can(server, package, tmp_path):
    server.channel("taken")
    upload("prefix", package, server, "taken")
    other = other_bytes(package, tmp_path / "other")

    for how in ("prefix", "quetz", "artifactory"):
        with pytest.raises(rattler_build.RattlerBuildError) as refusal:
            upload(how, other, server, "taken")
        if how == "prefix":
            assert "409" in str(refusal.value) or "already exists" in str(refusal.value)
    upload("prefix", other, server, "taken", skip_existing=True)

    _status, _headers, body = server.ask(f"/taken/noarch/{package.name}")
    assert body == package.read_bytes()


def test_force_replaces_only_where_the_channel_allows_it(server, package, tmp_path):
    server.channel("fixed")
    server.channel("rolling", "--overwrite")
    other = other_bytes(package, tmp_path / "other")
    for channel in ("fixed", "rolling"):
        upload("prefix", package, server, channel)

    with pytest.raises(rattler_build.RattlerBuildError, match="overwrit"):
        upload("prefix", other, server, "fixed", force=True)
    upload("prefix", other, server, "rolling", force=True)

    status, headers, body = server.ask(f"/rolling/noarch/{package.name}")
    assert (status, body) == (200, Path(other).read_bytes())
    assert "no-cache" in headers["Cache-Control"]
    record = server.json("/rolling/noarch/repodata.json")["packages.conda"][package.name]
    assert record["sha256"] == hashlib.sha256(body).hexdigest()
    old = hashlib.sha256(package.read_bytes()).hexdigest()
    kept = f"/rolling/replaced/conda/{package.name.rsplit('-', 2)[0]}/{old}/{package.name}"
    assert server.ask(kept)[2] == package.read_bytes()


def test_a_noarch_channel_solves_for_another_platform(server, package, tmp_path):
    url = server.channel("only-noarch")
    upload("prefix", package, server, "only-noarch")

    assert len(install(url, ["greeting"], tmp_path, platforms=("linux-64", "noarch"))) == 1
    assert server.ask("/only-noarch/linux-64/repodata.json")[0] == 404


def test_a_new_channel_can_be_solved_against(server, tmp_path):
    """Clients remember for ever that a channel had no shards, so an empty one has all three forms."""
    server.channel("fresh")

    for form in FORMS.values():
        assert server.ask(f"/fresh/noarch/{form}")[0] == 200
    assert server.json("/fresh/channeldata.json")["packages"] == {}


def test_a_deleted_package_is_gone_from_every_form_and_its_name_is_burnt(server, package, tmp_path):
    url = server.channel("deleting")
    upload("prefix", package, server, "deleting")
    status, _, _ = server.ask(f"/api/v1/delete/deleting/noarch/{package.name}", "DELETE", key=True)
    assert status == 200

    repodata = server.json("/deleting/noarch/repodata.json")
    assert repodata["packages.conda"] == {}
    assert package.name in repodata["removed"]
    with pytest.raises(Exception, match="greeting"):
        install(url, ["greeting"], tmp_path)
    with pytest.raises(rattler_build.RattlerBuildError) as refusal:
        upload("prefix", package, server, "deleting")
    assert "already exist" not in str(refusal.value).lower()
    assert server.ask(f"/api/v1/delete/deleting/noarch/{package.name}", "DELETE", key=True)[0] == 404


def test_twenty_racing_uploads_leave_one_winner_whose_bytes_are_served(server, package, tmp_path):
    server.channel("race")
    name, version, build = package.name.removesuffix(".conda").rsplit("-", 2)
    bodies = []
    for n in range(20):
        made = rattler_build.assemble_package(
            name,
            version,
            "noarch",
            build,
            tmp_path / str(n),
            noarch="generic",
            summary=f"racer {n}",
            build_number=3,
        )
        bodies.append(Path(made.path).read_bytes())
    statuses = [0] * 20

    def race(n):
        statuses[n] = server.ask(
            f"/race/noarch/{package.name}",
            "PUT",
            bodies[n],
            key=True,
            Content_Type="application/octet-stream",
        )[0]

    threads = [threading.Thread(target=race, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [201] + [409] * 19
    winner = bodies[statuses.index(201)]
    assert server.ask(f"/race/noarch/{package.name}")[2] == winner
    records = server.json("/race/noarch/repodata.json")["packages.conda"]
    assert records[package.name]["sha256"] == hashlib.sha256(winner).hexdigest()
