"""What the extension of a product's file says, in words; the bytes are never asked."""

from collections.abc import Collection, Mapping, Sequence

_SIGNATURES = {"asc", "sig", "minisig", "sigstore", "bundle", "intoto", "p7s"}
_SUMS = {"sha256", "sha256sum", "sha512", "sha512sum", "sha1", "md5", "md5sum", "b2", "blake3"}
_COMPANIONS = _SIGNATURES | _SUMS
_WORDS = {
    **dict.fromkeys(
        (
            "zip",
            "tar",
            "tgz",
            "tar.gz",
            "tar.bz2",
            "tar.xz",
            "tar.zst",
            "tar.lz4",
            "tbz2",
            "txz",
            "7z",
            "rar",
        ),
        "Archive",
    ),
    **dict.fromkeys(("gz", "bz2", "xz", "zst", "lz4", "br"), "Compressed file"),
    **dict.fromkeys(("exe", "appimage", "run", "bin"), "Executable"),
    **dict.fromkeys(("msi", "pkg", "dmg", "msix"), "Installer"),
    **dict.fromkeys(("iso", "img", "qcow2", "vmdk", "vhdx"), "Disk image"),
    **dict.fromkeys(("json", "yaml", "yml", "toml", "xml", "csv", "parquet"), "Data"),
    **dict.fromkeys(("txt", "md", "rst", "html", "pdf", "log"), "Document"),
    **dict.fromkeys(("sh", "ps1", "bat", "py"), "Script"),
    **dict.fromkeys(("so", "dll", "dylib", "a", "lib"), "Library"),
    **dict.fromkeys(("jar", "war"), "Java archive"),
    "deb": "Debian package",
    "rpm": "RPM package",
    "apk": "APK package",
    "wasm": "WebAssembly module",
    **dict.fromkeys(_SIGNATURES, "Signature"),
    **dict.fromkeys(_SUMS, "Checksums"),
}


def words(extension: str) -> str:
    """Return what files of an extension (`tar.gz`, lower case, may be empty) usually are: `Archive (.tar.gz)`."""
    kind = _WORDS.get(extension, "File")
    # `tool-1.10` ends in a version, not in an extension.
    return f"{kind} (.{extension})" if extension and not extension.isdigit() else kind


def is_companion(filename: str) -> bool:
    """Whether a file is, by its extension, the signature or the checksum of others."""
    return filename.rpartition(".")[2].lower() in _COMPANIONS


def signatures(paths: Collection[str]) -> Mapping[str, Sequence[str]]:
    """Return which files have signatures beside them, by path: `tool.zip` to `tool.zip.asc`, `tool.zip.sig`."""
    found: dict[str, list[str]] = {}
    there = set(paths)
    for name in sorted(paths):
        signed, _, extension = name.rpartition(".")
        if extension.lower() in _SIGNATURES and signed in there:
            found.setdefault(signed, []).append(name)
    return found
