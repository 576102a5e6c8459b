"""When policies start, and what becomes of requests until they have."""

from __future__ import annotations

import asyncio
import logging
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import mantlet
from mantlet import ErrorEnvelope, Policy, RateLimiter, Rule, StartupError
from mantlet._internal.coroutines import run_sync
from mantlet.core.lifecycle import Lifecycle, without_startup
from mantlet.exceptions import StoreError
from mantlet.ratelimit.stores.memory import MemoryStore
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol
from tests.drive import (
    Adapter,
    AsgiAdapter,
    WsgiAdapter,
    both_adapters,
    drive_asgi,
    drive_wsgi,
    hello,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

    from mantlet import Message, ModeOption, Request, Response
    from mantlet.redact.masking import Masker

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


class Opens(Policy):
    """Starts once it may, and notes the calls of its hooks."""

    def __init__(self, *, fails: int = 0, mode: ModeOption = "enforce") -> None:
        self.fails = fails
        self.mode = mantlet.check_mode(mode)
        self.calls: list[str] = []

    async def startup(self) -> None:
        self.calls.append("startup")
        if len(self.starts) <= self.fails:
            raise StoreError("the vault is sealed; unseal it")

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def on_request(self, request: Request) -> None:
        self.calls.append("on_request")

    def on_response(self, request: Request, response: Response) -> None:
        self.calls.append("on_response")

    def on_message(self, request: Request, message: Message) -> Message:
        self.calls.append("on_message")
        return message

    def on_finish(self, request: Request) -> None:
        self.calls.append("on_finish")

    @property
    def starts(self) -> list[str]:
        return [call for call in self.calls if call == "startup"]


class Other(Opens): ...


def lazy(adapter: Adapter, *policies: Policy) -> Any:
    """Return a stack that starts its policies with the first requests."""
    if isinstance(adapter, AsgiAdapter):
        return mantlet.asgi.wrap(adapter.app(hello), *policies, startup="lazy")
    return mantlet.wsgi.wrap(adapter.app(hello), *policies, startup="lazy")


# -- eager ----------------------------------------------------------------------------------------


def test_a_wsgi_stack_starts_its_policies_when_it_is_made() -> None:
    """A server makes it in each worker, which fails to boot then."""
    policy = Opens()
    stack = mantlet.wsgi.wrap(WsgiAdapter().app(hello), policy)
    assert policy.calls == ["startup"]
    assert drive_wsgi(stack).status == 200
    assert policy.calls == ["startup", "on_request", "on_response", "on_finish"]


def test_the_error_names_the_policy_the_reason_and_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is raised without the traceback of its cause, and logged."""
    with pytest.raises(StartupError) as caught:
        mantlet.wsgi.wrap(WsgiAdapter().app(hello), Opens(fails=1))
    assert str(caught.value) == (
        "Opens can't start: the vault is sealed; unseal it\n"
        'Fix this and restart, or pass startup="lazy" to start the server without it.'
    )
    assert (caught.value.policy, caught.value.__suppress_context__) == ("Opens", True)
    (record,) = caplog.records
    assert record.name == "mantlet.startup"
    assert record.levelno == logging.CRITICAL
    assert record.getMessage() == str(caught.value)
    assert record.exc_info is None


def test_an_unexpected_exception_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its class is a part of the reason."""

    class Fails(Policy):
        def startup(self) -> None:
            raise LookupError

    with pytest.raises(StartupError, match="Fails can't start: LookupError\n"):
        mantlet.wsgi.wrap(WsgiAdapter().app(hello), Fails())
    traceback, last = caplog.records
    assert "raise LookupError" in (traceback.exc_text or "")
    assert last.getMessage().startswith("Fails can't start: LookupError\n")


def test_secrets_are_masked_in_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    """By the maskers of all policies of the stack; what remains is printable."""

    class Masks:
        def text(self, text: str) -> str:
            return text.replace("hunter2", "***")

        def record(self, record: logging.LogRecord) -> logging.LogRecord:
            return record

    class Knows(Policy):
        secret_masker: Masker = Masks()  # type: ignore[assignment]  # it has what is called

    class Fails(Policy):
        def startup(self) -> None:
            raise OSError("no login with hunter2 at db://shop:x@db1/shop\n\x1b[31mred")

    with pytest.raises(StartupError) as caught:
        mantlet.wsgi.wrap(WsgiAdapter().app(hello), Knows(), Fails())
    assert caught.value.reason == "OSError: no login with *** at db://***@db1/shop\n\\x1b[31mred"
    assert "hunter2" not in caplog.text


@both_protocols
def test_policies_that_had_started_are_stopped_if_another_one_fails(protocol: Protocol) -> None:
    """The one that failed, and those that come after it, are not."""
    first, second, third = Opens(), Other(fails=1), Opens()
    with pytest.raises(StartupError), PolicyClient(first, second, third, protocol=protocol):
        pass
    assert first.calls == ["startup", "shutdown"]
    assert second.calls == ["startup"]
    assert third.calls == []


def test_a_policy_starts_once_though_its_stack_is_extended() -> None:
    """Also where the baseline moves."""
    inner, outer = Opens(), Other()
    once = mantlet.wsgi.wrap(WsgiAdapter().app(hello), inner)
    twice = mantlet.wsgi.wrap(once, outer)
    mantlet.wsgi.Stack(twice, [])
    assert (inner.calls, outer.calls) == (["startup"], ["startup"])


def test_a_wsgi_stack_that_is_made_on_an_event_loop_starts_off_it() -> None:
    """As uvicorn imports an app: a policy that looks for a loop must find none."""
    found: list[bool] = []

    class Looks(Policy):
        def startup(self) -> None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                found.append(False)
            else:
                found.append(True)

    async def make() -> None:
        mantlet.wsgi.wrap(WsgiAdapter().app(hello), Looks())

    asyncio.run(make())
    assert found == [False]


def test_modules_can_be_imported_without_a_start() -> None:
    """As `python -m mantlet` does; the first request starts the policies then."""
    policy = Opens()
    with without_startup():
        stack = mantlet.wsgi.wrap(WsgiAdapter().app(hello), policy)
    assert policy.calls == []
    assert drive_wsgi(stack).status == 200
    assert policy.starts == ["startup"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork()")
def test_policies_start_again_in_a_forked_worker() -> None:
    """As after gunicorn's ``--preload``: a connection of the parent is of no use to it."""
    policy = Opens()
    stack = mantlet.wsgi.wrap(WsgiAdapter().app(hello), policy)
    drive_wsgi(stack)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            drive_wsgi(stack)
            os.write(write, bytes([len(policy.starts)]))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1) == b"\x02"
    os.close(read)
    os.close(write)
    assert drive_wsgi(stack).status == 200
    assert policy.starts == ["startup"]


def test_a_policy_that_is_off_is_not_started() -> None:
    """It has no hooks."""
    policy = Opens(fails=1, mode="off")
    mantlet.wsgi.wrap(WsgiAdapter().app(hello), policy)
    assert policy.calls == []


@both_adapters
def test_an_unknown_startup_is_refused(adapter: Adapter) -> None:
    """With the known ones."""
    with pytest.raises(ValueError, match='startup must be "eager" or "lazy", not \'later\''):
        adapter.module.Stack(adapter.app(hello), [], startup="later")


# -- lazy -----------------------------------------------------------------------------------------


@both_adapters
def test_a_lazy_start_waits_for_a_request(adapter: Adapter) -> None:
    """Neither making the stack nor the lifespan starts anything."""
    policy = Opens()
    stack = lazy(adapter, policy)
    assert policy.calls == []
    assert adapter.drive(stack).status == 200
    assert adapter.drive(stack).status == 200
    assert policy.calls == ["startup", *["on_request", "on_response", "on_finish"] * 2]


def test_a_lazy_start_does_not_fail_the_lifespan() -> None:
    """And stops only what has started."""
    failing, never = Opens(fails=9), Other()
    stack = lazy(AsgiAdapter(), failing, never)
    sent: list[str] = []
    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Any:
        return {"type": next(events)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError

    stack = mantlet.asgi.wrap(app, failing, never, startup="lazy")
    asyncio.run(stack({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert failing.calls == never.calls == []


@both_adapters
def test_requests_are_refused_until_a_policy_has_started(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """By an enveloped 503; none of the policy's hooks runs, and attempts and records are few."""
    policy = Opens(fails=9)
    stack = lazy(adapter, policy)
    answers = [adapter.drive(stack) for _ in range(50)]
    for answer in answers:
        assert answer.status == 503
        assert answer.get("retry-after") in {"1", "2", "4"}
        assert answer.get("content-type") == "application/problem+json"
        assert answer.get("x-content-type-options") == "nosniff"
        assert answer.json()["detail"] == "The service is still starting."
        assert answer.json()["request_id"] == answer.get("x-request-id")
    assert 0 < len(policy.calls) < 5
    assert set(policy.calls) == {"startup"}
    assert [record.getMessage() for record in caplog.records] == [
        """Opens can't start yet: the vault is sealed; unseal it
Until it can, the requests that it decides about are refused with 503."""
    ]


@both_protocols
@pytest.mark.parametrize("mode", ["report", {"GET /open": "off"}, {"GET /open": "report"}], ids=str)
def test_requests_that_a_policy_does_not_enforce_are_not_refused(
    protocol: Protocol, mode: ModeOption
) -> None:
    """By its mode; the app gets them."""
    client = PolicyClient(Opens(fails=9, mode=mode), protocol=protocol)
    assert client.get("/open").status == 200
    assert len(client.requests) == 1


@both_protocols
def test_the_other_routes_of_a_policy_with_modes_are_refused(protocol: Protocol) -> None:
    """A route that no pattern names is enforced."""
    client = PolicyClient(Opens(fails=9, mode={"GET /open": "off"}), protocol=protocol)
    assert client.get("/closed").status == 503


@both_protocols
def test_a_policy_without_request_hook_refuses_too(protocol: Protocol) -> None:
    """It can't do its work on the response either."""

    class Late(Policy):
        def startup(self) -> None:
            raise StoreError("no")

        def on_response(self, request: Request, response: Response) -> None:
            raise AssertionError

    assert PolicyClient(Late(), protocol=protocol).get("/").status == 503


def test_a_websocket_is_refused_too() -> None:
    """By its handshake."""
    session = PolicyClient(Opens(fails=9)).websocket("/live", ["hello"])
    assert not session.accepted


def test_a_websocket_passes_once_the_policy_has_started() -> None:
    """With all of the policy's hooks."""
    policy = Opens()
    session = PolicyClient(policy).websocket("/live", ["hello"])
    assert session.messages == ["hello"]
    assert policy.calls.count("on_message") == 2


class Refusing(MemoryStore):
    """A store that can't be opened, such as for a wrong password."""

    def open(self) -> None:
        raise StoreError("the store can't be used: WRONGPASS")


@both_protocols
def test_exempt_requests_of_a_limiter_pass_without_its_store(protocol: Protocol) -> None:
    """Those of its rules and lists, and preflights."""
    limiter = RateLimiter(
        "1/minute",
        store=Refusing(),
        rules=[Rule("* /health", exempt=True)],
        deny=["203.0.113.0/24"],
        allow=["198.51.100.1"],
    )
    limiter.disabled_hooks -= {"startup"}  # a local store needs none
    client = PolicyClient(limiter, protocol=protocol)
    assert client.get("/").status == 503
    assert [client.get("/health").status for _ in range(3)] == [200] * 3
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    assert client.request("OPTIONS", "/", headers=preflight).status == 200
    for address, status in (("198.51.100.1", 200), ("203.0.113.1", 403)):
        other = PolicyClient(limiter, protocol=protocol, client=address)
        assert other.get("/").status == status


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Held:
    """Holds nothing."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


def held() -> AbstractAsyncContextManager[object]:
    return Held()


def test_attempts_follow_after_one_to_ten_seconds(clock: Clock) -> None:
    """So that neither a flood nor many workers hammer what refuses them."""
    policy = Opens(fails=99)
    lifecycle = Lifecycle([policy], held, clock=clock)
    times: list[float] = []
    for _ in range(400):
        before = len(policy.starts)
        asyncio.run(lifecycle.attempt())
        if len(policy.starts) > before:
            times.append(clock.now)
            assert lifecycle.problem.headers["Retry-After"] == str(min(10, 2 ** (len(times) - 1)))
        clock.now += 0.25
    gaps = [late - early for early, late in pairwise(times)]
    assert gaps[:4] == [1.0, 2.0, 4.0, 8.0]
    assert set(gaps[4:]) == {10.0}


def test_an_unchanged_reason_is_logged_once_a_minute_and_the_success_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A changed one is logged at once."""

    class Changes(Opens):
        async def startup(self) -> None:
            await super().startup()
            raise StoreError("another reason")

    caplog.set_level(logging.INFO)
    policy, other = Opens(fails=9), Changes(fails=2)
    lifecycle = Lifecycle([policy, other], held, clock=clock)
    for _ in range(12):
        asyncio.run(lifecycle.attempt())
        clock.now += 10
    told = [record.getMessage().partition("\n")[0] for record in caplog.records]
    assert told.count("Opens can't start yet: the vault is sealed; unseal it") == 2
    assert told.count("Opens has started, after all") == 1
    assert told.count("Changes can't start yet: the vault is sealed; unseal it") == 1
    assert told.count("Changes can't start yet: another reason") == 2
    assert len(told) == 6


@both_adapters
def test_the_success_of_the_first_attempt_is_logged_once(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """As information."""
    caplog.set_level(logging.INFO)
    stack = lazy(adapter, Opens())
    for _ in range(3):
        adapter.drive(stack)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("INFO", "Opens has started")
    ]


def test_concurrent_requests_wait_for_one_attempt() -> None:
    """And pass if it succeeds."""
    entered = 0

    class Slow(Opens):
        async def startup(self) -> None:
            nonlocal entered
            entered += 1
            for _ in range(10):
                await asyncio.sleep(0)
            await super().startup()

    stack = lazy(AsgiAdapter(), Slow())
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}

    async def play() -> None:
        await asyncio.gather(*(stack(dict(scope), receive, send) for _ in range(20)))

    asyncio.run(play())
    assert statuses == [200] * 20
    assert entered == 1


def test_a_policy_starts_without_a_loop_of_asyncio() -> None:
    """As under trio."""
    stack = lazy(AsgiAdapter(), policy := Opens())

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None: ...

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    run_sync(stack(scope, receive, send))
    assert policy.calls == ["startup", "on_request", "on_response", "on_finish"]


def test_a_cancelled_attempt_is_none() -> None:
    """Its client has left; the next request makes another."""
    hangs = asyncio.Event()

    class Hangs(Opens):
        async def startup(self) -> None:
            await super().startup()
            if len(self.starts) == 1:
                hangs.set()
                await asyncio.sleep(3600)

    stack = lazy(AsgiAdapter(), policy := Hangs())

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None: ...

    async def leave() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
        task = asyncio.create_task(stack(scope, receive, send))
        await hangs.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert drive_asgi(stack).status == 200
    assert len(policy.starts) == 2


@both_adapters
def test_a_stack_that_fuses_with_a_lazy_one_is_lazy(adapter: Adapter) -> None:
    """Else the outer one would start what must not be waited for."""
    policy = Opens(fails=1)
    inner = lazy(adapter, policy)
    outer: Any = adapter.module.wrap(inner, ErrorEnvelope())
    assert policy.calls == []
    assert adapter.drive(outer).status == 503


def test_a_starlette_app_keeps_the_option() -> None:
    """Its stack is made anew when the app starts."""
    app = mantlet.install(Starlette(), Opens(fails=9), startup="lazy")
    with TestClient(app) as client:
        assert client.get("/").status_code == 503


@pytest.fixture(autouse=True)
def _propagating() -> Iterator[None]:
    """Have the records of the package reach `caplog`."""
    log = logging.getLogger("mantlet")
    before, log.propagate = log.propagate, True
    yield
    log.propagate = before
