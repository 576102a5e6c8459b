"""Tokens that are bound to a key, a certificate, or both (RFC 7800, RFC 8705, RFC 9449)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mantlet import Authenticator, ClientCertificate, Dpop
from tests.authentication.possession.certificates import Authority
from tests.authentication.possession.dpop_client import Client
from tests.authentication.possession.known_tokens import KnownTokens, whoami
from tests.drive import Adapter, Answer, both_adapters

AUTHORITY = Authority()
ISSUED, OTHER = AUTHORITY.issue(), AUTHORITY.issue()
CLIENT = Client()
JKT = CLIENT.thumbprint
X5T = ISSUED.thumbprint
ORIGIN = "https://api.example"


def send(
    adapter: Adapter,
    confirmation: Any,
    *,
    auth_scheme: str = "Bearer",
    certificate: str | None = None,
    proof: bool = False,
    has_certificates: bool = True,
    client: str = "10.0.0.7",
) -> Answer:
    """Send a request with a token that has a confirmation."""
    schemes: list[Any] = [KnownTokens({"token": {"cnf": confirmation}})]
    if has_certificates:
        schemes.append(
            ClientCertificate(
                header="ClientCert", form="pem", trusted_proxies=["10.0.0.0/8"], subject="dn"
            )
        )
    app = adapter.wrap(whoami, Authenticator(*schemes, dpop=Dpop(origin=ORIGIN)))
    headers = [("Authorization", f"{auth_scheme} token")]
    if certificate is not None:
        headers.append(("ClientCert", certificate))
    if proof:
        headers.append(("DPoP", CLIENT.prove("GET", f"{ORIGIN}/", "token", time.time())))
    return adapter.drive(app, headers=headers, client=client)


@both_adapters
def test_a_token_is_bound_to_the_certificate_of_its_request(adapter: Adapter) -> None:
    right = send(adapter, {"x5t#S256": X5T}, certificate=ISSUED.as_nginx())
    assert (right.status, right.body) == (200, b"alice")
    for certificate in (OTHER.as_nginx(), None, "", "malformed"):
        answer = send(adapter, {"x5t#S256": X5T}, certificate=certificate)
        assert answer.status == 401
        assert 'error="invalid_token"' in (answer.get("www-authenticate") or "")
    # A certificate in the header of anyone but the proxy is none.
    stolen = send(adapter, {"x5t#S256": X5T}, certificate=ISSUED.as_nginx(), client="192.0.2.1")
    assert stolen.status == 401
    unasked = send(
        adapter, {"x5t#S256": X5T}, certificate=ISSUED.as_nginx(), has_certificates=False
    )
    assert unasked.status == 401
    # Nor can a proof stand for it.
    assert send(adapter, {"x5t#S256": X5T}, proof=True, auth_scheme="DPoP").status == 401


@both_adapters
def test_a_token_that_is_bound_to_both_needs_both(adapter: Adapter) -> None:
    both = {"jkt": JKT, "x5t#S256": X5T}
    value = ISSUED.as_nginx()
    assert send(adapter, both, auth_scheme="DPoP", proof=True, certificate=value).status == 200
    assert send(adapter, both, auth_scheme="DPoP", proof=True).status == 401
    assert send(adapter, both, auth_scheme="DPoP", certificate=value).status == 401
    assert send(adapter, both, proof=True, certificate=value).status == 401


@pytest.mark.parametrize(
    "confirmation",
    [
        None,
        {},
        [],
        "x",
        0,
        {"jwk": CLIENT.jwk},
        {"kid": "key"},
        {"jku": "https://evil.example/keys"},
        {"x5t#S256": X5T, "kid": "key"},
        {"x5t#S256": None},
        {"x5t#S256": X5T + "="},
        {"x5t#S256": [X5T]},
        {"x5t#S256": "é" * 43},
        {"x5t#s256": X5T},
        {"jkt": None},
        {"jkt": ""},
        {"jkt": "\ud800" * 43},
        {"jkt": JKT, "": ""},
    ],
)
@pytest.mark.parametrize("auth_scheme", ["Bearer", "DPoP"])
@both_adapters
def test_a_confirmation_that_is_malformed_or_unknown_refuses_the_token(
    adapter: Adapter, confirmation: Any, auth_scheme: str
) -> None:
    answer = send(
        adapter, confirmation, auth_scheme=auth_scheme, proof=True, certificate=ISSUED.as_nginx()
    )
    assert answer.error is None
    assert answer.status == 401
