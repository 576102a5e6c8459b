"""What a policy's author is promised, beside the laws: values, hooks, and clear mistakes."""

from __future__ import annotations

import copy
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import (
    BodyLimits,
    Close,
    Concurrency,
    Contract,
    ErrorEnvelope,
    File,
    Message,
    Policy,
    Problem,
    Quota,
    RateLimiter,
    Reply,
    Request,
    Response,
    ResponseTooLarge,
    RouteOptions,
    Rule,
)
from tests.drive import ADAPTERS, Adapter, Said, both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [mantlet.asgi.wrap, mantlet.wsgi.wrap], ids=["asgi", "wsgi"])
def test_a_class_in_place_of_a_policy_is_a_type_error_that_asks_for_its_instance(wrap: Any) -> None:
    """The usual slip gets the usual answer."""
    with pytest.raises(TypeError, match=r"did you mean ErrorEnvelope\(\)\?"):
        wrap(lambda: None, mantlet.ErrorEnvelope)


@pytest.mark.parametrize("wrap", [mantlet.asgi.wrap, mantlet.wsgi.wrap], ids=["asgi", "wsgi"])
@pytest.mark.parametrize(
    "odd",
    [None, "ErrorEnvelope", 5, object(), lambda _: None],
    ids=["None", "text", "number", "object", "function"],
)
def test_what_is_no_policy_is_a_type_error_that_shows_it(wrap: Any, odd: Any) -> None:
    """At construction, not with the first request."""
    with pytest.raises(TypeError, match="a policy must be a mantlet") as refused:
        wrap(lambda: None, mantlet.ErrorEnvelope(), odd)
    assert repr(odd) in str(refused.value)
    assert "did you mean" not in str(refused.value)


@both_adapters
@pytest.mark.parametrize("odd", [True, "text", (200, "text"), b"", 0, Reply], ids=repr)
@pytest.mark.parametrize("hook", ["on_request", "on_response", "on_error"])
def test_a_hook_that_returns_something_else_than_an_answer_fails_closed(
    adapter: Adapter, odd: Any, hook: str
) -> None:
    """It is never taken for a yes, and the error reaches the server or an envelope."""

    def failing(carrier: Any) -> Said:
        raise ValueError("of the app")

    policy = type("Odd", (Policy,), {hook: lambda *_: odd})()
    app = adapter.wrap(failing if hook == "on_error" else hello, policy)
    answer = adapter.drive(app)
    assert isinstance(answer.error, TypeError)
    assert answer.status is None


@both_adapters
@pytest.mark.parametrize("odd", [True, "text", 0, Reply], ids=repr)
def test_a_waiting_hook_that_returns_something_else_than_an_answer_fails_closed(
    adapter: Adapter, odd: Any
) -> None:
    """An ``async def`` is held to the same rule, and told what it should have returned."""

    async def on_request(self: Policy, request: Request) -> Any:
        return odd

    answer = adapter.drive(
        adapter.wrap(hello, type("Odd", (Policy,), {"on_request": on_request})())
    )
    assert isinstance(answer.error, TypeError)
    assert "a hook must return a Reply or None" in str(answer.error)
    assert answer.status is None


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 1014, 3000, 4000, 4999])
def test_a_close_takes_the_codes_that_an_endpoint_may_send(code: int) -> None:
    """RFC 6455, 7.4."""
    assert Close(code).code == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000, -1])
def test_a_close_refuses_every_other_code(code: int) -> None:
    """Some are reserved, and some must not be sent."""
    with pytest.raises(ValueError, match=f"not {code}"):
        Close(code)


def test_a_closes_reason_is_bounded_in_bytes() -> None:
    """A control frame holds 125 bytes, two of them the code."""
    assert Close(reason="x" * 123).reason == "x" * 123
    assert Close(reason="\u00fc" * 61).code == 1008
    with pytest.raises(ValueError, match="reason must be at most 123 bytes"):
        Close(reason="x" * 124)
    with pytest.raises(ValueError, match="reason must be at most 123 bytes"):
        Close(reason="\u00fc" * 62)


def test_messages_and_closes_are_values() -> None:
    """They can be compared and not changed."""
    assert Message("a", "in") == Message("a", "in") != Message(b"a", "in")
    assert Close() == Close(1008, "")
    with pytest.raises(AttributeError):
        Message("a", "in").data = "b"  # type: ignore[misc]  # what is tested


# -- the response ---------------------------------------------------------------------------------


