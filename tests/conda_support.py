"""Conda packages built in memory for tests: well-formed ones, and the parts to build hostile ones from.

Equal arguments give equal bytes, on every machine and at every time.
"""

import bz2
import hashlib
import io
import json
import tarfile
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace

from backports import zstd

from packhouse.model import Artifact, Ecosystem, State

BUILD_TIME_MS = 1_700_000_000_000
"""The `timestamp` of every package built here: 2023-11-14T22:13:20Z."""

FORMAT_VERSION = b'{"conda_pkg_format_version": 2}'


def index_json(
    name: str = "tiny",
    version: str = "1.0",
    build: str = "0",
    subdir: str = "noarch",
    depends: Iterable[str] = (),
    extra_index: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The info/index.json of a package; `extra_index` adds keys, replaces them, or deletes those set to `...`."""
    os_name, _, arch = subdir.partition("-")
    index: dict[str, object] = {
        "arch": None if subdir == "noarch" else {"64": "x86_64"}.get(arch, arch),
        "build": build,
        "build_number": int(build.rpartition("_")[2]) if build.rpartition("_")[2].isdigit() else 0,
        "depends": list(depends),
        "license": "BSD-3-Clause",
        "name": name,
        "platform": None if subdir == "noarch" else os_name,
        "subdir": subdir,
        "timestamp": BUILD_TIME_MS,
        "version": version,
    }
    if subdir == "noarch":
        index["noarch"] = "generic"
    for key, value in (extra_index or {}).items():
        if value is ...:
            index.pop(key, None)
        else:
            index[key] = value
    return index


def tar_of(members: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> bytes:
    """A tar stream of members in order; a `TarInfo` in place of a name is taken as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, body in members:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            if member.isreg():
                member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def zip_of(members: Iterable[tuple[str, bytes]], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP file of members in order, with a fixed date."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name twice is what some tests want
        for name, body in members:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), body, compress_type=compression)
    return buffer.getvalue()


def info_members(
    index: Mapping[str, object],
    payload: Mapping[str, bytes],
    info_files: Mapping[str, bytes | None] | None = None,
) -> list[tuple[str, bytes]]:
    """The info/ files (CEP 34) for an index and a payload; `info_files` adds, replaces, or drops with None."""
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(body).hexdigest(),
            "size_in_bytes": len(body),
        }
        for path, body in sorted(payload.items())
    ]
    members: dict[str, bytes | None] = {
        "info/index.json": json.dumps(index, sort_keys=True).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
        "info/files": "".join(f"{path}\n" for path in sorted(payload)).encode(),
        "info/about.json": json.dumps({"summary": f"{index.get('name')} for tests"}).encode(),
    }
    members.update(info_files or {})
    return [(name, body) for name, body in members.items() if body is not None]


def conda_of(
    stem: str, info: bytes, pkg: bytes, *, metadata: bytes = FORMAT_VERSION, level: int = 3
) -> bytes:
    """A .conda container around two tar streams."""
    return zip_of(
        [
            ("metadata.json", metadata),
            (f"pkg-{stem}.tar.zst", zstd.compress(pkg, level)),
            (f"info-{stem}.tar.zst", zstd.compress(info, level)),
        ]
    )


def _payload(name: str, files: Mapping[str, bytes] | None) -> Mapping[str, bytes]:
    return {f"share/{name}/hello.txt": b"hello\n"} if files is None else files


def make_conda(
    name: str = "tiny",
    version: str = "1.0",
    build: str = "0",
    subdir: str = "noarch",
    depends: Iterable[str] = (),
    extra_index: Mapping[str, object] | None = None,
    files: Mapping[str, bytes] | None = None,
    *,
    info_files: Mapping[str, bytes | None] | None = None,
) -> tuple[str, bytes]:
    """Build one `.conda`: its file name and its bytes.

    Args:
        name: package name; with `version` and `build` it gives the file name, whatever `extra_index` says.
        version: version.
        build: build string; digits after the last underscore are the build number.
        subdir: where it claims to belong.
        depends: dependencies.
        extra_index: changes to info/index.json (`...` deletes a key).
        files: payload, path to bytes; None is one small file.
        info_files: changes to the info/ files, full path to bytes (None drops one).
    """
    index = index_json(name, version, build, subdir, depends, extra_index)
    payload = _payload(name, files)
    stem = f"{name}-{version}-{build}"
    info = tar_of(info_members(index, payload, info_files))
    return f"{stem}.conda", conda_of(stem, info, tar_of(sorted(payload.items())))


