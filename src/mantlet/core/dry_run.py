"""Run policies in the modes ``"off"`` and ``"report"``, also by route.

A policy that only reports runs all of its hooks, on views of the request and the response that
discard every change: its replies are logged instead of sent, its body filters see the body and
their output is thrown away. So the client and the app get exactly the bytes that they would get
without it.
"""

import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from time import time
from typing import Any

from mantlet._internal.log_throttle import LogThrottle
from mantlet.core.body_filters import apply_filters
from mantlet.core.error_log import log_exception, logged_method, maskers
from mantlet.core.modes import Mode, RouteModes
from mantlet.core.policy import Close, Message, MessageResult, Policy, has_hook
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView
from mantlet.core.response import Filter, Filtered, Reply, Response

__all__ = ["Switch", "mode_of", "with_mode"]

_log = logging.getLogger("mantlet.report")


def with_mode(policy: Policy) -> Policy | None:
    """Return a policy wrapped as its mode requires; None if it is off."""
    mode = policy.mode
    if isinstance(mode, RouteModes):
        return ByRoute(policy, mode)
    if mode == "enforce":
        return policy
    return ReportOnly(policy) if mode == "report" else None


def mode_of(policy: Policy, request: Request) -> Mode:
    """Return the mode of a policy for a request."""
    mode = policy.mode
    return mode.find(request) if isinstance(mode, RouteModes) else mode


