"""Declare a GraphQL service."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mantlet._internal.extras import import_extra
from mantlet._internal.options import KnowsOptions, check_int

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLSchema

__all__ = ["GraphQL", "GraphQLRequest"]


# Any: values of variables.
class GraphQLRequest(NamedTuple):
    """One request, validated: ``mantlet.state(request).validated.body`` of a POST.

    Attributes:
        query: the document as received.
        document: the parsed document.
        variables: the coerced variables.
        operation_name: the name of the operation to execute, or None.
        raw_variables: the variables as received, for servers that coerce them themselves.
    """

    query: str
    document: "DocumentNode"
    variables: Mapping[str, Any]
    operation_name: str | None
    raw_variables: Mapping[str, Any]


class GraphQL(KnowsOptions):
    """A GraphQL service, for the body of a POST or the query of a GET.

    The app gets a `GraphQLRequest`.

    Args:
        schema: a ``graphql.GraphQLSchema``, or the text of one in the schema language.
        max_depth: the maximum nesting of fields.
        max_complexity: the maximum number of fields that an operation requests. Fields of fragments
            count each time they are spread, and fields within a field that has ``first``, ``last``
            or ``limit`` that many times, also in an input object and by a variable. At most four
            times as many pairs of fields may have the same place and name.
        max_tokens: the maximum number of tokens of a document.
        max_length: the maximum number of characters of a document.
        multiple_operations: whether a document may have several operations, of which
            ``operationName`` picks one. All of them count.
        introspection: whether to allow ``__schema`` and ``__type``.
        mutations: whether to allow mutations; never in a GET.
        subscriptions: whether to allow subscriptions.

    Raises:
        ValueError: a bound is less than 1, or the text is not a schema.
        TypeError: the schema is neither a schema nor text.
        ImportError: graphql-core is not installed.
    """

    def __init__(
        self,
        *,
        schema: "GraphQLSchema | str",
        max_depth: int = 10,
        max_complexity: int = 500,
        max_tokens: int = 2000,
        max_length: int = 50_000,
        multiple_operations: bool = False,
        introspection: bool = False,
        mutations: bool = True,
        subscriptions: bool = False,
    ) -> None:
        bounds = {
            "max_depth": max_depth,
            "max_complexity": max_complexity,
            "max_tokens": max_tokens,
            "max_length": max_length,
        }
        for name, bound in bounds.items():
            check_int(name, bound)
        graphql = import_extra("graphql", "graphql")
        if isinstance(schema, str):
            try:
                schema = graphql.build_schema(schema)
            except (graphql.GraphQLError, TypeError) as error:
                raise ValueError(f"schema is not a GraphQL schema: {error}") from error
        if not isinstance(schema, graphql.GraphQLSchema):
            raise TypeError(f"schema must be a GraphQLSchema or its text, not {schema!r}")
        self.schema: GraphQLSchema = schema
        self.max_depth = max_depth
        self.max_complexity = max_complexity
        self.max_tokens = max_tokens
        self.max_length = max_length
        self.multiple_operations = multiple_operations
        self.introspection = introspection
        self.kinds = frozenset(
            {"query"}
            | ({"mutation"} if mutations else set())
            | ({"subscription"} if subscriptions else set())
        )
