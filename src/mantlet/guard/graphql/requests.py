"""Validate GraphQL requests: by the schema, and within bounds on depth and complexity.

The tokens of a document are bounded before it is parsed, and its depth and complexity before it is
validated, since validation takes quadratic time in some of its parts.

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

from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.graphql.service import GraphQL
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters import Coercer, Parameter, ParameterGroup
from mantlet.guard.strict_json import StrictJson

__all__ = ["GraphQLRequest", "GraphQLRequestSchema", "graphql_query_parameters"]

_MEMBERS: Final = frozenset({"query", "variables", "operationName"})
#: The usual names of arguments for the number of items of a list.
_COUNTS: Final = frozenset({"first", "last", "limit"})
_INVALID: Final = "Not valid for the GraphQL schema"


class GraphQLRequest(NamedTuple):
    """One request, validated.

    Attributes:
        query: the document as received.
        document: the parsed document.
        variables: the coerced variables.
        operation_name: the name of the operation to execute, or None.
        raw_variables: the variables as received, for servers that coerce them themselves.
    """

    query: str
    document: DocumentNode
    variables: Mapping[str, Any]
    operation_name: str | None
    raw_variables: Mapping[str, Any]


class GraphQLRequestSchema:
    """The compiled form of requests to a service; a `Schema`.

    Args:
        service: the service.
        errors: the maximum number of errors to report.
        reads_only: whether this is for GET, which must not change anything.
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
        """Return the request of a JSON text.

        Raises:
            ValidationFailed: with 400 for a malformed request, 422 for an invalid one.
        """
        return self.check(value, place)

    def check(self, value: Any, place: Place) -> Any:
        """Return the request of a value; see `load()`."""
        query, variables, name = _members(value, place)
        document = self._parse(query, place)
        operation = get_operation_ast(document, name)
        if operation is None:
            detail = "Unknown or missing operation name"
            raise ValidationFailed(
                422, [ErrorItem(place, "/operationName", "graphql_operation", detail)]
            )
        kind = operation.operation.value
        if kind not in self._kinds:
            detail = f"A {kind} is not allowed here"
            raise ValidationFailed(422, [ErrorItem(place, "/query", "graphql_kind", detail)])
        _Measure(self._service, document, variables, place).check(operation)
        self._validate(document, place)
        coerced = get_variable_values(
            self._service.schema,
            operation.variable_definitions or (),
            dict(variables),
            max_errors=self._errors,
        )
        if isinstance(coerced, list):  # of errors, whose messages contain values
            raise ValidationFailed(
                422, [ErrorItem(place, "/variables", "graphql_variables", _INVALID)]
            )
        return GraphQLRequest(query, document, coerced.coerced, name, variables)

    def dump(self, value: Any) -> bytes:
        """Serialize a request as JSON."""
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
            detail = "Invalid GraphQL document, or too many tokens"
            error_item = ErrorItem(place, "/query", "graphql_syntax", detail + _position(error))
        except RecursionError:
            error_item = ErrorItem(place, "/query", "graphql_depth", "Nested too deeply")
        raise ValidationFailed(400, [error_item])

    def _validate(self, document: DocumentNode, place: Place) -> None:
        try:
            errors = validate(self._service.schema, document, self._rules, max_errors=self._errors)
        except RecursionError:
            raise ValidationFailed(
                422, [ErrorItem(place, "/query", "graphql_depth", "Nested too deeply")]
            ) from None
        if errors:
            raise ValidationFailed(
                422,
                [
                    ErrorItem(place, "/query", "graphql_schema", _INVALID + _position(error))
                    for error in errors[: self._errors]
                ],
            )


def _members(value: Any, place: Place) -> tuple[str, Mapping[str, Any], str | None]:
    """Return the members of a request, and check their types."""
    if not isinstance(value, dict):
        raise ValidationFailed(400, [ErrorItem(place, "", "graphql_request", "Must be an object")])
    query, variables, name = (value.get(key) for key in ("query", "variables", "operationName"))
    errors = []
    if not isinstance(query, str):
        errors.append(ErrorItem(place, "/query", "graphql_request", "Must be a string"))
    if not isinstance(variables, (dict, type(None))):
        errors.append(ErrorItem(place, "/variables", "graphql_request", "Must be an object"))
    if not isinstance(name, (str, type(None))):
        errors.append(ErrorItem(place, "/operationName", "graphql_request", "Must be a string"))
    if not value.keys() <= _MEMBERS:
        errors.append(ErrorItem(place, "", "graphql_request", "Unknown members"))
    if errors or not isinstance(query, str):
        raise ValidationFailed(400, errors)
    return query, variables or {}, name


class _Measure:
    """Measures the depth and complexity of an operation against the bounds."""

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

    def check(self, operation: OperationDefinitionNode) -> None:
        """Require an operation to be within the bounds; stop as soon as it is not.

        Raises:
            ValidationFailed: with 422.
        """
        deerrors = {
            definition.variable.name.value: _number(definition.default_value)
            for definition in operation.variable_definitions or ()
        }
        self._variables = deerrors | dict(self._variables)
        # A spread costs at least one, so that mutually recursive fragments terminate.
        later: list[tuple[SelectionSetNode, int, int]] = [(operation.selection_set, 1, 1)]
        while later:
            selections, depth, times = later.pop()
            for node in selections.selections:
                self._add(times)
                if isinstance(node, FieldNode):
                    if depth > self._service.max_depth:
                        raise self._exceeded("graphql_depth", "deep", self._service.max_depth)
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
            raise self._exceeded("graphql_complexity", "complex", self._service.max_complexity)

    def _count(self, node: FieldNode) -> int:
        """Return the number of items that a field requests by its arguments."""
        counts = [1]
        for argument in node.arguments or ():
            if argument.name.value in _COUNTS:
                count: Any = _number(argument.value)
                if isinstance(argument.value, VariableNode):
                    count = self._variables.get(argument.value.name.value)
                if isinstance(count, int):
                    counts.append(count)
        return max(counts)

    def _exceeded(self, code: str, adjective: str, bound: int) -> ValidationFailed:
        detail = f"The operation is too {adjective}; the limit is {bound}"
        return ValidationFailed(422, [ErrorItem(self._place, "/query", code, detail)])


def _number(node: object) -> int | None:
    # A number with more digits exceeds every bound.
    return int(node.value[:18]) if isinstance(node, IntValueNode) else None


def _position(error: GraphQLError) -> str:
    if not error.locations:
        return ""
    line, column = error.locations[0]
    return f" at line {line}, column {column}"


def graphql_query_parameters(service: GraphQL, limits: BodyLimits) -> ParameterGroup:
    """Return the query parameters of a GET request ("GraphQL over HTTP", 5.3).

    The variables are JSON.
    """
    strict_json = StrictJson(limits)
    text = Coercer(types=frozenset({"string"}))

    def variables(text: str) -> Any:
        return strict_json.parse(text.encode(), "query")

    return ParameterGroup(
        "query",
        [
            Parameter(name="query", place="query", required=True, shape=text),
            Parameter(name="operationName", place="query", shape=text),
            Parameter(name="variables", place="query", decode=variables),
        ],
        GraphQLRequestSchema(service, errors=limits.errors, reads_only=True),
        limits,
    )
