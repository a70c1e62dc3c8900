"""Rows of a Python project, as if uploaded, and the page that they make."""

from pypi_support import FakeRecords, committed

from packhouse.ecosystems.pypi.people import view
from packhouse.ecosystems.view import PackageView
from packhouse.model import Artifact, Observed
from packhouse.names import Filename

DAY_US = 86_400_000_000


def artifact(version="1.0", *, tags="py3-none-any", serial=1, yanked=None, warnings=(), **record) -> Artifact:
    """Return a row as if uploaded; without tags an sdist."""
    filename = f"tiny-{version}-{tags}.whl" if tags else f"tiny-{version}.tar.gz"
    observed = Observed(
        filename=Filename(filename),
        package="tiny",
        version=version,
        directory="packages/tiny",
        record={
            "name": "Tiny",
            "version": version,
            "packagetype": "bdist_wheel" if tags else "sdist",
            "python_version": tags.split("-")[0] if tags else "source",
            "requires_python": ">=3.8",
            "requires_dist": [],
            "summary": "A tiny thing",
            "core_metadata": "c" * 64 if tags else None,
        }
        | record,
        warnings=warnings,
    )
    return committed(
        observed,
        filename.encode(),
        serial=serial,
        yanked=yanked,
        uploaded_us=1_760_000_000_000_000 + serial * DAY_US,
    )


def page(rows, version=None, details=None, **metadata) -> PackageView:
    """Return the page of some rows; every file has the metadata, unless `details` say more."""
    rows = list(rows)
    found = view(
        "tiny",
        FakeRecords(rows, detail=details or {row.id: {"metadata": metadata} for row in rows}),
        version,
    )
    assert found is not None
    return found
