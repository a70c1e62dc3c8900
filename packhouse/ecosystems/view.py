"""What pages for people show of one package or one release: ecosystem-blind values, so that one template serves all.

A format fills these from records (`Format.view`); `packhouse/pages/` turns them into HTML. Everything is plain text
but `Readme.html`, which is what a README became in the inspecting child and passes a sanitiser before it is shown.
Paths are relative to the channel, decoded, without a leading slash; times are microseconds since 1970 UTC; sizes bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One requirement of a release.

    Attributes:
        text: as the file says it, without the marker (`requests>=2`, `numpy >=1.26,<2`).
        package: the normalised name of what is required, to link it if the channel has it; empty for what can be no
            package (conda's `__glibc`).
        when: the condition (a PEP 508 marker), or empty.
    """

    text: str
    package: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Requirements under one heading: "Runtime", "Extra: test", "Constrains", "Run exports (weak)"."""

    title: str
    items: Sequence[Dependency]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the security section: what was verified of a file, what could not be, and what is missing.

    `outcome` is `verified`, `missing` (nothing there to verify) or `warning`.
    """

    outcome: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """One file of a release.

    Attributes:
        path: where the file lies.
        kind: "Wheel", "Source distribution", "Conda package", "Archive", ...
        target: whom it is for, in words: "CPython 3.11, Linux x86-64, glibc 2.17+"; "linux-64"; may be empty.
        platform: a short word to filter by (`linux-64`, `any`, `source`); empty where there is nothing to choose.
        build: conda's build string; empty elsewhere.
        yanked: None, or the reason (may be empty).
        warnings: sentences that came with the upload.
        sidecars: (label, path) of files published beside it (`.metadata`).
        members: (path, size) of what is inside, as far as the inspection listed them.
        members_total: how many there are.
        checks: what was verified.
    """

    path: str
    filename: str
    kind: str
    size: int
    sha256: str
    uploaded_us: int
    uploaded_by: str
    version: str
    target: str = ""
    platform: str = ""
    build: str = ""
    yanked: str | None = None
    warnings: Sequence[str] = ()
    sidecars: Sequence[tuple[str, str]] = ()
    members: Sequence[tuple[str, int]] = ()
    members_total: int = 0
    checks: Sequence[Check] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """One line of the version picker. `yanked` is None unless every file of the version is yanked."""

    version: str
    uploaded_us: int
    files: int
    size: int
    yanked: str | None = None
    prerelease: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What changed since the version before: requirement lines, and member paths of comparable files.

    `members_compared` is False where no file of both versions is of the same kind, or a listing was cut short.
    """

    since: str
    requirements_added: Sequence[str] = ()
    requirements_removed: Sequence[str] = ()
    members_added: Sequence[str] = ()
    members_removed: Sequence[str] = ()
    members_compared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Readme:
    """A description: the source text, and what a renderer made of it (empty where it is plain text)."""

    text: str
    html: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageView:
    """What the page of a package (at its newest version) or of one release shows.

    Attributes:
        name: as people write it (`Flask`); the normalised name is the page's folder.
        version: the one shown.
        summary: one line.
        install: tool (`pixi`, `conda`, `mamba`, `rattler-build`; `pip`, `uv`, `poetry`; `curl`) to a command in which
            `{channel}` stands for the channel's absolute URL. Pasted into a shell, each works.
        facts: (label, text), in the order of a reader's questions: for what, may I, who.
        tags: words to file it under: classifiers, keywords.
        links: (label, address); http, https and mailto only.
        marks: (kind, sentence) for the head of the page: `yanked`, `archived`, `deprecated`, `prerelease`.
        readme: None where there is none.
        warnings: sentences for the reader of this version.
        versions: every version, newest first.
        files: of the version shown, in the order in which they help.
        requirements: of the version shown.
        diff: None for the first version.
    """

    ecosystem: str
    name: str
    version: str
    summary: str
    install: Mapping[str, str]
    facts: Sequence[tuple[str, str]] = ()
    tags: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()
    marks: Sequence[tuple[str, str]] = ()
    readme: Readme | None = None
    warnings: Sequence[str] = ()
    versions: Sequence[VersionView] = ()
    files: Sequence[FileView] = ()
    requirements: Sequence[Requirements] = field(default_factory=tuple)
    diff: Diff | None = None
