"""Opening conda packages in tests: a look at bytes, the refusal they get, and the parts of a good package."""

import pytest
from backports import zstd
from conda_support import FORMAT_VERSION, conda_of, index_json, info_members, tar_of, zip_of

from packhouse.ecosystems import Limits
from packhouse.ecosystems.conda import CONDA
from packhouse.model import Claim, Ecosystem
from packhouse.names import ChannelName, Filename

LIMITS = Limits(now_us=1_780_000_000_000_000)

STEM = "tiny-1.0-0"
NAME = f"{STEM}.conda"
INFO = tar_of(info_members(index_json(), {}))
PKG = tar_of([("share/x", b"x")])
PARTS = [
    ("metadata.json", FORMAT_VERSION),
    (f"pkg-{STEM}.tar.zst", zstd.compress(PKG)),
    (f"info-{STEM}.tar.zst", zstd.compress(INFO)),
]
GOOD = zip_of(PARTS)


def claim(filename, **facts):
    return Claim(channel=ChannelName("main"), ecosystem=Ecosystem.CONDA, filename=Filename(filename), **facts)


def looking(tmp_path):
    """Return `look`: it inspects bytes under a name, at a path that says nothing."""

    def look(filename, body, limits=LIMITS, **facts):
        path = tmp_path / "upload"
        path.write_bytes(body)
        return CONDA.inspect(path, claim(filename, **facts), limits)

    return look


def refused(look, error, said, filename, body, **facts):
    with pytest.raises(error) as caught:
        look(filename, body, **facts)
    assert said in str(caught.value)
    assert filename in str(caught.value)
    return caught.value


def of_members(*members, pkg=()):
    info = [*info_members(index_json(), {}), *members]
    return conda_of(STEM, tar_of(info), tar_of(pkg))
