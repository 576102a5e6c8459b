"""Check the options of `Jwt`: contradictions and weak secrets are found where they are written."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from mantlet._internal.extras import import_extra
from mantlet._internal.secret_values import secret_bytes
from mantlet.authentication.jwt.algorithms import ASYMMETRIC, HMAC, algorithm_model
from mantlet.authentication.jwt.claims import RFC_9068
from mantlet.authentication.jwt.compact import media_types
from mantlet.authentication.jwt.key_set import MAX_CANDIDATES, KeySet
from mantlet.http.json_pointer import has_bad_escape, split_pointer

__all__ = [
    "check_algorithms",
    "check_claims",
    "check_path",
    "check_required",
    "check_secrets",
    "check_text",
    "check_texts",
    "check_type",
]

#: Claims that have rules of their own.
_RULED: Final = frozenset({"iss", "aud", "exp", "nbf", "iat"})
_PUBLIC: Final = (b"-----BEGIN", b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"{")
_RFC_9068_TYPE: Final = "at+jwt"


def check_text(option: str, value: object) -> str:
    """Return an option that is text.

    Raises:
        TypeError: it is not a string.
        ValueError: it is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{option} must be text, not {value!r}")
    if not value:
        raise ValueError(f"{option} must not be empty")
    return value


def check_texts(option: str, value: str | Collection[str]) -> frozenset[str]:
    """Return an option that is a text or several.

    Raises:
        TypeError: it is neither.
        ValueError: there is none, or one is empty.
    """
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, Mapping | bytes) or not isinstance(value, Collection):
        raise TypeError(f"{option} must be text or a list of texts, not {value!r}")
    if not value:
        raise ValueError(f"{option} must have at least one text")
    return frozenset(check_text(option, one) for one in value)


def check_path(option: str, value: str | None) -> tuple[str, ...]:
    """Return the path of a claim, from its name or a JSON Pointer; empty for None.

    Raises:
        TypeError: it is not text.
        ValueError: it is empty, or not a pointer (RFC 6901, 3).
    """
    if value is None:
        return ()
    if not check_text(option, value).startswith("/"):
        return (value,)
    if has_bad_escape(value):
        raise ValueError(f"{option} must be a JSON Pointer with ~ as ~0 or ~1, not {value!r}")
    return split_pointer(value)


def check_algorithms(
    algorithms: Collection[str], *, has_secret: bool, key_set: KeySet | None
) -> frozenset[str]:
    """Return the algorithms that are allowed.

    Args:
        algorithms: the option.
        has_secret: whether there is a shared secret instead of key pairs.
        key_set: the keys, if they never change.

    Raises:
        ImportError: joserfc is not installed; the message names the extra.
        TypeError: they are not a list of texts.
        ValueError: one is unknown, ``none``, there twice or not needed, or does not fit the keys.
    """
    names = check_texts("algorithms", algorithms)
    if not isinstance(algorithms, str) and len(names) != len(algorithms):
        raise ValueError(f"algorithms must have each name once, not {list(algorithms)!r}")
    known = [*ASYMMETRIC, *HMAC]
    for name in sorted(names):
        if name.lower() == "none":
            raise ValueError("algorithms must not have none: such a token is not signed")
        if name not in known:
            raise ValueError(f"algorithms must be among {', '.join(known)}, not {name!r}")
        algorithm_model(name)  # here, and not first when keys have been fetched
    hashed = names.intersection(HMAC)
    if hashed and hashed != names:
        raise ValueError(
            f"algorithms must not mix {min(hashed)}, which has a shared secret, with "
            f"{min(names - hashed)}, which has a public key: a public key would be taken for a "
            f"secret (RFC 8725, 2.1)"
        )
    if hashed and not has_secret:
        raise ValueError(f"{min(hashed)} needs a shared secret: pass secret=..., not keys")
    if has_secret and not hashed:
        raise ValueError(f"{min(names)} needs public keys, not a secret; use HS256 with a secret")
    if key_set is not None:
        unneeded = names.difference(key_set.algorithms)
        if unneeded:
            raise ValueError(f"algorithms must not have {min(unneeded)}, which no key fits")
    return names


