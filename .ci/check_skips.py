"""Fail when a test was skipped that nobody allowed: `python .ci/check_skips.py JUNIT_XML ALLOWED_TXT`.

A skip is how a suite lies: green, and the thing was never looked at. An expected failure (xfail) counts as one.
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def allowed(text: str) -> set[str]:
    """Return the names that may be skipped.

    Raises:
        ValueError: a line without a reason.
    """
    names = set()
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip():
            raise ValueError(f"{name} is allowed to be skipped, but the line gives no reason")
        names.add(name)
    return names


def skipped(report: str) -> dict[str, str]:
    """Return what a JUnit report says was skipped: `module::test` without parameters -> the message.

    Raises:
        ValueError: the report holds no test at all.
    """
    cases = list(ET.fromstring(report).iter("testcase"))  # noqa: S314 - pytest wrote it a moment ago
    if not cases:
        raise ValueError("the report holds no test: nothing was run")
    found = {}
    for case in cases:
        for mark in case.iter("skipped"):
            name = "::".join(filter(None, (case.get("classname"), case.get("name", "").partition("[")[0])))
            found[name] = mark.get("message", "")
    return found


def main(report: str, allow: str) -> int:
    """Print every skip that is not allowed; 1 if there is one."""
    may = allowed(Path(allow).read_text(encoding="utf-8"))
    wrong = {
        name: why
        for name, why in skipped(Path(report).read_text(encoding="utf-8")).items()
        if name not in may
    }
    for name, why in sorted(wrong.items()):
        print(f"skipped, and {allow} does not allow it: {name} ({why})", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2]))
    except (ValueError, OSError) as problem:
        sys.exit(f"check_skips: {problem}")
