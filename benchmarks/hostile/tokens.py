"""Hostile access tokens: as long as they may be, and read before anyone has verified them."""

from base64 import urlsafe_b64encode
from functools import cache
from typing import Any, Final

from joserfc.jwk import ECKey

from benchmarks.hostile.kinds import Hostile, Inputs, repeated, shown
from mantlet import Authenticator, Jwt, Policy

__all__ = ["inputs"]

#: The most characters of a token; two thirds of them are left for its longest part.
_SIZE: Final = 8192
_PART: Final = 6000
_HEADER: Final = b'{"alg":"ES256","typ":"at+jwt","kid":"1"}'
#: Parts of JSON objects: before, repeated, after.
_UNITS: Final[tuple[tuple[bytes, bytes, bytes], ...]] = (
    *((b"", unit, b"") for unit in (b"[", b"{", b'"', b"\\", b" ", b"1", b"-", b'{"a":', b"\xff")),
    *(
        (b'{"a":[', unit, b"1]}")
        for unit in (b"[],", b"{},", b"1,", b"1e9,", b'"",', b'"\\u0041",')
    ),
    *(
        (b'{"a":"', unit, b'"}')
        for unit in (b"\\u0041", b"\\ud83d\\ude00", b"\\ud800", b'\\"', b"[")
    ),
    *((b"{", unit, b'"b":1}') for unit in (b'"a":1,', b'"a":{},', b'"\\u0061":1,')),
    *((b'{"a":', unit, b"}") for unit in (b"1", b"0.1", b"1e")),
    (b'{"crit":[', b'"exp",', b'"exp"]}'),
)
_RAW: Final = (".", "A", "-", "=", "+", "e.", "é", "A.A")


@cache
def _stack() -> tuple[Policy, ...]:
    """Return two issuers, so that tokens are read to see whose they are."""
    keys: dict[str, Any] = {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}
    schemes = (
        Jwt(
            issuer=f"https://{name}.example",
            audience="https://api.example",
            algorithms=["ES256"],
            keys=keys,
        )
        for name in ("a", "b")
    )
    return (Authenticator(*schemes),)


def inputs() -> Inputs:
    """Iterate over hostile tokens."""
    for text in _RAW:
        yield _token(text * (_SIZE // len(text)), shown(text * 20))
    for before, unit, after in _UNITS:
        part = repeated(before, unit, after, _PART)
        for name, header, payload in (("header", part, b"{}"), ("payload", _HEADER, part)):
            token = ".".join(map(_base64url, (header, payload, b"\1" * 64)))
            yield _token(token, f"{name} {shown(part[:40])}")


def _token(token: str, text: str) -> Hostile:
    headers = (("authorization", f"Bearer {token}"),)
    known = 0.15 if "[1" in text else None  # a call for each number
    return Hostile(f"token: {text}", _stack, len(token), headers=headers, known=known)


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
