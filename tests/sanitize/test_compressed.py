"""Bodies that the app has encoded: what is looked at is what a client would decode."""

import gzip
import io
import itertools
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import OutputSanitizer, Problem
from mantlet.sanitize.compressed import (
    CompressedFilter,
    Recompressor,
    UndecodableBody,
    read_codings,
    supported_codings,
)
from tests.sanitize.streams import at_once, gunzip, play_wsgi
from tests.zstandard import NAME as ZSTD
from tests.zstandard import zstd

pytestmark = pytest.mark.slow

PLAIN = b"a word, and another word; " * 400


def raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


def two_members(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0)


def two_frames(data: bytes) -> bytes:
    half = len(data) // 2
    return zstd.compress(data[:half]) + zstd.compress(data[half:])


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "gzip-members": ("gzip", two_members),
    "zlib": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "zstd-frames": ("zstd", two_frames),
}
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "x-gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


@pytest.fixture(params=ENCODERS)
def encoded(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """A coding, and a body in it."""
    coding, encode = ENCODERS[request.param]
    return coding, encode(PLAIN)


class Heard:
    """A stage that keeps what it is given, and replaces a word by a longer one."""

    def __init__(self, old: bytes = b"", new: bytes = b"") -> None:
        self.data = b""
        self.calls: list[bool] = []
        self.old, self.new = old, new

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        self.data += chunk
        self.calls.append(more)
        return chunk.replace(self.old, self.new) if self.old else chunk


def test_a_whole_body_that_stays_is_sent_as_it_was(encoded: tuple[str, bytes]) -> None:
    """The same object: nothing is encoded again."""
    coding, body = encoded
    heard = Heard()
    assert Recompressor(coding, heard, 10**6)(body, False) is body
    assert heard.data == PLAIN


def test_a_whole_body_that_changes_is_encoded_anew(encoded: tuple[str, bytes]) -> None:
    """In its coding."""
    coding, body = encoded
    out = at_once(Recompressor(coding, Heard(b"another", b"one more"), 10**6))(body, False)
    assert DECODERS[coding](out) == PLAIN.replace(b"another", b"one more")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_stream_says_the_same_in_any_pieces(encoded: tuple[str, bytes], size: int) -> None:
    """Down to single bytes, with the end in a chunk of its own or not."""
    coding, body = encoded
    heard = Heard()
    recoded = at_once(Recompressor(coding, heard, 10**6))
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    out = b"".join(recoded(piece, True) for piece in pieces) + recoded(b"", False)
    assert heard.data == PLAIN
    assert heard.calls[-1] is False
    assert DECODERS[coding](out) == PLAIN
    if len(pieces) > 1:
        ended = at_once(Recompressor(coding, Heard(), 10**6))
        out = b"".join(ended(piece, True) for piece in pieces[:-1]) + ended(pieces[-1], False)
        assert DECODERS[coding](out) == PLAIN


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_the_app_has_flushed_leaves_at_once(coding: str) -> None:
    """An event stream that is compressed stays one."""
    sent, got = flushing(coding), decoding(coding)
    recoded = at_once(Recompressor(coding, Heard(), 10**6))
    for number in range(5):
        event = f"data: {number}\n\n".encode()
        assert got(recoded(sent(event), True)) == event


def flushing(coding: str) -> Callable[[bytes], bytes]:
    """Return an encoder that flushes after each piece, as an app does for an event stream."""
    if coding == "br":
        compressor = brotli.Compressor()
        return lambda data: compressor.process(data) + compressor.flush()
    if coding == "zstd":
        zstandard = zstd.ZstdCompressor()
        return lambda data: zstandard.compress(data, zstandard.FLUSH_BLOCK)
    deflate = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    return lambda data: deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)


def decoding(coding: str) -> Callable[[bytes], bytes]:
    if coding == "br":
        process: Callable[[bytes], bytes] = brotli.Decompressor().process
        return process
    if coding == "zstd":
        return zstd.ZstdDecompressor().decompress
    return zlib.decompressobj(31 if coding == "gzip" else 15).decompress


