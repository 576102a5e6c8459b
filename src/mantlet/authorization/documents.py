"""The rules of an OpenAPI document: the scopes and schemes of its security requirements.

Of the alternatives of an operation, an identity must satisfy one: its credential is of the kind
that the alternative's scheme describes, and has all of its scopes. ``{}`` among them, or an empty
list, makes the operation public. An operation without ``security``, in a document without any, has
no rule. A document's servers may have paths, which the app sees or not: rules are for both.

Sources: OpenAPI 3.2.0, "Security Requirement Object" and "Security Scheme Object".
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from mantlet.authorization.rules import AccessRule, Missing
from mantlet.core.identity import Identity
from mantlet.core.request import Request
from mantlet.http.routing import METHODS

if TYPE_CHECKING:
    from mantlet.guard.openapi.security import SchemeDescription, SecuredOperation

__all__ = ["DocumentOption", "document_rules"]

# Any: plain JSON.
DocumentOption = str | os.PathLike[str] | Mapping[str, Any]

_log: Final = logging.getLogger("mantlet.authorization")
_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")
_PARAMETER_NAME: Final = re.compile(r"\{[^{}:]*")
#: For each alternative, the kinds of credentials that it takes; the scopes; and for an API key
#: where it has to be, as `Authentication.source()` names it, else "".
_Alternatives = tuple[tuple[frozenset[str], frozenset[str], str], ...]
#: The kinds of identities that a kind of security scheme stands for (`Identity.scheme`).
_TOKENS: Final = frozenset({"jwt", "introspection"})
_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "apiKey": frozenset({"api_key"}),
    "cookie": frozenset({"api_key", "session"}),
    "basic": frozenset({"basic"}),
    "bearer": _TOKENS,
    "dpop": _TOKENS,
    "mutualTLS": frozenset({"client_certificate"}),
    "oauth2": _TOKENS,
    "openIdConnect": _TOKENS,
}


class DocumentRule(AccessRule):
    """What an operation of a document requires.

    Args:
        pattern: its route pattern.
        alternatives: for each alternative, the kinds of credentials that it takes, the scopes, and
            where an API key has to be; None if anyone may pass.
    """

    source = "openapi"

    def __init__(self, pattern: str, alternatives: _Alternatives | None) -> None:
        self.pattern = pattern
        self.public = alternatives is None
        self._alternatives = alternatives or ()

    def missing(self, identity: Identity, request: Request) -> Missing | None:
        """Return what an identity lacks, None if it may pass."""
        if self.public:
            return None
        authentication = request.state._authentication
        own = [
            scopes
            for kinds, scopes, place in self._alternatives
            if identity.scheme in kinds
            and (not place or authentication is None or authentication.source(request) == place)
        ]
        if any(scopes <= identity.scopes for scopes in own):
            return None
        if not own:
            return Missing("scheme")
        # The alternative that lacks least.
        nearest = min(own, key=lambda scopes: len(scopes - identity.scopes))
        return Missing("scope", tuple(sorted(nearest)))

    def needs(self) -> str:
        """Return what the rule asks for, in words."""
        if self.public:
            return "anyone"
        alternatives = []
        for kinds, scopes, place in self._alternatives:
            scope = f" with scope {' and '.join(sorted(scopes))}" if scopes else ""
            where = f" in {place}" if place else ""
            alternatives.append(f"{'/'.join(sorted(kinds))}{where}{scope}")
        return " or ".join(alternatives) or "nobody"


def document_rules(source: DocumentOption) -> list[AccessRule]:
    """Return the rules of a document.

    Raises:
        DocumentError: the document is invalid.
        ImportError: the extra ``openapi`` is not installed.
        TypeError: the source is neither a path nor a dict.
        ValueError: a path can't be written as a route pattern.
    """
    from mantlet.guard.openapi.security import read_security  # needs the extra

    patterns: dict[str, str] = {}
    required: dict[str, _Alternatives | None] = {}
    unnamed = []
    for operation in read_security(source):
        # A rule of "*" in place of a method that can't be named would be for others as well.
        if operation.alternatives is None or operation.method not in METHODS:
            unnamed.append(operation.name)
            continue
        alternatives = _alternatives(operation)
        for template in operation.templates:
            pattern = f"{operation.method} {_pattern_path(template)}"
            # The same requests: other names of parameters, a slash, or with the base path.
            same = _PARAMETER_NAME.sub("{", pattern.rstrip("/"))
            patterns.setdefault(same, pattern)
            required[same] = _both(required.get(same), alternatives)
    if unnamed:
        _log.warning(
            "The OpenAPI document has no security for these operations, or their methods are not "
            "registered, so it has no rule for them: %s",
            "; ".join(unnamed),
        )
    return [DocumentRule(patterns[same], found) for same, found in required.items()]


def _both(first: _Alternatives | None, second: _Alternatives | None) -> _Alternatives | None:
    """Return the alternatives that satisfy two operations at once; None is for anyone."""
    if first is None or second is None:
        return second if first is None else first
    return tuple(
        (kinds & others, scopes | more, place or other_place)
        for kinds, scopes, place in first
        for others, more, other_place in second
        if kinds & others and len({place, other_place} - {""}) < 2
    )


def _alternatives(operation: "SecuredOperation") -> _Alternatives | None:
    """Return the kinds and scopes of each alternative; None if one of them is for anyone."""
    found = []
    for requirement in operation.alternatives or ():
        if not requirement:
            return None
        kinds = frozenset.intersection(*(_kinds(scheme) for scheme, _ in requirement))
        scopes = frozenset(scope for _, scopes in requirement for scope in scopes)
        places = {_place(scheme) for scheme, _ in requirement} - {""}
        if kinds and len(places) < 2:
            found.append((kinds, scopes, "".join(places)))
        else:
            _log.warning(
                "%s: nobody can satisfy an alternative of several schemes, %s, since a request "
                "has one credential",
                operation.name,
                " and ".join(scheme.name for scheme, _ in requirement),
            )
    return tuple(found)


def _kinds(scheme: "SchemeDescription") -> frozenset[str]:
    """Return the kinds of identities of a scheme, by its type or its name."""
    kind = scheme.kind
    if kind == "http":
        kind = scheme.scheme or ""
    elif kind == "apiKey" and scheme.place == "cookie":
        kind = "cookie"
    return _KINDS.get(kind, frozenset()) | {scheme.name}


def _place(scheme: "SchemeDescription") -> str:
    """Return where an API key has to be; "" for another credential."""
    if scheme.kind != "apiKey" or scheme.parameter is None:
        return ""
    name = scheme.parameter.lower()
    return f"cookie {name}" if scheme.place == "cookie" else name


def _pattern_path(template: str) -> str:
    """Return a path template as that of a route pattern."""
    return "".join(_pieces(template))


def _pieces(template: str) -> Iterator[str]:
    last = 0
    for number, found in enumerate(_PARAMETER.finditer(template)):
        name, _, rest = found[1].partition(":")
        name = name if name.isidentifier() else f"parameter_{number}"
        yield unquote(template[last : found.start()])
        yield f"{{{name}:path}}" if rest == "path" else f"{{{name}}}"
        last = found.end()
    yield unquote(template[last:])
