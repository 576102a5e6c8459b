"""The state that the policies of an exchange share with each other and the app.

One object per exchange, under one key of the environ or the scope. It is mutable and never
replaced, so that a middleware that copies the scope, as the ASGI specification tells it to, hands
on the same one; an environ or a scope that an adapter makes gets the same one too (`context`).
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

from mantlet.core.context import KEY, carried_state

if TYPE_CHECKING:
    from mantlet.core.identity import Authentication, Identity

__all__ = [
    "KEY",
    "IdempotencyState",
    "RateLimitState",
    "State",
    "ValidatedState",
    "state",
    "state_of",
]


class RateLimitState(Protocol):
    """A rate limiter's decision about the request."""

    @property
    def allowed(self) -> bool:
        """Whether the request may pass."""
        ...

    @property
    def name(self) -> str:
        """The name of the quota that decided: the one that refuses longest, or has least left."""
        ...

    @property
    def remaining(self) -> int:
        """How many whole requests may follow at once."""
        ...

    @property
    def reset(self) -> int:
        """Whole seconds, rounded up, until one more request may follow than now."""
        ...

    @property
    def retry_after(self) -> float:
        """Seconds until a refused request would be admitted; 0 for one that was admitted."""
        ...


# Any: a schema may give values of any type.
class ValidatedState(Protocol):
    """The values of the request as they were validated."""

    @property
    def operation(self) -> str:
        """The name of the operation, such as ``"GET /items/{item_id}"``."""
        ...

    @property
    def body(self) -> Any:
        """The body, parsed; None without a body."""
        ...

    @property
    def path(self) -> Any:
        """The parameters of the path."""
        ...

    @property
    def query(self) -> Any:
        """The parameters of the query."""
        ...

    @property
    def headers(self) -> Any:
        """The declared headers."""
        ...

    @property
    def cookies(self) -> Any:
        """The declared cookies."""
        ...

    @property
    def files(self) -> Any:
        """The uploaded files, by the names of their form fields."""
        ...


class IdempotencyState(Protocol):
    """The key that makes the request safe to repeat."""

    @property
    def key(self) -> str:
        """The client's ``Idempotency-Key``; unique among those of one client only."""
        ...

    @property
    def previous_outcome_unknown(self) -> bool:
        """Whether the request may have run before: its worker has never said how it ended."""
        ...


class ProblemState(Protocol):
    """The problem that the exchange is answered with (RFC 9457)."""

    status: int
    type: str
    title: str
    detail: str | None


class _SetBy:
    """An attribute of `State` that a policy sets; reading it before is an AttributeError.

    It has no ``__set__``, so an instance's own value comes first, at no cost.
    """

    def __init__(self, policy: str) -> None:
        self._policy = policy

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise _missing(self._name, self._policy)


def _missing(name: str, policy: str) -> AttributeError:
    return AttributeError(f"state has no {name}: no {policy} has set it for this request")


