"""The README's pictures: there, small, and described for those who do not see them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURES = re.findall(r'(?:src|srcset)="([^"]+)"', README)


@pytest.mark.parametrize("path", PICTURES)
def test_a_picture_is_there_and_small(path: str) -> None:
    assert 0 < (ROOT / path).stat().st_size < 120_000


def test_every_picture_is_described_and_light_ones_have_dark_ones() -> None:
    assert all(len(alt) > 20 for alt in re.findall(r'<img [^>]*alt="([^"]*)"', README))
    assert README.count("<img ") == len(re.findall(r'<img [^>]*alt="[^"]', README)) == 3
    light = {path for path in PICTURES if path.endswith("-light.png")}
    assert len(light) == 2
    assert {path.replace("-light", "-dark") for path in light} <= set(PICTURES)
