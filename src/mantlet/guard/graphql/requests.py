"""Validate GraphQL requests: by the schema, and within bounds on depth and complexity.

The length and the tokens of a document are bounded before it is parsed. All of its operations and
fragments are measured before any of them is validated, since validation takes quadratic time for
fields of the same name (5.3.2). Variables are coerced first, so that ``1e6`` counts as a million
where it stands for the number of items of a list (3.5.1).

Sources: the GraphQL specification (September 2025), sections 2, 5 and 6.1.2; "GraphQL over HTTP"
(draft), 5.2 to 5.4.
"""

import json
from collections.abc import Iterator, Mapping
from math import inf, isnan
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NoSchemaIntrospectionCustomRule,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import get_variable_values

from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, too_complex
from mantlet.guard.graphql.service import GraphQL, GraphQLRequest
from mantlet.guard.limits import BodyLimits
from mantlet.guard.parameters import Coercer, Parameter, ParameterGroup

__all__ = ["GraphQLRequestSchema", "graphql_query_parameters"]

_MEMBERS: Final = frozenset({"query", "variables", "operationName"})
#: The usual names of arguments for the number of items of a list.
_COUNTS: Final = frozenset({"first", "last", "limit"})
_INVALID: Final = "Not valid for the GraphQL schema"
#: How many pairs of fields of the same name a document may have, for each unit of its complexity.
_PAIRS: Final = 4
_UNUSED: Final = "A fragment is not used"
#: How many arrays and objects of variables take as long as one check of `BodyLimits`.
_CHECKS: Final = 3
#: The longest text of a number.
_MAX_DIGITS: Final = 40


