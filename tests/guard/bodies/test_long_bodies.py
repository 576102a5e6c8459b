"""Long bodies let the event loop go on: in slices, or in a thread."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import BaseModel, TypeAdapter, field_validator
from typing_extensions import TypedDict

import mantlet
from mantlet.guard import BodyLimits, Contract, File, SchemaGuard
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.models import rewriting
from mantlet.guard.models.schema import ModelSchema
from tests.drive import Adapter, Answer, ask_asgi, both_adapters, make_scope
from tests.guard.asking import FORM, JSON, Guarded

PLACE: ContextVar[str] = ContextVar("place", default="nowhere")
LINES = [("Content-Type", "application/x-ndjson")]
PARTS = [("Content-Type", "multipart/form-data; boundary=b")]
LIMITS = BodyLimits(body="4 MB", line="2 MB")
#: What the event loop has filtered or decoded before it goes on.
SLICE = 64 * 1024


class Gate:
    """What a validator does, and what it has seen."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.places: list[str] = []
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.opened.set()

    def pass_through(self) -> None:
        """Note where the validator runs, and wait until it may go on."""
        self.threads.append(threading.get_ident())
        self.places.append(PLACE.get())
        self.entered.set()
        assert self.opened.wait(120), "the event loop has not gone on"

    async def wait(self) -> None:
        """Wait until a validator has come."""
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, self.entered.wait, 10)


GATE = Gate()


class Item(BaseModel):
    """A body whose validator can be waited for."""

    name: str
    text: str = ""

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        GATE.pass_through()
        if value == "wrong":
            raise ValueError("wrong")
        return value


