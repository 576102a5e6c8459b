"""Patterns: matched as ECMA-262 says, in time that has a bound."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.jsonschema import SchemaCompiler, SchemaError
from mantlet.guard.jsonschema.backtracking import MAX_LENGTH
from tests.guard.jsonschema.asking import VERSIONS, compiled, document, faults, wrong


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        (r"^\d$", ["1"], ["٣", "12"]),  # \d is ASCII's only
        (r"^\w$", ["a", "_"], ["é"]),
        (r"^\s$", [" ", "\u00a0", "\ufeff", "\u2029"], ["a"]),
        (r"^a$", ["a"], ["a\n", "\na"]),  # $ is the end, and not before a newline at the end
        (r"^.$", ["😀"], ["\n", "\u2028", "ab"]),  # one character is one code point
        (r"^\u00e9\/\-$", ["é/-"], ["e/-"]),
        (r"\p{L}", ["é"], ["1"]),
        (r"^\cA$", ["\x01"], ["cA"]),
        ("b", ["abc"], ["a"]),  # a pattern is not anchored
    ],
)
def test_they_are_those_of_ecma_262(
    pattern: str, matched: list[str], not_matched: list[str]
) -> None:
    """With Unicode, as JSON Schema 2020-12 Core, 6.4 wants them."""
    made = compiled({"pattern": pattern})
    assert [wrong(made, text) for text in matched] == [[] for _ in matched]
    assert all(wrong(made, text) == [("", "pattern")] for text in not_matched)


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"^(a|aa)+$", r"^(.*)*x$"])
def test_they_take_linear_time(pattern: str) -> None:
    """Those that take Python's engine years are over at once."""
    assert wrong(compiled({"pattern": pattern}), "a" * 50_000 + "!") == [("", "pattern")]


LOOKING = [r"^(?=a).$", r"^(?!a)", r"(?<=a)b", r"(?<!a)b", r"(.)\1"]


