"""An app with its policies around it: which hooks run when, and the way in through them."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, NamedTuple, Self, TypeVar, cast

from mantlet.core.dry_run import with_mode
from mantlet.core.error_log import log_error
from mantlet.core.lifecycle import Gate, Lifecycle, Startup, check_startup
from mantlet.core.order import check_order
from mantlet.core.policy import Policy, has_hook
from mantlet.core.problem import Problem, forget_raise
from mantlet.core.request import Request
from mantlet.core.rerun import Discarded
from mantlet.core.response import Reply, Response
from mantlet.http.header_name import FixedHeaders
from mantlet.http.headers import DeclaredNames

__all__ = [
    "BaseStack",
    "ErrorHook",
    "InwardResult",
    "PendingReply",
    "PolicyHooks",
    "ResponseHook",
    "check_reply",
    "run_response_hooks",
]

App = TypeVar("App")
PendingReply = Awaitable[Reply | Response | None]
RequestHook = Callable[[Request], Reply | PendingReply | None]
FinishHook = Callable[[Request], Awaitable[None] | None]
ErrorHook = Callable[[Request, BaseException], Reply | Response | PendingReply | None]
OnResponse = Callable[[Request, Response], Reply | PendingReply | None]
#: A policy's `on_response` and `on_error`, each where it has one, and its `min_status`.
ResponseHook = tuple[OnResponse | None, ErrorHook | None, int]
#: A policy's `on_response`, with the number of policies further out that have response hooks.
PlacedHook = tuple[int, OnResponse]


class ResponseHooks(NamedTuple):
    """The hooks that run over a response.

    Attributes:
        hooks: those of each policy, the innermost first.
        has_error_hooks: whether one of them has an `on_error` hook.
        min_status: no hook looks at a response with a status below this.
    """

    hooks: tuple[ResponseHook, ...]
    has_error_hooks: bool
    min_status: int


class InwardResult:
    """How the request hooks ended without reaching the app: one of reply, error, waiting is set.

    Attributes:
        index: the policy that they stopped at.
        reply: that policy's reply.
        error: the exception that it raised.
        waiting: its awaitable, where it has to wait.
    """

    __slots__ = ("error", "index", "reply", "waiting")

    def __init__(
        self,
        index: int,
        reply: Reply | None = None,
        error: BaseException | None = None,
        waiting: PendingReply | None = None,
    ) -> None:
        self.index = index
        self.reply = reply
        self.error = error
        self.waiting = waiting


class PolicyHooks(Generic[App]):
    """The hooks of a stack's policies, ready to run around the app.

    Apart from the stack, since reading an attribute of an object with ``__getattr__`` takes several
    times as long.

    Args:
        app: the app.
        policies: the policies around it, the outermost first.

    Attributes:
        app: the app.
        active: the policies whose mode is not ``"off"``, wrapped as their modes require.
        on_request: the request hooks, each with the index of its policy.
        has_request_hooks: whether they, or anything else, must run before the app.
        on_message: the message hooks.
        on_close: the hooks of policies that may hold messages, the innermost first, each with the
            message hooks of the policies around it, which its messages have to pass.
        on_text: the text hooks, the innermost policy's first.
        on_response: by how many policies let the request pass: their response hooks.
        on_success: the response hooks for a status from 200 to 399; None if a policy looks at some
            of these statuses only.
        usual_statuses: these statuses; none of them if a policy looks at some only.
        on_refusal: by how many policies let the request pass: the same for a status of 400 and
            above.
        has_error_hooks: whether a policy has an `on_error` hook.
        on_error: the innermost policy's, and the index of that policy; None if there is none.
        on_finish: by how many policies ran: a function that calls their finish hooks, the
            innermost first; None if they have none.
        maskers: the maskers of the app's secrets, also for errors of outer policies.
        is_inward_only: whether no policy has a hook left once it has let a request pass.
        is_idle: whether no policy has any hook.
        sends_heads_first: whether the head of a stream need not wait for its first chunk.
        declared: the request headers that the policies declare; None if they declare none.
        request_classes: the adapter's classes of requests by scope type; those of WSGI are
            ``"http"``. Empty until the policies have started, so that one look-up checks both.
    """

    def __init__(self, app: App, policies: Sequence[Policy]) -> None:
        self.app = app
        self.active = active = tuple(one for one in map(with_mode, policies) if one is not None)
        self.on_request = tuple(
            (index, hook)
            for index, hook in enumerate(map(_request_hook, active))
            if hook is not None
        )
        self.on_message = tuple(p.on_message for p in active if has_hook(p, "on_message"))
        self.on_close = tuple(
            (
                policy.on_close,
                tuple(p.on_message for p in reversed(outer) if has_hook(p, "on_message")),
            )
            for policy, outer in ((active[i], active[:i]) for i in reversed(range(len(active))))
            if has_hook(policy, "on_close")
        )
        self.on_text = tuple(p.on_text for p in reversed(active) if has_hook(p, "on_text"))
        self.on_response = tuple(
            _response_hooks(active[:count]) for count in range(len(active) + 1)
        )
        every = self.on_response[-1]
        self.has_error_hooks = every.has_error_hooks
        on_error = [(i, p.on_error) for i, p in enumerate(active) if has_hook(p, "on_error")]
        self.on_error = on_error[-1] if on_error else None
        self.on_success = _hooks_for(every.hooks, range(200, 400))
        self.usual_statuses = frozenset(range(200, 400) if self.on_success is not None else ())
        self.on_refusal = tuple(_hooks_for(one.hooks, range(400, 600)) for one in self.on_response)
        self.on_finish = tuple(
            _finish_hook(
                [p.on_finish for p in reversed(active[:count]) if has_hook(p, "on_finish")]
            )
            for count in range(len(active) + 1)
        )
        self.maskers = tuple(p.secret_masker for p in active if p.secret_masker is not None)
        self.has_request_hooks = bool(self.on_request or self.maskers)
        self.sends_heads_first = not any(policy.needs_first_chunk for policy in active)
        self.is_inward_only = not (every.hooks or self.on_finish[-1] or self.on_text)
        self.is_idle = self.is_inward_only and not (self.on_request or self.on_message)
        declared = [p.request_headers for p in active if p.request_headers is not None]
        self.declared = DeclaredNames(declared) if declared else None
        self.request_classes: dict[str, Any] = {}

    def run_request_hooks(self, request: Request, start: int = 0) -> InwardResult | None:
        """Run the request hooks, from policy ``start`` on.

        Returns:
            None if all of them let the request pass. A result that waits goes through
            `resume_request_hooks()`.
        """
        hooks = self.on_request
        if start:
            hooks = tuple(hook for hook in hooks if hook[0] >= start)
        elif self.maskers:
            state, own = request.state, self.maskers
            outer = state._maskers
            state._maskers = tuple(dict.fromkeys(outer + own)) if outer else own
        index = start
        try:
            for index, hook in hooks:
                reply = hook(request)
                if reply is not None:
                    if isinstance(reply, Reply):
                        return InwardResult(index, reply)
                    return InwardResult(index, waiting=reply)
        except BaseException as error:  # noqa: BLE001  # handed to the outer policies
            return _raised(index, error, request)
        return None

    async def resume_request_hooks(
        self, request: Request, result: InwardResult | None
    ) -> InwardResult | None:
        """Resume request hooks that stopped at one that has to wait."""
        while result is not None and result.waiting is not None:
            index = result.index
            try:
                reply = check_reply(await result.waiting)
            except BaseException as error:  # noqa: BLE001  # handed to the outer policies
                return _raised(index, error, request)
            result = (
                InwardResult(index, reply) if reply else self.run_request_hooks(request, index + 1)
            )
        return result

    def asking_policy(self, outer: int) -> int:
        """Return the index of the policy that has this number of response hooks around it."""
        hooks = (len(one.hooks) for one in self.on_response)
        return next(index for index, count in enumerate(hooks) if count > outer) - 1

    async def start_over(
        self, request: Request, discarded: Discarded, result: InwardResult | None
    ) -> InwardResult | None:
        """End an attempt for the inner policies, and run the request hooks again.

        Args:
            request: the request.
            discarded: the failure of the attempt.
            result: how the request hooks of the attempt ended, as for `finish()`.

        Returns:
            How they have ended now; None if the app is to be called.
        """
        start, rerun = discarded.start, discarded.rerun
        ran = self.active[start + 1 : None if result is None else result.index + 1]
        hooks = [policy.on_finish for policy in reversed(ran) if has_hook(policy, "on_finish")]
        try:
            waiting = _finish_each(iter((*hooks, rerun.run_cleanups)), request)
            if waiting is not None:
                await waiting
        except Exception as error:  # noqa: BLE001  # it concerns no response
            log_error(request, error, "after its response was discarded")
        except BaseException as error:  # noqa: BLE001  # handed to the outer policies
            return InwardResult(start, error=error)
        rerun.restore(request)
        result = self.run_request_hooks(request, start)
        return await self.resume_request_hooks(request, result)

    # Any: whatever a policy has returned.
    def run_error_hook(
        self, request: Request, error: Exception
    ) -> tuple[int, Any, tuple[PlacedHook, ...] | None]:
        """Run the first error hook over what the app has raised in place of a response.

        Returns:
            The index of its policy, what it has returned or raised, and the response hooks of the
            policies further out if that is a usual reply, an error response; else None.
        """
        index, hook = self.on_error  # type: ignore[misc]  # only called if there is one
        request._app_response = None
        try:
            reply = hook(request, error)
        except BaseException as raised:  # noqa: BLE001  # handed to the outer policies
            return index, raised, None
        state, hooks = request.state, self.on_refusal[index]
        if (
            hooks is None
            or not isinstance(reply, Reply)
            or reply.status < 400
            or state._in_development  # the server gets the exception too
        ):
            return index, reply, None
        state._raised = None
        forget_raise(error)
        return index, reply, hooks

    def filter_text(self, request: Request, text: str, place: str) -> str | None:
        """Run the text hooks; see `Policy.on_text`."""
        for hook in self.on_text:
            changed = hook(request, text, place)
            if changed is None:
                return None
            text = changed
        return text

    def finish(
        self, request: Request, result: InwardResult | None
    ) -> Coroutine[Any, Any, None] | None:
        """Run `on_finish` of every policy that ran, then the request's cleanups.

        Returns:
            None when all of them are done, or the rest where one has to wait.
        """
        hook = self.on_finish[-1 if result is None else result.index + 1]
        if request._cleanups is not None:
            return _finish_each(iter((hook, _clean_up) if hook else (_clean_up,)), request)
        waiting = None if hook is None else hook(request)
        return None if waiting is None else _finish_later(waiting, iter(()), request, None)


class BaseStack(Generic[App]):
    """An app with its policies around it; the outermost policy comes first.

    Attributes that a stack does not have are read from the app, so that ``app.routes`` or
    ``app.test_client()`` work on a wrapped app.

    Args:
        app: the app. A stack of the same protocol fuses with this one.
        policies: the policies around it.
        startup: see `mantlet.wrap()`.
        started: the policies that have already started, in a stack that this one replaces.
        hold: see `Lifecycle`.

    Attributes:
        app: the wrapped app, never a stack of the same protocol.
        policies: all policies around it, the outermost first.

    Raises:
        TypeError: a policy is not a `Policy`.
        ValueError: ``startup`` is unknown.
    """

    _lifecycle: Lifecycle
    _startup: Startup

    def __init__(
        self,
        app: App | Self,
        policies: Sequence[Policy],
        *,
        startup: Startup,
        started: Sequence[Policy],
        hold: Callable[[], AbstractAsyncContextManager[object]],
    ) -> None:
        if not isinstance(policies, Iterable):
            raise TypeError(f"policies must be a list, such as policies=[{policies!r}]")
        own = tuple(policies)
        for policy in own:
            if not isinstance(policy, Policy):
                raise TypeError(f"a policy must be a mantlet.Policy, not {policy!r}{_hint(policy)}")
        self._startup = check_startup(startup)
        inner = app if isinstance(app, type(self)) else None
        if inner is None:
            self.app: App = cast("App", app)
            self.policies: tuple[Policy, ...] = own
        else:
            self.app = inner.app
            self.policies = own + inner.policies
            started = (*started, *inner._lifecycle.started)
            if inner._startup == "lazy":
                self._startup = "lazy"
        check_order(self.policies)
        self._hooks = PolicyHooks(self.app, self.policies)
        self._lifecycle = Lifecycle(self.policies, hold, started=started)
        is_seen = any(policy.sees_lifecycle for policy in self.policies)
        self._seen_lifecycle = self._lifecycle if is_seen else None
        if self._lifecycle.is_needed:
            self._hooks.is_idle = False
        self._gated: PolicyHooks[App] | None = None

    async def _stop(self) -> None:
        """Stop the policies; the next request starts them again."""
        self._hooks.request_classes = {}
        await self._lifecycle.stop()

    def _current_hooks(
        self, make_classes: Callable[[DeclaredNames | None], dict[str, Any]]
    ) -> PolicyHooks[App]:
        """Return the hooks for a request, and set their classes of requests.

        Until all policies have started, these hooks have a gate around each policy that starts.

        Args:
            make_classes: returns the adapter's classes of requests, for declared request headers.
        """
        hooks = self._hooks
        if self._lifecycle.pending:
            if self._gated is None:
                pairs = zip(self._lifecycle.policies, hooks.active, strict=True)
                gated = [
                    Gate(policy, run, self._lifecycle) if has_hook(policy, "startup") else run
                    for policy, run in pairs
                ]
                self._gated = PolicyHooks(self.app, gated)
            hooks = self._gated
        if not hooks.request_classes:
            hooks.request_classes = make_classes(hooks.declared)
        return hooks

    def __getattr__(self, name: str) -> Any:
        # Special methods are looked up on the class, and copying asks before there is an app.
        if name.startswith("__") or name == "app":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.app, name)

    def __repr__(self) -> str:
        names = ", ".join(type(policy).__name__ for policy in self.policies)
        return f"<{type(self).__module__}.{type(self).__name__} [{names}] around {self.app!r}>"


def check_reply(reply: Reply | Response | None) -> Reply | None:
    """Return a hook's result.

    Raises:
        TypeError: it is neither a `Reply` nor None.
    """
    if reply is not None and not isinstance(reply, Reply):
        raise TypeError(f"a hook must return a Reply or None, not {type(reply).__name__}")
    return reply


def _hint(policy: object) -> str:
    if isinstance(policy, type):
        return f"; did you mean {policy.__name__}()?"
    if isinstance(policy, (list, tuple, set, frozenset)):
        return "; unpack it with an asterisk: wrap(app, *policies)"
    return ""


def _request_hook(policy: Policy) -> RequestHook | None:
    """Return a policy's `on_request`, which also sets the headers that it declares."""
    hook = policy.on_request if has_hook(policy, "on_request") else None
    if not policy.response_headers:
        return hook
    fixed = FixedHeaders(policy.response_headers)

    def set_headers(request: Request) -> Reply | PendingReply | None:
        request._add_fixed(fixed)
        return None if hook is None else hook(request)

    return set_headers


