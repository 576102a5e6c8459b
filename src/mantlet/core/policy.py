"""`Policy`, and the values of its message hook: `Message` and `Close`."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from mantlet._internal.options import KnowsOptions
from mantlet.core.listed_routes import ListedRoute
from mantlet.core.modes import Mode, RouteModes
from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.http.headers import HeaderNames

if TYPE_CHECKING:
    from mantlet.redact.masking import Masker

__all__ = ["Close", "HealthState", "Message", "Policy", "has_hook"]

#: The state of a dependency of a policy; see `Policy.health`.
HealthState = Literal["ok", "stale", "down"]


@dataclass(frozen=True, slots=True)
class Message:
    """One WebSocket message.

    Attributes:
        data: text or bytes, as the peer sent it.
        direction: ``"in"`` from the client to the app, ``"out"`` from the app to the client.
    """

    data: str | bytes
    direction: Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a WebSocket connection, given by a policy in place of a message.

    Attributes:
        code: a close code (RFC 6455, 7.4): 1000 to 1014 as registered, or 3000 to 4999.
        reason: at most 123 bytes of UTF-8.
    """

    code: int = 1008
    reason: str = ""

    def __post_init__(self) -> None:
        usable = 1000 <= self.code <= 1014 and self.code not in (1004, 1005, 1006)
        if not usable and not 3000 <= self.code <= 4999:
            raise ValueError(
                f"code must be a close code that an endpoint may send, not {self.code}"
            )
        if len(self.reason.encode()) > 123:
            raise ValueError("reason must be at most 123 bytes long in UTF-8")


#: The result of `Policy.on_message`.
MessageResult = Message | Close | tuple[Message, ...] | None


