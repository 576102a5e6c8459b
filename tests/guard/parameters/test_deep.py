"""Nested objects and arrays in the style ``deepObject``: read as written, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard import BodyLimits
from mantlet.guard.parameters import DeepShape
from mantlet.guard.parameters.deep import MAX_DEPTH, split_name
from tests.guard.parameters.support import array, members, of, one, query, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

INTEGER: Any = {"type": "integer"}
TEXT: Any = {"type": "string"}
SCHEMA: Any = {
    "type": "object",
    "properties": {
        "n": INTEGER,
        "list": {"type": "array", "items": INTEGER},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
        "pair": {"type": "array", "prefixItems": [INTEGER, TEXT]},
        "range": {"anyOf": [INTEGER, {"type": "object", "properties": {"gte": INTEGER}}]},
        "child": {"$ref": "#/$defs/Node"},
        "either": {"type": ["array", "object"], "items": INTEGER, "additionalProperties": TEXT},
    },
    "additionalProperties": {"type": "boolean"},
}
DEFINITIONS: Any = {
    "Row": {"allOf": [{"type": "object", "properties": {"x": INTEGER}}]},
    "Node": {"type": "object", "properties": {"n": INTEGER, "child": {"$ref": "#/$defs/Node"}}},
}


def deep(schema: Any) -> DeepShape:
    return DeepShape(lambda: ([schema], lambda name: DEFINITIONS[name.rpartition("/")[2]]))


def reader(schema: Any = SCHEMA, **options: Any) -> Any:
    """Return what reads a query with the parameter ``a``, and ``b``."""
    shape = deep(schema)
    parameter = one("a", shape.shape, style="deepObject", deep=shape)
    return query(parameter, one("b"), limits=BodyLimits(parameters=1000), **options)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a[n]=1", {"n": 1}),
        ("a%5Bn%5D=1&b=2", {"n": 1}),
        ("a[list][]=1&a[list][]=2", {"list": [1, 2]}),
        ("a[list][1]=2&a[list][0]=1", {"list": [1, 2]}),
        ("a[rows][0][x]=1&a[rows][1][x]=2", {"rows": [{"x": 1}, {"x": 2}]}),
        ("a[pair][0]=1&a[pair][1]=2", {"pair": [1, "2"]}),
        ("a[pair][]=1&a[pair][]=2", {"pair": [1, "2"]}),
        ("a[range]=1", {"range": 1}),
        ("a[range][gte]=1", {"range": {"gte": 1}}),
        ("a[child][child][child][n]=1", {"child": {"child": {"child": {"n": 1}}}}),
        ("a[more]=true&a[0]=false", {"more": True, "0": False}),
        ("a[either][0]=1", {"either": [1]}),
        ("a[either][x]=1", {"either": {"x": "1"}}),
        ("a[n]=x", {"n": "x"}),  # for the schema to reject
        ("a[n][m]=1", None),
        ("a[n][]=1", None),
        ("a[list][0]=1&a[list][2]=2", None),
        ("a[list][00]=1", None),
        ("a[list][x]=1", None),
        ("a[list][9999999999]=1", None),
        ("a[list][]=1&a[list][0]=2", None),
        ("a[list][0]=1&a[list][]=2", None),
        ("a[range]=1&a[range][gte]=2", None),
        ("a[range][gte]=2&a[range]=1", None),
        ("a[rows][][x]=1", None),
        ("a[][n]=1", None),
        ("a[]=1", None),
        ("a=1", None),
        ("a=1&a[n]=1", None),
        ("a[n]]=1", None),
        ("a[n][=1", None),
        ("a[n]x=1", None),
        ("a[n%00]=1", None),
    ],
)
def test_names_are_ways_into_the_value(text: str, value: Any) -> None:
    """A way that parsers would take differently is refused."""
    if value is not None:
        assert reader()(text.encode())["a"] == value
    else:
        assert refused(reader(), text.encode())[0] == 400


def test_arrays_alone() -> None:
    """As Stripe's ``expand[]``; a scalar if the schema allows one."""
    read = reader({"type": "array", "items": TEXT})
    assert read(b"a[]=x&a[]=y") == {"a": ["x", "y"]}
    assert read(b"a[0]=x&a[1]=y") == {"a": ["x", "y"]}
    assert refused(read, b"a=x") == (400, [("/a", "malformed_parameter")])
    assert refused(read, b"a[]=x&a[0]=y") == (400, [("/a/0", "malformed_parameter")])
    either = reader({"anyOf": [{"type": "object"}, {"enum": [""]}]})
    assert either(b"a=") == {"a": ""}
    assert either(b"a[k]=v") == {"a": {"k": "v"}}


