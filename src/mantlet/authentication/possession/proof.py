"""`Proof`: a DPoP proof, read and verified but for what is known of the request (RFC 9449, 4.2)."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from json import dumps, loads
from math import isfinite
from typing import Any, Final

from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.jwt.base64url import encode_base64url
from mantlet.authentication.jwt.compact import (
    CompactJws,
    check_header,
    parse_compact,
    parse_payload,
)
from mantlet.authentication.jwt.jwk import UnusableKey, VerificationKey, parse_jwk

__all__ = ["ERROR", "Proof", "base64url_digest"]

#: RFC 9449, 7.1: the code for everything that is wrong with a proof.
ERROR: Final = "invalid_dpop_proof"
_TYPES: Final = frozenset({"dpop+jwt"})
#: The most characters of a proof. With an RSA key of 8,192 bits it has about 4,000.
_MAX_SIZE: Final = 8192
_MAX_JTI: Final = 256
#: How many keys are kept parsed, as that takes a third of the time of a verification.
_KNOWN_KEYS: Final = 1024
#: The members of a thumbprint by the type of the key, in their order (RFC 7638, 3.2; RFC 8037, 2).
_MEMBERS: Final = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """A proof whose form is right. Nobody has verified its signature yet.

    Attributes:
        thumbprint: of its key (RFC 7638).
        identifier: its unique id, ``jti``.
        method: of the request that it is for, ``htm``.
        uri: of that request, ``htu``.
        issued: when it was made, in seconds of Unix time, ``iat``.
        token_hash: the hash of its access token, ``ath``.
        nonce: what the server has provided; of any type, as it is compared with a known text.
    """

    thumbprint: str
    identifier: str
    method: str
    uri: str
    issued: float
    token_hash: str
    nonce: object
    _algorithm: str
    _key: VerificationKey
    _jws: CompactJws

    @classmethod
    def parse(cls, text: str, algorithms: Collection[str]) -> "Proof":
        """Return the proof of a text.

        Args:
            text: the value of the header.
            algorithms: those that are allowed; all of them asymmetric.

        Raises:
            InvalidCredential: it is malformed; the exception has nothing of it.
        """
        jws = parse_compact(text, max_size=_MAX_SIZE, error=ERROR)
        algorithm, _ = check_header(jws.header, algorithms, _TYPES, error=ERROR)
        jwk = jws.header.get("jwk")
        try:
            key, thumbprint = _parse_key(dumps(jwk))
        except UnusableKey as error:
            reason = str(error)
        else:
            reason = ""
        if reason:
            raise InvalidCredential(f"the key of the proof: {reason}", error=ERROR)
        claims = parse_payload(jws.payload, error=ERROR)
        return cls(
            thumbprint,
            _text(claims, "jti", _MAX_JTI),
            _text(claims, "htm"),
            _text(claims, "htu"),
            _issued(claims),
            _text(claims, "ath"),
            claims.get("nonce"),
            algorithm,
            key,
            jws,
        )

    def verify_signature(self) -> None:
        """Verify the signature with the key that the proof itself has.

        Raises:
            InvalidCredential: it is wrong.
        """
        if not self._key.verify(self._algorithm, self._jws.signed, self._jws.signature):
            raise InvalidCredential("the signature of the proof is wrong", error=ERROR)


@lru_cache(_KNOWN_KEYS)
def _parse_key(text: str) -> tuple[VerificationKey, str]:
    """Return the key of a JWK in JSON, and its thumbprint: a client has one for many proofs."""
    jwk = loads(text)
    key = parse_jwk(jwk)
    # Its members were checked, and need no escapes in JSON.
    pairs = (f'"{name}":"{jwk[name]}"' for name in _MEMBERS[jwk["kty"]])
    return key, base64url_digest(f"{{{','.join(pairs)}}}".encode())


def base64url_digest(data: bytes) -> str:
    """Return a SHA-256 digest in Base64url."""
    return encode_base64url(sha256(data).digest())


# Any: values of JSON.
def _text(claims: dict[str, Any], name: str, most: int = _MAX_SIZE) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise InvalidCredential(
            f"the claim {name} of the proof is missing, or not text of 1 to {most} characters",
            error=ERROR,
        )
    return value


# Any: values of JSON.
def _issued(claims: dict[str, Any]) -> float:
    value = claims.get("iat")
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise InvalidCredential("the claim iat of the proof is missing, or no number", error=ERROR)
    return value
