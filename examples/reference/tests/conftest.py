"""The back end under FastAPI and under Flask, each with its own database, and a client."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from examples.reference.adapters.web import fastapi_app, flask_app
from examples.reference.composition import Backend
from examples.reference.config import Settings
from examples.reference.development import Provider, environment
from fastapi.testclient import TestClient


@dataclass
class Api:
    """A client of the back end."""

    http: httpx.Client
    provider: Provider
    backend: Backend

    # Any: the options of httpx, and claims.
    def send(
        self,
        method: str,
        path: str,
        user: str | None = "ann",
        *,
        roles: Collection[str] = (),
        key: str | None = None,
        claims: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Send a request as a user."""
        headers = {"Idempotency-Key": key} if key else {}
        if user is not None:
            token = self.provider.token(user, roles=roles, **(claims or {}))
            headers["Authorization"] = f"Bearer {token}"
        headers |= options.pop("headers", {})
        return self.http.request(method, path, headers=headers, **options)

    def place(self, user: str = "ann", key: str = "place", **lines: int) -> str:
        """Place an order, and return its id."""
        body = {"lines": lines or {"lamp": 2}}
        response = self.send("POST", "/v2/orders", user, key=key, json=body)
        assert response.status_code == 201, response.text
        order_id: str = response.json()["id"]
        return order_id

    def pay(self, order_id: str, user: str = "ann", key: str = "pay") -> httpx.Response:
        """Pay for an order."""
        return self.send("POST", f"/v2/orders/{order_id}/payment", user, key=key)

    def query(self, text: str, user: str = "ann") -> httpx.Response:
        """Send a GraphQL query."""
        return self.send("POST", "/graphql", user, json={"query": text})

    def call(self, method: str, order_id: str, *roles: str) -> httpx.Response:
        """Call a JSON-RPC method."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": order_id}}
        return self.send("POST", "/rpc", "claire", roles=roles, json=body)


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Provider:
    return Provider(tmp_path_factory.mktemp("keys"))


@pytest.fixture(params=["fastapi", "flask"])
def api(request: pytest.FixtureRequest, provider: Provider, tmp_path: Path) -> Iterator[Api]:
    environ = environment(provider, f"sqlite:///{tmp_path / 'orders.db'}", 8000)
    marker = request.node.get_closest_marker("environ")
    backend = Backend(Settings(environ | (marker.kwargs if marker else {})))
    backend.create_tables()
    parts, base = (backend.controllers, backend.policies), "http://127.0.0.1:8000"
    client: Any  # from httpx or its successor, which have the same interface
    if request.param == "fastapi":
        client = TestClient(fastapi_app.create_app(*parts), base, raise_server_exceptions=False)
    else:
        wsgi = httpx.WSGITransport(flask_app.create_app(*parts), raise_app_exceptions=False)
        client = httpx.Client(transport=wsgi, base_url=base)
    with client as http:
        yield Api(http, provider, backend)
    backend.engine.dispose()
