"""What is wrong across a document's paths."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet.guard import SchemaGuard
from mantlet.guard.openapi.diagnostics import DocumentError
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded
from tests.guard.openapi.building import DONE, TEXT, document, of_operation, problems


def path_parameter(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": TEXT, **more}


@pytest.mark.parametrize(
    ("template", "parameters", "where", "words"),
    [
        ("x", [], "", "must begin with a slash"),
        ("/{a", [], "", "an unmatched brace"),
        ("/a}", [], "", "an unmatched brace"),
        ("/x?a=b", [], "", "must have no query or fragment, and is read as '/x'"),
        ("/x?a=b", [], "/get", "must declare the query parameter 'a' of '/x?a=b'"),
        ("/x#a", [], "", "must have no query or fragment, and is read as '/x'"),
        ("/<int:id>", [], "", "in the syntax of Flask and Django: write '/{id}'"),
        ("/<path:p>", [], "", "write '/{p:path}'"),
        ("/a/:id", [], "", "in the syntax of Express: write '/a/{id}'"),
        ("/{}", [path_parameter("")], "", "must not have an empty parameter name"),
        ("/{a}/{a}", [path_parameter("a")], "", "must not have the parameter 'a' twice"),
        ("/{a}", [], "/get", "must declare the path parameter 'a'"),
        (
            "/x",
            [path_parameter("a")],
            "/get",
            "declares the path parameter 'a', which is not in '/x'",
        ),
        ("/{a}", [path_parameter("A")], "/get", "must declare the path parameter 'a'"),
        (
            "/{a}",
            [path_parameter("a", required=False)],
            "/get/parameters/0",
            "must have required: true",
        ),
        (
            "/{a}",
            [{"name": "a", "in": "path", "schema": TEXT}],
            "/get/parameters/0",
            "must have required: true",
        ),
        (
            "/{a}",
            [path_parameter("a", style="form")],
            "/get/parameters/0/style",
            "must be one of simple, label, matrix",
        ),
    ],
)
def test_a_template_and_its_parameters_agree(
    template: str, parameters: list[Any], where: str, words: str
) -> None:
    """Each name once, each declared, none besides."""
    found = problems(of_operation({"parameters": parameters}, template))
    pointer = f"/paths/{template.replace('/', '~1')}{where}"
    assert words in found[pointer]


def test_templates_that_collide_are_both_named() -> None:
    """By the letter any two that match the same; by what can be told apart, of one method."""
    one = {"parameters": [path_parameter("a")], "get": DONE, "head": DONE}
    two = {"parameters": [path_parameter("b")], "get": DONE, "post": DONE}
    assert problems(document({"/x/{a}": one, "/x/{b}": two})) == {
        "/paths/~1x~1{b}/get": "GET '/x/{b}' matches the same paths as '/x/{a}'"
    }
    del two["get"]
    assert not problems(document({"/x/{a}": one, "/x/{b}": two}))
    assert not problems(document({"/x/{a}": one, "/x/b": {"get": DONE}}))


def test_names_of_operations_are_unique() -> None:
    """One that is there again is named with the first; a path item may be shared."""
    named = {**DONE, "operationId": "a"}
    found = problems(document({"/x": {"get": named}, "/y": {"get": named}}))
    assert found == {"/paths/~1y/get/operationId": "must be unique, but /paths/~1x/get uses it"}
    assert not problems(document({"/x": {"get": named}, "/y": {"$ref": "#/paths/~1x"}}))


def test_what_follows_from_another_problem_is_not_reported() -> None:
    """A parameter that is not there may be the one that the template asks for."""
    source = of_operation({"parameters": [{"$ref": "#/components/parameters/a"}]}, "/{a}")
    assert set(problems(source)) == {"/paths/~1{a}/get/parameters/0/$ref"}
    source = document({"/{a}": {"parameters": [{"$ref": "#/nowhere"}], "get": DONE}})
    assert set(problems(source)) == {"/paths/~1{a}/parameters/0/$ref"}


def test_what_is_not_an_object_is_reported_once() -> None:
    """Nothing is looked for in it."""
    source = document({"/x": {"additionalOperations": 5, "get": DONE}}, "3.2.0")
    assert problems(source) == {"/paths/~1x/additionalOperations": "must be an object"}
    assert set(problems(of_operation({"parameters": [3]}))) == {"/paths/~1x/get/parameters/0"}
    source = of_operation({"parameters": [{"name": [], "in": "path", "schema": TEXT}]})
    assert "/paths/~1x/get/parameters/0/name" in problems(source)
    assert set(problems(document({"/x": {"get": {**DONE, "operationId": 3}}}))) == {
        "/paths/~1x/get/operationId"
    }


QUERY = {"name": "Action", "in": "query", "required": True, "schema": {"enum": ["A"]}}


@both_adapters
def test_a_query_and_a_fragment_of_a_template_are_no_path(adapter: Adapter) -> None:
    """The first is checked as the parameter that the operation declares, and both are noted."""
    source = document(
        {
            "/x#get": {"get": DONE},
            "/y?Action=A#z": {"get": {**DONE, "parameters": [QUERY]}},
            "/z/{?}/{#}": {"get": DONE},
        }
    )
    app = Guarded(adapter, openapi=source)
    assert app.ask("GET", "/x").status == 200
    assert app.ask("GET", "/y?Action=A").status == 200
    assert app.ask("GET", "/y?Action=B").status == 422
    assert app.ask("GET", "/y").status == 422
    assert app.ask("GET", "/z/1/2").status == 200
    assert ("/paths/~1x#get", "must have no query or fragment, and is read as '/x'") in (
        app.guard.coverage.notes
    )


@both_adapters
def test_operations_that_only_a_query_or_a_fragment_tells_apart_are_closed(
    adapter: Adapter,
) -> None:
    """All of them, since the path does not tell which one the app runs."""
    action = {**DONE, "parameters": [QUERY]}
    source = document(
        {
            "/?Action=A": {"get": action},
            "/#Action=B": {"get": DONE, "post": DONE},
            "/x": {"get": DONE},
        }
    )
    with pytest.raises(DocumentError, match="matches the same paths as"):
        SchemaGuard(openapi=source)
    app = Guarded(adapter, openapi=source, on_invalid="close")
    assert app.ask("GET", "/?Action=A").status == 501
    assert app.ask("GET", "/").status == 501
    assert app.ask("POST", "/").status == 200
    assert app.ask("GET", "/x").status == 200
