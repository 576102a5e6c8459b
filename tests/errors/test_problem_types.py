"""Problem types that an app defines: raised, described to people, described to tools."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest

from mantlet import ErrorEnvelope
from mantlet.errors import Catalogue, ProblemType
from tests.drive import ADAPTERS, Adapter, both_adapters, hello
from tests.errors.test_mapping import raising


@pytest.fixture
def problems() -> Catalogue:
    """A catalogue of two."""
    made = Catalogue("/problems/")
    made.add(
        "out-of-stock",
        409,
        "Out of stock",
        "Somebody was faster. <Order> again tomorrow.",
        extensions={"left": {"type": "integer", "description": "How many are left."}},
    )
    made.add("closed", 503)
    return made


@both_adapters
def test_a_problem_of_a_type_is_raised_by_calling_it(adapter: Adapter, problems: Catalogue) -> None:
    """It states the type, and what is special about this occurrence."""
    out_of_stock, closed = problems
    error = out_of_stock(
        "Only 2 lamps.", extensions={"left": 2}, headers={"Retry-After": "60"}, instance="/x"
    )
    answer = adapter.drive(adapter.wrap(raising(error), ErrorEnvelope()))
    assert answer.status == 409
    assert answer.get("Retry-After") == "60"
    document = answer.json()
    assert document.pop("request_id")
    assert document == {
        "type": "/problems/out-of-stock",
        "title": "Out of stock",
        "status": 409,
        "detail": "Only 2 lamps.",
        "instance": "/x",
        "left": 2,
    }
    answer = adapter.drive(adapter.wrap(raising(closed()), ErrorEnvelope()))
    assert (answer.status, answer.json()["title"]) == (503, "Service Unavailable")


@both_adapters
def test_a_type_may_be_mapped_to(adapter: Adapter, problems: Catalogue) -> None:
    """By a function, for it takes the exception."""
    _, closed = problems
    envelope = ErrorEnvelope(
        exceptions={KeyError: lambda error: closed(f"{len(error.args)} missing")}
    )
    problem = adapter.drive(adapter.wrap(raising(KeyError("x")), envelope)).json()
    assert (problem["type"], problem["detail"]) == ("/problems/closed", "1 missing")


class Text(HTMLParser):
    """What a page says, and its elements."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.said: list[str] = []
        self.elements: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data.strip())


@both_adapters
def test_each_type_has_a_page(adapter: Adapter, problems: Catalogue) -> None:
    """With what it means, its status, its URI and its members."""
    stack = adapter.wrap(hello, ErrorEnvelope(catalogue=problems))
    answer = adapter.drive(stack, path="/problems/out-of-stock")
    assert (answer.status, answer.get("content-type")) == (200, "text/html; charset=utf-8")
    page = Text(answer.body)
    for text in (
        "Out of stock",
        "Somebody was faster. <Order> again tomorrow.",
        "409 Conflict",
        "/problems/out-of-stock",
        "left",
        "How many are left.",
    ):
        assert text in page.said
    assert "order" not in page.elements
    assert page.elements.count("h1") == 1


@both_adapters
def test_a_page_lists_all_types(adapter: Adapter, problems: Catalogue) -> None:
    """At the base."""
    stack = adapter.wrap(hello, ErrorEnvelope(catalogue=problems))
    page = Text(adapter.drive(stack, path="/problems/").body)
    assert {"Out of stock", "Service Unavailable"} <= set(page.said)


@both_adapters
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/problems"),
        ("GET", "/problems/unknown"),
        ("GET", "/problems/closed/more"),
        ("GET", "/other/problems/closed"),
        ("POST", "/problems/closed"),
    ],
)
def test_everything_else_is_the_apps(
    adapter: Adapter, problems: Catalogue, method: str, path: str
) -> None:
    """Also under the base."""
    stack = adapter.wrap(hello, ErrorEnvelope(catalogue=problems))
    assert adapter.drive(stack, method, path).body == b"hello"


@both_adapters
def test_pages_are_an_option(adapter: Adapter, problems: Catalogue) -> None:
    """A catalogue that no envelope is given has none."""
    assert len(list(problems)) == 2
    assert (
        adapter.drive(adapter.wrap(hello, ErrorEnvelope()), path="/problems/closed").body
        == b"hello"
    )


