"""The request as policies see it, and the exchange's state as the app sees it."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import ExitStack, suppress
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlparse

from mantlet.core.state import State
from mantlet.http.headers import FieldNames, Headers

__all__ = ["NO_HEADERS", "Request", "origin_path"]

#: What `Request.get_headers()` returns where none is there.
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Request:
    """A lazy, read-only view over a WSGI environ or an ASGI scope.

    Attributes:
        raw: the environ or the scope itself, for what this view does not show.
        state: the exchange's `State`, shared by all policies and readable by the app.
        protocol: ``"http"``, or ``"websocket"`` for a WebSocket and its handshake.
        is_async: whether a hook may wait on an event loop, as it may under ASGI.
    """

    __slots__ = (
        "_cleanups",
        "_handed_over",
        "_local",
        "_owns_response_headers",
        "_response_headers",
        "raw",
        "state",
    )

    protocol: Literal["http", "websocket"] = "http"
    is_async: bool = False

    raw: MutableMapping[str, Any]
    state: State
    #: The fields to be set, in the protocol's own form, by their names in lower case.
    _response_headers: dict[Any, tuple[Any, Any]]
    #: Whether it is this request's stack that sets them, and not one further out.
    _owns_response_headers: bool
    _handed_over: bool
    _cleanups: list[Callable[[], object]] | None

    _local: dict[object, dict[str, Any]]

    def local(self, policy: object) -> dict[str, Any]:
        """Return what one policy keeps of this exchange for its own later hooks: a dict of its own.

        No other policy and no other stack sees it; `state` is what all of them, and the app, share.

        Args:
            policy: the policy that asks, ``self`` in a hook.
        """
        try:
            return self._local[policy]
        except AttributeError:
            self._local = {}
        except KeyError:
            pass
        own = self._local[policy] = {}
        return own

    def add_cleanup(self, ending: Callable[[], object]) -> None:
        """Have something called once the exchange has ended in whatever way, behind `on_finish`.

        For what a hook has opened for this request alone, such as a file: it costs nothing where
        there is none. May be called in `Policy.on_request`.

        Args:
            ending: what is to be called; the last one that came is called first.
        """
        if self._cleanups is None:
            self._cleanups = []
        self._cleanups.append(ending)

    def _run_cleanups(self) -> None:
        """Call what is to be called at the end, each also behind one that raises.

        Raises:
            BaseException: what one of them has raised.
        """
        endings, self._cleanups = self._cleanups, None
        with ExitStack() as stack:
            for ending in endings or ():
                stack.callback(ending)

    @abstractmethod
    def add_response_header(self, name: str, value: str, *, alone: bool = False) -> None:
        """Add a header field to the answer, whoever will make it: the app, or any policy.

        It takes the place of a field of that name that the answer has. A second value for one name
        joins the first in a list, unless it is the same.

        Args:
            name: the field's.
            value: the field's.
            alone: take the place of what policies have added before as well.

        Raises:
            ValueError: the name or the value must not stand in a header field (RFC 9110, 5).
        """

    @property
    @abstractmethod
    def method(self) -> str:
        """The method as sent, ``"GET"`` for a WebSocket handshake."""

    @property
    @abstractmethod
    def path(self) -> str:
        """The whole path, decoded, with the part that the app is mounted under.

        Bytes that are not UTF-8 appear as U+FFFD; `raw_path` has them.
        """

    @property
    @abstractmethod
    def route_path(self) -> str:
        """The path within the wrapped app, decoded: without the part that it is mounted under.

        It begins with a slash. The origin's part of a target in absolute form (RFC 9112, 3.2.2) is
        not in it, since some apps route such a target by its path.

        Under ASGI, ``root_path`` is taken off where the path begins with it, as the specification
        has it; a server that leaves it out of paths is understood too.
        """

    @property
    @abstractmethod
    def raw_path(self) -> bytes:
        """The path as sent, percent-encoded, without the query.

        Where the server does not hand it over it is encoded anew from the decoded path.
        """

    @property
    @abstractmethod
    def query(self) -> bytes:
        """The query as sent, without its question mark."""

    @property
    @abstractmethod
    def headers(self) -> Headers:
        """The request's header fields."""

    @abstractmethod
    def get_headers(self, names: FieldNames) -> Mapping[str, str]:
        """Return the values of those header fields of ``names`` that are there.

        For a policy that wants one or two fields of a request: it costs less than `headers`.
        """

    @property
    @abstractmethod
    def scheme(self) -> str:
        """``"http"``, ``"https"``, ``"ws"`` or ``"wss"``, as the server says it."""

    @property
    @abstractmethod
    def client(self) -> str | None:
        """The peer's address as the server says it; None where there is none (a Unix socket)."""

    @abstractmethod
    async def body(self, limit: int, fields: Mapping[str, str] | None = None) -> bytes:
        """Read the whole body, at most ``limit`` bytes of it; the app still gets every byte.

        May be awaited in `Policy.on_request`, any number of times. Under WSGI it never suspends.

        Args:
            limit: in bytes.
            fields: what `get_headers()` has found of names with ``Content-Length`` among them,
                where that has been asked for already: they need not be gone through again.

        Raises:
            BodyTooLarge: the body is larger (a `Problem` with status 413).
            MalformedRequest: its Content-Length is no number, or it ended early (a 400).
            ClientDisconnected: the client went away before it was complete.
            RuntimeError: the request has been handed to the app already.
        """

    @abstractmethod
    def chunks(self, limit: int, *, memory: int) -> AsyncIterator[bytes]:
        """Read the body piece by piece as it comes, at most ``limit`` bytes of it.

        The app still gets every byte, wherever a policy stops. What has been read is kept for it:
        ``memory`` bytes in memory, the rest in a temporary file that is gone when the exchange has
        ended. The file is written to without a thread, so a slow disk is waited for.

        May be iterated over in `Policy.on_request`, any number of times, from the body's beginning
        each time, before and after `body()`. Under WSGI it never suspends.

        Args:
            limit: in bytes.
            memory: in bytes.

        Raises:
            BodyTooLarge: the body is larger (a `Problem` with status 413): before anything is read
                if its Content-Length says so, else as soon as more has come.
            MalformedRequest: its Content-Length is no number, or it ended early (a 400).
            ClientDisconnected: the client went away before it was complete.
            RuntimeError: the request has been handed to the app already.
            OSError: the temporary file can't be written. Nobody gets the body then.
        """

    @abstractmethod
    def replace_body(self, body: bytes, *, content_type: str | None = None) -> None:
        """Have the app, and the policies further in, get another body in place of what came.

        ``Content-Length`` is set, and what was true of the bytes that came is dropped:
        ``Content-Encoding``, ``Transfer-Encoding``, ``Trailer`` and the digests. May be called in
        `Policy.on_request`, whether the body has been read or not; what has not been read of it
        never reaches the app.

        Args:
            body: the other one.
            content_type: takes the place of ``Content-Type``.

        Raises:
            ValueError: ``content_type`` must not stand in a header field (RFC 9110, 5.5).
            RuntimeError: the request has been handed to the app already, or it is a handshake.
        """

    @abstractmethod
    def replace_path(self, path: str) -> None:
        """Have the app, and the policies further in, get another path within the app.

        The part that the app is mounted under stays. May be called in `Policy.on_request`.

        Args:
            path: decoded, as `route_path` has it.

        Raises:
            RuntimeError: the request has been handed to the app already.
        """


def origin_path(path: str) -> str:
    """Return a decoded path, or that of a target in another form, with a slash before it.

    Servers hand on what a client wrote in its place (RFC 9112, 3.2), and apps differ in what they
    make of that: Quart takes ``http://host/login`` for ``/login``, and several do with ``login``.
    """
    with suppress(ValueError):  # "http://[::1" is no URL, and no path of any app
        path = urlparse(path).path
    return path if path.startswith("/") else f"/{path}"