def bomb(coding: str, size: int) -> bytes:
    encode = ENCODERS["zlib" if coding == "deflate" else coding][1]
    return encode(bytes(size))


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "stream"])
def test_a_body_that_is_far_larger_decoded_is_undecodable(coding: str, whole: bool) -> None:
    """By its ratio, long before the limit."""
    heard = Heard()
    body = bomb(coding, 64 * 2**20)
    with pytest.raises(UndecodableBody, match="more than 250 times larger"):
        Recompressor(coding, heard, 10**9)(body, not whole)
    assert len(heard.data) <= max(2**20, 250 * len(body))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_over_the_limit_is_undecodable(coding: str) -> None:
    """Counted over all of its chunks."""
    recoded = Recompressor(coding, Heard(), 10_000)
    body = ENCODERS["zlib" if coding == "deflate" else coding][1](PLAIN)
    with pytest.raises(UndecodableBody, match="larger than 10000 bytes"):
        recoded(body, False)


def test_a_body_too_large_to_be_held_is_encoded_anew_piece_by_piece() -> None:
    """Though it is there whole: what is held decoded is bounded."""
    data = bytes(range(256)) * 80_000  # 20 MB
    heard = Heard()
    out = at_once(Recompressor("gzip", heard, 10**9))(gzip.compress(data, 1, mtime=0), False)
    assert gzip.decompress(out) == data
    assert heard.data == data


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("body", [b"no such coding", b"\x00" * 50, b"\xff" * 50], ids=range(3))
def test_a_body_in_another_coding_is_undecodable(coding: str, body: bytes) -> None:
    """Also where it is noticed at its end only; it may be sent as it is."""
    with pytest.raises(UndecodableBody) as raised:
        Recompressor(coding, Heard(), 10**6)(body, False)
    assert raised.value.untouched == body


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_stream_in_another_coding_can_be_sent_as_it_is(coding: str) -> None:
    """All of it that has come, though it was noticed late."""
    recoded = at_once(Recompressor(coding, Heard(), 10**6))
    body = b"\x1f\x8b\x08 and so on" if coding == "gzip" else b"\xff" * 20
    with pytest.raises(UndecodableBody) as raised:
        for at in range(len(body)):
            sent = body[: at + 1]
            assert recoded(body[at : at + 1], True) == b""
        sent = body
        recoded(b"", False)
    assert raised.value.untouched == sent


def test_a_stream_that_has_no_content_is_not_held_without_bounds() -> None:
    """A name in gzip's header may be of any length (RFC 1952, 2.3.1)."""
    recoded = Recompressor("gzip", Heard(), 10**6)
    recoded(b"\x1f\x8b\x08\x08" + bytes(6), True)
    with pytest.raises(UndecodableBody, match="no content within"):
        for _ in range(100):
            recoded(b"x" * 1000, True)


def test_a_body_that_ends_early_is_undecodable(encoded: tuple[str, bytes]) -> None:
    """What could be decoded has been looked at."""
    coding, body = encoded
    heard = Heard()
    with pytest.raises(UndecodableBody, match="ends early") as raised:
        Recompressor(coding, heard, 10**6)(body[:-20] if coding != "br" else body[:-2], False)
    assert raised.value.untouched is not None


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_a_client_can_decode_of_a_broken_body_is_looked_at(coding: str) -> None:
    """It shows as much as it can, so the body must not be sent as it is."""
    deflate = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    body = deflate.compress(b"a secret word") + deflate.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(UndecodableBody) as raised:
        Recompressor(coding, Heard(b"secret", b"******"), 10**6)(body, False)
    assert raised.value.untouched is None


def test_a_stream_that_breaks_later_can_t_go_on_as_it_is() -> None:
    """Its beginning went out encoded anew."""
    body = gzip.compress(PLAIN * 100, 0, mtime=0)
    recoded = Recompressor("gzip", Heard(), 10**9)
    recoded(body[:50_000], True)
    with pytest.raises(UndecodableBody) as raised:
        recoded(b"\xff" * 200_000, True)
    assert raised.value.untouched is None


def test_padding_behind_gzip_is_ignored() -> None:
    """As clients do."""
    body = gzip.compress(PLAIN, mtime=0) + bytes(100)
    heard = Heard()
    assert Recompressor("gzip", heard, 10**6)(body, False) is body
    assert heard.data == PLAIN


@pytest.mark.parametrize("coding", supported_codings())
def test_an_empty_body_is_in_any_coding(coding: str) -> None:
    """Some servers send none at all."""
    assert Recompressor(coding, Heard(), 10)(b"", False) == b""


@given(
    st.binary(max_size=200), st.lists(st.integers(1, 50)), st.sampled_from(["gzip", "br", "zstd"])
)
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int], coding: str) -> None:
    """Decode to what was encoded."""
    body = io.BytesIO(ENCODERS[coding][1](data))
    heard = Heard()
    recoded = at_once(Recompressor(coding, heard, 10**6))

    def pieces() -> Iterator[bytes]:
        for cut in cuts:
            yield recoded(body.read(cut), True)
        yield recoded(body.read(), False)

    assert DECODERS[coding](b"".join(pieces())) == data
    assert heard.data == data


