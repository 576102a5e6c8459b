"""The request over a WSGI environ: every property on odd environs, and the body in every case."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import (
    BodyTooLarge,
    ClientDisconnected,
    ErrorEnvelope,
    MalformedRequest,
    Policy,
    Request,
)
from mantlet.http.headers import HeaderNames
from tests.asgi.test_request import NO_PATHS, Late, Looks, Reads
from tests.asgi.test_request import see as see_scope
from tests.drive import Answer, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable


class App:
    """Reads its input as ``read`` says, and keeps what it got."""

    def __init__(self, read: Callable[[Any], bytes] = lambda stream: stream.read()) -> None:
        self.read = read
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.bodies.append(self.read(environ["wsgi.input"]))
        start_response("200 OK", [])
        return []


class Socket(io.RawIOBase):
    """A connection that brings a body in pieces, and must not be read past its end.

    Args:
        pieces: what each read gives at most.
        closed: whether the client has gone after them; else a read past them would hang.
    """

    def __init__(self, pieces: list[bytes], *, gone: bool = False) -> None:
        self.pieces = [piece for piece in pieces if piece]
        self.gone = gone

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self.pieces:
            assert self.gone, "it was read past its end, where a server would hang"
            return b""
        assert size != 0
        piece = self.pieces.pop(0)
        if 0 < size < len(piece):
            self.pieces.insert(0, piece[size:])
            piece = piece[:size]
        return piece


def see(look: Callable[[Request], object], **environ: Any) -> Any:
    """Return what a policy sees of a request."""
    policy = Looks(look)
    environ = {key.replace("wsgi_", "wsgi."): value for key, value in environ.items()}
    answer = drive_wsgi(
        mantlet.wsgi.wrap(App(lambda _: b""), policy, baseline=False), environ=environ
    )
    assert answer.error is None
    (seen,) = policy.seen
    return seen


# -- properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"PATH_INFO": "/a b"}, "/a b"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": "/items"}, "/api/items"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": ""}, "/api"),
        ({"SCRIPT_NAME": ..., "PATH_INFO": ...}, ""),
        ({"PATH_INFO": "/\xc3\xbc"}, "/\u00fc"),
        ({"PATH_INFO": "/\xff"}, "/\ufffd"),
        ({"PATH_INFO": "/\xc3"}, "/\ufffd"),
        ({"SCRIPT_NAME": "/\xc3", "PATH_INFO": "\xbc"}, "/\u00fc"),
        ({"PATH_INFO": "/\u0100"}, "/?"),
        ({"PATH_INFO": "/\ud800"}, "/?"),
    ],
    ids=ascii,
)
@pytest.mark.breaks_rules("an environ without a path, or with an odd one")
def test_the_path_is_decoded_whole_and_never_raises(environ: dict[str, Any], path: str) -> None:
    """PEP 3333 has bytes as latin-1 text; what is no UTF-8 becomes U+FFFD."""
    assert see(lambda request: request.path, **environ) == path


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"PATH_INFO": "/a b"}, "/a b"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": "/items"}, "/items"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": "/api/items"}, "/api/items"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": "//items/"}, "//items/"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": "/"}, "/"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": ""}, "/"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": ...}, "/"),
        ({"SCRIPT_NAME": ..., "PATH_INFO": ...}, "/"),
        ({"PATH_INFO": "/\xc3\xbc"}, "/\u00fc"),
        ({"PATH_INFO": "/\xff"}, "/\ufffd"),
        ({"PATH_INFO": "/\u0100"}, "/?"),
    ],
    ids=ascii,
)
@pytest.mark.breaks_rules("an environ without a path, or with an odd one")
def test_the_route_path_is_decoded_without_the_mount(environ: dict[str, Any], path: str) -> None:
    """PATH_INFO, and a slash where that is empty."""
    assert see(lambda request: request.route_path, **environ) == path


@pytest.mark.parametrize(("target", "path"), NO_PATHS, ids=ascii)
@pytest.mark.breaks_rules("what is no path in place of one")
def test_the_route_path_of_another_target_is_the_path_in_it(target: str, path: str) -> None:
    """As under ASGI."""
    info = target.encode().decode("latin-1")
    assert see(lambda request: request.route_path, PATH_INFO=info) == path


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(["", "/api", "/\u00fc b"]),
    st.binary(max_size=8) | st.text(max_size=8).map(str.encode),
)
def test_the_route_path_is_the_same_under_both_protocols(mount: str, path: bytes) -> None:
    """Whatever bytes a client has sent below a mount."""
    scope = {"path": f"{mount}/{path.decode('utf-8', 'replace')}", "root_path": mount}
    under_asgi = see_scope(lambda request: request.route_path, **scope)
    script, info = mount.encode().decode("latin-1"), f"/{path.decode('latin-1')}"
    environ = {"SCRIPT_NAME": script, "PATH_INFO": info}
    assert see(lambda request: request.route_path, **environ) == under_asgi


@pytest.mark.parametrize(
    ("environ", "raw"),
    [
        ({"PATH_INFO": "/a b"}, b"/a%20b"),
        ({"PATH_INFO": "/\xc3\xbc"}, b"/%C3%BC"),
        ({"PATH_INFO": "/\xff"}, b"/%FF"),
        ({"SCRIPT_NAME": "/api", "PATH_INFO": "/%"}, b"/api/%25"),
        ({"RAW_URI": "/a%2fb?c=d?e"}, b"/a%2fb"),
        ({"REQUEST_URI": "/a%2fb?c"}, b"/a%2fb"),
        ({"RAW_URI": "/first", "REQUEST_URI": "/second"}, b"/first"),
        ({"RAW_URI": "", "PATH_INFO": "/a"}, b"/a"),
        ({"RAW_URI": "//a//b"}, b"//a//b"),
        ({"RAW_URI": "http://example.org/a%2fb?c"}, b"/a%2fb"),
        ({"RAW_URI": "HTTPS://user:pw@[::1]:8/a"}, b"/a"),
        ({"RAW_URI": "*"}, b"*"),
        ({"RAW_URI": "/\xff"}, b"/\xff"),
        ({"RAW_URI": "/\u0100"}, b"/?"),
        ({"RAW_URI": "/a;b=c"}, b"/a;b=c"),
    ],
    ids=ascii,
)
def test_the_raw_path_is_the_servers_or_encoded_anew(environ: dict[str, Any], raw: bytes) -> None:
    """Also of a target in absolute form (RFC 9112, 3.2.2)."""
    assert see(lambda request: request.raw_path, **environ) == raw


@pytest.mark.parametrize(
    "uri",
    [
        "http://[::1",
        "http://[bad]/x",
        "http://a]b/x",
        "x",
        "?",
        "#",
        "http:",
        "//[",
        "http://\u2100/",
    ],
    ids=ascii,
)
def test_no_target_that_a_client_can_send_makes_the_raw_path_raise(uri: str) -> None:
    """A malformed target is the client's mistake, and no 500."""
    assert isinstance(see(lambda request: request.raw_path, RAW_URI=uri), bytes)


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({"REMOTE_ADDR": "2001:db8::1"}, "2001:db8::1"),
        ({"REMOTE_ADDR": ""}, None),
        ({"REMOTE_ADDR": ...}, None),
    ],
    ids=repr,
)
def test_the_client_is_the_address_or_nothing(environ: dict[str, Any], address: object) -> None:
    """A server on a Unix socket has no address, or an empty one."""
    assert see(lambda request: request.client, **environ) == address


