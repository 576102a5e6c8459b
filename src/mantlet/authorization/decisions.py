"""`authorize()`: a view asks whether the client may do something to an object."""

import logging
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.problem import Problem
from mantlet.core.state import State, state

if TYPE_CHECKING:
    from mantlet.authorization.engine import Engine
    from mantlet.authorization.rules import AccessRule

__all__ = ["RouteAuthorization", "authorize", "patterns_of"]

_log: Final = logging.getLogger("mantlet.authorization")


class RouteAuthorization:
    """How a view's questions are decided, the same for all requests of its route.

    Args:
        rules: the rules of the route.
        engine: decides where they have no check of their own; or None.
        throttle: for the log of refusals.
        reports: whether refusals are only logged.
    """

    __slots__ = ("_checks", "_engine", "_hides", "_name", "_reports", "_throttle", "alone")

    def __init__(
        self,
        rules: "tuple[AccessRule, ...]",
        engine: "Engine | None",
        throttle: LogThrottle,
        *,
        reports: bool,
    ) -> None:
        self._throttle = throttle
        self._name = patterns_of(rules)
        self._checks = tuple(rule.check for rule in rules if rule.check is not None)
        asks_engine = not self._checks or any(r.is_object and r.check is None for r in rules)
        self._engine = engine if asks_engine else None
        self._hides = any(rule.hide for rule in rules)
        self._reports = reports
        #: What `State._authorizations` is where there is no other Authorizer.
        self.alone = (self,)

    # Any: objects of the app's own, and requests of frameworks.
    def decide(self, state: State, action: str, resource: Any, request: Any) -> None:
        """Decide a question.

        Raises:
            Problem: the client may not: 403, or 404 where the route is hidden.
            RuntimeError: nothing decides about objects here.
            TypeError: a decision is neither True nor False.
            Exception: an engine's or a check's own.
        """
        engine = self._engine
        if engine is None and not self._checks:
            raise RuntimeError(
                f"nothing decides about objects of {self._name!r}: pass engine= to the Authorizer, "
                f"or check= to the rule"
            )
        identity = state.identity
        allowed = True
        for check in self._checks:
            allowed &= _checked(check, check(identity, action, resource))
        if engine is not None:
            allowed &= _checked(engine, engine.decide(identity, action, resource, request))
        if not allowed:
            self._refuse(state)

    def _refuse(self, state: State) -> None:
        suppressed = self._throttle.suppressed(f"object of {self._name}")
        if suppressed is not None:
            _log.warning(
                "%s an object of %s: the engine or the check does not allow it (request %s)%s",
                "Authorizer would have refused" if self._reports else "Authorizer refused",
                self._name,
                state._request_id or "-",
                f" (and {suppressed} more like it)" if suppressed else "",
                extra={"route": self._name, "request_id": state._request_id or "-"},
            )
        if not self._reports:
            raise Problem(404 if self._hides else 403)


def _checked(judge: object, result: object) -> bool:
    """Return a decision.

    Raises:
        TypeError: it is not one, such as a coroutine, which would count as True.
    """
    if result is True or result is False:
        return result
    close = getattr(result, "close", None)
    if callable(close):
        close()  # a coroutine, which would warn that nobody has awaited it
    raise TypeError(f"{judge!r} must return True or False, not {type(result).__name__}")


def patterns_of(rules: "tuple[AccessRule, ...]") -> str:
    """Return the patterns of rules, for the log."""
    return " and ".join(dict.fromkeys(rule.pattern for rule in rules)) or "no rule"


# Any: requests of frameworks, which are not imported here, and objects of the app's own.
def authorize(request: Any, action: str, resource: Any = None) -> None:
    """Require that the client may do something to an object; called in a view.

    Ask before the response begins, and before changing anything. The rules of the route decide by
    their ``check``, else the `Authorizer`'s engine does. It may be called any number of times, in
    any thread.

    Args:
        request: the request object of the framework, or the environ or the scope.
        action: what the view is about to do, such as ``"read"``.
        resource: the object; None for an action without one.

    Raises:
        Problem: the client may not: 403, or 404 where the route is hidden. To answer as you do for
            an object that does not exist, catch it and do that.
        RuntimeError: no `Authorizer` is around the app, or it has nothing that decides.
        TypeError: the request, the action or a decision is of the wrong type.
        ValueError: the action is empty.
    """
    if not isinstance(action, str):
        raise TypeError(f'action must be text such as "read", not {action!r}')
    if not action:
        raise ValueError('action must be text such as "read", not empty')
    found = state(request)
    authorizations: tuple[RouteAuthorization, ...] = found._authorizations
    if not authorizations:
        raise RuntimeError("no Authorizer has seen this request; put one around the app")
    try:
        for one in authorizations:
            one.decide(found, action, resource, request)
    except Problem:
        found._has_asked = True
        raise
    found._has_asked = True