@both_adapters
def test_a_head_of_a_page_has_no_body(adapter: Adapter, problems: Catalogue) -> None:
    """And the same fields."""
    stack = adapter.wrap(hello, ErrorEnvelope(catalogue=problems))
    page = adapter.drive(stack, path="/problems/closed")
    head = adapter.drive(stack, "HEAD", "/problems/closed")
    assert (head.status, head.body) == (200, b"")
    assert head.get("content-length") == str(len(page.body))


@both_adapters
def test_types_may_be_named_by_a_url(adapter: Adapter) -> None:
    """Their pages are answered at its path."""
    problems = Catalogue("https://shop.example/api/problems/")
    closed = problems.add("closed", 503)
    assert closed.uri == "https://shop.example/api/problems/closed"
    stack = adapter.wrap(hello, ErrorEnvelope(catalogue=problems))
    assert adapter.drive(stack, path="/api/problems/closed").get("content-type") != "text/plain"


def test_the_path_is_that_of_the_client_and_not_of_a_mount(problems: Catalogue) -> None:
    """A type's URI names one page, wherever the app is mounted."""
    mounted = Catalogue("/api/problems/")
    mounted.add("closed", 503)
    asgi, wsgi = ADAPTERS
    for catalogue, found in ((mounted, True), (problems, False)):
        envelope = ErrorEnvelope(catalogue=catalogue)
        scope = {"root_path": "/api"}
        answers = (
            asgi.drive(asgi.wrap(hello, envelope), path="/api/problems/closed", scope=scope),
            wsgi.drive(
                wsgi.wrap(hello, envelope), path="/problems/closed", environ={"SCRIPT_NAME": "/api"}
            ),
        )
        assert [b"<h1>" in answer.body for answer in answers] == [found, found]


def test_the_openapi_fragment_describes_what_is_answered(problems: Catalogue) -> None:
    """Its schemas hold for the problems of the types, and for no others."""
    fragment = json.loads(json.dumps(problems.openapi()))
    responses = fragment["components"]["responses"]
    assert responses.keys() == {"out-of-stock", "closed"}
    out_of_stock, closed = problems

    def valid(kind: ProblemType, document: dict[str, Any]) -> bool:
        content = responses[kind.slug]["content"]
        schema = content["application/problem+json"]["schema"] | fragment
        return bool(jsonschema.Draft202012Validator(schema).is_valid(document))

    def document(kind: ProblemType, **extensions: Any) -> dict[str, Any]:
        error = kind("Why.", extensions=extensions)
        stack = ADAPTERS[0].wrap(raising(error), ErrorEnvelope())
        made: dict[str, Any] = ADAPTERS[0].drive(stack).json()
        return made

    assert valid(out_of_stock, document(out_of_stock, left=2))
    assert valid(closed, document(closed))
    assert not valid(closed, document(out_of_stock))
    assert not valid(out_of_stock, document(out_of_stock, left="two"))
    assert not valid(closed, {"type": closed.uri, "status": 503})
    assert responses["closed"]["description"] == "Service Unavailable"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Out of stock", 409), "'Out of stock'"),
        (("", 409), "''"),
        (("-x", 409), "'-x'"),
        (("../x", 409), "'../x'"),
        (("closed", 503), "'closed' is already defined"),
        (("fine", 200), "200"),
        (("fine", 409, "T", "D", {"status": {}}), "status"),
        (("fine", 409, "T", "D", {"x": {1}}), "JSON"),
    ],
    ids=str,
)
def test_a_type_that_cannot_be_is_an_error_that_names_it(
    problems: Catalogue, arguments: Any, told: str
) -> None:
    """Where it is defined."""
    *first, extensions = arguments if len(arguments) == 5 else (*arguments, None)
    with pytest.raises(ValueError, match=told):
        problems.add(*first, extensions=extensions)


@pytest.mark.parametrize("base", ["", "problems/", "/problems", "/problems/?x=/", "https://x"])
def test_a_base_that_cannot_be_is_an_error_that_names_it(base: str) -> None:
    """It is joined with slugs."""
    with pytest.raises(ValueError, match="base must be"):
        Catalogue(base)


def test_a_member_that_is_not_declared_is_an_error(problems: Catalogue) -> None:
    """It would be in no document."""
    out_of_stock, _ = problems
    with pytest.raises(ValueError, match="colour"):
        out_of_stock(extensions={"colour": "red"})
