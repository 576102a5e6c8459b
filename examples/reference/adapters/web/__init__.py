"""The web: REST, GraphQL, JSON-RPC and live events, under two frameworks."""
