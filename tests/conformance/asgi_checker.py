"""A checker of the ASGI message rules, to stand on either side of the code under test.

`AsgiChecker` wraps an app and raises `AsgiViolation`, whose text begins with the side at fault:
"app" for what was sent and for an answer left out, "server" for the scope and what was received.
A violation that the app swallows is raised again when the app ends.

Cited in brackets are ASGI 3.0 [asgi], HTTP & WebSocket 2.5 [www], Lifespan 2.0 [lifespan], TLS 0.2
[tls] and the list of extensions [ext]. Not checked are: what the specification only recommends (a
"should"), additional keys, scopes of an unknown type, messages of an unknown type where the scope
has an unknown extension, iterables that can be read only once, and Content-Length where a file is
sent.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What a value has to be: of a type; an int in a range; str or bytes of a pattern; an iterable whose
# items all are [Kind]; a two-item iterable (Kind, Kind); a dict; or what a function says it is.
Kind: TypeAlias = (
    "type | UnionType | range | re.Pattern[Any]"
    " | list[Kind] | tuple[Kind, Kind] | Table | Callable[[object], bool]"
)
# What each key has to be. A key marked "?" may be missing, one marked "??" may also be None.
Table: TypeAlias = "Mapping[str, Kind]"


class AsgiViolation(AssertionError):
    """The app, or the server, broke a rule of the ASGI specification."""


def _require(holds: object, text: str) -> None:
    if not holds:
        raise AsgiViolation(text)


def _fits(kind: Kind, value: Any) -> bool:
    if isinstance(kind, type | UnionType):  # a bool is no int here
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if isinstance(kind, range):
        return _fits(int, value) and value in kind
    if isinstance(kind, re.Pattern):
        return isinstance(value, type(kind.pattern)) and bool(re.fullmatch(kind, value))
    if isinstance(kind, list | tuple):
        return _fits_items(kind, value)
    return callable(kind) and kind(value)


def _fits_items(kind: list[Kind] | tuple[Kind, Kind], value: object) -> bool:
    if isinstance(value, Iterator):  # to look at it would use it up
        return True
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    items = list(value)
    kinds = kind if isinstance(kind, tuple) else kind * len(items)
    return len(kinds) == len(items) and all(map(_fits, kinds, items))


def _check(table: Table, value: object, what: str) -> None:
    # [asgi, Strings and Unicode] All dict keys are Unicode strings.
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise AsgiViolation(f"{what} is not a dict with str keys: {value!r}")
    for key, kind in table.items():
        name = key.rstrip("?")
        item = f"{what}[{name!r}]"
        if name not in value:
            _require(key != name, f"{item} is missing")
        elif value[name] is None and key.endswith("??"):
            continue
        elif isinstance(kind, Mapping):
            _check(kind, value[name], item)
        else:
            wanted = getattr(kind, "__name__", kind)
            _require(_fits(kind, value[name]), f"{item} is no {wanted}: {value[name]!r}")


def _absolute_path(value: object) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def _close_code(value: object) -> bool:
    # RFC 6455, 7.4: the range, and the three codes that must not be sent.
    return _fits(range(1000, 5000), value) and value not in (1005, 1006, 1015)


def _open_file(value: object) -> bool:
    # [ext, Zero Copy Send] os.sendfile() takes a number, so a bare descriptor passes.
    try:
        return _fits(int, value.fileno() if hasattr(value, "fileno") else value)
    except OSError:  # io.BytesIO's answer
        return False


def _unsigned_16_bit_or_none(value: object) -> bool:
    return value is None or _fits(range(1 << 16), value)


_NOT_EMPTY = re.compile(r"(?s).+")
# [www, Response Start] Lower-case, no pseudo headers. RFC 9110, 5.6.2: a token.
_NAME = rb"[a-z0-9!#$%&'*+.^_`|~-]+"
# RFC 9110, 5.5: CR, LF and NUL are invalid in a value, and dangerous.
_VALUE = re.compile(rb"[^\r\n\0]*")
_HEADERS: Kind = [(re.compile(_NAME), _VALUE)]
# [www, Accept] The subprotocol has a key of its own.
_ACCEPT_HEADERS: Kind = [(re.compile(rb"(?!sec-websocket-protocol\Z)" + _NAME), _VALUE)]
# [www, HTTP Connection Scope] Names *should* be lower-case; pseudo headers must be removed.
_SCOPE_HEADERS: Kind = [(re.compile(rb"(?s)(?!:).*"), bytes)]

# [asgi, Applications] The version too has a default.
_BASE: Table = {"asgi?": {"version?": str, "spec_version?": str}, "state?": {}}
_TLS: Table = {  # [tls, TLS Connection Scope]
    "server_cert": str | None,
    "client_cert_chain?": [str],
    "client_cert_name??": str,
    "client_cert_error??": _NOT_EMPTY,
    "tls_version": _unsigned_16_bit_or_none,
    "cipher_suite": _unsigned_16_bit_or_none,
}
_CONNECTION: Table = {
    **_BASE,
    "scheme?": _NOT_EMPTY,
    "path": str,
    "raw_path??": re.compile(rb"[^?]*"),
    "root_path?": str,
    "headers": _SCOPE_HEADERS,
    "client??": (str, int),
    "server??": (str, int | None),
    "extensions??": {"tls?": _TLS},
}
_SCOPES: Mapping[str, Table] = {
    "http": {  # [www, HTTP Connection Scope]
        **_CONNECTION,
        "http_version": re.compile(r"1\.0|1\.1|2"),
        "method": re.compile(r"[^a-z]+"),
        "query_string": bytes,
    },
    "websocket": {  # [www, Websocket Connection Scope]
        **_CONNECTION,
        "http_version?": re.compile(r"1\.1|2"),
        "query_string??": bytes,
        "subprotocols?": [str],
    },
    "lifespan": _BASE,  # [lifespan, Scope]
}
_BODY: Table = {"body?": bytes, "more_body?": bool}
_FRAME: Table = {"bytes??": bytes, "text??": str}
_RECEIVED: Mapping[str, Table] = {
    "http.request": _BODY,
    "http.disconnect": {},
    "websocket.connect": {},
    "websocket.receive": _FRAME,
    "websocket.disconnect": {"code": int, "reason??": str},
    "lifespan.startup": {},
    "lifespan.shutdown": {},
}
# RFC 9110, 15.2: 1xx is interim, so it cannot be the status of the one response.
_START: Table = {"status": range(200, 600), "headers?": _HEADERS, "trailers?": bool}
_FILE: Table = {"file": _open_file, "offset?": int, "count?": int, "more_body?": bool}
_SENT: Mapping[str, Table] = {
    "http.response.start": _START,
    "http.response.body": _BODY,
    "http.response.trailers": {"headers": _HEADERS, "more_trailers?": bool},
    "http.response.push": {"path": str, "headers": _HEADERS},
    "http.response.early_hint": {"links": [_VALUE]},
    "http.response.pathsend": {"path": _absolute_path},
    "http.response.zerocopysend": _FILE,
    "http.response.debug": {"info": {}},
    "websocket.accept": {"subprotocol??": str, "headers?": _ACCEPT_HEADERS},
    "websocket.send": _FRAME,
    "websocket.close": {"code?": _close_code, "reason??": str},
    "websocket.http.response.start": _START,
    "websocket.http.response.body": _BODY,
    "lifespan.startup.complete": {},
    "lifespan.startup.failed": {"message?": str},
    "lifespan.shutdown.complete": {},
    "lifespan.shutdown.failed": {"message?": str},
}
# [ext] The extensions that bring messages, whose types begin with the extension's name.
_EXTENSIONS = {f"http.response.{part}" for part in ("push", "early_hint", "pathsend", "debug")}
_EXTENSIONS |= {"http.response.zerocopysend", "http.response.trailers", "websocket.http.response"}


class HttpOrder:
    """One request and its response [www, HTTP]; the response alone is also a WebSocket's denial."""

    # [ext, Early Hints] names only the time after the start; RFC 8297 and the servers want them
    # before it. Both pass.
    PARTS: Mapping[str, set[str]] = {
        "head": {"start", "debug", "early_hint"},
        "body": {"body", "pathsend", "zerocopysend", "push", "early_hint"},
        "trailers": {"trailers"},
        "end": set(),
    }

    def __init__(self, scope: Scope) -> None:
        self.method = scope.get("method")
        self.complete = False
        self.phase = "head"
        self.debugged = self.trailers = self.begun = False
        self.left: int | None = None  # what Content-Length still promises, where that can be known

    def received(self, kind: str, message: Message) -> None:
        if kind == "http.request":
            _require(not self.complete, "server: http.request after the end of the request")
            self.complete = not message.get("more_body", False)

    def sent(self, kind: str, message: Message) -> None:
        part = kind.rpartition(".")[2]
        _require(part in self.PARTS[self.phase], f"app: {kind} sent in the {self.phase} phase")
        match part:
            case "start":
                self._start(message)
            case "body" | "pathsend" | "zerocopysend":
                self._content(part, message)
            case "trailers" if not message.get("more_trailers", False):
                self.phase = "end"
            case "debug":  # [ext, Debug] Once, before the start.
                _require(not self.debugged, "app: debug sent twice")
                self.debugged = True

    def owed(self) -> str | None:
        return None if self.phase == "end" else f"the response's {self.phase}"

    def _start(self, message: Message) -> None:
        headers = message.get("headers", ())
        headers = () if isinstance(headers, Iterator) else headers
        pairs = [pair for pair in headers if isinstance(pair, Sequence)]
        lengths = [value for name, value in pairs if name == b"content-length"]
        # RFC 9110, 5.3 and 8.6: one field, one number.
        number = len(lengths) == 1 and re.fullmatch(rb"[0-9]+", lengths[0])
        _require(number or not lengths, f"app: content-length is not one number: {lengths}")
        # RFC 9110, 8.6: these may declare the length of a body that is not there.
        bodiless = self.method == "HEAD" or message["status"] in (204, 304)
        self.left = int(lengths[0]) if lengths and not bodiless else None
        self.trailers = message.get("trailers", False)
        self.phase = "body"

    def _content(self, part: str, message: Message) -> None:
        # [ext, Path Send] Once in a response, and not mixed with the body.
        _require(part != "pathsend" or not self.begun, "app: pathsend mixed with body")
        self.begun = True
        if part != "body":
            self.left = None
        elif self.left is not None:
            self.left -= len(message.get("body", b""))
            _require(self.left >= 0, f"app: {-self.left} bytes more than content-length")
        if part == "pathsend" or not message.get("more_body", False):
            _require(not self.left, f"app: {self.left} bytes fewer than content-length")
            self.phase = "trailers" if self.trailers else "end"