class OnResponse(Policy):
    """Does something with every answer."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def on_response(self, request: Request, response: Response) -> Any:
        return self.act(response)


@both_adapters
def test_the_status_can_be_changed(adapter: Adapter) -> None:
    """Under WSGI with a phrase to it."""
    answer = adapter.drive(adapter.wrap(hello, OnResponse(lambda r: setattr(r, "status", 418))))
    assert (answer.status, answer.body) == (418, b"hello")


@both_adapters
@pytest.mark.parametrize("limit", [5, 6, 10**9])
def test_a_policy_may_see_the_whole_body(adapter: Adapter, limit: int) -> None:
    """It is sent on as it is."""
    seen: list[bytes] = []

    async def act(response: Response) -> None:
        seen.append(await response.body(limit))
        seen.append(await response.body(limit))

    answer = adapter.drive(adapter.wrap(hello, OnResponse(act)))
    assert (answer.status, answer.body) == (200, b"hello")
    assert seen == [b"hello", b"hello"]


@both_adapters
def test_a_body_over_the_limit_is_told_and_streams_on(adapter: Adapter) -> None:
    """A policy that can't see all of it may let it pass."""
    seen: list[object] = []

    async def act(response: Response) -> None:
        try:
            await response.body(4)
        except ResponseTooLarge as error:
            seen.append(error.limit)

    answer = adapter.drive(adapter.wrap(hello, OnResponse(act)))
    assert (answer.status, answer.body, answer.error) == (200, b"hello", None)
    assert seen == [4]


@both_adapters
def test_a_body_over_the_limit_that_nobody_catches_fails_closed(adapter: Adapter) -> None:
    """What a policy had to see and could not is not sent."""

    async def act(response: Response) -> None:
        await response.body(4)

    answer = adapter.drive(adapter.wrap(hello, OnResponse(act)))
    assert isinstance(answer.error, ResponseTooLarge)
    assert "4 bytes" in str(answer.error)
    assert answer.status is None


@both_adapters
def test_a_filter_changes_the_body_and_what_the_head_says_of_it(adapter: Adapter) -> None:
    """Length is corrected, validators of the old bytes go."""

    def handler(carrier: Any) -> Said:
        return 200, [("content-length", "5"), ("etag", '"a"'), ("x-own", "1")], b"hello"

    def act(response: Response) -> None:
        response.transform(lambda chunk, more: chunk.upper() + (b"" if more else b"!"))

    answer = adapter.drive(adapter.wrap(handler, OnResponse(act)))
    assert answer.body == b"HELLO!"
    assert answer.get("content-length") in (None, "6")
    assert answer.get("etag") is None
    assert answer.get("x-own") == "1"


@both_adapters
@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_not_filtered(adapter: Adapter, status: int) -> None:
    """No body needs no filter."""

    def handler(carrier: Any) -> Said:
        return status, [("etag", '"a"')], b""

    def act(response: Response) -> None:
        response.transform(lambda *_: b"changed")

    answer = adapter.drive(adapter.wrap(handler, OnResponse(act)))
    assert (answer.status, answer.body) == (status, b"")
    assert answer.get("etag") == '"a"' or status == 204


