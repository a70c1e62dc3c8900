"""From a question to its answer: parse, bound, validate, execute. Everything here blocks.

Answers are those of GraphQL (specification of October 2021 section 7.1): an `errors` list beside or instead of the
`data`; each error has our code in its `extensions`. Nothing of a defect of ours is told but that there was one.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from graphql import (
    GraphQLError,
    GraphQLResolveInfo,
    OperationType,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from packhouse.errors import Malformed, PackhouseError, Unprocessable
from packhouse.model import Json
from uploadd.call import Call
from uploadd.graphql import limits
from uploadd.graphql.changes import mutation
from uploadd.graphql.nodes import Asked, query
from uploadd.graphql.question import Answer, Question, told
from uploadd.graphql.schema import SDL

TIMEOUT_S = 2.0
"""How long a query may be executed, in seconds."""
ERRORS = 10
"""Errors that are told of one query."""

SCHEMA = build_schema(SDL)

_CAPITAL = re.compile("(?=[A-Z])")
_LOG = logging.getLogger("uploadd.graphql")


class TooLate(BaseException):
    """Ends an execution. The library would take an `Exception` for the error of one field, and go on."""


class Deadline:
    """Ends the execution of a query that takes too long, at its next field.

    Args:
        seconds: how long it may take; None for as long as it does.
        clock: in seconds.
    """

    def __init__(self, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._end = clock, None if seconds is None else clock() + seconds

    def check(self) -> None:
        """Pass, or raise `TooLate`."""
        if self._end is not None and self._clock() > self._end:
            raise TooLate


def answer(call: Call, question: Question, timeout_s: float = TIMEOUT_S) -> Answer:
    """Return the answer to a question: 200, or 400 where nothing of it was executed."""
    try:
        document = parse(question.query, max_tokens=limits.TOKENS, allow_empty_selection_sets=False)
        operation = limits.check(document, question.variables)
        wrong = validate(SCHEMA, document, max_errors=ERRORS, allow_empty_selection_sets=False)
    except (GraphQLError, Malformed) as refused:
        wrong = [_located(refused)]
    if wrong:
        return Answer(400, {"errors": _errors(wrong)})
    changes = operation.operation is OperationType.MUTATION
    try:
        result = execute_sync(
            SCHEMA,
            document,
            root_value=mutation(call) if changes else query(Asked(call)),
            variable_values=dict(question.variables),
            operation_name=question.operation_name,
            field_resolver=_resolve,
            # A change is never given up halfway: it is one, and small.
            context_value=Deadline(None if changes else timeout_s),
        )
    except TooLate:
        late = Unprocessable(f"the query takes longer than {timeout_s:g} seconds; ask for less at once")
        return Answer(200, {"errors": [told(str(late), late.code)], "data": None})
    errors = result.errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        return Answer(400, {"errors": _errors(errors)})
    told_errors = {"errors": _errors(errors)} if errors else {}
    return Answer(200, {**told_errors, "data": result.data})


def _resolve(source: Mapping[str, Json], info: GraphQLResolveInfo[Deadline], **arguments: Json) -> Json:
    """Return the value of a field: plain, or what its function returns."""
    info.context.check()
    value = source[_snake(info.field_name)]
    return (
        value(**{_snake(name): argument for name, argument in arguments.items()})
        if callable(value)
        else value
    )


@lru_cache(maxsize=512)
def _snake(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()


def _located(error: GraphQLError | Malformed) -> GraphQLError:
    return error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)


def _errors(errors: Sequence[GraphQLError]) -> list[Json]:
    return [_error(error) for error in errors[:ERRORS]]


def _error(error: GraphQLError) -> Json:
    cause = error.original_error
    if cause is None:
        body = told(error.message, Malformed.code)
    elif isinstance(cause, PackhouseError):
        body = told(str(cause), cause.code)
    else:
        _LOG.error("a query failed: %s", type(cause).__name__, exc_info=cause)
        body = told("the server failed on this field, and the log of uploadd says why", "internal")
    where = error.formatted
    return {**body, **{key: where[key] for key in ("locations", "path") if key in where}}
