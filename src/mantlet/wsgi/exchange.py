"""An HTTP exchange under WSGI, in whatever way it goes (PEP 3333).

The usual response never gets here: see `mantlet.wsgi.http`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from operator import length_hint
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from wsgiref.types import StartResponse

from mantlet._internal.coroutines import run_sync
from mantlet._internal.disconnects import is_disconnect
from mantlet.core.error_log import log_error
from mantlet.core.exchange import Exchange
from mantlet.core.problem import phrase
from mantlet.core.request import Request
from mantlet.core.rerun import Discarded
from mantlet.core.response import Reply, Response
from mantlet.core.response_pipeline import (
    AWAITING_BODY,
    CLOSED,
    FAIL,
    SEND_END,
    SEND_HEAD,
    STREAMING,
    Steps,
)
from mantlet.http.headers import TextHeaders

if TYPE_CHECKING:
    from mantlet.wsgi.http import WsgiHttpRequest

__all__ = ["NO_CHUNK", "ExcInfo", "Write", "WsgiExchange", "close_body", "response_of"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
Write = Callable[[bytes], object]

# Any: an app may yield anything, which is then its error.
#: In the place of a first chunk that has not been read, or has not come.
NO_CHUNK: Final[Any] = object()


class WsgiExchange(Exchange):
    """One HTTP request through a stack, from where it stops being usual.

    It is also the iterable that the server reads the body from.
    """

    request: "WsgiHttpRequest"
    _emit: StartResponse
    _out: list[bytes]
    _server_write: Write

    # Defaults of attributes that many exchanges never set stand in the class.
    #: The app's status line and headers.
    _status: str | None = None
    _code = 0
    _headers: list[tuple[str, str]]
    _exc_info: ExcInfo | None = None
    #: The app's iterable, its iterator once there is one, and the file that it wrapped.
    _iterable: Iterable[bytes] = ()
    _iterator: Iterator[bytes] | None = None
    _file: Iterable[bytes] | None = None
    #: Whether the app returned its whole body as a list of one chunk.
    _is_list = False
    #: The iterator of an app whose first chunk was its whole body.
    _rest: Iterator[bytes] | None = None

    def answer(self, begin: Callable[[], Steps | None]) -> Iterable[bytes]:
        """Answer the request; return the server's iterable.

        Args:
            begin: the first step.

        Raises:
            Discarded: the request is to be run again, once no exception is being handled.
        """
        try:
            run_sync(begin())
            # Some servers expect start_response() to have been called when this returns.
            while self.phase < STREAMING and not self._out:
                self._pull()
            if self.is_discarded:
                with suppress(Exception):  # which has been logged
                    close_body(self.request, self._iterable, "after its response was discarded")
            elif self.failure is not None and not self._out:
                raise self.failure
        except BaseException as error:
            self.failure = error
            self.close()
            raise
        if isinstance(self.failure, Discarded):
            raise self.failure
        if self._is_list and self.phase is CLOSED:
            request = self.request
            request._is_sent, request._exchange = True, None  # no reference cycle
            return request._whole_body(self._out)
        return self._iterable if self._untouched() else self

    def take_body(
        self,
        iterable: Iterable[bytes],
        iterator: Iterator[bytes] | None = None,
        chunk: bytes = NO_CHUNK,
    ) -> Steps | None:
        """Take what the app has returned.

        Args:
            iterable: that.
            iterator: its iterator, if there is one already.
            chunk: the first chunk, if it has been read.
        """
        self._iterable = iterable
        self._iterator = iterator
        if chunk is not NO_CHUNK:
            return self._take(chunk)
        if self.phase is AWAITING_BODY and self._status is not None:
            if type(iterable) is list and len(iterable) == 1 and iterable[0]:
                self._is_list = True
                return self.receive_chunk(iterable[0], False)
            if iterable is self._file and iterable is not None:
                return self.run_hooks()
        return None

    def take_error(self, error: BaseException, iterable: Iterable[bytes]) -> Steps:
        """Take an exception of the app, and what it has returned before, to be closed."""
        self._iterable = iterable
        return self.app_raised(error)

    def take_whole(self, iterable: Iterable[bytes], rest: Iterator[bytes] | None) -> None:
        """Take what the app has returned, whose first chunk is the whole body.

        Args:
            iterable: that.
            rest: its iterator; None if it is a list.
        """
        self._iterable = iterable
        self._iterator = self._rest = rest
        self._is_list = rest is None

    # -- called by the app ------------------------------------------------------------------------

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | tuple[None, None, None] | None = None,
        /,
    ) -> Write:
        """Take the app's status and headers; with ``exc_info``, in place of unsent ones."""
        if exc_info is not None and exc_info[1] is not None:
            try:
                if self.phase is not AWAITING_BODY or self._size:
                    raise exc_info[1].with_traceback(exc_info[2])
                self._exc_info = exc_info
                state = self.request.state
                if state._envelope is not None and status.startswith("5"):
                    state._raised = exc_info[1]  # as adapters answer an app that raises
            finally:
                exc_info = None  # no reference cycle with the traceback (PEP 3333)
        elif self._status is not None:
            raise RuntimeError("start_response was called a second time without exc_info")
        self._code = int(status[:3])
        self._status = status
        self._headers = headers
        return self.write

    def app_response(self, whole: bytes | None = None) -> Response | None:
        """Return the app's status and headers as a response; None where it has sent none."""
        if self._status is None:
            return None
        response = Response(self._code, self._headers, TextHeaders, whole)
        if self._file is not None:
            response.is_file = self._iterable is self._file
        if self.request.method == "HEAD":
            response._set_no_body()
        return response

    def write(self, data: bytes) -> None:
        """Take a chunk of the body that the app writes itself, as PEP 3333 lets it."""
        run_sync(self.receive_chunk(data, True))
        self._write_out()
        self.refuse_discarded()
        if self.failure is not None:
            raise self.failure

    def _write_out(self) -> None:
        while self._out:
            self._server_write(self._out.pop(0))

    def wrap_file(self, file: Any, block_size: int = 8192) -> Iterable[bytes]:
        """Wrap a file for the server; see PEP 3333, "Optional Platform-Specific File Handling"."""
        wrapper = self.request._file_wrapper
        self._file = wrapper(WatchedFile(file, self.file_closed), block_size)
        return self._file

    # -- sending ----------------------------------------------------------------------------------

    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the outer policies see."""
        return response_of(reply)

    def queue(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Give the server the status and headers, and queue chunks of the body for it."""
        if head is not None:
            self._start(self._status_line(head), head.raw)
        if not more and chunks and not chunks[-1]:
            chunks.pop()  # the end, which WSGI tells by the end of the iterable
        self._out += chunks

    def _status_line(self, response: Response) -> str:
        status = self._status
        if response.reply or status is None or response.status != self._code:
            return f"{response.status} {phrase(response.status)}"
        return status

    def _start(self, status: str, headers: Any) -> None:
        exc_info, self._exc_info = self._exc_info, None
        self._server_write = self.request._start(status, headers, exc_info)

    # -- called by the server ---------------------------------------------------------------------

    def __iter__(self) -> Iterator[bytes]:
        while True:
            while self._out:
                yield self._out.pop(0)
            if self.failure is not None:
                raise self.failure
            if self.phase is CLOSED:
                if self._rest is not None and not (self.response and self.response.reply):
                    yield from self.request._rest(self._rest)
                return
            if self.phase is STREAMING and not self._has_filters():
                yield from self._stream()
            else:
                self._pull()

    def _stream(self) -> Iterator[bytes]:
        """Pass on the app's chunks, which no policy looks at."""
        try:
            for chunk in self._chunks():  # noqa: UP028  # `yield from` would close them as well
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            run_sync(self.app_raised(error))
            raise
        self.advance(SEND_END)

    def _pull(self) -> None:
        """Take the app's next chunk, or the end of its body."""
        try:
            chunk = next(self._chunks())
        except StopIteration:
            run_sync(self.receive_chunk(b"", False))
        except BaseException as error:  # noqa: BLE001  # raised later if it is not answered
            run_sync(self.app_raised(error))
            self.advance(FAIL)
        else:
            run_sync(self._take(chunk))

    def _take(self, chunk: bytes) -> Steps | None:
        """Take a chunk of the app's."""
        if self._starts_unobserved(chunk):
            self._out.append(chunk)
            return None
        # A list tells which chunk is its last, as `more_body` does under ASGI.
        more = type(self._iterable) is not list or length_hint(self._chunks()) > 0
        return self.receive_chunk(chunk, more)

    def _chunks(self) -> Iterator[bytes]:
        if self._iterator is None:
            self._iterator = iter(self._iterable)
        return self._iterator

    def _starts_unobserved(self, chunk: bytes) -> bool:
        """Start the response if this is the first chunk of one that no policy looks at."""
        status = self._status
        if (
            not chunk
            or self.phase is not AWAITING_BODY
            or status is None
            or self._buffered is not None
            or self._code >= self.min_status
            or self.request.state._raised is not None
        ):
            return False
        self.advance(SEND_HEAD)
        self._start(status, self._headers)
        return True

    def _has_filters(self) -> bool:
        return bool(self.response and self.response.filters)

    def _untouched(self) -> bool:
        return (
            self._file is not None
            and self._iterable is self._file
            and self.phase is STREAMING
            and not self._has_filters()
            and not self._out
        )

    def close(self) -> None:
        """Close the app's iterable, and run the finish hooks."""
        try:
            if not self.request._is_finished:
                close_body(self.request, self._iterable)
        except BaseException as error:
            self.failure = self.failure or error
            raise
        finally:
            self.request._finish(self._inward)

    def file_closed(self) -> None:
        """Take note that the server has closed the file that it sent."""
        if self._untouched():
            self.request._finish(self._inward)


