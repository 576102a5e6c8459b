"""The request over an ASGI scope: every property on odd scopes, and the body in every case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import BodyTooLarge, ClientDisconnected, MalformedRequest, Policy, Request
from mantlet.http.headers import HeaderNames
from tests.drive import Answer, drive_asgi

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send


class Looks(Policy):
    """Keeps what a function finds in each request."""

    def __init__(self, look: Callable[[Request], object]) -> None:
        self.look = look
        self.seen: list[Any] = []

    def on_request(self, request: Request) -> None:
        self.seen.append(self.look(request))


class Reads(Policy):
    """Awaits the body with each limit in turn, and keeps what it got or what was raised."""

    def __init__(self, *limits: int) -> None:
        self.limits = limits
        self.seen: list[bytes | BaseException] = []

    async def on_request(self, request: Request) -> None:
        for limit in self.limits:
            try:
                self.seen.append(await request.body(limit))
            except (mantlet.Problem, ClientDisconnected) as error:
                self.seen.append(error)

    def kinds(self) -> list[object]:
        return [seen if isinstance(seen, bytes) else type(seen) for seen in self.seen]


class App:
    """Reads its request to the end, and keeps every event."""

    def __init__(self) -> None:
        self.events: list[AsgiMessage] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            event = await receive()
            self.events.append(event)
            more = event["type"] == "http.request" and event.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.events)


def see(look: Callable[[Request], object], **scope: Any) -> Any:
    """Return what a policy sees of a request."""
    policy = Looks(look)
    answer = drive_asgi(mantlet.asgi.wrap(App(), policy, baseline=False), scope=scope)
    assert answer.error is None
    (seen,) = policy.seen
    return seen


# -- properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "raw"),
    [
        ({"path": "/a b", "raw_path": b"/a%20b"}, b"/a%20b"),
        ({"path": "/a b", "raw_path": None}, b"/a%20b"),
        ({"path": "/a b", "raw_path": ...}, b"/a%20b"),
        ({"path": "/\u00fc", "raw_path": None}, b"/%C3%BC"),
        ({"path": "/%", "raw_path": None}, b"/%25"),
        ({"path": "/\ud800", "raw_path": None}, b"/%3F"),
        ({"path": "", "raw_path": None}, b""),
        ({"path": "/\ufffd", "raw_path": b"/%ff"}, b"/%ff"),
        ({"path": "/", "raw_path": b"/\xff"}, b"/\xff"),
        ({"path": "//x/../y", "raw_path": b"//x/..%2fy"}, b"//x/..%2fy"),
    ],
    ids=lambda value: ascii(value) if isinstance(value, dict) else "",
)
def test_the_raw_path_is_the_servers_or_encoded_anew(scope: dict[str, Any], raw: bytes) -> None:
    """A server need not hand it over (asgi.readthedocs.io, "HTTP connection scope")."""
    assert see(lambda request: request.raw_path, **scope) == raw


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"path": "/a b"}, "/a b"),
        ({"path": "/api/items", "root_path": "/api"}, "/api/items"),
        ({"path": "/\u00fc\U0001f600"}, "/\u00fc\U0001f600"),
        ({"path": ""}, ""),
    ],
    ids=repr,
)
def test_the_path_is_the_whole_decoded_path(scope: dict[str, Any], path: str) -> None:
    """Where the app is mounted is a part of it."""
    assert see(lambda request: request.path, **scope) == path


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"path": "/items"}, "/items"),
        ({"path": "/items", "root_path": ...}, "/items"),
        ({"path": "/items", "root_path": None}, "/items"),
        ({"path": "/a b/\u00fc", "root_path": "/a b"}, "/\u00fc"),
        ({"path": "/api/items", "root_path": "/api"}, "/items"),
        ({"path": "/api/v1/items", "root_path": "/api/v1"}, "/items"),
        ({"path": "/api/api/items", "root_path": "/api"}, "/api/items"),
        ({"path": "/api//items/", "root_path": "/api"}, "//items/"),
        ({"path": "/api/", "root_path": "/api"}, "/"),
        ({"path": "/api", "root_path": "/api"}, "/"),
        ({"path": "", "root_path": ""}, "/"),
        # a server that leaves it out
        ({"path": "/items", "root_path": "/api"}, "/items"),
        ({"path": "/", "root_path": "/api"}, "/"),
        # another segment, though it begins alike
        ({"path": "/apis/items", "root_path": "/api"}, "/apis/items"),
        ({"path": "/API/items", "root_path": "/api"}, "/API/items"),
        # written with a slash too many, and so put before the path by some servers
        ({"path": "/api/items", "root_path": "/api/"}, "/items"),
        ({"path": "/api//items", "root_path": "/api/"}, "//items"),
        ({"path": "/api", "root_path": "/api/"}, "/"),
        ({"path": "//items", "root_path": "/"}, "//items"),
    ],
    ids=repr,
)
@pytest.mark.breaks_rules("a root path that is none")
def test_the_route_path_is_the_path_without_the_mount(scope: dict[str, Any], path: str) -> None:
    """The specification has ``root_path`` in ``path``; it is taken off only where it stands."""
    assert see(lambda request: request.route_path, **scope) == path


#: Targets that are no path (RFC 9112, 3.2), each with the path that an app may take it for.
NO_PATHS = [
    ("items", "/items"),
    ("*", "/*"),
    ("", "/"),
    ("http://example.org/items", "/items"),
    ("HTTPS://user:pw@[::1]:8/items/", "/items/"),
    ("http://example.org//items", "//items"),
    ("http://example.org", "/"),
    ("http://[::1", "/http://[::1"),
    ("http://a]b/x", "/http://a]b/x"),
    ("http://\u2100/", "/http://\u2100/"),
    ("http:", "/"),
]


@pytest.mark.parametrize(("target", "path"), NO_PATHS, ids=ascii)
def test_the_route_path_of_another_target_is_the_path_in_it(target: str, path: str) -> None:
    """Hypercorn hands it over as it came, and Quart routes by the path in it."""
    assert see(lambda request: request.route_path, path=target) == path
    mounted = {"path": "http://example.org/api/items", "root_path": "/api"}
    assert see(lambda request: request.route_path, **mounted) == "/items"


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (["192.0.2.1", 5], "192.0.2.1"),
        (("2001:db8::1", 0), "2001:db8::1"),
        (None, None),
        (..., None),
        (("", 0), None),
        ((None, 0), None),
        (("/run/app.sock", None), "/run/app.sock"),
    ],
    ids=repr,
)
@pytest.mark.breaks_rules("some servers give a client of another form")
def test_the_client_is_the_address_or_nothing(client: Any, address: str | None) -> None:
    """A server on a Unix socket has no address to tell."""
    assert see(lambda request: request.client, client=client) == address


@pytest.mark.parametrize(
    ("look", "scope", "value"),
    [
        (lambda r: r.query, {"query_string": b"a=%FF&b"}, b"a=%FF&b"),
        (lambda r: r.query, {"query_string": b"\xff"}, b"\xff"),
        (lambda r: r.query, {"query_string": ...}, b""),
        (lambda r: r.scheme, {"scheme": "https"}, "https"),
        (lambda r: r.scheme, {"scheme": ...}, "http"),
        (lambda r: r.method, {"method": "BREW"}, "BREW"),
        (lambda r: r.protocol, {}, "http"),
    ],
)
@pytest.mark.breaks_rules("the query too is left out, which must not be")
def test_what_the_specification_lets_a_server_leave_out_has_its_default(
    look: Any, scope: dict[str, Any], value: object
) -> None:
    """Optional keys may be missing."""
    assert see(look, **scope) == value


def test_the_scope_itself_is_the_carrier() -> None:
    """What the view does not show can be had."""
    assert see(lambda request: request.raw["marker"], marker=5) == 5


def test_header_fields_are_read_in_any_case_and_joined() -> None:
    """RFC 9110, 5.3: the values in their order, a comma between them."""
    raw = [(b"x-one", b"1"), (b"x-two", b""), (b"x-one", b"3"), (b"x-l1", b"\xff\xe9")]

    def look(request: Request) -> None:
        headers = request.headers
        assert headers.get("X-One") == headers["x-ONE"] == "1, 3"
        assert headers.get("x-two") == ""
        assert "X-Two" in headers
        assert headers.get("x-l1") == "\xff\xe9"
        assert headers.get("x-none", "default") == "default"
        assert "x-none" not in headers
        assert list(headers) == [
            ("x-one", "1"),
            ("x-two", ""),
            ("x-one", "3"),
            ("x-l1", "\xff\xe9"),
        ]
        assert "x-l1" in repr(headers)
        assert "\xe9" not in repr(headers)
        with pytest.raises(KeyError):
            headers["x-none"]

    see(look, headers=raw)


def test_some_fields_can_be_picked_at_once() -> None:
    """What is not there is left out."""
    raw = [(b"x-one", b"1"), (b"x-two", b"2"), (b"x-one", b"3")]
    names = HeaderNames("X-One", "x-none")
    assert see(lambda request: dict(request.get_headers(names)), headers=raw) == {"X-One": "1, 3"}
    assert see(lambda request: dict(request.get_headers(names)), headers=[]) == {}


@pytest.mark.parametrize("raw", [[], (), [[b"x-one", b"1"]], ((b"x-one", b"1"),)], ids=repr)
def test_fields_may_come_in_any_sequence(raw: Any) -> None:
    """The specification has an iterable of two-item iterables."""
    assert see(lambda request: request.headers.get("x-one"), headers=raw) == ("1" if raw else None)


# -- the body -------------------------------------------------------------------------------------


def read(
    policy: Policy, chunks: Sequence[bytes], length: str | None = None, **options: Any
) -> tuple[App, Answer]:
    """Send a body past a policy to an app that reads it."""
    app = App()
    fields = [] if length is None else [("content-length", length)]
    answer = drive_asgi(
        mantlet.asgi.wrap(app, policy, baseline=False),
        "POST",
        body=chunks,
        headers=fields,
        **options,
    )
    return app, answer


@pytest.mark.parametrize(
    "chunks", [[b"12345"], [b"123", b"45"], [b"", b"12345", b""], [b"1", b"2", b"3", b"4", b"5"]]
)
@pytest.mark.parametrize("length", [None, "5", "005"])
@pytest.mark.parametrize(("limit", "fits"), [(5, True), (6, True), (10**30, True), (4, False)])
def test_a_body_of_just_the_limit_is_read_and_one_byte_more_is_not(
    chunks: list[bytes], length: str | None, limit: int, fits: bool
) -> None:
    """With a declared length or without, in one piece or in many; the app gets every byte."""
    policy = Reads(limit)
    app, answer = read(policy, chunks, length)
    assert answer.status == 200
    assert policy.kinds() == [b"12345" if fits else BodyTooLarge]
    assert app.body == b"12345"


@pytest.mark.parametrize("chunks", [[b""], [b"", b""]])
@pytest.mark.parametrize("length", [None, "0", "000"])
def test_an_empty_body_fits_a_limit_of_nothing(chunks: list[bytes], length: str | None) -> None:
    """Zero bytes are within every limit."""
    policy = Reads(0)
    app, answer = read(policy, chunks, length)
    assert answer.status == 200
    assert policy.seen == [b""]
    assert app.body == b""


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.binary(max_size=6), max_size=6),
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.booleans(),
)
def test_whatever_was_read_the_app_gets_the_body_byte_for_byte(
    chunks: list[bytes], limits: list[int], declared: bool
) -> None:
    """Each limit alone decides what the policy gets, and none what the app gets."""
    body = b"".join(chunks)
    policy = Reads(*limits)
    app, answer = read(policy, chunks, str(len(body)) if declared else None)
    assert answer.status == 200
    assert policy.kinds() == [body if len(body) <= limit else BodyTooLarge for limit in limits]
    assert app.body == body
    assert app.events[-1].get("more_body", False) is False


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=6), max_size=6), st.lists(st.integers(0, 30), max_size=2))
def test_nested_stacks_each_read_the_body(chunks: list[bytes], limits: list[int]) -> None:
    """What an outer stack has read, an inner one reads again."""
    app, inner, outer = App(), Reads(40, *limits), Reads(*limits, 40)
    stack: Any = mantlet.asgi.wrap(app, inner, baseline=False)

    async def apart(scope: Scope, receive: Receive, send: Send) -> None:
        await stack(scope, receive, send)

    assert (
        drive_asgi(mantlet.asgi.wrap(apart, outer, baseline=False), "POST", body=chunks).status
        == 200
    )
    body = b"".join(chunks)
    assert outer.seen[-1] == inner.seen[0] == body
    assert app.body == body


def test_a_body_that_nobody_reads_is_handed_over_event_by_event() -> None:
    """Chunk boundaries are the server's."""
    app, _ = read(Looks(lambda _: None), [b"1", b"", b"23"])
    assert [event.get("body") for event in app.events] == [b"1", b"", b"23"]


