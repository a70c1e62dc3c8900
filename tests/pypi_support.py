"""Python distributions built in memory, byte for byte the same each time, and a catalog to render from."""

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packhouse.digest import digest
from packhouse.ecosystems import Package
from packhouse.model import Artifact, Ecosystem, Json, Observed, State
from packhouse.names import ChannelName

_MOMENT = (2020, 1, 1, 0, 0, 0)
_MOMENT_S = 1_577_836_800


def wheel_metadata(
    name: str = "tiny",
    version: str = "1.0",
    *,
    requires_python: str = ">=3.8",
    requires_dist: Sequence[str] = (),
    summary: str = "A tiny thing",
    metadata_version: str = "2.1",
    metadata_extra: str = "",
    description: str = "",
) -> bytes:
    """Return METADATA or PKG-INFO. `metadata_extra` is header lines, each ending in a newline."""
    lines = [f"Metadata-Version: {metadata_version}", f"Name: {name}", f"Version: {version}"]
    if summary:
        lines.append(f"Summary: {summary}")
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires_dist]
    return ("\n".join(lines) + "\n" + metadata_extra + (f"\n{description}" if description else "")).encode()


def record_of(members: Mapping[str, bytes], record_path: str) -> bytes:
    """Return a RECORD that lists `members` and itself."""
    lines = []
    for path, data in members.items():
        value = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={value},{len(data)}\n")
    return ("".join(lines) + f"{record_path},,\n").encode()


