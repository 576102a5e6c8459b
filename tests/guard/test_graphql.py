"""GraphQL: what of a request is bounded, and what is checked against the schema."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from mantlet.guard import BodyLimits, GraphQL
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.graphql import requests
from mantlet.guard.graphql.requests import GraphQLRequestSchema
from tests.drive import Adapter, both_adapters
from tests.guard.asking import Guarded, faults

SCHEMA = """
type Query { user(id: ID!): User, users(first: Int = 10, after: String): [User!]! }
extend type Query { pages(page: Page): [User!]! }
input Page { limit: Float = 1000, after: [Page] }
type User { id: ID!, name: String!, friends(first: Int): [User!]! }
type Mutation { rename(id: ID!, name: String!): User }
type Subscription { users: User }
"""


def checked(query: str, *, options: Any = None, **members: Any) -> Any:
    service = GraphQL(schema=SCHEMA, **(options or {}))
    return GraphQLRequestSchema(service, errors=5).check({"query": query, **members}, "body")


def refused(query: Any, **more: Any) -> tuple[int, list[tuple[str, str]]]:
    with pytest.raises(ValidationFailed) as caught:
        checked(query, **more)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    words = " ".join(fault.detail for fault in caught.value.errors)
    assert "seeded" not in words
    return caught.value.status, [(fault.pointer, fault.code) for fault in caught.value.errors]


def test_a_request_is_handed_over_parsed() -> None:
    """With its variables as the schema has coerced them."""
    request = checked("query($n: Int = 3) { users(first: $n) { id } }", variables={})
    assert request.variables == {"n": 3}
    assert request.operation_name is None
    assert len(request.document.definitions) == 1


def test_one_of_several_operations_is_named() -> None:
    """Without its name it is none."""
    query = "query A { users { id } } query B { users { name } }"
    several = {"options": {"multiple_operations": True}}
    assert checked(query, operationName="B", **several).operation_name == "B"
    unknown = (422, [("/operationName", "graphql_operation")])
    assert refused(query, **several) == unknown
    assert refused(query, operationName="C", **several) == unknown


def test_several_operations_are_refused_unless_an_option_allows_them() -> None:
    """Each of them is validated, though only one is executed."""
    query = "query A { users { id } } query B { users { name } }"
    assert refused(query, operationName="B") == (422, [("/query", "graphql_operations")])


MERGED = "friends { friends { id } } " * 150


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"query A {{ users {{ id }} }} query B {{ users {{ {MERGED} }} }}", "graphql_complexity"),
        (f"query A {{ users {{ id }} }} fragment F on User {{ {MERGED} }}", "graphql_schema"),
        ("query A { users { " + "id " * 400 + "} }", "graphql_complexity"),
        ("query A { users { " + "...F " * 20 + "} } fragment F on User { "
         + "friends { id } " * 20 + "}", "graphql_complexity"),
    ],
    ids=["another operation", "an unused fragment", "the same field", "a fragment"],
)  # fmt: skip
def test_all_of_a_document_is_measured_before_any_of_it_is_validated(
    query: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its validation is quadratic in the number of fields of one name."""
    monkeypatch.setattr(requests, "validate", None)
    options = {"multiple_operations": True}
    assert refused(query, operationName="A", options=options) == (422, [("/query", code)])


def test_a_fragment_may_be_spread_where_it_has_been_spread() -> None:
    """Its fields are not compared with themselves, as clients rely on that build documents."""
    inner = " ".join(f"a{index}: id" for index in range(30))
    spread = " ".join(f"...G{index}" for index in range(12))
    fragments = " ".join(f"fragment G{index} on User {{ ...F }}" for index in range(12))
    checked(f"{{ users {{ {spread} }} }} fragment F on User {{ {inner} }} {fragments}")


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ users { id }",
        "seeded {",
        '{ user(id: "seeded) { id } }',
        "",
        "\x00",
        "{ users { id } } }",
    ],
)
def test_what_is_no_document_is_refused(query: str) -> None:
    """As malformed."""
    assert refused(query) == (400, [("/query", "graphql_syntax")])


def test_a_long_document_is_refused_before_it_is_parsed() -> None:
    """By its tokens."""
    assert refused("{ users { id } " * 3000)[1] == [("/query", "graphql_syntax")]
    assert refused("{" * 50_000)[1] in (
        [("/query", "graphql_syntax")],
        [("/query", "graphql_depth")],
    )
    assert refused("{ users { id } }" + "," * 50_000) == (400, [("/query", "graphql_length")])
    checked("{ users { id } }" + "," * 50_000, options={"max_length": 60_000})
    aliases = " ".join(f"a{index}: users {{ id }}" for index in range(5000))
    assert refused(f"{{ {aliases} }}")[0] == 400


def nested(depth: int) -> str:
    return "{ users { " + "friends { " * (depth - 2) + "id" + " }" * depth


def test_depth_is_bounded() -> None:
    """Fields within fields, also through fragments."""
    checked(nested(5), options={"max_depth": 5})
    assert refused(nested(6), options={"max_depth": 5}) == (422, [("/query", "graphql_depth")])
    spread = """{ users { ...F } } fragment F on User { friends { ...G } }
    fragment G on User { friends { friends { id } } }"""
    assert refused(spread, options={"max_depth": 4}) == (422, [("/query", "graphql_depth")])


