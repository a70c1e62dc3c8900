"""multipart/form-data, streamed part by part under limits of our own.

aiohttp parses (RFC 7578: a part's Content-Length is not trusted); what is counted here is what it leaves
uncounted: parts, fields, headers and what comes after the last boundary.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from aiohttp import (
    BadContentDispositionHeader,
    BadContentDispositionParam,
    BodyPartReader,
    MultipartReader,
    web,
)
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy

from packhouse.errors import Malformed, TooLarge
from uploadd.headers import refuse_encodings
from uploadd.pace import Pace

PIECE = 1 << 20
MAX_HEADERS = 32
MAX_EPILOGUE = 64 << 10

_BROKEN = (
    ValueError,
    RuntimeError,
    AssertionError,
    HttpProcessingError,
    BadContentDispositionHeader,
    BadContentDispositionParam,
)
"""What aiohttp raises over a body that is no proper form; the last two are warnings that `create_app` turns
into errors."""

# RFC 7578 section 4.2; values are tokens or quoted strings. `filename*` is refused with everything unknown:
# no file name that passes the gate needs it.
_DISPOSITION = re.compile(
    r'form-data((?:\s*;\s*(?:name|filename)=(?:"(?:[^"\\\r\n]|\\.)*"|[^\s";,]+))+)\s*;?', re.IGNORECASE
)
_PARAMETER = re.compile(r';\s*(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLimits:
    """What a form may hold beside its file; sizes in bytes."""

    parts: int = 64
    field: int = 64 << 10
    fields: int = 1 << 20
    """All fields together, their headers included."""
    part_headers: int = 8 << 10


class Part:
    """One part of a form; read it before the next one."""

    def __init__(
        self,
        name: str,
        filename: str | None,
        headers: CIMultiDictProxy[str],
        form: "Form",
        reader: BodyPartReader,
    ) -> None:
        self.name, self.filename, self.headers = name, filename, headers
        self._form, self._reader = form, reader

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces of about a mebibyte.

        Raises:
            Malformed: the body ends early.
            TooSlow: it does not come.
        """
        while not self._reader.at_eof():
            piece = await self._form.read(self._reader)
            if piece:
                yield piece

    async def text(self, limit: int) -> str:
        """Return a field's text.

        Args:
            limit: bytes of this field; those of all fields together are the form's.

        Raises:
            TooLarge: it is longer.
            Malformed: not UTF-8.
        """
        body = bytearray()
        async for piece in self.pieces():
            self._form.count(len(piece))
            body += piece
            if len(body) > limit:
                raise TooLarge(f"the field {self.name[:80]!r}", None, limit)
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"the field {self.name[:80]!r} is not valid UTF-8") from error


class Form:
    """The multipart body of one request.

    Raises:
        Malformed: the request is not multipart/form-data with a boundary.
        EncodedBody: it is compressed.
    """

    def __init__(self, request: web.Request, pace: Pace, limits: FormLimits) -> None:
        refuse_encodings(request.headers)
        if request.content_type != "multipart/form-data":
            raise Malformed(
                f"the body is {request.content_type[:80]!r}; send the file as multipart/form-data"
            )
        self._content, self._pace, self._limits = request.content, pace, limits
        self._fields_left = limits.fields
        try:
            self._reader = MultipartReader(request.headers, request.content, max_headers=MAX_HEADERS)
        except (ValueError, AssertionError) as error:
            raise _malformed(error) from error

    async def parts(self) -> AsyncGenerator[Part, None]:
        """Yield every part in the order they come; ends only after the closing boundary.

        Raises:
            Malformed: the body is broken, ends early, or goes on after its closing boundary.
            TooLarge: too many parts, or fields over their limit.
            TooSlow: it does not come.
        """
        count = 0
        while (reader := await self._next()) is not None:
            count += 1
            if count > self._limits.parts:
                raise TooLarge("the form", None, self._limits.parts)
            yield self._part(reader)
        await self._finish()

    async def read(self, reader: BodyPartReader) -> bytes:
        """Return the next piece of a part."""
        try:
            return bytes(await self._pace.read(reader.read_chunk(PIECE)))
        except _BROKEN as error:
            raise _malformed(error) from error

    def count(self, size: int) -> None:
        """Count bytes of fields; raises `TooLarge`."""
        self._fields_left -= size
        if self._fields_left < 0:
            raise TooLarge("the form beside its file", None, self._limits.fields)

    async def _next(self) -> BodyPartReader | None:
        try:
            part = await self._pace.wait(self._reader.next())
        except _BROKEN as error:
            raise _malformed(error) from error
        if isinstance(part, MultipartReader):
            raise Malformed("a part of the form is multipart itself; send one file per form")
        return part

    def _part(self, reader: BodyPartReader) -> Part:
        size = sum(len(name) + len(value) + 4 for name, value in reader.headers.items())
        if size > self._limits.part_headers:
            raise TooLarge("the headers of a part", size, self._limits.part_headers)
        self.count(size)
        refuse_encodings(reader.headers)
        name, filename = parse_disposition(reader.headers.get("Content-Disposition", ""))
        return Part(name, filename, reader.headers, self, reader)

    async def _finish(self) -> None:
        left = MAX_EPILOGUE
        while chunk := await self._pace.read(self._content.readany()):
            left -= len(chunk)
            if left < 0:
                raise Malformed("the body goes on after the closing boundary of its form")


def parse_disposition(text: str) -> tuple[str, str | None]:
    """Return the name and the file name (None without one) of a part.

    Raises:
        Malformed: the header is missing, broken, or names either of them twice or not at all.
    """
    match = _DISPOSITION.fullmatch(text.strip())
    pairs = [] if match is None else _PARAMETER.findall(match[1])
    found = {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or token for name, quoted, token in pairs}
    if "name" not in found or len(found) != len(pairs):
        raise Malformed(
            f"the part's Content-Disposition {text[:80]!r} must be form-data with a name and at most a filename"
        )
    return found["name"], found.get("filename")


def _malformed(error: Exception) -> Malformed:
    return Malformed(
        f"the multipart body is broken or ends early: {str(error)[:200] or type(error).__name__}"
    )
