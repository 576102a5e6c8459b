"""An issuer of access tokens, whose keys are made at each start."""

import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

ISSUER = "https://id.example"
AUDIENCE = "https://api.example"
SUBJECT = UUID("7b0e1c52-0f5f-4b8c-9a55-3c1f6e0f7d11")
SCOPE = "orders:write"
ROLE = "clerk"
ALGORITHMS = ("ES256", "Ed25519")
_KID = "2026-11"


class Issuer:
    """Signs access tokens (RFC 9068) by one algorithm."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        parameters: Any = {"kid": _KID, "alg": algorithm, "use": "sig"}
        self._key: ECKey | OKPKey = (
            ECKey.generate_key("P-256", parameters)
            if algorithm == "ES256"
            else OKPKey.generate_key("Ed25519", parameters)
        )

    @property
    def key(self) -> dict[str, Any]:
        """The public key, as in a key document (RFC 7517)."""
        return dict(self._key.as_dict(private=False))

    @property
    def pem(self) -> str:
        """The public key, as some peers take it."""
        return self._key.as_pem(private=False).decode()

    def token(self, **changes: Any) -> str:
        """Return a new token; ``changes`` replace claims."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(SUBJECT),
            "client_id": "benchmarks",
            "iat": now,
            "exp": now + 86_400,
            "jti": str(uuid4()),
            "scope": SCOPE,
            "roles": [ROLE],
            **changes,
        }
        header = {"alg": self.algorithm, "typ": "at+jwt", "kid": _KID}
        return jwt.encode(header, claims, self._key, algorithms=[self.algorithm])

    def raw(self, token: str) -> Callable[[], None]:
        """Return what verifies a token's signature by ``cryptography`` alone, parsed beforehand."""
        message, _, encoded = token.rpartition(".")
        signature, signed = urlsafe_b64decode(encoded + "=="), message.encode()
        public: Any = self._key.public_key
        if self.algorithm == "Ed25519":
            return lambda: public.verify(signature, signed)
        numbers = (int.from_bytes(part) for part in (signature[:32], signature[32:]))
        der, algorithm = encode_dss_signature(*numbers), ECDSA(SHA256())
        return lambda: public.verify(der, signed, algorithm)


def forged(token: str) -> str:
    """Return a token with another signature."""
    message, _, signature = token.rpartition(".")
    return f"{message}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
