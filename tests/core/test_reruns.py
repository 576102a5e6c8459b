"""A policy has a request run again: what the app, the other policies and the client see of it."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, Policy, Problem, Reply, Request, Response
from mantlet.core.exchange import ResponseClosed
from mantlet.core.rerun import Rerun, allow_rerun
from mantlet.testing import PROTOCOLS, AppRequest, PolicyClient, Protocol
from tests.drive import (
    Adapter,
    ask_asgi,
    ask_wsgi,
    both_adapters,
    drive_asgi,
    drive_wsgi,
    make_environ,
    make_scope,
)
from tests.drive import Answer as Received

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

#: Of a document, whose head waits for its body.
HEAD: AsgiMessage = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/html")],
}

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


class Repeats(Policy):
    """Runs each request again, a number of times."""

    def __init__(self, times: int = 1, *, limit: int = 1000) -> None:
        self.times = times
        self.limit = limit
        self.refused = 0

    async def on_request(self, request: Request) -> None:
        own = request.local(self)
        own["attempt"] = own.get("attempt", -1) + 1
        own["rerun"] = await allow_rerun(request, self.limit)

    def on_response(self, request: Request, response: Response) -> None:
        self.repeat(request)

    def on_error(self, request: Request, error: BaseException) -> None:
        self.repeat(request)

    def repeat(self, request: Request) -> None:
        own = request.local(self)
        if own["rerun"] is None:
            self.refused += 1
        elif own["attempt"] < self.times:
            raise own["rerun"]


@both_protocols
@pytest.mark.parametrize("times", [1, 2, 5])
def test_the_app_is_called_again_and_answers_once(protocol: Protocol, times: int) -> None:
    calls: list[AppRequest] = []

    def app(request: AppRequest) -> str:
        calls.append(request)
        return f"call {len(calls)}"

    client = PolicyClient(Repeats(times), app=app, protocol=protocol)
    assert client.get("/").text == f"call {times + 1}"
    assert len(calls) == times + 1


@both_protocols
def test_each_attempt_gets_the_whole_request(protocol: Protocol) -> None:
    client = PolicyClient(Repeats(2), protocol=protocol)
    client.request("PUT", "/a%20b?c=d", headers={"X-One": "1"}, body=b"body" * 100)
    first, second, third = client.requests
    assert first.body == b"body" * 100
    for again in (second, third):
        assert (again.method, again.path, again.query, again.body) == (
            (first.method, first.path, first.query, first.body)
        )
        assert list(again.headers) == list(first.headers)


@both_protocols
@pytest.mark.parametrize("repeats", [False, True], ids=["in on_response", "in on_error"])
def test_an_exception_is_run_again_too(protocol: Protocol, repeats: bool) -> None:
    calls = 0

    def app(_: AppRequest) -> str:
        nonlocal calls
        calls += 1
        if calls < 3 or repeats:
            raise LookupError("of the app")
        return "done"

    client = PolicyClient(ErrorEnvelope(), Repeats(2), app=app, protocol=protocol)
    assert client.get("/").status == (500 if repeats else 200)
    assert calls == 3


class Fixed(Policy):
    """Adds one to the headers that the inner policies and the app get, and sets a path and body."""

    def on_request(self, request: Request) -> None:
        count = request.headers.get("X-Count", "0")
        assert count is not None
        request.replace_header("X-Count", str(int(count) + 1))
        request.replace_path(request.route_path + "/within")
        request.replace_body(b"replaced", content_type="text/x-other")
        request.add_response_header("X-Added", "once")


@both_protocols
def test_the_inner_policies_change_the_request_as_it_was(protocol: Protocol) -> None:
    client = PolicyClient(Repeats(2), Fixed(), protocol=protocol)
    response = client.request("PUT", "/path", body=b"sent", headers={"X-Count": "6"})
    assert len(client.requests) == 3
    for request in client.requests:
        assert request.headers.get("X-Count") == "7"
        assert request.path == "/path/within"
        assert request.body == b"replaced"
        assert request.headers.get("Content-Type") == "text/x-other"
    assert response.headers.getall("X-Added") == ["once"]


class ReadsAll(Policy):
    """Reads the body before it is kept, or after."""

    async def on_request(self, request: Request) -> None:
        assert await request.body(10_000) == b"x" * 900


@both_protocols
@pytest.mark.parametrize(
    "policies",
    [(ReadsAll(), Repeats()), (Repeats(), ReadsAll()), (ReadsAll(), Repeats(), ReadsAll())],
    ids=["outside", "inside", "both"],
)
def test_other_policies_may_read_the_body(protocol: Protocol, policies: tuple[Policy, ...]) -> None:
    client = PolicyClient(*policies, protocol=protocol)
    client.request("PUT", "/", body=b"x" * 900)
    assert [request.body for request in client.requests] == [b"x" * 900] * 2


@both_protocols
def test_a_body_that_is_too_long_to_be_kept_runs_once(protocol: Protocol) -> None:
    policy = Repeats(limit=10)
    client = PolicyClient(policy, protocol=protocol)
    assert client.request("PUT", "/", body=b"eleven bytes").status == 200
    assert [request.body for request in client.requests] == [b"eleven bytes"]
    assert policy.refused == 1


def test_a_body_of_unknown_length_may_be_too_long() -> None:
    policy, bodies = Repeats(limit=10), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        messages = [await receive()]
        while messages[-1]["more_body"]:
            messages.append(await receive())
        bodies.append(b"".join(message["body"] for message in messages))
        await send(HEAD)
        await send({"type": "http.response.body", "body": b"ok"})

    stack = mantlet.asgi.Stack(app, [policy])
    assert drive_asgi(stack, "PUT", body=[b"seven b", b"and more", b"and more"]).body == b"ok"
    assert bodies == [b"seven band moreand more"]
    assert drive_asgi(stack, "PUT", body=[b"seven b", b"yes"]).body == b"ok"
    assert bodies[1:] == [b"seven byes"] * 2


def test_a_malformed_length_is_for_the_app_to_refuse() -> None:
    policy = Repeats()
    scope = {"headers": [(b"content-length", b"nonsense")]}
    calls = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal calls
        calls += 1
        await send(HEAD)
        await send({"type": "http.response.body", "body": b"ok"})

    assert drive_asgi(mantlet.asgi.Stack(app, [policy]), "PUT", scope=scope).body == b"ok"
    assert (calls, policy.refused) == (1, 1)


@both_adapters
def test_nothing_of_an_attempt_is_left_in_the_request(adapter: Adapter) -> None:
    seen: list[dict[str, Any]] = []

    def handler(raw: Any) -> Any:
        state = mantlet.state(raw)
        seen.append(
            {
                "keys": set(raw),
                "state": dict(vars(state)),
                "extra": dict(state.extra),
                "session": dict(raw.get("session", ())),
                "headers": list(raw.get("headers", ())),
            }
        )
        raw["left.behind"] = "entry"
        if "session" in raw:
            raw["session"]["n"] = raw["session"].get("n", 0) + 1
        state.extra["left"] = "behind"
        state._route = "/left/behind"
        state._raised = LookupError("left behind")
        raw.setdefault("headers", []).append((b"x-left", b"behind"))
        raw.pop("server", None)
        raw.pop("SERVER_NAME", None)
        return 200, [], b"done"

    stack = adapter.module.Stack(adapter.app(handler), [Repeats(2)])
    session = {"user": "ada"}  # of a middleware further out
    kwargs: dict[str, Any] = {"scope": {"session": session}} if adapter.name == "asgi" else {}
    assert adapter.drive(stack, **kwargs).status == 200
    assert seen[0] == seen[1] == seen[2]
    if adapter.name == "asgi":
        assert session == {"user": "ada", "n": 1}  # the same object, changed by the last attempt


class Collects(Policy):
    """Notes what it sees; sets something up for the exchange."""

    def __init__(self, name: str, happened: list[str]) -> None:
        self.name = name
        self.happened = happened

    def on_request(self, request: Request) -> None:
        assert not request.local(self)
        request.local(self)["seen"] = True
        self.happened.append(f"{self.name} begins")
        request.add_cleanup(lambda: self.happened.append(f"{self.name} cleans up"))

    def on_response(self, request: Request, response: Response) -> None:
        self.happened.append(f"{self.name} sees {response.status}")

    def on_finish(self, request: Request) -> None:
        self.happened.append(f"{self.name} ends")


@both_protocols
def test_the_outer_policies_see_one_exchange_and_the_inner_ones_several(protocol: Protocol) -> None:
    happened: list[str] = []
    outer, inner = Collects("outer", happened), Collects("inner", happened)
    PolicyClient(outer, Repeats(), inner, protocol=protocol).get("/")
    attempt = ["inner begins", "inner sees 200", "inner ends"]
    assert happened == [
        "outer begins",
        *attempt,
        "inner cleans up",
        *attempt[:2],
        "outer sees 200",
        "inner ends",
        "outer ends",
        "inner cleans up",
        "outer cleans up",
    ]


class Answers(Policy):
    """Answers in the app's place, from the second request hook on."""

    def __init__(self) -> None:
        self.calls = 0

    async def on_request(self, request: Request) -> Reply | None:
        self.calls += 1
        return Reply(409, body="too late") if self.calls > 1 else None


