"""YAML as OpenAPI has it."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml import BaseLoader

from mantlet.guard.openapi.yaml12 import YamlFindings, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # YAML 1.2.2, 10.3.2 and example 10.3; what YAML 1.1 reads otherwise.
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("2026-11-26", "2026-11-26"),
        ("12:30:45", "12:30:45"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("-12", -12),
        ("+3", 3),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.", 1.0),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("nul", "nul"),
        ("'true'", "true"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("[]", []),
        ("{a: }", {"a": None}),
        ("- 1\n- [2]", [1, [2]]),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    """Nothing is a date, and only ``true`` and ``false`` are booleans."""
    read = read_yaml(text)
    assert read == value
    assert type(read) is type(value)


def test_keys_are_texts_as_they_are_written() -> None:
    """A status is a key like any other."""
    read = read_yaml("200: a\non: b\ntrue: c\n1.50: d\n2026-01-01: e")
    assert list(read) == ["200", "on", "true", "1.50", "2026-01-01"]


def test_a_quoted_key_is_no_merge() -> None:
    """A member may be called that."""
    assert read_yaml("'<<': 1") == {"<<": 1}


def test_an_alias_is_what_it_stands_for() -> None:
    """An anchor's value is copied, so that a repair of one changes no other."""
    read = read_yaml("a: &x {b: 1}\nc: *x")
    assert read == {"a": {"b": 1}, "c": {"b": 1}}
    assert read["a"] is not read["c"]


def test_an_alias_is_checked_as_what_it_stands_for() -> None:
    """It may be a key, its faults are faults of its place, and its depth counts there."""
    assert read_yaml("[&x 1.50, {*x : 2}]") == [1.5, {"1.50": 2}]
    findings = YamlFindings()
    read_yaml("a: {b: &x [{c: 1, c: 2}]}\nd: [*x]", findings)
    assert [pointer for pointer, _ in findings.faults] == ["/a/b/0/c", "/d/0/0/c"]
    deep = "[" * 150 + "]" * 150
    with pytest.raises(ValueError, match="line 2, column 54 is nested deeper than 200"):
        read_yaml(f"- &x {deep}\n- {'[' * 51}*x{']' * 51}")


def test_faults_merged_into_the_document_itself_are_errors() -> None:
    """Those of its members are."""
    with pytest.raises(ValueError, match="line 1, column 14 has the duplicate key 'b'"):
        read_yaml("a: &x {b: 1, b: 2}\n<<: *x", YamlFindings())


@pytest.mark.unmeasured
def test_reading_takes_little_more_memory_than_the_value() -> None:
    """No tree of nodes is built, nor are names and short words kept once for each occurrence."""
    text = "".join(f"name{n}:\n  type: string\n  items: [first, second]\n" for n in range(5000))
    content = text.encode()
    tracemalloc.start()
    value = read_yaml(content)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(value) == 5000
    assert peak < 2 * kept
    assert kept < 15 * len(content)


MERGES = [
    ("a: &x {b: 1}\nc:\n  <<: *x", {"b": 1}),
    ("a: &x {b: 1, d: 2}\nc:\n  b: 3\n  <<: *x", {"b": 3, "d": 2}),
    ("a: &x {b: 1}\nc:\n  <<: *x\n  b: 3", {"b": 3}),
    ("a: [&x {b: 1}, &y {b: 2, d: 2}]\nc:\n  <<: [*x, *y]", {"b": 1, "d": 2}),
    ("a: &x {b: 1}\nb: &y {<<: *x, d: 2}\nc: {<<: *y}", {"b": 1, "d": 2}),
    ("c: {<<: {}}", {}),
]


@pytest.mark.parametrize(("text", "value"), MERGES)
def test_merges_are_carried_out_with_a_note(text: str, value: Any) -> None:
    """As YAML 1.1 has them: members of the object itself win, then those of the first."""
    findings = YamlFindings()
    assert read_yaml(text, findings)["c"] == value
    assert all("has a merge (<<)" in note for note in findings.notes)
    assert all(note.startswith("line ") for note in findings.notes)
    assert findings.notes


def test_a_key_twice_with_one_value_is_noted() -> None:
    """Nothing depends on which of them counts."""
    findings = YamlFindings()
    assert read_yaml("a: {b: [1]}\na: {b: [1]}", findings) == {"a": {"b": [1]}}
    assert findings.notes == ["line 2, column 1 has the duplicate key 'a', with the same value"]


