"""`Challenges`: the responses to requests without a valid credential.

Sources: RFC 9110, 11.6.1 and 15.5.2; RFC 6750, 3; RFC 9449, 7.1.
"""

import re
from collections.abc import Collection, Iterable
from math import ceil
from typing import Final

from mantlet.authentication.errors import (
    AmbiguousCredential,
    AuthenticationUnavailable,
    InvalidCredential,
)
from mantlet.core.problem import FixedProblem, Problem

__all__ = ["CREDENTIAL_ERRORS", "Challenges", "CredentialError"]

CredentialError = AmbiguousCredential | AuthenticationUnavailable | InvalidCredential
#: The same for ``except``.
CREDENTIAL_ERRORS: Final = (AmbiguousCredential, AuthenticationUnavailable, InvalidCredential)

_BEARER: Final = "Bearer"
# RFC 9110, 5.6.4: what a quoted string holds without a backslash.
_REALM: Final = re.compile(r"[ !#-\[\]-~]+")
# RFC 6749, 3.3.
_SCOPE: Final = re.compile(r"[!#-\[\]-~]+")
#: RFC 9110, 10.2.3: whole seconds.
_MAX_RETRY_AFTER: Final = 3600


class Challenges:
    """Makes the responses to requests without a valid credential: only text meant for the client.

    Args:
        challenges: the challenge of each scheme, without realm and error; see `Scheme.challenge`.
        realm: of all of them.

    Raises:
        TypeError: the realm is not text.
        ValueError: it is not printable ASCII, or has a quote or a backslash.
    """

    def __init__(self, challenges: Iterable[str], realm: str) -> None:
        if not isinstance(realm, str):
            raise TypeError(f'realm must be text such as "api", not {realm!r}')
        if not _REALM.fullmatch(realm):
            raise ValueError(
                f"realm must be printable ASCII without quotes and backslashes, not {realm!r}"
            )
        parts = (challenge.partition(" ") for challenge in dict.fromkeys(challenges))
        #: The auth-schemes with the parameters of their challenges.
        self._parameters = {
            name: f'realm="{realm}"{own and ", "}{own}' for name, _, own in parts if name
        }
        self._missing = self._unauthorized("", "", "A credential is required.")
        self._invalid: dict[tuple[str, str], FixedProblem] = {}
        error = self._challenge(_BEARER, 'error="invalid_request"')
        self._bad_request = {"WWW-Authenticate": error} if error else {}

    def missing(self) -> Problem:
        """Return the response to a request without a credential: 401 with all challenges."""
        return self._missing

    def refusal(self, error: CredentialError, auth_scheme: str) -> Problem:
        """Return the response to a credential that is not accepted.

        Args:
            error: what is wrong.
            auth_scheme: the auth-scheme of the credential; its challenge gets the error's code.
        """
        if isinstance(error, InvalidCredential):
            known = self._invalid.get((auth_scheme, error.error))
            if known is None:  # codes and auth-schemes are few
                known = self._invalid[auth_scheme, error.error] = self._unauthorized(
                    auth_scheme, error.error, "The credential is not valid."
                )
            return known
        if isinstance(error, AmbiguousCredential):
            return Problem(400, detail=_sentence(error.reason), headers=self._bad_request)
        seconds = ceil(min(max(1, error.retry_after), _MAX_RETRY_AFTER))
        return Problem(
            503,
            detail="Credentials can't be verified at the moment.",
            headers={"Retry-After": str(seconds)},
        )

    def insufficient_scope(self, scopes: Collection[str]) -> Problem:
        """Return the response to a credential without a scope: 403 (RFC 6750, 3.1)."""
        known = " ".join(scope for scope in scopes if _SCOPE.fullmatch(scope))
        error = 'error="insufficient_scope"' + (f', scope="{known}"' if known else "")
        challenge = self._challenge(_BEARER, error)
        return Problem(
            403,
            detail="The credential lacks a scope that the request needs.",
            headers={"WWW-Authenticate": challenge} if challenge else {},
        )

    def _unauthorized(self, auth_scheme: str, error: str, detail: str) -> FixedProblem:
        code = f'error="{error}"' if error else ""
        every = (
            self._challenge(name, code if name == auth_scheme else "") for name in self._parameters
        )
        return FixedProblem(401, detail=detail, headers={"WWW-Authenticate": ", ".join(every)})

    def _challenge(self, name: str, error: str) -> str:
        """Return the challenge of an auth-scheme with an error; empty if it is not used here."""
        parameters = self._parameters.get(name)
        return "" if parameters is None else f"{name} {parameters}{error and ', '}{error}"


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."
