"""The bounds of a text are found before it is parsed, in linear time and little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard import BodyLimits
from mantlet.guard.bodies import json_limits
from mantlet.guard.bodies.json_limits import FOLDING, JsonLimits, hide_escapes, without_strings
from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import ValidationFailed
from tests.guard.bodies.jsonmodel import broken
from tests.guard.bodies.jsontexts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

WIDE = 10**9


def code(text: bytes, **options: Any) -> str | None:
    return JsonLimits(BodyLimits(**options)).violation(text, text.translate(FOLDING, b"+"))


# -- what a text is made of -----------------------------------------------------------------------


@settings(max_examples=60)
@given(TEXTS)
def test_a_plain_text_has_the_same_strings_with_no_quotes_in_them(text: bytes) -> None:
    """Of as many characters, between the same quotes."""
    made = hide_escapes(text)
    assert len(made) == len(text)
    assert b'\\"' not in made
    assert b"\\\\" not in made
    for string in made.split(b'"')[1::2]:
        json.loads(b'"' + string + b'"')


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([b"", b"[", b" , "]), st.sampled_from([b"", b"]", b"abc"])))
)
def test_outside_of_strings_is_what_stands_between_them(pieces: list[tuple[bytes, bytes]]) -> None:
    """Also where a piece of the text ends within a string."""
    text = b"".join(out + b'"' + string + b'"' for out, string in pieces)
    for piece in (1, 2, 3, 7, 1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_limits, "_PIECE", piece)
            assert without_strings(text) == b"".join(out for out, _ in pieces)


# -- what is counted ------------------------------------------------------------------------------


def test_a_text_within_the_upper_bounds_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text has more items than it has commas, and one more."""
    monkeypatch.setattr(json_limits, "hide_escapes", None)
    assert code(b"[1,2]", items=2, members=2, string=5) is None


@pytest.mark.parametrize("effort", [0, 1, 6, 1000])
@settings(max_examples=60)
@given(TEXTS, st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_containers_are_counted_alike_however_much_they_are_shortened(
    effort: int, text: bytes, depth: int, members: int, items: int
) -> None:
    """Walking is slow and shortening is not; which is done must not show."""
    containers = {"json_depth", "json_members", "json_items"}
    limits: dict[str, Any] = {"depth": depth, "members": members, "items": items}
    expected = broken(text, BodyLimits(**limits, digits=4300))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_limits, "_EFFORT", effort)
        found = code(text, **limits, digits=4300)
    assert expected is not None
    assert (found in expected) if expected & containers else (found not in containers)


SHAPES = st.recursive(
    st.just(b"1"),
    lambda values: st.tuples(st.booleans(), st.lists(values, min_size=1, max_size=4)).map(
        lambda made: (
            b"[" + b",".join(made[1]) + b"]"
            if made[0]
            else b"{" + b",".join(b'"%d":%b' % pair for pair in enumerate(made[1])) + b"}"
        )
    ),
    max_leaves=60,
)


@settings(max_examples=200)
@given(SHAPES, st.integers(1, 8), st.integers(1, 5), st.integers(1, 5), st.sampled_from([0, 40]))
def test_containers_of_every_shape_are_counted(
    text: bytes, depth: int, members: int, items: int, effort: int
) -> None:
    """However deep they are, and wherever."""
    limits: dict[str, Any] = {"depth": depth, "members": members, "items": items}
    expected = broken(text, BodyLimits(**limits))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_limits, "_EFFORT", effort)
        patch.setattr(json_limits, "_START", 0)
        found = code(text, **limits)
    assert expected is not None
    assert (found in expected) if expected else (found is None)


