"""The WSGI adapter: an app with its policies around it, itself a WSGI app."""

from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from mantlet._internal.coroutines import run_sync
from mantlet.core.order import check_wsgi
from mantlet.core.policy import Policy
from mantlet.core.request import request_class
from mantlet.core.stack import BaseStack
from mantlet.integrations import find_root_paths, observe_exceptions
from mantlet.wsgi.http import WsgiExchange
from mantlet.wsgi.request import WsgiRequest
from mantlet.wsgi.underscores import warn_of_underscores

__all__ = ["Stack"]


class Stack(BaseStack[WSGIApplication]):
    """A WSGI app with its policies around it; the outermost policy comes first.

    Args:
        app: the app. Another stack fuses with this one.
        policies: the policies around it, the outermost first.

    Raises:
        TypeError: a policy is not a `Policy`.
    """

    #: The policies that `wrap()` added as the baseline.
    _baseline: tuple[Policy, ...] = ()

    def __init__(self, app: WSGIApplication, policies: Sequence[Policy] = ()) -> None:
        super().__init__(app, policies)
        check_wsgi(policies)
        self._hears_errors = self._hooks.on_response[-1].has_error_hooks
        if self._hears_errors:
            observe_exceptions(self.app, self.policies)
        self._starting = Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        hooks = self._hooks
        if hooks.is_idle:
            return hooks.app(environ, start_response)
        make_request = hooks.request_classes.get("http")
        if make_request is None:
            self._start(environ)
            make_request = hooks.request_classes["http"]
        request: WsgiRequest = make_request(environ)
        result = hooks.run_request_hooks(request)
        if result is not None and result.waiting is not None:
            try:
                result = run_sync(hooks.resume_request_hooks(request, result))
            except BaseException:
                request._run_cleanups()
                raise
        if (
            result is None
            and hooks.is_inward_only
            and request._cleanups is None
            and not request._own_headers
        ):
            return hooks.app(request.hand_over(watches=False), start_response)
        return WsgiExchange(hooks, request, start_response, result).run()

    def _start(self, environ: dict[str, Any] | None = None) -> None:
        """Run `startup` of the policies, once; other threads wait for it."""
        with self._starting:
            hooks = self._hooks
            if not hooks.has_started:
                # Again, since apps are mounted and get handlers after an app has been wrapped.
                if self._hears_errors:
                    observe_exceptions(self.app, self.policies)
                if environ is not None:  # of the first request of a server
                    warn_of_underscores(environ, self.policies)
                classes = {"http": request_class(WsgiRequest, find_root_paths(self.app))}
                run_sync(hooks.start())
                hooks.request_classes = classes