@pytest.mark.parametrize(
    "length", ["abc", "-1", "+5", "5.0", " 5", "0x5", "5, 5", "", "\u00b2", "5;", "1_0"], ids=ascii
)
def test_a_content_length_that_is_no_number_is_malformed(length: str) -> None:
    """RFC 9110, 8.6; the app may judge for itself and gets the body."""
    policy = Reads(100)
    app, _ = read(policy, [b"12345"], length)
    assert policy.kinds() == [MalformedRequest]
    assert app.body == b"12345"


def test_a_content_length_that_came_twice_is_malformed() -> None:
    """Two lengths are a smuggling attempt's, also where they agree."""
    policy = Reads(100)
    fields = [("content-length", "5"), ("content-length", "5")]
    answer = drive_asgi(
        mantlet.asgi.wrap(App(), policy, baseline=False), "POST", body=b"12345", headers=fields
    )
    assert answer.status == 200
    assert policy.kinds() == [MalformedRequest]


@pytest.mark.parametrize("digits", ["9" * 20, "9" * 21, "9" * 5000, "1" + "0" * 100_000])
def test_a_huge_content_length_is_too_large_and_costs_nothing(digits: str) -> None:
    """Python refuses to read numbers of over 4300 digits; this must not be a crash."""
    policy = Reads(100)
    read(policy, [b"12345"], digits)
    assert policy.kinds() == [BodyTooLarge]