@pytest.mark.parametrize(("module", "coding"), [("brotli", "br"), (ZSTD, "zstd")])
def test_without_its_package_a_coding_is_unknown(
    monkeypatch: pytest.MonkeyPatch, module: str, coding: str
) -> None:
    """They are extras."""
    monkeypatch.setitem(sys.modules, module, None)
    assert coding not in supported_codings.__wrapped__()  # without its cache


@pytest.mark.parametrize(
    ("value", "codings"),
    [
        ("", ()),
        ("identity", ()),
        ("gzip", ("gzip",)),
        ("gzip, br", ("gzip", "br")),
        ("gzip,identity,, zstd", ("gzip", "zstd")),
        ("gzip, gzip, gzip", ("gzip",) * 3),
        ("gzip, gzip, gzip, gzip", None),
        ("gzip, compress", None),
        ("aws-chunked", None),
    ],
)
def test_codings_are_read_in_their_order(value: str, codings: tuple[str, ...] | None) -> None:
    """``identity`` is none; three are enough for anyone."""
    assert read_codings(value) == codings


@pytest.mark.parametrize(
    "codings", list(itertools.permutations(["gzip", "deflate", "br", "zstd"], 2))
)
@pytest.mark.parametrize("size", [1, 50, 10**6])
def test_a_body_in_several_codings_is_looked_at(codings: tuple[str, ...], size: int) -> None:
    """And sent in the same ones, in pieces or whole."""
    body = PLAIN
    for coding in codings:
        body = ENCODERS["zlib" if coding == "deflate" else coding][1](body)
    for old, new in ((b"", b""), (b"w", b"two")):
        heard = Heard(old, new)
        recoded = at_once(CompressedFilter(codings, heard, 10**6, lambda: None, fallback=None))
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        out = b"".join(recoded(piece, True) for piece in pieces[:-1]) + recoded(pieces[-1], False)
        for coding in reversed(codings):
            out = DECODERS[coding](out)
        assert heard.data == PLAIN
        assert out == (PLAIN.replace(old, new) if old else PLAIN)


def test_a_broken_coding_inside_of_another_one() -> None:
    """The whole body is sent as it is, where nothing of it can be read; else it is blocked."""
    body = gzip.compress(b"no brotli at all, nor anything like it", mtime=0)
    fails: list[int] = []
    as_is = CompressedFilter(
        ["br", "gzip"], Heard(), 10**6, lambda: fails.append(1), fallback=Heard()
    )
    assert as_is(body, False) == body
    blocks = CompressedFilter(
        ["br", "gzip"], Heard(), 10**6, lambda: fails.append(1), fallback=None
    )
    with pytest.raises(Problem):
        blocks(body, False)
    assert fails == [1, 1]


@pytest.mark.parametrize("chunk", [500, 64 * 1024, 2**20])
def test_a_flood_of_frames_is_undecodable(chunk: int) -> None:
    """Long before its end; a long stream of one frame an event is not."""
    flood = zstd.compress(b"") * 100_000
    made = 0

    def count(_piece: bytes, _more: bool) -> bytes:
        nonlocal made
        made += 1
        return b""

    recoded = Recompressor("zstd", count, 10**9)
    with pytest.raises(UndecodableBody):
        for at in range(0, len(flood), chunk):
            recoded(flood[at : at + chunk], True)
    recoded = Recompressor("zstd", Heard(), 10**9)
    event = zstd.compress(b"data: " + bytes(range(97, 123)) * 2 + b"\n\n")
    for _ in range(3000):
        recoded(event, True)


def test_a_large_chunk_is_decompressed_piece_by_piece() -> None:
    """Its size decompressed is not held in memory: 16 MB in one chunk of some 100 KB."""
    words = b"".join(b"word %d of a text that is compressed well " % n for n in range(150))
    body = words * (16_000_000 // len(words))
    data = gzip.compress(body + b"-", compresslevel=9)
    assert len(body) / len(data) > 100
    policy = OutputSanitizer()
    fields = [("content-type", "text/plain"), ("content-encoding", "gzip")]
    play_wsgi(policy, fields, [data[:1000], data[1000:]])
    tracemalloc.start()
    try:
        _, sent = play_wsgi(policy, fields, [data[:1000], data[1000:]])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert gunzip(b"".join(sent)) == body + b"-"
    assert peak < 4_000_000