def test_duplicates() -> None:
    """Are refused with their way; else the last one counts."""
    text = b"a[child][n]=1&a[child][n]=2"
    assert refused(reader(), text) == (400, [("/a/child/n", "duplicate_parameter")])
    assert reader(unique=False)(text) == {"a": {"child": {"n": 2}}}


def test_depth_is_bounded() -> None:
    """So are the shapes that a client can make the guard derive, also of recursive schemas."""
    deepest = "".join(["[child]"] * (MAX_DEPTH - 1))
    assert reader()(f"a{deepest}[n]=1".encode())
    assert refused(reader(), f"a{deepest}[child][n]=1".encode()) == (
        400, [("/a", "malformed_parameter")],
    )  # fmt: skip
    shape = deep(SCHEMA)
    known = shape._known  # how many there are
    node: Any = shape.member("child")
    for index in range(500):
        node = node.member("child")
        node.member(f"unknown{index}").item(index)
    assert len(known) < 10


def test_a_declared_shape_is_enough() -> None:
    """For members of one level."""
    declared = one("a", members(x=array(of("integer"))), style="deepObject")
    assert query(declared)(b"a[x][]=1&a[x][]=2") == {"a": {"x": [1, 2]}}


@pytest.mark.parametrize(
    ("text", "path"),
    [("", ()), ("[a][0]", ("a", "0")), ("[]", ("",)), ("[a][]", ("a", "")), ("[][a]", None),
     ("[a", None), ("a]", None), ("[[a]]", None), ("[a]b", None), ("[a]" * 8, ("a",) * 8),
     ("[a]" * 9, None)],
)  # fmt: skip
def test_split_name(text: str, path: Any) -> None:
    """Complete brackets only, at most so many."""
    assert split_name(text) == path


NAMES = st.text(st.characters(exclude_characters="[]", exclude_categories=["C", "Z"]), min_size=1,
                max_size=3).filter(lambda name: not name.isdigit())  # fmt: skip
VALUES = st.recursive(
    st.text(st.characters(exclude_categories=["C"]), max_size=4),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(NAMES, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def _pairs(value: Any, at: str, *, numbered: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield at, value
        return
    scalars = isinstance(value, list) and all(isinstance(one, str) for one in value)
    for key, inner in enumerate(value) if isinstance(value, list) else value.items():
        token = "" if scalars and not numbered else key
        yield from _pairs(inner, f"{at}[{token}]", numbered=numbered)


@given(
    value=st.dictionaries(NAMES, VALUES, min_size=1, max_size=3),
    numbered=st.booleans(),
    data=st.data(),
)
@settings(max_examples=200)
def test_values_are_read_as_written(value: Any, numbered: bool, data: st.DataObject) -> None:
    """Whatever is nested in whatever; and one conflicting name more is refused."""
    anything: Any = {"type": ["string", "array", "object"]}
    anything |= {"items": {"$ref": "#/$defs/Any"}, "additionalProperties": {"$ref": "#/$defs/Any"}}
    shape = DeepShape(lambda: ([anything], lambda _: anything))
    limits = BodyLimits(parameters=1000)
    read = query(one("a", members(), style="deepObject", deep=shape), limits=limits)
    pairs = list(_pairs(value, "a", numbered=numbered))
    if any(name.count("[") > MAX_DEPTH for name, _ in pairs):
        return
    text = "&".join(f"{quote(name)}={quote(text)}" for name, text in pairs)
    assert read(text.encode()) == {"a": value}
    name = data.draw(st.sampled_from([name for name, _ in pairs]))
    for more in (f"{name}[more]", name.rpartition("[")[0]):
        assert refused(read, f"{text}&{quote(more)}=x".encode())[0] == 400