def zip_bytes(members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip with fixed times; order and duplicates as given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in members:
            info = zipfile.ZipInfo(path, _MOMENT)
            info.compress_type = compression
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def tar_bytes(members: Iterable[tuple[str, bytes]], extra: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """Return an uncompressed tar with fixed times; `extra` members (links, devices) carry no data."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in members:
            info = tarfile.TarInfo(path)
            info.size, info.mtime = len(data), _MOMENT_S
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return buffer.getvalue()


def wheel_members(
    name: str = "tiny",
    version: str = "1.0",
    *,
    requires_python: str = ">=3.8",
    requires_dist: Sequence[str] = (),
    summary: str = "A tiny thing",
    files: Mapping[str, bytes] | None = None,
    tag: str = "py3-none-any",
    metadata_extra: str = "",
    metadata_version: str = "2.1",
    description: str = "",
    record: bytes | None = None,
    wheel: bytes | None = None,
    metadata: bytes | None = None,
    dist_info: str | None = None,
) -> dict[str, bytes]:
    """Return the members of a wheel, path to bytes, RECORD last and right unless `record` is given."""
    stem = name.replace("-", "_").replace(".", "_").lower()
    info = dist_info or f"{stem}-{version}.dist-info"
    if files is None:
        files = {f"{stem}/__init__.py": f'__version__ = "{version}"\n'.encode()}
    members = dict(files)
    members[f"{info}/METADATA"] = metadata or wheel_metadata(
        name,
        version,
        requires_python=requires_python,
        requires_dist=requires_dist,
        summary=summary,
        metadata_extra=metadata_extra,
        metadata_version=metadata_version,
        description=description,
    )
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    tags = "".join(f"Tag: {p}-{a}-{f}\n" for p in pythons for a in abis for f in platforms)
    default = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n{tags}".encode()
    members[f"{info}/WHEEL"] = default if wheel is None else wheel
    members[f"{info}/RECORD"] = record_of(members, f"{info}/RECORD") if record is None else record
    return members


def make_wheel(
    name: str = "tiny",
    version: str = "1.0",
    *,
    requires_python: str = ">=3.8",
    requires_dist: Sequence[str] = (),
    summary: str = "A tiny thing",
    files: Mapping[str, bytes] | None = None,
    tag: str = "py3-none-any",
    metadata_extra: str = "",
    metadata_version: str = "2.1",
    description: str = "",
    record: bytes | None = None,
    wheel: bytes | None = None,
    metadata: bytes | None = None,
    dist_info: str | None = None,
) -> tuple[str, bytes]:
    """Return (file name, bytes) of a wheel with a valid RECORD, unless `record` overrides it.

    `files` replaces the one-module payload; equal arguments give equal bytes.
    """
    members = wheel_members(
        name,
        version,
        requires_python=requires_python,
        requires_dist=requires_dist,
        summary=summary,
        files=files,
        tag=tag,
        metadata_extra=metadata_extra,
        metadata_version=metadata_version,
        description=description,
        record=record,
        wheel=wheel,
        metadata=metadata,
        dist_info=dist_info,
    )
    stem = name.replace("-", "_").replace(".", "_").lower()
    return f"{stem}-{version}-{tag}.whl", zip_bytes(members.items())


def sdist_members(
    name: str = "tiny",
    version: str = "1.0",
    *,
    requires_python: str = ">=3.8",
    requires_dist: Sequence[str] = (),
    summary: str = "A tiny thing",
    files: Mapping[str, bytes] | None = None,
    metadata_extra: str = "",
    metadata_version: str = "2.1",
    metadata: bytes | None = None,
) -> dict[str, bytes]:
    """Return the members of an sdist; `files` are relative to its one top-level directory."""
    stem = name.replace("-", "_").replace(".", "_").lower()
    root = f"{stem}-{version}"
    members = {
        f"{root}/PKG-INFO": metadata
        or wheel_metadata(
            name,
            version,
            requires_python=requires_python,
            requires_dist=requires_dist,
            summary=summary,
            metadata_extra=metadata_extra,
            metadata_version=metadata_version,
        ),
    }
    if files is None:
        project = (
            '[build-system]\nrequires = ["flit_core>=3.2"]\nbuild-backend = "flit_core.buildapi"\n\n'
            f'[project]\nname = "{name}"\nversion = "{version}"\ndescription = "{summary}"\n'
        )
        files = {
            "pyproject.toml": project.encode(),
            f"{stem}/__init__.py": f'__version__ = "{version}"\n'.encode(),
        }
    return members | {f"{root}/{path}": data for path, data in files.items()}


def make_sdist(
    name: str = "tiny",
    version: str = "1.0",
    *,
    requires_python: str = ">=3.8",
    requires_dist: Sequence[str] = (),
    summary: str = "A tiny thing",
    files: Mapping[str, bytes] | None = None,
    metadata_extra: str = "",
    metadata_version: str = "2.1",
    metadata: bytes | None = None,
) -> tuple[str, bytes]:
    """Return (file name, bytes) of a `.tar.gz` sdist named after PEP 625."""
    members = sdist_members(
        name,
        version,
        requires_python=requires_python,
        requires_dist=requires_dist,
        summary=summary,
        files=files,
        metadata_extra=metadata_extra,
        metadata_version=metadata_version,
        metadata=metadata,
    )
    stem = name.replace("-", "_").replace(".", "_").lower()
    return f"{stem}-{version}.tar.gz", gzip.compress(tar_bytes(members.items()), mtime=0)


def make_sdist_zip(
    name: str = "tiny",
    version: str = "1.0",
    *,
    requires_python: str = ">=3.8",
    requires_dist: Sequence[str] = (),
    summary: str = "A tiny thing",
    files: Mapping[str, bytes] | None = None,
    metadata_extra: str = "",
) -> tuple[str, bytes]:
    """Return (file name, bytes) of a `.zip` sdist."""
    members = sdist_members(
        name,
        version,
        requires_python=requires_python,
        requires_dist=requires_dist,
        summary=summary,
        files=files,
        metadata_extra=metadata_extra,
    )
    stem = name.replace("-", "_").replace(".", "_").lower()
    return f"{stem}-{version}.zip", zip_bytes(members.items())


def committed(
    observed: Observed,
    data: bytes,
    *,
    ecosystem: Ecosystem = Ecosystem.PYPI,
    serial: int = 1,
    uploaded_us: int = 1_760_000_000_123_456,
    yanked: str | None = None,
    channel: str = "main",
) -> Artifact:
    """Return the catalog row that an upload of `data` would become."""
    digests = digest([data])
    return Artifact(
        id=serial,
        channel=ChannelName(channel),
        ecosystem=ecosystem,
        path=f"{observed.directory}/{observed.filename}",
        package=observed.package,
        version=observed.version,
        filename=observed.filename,
        size=digests.size,
        sha256=digests.sha256,
        md5=digests.md5,
        record=observed.record,
        warnings=observed.warnings,
        state=State.LIVE,
        serial=serial,
        uploaded_us=uploaded_us,
        uploaded_by="user:ann",
        yanked=yanked,
    )


@dataclass
class FakeRecords:
    """The `Records` of one channel, from rows in memory."""

    rows: Sequence[Artifact] = ()
    gone: Sequence[Artifact] = ()
    detail: Mapping[int, Mapping[str, Json]] = field(default_factory=dict)
    latest: Mapping[str, str] = field(default_factory=dict)

    def live(
        self, ecosystem: Ecosystem, *, directory: str | None = None, package: str | None = None
    ) -> Iterator[Artifact]:
        """Live artifacts, ordered by (package, path)."""
        for row in sorted(self.rows, key=lambda row: (row.package, row.path)):
            if (
                row.ecosystem is ecosystem
                and directory in (None, row.directory)
                and package in (None, row.package)
            ):
                yield row

    def removed(self, ecosystem: Ecosystem, *, directory: str) -> Sequence[str]:
        """File names once live in `directory` and now gone, sorted."""
        return sorted(
            row.filename for row in self.gone if row.ecosystem is ecosystem and row.directory == directory
        )

    def changed(self, ecosystem: Ecosystem, *, directory: str | None, since: int) -> Mapping[str, int]:
        """Packages with a row whose serial is above `since`."""
        serials: dict[str, int] = {}
        for row in (*self.rows, *self.gone):
            if row.ecosystem is ecosystem and directory in (None, row.directory) and row.serial > since:
                serials[row.package] = max(row.serial, serials.get(row.package, 0))
        return serials

    def directories(self, ecosystem: Ecosystem) -> Sequence[str]:
        """Directories that ever held an artifact."""
        return sorted({row.directory for row in (*self.rows, *self.gone) if row.ecosystem is ecosystem})

    def packages(self, ecosystem: Ecosystem) -> Sequence[Package]:
        """Packages with at least one live file, sorted by name."""
        by_name: dict[str, list[Artifact]] = {}
        for row in self.live(ecosystem):
            by_name.setdefault(row.package, []).append(row)
        return [
            Package(
                name=name,
                display=str(rows[-1].record.get("name", name)),
                serial=max(row.serial for row in rows),
                files=len(rows),
                latest=self.latest.get(name, rows[-1].version),
                summary=str(rows[-1].record.get("summary") or ""),
                updated_us=max(row.uploaded_us for row in rows),
            )
            for name, rows in sorted(by_name.items())
        ]

    def details(self, artifact_id: int) -> Mapping[str, Json]:
        """What pages need of one artifact."""
        return self.detail.get(artifact_id, {})

    def file(self, path: str) -> bytes | None:
        """No operator's files here."""
        return None
