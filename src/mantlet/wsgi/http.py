"""One HTTP exchange under WSGI (PEP 3333)."""

from collections.abc import Callable, Iterable, Iterator
from operator import length_hint
from types import TracebackType
from typing import Any
from wsgiref.types import StartResponse

from mantlet._internal.coroutines import run_sync
from mantlet._internal.disconnects import is_disconnect
from mantlet.core.error_log import log_error
from mantlet.core.exchange import Exchange
from mantlet.core.problem import STATUS_LINES, phrase
from mantlet.core.response import Reply, Response
from mantlet.core.response_pipeline import (
    AWAITING_BODY,
    CLOSED,
    FAIL,
    SEND_END,
    SEND_HEAD,
    STREAMING,
)
from mantlet.http.headers import TextHeaders, replace_headers
from mantlet.wsgi.request import WsgiRequest

__all__ = ["WsgiExchange"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
Write = Callable[[bytes], object]

_FILE_WRAPPER = "wsgi.file_wrapper"


class WsgiExchange(Exchange):
    """One HTTP request through a stack, and the iterable that the server reads the body from."""

    request: WsgiRequest
    _emit: StartResponse
    _out: list[bytes]
    _server_wrapper: Any
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
    _finished = False
    #: Whether the app returned its whole body as a list of one chunk.
    _is_list = False

    def run(self) -> Iterable[bytes]:
        """Answer the request, by the app or in its place; return the server's iterable."""
        try:
            if self._inward is None:
                self._call()
            else:
                run_sync(self.reply_early(self._inward))
            # Some servers expect start_response() to have been called when this returns.
            while self.phase < STREAMING and not self._out:
                self._pull()
            if self.failure is not None and not self._out:
                raise self.failure
        except BaseException as error:
            self.failure = error
            self.close()
            raise
        finally:
            if self.request._own_headers is not None:
                self.request.state._response_headers = None
        if self._is_list and self.phase is CLOSED:
            if not self.policy_hooks.on_finish[-1] and self.request._cleanups is None:
                return self._out  # no policy waits for its end
            return WholeBody(self._out, self.close)
        return self._iterable if self._untouched() else self

    def _call(self) -> None:
        environ = self.request.hand_over(watches=self.has_error_hooks)
        self._server_wrapper = environ.get(_FILE_WRAPPER)
        if self._server_wrapper is not None:
            environ[_FILE_WRAPPER] = self._wrap_file
        try:
            self._iterable = self.policy_hooks.app(environ, self.start_response)
        except BaseException as error:  # noqa: BLE001  # run() raises it if it is not answered
            run_sync(self.app_raised(error))
        else:
            if self.phase is AWAITING_BODY and self._status is not None:
                result = self._iterable
                if type(result) is list and len(result) == 1 and result[0]:
                    self._is_list = True
                    if self._buffered is None and self._is_unobserved():
                        self.advance(SEND_END)
                        self._out = result
                        self._start(self._status, self._headers)
                        return
                    self._receive_whole(result[0])
                elif result is self._file and result is not None:
                    run_sync(self.run_hooks())
        finally:
            if self._server_wrapper is not None:
                environ[_FILE_WRAPPER] = self._server_wrapper

    def _receive_whole(self, body: bytes) -> None:
        """Take the app's whole body."""
        if (
            self._buffered is not None
            or self._code >= 400
            or self.request.environ["REQUEST_METHOD"] == "HEAD"
            or self.request.state._raised is not None
            or type(body) is not bytes
        ):
            run_sync(self.receive_chunk(body, False))
            return
        response = Response(self._code, self._headers, TextHeaders, body)  # the usual case
        waiting = self.run_hooks_over_whole(response, body)
        if waiting is None and self.response is response and not response.filters:
            self.advance(SEND_END)
            self._out = [body]
            self._start(self._status_line(response), response.raw)
        else:
            run_sync(self._conclude_hooks(waiting))

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
        return self._write

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

    def _write(self, data: bytes) -> None:
        run_sync(self.receive_chunk(data, True))
        self._write_out()
        if self.failure is not None:
            raise self.failure

    def _write_out(self) -> None:
        while self._out:
            self._server_write(self._out.pop(0))

    def _wrap_file(self, file: Any, block_size: int = 8192) -> Iterable[bytes]:
        wrapper: Callable[[Any, int], Iterable[bytes]] = self._server_wrapper
        self._file = wrapper(WatchedFile(file, self.file_closed), block_size)
        return self._file

    # -- sending ----------------------------------------------------------------------------------

    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the outer policies see."""
        raw, body = list(reply.headers), reply.body
        if reply.status in (204, 304):
            body = b""
        else:
            raw.append(("Content-Length", str(len(body))))
        return Response(reply.status, raw, TextHeaders, body)

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
        request = self.request
        if self.policy_hooks.on_text and status not in STATUS_LINES:
            status = self._filter_reason(status)
        if request._own_headers:
            headers = replace_headers(headers, request._own_headers)
        elif not isinstance(headers, list):
            headers = list(headers)
        if self._exc_info is None:
            self._server_write = self._emit(status, headers)
        else:
            self._server_write = self._emit(status, headers, self._exc_info)
            self._exc_info = None

    def _filter_reason(self, status: str) -> str:
        """Return a status line whose reason phrase the policies have seen."""
        code, _, reason = status.partition(" ")
        filtered = self.policy_hooks.filter_text(self.request, reason, "reason phrase")
        return f"{code} {phrase(int(code[:3])) if filtered is None else filtered}"

    # -- called by the server ---------------------------------------------------------------------

    def __iter__(self) -> Iterator[bytes]:
        while True:
            while self._out:
                yield self._out.pop(0)
            if self.failure is not None:
                raise self.failure
            if self.phase is CLOSED:
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
            if self._starts_unobserved(chunk):
                self._out.append(chunk)
            else:
                # A list tells which chunk is its last, as `more_body` does under ASGI.
                more = type(self._iterable) is not list or length_hint(self._chunks()) > 0
                run_sync(self.receive_chunk(chunk, more))

    def _chunks(self) -> Iterator[bytes]:
        if self._iterator is None:
            self._iterator = iter(self._iterable)
        return self._iterator

    def _is_unobserved(self) -> bool:
        """Return whether no policy looks at the app's response."""
        return (
            self._status is not None
            and self._code < self.min_status
            and self.request.state._raised is None
        )

    def _starts_unobserved(self, chunk: bytes) -> bool:
        """Start the response if this is the first chunk of one that no policy looks at."""
        status = self._status
        if (
            not chunk
            or self.phase is not AWAITING_BODY
            or status is None
            or self._buffered is not None
            or not self._is_unobserved()
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
        close = getattr(self._iterable, "close", None)
        try:
            if close is not None and not self._finished:
                close()
        except BaseException as error:
            self.failure = self.failure or error
            if isinstance(error, Exception) and not is_disconnect(error):
                log_error(self.request, error, "after the response had begun")
            raise
        finally:
            self.finish()

    def finish(self) -> None:
        """Run the finish hooks, once."""
        if not self._finished:
            self._finished = True
            run_sync(self.policy_hooks.finish(self.request, self._inward))

    def file_closed(self) -> None:
        """Take note that the server has closed the file that it sent."""
        if self._untouched():
            self.finish()


class WholeBody:
    """A whole body, of which servers may ask the number of chunks.

    It is no list, since granian does not close lists.

    Args:
        chunks: the body.
        close: ends the exchange; called by the server.
    """

    __slots__ = ("_chunks", "close")

    def __init__(self, chunks: list[bytes], close: Callable[[], None]) -> None:
        self._chunks = chunks
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def __len__(self) -> int:
        return len(self._chunks)


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
