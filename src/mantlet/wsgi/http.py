"""One HTTP exchange under WSGI (PEP 3333)."""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any
from wsgiref.types import StartResponse

from mantlet._internal.coroutines import run_sync
from mantlet._internal.disconnects import is_disconnect
from mantlet.core.error_log import log_error
from mantlet.core.exchange import Exchange
from mantlet.core.policy import Reply
from mantlet.core.problem import phrase
from mantlet.core.response import Response
from mantlet.core.response_pipeline import CLOSED, HOLDING, STREAMING, WAITING
from mantlet.http.headers import TextHeaders, with_fields
from mantlet.wsgi.files import WatchedFile
from mantlet.wsgi.request import WsgiRequest

__all__ = ["HttpExchange"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
Write = Callable[[bytes], object]

_FILE_WRAPPER = "wsgi.file_wrapper"


class HttpExchange(Exchange):
    """One HTTP request through a stack, and the iterable that the server sends its answer from."""

    request: WsgiRequest
    _emit: StartResponse
    _out: list[bytes]
    _server_wrapper: Any
    _server_write: Write

    def run(self) -> Iterable[bytes]:
        """Answer the request, by the app or in its place; return what the server iterates over."""
        self._status: str | None = None
        self._fields: list[tuple[str, str]] = []
        self._exc_info: ExcInfo | None = None
        self._result: Iterable[bytes] = ()
        self._iterator: Iterator[bytes] | None = None
        self._file: Iterable[bytes] | None = None
        self._finished = self._whole = False
        try:
            if self._refusal is None:
                self._call()
            else:
                run_sync(self.refuse(self._refusal))
            # The head goes before this returns, since some servers look for it then.
            while self.phase < STREAMING and not self._out:
                self._pull()
            if self.failure is not None and not self._out:
                raise self.failure
        except BaseException as error:
            self.failure = error
            self.close()
            raise
        finally:
            if self.request._owns_response_headers:
                self.request.state._response_headers = None
        if self._untouched():
            return self._result
        if (
            self.phase == CLOSED
            and self._whole
            and not self.stack.on_finish[-1]
            and self.request._cleanups is None
        ):
            return self._out  # all is there, and nobody waits for the end
        return self

    def _call(self) -> None:
        environ = self.request.hand_over()
        self._server_wrapper = environ.get(_FILE_WRAPPER)
        if self._server_wrapper is not None:
            environ[_FILE_WRAPPER] = self._wrap_file
        try:
            self._result = self.stack.app(environ, self.start_response)
        except BaseException as error:  # noqa: BLE001  # run() raises what is not answered
            run_sync(self.fail(error))
        else:
            if self.phase == WAITING and self._status is not None:
                result = self._result
                if type(result) is list and len(result) == 1 and result[0]:
                    self._whole = True
                    if self._held is None and self._is_plain():
                        self.phase = CLOSED
                        self._out = result
                        self._start(self._status, self._fields)
                        return
                    run_sync(self.feed(result[0], False))
                    if self.phase == HOLDING:
                        run_sync(self.end())
                elif result is self._file:
                    run_sync(self.open())
        finally:
            if self._server_wrapper is not None:
                environ[_FILE_WRAPPER] = self._server_wrapper

    # -- what the app calls -----------------------------------------------------------------------

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | tuple[None, None, None] | None = None,
        /,
    ) -> Write:
        """Take the app's head; with ``exc_info``, in place of one that has not gone yet."""
        if exc_info is not None and exc_info[1] is not None:
            try:
                if self.phase != WAITING or self._size:
                    raise exc_info[1].with_traceback(exc_info[2])
                self._exc_info = exc_info
            finally:
                exc_info = None  # no reference cycle with the traceback (PEP 3333)
        elif self._status is not None:
            raise RuntimeError("start_response was called a second time without exc_info")
        self._status = status
        self._fields = headers
        return self._write

    def app_response(self) -> Response | None:
        """Return the app's head as the policies see it, or None where the app has sent none."""
        if self._status is None:
            return None
        response = Response(int(self._status[:3]), self._fields, TextHeaders)
        if self._file is not None:
            response.is_file = self._result is self._file
        if self.request.method == "HEAD":
            response._set_no_body()
        return response

    def _write(self, data: bytes) -> None:
        run_sync(self.feed(data, True))
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

    # -- what the exchange sends ------------------------------------------------------------------

    def make_response(self, reply: Reply) -> Response:
        """Return a reply as the response that the policies further out see."""
        return Response(reply.status, reply.headers, TextHeaders)

    def put(self, head: Response | None, chunks: list[bytes], more: bool) -> None:
        """Give the head of the answer to the server, and leave chunks of its body for it."""
        if head is not None:
            status = self._status
            if head.reply or status is None or head.status != int(status[:3]):
                status = f"{head.status} {phrase(head.status)}"
            self._start(status, head.raw)
        if not more and chunks and not chunks[-1]:
            chunks.pop()  # the end, which WSGI says by ending
        self._out += chunks

    def _start(self, status: str, fields: Any) -> None:
        request = self.request
        if request._owns_response_headers and request._response_headers:
            fields = with_fields(fields, request._response_headers)
        elif not isinstance(fields, list):
            fields = list(fields)
        if self._exc_info is None:
            self._server_write = self._emit(status, fields)
        else:
            self._server_write = self._emit(status, fields, self._exc_info)
            self._exc_info = None

    # -- what the server calls --------------------------------------------------------------------

    def __iter__(self) -> Iterator[bytes]:
        while True:
            while self._out:
                yield self._out.pop(0)
            if self.failure is not None:
                raise self.failure
            if self.phase == CLOSED:
                return
            if self.phase == STREAMING and not self._filters():
                yield from self._stream()
            else:
                self._pull()

    def _stream(self) -> Iterator[bytes]:
        """Hand on the app's chunks, which no policy wants to see."""
        try:
            for chunk in self._chunks():  # noqa: UP028  # `yield from` would close them as well
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            run_sync(self.fail(error))
            raise
        self.phase = CLOSED

    def _pull(self) -> None:
        """Take the app's next chunk, or its end."""
        try:
            chunk = next(self._chunks())
        except StopIteration:
            run_sync(self.feed(b"", False))
            if self.phase == HOLDING:
                run_sync(self.end())
        except BaseException as error:  # noqa: BLE001  # raised later if not answered
            run_sync(self.fail(error))
            self.phase = CLOSED
        else:
            if self._is_first_of_plain(chunk):
                self._out.append(chunk)
            else:
                run_sync(self.feed(chunk, True))

    def _chunks(self) -> Iterator[bytes]:
        if self._iterator is None:
            self._iterator = iter(self._result)
        return self._iterator

    def __len__(self) -> int:
        """Return the number of chunks where the app's iterable tells it, as servers may ask."""
        if self._filters() or self._refusal or (self.response and self.response.reply):
            raise TypeError("the number of chunks is not known")
        return len(self._result)  # type: ignore[arg-type]  # a TypeError is the answer as well

    def _is_plain(self) -> bool:
        """Return whether the app's answer interests no policy."""
        status = self._status
        return (
            status is not None
            and int(status[:3]) < self.plain_below
            and self.request.state._raised is None
        )

    def _is_first_of_plain(self, chunk: bytes) -> bool:
        """Send the head, if this is the first chunk of an answer that no policy wants to see."""
        status = self._status
        if (
            not chunk
            or self.phase != WAITING
            or status is None
            or self._held is not None
            or not self._is_plain()
        ):
            return False
        self.phase = STREAMING
        self._start(status, self._fields)
        return True

    def _filters(self) -> bool:
        return bool(self.response and self.response.filters)

    def _untouched(self) -> bool:
        return (
            self._result is self._file
            and self.phase == STREAMING
            and not self._filters()
            and not self._out
        )

    def close(self) -> None:
        """Close the app's iterable, and tell the policies that the exchange has ended."""
        close = getattr(self._result, "close", None)
        try:
            if close is not None and not self._finished:
                close()
        except BaseException as error:
            self.failure = self.failure or error
            if isinstance(error, Exception) and not is_disconnect(error):
                log_error(self.request, error, "after the answer had begun")
            raise
        finally:
            self.finish()

    def finish(self) -> None:
        """Tell the policies, once, that the exchange has ended."""
        if not self._finished:
            self._finished = True
            run_sync(self.stack.finish(self.request, self._refusal))

    def file_closed(self) -> None:
        """Hear that the server has closed the file it was given to send."""
        if self._untouched():
            self.finish()
