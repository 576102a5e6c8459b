"""What a policy has called at the end of an exchange."""

from __future__ import annotations

from typing import Any

import pytest

import mantlet
from mantlet import Policy, Reply, Request
from tests.drive import Adapter, both_adapters, hello, make_environ


class Opens(Policy):
    """Has things called at the end, and keeps what was called."""

    def __init__(self, *, then: Reply | Exception | None = None) -> None:
        self.then = then
        self.heard: list[str] = []

    def on_request(self, request: Request) -> Reply | None:
        request.add_cleanup(lambda: self.heard.append("first"))
        request.add_cleanup(lambda: self.heard.append("second"))
        if isinstance(self.then, Exception):
            raise self.then
        return self.then


class Finishes(Opens):
    def on_finish(self, request: Request) -> None:
        self.heard.append("on_finish")


def ignore(*_: Any) -> Any:
    """Take the place of a server's ``start_response``."""


@both_adapters
@pytest.mark.parametrize("then", [None, Reply(400), LookupError("x")], ids=repr)
@pytest.mark.parametrize("kind", [Opens, Finishes])
def test_it_is_called_once_however_the_exchange_ends(
    adapter: Adapter, then: Reply | Exception | None, kind: type[Opens]
) -> None:
    """The last that came first, behind the policy's `on_finish`."""
    policy = kind(then=then)
    adapter.drive(adapter.wrap(hello, policy))
    expected = ["second", "first"]
    assert policy.heard == (expected if kind is Opens else ["on_finish", *expected])


@both_adapters
def test_it_is_called_where_the_app_raises(adapter: Adapter) -> None:
    """Also where nobody answers that."""

    def raises(carrier: Any) -> Any:
        raise LookupError

    policy = Opens()
    assert isinstance(adapter.drive(adapter.wrap(raises, policy)).error, LookupError)
    assert policy.heard == ["second", "first"]


@both_adapters
def test_it_is_called_where_a_field_is_set_in_the_answer(adapter: Adapter) -> None:
    """That is a way of its own."""

    class Names(Opens):
        def on_request(self, request: Request) -> Reply | None:
            request.add_response_header("x-a", "b")
            return super().on_request(request)

    policy = Names()
    assert adapter.drive(adapter.wrap(hello, policy)).get("x-a") == "b"
    assert policy.heard == ["second", "first"]


@both_adapters
def test_each_is_called_also_behind_one_that_raises(adapter: Adapter) -> None:
    """What it raised is told."""

    class Fails(Opens):
        def on_request(self, request: Request) -> Reply | None:
            super().on_request(request)

            def fail() -> None:
                raise LookupError("at the end")

            request.add_cleanup(fail)
            return None

    policy = Fails()
    assert isinstance(adapter.drive(adapter.wrap(hello, policy)).error, LookupError)
    assert policy.heard == ["second", "first"]


@both_adapters
def test_the_answer_has_gone_by_then(adapter: Adapter) -> None:
    """A stream may still use what is to be closed."""
    heard: list[str] = []

    class Ends(Policy):
        def on_request(self, request: Request) -> None:
            request.add_cleanup(lambda: heard.append("end"))

    def chunks() -> Any:
        for number in range(3):
            heard.append(f"chunk {number}")
            yield b"x"

    adapter.drive(adapter.stream(chunks(), Ends()))
    assert heard == ["chunk 0", "chunk 1", "chunk 2", "end"]


def test_a_list_that_is_all_of_the_answer_does_not_go_out_alone() -> None:
    """A server has nothing to close in it, and so nobody would hear of the end."""

    class Answers(Opens):
        min_status = 400

        def on_response(self, request: Request, response: mantlet.Response) -> None:
            raise AssertionError

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"hello"]

    policy = Answers()
    result: Any = mantlet.wsgi.wrap(app, policy, baseline=False)(make_environ(), ignore)
    assert list(result) == [b"hello"]
    assert policy.heard == []
    result.close()
    assert policy.heard == ["second", "first"]


def test_nothing_is_there_that_costs_anything_where_nobody_asks() -> None:
    """The app's own list goes to the server."""
    answer = [b"hello"]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return answer

    class Passes(Policy):
        async def on_request(self, request: Request) -> None:
            await request.body(10)

    stack = mantlet.wsgi.wrap(app, Passes(), baseline=False)
    assert stack(make_environ(), ignore) is answer
