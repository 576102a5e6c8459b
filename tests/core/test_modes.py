"""The ``mode`` option: enforce, report and off, for every request or by route."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Close, Identity, Message, Policy, Problem, Reply, Request, Response
from mantlet.core import modes
from mantlet.core.modes import check_mode
from tests.conformance.exchanges import Script, play_asgi, play_wsgi
from tests.drive import ADAPTERS, Adapter

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from mantlet.core.modes import ModeOption

both = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
HEAD = [("content-type", "text/plain"), ("etag", '"1"'), ("content-length", "5")]


def hello(_carrier: Any) -> Any:
    return 200, HEAD, b"hello"


class Everything(Policy):
    """Changes everything that a policy can change, in one way or another."""

    def __init__(self, *, mode: ModeOption = "enforce", way: str = "edit") -> None:
        self.mode = check_mode(mode)
        self.way = way
        self.calls: list[str] = []

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        self.calls.append("request")
        request.add_response_header("X-Policy", "here")
        request.state.identity = Identity("somebody", "test")
        if request.protocol == "http":
            request.replace_body(b"another", content_type="text/plain")
            request.replace_path("/another")
        if self.way == "refuse":
            return Reply(403)
        if self.way == "raise a problem":
            raise Problem(403)
        if self.way == "crash":
            raise KeyError("a fault in the policy")
        return self._later() if self.way == "wait" else None

    async def _later(self) -> Reply:
        await asyncio.sleep(0)
        return Reply(403)

    async def on_response(self, request: Request, response: Response) -> Reply | None:
        self.calls.append("response")
        response.status = 418
        response.headers.set("X-Edited", "yes")
        response.transform(lambda chunk, _more: chunk.upper())
        await response.body(1000)
        return Reply(500) if self.way == "replace" else None

    def on_error(self, request: Request, error: BaseException) -> Reply:
        self.calls.append("error")
        return Reply(500)

    def on_message(self, request: Request, message: Message) -> Message | Close | None:
        self.calls.append("message")
        if self.way == "close":
            return Close(1008)
        return None if self.way == "drop" else Message("changed", message.direction)

    def on_finish(self, request: Request) -> None:
        self.calls.append("finish")

    def startup(self) -> None:
        self.calls.append("startup")


WAYS = ["edit", "refuse", "raise a problem", "crash", "replace"]


@both
@pytest.mark.parametrize("way", [*WAYS, "wait"])
def test_report_changes_nothing(
    adapter: Adapter, way: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client and the app get the very same bytes; the log tells of the policy's decision."""
    if way == "wait" and adapter.name == "wsgi":
        way = "refuse"  # WSGI has no event loop to wait on
    caplog.set_level(logging.WARNING, "mantlet")
    seen: list[Any] = []

    def app(carrier: Any) -> Any:
        state = mantlet.state(carrier)
        path = carrier.get("path", carrier.get("PATH_INFO"))
        seen.append((path, state.identity, getattr(state, "rate_limit", None)))
        return hello(carrier)

    bare = adapter.drive(adapter.app(app))
    policy = Everything(mode="report", way=way)
    wrapped = adapter.drive(adapter.wrap(app, policy))
    assert (wrapped.status, wrapped.headers, wrapped.body) == (
        bare.status,
        bare.headers,
        bare.body,
    )
    assert wrapped.error is None
    assert seen[0] == seen[1]
    assert policy.calls == ["startup", "request", "response", "finish"]
    told = [record.getMessage() for record in caplog.records]
    assert any(text.startswith("Everything would have changed the response body") for text in told)
    expected = {
        "refuse": "Everything would have answered with 403",
        "wait": "Everything would have answered with 403",
        "raise a problem": "Everything would have answered with 403",
        "crash": "Everything failed in report mode with KeyError",
        "replace": "Everything would have answered with 500",
    }.get(way, "")
    assert any(text.startswith(expected) for text in told)


@both
def test_report_leaves_an_error_to_the_server(adapter: Adapter) -> None:
    """A policy that only reports answers no error."""

    def app(_carrier: Any) -> Any:
        raise ValueError("the app's")

    policy = Everything(mode="report")
    answer = adapter.drive(adapter.wrap(app, policy))
    assert isinstance(answer.error, ValueError)
    assert answer.status is None
    assert "error" in policy.calls


@both
def test_off_runs_no_hook(adapter: Adapter) -> None:
    """Nor does it start."""
    policy = Everything(mode="off")
    stack: Any = adapter.wrap(hello, policy)
    answer = adapter.drive(stack)
    assert (answer.status, answer.body) == (200, b"hello")
    assert policy.calls == []
    assert stack.policies == (policy,)


@both
def test_a_mode_holds_for_its_routes(adapter: Adapter) -> None:
    """Patterns are those of rules; a route that none matches is enforced."""
    policy = Everything(mode={"GET /reported": "report", "* /off/*": "off"}, way="refuse")
    stack = adapter.wrap(hello, policy)
    statuses = {}
    for path in ("/reported", "/off/a", "/other"):
        policy.calls.clear()
        statuses[path] = adapter.drive(stack, path=path).status
        assert policy.calls.count("request") == (path != "/off/a")
    assert statuses == {"/reported": 200, "/off/a": 200, "/other": 403}


