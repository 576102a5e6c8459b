"""A GraphQL service, as it is declared."""

from typing import TYPE_CHECKING

from mantlet._internal.extras import import_extra
from mantlet._internal.options import check_int

if TYPE_CHECKING:
    from graphql import GraphQLSchema

__all__ = ["GraphQL"]


class GraphQL:
    """A GraphQL service, for the body of a POST or the query of a GET.

    The app gets a `GraphQLRequest`.

    Args:
        schema: a ``graphql.GraphQLSchema``, or the text of one in the schema language.
        max_depth: how deep fields may be nested.
        max_complexity: fields that an operation may ask for, those of fragments each time they are
            spread, and those within a field that has ``first``, ``last`` or ``limit`` as often as
            that says.
        max_tokens: of a document.
        introspection: whether ``__schema`` and ``__type`` may be asked for.
        mutations: whether mutations may be sent; a GET may never send any.
        subscriptions: whether subscriptions may be sent.

    Raises:
        ValueError: a bound is less than 1, or the text is no schema.
        TypeError: the schema is none.
        ImportError: graphql-core is not installed.
    """

    def __init__(
        self,
        *,
        schema: "GraphQLSchema | str",
        max_depth: int = 10,
        max_complexity: int = 500,
        max_tokens: int = 2000,
        introspection: bool = False,
        mutations: bool = True,
        subscriptions: bool = False,
    ) -> None:
        bounds = {
            "max_depth": max_depth,
            "max_complexity": max_complexity,
            "max_tokens": max_tokens,
        }
        for name, bound in bounds.items():
            check_int(name, bound)
        graphql = import_extra("graphql", "graphql")
        if isinstance(schema, str):
            try:
                schema = graphql.build_schema(schema)
            except (graphql.GraphQLError, TypeError) as error:
                raise ValueError(f"schema is no GraphQL schema: {error}") from error
        if not isinstance(schema, graphql.GraphQLSchema):
            raise TypeError(f"schema must be a GraphQLSchema or its text, not {schema!r}")
        self.schema: GraphQLSchema = schema
        self.max_depth = max_depth
        self.max_complexity = max_complexity
        self.max_tokens = max_tokens
        self.introspection = introspection
        self.kinds = frozenset(
            {"query"}
            | ({"mutation"} if mutations else set())
            | ({"subscription"} if subscriptions else set())
        )