def test_leading_zeros_do_not_make_a_length_large() -> None:
    """A number of 5000 digits may be 5."""
    policy = Reads(5)
    read(policy, [b"12345"], "0" * 5000 + "5")
    assert policy.kinds() == [b"12345"]


def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    """An Expect: 100-continue client never has to send it."""
    policy, app = Reads(4), App()
    pulled: list[str] = []

    def events() -> Any:
        pulled.append("pulled")
        yield {"type": "http.request", "body": b"12345"}

    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    fields = [("content-length", "5")]
    drive_asgi(
        mantlet.asgi.wrap(deaf, policy, baseline=False), "POST", headers=fields, events=events()
    )
    assert policy.kinds() == [BodyTooLarge]
    assert pulled == []
    assert app.events == []


def test_a_body_longer_than_declared_is_still_held_to_the_limit() -> None:
    """The bytes are counted, not believed."""
    policy = Reads(8)
    app, _ = read(policy, [b"12345", b"67890"], "5")
    assert policy.kinds() == [BodyTooLarge]
    assert app.body == b"1234567890"


def test_no_more_is_read_than_shows_that_the_limit_is_exceeded() -> None:
    """The rest of a large body stays with the server until the app asks."""
    served: list[int] = []

    def events() -> Any:
        for number in range(10):
            served.append(number)
            yield {"type": "http.request", "body": b"x" * 10, "more_body": number < 9}

    class Counts(Reads):
        async def on_request(self, request: Request) -> None:
            await super().on_request(request)
            assert len(served) == 3

    policy, app = Counts(25), App()
    answer = drive_asgi(mantlet.asgi.wrap(app, policy, baseline=False), "POST", events=events())
    assert answer.status == 200
    assert app.body == b"x" * 100