@pytest.mark.parametrize(
    ("look", "environ", "value"),
    [
        (lambda r: r.query, {"QUERY_STRING": "a=%FF&b"}, b"a=%FF&b"),
        (lambda r: r.query, {"QUERY_STRING": "\xff"}, b"\xff"),
        (lambda r: r.query, {"QUERY_STRING": "\u0100"}, b"?"),
        (lambda r: r.query, {"QUERY_STRING": ...}, b""),
        (lambda r: r.scheme, {"wsgi_url_scheme": "https"}, "https"),
        (lambda r: r.scheme, {"wsgi_url_scheme": ...}, "http"),
        (lambda r: r.method, {"REQUEST_METHOD": "BREW"}, "BREW"),
        (lambda r: r.protocol, {}, "http"),
        (lambda r: r.raw["marker"], {"marker": 5}, 5),
    ],
)
@pytest.mark.breaks_rules("what must be there is left out as well")
def test_what_pep_3333_lets_a_server_leave_out_has_its_default(
    look: Any, environ: dict[str, Any], value: object
) -> None:
    """Variables may be missing where they would be empty."""
    environ = {key: item for key, item in environ.items() if "." not in key}
    renamed = {"wsgi_url_scheme": "wsgi.url_scheme"}
    policy = Looks(look)
    made = {renamed.get(key, key): item for key, item in environ.items()}
    assert drive_wsgi(mantlet.wsgi.wrap(App(), policy, baseline=False), environ=made).error is None
    assert policy.seen == [value]