def _clean_up(request: Request) -> None:
    request._run_cleanups()


def _raised(index: int, error: BaseException, request: Request) -> InwardResult:
    if isinstance(error, Problem):
        reply = error.reply(request)
        forget_raise(error)
        return InwardResult(index, reply)
    return InwardResult(index, error=error)


def _finish_hook(hooks: Sequence[FinishHook]) -> FinishHook | None:
    """Return one function that calls all of these."""
    if len(hooks) > 1:
        return lambda request: _finish_each(iter(hooks), request)
    return hooks[0] if hooks else None


def _finish_each(
    hooks: Iterator[FinishHook], request: Request, raised: BaseException | None = None
) -> Coroutine[Any, Any, None] | None:
    """Call each hook, also after one that raises; then raise the exception."""
    for hook in hooks:
        try:
            waiting = hook(request)
        except BaseException as error:  # noqa: BLE001  # the other hooks still have to run
            raised = _chained(error, raised)
        else:
            if waiting is not None:
                return _finish_later(waiting, hooks, request, raised)
    if raised is not None:
        raise raised
    return None


async def _finish_later(
    waiting: Awaitable[None],
    hooks: Iterator[FinishHook],
    request: Request,
    raised: BaseException | None,
) -> None:
    try:
        await waiting
    except BaseException as error:  # noqa: BLE001  # the other hooks still have to run
        raised = _chained(error, raised)
    rest = _finish_each(hooks, request, raised)
    if rest is not None:
        await rest


