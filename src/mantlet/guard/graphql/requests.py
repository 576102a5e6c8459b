"""Requests to a GraphQL service: what the schema has, no deeper and no dearer than they may be.

The document is bounded in tokens before it is parsed, and in depth and cost before it is
validated, since the rules of validation take time by the square of some of its parts.

Sources: the GraphQL specification (September 2025), sections 2, 5 and 6.1.2; "GraphQL over HTTP"
(draft), 5.2 to 5.4.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import get_variable_values

from mantlet.guard.errors import Fault, Invalid, Place
from mantlet.guard.graphql.service import GraphQL
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters import Group, Parameter, Shape
from mantlet.guard.strict_json import Structure

__all__ = ["GraphQLRequest", "GraphQLRequestSchema", "graphql_query"]

_MEMBERS: Final = frozenset({"query", "variables", "operationName"})
#: Arguments that say how many items a list has, as most schemas name them.
_COUNTS: Final = frozenset({"first", "last", "limit"})
_NOT_VALID: Final = "Does not fit the schema"


class GraphQLRequest(NamedTuple):
    """One request, validated.

    Attributes:
        query: the document as it came.
        document: the same, parsed.
        variables: as the schema has coerced them.
        operation_name: which operation of the document is meant, or None.
        raw_variables: as they came, for servers that coerce them themselves.
    """

    query: str
    document: DocumentNode
    variables: Mapping[str, Any]
    operation_name: str | None
    raw_variables: Mapping[str, Any]


class GraphQLRequestSchema:
    """What a request to a service may be, compiled: a `Schema`.

    Args:
        service: the service.
        errors: how many faults are told at most.
        reads_only: whether this is for GET, which must change nothing.
    """

    __slots__ = ("_errors", "_kinds", "_rules", "_service")

    def __init__(self, service: GraphQL, *, errors: int, reads_only: bool = False) -> None:
        self._service = service
        self._errors = errors
        self._kinds = frozenset({"query"}) if reads_only else service.kinds
        self._rules = list(specified_rules)
        if not service.introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)

    # Any: plain JSON values in, a request out.
    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Return the request that a JSON text states.

        Raises:
            Invalid: with 400 for what is no GraphQL request, 422 for what the schema has not.
        """
        return self.check(value, place)

    def check(self, value: Any, place: Place) -> Any:
        """Return the request that a value states; see `load()`."""
        query, variables, name = _members(value, place)
        document = self._parse(query, place)
        operation = get_operation_ast(document, name)
        if operation is None:
            words = "Names no operation of the document, or does not say which"
            raise Invalid(422, [Fault(place, "/operationName", "graphql_operation", words)])
        kind = operation.operation.value
        if kind not in self._kinds:
            words = f"A {kind} may not be sent here"
            raise Invalid(422, [Fault(place, "/query", "graphql_kind", words)])
        _Measure(self._service, document, variables, place).take(operation)
        self._validate(document, place)
        coerced = get_variable_values(
            self._service.schema,
            operation.variable_definitions or (),
            dict(variables),
            max_errors=self._errors,
        )
        if isinstance(coerced, list):  # of errors, whose messages hold values
            raise Invalid(422, [Fault(place, "/variables", "graphql_variables", _NOT_VALID)])
        return GraphQLRequest(query, document, coerced.coerced, name, variables)

    def dump(self, value: Any) -> bytes:
        """Return a request as JSON."""
        members: dict[str, Any] = {"query": value.query}
        if value.raw_variables:
            members["variables"] = value.raw_variables
        if value.operation_name is not None:
            members["operationName"] = value.operation_name
        return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()

    def _parse(self, query: str, place: Place) -> DocumentNode:
        try:
            return parse(query, max_tokens=self._service.max_tokens, no_location=False)
        except GraphQLError as error:
            words = "Is no GraphQL document, or a longer one than is taken"
            fault = Fault(place, "/query", "graphql_syntax", words + _where(error))
        except RecursionError:
            fault = Fault(place, "/query", "graphql_depth", "Is nested too deeply")
        raise Invalid(400, [fault])

    def _validate(self, document: DocumentNode, place: Place) -> None:
        try:
            errors = validate(self._service.schema, document, self._rules, max_errors=self._errors)
        except RecursionError:
            raise Invalid(
                422, [Fault(place, "/query", "graphql_depth", "Is nested too deeply")]
            ) from None
        if errors:
            raise Invalid(
                422,
                [
                    Fault(place, "/query", "graphql_schema", _NOT_VALID + _where(error))
                    for error in errors[: self._errors]
                ],
            )


