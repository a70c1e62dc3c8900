"""Conda's subdirs in words, and the order in which people look for theirs."""

_SYSTEMS = {
    "linux": "Linux",
    "osx": "macOS",
    "win": "Windows",
    "freebsd": "FreeBSD",
    "emscripten": "Emscripten",
    "wasi": "WASI",
    "zos": "z/OS",
    "ios": "iOS",
    "android": "Android",
}
_PROCESSORS = {
    "64": "x86-64",
    "x86-64": "x86-64",
    "32": "x86, 32 bits",
    "aarch64": "ARM64",
    "arm64": "ARM64",
    "armv6l": "ARMv6",
    "armv7l": "ARMv7",
    "loongarch64": "LoongArch64",
    "ppc": "PowerPC",
    "ppc64": "PowerPC 64",
    "ppc64le": "PowerPC 64, little-endian",
    "riscv32": "RISC-V 32",
    "riscv64": "RISC-V 64",
    "s390x": "IBM Z",
    "wasm32": "WebAssembly 32",
    "wasm64": "WebAssembly 64",
    "z": "IBM Z",
}
_FIRST = ("noarch", "linux-64", "linux-aarch64", "osx-arm64", "osx-64", "win-64", "win-arm64")


def in_words(subdir: str) -> str:
    """Return whom files of a subdir are for: `Linux x86-64`, `any platform`; what is unknown as it is spelt."""
    if subdir == "noarch":
        return "any platform"
    system, _, processor = subdir.partition("-")
    if system not in _SYSTEMS or processor not in _PROCESSORS:
        return subdir
    return f"{_SYSTEMS[system]} {_PROCESSORS[processor]}"


def rank(subdir: str) -> tuple[int, str]:
    """Sort key: the subdirs that most people have first, then all others by name."""
    return (_FIRST.index(subdir) if subdir in _FIRST else len(_FIRST), subdir)
