"""The WSGI face: the app with its policies around it, itself a WSGI app."""

from collections.abc import Iterable
from threading import Lock
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from mantlet._internal.coroutines import run_sync
from mantlet.core.policy import Policy
from mantlet.core.stack import BaseStack
from mantlet.integrations import observe_exceptions
from mantlet.wsgi.http import HttpExchange
from mantlet.wsgi.request import WsgiRequest

__all__ = ["Stack"]


class Stack(BaseStack[WSGIApplication]):
    """A WSGI app with its policies around it; the outermost policy comes first.

    Args:
        app: the app. Another stack fuses with this one.
        policies: what goes around it.

    Raises:
        TypeError: one of the policies is none.
    """

    def __init__(self, app: WSGIApplication, *policies: Policy) -> None:
        super().__init__(app, *policies)
        if self.outward[-1].hears_errors:
            observe_exceptions(self.app)
        self._started = not self.startup
        self._starting = Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if self.idle:
            return self.app(environ, start_response)
        if not self._started:
            self.start()
        request = WsgiRequest(environ)
        refusal = self.inward(request)
        if refusal is not None and refusal.waiting is not None:
            try:
                refusal = run_sync(self.judge(request, refusal))
            except BaseException:
                request._run_cleanups()
                raise
        if (
            refusal is None
            and self.inward_only
            and request._cleanups is None
            and not (request._owns_response_headers and request._response_headers)
        ):
            return self.app(request.hand_over(), start_response)
        return HttpExchange(self, request, start_response, refusal).run()

    def start(self) -> None:
        """Run the policies' `startup`, once; other threads wait for it."""
        with self._starting:
            if not self._started:
                run_sync(self.start_policies())
                self._started = True
