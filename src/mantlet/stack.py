"""What the two faces share: an app with its policies around it, and one exchange through them.

Everything here is written once, as coroutines. The ASGI face awaits them; the WSGI face steps them
to their end with `run()`, since under WSGI nothing in them ever has to wait.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Final, Generic, Self, TypeVar

from mantlet.exceptions import MantletError, NoAnswer, ResponseTooLarge
from mantlet.integrations.signals import listen
from mantlet.policy import WANTS_BODY, Policy, Reply, Response
from mantlet.problem import Problem
from mantlet.request import REPORTED, Request

__all__ = ["AnswerEnded", "BaseStack", "Exchange", "Refusal", "run"]

App = TypeVar("App")
T = TypeVar("T")

#: An answer of 400 and above waits for the app to end, or to raise, up to this many bytes.
PATIENCE: Final = 64 * 1024
#: ... and up to this many chunks, so that empty ones don't add up.
PATIENCE_CHUNKS: Final = 1024

_VALIDATORS: Final = ("ETag", "Digest", "Content-Digest", "Repr-Digest", "Content-MD5")


class AnswerEnded(OSError):
    """Raised into an app that goes on sending after a policy has ended its answer.

    An OSError, since that is what an ASGI app expects from ``send`` when nobody reads any more.
    """


class Refusal:
    """How the inward pass ended where it did not reach the app.

    Attributes:
        index: the policy that answered or raised.
        reply: its answer, or None.
        error: what it raised, or None.
    """

    __slots__ = ("error", "index", "reply")

    def __init__(self, index: int, reply: Reply | None, error: BaseException | None) -> None:
        self.index = index
        self.reply = reply
        self.error = error


def run(steps: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that has nothing to wait for to its end.

    Raises:
        RuntimeError: it tried to wait on an event loop.
    """
    try:
        steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    steps.close()
    raise RuntimeError("policy awaited async I/O under WSGI")


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

    app: App

    def __init__(self, app: App | Self, *policies: Policy) -> None:
        for policy in policies:
            if not isinstance(policy, Policy):
                hint = f"; did you mean {policy.__name__}()?" if isinstance(policy, type) else ""
                raise TypeError(f"a policy must be a mantlet.Policy, not {policy!r}{hint}")
        if isinstance(app, type(self)):
            policies += app.policies
            app = app.app
        self.app = app  # type: ignore[assignment]  # narrowed: no stack of this face is left
        self.policies = policies
        self.on_request = tuple(
            (index, policy.on_request)
            for index, policy in enumerate(policies)
            if _overrides(policy, "on_request")
        )
        self.on_message = tuple(p.on_message for p in policies if _overrides(p, "on_message"))
        #: By how many policies let the request pass: what those do with the answer, innermost first.
        self.outward = tuple(_outward(policies[:count]) for count in range(len(policies) + 1))
        #: By the same: whether one of those hears errors.
        self.hears_errors = tuple(any(hook for _, hook in hooks) for hooks in self.outward)
        #: By how many policies ran: what those do at the end, innermost first.
        self.on_finish = tuple(
            tuple(p.on_finish for p in reversed(policies[:count]) if _overrides(p, "on_finish"))
            for count in range(len(policies) + 1)
        )
        self.startup = tuple(p.startup for p in policies if _overrides(p, "startup"))
        self.shutdown = tuple(p.shutdown for p in reversed(policies) if _overrides(p, "shutdown"))
        #: Whether every policy is done with the request once it has let it pass.
        self.inward_only = not (self.outward[-1] or self.on_finish[-1] or self.on_message)
        if self.hears_errors[-1]:
            listen()

    def __repr__(self) -> str:
        names = ", ".join(type(policy).__name__ for policy in self.policies)
        return f"<{type(self).__module__}.{type(self).__name__} [{names}] around {self.app!r}>"

    async def start_policies(self) -> None:
        """Run the policies' `startup`, the outermost first."""
        await _each(self.startup)

    async def stop_policies(self) -> None:
        """Run the policies' `shutdown`, the innermost first."""
        await _each(self.shutdown)

    async def inward(self, request: Request) -> Refusal | None:
        """Take a request past the policies; return None if all of them let it pass."""
        index = 0
        try:
            for index, hook in self.on_request:  # read below
                reply = hook(request)
                if reply is not None:
                    reply = await _settled(reply)
                    if reply is not None:
                        return Refusal(index, reply, None)
        except Problem as problem:
            return Refusal(index, problem.reply(request), None)
        except BaseException as error:  # noqa: BLE001  # handed to the policies further out
            return Refusal(index, None, error)
        return None

    async def finish(self, ran: int, request: Request, error: BaseException | None) -> None:
        """Tell every policy that ran that the exchange has ended; then raise what one of them did."""
        request.error = error
        raised: BaseException | None = None
        for hook in self.on_finish[ran]:
            try:
                waiting = hook(request)
                if waiting is not None:
                    await waiting
            except BaseException as failure:  # noqa: BLE001  # the others still have to hear
                raised = raised or failure
        if raised is not None:
            raise raised


