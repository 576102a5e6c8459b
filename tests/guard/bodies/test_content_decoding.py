"""Request bodies in content codings: undone within the limits, or refused."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import brotli
import pytest

import mantlet
from mantlet import BodyTooLarge, ClientDisconnected, MalformedRequest, Policy, Request
from mantlet.guard.bodies.content_decoding import (
    CONTENT_ENCODING,
    decode_body,
    decode_chunks,
    parse_codings,
)
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.http.headers import HeaderNames
from tests.drive import Adapter, both_adapters
from tests.uploads import PIECE, App, Body, upload
from tests.zstandard import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

MIB = 2**20
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
PLAIN = b'{"name": "a word, and another word"}' * 40
every_coding = pytest.mark.parametrize("coding", ENCODERS)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


class Decodes(Policy):
    """Decodes the body, and keeps what it got or what was raised."""

    def __init__(self, limits: BodyLimits | None = None, *, streamed: bool = False) -> None:
        self.limits = limits or BodyLimits()
        self.streamed = streamed
        self.pieces: list[bytes] = []
        self.error: Any = None

    async def on_request(self, request: Request) -> mantlet.Reply | None:
        try:
            if self.streamed:
                async for piece in decode_chunks(request, self.limits):
                    self.pieces.append(piece)
            else:
                self.pieces.append(await decode_body(request, self.limits))
        except (ValidationFailed, mantlet.Problem, ClientDisconnected) as error:
            self.error = error
            return mantlet.Reply(400)
        return None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def told(self) -> tuple[int, str]:
        """The status and the code of what was raised."""
        assert isinstance(self.error, ValidationFailed)
        (fault,) = self.error.errors
        return self.error.status, fault.code


def send(
    adapter: Adapter,
    policy: Decodes,
    body: Body | bytes | Any,
    *codings: str,
    length: int | None = None,
) -> App:
    """Send a body past the policy; return the app."""
    app = App()
    headers = [(CONTENT_ENCODING, coding) for coding in codings]
    answer = upload(adapter, app.behind(adapter, policy), body, headers=headers, length=length)
    assert answer.error is None
    assert app.calls == (0 if policy.error else 1)
    return app


@both_adapters
@both_ways
@pytest.mark.parametrize("codings", [(), ("identity",), ("IDENTITY , identity",)], ids=repr)
def test_a_body_in_no_coding_is_what_came(
    adapter: Adapter, streamed: bool, codings: tuple[str, ...]
) -> None:
    """``identity`` is none (RFC 9110, 8.4.1)."""
    policy = Decodes(streamed=streamed)
    assert send(adapter, policy, PLAIN, *codings).body == PLAIN
    assert policy.body == PLAIN


@both_adapters
@both_ways
@every_coding
@pytest.mark.parametrize("size", [1, 100, PIECE])
def test_a_coding_is_undone_and_the_app_gets_what_came(
    adapter: Adapter, streamed: bool, coding: str, size: int
) -> None:
    """In pieces of any size, down to single bytes, and with its name in any case."""
    body = ENCODERS[coding](PLAIN)
    policy = Decodes(BodyLimits(memory=10), streamed=streamed)
    app = send(adapter, policy, [body[at : at + size] for at in range(0, len(body), size)], coding)
    assert policy.body == PLAIN
    assert app.body == body
    policy = Decodes(streamed=streamed)
    send(adapter, policy, body, coding.upper())
    assert policy.body == PLAIN


@both_adapters
@both_ways
@pytest.mark.parametrize("fields", [("gzip, br",), ("gzip", "br"), ("gzip,identity,\tbr ",)])
def test_two_codings_are_undone_the_last_first(
    adapter: Adapter, streamed: bool, fields: tuple[str, ...]
) -> None:
    """RFC 9110, 8.4: they are listed in the order they were applied in."""
    policy = Decodes(streamed=streamed)
    send(adapter, policy, brotli.compress(gzip.compress(PLAIN, mtime=0)), *fields)
    assert policy.body == PLAIN


@both_adapters
@both_ways
@pytest.mark.parametrize(
    "value",
    [
        "compress",
        "nonsense",
        "gzip;q=1",
        "gzip br",
        '"gzip"',
        "*",
        "",
        ",",
        "gzip,",
        ",gzip",
        "gzip,,br",
        "gzip, gzip, gzip",
        "gzip, nonsense",
        "gz\u00efp",
        "identity, " * 100 + "gzip",
    ],
)
def test_other_codings_are_refused_and_the_known_ones_told(
    adapter: Adapter, streamed: bool, value: str
) -> None:
    """RFC 9110, 12.5.3 and 15.5.16; before anything of the body is read."""
    policy, body = Decodes(streamed=streamed), Body([b"12345"])
    send(adapter, policy, body, value)
    assert policy.told == (415, "unknown_coding")
    assert policy.error.headers == {"Accept-Encoding": "gzip, deflate, br, zstd"}
    assert policy.error.errors[0].place == "header"
    assert "nonsense" not in str(policy.error.errors)
    assert body.served == 0


def test_the_codings_are_read_in_their_order_without_identity() -> None:
    """In lower case."""
    assert parse_codings("GZIP") == ("gzip",)
    assert parse_codings("identity") == ()
    assert parse_codings("x-gzip , identity,zstd") == ("x-gzip", "zstd")


@both_adapters
@both_ways
@every_coding
@pytest.mark.parametrize("what", ["truncated", "trailing", "other", "empty"])
def test_a_body_that_is_not_in_its_coding_is_refused(
    adapter: Adapter, streamed: bool, coding: str, what: str
) -> None:
    """As is one that two readers may take in two ways; nothing of it is told."""
    whole = ENCODERS[coding](PLAIN)
    body = {
        "truncated": whole[:-1],
        "trailing": whole + b"secret",
        "other": b"secret",
        "empty": b"",
    }[what]
    policy = Decodes(streamed=streamed)
    send(adapter, policy, body, coding)
    assert policy.told == (400, "undecodable")
    assert policy.error.__cause__ is None
    assert policy.error.__suppress_context__ or policy.error.__context__ is None
    assert "secret" not in str(policy.error.errors)


@both_adapters
@both_ways
def test_trailing_bytes_of_the_inner_coding_are_refused_too(
    adapter: Adapter, streamed: bool
) -> None:
    """Each coding is held to its own end."""
    policy = Decodes(streamed=streamed)
    send(adapter, policy, gzip.compress(brotli.compress(PLAIN) + b"x", mtime=0), "br, gzip")
    assert policy.told == (400, "undecodable")
    policy = Decodes(streamed=streamed)
    send(adapter, policy, gzip.compress(brotli.compress(PLAIN)[:-1], mtime=0), "br, gzip")
    assert policy.told == (400, "undecodable")


@both_adapters
@both_ways
@every_coding
@pytest.mark.parametrize("by", ["decoded", "ratio"])
def test_a_bomb_is_refused_while_it_is_decoded(
    adapter: Adapter, streamed: bool, coding: str, by: str
) -> None:
    """By its size or by its ratio; in bounded memory, and the app is never called."""
    body = bomb(coding)
    generous: dict[str, Any] = {"body": 10 * MIB, "memory": PIECE}
    limits = (
        BodyLimits(decoded=MIB, ratio=10**9, **generous)
        if by == "decoded"
        else BodyLimits(decoded=10**9, ratio=10, **generous)
    )
    policy = Decodes(limits, streamed=streamed)
    tracemalloc.start()
    try:
        send(adapter, policy, body, coding)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert policy.told == (413, f"{by}_too_large")
    assert len(policy.body) <= max(MIB, 10 * len(body)) if streamed else not policy.pieces
    assert peak < 4 * MIB + 12 * len(body)


@cache
def bomb(coding: str) -> bytes:
    return ENCODERS[coding](bytes(20 * MIB))


@cache
def repeated(piece: bytes, count: int) -> bytes:
    """Return many copies of a piece, in gzip."""
    deflate = zlib.compressobj(wbits=31)
    return b"".join(deflate.compress(piece) for _ in range(count)) + deflate.flush()


@both_adapters
@both_ways
@pytest.mark.parametrize("by", ["decoded", "ratio"])
def test_a_bomb_inside_of_a_coding_is_refused_though_its_end_is_small(
    adapter: Adapter, streamed: bool, by: str
) -> None:
    """What is large is what stands between the two."""
    body = repeated(b"\x00\x00\x00\xff\xff", 2_000_000)  # empty blocks (RFC 1951, 3.2.4): 10 MB
    limits = BodyLimits(decoded=MIB, ratio=10**9) if by == "decoded" else BodyLimits(ratio=10)
    policy = Decodes(limits, streamed=streamed)
    send(adapter, policy, body, "deflate, gzip")
    assert policy.body == b""
    assert policy.told == (413, f"{by}_too_large")


@both_adapters
@both_ways
def test_a_flood_of_empty_members_is_refused(adapter: Adapter, streamed: bool) -> None:
    """Each takes the time to begin one, and comes to nothing."""
    policy = Decodes(BodyLimits(ratio=10**9), streamed=streamed)
    send(adapter, policy, repeated(gzip.compress(b"", mtime=0), 400_000), "gzip, gzip")
    assert policy.told == (400, "undecodable")


@both_adapters
@both_ways
def test_a_nested_bomb_is_refused(adapter: Adapter, streamed: bool) -> None:
    """Its ratio is that of both codings together: 100 MB in less than 1 kB."""
    body = gzip.compress(gzip.compress(bytes(100 * MIB)), mtime=0)
    assert len(body) < 1000
    policy = Decodes(streamed=streamed)
    send(adapter, policy, body, "gzip, gzip")
    assert policy.told == (413, "ratio_too_large")


@both_adapters
@both_ways
@every_coding
def test_a_small_body_may_have_any_ratio(adapter: Adapter, streamed: bool, coding: str) -> None:
    """Up to 64 KiB it is no danger."""
    policy = Decodes(BodyLimits(ratio=1), streamed=streamed)
    send(adapter, policy, ENCODERS[coding](bytes(PIECE)), coding)
    assert policy.body == bytes(PIECE)
    policy = Decodes(BodyLimits(ratio=1), streamed=streamed)
    send(adapter, policy, ENCODERS[coding](bytes(PIECE + 1)), coding)
    assert policy.told == (413, "ratio_too_large")


@both_adapters
@both_ways
@every_coding
@pytest.mark.parametrize(("limit", "fits"), [(len(PLAIN), True), (len(PLAIN) - 1, False)])
def test_a_body_of_just_the_limit_is_decoded_and_one_byte_more_is_not(
    adapter: Adapter, streamed: bool, coding: str, limit: int, fits: bool
) -> None:
    """The limit of what is decoded is not that of what comes."""
    policy = Decodes(BodyLimits(decoded=limit), streamed=streamed)
    send(adapter, policy, ENCODERS[coding](PLAIN), coding)
    if fits:
        assert policy.body == PLAIN
    else:
        assert policy.told == (413, "decoded_too_large")


@both_adapters
@both_ways
@pytest.mark.parametrize("codings", [(), ("gzip",)])
def test_a_body_is_held_to_its_limit_as_it_comes(
    adapter: Adapter, streamed: bool, codings: tuple[str, ...]
) -> None:
    """10 GB that are no bomb, and of which little more is read than the limit."""

    def endless() -> Iterator[bytes]:
        deflate = zlib.compressobj(0, wbits=31) if codings else None  # stored as it is
        piece = bytes(range(256)) * 256
        for _ in range(10 * 2**30 // len(piece)):
            yield deflate.compress(piece) if deflate else piece

    policy, body = Decodes(BodyLimits(memory=1000), streamed=streamed), Body(endless())
    tracemalloc.start()
    try:
        send(adapter, policy, body, *codings)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(policy.error, BodyTooLarge)
    assert body.served < 1_000_000 + 3 * PIECE
    assert peak < 4 * MIB


@both_adapters
@both_ways
def test_a_client_that_goes_in_the_middle_is_a_disconnect(adapter: Adapter, streamed: bool) -> None:
    """And not a body that can't be decoded."""
    body = gzip.compress(PLAIN, mtime=0)
    policy = Decodes(streamed=streamed)
    send(adapter, policy, Body([body[:20]], gone=True), "gzip", length=len(body))
    assert isinstance(policy.error, (ClientDisconnected, MalformedRequest))


