"""The ASGI checker catches each violation once, and lets what conforms pass."""

import asyncio
import io
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from tests.conformance.asgi_checker import AsgiChecker, AsgiViolation

with warnings.catch_warnings():
    # Starlette 1.x warns at import that its client would rather have httpx2 than httpx.
    warnings.simplefilter("ignore", UserWarning)
    from starlette.testclient import TestClient, WebSocketDenialResponse

EXTENSIONS = (
    "http.response.push",
    "http.response.early_hint",
    "http.response.pathsend",
    "http.response.zerocopysend",
    "http.response.trailers",
    "http.response.debug",
    "websocket.http.response",
)
ASGI = {"version": "3.0", "spec_version": "2.5"}
HTTP: Scope = {
    "type": "http",
    "asgi": ASGI,
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [(b"host", b"example.org")],
    "extensions": {name: {} for name in EXTENSIONS},
}
SOCKET: Scope = {
    "type": "websocket",
    "asgi": ASGI,
    "path": "/",
    "headers": [],
    "extensions": {name: {} for name in EXTENSIONS},
}
LIFESPAN: Scope = {"type": "lifespan", "asgi": ASGI, "state": {}}
SCOPES = {"http": HTTP, "websocket": SOCKET, "lifespan": LIFESPAN}
TLS = {"server_cert": None, "tls_version": 0x0304, "cipher_suite": 0x1301}
CHAIN = {**TLS, "client_cert_chain": ["a"], "client_cert_name": "CN=a"}

REQUEST: Message = {"type": "http.request"}
MORE: Message = {"type": "http.request", "body": b"a", "more_body": True}
GONE: Message = {"type": "http.disconnect"}
START: Message = {"type": "http.response.start", "status": 200}
CHUNK: Message = {"type": "http.response.body", "body": b"ab", "more_body": True}
END: Message = {"type": "http.response.body"}
PUSH: Message = {"type": "http.response.push", "path": "/", "headers": []}
HINT: Message = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}
PATH: Message = {"type": "http.response.pathsend", "path": "/etc/hosts"}
FILE: Message = {"type": "http.response.zerocopysend", "file": 0}
DEBUG: Message = {"type": "http.response.debug", "info": {"template": "a"}}
TRAILED: Message = {**START, "trailers": True}
TRAILERS: Message = {"type": "http.response.trailers", "headers": [(b"digest", b"a")]}

CONNECT: Message = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept"}
TEXT: Message = {"type": "websocket.send", "text": "a"}
DATA: Message = {"type": "websocket.receive", "bytes": b"a"}
CLOSE: Message = {"type": "websocket.close"}
LEFT: Message = {"type": "websocket.disconnect", "code": 1005}
DENY: Message = {"type": "websocket.http.response.start", "status": 401}
DENIED: Message = {"type": "websocket.http.response.body"}

STARTUP: Message = {"type": "lifespan.startup"}
STARTED: Message = {"type": "lifespan.startup.complete"}
SHUTDOWN: Message = {"type": "lifespan.shutdown"}
STOPPED: Message = {"type": "lifespan.shutdown.complete"}

# The messages that come from the server; all others in a script come from the app.
INCOMING = {
    *("http.request", "http.disconnect"),
    *("websocket.connect", "websocket.receive", "websocket.disconnect"),
    *("lifespan.startup", "lifespan.shutdown"),
}
Script = list[Message]


def length(value: bytes, **keys: object) -> Message:
    """Make a response start that declares a length."""
    return {**START, "headers": [(b"content-length", value)], **keys}


def without(mapping: Message, *keys: str) -> Message:
    """Copy a message without some of its keys."""
    return {key: value for key, value in mapping.items() if key not in keys}


def perform(scope: Scope, script: Script, *, swallow: bool = False) -> Script:
    """Run a checked app that receives and sends by a script; return what reached the server."""
    incoming = iter([message for message in script if is_incoming(message)])
    arrived: Script = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        for message in script:
            try:
                await (receive() if is_incoming(message) else send(message))
            except AsgiViolation:
                if not swallow:
                    raise

    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        arrived.append(message)

    asyncio.run(AsgiChecker(app)(scope, receive, send))
    return arrived


def is_incoming(message: object) -> bool:
    """Say whether the message comes from the server; other things count as the app's."""
    return isinstance(message, dict) and (message.get("type") in INCOMING or "server" in message)


def perform_any(scope: object, script: list[object]) -> Script:
    """Run a script with things in it that the types forbid."""
    return perform(scope, script)  # type: ignore[arg-type]


