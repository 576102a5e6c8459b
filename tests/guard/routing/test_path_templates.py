"""Path templates: what is taken, what they capture, what is malformed."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard.routing.path_templates import parse_template


@pytest.mark.parametrize(
    ("text", "path", "captured"),
    [
        ("/items/{id}", "/items/7", {"id": "7"}),
        ("/{user-id}/{$filter}", "/1/2", {"user-id": "1", "$filter": "2"}),
        ("/{a b}/{@}/{x:int}", "/1/2/3", {"a b": "1", "@": "2", "x:int": "3"}),
        ("/{a}/x/{b}.{c}", "/1/x/2.3", {"a": "1", "b": "2", "c": "3"}),
        ("/{a}.{b}/{c}", "/1.2/3", {"a": "1", "b": "2", "c": "3"}),
        ("/f/{name:path}", "/f/a//b/", {"name": "a//b/"}),
        ("/{a}/f/{name:path}", "/1/f/a", {"a": "1", "name": "a"}),
        ("/{?}/{#}", "/1/2", {"?": "1", "#": "2"}),
    ],
)
def test_names_are_captured(text: str, path: str, captured: dict[str, str]) -> None:
    """Names are any text without braces and slashes (OpenAPI 3.2.0, "Path Templating")."""
    template = parse_template(text)
    assert template.capture(path.split("/")) == captured
    assert template.path is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/items", "/items"),
        ("/items/", "/items/"),
        ("/a//b", "/a//b"),
        ("/caf%C3%A9", "/caf\u00e9"),
        ("/caf%c3%a9", "/caf\u00e9"),
        ("/caf\u00e9", "/caf\u00e9"),
        ("/a%20b", "/a b"),
        ("/a b", "/a b"),
        ("/100%25", "/100%"),
        ("/a%3Fb%23", "/a?b#"),
        ("/*", "/*"),
        ("/a;b", "/a;b"),
    ],
)
def test_a_literal_is_taken_in_decoded_form(text: str, path: str) -> None:
    """As apps see paths; every slash counts."""
    assert parse_template(text).path == path


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "does not begin with a slash"),
        ("items", "does not begin with a slash"),
        ("http://h/items", "does not begin with a slash"),
        ("/items ", "begins or ends with a blank"),
        ("/items\n", "begins or ends with a blank"),
        ("/a\x00b", "a control character"),
        ("/a?b", "has a query"),
        ("/{a}?{b}", "has a query"),
        ("/a#b", "has a fragment"),
        ("/{a", "an unmatched brace"),
        ("/a}", "an unmatched brace"),
        ("/{{a}}", "an unmatched brace"),
        ("/{a/b}", "an unmatched brace"),
        ("/{}", "a parameter without a name"),
        ("/{:path}", "a parameter without a name"),
        ("/{a}/{a}", "the parameter 'a' twice"),
        ("/{a}.{a}", "the parameter 'a' twice"),
        ("/{a}/{a:path}", "the parameter 'a' twice"),
        ("/{a}{b}", "nothing between them"),
        ("/x{a}{b}y", "nothing between them"),
        ("/{a:path}/b", "beside the rest parameter"),
        ("/{a:path}/", "beside the rest parameter"),
        ("/x{a:path}", "beside the rest parameter"),
        ("/{a}.{b:path}", "beside the rest parameter"),
        ("/100%", "does not begin an escape"),
        ("/%zz", "does not begin an escape"),
        ("/%ff", "are not UTF-8"),
        ("/a%2Fb", "an escaped slash or control character"),
        ("/{a}%2f", "an escaped slash or control character"),
        ("/a%00", "an escaped slash or control character"),
        ("/a%0A", "an escaped slash or control character"),
    ],
)
def test_a_malformed_template_is_named_beside_a_right_one(text: str, fault: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(ValueError, match="must be such as") as refused:
        parse_template(text)
    assert repr(text) in str(refused.value)
    assert fault in str(refused.value)


@pytest.mark.parametrize("text", [None, 5, b"/items"], ids=repr)
def test_a_template_that_is_not_text_is_a_type_error(text: Any) -> None:
    """With the value."""
    with pytest.raises(TypeError, match="must be text"):
        parse_template(text)
