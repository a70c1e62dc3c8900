"""What a query may ask for, decided on its text before anything of it is executed: pure.

GraphQL lets a few bytes ask for a lot: nesting multiplies, an alias asks again, a fragment repeats. Each is counted as
if fragments were written out where they are used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from packhouse.errors import Malformed
from packhouse.model import Json
from uploadd.graphql.connections import MOST, USUAL

TOKENS = 2000
"""Words and signs of a query."""
DEPTH = 8
"""Fields within fields; `edges { node }` is one level, as `nodes` is."""
INTROSPECTION_DEPTH = 20
"""The same below `__schema` and `__type`: a type is told wrapper by wrapper. The library bounds the lists in it."""
ALIASES = 20
"""Fields that are asked for again under another name, or under the same."""
FIELDS = 500
"""Fields and uses of fragments, those within fragments each time."""
FRAGMENTS = 50
COST = 2000
"""Items of lists that an answer may hold: three lists within each other, at their usual size, are 1110."""

LISTS = frozenset({"channels", "packages", "search", "content", "versions", "files", "events", "apiKeys"})
"""The fields that hold `first` items of something."""

_ABOUT_THE_SCHEMA = frozenset({"__schema", "__type"})


def check(document: DocumentNode, variables: Mapping[str, Json]) -> OperationDefinitionNode:
    """Return the one operation of a query, if it asks for no more than one may.

    Args:
        document: as parsed; whether it fits the schema is not looked at.
        variables: that were sent with it.

    Raises:
        Malformed: it has another number of operations, a fragment that uses itself or is not used, or too much of
            something; the sentence says of what.
    """
    fragments: dict[str, FragmentDefinitionNode] = {}
    operations: list[OperationDefinitionNode] = []
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
        elif isinstance(definition, OperationDefinitionNode):
            operations.append(definition)
        else:
            raise Malformed("a query holds operations and fragments only, no types")
    if len(operations) != 1:
        raise Malformed(f"the query holds {len(operations)} operations; send one in a request")
    if len(document.definitions) > FRAGMENTS + 1:
        raise _too_much("fragments", FRAGMENTS)
    _refuse_circles(fragments)
    operation = operations[0]
    count = _Count(fragments, _known_variables(operation, variables))
    cost = count.level(operation.selection_set, 1, DEPTH)
    if cost > COST:
        raise Malformed(
            f"the query asks for up to {cost} items of lists, at most {COST} are told at once; ask with a smaller first"
        )
    unused = sorted(set(fragments) - count.used)
    if unused:
        raise Malformed(f"the fragment {unused[0][:80]} is not used; leave it out")
    if operation.operation is OperationType.MUTATION and count.roots > 1:
        raise Malformed(f"the mutation holds {count.roots} changes; send one in a request")
    return operation


@dataclass(slots=True)
class _Count:
    """Walks through a query and stops as soon as something is too much."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Json]
    used: set[str] = field(default_factory=set)
    aliases: int = 0
    fields: int = 0
    roots: int = 0

    def level(self, selections: SelectionSetNode | None, depth: int, deepest: int, parent: str = "") -> int:
        """Count the fields that lie at one depth and all below; returns how many items they may hold."""
        if selections is None:
            return 0
        cost, names = 0, set[str]()
        for node in self._flat(selections.selections, 0):
            name = node.name.value
            shown = name if node.alias is None else node.alias.value
            # A field that is there twice is merged with itself, which costs as much as an alias.
            self.aliases += node.alias is not None or shown in names
            names.add(shown)
            if self.aliases > ALIASES:
                raise _too_much("aliases and repeated fields", ALIASES)
            if depth > deepest:
                raise _too_much("levels of fields within fields", deepest)
            self.roots += depth == 1 and name != "__typename"
            limit = INTROSPECTION_DEPTH if name in _ABOUT_THE_SCHEMA else deepest
            deeper = depth if (parent, name) == ("edges", "node") else depth + 1
            below = self.level(node.selection_set, deeper, limit, name)
            cost += self._size(node) * (1 + below) if name in LISTS else below
        return cost

    def _flat(self, selections: Iterable[SelectionNode], nested: int) -> Iterable[FieldNode]:
        """Return the fields of a selection, with those of the fragments in it."""
        if nested > FRAGMENTS:
            raise _too_much("fragments within fragments", FRAGMENTS)
        for node in selections:
            self.fields += 1
            if self.fields > FIELDS:
                raise _too_much("fields, counting those of fragments each time they are used", FIELDS)
            if isinstance(node, FieldNode):
                yield node
            else:
                yield from self._flat(self._within(node).selections, nested + 1)

    def _within(self, node: SelectionNode) -> SelectionSetNode:
        """Return what a fragment stands for, be it named or not."""
        if isinstance(node, InlineFragmentNode):
            return node.selection_set
        name = cast("FragmentSpreadNode", node).name.value
        if name not in self.fragments:
            raise Malformed(f"the fragment {name[:80]} is used, but not there")
        self.used.add(name)
        return self.fragments[name].selection_set

    def _size(self, node: FieldNode) -> int:
        """Return how many items a list may hold, at most; a size that is none counts as the largest."""
        sizes = [
            _number(item.value, self.variables) for item in node.arguments or () if item.name.value == "first"
        ]
        size = max(sizes, default=USUAL)
        if not 1 <= size <= MOST:
            raise Malformed(
                f"first of {node.name.value[:80]} is out of range; send a number from 1 to {MOST}"
            )
        return size


def _refuse_circles(fragments: Mapping[str, FragmentDefinitionNode]) -> None:
    """Refuse fragments that contain themselves, by however many others."""
    left = {name: _spreads(fragment.selection_set) for name, fragment in fragments.items()}
    while free := [name for name, uses in left.items() if not uses & left.keys()]:
        for name in free:
            del left[name]
    if left:
        raise Malformed(f"the fragment {min(left)[:80]} contains itself, or another one that does")


def _spreads(selections: SelectionSetNode) -> set[str]:
    """Return the names of the fragments that are used somewhere in a selection."""
    found: set[str] = set()
    waiting = [selections]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FragmentSpreadNode):
                found.add(node.name.value)
            elif isinstance(node, (FieldNode, InlineFragmentNode)) and node.selection_set is not None:
                waiting.append(node.selection_set)
    return found


def _number(value: ValueNode, variables: Mapping[str, Json]) -> int:
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) <= 9 else MOST + 1
    sent = variables.get(value.name.value) if isinstance(value, VariableNode) else None
    if sent is None:
        return USUAL
    return sent if isinstance(sent, int) else MOST


def _known_variables(operation: OperationDefinitionNode, sent: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the variables, with the defaults of those that were not sent, as far as they are numbers."""
    defaults = {
        definition.variable.name.value: _number(definition.default_value, {})
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
    return {**defaults, **sent}


def _too_much(what: str, most: int) -> Malformed:
    return Malformed(f"the query has more than {most} {what}; ask for less at once")