HTTP_SCOPE_FAULTS: Mapping[str, tuple[str, object]] = {
    "asgi not a dict": ("asgi", "3.0"),
    "asgi version not str": ("asgi", {"version": 3}),
    "spec version not str": ("asgi", {"version": "3.0", "spec_version": 2.5}),
    "http version unknown": ("http_version", "9"),
    "http version bytes": ("http_version", b"1.1"),
    "method lower-case": ("method", "get"),
    "method empty": ("method", ""),
    "method bytes": ("method", b"GET"),
    "scheme empty": ("scheme", ""),
    "scheme bytes": ("scheme", b"http"),
    "path bytes": ("path", b"/"),
    "raw path str": ("raw_path", "/"),
    "raw path with query": ("raw_path", b"/?a"),
    "query string str": ("query_string", ""),
    "query string None": ("query_string", None),
    "root path None": ("root_path", None),
    "headers None": ("headers", None),
    "headers str": ("headers", "host"),
    "header name str": ("headers", [("host", b"a")]),
    "header value str": ("headers", [(b"host", "a")]),
    "header of three": ("headers", [(b"host", b"a", b"b")]),
    "header not iterable": ("headers", [3]),
    "header dict": ("headers", {b"host": b"a"}),
    "pseudo header": ("headers", [(b":authority", b"a")]),
    "client without port": ("client", ("127.0.0.1",)),
    "client port None": ("client", ("127.0.0.1", None)),
    "client port bool": ("client", ("127.0.0.1", True)),
    "client str": ("client", "ab"),
    "server host bytes": ("server", (b"a", 80)),
    "server port str": ("server", ("a", "80")),
    "state not a dict": ("state", []),
    "extensions not a dict": ("extensions", ["http.response.push"]),
    "extension name bytes": ("extensions", {b"http.response.push": {}}),
    "tls not a dict": ("extensions", {"tls": True}),
    "tls without version": ("extensions", {"tls": without(TLS, "tls_version")}),
    "tls without cipher suite": ("extensions", {"tls": without(TLS, "cipher_suite")}),
    "tls without server cert": ("extensions", {"tls": without(TLS, "server_cert")}),
    "tls version str": ("extensions", {"tls": {**TLS, "tls_version": "1.3"}}),
    "tls cipher suite too large": ("extensions", {"tls": {**TLS, "cipher_suite": 1 << 16}}),
    "tls server cert bytes": ("extensions", {"tls": {**TLS, "server_cert": b"a"}}),
    "tls chain bytes": ("extensions", {"tls": {**CHAIN, "client_cert_chain": [b"a"]}}),
    "tls chain str": ("extensions", {"tls": {**CHAIN, "client_cert_chain": "a"}}),
    "tls chain without name": ("extensions", {"tls": {**TLS, "client_cert_chain": ["a"]}}),
    "tls name bytes": ("extensions", {"tls": {**TLS, "client_cert_name": b"CN=a"}}),
    "tls error empty": ("extensions", {"tls": {**TLS, "client_cert_error": ""}}),
}
SOCKET_SCOPE_FAULTS: Mapping[str, tuple[str, object]] = {
    "http version 1.0": ("http_version", "1.0"),
    "query string str": ("query_string", ""),
    "subprotocols str": ("subprotocols", "chat"),
    "subprotocol bytes": ("subprotocols", [b"chat"]),
    "subprotocols None": ("subprotocols", None),
    "scheme empty": ("scheme", ""),
    "header name str": ("headers", [("host", b"a")]),
}


@pytest.mark.parametrize(("key", "value"), HTTP_SCOPE_FAULTS.values(), ids=HTTP_SCOPE_FAULTS.keys())
def test_invalid_http_scope_is_the_servers_fault(key: str, value: object) -> None:
    """An HTTP scope with one wrong value is refused before the app is called."""
    with pytest.raises(AsgiViolation, match=f"^server: .*{key if key != 'extensions' else ''}"):
        perform({**HTTP, key: value}, [START, END])


@pytest.mark.parametrize(
    ("key", "value"), SOCKET_SCOPE_FAULTS.values(), ids=SOCKET_SCOPE_FAULTS.keys()
)
def test_invalid_websocket_scope_is_the_servers_fault(key: str, value: object) -> None:
    """A WebSocket scope with one wrong value is refused before the app is called."""
    with pytest.raises(AsgiViolation, match=f"^server: websocket scope.*{key}"):
        perform({**SOCKET, key: value}, [CONNECT, CLOSE])


@pytest.mark.parametrize(
    ("protocol", "key"),
    [
        *(("http", key) for key in ("http_version", "method", "path", "query_string", "headers")),
        *(("websocket", key) for key in ("path", "headers")),
    ],
)
def test_missing_scope_key_is_the_servers_fault(protocol: str, key: str) -> None:
    """A scope that lacks a key without a default is refused."""
    with pytest.raises(AsgiViolation, match=f"^server: {protocol} scope.*{key}.* missing"):
        perform(without(SCOPES[protocol], key), [])


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(None, id="None"),
        pytest.param([("type", "http")], id="list"),
        pytest.param({}, id="without type"),
        pytest.param({"type": b"http"}, id="type bytes"),
        pytest.param({"type": "mqtt", 1: 2}, id="key not str"),
        pytest.param({**LIFESPAN, "state": None}, id="lifespan state None"),
    ],
)
def test_scope_of_the_wrong_shape_is_the_servers_fault(scope: object) -> None:
    """A scope has to be a dict with str keys and a type."""
    with pytest.raises(AsgiViolation, match=r"^server: "):
        perform_any(scope, [])


