"""An HTTP request under ASGI, and the usual response to it.

Nearly all responses have a status below 400 and a body of known length in one message. Their head
waits for the body, the response hooks run over both, and both are sent: here. So is a policy's
reply to a request, or to an exception that the app raises before it has sent anything. Anything
else is handled by an `AsgiHttpExchange`, which gets what has arrived so far.
"""

from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from mantlet._internal.asgi_types import AsgiMessage, Send
from mantlet.asgi.exchange import AsgiHttpExchange, response_of
from mantlet.asgi.request import AsgiRequest
from mantlet.core.exchange import ResponseClosed
from mantlet.core.rerun import Discarded
from mantlet.core.response import Reply, Response
from mantlet.core.response_pipeline import CLOSED, HELD
from mantlet.core.stack import InwardResult, PlacedHook, PolicyHooks, run_response_hooks
from mantlet.http.headers import BytesHeaders, replace_headers

__all__ = ["AsgiHttpRequest"]

_START: Final = "http.response.start"
_BODY: Final = "http.response.body"


class _EndedExchange:
    """Stands in a request for its exchange after the end, as a task of the app may go on."""

    phase: Final = CLOSED
    is_discarded: Final = False

    async def send(self, message: AsgiMessage) -> None:
        """Drop a message, and stop the task."""
        raise ResponseClosed(f"the app sent {message['type']} after its exchange had ended")


_ENDED: Final = cast("AsgiHttpExchange", _EndedExchange())


async def _refuse(message: AsgiMessage) -> None:
    """Stop a task of the app that goes on after its attempt."""
    raise ResponseClosed(f"the app sent {message['type']} after its exchange had ended")


async def _receive_disconnect() -> AsgiMessage:
    return {"type": "http.disconnect"}


