"""The algorithms that sign tokens (RFC 7518, 3; RFC 8037; RFC 9864), and the keys that fit them.

``none`` is not one of them, and neither is an algorithm that encrypts.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mantlet._internal.extras import import_extra

if TYPE_CHECKING:
    from joserfc.jwa import JWSAlgModel

__all__ = ["ASYMMETRIC", "HMAC", "algorithm_model", "algorithms_for"]

#: For each algorithm with a key pair the type of its key, and its curve; "" if there is a choice.
ASYMMETRIC: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "RS256": ("RSA", ""),
        "RS384": ("RSA", ""),
        "RS512": ("RSA", ""),
        "PS256": ("RSA", ""),
        "PS384": ("RSA", ""),
        "PS512": ("RSA", ""),
        "ES256": ("EC", "P-256"),
        "ES384": ("EC", "P-384"),
        "ES512": ("EC", "P-521"),
        "Ed25519": ("OKP", "Ed25519"),
        "Ed448": ("OKP", "Ed448"),
        "EdDSA": ("OKP", ""),
    }
)
#: For each algorithm with a shared secret the fewest bytes that the secret may have: as many as the
#: hash has (RFC 7518, 3.2).
HMAC: Final[Mapping[str, int]] = MappingProxyType({"HS256": 32, "HS384": 48, "HS512": 64})


def algorithms_for(key_type: str, curve: str) -> tuple[str, ...]:
    """Return the algorithms that a key fits.

    Args:
        key_type: ``"RSA"``, ``"EC"`` or ``"OKP"``.
        curve: its curve; "" for RSA.
    """
    return tuple(
        name
        for name, (its_type, its_curve) in ASYMMETRIC.items()
        if its_type == key_type and its_curve in ("", curve)
    )


@cache
def algorithm_model(name: str) -> "JWSAlgModel":
    """Return joserfc's implementation of an algorithm of this module.

    Raises:
        ImportError: joserfc is not installed.
    """
    registry = import_extra("joserfc.jws", "identity").JWSRegistry
    model: JWSAlgModel = registry.algorithms[name]
    return model