# Any: text, bytes, or an object that reveals one.
def check_secrets(secret: Any, algorithms: Iterable[str]) -> tuple[bytes, ...]:
    """Return the shared secrets of an option.

    Args:
        secret: text, bytes, a `Secret` of one, or a list of these.
        algorithms: the algorithms; others than HMAC are left out.

    Raises:
        TypeError: it is something else.
        ValueError: one is too short (RFC 7518, 3.2), or a key that is not a secret. The message has
            nothing of it.
    """
    given = secret if isinstance(secret, list | tuple) else (secret,)
    if not 1 <= len(given) <= MAX_CANDIDATES:
        raise ValueError(
            f"secret must be one, or a list of at most {MAX_CANDIDATES}, not {len(given)}"
        )
    least, name = max((HMAC.get(name, 0), name) for name in algorithms)
    secrets = tuple(secret_bytes("secret", one) for one in given)
    for one in secrets:
        if one.lstrip().startswith(_PUBLIC) or _is_public_key(one):
            raise ValueError(
                "secret must be a shared secret, not a key of a pair: everyone who knows the "
                "public key could sign tokens; pass keys=... instead"
            )
        if len(one) < least:
            raise ValueError(
                f"secret must have at least {least} bytes for {name} (RFC 7518, 3.2), not "
                f"{len(one)}; make one with secrets.token_bytes({least})"
            )
    return secrets


def _is_public_key(secret: bytes) -> bool:
    """Return whether a secret is a public key in DER."""
    load = import_extra(
        "cryptography.hazmat.primitives.serialization", "identity"
    ).load_der_public_key
    unsupported = import_extra("cryptography.exceptions", "identity").UnsupportedAlgorithm
    try:
        load(secret)
    except ValueError:
        return False
    except unsupported:  # it is one all the same
        return True
    return True


def check_type(typ: str | None, *, has_claims: bool) -> frozenset[str] | None:
    """Return the forms of ``typ`` that are allowed; None for any.

    Raises:
        TypeError: it is neither text nor None.
        ValueError: it is not a media type; or it is None, and nothing else tells access tokens
            from other tokens of the issuer.
    """
    if typ is None:
        if not has_claims:
            raise ValueError(
                "typ=None takes any kind of token of the issuer, ID tokens as well (RFC 8725, "
                "3.12): pass typ, or claims that only access tokens have, such as "
                'claims={"token_use": "access"}'
            )
        return None
    if not check_text("typ", typ).isascii() or not typ.isprintable() or " " in typ:
        raise ValueError(f'typ must be a media type such as "at+jwt", not {typ!r}')
    return media_types(typ)


# Any: values of JSON.
def check_claims(claims: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return claims and the values that they must have.

    Raises:
        TypeError: they are not a mapping of names to text, whole numbers or bools.
        ValueError: one has rules of its own.
    """
    if claims is None:
        return {}
    if not isinstance(claims, Mapping):
        raise TypeError(f"claims must be a mapping of names to values, not {claims!r}")
    for name, value in claims.items():
        if check_text("claims", name) in _RULED:
            raise ValueError(f"claims must not have {name!r}, which is always checked")
        if not isinstance(value, str | int):
            raise TypeError(f"claims must be text, whole numbers or bools, not {value!r}")
    return dict(claims)


def check_required(required: Collection[str] | None, typ: str | None) -> frozenset[str]:
    """Return the claims that must be there: by default those of RFC 9068 for its tokens.

    Raises:
        TypeError: they are not a list of texts.
    """
    if required is None:
        is_access_token = typ is not None and _RFC_9068_TYPE in media_types(typ)
        return RFC_9068 if is_access_token else frozenset()
    return check_texts("required", required) if required else frozenset()