def test_header_fields_are_read_in_any_case() -> None:
    """The two that CGI names without a prefix are no exception."""

    def look(request: Request) -> None:
        headers = request.headers
        assert headers.get("X-One") == headers["x-ONE"] == "1, 3"
        assert headers.get("x-two") == ""
        assert "X-Two" in headers
        assert headers.get("content-type") == "text/plain"
        assert headers.get("Content-Length") is None
        assert headers.get("Content-Length", "5") == "5"
        assert headers.get("x-l1") == "\xff\xe9"
        assert "x-none" not in headers
        fields = {name: value for name, value in headers if name.startswith(("x-", "content"))}
        assert fields == {
            "x-one": "1, 3",
            "x-two": "",
            "x-l1": "\xff\xe9",
            "content-type": "text/plain",
        }
        assert "\xe9" not in repr(headers)
        with pytest.raises(KeyError):
            headers["x-none"]

    see(
        look,
        HTTP_X_ONE="1, 3",
        HTTP_X_TWO="",
        HTTP_X_L1="\xff\xe9",
        CONTENT_TYPE="text/plain",
        CONTENT_LENGTH="",
    )


def test_some_fields_can_be_picked_at_once() -> None:
    """What is not there is left out."""
    names = HeaderNames("X-One", "x-none", "Content-Type")
    environ = {"HTTP_X_ONE": "1", "CONTENT_TYPE": "a/b"}
    picked = see(lambda request: dict(request.get_headers(names)), **environ)
    assert picked == {"X-One": "1", "Content-Type": "a/b"}


# -- the body -------------------------------------------------------------------------------------


def read(
    policy: Policy,
    stream: Any,
    length: str | None = None,
    *,
    terminated: bool = False,
    app: App | None = None,
) -> tuple[App, Answer]:
    """Send a body past a policy to an app that reads it."""
    app = app or App()
    environ: dict[str, Any] = {"wsgi.input": stream, "CONTENT_LENGTH": ...}
    if length is not None:
        environ["CONTENT_LENGTH"] = length
    if terminated:
        environ["wsgi.input_terminated"] = True
    return app, drive_wsgi(mantlet.wsgi.wrap(app, policy, baseline=False), "POST", environ=environ)


class ReadsPlainly(Policy):
    """Reads the body, and leaves its errors to the stack."""

    async def on_request(self, request: mantlet.Request) -> None:
        await request.body(100)


def exactly(size: int) -> App:
    """Return an app that reads as many bytes as it was told of."""
    return App(lambda stream: stream.read(size) if size else b"")


