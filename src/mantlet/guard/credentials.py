"""Check the credentials of requests: presence, form, and the app's own verdict.

Sources: OpenAPI 3.2.0, "Security Scheme Object" and "Security Requirement Object"; RFC 7617
(Basic), RFC 6750 (Bearer), RFC 9110, 11 and 15.5.2.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import isawaitable
from typing import Final

from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, pointer
from mantlet.guard.operation import Requirement, Scheme
from mantlet.guard.parameters.group import joined_cookies
from mantlet.http.percent_encoding import decode_escapes

__all__ = ["Credential", "CredentialCheck", "SecurityRequirements", "validate_checks"]

# RFC 9110, 11.2: token68; RFC 6750, 2.1.
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
#: The maximum length of a credential.
_MAX_LENGTH: Final = 8192
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that a client has sent for one scheme.

    Attributes:
        scheme: the document's name of the scheme.
        value: a key or a token as received; for HTTP Basic the decoded ``user:password``; empty for
            ``mutualTLS``, whose certificate only the server has seen.
        scopes: the scopes that the operation requires.
    """

    scheme: str
    value: str
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Credential({self.scheme!r}, scopes={self.scopes!r})"


#: Returns whether a credential is valid. It may raise a `Problem`, such as a 403, as the response.
CredentialCheck = Callable[[Request, Credential], bool | Awaitable[bool]]


def validate_checks(
    schemes: Iterable[str], checks: Mapping[str, CredentialCheck], *, allow_unused: bool = False
) -> None:
    """Require a check for every scheme, and none for another.

    Args:
        schemes: the schemes that operations require.
        checks: by the schemes' names.
        allow_unused: whether other checks are allowed.

    Raises:
        ValueError: a check is missing or unused.
        TypeError: a check is not callable.
    """
    required = set(schemes)
    missing, unused = sorted(required - set(checks)), sorted(set(checks) - required)
    if missing:
        raise ValueError(
            f"security must have a callable for each scheme that an operation requires; "
            f"missing: {', '.join(missing)}"
        )
    if unused and not allow_unused:
        raise ValueError(f"security has callables that no operation requires: {unused}")
    for name, check in checks.items():
        if not callable(check):
            raise TypeError(f"security must hold a callable for {name!r}, not {check!r}")


class SecurityRequirements:
    """The credentials that an operation requires.

    Args:
        alternatives: requirements, of which one must be satisfied completely.
        checks: by the schemes' names.
    """

    __slots__ = ("_alternatives", "_challenges", "_checks")

    def __init__(
        self, alternatives: tuple[Requirement, ...], checks: Mapping[str, CredentialCheck]
    ) -> None:
        self._alternatives = alternatives
        self._checks = checks
        schemes = (scheme for requirement in alternatives for scheme, _ in requirement)
        self._challenges = ", ".join(dict.fromkeys(map(_challenge, schemes)))

    async def check(self, request: Request) -> None:
        """Require a request to satisfy one of the alternatives.

        Raises:
            ValidationFailed: with 401.
            Problem: a check raised its own response.
        """
        errors: dict[ErrorItem, None] = {}
        for requirement in self._alternatives:
            if await self._satisfies(request, requirement, errors):
                return
        raise ValidationFailed(401, errors, {"WWW-Authenticate": self._challenges})

    async def _satisfies(
        self, request: Request, requirement: Requirement, errors: dict[ErrorItem, None]
    ) -> bool:
        sent = []
        for scheme, scopes in requirement:
            value = _read_credential(request, scheme)
            if value is None:
                error = _error(scheme, "missing_credential", "A valid credential is required")
                errors[error] = None
            else:
                sent.append((scheme, Credential(scheme.name, value, scopes)))
        if len(sent) < len(requirement):
            return False
        for scheme, credential in sent:
            valid = self._checks[scheme.name](request, credential)
            if isawaitable(valid):
                valid = await valid
            if not isinstance(valid, bool):
                raise TypeError(
                    f"the callable of security for {scheme.name!r} must return True or False, "
                    f"not {type(valid).__name__}"
                )
            if not valid:
                error = _error(scheme, "refused_credential", "The credential was rejected")
                errors[error] = None
                return False
        return True


def _read_credential(request: Request, scheme: Scheme) -> str | None:
    """Return the request's credential for a scheme, or None if it is missing or malformed."""
    if scheme.kind == "mutualTLS":
        return ""
    if scheme.kind == "apiKey":
        values = _values(request, scheme)
        value = values[0] if len(values) == 1 else ""
        return value if value.isprintable() and 0 < len(value) <= _MAX_LENGTH else None
    kind, _, value = (_single_header(request, "Authorization") or "").partition(" ")
    expected = scheme.scheme if scheme.kind == "http" else "bearer"
    value = value.strip(" ")
    if kind.lower() != expected or not 0 < len(value) <= _MAX_LENGTH:
        return None
    if expected == "basic":
        return _basic(value)
    if expected == "bearer" and not _TOKEN68.fullmatch(value):
        return None
    return value


def _basic(value: str) -> str | None:
    """Return ``user:password`` (RFC 7617, 2), or None if the text is malformed."""
    try:
        text = b64decode(value, validate=True).decode()
    except (Error, ValueError):
        return None
    return text if ":" in text and text.isprintable() else None


def _values(request: Request, scheme: Scheme) -> list[str]:
    if scheme.place == "header":
        value = _single_header(request, scheme.field)
        return [] if value is None else [value]
    if scheme.place == "cookie":
        # Frameworks strip more than blanks from names, so they would take these for the same.
        pairs = rf"(?:\A|;)\s*{re.escape(scheme.field)}\s*(?:=([^;]*)|(?=;|\Z))"
        found = re.findall(pairs, joined_cookies(request) or "")
        return [value.strip(" ") for value in found]
    raw = _query_field(scheme.field).findall(request.query)
    # More than one is malformed, even if they are equal; and so is an incomplete escape.
    if len(raw) > 1 or (raw and _BAD_ESCAPE.search(raw[0])):
        return []
    return [decode_escapes(value.replace(b"+", b" ")).decode("utf-8", "replace") for value in raw]


@cache
def _query_field(name: str) -> re.Pattern[bytes]:
    """Return a pattern that finds the values of a field in a query, however its name is encoded."""
    spelled = "".join(
        rf"(?:{re.escape(chr(byte))}|%(?i:{byte:02x}){'|[+]' * (byte == 0x20)})"
        for byte in name.encode()
    )
    return re.compile(rf"(?:\A|&){spelled}(?:=([^&]*)|(?=&|\Z))".encode("latin-1"))


def _single_header(request: Request, name: str) -> str | None:
    """Return a header, or None unless it was sent exactly once."""
    lines = request.headers.getall(name)
    return lines[0] if len(lines) == 1 else None


def _error(scheme: Scheme, code: str, detail: str) -> ErrorItem:
    place: Place = "header"
    if scheme.place in ("query", "cookie"):
        place = "query" if scheme.place == "query" else "cookie"
    return ErrorItem(place, pointer([scheme.field or "Authorization"]), code, detail)


def _challenge(scheme: Scheme) -> str:
    """Return the challenge of a scheme, which a 401 must have (RFC 9110, 15.5.2)."""
    if scheme.kind == "http":
        return 'Basic realm="api"' if scheme.scheme == "basic" else scheme.scheme.capitalize()
    return {"apiKey": "ApiKey", "mutualTLS": "TLS"}.get(scheme.kind, "Bearer")
