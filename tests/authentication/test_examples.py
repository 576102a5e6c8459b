"""The policies of identity and origins as an app writes them, in one stack under both protocols."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, assert_type

import pytest
from pydantic import SecretStr

import mantlet
from mantlet import (
    Allow,
    ApiKeys,
    Authenticator,
    Authorizer,
    Basic,
    Cedar,
    ClientCertificate,
    Cors,
    CrossOrigin,
    Dpop,
    ErrorEnvelope,
    Hosts,
    Identity,
    Introspection,
    Jwt,
    RateLimiter,
    SchemaGuard,
    Secret,
    Session,
    keys,
)
from mantlet.authentication.client_credentials import client_authorization
from mantlet.authentication.jwt.algorithms import algorithm_model
from tests.drive import Adapter, Said, both_adapters

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from pathlib import Path

KEY = "a-key-of-a-test"
CLERK = Identity("robot", "api_key", scopes=frozenset({"orders:read"}), roles=frozenset({"clerk"}))
DOCUMENT = """
openapi: 3.1.0
info: {title: Orders, version: "1"}
paths:
  /health:
    get: {security: [], responses: {"200": {description: up}}}
  /orders:
    get:
      security: [{key: []}]
      responses: {"200": {description: the orders}}
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get:
      security: [{key: []}]
      responses: {"200": {description: an order}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-API-Key}
"""
POLICY = """
permit(principal in Role::"clerk", action == Action::"read", resource == Order::"7");
"""


class Order:
    """An object of an app."""

    def __init__(self, own: str) -> None:
        self.id = own


def lookup(digest: str) -> Identity | None:
    """Return whose key it is."""
    return CLERK if digest == sha256(KEY.encode()).hexdigest() else None


def load_user(_cookie: str) -> str | None:
    """Return whose session it is: nobody's."""
    return None


def verify(_user: str, _password: str) -> bool:
    """Return whether a password is right: none is."""
    return False


def shop(raw: MutableMapping[str, Any]) -> Said:
    """Answer with the subject; ask about an order."""
    request = mantlet.state(raw)
    path: str = raw.get("path") or raw["PATH_INFO"]
    if path.startswith("/orders/"):
        mantlet.authorize(raw, "read", Order(path.rpartition("/")[2]))
    who = request.identity
    return 200, [("content-type", "text/plain")], who.subject.encode() if who else b"nobody"


def policies(path: Path) -> list[mantlet.Policy]:
    """Return all of them, with documents in a directory."""
    (path / "openapi.yaml").write_text(DOCUMENT)
    (path / "policies").mkdir()
    (path / "policies" / "orders.cedar").write_text(POLICY)
    client = ("orders-api", "not-a-real-secret")
    auth = Authenticator(
        Jwt(
            issuer="http://127.0.0.1:9",
            audience="https://api.example",
            algorithms=["ES256", "Ed25519"],
            typ="at+jwt",
        ),
        ApiKeys(lookup, header="X-API-Key"),
        Introspection("http://127.0.0.1:9/introspect", client=client, cache="30s"),
        Session(cookie="session", load=load_user),
        Basic(verify),
        ClientCertificate(header="X-Client-Cert", trusted_proxies=["10.0.0.0/8"]),
        public=["GET /health", "OPTIONS *"],
    )
    authorizer = Authorizer(
        rules=[
            Allow("GET /health", public=True),
            Allow("GET /orders", scope="orders:read"),
            Allow("POST /orders", scope="orders:write", role={"clerk", "admin"}),
            Allow("* /admin/*", role="admin", acr="mfa", hide=True),
            Allow("GET /orders/{id}", check="object"),
        ],
        openapi=str(path / "openapi.yaml"),
        engine=Cedar(str(path / "policies")),
        unmatched="deny",
    )
    return [
        ErrorEnvelope(),
        Cors(origins=["https://app.example"], headers=["X-API-Key"]),
        Hosts(allowed=["localhost"], https=False),
        auth,
        authorizer,
        CrossOrigin(trusted=["https://admin.example"]),
        RateLimiter("100/minute", key=keys.identity()),
        SchemaGuard(openapi=str(path / "openapi.yaml"), security=auth),
    ]


