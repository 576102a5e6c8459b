"""The search through streams: whatever the cuts, what comes out is what the whole would give."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchEnd, MatchFound, MatchResult
from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import StreamScan
from mantlet.redact.variants import SecretVariant

SECRET = b"sk_abcabcx"
BLANK_LINE = MatchEnd(re.compile(rb"\n\n"), 2)


@dataclass
class Block:
    """A literal, an x, and what goes on until a terminator: a rule as tracebacks have."""

    id: str = "block"
    fingerprint: None = None

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        if end == len(data):
            return NEED_MORE if more else NO_MATCH
        return MatchFound(start, end + 1, BLANK_LINE) if data[end : end + 1] == b"x" else NO_MATCH


def scanner(*secrets: bytes, block: bool = False) -> Scanner:
    matchers = [(secret, SecretVariant(secret)) for secret in secrets]
    return Scanner([*matchers, (b"BEGIN", Block())] if block else matchers)


class Told(list[tuple[str, bytes, int]]):
    def __call__(self, rule: str, _fingerprint: str | None, leak: bytes, at: int) -> None:
        self.append((rule, leak, at))


def streamed(scan: StreamScan, chunks: list[bytes]) -> bytes:
    out = [scan(chunk, True) for chunk in chunks]
    return b"".join(out) + scan(b"", False)


def splits(data: bytes) -> Iterator[list[bytes]]:
    for at in range(len(data) + 1):
        for second in range(at, len(data) + 1):
            yield [data[:at], data[at:second], data[second:]]
    yield [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (SECRET, b"*" * 10),
        (b"{" + SECRET + b"}", b"{**********}"),
        (b"sk_abcsk_abcabcx sk_abc", b"sk_abc********** sk_abc"),
        (SECRET * 2, b"*" * 20),
        (b"sk_abcabc", b"sk_abcabc"),
    ],
)
def test_a_secret_is_masked_over_any_two_cuts(data: bytes, expected: bytes) -> None:
    """Each byte of it, and none around it."""
    for chunks in splits(data):
        assert streamed(StreamScan(scanner(SECRET), Told()), chunks) == expected


@given(
    st.lists(st.text("ab", min_size=2, max_size=5).map(str.encode), min_size=1, max_size=4),
    st.lists(st.text("abc", max_size=8).map(str.encode), max_size=8),
)
def test_any_secrets_over_any_cuts(secrets: list[bytes], chunks: list[bytes]) -> None:
    """The same as a plain search through the whole."""
    data = b"".join(chunks)
    expected = bytearray(data)
    for secret in secrets:
        for at in range(len(data)):
            if data.startswith(secret, at):
                expected[at : at + len(secret)] = b"*" * len(secret)
    assert streamed(StreamScan(scanner(*secrets), Told()), chunks) == bytes(expected)


@given(st.lists(st.sampled_from([b"BEGI", b"N", b"x", b"\n", b"a", b"sk_abc", b"abcx", b"BEGINx"])))
def test_a_leak_that_goes_on_is_the_same_over_any_cuts(parts: list[bytes]) -> None:
    """Until its terminator, or the end of the body."""
    whole = StreamScan(scanner(SECRET, block=True), Told())(b"".join(parts), False)
    assert streamed(StreamScan(scanner(SECRET, block=True), Told()), parts) == whole
    assert SECRET not in whole
    assert b"BEGINx" not in whole


@given(st.lists(st.sampled_from([b"BEGI", b"N", b"x", b"\n\n", b"a", SECRET[:5], SECRET[5:]])))
def test_what_is_told_is_the_same_over_any_cuts(parts: list[bytes]) -> None:
    """Each leak once, at its place."""
    whole, cut = Told(), Told()
    StreamScan(scanner(SECRET, block=True), whole)(b"".join(parts), False)
    streamed(StreamScan(scanner(SECRET, block=True), cut), parts)
    assert [(rule, at) for rule, _, at in cut] == [(rule, at) for rule, _, at in whole]


def test_a_clean_chunk_is_the_same_object() -> None:
    """Nothing is copied for it."""
    chunk = b"clean text" * 100
    assert StreamScan(scanner(SECRET), Told())(chunk, False) is chunk
    assert StreamScan(scanner(SECRET), Told())(chunk, True) is chunk


def test_only_what_may_become_a_leak_is_held_back() -> None:
    """An event leaves with the chunk that it came in."""
    scan = StreamScan(scanner(SECRET), Told())
    assert scan(b"data: 1\n\n", True) == b"data: 1\n\n"
    assert scan(b"data: sk_ab", True) == b"data: "
    assert scan(b"d\n\n", True) == b"sk_abd\n\n"


def test_what_is_held_back_is_bounded() -> None:
    """However long a body that nearly matches goes on."""
    scan = StreamScan(scanner(SECRET, block=True), Told())
    sent = sum(len(scan(b"sk_abc" * 100, True)) for _ in range(100))
    assert sent >= 60_000 - len(SECRET)


def test_a_report_changes_nothing() -> None:
    """With masks=False leaks are told, and go out."""
    told = Told()
    scan = StreamScan(scanner(SECRET), told, masks=False)
    assert streamed(scan, [b"a" + SECRET[:4], SECRET[4:] + b"b"]) == b"a" + SECRET + b"b"
    assert told == [("secret", SECRET, 1)]


def test_a_long_secret_is_found_whole_or_not_at_all() -> None:
    """An automaton has its first 64 bytes; another value that begins with them is not it."""
    long = bytes(range(33, 127)) * 2
    for at in (1, 60, 64, 70, len(long) - 1):
        scan = StreamScan(scanner(long), Told())
        assert (
            streamed(scan, [b"a" + long[:at], long[at:] + b"b"]) == b"a" + b"*" * len(long) + b"b"
        )
        other = long[:-1] + b"?"
        assert streamed(StreamScan(scanner(long), Told()), [other[:at], other[at:]]) == other


def test_json_stays_json() -> None:
    """No escape is left without what it escapes, and no number becomes an asterisk."""
    scan = scanner(b"nabcdefg", b"4111111111111111")
    assert (
        StreamScan(scan, Told(), "application/json")(rb'{"a": "x\nabcdefg"}', False)
        == rb'{"a": "x*********"}'
    )
    # The backslashes too: in JSON that is a string in JSON they are those of the escape.
    assert (
        StreamScan(scan, Told(), "application/json")(rb'{"a": "\\nabcdefg"}', False)
        == rb'{"a": "**********"}'
    )
    number = b'{"n": 4111111111111111}'
    assert StreamScan(scan, Told(), "application/json")(number, False) == b'{"n": 9999999999999999}'
    for chunks in splits(rb'"x\nabcdefg"'):
        assert streamed(StreamScan(scan, Told(), "application/json"), chunks) == rb'"x*********"'
