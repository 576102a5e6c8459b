"""What is wrong with a single object."""

from __future__ import annotations

from typing import Any

import pytest

from tests.guard.openapi.building import DONE, document, of_operation, problems

OPERATION = "/paths/~1x/get"


def test_security_schemes_must_be_there() -> None:
    """An unknown one can't be checked, so it is never taken for none."""
    source = of_operation({"security": [{}, {"key": []}]}, security=[{"other": ["a"]}])
    assert problems(source) == {
        "/security/0/other": "the security scheme 'other' is not in components.securitySchemes",
        f"{OPERATION}/security/1/key": (
            "the security scheme 'key' is not in components.securitySchemes"
        ),
    }


@pytest.mark.parametrize(
    ("scheme", "where", "words"),
    [
        ({}, "", "must have 'type'"),
        (
            {"type": "basic"},
            "/type",
            "must be one of apiKey, http, mutualTLS, oauth2, openIdConnect",
        ),
        ({"type": ["http"]}, "/type", "must be a string"),
        ({"type": "apiKey", "in": "query"}, "", "must have 'name'"),
        ({"type": "apiKey", "name": "a", "in": "body"}, "/in", "must be query, header or cookie"),
        ({"type": "http"}, "", "must have 'scheme'"),
        ({"type": "oauth2"}, "", "must have 'flows'"),
        (
            {"type": "oauth2", "flows": {"implicit": {"scopes": {}}}},
            "/flows/implicit",
            "must have 'authorizationUrl'",
        ),
        ({"type": "openIdConnect"}, "", "must have 'openIdConnectUrl'"),
    ],
)
def test_a_security_scheme_must_mean_something(
    scheme: dict[str, Any], where: str, words: str
) -> None:
    """What its type asks for is there."""
    found = problems(document(components={"securitySchemes": {"a": scheme}}))
    assert words in found[f"/components/securitySchemes/a{where}"]


def test_mutual_tls_is_of_3_1() -> None:
    """3.0 does not have it."""
    components = {"securitySchemes": {"a": {"type": "mutualTLS"}}}
    assert problems(document(version="3.0.4", components=components))
    assert not problems(document(components=components))


@pytest.mark.parametrize("name", ["text", "*/json", "text/plain, text/csv", "text/plain; a", ""])
def test_a_media_type_must_be_one(name: str) -> None:
    """Or a range of them."""
    source = of_operation({"requestBody": {"content": {name: {}}}})
    (where,) = problems(source)
    assert where.startswith(f"{OPERATION}/requestBody/content/")


def test_a_media_type_is_there_once() -> None:
    """Without regard to case, or to the order of its parameters."""
    content: dict[str, Any] = {
        "text/a; b=c; d=e": {},
        "TEXT/A;d=e;b=c": {},
        "text/a": {},
        "*/*": {},
        "text/*": {},
    }
    found = problems(of_operation({"requestBody": {"content": content}}))
    assert list(found.values()) == ["must not be the same media type as 'text/a; b=c; d=e'"]


@pytest.mark.parametrize(
    ("media", "where", "words"),
    [
        ({"encoding": {"a": {"style": "simple"}}}, "/encoding/a/style", "must be one of form"),
        (
            {"encoding": {"a": {"contentType": "image"}}},
            "/encoding/a/contentType",
            "must be a media type",
        ),
        ({"encoding": {}, "itemEncoding": {}}, "", "must not have 'encoding' together with"),
        (
            {"encoding": {"a": {"headers": {"X-A": {}}}}},
            "/encoding/a/headers/X-A",
            "must have either",
        ),
    ],
)
def test_an_encoding_must_mean_something(media: dict[str, Any], where: str, words: str) -> None:
    """Its styles are those of queries, and its types are types."""
    source = of_operation(
        {"requestBody": {"content": {"multipart/form-data": media}}}, version="3.2.0"
    )
    found = problems(source)
    assert words in found[f"{OPERATION}/requestBody/content/multipart~1form-data{where}"]


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"PO ST": DONE}, "must be a method"),
        ({"": DONE}, "must be a method"),
        ({"POST": DONE}, "must not be a method that has the field 'post'"),
        ({"query": DONE}, "must not be a method that has the field 'query'"),
    ],
)
def test_additional_operations_are_of_other_methods(methods: Any, words: str) -> None:
    """One that has a field of its own would be there twice (3.2)."""
    (found,) = problems(document({"/x": {"additionalOperations": methods}}, "3.2.0")).values()
    assert words in found


@pytest.mark.parametrize(
    ("server", "where", "words"),
    [
        ({}, "", "must have 'url'"),
        ({"url": "/a?b"}, "/url", "no query or fragment"),
        ({"url": "/{a}"}, "/url", "uses the undefined variable 'a'"),
        ({"url": "/{a}", "variables": {"a": {}}}, "/variables/a", "must have 'default'"),
        (
            {"url": "/{a}", "variables": {"a": {"default": "x", "enum": []}}},
            "/variables/a/default",
            "must be in the enum",
        ),
        (
            {"url": "/{a}", "variables": {"a": {"default": "x", "enum": ["y"]}}},
            "/variables/a/default",
            "must be in the enum",
        ),
        ({"url": "/a/../b"}, "/url", "must not have '..'"),
        ({"url": "/%ff"}, "/url", "is not a valid URL"),
        ({"url": "http://[/"}, "/url", "is not a valid URL"),
    ],
)
def test_a_server_must_mean_something(server: Any, where: str, words: str) -> None:
    """Its variables are defined, and it is a place."""
    found = problems(of_operation({}, servers=[server]))
    assert words in found[f"/servers/0{where}"]


def test_flows_that_have_what_they_need_are_fine() -> None:
    """Each of its own kind."""
    flows = {
        "clientCredentials": {"tokenUrl": "https://example.com", "scopes": {"a": "A"}},
        "implicit": {"authorizationUrl": "https://example.com", "scopes": {}},
    }
    schemes = {"a": {"type": "oauth2", "flows": flows}}
    assert not problems(document(components={"securitySchemes": schemes}))
    schemes["a"]["flows"] = {"password": 3}
    assert set(problems(document(components={"securitySchemes": schemes}))) == {
        "/components/securitySchemes/a/flows/password"
    }
