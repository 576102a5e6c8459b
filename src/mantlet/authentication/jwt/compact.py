"""The gate in front of every signature: a compact JWS (RFC 7515, 3.1) that is read one way only.

Before any cryptography a token has to be of bounded length and of three parts in canonical
Base64url, with a header in strict JSON whose algorithm, type and key id are as the scheme expects.
What a header says about keys (``jwk``, ``jku``, ``x5c``, ``x5u``) is never used: a ``kid`` is
looked up among keys that are known, and nothing else leads to a key. Tokens that are encrypted, in
JSON serialization, detached (RFC 7797), compressed, or that have a critical extension (RFC 7515,
4.1.11) are refused: this package understands no extension.
"""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.jwt.base64url import decode_base64url
from mantlet.authentication.jwt.jwk import MAX_KID
from mantlet.authentication.jwt.strict_json import NotStrictJson, parse_object

__all__ = ["CompactJws", "check_header", "media_types", "parse_compact", "parse_payload"]

#: Header parameters that change what the parts mean: critical extensions, detached payloads, and
#: those of encryption (RFC 7515, 4.1.11; RFC 7797, 3; RFC 7516, 4.1).
_REFUSED: Final = frozenset({"crit", "b64", "enc", "zip", "epk", "p2c", "p2s"})
# Any: types.
#: The types of the other parameters (RFC 7515, 4.1), also of those that are not used.
_TYPES: Final[dict[str, Any]] = {
    **dict.fromkeys(("alg", "cty", "jku", "kid", "typ", "x5t", "x5t#S256", "x5u"), str),
    "jwk": dict,
    "x5c": list,
}


# Any: values of JSON.
class CompactJws(NamedTuple):
    """The parts of a compact JWS, whose signature nobody has verified yet.

    Attributes:
        header: the protected header.
        payload: the payload.
        signed: the bytes that are signed.
        signature: the signature.
    """

    header: dict[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes


def parse_compact(token: str, *, max_size: int, error: str = "invalid_token") -> CompactJws:
    """Return the parts of a compact JWS.

    Args:
        token: the token.
        max_size: the most characters that it may have.
        error: the code for `InvalidCredential`.

    Raises:
        InvalidCredential: it is malformed. The exception has nothing of the token, and neither has
            its context.
    """
    if len(token) > max_size:
        raise InvalidCredential("the token is too long", error=error)
    parts = token.encode("ascii", "replace").split(b".", 3)
    if len(parts) != 3:
        raise InvalidCredential("the token does not have three parts", error=error)
    first, second, third = parts
    reason = None
    try:
        header = parse_object(decode_base64url(first))
        if not _REFUSED.isdisjoint(header):
            reason = "has an extension that is not supported"
        elif not _is_well_formed(header):
            reason = "has a header parameter of the wrong type"
        payload = decode_base64url(second)
        signature = decode_base64url(third)
    except NotStrictJson as problem:
        reason = f"has a header that {problem}"
    except ValueError as problem:
        reason = str(problem)
    if reason is not None:
        raise InvalidCredential(f"the token {reason}", error=error)
    return CompactJws(header, payload, b"%s.%s" % (first, second), signature)


# Any: values of JSON.
def _is_well_formed(header: dict[str, Any]) -> bool:
    """Return whether parameters have the types of RFC 7515, 4.1, used or not."""
    for name, value in header.items():
        if not isinstance(value, _TYPES.get(name, object)):
            return False
        if name in ("jku", "x5u") and not value.startswith(("https://", "http://")):
            return False
        if name == "x5c" and not all(isinstance(one, str) for one in value):
            return False
    return True


# Any: values of JSON.
def check_header(
    header: dict[str, Any],
    algorithms: Collection[str],
    types: Collection[str] | None,
    *,
    error: str = "invalid_token",
) -> tuple[str, str | None]:
    """Return the algorithm and the key id of a header, if it is as expected.

    Args:
        header: the header, from `parse_compact()`.
        algorithms: the algorithms that are allowed.
        types: the values of ``typ`` that are allowed, from `media_types()`; None for any.
        error: the code for `InvalidCredential`.

    Raises:
        InvalidCredential: the header is not as expected.
    """
    algorithm = header.get("alg", "")
    if algorithm not in algorithms:
        raise InvalidCredential("the algorithm of the token is not allowed", error=error)
    if types is not None:
        its_type = header.get("typ", "")
        # Not the lower case of other alphabets, such as the Kelvin sign's.
        if not its_type.isascii() or its_type.lower() not in types:
            raise InvalidCredential("the token is of another type (typ)", error=error)
    kid = header.get("kid")
    if kid is not None and len(kid) > MAX_KID:
        raise InvalidCredential("the key id of the token is too long", error=error)
    return algorithm, kid


def media_types(name: str) -> frozenset[str]:
    """Return both forms of a ``typ`` (RFC 7515, 4.1.9), in lower case.

    Args:
        name: a media type, such as ``"at+jwt"`` or ``"application/at+jwt"``.
    """
    short = name.lower().removeprefix("application/")
    return frozenset({short} if "/" in short else {short, f"application/{short}"})


# Any: values of JSON.
def parse_payload(payload: bytes, *, error: str = "invalid_token") -> dict[str, Any]:
    """Return the claims of a payload.

    Raises:
        InvalidCredential: it is not strict JSON.
    """
    try:
        return parse_object(payload)
    except NotStrictJson as problem:
        reason = str(problem)
    raise InvalidCredential(f"the token has a payload that {reason}", error=error)