CONTRACTS: dict[str, Any] = {
    "POST /json": Contract(body=Item),
    "POST /lines": Contract(lines=Item),
    "POST /form": Contract(form=Item),
    "POST /parts": Contract(form=Item, files={"file": File(max_size="4 MB", required=False)}),
}


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Return a new gate, open."""
    new = Gate()
    monkeypatch.setitem(globals(), "GATE", new)
    return new


def body_of(path: str, size: int, name: str = "a") -> tuple[bytes, Any]:
    """Return a body with a text of a size, and its headers."""
    fields = {"name": name, "text": "x" * size}
    if path == "/json":
        return json.dumps(fields).encode(), JSON
    if path == "/lines":
        return json.dumps(fields).encode() + b"\n", LINES
    if path == "/form":
        return urlencode(fields).encode(), FORM
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    return ("".join(parts) + "--b--\r\n").encode(), PARTS


class Exchange:
    """One request to a guarded app under ASGI, and a task that counts its turns meanwhile.

    Args:
        path: the operation.
        body: the request's.
        headers: the request's.
        piece: the bytes that come in one message.
        limits: the guard's.
    """

    def __init__(
        self,
        path: str,
        body: bytes,
        headers: Any,
        *,
        piece: int = 1 << 30,
        limits: BodyLimits = LIMITS,
    ) -> None:
        self.turns = 0
        self.answer = Answer()
        self.received: list[Any] = []
        guard = SchemaGuard(CONTRACTS, limits=limits)
        self._app = mantlet.wrap(self._answer, guard, baseline=False)
        self._scope = make_scope(
            "POST", path, headers=[*headers, ("Content-Length", str(len(body)))]
        )
        self.events = [
            {
                "type": "http.request",
                "body": body[at : at + piece],
                "more_body": at + piece < len(body),
            }
            for at in range(0, len(body), piece)
        ]

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            self.received.append(message)
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def run(self) -> None:
        """Run the exchange, and count the turns of another task."""
        ticker = asyncio.create_task(self._tick())
        await asyncio.sleep(0)
        self.turns = 0
        try:
            await ask_asgi(self._app, self._scope, self.events, self.answer)
        finally:
            ticker.cancel()

    async def _tick(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


@pytest.mark.parametrize("path", ["/json", "/lines", "/form", "/parts"])
def test_a_long_body_is_validated_in_a_thread(path: str, gate: Gate) -> None:
    async def main(size: int) -> int:
        PLACE.set("request")
        exchange = Exchange(path, *body_of(path, size))
        await exchange.run()
        assert exchange.answer.status == 200
        return gate.threads.pop()

    assert asyncio.run(main(60_000)) == threading.get_ident()
    assert asyncio.run(main(200_000)) != threading.get_ident()
    assert gate.places == ["request"] * 2


@pytest.mark.parametrize("path", ["/json", "/lines", "/form", "/parts"])
def test_the_event_loop_goes_on_while_a_long_body_is_validated(path: str, gate: Gate) -> None:
    async def main() -> None:
        gate.opened.clear()
        exchange = Exchange(path, *body_of(path, 200_000))
        running = asyncio.create_task(exchange.run())
        await gate.wait()
        before = exchange.turns
        for _ in range(100):
            await asyncio.sleep(0)
        assert exchange.turns > before + 90
        assert not running.done()
        gate.opened.set()
        await running
        assert exchange.answer.status == 200

    asyncio.run(main())


@both_adapters
@pytest.mark.parametrize("forward", ["original", "canonical"])
@pytest.mark.parametrize("path", ["/json", "/lines", "/form", "/parts"])
def test_both_protocols_judge_long_bodies_alike(
    adapter: Adapter, path: str, forward: Any, gate: Gate
) -> None:
    app = Guarded(adapter, CONTRACTS, limits=LIMITS, forward=forward)
    for size in (10, 200_000):
        right, headers = body_of(path, size)
        wrong, _ = body_of(path, size, name="wrong")
        assert app.ask("POST", path, body=right, headers=headers).status == 200
        value = app.seen[-1].body
        assert (value[0] if path == "/lines" else value) == Item(name="a", text="x" * size)
        assert len(app.bodies[-1]) > size
        assert app.ask("POST", path, body=wrong, headers=headers).status == 422
    if adapter.name == "wsgi":
        assert set(gate.threads) == {threading.get_ident()}


def test_the_bound_is_an_option(gate: Gate) -> None:
    for size, elsewhere in (("1 MB", False), ("1 kB", True)):
        limits = BodyLimits(body="4 MB", in_loop=size)
        exchange = Exchange("/json", *body_of("/json", 200_000), limits=limits)
        asyncio.run(exchange.run())
        assert (gate.threads.pop() != threading.get_ident()) is elsewhere
    with pytest.raises(ValueError, match="in_loop must be a number of bytes"):
        BodyLimits(in_loop=0)


@pytest.mark.parametrize("piece", [1000, 65_536, 1 << 30])
def test_streamed_bodies_are_taken_in_slices(piece: int) -> None:
    file = b"x" * 2_000_000
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    name = '\r\n--b\r\nContent-Disposition: form-data; name="name"\r\n\r\na\r\n--b--\r\n'
    exchange = Exchange("/parts", head.encode() + file + name.encode(), PARTS, piece=piece)
    asyncio.run(exchange.run())
    assert exchange.answer.status == 200
    assert exchange.turns >= len(file) // SLICE // 2


def test_many_lines_are_taken_in_slices(gate: Gate) -> None:
    lines = b'{"name": "a", "text": "0123456789"}\n' * 9_000
    exchange = Exchange("/lines", lines, LINES)
    asyncio.run(exchange.run())
    assert exchange.answer.status == 200
    assert exchange.turns >= len(lines) // SLICE
    assert set(gate.threads) == {threading.get_ident()}  # no hop for each of them


@pytest.mark.parametrize("path", ["/json", "/lines"])
def test_bodies_are_decoded_in_slices(path: str) -> None:
    body, headers = body_of(path, 1_500_000)
    body = body.replace(b"x" * 1_000_000, bytes(range(97, 122)) * 40_000)
    coded = gzip.compress(body, mtime=0)
    limits = BodyLimits(body="4 MB", line="2 MB", string=2_000_000, ratio=10_000, in_loop="4 MB")
    exchange = Exchange(path, coded, [*headers, ("Content-Encoding", "gzip")], limits=limits)
    asyncio.run(exchange.run())
    assert exchange.answer.status == 200
    assert exchange.turns >= len(body) // (2 * SLICE)


@pytest.mark.parametrize("path", ["/json", "/lines", "/form", "/parts"])
def test_a_canceled_request_does_not_wait_for_its_validation(
    path: str, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        gate.opened.clear()
        exchange = Exchange(path, *body_of(path, 200_000))
        running = asyncio.create_task(exchange.run())
        await gate.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert exchange.answer.status is None
        assert exchange.received == []
        gate.opened.set()

    asyncio.run(main())  # waits for the threads of its pool
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/json", "/lines", "/form", "/parts"])
@pytest.mark.parametrize("whole", [False, True])
def test_a_client_may_leave_while_its_body_is_validated(
    path: str, whole: bool, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    body, headers = body_of(path, 200_000)
    exchange = Exchange(path, body, headers, piece=100_000)
    if not whole:
        exchange.events.pop()
    exchange.events.append({"type": "http.disconnect"})
    asyncio.run(exchange.run())
    assert len(gate.threads) == whole
    assert b"".join(one["body"] for one in exchange.received) == (body if whole else b"")
    assert exchange.answer.status == (200 if whole else 400)  # which nobody gets
    assert caplog.records == []


# -- pydantic -------------------------------------------------------------------------------------


class Point(BaseModel):
    """A part of many."""

    x: int


class Pair(TypedDict):
    """Not a class of instances."""

    x: int


@dataclass
class Spot:
    """A class that is no model."""

    x: int


class Shape(BaseModel):
    """Models in models, and in a union."""

    points: list[Point | list[Point] | Pair | dict[str, Pair]]
    more: list[Shape] = []


@pytest.mark.parametrize("python", [False, True])
@pytest.mark.parametrize("kind", [Point, Spot, Pair, dict[str, int]])
def test_threads_are_switched_at_each_object_of_a_long_text(
    kind: Any, python: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    switches = 0

    def switch(values: Any) -> Any:
        nonlocal switches
        switches += 1
        return values

    monkeypatch.setattr(rewriting, "_switch", switch)
    schema = ModelSchema(list[kind], name="points", errors=20, python=python)
    for count, least in ((1_000, 0), (20_000, 20_000)):
        value = [{"x": at} for at in range(count)]
        loaded = schema.load(json.dumps(value).encode(), value, "body")
        assert TypeAdapter(list[kind]).dump_python(loaded) == value
        assert switches == least


def test_switching_does_not_change_errors() -> None:
    schema = ModelSchema(Shape, name="shape", errors=20)
    for wrong in ({"x": "a"}, [{"x": "a"}], {"y": {"x": "a"}}, {"y": "a"}, [7], 7):
        found = []
        for count in (300, 20_000):
            value = {"points": [{"x": 1}] * count + [wrong]}
            with pytest.raises(ValidationFailed) as caught:
                schema.load(json.dumps(value).encode(), value, "body")
            errors = caught.value.errors
            found.append(
                [one._replace(pointer=one.pointer.replace(str(count), "n")) for one in errors]
            )
        assert found[0] == found[1]


def test_switching_does_not_change_values() -> None:
    schema = ModelSchema(Shape, name="shape", errors=20)
    last = [{"x": 1}, [{"x": 1}], {"y": {"x": 1}}, {}]
    found = []
    for count in (300, 20_000):
        value = {"points": [{"x": 1}] * count + last, "more": [{"points": last}]}
        loaded = schema.load(json.dumps(value).encode(), value, "body")
        found.append((repr(loaded.points[-4:]), repr(loaded.more)))
    assert found[0] == found[1]