class _Wrapped(Policy):
    """A policy that runs another one, and has the same hooks.

    Args:
        policy: the other policy.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.min_status = policy.min_status
        self.request_headers = policy.request_headers
        self.needs_first_chunk = policy.needs_first_chunk
        self.secret_masker = policy.secret_masker
        self.disabled_hooks = policy.disabled_hooks | {
            name
            for name in (
                "on_request",
                "on_response",
                "on_error",
                "on_message",
                "on_close",
                "on_text",
                "on_finish",
            )
            if not has_hook(policy, name)
        }


class ReportOnly(_Wrapped):
    """Runs a policy without letting it change anything, and logs each reply that it would give."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._name = type(policy).__name__
        self._throttle = LogThrottle(_log)

    def on_request(self, request: Request) -> Awaitable[None] | None:
        """Run the policy's hook on a view of the request."""
        view = self._view(request)
        return self._run(view, self._policy.on_request, view)

    def on_response(self, request: Request, response: Response) -> Awaitable[None] | None:
        """Run the policy's hook on a copy of the response, and its filters without their output."""
        view = self._view(request)
        copy = response._copy()
        waiting = self._run(view, self._policy.on_response, view, copy)
        if waiting is None:
            self._watch(view, response, copy)
            return None
        return self._watch_later(waiting, view, response, copy)

    def on_error(self, request: Request, error: BaseException) -> Awaitable[None] | None:
        """Run the policy's hook, and leave the error to the outer policies."""
        view = self._view(request)
        return self._run(view, self._policy.on_error, view, error)

    def on_message(self, request: Request, message: Message) -> Message | Awaitable[Message]:
        """Run the policy's hook, and pass the message on as it is."""
        view = self._view(request)
        try:
            result = self._policy.on_message(view, message)
        except Exception as error:
            self._log_failure(view, error)
            return message
        if result is None or isinstance(result, (Message, Close, tuple)):
            self._report_message(view, message, result)
            return message
        return self._message_later(view, message, result)

    async def _message_later(
        self, view: RequestView, message: Message, waiting: Awaitable[MessageResult]
    ) -> Message:
        try:
            self._report_message(view, message, await waiting)
        except Exception as error:
            self._log_failure(view, error)
        return message

    def _report_message(self, view: RequestView, message: Message, result: MessageResult) -> None:
        if isinstance(result, Close):
            self._report(view, f"closed the connection with {result.code}")
        elif result is None:
            self._report(view, "dropped a message")
        elif isinstance(result, tuple):
            pass  # some were held back: which of them it has changed is unknown
        elif result is not message:
            self._report(view, "changed a message")

    def on_close(self, request: Request) -> tuple[Message, ...]:
        """Let the policy end its messages, which have been sent."""
        try:
            self._policy.on_close(self._view(request))
        except Exception as error:
            self._log_failure(request, error)
        return ()

    def on_text(self, request: Request, text: str, place: str) -> str:
        """Run the policy's hook, and pass the text on as it is."""
        view = self._view(request)
        try:
            result = self._policy.on_text(view, text, place)
        except Exception as error:
            self._log_failure(view, error)
            return text
        if result != text:
            self._report(view, f"changed a {place}")
        return text

    def on_finish(self, request: Request) -> Awaitable[None] | None:
        """Let the policy clean up; it finds the identity that an inner policy has set since."""
        view = self._view(request)
        view.state.identity = request.state.identity or view.state.identity
        try:
            waiting = self._policy.on_finish(view)
        except Exception as error:
            self._log_failure(request, error)
            return None
        return None if waiting is None else self._finish_later(request, waiting)

    async def _finish_later(self, request: Request, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except Exception as error:
            self._log_failure(request, error)

    def _view(self, request: Request) -> RequestView:
        own = request.local(self)
        view: RequestView | None = own.get("view")
        if view is None:
            view = own["view"] = RequestView(request)
        return view

    def _run(
        self, view: RequestView, hook: Callable[..., Any], *args: object
    ) -> Awaitable[None] | None:
        """Run a hook that may reply, and report the reply."""
        try:
            reply = hook(*args)
        except Problem as problem:
            reply = problem.reply(view)
        except Exception as error:
            self._log_failure(view, error)
            reply = None
        if reply is None or isinstance(reply, (Reply, Response)):
            self._replied(view, reply)
            return None
        return self._run_later(view, reply)

    async def _run_later(
        self, view: RequestView, waiting: Awaitable[Reply | Response | None]
    ) -> None:
        try:
            reply = await waiting
        except Problem as problem:
            reply = problem.reply(view)
        except Exception as error:
            self._log_failure(view, error)
            reply = None
        self._replied(view, reply)

    def _replied(self, view: RequestView, reply: Reply | Response | None) -> None:
        view.share()
        if isinstance(reply, Reply):
            self._report(view, f"answered with {reply.status}")
        elif view._deadline is not None:
            view.add_cleanup(partial(self._report_deadline, view, *view._deadline))
            view._deadline = None  # once

    def _report_deadline(self, view: RequestView, deadline: float, close: Close) -> None:
        """Report at the end of a connection that the policy would have ended it earlier."""
        if time() >= deadline:
            self._report(view, f"closed the connection with {close.code}")

    def _watch(self, view: RequestView, response: Response, copy: Response) -> None:
        """Run the policy's filters on the response's body, and report whether they change it."""
        new = copy.filters[len(response.filters) :]
        if not new:
            return
        watched = _WatchedFilters(self, view, new)
        response.transform(watched, keeps_length=True, keeps_etag=True)

    async def _watch_later(
        self, waiting: Awaitable[None], view: RequestView, response: Response, copy: Response
    ) -> None:
        await waiting
        self._watch(view, response, copy)

    def _report(self, request: Request, action: str) -> None:
        """Log the action that the policy would have taken, throttled."""
        suppressed = self._throttle.suppressed(action)
        if suppressed is None:
            return
        method = logged_method(request)
        request_id = request.state._request_id or "-"
        _log.warning(
            "%s would have %s (%s request %s)%s",
            self._name,
            action,
            method,
            request_id,
            f" (and {suppressed} more like it)" if suppressed else "",
            extra={"policy": self._name, "request_id": request_id, "method": method},
        )

    def _log_failure(self, request: Request, error: Exception) -> None:
        request_id = request.state._request_id or "-"
        log_exception(
            _log,
            logging.ERROR,
            ("%s failed in report mode with %s", self._name, type(error).__qualname__),
            error,
            throttle=self._throttle,
            extra=lambda: {"policy": self._name, "request_id": request_id},
            masks=maskers(request),
        )


class _WatchedFilters:
    """Runs filters on a body without changing it.

    Args:
        policy: reports whether they would change it, and their failure.
        view: the request.
        filters: the filters.
    """

    def __init__(self, policy: ReportOnly, view: RequestView, filters: tuple[Filter, ...]) -> None:
        self._policy = policy
        self._view = view
        self._filters = filters
        self._changed = False

    def __call__(self, chunk: bytes, more: bool) -> bytes | Awaitable[Filtered]:
        """Run the filters on a chunk; return the chunk as it is."""
        try:
            result = apply_filters(self._filters, chunk, more)
        except Exception as error:
            return self._stop(chunk, error)
        if not isinstance(result, bytes):
            return self._wait(chunk, result)
        return self._compare(chunk, result)

    async def _wait(self, chunk: bytes, waiting: Awaitable[Filtered]) -> bytes:
        try:
            result = await waiting
        except Exception as error:
            return self._stop(chunk, error)
        return self._compare(chunk, result)

    def _compare(self, chunk: bytes, result: Filtered) -> bytes:
        if result != chunk and not self._changed:
            self._changed = True
            self._policy._report(self._view, "changed the response body")
        return chunk

    def _stop(self, chunk: bytes, error: Exception) -> bytes:
        self._filters = ()
        if isinstance(error, Problem):
            self._policy._report(self._view, f"stopped the response with {error.status}")
        else:
            self._policy._log_failure(self._view, error)
        return chunk


class Switch(_Wrapped):
    """Runs one of several policies, chosen for each request."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        if policy.response_headers:
            self.disabled_hooks -= {"on_request"}

    @abstractmethod
    def _chosen(self, request: Request) -> Policy:
        """Return the policy for a request, the same one throughout."""
        raise NotImplementedError

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Set the headers that the chosen policy declares, and run its hook."""
        chosen = self._chosen(request)
        for name, value in chosen.response_headers.items():
            request.add_response_header(name, value)
        return chosen.on_request(request)

    def on_response(
        self, request: Request, response: Response
    ) -> Reply | Awaitable[Reply | None] | None:
        """Run the hook of the chosen policy."""
        return self._chosen(request).on_response(request, response)

    def on_error(
        self, request: Request, error: BaseException
    ) -> Reply | Response | Awaitable[Reply | Response | None] | None:
        """Run the hook of the chosen policy."""
        return self._chosen(request).on_error(request, error)

    def on_message(
        self, request: Request, message: Message
    ) -> MessageResult | Awaitable[MessageResult]:
        """Run the hook of the chosen policy."""
        return self._chosen(request).on_message(request, message)

    def on_close(self, request: Request) -> tuple[Message, ...]:
        """Run the hook of the chosen policy."""
        return self._chosen(request).on_close(request)

    def on_text(self, request: Request, text: str, place: str) -> str | None:
        """Run the hook of the chosen policy."""
        return self._chosen(request).on_text(request, text, place)

    def on_finish(self, request: Request) -> Awaitable[None] | None:
        """Run the hook of the chosen policy."""
        return self._chosen(request).on_finish(request)


class ByRoute(Switch):
    """Runs a policy in the mode of each request's route.

    Args:
        policy: the policy.
        modes: the modes by route patterns.
    """

    def __init__(self, policy: Policy, modes: RouteModes) -> None:
        super().__init__(policy)
        self._modes = modes
        self._runs: dict[Mode, Policy] = {
            "enforce": policy,
            "report": ReportOnly(policy),
            "off": Policy(),
        }

    def _chosen(self, request: Request) -> Policy:
        own = request.local(self)
        chosen: Policy | None = own.get("policy")
        if chosen is None:
            chosen = own["policy"] = self._runs[self._modes.find(request)]
        return chosen