@both_protocols
def test_an_inner_policy_may_answer_another_attempt(protocol: Protocol) -> None:
    inner = Answers()
    client = PolicyClient(Repeats(2), inner, protocol=protocol)
    assert (client.get("/").status, inner.calls, len(client.requests)) == (409, 3, 1)


class FailsAtItsEnd(Policy):
    """Raises when its exchange ends."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.times = 0

    async def on_finish(self, request: Request) -> None:
        self.times += 1
        if self.times == 1:
            raise self.error


@both_protocols
def test_the_end_of_a_discarded_attempt_may_fail(
    protocol: Protocol, caplog: pytest.LogCaptureFixture
) -> None:
    client = PolicyClient(Repeats(), FailsAtItsEnd(LookupError("at its end")), protocol=protocol)
    assert client.get("/").status == 200
    (record,) = caplog.records
    assert "after its response was discarded" in record.getMessage()


@both_protocols
def test_the_end_of_a_discarded_attempt_may_be_cancelled(protocol: Protocol) -> None:
    inner = FailsAtItsEnd(KeyboardInterrupt())
    client = PolicyClient(ErrorEnvelope(), Repeats(), inner, protocol=protocol)
    with pytest.raises(KeyboardInterrupt):
        client.get("/")
    assert len(client.requests) == 1


@both_protocols
def test_a_policy_in_report_mode_runs_nothing_again(protocol: Protocol) -> None:
    policy = Repeats()
    policy.mode = "report"
    client = PolicyClient(policy, protocol=protocol)
    assert (client.get("/").status, len(client.requests), policy.refused) == (200, 1, 1)


@both_protocols
def test_other_policies_in_report_mode_see_it_as_they_would_enforced(protocol: Protocol) -> None:
    happened: list[str] = []
    outer, inner = Collects("outer", happened), Collects("inner", happened)
    outer.mode = inner.mode = "report"
    PolicyClient(outer, Repeats(), inner, protocol=protocol).get("/")
    assert happened.count("outer begins") == happened.count("outer sees 200") == 1
    assert happened.count("inner begins") == happened.count("inner sees 200") == 2
    assert happened.count("inner cleans up") == 2


@both_protocols
def test_a_mode_by_route_counts_for_all_attempts(protocol: Protocol) -> None:
    policy = Repeats()
    policy.mode = mantlet.check_mode({"* /repeated": "enforce", "* /*": "off"})
    client = PolicyClient(policy, protocol=protocol)
    client.get("/repeated")
    client.get("/other")
    assert [request.path for request in client.requests] == ["/repeated", "/repeated", "/other"]


class Misuses(Policy):
    """Raises the exception of another request, or where it is not to be raised."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.kept: list[Rerun | None] = []

    async def on_request(self, request: Request) -> None:
        self.kept.append(await allow_rerun(request, 10))
        if self.place == "on_request":
            self.throw()

    def on_response(self, request: Request, response: Response) -> None:
        if self.place == "another request" and len(self.kept) == 2:
            self.throw()
        if self.place == "a filter":
            response.transform(lambda chunk, _more: self.throw() if chunk == b"b" else chunk)

    def throw(self) -> bytes:
        assert self.kept[0] is not None
        raise self.kept[0]