SENT_FAULTS: Mapping[str, tuple[str, Scope, list[object]]] = {
    "not a dict": ("message is not a dict", HTTP, [[START]]),
    "None": ("message is not a dict", HTTP, [None]),
    "key not str": (
        "message is not a dict",
        HTTP,
        [{"type": "http.response.start", "status": 200, 1: 2}],
    ),
    "without type": ("'type'.* missing", HTTP, [{"status": 200}]),
    "type bytes": ("'type'", HTTP, [{**START, "type": b"http.response.start"}]),
    "unknown type": ("no message of http", HTTP, [{"type": "http.response.head"}]),
    "other protocol's type": ("no message of http", HTTP, [ACCEPT]),
    "without status": ("'status'.* missing", HTTP, [without(START, "status")]),
    "status str": ("'status'", HTTP, [{**START, "status": "200"}]),
    "status bool": ("'status'", HTTP, [{**START, "status": True}]),
    "status 99": ("'status'", HTTP, [{**START, "status": 99}]),
    "status interim": ("'status'", HTTP, [{**START, "status": 103}]),
    "status 600": ("'status'", HTTP, [{**START, "status": 600}]),
    "headers None": ("'headers'", HTTP, [{**START, "headers": None}]),
    "headers dict": ("'headers'", HTTP, [{**START, "headers": {b"a": b"b"}}]),
    "headers str": ("'headers'", HTTP, [{**START, "headers": "ab"}]),
    "header pair of three": ("'headers'", HTTP, [{**START, "headers": [(b"a", b"b", b"c")]}]),
    "header pair str": ("'headers'", HTTP, [{**START, "headers": ["ab"]}]),
    "header pair bytes": ("'headers'", HTTP, [{**START, "headers": [b"ab"]}]),
    "header name str": ("'headers'", HTTP, [{**START, "headers": [("a", b"b")]}]),
    "header name upper-case": ("'headers'", HTTP, [{**START, "headers": [(b"A", b"b")]}]),
    "header name empty": ("'headers'", HTTP, [{**START, "headers": [(b"", b"b")]}]),
    "header name with space": ("'headers'", HTTP, [{**START, "headers": [(b"a b", b"b")]}]),
    "header name with newline": ("'headers'", HTTP, [{**START, "headers": [(b"a\n", b"b")]}]),
    "pseudo header": ("'headers'", HTTP, [{**START, "headers": [(b":status", b"200")]}]),
    "header value str": ("'headers'", HTTP, [{**START, "headers": [(b"a", "b")]}]),
    "header value with CR": ("'headers'", HTTP, [{**START, "headers": [(b"a", b"\r")]}]),
    "header value with LF": ("'headers'", HTTP, [{**START, "headers": [(b"a", b"b\nc: d")]}]),
    "header value with NUL": ("'headers'", HTTP, [{**START, "headers": [(b"a", b"\0")]}]),
    "trailers not bool": ("'trailers'", HTTP, [{**START, "trailers": 1}]),
    "body str": ("'body'", HTTP, [START, {**END, "body": "a"}]),
    "body None": ("'body'", HTTP, [START, {**END, "body": None}]),
    "body bytearray": ("'body'", HTTP, [START, {**END, "body": bytearray(b"a")}]),
    "more body not bool": ("'more_body'", HTTP, [START, {**END, "more_body": None}]),
    "push without path": ("'path'.* missing", HTTP, [START, without(PUSH, "path"), END]),
    "push path bytes": ("'path'", HTTP, [START, {**PUSH, "path": b"/"}, END]),
    "push without headers": ("'headers'.* missing", HTTP, [START, without(PUSH, "headers"), END]),
    "push header upper-case": ("'headers'", HTTP, [START, {**PUSH, "headers": [(b"A", b"")]}]),
    "hint without links": ("'links'.* missing", HTTP, [START, without(HINT, "links"), END]),
    "hint link str": ("'links'", HTTP, [START, {**HINT, "links": ["a"]}, END]),
    "hint links bytes": ("'links'", HTTP, [START, {**HINT, "links": b"a"}, END]),
    "hint link with CRLF": ("'links'", HTTP, [START, {**HINT, "links": [b"a\r\nb: c"]}, END]),
    "pathsend without path": ("'path'.* missing", HTTP, [START, without(PATH, "path")]),
    "pathsend path relative": ("'path'", HTTP, [START, {**PATH, "path": "hosts"}]),
    "pathsend path bytes": ("'path'", HTTP, [START, {**PATH, "path": b"/etc/hosts"}]),
    "zerocopysend without file": ("'file'.* missing", HTTP, [START, without(FILE, "file")]),
    "zerocopysend of memory": ("'file'", HTTP, [START, {**FILE, "file": io.BytesIO()}]),
    "zerocopysend of bytes": ("'file'", HTTP, [START, {**FILE, "file": b""}]),
    "zerocopysend offset None": ("'offset'", HTTP, [START, {**FILE, "offset": None}]),
    "zerocopysend count str": ("'count'", HTTP, [START, {**FILE, "count": "1"}]),
    "zerocopysend more body int": ("'more_body'", HTTP, [START, {**FILE, "more_body": 0}]),
    "debug without info": ("'info'.* missing", HTTP, [without(DEBUG, "info")]),
    "debug info list": ("'info'", HTTP, [{**DEBUG, "info": []}]),
    "trailers without headers": (
        "'headers'.* missing",
        HTTP,
        [TRAILED, END, without(TRAILERS, "headers")],
    ),
    "trailers header upper-case": (
        "'headers'",
        HTTP,
        [TRAILED, END, {**TRAILERS, "headers": [(b"A", b"")]}],
    ),
    "more trailers int": (
        "'more_trailers'",
        HTTP,
        [TRAILED, END, {**TRAILERS, "more_trailers": 0}],
    ),
    "subprotocol bytes": ("'subprotocol'", SOCKET, [CONNECT, {**ACCEPT, "subprotocol": b"a"}]),
    "accept header upper-case": (
        "'headers'",
        SOCKET,
        [CONNECT, {**ACCEPT, "headers": [(b"A", b"")]}],
    ),
    "accept with subprotocol header": (
        "'headers'",
        SOCKET,
        [CONNECT, {**ACCEPT, "headers": [(b"sec-websocket-protocol", b"a")]}],
    ),
    "frame without data": ("bytes or text", SOCKET, [CONNECT, ACCEPT, {"type": "websocket.send"}]),
    "frame with None": ("bytes or text", SOCKET, [CONNECT, ACCEPT, {**TEXT, "text": None}]),
    "frame with both": ("bytes or text", SOCKET, [CONNECT, ACCEPT, {**TEXT, "bytes": b"a"}]),
    "frame text bytes": ("'text'", SOCKET, [CONNECT, ACCEPT, {**TEXT, "text": b"a"}]),
    "frame bytes str": ("'bytes'", SOCKET, [CONNECT, ACCEPT, {**TEXT, "bytes": "a"}]),
    "close code str": ("'code'", SOCKET, [CONNECT, {**CLOSE, "code": "1000"}]),
    "close code None": ("'code'", SOCKET, [CONNECT, {**CLOSE, "code": None}]),
    "close code 999": ("'code'", SOCKET, [CONNECT, {**CLOSE, "code": 999}]),
    "close code 1006": ("'code'", SOCKET, [CONNECT, {**CLOSE, "code": 1006}]),
    "close reason bytes": ("'reason'", SOCKET, [CONNECT, {**CLOSE, "reason": b"a"}]),
    "denial status interim": ("'status'", SOCKET, [CONNECT, {**DENY, "status": 101}]),
    "shutdown failure message bytes": (
        "'message'",
        LIFESPAN,
        [STARTUP, STARTED, SHUTDOWN, {"type": "lifespan.shutdown.failed", "message": b"a"}],
    ),
    "startup failure message bytes": (
        "'message'",
        LIFESPAN,
        [STARTUP, {"type": "lifespan.startup.failed", "message": b"a"}],
    ),
}


