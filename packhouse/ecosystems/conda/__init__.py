"""Conda channels: `.conda` and `.tar.bz2` packages, repodata in every form clients read."""
