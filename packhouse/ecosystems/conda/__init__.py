"""Conda channels: `.conda` and `.tar.bz2` packages, repodata in every form clients read."""

from packhouse.ecosystems.conda.format import CONDA

__all__ = ["CONDA"]