@pytest.mark.parametrize("before", [[], [b"12"], [b"12", b"34"]], ids=["at once", "one", "two"])
def test_a_client_that_goes_while_its_body_is_read_is_a_disconnect(before: list[bytes]) -> None:
    """The app never sees half a body as a whole one; the server gets an empty response."""
    events: list[AsgiMessage] = [
        *({"type": "http.request", "body": chunk, "more_body": True} for chunk in before),
        {"type": "http.disconnect"},
    ]

    class Lets(Policy):
        async def on_request(self, request: Request) -> None:
            await request.body(100)

    app = App()
    answer = drive_asgi(mantlet.asgi.wrap(app, Lets(), baseline=False), "POST", events=events)
    assert app.events == []
    assert (answer.status, answer.body, answer.error) == (400, b"", None)


def test_a_policy_that_catches_the_disconnect_leaves_the_app_what_came() -> None:
    """The app hears of the disconnect as well, behind the bytes that came before it."""
    events: list[AsgiMessage] = [
        {"type": "http.request", "body": b"12", "more_body": True},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]
    policy, app = Reads(100), App()
    drive_asgi(mantlet.asgi.wrap(app, policy, baseline=False), "POST", events=events)
    assert policy.kinds() == [ClientDisconnected]
    assert app.body == b"12"
    assert app.events[0]["more_body"] is True
    assert app.events[-1]["type"] == "http.disconnect"