class State:
    """The entries that policies leave for the app and for each other.

    An attribute that no policy has set raises an AttributeError that names the policy, so
    ``getattr(state, "rate_limit", None)`` asks whether it is there.

    Attributes:
        request_id: the request's id; set by `ErrorEnvelope`.
        rate_limit: the decision about the request; set by `RateLimiter`.
        validated: the request's values; set by `SchemaGuard`.
        secrets: the secrets as they were when the exchange began; set by `SecretLoader`.
        csp_nonce: the nonce of the response's Content-Security-Policy; set by `OutputSanitizer`.
        version: the version of the API that the request is for; set by `Versions`.
        identity: who is asking; None where nobody has to say so, and where no policy asks.
        idempotency: the request's idempotency key; None where `Idempotency` handles none.
        problem: the problem that the exchange is answered with, else None.
        extra: entries of your own policies: a dict, made at its first use.
    """

    if TYPE_CHECKING:
        # Any: an instance of the app's own SecretModel.
        secrets: Any
        validated: ValidatedState
        version: str
    else:
        secrets = _SetBy("SecretLoader")
        validated = _SetBy("SchemaGuard")
        version = _SetBy("Versions")
    identity: "Identity | None" = None
    idempotency: IdempotencyState | None = None
    problem: ProblemState | None = None

    _request_id: str | None = None
    _csp_nonce: str | None = None
    # Any: the arguments of any function.
    #: The decision; or a function that makes it, followed by its arguments, since few apps read it.
    _rate_limit: RateLimitState | tuple[Any, ...] | None = None

    # Entries that stacks and policies leave for each other.
    #: Headers that the outermost stack will set in the response; None where no stack has begun.
    _response_headers: dict[Any, tuple[Any, Any]] | None = None
    #: The exception that a framework turned into its own 500 response.
    _raised: BaseException | None = None
    #: The exception that a handler of the app's, or the framework as its HTTP exception, answered.
    _handled: BaseException | None = None
    #: The exception that the framework's own log record shows, so that it needs no other record.
    _recorded: BaseException | None = None
    #: Whether a developer on this machine is to see exceptions and debug pages.
    _in_development: bool = False
    # Any: an app object of a framework.
    #: The framework's app, from a signal.
    _app: Any = None
    #: The exception that was logged last.
    _logged: BaseException | None = None
    # Any: a `problem.Envelope`, whose module imports this one.
    #: The policy that answers for all errors of the exchange.
    _envelope: Any = None
    #: When that policy saw the request, by `time.perf_counter()`.
    _began: float | None = None
    #: The policy that authenticates.
    _authentication: "Authentication | None" = None
    # Any: that policy's own.
    #: Where it has found the credential.
    _credential: Any = None
    #: The proofs of possession that were used, each with the store that remembers it.
    _proofs: set[tuple[object, str]] | None = None
    # Any: a `RouteAuthorization` of the authorization package each.
    #: How the view's questions are decided: of each Authorizer, the outermost first.
    _authorizations: tuple[Any, ...] = ()
    #: Whether the view has asked.
    _has_asked: bool = False
    # Any: an entry of the context variable of `context`.
    #: The request in that policy's context.
    _context: Any = None
    # Any: a `redact.Masker` each.
    #: The maskers of the app's secrets.
    _maskers: tuple[Any, ...] = ()
    # Any: classes of the database package.
    #: Makes the unit of work of the exchange when the app asks for it.
    _unit: Any = None
    #: The unit of work, if the app has asked for it.
    _work: Any = None
    #: Whether the unit of work of the exchange has ended.
    _is_work_over: bool = False
    #: Called by the unit of work with its session and the response, before it commits; see
    #: `mantlet.database`.
    _before_commit: tuple[Callable[[Any, Any], Any], ...] = ()
    #: Whether an exception has the request run again, so that it is not logged.
    _runs_again: Callable[[BaseException], bool] | None = None
    #: Whether the head that an inner stack sends comes with a chunk of the body.
    _body_follows: bool = False
    #: Whether a policy has answered in the app's place.
    _replied: bool = False
    #: Whether it has let the request pass no further, with a response that is no error.
    _replied_early: bool = False
    #: The template of the framework's route, from a signal.
    _route: str | None = None
    #: The parameters of the path, as the innermost limiter's rule names them.
    _path_parameters: Mapping[str, str] | None = None
    #: The fewest requests that any limiter's headers have said remain.
    _least_remaining: int | None = None

    @property
    def request_id(self) -> str:
        """The request's id."""
        if self._request_id is None:
            raise _missing("request_id", "ErrorEnvelope")
        return self._request_id

    @property
    def rate_limit(self) -> RateLimitState:
        """The decision about the request."""
        decision = self._rate_limit
        if decision is None:
            raise _missing("rate_limit", "RateLimiter")
        if isinstance(decision, tuple):
            make, *arguments = decision
            decision = self._rate_limit = make(*arguments)
        return decision

    @rate_limit.setter
    def rate_limit(self, decision: RateLimitState) -> None:
        self._rate_limit = decision

    @property
    def csp_nonce(self) -> str:
        """The nonce of the response's Content-Security-Policy."""
        if self._csp_nonce is None:
            raise _missing("csp_nonce", "OutputSanitizer with a nonce in its Csp")
        return self._csp_nonce

    @property
    def extra(self) -> dict[str, Any]:
        """Entries of policies that are not Mantlet's own."""
        try:
            return self._extra
        except AttributeError:
            self._extra: dict[str, Any] = {}
        return self._extra

    def __repr__(self) -> str:
        # Values may be secrets: names only.
        public = [name for name in vars(self) if not name.startswith("_")]
        return f"State({', '.join(public)})"


def state_of(raw: MutableMapping[str, Any]) -> State:
    """Return the state of an environ or a scope, made at its first use."""
    found: State | None = raw.get(KEY)
    if found is None:
        found = raw[KEY] = carried_state(raw) or State()
    return found


# Any: each framework's request is a class of its own, and none of them is imported here.
def state(source: Any) -> State:
    """Return the exchange's state, where policies leave entries for the app.

    Args:
        source: a WSGI environ, an ASGI scope, or the request object of Flask, Starlette, FastAPI,
            Django, Quart, Litestar or Falcon.

    Returns:
        The exchange's `State`.

    Raises:
        TypeError: ``source`` has neither an environ nor a scope.
    """
    for attribute in ("scope", "environ", "env"):
        raw = getattr(source, attribute, None)
        if isinstance(raw, MutableMapping):
            return state_of(raw)
    if isinstance(source, MutableMapping):
        return state_of(source)
    raise TypeError(
        f"mantlet.state() takes a WSGI environ, an ASGI scope or a framework's request, "
        f"not {type(source).__name__}"
    )