class AsgiHttpRequest(AsgiRequest):
    """A view over an HTTP scope, which also answers it: the one object of most exchanges."""

    __slots__ = (
        "_emit",
        "_exchange",
        "_head",
        "_hooks",
        "_is_disconnected",
        "_is_receiving",
        "_is_sent",
    )

    #: The stack's hooks, and the server's ``send``.
    _hooks: PolicyHooks[Any]
    _emit: Send
    #: The app's message with the status and headers, if they are those of a usual response.
    _head: AsgiMessage | None
    #: Whether a usual response has been sent.
    _is_sent: bool
    #: The exchange, once something is not usual.
    _exchange: AsgiHttpExchange | None
    #: Whether the client has disconnected.
    _is_disconnected: bool
    #: Whether the app waits for an event, in a task beside the one that sends.
    _is_receiving: bool

    def _begin(self, hooks: PolicyHooks[Any], send: Send, _result: InwardResult | None) -> None:
        """Begin the exchange, after the request hooks have run.

        Args:
            hooks: the stack's.
            send: the server's.
        """
        self._hooks = hooks
        self._emit = send
        self._head = self._exchange = None
        self._is_sent = self._is_disconnected = self._is_receiving = False
        if self._own_headers is not None:
            self.state._response_headers = self._own_headers

    def _take_over(self, result: InwardResult | None = None) -> AsgiHttpExchange:
        """Hand what has arrived so far to an exchange, and return that."""
        exchange = self._exchange = AsgiHttpExchange(self._hooks, self, self._emit, result)
        exchange.begin(self._head, is_sent=self._is_sent)
        self._is_sent = False  # what follows is the exchange's concern
        return exchange

    async def _receive(self, exchange: AsgiHttpExchange | None = None) -> AsgiMessage:
        """Return the server's next message to an app whose exceptions are answered.

        Args:
            exchange: that of the attempt, if the app is called again.
        """
        exchange = exchange or self._exchange
        if exchange is not None:
            if exchange.phase is HELD:
                # The app has sent its error response, and may be waiting for the client to
                # disconnect.
                with suppress(ResponseClosed):  # if it is discarded
                    await exchange.send_held()
            if exchange.is_discarded:
                return await _receive_disconnect()
        self._is_receiving = True
        try:
            message = await self.receive()
        finally:
            self._is_receiving = False
        if message["type"] == "http.disconnect":
            self._is_disconnected = True
        return message

    async def _send(self, message: AsgiMessage) -> None:
        """Take a message that the app sends."""
        head = self._head
        if self._exchange is not None:
            await self._exchange.send(message)
        elif head is None and message["type"] == _START and self._is_usual(message):
            self._head = message
        elif (
            head is not None
            and message["type"] == _BODY
            and not self._is_sent
            and not message.get("more_body")
            and type(body := message.get("body", b"")) is bytes
            and self.state._raised is None
        ):
            hooks, response = self._hooks.on_success, None
            if hooks:
                response = Response(head["status"], head["headers"], BytesHeaders, body)
                unusual = run_response_hooks(hooks, self, response)
                if unusual is not None:
                    exchange = self._take_over()
                    steps = exchange.resume(response, body, *unusual)
                    unusual = None  # no reference cycle with a traceback
                    await exchange.finish_steps(steps)
                    return
                raw = response._raw if response._headers is None else response._headers.raw
                if raw is not head["headers"]:
                    self.state._body_follows = True
                    head = {**head, "headers": raw}
            self._is_sent = True
            if self._own_headers:
                keys = None if response is None else response._keys()
                raw = replace_headers(head["headers"], self._own_headers, keys)
                head = {**head, "headers": raw}
            await self._emit(head)
            await self._emit(message)
        else:
            await self._take_over().send(message)

    def _is_usual(self, head: AsgiMessage) -> bool:
        """Return whether a body of known length may follow, which no policy answers as an error."""
        status, headers = head["status"], head.get("headers")
        if (
            status not in self._hooks.usual_statuses
            or type(headers) is not list
            or "trailers" in head
            or self.raw["method"] == "HEAD"
        ):
            return False
        try:
            for pair in headers:
                if pair[0] == b"content-length":
                    return True
        except (TypeError, LookupError):  # malformed, which a policy may mend
            return False
        return status in (204, 304)

    def _reply(self, result: InwardResult) -> Awaitable[BaseException | None]:
        """Send a policy's reply in the app's place, or answer the error of a request hook.

        Returns:
            An exception to raise to the server, or None.
        """
        reply, hooks = result.reply, self._hooks.on_refusal[result.index]
        if reply is None or hooks is None or reply.status < 400 or self.raw["method"] == "HEAD":
            return self._take_over(result).conclude(None)
        return self._send_reply(reply, hooks, result)

    async def _send_reply(
        self, reply: Reply, hooks: tuple[PlacedHook, ...], result: InwardResult | None
    ) -> BaseException | None:
        """Send a usual reply: an error response.

        Args:
            reply: the reply.
            hooks: the response hooks of the policies further out.
            result: how the request hooks ended where they did not reach the app, else None.

        Returns:
            An exception to raise to the server, or None.
        """
        response = response_of(reply)
        self.state._replied = response.reply = True
        if hooks:
            unusual = run_response_hooks(hooks, self, response)
            if unusual is not None:
                exchange = self._take_over(result)
                exchange.has_replied = True
                steps = exchange.resume(response, response.first_chunk, *unusual)
                unusual = None  # no reference cycle with a traceback
                if steps is not None:
                    await steps
                return await exchange.conclude(None)
        headers = response.raw
        if self._own_headers:
            headers = replace_headers(headers, self._own_headers)
        self._is_sent = True
        await self._emit({"type": _START, "status": response.status, "headers": headers})
        await self._emit({"type": _BODY, "body": response.first_chunk, "more_body": False})
        return None

    def _is_over(self) -> bool:
        """Return whether the response is over, and nothing is left to do."""
        exchange = self._exchange
        return exchange is not None and exchange.phase is CLOSED and exchange.failure is None

    def _conclude(self, error: BaseException | None) -> Awaitable[BaseException | None]:
        """Answer the ``error`` that the app has raised, or its silence.

        Returns:
            An exception to raise to the server, or None.
        """
        if (
            not isinstance(error, Exception)
            or self._exchange is not None
            or self._head is not None
            or self._is_disconnected
            or self._hooks.on_error is None
            or self.raw["method"] == "HEAD"
        ):
            return (self._exchange or self._take_over()).conclude(error)
        index, reply, hooks = self._hooks.run_error_hook(self, error)
        if hooks is None:
            exchange = self._take_over()
            exchange.skip_error_hook(index, reply)
            return exchange.conclude(error)
        self._exchange = _ENDED
        return self._send_reply(reply, hooks, None)

    async def _run_again(
        self, failure: BaseException | None, result: InwardResult | None
    ) -> tuple[BaseException | None, InwardResult | None]:
        """Run the request again, until a response is not discarded.

        The exchange of the first attempt stays the request's, for whatever its tasks still send.

        Args:
            failure: the failure of the first attempt.
            result: how the request hooks ended where they did not reach the app, else None.

        Returns:
            An exception to raise to the server, or None; and the same result of the last attempt.
        """
        hooks = self._hooks
        while isinstance(failure, Discarded):
            result = await hooks.start_over(self, failure, result)
            exchange = AsgiHttpExchange(hooks, self, self._emit, result)
            if result is None:
                self._handed_over = True
                try:
                    await hooks.app(self.raw, partial(self._receive, exchange), exchange.send)
                except BaseException as raised:  # noqa: BLE001  # raised below if not answered
                    failure = await exchange.conclude(raised)
                else:
                    failure = await exchange.conclude(None)
            else:
                failure = await exchange.conclude(None)
            exchange._emit = _refuse
        return failure, result

    def _restore_body(self, body: bytes) -> None:
        """Give the policies and the app the body again; see `Request._restore_body()`."""
        super()._restore_body(body)
        if self._is_disconnected and self._body is not None:
            self._body.receive = _receive_disconnect  # a server may say it once

    def _end(self) -> None:
        """Take note that the exchange has ended, whatever the app's own tasks still send."""
        self._exchange = _ENDED  # since the exchange itself refers to this request
