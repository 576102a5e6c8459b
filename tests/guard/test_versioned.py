"""Each version of an API has a schema of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from mantlet import Health, SchemaGuard, Version, VersionedGuard, Versions
from mantlet.testing import PolicyClient
from mantlet.versions import header, path

if TYPE_CHECKING:
    from mantlet.testing import Protocol

both_protocols = pytest.mark.parametrize("protocol", ["asgi", "wsgi"])


class Old(BaseModel):
    """An item in version 1."""

    name: str


class New(BaseModel):
    """An item in version 2."""

    title: str


def document(field: str) -> dict[str, Any]:
    """Return a document with one operation, whose body has one field."""
    schema = {
        "type": "object",
        "required": [field],
        "properties": {field: {"type": "string"}},
        "additionalProperties": False,
    }
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    responses = {"200": {"description": "OK"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Items", "version": field},
        "paths": {"/items": {"post": {"requestBody": body, "responses": responses}}},
    }


VERSIONS = Versions(
    {"1": Version(), "2": Version(), "3": Version()},
    read=[header("API-Version")],
    default="2",
    neutral=["GET /health"],
)
GUARDS = {
    "contracts": {"1": SchemaGuard({"POST /items": Old}), "2": SchemaGuard({"POST /items": New})},
    "documents": {
        "1": SchemaGuard(openapi=document("name")),
        "2": SchemaGuard(openapi=document("title")),
    },
}
JSON = ("Content-Type", "application/json")


def post(client: PolicyClient, version: str | None, body: str) -> int:
    """Send a body for a version."""
    headers = [JSON] if version is None else [JSON, ("API-Version", version)]
    return client.post("/items", body=body, headers=headers).status


@both_protocols
@pytest.mark.parametrize("kind", GUARDS)
def test_a_schema_for_each_version(protocol: Protocol, kind: str) -> None:
    """Also for the default; nothing is declared for a version without a guard."""
    with PolicyClient(VERSIONS, VersionedGuard(GUARDS[kind]), protocol=protocol) as client:
        assert post(client, "1", '{"name": "a"}') == 200
        assert post(client, "2", '{"title": "a"}') == 200
        assert post(client, None, '{"title": "a"}') == 200
        assert post(client, "1", '{"title": "a"}') == 422
        assert post(client, "2", '{"name": "a"}') == 422
        assert post(client, None, '{"name": "a"}') == 422
        assert post(client, "3", '{"name": "a"}') == 404
        assert len(client.requests) == 3


@both_protocols
def test_requests_without_a_version(protocol: Protocol) -> None:
    """Have a guard of their own, or are refused: of neutral routes, and without a `Versions`."""
    guards = GUARDS["contracts"]
    closed = PolicyClient(VERSIONS, VersionedGuard(guards), protocol=protocol)
    assert closed.get("/health").status == 404
    unversioned = SchemaGuard({"GET /health": None})
    open_ = VersionedGuard(guards, unversioned=unversioned)
    client = PolicyClient(VERSIONS, open_, protocol=protocol)
    assert client.get("/health").status == 200
    assert client.get("/health?undeclared=1").status == 422
    assert post(client, "1", '{"name": "a"}') == 200
    alone = PolicyClient(VersionedGuard(guards), protocol=protocol)
    assert post(alone, "1", '{"name": "a"}') == 404


@both_protocols
def test_a_preflight_without_a_version(protocol: Protocol) -> None:
    """Passes to the app, which answers it, as with one guard."""
    policy = Versions({"1": Version()}, read=[path("/v{version}")])
    client = PolicyClient(policy, VersionedGuard(GUARDS["contracts"]), protocol=protocol)
    headers = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "POST")]
    assert client.request("OPTIONS", "/items", headers=headers).status == 200
    assert client.request("OPTIONS", "/items").status == 400


@both_protocols
def test_modes(protocol: Protocol, caplog: pytest.LogCaptureFixture) -> None:
    """Each guard has its own, so that the schema of a new version can be tried first."""
    guards = {
        "1": SchemaGuard({"POST /items": Old}),
        "2": SchemaGuard({"POST /items": New}, mode="report"),
        "3": SchemaGuard({"POST /items": New}, mode="off"),
    }
    client = PolicyClient(VERSIONS, VersionedGuard(guards), protocol=protocol)
    with caplog.at_level(logging.WARNING):
        assert post(client, "1", "{}") == 422
        assert not caplog.records
        assert post(client, "2", "{}") == 200
        assert "POST /items, invalid request" in caplog.text
        assert post(client, "3", "{}") == 200


@both_protocols
def test_responses(protocol: Protocol) -> None:
    """Are validated by the guard of the version too."""
    operation = document("name")["paths"]["/items"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    content = {"application/json": {"schema": schema}}
    checked = document("name")
    checked["paths"]["/items"]["post"]["responses"]["200"]["content"] = content
    guards = {
        "1": SchemaGuard(openapi=checked, responses="enforce"),
        "2": SchemaGuard(openapi=document("name")),
    }
    client = PolicyClient(VERSIONS, VersionedGuard(guards), protocol=protocol)
    assert post(client, "2", '{"name": "a"}') == 200
    assert post(client, "1", '{"name": "a"}') == 500


def test_messages() -> None:
    """Of WebSockets are validated by the guard of the handshake's version."""
    guards = {"1": SchemaGuard({"WS /live": Old}), "2": SchemaGuard({"WS /live": New})}
    client = PolicyClient(VERSIONS, VersionedGuard(guards))
    body = '{"name": "a"}'
    session = client.websocket("/live", [body], headers=[("API-Version", "1")])
    assert session.messages == [body]
    refused = client.websocket("/live", [body], headers=[("API-Version", "2")])
    assert (refused.messages, refused.close_code) == ([], 1008)


@both_protocols
def test_health(protocol: Protocol) -> None:
    """Names the version of each state."""
    guard = VersionedGuard(GUARDS["documents"], unversioned=SchemaGuard({"GET /health": None}))
    client = PolicyClient(Health(), guard, protocol=protocol)
    checks = client.get("/-/ready").json()["checks"]["VersionedGuard"]
    assert checks == {"1 document": "ok", "2 document": "ok", "unversioned document": "ok"}


@pytest.mark.parametrize(
    ("guards", "unversioned", "error", "message"),
    [
        ([], None, TypeError, "takes a mapping"),
        ({}, None, ValueError, "at least one version"),
        ({1: GUARDS["contracts"]["1"]}, None, TypeError, 'must be text such as "1"'),
        ({"1": "v1.yaml"}, None, TypeError, "'1' must have a SchemaGuard"),
        (GUARDS["contracts"], "health", TypeError, "unversioned must have a SchemaGuard"),
    ],
    ids=["list", "empty", "number", "path", "unversioned"],
)
def test_wrong_options(guards: Any, unversioned: Any, error: type[Exception], message: str) -> None:
    """Are errors at construction."""
    with pytest.raises(error, match=message):
        VersionedGuard(guards, unversioned=unversioned)
