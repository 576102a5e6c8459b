"""The policies of the apps in this folder, the same for each framework, and the orders they guard.

The environment variable ``JWKS_FILE`` names a file with the provider's keys, and
``REPORTS_KEY_SHA256`` has the SHA-256 digest of an API key, in hexadecimal digits.
"""

import os
from typing import Any

import mantlet
from mantlet import (
    Allow,
    ApiKeys,
    Authenticator,
    Authorizer,
    Cors,
    CrossOrigin,
    Identity,
    JwksFile,
    Jwt,
)

FRONT_END = "https://app.example"
Order = dict[str, str]
ORDERS: dict[int, Order] = {
    1: {"owner": "ann", "item": "a lamp"},
    2: {"owner": "ben", "item": "a sofa"},
}


def is_own(identity: Identity | None, _action: str, order: Order) -> bool:
    """Decide for `mantlet.authorize()`: clients may do anything with orders of their own."""
    return identity is not None and order.get("owner") == identity.subject


def own_orders(request: Any) -> list[Order]:  # Any: the request of any framework
    """Return the orders of the client."""
    identity = mantlet.state(request).identity
    return [order for order in ORDERS.values() if is_own(identity, "read", order)]


reports = Identity("reports", "api_key", scopes=frozenset({"orders:read"}))
POLICIES = (
    Cors(
        origins=FRONT_END,
        methods=["GET", "POST"],
        headers=["Authorization", "Content-Type"],
    ),
    Authenticator(
        Jwt(
            issuer="https://id.example",
            audience="https://api.example",
            algorithms=["ES256"],
            keys=JwksFile(os.environ["JWKS_FILE"]),
        ),
        ApiKeys({os.environ["REPORTS_KEY_SHA256"]: reports}),
        public=["GET /health"],
    ),
    Authorizer(
        rules=[
            Allow("GET /health", public=True),
            Allow("GET /orders", scope="orders:read"),
            Allow("POST /orders", scope="orders:write"),
            Allow("GET /orders/{number}", scope="orders:read", check=is_own),
        ]
    ),
    CrossOrigin(trusted=FRONT_END),
)