@pytest.mark.parametrize("depth", [1, 2, 3, 10, 31, 32, 33, 199, 200])
@pytest.mark.parametrize("effort", [0, 6, 1000])
@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b"[[],", b"]"), (b'{"a":{},"b":', b"}"), (b"[1,", b"]")]
)
def test_depth_is_counted_exactly(
    depth: int, effort: int, opening: bytes, closing: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With something shallow beside it, in a text that is long for it or not."""
    monkeypatch.setattr(json_limits, "_EFFORT", effort)
    for beside in (b"", b",[[]]" * 500):
        allowed = b"[" + opening * (depth - 1) + b"[]" + closing * (depth - 1) + beside + b"]"
        refused = b"[" + opening * depth + b"[]" + closing * depth + beside + b"]"
        if depth < 200 and depth > 1:
            assert code(allowed, depth=depth + 1) is None
        assert code(refused, depth=depth + 1 if depth < 200 else 200) == "json_depth"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"]" * 9 + b"[]]" * 9, None),
        (b",,,,,,,,", None),
        (b"[1]],,,,,,", None),
        (b"[[{{,,,,[]}]", "json_members"),
        (b"[{},[],,,,,", "json_items"),
        (b'"[[[[[[', None),
        (b'"\\"[[[[[[', None),
        (b'"' + b"a" * 99, None),
        (b'"\\x' + b"a" * 99 + b'"', None),
        (b"1e400e400", None),
        (b"1e-400-1e400", None),
        (b"e400", None),
        (b".e400", None),
        (b"1ee400", None),
        (b"--1e400", None),
        (b"[1e400,x", "json_number"),
        (b"[1e5,-1.5E+0400]", "json_number"),
    ],
)
def test_what_is_no_json_is_left_to_the_parser(text: bytes, found: str | None) -> None:
    """But for a bound that it breaks where it still is."""
    assert code(text, depth=5, items=4, members=4, string=50) == found


def test_integers_of_any_length_are_no_doubles() -> None:
    """Beside numbers that are, and long ones that are not large."""
    ones = b"1" * 400
    text = b"[%b,0.%b,1e300,1e-%b,1e0000]" % (ones, ones, ones)
    assert code(text, digits=4300) is None
    assert code(text + b"," + ones + b".0", digits=4300) == "json_number"


def test_many_numbers_are_read_piece_by_piece() -> None:
    """And the last one counts."""
    assert code(b"[" + b"1e100," * 5000 + b"1e307]") is None
    assert code(b"[" + b"1e100," * 5000 + b"1e309]") == "json_number"


# -- how long it takes ----------------------------------------------------------------------------


def worst(size: int) -> Iterator[bytes]:
    """Yield texts that are long to look through, for one reason or another."""

    def repeat(unit: bytes, before: bytes = b"") -> bytes:
        return before + unit * (size // len(unit))

    yield from map(
        repeat, [b"[", b'{"a":', b",", b'"', b"\\", b"1", b"e", b"[1,[1,", b"]", b"0e000,"]
    )
    yield repeat(b"\\", b'"')
    yield repeat(b'"\\"",', b"[")
    yield repeat(b"[],", b"[")
    yield repeat(b"1e111,", b"[")
    yield repeat(b"[" * 31 + b"]" * 31 + b",", b"[")
    # No two leaves that follow each other are alike, nor are those around them.
    kinds = b",".join(b"[" + b"1," * width + b"1]" for width in range(40))
    yield repeat(kinds + b",", b"[")
    yield repeat(b"[[[],{}],{},[[]]],", b"[")


@pytest.mark.parametrize(
    "limits", [{}, {"items": WIDE}, {"items": WIDE, "members": 2, "string": 3}]
)
def test_the_work_is_linear(limits: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are gone through so many times, and walked once."""
    gone = 0

    class Counted(bytes):
        """Bytes that count what goes through them."""

        def replace(self, old: Any, new: Any, count: Any = -1) -> Counted:
            nonlocal gone
            gone += len(self)
            return Counted(super().replace(old, new, count))

        def translate(self, table: Any, /, delete: Any = b"") -> Counted:
            nonlocal gone
            gone += len(self)
            return Counted(super().translate(table, delete))

    monkeypatch.setattr(json_limits, "without_strings", lambda text: Counted(without_strings(text)))
    bounds = JsonLimits(BodyLimits(**limits))
    for text in worst(20_000):
        gone = 0
        bounds.violation(Counted(text), text.translate(FOLDING, b"+"))
        assert gone <= 20 * len(text)


MEASURED = """
import sys
from benchmarks.machine import most_memory
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.bodies.strict_json import StrictJson

before = most_memory()
text = eval(sys.argv[1])
try:
    StrictJson(BodyLimits(body=10**9)).parse(text)
except ValidationFailed as invalid:
    print(invalid.errors[0].code, (most_memory() - before) / len(text))
"""


@pytest.mark.few_cases(2)
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("b'[' * 1_000_000 + b']' * 1_000_000", "json_depth"),
        ("b'{' + b'\"name\":1,' * 10_000_000 + b'\"name\":1}'", "json_members"),
        ("b'[' + b'1e111,' * 5_000_000 + b'1]'", "json_items"),
        ("b'{' * 30_000_000", "json_depth"),
        ("b'[\"' + b'\\\\\\\\\\\\\"' * 10_000_000 + b'\"]'", "json_string"),
        ("b'[' + b'[],' * 10_000_000 + b'1]'", "json_items"),
    ],
)
def test_a_flood_is_refused_in_a_few_times_its_memory(text: str, found: str) -> None:
    """A million nested arrays, ten million members: no value is made of them.

    The text itself, and what it is put together of, are counted as well.
    """
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, text], capture_output=True, check=True, text=True
    )
    name, times = run.stdout.split()
    assert name == found
    assert float(times) <= 5


def test_arrays_and_objects_are_counted_before_they_are_made() -> None:
    """Each takes two bytes and 50 bytes of memory; those in strings are none."""
    parse = StrictJson(BodyLimits(checks=1_000)).parse
    wide = json.dumps([[[]] * 100] * 11).encode()
    with pytest.raises(ValidationFailed) as failure:
        parse(wide)
    assert [(error.code, failure.value.status) for error in failure.value.errors] == [
        ("json_checks", 400)
    ]
    assert failure.value.errors[0].detail == "Needs too many checks"
    parse(json.dumps([[[]] * 100] * 9).encode())
    parse(json.dumps(['[{"' * 1_000]).encode())