def _chained(error: BaseException, earlier: BaseException | None) -> BaseException:
    error.__context__ = error.__context__ or earlier
    return error


def _response_hooks(policies: tuple[Policy, ...]) -> ResponseHooks:
    every = (
        (
            policy.on_response if has_hook(policy, "on_response") else None,
            policy.on_error if has_hook(policy, "on_error") else None,
            policy.min_status,
        )
        for policy in reversed(policies)
    )
    hooks = tuple(hook for hook in every if hook[0] or hook[1])
    has_error_hooks = any(on_error for _, on_error, _ in hooks)
    statuses = [min_status for on_response, _, min_status in hooks if on_response]
    if has_error_hooks:
        statuses.append(400)  # held, since the app may still raise
    return ResponseHooks(hooks, has_error_hooks, min(statuses, default=1000))


def _hooks_for(hooks: tuple[ResponseHook, ...], statuses: range) -> tuple[PlacedHook, ...] | None:
    """Return the response hooks for some statuses; None if a policy looks at some of these only."""
    first = statuses.start
    if any(first < min_status < statuses.stop for _, _, min_status in hooks):
        return None
    return tuple(
        (outer, on_response)
        for outer, (on_response, _, min_status) in zip(range(len(hooks))[::-1], hooks, strict=True)
        if on_response is not None and min_status <= first
    )


def run_response_hooks(
    hooks: tuple[PlacedHook, ...], request: Request, response: Response
) -> tuple[int, Reply | PendingReply | BaseException | None] | None:
    """Run response hooks over a whole response.

    Returns:
        None if no hook has done anything but look at it or edit its headers. Else what the first
        that has done more has returned or raised, after the number of hooks further out.
    """
    outer, status = 0, response.status
    try:
        for outer, on_response in hooks:
            result = on_response(request, response)
            if result is not None or response.filters or response.status != status:
                return outer, result
    except BaseException as raised:  # noqa: BLE001  # handed to the outer policies
        return outer, raised
    return None
