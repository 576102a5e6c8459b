"""The search for many byte strings at once, against the plain way to do it."""

import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mantlet.redact import literal_search
from mantlet.redact.literal_search import LiteralSearch, build_test

ALPHABET = st.sampled_from("ab")
PATTERNS = st.lists(st.text(ALPHABET, min_size=1, max_size=6).map(str.encode), max_size=12)
DATA = st.text(ALPHABET, max_size=40).map(str.encode)


def places(patterns: list[bytes], data: bytes) -> set[tuple[int, int, int]]:
    return {
        (index, at, at + len(pattern))
        for index, pattern in enumerate(patterns)
        for at in range(len(data))
        if data.startswith(pattern, at)
    }


@given(PATTERNS, DATA)
def test_every_place_of_every_pattern_is_found(patterns: list[bytes], data: bytes) -> None:
    """Also where patterns overlap, or are given twice."""
    matcher = LiteralSearch(patterns)
    expected = places(patterns, data)
    found = matcher.find(data)
    assert set(found) == expected
    assert len(found) == len(expected)
    assert [hit[1] for hit in found] == sorted(hit[1] for hit in found)
    assert bool(matcher.hits(data)) == bool(expected)


@given(PATTERNS, DATA)
def test_the_tail_is_the_longest_that_a_pattern_begins_with(
    patterns: list[bytes], data: bytes
) -> None:
    """And not one byte more, for what is held back waits for the next chunk."""
    expected = max(
        (
            size
            for size in range(1, len(data) + 1)
            for pattern in patterns
            if len(pattern) > size and pattern.startswith(data[-size:])
        ),
        default=0,
    )
    assert LiteralSearch(patterns).tail(data) == expected


@pytest.fixture(params=["few", "hyperscan", "automaton"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let any number of literals be searched for in one way."""
    name: str = request.param
    monkeypatch.setattr(literal_search, "FEW", 10_000 if name == "few" else 0)
    if name != "hyperscan":
        monkeypatch.setitem(sys.modules, "hyperscan", None)
    return name


ANY_BYTES = st.sampled_from([0, 10, 32, 65, 66, 91, 92, 97, 98, 255])
LITERALS = st.lists(st.lists(ANY_BYTES, min_size=1, max_size=6).map(bytes), min_size=1, max_size=9)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LITERALS, st.lists(ANY_BYTES, max_size=60).map(bytes))
def test_all_engines_find_the_same(engine: str, literals: list[bytes], data: bytes) -> None:
    """Zero bytes, ends of lines and characters of expressions are bytes like others."""
    assert bool(build_test(literals)(data)) == any(one in data for one in literals)


def test_threads_search_at_the_same_time(engine: str) -> None:
    """A scan releases the interpreter's lock, and each one needs a scratch space of its own."""
    test = build_test([f"<secret {number}>".encode() for number in range(100)])
    clean = b"<secret >" * 20_000
    wrong: list[bytes] = []

    def search() -> None:
        for data, expected in [(clean, False), (clean + b"<secret 7>", True)] * 20:
            if bool(test(data)) is not expected:
                wrong.append(data[-20:])

    threads = [threading.Thread(target=search) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("count", [1, 60, 61, 2000])
def test_any_number_of_patterns_is_found(count: int) -> None:
    """However they are searched for."""
    patterns = [f"<pattern {number}>".encode() for number in range(count)]
    matcher = LiteralSearch(patterns)
    assert len(matcher) == count
    data = b"x".join(patterns)
    assert [hit[0] for hit in matcher.find(data)] == list(range(count))
    assert not matcher.hits(b"<pattern>" * 100)


def test_no_patterns_are_never_found() -> None:
    """An app without secrets, and with no rules."""
    matcher = LiteralSearch([])
    assert not matcher.hits(b"anything")
    assert matcher.find(b"anything") == []
    assert matcher.tail(b"anything") == 0


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (b"word", 0),
        (b"the s", 1),
        (b"s", 1),
        (b"it is", 0),
        (b"risk-", 0),
        (b"a sk-", 3),
        (b"(sk-", 3),
        (b"_sk-", 0),
        (b"pass", 4),
        (b"bypass", 4),
        (b"pas", 3),
    ],
)
def test_within_a_word_nothing_is_held_back_that_begins_one(data: bytes, held: int) -> None:
    """A key of a provider does, a secret may stand anywhere."""
    assert LiteralSearch([b"sk-proj-", b"password"], {b"sk-proj-"}).tail(data) == held
