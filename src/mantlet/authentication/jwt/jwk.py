"""`VerificationKey`: one key that verifies signatures, from a strictly parsed JWK (RFC 7517).

A key fits the algorithms of its type and its curve alone, and only one of them if it has an
``alg``. Its ``x5c``, ``x5u`` and the like are never read.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Final

from mantlet._internal.extras import import_extra
from mantlet.authentication.jwt.algorithms import HMAC, algorithm_model, algorithms_for
from mantlet.authentication.jwt.base64url import decode_base64url

__all__ = [
    "MAX_KID",
    "UnusableKey",
    "VerificationKey",
    "parse_jwk",
    "secret_key",
]

#: The longest ``kid``, in characters.
MAX_KID: Final = 256

_MIN_RSA_BITS: Final = 2048  # NIST SP 800-131A
_MAX_RSA_BITS: Final = 8192
_EXPONENTS: Final = range(65537, 2**33)  # FIPS 186-5; longer ones take longer to verify
#: Members that only private keys have (RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2).
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
#: The bytes of a coordinate of each curve; signatures have twice as many.
_CURVES: Final = {
    "EC": {"P-256": 32, "P-384": 48, "P-521": 66},
    "OKP": {"Ed25519": 32, "Ed448": 57},
}
#: The y-coordinates of points of small order, also of 2^255-19 and more (RFC 7748, 6.1): whoever
#: has such a public key can have made no signature, and everyone can make all of them.
_P: Final = 2**255 - 19
_SMALL_ORDER: Final = frozenset(
    {
        *(0, 1, _P - 1, _P, _P + 1),
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)
#: For some small primes, the remainders of moduli of a library with a flaw, the powers of 65537
#: (CVE-2017-15361, Nemec et al., The Return of Coppersmith's Attack, 2.2).
_FLAWED: Final = {
    prime: frozenset(pow(65537, power, prime) for power in range(prime))
    for prime in (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
}


class UnusableKey(ValueError):
    """A key can't verify tokens. The message has no value of it."""


