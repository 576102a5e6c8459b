"""Content codings undone: alike for all clients, or strictly where no two readers may differ."""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.http.content_encoding import PIECE, DecodeError, decoders
from tests.zstandard import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

PLAIN = b"a word, and another word; " * 400


def raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


def members(data: bytes) -> bytes:
    half = len(data) // 2
    return (
        gzip.compress(data[:half], mtime=0)
        + gzip.compress(b"", mtime=0)
        + gzip.compress(data[half:], mtime=0)
    )


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "gzip-members": ("gzip", members),
    "zlib": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
}
every_coding = pytest.mark.parametrize("name", ENCODERS)
both_ways = pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])


def undo(coding: str, body: bytes, size: int = 10**9, *, strict: bool = True) -> bytes:
    """Return a whole body decoded, given in chunks of ``size``."""
    decoder = decoders(strict=strict)[coding]()
    out = []
    for at in range(0, len(body), size):
        for piece in decoder.pieces(body[at : at + size]):
            assert 0 < len(piece) <= PIECE * (1.5 if coding == "br" else 1)
            out.append(piece)
    if not decoder.ended:
        raise EOFError
    return b"".join(out)


@every_coding
@both_ways
@pytest.mark.parametrize("size", [1, 7, 1000, 10**9])
def test_what_was_encoded_comes_back_in_any_chunks(name: str, strict: bool, size: int) -> None:
    """Down to single bytes."""
    coding, encode = ENCODERS[name]
    assert undo(coding, encode(PLAIN), size, strict=strict) == PLAIN
    assert undo(coding, encode(b""), size, strict=strict) == b""


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(1, 50), st.sampled_from(sorted(ENCODERS)))
def test_any_bytes_come_back(data: bytes, size: int, name: str) -> None:
    """Decoding is the inverse of encoding."""
    coding, encode = ENCODERS[name]
    assert undo(coding, encode(data), size) == data


@every_coding
@both_ways
def test_each_piece_of_a_bomb_is_bounded(name: str, strict: bool) -> None:
    """Though all of the input is there at once; `undo()` checks each of them."""
    coding, encode = ENCODERS[name]
    assert len(undo(coding, encode(bytes(20 * 2**20)), strict=strict)) == 20 * 2**20