def test_a_problem_of_the_body_that_nobody_catches_is_the_answer() -> None:
    """413 and 400, without a call of the app."""

    class Demands(Policy):
        async def on_request(self, request: Request) -> None:
            await request.body(3)

    app, answer = read(Demands(), [b"12345"])
    assert answer.status == 413
    assert "3 bytes" in answer.json()["detail"]
    assert app.events == []
    _, answer = read(Demands(), [b"12345"], "abc")
    assert answer.status == 400


# -- too late -------------------------------------------------------------------------------------


class Late(Policy):
    """Awaits the body when the answer exists."""

    def __init__(self, *, early: bool) -> None:
        self.early = early
        self.seen: list[object] = []

    async def on_request(self, request: Request) -> None:
        if self.early:
            await request.body(100)

    async def on_response(self, request: Request, response: mantlet.Response) -> None:
        try:
            self.seen.append(await request.body(100))
        except RuntimeError as error:
            self.seen.append(str(error))


@pytest.mark.parametrize("early", [False, True], ids=["first use", "second use"])
@pytest.mark.parametrize("app_reads", [False, True], ids=["app has not read", "app has read"])
def test_a_body_that_was_handed_over_can_no_longer_be_read(early: bool, app_reads: bool) -> None:
    """The bytes are the app's by then, whatever it has done with them."""

    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    policy = Late(early=early)
    app = mantlet.asgi.wrap(App() if app_reads else deaf, policy, baseline=False)
    assert drive_asgi(app, "POST", body=b"12345").status == 200
    (seen,) = policy.seen
    assert isinstance(seen, str)
    assert "on_request" in seen


def test_a_websocket_handshake_has_an_empty_body_and_the_app_its_connect_event() -> None:
    """A policy that reads every request's body refuses no WebSocket by it."""
    policy = Reads(100)
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["type"])

    drive_asgi(
        mantlet.asgi.wrap(app, policy, baseline=False),
        scope={"type": "websocket", "method": ..., "subprotocols": []},
        events=[{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}],
    )
    assert policy.kinds() == [b""]
    assert seen == ["websocket.connect"]