@pytest.mark.parametrize(
    "pieces", [[b"12345"], [b"123", b"45"], [b"1", b"2", b"3", b"4", b"5"]], ids=len
)
@pytest.mark.parametrize("length", ["5", "005"])
@pytest.mark.parametrize(("limit", "fits"), [(5, True), (6, True), (10**30, True), (4, False)])
def test_a_body_of_just_the_limit_is_read_and_one_byte_more_is_not(
    pieces: list[bytes], length: str, limit: int, fits: bool
) -> None:
    """In one piece or in many, and never past its length; the app gets every byte."""
    policy = Reads(limit)
    app = App(lambda stream: b"".join(iter(lambda: stream.read(1), b"")) if fits else b"")
    _, answer = read(policy, Socket(list(pieces)), length, app=app)
    assert answer.status == 200
    assert policy.kinds() == [b"12345" if fits else BodyTooLarge]
    if fits:
        assert app.bodies == [b"12345"]


@pytest.mark.parametrize("pieces", [[b"12345"], [b"123", b"45"], []], ids=len)
def test_a_chunked_body_is_read_to_its_end_where_the_server_ends_the_input(
    pieces: list[bytes],
) -> None:
    """``wsgi.input_terminated`` says that a read at the end is safe."""
    body = b"".join(pieces)
    policy = Reads(5, 4, 5)
    app, _ = read(policy, Socket(list(pieces), gone=True), terminated=True)
    assert policy.kinds() == [body, BodyTooLarge if body else b"", body]
    assert app.bodies == [body]


def test_without_a_length_nothing_is_read_where_a_read_could_hang() -> None:
    """PEP 3333: an app must not read past what CONTENT_LENGTH says."""
    policy = Reads(100)
    app, answer = read(policy, Socket([b"hidden"]))
    assert answer.status == 200
    assert policy.seen == [b""]
    assert app.bodies == [b""]


def test_a_body_that_can_not_be_read_is_not_taken_for_none() -> None:
    """The app may know more about its server, and read what no policy has seen."""
    app = App()
    environ = {
        "wsgi.input": io.BytesIO(b"hidden"),
        "CONTENT_LENGTH": ...,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    stack = mantlet.wsgi.wrap(app, ReadsPlainly(), baseline=False)
    answer = drive_wsgi(stack, "POST", environ=environ)
    assert answer.status == 411
    assert app.bodies == []


@pytest.mark.parametrize("length", ["", "0", "000"])
def test_an_empty_length_is_an_empty_body(length: str) -> None:
    """Some servers set the variable to nothing where the client sent none."""
    policy = Reads(0)
    app, answer = read(policy, Socket([]), length)
    assert answer.status == 200
    assert policy.seen == [b""]
    assert app.bodies == [b""]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.binary(max_size=6), max_size=6),
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(["read", "read(1)", "readline", "iter", "readlines", "readinto"]),
)
@pytest.mark.breaks_rules("the app reads without a size")
def test_whatever_was_read_the_app_gets_the_body_byte_for_byte(
    pieces: list[bytes], limits: list[int], chunked: bool, way: str
) -> None:
    """Each limit decides what the policy gets, and none what the app gets, however it reads."""
    body = b"".join(pieces)
    policy = Reads(*limits)
    ways: dict[str, Callable[[Any], bytes]] = {
        "read": lambda stream: stream.read(),
        "read(1)": lambda stream: b"".join(iter(lambda: stream.read(1), b"")),
        "readline": lambda stream: b"".join(iter(stream.readline, b"")),
        "iter": b"".join,
        "readlines": lambda stream: b"".join(stream.readlines()),
        "readinto": lambda stream: b"".join(iter(lambda: stream.read(7), b"")),
    }
    stream = io.BytesIO(body) if not chunked else _buffered(pieces)
    length = None if chunked else str(len(body))
    app, answer = read(policy, stream, length, terminated=chunked, app=App(ways[way]))
    assert answer.status == 200
    assert policy.kinds() == [body if len(body) <= limit else BodyTooLarge for limit in limits]
    assert app.bodies == [body]


def _buffered(pieces: list[bytes]) -> io.BufferedReader:
    class Raw(Socket):
        def readinto(self, buffer: Any) -> int:
            chunk = self.read(len(buffer))
            buffer[: len(chunk)] = chunk
            return len(chunk)

    return io.BufferedReader(Raw(list(pieces), gone=True))