def response_of(reply: Reply) -> Response:
    """Return a policy's reply as a response."""
    raw, body = list(reply.headers), reply.body
    if reply.status in (204, 304):
        body = b""
    else:
        raw.append(("Content-Length", str(len(body))))
    return Response(reply.status, raw, TextHeaders, body)


def close_body(
    request: Request, iterable: Iterable[bytes], outcome: str = "after the response had begun"
) -> None:
    """Close what the app has returned; log the exception that it raises, if any."""
    close = getattr(iterable, "close", None)
    try:
        if close is not None:
            close()
    except Exception as error:
        if not is_disconnect(error):
            log_error(request, error, outcome)
        raise


class WatchedFile:
    """A file for the server to send in its own way, with a callback when it is closed.

    Args:
        file: the app's file.
        closed: called when the server has closed it.
    """

    __slots__ = ("_closed", "_watched")

    def __init__(self, file: Any, closed: Callable[[], None]) -> None:
        self._watched = file
        self._closed = closed

    # fileno(), read(), seek() and anything else that the server looks for are the file's own.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._watched)

    def close(self) -> None:
        """Close the file, then call back."""
        close = getattr(self._watched, "close", None)
        try:
            if close is not None:
                close()
        finally:
            # Called once, and then released: the callback most likely refers to this file.
            closed, self._closed = self._closed, _nothing
            closed()


def _nothing() -> None: ...
