"""`Allow`: who may use a route, and the check of an identity against it."""

from collections.abc import Callable, Collection, Mapping
from inspect import iscoroutinefunction
from typing import Any, Final, Literal, NamedTuple

from mantlet._internal.options import KnowsOptions
from mantlet.core.identity import Identity
from mantlet.core.request import Request
from mantlet.http.routing import parse_pattern

__all__ = ["AccessRule", "Allow", "Check", "HiddenPath", "Missing"]

# Any: an object of the app's own.
#: Returns whether somebody may do something to an object; None is a client without an identity.
Check = Callable[[Identity | None, str, Any], bool]
# Any: a JSON value.
_Values = tuple[Any, ...]

#: Characters of a scope (RFC 6749, 3.3): printable ASCII without blanks, quotes and backslashes.
_NOT_IN_SCOPES: Final = frozenset(' "\\')


class Missing(NamedTuple):
    """What an identity lacks.

    Attributes:
        kind: the kind of what it lacks; ``"scheme"`` for another kind of credential.
        scopes: all scopes that the route needs, if the kind is ``"scope"``.
    """

    kind: Literal["scope", "role", "acr", "claim", "scheme"]
    scopes: tuple[str, ...] = ()


class AccessRule:
    """Who may use the routes of a pattern.

    Attributes:
        pattern: the route pattern.
        public: whether requests without an identity may pass.
        hide: whether a refused request is answered as if the route did not exist.
        check: decides about objects in place of the engine, or None.
        is_object: whether the view has to ask by `mantlet.authorize()`.
        acr: the authentication contexts of which one is needed.
        source: where the rule is from, for `Authorizer.table()`.
    """

    pattern: str
    public: bool = False
    hide: bool = False
    check: Check | None = None
    is_object: bool = False
    acr: tuple[str, ...] = ()
    source: str = "rules"

    def missing(self, identity: Identity, request: Request) -> Missing | None:
        """Return what an identity lacks, None if it may pass.

        Args:
            identity: who is asking.
            request: the request that it makes.
        """
        raise NotImplementedError

    def needs(self) -> str:
        """Return what the rule asks for, in words."""
        raise NotImplementedError


class Allow(AccessRule, KnowsOptions):
    """Let clients use a route that have everything that the rule names.

    Without any option, an identity is all that is needed.

    Args:
        pattern: a route pattern such as ``"GET /orders/{id}"`` or ``"* /admin/*"``.
        scope: scopes, all of which the credential must have: one, several separated by blanks as
            in OAuth (RFC 6749, 3.3), or a collection.
        role: roles, of which the subject must have one: one, or a collection.
        acr: authentication contexts (the claim ``acr``), of which one must have been used: one, or
            a collection.
        claims: values of claims by their names: a value, or a set or list of those of which one is
            needed. A claim that is a list must contain such a value. Types count: ``1`` is neither
            ``"1"`` nor True.
        check: ``"object"`` if the view must ask by `mantlet.authorize()` whether the client may use
            the very object; or a callable of the identity, the action and the object that decides
            it, in place of the engine.
        hide: whether a refused request is answered by the app's own 404.
        public: whether requests without an identity may pass.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: the pattern is malformed, an option is empty, or ``public`` is used beside
            options that need an identity.
    """

    def __init__(
        self,
        pattern: str,
        *,
        scope: str | Collection[str] = (),
        role: str | Collection[str] = (),
        acr: str | Collection[str] = (),
        claims: Mapping[str, Any] | None = None,
        check: Literal["object"] | Check | None = None,
        hide: bool = False,
        public: bool = False,
    ) -> None:
        parse_pattern(pattern)
        self.pattern = pattern
        scopes = _texts("scope", scope.split() if isinstance(scope, str) and scope else scope)
        for one in scopes:
            if not one.isascii() or not one.isprintable() or _NOT_IN_SCOPES.intersection(one):
                raise ValueError(f"a scope must be printable ASCII without blanks: {one!r}")
        self._scope_names = tuple(sorted(scopes))
        self._scopes = frozenset(scopes)
        self._roles = frozenset(_texts("role", role))
        self.acr = tuple(sorted(_texts("acr", acr)))
        self._claims = _claims(claims)
        self.check, self.is_object = _check(pattern, check)
        for name, value in (("hide", hide), ("public", public)):
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, not {value!r}")
        self.hide = hide
        self.public = public
        self._is_plain = not (self.acr or self._claims)
        if public and (scopes or self._roles or not self._is_plain):
            raise ValueError(
                f"the rule {pattern!r} is public and needs an identity; remove public, or scope, "
                f"role, acr and claims"
            )

    def missing(self, identity: Identity, request: Request) -> Missing | None:
        """Return what an identity lacks, None if it may pass."""
        if not self._scopes <= identity.scopes:
            return Missing("scope", self._scope_names)
        if self._roles and self._roles.isdisjoint(identity.roles):
            return Missing("role")
        if self._is_plain:
            return None
        if self.acr and not _has(identity.claims.get("acr"), self.acr):
            return Missing("acr")
        for name, values in self._claims:
            if not _has(identity.claims.get(name), values):
                return Missing("claim")
        return None

    def needs(self) -> str:
        """Return what the rule asks for, in words."""
        if self.public:
            return "anyone"
        parts = [f"scope {' and '.join(self._scope_names)}"] if self._scopes else []
        parts += [f"role {' or '.join(sorted(self._roles))}"] if self._roles else []
        parts += [f"acr {' or '.join(self.acr)}"] if self.acr else []
        parts += [f"claim {name} {' or '.join(map(repr, of))}" for name, of in self._claims]
        return ", ".join(parts) or "any identity"

    def __repr__(self) -> str:
        return f"Allow({self.pattern!r}: {self.needs()})"


