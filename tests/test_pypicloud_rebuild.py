"""The catalog compared with the files: what is adopted, what is only reported, and what never changes."""

import threading
from dataclasses import replace

import pytest
from conda_support import make_conda
from house_support import ADMIN, Direct, claim_of, new_house, take_in
from pypi_support import make_sdist, make_wheel

from packhouse.errors import Busy, Unavailable
from packhouse.intake import changes, moving
from packhouse.intake.rebuild import SHOWN, Report, rebuild
from packhouse.intake.receive import History, Intake
from packhouse.model import Action, Area, Ecosystem, Grant
from packhouse.verify import verify

NAME, WHEEL = make_wheel("apple", "1.0")
PATH = f"packages/apple/{NAME}"
CONDA_NAME, CONDA = make_conda()


@pytest.fixture
def house(tmp_path):
    house = new_house(tmp_path, "main", "other")
    yield house
    house.close()


@pytest.fixture
def intake(house):
    return Intake(house, Direct())


def lay(house, path, body, root="public/main"):
    """Put a file where an operator would copy it."""
    file = house.data / root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return file


def everything(house):
    """The live rows, whole."""
    return {
        (channel, artifact.path): artifact
        for channel in ("main", "other")
        for ecosystem in Ecosystem
        for artifact in house.catalog.records(channel, lambda _path: None).everything(ecosystem)
    }


def run(house, intake, **more):
    return rebuild(house, intake, ADMIN, **more)


