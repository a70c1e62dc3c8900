"""What both halves of the anaconda.org API share: bodies with any keys, and how a file is found and told of."""

from collections.abc import Mapping, Sequence

import orjson

from packhouse.errors import Malformed, NotFound, Unprocessable
from packhouse.model import Action, Artifact, Ecosystem, Json
from packhouse.names import parse_filename, parse_subdir
from uploadd.answers import record
from uploadd.call import Call
from uploadd.headers import refuse_encodings
from uploadd.limits import small_body

MAIN = "main"
"""The label of an owner's own channel."""


async def document(call: Call) -> Mapping[str, Json]:
    """Return the JSON object of the body; the clients send whatever index.json and about.json hold, so any key may be.

    Raises:
        Malformed: it is none, or not sent as JSON.
        EncodedBody, TooLarge, TooSlow: as for every small body.
    """
    refuse_encodings(call.request.headers)
    body = await small_body(call.request, call.pace())
    if call.request.content_type != "application/json":
        raise Malformed("the body must be a JSON object, sent as Content-Type: application/json")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise Malformed("the body must be a JSON object")
    return value


def conda_only(kinds: Sequence[Json]) -> None:
    """Pass if nothing but conda packages is announced; raises `Unprocessable`."""
    strange = [str(kind)[:80] for kind in kinds if kind != "conda"]
    if strange:
        raise Unprocessable(
            f"packages of the type {strange[0]!r} are not taken here: this API is for conda packages; "
            "upload Python distributions with twine to /<channel>/legacy/"
        )


def describe(file: Artifact) -> dict[str, Json]:
    """Return what anaconda.org tells of a file, as far as it is known here; `url` is relative, sizes in bytes."""
    said = record(file)
    return {
        "basename": file.path,
        "full_name": f"{file.channel}/{file.package}/{file.version}/{file.path}",
        "distribution_type": "conda",
        "labels": [MAIN],
        "upload_time": said["uploaded"],
        **{key: said[key] for key in ("version", "size", "sha256", "url")},
        "md5": file.md5,
    }


def named_file(call: Call) -> Artifact:
    """Return the live file of the path, which has to be of the package and version that stand there too; blocking.

    Raises:
        NotFound: there is none, or it is not theirs to read: one sentence.
    """
    subdir, filename = parse_subdir(call.path["subdir"]), parse_filename(call.path["file"])
    path = f"{subdir}/{filename}"
    found = call.services.house.catalog.artifacts.live(call.here.name, path)
    missing = NotFound("file", f"{call.here.name}/{path}")
    if found is None or (found.package, found.version) != (call.path["name"], call.path["version"]):
        raise missing
    if not call.services.rights.permits(
        call.principal, Action.READ, call.here, Ecosystem.CONDA, found.package
    ):
        raise missing
    return found