class HiddenPath(AccessRule):
    """What hides the path of a hidden rule where another rule, or none, is for the method.

    Otherwise, a 405, an ``Allow``, or a redirect to ``/admin/`` would tell that there is something.

    Args:
        rule: the hidden rule.
    """

    hide = True

    def __init__(self, rule: AccessRule) -> None:
        self.pattern = rule.pattern
        self.public = rule.public
        self._rule = rule

    def missing(self, identity: Identity, request: Request) -> Missing | None:
        """Return what an identity lacks, None if it may know of the path."""
        return self._rule.missing(identity, request)


def _texts(option: str, value: object) -> list[str]:
    """Return an option that is text, or a collection of texts."""
    if isinstance(value, str):
        value = [value] if value else [""]
    if isinstance(value, Mapping) or not isinstance(value, Collection):
        raise TypeError(f"{option} must be text or a collection of texts, not {value!r}")
    texts = list(value)
    for one in texts:
        if not isinstance(one, str):
            raise TypeError(f"{option} must be text or a collection of texts, not {value!r}")
        if not one:
            raise ValueError(f"{option} must not be empty")
    return texts


def _claims(claims: object) -> tuple[tuple[str, _Values], ...]:
    if claims is None:
        return ()
    if not isinstance(claims, Mapping):
        raise TypeError(f"claims must be a mapping of names to values, not {claims!r}")
    found = []
    for name, value in claims.items():
        if not isinstance(name, str):
            raise TypeError(f"claims must have names that are text, not {name!r}")
        values = tuple(value) if isinstance(value, (set, frozenset, list, tuple)) else (value,)
        if not values:
            raise ValueError(f"claims must have a value for {name!r}")
        if any(one is None for one in values):
            raise ValueError(f"claims must not allow None for {name!r}: it is a missing claim")
        found.append((name, values))
    return tuple(found)


def _check(pattern: str, check: object) -> tuple[Check | None, bool]:
    """Return the callable of the option ``check``, and whether the view has to ask."""
    if check is None:
        return None, False
    if check == "object":
        return None, True
    if not callable(check):
        raise TypeError(f'check must be "object" or a callable, not {check!r}')
    if iscoroutinefunction(check) or iscoroutinefunction(type(check).__call__):
        raise TypeError(
            f"check of the rule {pattern!r} must not be async: load what it needs in the view"
        )
    return check, True


# Any: JSON values.
def _has(claim: Any, values: _Values) -> bool:
    """Return whether a claim is one of some values, or a list with one of them."""
    found = claim if isinstance(claim, (list, tuple, set, frozenset)) else (claim,)
    return any(type(one) is type(value) and one == value for one in found for value in values)
