"""GraphQL services and the validation of requests to them."""

from mantlet.guard.graphql.service import GraphQL, GraphQLRequest

__all__ = ["GraphQL", "GraphQLRequest"]
