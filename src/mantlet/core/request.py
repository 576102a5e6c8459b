"""The request as policies see it, the same under both protocols."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import ExitStack, suppress
from math import isnan
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlparse

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.context import KEY, carried_state
from mantlet.core.response import Response
from mantlet.core.state import State
from mantlet.http.header_name import FixedHeaders, HeaderName
from mantlet.http.headers import DECIDES_CORS, DeclaredNames, HeaderNames, Headers
from mantlet.http.routing.root_paths import NO_ROOT_PATHS, RootPaths

if TYPE_CHECKING:
    from mantlet.core.body import SpooledBody
    from mantlet.core.lifecycle import Lifecycle
    from mantlet.core.policy import Close

__all__ = ["Request", "origin_path", "request_class"]

RequestType = TypeVar("RequestType", bound="Request")
T = TypeVar("T")


class Request:
    """A lazy, read-only view over a WSGI environ or an ASGI scope.

    Attributes:
        raw: the environ or the scope itself, for anything that this view does not show.
        state: the exchange's `State`, shared by all policies and readable by the app.
        protocol: ``"http"``, or ``"websocket"`` for a WebSocket and its handshake.
        is_async: whether a hook may wait on an event loop, as under ASGI.
    """

    __slots__ = (
        "_app_response",
        "_cleanups",
        "_deadline",
        "_declared",
        "_handed_over",
        "_local",
        "_own_headers",
        "_response_headers",
        "raw",
        "state",
    )

    protocol: Literal["http", "websocket"] = "http"
    is_async: bool = False
    #: The key of the method in `raw`, where reading `method` would cost too much.
    method_key: str
    #: The root paths that the app sets itself: of the class, since each stack has its own.
    _root_paths: RootPaths = NO_ROOT_PATHS
    #: Whether they count for requests without a root path.
    _sets_root_paths: bool = False
    #: The lifecycle of the stack's policies; an attribute of the class for the same reason. Set if
    #: a policy reads it (`Policy.sees_lifecycle`).
    _lifecycle: "Lifecycle"
    #: The request headers that the stack's policies declare; of the class too.
    _declared_names: DeclaredNames | None = None

    raw: MutableMapping[str, Any]
    state: State

    #: The result of `app_response`; not set before an error hook is called.
    _app_response: Response | None
    #: Headers to set in the response, in the protocol's own form, by their names in lower case.
    _response_headers: dict[Any, tuple[Any, Any]]
    #: The same if this request's stack sets them; None if an outer one does.
    _own_headers: dict[Any, tuple[Any, Any]] | None
    #: Whether the app has the request, so that its body can no longer be read here.
    _handed_over: bool
    #: The callables of `add_cleanup()`; usually None.
    _cleanups: list[Callable[[], object]] | None
    #: When a WebSocket is closed, in seconds of Unix time, and how; or None. Requests have none.
    _deadline: "tuple[float, Close] | None"
    #: The values of the declared headers, once they have been read.
    _declared: dict[str, str] | None
    #: The dicts of `local()`, or None.
    _local: dict[object, dict[str, Any]] | None

    def _join_exchange(self, state: State | None) -> State:
        """Return the state of the exchange, which another stack or an adapter may have begun.

        Args:
            state: the state that another stack has left, if there is one.
        """
        headers = None
        if state is None:
            state = self.raw[KEY] = carried_state(self.raw) or State()
        else:
            headers = state._response_headers
        self._own_headers = None
        if headers is None:
            headers = self._own_headers = {}
        self._response_headers = headers
        return state

    def local(self, policy: object) -> dict[str, Any]:
        """Return a policy's own dict for this exchange, to keep entries for its later hooks.

        No other policy and no other stack sees it; `state` is shared by all of them and the app.

        Args:
            policy: the policy that asks, ``self`` in a hook.
        """
        local = self._local
        if local is None:
            local = self._local = {}
        own = local.get(policy)
        if own is None:
            own = local[policy] = {}
        return own

    @property
    def app_response(self) -> Response | None:
        """The response that the app itself has made for the error, in `Policy.on_error`.

        None where the app has made none, or where it has been sent already. `Policy.on_error` may
        return it, edited or not: it then answers the error.
        """
        return getattr(self, "_app_response", None)

    def add_cleanup(self, cleanup: Callable[[], object]) -> None:
        """Call something once the exchange has ended in any way, after `Policy.on_finish`.

        For a resource that a hook has opened for this request alone, such as a file: other requests
        pay nothing. May be called in `Policy.on_request`.

        Args:
            cleanup: called without arguments; the one added last is called first.
        """
        if self._cleanups is None:
            self._cleanups = []
        self._cleanups.append(cleanup)

    def close_at(self, time: float, close: "Close") -> None:
        """Close a WebSocket at a time, also if nothing is sent on it; the earliest time counts.

        Called in `Policy.on_request`. The app gets ``websocket.disconnect`` where it waits for a
        message, and at the latest with the next one; from then on, it sends nothing. An app that
        never receives is closed when it next sends something. A handshake that the app accepts
        later than that is refused.

        Args:
            time: in seconds of Unix time.
            close: the code and the reason.

        Raises:
            RuntimeError: the request is no handshake of a WebSocket (`protocol`).
            ValueError: ``time`` is not a number.
        """
        if self.protocol != "websocket":
            raise RuntimeError("only a WebSocket is closed at a time; see Request.protocol")
        if isnan(time):
            raise ValueError("time must be in seconds of Unix time, not nan")
        if self._deadline is None or time < self._deadline[0]:
            self._deadline = time, close

    async def checkpoint(self) -> None:
        """Let other tasks of the event loop run, in the middle of long work.

        Under WSGI, which has no event loop, this does nothing.
        """

    # Any: the arguments of any function.
    async def run_in_thread(self, fn: Callable[..., T], *args: Any) -> T:
        """Call a function in a thread of the event loop's own pool, and return its result.

        It runs in a copy of this task's context (`contextvars`). The loop goes on meanwhile, except
        during calls of C functions that keep the GIL. Under WSGI, which has no event loop, the
        function is called in this thread.

        Args:
            fn: the function. It must not use the request or the response, which may end before it.
            args: its arguments.

        Returns:
            The function's result.
        """
        return fn(*args)

    async def pause(self, seconds: float) -> None:
        """Wait for some seconds, under ASGI alone.

        Args:
            seconds: how long.

        Raises:
            ClientDisconnected: the client has disconnected meanwhile. That is noticed for requests
                without a body; for others it is noticed if the server cancels the request.
            NotImplementedError: under WSGI, which has no event loop.
        """
        raise NotImplementedError("a request can wait under ASGI only")

    def _restore_body(self, body: bytes) -> None:
        """Give the policies and the app the body again, and let them read the path anew."""
        raise NotImplementedError

    def _run_cleanups(self) -> None:
        """Run every cleanup, also after one that raises.

        Raises:
            BaseException: a cleanup's own.
        """
        cleanups, self._cleanups = self._cleanups, None
        with ExitStack() as stack:
            for cleanup in cleanups or ():
                stack.callback(cleanup)

    @abstractmethod
    def add_response_header(
        self, name: str, value: str, *, replace: bool = False, unless_set: bool = False
    ) -> None:
        """Add a header to the response, whichever of the app or a policy will make it.

        It replaces a header of that name in the response; only the members of ``Vary`` are joined,
        and lines of ``Link`` stay. A second value for one name joins the first in a list, unless it
        is the same. If the response allows other origins to read it (CORS), the header is exposed
        to them.

        Args:
            name: the header's name.
            value: the header's value.
            replace: also replace the values that policies have added before.
            unless_set: leave a header of that name in the response as it is.

        Raises:
            ValueError: the name or the value is not allowed in a header (RFC 9110, 5).
        """

    @property
    @abstractmethod
    def method(self) -> str:
        """The method as sent, ``"GET"`` for a WebSocket handshake."""

    @property
    @abstractmethod
    def path(self) -> str:
        """The whole path, decoded, including the prefix that the app is mounted under.

        Bytes that are not UTF-8 appear as U+FFFD; `raw_path` has them. It stays as it was when the
        request arrived: apps that mount others change the scope or the environ.
        """

    @property
    @abstractmethod
    def route_path(self) -> str:
        """The path as the wrapped app's own routes have it: the first of `route_paths`.

        It begins with a slash, and has no prefix that the app is mounted under. A target in
        absolute form (RFC 9112, 3.2.2) is reduced to its path, since some apps route such a target
        by its path.

        Under ASGI, ``root_path`` is removed where the path begins with it, as the specification
        says; servers that leave it out of paths are understood too. The option of an app that sets
        the root path itself takes the place of the server's, and an app that removes none (Falcon)
        has the whole path.
        """

    @property
    @abstractmethod
    def route_paths(self) -> tuple[str, ...]:
        """Every path that the app may take the request's path for; usually the `route_path` alone.

        A policy that treats them differently applies the strictest treatment. See
        `mantlet.http.routing.root_paths`.
        """

    @property
    @abstractmethod
    def literal_path(self) -> str | None:
        """The path if it was sent without escapes, and none of it is a root path; else None.

        For one look-up of a path that can be read in one way only, such as ``/items``. Any other
        path takes a closer look: it may still be read in several ways.
        """

    @property
    @abstractmethod
    def raw_path(self) -> bytes:
        """The path as sent, percent-encoded, without the query.

        Where the server does not provide it, it is encoded again from the decoded path.
        """

    @property
    @abstractmethod
    def query(self) -> bytes:
        """The query as sent, without its question mark."""

    @property
    @abstractmethod
    def headers(self) -> Headers:
        """The request's headers."""

    @abstractmethod
    def get_headers(self, names: HeaderNames) -> dict[str, str]:
        """Return the values of those headers of ``names`` that are present.

        Several values of one header are joined by commas. A header of more than 256 lines or 64 KiB
        has the value of a single NUL, which no header can have: it is present, and it is invalid.

        For a policy that needs one or two headers: it costs less than `headers`.
        """

    def declared_headers(self, names: HeaderNames) -> Mapping[str, str]:
        """Return the values of the headers of ``names`` that are present, and maybe of others.

        Like `get_headers()`, for `Policy.request_headers`: the declared headers of all policies are
        read in one pass. So the result may have headers that another policy has declared.

        Args:
            names: a policy's `Policy.request_headers`.
        """
        declared = self._declared_names
        if declared is None or names not in declared.members:
            return self.get_headers(names)
        found = self._declared
        if found is None:
            found = self._declared = self.get_headers(declared)
        return found

    @property
    @abstractmethod
    def scheme(self) -> str:
        """``"http"``, ``"https"``, ``"ws"`` or ``"wss"``, as the server reports it."""

    @property
    @abstractmethod
    def client(self) -> str | None:
        """The peer's address as the server reports it; None for a Unix socket."""

    @abstractmethod
    async def body(self, limit: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Read the whole body, at most ``limit`` bytes of it; the app still gets every byte.

        May be awaited in `Policy.on_request`, any number of times. Under WSGI it never suspends.

        Args:
            limit: in bytes.
            headers: the result of `get_headers()` for names that include ``Content-Length``, where
                the policy has called it already.

        Raises:
            BodyTooLarge: the body is larger (a `Problem` with status 413).
            MalformedRequest: its Content-Length is not a number, or it ended early (a 400).
            Problem: it is chunked, and a WSGI server does not tell where it ends (a 411).
            ClientDisconnected: the client disconnected before it was complete.
            RuntimeError: the app has the request already.
        """

    def body_eagerly(
        self, limit: int, headers: Mapping[str, str] | None = None
    ) -> bytes | Awaitable[bytes]:
        """Return the whole body, without a coroutine if it need not be waited for.

        Arguments and errors are those of `body()`.

        Returns:
            The body, or an awaitable of it, which must be awaited at once and in the same task.
        """
        return start_eagerly(self.body(limit, headers))

    @abstractmethod
    def chunks(
        self, limit: int, *, memory: int, directory: str | None = None, disk: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read the body in chunks as they arrive, at most ``limit`` bytes of it.

        The app still gets every byte, wherever a policy stops. The bytes read are kept for it:
        ``memory`` bytes in memory, the rest in a temporary file that is removed when the exchange
        ends. The file is written without a thread, so a slow disk is waited for.

        May be iterated over in `Policy.on_request`, any number of times, from the body's beginning
        each time, before and after `body()`. Under WSGI it never suspends.

        Args:
            limit: in bytes.
            memory: in bytes.
            directory: where the file is made, or None for the system's directory.
            disk: the most bytes that all temporary files of this process may have at once, also
                those of other policies and apps; or None.

        Raises:
            BodyTooLarge: the body is larger (a `Problem` with status 413): before anything is read
                if its Content-Length exceeds the limit, else as soon as more has arrived.
            MalformedRequest: its Content-Length is not a number, or it ended early (a 400).
            ClientDisconnected: the client disconnected before it was complete.
            RuntimeError: the app has the request already.
            NoSpace: the temporary file can't be written, or ``disk`` is reached (a `Problem` with
                status 503). No policy can read the body then.
        """

    @abstractmethod
    def replace_body(self, body: "bytes | SpooledBody", *, content_type: str | None = None) -> None:
        """Give the app, and the inner policies, another body.

        ``Content-Length`` is set, and headers that describe the original bytes are dropped:
        ``Content-Encoding``, ``Transfer-Encoding``, ``Trailer`` and the digests. May be called in
        `Policy.on_request`, whether the body has been read or not; the part that has not been read
        never reaches the app.

        Args:
            body: the new body: bytes, or a `SpooledBody` for one that may be large, which belongs
                to the request from now on.
            content_type: replaces ``Content-Type``.

        Raises:
            ValueError: ``content_type`` is not allowed in a header (RFC 9110, 5.5).
            RuntimeError: the app has the request already, or it is a handshake.
        """

    @abstractmethod
    def set_content_length(self) -> None:
        """Give the app the ``Content-Length`` of a body that was read to its end.

        It takes the place of the headers that said how the body was sent: ``Transfer-Encoding``,
        ``Trailer`` and a ``Content-Length``. Some frameworks take a body without a length for an
        empty one. May be called in `Policy.on_request`.

        Raises:
            RuntimeError: the app has the request already, or its body has not been read.
        """

    @abstractmethod
    def replace_header(self, name: str, value: str | None) -> None:
        """Give the app, and the inner policies, another value of a header, or a new header.

        May be called in `Policy.on_request`.

        Args:
            name: the header's name.
            value: the only value that the app gets; None to leave the header out.

        Raises:
            ValueError: the name or the value is not allowed in a header (RFC 9110, 5).
            RuntimeError: the app has the request already.
        """

    @abstractmethod
    def _add_header(self, name: HeaderName, value: str) -> None:
        """Add a header to the response, as `add_response_header()` does, in fewer steps.

        Args:
            name: the header's name.
            value: printable ASCII.
        """

    def _add_fixed(self, headers: FixedHeaders) -> None:
        """Add headers to the response, as `add_response_header()` does for each of them."""
        native, added = headers.native[self.is_async], self._response_headers
        if added.keys().isdisjoint(native):
            added.update(native)
        elif not (DECIDES_CORS in added and DECIDES_CORS in native):  # else the outer one decides
            if DECIDES_CORS in native:
                added[DECIDES_CORS] = native[DECIDES_CORS]
            for name, value in headers.values.items():  # a policy further out has set one of them
                self.add_response_header(name, value, unless_set=name in headers.unless_set)

    @abstractmethod
    def _add_to_both(self, name: HeaderName, value: str) -> None:
        """Give the app a header that the request does not have, and add it to the response.

        May be called in `Policy.on_request`.

        Args:
            name: the header's name.
            value: printable ASCII.
        """

    @abstractmethod
    def replace_path(self, path: str) -> None:
        """Give the app, and the inner policies, another path within the app.

        The prefix that the app is mounted under stays. May be called in `Policy.on_request`.

        Args:
            path: decoded, in the form of `route_path`.

        Raises:
            RuntimeError: the app has the request already.
        """


def request_class(
    base: type[RequestType],
    root_paths: RootPaths,
    lifecycle: "Lifecycle | None" = None,
    declared: DeclaredNames | None = None,
) -> type[RequestType]:
    """Return the class of the requests of one stack.

    Args:
        base: the adapter's class, returned as it is where nothing differs.
        root_paths: the root paths that the app sets itself.
        lifecycle: the lifecycle of the stack's policies, if one of them reads it.
        declared: the request headers that they declare, if any.
    """
    if root_paths == NO_ROOT_PATHS and lifecycle is None and declared is None:
        return base
    members = {
        "_declared_names": declared,
        "_lifecycle": lifecycle,
        "_root_paths": root_paths,
        "_sets_root_paths": root_paths.is_set,
        "__slots__": (),
    }
    return type(base.__name__, (base,), members)


def origin_path(path: str) -> str:
    """Return the path of a target in any form, beginning with a slash.

    Servers pass on the client's target as it is (RFC 9112, 3.2), and apps differ in how they read
    it: Quart takes ``http://host/login`` for ``/login``, and several take ``login`` for it.
    """
    with suppress(ValueError):  # "http://[::1" is not a URL, and not a path of any app
        path = urlparse(path).path
    return path if path.startswith("/") else f"/{path}"
