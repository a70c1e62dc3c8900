"""Times and areas survive the way through text and numbers."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from packhouse.model import ANONYMOUS, Area, Artifact, Ecosystem, Principal, State, from_us, to_us

segments = st.text("abc._-", min_size=0, max_size=5)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_microseconds_hold_every_moment_exactly(moment):
    assert from_us(to_us(moment)) == moment


@given(segments, segments, segments, segments)
def test_an_area_reads_back_what_it_wrote(channel, ecosystem, kind, key):
    area = Area(channel, ecosystem, kind, key)

    assert Area.parse(str(area)) == area


def test_only_nobody_is_anonymous():
    assert ANONYMOUS.anonymous
    assert not Principal(name="ci", kind="service").anonymous


def test_an_artifact_knows_its_directory_and_time():
    artifact = Artifact(
        id=1, channel="main", ecosystem=Ecosystem.CONDA, path="noarch/a-1-0.conda", package="a", version="1",
        filename="a-1-0.conda", size=1, sha256="0" * 64, md5="0" * 32, record={}, warnings=(), state=State.LIVE,
        serial=1, uploaded_us=1_500_000, uploaded_by="ci",
    )  # fmt: skip

    assert artifact.directory == "noarch"
    assert artifact.uploaded.isoformat() == "1970-01-01T00:00:01.500000+00:00"
