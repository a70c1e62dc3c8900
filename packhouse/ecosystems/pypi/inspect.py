"""Open a wheel or sdist and judge it.

The shape of `Observed.record` for Python artifacts, all keys always there:

    name             as the file spells it
    version          normalised after PEP 440
    packagetype      bdist_wheel | sdist
    python_version   py3, cp311, ... or source (legacy JSON's words)
    requires_python  a PEP 440 specifier, or null
    requires_dist    requirement lines
    summary          one line, at most 512 characters
    core_metadata    SHA-256 of the `.metadata` sidecar, or null for an sdist

`Observed.details` holds `metadata` (every field, long values cut), `description_html` (empty where the description is
plain text or no renderer reads it), `members` ([path, bytes] pairs, at most 10 000) and `members_total`.
"""

from pathlib import Path

from packhouse.digest import digest
from packhouse.ecosystems import Limits
from packhouse.ecosystems.pypi.metadata import parse_metadata
from packhouse.ecosystems.pypi.names import Distribution, parse_distribution
from packhouse.ecosystems.pypi.sdist import read_sdist
from packhouse.ecosystems.pypi.wheel import Content, read_wheel
from packhouse.errors import BadArchive, BadMetadata, PackhouseError
from packhouse.model import Claim, Observed
from packhouse.prose import markup

MAX_MEMBERS_SHOWN = 10_000

# Core metadata specification, Description-Content-Type: "If a Description-Content-Type is not specified, then
# applications should attempt to render it as text/x-rst; charset=UTF-8 and fall back to text/plain".
_UNSAID = "text/x-rst"


def inspect(path: Path, claim: Claim, limits: Limits) -> Observed:
    """Open the file at `path` and return what it says of itself.

    Nothing is extracted; members are read as streams. `claim.lenient` turns what the content gets wrong
    (METADATA fields, RECORD, tags) into warnings; names and structure are never overlooked.

    Raises:
        BadName: the file name is none of a wheel or sdist.
        BadArchive: unreadable or ambiguous, for whatever reason a parser fails.
        BadMetadata: readable, but it breaks rules; every one is named.
    """
    distribution = parse_distribution(claim.filename)
    with path.open("rb") as file:
        try:
            read = read_wheel if distribution.kind == "bdist_wheel" else read_sdist
            return _judge(read(file, distribution, limits), distribution, lenient=claim.lenient)
        except (PackhouseError, OSError):
            raise  # a refusal already, or the disk's failure and not the file's
        except Exception as error:  # hostile bytes may break any parser in any way
            reason = f"it cannot be read ({type(error).__name__}: {str(error)[:200]})"
            raise BadArchive(claim.filename, reason) from error


def _judge(content: Content, distribution: Distribution, *, lenient: bool) -> Observed:
    wheel = distribution.kind == "bdist_wheel"
    source = "METADATA" if wheel else "PKG-INFO"
    metadata = parse_metadata(content.metadata, distribution, source=source)
    problems = [*content.problems, *metadata.problems]
    if metadata.fatal or (problems and not lenient):
        raise BadMetadata(distribution.filename, [*metadata.fatal, *problems])
    warnings = [*distribution.warnings, *content.warnings, *metadata.warnings]
    warnings += [f"kept although a new upload would be refused: {problem}" for problem in problems]
    requires = metadata.fields.get("requires_dist", [])
    return Observed(
        filename=distribution.filename,
        package=distribution.project,
        version=metadata.version.strip(),
        directory=distribution.directory,
        record={
            "name": metadata.name,
            "version": str(distribution.version),
            "packagetype": distribution.kind,
            "python_version": distribution.python,
            "requires_python": metadata.requires_python,
            "requires_dist": requires,
            "summary": metadata.summary,
            "core_metadata": digest([content.metadata]).sha256 if wheel else None,
            **({"undecodable": list(metadata.undecodable)} if metadata.undecodable else {}),
        },
        details={
            "metadata": metadata.fields,
            "description_html": markup(
                metadata.fields.get("description", ""),
                metadata.fields.get("description_content_type") or _UNSAID,
            ),
            "members": [list(member) for member in content.members[:MAX_MEMBERS_SHOWN]],
            "members_total": len(content.members),
        },
        # PEP 658 for wheels; PEP 714 and 643 let an sdist have one only where nothing in it is dynamic.
        sidecars={".metadata": content.metadata} if wheel else {},
        warnings=warnings,
    )
