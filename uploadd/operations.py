"""What each request of the native API takes and answers: data for `uploadd/openapi.py`; tests hold it to the answers.

Schemas are JSON Schema 2020-12. No key is required, since `?fields=` leaves keys out; no other key may be there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from packhouse.model import Action, Ecosystem, EventKind, Json
from uploadd.paging import MAX_NUMBER, MOST, PER_PAGE

FORMS = ("application/json", "application/yaml", "text/html")
"""Media types of what is read; JSON unless `Accept` says otherwise."""

_TEXT: Json = {"type": "string"}
_NAMES: Json = {"type": "array", "items": _TEXT}
_YES: Json = {"type": "boolean"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_TIME: Json = {"type": "string", "format": "date-time"}
_SHA256: Json = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_WORD = "^[A-Za-z0-9_][A-Za-z0-9._+!-]*$"
_SEGMENT: Json = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": _WORD}
_ECOSYSTEM: Json = {"type": "string", "enum": [str(item) for item in Ecosystem]}
_ACTION: Json = {"type": "string", "enum": [str(item) for item in Action]}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _needs(schema: Json, *required: str) -> Json:
    return {**schema, "required": list(required)}


def ref(name: str) -> Json:
    """Return a reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def _each(name: str) -> Json:
    return {"type": "array", "items": ref(name)}


_SCOPE = _or_null(_object(channels=_or_null(_NAMES), actions=_or_null({"type": "array", "items": _ACTION})))
_VERSION: Mapping[str, Json] = {
    "version": _TEXT,
    "files": _COUNT,
    "size": _COUNT,
    "first_uploaded": _TIME,
    "last_uploaded": _TIME,
    "yanked": _YES,
    "top_hash": _SHA256,
}
_CHANGE: Mapping[str, Json] = {"changed": _YES, "published": _YES, "notes": _NAMES}

SCHEMAS: Mapping[str, Json] = {
    "Problem": _needs(
        _object(
            type=_TEXT,
            title=_TEXT,
            status={"type": "integer"},
            detail=_TEXT,
            code=_TEXT,
            message=_TEXT,
            error=_TEXT,
            exception=_TEXT,
            reason=_TEXT,
        ),
        "type",
        "title",
        "status",
        "detail",
        "code",
        "exception",
        "reason",
    ),
    "Endpoint": _object(method=_TEXT, path=_TEXT, action=_TEXT, summary=_TEXT),
    "Who": _object(login=_TEXT, kind=_TEXT, admin=_YES, groups=_NAMES, key=_or_null(_TEXT), scope=_SCOPE),
    "Key": _object(
        id={"type": "integer"},
        account=_TEXT,
        name=_TEXT,
        fingerprint=_TEXT,
        created=_TIME,
        expires=_or_null(_TIME),
        last_used=_or_null(_TIME),
        status=_TEXT,
        scope=_SCOPE,
    ),
    "MadeKey": _object(key=ref("Key"), secret=_TEXT, notes=_NAMES),
    "RevokedKey": _object(revoked=_YES, key=ref("Key")),
    "Channel": _object(name=_TEXT, private=_YES, overwrite=_YES, serial=_COUNT, created=_TIME),
    "ChangedChannel": _object(**_CHANGE, channel=ref("Channel")),
    "Grant": _object(
        principal=_TEXT,
        action=_ACTION,
        channel=_TEXT,
        ecosystem=_or_null(_ECOSYSTEM),
        package=_or_null(_TEXT),
    ),
    "ChangedGrant": _object(**_CHANGE, grant=ref("Grant")),
    "Entry": _object(
        at=_TIME,
        who=_TEXT,
        via=_TEXT,
        **{"from": _TEXT},
        action=_TEXT,
        object=_TEXT,
        outcome=_TEXT,
        note=_TEXT,
    ),
    "Package": _object(
        channel=_TEXT,
        ecosystem=_ECOSYSTEM,
        name=_TEXT,
        display=_TEXT,
        latest=_TEXT,
        summary=_TEXT,
        files=_COUNT,
        serial=_COUNT,
        updated=_TIME,
        url={"type": "string", "description": "of its page, relative to the server"},
        decoding_failures=_NAMES,
    ),
    "Version": _object(**_VERSION),
    "VersionFiles": _object(
        **_VERSION,
        manifest={
            "type": "array",
            "items": _object(path=_TEXT, filename=_TEXT, size=_COUNT, sha256=_SHA256),
        },
    ),
    "File": _object(
        channel=_TEXT,
        ecosystem=_ECOSYSTEM,
        package=_TEXT,
        version=_TEXT,
        filename=_TEXT,
        path=_TEXT,
        url={"type": "string", "description": "relative to the server"},
        size=_COUNT,
        sha256=_SHA256,
        serial=_COUNT,
        uploaded=_TIME,
        uploaded_by=_TEXT,
        yanked=_or_null(_TEXT),
        warnings=_NAMES,
    ),
    "Content": _object(sha256=_SHA256, size=_COUNT, files=_each("File")),
    "Event": _object(
        serial=_COUNT,
        kind={"type": "string", "enum": [str(item) for item in EventKind]},
        path=_TEXT,
        sha256=_SHA256,
        by=_TEXT,
        at=_TIME,
        note=_TEXT,
        file=_or_null(ref("File")),
    ),
    "Counters": _object(
        channels=_COUNT,
        packages=_COUNT,
        files=_COUNT,
        bytes=_COUNT,
        by_ecosystem={
            "type": "object",
            "propertyNames": _ECOSYSTEM,
            "additionalProperties": _object(packages=_COUNT, files=_COUNT, bytes=_COUNT),
        },
    ),
    "Yank": _object(**_CHANGE, yanked=_YES, reason=_TEXT, serial=_COUNT, files=_each("File")),
}

