"""Compatibility tags in words: what `cp311-cp311-manylinux_2_17_x86_64` asks of whoever installs it.

Source: PEP 425 (tags), 513, 571, 599, 600 (manylinux), 656 (musllinux), 703 (free threading), 730, 738 (telephones),
783 (Emscripten). A tag that none of them knows is shown as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_INTERPRETERS = {
    "py": "Python",
    "cp": "CPython",
    "pp": "PyPy",
    "graalpy": "GraalPy",
    "ip": "IronPython",
    "jy": "Jython",
}
_PYTHON = re.compile(r"([a-z]+?)_?([0-9])(?:_?([0-9]+))?")

# PEP 513, 571, 599 named years; PEP 600 says which glibc each means.
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_FAMILIES = (
    ("linux", re.compile(r"manylinux_([0-9]+)_([0-9]+)_(\w+)"), "Linux {arch}", "glibc {version}+"),
    ("musl", re.compile(r"musllinux_([0-9]+)_([0-9]+)_(\w+)"), "Linux {arch}", "musl {version}+"),
    ("macos", re.compile(r"macosx_([0-9]+)_([0-9]+)_(\w+)"), "macOS {version}+ {arch}", ""),
    ("ios", re.compile(r"ios_([0-9]+)_([0-9]+)_(\w+?)_iphone(?:os|simulator)"), "iOS {version}+ {arch}", ""),
    ("android", re.compile(r"android_([0-9]+)()_(\w+)"), "Android {arch}, API level {version}+", ""),
    ("emscripten", re.compile(r"(?:pyodide|emscripten|pyemscripten)_([0-9]+)_([0-9]+)(?:_[0-9]+)?_(\w+)"),
     "Emscripten {version} {arch}", ""),
    ("linux", re.compile(r"linux()()_(\w+)"), "Linux {arch}", ""),
    ("windows", re.compile(r"win()()_(\w+)"), "Windows {arch}", ""),
    ("windows", re.compile(r"win()()(32)"), "Windows {arch}", ""),
)  # fmt: skip
_ARCHITECTURES = {
    "x86_64": "x86-64", "amd64": "x86-64", "i686": "x86 (32 bits)", "32": "x86 (32 bits)", "i386": "x86 (32 bits)",
    "aarch64": "ARM64", "arm64": "ARM64", "arm64_v8a": "ARM64", "armv7l": "ARMv7", "armeabi_v7a": "ARMv7",
    "universal2": "Intel and Apple silicon", "intel": "Intel (32 and 64 bits)", "x86": "x86 (32 bits)",
    "ppc64le": "POWER (ppc64le)", "wasm32": "WebAssembly",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a file is for: in words, and as a short word to filter by."""

    words: str
    platform: str


@dataclass(frozen=True, slots=True)
class _Platform:
    """`{arch}` and the rest in place; equal ones but for the version are one, at the lowest version."""

    family: str
    arch: str
    version: tuple[int, int] | None
    pattern: str
    suffix: str

    @property
    def words(self) -> str:
        parts = [self.pattern, self.suffix] if self.suffix else [self.pattern]
        major, minor = self.version or (0, 0)
        version = str(major) if minor < 0 else f"{major}.{minor}"
        return ", ".join(parts).format(arch=_ARCHITECTURES.get(self.arch, self.arch), version=version)


def target(filename: str) -> Target:
    """Return whom a file is for, by its name (a valid one: it was uploaded)."""
    if not filename.endswith(".whl"):
        return Target("", "source")
    pythons, abis, platforms = (
        part.split(".") for part in filename.lower().removesuffix(".whl").split("-")[-3:]
    )
    words, short = _platforms(platforms)
    return Target(f"{_pythons(pythons, abis)}, {words}", short)


def _pythons(tags: Iterable[str], abis: Iterable[str]) -> str:
    by_name: dict[str, list[str]] = {}
    for tag in tags:
        name, version = _python(tag)
        by_name.setdefault(name, []).append(version)
    stable = any(abi.startswith("abi3") for abi in abis)
    # "used with the stable ABI, a tag names the lowest version": PEP 425 and `packaging.tags.cpython_tags`
    plus = "+" if stable else ""
    words = " or ".join(
        " ".join(filter(None, (name, " and ".join(f"{version}{plus}" for version in versions if version))))
        for name, versions in by_name.items()
    )
    more = []
    if stable:
        more.append("stable ABI")
    # PEP 703: "t" in the ABI tag
    if any(re.fullmatch(r"cp[0-9]+t|abi3t", abi) for abi in abis):
        more.append("free-threaded")
    return f"{words} ({', '.join(more)})" if more else words


def _python(tag: str) -> tuple[str, str]:
    """Return interpreter and version; an interpreter nobody knows is its tag."""
    match = _PYTHON.fullmatch(tag)
    if match is None or match[1] not in _INTERPRETERS:
        return tag, ""
    return _INTERPRETERS[match[1]], f"{match[2]}.{match[3]}" if match[3] else match[2]


def _platforms(tags: Iterable[str]) -> tuple[str, str]:
    found: dict[tuple[str, str], _Platform] = {}
    words: list[str] = []
    short = ""
    for tag in tags:
        platform = _platform(tag)
        if platform is None:
            words.append("any platform" if tag == "any" else tag)
            short = short or tag
            continue
        same = found.get((platform.family, platform.arch))
        if same is None or (platform.version or (0, 0)) < (same.version or (0, 0)):
            found[platform.family, platform.arch] = platform
        short = short or f"{platform.family}-{platform.arch}"
    return " or ".join([*dict.fromkeys(p.words for p in found.values()), *dict.fromkeys(words)]), short


def _platform(tag: str) -> _Platform | None:
    legacy, _, arch = tag.partition("_")
    if legacy in _LEGACY:
        major, minor = _LEGACY[legacy]
        tag = f"manylinux_{major}_{minor}_{arch}"
    for family, pattern, words, suffix in _FAMILIES:
        match = pattern.fullmatch(tag)
        if match:
            version = (int(match[1]), int(match[2] or -1)) if match[1] else None
            return _Platform(family, match[3], version, words, suffix)
    return None
