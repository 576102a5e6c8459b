"""Every regular expression of the package takes linear time.

Each is given texts that its own characters make up, repeated, and one that lets it fail at the end.
Only growth is looked at: eight times the text may take forty times as long, where quadratic time
would be sixty-four times, and only once it takes long enough to tell. No text of a few dozen
characters may take as long, so an exponential one is found too.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from re import _constants as codes  # type: ignore[attr-defined]  # not in the stubs
from re import _parser as parser  # type: ignore[attr-defined]  # not in the stubs
from time import thread_time
from typing import TYPE_CHECKING, Any, Final

import pytest

import mantlet

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What reads only an operator's settings, which need not be linear.
SETTINGS: Final = (
    "mantlet.guard.openapi.",
    "mantlet.http.routing.patterns",
    "mantlet.ratelimit.quota",
    "mantlet.ratelimit.stores.",
    "mantlet.sanitize.headers.security",
    "mantlet.secrets.",
)
METHODS: Final = ("fullmatch", "match", "search", "finditer", "findall", "split", "sub")
SOURCES: Final = {path: path.read_text() for path in Path(mantlet.__file__).parent.rglob("*.py")}
#: How often a unit is repeated.
COUNTS: Final = (8, 12, 16, 18, 20, 22, 24, 26, 28, 30, 32, 64, 2048, 16_384)
#: Seconds that a growth must take to be believed.
LEAST: Final = 0.05
#: How often a text that took long is measured again: the collection of garbage takes time too.
AGAIN: Final = 8


def expressions() -> dict[str, re.Pattern[Any]]:
    """Return the expressions that modules and classes of the package hold, by where they are."""
    found: dict[str, re.Pattern[Any]] = {}
    for module in walk_packages(mantlet.__path__, "mantlet."):
        if module.name.startswith(SETTINGS) or module.name.endswith("__main__"):
            continue
        for name, value in vars(import_module(module.name)).items():
            for index, one in enumerate(within(value)):
                if not any(one is other for other in found.values()):
                    found[f"{module.name}.{name}{f'[{index}]' if index else ''}"] = one
    return found


def within(value: Any, depth: int = 3) -> Iterator[re.Pattern[Any]]:
    """Iterate over the expressions in a value, also in containers and in slots of objects."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict) and depth and value is not sys.modules:
        for inner in value.values():
            yield from within(inner, depth - 1)
    elif isinstance(value, (tuple, list, frozenset)) and depth:
        for inner in value:
            yield from within(inner, depth - 1)
    elif hasattr(value, "__self__") and isinstance(value.__self__, re.Pattern):
        yield value.__self__
    elif type(value).__module__.startswith("mantlet.") and depth:
        for name in getattr(type(value), "__slots__", ()):
            yield from within(getattr(value, name, None), depth - 1)


EXPRESSIONS: Final = expressions()


def methods(where: str) -> list[str]:
    """Return the methods that the package calls on an expression."""
    module, _, name = where.partition("[")[0].rpartition(".")
    own = import_module(module).__file__
    called = {
        found
        for path, text in SOURCES.items()
        if str(path) == own or not name.startswith("_")
        for found in re.findall(rf"\b{re.escape(name)}(?:\[[^\]]*\])?\.(\w+)\b", text)
    }
    return sorted(called & set(METHODS)) or ["match"]


def letters(tree: Any) -> Iterator[int]:
    """Iterate over characters that occur in a parsed expression, one or two of each class."""
    for code, argument in tree:
        if code in (codes.LITERAL, codes.NOT_LITERAL):
            yield argument
        elif code is codes.IN:
            for inner, what in argument[:6]:
                if inner is codes.LITERAL:
                    yield what
                elif inner is codes.RANGE:
                    yield what[0]
                elif inner is codes.CATEGORY:
                    yield ord(" " if what is codes.CATEGORY_SPACE else "a")
        elif code is codes.ANY:
            yield ord("a")
        else:
            for inner in branches(code, argument):
                yield from letters(inner)


def branches(code: Any, argument: Any) -> list[Any]:
    """Return the expressions within a group, a repetition, an assertion or alternatives."""
    if code is codes.BRANCH:
        return list(argument[1])
    if code is codes.ATOMIC_GROUP:
        return [argument]
    if code is codes.SUBPATTERN or "REPEAT" in str(code) or "ASSERT" in str(code):
        return [argument[-1]]
    return []


def texts(pattern: re.Pattern[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Iterate over beginnings, units and ends of texts that could cost much."""
    found = list(letters(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)))
    alphabet = list(dict.fromkeys(chr(code) for code in found if code < 256))[:8]
    alphabet += [letter for letter in ('"', "\\", " ", "a") if letter not in alphabet]
    whole = "".join(chr(code) for code in found if code < 256)
    units = [*alphabet, *(one + other for one in alphabet[:5] for other in alphabet[-6:])]
    units += [whole, whole[: len(whole) // 2]]
    for unit in filter(None, units):
        for begin in ("", alphabet[0]):
            for end in ("", "\x00"):
                if isinstance(pattern.pattern, str):
                    yield begin, unit, end
                else:
                    yield begin.encode("latin-1"), unit.encode("latin-1"), end.encode()


def seconds(pattern: re.Pattern[Any], method: str, text: Any) -> float:
    """Return the CPU time of a call."""
    arguments = (text[:0], text) if method == "sub" else (text,)
    start = thread_time()
    result = getattr(pattern, method)(*arguments)
    if method == "finditer":
        for _ in result:
            pass
    return thread_time() - start


def growth_fault(pattern: re.Pattern[Any], method: str) -> tuple[Any, int, float] | None:
    """Return a text whose time grows faster than its size, with the size and the time."""
    for begin, unit, end in texts(pattern):
        before = 0.0
        for count in COUNTS:
            measure = partial(seconds, pattern, method, begin + unit * count + end)
            taken = measure()
            most = LEAST if count <= 64 else 40 * max(before, LEAST / 40)
            for _ in range(AGAIN):
                if taken <= most:
                    break
                taken = min(taken, measure())
            if taken > most:
                return begin + unit + end, count, taken
            before = taken if count != COUNTS[-2] else min(taken, *(measure() for _ in range(2)))
    return None


@pytest.mark.few_cases(24)
@pytest.mark.parametrize("where", sorted(EXPRESSIONS))
def test_the_time_of_an_expression_grows_as_its_text(where: str) -> None:
    """By each method that is called on it."""
    for method in methods(where):
        assert growth_fault(EXPRESSIONS[where], method) is None, EXPRESSIONS[where].pattern


@pytest.mark.slow
@pytest.mark.few_cases(2)
@pytest.mark.parametrize(
    ("source", "method"),
    [
        (r"(?:a|a)*b", "match"),
        (r"(a+)+b", "match"),
        (r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', "findall"),
        (r",(?=[^\"]*(?:\"[^\"]*\"[^\"]*)*$)", "split"),
        (r"\s+$", "search"),
    ],
)
def test_an_expression_that_backtracks_is_found(source: str, method: str) -> None:
    """Else the test above would say little; the third is what read ``Accept`` once."""
    assert growth_fault(re.compile(source, re.DOTALL), method) is not None


def test_the_expressions_are_found() -> None:
    """Those of headers, of bodies and of responses."""
    assert len(EXPRESSIONS) > 80
    assert sys.modules["mantlet.guard.bodies.forms.file_signatures"] is not None
    for where in ("mantlet.http.media_types._SEPARATORS", "mantlet.http.html.complexity._TOKEN"):
        assert where in EXPRESSIONS
