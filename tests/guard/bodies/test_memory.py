"""What a request's body takes of memory at most, by media type, policy and protocol."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, RootModel

from mantlet import Policy, RateLimiter, Request, keys
from mantlet.guard import BodyLimits, Contract, File, RouteOptions, SchemaGuard
from tests.drive import ADAPTERS, Adapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.openapi.documents import api
from tests.uploads import PIECE, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 6_000_000
KIB = 1024
LIMITS = BodyLimits(body="8 MB", decoded="8 MB", memory="256 KiB", string=8_000_000)
#: What a request takes besides its body.
OVERHEAD = 512 * KIB
#: What a body takes that is not held as a whole: memory up to the limit, and some chunks.
SPOOLED = 256 * KIB * 9 // 8 + OVERHEAD
#: What a body takes that is there once; some memory is taken in advance while it grows.
ONCE = SIZE * 9 // 8 + OVERHEAD
TWICE = ONCE + SIZE
THRICE = TWICE + SIZE
RAW = "application/octet-stream"
OBJECT = {"schema": {"type": "object"}}
TEXT = {"schema": {"type": "string"}}


class Note(BaseModel):
    """A large body of JSON."""

    text: str


def contracts(**options: Any) -> SchemaGuard:
    """Return a guard whose only operation takes bodies of three raw types and JSON."""
    contract = Contract(body=Note, raw=[RAW, "text/plain", "image/png"])
    return SchemaGuard({"POST /": contract}, limits=LIMITS, **options)


def document(content: dict[str, Any]) -> SchemaGuard:
    """Return a guard by a document."""
    described = api("3.1.1", "POST /", requestBody={"content": content, "required": True})
    return SchemaGuard(openapi=described, limits=LIMITS)


class Whole(Policy):
    """Reads the whole body after another policy has read it in pieces."""

    async def on_request(self, request: Request) -> None:
        async for _ in request.chunks(8_000_000, memory=256 * KIB):
            pass
        assert len(await request.body(8_000_000)) == SIZE


class Reads(Policy):
    """Reads the whole body.

    Args:
        limit: in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def on_request(self, request: Request) -> None:
        await request.body(self._limit)


