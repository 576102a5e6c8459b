"""`ClaimRules`: from the claims of a token whose signature is right to an `Identity`.

Each claim has to be of the type that its RFC gives it: a ``bool`` is not a time, and a number is
not an audience. A claim that is wrong makes the token invalid, also where nobody would read it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from mantlet.authentication.errors import InvalidCredential
from mantlet.core.identity import Identity

__all__ = ["RFC_9068", "ClaimRules", "frozen"]

#: The claims that an access token must have besides those that every token must have here:
#: ``iss``, ``aud``, ``exp`` and the subject (RFC 9068, 2.2).
RFC_9068: Final = frozenset({"sub", "client_id", "iat", "jti"})

_ERROR: Final = "invalid_token"


class ClaimRules:
    """What the claims of a token must be.

    Args:
        issuer: the ``iss``.
        audiences: those of which one must be in the audience.
        audience_claim: the claim that has the audience.
        required: the names of further claims that must be there.
        expected: further claims and the values that they must have.
        subject: the claim that has the subject.
        roles: the path of the claim that has the roles; empty if there is none.
        leeway: how far clocks may differ, in seconds.
        max_age: the most seconds since ``iat``; None if ``exp`` is enough.
    """

    __slots__ = (
        "_audience_claim",
        "_audiences",
        "_expected",
        "_issuer",
        "_leeway",
        "_max_age",
        "_required",
        "_roles",
        "_subject",
    )

    # Any: values of JSON.
    def __init__(
        self,
        *,
        issuer: str,
        audiences: frozenset[str],
        audience_claim: str,
        required: frozenset[str],
        expected: Mapping[str, Any],
        subject: str,
        roles: tuple[str, ...],
        leeway: float,
        max_age: float | None,
    ) -> None:
        self._issuer = issuer
        self._audiences = audiences
        self._audience_claim = audience_claim
        self._required = required
        self._expected = tuple(expected.items())
        self._subject = subject
        self._roles = roles
        self._leeway = leeway
        self._max_age = max_age

    # Any: values of JSON.
    def identify(self, claims: dict[str, Any], scheme: str, now: float) -> Identity:
        """Return who a token belongs to.

        Args:
            claims: its claims.
            scheme: for `Identity.scheme`.
            now: the time, in seconds of Unix time.

        Raises:
            InvalidCredential: a claim is missing or wrong.
        """
        if claims.get("iss") != self._issuer:
            raise _invalid("the token is of another issuer (iss)")
        if self._audiences.isdisjoint(_texts(claims, self._audience_claim)):
            raise _invalid(f"the token is for another audience ({self._audience_claim})")
        for name in self._required:
            if claims.get(name) is None:
                raise _invalid(f"the token has no {name}")
        for name, value in self._expected:
            found = claims.get(name)
            if type(found) is not type(value) or found != value:
                raise _invalid(f"the claim {name} of the token is not as required")
        expires = self._check_times(claims, now)
        subject = claims.get(self._subject)
        if not isinstance(subject, str) or not subject:
            raise _invalid(f"the token has no subject ({self._subject})")
        for name in ("jti", "client_id"):
            if not isinstance(claims.get(name, ""), str):
                raise _invalid(f"the claim {name} of the token must be text")
        return Identity(
            subject,
            scheme,
            _scopes(claims),
            self._find_roles(claims) if self._roles else frozenset(),
            frozen(claims),
            None,
            expires,
        )

    # Any: values of JSON.
    def _check_times(self, claims: dict[str, Any], now: float) -> float:
        """Check the times (RFC 7519, 4.1.4 to 4.1.6), and return when the token expires."""
        leeway = self._leeway
        expires = _time(claims, "exp")
        if expires is None:
            raise _invalid("the token has no exp")
        if now >= expires + leeway:
            raise _invalid("the token has expired (exp)")
        not_before = _time(claims, "nbf")
        if not_before is not None and now + leeway < not_before:
            raise _invalid("the token is not valid yet (nbf)")
        issued = _time(claims, "iat")
        if issued is not None and now + leeway < issued:
            raise _invalid("the token was issued in the future (iat)")
        if self._max_age is not None:
            if issued is None:
                raise _invalid("the token has no iat")
            expires = min(expires, issued + self._max_age)
            if now >= expires + leeway:
                raise _invalid("the token was issued too long ago (iat)")
        return expires

    # Any: values of JSON.
    def _find_roles(self, claims: dict[str, Any]) -> frozenset[str]:
        value: Any = claims
        for name in self._roles:
            if not isinstance(value, dict):
                raise _invalid("the roles of the token are not where they must be")
            value = value.get(name)
            if value is None:
                return frozenset()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise _invalid("the roles of the token must be a list of texts")
        return frozenset(value)


def _invalid(reason: str) -> InvalidCredential:
    return InvalidCredential(reason, error=_ERROR)


# Any: values of JSON.
def _time(claims: dict[str, Any], name: str) -> float | None:
    """Return a NumericDate (RFC 7519, 2); None if there is none."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is int or type(value) is float:  # a bool is an int to `isinstance`
        return float(value)
    raise _invalid(f"the claim {name} of the token must be a number")


# Any: values of JSON.
def _texts(claims: dict[str, Any], name: str) -> tuple[str, ...] | list[str]:
    """Return a claim that is a text or a list of texts, such as ``aud`` (RFC 7519, 4.1.3)."""
    value = claims.get(name)
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise _invalid(f"the claim {name} of the token must be text or a list of texts")


# Any: values of JSON.
def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return the scopes: of ``scope`` (RFC 9068, 2.2.3), else of ``scp``, as some issuers do."""
    name = "scope" if "scope" in claims else "scp"
    if name not in claims:
        return frozenset()
    texts = _texts(claims, name)
    if isinstance(texts, tuple):
        texts = texts[0].split(" ")
    elif any(" " in one for one in texts):
        raise _invalid(f"the claim {name} of the token has a scope with a space")
    return frozenset(one for one in texts if one)


# Any: values of JSON.
def frozen(value: Any) -> Any:
    """Return a value that nobody can change, since later requests get the same one."""
    if type(value) is dict:
        return MappingProxyType({name: frozen(inner) for name, inner in value.items()})
    if type(value) is list:
        return tuple([frozen(inner) for inner in value])
    return value
