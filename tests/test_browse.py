"""What there is to see, asked of the catalog: only within a sight, page by page, and each thing once."""

import pytest
from catalog_support import RULES, upload, verified

from packhouse.catalog import Catalog
from packhouse.catalog.browse import Rank, Sight
from packhouse.digest import digest
from packhouse.manifest import top_hash
from packhouse.model import Action, Ecosystem, EventKind, Grant, Observed, Principal, Verified
from packhouse.names import ChannelName, Filename
from packhouse.rights import Rights
from packhouse.settings import Settings

ALL = Sight(channels=frozenset({"main", "other"}))
MAIN = Sight(channels=frozenset({"main"}))


@pytest.fixture
def catalog(tmp_path):
    opened = Catalog(tmp_path / "catalog.sqlite")
    opened.channels.create(ChannelName("main"), born=())
    opened.channels.create(ChannelName("other"), born=())
    yield opened
    opened.close()


def product(name, version="1.0", body=b"product", channel="main"):
    filename = Filename(f"{name}.bin")
    return Verified(
        channel=ChannelName(channel),
        ecosystem=Ecosystem.GENERIC,
        path=f"products/{name}/{version}/{filename}",
        digests=digest([body]),
        observed=Observed(
            filename=filename,
            package=name,
            version=version,
            directory=f"products/{name}/{version}",
            record={},
            details={"summary": "a tool of ours"},
        ),
    )


def restrict(catalog, package):
    """Let only a team read a Python project of main."""
    catalog.groups.create("team")
    catalog.grants.give(
        Grant(principal="group:team", action=Action.READ, channel="main", ecosystem="pypi", package=package)
    )


def names(rows):
    return [(row.channel, row.ecosystem, row.name) for row in rows]


class TestPackages:
    def test_by_channel_ecosystem_and_name(self, catalog):
        for item in (verified("b"), verified("a"), product("c"), verified("a", channel="other")):
            upload(catalog, item)

        found = catalog.browse.packages(ALL, limit=10)

        assert names(found) == [
            ("main", "generic", "c"),
            ("main", "pypi", "a"),
            ("main", "pypi", "b"),
            ("other", "pypi", "a"),
        ]
        assert names(catalog.browse.packages(ALL, limit=2)) == names(found[:2])
        assert names(catalog.browse.packages(ALL, limit=9, after=("main", "pypi", "a"))) == names(found[2:])
        assert names(catalog.browse.packages(ALL, limit=9, ecosystem="generic")) == names(found[:1])
        assert found[0].summary == "a tool of ours"

    def test_one(self, catalog):
        upload(catalog, verified("a", "1"))
        upload(catalog, verified("a", "2", summary="second"))

        row = catalog.browse.package(ALL, "main", "pypi", "a")

        assert (row.latest, row.files, row.display, row.summary) == ("2", 2, "A", "second")
        assert row.undecodable == ()
        for unknown in (("main", "pypi", "b"), ("main", "conda", "a"), ("other", "pypi", "a")):
            assert catalog.browse.package(ALL, *unknown) is None

    def test_a_package_without_files_is_none(self, catalog):
        upload(catalog, verified("a"))
        catalog.artifacts.delete("main", ["packages/a/a-1.whl"], RULES, by="ci", grace_s=1)

        assert catalog.browse.packages(ALL, limit=10) == []
        assert catalog.browse.package(ALL, "main", "pypi", "a") is None
        assert catalog.browse.search(ALL, "a", limit=10) == []

    def test_a_summary_that_was_not_utf8_is_told(self, catalog):
        item = verified("a", summary="caf\\xe9")
        item.observed.record["undecodable"] = ["author", "summary"]
        upload(catalog, item)
        upload(catalog, verified("b", summary="the text \\xe9 itself"))

        found = {row.name: row.undecodable for row in catalog.browse.packages(ALL, limit=10)}

        assert found == {"a": ("summary",), "b": ()}


class TestVersions:
    def test_files_of_a_version_together(self, catalog):
        upload(catalog, verified("a", "1"))
        two = [upload(catalog, item).artifacts[0] for item in (verified("a", "2"),)]
        catalog.artifacts.yank("main", [two[0].path], RULES, by="ci", reason="")

        found = catalog.browse.versions(ALL, "main", "pypi", "a")

        assert [(row.version, row.files, row.size, row.yanked) for row in found] == [
            ("2", 1, 5, True),
            ("1", 1, 5, False),
        ]
        assert found[0].first_us == found[0].last_us == two[0].uploaded_us
        assert found[0].top_hash == top_hash(found[0].manifest)
        assert [file.path for file in found[0].manifest] == [two[0].path]
        assert catalog.browse.versions(ALL, "main", "pypi", "a", "1") == [found[1]]
        assert catalog.browse.versions(ALL, "main", "pypi", "a", "3") == []

    def test_a_version_is_yanked_only_as_a_whole(self, catalog):
        upload(catalog, product("t"))
        other = product("t", body=b"other")
        second = Verified(
            channel=other.channel,
            ecosystem=other.ecosystem,
            path="products/t/1.0/u.bin",
            digests=other.digests,
            observed=other.observed,
        )
        upload(catalog, second)
        catalog.artifacts.yank("main", ["products/t/1.0/u.bin"], RULES, by="ci", reason="bad")

        (row,) = catalog.browse.versions(ALL, "main", "generic", "t")

        assert (row.files, row.size, row.yanked) == (2, len(b"product") + len(b"other"), False)