class Policy(KnowsOptions):
    """One protection. Immutable once made; every option is a keyword, checked in ``__init__``.

    A policy overrides the hooks it needs; a hook that is not overridden costs nothing. A hook is a
    ``def``, or an ``async def`` where it must wait for a body or for I/O; both run under WSGI and
    ASGI. WSGI has no event loop to wait on, so a hook that tries gets a RuntimeError.

    If a policy's `on_request` let a request pass, exactly one of its `on_response` and `on_error`
    is called, except for a response below its `min_status`; if it ran at all, its `on_finish` is
    called once. A hook that raises a `Problem` answers with it; any other exception goes to the
    outer policies, and then to the server.
    """

    __slots__ = ()

    #: Whether the policy enforces its decisions, only reports them, or is off; for all requests or
    #: by route. A policy that takes the option sets it with `check_mode()`.
    mode: Mode | RouteModes = "enforce"

    #: Hooks that the class overrides and this instance, as configured, does not need. They cost
    #: nothing.
    disabled_hooks: frozenset[str] = frozenset()

    #: Masks the app's secrets in logs and errors of the exchange, where the policy knows them.
    secret_masker: "Masker | None" = None

    #: The lowest status code that `on_response` is called for; responses below it cost nothing.
    min_status: int = 0
    #: Whether `on_response` is to see the first chunk of every response, so that it can still
    #: answer in its place: the heads of streams then wait for it under ASGI as well.
    needs_first_chunk: bool = False

    #: Whether the policy reads the lifecycle of its stack, as `Health` does.
    sees_lifecycle: bool = False

    #: Whether the policy wants to know the routes of the app; see `check_routes()`.
    sees_routes: bool = False

    #: The request headers that the policy reads in nearly every exchange, for
    #: `Request.declared_headers()`.
    request_headers: HeaderNames | None = None

    #: Headers of every response, by their names, also of those that other policies give. The same
    #: as `Request.add_response_header()` for each of them in `on_request`, at less cost.
    response_headers: Mapping[str, str] = MappingProxyType({})

    #: Names of headers that the policy trusts, since a proxy in front of the app sets them.
    trusted_headers: frozenset[str] = frozenset()

    #: Where the policy belongs in a stack: outside those with a higher number, inside those with a
    #: lower one; None if it works anywhere. In the canonical order OutputSanitizer has 10,
    #: ErrorEnvelope 20, Health 25, Cors 30, Hosts 40, Versions 50, Authenticator 60, Authorizer 70,
    #: CrossOrigin 80, RateLimiter 90, SchemaGuard 100, Idempotency 110 and UnitOfWork 120.
    position: int | None = None

    #: The consequence of having a policy outside this one that belongs inside: the middle of the
    #: warning, with ``{}`` for that policy's name. Empty if both orders work.
    position_reason: str = ""

    #: The consequence of having a policy inside this one that belongs outside, in the same form.
    inner_reason: str = ""

    #: Whether the policy finds out who is asking, as `Authenticator` does.
    authenticates: bool = False
    #: Whether the policy, as configured, depends on who is asking, and so belongs inside one that
    #: authenticates.
    needs_identity: bool = False

    #: Why the policy, as configured, does not do all of its work under WSGI: the middle of the
    #: warning when an app is wrapped. Empty if it does.
    wsgi_reason: str = ""

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Decide about a request, or a WebSocket handshake; the outermost policy is called first.

        Returns:
            A `Reply` to answer in the app's place, or None to let the request pass.
        """

    def on_response(
        self, request: Request, response: Response
    ) -> Reply | Awaitable[Reply | None] | None:
        """Inspect or edit a response before any byte of it is sent; the innermost policy first.

        Returns:
            A `Reply` to replace the response, whose body is then discarded, or None to let it pass.
        """

    def on_error(
        self, request: Request, error: BaseException
    ) -> Reply | Response | Awaitable[Reply | Response | None] | None:
        """Handle an exception of the app or an inner policy, raised before the response was sent.

        Called for cancellation, ``SystemExit`` and ``KeyboardInterrupt`` too; a reply to these is
        ignored.

        Returns:
            A `Reply` to answer the error; `Request.app_response`, to let the response that the app
            itself has made answer it; or None to leave it to the next outer policy.
        """

    def on_message(
        self, request: Request, message: Message
    ) -> MessageResult | Awaitable[MessageResult]:
        """Decide about a WebSocket message; the outermost policy first on its way in, last out.

        Returns:
            The message, or another one, to send it on; a `Close` to end the connection; None to
            drop the message. For a message on its way out also a tuple of any number of messages
            to send in its place: a policy that has to see the next message first returns an empty
            tuple, and gives both later, or in `on_close`.
        """
        return message

    def on_close(self, request: Request) -> tuple[Message, ...]:
        """Return the messages that `on_message` has held back on their way out.

        Called before a WebSocket closes, as long as the client is there: the app or a policy closes
        it, or the app has ended or raised. The innermost policy is called first, and its messages
        pass the outer ones. Called only if a tuple was returned before.
        """
        return ()

    def on_text(self, request: Request, text: str, place: str) -> str | None:
        """Inspect a text of the app outside of headers, bodies and messages; the innermost first.

        Args:
            request: the request.
            text: the text.
            place: ``"reason phrase"`` of a status (WSGI), unless it is the registered one;
                ``"close reason"`` or ``"subprotocol"`` of a WebSocket; ``"early hint"``, for each
                link; ``"push path"``, ``"push header"``, for each value.

        Returns:
            The text, or another one, to send; None to leave it out.
        """
        return text

    def on_finish(self, request: Request) -> Awaitable[None] | None:
        """Clean up, once, after the exchange has ended in any way."""

    def check_routes(self, routes: Sequence[ListedRoute], *, takes_first: bool) -> None:
        """Compare the routes of the app with the policy's options, if it `sees_routes`.

        Called when the stack is made, and again before its first request, since routes are often
        added later; only where the app is one of a framework whose routes can be read.

        Args:
            routes: the routes, in the order of the app's router.
            takes_first: whether the router takes the first route that matches, in this order.
        """

    def startup(self) -> Awaitable[None] | None:
        """Prepare before the first request; called again in a process that is forked later.

        Called in the lifespan under ASGI, and when the stack is constructed under WSGI; with the
        first request that needs it if the server has no lifespan, in a forked process, and with
        ``startup="lazy"``.

        Raises:
            Exception: the policy can't start. The server stops and logs the exception's text, which
                has to say what is wrong and must contain no secret. With a first request instead,
                requests are refused with 503, and the next attempt is made after a second or more.
        """

    def needs_startup(self, request: Request) -> bool:
        """Return whether the policy can't handle a request before its `startup` has succeeded.

        Called only until then. If it returns False, the policy's hooks handle the request.

        Args:
            request: the request.
        """
        return True

    def shutdown(self) -> Awaitable[None] | None:
        """Release the resources of `startup`. Awaited in the lifespan; not called without one."""

    def health(self) -> Mapping[str, HealthState] | Awaitable[Mapping[str, HealthState]]:
        """Return the state of each dependency of the policy, by its name.

        Called by readiness checks, at most once a second. It should check the dependencies rather
        than remember their last state, since an app that is not ready gets no other requests, and
        must not take longer than a request does. Anyone may read the result, so a name is a word
        such as ``"store"``, never a value, a host or a path.

        Returns:
            For each dependency ``"ok"``; ``"stale"`` if the policy goes on with its last valid
            data; or ``"down"``, so that the app is not ready. An exception counts as ``"down"``.
        """
        return {}


def has_hook(policy: Policy, name: str) -> bool:
    """Return whether a policy has a hook: its class overrides it, and it is not disabled."""
    if name in policy.disabled_hooks:
        return False
    own = getattr(policy, name)
    return getattr(own, "__func__", own) is not getattr(Policy, name)
