"""Rules from the security requirements of an OpenAPI document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import (
    Allow,
    ApiKeys,
    Authenticator,
    Authorizer,
    DocumentError,
    Identity,
    Policy,
    Request,
)
from tests.authorization.identities import TestAuthentication, user
from tests.drive import Adapter, both_adapters, hello

if TYPE_CHECKING:
    from pathlib import Path


def document(**paths: Any) -> dict[str, Any]:
    """Return a document with several schemes; each path has a ``get`` with a security."""
    responses = {"200": {"description": "ok"}}
    return {
        "openapi": "3.1.1",
        "info": {"title": "Orders", "version": "1"},
        "servers": [{"url": "https://api.example/v1"}],
        "paths": {
            f"/{name}": {"get": {"responses": responses} | ({} if of is None else {"security": of})}
            for name, of in paths.items()
        },
        "components": {
            "securitySchemes": {
                "oauth": {
                    "type": "oauth2",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": "https://id.example/token",
                            "scopes": {"orders:read": "read", "orders:write": "write"},
                        }
                    },
                },
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "admin": {"type": "apiKey", "in": "header", "name": "X-Admin-Key"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "key"},
                "certificate": {"type": "mutualTLS"},
                "own": {"type": "http", "scheme": "hoba"},
            }
        },
    }


DOCUMENT = document(
    read=[{"oauth": ["orders:read"]}],
    both=[{"oauth": ["orders:read", "orders:write"]}],
    either=[{"oauth": ["orders:write"]}, {"key": []}],
    scopes=[{"oauth": ["a", "b", "c"]}, {"oauth": ["orders:read", "d"]}],
    public=[],
    optional=[{}, {"oauth": ["orders:write"]}],
    key=[{"key": []}],
    admin=[{"admin": []}],
    keys=[{"admin": []}, {"key": []}],
    cookie=[{"cookie": []}],
    impossible=[{"oauth": [], "key": []}],
    certificate=[{"certificate": []}],
    silent=None,
)


@both_adapters
@pytest.mark.parametrize(
    ("path", "who", "status"),
    [
        ("/read", None, 401),
        ("/read", "reader", 200),
        ("/read", "admin", 403),
        ("/read", "key", 403),  # it has another kind of credential
        ("/v1/read", "reader", 200),
        ("/v1/read", None, 401),
        ("/both", "reader", 403),
        ("/both", "writer", 200),
        ("/either", "writer", 200),
        ("/either", "reader", 403),  # an API key's alternative is not for tokens
        ("/either", "key", 200),
        ("/public", None, 200),
        ("/optional", None, 200),
        ("/optional", "reader", 200),
        ("/key", "key", 200),
        ("/key", "writer", 403),
        ("/admin", "key", 403),  # its key is in another header
        ("/keys", "key", 200),
        ("/cookie", "key", 403),
        ("/impossible", "writer", 403),
        ("/certificate", "key", 403),
        ("/silent", "writer", 403),
        ("/other", "writer", 403),
    ],
)
def test_an_identity_satisfies_one_alternative_as_a_whole(
    adapter: Adapter, path: str, who: str | None, status: int
) -> None:
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(openapi=DOCUMENT))
    assert adapter.drive(app, path=path, headers=user(who)).status == status


@both_adapters
def test_the_alternative_that_lacks_least_is_named(adapter: Adapter) -> None:
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(openapi=DOCUMENT))
    answer = adapter.drive(app, path="/scopes", headers=user("reader"))
    assert answer.get("WWW-Authenticate") == (
        'Bearer error="insufficient_scope", scope="d orders:read"'
    )


@both_adapters
def test_rules_and_the_document_both_apply(adapter: Adapter) -> None:
    rules = [Allow("* /*", role="clerk")]
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=rules, openapi=DOCUMENT))
    # The document's pattern is more specific, and does not open what the rule has closed.
    assert adapter.drive(app, path="/public").status == 401
    assert adapter.drive(app, path="/read", headers=user("reader")).status == 403
    assert adapter.drive(app, path="/read", headers=user("writer")).status == 200
    # Nor does a rule open what the document has closed.
    opened = Authorizer(rules=[Allow("* /*", public=True)], openapi=DOCUMENT)
    app = adapter.wrap(hello, TestAuthentication(), opened)
    assert adapter.drive(app, path="/read").status == 401
    assert adapter.drive(app, path="/silent").status == 200


def test_operations_without_security_are_named(caplog: pytest.LogCaptureFixture) -> None:
    Authorizer(openapi=DOCUMENT)
    assert "has no security for these operations" in caplog.text
    assert "GET /silent" in caplog.text
    assert "nobody can satisfy an alternative of several schemes, oauth and key" in caplog.text


def test_the_documents_own_security_is_for_all_operations() -> None:
    whole = document(silent=None, public=[]) | {"security": [{"oauth": ["orders:read"]}]}
    rows = {row.route: row.needs for row in Authorizer(openapi=whole).table()}
    assert rows["GET /silent"] == "introspection/jwt/oauth with scope orders:read"
    assert rows["GET /public"] == "anyone"


@both_adapters
def test_a_method_that_is_not_registered_opens_no_other(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    own = document(read=[{"oauth": ["orders:read"]}])
    purge = {"responses": {"200": {"description": "ok"}}, "security": []}
    own["openapi"] = "3.2.0"
    own["paths"]["/read"]["additionalOperations"] = {"PURGE": purge}
    app = adapter.wrap(hello, TestAuthentication(), Authorizer(openapi=own))
    for method in ("DELETE", "POST"):
        assert adapter.drive(app, method, "/read").status == 403
    assert "PURGE /read" in caplog.text


@pytest.mark.parametrize("names", [("read", "v1/read"), ("v1/read", "read"), ("read", "read/")])
def test_operations_for_the_same_requests_must_both_allow(names: tuple[str, str]) -> None:
    """The base path of the document is ``/v1``, which the app may see or not."""
    first, second = names
    paths = {first: [{"oauth": ["a"]}, {"key": []}], second: [{"oauth": ["b"]}]}
    rows = {row.route.rstrip("/"): row for row in Authorizer(openapi=document(**paths)).table()}
    assert rows["GET /v1/read"].needs == "introspection/jwt/oauth with scope a and b"
    paths[second] = []
    rows = {row.route.rstrip("/"): row for row in Authorizer(openapi=document(**paths)).table()}
    assert rows["GET /v1/read"].needs.startswith("introspection/jwt/oauth with scope a or")


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(DOCUMENT))
    rows = Authorizer(openapi=tmp_path / "openapi.json").table()
    assert {row.source for row in rows} == {"openapi", "unmatched"}


def test_parameters_of_any_name_are_read() -> None:
    given = document(**{"orders/{order-id}/a%20b": [], "{a}.{b-c}": []})
    for path, item in given["paths"].items():
        item["get"]["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in (["order-id"] if "order" in path else ["a", "b-c"])
        ]
    routes = [row.route for row in Authorizer(openapi=given).table()]
    assert "GET /orders/{parameter_0}/a b" in routes
    assert "GET /{a}.{parameter_1}" in routes


@pytest.mark.parametrize(
    "security",
    [[{"unknown": []}], [{"oauth": "orders:read"}], {"oauth": []}, ["oauth"]],
)
def test_a_faulty_security_is_an_error(security: Any) -> None:
    with pytest.raises(DocumentError):
        Authorizer(openapi=document(read=security))


def test_another_source_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Authorizer(openapi=3)  # type: ignore[arg-type]


@both_adapters
def test_an_identity_of_another_policy_has_no_key_in_a_header(adapter: Adapter) -> None:
    class Known(Policy):
        def on_request(self, request: Request) -> None:
            request.state.identity = Identity("me", "api_key")

    authenticator = Authenticator(ApiKeys({}), public=["GET /key"])
    app = adapter.wrap(hello, authenticator, Known(), Authorizer(openapi=DOCUMENT))
    assert adapter.drive(app, path="/key").status == 403