@both_adapters
@pytest.mark.parametrize("hook", ["on_request", "on_response", "on_error"])
def test_a_problem_that_a_hook_raises_is_its_answer(adapter: Adapter, hook: str) -> None:
    """The policies further out see it as a reply, and the server hears of no error."""
    seen: list[int] = []

    class Outer(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            seen.append(response.status)

    def raising(*_: Any) -> None:
        raise Problem(409, detail="said by a hook")

    def failing(carrier: Any) -> Said:
        raise ValueError("of the app")

    policy = type("Raises", (Policy,), {hook: raising})()
    app = adapter.wrap(failing if hook == "on_error" else hello, Outer(), policy)
    answer = adapter.drive(app)
    assert answer.error is None
    assert (answer.status, answer.json()["detail"]) == (409, "said by a hook")
    assert seen == [409]


@both_adapters
def test_a_filter_that_fails_while_another_policy_waits_for_the_body(adapter: Adapter) -> None:
    """The one that waits is told, as if the app had raised; nothing half is sent."""
    told: list[str] = []

    class Waits(Policy):
        async def on_response(self, request: Request, response: Response) -> None:
            try:
                await response.body(100)
            except ValueError as error:
                told.append(str(error))
                raise

    class Fails(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            def fail(chunk: bytes, more: bool) -> bytes:
                if chunk == b"b":
                    raise ValueError("of the filter")
                return chunk

            response.transform(fail)

    answer = adapter.drive(adapter.stream([b"a", b"b"], ErrorEnvelope(), Waits(), Fails()))
    assert answer.status == 500
    assert told == ["of the filter"]


@both_adapters
def test_policies_run_outermost_first_on_the_way_in_and_last_on_the_way_out(
    adapter: Adapter,
) -> None:
    """The order of the arguments is the order of the layers."""
    seen: list[str] = []

    class Layer(Policy):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_request(self, request: Request) -> None:
            seen.append(f"{self.name} in")

        def on_response(self, request: Request, response: Response) -> None:
            seen.append(f"{self.name} out")

        def on_finish(self, request: Request) -> None:
            seen.append(f"{self.name} end")

    assert adapter.drive(adapter.wrap(hello, Layer("a"), Layer("b"))).status == 200
    assert seen == ["a in", "b in", "b out", "a out", "b end", "a end"]


@both_adapters
def test_a_policy_without_hooks_costs_nothing_and_changes_nothing(adapter: Adapter) -> None:
    """The base class itself is a policy. Not even a place for its state is made."""
    carriers: list[dict[str, Any]] = []

    def app(carrier: Any) -> Said:
        carriers.append(dict(carrier))
        return hello(carrier)

    answer = adapter.drive(adapter.wrap(app, Policy()))
    assert answer == adapter.drive(adapter.app(hello))
    assert not [key for key in carriers[0] if key.startswith("mantlet")]


@both_adapters
def test_the_base_class_has_every_hook_and_none_does_anything(adapter: Adapter) -> None:
    """A subclass may call its parent's, whichever it overrides."""
    calls: Counter[str] = Counter()

    class Calls(Policy):
        def on_request(self, request: Request) -> Any:
            calls["on_request"] += 1
            return super().on_request(request)

        def on_response(self, request: Request, response: Response) -> Any:
            calls["on_response"] += 1
            return super().on_response(request, response)

        def on_error(self, request: Request, error: BaseException) -> Any:
            calls["on_error"] += 1
            return super().on_error(request, error)

        def on_finish(self, request: Request) -> Any:
            calls["on_finish"] += 1
            return super().on_finish(request)

        def startup(self) -> Any:
            calls["startup"] += 1
            return super().startup()

    def failing(carrier: Any) -> Said:
        raise ValueError("of the app")

    assert adapter.drive(adapter.wrap(hello, Calls())).status == 200
    assert isinstance(adapter.drive(adapter.wrap(failing, Calls())).error, ValueError)
    assert calls == {
        "on_request": 2,
        "on_response": 1,
        "on_error": 1,
        "on_finish": 2,
        "startup": 2,
    }
    message = Message("a", "in")
    request: Any = None
    assert Policy().on_message(request, message) is message
    assert Policy().shutdown() is None


def test_startup_runs_once_before_the_first_request() -> None:
    """Under a server without lifespan it is the first request that starts the policies."""
    for adapter in ADAPTERS:
        started: list[object] = []

        class Starts(Policy):
            async def startup(self, seen: list[object] = started) -> None:
                seen.append(self)

        app = adapter.wrap(hello, Starts())
        assert [adapter.drive(app).status for _ in range(3)] == [200, 200, 200]
        assert len(started) == 1


def test_a_generator_app_streams_through_a_stack_chunk_by_chunk() -> None:
    """Nothing is collected that no policy asks for."""

    def wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for number in range(3):
            yield b"%d" % number

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            await send(
                {"type": "http.response.body", "body": b"%d" % number, "more_body": number < 2}
            )

    policies = mantlet.ErrorEnvelope(), mantlet.RateLimiter("9/hour")
    assert drive_wsgi(mantlet.wsgi.wrap(wsgi, *policies, baseline=False)).chunks == [
        b"0",
        b"1",
        b"2",
    ]
    assert drive_asgi(mantlet.asgi.wrap(asgi, *policies, baseline=False)).chunks == [
        b"0",
        b"1",
        b"2",
    ]


# -- the names of options -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RateLimiter("5/s", shadow=True), "RateLimiter() has no option 'shadow'; its"),  # type: ignore[call-arg]  # what is refused
        (lambda: RateLimiter("5/s", moed="off"), "has no option 'moed'; did you mean 'mode'?"),  # type: ignore[call-arg]  # what is refused
        (lambda: ErrorEnvelope(exception={}), "ErrorEnvelope() has no option 'exception'; did"),  # type: ignore[call-arg]  # what is refused
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest(
    make: Callable[[], Policy], message: str
) -> None:
    """Python itself names only the one that is wrong."""
    with pytest.raises(TypeError, match=re.escape(message)):
        make()


def test_a_policy_that_takes_any_option_may() -> None:
    """Names are checked where ``__init__`` says them."""

    class Open(Policy):
        def __init__(self, **options: int) -> None:
            self.options = options

    assert Open(any=1).options == {"any": 1}
    assert copy.copy(Open(any=1)).options == {"any": 1}


@pytest.mark.parametrize(
    ("kind", "args", "option", "near"),
    [
        (Rule, ("GET /a", "5/s"), "exmpt", "exempt"),
        (Quota, ("5/s",), "burts", "burst"),
        (Concurrency, (5,), "leese", "lease"),
        (Contract, (), "querry", "query"),
        (RouteOptions, (), "mod", "mode"),
        (BodyLimits, (), "bodi", "body"),
        (File, (), "max_sice", "max_size"),
    ],
)
def test_values_refuse_unknown_options_as_policies_do(
    kind: Any, args: tuple[Any, ...], option: str, near: str
) -> None:
    """The user's mistakes are the same for all of them."""
    message = f"{kind.__name__}() has no option {option!r}; did you mean {near!r}?"
    with pytest.raises(TypeError, match=re.escape(message)):
        kind(*args, **{option: 1})