@every_coding
@both_ways
def test_a_body_that_is_not_finished_is_told_by_its_decoder(name: str, strict: bool) -> None:
    """Whatever is missing of its end."""
    coding, encode = ENCODERS[name]
    body = encode(PLAIN)
    for missing in (1, 2, len(body) // 4, len(body) - 1):
        with pytest.raises(EOFError):
            undo(coding, body[:-missing], strict=strict)


@every_coding
def test_a_body_of_no_bytes_is_in_no_coding_for_a_strict_reader(name: str) -> None:
    """A reader that is not strict may take it for empty."""
    coding, _ = ENCODERS[name]
    with pytest.raises(EOFError):
        undo(coding, b"")
    lenient = decoders()[coding]().ended
    assert lenient is (coding in {"gzip", "x-gzip", "deflate"})


@every_coding
@pytest.mark.parametrize("size", [1, 10**9], ids=["in bytes", "whole"])
@pytest.mark.parametrize("tail", [b"\x00", b"\x1f", b'{"admin": true}'], ids=repr)
def test_what_stands_behind_the_end_is_an_error_for_a_strict_reader(
    name: str, size: int, tail: bytes
) -> None:
    """Some readers ignore it, and others read on."""
    coding, encode = ENCODERS[name]
    with pytest.raises((DecodeError, EOFError)):
        undo(coding, encode(PLAIN) + tail, size)


@pytest.mark.parametrize("name", ["zlib", "raw-deflate", "br", "zstd"])
@pytest.mark.parametrize("size", [1, 10**9], ids=["in bytes", "whole"])
def test_a_second_stream_behind_the_first_is_an_error_for_a_strict_reader(
    name: str, size: int
) -> None:
    """Only gzip is said to have members, and readers of the others stop or go on."""
    coding, encode = ENCODERS[name]
    with pytest.raises(DecodeError):
        undo(coding, encode(b"one") + encode(b"two"), size)


def test_a_lenient_reader_takes_several_frames_and_ignores_what_others_ignore() -> None:
    """RFC 8878, 3, for the frames."""
    assert undo("zstd", zstd.compress(b"one") + zstd.compress(b"two"), strict=False) == b"onetwo"
    assert undo("gzip", gzip.compress(PLAIN, mtime=0) + bytes(100), strict=False) == PLAIN
    assert undo("deflate", zlib.compress(PLAIN) + b"tail", 7, strict=False) == PLAIN
    decoder = decoders()["br"]()
    assert b"".join(decoder.pieces(brotli.compress(PLAIN))) == PLAIN
    assert list(decoder.pieces(b"tail")) == []
    assert decoder.ended


def test_skippable_frames_are_refused_by_a_strict_reader() -> None:
    """RFC 8878, 3.1.2: they hold what one reader skips and another may not."""
    skippable = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    with pytest.raises(DecodeError):
        undo("zstd", skippable + zstd.compress(b"one"))
    assert undo("zstd", skippable + zstd.compress(b"one"), strict=False) == b"one"


@pytest.mark.parametrize(("log", "fits"), [(20, True), (23, True), (24, False), (27, False)])
def test_a_frame_of_zstandard_needs_no_window_of_more_than_8_mib(log: int, fits: bool) -> None:
    """RFC 9659, 3: else the client would choose how much memory it takes."""
    encoder = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    body = encoder.compress(b"x", mode=encoder.FLUSH_BLOCK) + encoder.flush()
    if fits:
        assert undo("zstd", body) == b"x"
    else:
        with pytest.raises(DecodeError):
            undo("zstd", body)


@every_coding
@both_ways
@pytest.mark.parametrize("body", [b"no such coding", b"\xff" * 50, bytes(50)], ids=range(3))
def test_other_bytes_are_no_coding(name: str, strict: bool, body: bytes) -> None:
    """Told with an error that has nothing of them in it."""
    coding, _ = ENCODERS[name]
    with pytest.raises((DecodeError, EOFError)) as raised:
        undo(coding, body, strict=strict)
    assert raised.value.__cause__ is None
    assert "no such" not in str(raised.value)


@every_coding
def test_a_checksum_or_a_bit_that_is_wrong_is_noticed_or_changes_nothing(name: str) -> None:
    """No exception of a library's own leaves."""
    coding, encode = ENCODERS[name]
    body = encode(PLAIN)
    for at in range(len(body)):
        broken = body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :]
        with suppress(DecodeError, EOFError):
            undo(coding, broken)


def test_a_preset_dictionary_is_refused() -> None:
    """RFC 1950, 2.2: it is not in the body, so that nobody can say what it decodes to."""
    deflate = zlib.compressobj(zdict=b"a word")
    body = deflate.compress(b"a word and a word") + deflate.flush()
    with pytest.raises(DecodeError):
        undo("deflate", body)


def test_a_strict_reader_takes_ten_thousand_members_and_no_more() -> None:
    """An empty member is 20 bytes, and each costs the time to begin one."""
    empty = gzip.compress(b"", mtime=0)
    assert undo("gzip", empty * 10_000, 4096) == b""
    with pytest.raises(DecodeError, match="members"):
        undo("gzip", empty * 10_001, 4096)
    assert undo("gzip", empty * 10_001, 4096, strict=False) == b""


@pytest.mark.parametrize(
    ("module", "coding"),
    [("brotli", "br"), ("backports.zstd", "zstd"), ("compression.zstd", "zstd")],
)
def test_without_its_library_a_coding_is_unknown(
    module: str, coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are extras; Python has Zstandard itself from 3.14 on."""
    needed = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    monkeypatch.setitem(sys.modules, module, None)
    known = decoders()
    assert (coding in known) is (coding == "zstd" and module != needed)
    assert {"gzip", "x-gzip", "deflate"} <= known.keys()
