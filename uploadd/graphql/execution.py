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
from graphql.execution import AbortedGraphQLExecutionError

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


class Deadline:
    """Ends the execution of a query that takes too long, at its next field (an `AbortSignal` of graphql-core)."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._end = clock, clock() + seconds
        self.reason = Unprocessable(f"the query takes longer than {seconds:g} seconds; ask for less at once")

    @property
    def aborted(self) -> bool:
        """Whether it is over."""
        return self._clock() > self._end


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
            abort_signal=None if changes else Deadline(timeout_s),  # type: ignore[arg-type]  # any object with its two attributes, says its documentation
        )
    except AbortedGraphQLExecutionError as late:
        return Answer(200, {"errors": _errors([_located(late.__cause__ or late)]), "data": None})
    errors = result.errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        return Answer(400, {"errors": _errors(errors)})
    told_errors = {"errors": _errors(errors)} if errors else {}
    return Answer(200, {**told_errors, "data": result.data})


def _resolve(source: Mapping[str, Json], info: GraphQLResolveInfo[None], **arguments: Json) -> Json:
    """Return the value of a field: plain, or what its function returns."""
    value = source[_snake(info.field_name)]
    return (
        value(**{_snake(name): argument for name, argument in arguments.items()})
        if callable(value)
        else value
    )


@lru_cache(maxsize=512)
def _snake(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()


def _located(error: BaseException) -> GraphQLError:
    if isinstance(error, GraphQLError):
        return error
    return GraphQLError(str(error), original_error=error if isinstance(error, Exception) else None)


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
