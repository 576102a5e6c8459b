"""GraphQL, for queries only."""

from collections.abc import Callable, Mapping
from typing import Final

from examples.reference.adapters.web.versions import Json
from examples.reference.domain.orders import OrderNotFound
from graphql import build_schema
from graphql import execute as execute_document
from graphql.execution import ExecutionResult

import mantlet
from mantlet.guard import GraphQLRequest

_SCHEMA: Final = build_schema(
    """
    type Query {
      "Your orders, by their ids; at most 100."
      orders(first: Int! = 20, after: ID): [Order!]!
      order(id: ID!): Order
    }
    type Order { id: ID!, status: String!, total: Int!, lines: [Line!]! }
    type Line { item: String!, quantity: Int!, price: Int! }
    """
)
#: Limits, which are checked before a query runs.
SERVICE: Final = mantlet.GraphQL(
    schema=_SCHEMA, max_depth=4, max_complexity=500, max_tokens=500, mutations=False
)


def execute(request: GraphQLRequest, resolvers: Mapping[str, Callable[..., object]]) -> Json:
    """Execute a query. The resolvers return orders; the schema exposes their attributes."""
    result = execute_document(
        _SCHEMA,
        request.document,
        resolvers,
        variable_values=dict(request.raw_variables),
        operation_name=request.operation_name,
    )
    assert isinstance(result, ExecutionResult)  # noqa: S101  # no resolver is a coroutine
    for error in result.errors or ():
        if not isinstance(error.original_error, OrderNotFound | None):
            raise error.original_error  # its text must not reach clients
    return dict(result.formatted)