@pytest.mark.parametrize("extra", [b"", b"NEXT REQUEST"], ids=["alone", "pipelined"])
@pytest.mark.breaks_rules("the app reads without a size")
def test_the_app_can_not_read_past_the_length_after_a_policy_has_read(extra: bytes) -> None:
    """What follows on the connection is another request's."""
    policy = Reads(2, 3)
    stream = Socket([b"12345" * 30_000, extra])
    app, _ = read(policy, stream, "150000")
    assert policy.kinds() == [BodyTooLarge, BodyTooLarge]
    assert app.bodies == [b"12345" * 30_000] or extra == b""


@pytest.mark.breaks_rules("the very object of the server is looked for")
def test_a_body_that_nobody_reads_is_the_servers_own_input() -> None:
    """The very object, so that what else it can do still works."""
    stream = io.BytesIO(b"12345")
    seen: list[object] = []

    def keep(given_stream: object) -> bytes:
        seen.append(given_stream)
        return b""

    app = App(keep)
    read(Looks(lambda _: None), stream, "5", app=app)
    assert seen == [stream]
    assert seen[0] is stream


@pytest.mark.parametrize(
    "length",
    ["abc", "-1", "+5", "5.0", " 5", "0x5", "5, 5", "5,5", "\u00b2", "\u0665", "1_0"],
    ids=ascii,
)
@pytest.mark.breaks_rules("a malformed Content-Length")
def test_a_content_length_that_is_no_number_is_malformed(length: str) -> None:
    """RFC 9110, 8.6; duplicates come joined by a comma."""
    policy = Reads(100)
    _, answer = read(policy, io.BytesIO(b"12345"), length)
    assert answer.status == 200
    assert policy.kinds() == [MalformedRequest]


@pytest.mark.parametrize("digits", ["9" * 20, "9" * 21, "9" * 5000, "1" + "0" * 100_000])
@pytest.mark.breaks_rules("a malformed Content-Length")
def test_a_huge_content_length_is_too_large_and_costs_nothing(digits: str) -> None:
    """Python refuses to read numbers of over 4300 digits; this must not be a crash."""
    policy = Reads(100)
    read(policy, Socket([]), digits, app=App(lambda _: b""))
    assert policy.kinds() == [BodyTooLarge]


@pytest.mark.breaks_rules("the app reads without a size")
def test_leading_zeros_do_not_make_a_length_large() -> None:
    """A number of 5000 digits may be 5."""
    policy = Reads(5)
    read(policy, io.BytesIO(b"12345"), "0" * 5000 + "5")
    assert policy.kinds() == [b"12345"]


@pytest.mark.breaks_rules("an input that only counts its reads")
def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    """The app that follows has the untouched input."""
    policy, stream = Reads(4), io.BytesIO(b"12345")
    app, _ = read(policy, stream, "5")
    assert policy.kinds() == [BodyTooLarge]
    assert app.bodies == [b"12345"]


def test_a_limit_that_is_raised_later_reads_what_a_smaller_one_refused() -> None:
    """Two policies may have two limits."""
    policy = Reads(4, 100, 4)
    app, _ = read(policy, io.BytesIO(b"12345"), "5")
    assert policy.kinds() == [BodyTooLarge, b"12345", BodyTooLarge]
    assert app.bodies == [b"12345"]


@pytest.mark.parametrize("pieces", [[], [b"12"], [b"12", b"34"]], ids=len)
def test_a_body_shorter_than_its_length_is_a_disconnect(pieces: list[bytes]) -> None:
    """A client that went away halfway is never taken for one that sent less."""

    class Demands(Policy):
        async def on_request(self, request: Request) -> None:
            await request.body(100)

    app, answer = read(Demands(), Socket(list(pieces), gone=True), "5")
    assert (answer.status, answer.body, answer.error) == (400, b"", None)
    assert app.bodies == []


