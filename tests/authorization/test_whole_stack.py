"""`Authenticator` and `Authorizer` together, with the other policies around and inside."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import (
    Allow,
    ApiKeys,
    Authenticator,
    Authorizer,
    Basic,
    ErrorEnvelope,
    Identity,
    RateLimiter,
)
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

KEY = "a-key-of-a-test-0123456789abcdef"
BASIC = ("Authorization", f"Basic {b64encode(b'ann:of-a-test').decode()}")


def lookup(digest: bytes | str) -> Identity | None:
    """Return the identity of a key by its digest."""
    known = sha256(KEY.encode())
    if digest in (known.digest(), known.hexdigest()):
        return Identity("robot", "api_key", scopes=frozenset({"orders:read"}))
    return None


def verify(name: str, password: str) -> Identity | None:
    """Return the identity of a user."""
    if (name, password) == ("ann", "of-a-test"):
        return Identity("ann", "basic", roles=frozenset({"admin"}))
    return None


def handler(raw: MutableMapping[str, Any]) -> Said:
    """Answer with the subject, if the client may read it."""
    identity = mantlet.state(raw).identity
    if "7" in (raw.get("PATH_INFO") or raw.get("path") or ""):
        mantlet.authorize(raw, "read", "robot")
    return 200, [], (identity.subject if identity else "anyone").encode()


def stack(adapter: Adapter) -> Any:
    """Return a stack of all of them."""
    return adapter.wrap(
        handler,
        ErrorEnvelope(),
        Authenticator(ApiKeys(lookup), Basic(verify), public=["GET /health", "* /docs/*"]),
        Authorizer(
            rules=[
                Allow("GET /health", public=True),
                Allow("GET /docs/internal", role="admin"),
                Allow("GET /orders", scope="orders:read"),
                Allow(
                    "GET /orders/{id}",
                    check=lambda who, _, owner: who is not None and who.subject == owner,
                ),
                Allow("* /admin/*", role="admin", hide=True),
            ]
        ),
        RateLimiter("1000/second"),
    )


@both_adapters
def test_the_policies_work_together(adapter: Adapter) -> None:
    app = stack(adapter)
    key = [("X-API-Key", KEY)]

    def status(path: str, headers: list[tuple[str, str]]) -> int | None:
        return adapter.drive(app, path=path, headers=headers).status

    assert adapter.drive(app, path="/orders", headers=key).body == b"robot"
    assert status("/orders", []) == 401
    assert status("/orders", [BASIC]) == 403
    assert status("/orders/7", key) == 200
    assert status("/orders/7", [BASIC]) == 403
    assert status("/orders/8", key) == 500  # the view does not ask
    assert status("/health", []) == 200
    assert status("/admin/users", key) == 404
    assert status("/admin/users", [BASIC]) == 200
    assert status("/other", key) == 403


@both_adapters
def test_a_route_that_is_public_for_one_is_not_for_the_other(adapter: Adapter) -> None:
    app = stack(adapter)
    anonymous = adapter.drive(app, path="/docs/internal")
    assert anonymous.status == 401
    assert "Basic" in str(anonymous.getall("WWW-Authenticate"))
    assert adapter.drive(app, path="/docs/internal", headers=[BASIC]).body == b"ann"