class WebSocketOrder:
    """One WebSocket connection, or its denial [www, WebSocket]."""

    NEXT: Mapping[tuple[str, str], str] = {
        ("handshake", "websocket.accept"): "open",
        ("handshake", "websocket.close"): "closed",
        ("open", "websocket.send"): "open",
        ("open", "websocket.close"): "closed",
    }

    def __init__(self, scope: Scope) -> None:
        self.connected = self.accepted = False
        self.phase = "handshake"
        self.denial = HttpOrder(scope)
        self.spec_version = scope.get("asgi", {}).get("spec_version")

    def received(self, kind: str, message: Message) -> None:
        # [www, Connect] First of all, and answered before any data comes.
        first = kind == "websocket.connect"
        _require(first != self.connected, f"server: {kind} in the wrong place: connect comes first")
        self.connected = True
        ready = self.accepted or kind != "websocket.receive"
        _require(ready, "server: websocket.receive on a socket that is not accepted")

    def sent(self, kind: str, message: Message) -> None:
        place = f"app: {kind} sent in the {self.phase} phase"
        if kind.startswith("websocket.http.response."):
            # [ext, Websocket Denial Response] After connect; no WebSocket message may follow.
            _require(self.connected and self.phase in {"handshake", "denial"}, place)
            self.denial.sent(kind, message)
            self.phase = "denial"
            return
        _require((self.phase, kind) in self.NEXT, place)
        if kind == "websocket.accept":
            # [www, Spec Versions] An error if the server says that it knows no more than 2.0.
            fits = self.spec_version != "2.0" or not message.get("headers")
            _require(fits, "app: websocket.accept with headers, which came with 2.1")
            self.accepted = True
        self.phase = self.NEXT[self.phase, kind]

    def owed(self) -> str | None:
        if self.phase == "denial":
            return self.denial.owed()
        return "accepting or closing" if self.phase == "handshake" else None