class TestAdoption:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (PATH, WHEEL),
            (f"noarch/{CONDA_NAME}", CONDA),
            ("products/Tool/1.0/tool.bin", b"anything"),
            ("packages/pear/pear-1.0.tar.gz", make_sdist("pear", "1.0")[1]),
        ],
    )
    def test_a_file_without_a_row_gets_one_and_stays_where_it_is(self, house, intake, path, body):
        file = lay(house, path, body)

        report = run(house, intake)

        assert report.adopted == [f"main/{path}"]
        assert file.read_bytes() == body
        row = everything(house)["main", path]
        assert (row.uploaded_by, row.imported) == (ADMIN.name, True)
        assert list((house.data / "incoming").iterdir()) == []

    def test_its_sidecar_is_made(self, house, intake):
        lay(house, PATH, WHEEL)

        run(house, intake)

        assert (house.data / "public/main" / f"{PATH}.metadata").read_bytes().startswith(b"Metadata-Version")

    def test_a_second_time_nothing_is_left_to_do(self, house, intake):
        lay(house, PATH, WHEEL)
        run(house, intake)

        report = run(house, intake, by_hash=True)

        assert (report.adopted, report.missing, report.differing, report.files) == ([], [], [], 1)

    @pytest.mark.parametrize(
        ("path", "body", "why"),
        [
            ("packages/apple/apple-1.0-py3-none-any.whl", b"no zip", "refused"),
            (f"packages/pear/{NAME}", WHEEL, "packages/apple"),
            ("packages/apple/not a name.whl", WHEEL, "valid file name"),
            ("packages/apple/apple.whl", WHEEL, "valid wheel"),
            (f"linux-64/{CONDA_NAME}", CONDA, "linux-64"),
            ("products/to ol/1.0/x.bin", b"x", "product name"),
        ],
    )
    def test_what_would_be_refused_as_an_upload_stays_and_is_named(self, house, intake, path, body, why):
        file = lay(house, path, body)

        report = run(house, intake)

        assert list(report.refused) == [f"main/{path}"]
        assert why in report.refused[f"main/{path}"]
        assert file.read_bytes() == body
        assert everything(house) == {}
        assert list((house.data / "incoming").iterdir()) == []

    @pytest.mark.parametrize(
        "path",
        [
            "packages/readme.txt",
            "packages/apple/readme.txt",
            "packages/apple/deep/apple-1.0.tar.gz",
            "noarch/repodata.json",
            "noarch/shards/x.conda",
            "products/tool/index.json",
            "replaced/pypi/apple/ab/apple-1.0.tar.gz",
            "simple/apple/index.html",
            "apple-1.0.tar.gz",
        ],
    )
    def test_what_is_no_artifact_is_left_alone(self, house, intake, path):
        lay(house, path, b"x")

        report = run(house, intake)

        assert (report.adopted, report.refused, report.retired) == ([], {}, [])

    def test_a_restricted_package_is_adopted_into_its_own_tree(self, house, intake):
        """And a file that lies in the channel's tree is moved first: nobody must read it in between."""
        house.catalog.accounts.create("ann")
        grant = Grant(
            principal="user:ann",
            action=Action.READ,
            channel="main",
            ecosystem=Ecosystem.PYPI,
            package="apple",
        )
        moving.give(house, grant)
        lay(house, PATH, WHEEL)

        report = run(house, intake)

        assert report.adopted == [f"main/{PATH}"]
        assert not (house.data / "public/main" / PATH).exists()
        assert (house.data / "restricted/main" / PATH).read_bytes() == WHEEL

    def test_a_store_that_fails_ends_it_and_the_file_is_still_there(self, house, intake, monkeypatch):
        file = lay(house, PATH, WHEEL)

        def fail(*_args, **_kwargs):
            raise Unavailable("no")

        monkeypatch.setattr(house.catalog.artifacts, "commit", fail)
        with pytest.raises(Unavailable):
            run(house, intake)

        assert file.read_bytes() == WHEEL
        monkeypatch.undo()
        assert run(house, intake).adopted == [f"main/{PATH}"]

    def test_a_file_that_goes_away_meanwhile_is_no_error(self, house, intake, monkeypatch):
        file = lay(house, PATH, WHEEL)
        door = intake.door
        monkeypatch.setattr(intake, "door", lambda claim: (door(claim), file.unlink()))

        report = run(house, intake)

        assert (report.adopted, report.refused) == ([], {})

    def test_a_channel_that_goes_away_meanwhile_is_no_error(self, house, intake, monkeypatch):
        lay(house, PATH, WHEEL)
        door = intake.door

        def leave(claim):
            door(claim)
            monkeypatch.setattr(type(house.catalog.channels), "find", lambda *_: None)

        monkeypatch.setattr(intake, "door", leave)

        assert run(house, intake).adopted == []

    def test_what_is_refused_while_its_channel_becomes_private_is_private(self, house, intake, monkeypatch):
        """It is put back to where it belongs by then, or anyone could read it after the answer."""
        lay(house, PATH, b"no zip")
        receive = intake.receive

        def slowly(*args, **more):
            moving.set_private(house, "main", private=True)
            return receive(*args, **more)

        monkeypatch.setattr(intake, "receive", slowly)

        assert list(run(house, intake).refused) == [f"main/{PATH}"]

        assert not (house.data / "public/main").exists()
        assert (house.data / "private/main" / PATH).read_bytes() == b"no zip"
        assert list((house.data / "incoming").iterdir()) == []

    def test_an_upload_under_way_is_not_taken_for_an_orphan(self, house, intake):
        """Its row is pending, its holder lives: whoever uploads it commits it."""
        lay(house, PATH, WHEEL)
        with intake.stage() as stage:
            stage.write(WHEEL)
            digests = stage.finish()
            claim = claim_of(NAME)
            observed = intake.inspect(claim, stage)
        verified = verify(claim, digests, observed)
        house.catalog.artifacts.claim(verified, by="ci", token=f"{intake.instance}:1", lease_s=600)

        assert run(house, intake).adopted == []

    def test_an_upload_that_came_meanwhile_is_not_taken_for_an_orphan(self, house, intake, monkeypatch):
        """It was placed when the files were listed, and has its row a moment later."""
        discarded = house.catalog.areas.discarded

        def then(*args, **kwargs):
            take_in(intake, NAME, WHEEL)
            return discarded(*args, **kwargs)

        lay(house, PATH, WHEEL)
        monkeypatch.setattr(house.catalog.areas, "discarded", then)

        report = run(house, intake)

        assert (report.adopted, report.refused) == ([], {})
        assert everything(house)["main", PATH].imported is False


