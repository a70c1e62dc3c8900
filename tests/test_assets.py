"""Files that are no code: in a checkout beside the package, in a wheel inside it."""

import pytest

from packhouse.assets import asset, site_files
from packhouse.errors import AssetMissing


def test_a_wheel_carries_them_inside(tmp_path):
    """Inside wins: what lies beside an installed package belongs to somebody else."""
    package = tmp_path / "lib" / "packhouse"
    for folder in (package / "_assets" / "site", tmp_path / "lib" / "site"):
        folder.mkdir(parents=True)

    assert asset("site", package=package) == package / "_assets" / "site"


def test_a_checkout_has_them_beside(tmp_path):
    """The names are the same."""
    (tmp_path / "packhouse").mkdir()
    (tmp_path / "nginx.conf").write_text("")

    assert asset("nginx.conf", package=tmp_path / "packhouse") == tmp_path / "nginx.conf"


def test_a_broken_installation_says_so(tmp_path):
    """One sentence that says what to do."""
    with pytest.raises(AssetMissing, match="install the package again"):
        asset("site", package=tmp_path)


def test_leftovers_are_no_assets(tmp_path):
    """Dot files and caches are not published."""
    site = tmp_path / "site"
    for name in ("a.css", ".b.css.swp", "__pycache__/c.pyc", "fonts/d.woff2"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(name.encode())

    assert site_files(package=tmp_path / "packhouse") == {
        "a.css": b"a.css",
        "fonts/d.woff2": b"fonts/d.woff2",
    }


def test_ours_are_there_and_load_nothing_from_elsewhere():
    """The pages' policy allows this site only, and the tree must work anywhere."""
    files = site_files()

    assert {"packhouse.css", "packhouse.js", "packhouse.svg"} <= files.keys()
    assert b"url(" not in files["packhouse.css"]
    assert b"__init__.py" not in b" ".join(path.encode() for path in files)