@both_protocols
@pytest.mark.parametrize("place", ["on_request", "another request"])
def test_elsewhere_it_is_an_error_like_any_other(protocol: Protocol, place: str) -> None:
    client = PolicyClient(ErrorEnvelope(), Misuses(place), protocol=protocol)
    assert [client.get("/").status, client.get("/").status][-1] == 500
    assert len(client.requests) == (0 if place == "on_request" else 2)


@both_protocols
def test_a_filter_cannot_have_a_request_run_again(protocol: Protocol) -> None:
    client = PolicyClient(Misuses("a filter"), app=lambda _: iter([b"a", b"b"]), protocol=protocol)
    with pytest.raises(Rerun, match="on_response and on_error alone"):
        client.get("/")
    assert len(client.requests) == 1


class RepeatsCancelled(Repeats):
    """Wants to run again what was cancelled."""

    def on_error(self, request: Request, error: BaseException) -> None:
        assert isinstance(error, KeyboardInterrupt)
        self.repeat(request)


@both_protocols
def test_a_cancelled_request_is_not_run_again(protocol: Protocol) -> None:
    def app(_: AppRequest) -> str:
        raise KeyboardInterrupt

    client = PolicyClient(RepeatsCancelled(), app=app, protocol=protocol)
    with pytest.raises(KeyboardInterrupt):
        client.get("/")
    assert len(client.requests) == 1


