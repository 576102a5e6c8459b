"""Check the credentials of requests: presence, form, and the app's own verdict.

Sources: OpenAPI 3.2.0, "Security Scheme Object" and "Security Requirement Object"; RFC 7617
(Basic), RFC 6750 (Bearer), RFC 9110, 11 and 15.5.2.
"""

import logging
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import isawaitable
from typing import Final, Literal, Protocol, cast

from mantlet.core.identity import Authentication, Identity
from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, pointer
from mantlet.guard.operation import Operation, Requirement, SecurityScheme
from mantlet.guard.parameters.group import joined_cookies
from mantlet.http.percent_encoding import decode_escapes

__all__ = [
    "Credential",
    "CredentialCheck",
    "Judge",
    "Security",
    "SecurityOfApp",
    "SecurityOfAuthenticator",
    "SecurityRequirements",
    "check_security",
    "make_security",
    "validate_authentication",
    "validate_checks",
]

_log: Final = logging.getLogger("mantlet.guard")

# RFC 9110, 11.2: token68; RFC 6750, 2.1.
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
#: The maximum length of a credential.
_MAX_LENGTH: Final = 8192
#: The kinds of schemes whose credential is in the header ``Authorization``.
_AUTHORIZATION_KINDS: Final = frozenset({"http", "oauth2", "openIdConnect"})
#: The kinds of schemes whose requirements list scopes.
_SCOPED: Final = frozenset({"oauth2", "openIdConnect"})
_REPEATED: Final = ErrorItem(
    "header", "/Authorization", "repeated_credential", "The header must not be repeated"
)
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


#: Who judges credentials: callables by the names of the document's schemes, or a policy that
#: authenticates; None for the app.
Judge = Mapping[str, CredentialCheck] | Authentication | None


def check_security(
    option: Literal["app"] | Mapping[str, CredentialCheck] | Authentication | None,
) -> Judge:
    """Return the judge that the option ``security`` names.

    Raises:
        TypeError: it is neither ``"app"``, a mapping to callables nor an `Authenticator`.
    """
    if option == "app":
        return None
    if callable(getattr(option, "identify", None)):
        return cast("Authentication", option)
    if option is not None and not isinstance(option, Mapping):
        raise TypeError(
            f'security must be "app" or a mapping of callables, or an Authenticator, not {option!r}'
        )
    for name, check in (option or {}).items():
        if not callable(check):
            raise TypeError(f"security must hold a callable for {name!r}, not {check!r}")
    return dict(option or {})


def validate_authentication(
    operations: Iterable[Operation], authentication: Authentication
) -> None:
    """Log how many operations an `Authenticator` can't open, and for which schemes."""
    closed: dict[str, None] = {}
    count = 0
    for operation in operations:
        security = operation.security
        if any(not one or _source(one) in authentication.sources for one in security):
            continue
        closed.update(dict.fromkeys(scheme.name for one in security for scheme, _ in one))
        count += bool(security)
    if closed:
        _log.warning(
            "SchemaGuard: %s closed (401), since no scheme of the Authenticator reads their "
            "credentials, or they require several at once: %s",
            "1 operation is" if count == 1 else f"{count} operations are",
            ", ".join(map(repr, closed)),
        )


def validate_checks(
    operations: Iterable[Operation],
    checks: Mapping[str, CredentialCheck],
    *,
    allow_unused: bool = False,
) -> None:
    """Refuse checks that no operation requires, and log how many operations no check can open.

    Args:
        operations: the operations.
        checks: by the schemes' names.
        allow_unused: whether unused checks are allowed.

    Raises:
        ValueError: a check is unused.
        TypeError: a check is not callable.
    """
    check_security(checks)
    required: set[str] = set()
    closed: dict[str, None] = {}
    count = 0
    for operation in operations:
        names = [{scheme.name for scheme, _ in one} for one in operation.security]
        required.update(*names)
        if names and not any(one <= checks.keys() for one in names):
            count += 1
            closed.update(dict.fromkeys(sorted(set().union(*names) - checks.keys())))
    unused = sorted(checks.keys() - required)
    if unused and not allow_unused:
        raise ValueError(
            f"security has callables that no operation requires: {unused}; "
            f"the operations require {sorted(required)}"
        )
    if closed:
        _log.warning(
            "SchemaGuard: %s closed (401), since no callable checks their credentials: pass "
            'security={...} with %s, or security="app" if the app authenticates',
            "1 operation is" if count == 1 else f"{count} operations are",
            ", ".join(map(repr, closed)),
        )


class Security(Protocol):
    """Checks the credentials that an operation requires."""

    async def check(self, request: Request) -> None:
        """Check a request.

        Raises:
            ValidationFailed: the credentials are missing, rejected or ambiguous.
            Problem: a check raised its own response.
        """
        ...


def make_security(operation: Operation, judge: Judge) -> Security | None:
    """Return the credentials that an operation requires; None if it requires none.

    Args:
        operation: the operation, whose alternatives are requirements of which one must be satisfied
            completely.
        judge: who judges them.
    """
    alternatives = operation.security
    if isinstance(judge, Mapping):
        return SecurityRequirements(alternatives, judge) if any(alternatives) else None
    if judge is not None:
        # A contract can't say that it is public, as a document can.
        is_public = not all(alternatives) or not (alternatives or operation.is_pattern)
        return SecurityOfAuthenticator(alternatives, judge, is_public=is_public)
    schemes = (scheme for requirement in alternatives for scheme, _ in requirement)
    uses_header = any(scheme.kind in _AUTHORIZATION_KINDS for scheme in schemes)
    return _SECURITY_OF_APP if uses_header else None


