"""Check that a client has the key that a verified token is bound to: its claim ``cnf`` (RFC 7800).

A token that is bound to a key is worth nothing without it, so a confirmation that can't be checked
refuses the token: one of a method that is not configured, or not known.
"""

import re
from collections.abc import Awaitable, Mapping
from hmac import compare_digest
from typing import Any, Final

from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.possession.client_certificate import ClientCertificate
from mantlet.authentication.possession.dpop import Dpop
from mantlet.core.request import Request

__all__ = ["check_binding"]

_JKT: Final = "jkt"
_X5T: Final = "x5t#S256"
_KNOWN: Final = frozenset({_JKT, _X5T})
#: A SHA-256 digest in Base64url, as both methods have it.
_DIGEST: Final = re.compile(r"[A-Za-z0-9_\-]{43}")
_ERROR: Final = "invalid_token"


def check_binding(
    request: Request,
    claims: Mapping[str, Any],  # Any: values of JSON
    token: str,
    *,
    is_dpop: bool,
    dpop: Dpop | None,
    certificate: ClientCertificate | None,
) -> Awaitable[None] | None:
    """Check that a client has the key that its token is bound to, if it is bound to one.

    Args:
        request: the request.
        claims: those of the token, which was verified.
        token: the token.
        is_dpop: whether it was sent as ``Authorization: DPoP``.
        dpop: verifies proofs of ``cnf.jkt`` (RFC 9449, 6.1).
        certificate: finds the request's certificate, for ``cnf.x5t#S256`` (RFC 8705, 3.1).

    Returns:
        None, or an awaitable of it, which must be awaited.

    Raises:
        InvalidCredential: it has not, or it can't be checked; a bound token was sent as a bearer
            token, or the other way round.
        AuthenticationUnavailable: whether a proof was used before can't be told now.
    """
    if "cnf" not in claims:
        if is_dpop:
            raise InvalidCredential(
                "a token that is not bound to a key was sent as DPoP", error=_ERROR
            )
        return None
    methods = _methods(claims["cnf"])
    if (_JKT in methods) != is_dpop:
        sent = (
            "as DPoP, but is not bound to a key" if is_dpop else "as Bearer, but is bound to a key"
        )
        raise InvalidCredential(f"the token was sent {sent}", error=_ERROR)
    if _X5T in methods:
        _check_certificate(request, certificate, methods[_X5T])
    if _JKT not in methods:
        return None
    if dpop is None:
        raise InvalidCredential("the token is bound to a key, but dpop is not set", error=_ERROR)
    return dpop.verify(request, token, methods[_JKT])


# Any: a value of JSON.
def _methods(confirmation: Any) -> Mapping[str, str]:
    """Return the digests of a claim ``cnf`` by their methods.

    Raises:
        InvalidCredential: it is malformed, or has a method that is not known.
    """
    if not isinstance(confirmation, Mapping) or not confirmation:
        raise InvalidCredential("the token has a malformed confirmation (cnf)", error=_ERROR)
    if not _KNOWN.issuperset(confirmation):
        raise InvalidCredential("the token is bound in a way that is not supported", error=_ERROR)
    for digest in confirmation.values():
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise InvalidCredential("the token has a malformed confirmation (cnf)", error=_ERROR)
    return confirmation


def _check_certificate(
    request: Request, certificate: ClientCertificate | None, digest: str
) -> None:
    try:
        presented = None if certificate is None else certificate.present(request)
    except InvalidCredential as error:
        raise InvalidCredential(error.reason, error=_ERROR) from None
    if presented is None:
        raise InvalidCredential("the token needs a client certificate", error=_ERROR)
    if not compare_digest(presented.thumbprint, digest):
        raise InvalidCredential("the token is bound to another certificate", error=_ERROR)