@pytest.mark.parametrize(("text", "scope", "script"), SENT_FAULTS.values(), ids=SENT_FAULTS.keys())
def test_malformed_message_sent_is_the_apps_fault(
    text: str, scope: Scope, script: list[object]
) -> None:
    """A message that by itself is wrong is refused, naming the key."""
    with pytest.raises(AsgiViolation, match=f"(?s)^app: .*{text}"):
        perform_any(scope, script)


ORDER_FAULTS: Mapping[str, tuple[str, Scope, Script]] = {
    "body before start": ("head phase", HTTP, [END]),
    "start twice": ("body phase", HTTP, [START, START]),
    "start after end": ("end phase", HTTP, [START, END, START]),
    "body after end": ("end phase", HTTP, [START, END, END]),
    "push before start": ("head phase", HTTP, [PUSH]),
    "push after end": ("end phase", HTTP, [START, END, PUSH]),
    "hint after end": ("end phase", HTTP, [START, END, HINT]),
    "pathsend before start": ("head phase", HTTP, [PATH]),
    "pathsend after body": ("mixed", HTTP, [START, CHUNK, PATH]),
    "pathsend after zerocopysend": ("mixed", HTTP, [START, {**FILE, "more_body": True}, PATH]),
    "pathsend twice": ("end phase", HTTP, [START, PATH, PATH]),
    "body after pathsend": ("end phase", HTTP, [START, PATH, END]),
    "zerocopysend before start": ("head phase", HTTP, [FILE]),
    "zerocopysend after end": ("end phase", HTTP, [START, END, FILE]),
    "body after last zerocopysend": ("end phase", HTTP, [START, FILE, END]),
    "debug after start": ("body phase", HTTP, [START, DEBUG]),
    "debug twice": ("twice", HTTP, [DEBUG, DEBUG]),
    "trailers not announced": ("end phase", HTTP, [START, END, TRAILERS]),
    "trailers before end of body": ("body phase", HTTP, [TRAILED, CHUNK, TRAILERS]),
    "trailers before start": ("head phase", HTTP, [TRAILERS]),
    "trailers after last trailers": ("end phase", HTTP, [TRAILED, END, TRAILERS, TRAILERS]),
    "body instead of trailers": ("trailers phase", HTTP, [TRAILED, END, END]),
    "push instead of trailers": ("trailers phase", HTTP, [TRAILED, END, PUSH]),
    "no response": ("without the response's head", HTTP, [REQUEST]),
    "no body": ("without the response's body", HTTP, [START]),
    "body not ended": ("without the response's body", HTTP, [START, CHUNK]),
    "trailers missing": ("without the response's trailers", HTTP, [TRAILED, END]),
    "trailers not ended": (
        "without the response's trailers",
        HTTP,
        [TRAILED, END, {**TRAILERS, "more_trailers": True}],
    ),
    "accept twice": ("open phase", SOCKET, [CONNECT, ACCEPT, ACCEPT]),
    "frame before accept": ("handshake phase", SOCKET, [CONNECT, TEXT]),
    "frame after close": ("closed phase", SOCKET, [CONNECT, ACCEPT, CLOSE, TEXT]),
    "accept after close": ("closed phase", SOCKET, [CONNECT, CLOSE, ACCEPT]),
    "close twice": ("closed phase", SOCKET, [CONNECT, ACCEPT, CLOSE, CLOSE]),
    "denial before connect": ("handshake phase", SOCKET, [DENY]),
    "denial after accept": ("open phase", SOCKET, [CONNECT, ACCEPT, DENY]),
    "denial after close": ("closed phase", SOCKET, [CONNECT, CLOSE, DENY]),
    "denial body first": ("head phase", SOCKET, [CONNECT, DENIED]),
    "denial body after end": ("end phase", SOCKET, [CONNECT, DENY, DENIED, DENIED]),
    "accept after denial": ("denial phase", SOCKET, [CONNECT, DENY, ACCEPT]),
    "close after denial": ("denial phase", SOCKET, [CONNECT, DENY, DENIED, CLOSE]),
    "headers of 2.1 to server of 2.0": (
        "came with 2.1",
        {**SOCKET, "asgi": {"version": "3.0", "spec_version": "2.0"}},
        [CONNECT, {**ACCEPT, "headers": [(b"a", b"b")]}],
    ),
    "handshake not answered": ("without accepting", SOCKET, [CONNECT]),
    "denial not ended": ("without the response's body", SOCKET, [CONNECT, DENY]),
    "startup complete before startup": ("answers nothing", LIFESPAN, [STARTED]),
    "startup complete twice": ("answers nothing", LIFESPAN, [STARTUP, STARTED, STARTED]),
    "shutdown complete to startup": ("answers nothing", LIFESPAN, [STARTUP, STOPPED]),
    "startup not answered": ("an answer to lifespan.startup", LIFESPAN, [STARTUP]),
    "shutdown not answered": (
        "an answer to lifespan.shutdown",
        LIFESPAN,
        [STARTUP, STARTED, SHUTDOWN],
    ),
}


