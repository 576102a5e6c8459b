"""Tokens that an issuer has signed and bound to a key, through frameworks and both protocols."""

from __future__ import annotations

import time
from typing import Any

import fastapi
import flask
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

import mantlet
from mantlet import Authenticator, Cors, Dpop, Jwt
from tests.authentication.possession.dpop_client import Client
from tests.authentication.possession.known_tokens import KnownTokens, whoami
from tests.drive import Adapter, Answer, both_adapters

ISSUER = "https://id.example"
ORIGIN = "https://api.example"
SIGNER = Client()


def issue(client: Client | None) -> str:
    """Return an access token (RFC 9068) that is bound to the key of a client, or to none."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": ORIGIN,
        "sub": "alice",
        "client_id": "app",
        "iat": now,
        "exp": now + 300,
        "jti": "token",
    }
    if client is not None:
        claims["cnf"] = {"jkt": client.thumbprint}
    return SIGNER.jws({"typ": "at+jwt", "alg": "ES256", "kid": "1"}, claims)


def authenticator(**options: Any) -> Authenticator:
    """Return the policy of the tests."""
    keys = {"keys": [{**SIGNER.jwk, "kid": "1"}]}
    jwt = Jwt(issuer=ISSUER, audience=ORIGIN, algorithms=["ES256"], keys=keys)
    return Authenticator(jwt, dpop=Dpop(origin=ORIGIN, **options))


def flask_app() -> Any:
    """Return an app of Flask."""
    app = flask.Flask(__name__)

    @app.get("/orders/<order>")
    def orders(order: str) -> str:
        identity = mantlet.state(flask.request).identity
        return "-" if identity is None else f"{identity.subject} {order}"

    return app


def fastapi_app() -> Any:
    """Return an app of FastAPI."""
    app = fastapi.FastAPI()

    @app.get("/orders/{order}", response_class=fastapi.responses.PlainTextResponse)
    def orders(request: fastapi.Request, order: str) -> str:
        identity = mantlet.state(request).identity
        return "-" if identity is None else f"{identity.subject} {order}"

    @app.websocket("/ws")
    async def greet(websocket: fastapi.WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    return app


@both_adapters
def test_a_signed_token_needs_a_new_proof_with_each_request(adapter: Adapter) -> None:
    framework = flask_app() if adapter.name == "wsgi" else fastapi_app()
    app = mantlet.wrap(framework, authenticator())
    client = Client()
    token = issue(client)

    def send(proof: str | None, path: str = "/orders/7", auth_scheme: str = "DPoP") -> Answer:
        headers = [("Authorization", f"{auth_scheme} {token}")]
        if proof is not None:
            headers.append(("DPoP", proof))
        return adapter.drive(app, "GET", path, headers=headers)

    def prove(method: str = "GET", path: str = "/orders/7") -> str:
        return client.prove(method, f"{ORIGIN}{path}", token, time.time())

    for _ in range(3):  # the token is remembered after the first
        proof = prove()
        answer = send(proof)
        assert (answer.status, answer.body) == (200, b"alice 7")
        refused = [
            send(proof),
            send(None),
            send(prove(), auth_scheme="Bearer"),
            send(prove("POST")),
            send(prove(path="/orders/8")),
            send(prove(), path="/orders/8"),
            send(Client().prove("GET", f"{ORIGIN}/orders/7", token, time.time())),
            send(client.prove("GET", f"{ORIGIN}/orders/7", issue(client) + "x", time.time())),
        ]
        assert [one.status for one in refused] == [401] * len(refused)


@both_adapters
def test_a_token_without_a_key_is_sent_as_bearer_only(adapter: Adapter) -> None:
    app = adapter.wrap(whoami, authenticator())
    token = issue(None)
    proof = Client().prove("GET", f"{ORIGIN}/", token, time.time())
    bearer = [("Authorization", f"Bearer {token}")]
    assert adapter.drive(app, headers=bearer).body == b"alice"
    dpop = [("Authorization", f"DPoP {token}"), ("DPoP", proof)]
    assert adapter.drive(app, headers=dpop).status == 401


def test_a_websocket_handshake_needs_a_proof_of_get() -> None:
    client = Client()
    token = issue(client)
    browser = TestClient(mantlet.asgi.wrap(fastapi_app(), authenticator()))
    for uri in (f"{ORIGIN}/ws", "wss://api.example/ws"):
        proof = client.prove("GET", uri, token, time.time())
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        with browser.websocket_connect("/ws", headers=headers) as connection:
            assert connection.receive_text() == "hello"
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            browser.websocket_connect("/ws", headers=headers),
        ):
            pass
        assert refused.value.status_code == 401
        assert 'error="invalid_dpop_proof"' in refused.value.headers["www-authenticate"]


@both_adapters
def test_in_report_mode_nothing_is_refused_and_no_header_is_added(adapter: Adapter) -> None:
    client = Client()
    tokens = KnownTokens({"token": {"cnf": {"jkt": client.thumbprint}}})
    dpop = Dpop(origin=ORIGIN, nonce="n" * 32)
    app = adapter.wrap(whoami, Authenticator(tokens, dpop=dpop, mode="report"))
    for proof in ("x", client.prove("GET", f"{ORIGIN}/", "token", time.time())):
        headers = [("Authorization", "DPoP token"), ("DPoP", proof)]
        answer = adapter.drive(app, headers=headers)
        assert answer.status == 200
        assert "dpop-nonce" not in answer.names


@both_adapters
def test_scripts_of_another_origin_can_read_the_nonce(adapter: Adapter) -> None:
    client = Client()
    tokens = KnownTokens({"token": {"cnf": {"jkt": client.thumbprint}}})
    auth = Authenticator(tokens, dpop=Dpop(origin=ORIGIN, nonce="n" * 32))
    cors = Cors(origins=["https://app.example"], expose=["WWW-Authenticate"])
    app = adapter.wrap(whoami, cors, auth)
    proof = client.prove("GET", f"{ORIGIN}/", "token", time.time())
    headers = [
        ("Origin", "https://app.example"),
        ("Authorization", "DPoP token"),
        ("DPoP", proof),
    ]
    answer = adapter.drive(app, headers=headers)
    assert answer.status == 401
    exposed = (answer.get("access-control-expose-headers") or "").lower()
    assert {"dpop-nonce", "www-authenticate"} <= set(exposed.replace(" ", "").split(","))