class TestFiles:
    def test_as_they_came_and_chosen(self, catalog):
        for item in (verified("b", "1"), verified("a", "1"), verified("a", "2"), product("a")):
            upload(catalog, item)
        upload(catalog, verified("a", "1", channel="other"))

        def found(**wanted):
            return [
                (file.ecosystem, file.package, file.version)
                for file in catalog.browse.files(ALL, **{"limit": 10, "channel": "main", **wanted})
            ]

        assert found() == [
            ("pypi", "b", "1"),
            ("pypi", "a", "1"),
            ("pypi", "a", "2"),
            ("generic", "a", "1.0"),
        ]
        assert found(ecosystem="pypi", package="a") == [("pypi", "a", "1"), ("pypi", "a", "2")]
        assert found(version="1", limit=1) == [("pypi", "b", "1")]
        last = catalog.browse.files(ALL, limit=1, channel="main")[0].id
        assert found(after=last, version="1") == [("pypi", "a", "1")]
        assert len(found(channel=None)) == 5

    def test_by_content(self, catalog):
        upload(catalog, verified("a"))
        file = upload(catalog, verified("a", channel="other")).artifacts[0]

        assert [item.channel for item in catalog.browse.content(ALL, file.sha256)] == ["main", "other"]
        assert [item.channel for item in catalog.browse.content(MAIN, file.sha256)] == ["main"]
        assert catalog.browse.content(ALL, "0" * 64) == []

    def test_counters(self, catalog):
        for item in (verified("a", "1"), verified("a", "2"), product("p"), verified("a", channel="other")):
            upload(catalog, item)

        counted = catalog.browse.counters(ALL)

        assert (counted.channels, counted.packages, counted.files) == (2, 3, 4)
        assert counted.bytes == 3 * len(b"bytes") + len(b"product")
        assert counted.by_ecosystem == {
            "pypi": {"packages": 2, "files": 3, "bytes": 15},
            "generic": {"packages": 1, "files": 1, "bytes": 7},
        }


class TestEvents:
    def test_each_with_the_file_that_is_still_there(self, catalog):
        upload(catalog, verified("a"))
        upload(catalog, verified("a", body=b"new"), overwrite=True)
        upload(catalog, verified("b"))
        catalog.artifacts.yank("main", ["packages/a/a-1.whl"], RULES, by="eve", reason="bad")
        catalog.artifacts.delete("main", ["packages/b/b-1.whl"], RULES, by="ci", grace_s=1, note="leak")

        found = catalog.browse.events(ALL, "main", limit=10)

        assert [(event.serial, event.kind, event.note, file is not None) for event, file in found] == [
            (1, EventKind.UPLOAD, "", False),
            (2, EventKind.REPLACE, "", True),
            (3, EventKind.UPLOAD, "", False),
            (4, EventKind.YANK, "bad", True),
            (5, EventKind.DELETE, "leak", False),
        ]
        assert found[1][1].sha256 == found[1][0].sha256
        assert [event.serial for event, _ in catalog.browse.events(ALL, "main", since=3, limit=1)] == [4]
        assert catalog.browse.events(ALL, "main", since=5, limit=9) == []


class TestSearch:
    def test_the_better_match_comes_first(self, catalog):
        for name, summary in (
            ("json", ""),
            ("json-tool", ""),
            ("a-json", ""),
            ("yaml", "reads JSON, too"),
            ("toml", "reads TOML"),
        ):
            upload(catalog, verified(name, summary=summary))

        found = catalog.browse.search(ALL, " JSON ", limit=10)

        assert [(rank.rank, row.name) for rank, row in found] == [
            (0, "json"),
            (1, "json-tool"),
            (2, "a-json"),
            (3, "yaml"),
        ]
        for number, (rank, _row) in enumerate(found):
            rest = catalog.browse.search(ALL, "json", limit=10, after=rank)
            assert rest == found[number + 1 :]

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("reads toml", ["toml"]),
            ("toml json", []),
            ("%", []),
            ("_", ["_x"]),
            ("", []),
            ("  ", []),
            ("Äpfel", ["pie"]),
            ("TOML", ["toml"]),
        ],
    )
    def test_every_word_counts_and_none_is_a_pattern(self, catalog, text, found):
        for name, summary in (("toml", "reads it"), ("json", "reads it"), ("_x", ""), ("pie", "Äpfel")):
            upload(catalog, verified(name, summary=summary))

        assert [row.name for _, row in catalog.browse.search(ALL, text, limit=10)] == found

    def test_one_ecosystem(self, catalog):
        upload(catalog, verified("tool"))
        upload(catalog, product("tool"))

        found = catalog.browse.search(ALL, "tool", limit=10, ecosystem="generic")

        assert [rank for rank, _ in found] == [Rank(0, 4, "tool", "main", "generic")]