# -- the app of a discarded attempt ----------------------------------------------------------------


def repeated(app: Any, *policies: Policy) -> Any:
    """Return an ASGI app, run twice."""
    return mantlet.asgi.Stack(app, [*policies, Repeats()])


def test_send_raises_and_receive_says_that_the_client_has_gone() -> None:
    happened: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(HEAD)
        try:
            await send({"type": "http.response.body", "body": b"whole"})
        except OSError as error:
            happened.append(type(error).__name__)
            assert await receive() == {"type": "http.disconnect"}
            for message in (
                {"type": "http.response.body", "body": b"more"},
                {"type": "http.response.trailers", "headers": []},
            ):
                with pytest.raises(ResponseClosed):
                    await send(message)
            raise
        happened.append("sent")

    answer = drive_asgi(repeated(app))
    assert (answer.status, answer.chunks, answer.error) == (200, [b"whole"], None)
    assert happened == ["ResponseClosed", "sent"]


def test_the_task_of_a_discarded_attempt_has_no_part_in_another_one() -> None:
    tasks: list[asyncio.Task[None]] = []
    outcomes: list[BaseException | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_first = not tasks
        go_on = asyncio.Event()

        async def late() -> None:
            await go_on.wait()
            assert await receive() == {"type": "http.disconnect"}
            await send({**HEAD, "status": 418})

        if is_first:
            tasks.append(asyncio.create_task(late()))
            app.go_on = go_on  # type: ignore[attr-defined]
        else:
            app.go_on.set()  # type: ignore[attr-defined]
            (outcome,) = await asyncio.gather(*tasks, return_exceptions=True)
            outcomes.append(outcome)
            assert (await receive())["body"] == b"the body"
        await send(HEAD)
        await send({"type": "http.response.body", "body": b"done"})

    answer = drive_asgi(repeated(app), "PUT", body=b"the body")
    assert (answer.status, answer.body, answer.error) == (200, b"done", None)
    assert isinstance(outcomes[0], ResponseClosed)


def test_the_task_of_an_ended_attempt_sends_nothing_more() -> None:
    sends: list[Send] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sends.append(send)
        await send(HEAD)
        await send({"type": "http.response.body", "body": b"done"})

    async def run() -> None:
        answer = Received()
        await ask_asgi(repeated(app), make_scope(), [{"type": "http.request"}], answer)
        assert answer.chunks == [b"done"]
        for send in sends:
            with pytest.raises(ResponseClosed):
                await send({"type": "http.response.pathsend", "path": "/etc/hostname"})

    asyncio.run(run())


def test_an_exception_that_follows_from_it_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(HEAD)
        try:
            await send({"type": "http.response.body", "body": b"done"})
        except OSError as error:
            raise LookupError("the client has gone") from error

    assert drive_asgi(repeated(app, ErrorEnvelope())).body == b"done"
    assert not caplog.records


def test_another_exception_after_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(HEAD)
        is_over = False
        try:
            await send({"type": "http.response.body", "body": b"done"})
        except OSError:
            is_over = True
        if is_over:
            raise LookupError("while cleaning up")

    assert drive_asgi(repeated(app, ErrorEnvelope())).body == b"done"
    (record,) = caplog.records
    assert "after its response was discarded" in record.getMessage()


def test_an_app_that_is_cancelled_after_it_is_not_called_again() -> None:
    calls = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal calls
        calls += 1
        await send(HEAD)
        try:
            await send({"type": "http.response.body", "body": b"done"})
        except OSError:
            raise asyncio.CancelledError from None

    assert isinstance(drive_asgi(repeated(app)).error, asyncio.CancelledError)
    assert calls == 1


def test_a_disconnect_that_was_received_is_received_again() -> None:
    received: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.append((await receive())["type"])
        received.append((await receive())["type"])
        await send(HEAD)
        await send({"type": "http.response.body", "body": b"done"})

    events: list[AsgiMessage] = [
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]
    drive_asgi(repeated(app), events=events)
    assert received == ["http.request", "http.disconnect"] * 2


def test_early_hints_are_sent_by_each_attempt_and_its_head_by_the_last() -> None:
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": []})
        await send(HEAD)
        await send({"type": "http.response.body", "body": b"done"})

    async def run() -> None:
        async def receive() -> AsgiMessage:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: AsgiMessage) -> None:
            sent.append(message["type"])

        await repeated(app)(make_scope(), receive, send)

    asyncio.run(run())
    hint = "http.response.early_hint"
    assert sent == [hint, hint, "http.response.start", "http.response.body"]


