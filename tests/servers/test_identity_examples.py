"""The apps of ``examples/identity`` under a server each: one code, and the same responses."""

from __future__ import annotations

import json
import secrets
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.servers.conftest import some
from tests.servers.server import EXAMPLES, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

SERVERS = {
    "flask": "gunicorn-sync",
    "django": "gunicorn-gthread",
    "falcon": "granian-wsgi",
    "fastapi": "uvicorn-httptools",
    "starlette": "uvicorn-h11",
    "litestar": "granian-asgi",
    "quart": "hypercorn",
}
KEY = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"})
API_KEY = secrets.token_urlsafe()
FRONT_END = "https://app.example"
ITEM = {"item": "a chair"}


def bearer(subject: str = "ann", scope: str = "orders:read orders:write", **claims: Any) -> str:
    """Return the value of ``Authorization`` for a new token."""
    now = int(time.time())
    own = {"iss": "https://id.example", "aud": "https://api.example", "sub": subject}
    own |= {"client_id": "shop", "jti": secrets.token_hex(), "scope": scope}
    header = {"alg": "ES256", "kid": "1", "typ": "at+jwt"}
    return "Bearer " + jwt.encode(header, {**own, "iat": now, "exp": now + 60, **claims}, KEY)


@pytest.fixture(scope="module", params=some(SERVERS, __name__))
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    keys.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    digest = sha256(API_KEY.encode()).hexdigest()
    with (
        serve(
            SERVERS[request.param],
            f"examples.identity.{request.param}_app:app",
            directory=EXAMPLES.parent,
            env={"JWKS_FILE": str(keys), "REPORTS_KEY_SHA256": digest},
        ) as server,
        httpx.Client(base_url=server.url, timeout=120) as made,
    ):
        yield made


def test_a_public_route_needs_no_credential(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, ""),
        ({"Authorization": bearer(exp=1)}, "invalid_token"),
        ({"Authorization": bearer(aud="https://other.example")}, "invalid_token"),
        ({"X-API-Key": "another"}, ""),
    ],
    ids=["anonymous", "expired", "audience", "key"],
)
def test_others_need_a_valid_one(client: httpx.Client, headers: dict[str, str], error: str) -> None:
    answer = client.get("/orders", headers=headers)

    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]
    assert (f'error="{error}"' in answer.headers["www-authenticate"]) is bool(error)


def test_clients_see_their_own_orders_alone(client: httpx.Client) -> None:
    headers = {"Authorization": bearer()}

    own, another = (client.get(f"/orders/{number}", headers=headers) for number in (1, 2))

    assert client.get("/orders", headers=headers).json() == [own.json()]
    assert own.json() == {"owner": "ann", "item": "a lamp"}
    assert (another.status_code, "sofa" in another.text) == (403, False)


def test_a_credential_is_for_its_scopes(client: httpx.Client) -> None:
    by_token = client.post("/orders", headers={"Authorization": bearer()}, json=ITEM)
    by_key = client.post("/orders", headers={"X-API-Key": API_KEY}, json=ITEM)

    assert (by_token.status_code, by_token.json()) == (201, {"ordered": "a chair"})
    assert by_key.status_code == 403
    assert client.get("/orders", headers={"X-API-Key": API_KEY}).json() == []


def test_the_front_end_reads_every_response(client: httpx.Client) -> None:
    asked = {"Origin": FRONT_END, "Access-Control-Request-Method": "POST"}
    preflight = client.options("/orders", headers=asked)
    refused = client.get("/orders", headers={"Origin": FRONT_END})
    others = client.get("/health", headers={"Origin": "https://evil.example"})

    assert (preflight.status_code, refused.status_code) == (204, 401)
    for answer in (preflight, refused):
        assert answer.headers["access-control-allow-origin"] == FRONT_END
    assert "access-control-allow-origin" not in others.headers


@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", 403), (FRONT_END, 201)], ids=["evil", "own"]
)
def test_other_sites_cannot_use_a_browsers_cookies(
    client: httpx.Client, origin: str, status: int
) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Cookie": "session=1"}

    answer = client.post("/orders", headers={**headers, "Authorization": bearer()}, json=ITEM)

    assert answer.status_code == status