def _members(value: Any, place: Place) -> tuple[str, Mapping[str, Any], str | None]:
    """Return the members of a request, which must be of their types."""
    if not isinstance(value, dict):
        raise Invalid(400, [Fault(place, "", "graphql_request", "Must be an object")])
    query, variables, name = (value.get(key) for key in ("query", "variables", "operationName"))
    faults = []
    if not isinstance(query, str):
        faults.append(Fault(place, "/query", "graphql_request", "Must be text"))
    if not isinstance(variables, (dict, type(None))):
        faults.append(Fault(place, "/variables", "graphql_request", "Must be an object"))
    if not isinstance(name, (str, type(None))):
        faults.append(Fault(place, "/operationName", "graphql_request", "Must be text"))
    if not value.keys() <= _MEMBERS:
        faults.append(Fault(place, "", "graphql_request", "Has members that are not taken"))
    if faults or not isinstance(query, str):
        raise Invalid(400, faults)
    return query, variables or {}, name


class _Measure:
    """The depth and the complexity of an operation, as far as they may go."""

    def __init__(
        self,
        service: GraphQL,
        document: DocumentNode,
        variables: Mapping[str, Any],
        place: Place,
    ) -> None:
        self._service = service
        self._variables = variables
        self._place = place
        self._cost = 0
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def take(self, operation: OperationDefinitionNode) -> None:
        """See to it that an operation is within its bounds; stop as soon as it is not.

        Raises:
            Invalid: with 422.
        """
        defaults = {
            definition.variable.name.value: _number(definition.default_value)
            for definition in operation.variable_definitions or ()
        }
        self._variables = defaults | dict(self._variables)
        # A spread costs at least one, so that fragments which spread each other come to an end.
        later: list[tuple[SelectionSetNode, int, int]] = [(operation.selection_set, 1, 1)]
        while later:
            selections, depth, times = later.pop()
            for node in selections.selections:
                self._add(times)
                if isinstance(node, FieldNode):
                    if depth > self._service.max_depth:
                        raise self._too("graphql_depth", "deep", self._service.max_depth)
                    if node.selection_set is not None:
                        later.append((node.selection_set, depth + 1, times * self._count(node)))
                elif isinstance(node, InlineFragmentNode):
                    later.append((node.selection_set, depth, times))
                elif isinstance(node, FragmentSpreadNode):
                    fragment = self._fragments.get(node.name.value)
                    if fragment is not None:
                        later.append((fragment.selection_set, depth, times))

    def _add(self, times: int) -> None:
        self._cost += times
        if self._cost > self._service.max_complexity:
            raise self._too("graphql_complexity", "complex", self._service.max_complexity)

    def _count(self, node: FieldNode) -> int:
        """Return how many items a field asks for, by its arguments."""
        counts = [1]
        for argument in node.arguments or ():
            if argument.name.value in _COUNTS:
                given: Any = _number(argument.value)
                if isinstance(argument.value, VariableNode):
                    given = self._variables.get(argument.value.name.value)
                if isinstance(given, int):
                    counts.append(given)
        return max(counts)

    def _too(self, code: str, words: str, bound: int) -> Invalid:
        words = f"The operation is too {words}: the bound is {bound}"
        return Invalid(422, [Fault(self._place, "/query", code, words)])


def _number(node: object) -> int | None:
    # What has more digits exceeds every bound.
    return int(node.value[:18]) if isinstance(node, IntValueNode) else None


def _where(error: GraphQLError) -> str:
    if not error.locations:
        return ""
    line, column = error.locations[0]
    return f", at line {line}, column {column}"


def graphql_query(service: GraphQL, limits: BodyLimits) -> Group:
    """Return the parameters that a GET has a request in ("GraphQL over HTTP", 5.3).

    Its variables are JSON.
    """
    structure = Structure(limits)
    text = Shape(types=frozenset({"string"}))

    def variables(text: str) -> Any:
        return structure.read(text.encode(), "query")

    return Group(
        "query",
        [
            Parameter(name="query", place="query", required=True, shape=text),
            Parameter(name="operationName", place="query", shape=text),
            Parameter(name="variables", place="query", decode=variables),
        ],
        GraphQLRequestSchema(service, errors=limits.errors, reads_only=True),
        limits,
    )
