"""The ecosystems that exist. A fourth one is a folder and a line here."""

from collections.abc import Mapping

from packhouse.ecosystems import Format
from packhouse.ecosystems.conda import CONDA
from packhouse.ecosystems.generic import GENERIC
from packhouse.ecosystems.pypi import PYPI
from packhouse.errors import BadName
from packhouse.model import Ecosystem

FORMATS: Mapping[Ecosystem, Format] = {format_.ecosystem: format_ for format_ in (CONDA, PYPI, GENERIC)}


def format_of(filename: str) -> Format:
    """Return the format that a file name belongs to by its extension.

    `generic` recognises no name by itself: its files always say product and version.

    Raises:
        BadName: no ecosystem recognises the name.
    """
    for format_ in FORMATS.values():
        if format_.recognises(filename):
            return format_
    raise BadName("package file name", filename, "known are .conda, .tar.bz2, .whl, .tar.gz and .zip")