class TestWhatNeverChanges:
    def test_a_deleted_name_stays_retired(self, house, intake):
        """The bytes may lie there again: a tombstone is for good."""
        take_in(intake, NAME, WHEEL)
        artifact = house.catalog.artifacts.live("main", PATH)
        changes.delete(house, artifact, ADMIN, now=True)
        house.catalog.areas.keep("main", [PATH])
        lay(house, PATH, WHEEL)

        report = run(house, intake)

        assert (report.retired, report.adopted) == ([f"main/{PATH}"], [])
        assert house.catalog.artifacts.burnt("main", PATH)
        assert everything(house) == {}

    def test_what_waits_for_its_removal_is_not_mentioned(self, house, intake):
        take_in(intake, NAME, WHEEL)
        changes.delete(house, house.catalog.artifacts.live("main", PATH), ADMIN)

        report = run(house, intake)

        assert (report.retired, report.adopted) == ([], [])

    @pytest.mark.parametrize("by_hash", [False, True])
    def test_rows_keep_every_column_whatever_became_of_their_files(self, house, intake, by_hash):
        take_in(intake, NAME, WHEEL, history=History(uploaded_us=1_000_000))
        take_in(intake, *make_sdist("pear", "1.0"))
        take_in(intake, *make_sdist("plum", "1.0"))
        before, events = everything(house), house.catalog.artifacts.events("main")
        root = house.data / "public/main/packages"
        (root / "apple" / NAME).unlink()
        (root / "pear/pear-1.0.tar.gz").write_bytes(b"short")

        report = run(house, intake, by_hash=by_hash)

        assert report.missing == [f"main/{PATH}"]
        assert report.differing == ["main/packages/pear/pear-1.0.tar.gz"]
        assert everything(house) == before
        assert house.catalog.artifacts.events("main") == events

    def test_other_bytes_of_the_same_size_are_found_by_hash_only(self, house, intake):
        take_in(intake, NAME, WHEEL)
        (house.data / "public/main" / PATH).write_bytes(WHEEL[::-1])

        assert run(house, intake).differing == []
        assert run(house, intake, by_hash=True).differing == [f"main/{PATH}"]

    def test_an_overwrite_that_waits_for_its_swap_is_no_difference(self, tmp_path):
        house = new_house(tmp_path / "second", "main", overwrite=True)
        intake = Intake(house, Direct())
        take_in(intake, NAME, WHEEL)
        take_in(intake, NAME, make_wheel("apple", "1.0", summary="other, and longer")[1], force=True)

        assert run(house, intake, by_hash=True).differing == []
        house.close()

    def test_a_file_that_goes_away_while_it_is_read_differs(self, house, intake, monkeypatch):
        take_in(intake, NAME, WHEEL)

        def gone(path):
            raise FileNotFoundError(path)

        monkeypatch.setattr(house.tree, "open", gone)

        assert run(house, intake, by_hash=True).differing == [f"main/{PATH}"]

    def test_a_row_that_went_meanwhile_is_not_missed(self, house, intake, monkeypatch):
        take_in(intake, NAME, WHEEL)
        (house.data / "public/main" / PATH).unlink()
        monkeypatch.setattr(house.catalog.artifacts, "live", lambda *_: None)

        assert run(house, intake).missing == []


class TestPublishing:
    def test_everything_is_marked_and_can_be_waited_for(self, house, intake):
        take_in(intake, NAME, WHEEL)
        for area in house.catalog.areas.due():
            house.catalog.areas.clear(area, house.catalog.areas.generation(area))

        report = run(house, intake)

        wanted = {
            Area("main", "pypi", "index", "apple"),
            Area("main", "pypi", "page", "apple"),
            Area("main", "pypi", "root"),
            Area("main", "conda", "index", "noarch"),
            Area("other", "", "channel"),
            Area("", "", "site"),
        }
        assert wanted <= report.awaited.keys()
        assert house.catalog.areas.unpublished(report.awaited) == report.awaited.keys()

    def test_a_channel_deleted_meanwhile_is_passed_over(self, house, intake, monkeypatch):
        listed = house.catalog.channels.list()
        ghost = replace(listed[0], name="ghost")
        monkeypatch.setattr(house.catalog.channels, "list", lambda: [*listed, ghost])

        assert run(house, intake).channels == 3

    def test_only_one_at_a_time(self, house, intake):
        inside, leave, caught = threading.Event(), threading.Event(), []

        def hold():
            with house.locks.hold("rebuild"):
                inside.set()
                leave.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        assert inside.wait(30)
        try:
            run(house, intake)
        except Busy as error:
            caught.append(error)
        leave.set()
        holder.join()

        assert len(caught) == 1
        assert run(house, intake).channels == 2


def test_a_report_counts_everything_and_shows_the_first():
    report = Report(
        channels=1, files=3, missing=[str(number) for number in range(SHOWN + 5)], refused={"a": "b"}
    )

    told = report.told()

    assert told["counts"] == {"adopted": 0, "refused": 1, "retired": 0, "missing": SHOWN + 5, "differing": 0}
    assert len(told["missing"]) == SHOWN
    assert told["refused"] == [{"path": "a", "why": "b"}]
