"""What the two faces share: an app with its policies around it, and the way in through them."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Generic, NamedTuple, Self, TypeVar, cast

from mantlet.core.policy import Policy, Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response

__all__ = ["BaseStack", "OutwardPair", "Refusal", "Waiting", "settled"]

App = TypeVar("App")
Waiting = Awaitable[Reply | None]
FinishHook = Callable[[Request], Awaitable[None] | None]
OutwardPair = tuple[
    Callable[[Request, Response], Reply | Waiting | None] | None,
    Callable[[Request, BaseException], Reply | Waiting | None] | None,
    int,
]


class Outward(NamedTuple):
    """What policies do on the way out.

    Attributes:
        hooks: theirs, the innermost policy's first, with the lowest status it is told of.
        hears_errors: whether one of them hears errors.
        plain_below: an answer with a status below this interests none of them.
    """

    hooks: tuple[OutwardPair, ...]
    hears_errors: bool
    plain_below: int


class Refusal:
    """Why the inward pass has not reached the app: just one of its attributes but the first is set.

    Attributes:
        index: the policy that it stopped at.
        reply: that policy's answer.
        error: what it raised.
        waiting: what it waits for before it knows.
    """

    __slots__ = ("error", "index", "reply", "waiting")

    def __init__(
        self,
        index: int,
        reply: Reply | None = None,
        error: BaseException | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self.index = index
        self.reply = reply
        self.error = error
        self.waiting = waiting


class BaseStack(Generic[App]):
    """An app with its policies around it; the outermost policy comes first.

    Args:
        app: the app. A stack of the same face fuses with this one.
        policies: what goes around it.

    Attributes:
        app: the wrapped app, never a stack of the same face.
        policies: all policies around it, the outermost first.

    Raises:
        TypeError: one of the policies is none.
    """

    def __init__(self, app: App | Self, *policies: Policy) -> None:
        for policy in policies:
            checked: object = policy
            if not isinstance(checked, Policy):
                hint = f"; did you mean {policy.__name__}()?" if isinstance(policy, type) else ""
                raise TypeError(f"a policy must be a mantlet.Policy, not {policy!r}{hint}")
        inner = app if isinstance(app, type(self)) else None
        self.app: App = cast("App", app) if inner is None else inner.app
        self.policies: tuple[Policy, ...] = policies if inner is None else policies + inner.policies
        policies = self.policies
        self.on_request = tuple(
            (index, policy.on_request)
            for index, policy in enumerate(policies)
            if _overrides(policy, "on_request")
        )
        self.on_message = tuple(p.on_message for p in policies if _overrides(p, "on_message"))
        #: By how many policies let the request pass: what those do on the way out.
        self.outward = tuple(_outward(policies[:count]) for count in range(len(policies) + 1))
        #: By how many policies ran: what those do at the end, innermost first.
        self.on_finish = tuple(
            tuple(p.on_finish for p in reversed(policies[:count]) if _overrides(p, "on_finish"))
            for count in range(len(policies) + 1)
        )
        self.startup = tuple(p.startup for p in policies if _overrides(p, "startup"))
        self.shutdown = tuple(p.shutdown for p in reversed(policies) if _overrides(p, "shutdown"))
        #: What masks the app's secrets: those of an error of a policy further out as well.
        self.maskers = tuple(p.secret_masker for p in policies if p.secret_masker is not None)
        #: Whether every policy is done with a request of HTTP once it has let it pass.
        self.inward_only = not (self.outward[-1].hooks or self.on_finish[-1])
        #: Whether no policy wants to see anything.
        self.idle = self.inward_only and not (
            self.on_request or self.on_message or self.startup or self.shutdown
        )

    def __repr__(self) -> str:
        names = ", ".join(type(policy).__name__ for policy in self.policies)
        return f"<{type(self).__module__}.{type(self).__name__} [{names}] around {self.app!r}>"

    async def start_policies(self) -> None:
        """Run the policies' `startup`, the outermost first."""
        await _each(self.startup)

    async def stop_policies(self) -> None:
        """Run the policies' `shutdown`, the innermost first."""
        await _each(self.shutdown)

    def inward(self, request: Request, start: int = 0) -> Refusal | None:
        """Take a request past the policies from ``start`` on.

        Returns:
            None if all of them let it pass. A refusal that waits goes through `judge()`.
        """
        hooks = self.on_request
        if start:
            hooks = tuple(pair for pair in hooks if pair[0] >= start)
        elif self.maskers:
            state = request.state
            state._maskers = tuple(dict.fromkeys(state._maskers + self.maskers))
        index = start
        try:
            for index, hook in hooks:
                reply = hook(request)
                if reply is not None:
                    if isinstance(reply, Reply):
                        return Refusal(index, reply)
                    return Refusal(index, waiting=reply)
        except BaseException as error:  # noqa: BLE001  # handed to the policies further out
            return _raised(index, error, request)
        return None

    async def judge(self, request: Request, refusal: Refusal | None) -> Refusal | None:
        """Go on with an inward pass that stopped at a hook which has to wait."""
        while refusal is not None and refusal.waiting is not None:
            index = refusal.index
            try:
                reply = settled(await refusal.waiting)
            except BaseException as error:  # noqa: BLE001  # handed to the policies further out
                return _raised(index, error, request)
            refusal = Refusal(index, reply) if reply else self.inward(request, index + 1)
        return refusal

    def finish(self, request: Request, refusal: Refusal | None) -> Coroutine[Any, Any, None] | None:
        """Tell every policy that ran that the exchange has ended, then run the cleanups.

        Returns:
            None when all of them know, or what is left to do where one has to wait.
        """
        hooks = self.on_finish[-1 if refusal is None else refusal.index + 1]
        if request._cleanups is not None:
            hooks = (*hooks, _end)
        if len(hooks) == 1:  # as it mostly is
            waiting = hooks[0](request)
            return None if waiting is None else _tell_later(waiting, iter(()), request, None)
        return _tell(iter(hooks), request) if hooks else None


