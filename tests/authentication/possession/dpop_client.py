"""A client of DPoP, written from RFC 9449 and RFC 7638 alone: nothing of the package is used."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def encoded(data: bytes) -> str:
    """Return Base64url without padding (RFC 7515, 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    """Return a number in big-endian bytes (RFC 7518, 2 and 6.2.1.2)."""
    return encoded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Client:
    """A client with a key of its own.

    Args:
        key: a private key; by default a new one on P-256.
    """

    def __init__(self, key: Key | None = None) -> None:
        self.key: Key = key or ec.generate_private_key(ec.SECP256R1())

    @property
    def algorithm(self) -> str:
        """The algorithm of its signatures."""
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return "ES256"
        return "Ed25519" if isinstance(self.key, ed25519.Ed25519PrivateKey) else "PS256"

    @property
    def jwk(self) -> dict[str, Any]:
        """Its public key (RFC 7517)."""
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            point = self.key.public_key().public_numbers()
            return {
                "kty": "EC",
                "crv": "P-256",
                "x": number(point.x, 32),
                "y": number(point.y, 32),
            }
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            raw = self.key.public_key().public_bytes_raw()
            return {"kty": "OKP", "crv": "Ed25519", "x": encoded(raw)}
        public = self.key.public_key().public_numbers()
        return {"kty": "RSA", "n": number(public.n), "e": number(public.e)}

    @property
    def thumbprint(self) -> str:
        """The thumbprint of its key (RFC 7638, 3)."""
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return encoded(hashlib.sha256(text.encode()).digest())

    def header(self) -> dict[str, Any]:
        """Return the header of a proof (RFC 9449, 4.2)."""
        return {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk}

    def claims(
        self, method: str, uri: str, token: str, now: float, nonce: str | None = None
    ) -> dict[str, Any]:
        """Return the claims of a new proof (RFC 9449, 4.2)."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": uri,
            "iat": int(now),
            "ath": encoded(hashlib.sha256(token.encode()).digest()),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return claims

    def prove(self, method: str, uri: str, token: str, now: float, nonce: str | None = None) -> str:
        """Return a new proof for a request."""
        return self.jws(self.header(), self.claims(method, uri, token, now, nonce))

    def jws(self, header: dict[str, Any], claims: dict[str, Any] | bytes) -> str:
        """Return a compact JWS (RFC 7515, 7.1)."""
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signed = f"{encoded(json.dumps(header).encode())}.{encoded(payload)}"
        return f"{signed}.{encoded(self.sign(signed.encode()))}"

    def sign(self, data: bytes) -> bytes:
        """Return a signature (RFC 7518, 3.4 and 3.5; RFC 8037, 3.1)."""
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return self.key.sign(data, pss, hashes.SHA256())
