"""GraphQL: a service as it is declared, and what a request to it may be."""

from mantlet.guard.graphql.service import GraphQL

__all__ = ["GraphQL"]