class VerificationKey:
    """One key that verifies signatures.

    Args:
        key: a key of joserfc.
        kid: its id; None if it has none.
        key_type: ``"RSA"``, ``"EC"``, ``"OKP"`` or ``"oct"``.
        algorithms: those that it may be used with.
        signature_size: the bytes of a signature; None if the algorithm decides.
    """

    __slots__ = ("_key", "_models", "_signature_size", "key_type", "kid")

    # Any: one of joserfc's classes of keys.
    def __init__(
        self,
        key: Any,
        kid: str | None,
        key_type: str,
        algorithms: Collection[str],
        signature_size: int | None,
    ) -> None:
        self._key = key
        self.kid = kid
        self.key_type = key_type
        self._models = {name: algorithm_model(name) for name in algorithms}
        self._signature_size = signature_size

    @property
    def algorithms(self) -> Collection[str]:
        """The algorithms that the key may be used with."""
        return self._models.keys()

    def verify(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Return whether a signature is right.

        Args:
            algorithm: the algorithm; False if the key may not be used with it.
            message: the signed bytes.
            signature: the signature.
        """
        model = self._models.get(algorithm)
        size = self._signature_size
        if model is None or (size is not None and len(signature) != size):
            return False
        return model.verify(message, signature, self._key)

    def __repr__(self) -> str:
        return f"<VerificationKey {self.key_type}>"


# Any: members of JSON.
def parse_jwk(jwk: Any) -> VerificationKey:
    """Return the key of a member of a key set.

    Args:
        jwk: the JSON object.

    Raises:
        UnusableKey: it can't verify tokens.
    """
    if not isinstance(jwk, Mapping):
        raise UnusableKey("it is not an object")
    key_type = jwk.get("kty")
    if key_type == "oct":
        raise UnusableKey("a key set has no shared secrets (kty oct); use the option secret")
    if not _PRIVATE.isdisjoint(jwk):
        raise UnusableKey("it is a private key, and everyone who reads the set has it")
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= MAX_KID):
        raise UnusableKey(f"kid must be text of at most {MAX_KID} characters")
    _check_use(jwk)
    if key_type == "RSA":
        members, curve, size = _rsa_members(jwk)
    elif key_type in ("EC", "OKP"):
        members, curve, size = _curve_members(jwk, key_type)
    else:
        raise UnusableKey("kty must be RSA, EC or OKP")
    algorithms = algorithms_for(key_type, curve)
    declared = jwk.get("alg")
    if declared is not None:
        if declared not in algorithms:
            raise UnusableKey("alg is not an algorithm for signatures with a key of its type")
        algorithms = (declared,)
    return VerificationKey(_import_key(key_type, members), kid, key_type, algorithms, size)


def secret_key(secret: bytes) -> VerificationKey:
    """Return the key of a shared secret, for the algorithms that it is long enough for.

    Args:
        secret: at least 32 bytes.
    """
    key = import_extra("joserfc.jwk", "identity").OctKey.import_key(secret)
    fitting = [name for name, least in HMAC.items() if len(secret) >= least]
    return VerificationKey(key, None, "oct", fitting, None)


# Any: members of JSON.
def _check_use(jwk: Mapping[str, Any]) -> None:
    """Refuse a key for another purpose than signatures (RFC 7517, 4.2 and 4.3)."""
    if jwk.get("use", "sig") != "sig":
        raise UnusableKey("use is not sig")
    operations = jwk.get("key_ops", ["verify"])
    if (
        not isinstance(operations, list)
        or not all(isinstance(one, str) for one in operations)
        or len(set(operations)) != len(operations)
    ):
        raise UnusableKey("key_ops must be a list of distinct texts")
    if "verify" not in operations or not {"sign", "verify"}.issuperset(operations):
        raise UnusableKey("key_ops must be verify")


# Any: members of JSON.
def _rsa_members(jwk: Mapping[str, Any]) -> tuple[dict[str, str], str, int]:
    modulus = int.from_bytes(_number(jwk, "n"))
    exponent = int.from_bytes(_number(jwk, "e"))
    bits = modulus.bit_length()
    if not _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
        raise UnusableKey(
            f"RSA keys must have {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits; it has {bits}"
        )
    if exponent not in _EXPONENTS or not exponent % 2:
        raise UnusableKey("the exponent must be odd, and from 65537 to 2^33")
    if not modulus % 2 or all(modulus % prime in powers for prime, powers in _FLAWED.items()):
        raise UnusableKey("its modulus was not made of two random primes (CVE-2017-15361)")
    return {"kty": "RSA", "n": jwk["n"], "e": jwk["e"]}, "", (bits + 7) // 8


# Any: members of JSON.
def _curve_members(jwk: Mapping[str, Any], key_type: str) -> tuple[dict[str, str], str, int]:
    curve = jwk.get("crv")
    size = _CURVES[key_type].get(curve) if isinstance(curve, str) else None
    if curve is None or size is None:
        raise UnusableKey(f"crv must be one of {', '.join(_CURVES[key_type])}")
    members = {"kty": key_type, "crv": curve}
    for name in ("x", "y") if key_type == "EC" else ("x",):
        if len(_value(jwk, name)) != size:
            raise UnusableKey(f"{name} must have {size} bytes")
        members[name] = jwk[name]
    if curve == "Ed25519":
        encoded = int.from_bytes(_value(jwk, "x"), "little")
        if encoded % 2**255 in _SMALL_ORDER:
            raise UnusableKey("x is a point of small order, with which everyone can sign")
    return members, curve, 2 * size


# Any: members of JSON.
def _number(jwk: Mapping[str, Any], name: str) -> bytes:
    value = _value(jwk, name)
    if value[:1] in (b"", b"\0"):
        raise UnusableKey(f"{name} must be a number without leading zeros")
    return value


# Any: members of JSON.
def _value(jwk: Mapping[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    value = None
    if isinstance(text, str) and text.isascii():
        with suppress(ValueError):
            value = decode_base64url(text.encode())
    if value is None:
        raise UnusableKey(f"{name} must be text in Base64url")
    return value


# Any: one of joserfc's classes of keys.
def _import_key(key_type: str, members: dict[str, str]) -> Any:
    keys = import_extra("joserfc.jwk", "identity")
    kinds = {"RSA": keys.RSAKey, "EC": keys.ECKey, "OKP": keys.OKPKey}
    try:
        key = kinds[key_type].import_key(members)
        key.public_key  # noqa: B018  # made at its first use, and kept
    except ValueError:  # such as a point that is not on its curve
        key = None
    if key is None:
        raise UnusableKey("it is not a point of its curve, or not a key")
    return key
