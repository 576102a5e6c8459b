"""Keys and tokens of tests, made at run time; and tokens that no library would make."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from functools import cache
from time import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from mantlet.authentication.jwt.algorithms import ASYMMETRIC, HMAC

ISSUER = "https://id.example"
AUDIENCE = "https://api.example"

Jwk = dict[str, Any]


def b64(data: bytes) -> str:
    """Return Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def pair(kind: str = "P-256", variant: str = "") -> Any:
    """Return a new key pair of joserfc; always the same for the same arguments.

    Args:
        kind: a curve, or ``"RSA"``.
        variant: names another pair of its kind.
    """
    return _pair(kind, variant)


@cache
def _pair(kind: str, _variant: str) -> Any:
    if kind == "RSA":
        return RSAKey.generate_key(2048)
    if kind in ("Ed25519", "Ed448", "X25519"):
        return OKPKey.generate_key(kind)  # type: ignore[arg-type]
    return ECKey.generate_key(kind)


@cache
def weak_rsa() -> Jwk:
    """Return the JWK of an RSA key of 1024 bits."""
    pair = rsa.generate_private_key(65537, 1024)  # noqa: S505  # which is to be refused
    modulus = pair.public_key().public_numbers().n
    return {"kty": "RSA", "kid": "weak", "n": b64(modulus.to_bytes(128)), "e": "AQAB"}


def kind_of(algorithm: str) -> str:
    """Return the kind of key pair for an algorithm, as `pair()` takes it."""
    key_type, curve = ASYMMETRIC[algorithm]
    return curve or ("RSA" if key_type == "RSA" else "Ed25519")


def public(key: Any, **members: Any) -> Jwk:
    """Return the JWK of a public key; members that are None are left out."""
    made = {**key.as_dict(private=False), **members}
    return {name: value for name, value in made.items() if value is not None}


def jwks(*keys: Any) -> dict[str, Any]:
    """Return a key set of key pairs or JWKs."""
    return {"keys": [one if isinstance(one, dict) else public(one, kid="1") for one in keys]}


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a valid access token (RFC 9068, 2.2); those that are `...` left out."""
    now = int(time())
    made = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "web",
        "jti": "token-1",
        "iat": now,
        "exp": now + 300,
        "scope": "orders:read orders:write",
        **changes,
    }
    return {name: value for name, value in made.items() if value is not ...}


def sign(
    payload: dict[str, Any] | bytes | None = None,
    *,
    key: Any = None,
    algorithm: str = "ES256",
    header: dict[str, Any] | bytes | None = None,
) -> str:
    """Return a token; by default a valid one.

    Args:
        payload: the claims, or the bytes themselves.
        key: a key pair, or a secret.
        algorithm: what the signature is made with.
        header: changes of the header, or its bytes themselves.
    """
    if not isinstance(header, bytes):
        made = {"alg": algorithm, "typ": "at+jwt", "kid": "1", **(header or {})}
        made = {name: value for name, value in made.items() if value is not ...}
        header = json.dumps(made).encode()
    if not isinstance(payload, bytes):
        payload = json.dumps(claims() if payload is None else payload).encode()
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(signature(signed.encode(), key, algorithm))}"


def signature(message: bytes, key: Any, algorithm: str) -> bytes:
    """Return the signature of a message."""
    if key is None:
        key = pair(kind_of(algorithm))
    if algorithm in HMAC:
        return hmac.digest(key, message, f"sha{algorithm[2:]}")
    made: bytes = jws.JWSRegistry.algorithms[algorithm].sign(message, key)
    return made
