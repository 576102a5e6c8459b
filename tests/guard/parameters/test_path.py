"""Paths: what decoded texts are read to, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.parameters import Coercer, ParameterGroup
from tests.guard.parameters.support import LIMITS, Stub, array, members, of, one, refused

INTEGER = of("integer")


def path(**options: Any) -> Any:
    """Return what reads a path with the parameter ``a``."""
    declared = one(place="path", required=True, **options)
    group = ParameterGroup("path", [declared], None, LIMITS)
    return lambda text: group.read_path({"a": text})


@pytest.mark.parametrize(
    ("options", "text", "value"),
    [
        ({}, "blue", "blue"),
        ({}, "", ""),
        ({}, "a+b%20c,d;e", "a+b%20c,d;e"),
        ({}, "\u00fc\u00a0\u200b", "\u00fc\u00a0\u200b"),
        ({"shape": INTEGER}, "5", 5),
        ({"shape": INTEGER}, "05", "05"),
        ({"shape": INTEGER}, "\uff15", "\uff15"),
        ({"shape": array(INTEGER)}, "1,2", [1, 2]),
        ({"shape": array(INTEGER, "null"), "style": "label", "explode": True}, ".5", [5]),
        ({"shape": array(INTEGER, "integer"), "style": "matrix"}, ";a=5", 5),
        ({"shape": array(INTEGER), "style": "matrix", "explode": True}, ";a=5;a", [5, ""]),
        ({"shape": array(), "style": "matrix"}, ";a", [""]),
        ({"shape": members(x=INTEGER), "style": "matrix"}, ";a", {}),
        ({"shape": members(x=INTEGER), "style": "matrix", "explode": True}, ";x=5;y;z=",
         {"x": 5, "y": "", "z": ""}),
        ({"shape": members(x=INTEGER), "style": "label"}, ".", {}),
        ({"shape": members("integer", x=INTEGER), "style": "label", "explode": True}, ".5", 5),
        ({"shape": members(x=INTEGER), "explode": True}, "x=5,y==", {"x": 5, "y": "="}),
        ({"shape": of("integer", "string"), "style": "label"}, ".5", 5),
        ({"decode": int}, "5", 5),
    ],
)  # fmt: skip
def test_texts(options: Any, text: str, value: Any) -> None:
    """Texts are read in their style, and never decoded again."""
    assert path(**options)(text) == {"a": value}


@pytest.mark.parametrize(
    ("options", "text", "code"),
    [
        ({}, "a\x00", "control_character"),
        ({}, "a\n", "control_character"),
        ({}, "\x7f", "control_character"),
        ({}, "\x85", "control_character"),
        ({}, "\udc80", "control_character"),
        ({}, "a\ufffd", "invalid_utf8"),
        ({"style": "label"}, "blue", "malformed_parameter"),
        ({"style": "label"}, "", "malformed_parameter"),
        ({"style": "matrix"}, "a=blue", "malformed_parameter"),
        ({"style": "matrix"}, ";b=blue", "malformed_parameter"),
        ({"style": "matrix"}, ";ab", "malformed_parameter"),
        ({"style": "matrix", "shape": array(), "explode": True}, ";a=1;b=2", "malformed_parameter"),
        ({"style": "matrix", "shape": array(), "explode": True}, "a=1", "malformed_parameter"),
        ({"style": "matrix", "shape": members(), "explode": True}, "x", "malformed_parameter"),
        ({"shape": members(), "explode": True}, "x,y=1", "malformed_parameter"),
        ({"shape": members(), "explode": True}, "x=1,y", "malformed_parameter"),
        ({"shape": array()}, "a,\x00", "control_character"),
    ],
)  # fmt: skip
def test_refused(options: Any, text: str, code: str) -> None:
    """A text that is not in its style, or has what no text may have, is a 400."""
    assert refused(path(**options), text) == (400, [("/a", code)])


def test_prefix_without_end_is_its_scalar() -> None:
    """A shape without any type has text."""
    assert path(shape=Coercer(types=frozenset()))("x") == {"a": "x"}


def test_content() -> None:
    """What is wrong inside of content is told with the parameter's name."""

    def decode(text: str) -> Any:
        raise ValidationFailed(422, [ErrorItem("body", "/0", "type", "It is wrong.")])

    assert refused(path(decode=decode), "x") == (422, [("/a/0", "type")])


def test_all_parameters_together() -> None:
    """All faults of a path are told at once, and a missing text is missing."""
    declared = [one(name, place="path", required=True, shape=INTEGER) for name in "abc"]
    schema = Stub()
    read = ParameterGroup("path", declared, schema, LIMITS).read_path
    assert read({"a": "1", "b": "2", "c": "3", "d": "4"}) == {"a": 1, "b": 2, "c": 3}
    assert schema.seen == [({"a": 1, "b": 2, "c": 3}, "path")]
    assert refused(read, {"a": "\x00", "b": "\ufffd"}) == (
        400, [("/a", "control_character"), ("/b", "invalid_utf8"), ("/c", "missing_parameter")]
    )  # fmt: skip