class SecurityOfApp:
    """Leaves credentials to the app, which must see no more than one ``Authorization`` header.

    Another form is not required: the app may accept other schemes, such as tokens with characters
    that RFC 6750 does not allow, and ignores a stale cookie.
    """

    async def check(self, request: Request) -> None:
        """Refuse a repeated header; see `check_form()`."""
        self.check_form(request)

    def check_form(self, request: Request) -> None:
        """Refuse a repeated header, of which two readers may take different ones.

        Raises:
            ValidationFailed: with 400.
        """
        if len(request.headers.getall("Authorization")) > 1:
            raise ValidationFailed(400, [_REPEATED])


class SecurityOfAuthenticator:
    """Leaves credentials to an `Authenticator`: who is asking, and all responses, are its own.

    The guard compares the identity with the requirements: the place of the credential and the
    scopes, or, for schemes other than OAuth 2.0's, also roles (OpenAPI 3.1, 4.8.30).

    Args:
        alternatives: requirements, of which one must be satisfied; without any, any credential is
            enough.
        authentication: the policy that authenticates.
        is_public: whether anonymous requests pass.
    """

    __slots__ = ("_alternatives", "_authentication", "_is_public", "_takes_any")

    def __init__(
        self,
        alternatives: tuple[Requirement, ...],
        authentication: Authentication,
        *,
        is_public: bool,
    ) -> None:
        self._authentication = authentication
        self._is_public = is_public
        self._takes_any = not alternatives
        # A requirement of several schemes needs several credentials, which no identity has.
        self._alternatives = [
            (_source(one), frozenset(one[0][1]), one[0][0].kind in _SCOPED)
            for one in alternatives
            if len(one) == 1
        ]

    async def check(self, request: Request) -> None:
        """Require the identity of a request to satisfy one of the alternatives.

        Raises:
            Problem: the Authenticator's response.
        """
        authentication, is_public = self._authentication, self._is_public
        identity = await authentication.identify(request, optional=is_public)
        if is_public:
            return
        if identity is None:
            raise authentication.unauthorized()
        if self._takes_any:
            return
        source = authentication.source(request)
        lacking = None
        for own_source, needed, is_scoped in self._alternatives:
            if own_source == source:
                if needed <= _granted(identity, is_scoped=is_scoped):
                    return
                lacking = lacking or needed
        if lacking is None:  # another kind of credential is needed
            raise authentication.unauthorized()
        raise authentication.insufficient_scope(sorted(lacking))


def _granted(identity: Identity, *, is_scoped: bool) -> frozenset[str]:
    return identity.scopes if is_scoped else identity.scopes | identity.roles


def _source(requirement: Requirement) -> str:
    """Return where the credential of a requirement is; see `Authentication.source()`."""
    if len(requirement) != 1:
        return ""
    scheme = requirement[0][0]
    if scheme.kind in _SCOPED:
        return "bearer"
    if scheme.kind == "mutualTLS":
        return "mutual tls"
    if scheme.kind == "http":
        return scheme.scheme
    places = {"header": scheme.field.lower(), "cookie": f"cookie {scheme.field.lower()}"}
    return places.get(scheme.place, "")  # a key in the query is not read


class SecurityRequirements:
    """The credentials that an operation requires.

    Args:
        alternatives: requirements, of which one must be satisfied completely. An empty one, which
            lets anonymous requests through, is tried last: credentials that were sent are checked.
        checks: by the schemes' names.
    """

    __slots__ = ("_alternatives", "_challenges", "_checks", "_missing")

    def __init__(
        self, alternatives: tuple[Requirement, ...], checks: Mapping[str, CredentialCheck]
    ) -> None:
        # Those that lack a callable can't be satisfied.
        usable = [one for one in alternatives if all(scheme.name in checks for scheme, _ in one)]
        self._alternatives = sorted(usable, key=lambda requirement: not requirement)
        self._missing = [_missing(scheme) for one in alternatives for scheme, _ in one[:1]]
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
        raise ValidationFailed(401, errors or self._missing, {"WWW-Authenticate": self._challenges})

    async def _satisfies(
        self, request: Request, requirement: Requirement, errors: dict[ErrorItem, None]
    ) -> bool:
        sent = []
        for scheme, scopes in requirement:
            value = _read_credential(request, scheme)
            if value is None:
                errors[_missing(scheme)] = None
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


def _read_credential(request: Request, scheme: SecurityScheme) -> str | None:
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


def _values(request: Request, scheme: SecurityScheme) -> list[str]:
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


def _missing(scheme: SecurityScheme) -> ErrorItem:
    return _error(scheme, "missing_credential", "A valid credential is required")


def _error(scheme: SecurityScheme, code: str, detail: str) -> ErrorItem:
    place: Place = "header"
    if scheme.place in ("query", "cookie"):
        place = "query" if scheme.place == "query" else "cookie"
    return ErrorItem(place, pointer([scheme.field or "Authorization"]), code, detail)


def _challenge(scheme: SecurityScheme) -> str:
    """Return the challenge of a scheme, which a 401 must have (RFC 9110, 15.5.2)."""
    if scheme.kind == "http":
        return 'Basic realm="api"' if scheme.scheme == "basic" else scheme.scheme.capitalize()
    return {"apiKey": "ApiKey", "mutualTLS": "TLS"}.get(scheme.kind, "Bearer")


_SECURITY_OF_APP: Final = SecurityOfApp()