def make_tarbz2(
    name: str = "tiny",
    version: str = "1.0",
    build: str = "0",
    subdir: str = "noarch",
    depends: Iterable[str] = (),
    extra_index: Mapping[str, object] | None = None,
    files: Mapping[str, bytes] | None = None,
    *,
    info_files: Mapping[str, bytes | None] | None = None,
) -> tuple[str, bytes]:
    """Build one `.tar.bz2`, with the arguments of `make_conda`."""
    index = index_json(name, version, build, subdir, depends, extra_index)
    payload = _payload(name, files)
    members = [*info_members(index, payload, info_files), *sorted(payload.items())]
    return f"{name}-{version}-{build}.tar.bz2", bz2.compress(tar_of(members))


# --- a catalog in memory -----------------------------------------------------------------------------------


class FakeRecords:
    """`Records` of one channel, in memory: rows go in by `add`, out by `delete`; serials count up from 1."""

    def __init__(self, *, serial: int = 0, clock_us: int = 1_750_000_000_000_000) -> None:
        self.rows: dict[str, Artifact] = {}
        self.gone: dict[str, Artifact] = {}
        self.about: dict[int, Mapping[str, object]] = {}
        self.files: dict[str, bytes] = {}
        self.reads = 0
        self._serial, self._clock_us, self._id = serial, clock_us, 0

    def add(self, directory: str, filename: str, record: Mapping[str, object], **facts: object) -> Artifact:
        """Commit one file; `facts` replaces fields of the artifact."""
        self._serial += 1
        self._clock_us += 1_234_567
        self._id += 1
        seed = f"{directory}/{filename}/{self._clock_us}".encode()
        fields: dict[str, object] = {
            "id": self._id,
            "channel": "main",
            "ecosystem": Ecosystem.CONDA,
            "path": f"{directory}/{filename}",
            "package": record["name"],
            "version": record["version"],
            "filename": filename,
            "size": 1000 + self._id,
            "sha256": hashlib.sha256(seed).hexdigest(),
            "md5": hashlib.md5(seed).hexdigest(),
            "record": record,
            "warnings": (),
            "state": State.LIVE,
            "serial": self._serial,
            "uploaded_us": self._clock_us,
            "uploaded_by": "user:tester",
        }
        artifact = Artifact(**{**fields, **facts})  # type: ignore[arg-type]
        self.rows[artifact.path] = artifact
        return artifact

    def delete(self, path: str) -> None:
        """Retire one file."""
        self._serial += 1
        self.gone[path] = replace(self.rows.pop(path), state=State.GONE, serial=self._serial)

    def live(self, ecosystem, *, directory=None, package=None):
        """See `Records`."""
        self.reads += 1
        rows = [
            row
            for row in self.rows.values()
            if directory in (None, row.directory) and package in (None, row.package)
        ]
        return iter(sorted(rows, key=lambda row: (row.package, row.path)))

    def removed(self, ecosystem, *, directory):
        """See `Records`."""
        return sorted(row.filename for row in self.gone.values() if row.directory == directory)

    def changed(self, ecosystem, *, directory, since):
        """See `Records`."""
        found: dict[str, int] = {}
        for row in (*self.rows.values(), *self.gone.values()):
            if directory in (None, row.directory) and row.serial > since:
                found[row.package] = max(row.serial, found.get(row.package, 0))
        return found

    def directories(self, ecosystem):
        """See `Records`."""
        return sorted({row.directory for row in (*self.rows.values(), *self.gone.values())})

    def packages(self, ecosystem):
        """See `Records`; conda's pages do not ask."""
        return []

    def details(self, artifact_id):
        """See `Records`."""
        return self.about.get(artifact_id, {})

    def file(self, path):
        """See `Records`."""
        return self.files.get(path)
