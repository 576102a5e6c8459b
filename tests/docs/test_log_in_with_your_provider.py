"""The settings of docs/log-in-with-your-provider.md, with tokens as the providers document them."""

from __future__ import annotations

import inspect
import re
import ssl
from time import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Discovery, Introspection, Jwt, Secret
from mantlet._internal.coroutines import run_sync
from mantlet.authentication.errors import InvalidCredential
from mantlet.core.identity import Identity
from mantlet.wsgi.request import WsgiRequest
from tests.authentication.provider import Provider, make_certificate
from tests.docs.pages import DOCS, block_with, run
from tests.drive import make_environ

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "log-in-with-your-provider.md"
TENANT, API = "TENANT", "API"


def now(**claims: object) -> dict[str, Any]:
    return {"iat": int(time()), "nbf": int(time()), "exp": int(time()) + 600, **claims}


#: By the name on the page: the header and the claims of an access token, and of an ID token of the
#: same issuer for the client; and the subject, the scopes and the roles.
KEYCLOAK = {
    "iss": "https://id.example/realms/shop",
    "sub": "f:1",
    "jti": "j",
    "azp": "spa",
    "scope": "openid orders:read",
    "realm_access": {"roles": ["admin"]},
}
AUTH0 = {"iss": "https://shop.eu.auth0.com/", "sub": "auth0|1", "scope": "openid orders:read"}
ENTRA = {"iss": f"https://login.microsoftonline.com/{TENANT}/v2.0", "sub": "s", "tid": TENANT}
ENTRA_V1 = {"iss": f"https://sts.windows.net/{TENANT}/", "sub": "s", "tid": TENANT}
COGNITO = {
    "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
    "sub": "s",
    "cognito:groups": ["admin"],
}
Case = tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], set[str], set[str]]
CASES: dict[str, Case] = {
    "keycloak": (
        {"typ": "at+jwt"},
        {**KEYCLOAK, "typ": "Bearer", "aud": ["https://api.example", "account"]},
        {"typ": "JWT"},
        {**KEYCLOAK, "typ": "ID", "aud": "spa"},
        {"openid", "orders:read"},
        {"admin"},
    ),
    "keycloak_jwt": (
        {"typ": "JWT"},
        {**KEYCLOAK, "typ": "Bearer", "aud": "https://api.example"},
        {"typ": "JWT"},
        {**KEYCLOAK, "typ": "ID", "aud": "https://api.example"},
        {"openid", "orders:read"},
        {"admin"},
    ),
    "auth0": (
        {"typ": "at+jwt"},
        {
            **AUTH0,
            "aud": ["https://api.example", "https://shop.eu.auth0.com/userinfo"],
            "client_id": "spa",
            "jti": "j",
            "permissions": ["orders:read"],
        },
        {"typ": "JWT"},
        {**AUTH0, "aud": "spa"},
        {"openid", "orders:read"},
        {"orders:read"},
    ),
    "entra": (
        {"typ": "JWT"},
        {**ENTRA, "aud": API, "azp": "spa", "ver": "2.0", "scp": "orders.read", "roles": ["admin"]},
        {"typ": "JWT"},
        {**ENTRA, "aud": API, "ver": "2.0", "roles": ["admin"]},
        {"orders.read"},
        {"admin"},
    ),
    "entra_v1": (
        {"typ": "JWT", "x5t": "x"},
        {**ENTRA_V1, "aud": f"api://{API}", "appid": "spa", "ver": "1.0", "scp": "orders.read"},
        {"typ": "JWT"},
        {**ENTRA_V1, "aud": API, "ver": "1.0"},
        {"orders.read"},
        set(),
    ),
    "cognito": (
        {},
        {
            **COGNITO,
            "client_id": "1example23456789",
            "token_use": "access",
            "scope": "orders/read openid",
            "version": 2,
        },
        {},
        {**COGNITO, "aud": "1example23456789", "token_use": "id"},
        {"orders/read", "openid"},
        {"admin"},
    ),
}


