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
        issuer: the one whose credentials alone it accepts; empty if there is none.
        authorization: the auth-schemes of ``Authorization`` (RFC 9110, 11.6.2) that the scheme
            takes its credential from, such as ``("Bearer", "DPoP")``. `Authenticator` then reads
            that header once for all schemes, and does not call `find()`.
        header: the request header without which `find()` need not be called; empty if it is to be
            called for every request.
        is_ambient: whether the browser or the connection adds the credential by itself, as with
            cookies and certificates: it counts only where the request has no other one.
        challenge: the challenge in ``WWW-Authenticate`` (RFC 9110, 11.6.1) without realm and error:
            the auth-scheme, then its own parameters, such as ``'Basic charset="UTF-8"'``; empty if
            there is none.
        trusted_headers: as `Policy.trusted_headers`.
    """

    name: ClassVar[str]
    source: str
    issuer: str = ""
    authorization: tuple[str, ...] = ()
    header: str = ""
    is_ambient: bool = False
    challenge: str = ""
    trusted_headers: frozenset[str] = frozenset()

    def find(self, request: Request) -> str | None:
        """Return the request's credential, None if it has none.

        Called only for schemes without `authorization`.

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

        Args:
            request: the request.
            credential: the result of `find()`; or the rest of ``Authorization`` after the
                auth-scheme: any text without commas, of at most 64 KiB.

        Raises:
            InvalidCredential: it is wrong, expired or revoked.
            AuthenticationUnavailable: it can't be verified now.
        """
        raise NotImplementedError

    def startup(self) -> Awaitable[None] | None:
        """Prepare before the first request, as `Policy.startup`; it may be called again."""

    def shutdown(self) -> Awaitable[None] | None:
        """Release the resources of `startup`, as `Policy.shutdown`; it may be called again."""

    def health(self) -> HealthState:
        """Return the state of the provider that the scheme depends on, as `Policy.health`."""
        return "ok"