@dataclass
class Sink:
    """An app that keeps nothing of the body.

    Attributes:
        size: the bytes that it got.
        checksum: theirs.
    """

    size: int = 0
    checksum: int = 0

    def take(self, chunk: bytes) -> None:
        """Count a chunk."""
        self.size += len(chunk)
        self.checksum = zlib.crc32(chunk, self.checksum)

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """Read the body, as an ASGI app."""
        more = True
        while more:
            event = await receive()
            self.take(event["body"])
            more = event["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Read the body, as a WSGI app."""
        while piece := environ["wsgi.input"].read(PIECE):
            self.take(piece)
        start_response("200 OK", [])
        return []


def pieces(size: int = SIZE) -> Iterator[bytes]:
    """Yield a body of ASCII, each chunk an object of its own."""
    for at in range(0, size, PIECE):
        yield b"x" * min(PIECE, size - at)


def peak_of(
    adapter: Adapter,
    policies: list[Policy],
    *,
    kind: str,
    body: Callable[[], Iterator[bytes]] = pieces,
    length: int | None = None,
    coding: str | None = None,
    first: bytes = b"{}",
    app: Any = None,
) -> tuple[int, Sink]:
    """Return the peak of the memory during one request, and what the app got."""
    sink = Sink()
    native = app or (sink.asgi if adapter.name == "asgi" else sink.wsgi)
    stack = adapter.module.wrap(native, *policies, baseline=False)
    headers = [("content-type", kind)]
    if coding is not None:
        headers.append(("content-encoding", coding))
    # Imports what is imported at the first use.
    upload(adapter, stack, first if coding is None else gzip.compress(first), headers=headers)
    sink.size = sink.checksum = 0
    tracemalloc.start()
    try:
        answer = upload(adapter, stack, body(), length=length, headers=headers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 200, answer.text()
    return peak, sink


CHECKSUM = zlib.crc32(b"x" * SIZE)


@both_adapters
@pytest.mark.parametrize("length", [None, SIZE], ids=["chunked", "sized"])
@pytest.mark.parametrize("kind", [RAW, "text/plain", "image/png", "text/plain; charset=latin-1"])
@pytest.mark.parametrize(
    "guard",
    [
        contracts,
        lambda: contracts(forward="canonical"),
        lambda: contracts(mode="report"),
        lambda: document({"*/*": OBJECT}),
        lambda: document({"image/*": {}, "text/plain": {}, "application/*": OBJECT}),
        lambda: document(
            {"*/*": OBJECT, "*/*; a=b": {}, "text/plain": {}, "text/plain; a=b": TEXT}
        ),
        lambda: SchemaGuard({"POST /": Contract(body=Note)}, limits=LIMITS, allow=["media_type"]),
        lambda: SchemaGuard({"GET /a": Contract()}, limits=LIMITS, allow=["path"]),
        lambda: SchemaGuard(
            {"POST /": Contract(body=Note)},
            limits=LIMITS,
            routes={"POST /": RouteOptions(mode="off")},
        ),
    ],
    ids=["raw", "canonical", "report", "any", "ranges", "twice", "other", "undeclared", "off"],
)
def test_a_raw_body_is_never_in_memory_as_a_whole(
    adapter: Adapter, guard: Callable[[], SchemaGuard], kind: str, length: int | None
) -> None:
    """Whatever its type, and whether it is validated or not; every byte reaches the app."""
    peak, sink = peak_of(adapter, [guard()], kind=kind, length=length)
    assert (sink.size, sink.checksum) == (SIZE, CHECKSUM)
    assert peak < SPOOLED


@pytest.mark.unmeasured
@both_adapters
@pytest.mark.parametrize("forward", ["original", "canonical"])
def test_nor_is_a_coded_one(adapter: Adapter, forward: Any) -> None:
    """The app gets it decoded, from a file of its own."""
    content = os.urandom(SIZE)
    coded = gzip.compress(content, 1, mtime=0)

    def body() -> Iterator[bytes]:
        return (coded[at : at + PIECE] for at in range(0, len(coded), PIECE))

    peak, sink = peak_of(adapter, [contracts(forward=forward)], kind=RAW, body=body, coding="gzip")
    assert (sink.size, sink.checksum) == (SIZE, zlib.crc32(content))
    assert peak < 2 * SPOOLED


FORM_HEAD = b'--limit-of-parts\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


@both_adapters
@pytest.mark.parametrize("forward", ["original", "canonical"])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_form_with_files_is_in_files(adapter: Adapter, forward: Any, coding: str | None) -> None:
    """The form and its files each have their share of memory, and the app's form too."""
    content = FORM_HEAD + os.urandom(SIZE) + b"\r\n--limit-of-parts--\r\n"
    sent = content if coding is None else gzip.compress(content, 1, mtime=0)
    contract = Contract(files={"file": File(max_size="7 MB", required=False, types=None)})
    guard = SchemaGuard({"POST /": contract}, limits=LIMITS, forward=forward)
    peak, sink = peak_of(
        adapter,
        [guard],
        kind="multipart/form-data; boundary=limit-of-parts",
        body=lambda: (sent[at : at + PIECE] for at in range(0, len(sent), PIECE)),
        coding=coding,
        first=FORM_HEAD + b"\r\n--limit-of-parts--\r\n",
    )
    if forward == "original":
        assert (sink.size, sink.checksum) == (len(content), zlib.crc32(content))
    else:
        assert sink.size > SIZE
    assert peak < 3 * 256 * KIB * 9 // 8 + OVERHEAD


def note() -> Iterator[bytes]:
    """Yield a body of JSON."""
    yield b'{"text": "'
    yield from pieces()
    yield b'"}'


@both_adapters
@pytest.mark.parametrize("length", [None, SIZE], ids=["chunked", "sized"])
@pytest.mark.parametrize("guarded", [False, True], ids=["alone", "guarded"])
@pytest.mark.parametrize("key", [keys.json, keys.field, keys.form])
def test_a_body_that_a_key_is_read_from_is_there_twice(
    adapter: Adapter, key: Any, length: int | None, *, guarded: bool
) -> None:
    """While it is parsed, within the key's own limit; the guard takes no other copy of it."""
    limiter = RateLimiter("1000/minute", key=key("user", 8_000_000))
    policies: list[Policy] = [limiter, contracts()] if guarded else [limiter]
    peak, sink = peak_of(adapter, policies, kind=RAW, length=length)
    assert (sink.size, sink.checksum) == (SIZE, CHECKSUM)
    assert peak < TWICE


@both_adapters
def test_json_is_there_twice(adapter: Adapter) -> None:
    """As text, and as the value that the app gets."""
    peak, sink = peak_of(adapter, [contracts()], kind="application/json", body=note)
    assert sink.size == SIZE + 12
    assert peak < THRICE


@both_adapters
def test_a_body_that_is_read_whole_after_it_was_spooled_is_there_once(adapter: Adapter) -> None:
    """Read from the file into memory, without a second copy."""
    peak, sink = peak_of(adapter, [Whole()], kind=RAW)
    assert (sink.size, sink.checksum) == (SIZE, CHECKSUM)
    assert peak < ONCE + SPOOLED


def test_an_app_that_reads_it_at_once_has_it_once() -> None:
    """Not in pieces and joined: from memory, and from a file."""
    sizes = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        sizes.append(len(environ["wsgi.input"].read()))
        start_response("200 OK", [])
        return []

    for policy in (contracts(), Reads(8_000_000)):
        peak, _ = peak_of(ADAPTERS[1], [policy], kind=RAW, app=app)
        assert sizes[-1] == SIZE
        assert peak < ONCE + SPOOLED


@both_adapters
def test_the_value_of_a_raw_body_depends_on_the_limits_alone(adapter: Adapter) -> None:
    """It is the bytes where they always fit into memory; never sometimes one and sometimes not."""
    for memory, value in (("8 MB", b"some"), ("256 KiB", None)):
        limits = BodyLimits(body="8 MB", memory=memory)
        app = Guarded(adapter, {"POST /": Contract(raw=[RAW])}, limits=limits)
        assert app.ask("POST", "/", body=b"some", headers=[("Content-Type", RAW)]).status == 200
        assert app.seen[0].body == value
        assert app.bodies == [b"some"]


@both_adapters
def test_a_large_raw_body_is_checked_as_a_small_one_is(adapter: Adapter) -> None:
    """Text by its charset, also across chunks; and a body that must be there."""
    app = Sink()
    native = app.asgi if adapter.name == "asgi" else app.wsgi
    stack = adapter.module.wrap(native, contracts(), baseline=False)
    text = [("content-type", "text/plain")]
    cases: list[tuple[list[bytes], int | None]] = [
        ([b"\xc3", b"\xa9"], 200),
        ([b"x" * SIZE, b"\xc3"], 400),
        ([b"\xff", b"x" * SIZE], 400),
        ([], 422),
        ([b"x" * 8_000_000, b"x"], 413),
    ]
    for body, status in cases:
        assert upload(adapter, stack, body, headers=text).status == status


#: Items of a JSON array, and how many arrays and objects they are.
TEXTS = {
    "long string": (f'"{"x" * 900_000}"', 0),
    "wide string": (f'"{"x" * 900_000}\U0001f600"', 0),
    "short strings": (",".join(f'"{chr(256 + at % 1_500)}"' for at in range(9_000)), 0),
    "integers": (",".join(["257"] * 9_000), 0),
    "numbers": (",".join(["0.5"] * 9_000), 0),
    "members": ("{" + ",".join(f'"{at}":257' for at in range(100, 999)) + "}", 1),
    "empty objects": (",".join(["{}"] * 9_000), 9_000),
    "objects": (",".join(f'{{"{at % 900}":1}}' for at in range(9_000)), 9_000),
    "empty arrays": (",".join(["[]"] * 9_000), 9_000),
}


class Values(RootModel[Any]):
    """Any values."""


class Point(BaseModel):
    """A small model."""

    x: int = 0
    y: int = 0


class Points(RootModel[list[list[Point]]]):
    """Many of them."""


def bytes_beside(adapter: Adapter, model: Any, items: str, containers: int) -> float:
    """Return what a body of many such arrays takes beyond 24 times its size, for a container."""
    times = max(1, min(900_000 // len(items.encode()), 30_000 // (containers + 1)))
    body = f"[{','.join([f'[{items}]'] * times)}]".encode()
    guard = SchemaGuard({"POST /": Contract(body=model)})
    peak, _ = peak_of(
        adapter,
        [guard],
        kind="application/json",
        body=lambda: (body[at : at + PIECE] for at in range(0, len(body), PIECE)),
    )
    return (peak - 24 * len(body) - OVERHEAD) / (times * (containers or 1))


@pytest.mark.unmeasured
@pytest.mark.few_cases(4)
@both_adapters
@pytest.mark.parametrize("text", TEXTS)
def test_json_takes_what_its_values_take(adapter: Adapter, text: str) -> None:
    """In proportion to its size, and to the number of arrays and objects."""
    items, containers = TEXTS[text]
    assert bytes_beside(adapter, Values, items, containers) < 300 * bool(containers)


@pytest.mark.few_cases(1)
@both_adapters
@pytest.mark.parametrize("item", ["{}", '{"x":300}', '{"x":300,"y":301}'])
def test_models_take_twice_that(adapter: Adapter, item: str) -> None:
    """For each model."""
    assert bytes_beside(adapter, Points, ",".join([item] * 9_000), 9_000) < 600