def test_a_key_twice_with_two_values_is_a_fault_of_its_place() -> None:
    """The last value counts; a member of the document itself is an error."""
    findings = YamlFindings()
    assert read_yaml("a:\n- {b/c: 1, b/c: 2, d: {e: 1}}", findings) == {
        "a": [{"b/c": 2, "d": {"e": 1}}]
    }  # fmt: skip
    assert findings.faults == [("/a/0/b~1c", "line 2, column 12 has the duplicate key 'b/c'")]
    with pytest.raises(ValueError, match="has the duplicate key 'a'"):
        read_yaml("a: 1\na: 2", YamlFindings())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", r"line 3, column 1 has the duplicate key 'a'"),
        ("200: 1\n'200': 3", r"line 2, column 1 has the duplicate key '200'"),
        ("a: {b: 1, b: 2}", "has the duplicate key 'b'"),
        ("a: 1\na: true", "has the duplicate key 'a'"),
        (
            "a: &x 5\nc:\n  <<: *x",
            r"line 3, column 7 has a merge \(<<\) of another value than an object",
        ),
        ("a: .nan", "line 1, column 4 has the float '.nan', which JSON cannot express"),
        ("a: -.INF", "JSON cannot express"),
        ("a: 1e400", "JSON cannot express"),
        ("a: !!int twelve", "has the int 'twelve'"),
        ("a: !!int '" + "1" * 5000 + "'", "has the int '1111"),
        ("a: !!bool maybe", "has the bool 'maybe'"),
        ("a: !!timestamp 2026-11-26", "has the timestamp"),
        ("a: !!python/object/apply:os.system ['true']", "has the tag 'tag:yaml.org,2002:python"),
        ("a: !!python/name:os.system x", "has the python/name"),
        ("a: !!set {b}", "has the tag"),
        ("a: !!omap [b: 1]", "has the tag"),
        ("{[1]: 2}", "has a key that is not a string"),
        ("~: 2", "has a key that is not a string"),
        ("? {a: 1}\n: 2", "has a key that is not a string"),
        ("a: <<: b", "not allowed"),
        ("[*a]", "line 1, column 2 has the undefined alias 'a'"),
        ("[&a 1, &a 2]", "line 1, column 8 has the anchor 'a', which is there already"),
        ("{&a [1]: 2}", "has a key that is not a string"),
        ("&a [*a]", "has an alias that contains itself"),
        ("[" * 202 + "]" * 202, "is nested deeper than 200"),
        ("[" * 100_000, "nest|depth"),
        ("a: [", "line 2|expected"),
        ("--- a\n--- b", "single document"),
        ("", "is empty"),
        ("a: \x00", "not allowed|special|control"),
    ],
    ids=lambda value: value[:20],
)
def test_what_json_can_not_say_is_refused_with_its_line(text: str, words: str) -> None:
    """What is refused is told of, and nothing of it is run or made."""
    with pytest.raises(ValueError, match=words):
        read_yaml(text)


@pytest.mark.exhaustive
def test_aliases_stand_for_a_bounded_number_of_values() -> None:
    """Nine levels of nine aliases each are a few lines, and half a thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(ValueError, match=re.escape("expands to more than 4000000 values")):
        read_yaml("\n".join(lines))


words = st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("äß漢😀"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(values, st.sampled_from([None, 1]))
def test_what_json_says_is_read_as_json(value: Any, indent: int | None) -> None:
    """YAML 1.2 has all of JSON, so that two readers of a document agree."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    read = read_yaml(text)
    assert json.dumps(read) == json.dumps(json.loads(text))
    assert read_yaml(text.encode()) == read


@pytest.mark.parametrize("text", [text for text, _ in MERGES] + [
    "a: &x {b: 1, b: 2}\nc: *x",
    "a: 0x1F\nb: '12'\nc: !!str 12\nd: 1.50\n1.50: ~",
    "- 1\n- [2, {a: on}]\n- |\n  text\n",
])  # fmt: skip
def test_the_parser_in_python_reads_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used where PyYAML was built without libyaml."""
    one, other = YamlFindings(), YamlFindings()
    read = read_yaml(text, one)
    monkeypatch.setattr("mantlet.guard.openapi.yaml12.CBaseLoader", BaseLoader)
    assert read_yaml(text, other) == read
    assert (other.notes, other.faults) == (one.notes, one.faults)
