"""GraphQL services and the validation of requests to them."""

from mantlet.guard.graphql.service import GraphQL

__all__ = ["GraphQL"]