@pytest.mark.parametrize(
    ("text", "scope", "script"), ORDER_FAULTS.values(), ids=ORDER_FAULTS.keys()
)
def test_message_sent_out_of_order_is_the_apps_fault(
    text: str, scope: Scope, script: Script
) -> None:
    """A message at the wrong time, and an answer left out, are refused."""
    with pytest.raises(AsgiViolation, match=f"^app: .*{text}"):
        perform(scope, script)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([START, PUSH, END], id="push"),
        pytest.param([START, HINT, END], id="early_hint"),
        pytest.param([START, PATH], id="pathsend"),
        pytest.param([START, FILE], id="zerocopysend"),
        pytest.param([DEBUG, START, END], id="debug"),
        pytest.param([TRAILED, END, TRAILERS], id="trailers"),
        pytest.param([CONNECT, DENY, DENIED], id="denial"),
    ],
)
def test_extension_needs_to_be_in_the_scope(script: Script) -> None:
    """A message of an extension passes with the extension in the scope, and only then."""
    scope = SOCKET if script[0] is CONNECT else HTTP
    perform(scope, script)
    with pytest.raises(AsgiViolation, match=r"^app: .* without the extension in the scope"):
        perform(without(scope, "extensions"), script)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        pytest.param("1 bytes more", [length(b"1"), CHUNK, END], id="too long"),
        pytest.param("1 bytes fewer", [length(b"3"), CHUNK, END], id="too short"),
        pytest.param("1 bytes fewer", [length(b"1"), END], id="empty"),
        pytest.param("1 bytes more", [length(b"3"), CHUNK, CHUNK], id="too long in two chunks"),
        pytest.param("not one number", [length(b"-1"), END], id="negative"),
        pytest.param("not one number", [length(b"2, 2"), CHUNK], id="list"),
        pytest.param("not one number", [length(b""), END], id="without number"),
        pytest.param(
            "not one number",
            [{**START, "headers": [(b"content-length", b"0"), (b"content-length", b"2")]}],
            id="twice",
        ),
    ],
)
def test_content_length_that_disagrees_with_the_body_is_the_apps_fault(
    text: str, script: Script
) -> None:
    """A body longer or shorter than declared, and an unclear declaration, are refused."""
    with pytest.raises(AsgiViolation, match=f"^app: .*{text}"):
        perform(HTTP, script)


