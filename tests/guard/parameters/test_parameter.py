"""Declarations: what is filled in, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.parameters import TEXT, Coercer, Parameter, ParameterGroup
from tests.guard.parameters.support import LIMITS, array, members, of, one

OBJECT = members(a=TEXT)


@pytest.mark.parametrize(
    ("place", "style", "explode"),
    [
        ("path", "simple", False),
        ("query", "form", True),
        ("header", "simple", False),
        ("cookie", "form", True),
    ],
)
def test_defaults(place: Any, style: str, explode: bool) -> None:
    """Style and explode are those that the specification has for a place."""
    declared = Parameter(name="a", place=place, required=True)
    assert (declared.style, declared.explode) == (style, explode)
    if place == "cookie":
        assert Parameter(name="a", place=place, style="cookie").explode is True
    if place == "query":
        pipes = Parameter(name="a", place=place, style="pipeDelimited", shape=array())
        assert pipes.explode is False


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"place": "body"}, "body parameter 'a': place must be one of path, .*, not 'body'"),
        ({"name": ""}, "query parameter '': name must not be empty"),
        ({"name": "a b", "place": "header"}, "header parameter 'a b': name must be a token"),
        ({"name": "a=b", "place": "cookie"}, "cookie parameter 'a=b': name must be a token"),
        ({"place": "path"}, "path parameter 'a': required must be True in a path, not False"),
        ({"place": "header", "allow_empty": True}, "allow_empty must be False outside of queries"),
        ({"place": "querystring"}, "decode must be a function for a querystring, not None"),
        ({"raw": True}, "raw must be False except for a querystring, not True"),
        ({"style": "simple"}, "query parameter 'a': style must be one of form, .* not 'simple'"),
        ({"style": "cookie"}, "style must be one of"),
        ({"style": "form", "place": "header"}, "style must be one of simple, not 'form'"),
        ({"style": "matrix", "place": "cookie"}, "style must be one of form, cookie"),
        ({"style": "deepObject"},
         r"type must be object or array for style deepObject, not \['string'\]"),
        ({"style": "deepObject", "shape": OBJECT, "name": "a[b]"}, "name must have no brackets"),
        ({"style": "spaceDelimited"}, "type must be array or object for style spaceDelimited"),
        ({"style": "pipeDelimited", "shape": array(), "explode": True},
         "explode must be False for style pipeDelimited, not True"),
        (
            {"shape": Coercer(types=frozenset({"array", "object"}))},
            "type must not be both array and",
        ),
        ({"place": "cookie", "shape": members(additional=TEXT)}, "properties must be named"),
        ({"place": "cookie", "shape": members(**{"a;b": TEXT})}, "properties must be tokens"),
    ],
)  # fmt: skip
def test_wrong_declarations(options: dict[str, Any], rule: str) -> None:
    """What the specification does not define is refused, with the parameter's name."""
    with pytest.raises(ValueError, match=rule):
        one(**options)


def test_content_has_no_style() -> None:
    """The style of a parameter with content is not looked at."""
    declared = one(decode=str, style="deepObject", explode=False)
    assert declared.style == "deepObject"
    assert one(decode=str, style="matrix").style == "form"


@pytest.mark.parametrize(
    ("declared", "nested"),
    [
        (one(), False),
        (one(shape=array(of("integer"))), False),
        (one(shape=array(array())), True),
        (one(shape=array(array(TEXT, "string"))), False),
        (one(shape=members(a=array())), True),
        (one(shape=members(additional=OBJECT)), True),
        (one(shape=members(a=OBJECT), decode=str), False),
        (one(shape=array(Coercer(types=frozenset()))), True),
    ],
)
def test_nested(declared: Parameter, nested: bool) -> None:
    """It is known which declarations nest deeper than their style can say."""
    assert declared.nested is nested


@pytest.mark.parametrize(
    ("place", "parameters", "rule"),
    [
        ("query", [one("a"), one("a")], "query parameter 'a' must not be declared twice"),
        ("query", [one("a"), one("o", OBJECT)], "parameters 'a' and 'o' .* the name 'a'"),
        ("query", [one("o", OBJECT), one("p", OBJECT)], "must not both read the name 'a'"),
        ("query", [one("o", members(additional=TEXT)), one("p", members(additional=TEXT))],
         "must not both read the name 'any'"),
        ("query", [one("o", OBJECT, style="deepObject"), one("o[a]")], r"the name 'o\[a\]'"),
        ("query", [one("o", OBJECT, style="deepObject"), one("p", members(o=TEXT))],
         "the name 'o'"),
        ("query", [one("o", OBJECT, style="deepObject"), one("o", OBJECT)], "declared twice"),
        ("header", [one("A", place="header"), one("a", place="header")], "'a' must not be"),
        ("cookie", [one("a", place="cookie")] * 2, "cookie parameter 'a' must not"),
        ("path", [one("a", place="path", required=True)] * 2, "'a' must not be declared"),
        ("path", [one("a")], "parameters of the path must not have 'a', whose place is query"),
        ("query", [one("q", place="querystring", decode=str), one("a")],
         "querystring parameter 'q' must be the only one"),
        ("query", [one("a"), one("q", place="querystring", decode=str)],
         "querystring parameter 'q' must be the only one"),
        ("body", [], "place must be"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_go_together(place: Any, parameters: Any, rule: str) -> None:
    """Parameters that read the same name, or stand elsewhere, are refused together."""
    with pytest.raises(ValueError, match=rule):
        ParameterGroup(place, parameters, None, LIMITS)