def test_the_iterable_of_a_wsgi_app_is_closed_each_time() -> None:
    closed: list[int] = []

    class Body:
        """Notes that it is closed, and fails the first time."""

        def __init__(self) -> None:
            self.chunks = iter([b"a", b"b"])

        def __iter__(self) -> Iterator[bytes]:
            return self.chunks

        def close(self) -> None:
            closed.append(len(closed))
            if len(closed) == 1:
                raise LookupError("while closing")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Body()

    answer = drive_wsgi(mantlet.wsgi.Stack(app, [Repeats()]))
    assert (answer.body, answer.error) == (b"ab", None)
    assert closed == [0, 1]


@pytest.mark.parametrize("swallows", [False, True], ids=["raises", "goes on"])
def test_write_raises(swallows: bool) -> None:
    happened: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [])
        try:
            write(b"a")
        except OSError as error:
            happened.append(type(error).__name__)
            if not swallows:
                raise
        return [b"b"]

    answer = drive_wsgi(mantlet.wsgi.Stack(app, [Repeats()]))
    assert (answer.body, answer.error) == (b"ab", None)
    assert happened == ["ResponseClosed"]


def test_the_servers_file_wrapper_is_used_again() -> None:
    wrapped: list[Any] = []

    class Wrapper:
        """A server's."""

        def __init__(self, file: Any, block_size: int = 8192) -> None:
            wrapped.append(self)
            self.file = file
            self.close = file.close

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.file)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](Path(__file__).open("rb"))  # a server closes it

    stack = mantlet.wsgi.Stack(app, [Repeats()])
    answer = Received()
    ask_wsgi(stack, make_environ(environ={"wsgi.file_wrapper": Wrapper}), answer)
    assert answer.body == Path(__file__).read_bytes()
    assert [one.file.closed for one in wrapped] == [True, True]


@both_adapters
def test_no_exception_is_being_handled_in_another_attempt(adapter: Adapter) -> None:
    handled: list[BaseException | None] = []

    def handler(_: Any) -> Any:
        handled.append(sys.exception())
        raise LookupError("of the app")

    error = adapter.drive(adapter.wrap(handler, Repeats(2))).error
    assert isinstance(error, LookupError)
    assert error.__context__ is None
    assert handled == [None] * 3


def test_a_websocket_is_not_run_again() -> None:
    policy = Repeats()
    session = PolicyClient(policy).websocket("/", ["hello"])
    assert session.messages == ["hello"]


@both_protocols
def test_it_leaves_no_cycle_behind(protocol: Protocol) -> None:
    def app(request: AppRequest) -> str:
        if request.path == "/fails":
            raise Problem(409)
        return "ok"

    client = PolicyClient(ErrorEnvelope(), Repeats(2), app=app, protocol=protocol)
    plain = PolicyClient(ErrorEnvelope(), Repeats(0), app=app, protocol=protocol)

    def garbage(sender: PolicyClient, target: str) -> int:
        sender.get(target)
        gc.collect()
        for _ in range(10):
            sender.get(target)
        return gc.collect()

    gc.disable()
    try:
        for target in ("/", "/fails"):
            assert garbage(client, target) <= garbage(plain, target)
    finally:
        gc.enable()
