"""`Scheme`: one way to say who is asking, as `Authenticator` uses it."""

from collections.abc import Awaitable
from typing import ClassVar

from mantlet.core.identity import Identity
from mantlet.core.policy import HealthState
from mantlet.core.request import Request

__all__ = ["Scheme"]


class Scheme:
    """One kind of credential. Immutable once made; options are checked in ``__init__``.

    Attributes:
        name: the kind, for `Identity.scheme`.
        source: where the credential is, such as ``"Bearer"``, ``"Basic"`` or ``"X-API-Key"``.
            Schemes with the same source read the same credential; the first that accepts it
            verifies it. Credentials in two sources are ambiguous, apart from ambient ones.
        is_ambient: whether the browser or the connection adds the credential by itself, as with
            cookies and certificates: it counts only where the request has no other one.
        challenge: the challenge in ``WWW-Authenticate`` (RFC 9110, 11.6.1) without an error, such
            as ``'Basic realm="api"'``; empty if there is none.
    """

    name: ClassVar[str]
    source: str
    is_ambient: bool = False
    challenge: str = ""

    def find(self, request: Request) -> str | None:
        """Return the request's credential, None if it has none.

        Raises:
            InvalidCredential: it is malformed.
            AmbiguousCredential: there are several.
        """
        raise NotImplementedError

    def accepts(self, credential: str) -> bool:
        """Return whether the credential is one for this scheme, among those of one source."""
        return True

    def verify(self, request: Request, credential: str) -> Identity | Awaitable[Identity]:
        """Return who the credential belongs to.

        Raises:
            InvalidCredential: it is wrong, expired or revoked.
            AuthenticationUnavailable: it can't be verified now.
        """
        raise NotImplementedError

    def startup(self) -> Awaitable[None] | None:
        """Prepare before the first request, as `Policy.startup`."""

    def shutdown(self) -> Awaitable[None] | None:
        """Release the resources of `startup`, as `Policy.shutdown`."""

    def health(self) -> HealthState:
        """Return the state of the provider that the scheme depends on, as `Policy.health`."""
        return "ok"
