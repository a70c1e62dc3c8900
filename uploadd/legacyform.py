"""The form of PyPI's legacy upload, which several dialects take: one part `content`, fields before and after it.

Form metadata is never trusted: the file speaks for itself, and what the form says is compared with it.
"""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from packhouse.digest import parse_digest
from packhouse.ecosystems.pypi.names import parse_distribution
from packhouse.errors import ClaimMismatch, Malformed, Mismatch, Unprocessable, Withdrawn
from packhouse.intake.receive import Receipt
from packhouse.model import Claim, Ecosystem
from packhouse.names import ProjectName, parse_filename, parse_project, parse_segment
from uploadd.call import Call
from uploadd.multipart import Form, FormLimits, Part
from uploadd.problems import Statuses
from uploadd.target import flag
from uploadd.uploading import begin

STATUSES: Statuses = {Unprocessable: 400}
"""400 where others answer 422: flit shows the sentence only then."""

# Clients send each classifier and each requirement as a part of its own.
_LIMITS = FormLimits(parts=4096, field=64 << 10, fields=2 << 20)
_LONG = frozenset({"description", "attestations", "license"})
_LONG_LIMIT = 1 << 20

_DIGESTS = {"sha256_digest": "sha256", "md5_digest": "md5", "blake2_256_digest": "blake2b_256"}
_READ = frozenset({":action", "protocol_version", "name", "version", "attestations", *_DIGESTS})
_GONE = frozenset({"submit", "submit_pkg_info", "verify", "doc_upload"})
_UNVERIFIED = "the attestations were not verified and are not kept"


@dataclass(slots=True)
class _Fields:
    """The fields that matter, as far as they came; fields may come before and after the file."""

    project: ProjectName | None
    must_say: bool
    values: dict[str, str] = field(default_factory=dict)

    async def take(self, part: Part) -> None:
        if part.name == "content":
            raise Malformed("the form has two parts named content; send one file per request")
        text = await part.text(_LONG_LIMIT if part.name in _LONG else _LIMITS.field)
        if part.name not in _READ:
            return
        if part.name in self.values:
            raise Malformed(f"the field {part.name} occurs twice; send it once")
        self.values[part.name] = text
        if part.name == ":action":
            _check_action(text)
        if part.name == "protocol_version" and text not in ("", "1"):
            raise Malformed(f"protocol_version is {text[:80]!r}; this server speaks version 1")

    def claim(self, call: Call, filename: str | None) -> Claim:
        if not filename:
            raise Malformed("the part named content has no file name; send the distribution's own name")
        name, version = self.values.get("name", ""), self.values.get("version", "")
        self._check_project(filename, name)
        return Claim(
            channel=call.here.name,
            ecosystem=Ecosystem.PYPI,
            filename=parse_filename(filename),
            digests=_digests(self.values),
            package=parse_project(name) if name else None,
            version=parse_segment("version", version) if version else None,
            force=flag(call.query, "force"),
        )

    def check_action(self) -> None:
        """Pass if the form says that it is an upload, or has no need to."""
        if self.must_say or ":action" in self.values:
            _check_action(self.values.get(":action", ""))

    def _check_project(self, filename: str, name: str) -> None:
        """Refuse a file of another project than the address says: before its body, as the right to write is."""
        if self.project is None:
            return
        said = {
            "file name": parse_distribution(filename).project,
            "name": parse_project(name) if name else self.project,
        }
        wrong = [Mismatch(what, self.project, seen) for what, seen in said.items() if seen != self.project]
        if wrong:
            raise ClaimMismatch(filename, wrong)


async def take(
    call: Call, *, project: ProjectName | None = None, must_say: bool = True
) -> tuple[Receipt, list[str]]:
    """Take the file of a form.

    Args:
        call: the request.
        project: whose file it has to be, where the address says so.
        must_say: whether `:action=file_upload` has to be there.

    Returns:
        The receipt, and sentences about what was left aside.

    Raises:
        Malformed: the form is broken, has no file, or asks for something else than an upload.
        Withdrawn: it asks for what PyPI gave up.
        ClaimMismatch: the file belongs to another project than the address says.
        PackhouseError: any other refusal; nothing is kept.
    """
    fields = _Fields(project, must_say)
    receipt = await _form(call, fields)
    return receipt, [_UNVERIFIED] if fields.values.get("attestations") else []


async def _form(call: Call, fields: _Fields) -> Receipt:
    async with aclosing(Form(call.request, call.pace(), _LIMITS).parts()) as parts:
        async for part in parts:
            if part.name != "content":
                await fields.take(part)
                continue
            async with begin(call, fields.claim(call, part.filename)) as upload_:
                async for piece in part.pieces():
                    await upload_.write(piece)
                async for later in parts:
                    await fields.take(later)
                fields.check_action()
                # Only here: the closing boundary was read, so every field is known.
                return await upload_.commit(fields.claim(call, part.filename))
    fields.check_action()
    raise Malformed("the form has no part named content; send the distribution in it")


def _check_action(text: str) -> None:
    if text in _GONE:
        raise Withdrawn(
            f"the action {text} is gone for good: metadata is read from the files, so upload them "
            "with :action file_upload"
        )
    if text != "file_upload":
        raise Malformed(f"the field :action is {text[:80]!r}; this address takes file_upload")


def _digests(values: Mapping[str, str]) -> dict[str, str]:
    """Every digest that is present and not empty; pdm sends empty fields."""
    return {
        algorithm: parse_digest(algorithm, values[name])
        for name, algorithm in _DIGESTS.items()
        if values.get(name)
    }