@pytest.mark.parametrize("way", ["change", "close", "drop"])
@pytest.mark.parametrize("mode", ["report", {"GET /": "report"}], ids=["report", "by route"])
def test_report_passes_messages_on(
    way: str, mode: ModeOption, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the policy would have made of them."""
    sent: list[Any] = []
    events = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}])

    async def echo(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await receive())["text"]})

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message)

    policy = Everything(mode=mode, way=way)
    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(mantlet.asgi.Stack(echo, [policy])(scope, receive, send))
    assert [one.get("text") for one in sent] == [None, "hello"]
    assert policy.calls.count("message") == 2
    assert any(record.name == "mantlet.report" for record in caplog.records)


def test_report_lets_a_blocked_response_pass(caplog: pytest.LogCaptureFixture) -> None:
    """A filter that would stop the response is reported as such."""
    policy = mantlet.OutputSanitizer(
        secrets=["kR7-vT2_qX9.mB4w"], leaks=mantlet.sanitize.Leaks("block"), mode="report"
    )
    chunks = (b"a", b"kR7-vT2_qX9.mB4w", b"b")
    outcome = play_asgi(lambda app: mantlet.asgi.Stack(app, [policy]), Script(chunks=chunks))
    assert (outcome.body, outcome.error) == (b"".join(chunks), None)
    assert any("would have" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("play", ["asgi", "wsgi"])
def test_report_streams_on(play: str) -> None:
    """Filters see each chunk, and their output is thrown away."""
    seen: list[bytes] = []

    class Looks(Policy):
        def __init__(self) -> None:
            self.mode = check_mode("report")

        def on_response(self, request: Request, response: Response) -> None:
            def look(chunk: bytes, more: bool) -> bytes:
                seen.append(chunk)
                if chunk == b"c":
                    raise ValueError("a fault in the filter")
                return b""

            response.transform(look)

    script = Script(chunks=(b"a", b"b", b"c", b"d"))
    if play == "asgi":
        outcome = play_asgi(lambda app: mantlet.asgi.Stack(app, [Looks()]), script)
    else:
        outcome = play_wsgi(lambda app: mantlet.wsgi.Stack(app, [Looks()]), script)
    assert outcome.body == b"abcd"
    assert outcome.error is None
    assert seen == [b"a", b"b", b"c"]


@both
@pytest.mark.parametrize("waits", [False, True])
def test_a_policy_that_only_reports_fails_nothing_at_the_end(
    adapter: Adapter, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does an exception of its `on_finish` reach the server."""

    class Fails(Policy):
        def __init__(self) -> None:
            self.mode = check_mode("report")

        def on_finish(self, request: Request) -> Awaitable[None] | None:
            if waits:
                return self._later()
            raise ValueError("a fault in the policy")

        async def _later(self) -> None:
            raise ValueError("a fault in the policy")

    answer = adapter.drive(adapter.wrap(hello, Fails()))
    assert (answer.status, answer.error) == (200, None)
    assert [record.getMessage() for record in caplog.records] == [
        "Fails failed in report mode with ValueError"
    ]


def test_a_report_is_throttled(caplog: pytest.LogCaptureFixture) -> None:
    """A client cannot fill the log."""
    stack = ADAPTERS[0].wrap(hello, Everything(mode="report", way="refuse"))
    for _ in range(200):
        ADAPTERS[0].drive(stack)
    lines = [one for one in caplog.records if "answered with 403" in one.getMessage()]
    assert len(lines) == 11
    assert lines[-1].getMessage().endswith("(and 89 more like it)")


@pytest.mark.parametrize("mode", ["", "Report", "block", None, 1, True])
def test_another_mode_is_refused(mode: Any) -> None:
    """The message has the value and the modes."""
    with pytest.raises((TypeError, ValueError), match='mode must be "enforce", ') as refused:
        check_mode(mode)
    assert repr(mode) in str(refused.value)


def test_a_mode_for_a_malformed_route_is_refused() -> None:
    """The language of patterns is that of rules."""
    with pytest.raises(ValueError, match="pattern"):
        check_mode({"get /x": "off"})
    with pytest.raises(ValueError, match="mode must be"):
        check_mode({"GET /x": "maybe"})  # type: ignore[dict-item]  # what is refused


@pytest.mark.parametrize("mode", ["report", "off"])
def test_the_environment_overrides_every_mode(
    mode: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a developer's machine, or in a test run; the log says so once."""
    monkeypatch.setattr(modes, "_logged", set())
    monkeypatch.setenv("MANTLET_MODE", mode)
    assert check_mode("enforce") == mode
    assert check_mode({"GET /": "enforce"}) == mode
    assert [one.getMessage() for one in caplog.records] == [
        f"MANTLET_MODE={mode} overrides the mode of every policy"
    ]


def test_the_environment_must_have_a_known_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt one would leave everything enforced, or nothing."""
    monkeypatch.setenv("MANTLET_MODE", "reports")
    with pytest.raises(ValueError, match="MANTLET_MODE must be report or off, not 'reports'"):
        check_mode("enforce")
    monkeypatch.setenv("MANTLET_MODE", "")
    assert check_mode("enforce") == "enforce"


# -- attributes of the app ------------------------------------------------------------------------


@both
def test_a_stack_hands_unknown_attributes_on_to_the_app(adapter: Adapter) -> None:
    """``app.routes`` or ``app.test_client()`` of a wrapped app are the app's."""
    stack: Any = adapter.wrap(hello)
    stack.app.routes = ["/"]
    assert stack.routes == ["/"]
    with pytest.raises(AttributeError, match="no_such_attribute"):
        stack.no_such_attribute
    with pytest.raises(AttributeError, match="__length_hint__"):
        stack.__length_hint__