class GraphQLRequestSchema:
    """The compiled form of requests to a service; a `Schema`.

    Args:
        service: the service.
        errors: the maximum number of errors to report.
        reads_only: whether this is for GET, which must not change anything.
        checks: the maximum number of checks that a request may need; see `BodyLimits`.
    """

    __slots__ = ("_checks", "_errors", "_kinds", "_rules", "_service")

    def __init__(
        self,
        service: GraphQL,
        *,
        errors: int,
        reads_only: bool = False,
        checks: int = 100_000,
    ) -> None:
        self._service = service
        self._errors = errors
        self._checks = checks
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
        if (text.count(b"{") + text.count(b"[")) * _CHECKS + text.count(b",") > self._checks:
            raise too_complex(place)
        return self.check(value, place)

    def check(self, value: Any, place: Place) -> Any:
        """Return the request of a value; see `load()`."""
        query, variables, name = _members(value, place)
        document = self._parse(query, place)
        operation = get_operation_ast(document, name)
        operations = [
            node for node in document.definitions if isinstance(node, OperationDefinitionNode)
        ]
        if len(operations) > 1 and not self._service.multiple_operations:
            detail = "More than one operation; GraphQL(multiple_operations=True) allows them"
            raise ValidationFailed(422, [ErrorItem(place, "/query", "graphql_operations", detail)])
        if operation is None:
            detail = "Unknown or missing operation name"
            raise ValidationFailed(
                422, [ErrorItem(place, "/operationName", "graphql_operation", detail)]
            )
        kind = operation.operation.value
        if kind not in self._kinds:
            detail = f"A {kind} is not allowed here"
            raise ValidationFailed(422, [ErrorItem(place, "/query", "graphql_kind", detail)])
        coerced = get_variable_values(
            self._service.schema,
            operation.variable_definitions or (),
            dict(variables),
            max_errors=self._errors,
        )
        failed = isinstance(coerced, list)  # of errors, whose messages contain values
        values: Mapping[str, Any] = {} if isinstance(coerced, list) else coerced.coerced
        measure = _Measure(self._service, document, values, place)
        for node in operations:
            measure.check(node)
        measure.check_fragments()
        self._validate(document, place)
        if failed:
            raise ValidationFailed(
                422, [ErrorItem(place, "/variables", "graphql_variables", _INVALID)]
            )
        return GraphQLRequest(query, document, values, name, variables)

    def dump(self, value: Any) -> bytes:
        """Serialize a request as JSON."""
        members: dict[str, Any] = {"query": value.query}
        if value.raw_variables:
            members["variables"] = value.raw_variables
        if value.operation_name is not None:
            members["operationName"] = value.operation_name
        return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()

    def _parse(self, query: str, place: Place) -> DocumentNode:
        if len(query) > self._service.max_length:
            detail = f"The document is too long; the limit is {self._service.max_length} characters"
            raise ValidationFailed(400, [ErrorItem(place, "/query", "graphql_length", detail)])
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
    """Measures the depth and complexity of a document against the bounds.

    Args:
        service: the service.
        document: the document.
        variables: the coerced variables of the operation that is executed.
        place: where the request stands, for the errors.
    """

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
        self._pairs = 0
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._is_used = dict.fromkeys(self._fragments, False)

    def check(self, operation: OperationDefinitionNode) -> None:
        """Require an operation, with those before it, to be within the bounds; stop if it is not.

        Raises:
            ValidationFailed: with 422.
        """
        # Fields of the same place and name are compared with each other. A place is numbered.
        places: dict[tuple[int, str], int] = {}
        fields: dict[int, int] = {}
        spread: set[tuple[int, str]] = set()
        # A spread costs at least one, so that mutually recursive fragments terminate.
        later: list[tuple[SelectionSetNode, int, int, int]] = [(operation.selection_set, 1, 1, 0)]
        while later:
            selections, depth, times, at = later.pop()
            for node in selections.selections:
                self._add(times)
                if isinstance(node, FieldNode):
                    if depth > self._service.max_depth:
                        raise self._exceeded("graphql_depth", "deep", self._service.max_depth)
                    name = (node.alias or node.name).value
                    # 0 is the operation; a field of a fragment that was spread here is at -1.
                    inner = places.setdefault((at, name), len(places) + 1) if at >= 0 else -1
                    self._add_pairs(fields.get(inner, 0))
                    if inner > 0:
                        fields[inner] = fields.get(inner, 0) + 1
                    if node.selection_set is not None:
                        count = times * self._count(node)
                        later.append((node.selection_set, depth + 1, count, inner))
                elif isinstance(node, InlineFragmentNode):
                    later.append((node.selection_set, depth, times, at))
                elif isinstance(node, FragmentSpreadNode):
                    name = node.name.value
                    fragment = self._fragments.get(name)
                    if fragment is not None:
                        self._is_used[name] = True
                        within = -1 if (at, name) in spread else at
                        spread.add((at, name))
                        later.append((fragment.selection_set, depth, times, within))

    def check_fragments(self) -> None:
        """Require each fragment to be used (5.5.1.4), so that all of them have been measured.

        Raises:
            ValidationFailed: with 422.
        """
        if not all(self._is_used.values()):
            raise ValidationFailed(
                422, [ErrorItem(self._place, "/query", "graphql_schema", _UNUSED)]
            )

    def _add(self, times: int) -> None:
        self._cost += times
        if self._cost > self._service.max_complexity:
            raise self._exceeded("graphql_complexity", "complex", self._service.max_complexity)

    def _add_pairs(self, count: int) -> None:
        self._pairs += count
        if self._pairs > _PAIRS * self._service.max_complexity:
            raise self._exceeded("graphql_complexity", "complex", self._service.max_complexity)

    def _count(self, node: FieldNode) -> int:
        """Return the number of items that a field requests by its arguments."""
        counts = [1.0]
        for argument in node.arguments or ():
            counts += self._counts(argument.value, argument.name.value in _COUNTS)
        return int(min(max(counts), self._service.max_complexity + 1))

    def _counts(self, node: object, counts: bool) -> Iterator[float]:
        """Yield the numbers of items in the value of an argument, at any depth."""
        if isinstance(node, VariableNode):
            yield from _counts_of(self._variables.get(node.name.value), counts)
        elif isinstance(node, ObjectValueNode):
            for field in node.fields:
                yield from self._counts(field.value, field.name.value in _COUNTS)
        elif isinstance(node, ListValueNode):
            for value in node.values:
                yield from self._counts(value, counts)
        elif counts and isinstance(node, (IntValueNode, FloatValueNode, StringValueNode)):
            yield _number(node.value)

    def _exceeded(self, code: str, adjective: str, bound: int) -> ValidationFailed:
        detail = f"The operation is too {adjective}; the limit is {bound}"
        return ValidationFailed(422, [ErrorItem(self._place, "/query", code, detail)])


# Any: a coerced variable.
def _counts_of(value: Any, counts: bool) -> Iterator[float]:
    """Yield the numbers of items in a variable, at any depth."""
    later = [(value, counts)]
    while later:
        one, counts = later.pop()
        if isinstance(one, dict):
            later += [(inner, name in _COUNTS) for name, inner in one.items()]
        elif isinstance(one, list):
            later += [(inner, counts) for inner in one]
        elif counts and isinstance(one, (int, float, str)):
            yield _number(one)


def _number(value: str | float) -> float:
    """Return a number that an app may take for a count; a very long one exceeds every bound."""
    if isinstance(value, str) and len(value) > _MAX_DIGITS:
        return inf
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return 1 if isinstance(value, str) else inf
    return 1 if isnan(number) else number


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
        GraphQLRequestSchema(service, errors=limits.errors, reads_only=True, checks=limits.checks),
        limits,
    )
