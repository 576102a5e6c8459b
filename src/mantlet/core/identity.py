"""Who is asking: what the policy that authenticates tells the app and the other policies."""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from mantlet.core.policy import HealthState
    from mantlet.core.problem import Problem
    from mantlet.core.request import Request

__all__ = ["Authentication", "Identity"]

_NO_CLAIMS: Final[Mapping[str, Any]] = MappingProxyType({})


# Any: claims are JSON values, and a user is an object of the app's own.
@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated client.

    Attributes:
        subject: who it is, as the issuer of the credential names it (RFC 7519, 4.1.2).
        scheme: the kind of the credential, such as ``"jwt"`` or ``"api_key"``.
        scopes: what the credential is for (RFC 6749, 3.3).
        roles: the roles of the subject.
        claims: what else the issuer says about the subject.
        user: the app's own object, if the policy loads one.
        expires: when the credential expires, in seconds of Unix time; None if it does not.
    """

    subject: str
    scheme: str
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=lambda: _NO_CLAIMS, repr=False, hash=False)
    user: Any = field(default=None, repr=False, hash=False)
    expires: float | None = None


class Authentication(Protocol):
    """The policy that authenticates, as the other policies see it (`State._authentication`)."""

    @property
    def sources(self) -> Collection[str]:
        """Where it reads credentials; see `source()`."""
        ...

    def identify(self, request: "Request", *, optional: bool = False) -> Awaitable[Identity | None]:
        """Return who is asking, None if the request has no credential.

        The credential is verified once in an exchange, whoever asks.

        Args:
            request: the request.
            optional: whether a credential that is not accepted counts as none.

        Raises:
            Problem: the credential is invalid, or can't be verified now.
        """
        ...

    def source(self, request: "Request") -> str:
        """Return where the credential of an identified request was; "" if there was none.

        That is the auth-scheme of ``Authorization``, such as ``"bearer"`` (also for DPoP); the name
        of the header; ``"cookie "`` and the name of the cookie; or ``"mutual tls"``. All in lower
        case.
        """
        ...

    def unauthorized(self) -> "Problem":
        """Return the response to a request without a credential: 401 with every challenge."""
        ...

    def insufficient_scope(self, scopes: Collection[str]) -> "Problem":
        """Return the response to a credential without a scope: 403 (RFC 6750, 3.1).

        Args:
            scopes: all scopes that the request needs.
        """
        ...

    def startup(self) -> Awaitable[None] | None:
        """Prepare before the first request, as `Policy.startup`; it may be called again."""
        ...

    def shutdown(self) -> Awaitable[None] | None:
        """Release the resources of `startup`; it may be called again."""
        ...

    def health(self) -> "Mapping[str, HealthState] | Awaitable[Mapping[str, HealthState]]":
        """Return the state of each provider, as `Policy.health`."""
        ...
