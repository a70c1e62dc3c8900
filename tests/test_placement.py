"""Which of the three trees a file belongs to."""

import pytest

from packhouse.model import Channel
from packhouse.names import ChannelName
from packhouse.placement import Placement, owner_of, tree_of

SHA = "ab" * 32


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("simple/flask/index.html", ("pypi", "flask")),
        ("simple/flask/", ("pypi", "flask")),
        ("simple/Flask_SQL.alchemy/index.json", ("pypi", "flask-sql-alchemy")),
        ("packages/flask/flask-1.0.tar.gz", ("pypi", "flask")),
        ("pypi/flask/json", ("pypi", "flask")),
        ("pypi/flask/index.html", ("pypi", "flask")),
        ("products/Tool/1.0/tool.bin", ("generic", "tool")),
        ("products/tool/index.json", ("generic", "tool")),
        ("generic/tool/index.html", ("generic", "tool")),
        (f"replaced/pypi/flask/{SHA}/flask-1.0.tar.gz", ("pypi", "flask")),
        (f"replaced/generic/tool/{SHA}/tool.bin", ("generic", "tool")),
        # conda is read per channel
        (f"replaced/conda/tiny/{SHA}/tiny-1.0-0.conda", None),
        ("noarch/repodata.json", None),
        ("noarch/shards/x.msgpack.zst", None),
        ("conda/tiny/index.html", None),
        # lists
        ("simple/index.html", None),
        ("simple/", None),
        ("simple", None),
        ("products/index.json", None),
        ("index.html", None),
        ("serial.json", None),
        ("", None),
        (f"replaced/{SHA}/x", None),
        ("replaced/pypi/flask", None),
        ("replaced", None),
        # no names
        ("simple/../x", None),
        ("simple//x", None),
        ("products//x", None),
        ("simple/-x/index.html", None),
    ],
)
def test_the_owner_of_a_path(path, owner):
    assert owner_of(path) == owner


@pytest.mark.parametrize(
    ("private", "default_read", "tree"),
    [
        (False, "everyone", "public"),
        (True, "everyone", "private"),
        (False, "authenticated", "private"),
        (False, "nobody", "private"),
        (True, "nobody", "private"),
    ],
)
def test_only_what_everyone_may_read_is_public(private, default_read, tree):
    assert tree_of(private, default_read) == tree


@pytest.mark.parametrize("place", ["public", "private"])
def test_restricted_packages_lie_apart_wherever_their_channel_lies(place):
    channel = Channel(name=ChannelName("main"), place=place)
    plain = Placement(channel)
    here = Placement(channel, frozenset({("pypi", "flask"), ("generic", "tool")}))

    for path in ("simple/flask/index.html", "products/Tool/1.0/x", f"replaced/pypi/flask/{SHA}/f"):
        assert here.where(path) == f"restricted/main/{path}"
        assert plain.where(path) == f"{place}/main/{path}"
    for path in ("simple/flask2/index.html", "generic/flask/index.html", "simple/index.html", "index.html"):
        assert here.where(path) == f"{place}/main/{path}"
