"""Beside PyJWT and joserfc: each token that one of them refuses is refused.

Both get the options that `Jwt` has: one key, one algorithm, the issuer, the audience, the leeway,
and the claims that must be there. Two of their bounds are not rules of any RFC and are lifted:
joserfc's on the length of a header, and on names of header parameters that it does not know.
"""

from __future__ import annotations

import json
from time import time
from typing import Any

import jwt as pyjwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc import jwt as joserfc
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from mantlet import Jwt
from mantlet.authentication.errors import InvalidCredential
from tests.authentication.jwt.tokens import (
    AUDIENCE,
    ISSUER,
    b64,
    claims,
    jwks,
    kind_of,
    pair,
    public,
    sign,
    signature,
)

pytestmark = pytest.mark.slow

LEEWAY = 10
SECRET = bytes(range(64))
ALGORITHMS = ["ES256", "RS256", "PS256", "Ed25519", "HS256"]
#: PyJWT has no algorithm of RFC 9864 yet.
NOT_IN_PYJWT = "Ed25519"


class Lenient(jws.JWSRegistry):
    """Without joserfc's bound on the length of a header."""

    max_header_length = 100_000


class _Request:
    def add_cleanup(self, cleanup: object) -> None:
        """Forget it."""


def schemes() -> dict[str, Jwt]:
    made = {}
    for algorithm in ALGORITHMS:
        keys: dict[str, Any] = {"secret": SECRET}
        if algorithm != "HS256":
            keys = {"keys": jwks(public(pair(kind_of(algorithm)), kid=None))}
        made[algorithm] = Jwt(
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithms=[algorithm],
            leeway=LEEWAY,
            typ=None,
            claims={"kind": "access"},
            required=["sub"],
            **keys,
        )
    return made


SCHEMES = schemes()


def key_of(algorithm: str) -> Any:
    return SECRET if algorithm == "HS256" else pair(kind_of(algorithm))


def ours(token: str, algorithm: str) -> bool:
    try:
        SCHEMES[algorithm].verify(_Request(), token)  # type: ignore[arg-type]
    except InvalidCredential:
        return False
    return True


def pyjwt_accepts(token: str, algorithm: str) -> bool:
    key = SECRET if algorithm == "HS256" else key_of(algorithm).public_key
    try:
        made = pyjwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except pyjwt.InvalidTokenError:
        return False
    return isinstance(made, dict)


RULES = joserfc.JWTClaimsRegistry(
    leeway=LEEWAY,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    exp={"essential": True},
    sub={"essential": True},
)


def joserfc_accepts(token: str, algorithm: str) -> bool:
    key = OctKey.import_key(SECRET) if algorithm == "HS256" else key_of(algorithm)
    registry = Lenient(algorithms=[algorithm], strict_check_header=False)
    try:
        made = joserfc.decode(token, key, registry=registry)
        RULES.validate(made.claims)
    except (JoseError, ValueError, TypeError, RecursionError):
        return False
    return True


def valid(**changes: Any) -> dict[str, Any]:
    return claims(kind="access", **changes)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_all_three_accept_ordinary_tokens(algorithm: str) -> None:
    """Or else a refusal would say nothing."""
    now = int(time())
    for payload in (
        valid(),
        valid(aud=["x", AUDIENCE]),
        valid(exp=now + 300.5, nbf=now, x={"y": [1, 2.5, None]}),
        valid(iat=..., jti=..., scope=...),
        valid(exp=now - 3),
    ):
        for header in ({}, {"typ": "JWT"}, {"kid": ...}, {"x": [1]}):
            token = sign(payload, key=key_of(algorithm), algorithm=algorithm, header=header)
            assert ours(token, algorithm)
            assert joserfc_accepts(token, algorithm)
            assert pyjwt_accepts(token, algorithm) or algorithm == NOT_IN_PYJWT


now = st.integers(-40, 40).map(lambda seconds: int(time()) + seconds)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)
times = now | now.map(float) | odd | st.sampled_from([0, 1e300, 2**62, -1, True])
claim_changes = st.fixed_dictionaries(
    {},
    optional={
        "exp": times,
        "nbf": times,
        "iat": times,
        "iss": odd | st.sampled_from([ISSUER, ISSUER + "/", [ISSUER]]),
        "aud": odd | st.lists(st.sampled_from([AUDIENCE, "x", 1, None]), max_size=3),
        "sub": odd,
        "jti": odd,
        "scope": odd,
        "x": odd,
    },
)
header_changes = st.fixed_dictionaries(
    {},
    optional={
        "alg": odd | st.sampled_from([*ALGORITHMS, "none"]),
        "typ": odd,
        "cty": odd,
        "kid": odd,
        "crit": odd | st.lists(st.sampled_from(["exp", "b64", "x"]), max_size=2),
        "b64": odd,
        "jku": odd | st.just("https://id.example/jwks"),
        "jwk": odd | st.just(public(pair("P-256", "eve"))),
        "x5c": odd | st.lists(st.text(max_size=3), max_size=2),
        "x5u": odd,
        "x5t": odd,
        "zip": st.sampled_from(["DEF", None]),
        "x": odd,
    },
)


def write(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def check(token: str, algorithm: str) -> None:
    if ours(token, algorithm):
        assert joserfc_accepts(token, algorithm)
        assert pyjwt_accepts(token, algorithm) or algorithm == NOT_IN_PYJWT


some = st.sampled_from(ALGORITHMS)


@given(some, claim_changes, header_changes)
@settings(max_examples=1500, deadline=None)
def test_of_signed_tokens(algorithm: str, said: dict[str, Any], header: dict[str, Any]) -> None:
    made = {"alg": algorithm, "typ": "JWT", **header}
    check(sign(valid(**said), key=key_of(algorithm), algorithm=algorithm, header=write(made)),
          algorithm)  # fmt: skip


@given(some, claim_changes)
@settings(max_examples=1500, deadline=None)
def test_of_signed_claims(algorithm: str, said: dict[str, Any]) -> None:
    check(sign(valid(**said), key=key_of(algorithm), algorithm=algorithm), algorithm)


@st.composite
def edited(draw: st.DrawFn, text: bytes) -> bytes:
    """Return a text with a few bytes changed."""
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.binary(max_size=2)) + text[place + draw(st.integers(0, 2)) :]
    return text


@given(some, st.data())
@settings(max_examples=1500, deadline=None)
def test_of_edited_texts(algorithm: str, data: st.DataObject) -> None:
    """Signed by the issuer, whatever they are."""
    header = data.draw(edited(write({"alg": algorithm, "typ": "JWT", "kid": "1"})))
    payload = data.draw(edited(write(valid())))
    signed = f"{b64(header)}.{b64(payload)}"
    end = data.draw(edited(signature(signed.encode(), key_of(algorithm), algorithm)))
    check(f"{signed}.{b64(end)}", algorithm)


@given(some, st.data())
@settings(max_examples=1500, deadline=None)
def test_of_edited_tokens(algorithm: str, data: st.DataObject) -> None:
    token = sign(valid(), key=key_of(algorithm), algorithm=algorithm)
    check(data.draw(edited(token.encode())).decode("latin-1"), algorithm)


def test_a_token_for_nobody_is_refused_by_all() -> None:
    for token in ("", ".", "..", "...", "a.b.c"):
        assert not ours(token, "ES256")
        assert not pyjwt_accepts(token, "ES256")
        assert not joserfc_accepts(token, "ES256")
