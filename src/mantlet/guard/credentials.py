"""Security requirements: whether credentials are there, in form, and good by the app's word.

Sources: OpenAPI 3.2.0, "Security Scheme Object" and "Security Requirement Object"; RFC 7617
(Basic), RFC 6750 (Bearer), RFC 9110, 11 and 15.5.2.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Final
from urllib.parse import parse_qsl

from mantlet.core.request import Request
from mantlet.guard.errors import Fault, Invalid, Place, pointer
from mantlet.guard.operation import Requirement, Scheme
from mantlet.guard.parameters.cookies import joined_cookies

__all__ = ["Checker", "Credential", "Credentials", "check_checkers"]

# RFC 9110, 11.2: token68; RFC 6750, 2.1.
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
#: No credential is longer.
_LONGEST: Final = 8192


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client has shown for one scheme.

    Attributes:
        scheme: the document's name of the scheme.
        value: a key or a token as it came; of HTTP's Basic the decoded ``user:password``; of
            ``mutualTLS`` nothing, since the server alone has seen the certificate.
        scopes: those that the operation asks for.
    """

    scheme: str
    value: str
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Credential({self.scheme!r}, scopes={self.scopes!r})"


#: Says whether a credential is good. It may raise a `Problem`, such as a 403, to answer itself.
Checker = Callable[[Request, Credential], bool | Awaitable[bool]]


def check_checkers(
    schemes: Iterable[str], checkers: Mapping[str, Checker], *, spare: bool = False
) -> None:
    """See to it that there is a checker for every scheme, and none for another.

    Args:
        schemes: those that an operation requires.
        checkers: by the schemes' names.
        spare: whether there may be others all the same.

    Raises:
        ValueError: there is not.
    """
    wanted = set(schemes)
    missing, unknown = sorted(wanted - set(checkers)), sorted(set(checkers) - wanted)
    if missing:
        raise ValueError(
            f"security must have a callable for each scheme that an operation requires; "
            f"there is none for {', '.join(missing)}"
        )
    if unknown and not spare:
        raise ValueError(f"security has callables that no operation requires: {unknown}")
    for name, checker in checkers.items():
        if not callable(checker):
            raise TypeError(f"security must hold a callable for {name!r}, not {checker!r}")


class Credentials:
    """What an operation requires of the credentials of a request.

    Args:
        alternatives: one of these must be satisfied, in whole.
        checkers: by the schemes' names.
    """

    __slots__ = ("_alternatives", "_challenges", "_checkers")

    def __init__(
        self, alternatives: tuple[Requirement, ...], checkers: Mapping[str, Checker]
    ) -> None:
        self._alternatives = alternatives
        self._checkers = checkers
        schemes = (scheme for requirement in alternatives for scheme, _ in requirement)
        self._challenges = ", ".join(dict.fromkeys(map(_challenge, schemes)))

    async def check(self, request: Request) -> None:
        """See to it that the request satisfies one of the alternatives.

        Raises:
            Invalid: with 401.
            Problem: a checker's own answer.
        """
        missing: dict[Fault, None] = {}
        for requirement in self._alternatives:
            if await self._satisfies(request, requirement, missing):
                return
        raise Invalid(401, missing, {"WWW-Authenticate": self._challenges})

    async def _satisfies(
        self, request: Request, requirement: Requirement, missing: dict[Fault, None]
    ) -> bool:
        shown = []
        for scheme, scopes in requirement:
            value = _shown(request, scheme)
            if value is None:
                missing[_fault(scheme, "missing_credential", "A valid credential is required")] = (
                    None
                )
            else:
                shown.append((scheme, Credential(scheme.name, value, scopes)))
        if len(shown) < len(requirement):
            return False
        for scheme, credential in shown:
            good = self._checkers[scheme.name](request, credential)
            if isawaitable(good):
                good = await good
            if not isinstance(good, bool):
                raise TypeError(
                    f"the callable of security for {scheme.name!r} must return True or False, "
                    f"not {type(good).__name__}"
                )
            if not good:
                missing[_fault(scheme, "refused_credential", "The credential was refused")] = None
                return False
        return True


def _shown(request: Request, scheme: Scheme) -> str | None:
    """Return the credential that a request has for a scheme, or None where it has none in form."""
    if scheme.kind == "mutualTLS":
        return ""
    if scheme.kind == "apiKey":
        found = _values(request, scheme)
        value = found[0] if len(found) == 1 else ""
        return value if value.isprintable() and 0 < len(value) <= _LONGEST else None
    kind, _, value = (_field(request, "Authorization") or "").partition(" ")
    wanted = scheme.scheme if scheme.kind == "http" else "bearer"
    value = value.strip(" ")
    if kind.lower() != wanted or not 0 < len(value) <= _LONGEST:
        return None
    if wanted == "basic":
        return _basic(value)
    if wanted == "bearer" and not _TOKEN68.fullmatch(value):
        return None
    return value


def _basic(value: str) -> str | None:
    """Return ``user:password`` (RFC 7617, 2), or None where the text is no such thing."""
    try:
        text = b64decode(value, validate=True).decode()
    except (Error, ValueError):
        return None
    return text if ":" in text and text.isprintable() else None


def _values(request: Request, scheme: Scheme) -> list[str]:
    if scheme.place == "header":
        value = _field(request, scheme.field)
        return [] if value is None else [value]
    if scheme.place == "cookie":
        pairs = (part.partition("=") for part in (joined_cookies(request) or "").split(";"))
        # Frameworks strip more than blanks off names, so that these would be the same to them.
        return [value.strip(" ") for name, _, value in pairs if name.strip() == scheme.field]
    query = request.query.decode("latin-1")
    return [
        value for name, value in parse_qsl(query, keep_blank_values=True) if name == scheme.field
    ]


def _field(request: Request, name: str) -> str | None:
    """Return a header field, or None where it is not there once."""
    value = request.headers.get(name)
    # One that came twice has been joined by a comma.
    if value is not None and "," in value:
        name = name.lower()
        if sum(other.lower() == name for other, _ in request.headers) > 1:
            return None
    return value


def _fault(scheme: Scheme, code: str, words: str) -> Fault:
    place: Place = "header"
    if scheme.place in ("query", "cookie"):
        place = "query" if scheme.place == "query" else "cookie"
    return Fault(place, pointer([scheme.field or "Authorization"]), code, words)


def _challenge(scheme: Scheme) -> str:
    """Return the challenge that a 401 must have (RFC 9110, 15.5.2)."""
    if scheme.kind == "http":
        return 'Basic realm="api"' if scheme.scheme == "basic" else scheme.scheme.capitalize()
    return {"apiKey": "ApiKey", "mutualTLS": "TLS"}.get(scheme.kind, "Bearer")