@pytest.mark.parametrize("version", [*VERSIONS, None])
@pytest.mark.parametrize("pattern", LOOKING)
def test_lookaround_and_back_references_are_refused_with_their_place(
    version: Any, pattern: str
) -> None:
    """Each with its pointer, and all at once."""
    schemas = {"A": {"items": {"pattern": pattern}}, "B/C": {"patternProperties": {pattern: {}}}}
    compiler = SchemaCompiler(document(**schemas), version=version)
    with pytest.raises(SchemaError) as caught:
        compiler.compile(
            {"allOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("A", "B~1C")]}
        )
    pointers = sorted(problem.pointer for problem in caught.value.problems)
    escaped = pattern.replace("~", "~0").replace("/", "~1")
    assert pointers == [
        "/components/schemas/A/items/pattern",
        f"/components/schemas/B~1C/patternProperties/{escaped}",
    ]
    assert 'regex_lookaround="bounded"' in str(caught.value)


def test_what_is_wrong_is_reported_each_time() -> None:
    """A schema that refers to what was found wrong before is no better."""
    compiler = SchemaCompiler(document(A={"pattern": "("}), version="3.1")
    for _ in range(2):
        with pytest.raises(
            SchemaError, match="the pattern '\\(' is not a valid regular expression"
        ):
            compiler.compile({"$ref": "#/components/schemas/A"})


@pytest.mark.parametrize(
    ("pattern", "right", "bad"),
    [*zip(LOOKING, ["a", "b", "ab", "cb", "aa"], ["b", "a", "bb", "ab", "ab"], strict=True)],
)
def test_they_are_matched_by_option(pattern: str, right: str, bad: str) -> None:
    """With a bound on steps back."""
    made = SchemaCompiler({}, version="3.1", regex_lookaround="bounded").compile(
        {"pattern": pattern}
    )
    assert wrong(made, right) == []
    assert wrong(made, bad) == [("", "pattern")]


#: It takes 2^n steps for n letters.
SLOW = r"^(?:(a+)+)\1x$"


def test_a_pattern_over_its_bound_refuses() -> None:
    """A value that can't be matched in time is not let through."""
    made = SchemaCompiler({}, version="3.1", regex_lookaround="bounded").compile({"pattern": SLOW})
    assert wrong(made, "aax") == []
    assert wrong(made, "a" * 5_000 + "x" + "b") == [("", "pattern")]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?=.*b)a", "a"),
        (r"^(?:(?=.*b).)*", "a"),
        (r"^(?:(?!--)[a-z])*[a-z]*b$", "a"),
        (r"^(?=.*a).|(?=.*b).", "a"),
        (r"^(?=(?:(?=.*b)a)*)a", "a"),
        (r"(?<=a.*)b", "a"),
        (r"(?i)^(?=.*B)A", "a"),
        (r"^(a)\1", "a"),
    ],
)
def test_a_pattern_that_may_read_a_text_at_each_place_is_for_short_texts(
    pattern: str, text: str
) -> None:
    """Steps back are counted, but not what the engine reads in each of them."""
    made = SchemaCompiler({}, version="3.1", regex_lookaround="bounded").compile(
        {"pattern": pattern}
    )
    assert wrong(made, text * (MAX_LENGTH - 1) + "b") == []
    assert wrong(made, text * MAX_LENGTH + "b") == [("", "pattern")]


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?=.*[A-Z])(?=.*\d).{8,}$",
        r"^(?!\s*$).+",
        r"^(?!.*(?:foo|\)).*$)(?:a|A|1)*$",
        "^(?![|)]x)[|aA1]*$",
    ],
)
def test_a_pattern_that_looks_ahead_once_is_for_all_texts(pattern: str) -> None:
    """It reads a text once for each lookahead."""
    made = SchemaCompiler({}, version="3.1", regex_lookaround="bounded").compile(
        {"pattern": pattern}
    )
    assert wrong(made, "aA1" * 10_000) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"pattern": SLOW}},
        {"if": {"pattern": SLOW}, "then": False},
        {"oneOf": [{"pattern": SLOW}, True]},
        {"contains": {"pattern": SLOW}, "maxContains": 1},
        {"patternProperties": {SLOW: False}},
        {"not": {"$ref": "#/components/schemas/Slow"}},
        {"oneOf": [{"allOf": [{"items": {"$ref": "#/components/schemas/Slow"}}]}]},
    ],
)
def test_where_not_matching_lets_through_they_are_refused_in_any_case(schema: Any) -> None:
    """As a pattern over its bound is one that does not match."""
    compiler = SchemaCompiler(
        document(Slow={"pattern": SLOW}), version="3.1", regex_lookaround="bounded"
    )
    with pytest.raises(SchemaError, match="is used where a failed match may accept a value"):
        compiler.compile(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"pattern": SLOW}]},
        {"anyOf": [{"pattern": SLOW}, False]},
        {"properties": {"a": {"pattern": SLOW}}},
        {"propertyNames": {"pattern": SLOW}},
        {"then": {"pattern": SLOW}, "if": True},
    ],
)
def test_elsewhere_they_refuse(schema: Any) -> None:
    """In whatever they stand."""
    made = SchemaCompiler({}, version="3.1", regex_lookaround="bounded").compile(schema)
    text = "a" * 5_000 + "xb"
    assert wrong(made, {"a": text} if "properties" in schema else text) or wrong(made, {text: 1})


def test_a_pattern_is_reported_and_cut() -> None:
    """It is the document's own; the value is not told."""
    (fault,) = faults(compiled({"pattern": "^x$"}), "s3cret")
    assert fault.detail == 'Must match the pattern "^x$"'
    (fault,) = faults(compiled({"pattern": "x" * 1000}), "s3cret")
    assert len(fault.detail) < 250


def test_an_option_that_is_invalid_is_reported() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match='regex_lookaround must be "refuse" or "bounded"'):
        SchemaCompiler({}, regex_lookaround="allow")  # type: ignore[arg-type]  # what the test is about