@pytest.mark.parametrize(
    ("query", "members"),
    [
        ("{ users(first: 1000) { id } }", {}),
        ("query($n: Int) { users(first: $n) { id } }", {"variables": {"n": 1000}}),
        ("query($n: Int = 1000) { users(first: $n) { id } }", {}),
        ("query($n: Int) { users(first: $n) { id } }", {"variables": {"n": 1e6}}),
        ("query($n: Float) { pages(page: {limit: $n}) { id } }", {"variables": {"n": 1e6}}),
        ("query($p: Page) { pages(page: $p) { id } }", {"variables": {"p": {"limit": 1000}}}),
        ("query($p: Page) { pages(page: $p) { id } }", {"variables": {"p": {}}}),
        ("{ pages(page: {limit: 1e6}) { id } }", {}),
        ("{ users(first: 30) { friends(first: 30) { id } } }", {}),
        ("{ users(first: 99999999999999999999999) { id } }", {}),
        ("{ users { " + " ".join(f"a{index}: id" for index in range(600)) + " } }", {}),
        ("{ users { ...F } } fragment F on User { ...G ...G ...G } "
         "fragment G on User { ...H ...H ...H } "
         "fragment H on User { " + " ".join(f"a{index}: id" for index in range(60)) + " }", {}),
        ("{ users { ...F } } fragment F on User { ...G } fragment G on User { ...F }", {}),
    ],
    ids=["literal", "variable", "default", "float", "member", "object", "object default",
        "float literal", "nested", "huge", "aliases", "fragments", "cycle"],
)  # fmt: skip
def test_complexity_is_bounded(query: str, members: Any) -> None:
    """Fields are counted as often as they are asked for."""
    assert refused(query, **members) == (422, [("/query", "graphql_complexity")])


@pytest.mark.parametrize(
    ("query", "members", "pointer", "code"),
    [
        ("{ users { seeded } }", {}, "/query", "graphql_schema"),
        ("{ users(first: \"seeded\") { id } }", {}, "/query", "graphql_schema"),
        ("{ __schema { types { name } } }", {}, "/query", "graphql_schema"),
        ("{ users { ...F } }", {}, "/query", "graphql_schema"),
        ("query($n: Int!) { users(first: $n) { id } }", {"variables": {"n": "seeded"}},
         "/variables", "graphql_variables"),
        ("query($n: Int!) { users(first: $n) { id } }", {}, "/variables", "graphql_variables"),
        ("subscription { users { id } }", {}, "/query", "graphql_kind"),
    ],
)  # fmt: skip
def test_what_the_schema_has_not_is_refused(
    query: str, members: Any, pointer: str, code: str
) -> None:
    """Introspection among it, and nothing of the request is told."""
    status, found = refused(query, **members)
    assert status == 422
    assert set(found) == {(pointer, code)}


def test_introspection_and_kinds_are_opened_by_option() -> None:
    """One by one."""
    checked("{ __schema { types { name } } }", options={"introspection": True})
    checked("subscription { users { id } }", options={"subscriptions": True})
    rename = 'mutation { rename(id: 1, name: "b") { id } }'
    checked(rename)
    assert refused(rename, options={"mutations": False})[1] == [("/query", "graphql_kind")]


@pytest.mark.parametrize(
    "members",
    [{"variables": []}, {"operationName": 5}, {"more": 1}, {"query": None}, {"extensions": {}}],
)
def test_what_is_no_request_is_refused(members: Any) -> None:
    """Its members have types, and there are no others."""
    status, found = refused(members.pop("query", "{ users { id } }"), **members)
    assert status == 400
    assert {code for _, code in found} == {"graphql_request"}


CONTRACTS = {"POST,GET /graphql": GraphQL(schema=SCHEMA)}


@both_adapters
def test_requests_come_by_post_and_by_get(adapter: Adapter) -> None:
    """A GET changes nothing, and has JSON for its variables."""
    app = Guarded(adapter, CONTRACTS)
    query = "query($n: Int) { users(first: $n) { id } }"
    assert app.post("/graphql", {"query": query, "variables": {"n": 2}}).status == 200
    assert app.seen[0].body.variables == {"n": 2}
    asked = urlencode({"query": query, "variables": json.dumps({"n": 2})})
    answer = app.ask("GET", f"/graphql?{asked}")
    assert answer.status == 200, answer.text()
    assert app.seen[1].query.variables == {"n": 2}
    mutation = urlencode({"query": 'mutation { rename(id: 1, name: "b") { id } }'})
    answer = app.ask("GET", f"/graphql?{mutation}")
    assert faults(answer) == [("query", "/query", "graphql_kind")]
    assert app.ask("GET", "/graphql?query={&more=1").status in (400, 422)


@both_adapters
def test_large_variables_are_refused_before_they_are_coerced(adapter: Adapter) -> None:
    """By an option that the problem names."""
    variables: Any = {"p": {"after": [{}] * 1000}}
    query = "query($p: Page) { pages(page: $p) { id } }"
    app = Guarded(adapter, CONTRACTS, limits=BodyLimits(checks=1000))
    answer = app.post("/graphql", {"query": query, "variables": variables})
    assert answer.status == 400
    assert faults(answer) == [("body", "", "json_checks")]
    assert "BodyLimits(checks=" in answer.text()


@both_adapters
def test_the_canonical_form_is_the_request_alone(adapter: Adapter) -> None:
    """Without white space around it, or members in another order."""
    app = Guarded(adapter, CONTRACTS, forward="canonical")
    sent = '{ "variables": null, "query":"{ users { id } }" }'
    answer = app.ask("POST", "/graphql", body=sent, headers=[("Content-Type", "application/json")])
    assert answer.status == 200
    assert app.bodies == [b'{"query":"{ users { id } }"}']


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schema": "type"}, "schema is not a GraphQL schema"),
        ({"schema": 5}, "schema must be a GraphQLSchema"),
        ({"schema": SCHEMA, "max_depth": 0}, "max_depth must be at least 1"),
    ],
)
def test_wrong_options_are_refused(options: Any, words: str) -> None:
    """At construction."""
    with pytest.raises((TypeError, ValueError), match=words):
        GraphQL(**options)