RECEIVED_FAULTS: Mapping[str, tuple[str, Scope, list[object]]] = {
    "without type": ("'type'.* missing", HTTP, [{"server": True}]),
    "unknown type": ("no message of http", HTTP, [{"type": "http.trailers", "server": True}]),
    "other protocol's type": ("no message of http", HTTP, [CONNECT]),
    "app's type": ("no message of http", HTTP, [{**START, "server": True}]),
    "body str": ("'body'", HTTP, [{**REQUEST, "body": "a"}]),
    "body None": ("'body'", HTTP, [{**REQUEST, "body": None}]),
    "more body int": ("'more_body'", HTTP, [{**REQUEST, "more_body": 1}]),
    "request after end": ("after the end", HTTP, [MORE, REQUEST, REQUEST]),
    "request after disconnect": ("after the disconnect", HTTP, [MORE, GONE, REQUEST]),
    "data before connect": ("connect comes first", SOCKET, [DATA]),
    "disconnect before connect": ("connect comes first", SOCKET, [LEFT]),
    "connect twice": ("connect comes first", SOCKET, [CONNECT, CONNECT]),
    "data before accept": ("not accepted", SOCKET, [CONNECT, DATA]),
    "data after denial": ("not accepted", SOCKET, [CONNECT, DENY, DENIED, DATA]),
    "data after disconnect": ("after the disconnect", SOCKET, [CONNECT, ACCEPT, LEFT, DATA]),
    "data with both": (
        "bytes or text",
        SOCKET,
        [CONNECT, ACCEPT, {**DATA, "text": "a"}],
    ),
    "data with neither": ("bytes or text", SOCKET, [CONNECT, ACCEPT, without(DATA, "bytes")]),
    "data text bytes": ("'text'", SOCKET, [CONNECT, ACCEPT, {**DATA, "text": b"a"}]),
    "disconnect without code": ("'code'.* missing", SOCKET, [CONNECT, without(LEFT, "code")]),
    "disconnect code None": ("'code'", SOCKET, [CONNECT, {**LEFT, "code": None}]),
    "disconnect reason bytes": ("'reason'", SOCKET, [CONNECT, {**LEFT, "reason": b"a"}]),
    "shutdown first": ("to come is", LIFESPAN, [SHUTDOWN]),
    "startup twice": ("to come is", LIFESPAN, [STARTUP, STARTED, STARTUP]),
    "shutdown before answer": ("was answered", LIFESPAN, [STARTUP, SHUTDOWN]),
    "shutdown twice": (
        "to come is",
        LIFESPAN,
        [STARTUP, STARTED, SHUTDOWN, STOPPED, SHUTDOWN],
    ),
}


@pytest.mark.parametrize(
    ("text", "scope", "script"), RECEIVED_FAULTS.values(), ids=RECEIVED_FAULTS.keys()
)
def test_wrong_message_received_is_the_servers_fault(
    text: str, scope: Scope, script: list[object]
) -> None:
    """A message from the server that is malformed or out of order is refused."""
    with pytest.raises(AsgiViolation, match=f"^server: .*{text}"):
        perform_any(scope, script)


CONFORMANT: Mapping[str, tuple[Scope, Script]] = {
    "shortest": (HTTP, [START, END]),
    "request read": (HTTP, [MORE, REQUEST, START, CHUNK, END, GONE]),
    "request read after the response": (HTTP, [START, END, MORE, REQUEST, GONE, GONE]),
    "disconnect without answer": (HTTP, [MORE, GONE]),
    "disconnect within body": (HTTP, [REQUEST, START, CHUNK, GONE]),
    "sending after disconnect": (HTTP, [GONE, START, CHUNK, END, END]),
    "additional keys": (HTTP, [{**REQUEST, "x": 1}, {**START, "x": 2}, {**END, "x": 3}]),
    "headers as tuple of lists": (HTTP, [{**START, "headers": ([b"a", b"b"],)}, END]),
    "header value opaque": (HTTP, [{**START, "headers": [(b"a", b"\xe4 \t")]}, END]),
    "header repeated": (HTTP, [{**START, "headers": [(b"set-cookie", b"a")] * 2}, END]),
    # [www, Response Start] "You may send a Transfer-Encoding header [...] but the server must
    # ignore it."
    "transfer-encoding": (
        HTTP,
        [{**START, "headers": [(b"transfer-encoding", b"chunked")]}, END],
    ),
    "status 599": (HTTP, [{**START, "status": 599}, END]),
    "length": (HTTP, [length(b"4"), CHUNK, CHUNK, END]),
    "length zero": (HTTP, [length(b"0"), END]),
    "length to HEAD without body": ({**HTTP, "method": "HEAD"}, [length(b"9"), END]),
    "length to HEAD with body": ({**HTTP, "method": "HEAD"}, [length(b"9"), CHUNK, END]),
    "length of 204": (HTTP, [length(b"9", status=204), END]),
    "length of 304": (HTTP, [length(b"9", status=304), END]),
    "length of a path sent": (HTTP, [length(b"9"), PATH]),
    "length of a file sent": (HTTP, [length(b"9"), {**FILE, "more_body": True}, END]),
    "length and disconnect": (HTTP, [length(b"9"), CHUNK, GONE, END]),
    "trailers": (HTTP, [TRAILED, CHUNK, END, TRAILERS]),
    "trailers in two": (HTTP, [TRAILED, END, {**TRAILERS, "more_trailers": True}, TRAILERS]),
    "trailers after pathsend": (HTTP, [TRAILED, PATH, TRAILERS]),
    "trailers denied": (HTTP, [{**START, "trailers": False}, END]),
    "push and hints": (HTTP, [START, PUSH, HINT, CHUNK, HINT, PUSH, END]),
    "hint before start": (HTTP, [HINT, START, END]),
    "debug": (HTTP, [DEBUG, START, END]),
    "zerocopysend mixed with body": (
        HTTP,
        [START, CHUNK, {**FILE, "count": 1, "more_body": True}, END],
    ),
    "zerocopysend at an offset": (HTTP, [START, {**FILE, "offset": 0}]),
    "unknown extension's message": (
        {**HTTP, "extensions": {"fullflush": {}}},
        [{"type": "http.fullflush"}, START, END, {"type": "http.flushed", "server": True}],
    ),
    "accepted, left": (SOCKET, [CONNECT, ACCEPT, DATA, TEXT, LEFT]),
    "accepted, left without reason": (SOCKET, [CONNECT, ACCEPT, {**LEFT, "reason": None}]),
    "accepted, closed": (SOCKET, [CONNECT, ACCEPT, {**CLOSE, "code": 4000, "reason": "a"}, LEFT]),
    "accepted, returned": (SOCKET, [CONNECT, ACCEPT]),
    "accepted with subprotocol and headers": (
        SOCKET,
        [CONNECT, {**ACCEPT, "subprotocol": "a", "headers": [(b"a", b"b")]}, LEFT],
    ),
    "accepted with empty headers by 2.0": (
        {**SOCKET, "asgi": {"version": "3.0", "spec_version": "2.0"}},
        [CONNECT, {**ACCEPT, "subprotocol": None, "headers": []}, LEFT],
    ),
    "frames with both keys": (
        SOCKET,
        [CONNECT, ACCEPT, {**DATA, "text": None}, {**TEXT, "bytes": None}, LEFT],
    ),
    "frame empty": (SOCKET, [CONNECT, ACCEPT, {**TEXT, "text": ""}, {**DATA, "bytes": b""}]),
    "data in flight after close": (SOCKET, [CONNECT, ACCEPT, CLOSE, DATA, LEFT]),
    "sending after disconnect on a socket": (SOCKET, [CONNECT, ACCEPT, LEFT, TEXT, CLOSE, CLOSE]),
    "client left the handshake": (SOCKET, [CONNECT, LEFT]),
    "refused": (SOCKET, [CONNECT, {**CLOSE, "reason": None}, LEFT]),
    "refused unheard": (SOCKET, [CLOSE]),
    "denied": (SOCKET, [CONNECT, DENY, {**DENIED, "more_body": True}, DENIED, LEFT]),
    "lifespan": (LIFESPAN, [STARTUP, STARTED, SHUTDOWN, STOPPED]),
    "lifespan left after startup": (LIFESPAN, [STARTUP, STARTED]),
    "lifespan ignored": (LIFESPAN, []),
    "startup failed": (LIFESPAN, [STARTUP, {"type": "lifespan.startup.failed", "message": "a"}]),
    "startup failed without message": (LIFESPAN, [STARTUP, {"type": "lifespan.startup.failed"}]),
    "shutdown failed": (
        LIFESPAN,
        [STARTUP, STARTED, SHUTDOWN, {"type": "lifespan.shutdown.failed"}],
    ),
}


