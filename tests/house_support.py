"""A house in a temporary folder, with an inspector in this process instead of a child."""

from contextlib import closing
from pathlib import Path

from template_support import copy_of

from packhouse.ecosystems.registry import FORMATS
from packhouse.house import House, initialise, open_house
from packhouse.intake.receive import Intake
from packhouse.model import Claim, Ecosystem, Principal
from packhouse.names import ChannelName, Filename

ADMIN = Principal(name="root", kind="service", admin=True, groups=frozenset({"everyone", "authenticated"}))


class Direct:
    """Opens archives here and now: what a child does, without the child."""

    def inspect(self, ecosystem, path, claim, limits):
        return FORMATS[ecosystem].inspect(Path(path), claim, limits)


def _make_house(data: Path, channels: tuple[str, ...], overwrite: bool) -> None:
    initialise(data)
    with closing(open_house(data)) as house:
        for channel in channels:
            house.create_channel(ChannelName(channel), overwrite=overwrite)


def new_house(folder: Path, *channels: str, overwrite: bool = False) -> House:
    """Make a data directory with these channels and open it."""
    copy_of(_make_house, folder / "data", channels or ("main",), overwrite)
    return open_house(folder / "data")


def claim_of(filename, channel="main", ecosystem=Ecosystem.PYPI, **more) -> Claim:
    return Claim(channel=ChannelName(channel), ecosystem=ecosystem, filename=Filename(filename), **more)


def anyone(_channel, _ecosystem, _package):
    """A shelf that lets everybody write."""


def take_in(intake: Intake, filename, body, *, shelf=anyone, history=None, **claim):
    """Stage and receive one file."""
    with intake.stage() as stage:
        stage.write(body)
        return intake.receive(claim_of(filename, **claim), stage, ADMIN, shelf=shelf, history=history)