class TestSight:
    """Each question, asked by somebody who may not see all."""

    def ask(self, catalog, sight):
        browse = catalog.browse
        sha256 = digest([b"bytes"]).sha256
        return {
            "packages": {row.name for row in browse.packages(sight, limit=50)},
            "package": {n for n in ("open", "secret") if browse.package(sight, "main", "pypi", n)},
            "versions": {n for n in ("open", "secret") if browse.versions(sight, "main", "pypi", n)},
            "files": {file.package for file in browse.files(sight, limit=50)},
            "content": {file.package for file in browse.content(sight, sha256)},
            "events": {event.path.split("/")[1] for event, _file in browse.events(sight, "main", limit=50)},
            "counters": {
                n for n, seen in (("open", 1), ("secret", 2)) if browse.counters(sight).files >= seen
            },
            "search": {row.name for _, row in browse.search(sight, "e", limit=50)},
        }

    @pytest.fixture
    def filled(self, catalog):
        upload(catalog, verified("open"))
        upload(catalog, verified("secret"))
        restrict(catalog, "secret")
        return catalog

    def test_a_restricted_package_is_in_no_answer(self, filled):
        assert set(map(frozenset, self.ask(filled, MAIN).values())) == {frozenset({"open"})}

    def test_but_in_every_answer_for_who_may(self, filled):
        sight = Sight(channels=frozenset({"main"}), extra=frozenset({("main", "pypi", "secret")}))

        assert set(map(frozenset, self.ask(filled, sight).values())) == {frozenset({"open", "secret"})}

    def test_one_package_of_a_channel_that_is_not_theirs(self, filled):
        sight = Sight(channels=frozenset({"other"}), extra=frozenset({("main", "pypi", "open")}))

        assert set(map(frozenset, self.ask(filled, sight).values())) == {frozenset({"open"})}
        assert sight.named == {"main", "other"}

    def test_one_ecosystem_of_a_channel_that_is_not_theirs(self, filled):
        upload(filled, product("tool"))
        sight = Sight(channels=frozenset(), ecosystems=frozenset({("main", "pypi")}))

        assert set(map(frozenset, self.ask(filled, sight).values())) == {frozenset({"open"})}
        assert filled.browse.counters(sight).channels == 1

    def test_nobody_sees_nothing(self, filled):
        sight = Sight(channels=frozenset())

        assert set(map(frozenset, self.ask(filled, sight).values())) == {frozenset()}
        assert filled.browse.counters(sight).channels == 0


class TestWhoSeesWhat:
    """`Rights.sight` against `Rights.permits`."""

    @pytest.fixture
    def rights(self, catalog, tmp_path):
        catalog.channels.create(ChannelName("hidden"), private=True, born=())
        for channel in ("main", "hidden"):
            for name in ("open", "secret"):
                upload(catalog, verified(name, channel=channel))
        restrict(catalog, "secret")
        for name in ("ann", "bob", "eve"):
            catalog.accounts.create(name)
        for principal, channel, ecosystem, package in (
            ("user:ann", "hidden", None, None),
            ("user:bob", "hidden", "pypi", "open"),
            ("user:eve", "hidden", "pypi", None),
        ):
            catalog.grants.give(
                Grant(
                    principal=principal,
                    action=Action.READ,
                    channel=channel,
                    ecosystem=ecosystem,
                    package=package,
                )
            )
        return Rights(catalog, Settings(data=tmp_path))

    @pytest.mark.parametrize("who", ["anonymous", "ann", "bob", "eve", "root"])
    def test_no_more_and_no_less_than_the_rights(self, rights, catalog, who):
        kind = "anonymous" if who == "anonymous" else "user"
        groups = frozenset({"everyone"} if who == "anonymous" else {"everyone", "authenticated"})
        me = Principal(name=who, kind=kind, admin=who == "root", groups=groups)
        allowed = {
            (channel.name, "pypi", name)
            for channel in catalog.channels.list()
            for name in ("open", "secret")
            if rights.permits(me, Action.READ, channel, "pypi", name)
            and catalog.browse.package(
                Sight(channels=frozenset(), extra=frozenset({(channel.name, "pypi", name)})),
                channel.name,
                "pypi",
                name,
            )
        }

        assert set(names(catalog.browse.packages(rights.sight(me), limit=50))) == allowed
        mine = rights.sight(me, "hidden")
        assert set(names(catalog.browse.packages(mine, limit=50))) == {
            item for item in allowed if item[0] == "hidden"
        }