def settled(reply: Reply | None) -> Reply | None:
    """Return what a hook answered.

    Raises:
        TypeError: it is something else than an answer.
    """
    if reply is not None and not isinstance(reply, Reply):
        raise TypeError(f"a hook must return a Reply or None, not {type(reply).__name__}")
    return reply


def _end(request: Request) -> None:
    request._run_cleanups()


def _raised(index: int, error: BaseException, request: Request) -> Refusal:
    if isinstance(error, Problem):
        return Refusal(index, error.reply(request))
    return Refusal(index, error=error)


def _tell(
    hooks: Iterator[FinishHook], request: Request, raised: BaseException | None = None
) -> Coroutine[Any, Any, None] | None:
    """Call each hook, also behind one that raises; then raise what they did."""
    for hook in hooks:
        try:
            waiting = hook(request)
        except BaseException as error:  # noqa: BLE001  # the others still have to hear
            raised = _chained(error, raised)
        else:
            if waiting is not None:
                return _tell_later(waiting, hooks, request, raised)
    if raised is not None:
        raise raised
    return None


async def _tell_later(
    waiting: Awaitable[None],
    hooks: Iterator[FinishHook],
    request: Request,
    raised: BaseException | None,
) -> None:
    try:
        await waiting
    except BaseException as error:  # noqa: BLE001  # the others still have to hear
        raised = _chained(error, raised)
    rest = _tell(hooks, request, raised)
    if rest is not None:
        await rest


def _chained(error: BaseException, earlier: BaseException | None) -> BaseException:
    error.__context__ = error.__context__ or earlier
    return error


async def _each(hooks: tuple[Callable[[], Awaitable[None] | None], ...]) -> None:
    for hook in hooks:
        waiting = hook()
        if waiting is not None:
            await waiting


def _overrides(policy: Policy, hook: str) -> bool:
    if hook in policy.disabled_hooks:
        return False
    own = getattr(policy, hook)
    return getattr(own, "__func__", own) is not getattr(Policy, hook)


def _outward(policies: tuple[Policy, ...]) -> Outward:
    every = (
        (
            policy.on_response if _overrides(policy, "on_response") else None,
            policy.on_error if _overrides(policy, "on_error") else None,
            policy.min_status,
        )
        for policy in reversed(policies)
    )
    hooks = tuple(hook for hook in every if hook[0] or hook[1])
    hears_errors = any(on_error for _, on_error, _ in hooks)
    lowest = [status for on_response, _, status in hooks if on_response]
    if hears_errors:
        lowest.append(400)  # held, for the app may still raise
    return Outward(hooks, hears_errors, min(lowest, default=1000))
