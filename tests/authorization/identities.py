"""A policy that says who is asking, as a test wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mantlet import Identity, Policy, Problem

if TYPE_CHECKING:
    from collections.abc import Collection

    from mantlet import Request

#: The identities of tests, by the value of the header ``X-Test-User``.
IDENTITIES = {
    "reader": Identity("reader", "jwt", scopes=frozenset({"orders:read"})),
    "writer": Identity(
        "writer",
        "jwt",
        scopes=frozenset({"orders:read", "orders:write"}),
        roles=frozenset({"clerk"}),
    ),
    "admin": Identity(
        "admin", "jwt", roles=frozenset({"admin"}), claims={"acr": "mfa", "tenant": ["a", "b"]}
    ),
    "key": Identity("key", "api_key", roles=frozenset({"admin"})),
}


class TestAuthentication(Policy):
    """Takes the name in a header for an identity, as `Authenticator` does with credentials.

    Args:
        waits: whether it says who is asking only if another policy wants to know.
    """

    __test__ = False
    position = 60
    sources = ("bearer",)

    def __init__(self, *, waits: bool = False) -> None:
        self._waits = waits
        self.asked = 0

    def on_request(self, request: Request) -> None:
        """Note the identity."""
        request.state._authentication = self
        if not self._waits:
            request.state.identity = self._identity(request)

    async def identify(self, request: Request, *, optional: bool = False) -> Identity | None:
        """Return who is asking."""
        self.asked += 1
        return self._identity(request)

    def _identity(self, request: Request) -> Identity | None:
        name = request.headers.get("X-Test-User")
        return None if name is None else IDENTITIES[name]

    def source(self, request: Request) -> str:
        """Return where credentials are."""
        identity = self._identity(request)
        return "x-api-key" if identity is not None and identity.scheme == "api_key" else "bearer"

    def unauthorized(self) -> Problem:
        """Return a 401 with two challenges."""
        return Problem(401, headers={"WWW-Authenticate": 'Bearer, Basic realm="api"'})

    def insufficient_scope(self, scopes: Collection[str]) -> Problem:
        """Return a 403 of RFC 6750."""
        named = " ".join(scopes)
        challenge = f'Bearer error="insufficient_scope", scope="{named}"'
        return Problem(403, headers={"WWW-Authenticate": challenge})


def user(name: str | None) -> list[tuple[str, str]]:
    """Return the headers of a request by somebody."""
    return [] if name is None else [("X-Test-User", name)]