def test_a_policy_that_catches_the_short_body_leaves_the_app_what_came() -> None:
    """And it stays short."""
    policy = Reads(100)
    app, _ = read(policy, Socket([b"12", b"34"], gone=True), "5")
    assert policy.kinds() == [ClientDisconnected]
    assert app.bodies == [b"1234"]


def test_an_input_that_raises_is_that_of_a_client_that_has_gone() -> None:
    """Gunicorn raises OSError where the client has gone."""

    class Torn(Socket):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError("gone")

    class Demands(Policy):
        async def on_request(self, request: Request) -> None:
            await request.body(100)

    app, answer = read(Demands(), Torn([]), "5")
    assert (answer.status, answer.body, answer.error) == (400, b"", None)
    assert app.bodies == []


def test_the_environ_gets_its_own_input_back_for_an_outer_middleware() -> None:
    """Nested stacks each read the body, whatever the other has read."""
    app, inner, outer = exactly(5), Reads(40, 3), Reads(3, 40)
    stack = mantlet.wsgi.wrap(app, inner, baseline=False)
    apart = mantlet.wsgi.wrap(
        stack.__call__, outer, baseline=False
    )  # which hides the stack, so nothing fuses
    assert drive_wsgi(apart, "POST", body=b"12345").status == 200
    assert outer.kinds() == [BodyTooLarge, b"12345"]
    assert inner.kinds() == [b"12345", BodyTooLarge]
    assert app.bodies == [b"12345"]


@pytest.mark.parametrize("early", [False, True], ids=["first use", "second use"])
@pytest.mark.parametrize("app_reads", [False, True], ids=["app has not read", "app has read"])
@pytest.mark.breaks_rules("the app reads without a size")
def test_a_body_that_was_handed_over_can_no_longer_be_read(early: bool, app_reads: bool) -> None:
    """The bytes are the app's by then, whatever it has done with them."""
    policy = Late(early=early)
    app = App() if app_reads else App(lambda _: b"")
    _, answer = read(policy, io.BytesIO(b"12345"), "5", app=app)
    assert answer.status == 200
    (seen,) = policy.seen
    assert isinstance(seen, str)
    assert "on_request" in seen


def test_a_policy_that_waits_for_an_event_loop_is_told_so() -> None:
    """Under WSGI there is none."""
    import asyncio

    class Sleeps(Policy):
        async def on_request(self, request: Request) -> None:
            await asyncio.get_running_loop().create_future()

    class Yields(Policy):
        async def on_request(self, request: Request) -> None:
            await asyncio.sleep(0)

    for policy in (Sleeps(), Yields()):
        _, answer = read(policy, io.BytesIO())
        assert isinstance(answer.error, RuntimeError)
    assert "policy awaited async I/O under WSGI" in str(answer.error)


@pytest.mark.breaks_rules("the app reads without a size")
@pytest.mark.parametrize("method", ["read", "readline", "readlines", "__iter__"])
def test_an_app_whose_input_raises_has_no_error(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The app sees a ConnectionError, as from the server; no record and no problem is made."""
    seen: list[BaseException] = []

    class Torn(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("gone")

        readline = readlines = read  # type: ignore[assignment]

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            list(getattr(environ["wsgi.input"], method)())
        except ConnectionError as error:
            seen.append(error)
            raise
        raise AssertionError("the input did not raise")

    stack = mantlet.wsgi.wrap(app, ErrorEnvelope(), baseline=False)
    answer = drive_wsgi(stack, "POST", environ={"CONTENT_LENGTH": "5", "wsgi.input": Torn()})
    assert (answer.status, answer.body, answer.error) == (400, b"", None)
    assert [type(error) for error in seen] == [ClientDisconnected]
    assert caplog.records == []


def test_an_oserror_of_the_app_is_an_error_of_the_app() -> None:
    """A database that can't be reached is no client that has gone."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(5)
        raise ConnectionResetError("the database")

    stack = mantlet.wsgi.wrap(app, ErrorEnvelope(), baseline=False)
    assert drive_wsgi(stack, "POST", body=b"12345").status == 500
