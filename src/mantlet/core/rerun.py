"""Run a request again: `allow_rerun()`, and `Rerun`, which a policy raises.

A policy that may have to run a request again keeps it in its `on_request`::

    async def on_request(self, request: Request) -> None:
        request.local(self)["rerun"] = await allow_rerun(request, 64 * 1024)

    def on_response(self, request: Request, response: Response) -> None:
        rerun = request.local(self)["rerun"]
        if rerun is not None and must_be_repeated(response):
            raise rerun

The response is discarded, and the request starts over at this policy: its own `on_request`, the
inner policies and the app are called again with the original request. Nothing has been sent yet,
since hooks see a response before its head goes out. For the inner policies, each attempt is a
separate exchange, which ends as usual. The outer policies see only the last response. The policy
has to limit the attempts: it counts them in its `Request.local()`, which is kept between attempts.

To end the discarded attempt, the app is told that the client has disconnected: ``send`` raises an
OSError, ``receive`` returns ``http.disconnect``, and the iterable of a WSGI app is closed. Work
that the app leaves for after its response, such as a background task of Starlette, does not run.

The next attempt gets the same scope or environ, with its original entries, and the original state
of the exchange. Other changes by the app stay: in objects that the entries refer to, except the
scope's ``state`` and ``session``; in context variables; and in its database, which the policy has
to roll back.
"""

from contextlib import ExitStack
from typing import Final, Self

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView

__all__ = ["Discarded", "Rerun", "allow_rerun"]

#: Entries of a scope that are made for each request and that apps change in place: the copy of the
#: lifespan's state, and the session of an outer middleware.
_OWN: Final = ("state", "session")


class Rerun(Exception):
    """Run the request again: raised in a hook of the policy that has called `allow_rerun()`.

    The hook is `on_response` or `on_error`.

    Args:
        request: the request, in the state that is to be restored.
        body: its whole body.

    Attributes:
        raw: its scope or environ.
        body: its whole body.
    """

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__("a Rerun may be raised in on_response and on_error alone, of its request")
        self.raw = raw = request.raw
        self.body = body
        state = vars(request.state)
        changing = (raw, state, request._response_headers, state.get("_extra"))
        own = (raw.get(name) for name in _OWN)
        self._saved = [(one, dict(one)) for one in (*changing, *own) if isinstance(one, dict)]
        self._headers = list(raw.get("headers", ()))
        self._local = frozenset(request._local or ())
        self._cleanups = len(request._cleanups or ())

    def restore(self, request: Request) -> None:
        """Restore the original request."""
        for changed, saved in self._saved:
            # Not with the methods of a session's own class, which would record a change.
            dict.clear(changed)
            dict.update(changed, saved)
        if "headers" in self.raw:
            self.raw["headers"] = list(self._headers)
        request.state._response_headers = request._response_headers
        request._app_response = request._declared = None
        local = request._local or {}
        request._local = {policy: local[policy] for policy in local if policy in self._local}
        request._handed_over = False
        request._restore_body(self.body)

    def run_cleanups(self, request: Request) -> None:
        """Run the cleanups that were added during the attempt; see `Request.add_cleanup()`."""
        cleanups = request._cleanups or []
        with ExitStack() as stack:
            for cleanup in cleanups[self._cleanups :]:
                stack.callback(cleanup)
        del cleanups[self._cleanups :]


class Discarded(Exception):
    """The failure of an exchange whose response is discarded.

    Args:
        rerun: the exception that a policy has raised.
        start: the index of that policy.
    """

    def __init__(self, rerun: Rerun, start: int) -> None:
        super().__init__("the response is discarded, and the request run again")
        self.rerun = rerun
        self.start = start

    def forget(self) -> Self:
        """Drop the traceback and the context, which would form a reference cycle."""
        self.__traceback__ = self.__context__ = None
        return self


async def allow_rerun(request: Request, limit: int) -> Rerun | None:
    """Keep a copy of a request, so that a policy can run it again.

    Await it in `Policy.on_request`, before the policy changes the request. It reads the whole body
    before the app is called.

    Args:
        request: the request.
        limit: the largest body to keep, in bytes.

    Returns:
        The exception to raise in `Policy.on_response` or `Policy.on_error`. None if the request
        can't be run again: its body exceeds the limit or can't be read, it is the handshake of a
        WebSocket, or the policy is in report mode.

    Raises:
        ClientDisconnected: the client disconnected before the body was complete.
        RuntimeError: the app has already been called.
    """
    if request.protocol != "http" or isinstance(request, RequestView):
        return None
    try:
        body = await request.body(limit)
    except Problem:  # the app still gets the body
        return None
    return Rerun(request, body)
