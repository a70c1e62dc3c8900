"""A question as it comes over HTTP, and an answer as it goes back: no library is needed for either."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from packhouse.errors import Malformed
from packhouse.model import Json
from uploadd.target import without_keys

QUERY_BYTES = 64 << 10
"""Bytes of a query."""

_FIELDS = frozenset({"query", "variables", "operationName", "extensions"})
_LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query with what belongs to it."""

    query: str
    variables: Mapping[str, Json]
    operation_name: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body."""

    status: int
    body: Mapping[str, Json]


def question(body: bytes) -> Question:
    """Return what a body asks.

    Raises:
        Malformed: it is no JSON object with a query, asks several at once, or its query is larger than 64 KiB.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Its sentence may quote what was sent.
        raise Malformed(
            'the body is no JSON; send an object such as {"query": "{ viewer { login } }"}'
        ) from None
    if isinstance(value, list):
        raise Malformed("the body is a list; send one query in a request")
    if not isinstance(value, dict):
        raise Malformed('the body is no JSON object; send one such as {"query": "{ viewer { login } }"}')
    strange = sorted(set(value) - _FIELDS)
    if strange:
        raise Malformed(f"{strange[0][:80]!r} is not known here; these are: {', '.join(sorted(_FIELDS))}")
    text, variables, name = value.get("query"), value.get("variables"), value.get("operationName")
    if not isinstance(text, str) or not text.strip():
        raise Malformed("query is missing; send it as a string")
    if len(text.encode()) > QUERY_BYTES:
        raise Malformed(f"the query is larger than {QUERY_BYTES} bytes; ask for less at once")
    if not isinstance(variables, dict | None):
        raise Malformed("variables must be an object")
    if not isinstance(name, str | None):
        raise Malformed("operationName must be a string")
    return Question(query=text, variables=variables or {}, operation_name=name)


def told(sentence: str, code: str) -> dict[str, Json]:
    """Return an item of an `errors` list; a sentence may quote what was sent, so keys in it are starred."""
    return {"message": without_keys(sentence)[:_LONGEST], "extensions": {"code": code}}
