"""An HTTP request under WSGI (PEP 3333), and the usual response to it.

Nearly all responses have a status below 400, and a first chunk that is all of the body: the only
one of a list, or as long as ``Content-Length`` says. The response hooks run over it, and it is
handed to the server: here. So is a policy's reply to a request, or to an exception that the app
raises before it has called ``start_response``. Anything else is handled by a `WsgiExchange`, which
gets what has arrived so far.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from wsgiref.types import StartResponse

from mantlet._internal.coroutines import run_sync
from mantlet.core.problem import STATUS_LINES, phrase
from mantlet.core.rerun import Discarded
from mantlet.core.response import Reply, Response
from mantlet.core.response_pipeline import SEND_END
from mantlet.core.stack import InwardResult, PlacedHook, PolicyHooks, run_response_hooks
from mantlet.exceptions import MantletError
from mantlet.http.headers import TextHeaders, replace_headers
from mantlet.wsgi.exchange import NO_CHUNK, ExcInfo, Write, WsgiExchange, close_body, response_of
from mantlet.wsgi.request import WsgiRequest

__all__ = ["WsgiHttpRequest"]

_FILE_WRAPPER: Final = "wsgi.file_wrapper"
#: The names of the header by which a first chunk is known to be whole, as frameworks write it.
_LENGTHS: Final = frozenset({"Content-Length", "content-length"})


class WsgiHttpRequest(WsgiRequest):
    """A view over an environ, which also answers it: the one object of most exchanges."""

    __slots__ = (
        "_code",
        "_emit",
        "_exchange",
        "_fields",
        "_file_wrapper",
        "_hooks",
        "_is_finished",
        "_is_sent",
        "_status",
    )

    #: The stack's hooks, and the server's ``start_response``.
    _hooks: PolicyHooks[Any]
    _emit: StartResponse
    #: The app's status line, status code and headers, where it has called ``start_response`` once.
    _status: str | None
    _code: int
    _fields: list[tuple[str, str]]
    #: The exchange, once something is not usual.
    _exchange: WsgiExchange | None
    #: Whether the response has been sent, or handed to the server.
    _is_sent: bool
    #: Whether the finish hooks have run.
    _is_finished: bool
    # Any: the server's own class or function, or None.
    _file_wrapper: Any

    def _answer(
        self, hooks: PolicyHooks[Any], start_response: StartResponse, result: InwardResult | None
    ) -> Iterable[bytes]:
        """Answer the request, by the app or in its place; return the server's iterable.

        Args:
            hooks: the stack's.
            start_response: the server's.
            result: how the request hooks ended where they did not reach the app, else None.
        """
        self._hooks = hooks
        self._emit = start_response
        self._status = self._exchange = None
        self._is_sent = self._is_finished = False
        own = self._own_headers
        if own is not None:
            self.state._response_headers = own
        try:
            try:
                return self._call() if result is None else self._reply(result)
            except Discarded as raised:
                failure = raised.forget()
            return self._run_again(failure, result)
        except BaseException:
            self._finish(result)
            raise
        finally:
            if own is not None:
                self.state._response_headers = None

    def _take_over(self, result: InwardResult | None = None) -> WsgiExchange:
        """Hand what has arrived so far to an exchange, and return that."""
        exchange = self._exchange = WsgiExchange(self._hooks, self, self._emit, result)
        if self._status is not None:
            exchange.start_response(self._status, self._fields)
        if self._is_sent or self._is_finished:
            exchange.complete = True
            exchange.advance(SEND_END)
        return exchange

    def _call(self) -> Iterable[bytes]:
        """Call the app, and answer by what it returns or raises."""
        hooks = self._hooks
        environ = self.hand_over(watches=hooks.has_error_hooks)
        wrapper = self._file_wrapper = environ.get(_FILE_WRAPPER)
        if wrapper is not None:
            environ[_FILE_WRAPPER] = self._wrap_file
        try:
            body = hooks.app(environ, self._start_response)
        except BaseException as error:  # noqa: BLE001  # raised again if it is not answered
            return self._answer_error(error)
        finally:
            if wrapper is not None:
                environ[_FILE_WRAPPER] = wrapper
        status = self._status
        if (
            status is None
            or self._exchange is not None
            or self._code not in hooks.usual_statuses
            or environ["REQUEST_METHOD"] == "HEAD"
            or self.state._raised is not None
        ):
            return self._answer_by(body)
        if type(body) is not list:
            return self._answer_by_first_chunk(status, body)
        if len(body) == 1 and body[0] and type(body[0]) is bytes:
            return self._answer_whole(status, body, body[0], None)
        return self._answer_by(body)

    def _answer_by_first_chunk(self, status: str, body: Iterable[bytes]) -> Iterable[bytes]:
        """Answer by an iterable whose first chunk may be all of it."""
        length = self._declared_length()
        if length is None:
            return self._answer_by(body)
        try:
            iterator = iter(body)
            chunk = next(iterator, NO_CHUNK)
        except BaseException as error:  # noqa: BLE001  # raised again if it is not answered
            return self._answer_error(error, body)
        if (
            type(chunk) is not bytes
            or not chunk  # the head has to wait for a chunk that is not empty
            or str(len(chunk)) != length
            or self._exchange is not None  # the iterable has called write() or start_response()
            or self.state._raised is not None
        ):
            return self._answer_by(body, iterator, chunk)
        return self._answer_whole(status, body, chunk, iterator)

    def _run_again(self, failure: Discarded, result: InwardResult | None) -> Iterable[bytes]:
        """Run the request again, until a response is not discarded.

        The exchange of the first attempt stays the request's.

        Args:
            failure: the failure of the first attempt.
            result: how the request hooks ended where they did not reach the app, else None.
        """
        while True:
            result = run_sync(self._hooks.start_over(self, failure, result))
            try:
                return self._try_again(result)
            except Discarded as raised:
                failure = raised.forget()

    def _try_again(self, result: InwardResult | None) -> Iterable[bytes]:
        """Call the app again, or answer in its place; see `_run_again()`."""
        hooks = self._hooks
        exchange = WsgiExchange(hooks, self, self._emit, result)
        if result is not None:
            return exchange.answer(lambda: exchange.reply_early(result))
        environ = self.hand_over(watches=hooks.has_error_hooks)
        wrapper = self._file_wrapper = environ.get(_FILE_WRAPPER)
        if wrapper is not None:
            environ[_FILE_WRAPPER] = exchange.wrap_file
        try:
            body = hooks.app(environ, exchange.start_response)
        except BaseException as error:  # noqa: BLE001  # raised again if it is not answered
            return self._answer_error(error, exchange=exchange)
        finally:
            if wrapper is not None:
                environ[_FILE_WRAPPER] = wrapper
        return exchange.answer(lambda: exchange.take_body(body))

    def _reply(self, result: InwardResult) -> Iterable[bytes]:
        """Answer by a policy's reply in the app's place, or the error of a request hook."""
        reply, hooks = result.reply, self._hooks.on_refusal[result.index]
        if (
            reply is None
            or hooks is None
            or reply.status < 400
            or self.environ["REQUEST_METHOD"] == "HEAD"
        ):
            exchange = self._take_over(result)
            return exchange.answer(lambda: exchange.reply_early(result))
        return self._send_reply(reply, hooks, result)

    def _send_reply(
        self, reply: Reply, hooks: tuple[PlacedHook, ...], result: InwardResult | None
    ) -> Iterable[bytes]:
        """Answer by a usual reply: an error response.

        Args:
            reply: the reply.
            hooks: the response hooks of the policies further out.
            result: how the request hooks ended where they did not reach the app, else None.
        """
        response = response_of(reply)
        self.state._replied = response.reply = True
        body = response.first_chunk
        if hooks:
            unusual = run_response_hooks(hooks, self, response)
            if unusual is not None:
                exchange = self._take_over(result)
                steps = exchange.resume(response, body, *unusual)
                unusual = None  # no reference cycle with a traceback
                return exchange.answer(lambda: steps)
        self._is_sent = True
        self._start(f"{response.status} {phrase(response.status)}", response.raw)
        return self._whole_body([body] if body else [], result)

    def _declared_length(self) -> str | None:
        """Return the app's ``Content-Length``."""
        if type(self._fields) is not list:
            return None
        try:
            for name, value in self._fields:
                if name in _LENGTHS:
                    return value
        except (TypeError, ValueError):  # malformed, which a policy may mend
            return None
        return None

    def _answer_whole(
        self, status: str, body: Any, chunk: bytes, iterator: Iterator[bytes] | None
    ) -> Iterable[bytes]:
        """Answer by a usual response.

        Args:
            status: the app's status line.
            body: what the app has returned.
            chunk: the whole body.
            iterator: of ``body``, with whatever may follow; None if it is a list.
        """
        fields, hooks, keys = self._fields, self._hooks, None
        try:
            if hooks.on_success:
                response = Response(self._code, fields, TextHeaders, chunk)
                unusual = run_response_hooks(hooks.on_success, self, response)
                if unusual is not None:
                    exchange = self._take_over()
                    exchange.take_whole(body, iterator)
                    steps = exchange.resume(response, chunk, *unusual)
                    unusual = None  # no reference cycle with a traceback
                    return exchange.answer(lambda: steps)
                fields = response.raw
                if self._own_headers:
                    keys = response._keys()
            self._is_sent = True
            self._start(status, fields, None, keys)
        except BaseException:
            begun = self._exchange
            if not self._is_finished and (begun is None or not begun.is_discarded):
                close_body(self, body)  # else the exchange has closed it
            raise
        if iterator is None:
            return self._whole_body(body)
        return IteratedBody(self, body, chunk, iterator)

    def _answer_by(
        self,
        body: Iterable[bytes],
        iterator: Iterator[bytes] | None = None,
        chunk: bytes = NO_CHUNK,
    ) -> Iterable[bytes]:
        """Answer by what the app has returned, in the general way."""
        exchange = self._exchange or self._take_over()
        return exchange.answer(lambda: exchange.take_body(body, iterator, chunk))

    def _answer_error(
        self,
        error: BaseException,
        body: Iterable[bytes] = (),
        exchange: WsgiExchange | None = None,
    ) -> Iterable[bytes]:
        """Answer an exception of the app, or raise it.

        Args:
            error: the exception.
            body: what the app has returned before.
            exchange: that of the attempt, if the app is called again.
        """
        hooks = self._hooks
        if (
            not isinstance(error, Exception)
            or self._exchange is not None
            or self._status is not None
            or hooks.on_error is None
            or self.environ["REQUEST_METHOD"] == "HEAD"
        ):
            chosen = exchange or self._exchange or self._take_over()
            return chosen.answer(lambda: chosen.take_error(error, body))
        index, reply, on_response = hooks.run_error_hook(self, error)
        if on_response is None:
            exchange = self._take_over()
            exchange.skip_error_hook(index, reply)
            return exchange.answer(lambda: exchange.take_error(error, body))
        return self._send_reply(reply, on_response, None)

    def _whole_body(
        self, chunks: list[bytes], result: InwardResult | None = None
    ) -> Iterable[bytes]:
        """Return a list for the server, which ends the exchange when it is closed."""
        if self._hooks.on_finish[-1] is None and self._cleanups is None:
            return chunks  # no policy waits for its end
        return WholeBody(self, chunks, result)

    # -- called by the app ------------------------------------------------------------------------

    def _start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | tuple[None, None, None] | None = None,
        /,
    ) -> Write:
        """Take the app's status and headers; with ``exc_info``, in place of unsent ones."""
        if self._exchange is None and self._status is None and exc_info is None:
            self._code = int(status[:3])
            self._status = status
            self._fields = headers
            return self._write
        return (self._exchange or self._take_over()).start_response(status, headers, exc_info)

    def _write(self, data: bytes) -> None:
        (self._exchange or self._take_over()).write(data)

    def _wrap_file(self, file: Any, block_size: int = 8192) -> Iterable[bytes]:
        return (self._exchange or self._take_over()).wrap_file(file, block_size)

    # -- the server's side ------------------------------------------------------------------------

    def _start(
        self,
        status: str,
        headers: Any,
        exc_info: ExcInfo | None = None,
        keys: frozenset[str] | None = None,
    ) -> Write:
        """Give the server the status and headers; return its ``write``.

        Args:
            status: the status line.
            headers: the headers.
            exc_info: of an app that replaces unsent ones.
            keys: see `replace_headers()`.
        """
        if self._hooks.on_text and status not in STATUS_LINES:
            status = self._filter_reason(status)
        if self._own_headers:
            headers = replace_headers(headers, self._own_headers, keys)
        elif not isinstance(headers, list):
            headers = list(headers)
        if exc_info is None:
            return self._emit(status, headers)
        return self._emit(status, headers, exc_info)

    def _filter_reason(self, status: str) -> str:
        """Return a status line whose reason phrase the policies have seen."""
        code, _, reason = status.partition(" ")
        filtered = self._hooks.filter_text(self, reason, "reason phrase")
        return f"{code} {phrase(int(code[:3])) if filtered is None else filtered}"

    def _rest(self, iterator: Iterator[bytes]) -> Iterator[bytes]:
        """Run the app to its end after its whole body; yield what is beyond the declared length.

        Where policies were told that they had seen everything, nothing is, and the app is stopped
        as PEP 3333 says ("Handling the Content-Length Header").

        Raises:
            MantletError: there is more, and a policy has filtered the body.
        """
        try:
            for chunk in iterator:
                if chunk and self._exchange is not None:
                    raise MantletError("the app sent more than its Content-Length")
                if chunk and self._hooks.on_success:
                    return
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            exchange = self._exchange or self._take_over()
            run_sync(exchange.app_raised(error))
            raise

    def _finish(self, result: InwardResult | None) -> None:
        """Run the finish hooks, once."""
        if not self._is_finished:
            self._is_finished = True
            self._exchange = None  # which refers to this request
            waiting = self._hooks.finish(self, result)
            if waiting is not None:
                run_sync(waiting)