@pytest.mark.parametrize(("scope", "script"), CONFORMANT.values(), ids=CONFORMANT.keys())
def test_conformant_exchange_passes_unchanged(scope: Scope, script: Script) -> None:
    """What follows the rules reaches the server as the very objects that the app sent."""
    arrived = perform(scope, script)
    sent = [message for message in script if not is_incoming(message)]
    assert [id(message) for message in arrived] == [id(message) for message in sent]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"asgi": {}}, id="version by default"),
        pytest.param({"http_version": "2", "scheme": "https", "root_path": ""}, id="optional keys"),
        pytest.param(
            {"raw_path": b"/%20", "client": ("::1", 1), "server": ["a", 80]}, id="more keys"
        ),
        pytest.param({"raw_path": None, "client": None, "server": None}, id="None by default"),
        pytest.param({"server": ("/run/app.sock", None), "state": {"a": 1}}, id="unix socket"),
        pytest.param({"headers": [(b"Host", b"a"), (b"x", b"\xff")]}, id="header case preserved"),
        pytest.param({"headers": {(b"host", b"a"): 1}.keys()}, id="headers as a view"),
        pytest.param({"extensions": None}, id="extensions None"),
        pytest.param({"extensions": {"tls": TLS}}, id="tls"),
        pytest.param({"extensions": {"tls": CHAIN}}, id="tls with client certificate"),
        pytest.param(
            {"extensions": {"tls": {**TLS, "client_cert_name": None, "client_cert_error": None}}},
            id="tls without client certificate",
        ),
    ],
)
def test_conformant_scope_passes(changes: dict[str, object]) -> None:
    """Optional keys may be missing, set, or None where that is their default."""
    perform({**HTTP, **changes}, [START, END])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"query_string": None}, id="query string None"),
        pytest.param({"http_version": "2", "query_string": b"a"}, id="optional keys"),
        pytest.param({"subprotocols": ("a", "b"), "scheme": "wss"}, id="subprotocols"),
    ],
)
def test_conformant_websocket_scope_passes(changes: dict[str, object]) -> None:
    """A WebSocket's query string may be None, unlike that of HTTP."""
    perform({**SOCKET, **changes}, [CONNECT, CLOSE])


def test_open_file_passes(tmp_path: Path) -> None:
    """A file of the operating system, unlike one in memory, can be sent without a copy."""
    with (tmp_path / "a").open("wb") as file:
        perform(HTTP, [START, {**FILE, "file": file}])