@both_adapters
def test_what_can_be_decoded_of_a_slow_body_is_there_at_once(adapter: Adapter) -> None:
    """Each event of a stream that the client has flushed."""
    deflate = zlib.compressobj(wbits=31)
    events = [f'{{"number": {number}}}\n'.encode() for number in range(5)]
    sent = [deflate.compress(event) + deflate.flush(zlib.Z_SYNC_FLUSH) for event in events]
    policy = Decodes(streamed=True)
    send(adapter, policy, [*sent, deflate.flush()], "gzip")
    assert policy.pieces == events


@both_adapters
@both_ways
def test_fields_that_were_looked_up_already_are_not_looked_up_again(
    adapter: Adapter, streamed: bool
) -> None:
    """The guard asks for all it needs at once."""
    names = HeaderNames("X-A", CONTENT_ENCODING)
    got: list[bytes] = []

    class Picks(Policy):
        async def on_request(self, request: Request) -> None:
            limits, fields = BodyLimits(), request.get_headers(names)
            if streamed:
                got.extend([piece async for piece in decode_chunks(request, limits, fields)])
            else:
                got.append(await decode_body(request, limits, fields))

    for coding, body in (("gzip", gzip.compress(PLAIN, mtime=0)), (None, PLAIN)):
        headers = [("X-A", "1"), *([(CONTENT_ENCODING, coding)] if coding else [])]
        answer = upload(adapter, App().behind(adapter, Picks()), body, headers=headers)
        assert answer.error is None
    assert b"".join(got) == PLAIN * 2
