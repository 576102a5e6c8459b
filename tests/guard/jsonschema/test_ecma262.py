"""Patterns: read as JavaScript reads them, and as is plain where it reads nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.guard.jsonschema import SchemaCompiler, SchemaError
from mantlet.guard.jsonschema.ecma262 import read_pattern
from tests.guard.jsonschema.asking import compiled, faults, wrong

DATA = Path(__file__).parent / "data"
KNOWN: dict[str, Any] = json.loads((DATA / "pattern_facts.json").read_text())
FACTS: list[dict[str, Any]] = KNOWN["facts"]
VALID = [fact for fact in FACTS if fact["flag"] is not None]
MALFORMED = [fact["pattern"] for fact in FACTS if fact["flag"] is None]


def texts(fact: dict[str, Any]) -> list[str]:
    """Return the texts that a fact is about."""
    all_texts: list[str] = KNOWN["texts"]
    return [one for one in all_texts if fact["flag"] == "u" or max(one, default="") < "\U00010000"]


@pytest.mark.parametrize("fact", VALID, ids=lambda fact: ascii(fact["pattern"]))
def test_patterns_match_what_they_match_in_javascript(fact: dict[str, Any]) -> None:
    """With the flag u, or without it where they are valid only so."""
    schema = SchemaCompiler({}, version="3.1", regex_lookaround="bounded").compile(
        {"pattern": fact["pattern"]}
    )
    assert [text for text in texts(fact) if not wrong(schema, text)] == fact["matches"]


@pytest.mark.parametrize("pattern", MALFORMED, ids=ascii)
def test_what_javascript_does_not_read_is_refused(pattern: str) -> None:
    """Such as possessive quantifiers, atomic groups and flags within."""
    compiler = SchemaCompiler({}, version="3.1", regex_lookaround="bounded")
    with pytest.raises(SchemaError, match="is not a valid regular expression"):
        compiler.compile({"pattern": pattern})


def test_the_facts_are_those_of_the_script() -> None:
    """As node says today, where it is installed."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here: install it to have the facts compared")
    run = subprocess.run(
        [node, str(DATA / "pattern_facts.js")], capture_output=True, check=True, timeout=60
    )
    assert json.loads(run.stdout) == KNOWN


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        (r"\Aab\z", ["ab"], ["xab", "abx", "ab\n"]),
        (r"^(?P<x>a)$", ["a"], ["b"]),
        (r"(?i)^abc$", ["ABC", "abc"], ["x"]),
        (r"^\p{Alnum}+$", ["aZ9"], ["é", "_"]),
        (r"^[\p{Alnum}_]+$", ["aZ9_"], ["é"]),
        (r"^[^\p{Punct}]$", ["a", "é"], ["!", "~"]),
        (r"^\P{XDigit}$", ["g"], ["f", "F", "0"]),
        (r"^[[:alpha:]_]+$", ["ab_"], ["1", ":"]),
        (r"^[[:^digit:]]$", ["a"], ["1"]),
        (r"^\pL$", ["é"], ["1"]),
        (r"^[\x{60}a]$", ["`"], ["x", "6"]),
    ],
)
def test_what_other_languages_read_is_read_where_it_is_plain(
    pattern: str, matched: list[str], not_matched: list[str]
) -> None:
    """JavaScript reads it in a way that nobody means, or not at all."""
    assert read_pattern(pattern).is_lenient
    schema = compiled({"pattern": pattern})
    assert [text for text in (*matched, *not_matched) if not wrong(schema, text)] == matched


@pytest.mark.parametrize(
    "pattern",
    [r"\h", r"\R", r"\Qa\E", r"\G", r"\K", r"\e", r"\i\c*", r"\8", r"[\1]", r"\p{}", r"\u{110000}"],
)
def test_what_is_not_plain_is_refused(pattern: str) -> None:
    """JavaScript takes some of it for letters, which nobody means."""
    with pytest.raises(SchemaError, match="is not a valid regular expression"):
        compiled({"pattern": pattern})


def test_the_pattern_is_reported_as_written() -> None:
    """And not as the engine has it."""
    (fault,) = faults(compiled({"pattern": r"^[\w-\.]$"}), "s3cret")
    assert fault.detail == r'Must match the pattern "^[\\w-\\.]$"'


def test_names_of_properties_are_matched_as_well() -> None:
    """Also by two patterns that the engine has in one way."""
    schema = compiled(
        {
            "patternProperties": {r"^\_": {"type": "string"}, r"^\@": {"type": "string"}},
            "additionalProperties": False,
        }
    )
    assert wrong(schema, {"_a": "", "@b": ""}) == []
    assert wrong(schema, {"_a": 1}) == [("/_a", "type")]
    assert wrong(schema, {"-a": 1}) == [("/-a", "additionalProperties")]
    same = compiled({"patternProperties": {r"^\_": {"minLength": 2}, r"^\_{1}": {}, r"^[\_]": {}}})
    assert wrong(same, {"_": "a"}) == [("/_", "minLength")]
    merged = compiled({"patternProperties": {r"\-": {"minLength": 2}, r"-\u002d?\-": {}}})
    assert wrong(merged, {"-": "a"}) == [("/-", "minLength")]


def test_what_is_read_leniently_is_noted() -> None:
    """And counts as checked."""
    schema = {"properties": {"a": {"pattern": r"\_"}, "b": {"pattern": r"\."}}}
    found = SchemaCompiler({}, version="3.1").coverage([("", schema)])
    assert [one.pointer for one in found.unchecked] == ["/properties/a/pattern"]
    assert "with the flag u" in found.unchecked[0].message
    assert "pattern" in found.checked


@given(st.text(alphabet="ab(|)[]{}*+?.^$\\-,1dwsbpkPu<>=!:", max_size=12))
def test_any_text_is_a_pattern_or_is_refused(pattern: str) -> None:
    """With a reason; and what is taken runs in linear time unless the option says otherwise."""
    try:
        schema = compiled({"pattern": pattern})
    except SchemaError:
        return
    assert wrong(schema, "ab" * 1000) in ([], [("", "pattern")])


@pytest.mark.parametrize("pattern", ["(" * 5_000 + ")" * 5_000, "[" * 50_000, "(?<a" * 9_999])
def test_patterns_that_are_too_deep_are_refused(pattern: str) -> None:
    """Without a limit of the machine."""
    with pytest.raises(SchemaError, match="is not a valid regular expression"):
        compiled({"pattern": pattern})