def test_one_shot_iterables_are_not_used_up() -> None:
    """Headers that can be read only once reach the server unread."""
    pairs = [(b"content-length", b"9"), (b"a", b"b")]
    once: Message = {**START, "headers": iter(pairs)}
    nested: Message = {**START, "headers": [iter(pair) for pair in pairs]}
    assert list(perform(HTTP, [once, END])[0]["headers"]) == pairs
    assert [tuple(pair) for pair in perform(HTTP, [nested, END])[0]["headers"]] == pairs


def test_unknown_scope_type_passes_unchecked() -> None:
    """A protocol that the checker does not know is handed through as it is."""
    seen: list[object] = []

    async def app(*arguments: object) -> None:
        seen.extend(arguments)

    async def receive() -> Message:
        return {}

    async def send(_: Message) -> None:
        return None

    scope: Scope = {"type": "mqtt"}
    asyncio.run(AsgiChecker(app)(scope, receive, send))
    assert [id(it) for it in seen] == [id(scope), id(receive), id(send)]


def test_swallowed_violation_is_raised_at_the_end() -> None:
    """An app that swallows the violation and then answers well still fails, with the first one."""
    with pytest.raises(AsgiViolation, match="head phase"):
        perform(HTTP, [END, START, END, END], swallow=True)


def test_violation_turned_into_another_error_is_raised_itself() -> None:
    """An error that the app makes of the violation does not hide it."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        try:
            await send(END)
        except AsgiViolation as violation:
            raise RuntimeError from violation

    with pytest.raises(AsgiViolation, match="head phase"):
        asyncio.run(AsgiChecker(app)(HTTP, never_receive, discard))


def test_error_of_the_app_comes_through() -> None:
    """An app may raise in the midst of an answer: the server ends the connection."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        raise KeyError("a")

    with pytest.raises(KeyError, match="a"):
        asyncio.run(AsgiChecker(app)(HTTP, never_receive, discard))


def test_app_may_return_after_send_failed() -> None:
    """A server says by an OSError out of send that the client is gone; nothing is owed then."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        with pytest.raises(BrokenPipeError):
            await send(START)

    async def refuse(_: Message) -> None:
        raise BrokenPipeError

    asyncio.run(AsgiChecker(app)(HTTP, never_receive, refuse))


def test_violation_is_an_assertion_error() -> None:
    """A violation fails a test as a failed assertion does."""
    assert issubclass(AsgiViolation, AssertionError)


async def never_receive() -> Message:
    """Stand in for receive where the app does not call it."""
    raise NotImplementedError


async def discard(_: Message) -> None:
    """Stand in for send."""


async def echo(request: Request) -> Response:
    """Answer with the body of the request."""
    return Response(await request.body())


async def stream(_: Request) -> Response:
    """Answer in chunks, without a length."""

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"a", b"b"):
            yield chunk

    return StreamingResponse(chunks())


async def chat(socket: WebSocket) -> None:
    """Send back one text, then close."""
    await socket.accept(subprotocol="chat")
    await socket.send_text(await socket.receive_text())
    await socket.close(4000, "done")


async def deny(socket: WebSocket) -> None:
    """Answer the handshake with an HTTP response."""
    await socket.receive()
    await socket.send_denial_response(PlainTextResponse("no", status_code=401))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, object]]:
    """Give the app some state."""
    yield {"started": True}


@pytest.fixture
def app() -> ASGIApp:
    """Make a checked Starlette app with some of everything."""
    routes = [
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/stream", stream),
        WebSocketRoute("/chat", chat),
        WebSocketRoute("/deny", deny),
    ]
    return AsgiChecker(Starlette(routes=routes, lifespan=lifespan))


@pytest.fixture
def client(app: ASGIApp) -> Iterator[TestClient]:
    """Make a client whose app has started up."""
    with TestClient(app) as client:
        yield client


ANSWERS = pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        pytest.param("POST", "/echo", 200, b"payload", id="body"),
        pytest.param("HEAD", "/echo", 200, b"", id="HEAD"),
        pytest.param("GET", "/stream", 200, b"ab", id="stream"),
        pytest.param("GET", "/none?a=b", 404, b"Not Found", id="not found"),
    ],
)


@ANSWERS
def test_starlette_passes_over_httpx(
    app: ASGIApp, method: str, path: str, status: int, body: bytes
) -> None:
    """Starlette as the app, and httpx as the server, break no rule."""

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.request(method, path, content=b"payload" if body else None)

    answer = asyncio.run(request())
    assert (answer.status_code, answer.content) == (status, body)


@ANSWERS
def test_starlette_passes_over_its_test_client(
    client: TestClient, method: str, path: str, status: int, body: bytes
) -> None:
    """Starlette as the app, and its test client as the server, break no rule."""
    answer = client.request(method, path, content=b"payload" if body else None)
    assert (answer.status_code, answer.content) == (status, body)


def test_starlette_websocket_passes(client: TestClient) -> None:
    """A WebSocket from the handshake to the close breaks no rule."""
    with client.websocket_connect("/chat", subprotocols=["chat"]) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        assert socket.receive() == {"type": "websocket.close", "code": 4000, "reason": "done"}


def test_starlette_websocket_denial_passes(client: TestClient) -> None:
    """An HTTP response to a handshake breaks no rule."""
    with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect("/deny"):
        pass
    assert denial.value.status_code == 401
