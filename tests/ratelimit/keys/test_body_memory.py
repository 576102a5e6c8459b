"""A body that a key is read from is in memory once, and what is parsed of it besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet import RateLimiter, keys
from tests.drive import Adapter, both_adapters
from tests.guard.bodies.test_memory import ONCE, RAW, SIZE, THRICE, peak_of, pieces
from tests.uploads import PIECE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mantlet.ratelimit.keys.key import Key

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=limit-of-parts"
DELIMITER = b'\r\n--limit-of-parts\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b'
#: Fields of which a form consists, none of them large.
FIELDS = 600


def urlencoded(_padding: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a form with many fields."""
    yield b"user=alice"
    for number in range(FIELDS):
        yield b"&field%d=%b" % (number, b"x" * (SIZE // FIELDS))


def multipart(padding: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a form with a large field."""
    yield DELIMITER % (b"user", b"alice")
    yield DELIMITER % (b"note", b"")
    yield from padding
    yield b"\r\n--limit-of-parts--\r\n"


def one_field(padding: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a form with a large field."""
    yield b"user=alice&note="
    yield from padding


def escaped(_padding: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same with text that takes most to decode."""
    yield b"user=alice&note="
    yield from (b"+%41" * (PIECE // 4) for _ in range(SIZE // PIECE))


def wanted(padding: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a form whose field of the key is large."""
    yield DELIMITER % (b"user", b"")
    yield from padding
    yield b"\r\n--limit-of-parts--\r\n"


def document(padding: Iterator[bytes]) -> Iterator[bytes]:
    """Yield JSON with a large string."""
    yield b'{"user":"alice","note":"'
    yield from padding
    yield b'"}'


@both_adapters
@pytest.mark.parametrize("key", [keys.form, keys.field])
@pytest.mark.parametrize(
    ("kind", "body", "most"),
    [
        (URLENCODED, urlencoded, ONCE),
        (MULTIPART, multipart, ONCE),
        (URLENCODED, one_field, THRICE),
        (URLENCODED, escaped, ONCE + 6 * SIZE),
        (MULTIPART, wanted, THRICE + SIZE // 2),
    ],
    ids=["fields", "parts", "one field", "escaped", "the key's"],
)
def test_a_form_is_there_once_and_its_largest_field_besides(
    adapter: Adapter, key: Callable[..., Key], kind: str, body: Callable[..., Any], most: int
) -> None:
    """However much of it the limit allows."""
    limiter = RateLimiter("1000/minute", key=key("user", 8_000_000, missing="share"))
    peak, sink = peak_of(adapter, [limiter], kind=kind, body=lambda: body(pieces()))
    assert sink.size >= SIZE // PIECE * PIECE
    assert peak < most


@both_adapters
def test_a_body_of_another_type_is_searched_without_a_copy(adapter: Adapter) -> None:
    """Whatever its type."""
    limiter = RateLimiter("1000/minute", key=keys.form("user", 8_000_000))
    peak, sink = peak_of(adapter, [limiter], kind=RAW)
    assert sink.size == SIZE
    assert peak < ONCE


@both_adapters
def test_json_is_there_as_text_and_as_values_besides(adapter: Adapter) -> None:
    """Once each."""
    limiter = RateLimiter("1000/minute", key=keys.json("user", 8_000_000))
    peak, sink = peak_of(
        adapter, [limiter], kind="application/json", body=lambda: document(pieces())
    )
    assert sink.size > SIZE
    assert peak < THRICE