Hooks = tuple[
    tuple[
        Callable[[Request, Response], Reply | Awaitable[Reply | None] | None] | None,
        Callable[[Request, BaseException], Reply | Awaitable[Reply | None] | None] | None,
    ],
    ...,
]


class Exchange:
    """One request's answer on its way out, in a face's hands.

    The app's head waits here for the first bytes of its body, since until then the app may still
    raise (WSGI lets it take the head back, and ASGI servers send nothing before either). Then the
    policies see it, innermost first, in one coroutine. If that asks for the body, it is kept while
    the body is collected, and resumed at its end.

    Args:
        stack: the policies.
        request: the request.
        passed: how many of the policies, from outside, let the request pass.
    """

    __slots__ = (
        "_carrying",
        "_flushed",
        "_held",
        "_limit",
        "_size",
        "complete",
        "failure",
        "hears_errors",
        "hooks",
        "phase",
        "request",
        "response",
    )

    #: No byte has gone, and the policies have not seen the head.
    WAITING: Final = 0
    #: The policies are looking at the head, and want the body.
    COLLECTING: Final = 1
    #: The head has gone, and the app's body follows.
    STREAMING: Final = 2
    #: Nothing of what the app sends goes any further.
    CLOSED: Final = 3

    def __init__(self, stack: BaseStack[Any], request: Request, passed: int) -> None:
        self.request = request
        self.hooks: Hooks = stack.outward[passed]
        self.hears_errors = stack.hears_errors[passed]
        self.phase = self.WAITING
        #: The app's answer while it waits, then the answer that is sent.
        self.response: Response | None = None
        #: What no policy answered, to be raised to the server.
        self.failure: BaseException | None = None
        #: Whether all of the app's body has come.
        self.complete = False
        self._held: list[bytes] = []
        self._size = 0
        self._flushed = False

    # -- what a face gives ------------------------------------------------------------------------

    @abstractmethod
    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the policies further out see."""
        raise NotImplementedError

    @abstractmethod
    async def send_head(self, response: Response) -> None:
        """Send the head of the answer."""
        raise NotImplementedError

    @abstractmethod
    async def send_chunk(self, chunk: bytes, more: bool) -> None:
        """Send a chunk of the answer's body."""
        raise NotImplementedError

    # -- what the app does ------------------------------------------------------------------------

    async def feed(self, chunk: bytes, more: bool) -> None:
        """Take a chunk of the app's body.

        Raises:
            AnswerEnded: a policy has ended the answer, so the app need not go on.
        """
        if self.phase == self.STREAMING:
            await self._forward(chunk, more)
        elif self.phase == self.CLOSED:
            if more:
                raise AnswerEnded("the answer has been ended by a policy")
        else:
            self._held.append(chunk)
            self._size += len(chunk)
            self.complete = not more
            if self.phase == self.WAITING:
                if self._may_open(chunk):
                    await self.open()
            elif not more:
                await self._carry_on(b"".join(self._held))
            elif self._size > self._limit:
                await self._carry_on(ResponseTooLarge(self._limit))

    def _may_open(self, chunk: bytes) -> bool:
        # A framework may send its own 500 and raise then: an answer of 400 and above waits for that.
        response = self.response
        if len(self._held) > PATIENCE_CHUNKS or self._size > PATIENCE:
            return True
        if self.hears_errors and response is not None and response.status >= 400:
            return False
        return bool(chunk) or self.complete

    async def open(self, error: BaseException | None = None) -> None:
        """Let the policies see the app's head, or the error that came in its place."""
        if error is None and self.hears_errors:
            error = self.request.carrier.get(REPORTED)
        carrying = self._carry(error)
        try:
            wanted = carrying.send(None)
        except StopIteration as end:  # by far the most frequent: nothing to wait for
            await self._settle(*end.value)
        else:
            self._carrying = carrying
            await self._carry_on(wanted=wanted)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer in the app's place, or let the policies further out do so."""
        if refusal.reply is not None:
            self.response = self.make_response(refusal.reply)
        await self.open(refusal.error)

    async def end(self) -> None:
        """Hear that the app has ended."""
        if self.phase == self.WAITING:
            await self.open(None if self.response else NoAnswer("the app sent no response"))
        elif self.phase == self.COLLECTING:
            await self._carry_on(NoAnswer("the app ended before its response was complete"))

    async def fail(self, error: BaseException) -> None:
        """Hear that the app has raised; `failure` then says whether that is to be raised on."""
        if self.phase == self.WAITING:
            await self.open(error)
        elif self.phase == self.COLLECTING:
            await self._carry_on(error)
        elif not _follows(error, AnswerEnded):
            self.failure = self.failure or error
            return
        answered = self.response is not None and self.response.reply
        if self.failure is None and not answered:
            self.failure = error

    # -- the outward pass -------------------------------------------------------------------------

    async def _carry(
        self, error: BaseException | None
    ) -> tuple[Response | None, BaseException | None]:
        """Take the app's answer, or an error, past the policies; return what came out."""
        request, response = self.request, self.response
        heard = error
        hooks = self.hooks
        for on_response, on_error in hooks:
            reply: Reply | Awaitable[Reply | None] | None = None
            try:
                if error is not None:
                    reply = on_error(request, error) if on_error else None
                elif on_response and response:
                    reply = on_response(request, response)
                if reply is not None:
                    reply = await _settled(reply)
            except Problem as problem:
                reply = problem.reply(request)
            except BaseException as raised:  # noqa: BLE001  # handed to the policies further out
                if raised is not error:
                    raised.__context__ = raised.__context__ or error
                error, response = raised, None
            if isinstance(reply, Reply) and (error is None or isinstance(error, Exception)):
                if error is not None:
                    request.carrier.pop(REPORTED, None)
                error, response = None, self.make_response(reply)
        if response is not None and error is heard and isinstance(error, Exception):
            # The app answered its own error, and no policy had a better answer: the app's stands.
            self.hooks = tuple((first, None) for first, second in hooks if second is None)
            return await self._carry(None)
        return response, error

    async def _carry_on(
        self, result: bytes | BaseException | None = None, wanted: object = None
    ) -> None:
        """Resume the pass with the body, or with what came in its place."""
        settled = await _until_body(self._carrying, result, wanted)
        if isinstance(settled, int):
            self.phase = self.COLLECTING
            self._limit = settled
            if self.complete:
                await self._carry_on(b"".join(self._held))
            elif self._size > settled:
                await self._carry_on(ResponseTooLarge(settled))
        else:
            await self._settle(*settled)

    async def _settle(self, response: Response | None, error: BaseException | None) -> None:
        """Send the head that came out of the pass, and what has come of the body."""
        if error is not None or response is None:
            self.phase = self.CLOSED
            self.failure = error
            return
        self.response = response
        self.phase = self.STREAMING
        held, self._held = self._held, []
        if response.reply:
            self.complete = True
            body = response.apply(response.whole or b"")
            if response.status not in (204, 304):
                response.headers.set("Content-Length", str(len(body)))
            held = [
                body if response.status not in (204, 304) and self.request.method != "HEAD" else b""
            ]
        elif response.filters:
            held = self._fit(response, held)
        await self.send_head(response)
        last = len(held) - 1
        for index, chunk in enumerate(held):
            await self.send_chunk(chunk, index < last or not self.complete)
        if self.complete:
            self.phase = self.CLOSED

    def _fit(self, response: Response, held: list[bytes]) -> list[bytes]:
        """Filter the chunks that have come, and make the head true to what is sent."""
        headers = response.headers
        if not response.filtering:
            if response.status not in (204, 206):
                # The body that the head speaks of is a filtered one. A 304 names, by its ETag, what
                # the client has already (RFC 9110, 15.4.5).
                headers.remove("Content-Length", *(() if response.status == 304 else _VALIDATORS))
            return held if response.status == 206 else [b""] * len(held)
        if response.whole is not None:
            filtered = [response.apply(response.whole)]
        else:
            self._flushed = self.complete or headers.get("Content-Length") == str(self._size)
            last = len(held) - 1 if self._flushed else -1
            filtered = [
                self._filter(response, chunk, index != last) for index, chunk in enumerate(held)
            ]
        whole = self.complete or self._flushed
        if whole and b"".join(filtered) == b"".join(held):
            return held
        headers.remove(*_VALIDATORS)
        if not whole:
            headers.remove("Content-Length")
        elif "Content-Length" in headers:
            headers.set("Content-Length", str(sum(map(len, filtered))))
        return filtered

    @staticmethod
    def _filter(response: Response, chunk: bytes, more: bool) -> bytes:
        for fn in response.filters:
            chunk = fn(chunk, more)
        return chunk

    async def _forward(self, chunk: bytes, more: bool) -> None:
        """Send a chunk of the app's on, the head having gone."""
        response = self.response
        if response and response.filters:
            try:
                if response.filtering:
                    chunk = self._last_filtered(response, chunk, more)
                elif response.status != 206:
                    chunk = b""
            except BaseException as error:
                self.phase = self.CLOSED
                self.failure = error
                raise
        await self.send_chunk(chunk, more)
        if not more:
            self.complete = True
            self.phase = self.CLOSED

    def _last_filtered(self, response: Response, chunk: bytes, more: bool) -> bytes:
        if not self._flushed:
            return self._filter(response, chunk, more)
        if chunk:
            raise MantletError("the app sent more than its Content-Length")
        return chunk