@both_adapters
def test_all_of_them_around_an_app(adapter: Adapter, tmp_path: Path) -> None:
    stack = adapter.wrap(shop, *policies(tmp_path))
    host, key = ("Host", "localhost"), ("X-API-Key", KEY)

    def status(path: str, *headers: tuple[str, str], method: str = "GET") -> int | None:
        return adapter.drive(stack, method, path, headers=[host, *headers]).status

    assert status("/health") == 200
    assert status("/orders") == 401
    assert status("/orders", key) == 200
    assert status("/orders", key, ("Cookie", "session=s1")) == 200
    assert status("/orders", key, ("Authorization", "Basic YTpi")) == 400
    assert status("/orders", key, method="POST") == 403  # a scope is missing
    assert status("/orders/7", key) == 200
    assert status("/orders/8", key) == 403  # Cedar does not permit it
    assert status("/admin/users", key) == 404
    assert status("/others", key) == 403
    assert (
        adapter.drive(stack, path="/orders", headers=[("Host", "evil.example"), key]).status == 421
    )
    refused = adapter.drive(
        stack, path="/orders", headers=[host, ("Origin", "https://app.example")]
    )
    assert refused.status == 401
    assert refused.get("access-control-allow-origin") == "https://app.example"
    assert refused.get("www-authenticate") == (
        'Bearer realm="api", ApiKey realm="api", Cookie realm="api", '
        'Basic realm="api", charset="UTF-8"'
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Jwt(issuer="https://id.example", audience="a", algorithms=["ES256"]),
        lambda: Jwt(issuer="shop", audience="a", algorithms=["HS256"], secret="s" * 32),
        lambda: Dpop(origin="https://api.example"),
        lambda: ClientCertificate(from_server=True),
    ],
    ids=["keys", "secret", "dpop", "certificate"],
)
def test_a_missing_extra_is_named_where_it_is_needed(
    make: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At construction, and not once a provider has sent keys."""
    algorithm_model.cache_clear()
    for module in ("joserfc", "joserfc.jws", "joserfc.jwk", "cryptography", "cryptography.x509"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    with pytest.raises(ImportError, match=r'pip install "mantlet\[identity\]"'):
        make()


@pytest.mark.parametrize("hidden", [str, SecretStr, Secret], ids=["plain", "pydantic", "own"])
def test_every_option_takes_a_secret_in_any_form(hidden: Callable[[str], Any]) -> None:
    secret = hidden("a-secret-of-a-test-with-32-bytes")
    Jwt(issuer="shop", audience="shop", algorithms=["HS256"], secret=secret)
    Dpop(origin="https://api.example", nonce=secret)
    header = client_authorization(("orders-api", secret))
    assert header == f"Basic {b64encode(b'orders-api:a-secret-of-a-test-with-32-bytes').decode()}"


def test_an_error_shows_how_to_write_it() -> None:
    authorizer: Callable[..., Authorizer] = Authorizer
    with pytest.raises(TypeError, match=re.escape('rules=[Allow("GET /orders")]')):
        authorizer(rules=Allow("GET /a"))


@both_adapters
def test_a_type_checker_knows_the_identity(adapter: Adapter) -> None:
    """And so an editor completes it; mypy checks this as it checks all tests."""

    def view(request: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        who = mantlet.state(request).identity
        assert_type(who, mantlet.Identity | None)
        assert who is not None
        assert_type(who.scopes, frozenset[str])
        return 200, [], assert_type(who.subject, str).encode()

    app = adapter.wrap(view, Authenticator(ApiKeys(lambda _: CLERK, header="X-API-Key")))
    assert adapter.drive(app, headers=[("X-API-Key", KEY)]).body == b"robot"