class WholeBody:
    """A list of the app's, of which servers may ask the length, with a callback at its end.

    It is no list itself, since granian does not close lists.
    """

    __slots__ = ("_chunks", "_request", "_result")

    def __init__(
        self, request: WsgiHttpRequest, chunks: list[bytes], result: InwardResult | None
    ) -> None:
        self._request = request
        self._chunks = chunks
        self._result = result

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def __len__(self) -> int:
        return len(self._chunks)

    def close(self) -> None:
        """End the exchange."""
        self._request._finish(self._result)


class IteratedBody:
    """A whole body from an iterable of the app's, which is run to its end and closed.

    Args:
        request: the request.
        body: the iterable.
        chunk: the whole body, its first chunk.
        iterator: of ``body``.
    """

    __slots__ = ("_body", "_chunk", "_iterator", "_request")

    def __init__(
        self,
        request: WsgiHttpRequest,
        body: Iterable[bytes],
        chunk: bytes,
        iterator: Iterator[bytes],
    ) -> None:
        self._request = request
        self._body = body
        self._chunk = chunk
        self._iterator = iterator

    def __iter__(self) -> Iterator[bytes]:
        yield self._chunk
        yield from self._request._rest(self._iterator)

    def close(self) -> None:
        """Close the app's iterable, and end the exchange."""
        request = self._request
        try:
            if not request._is_finished:
                close_body(request, self._body)
        finally:
            request._finish(None)