async def _each(hooks: tuple[Callable[[], Awaitable[None] | None], ...]) -> None:
    for hook in hooks:
        waiting = hook()
        if waiting is not None:
            await waiting


async def _settled(reply: Reply | Awaitable[Reply | None]) -> Reply | None:
    """Return what a hook answered, waiting for it where the hook is a coroutine."""
    settled = reply if isinstance(reply, Reply) else await reply
    if settled is not None and not isinstance(settled, Reply):
        raise TypeError(f"a hook must return a Reply or None, not {type(settled).__name__}")
    return settled


@coroutine
def _until_body(
    steps: Coroutine[Any, Any, T], result: bytes | BaseException | None, wanted: object
) -> Generator[Any, Any, T | int]:
    """Run ``steps`` until they end, or ask for the body, whose limit is then returned.

    Whatever else they wait for is for the event loop, and handed through to it.
    """
    try:
        if isinstance(result, BaseException):
            wanted = steps.throw(result)
        elif result is not None:
            wanted = steps.send(result)
        while not (isinstance(wanted, tuple) and wanted[0] is WANTS_BODY):
            try:
                happened = yield wanted
            except BaseException as error:  # noqa: BLE001  # it is the steps' to handle
                wanted = steps.throw(error)
            else:
                wanted = steps.send(happened)
    except StopIteration as end:
        ended: T = end.value
        return ended
    limit: int = wanted[1]
    return limit


def _overrides(policy: Policy, hook: str) -> bool:
    own = getattr(policy, hook)
    return getattr(own, "__func__", own) is not getattr(Policy, hook)


def _outward(policies: tuple[Policy, ...]) -> Hooks:
    pairs = (
        (
            policy.on_response if _overrides(policy, "on_response") else None,
            policy.on_error if _overrides(policy, "on_error") else None,
        )
        for policy in reversed(policies)
    )
    return tuple(pair for pair in pairs if any(pair))


def _follows(error: BaseException, kind: type[BaseException]) -> bool:
    """Return whether ``error`` is one of ``kind``, or came of one."""
    seen: set[int] = set()
    line: list[BaseException | None] = [error]
    while line:
        one = line.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, kind):
            return True
        seen.add(id(one))
        line += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            line += one.exceptions
    return False