HEADERS: Mapping[str, Json] = {
    "Link": {
        "description": 'The next page, `<address>; rel="next"`; absent on the last one.',
        "schema": _TEXT,
    },
    **{
        f"X-RateLimit-{name}": {"description": text, "schema": {"type": "integer"}}
        for name, text in (
            ("Limit", "Requests a minute without credentials; absent where the request was not counted."),
            ("Remaining", "How many are left."),
            ("Reset", "When all may be used again, in seconds since 1970."),
        )
    },
}

PLACEHOLDERS: Mapping[str, Json] = {
    "channel": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[a-z0-9][a-z0-9_.-]*$"},
    "ecosystem": _ECOSYSTEM,
    "name": _SEGMENT,
    "project": _SEGMENT,
    "version": _SEGMENT,
    "id": {"type": "string", "minLength": 1, "description": "a number or a fingerprint"},
    "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
}
"""The schema of each placeholder that a path of the API has."""

_FIELDS: Mapping[str, Json] = {
    "fields": {"type": "string", "description": "keys to keep, with commas between them; all where empty"}
}
_PAGES: Mapping[str, Json] = {
    **_FIELDS,
    "per_page": {"type": "integer", "minimum": 1, "maximum": MOST, "default": PER_PAGE},
    "page_token": {"type": "string", "description": "as the last page's Link holds it"},
}
_ONE: Mapping[str, Json] = {"ecosystem": _ECOSYSTEM}
_SINCE: Json = {"type": "integer", "minimum": 0, "exclusiveMaximum": MAX_NUMBER}
_GRANT = _object(principal=_TEXT, action=_ACTION, ecosystem=_ECOSYSTEM, package=_TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one request takes and answers.

    Attributes:
        answer: schema of a success.
        parameters: of the query, by name.
        required: those of them without which it is refused.
        body: schema of what is sent; None for nothing.
        statuses: of a success.
        refusals: statuses of refusals besides those that all requests of its kind have.
        paged: whether the answer is a list in pages.
    """

    answer: Json
    parameters: Mapping[str, Json] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    body: Json | None = None
    statuses: Sequence[int] = (200,)
    refusals: Sequence[int] = ()
    paged: bool = False


def _one(name: str) -> Operation:
    return Operation(answer=ref(name), parameters=_FIELDS)


def _pages(name: str, *required: str, **parameters: Json) -> Operation:
    return Operation(
        answer=_each(name), parameters={**_PAGES, **parameters}, required=frozenset(required), paged=True
    )


_CHANNEL = "/api/1/channels/{channel}"
_PACKAGE = f"{_CHANNEL}/packages/{{ecosystem}}/{{name}}"
_YANK = "/api/1/{channel}/{project}/{version}/yank"

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/api/1"): Operation(answer=_each("Endpoint"), parameters=_FIELDS),
    ("GET", "/api/1/openapi.json"): Operation(answer={"type": "object"}, parameters=_FIELDS),
    ("GET", "/api/1/whoami"): _one("Who"),
    ("GET", "/api/1/keys"): Operation(
        answer=_each("Key"), parameters={**_PAGES, "account": _TEXT}, refusals=(404,), paged=True
    ),
    ("POST", "/api/1/keys"): Operation(
        answer=ref("MadeKey"),
        body=_needs(
            _object(
                name=_TEXT,
                expires_in_days=_or_null({"type": "integer"}),
                channels=_or_null(_NAMES),
                actions=_or_null({"type": "array", "items": _ACTION}),
            ),
            "name",
        ),
        statuses=(201,),
        refusals=(409,),
    ),
    ("DELETE", "/api/1/keys/{id}"): Operation(answer=ref("RevokedKey")),
    ("POST", "/api/1/keys/revoke"): Operation(
        answer=ref("RevokedKey"), body=_needs(_object(secret=_TEXT), "secret"), refusals=(404,)
    ),
    ("GET", "/api/1/channels"): _pages("Channel"),
    ("POST", "/api/1/channels"): Operation(
        answer=ref("ChangedChannel"),
        body=_needs(_object(name=_TEXT, private=_YES, overwrite=_YES), "name"),
        statuses=(201, 202),
        refusals=(409,),
    ),
    ("GET", _CHANNEL): _one("Channel"),
    ("PUT", f"{_CHANNEL}/visibility"): Operation(
        answer=ref("ChangedChannel"), body=_needs(_object(private=_YES), "private"), statuses=(200, 202)
    ),
    ("GET", f"{_CHANNEL}/grants"): Operation(
        answer=_each("Grant"), parameters=_PAGES, refusals=(404,), paged=True
    ),
    ("PUT", f"{_CHANNEL}/grants"): Operation(
        answer=ref("ChangedGrant"), body=_needs(_GRANT, "principal", "action"), statuses=(200, 202)
    ),
    ("DELETE", f"{_CHANNEL}/grants"): Operation(
        answer=ref("ChangedGrant"),
        parameters={"principal": _TEXT, "action": _ACTION, "ecosystem": _ECOSYSTEM, "package": _TEXT},
        required=frozenset({"principal", "action"}),
        statuses=(200, 202),
    ),
    ("GET", "/api/1/audit"): _pages("Entry", who=_TEXT, action=_TEXT, object=_TEXT),
    ("GET", "/api/1/packages"): _pages("Package", **_ONE),
    ("GET", f"{_CHANNEL}/packages"): _pages("Package", **_ONE),
    ("GET", _PACKAGE): _one("Package"),
    ("GET", f"{_PACKAGE}/versions"): _pages("Version"),
    ("GET", f"{_PACKAGE}/versions/{{version}}"): _one("VersionFiles"),
    ("GET", f"{_CHANNEL}/files"): _pages("File", **_ONE, package=_SEGMENT, version=_TEXT),
    ("GET", f"{_CHANNEL}/events"): _pages("Event", since=_SINCE),
    ("GET", "/api/1/content/{digest}"): _one("Content"),
    ("GET", "/api/1/stat/counters"): _one("Counters"),
    ("GET", "/api/1/search"): _pages("Package", "q", **_ONE, q={"type": "string", "minLength": 1}),
    ("POST", _YANK): Operation(answer=ref("Yank"), body=_object(reason=_TEXT), statuses=(200, 202)),
    ("DELETE", _YANK): Operation(answer=ref("Yank"), statuses=(200, 202)),
}
"""(method, pattern) of a route to what it takes and answers."""
