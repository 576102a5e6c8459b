"""The WSGI adapter: an app with its policies around it, itself a WSGI app."""

import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any
from weakref import WeakSet
from wsgiref.types import StartResponse, WSGIApplication

from mantlet._internal.coroutines import run_sync
from mantlet._internal.fork import after_fork_in_child
from mantlet._internal.locks import ForkSafeLock
from mantlet.core.lifecycle import Startup, is_startup_disabled
from mantlet.core.order import check_wsgi
from mantlet.core.policy import Policy
from mantlet.core.request import Request, request_class
from mantlet.core.stack import BaseStack
from mantlet.http.headers import DeclaredNames
from mantlet.integrations import find_root_paths, observe_exceptions, report_routes
from mantlet.wsgi.http import WsgiHttpRequest
from mantlet.wsgi.underscores import warn_of_underscores

__all__ = ["Stack"]


class Stack(BaseStack[WSGIApplication]):
    """A WSGI app with its policies around it; the outermost policy comes first.

    WSGI tells an app neither that its server starts nor that it stops. So policies start when the
    stack is made, which servers do in each worker, or before they fork it; in that case they start
    again in the worker, with the first request.

    Args:
        app: the app. Another stack fuses with this one.
        policies: the policies around it, the outermost first.
        startup: see `mantlet.wrap()`.

    Raises:
        StartupError: a policy can't start.
        TypeError: a policy is not a `Policy`.
        ValueError: ``startup`` is unknown.
    """

    #: The policies that `wrap()` added as the baseline.
    _baseline: tuple[Policy, ...] = ()

    def __init__(
        self,
        app: WSGIApplication,
        policies: Sequence[Policy] = (),
        *,
        startup: Startup = "eager",
        _started: Sequence[Policy] = (),
    ) -> None:
        lock = ForkSafeLock()
        super().__init__(app, policies, startup=startup, started=_started, hold=lock.hold)
        check_wsgi(policies)
        self._observe_exceptions()
        report_routes(self.app, self.policies)
        self._preparing = ForkSafeLock()
        if self._lifecycle.is_needed:
            _all.add(self)
            if self._startup == "eager" and not is_startup_disabled():
                _run_off_loop(self._lifecycle.start)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        hooks = self._hooks
        make_request = hooks.request_classes.get("http")
        if make_request is None:
            if hooks.is_idle:
                return hooks.app(environ, start_response)
            with self._preparing.hold():
                hooks = self._current_hooks(partial(self._request_classes, environ))
            make_request = hooks.request_classes["http"]
        request: WsgiHttpRequest = make_request(environ)
        result = hooks.run_request_hooks(request) if hooks.has_request_hooks else None
        if result is not None and result.waiting is not None:
            try:
                result = run_sync(hooks.resume_request_hooks(request, result))
            except BaseException:
                request._run_cleanups()
                raise
        if (
            hooks.is_inward_only
            and result is None
            and request._cleanups is None
            and not request._own_headers
        ):
            return hooks.app(request.hand_over(watches=False), start_response)
        return request._answer(hooks, start_response, result)

    def _observe_exceptions(self) -> None:
        if self._hooks.has_error_hooks:
            observe_exceptions(self.app, self.policies)

    def _request_classes(
        self, environ: dict[str, Any], declared: DeclaredNames | None
    ) -> dict[str, type[Request]]:
        # Again, since apps are mounted and get handlers after an app has been wrapped.
        self._observe_exceptions()
        report_routes(self.app, self.policies)
        warn_of_underscores(environ, self.policies)  # of the first request of a server
        found = find_root_paths(self.app)
        return {"http": request_class(WsgiHttpRequest, found, self._seen_lifecycle, declared)}


def _run_off_loop(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end, in a new thread if this one runs an event loop.

    ASGI servers import an app in their event loop, in whose thread no other loop can run.
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        run_sync(start())
        return
    from concurrent.futures import ThreadPoolExecutor  # seldom needed

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: run_sync(start())).result()


_all: WeakSet[Stack] = WeakSet()


def _reset_after_fork() -> None:
    """Let policies start again in a child process."""
    for stack in tuple(_all):
        stack._hooks.request_classes = {}
        stack._lifecycle.reset()


after_fork_in_child(_reset_after_fork)