def settings(name: str, provider: Provider) -> Jwt:
    """Return the scheme of a block, with the keys of a provider, and its algorithm."""

    def make(**options: Any) -> Jwt:
        assert options["algorithms"] == ["RS256"]
        options.update(keys=provider.jwks(), algorithms=["ES256"])
        return Jwt(**options)

    found: Jwt = run(PAGE, block_with(PAGE, f"{name} = Jwt("), Jwt=make)[name]
    return found


def verify(scheme: Jwt, token: str) -> Identity:
    assert scheme.accepts(token)
    identity = scheme.verify(WsgiRequest(make_environ()), token)
    assert isinstance(identity, Identity)
    return identity


@pytest.mark.parametrize("name", CASES)
def test_an_access_token_is_accepted_and_an_id_token_is_not(name: str) -> None:
    provider = Provider()
    provider._server.server_close()
    header, claims, id_header, id_claims, scopes, roles = CASES[name]
    scheme = settings(name, provider)
    identity = verify(scheme, provider.sign(now(**claims), **header))
    assert identity.subject == claims["sub"]
    assert identity.scopes == scopes
    assert identity.roles == roles
    with pytest.raises(InvalidCredential):
        verify(scheme, provider.sign(now(**id_claims), **id_header))
    for wrong in ({"aud": "other", "client_id": "other"}, {"exp": 1}):
        with pytest.raises(InvalidCredential):
            verify(scheme, provider.sign({**now(**claims), **wrong}, **header))
    assert not scheme.accepts(provider.sign(now(**{**claims, "iss": "https://x"}), **header))


def test_google_is_for_one_client_and_one_domain() -> None:
    provider = Provider()
    provider._server.server_close()
    scheme = settings("google", provider)
    claims = {
        "iss": "https://accounts.google.com",
        "aud": "123456789012-abc.apps.googleusercontent.com",
        "sub": "1",
        "hd": "example.com",
    }
    assert verify(scheme, provider.sign(now(**claims), typ="JWT")).subject == "1"
    for wrong in ({"aud": "another-client"}, {"hd": "evil.example"}, {"hd": None}):
        with pytest.raises(InvalidCredential):
            verify(scheme, provider.sign(now(**{**claims, **wrong}), typ="JWT"))


def test_the_first_example() -> None:
    async def app(_scope: object, _receive: object, _send: object) -> None:
        """Never called."""

    found = run(PAGE, block_with(PAGE, "public=["), app=app)
    assert isinstance(found["app"], mantlet.asgi.Stack)
    assert isinstance(found["auth"], mantlet.Authenticator)


def test_introspection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its credentials are those of a loader."""
    monkeypatch.setenv("INTROSPECTION_CLIENT_ID", "orders-api-of-the-shop")
    monkeypatch.setenv("INTROSPECTION_CLIENT_SECRET", "kR7vT2qX9mB4wL1p")
    found = run(PAGE, block_with(PAGE, "Introspection("))
    assert isinstance(found["introspection"], Introspection)


def test_the_page_of_introspection() -> None:
    async def app(_scope: object, _receive: object, _send: object) -> None:
        """Never called."""

    page = "authenticator/introspection.md"
    secrets = SimpleNamespace(introspection=Secret("not-a-real-secret"))
    found = run(page, block_with(page, "Introspection("), app=app, secrets=secrets)
    assert isinstance(found["app"], mantlet.asgi.Stack)


def test_the_options_of_introspection_are_all_listed() -> None:
    """With their defaults."""
    text = (DOCS / "authenticator/introspection.md").read_text()
    parameters = list(inspect.signature(Introspection.__init__).parameters)[1:]
    assert re.findall(r"^\| `(\w+)` \|", text.partition("## What")[0], re.MULTILINE) == parameters


def test_an_authority_of_ones_own(tmp_path: Path) -> None:
    make_certificate(tmp_path, "id.internal.example")
    block = block_with(PAGE, "our-authority.pem")
    certificate = str(tmp_path / "certificate.pem")
    found = run(PAGE, block.replace("/etc/ssl/our-authority.pem", certificate), Jwt=Jwt)
    assert found["tls"].verify_mode is ssl.CERT_REQUIRED
    source: Any = found["inside"]._keys
    assert isinstance(source, Discovery)
    assert run_sync(source.startup()) is None  # there is no such host, and no exception
    assert source.health() == "down"