class LifespanOrder:
    """The start and the end of the app [lifespan]."""

    def __init__(self, _: Scope) -> None:
        self.coming = ["lifespan.startup", "lifespan.shutdown"]
        self.open: str | None = None

    def received(self, kind: str, _: Message) -> None:
        _require(self.coming[:1] == [kind], f"server: {kind}, but to come is {self.coming[:1]}")
        _require(self.open is None, f"server: {kind} before {self.open} was answered")
        self.open = self.coming.pop(0)

    def sent(self, kind: str, _: Message) -> None:
        _require(kind.rpartition(".")[0] == self.open, f"app: {kind} answers nothing received")
        self.open = None

    def owed(self) -> str | None:
        return self.open and f"an answer to {self.open}"


_ORDERS: Mapping[str, type[HttpOrder | WebSocketOrder | LifespanOrder]] = {
    "http": HttpOrder,
    "websocket": WebSocketOrder,
    "lifespan": LifespanOrder,
}


class Exchange:
    """What one call of the app has received and sent so far."""

    def __init__(self, scope: Scope) -> None:
        self.protocol: str = scope["type"]
        _check(_SCOPES[self.protocol], scope, f"server: {self.protocol} scope")
        self.extensions = scope.get("extensions") or {}
        tls = self.extensions.get("tls", {})
        named = not tls.get("client_cert_chain") or tls.get("client_cert_name") is not None
        _require(named, "server: the tls extension has a client_cert_chain but no client_cert_name")
        self.order = _ORDERS[self.protocol](scope)
        self.disconnected = self.send_failed = False

    def received(self, message: Message) -> None:
        """Check a message from the server."""
        kind = self._check_message(_RECEIVED, message, "server: ")
        if kind is not None:
            ends = kind.endswith(".disconnect")
            _require(ends or not self.disconnected, f"server: {kind} after the disconnect")
            self.order.received(kind, message)
            self.disconnected = ends

    def sent(self, message: Message) -> None:
        """Check a message from the app."""
        kind = self._check_message(_SENT, message, "app: ")
        if kind is not None:
            lacking = {it for it in _EXTENSIONS if kind.startswith(it)} - self.extensions.keys()
            _require(not lacking, f"app: {kind} without the extension in the scope")
            # [asgi, Error Handling] What is sent on a closed connection is no error.
            if not (self.disconnected or self.send_failed):
                self.order.sent(kind, message)

    def returned(self) -> None:
        """Check that the app has answered, or had nobody to answer."""
        owed = None if self.disconnected or self.send_failed else self.order.owed()
        _require(owed is None, f"app: returned without {owed}")

    def _check_message(self, tables: Mapping[str, Table], message: object, side: str) -> str | None:
        """Check a message by itself; return its type, or None where it may be an extension's."""
        _check({"type": str}, message, side + "message")
        assert isinstance(message, dict)
        kind: str = message["type"]
        if kind not in tables or not kind.startswith(self.protocol + "."):
            unfamiliar = self.extensions.keys() - _EXTENSIONS - {"tls"}
            _require(unfamiliar, f"{side}{kind} is no message of {self.protocol} this way")
            return None
        _check(tables[kind], message, side + kind)
        frames = sum(message.get(key) is not None for key in ("bytes", "text"))
        _require(tables[kind] is not _FRAME or frames == 1, f"{side}{kind} needs bytes or text")
        return kind


class AsgiChecker:
    """ASGI middleware that raises `AsgiViolation` when the app, or the server, breaks a rule."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, and check all that passes between it and the server."""
        _check({"type": str}, scope, "server: scope")
        if scope["type"] not in _ORDERS:
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope)
        violations: list[AsgiViolation] = []

        def judge(rule: Callable[[Message], None], message: Message) -> None:
            try:
                rule(message)
            except AsgiViolation as violation:
                violations.append(violation)
                raise

        async def checked_receive() -> Message:
            message = await receive()
            judge(exchange.received, message)
            return message

        async def checked_send(message: Message) -> None:
            judge(exchange.sent, message)
            try:
                await send(message)
            except OSError:  # [www, Disconnected Client] The app may return without a word more.
                exchange.send_failed = True
                raise

        try:
            await self.app(scope, checked_receive, checked_send)
        finally:  # the app's own error handling may have swallowed it
            if violations:
                raise violations[0]
        exchange.returned()
