"""Attacks on tokens, section by section of RFC 8725, each through a whole stack in both protocols.

Attackers have the public keys, valid tokens of their own and of other kinds, and any bytes.
"""

from __future__ import annotations

import json
import socket
import zlib
from base64 import urlsafe_b64decode
from functools import partial
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import Authenticator
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.jwt import compact, jwk, scheme
from mantlet.authentication.jwt.key_set import KeySet
from tests.authentication.jwt.test_scheme import NO_REQUEST, assert_refused, jwt, whoami
from tests.authentication.jwt.tokens import (
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
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.drive import Answer

EVERY: dict[str, Any] = {
    "algorithms": ["ES256", "RS256", "Ed25519"],
    "keys": jwks(
        public(pair(), kid="1"),
        public(pair("RSA"), kid="2"),
        public(pair("Ed25519"), kid="3"),
    ),
}


def ask(adapter: Adapter, token: str, **changes: Any) -> Answer:
    """Send a token to an app whose scheme has a key of each type."""
    app = adapter.wrap(whoami, Authenticator(jwt(**{**EVERY, **changes})))
    return adapter.drive(app, headers=[("Authorization", f"Bearer {token}")])


def encode(header: Any, payload: Any = None) -> str:
    """Return the signed part of a token."""
    body = claims(sub="eve") if payload is None else payload
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(body).encode())}"


@both_adapters
def test_the_tokens_of_all_three_keys_are_valid(adapter: Adapter) -> None:
    """Or else none of the refusals below would say anything."""
    for algorithm, kid in (("ES256", "1"), ("RS256", "2"), ("Ed25519", "3")):
        token = sign(algorithm=algorithm, key=pair(kind_of(algorithm)), header={"kid": kid})
        assert ask(adapter, token).body == b"alice"
        assert ask(adapter, sign(algorithm=algorithm, header={"kid": ...})).body == b"alice"


# -- 2.1, 3.1: algorithms -------------------------------------------------------------------------

NONE = ["none", "None", "NONE", "nOnE", "none ", "", " ", "\0none", "n\u043ene"]


@both_adapters
@pytest.mark.parametrize("name", [*NONE, None, ..., True, 0, [], ["none"], {"none": 1}], ids=repr)
def test_an_unsigned_token_is_refused(adapter: Adapter, name: Any) -> None:
    header = {"alg": name, "typ": "at+jwt", "kid": "1"}
    if name is ...:
        del header["alg"]
    signed = encode(header)
    for end in ("", b64(b"\0"), b64(bytes(64)), b64(signature(signed.encode(), pair(), "ES256"))):
        assert_refused(ask(adapter, f"{signed}.{end}"))
    assert_refused(ask(adapter, signed))


def public_forms(key: Any) -> dict[str, bytes]:
    """Return what an attacker may take a public key for as a secret."""
    made = key.public_key
    members = public(key)
    forms = {
        "pem": made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": made.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(members).encode(),
    }
    forms["pem without a line end"] = forms["pem"].strip()
    for name in ("n", "x"):
        if name in members:
            forms[name] = urlsafe_b64decode(members[name] + "==")
            forms[f"{name} as text"] = members[name].encode()
    return forms


@both_adapters
@pytest.mark.parametrize(("kind", "kid"), [("P-256", "1"), ("RSA", "2"), ("Ed25519", "3")])
def test_a_public_key_is_no_secret(adapter: Adapter, kind: str, kid: str) -> None:
    for form in public_forms(pair(kind)).values():
        for algorithm in ("HS256", "HS384", "HS512"):
            for names in ({"kid": kid}, {"kid": ...}):
                token = sign(claims(sub="eve"), key=form, algorithm=algorithm, header=names)
                assert_refused(ask(adapter, token))


@both_adapters
@pytest.mark.parametrize("said", ["RS256", "PS256", "ES384", "EdDSA", "Ed448", "RS512", "es256"])
def test_an_algorithm_is_fixed_by_the_option_and_the_key(adapter: Adapter, said: str) -> None:
    """The signature is right for the key, but the header says another algorithm."""
    for algorithm, kid in (("ES256", "1"), ("RS256", "2"), ("Ed25519", "3")):
        if said != algorithm:
            header = encode({"alg": said, "typ": "at+jwt", "kid": kid})
            end = signature(header.encode(), pair(kind_of(algorithm)), algorithm)
            assert_refused(ask(adapter, f"{header}.{b64(end)}"))


@both_adapters
def test_an_algorithm_that_only_the_key_allows_is_refused(adapter: Adapter) -> None:
    token = sign(algorithm="PS256", key=pair("RSA"), header={"kid": "2"})
    assert_refused(ask(adapter, token))
    token = sign(algorithm="EdDSA", key=pair("Ed25519"), header={"kid": "3"})
    assert_refused(ask(adapter, token))


@both_adapters
def test_a_kid_of_a_key_of_another_type_is_refused(adapter: Adapter) -> None:
    for kid in ("2", "3"):
        assert_refused(ask(adapter, sign(header={"kid": kid})))


# -- 3.3, 3.4: signatures -------------------------------------------------------------------------

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
L = 2**252 + 27742317777372353535851937790883648493


@both_adapters
@pytest.mark.parametrize("r", [0, 1, N - 1, N, N + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, N - 1, N, N + 1, 2**256 - 1])
def test_a_psychic_signature_is_refused(adapter: Adapter, r: int, s: int) -> None:
    """CVE-2022-21449: zeros, and numbers that are zero modulo the order, verified everything."""
    signed = encode({"alg": "ES256", "typ": "at+jwt", "kid": "1"})
    assert_refused(ask(adapter, f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))}"))


@both_adapters
def test_a_signature_has_one_form(adapter: Adapter) -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    token = sign(claims(sub="eve"))
    signed, _, end = token.rpartition(".")
    made = urlsafe_b64decode(end + "==")
    r, s = made[:32], made[32:]
    for other in (
        encode_dss_signature(int.from_bytes(r), int.from_bytes(s)),
        b"\0" + r + b"\0" + s,
        s + r,
        made + b"\0",
        b"\0" + made,
        made[:-1],
        made + made,
        r,
        bytes(64),
        (int.from_bytes(s) + N).to_bytes(40),
    ):
        assert_refused(ask(adapter, f"{signed}.{b64(other)}"))
    signed, _, end = sign(algorithm="Ed25519", header={"kid": "3"}).rpartition(".")
    made = urlsafe_b64decode(end + "==")
    point, scalar = made[:32], int.from_bytes(made[32:], "little")
    assert_refused(ask(adapter, f"{signed}.{b64(point + (scalar + L).to_bytes(32, 'little'))}"))
    signed, _, end = sign(algorithm="RS256", header={"kid": "2"}).rpartition(".")
    made = urlsafe_b64decode(end + "==")
    modulus = int.from_bytes(urlsafe_b64decode(public(pair("RSA"))["n"] + "=="))
    for other in (
        b"\0" + made,
        made + b"\0",
        made[1:],
        bytes(256),
        (int.from_bytes(made) + modulus).to_bytes(257),
        (1).to_bytes(256),
        modulus.to_bytes(256),
        (modulus - 1).to_bytes(256),
    ):
        assert_refused(ask(adapter, f"{signed}.{b64(other)}"))


@both_adapters
def test_every_part_is_signed(adapter: Adapter) -> None:
    valid = sign().split(".")
    mine = sign(claims(sub="eve", aud="https://other.example"), header={"x": 1}).split(".")
    for index in range(3):
        mixed = list(valid)
        mixed[index] = mine[index]
        assert_refused(ask(adapter, ".".join(mixed)))


# -- 3.5: weak keys -------------------------------------------------------------------------------


@pytest.mark.parametrize("sign_bit", [0, 2**255])
@pytest.mark.parametrize("y", sorted(jwk._SMALL_ORDER))
def test_a_point_of_small_order_is_no_key(y: int, sign_bit: int) -> None:
    """With A of order 1, 2, 4 or 8 a signature can be found for every message."""
    x = b64((y + sign_bit).to_bytes(32, "little"))
    with pytest.raises(ValueError, match="small order"):
        KeySet.from_jwks({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]})


@pytest.mark.parametrize("y", sorted(jwk._SMALL_ORDER))
def test_the_points_are_of_small_order(y: int) -> None:
    """Three doublings lead to the neutral element, (0, 1)."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    y %= p
    square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    x = pow(square, (p + 3) // 8, p)
    if (x * x - square) % p:
        x = x * pow(2, (p - 1) // 4, p) % p
    assert (x * x - square) % p == 0
    for _ in range(3):
        a, b = x * y * 2, y * y + x * x
        t = d * x * x * y * y
        x, y = a * pow(1 + t, -1, p) % p, b * pow(1 - t, -1, p) % p
    assert (x, y) == (0, 1)


# -- 3.6: compression, 3.7: encodings -------------------------------------------------------------


def raw(header: bytes | dict[str, Any], payload: bytes) -> str:
    return sign(payload, header=header)


@both_adapters
def test_nothing_is_decompressed(adapter: Adapter) -> None:
    bomb = zlib.compress(json.dumps(claims(sub="eve", x="A" * 10**6)).encode(), 9)[2:-4]
    assert_refused(ask(adapter, raw({"zip": "DEF"}, bomb)))
    assert_refused(ask(adapter, raw({}, bomb)))
    assert_refused(ask(adapter, sign(header={"zip": "DEF"})))


@both_adapters
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7"])
def test_a_token_is_utf_8(adapter: Adapter, encoding: str) -> None:
    text = json.dumps(claims(sub="eve"))
    header = '{"alg": "ES256", "typ": "at+jwt", "kid": "1"}'
    if encoding == "utf-7":
        text = text.replace('"eve"', '"\u00e9"')
    assert_refused(ask(adapter, raw({}, text.encode(encoding).replace(b"+A", b"\xff"))))
    if encoding != "utf-7":
        assert_refused(ask(adapter, raw(header.encode(encoding), text.encode())))


@both_adapters
@pytest.mark.parametrize(
    "payload",
    [
        '{"sub": "eve", %s',
        "{%s, \"s\\u0075b\": \"eve\"}",
        '{%s, "x": {"a": 1, "a": 2}}',
        '{%s, "x": NaN}',
        '{%s, "x": 1e999}',
        '{%s, "x": "\\ud800"}',
        '{%s, "x": ' + "[" * 16 + "]" * 16 + "}",
        '{%s} {"sub": "eve"}',
        "[{%s}]",
        '{%s,}',
        '{%s, "x": 1' + "0" * 5000 + "}",
    ],
    ids=range(11),
)  # fmt: skip
def test_claims_that_are_read_in_two_ways_are_refused(adapter: Adapter, payload: str) -> None:
    """The issuer has signed them; but which of two subjects it meant, nobody knows."""
    inner = json.dumps(claims())[1:-1]
    text = payload % inner if "%s}" in payload or "%s," in payload else payload % f"{inner}}}"
    assert_refused(ask(adapter, raw({}, text.encode())))


@both_adapters
@pytest.mark.parametrize(
    "header",
    [
        b'{"alg": "none", "alg": "ES256", "typ": "at+jwt", "kid": "1"}',
        b'{"alg": "ES256", "alg": "none", "typ": "at+jwt", "kid": "1"}',
        b'{"alg": "ES256", "typ": "JWT", "typ": "at+jwt", "kid": "1"}',
        b'{"alg": "ES256", "typ": "at+jwt", "kid": "2", "k\\u0069d": "1"}',
        b'{"alg": "ES256", "typ": "at+jwt", "kid": "1", "x": NaN}',
        b'[{"alg": "ES256", "typ": "at+jwt", "kid": "1"}]',
        b'"ES256"',
        b"null",
        b"",
        b'{"ALG": "ES256", "typ": "at+jwt", "kid": "1"}',
        b'{"alg": "ES256", "typ": "at+jwt", "kid": "1", "x": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
    ids=range(11),
)
def test_a_header_that_is_read_in_two_ways_is_refused(adapter: Adapter, header: bytes) -> None:
    assert_refused(ask(adapter, raw(header, json.dumps(claims()).encode())))


# -- 3.8, 3.9, 3.11, 3.12: tokens of another kind -------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("typ", "changes"),
    [
        ("JWT", {"nonce": "n", "aud": "web"}),  # an ID token for the client
        ("JWT", {}),  # and one whose client is the API itself
        ("logout+jwt", {"events": {}}),
        ("dpop+jwt", {"htm": "GET", "htu": "https://api.example/"}),
        ("secevent+jwt", {"events": {}}),
        ("oauth-authz-req+jwt", {}),
        ("client-authentication+jwt", {}),
        ("token-introspection+jwt", {"token_introspection": {}}),
        (..., {}),
    ],
)
def test_another_token_of_the_issuer_is_no_access_token(
    adapter: Adapter, typ: Any, changes: dict[str, Any]
) -> None:
    assert_refused(ask(adapter, sign(claims(**changes), header={"typ": typ})))


@both_adapters
@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"aud": ["https://other.example"]},
        {"aud": ...},
        {"iss": "https://id.example/other-tenant"},
        {"iss": "https://id.example."},
        {"iss": "https://ID.example"},
    ],
)
def test_a_token_for_another_api_or_of_another_tenant_is_refused(
    adapter: Adapter, changes: dict[str, Any]
) -> None:
    assert_refused(ask(adapter, sign(claims(**changes))))


# -- 3.10: what a token says about keys -----------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the connections that are tried, each of which fails."""
    tried: list[object] = []

    def refuse(*args: object, **kwargs: object) -> Any:
        tried.append(args)
        raise OSError("no network in this test")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return tried


@both_adapters
@pytest.mark.parametrize(
    "header",
    [
        {"jwk": public(pair("P-256", "eve"))},
        {"jwk": public(pair("P-256", "eve")), "kid": ...},
        {"jwk": public(pair("P-256", "eve")), "kid": "eve"},
        {"jku": "https://eve.example/jwks"},
        {"jku": "http://169.254.169.254/latest"},
        {"x5u": "https://eve.example/cert"},
        {"x5c": ["MIIB"], "kid": ...},
        {"x5t": "x", "kid": ...},
        {"kid": "../../../../dev/null"},
        {"kid": "https://eve.example/key"},
        {"kid": "' UNION SELECT 'key"},
        {"kid": "| sleep 5"},
        {"kid": ""},
        {"kid": "1\0"},
        {"kid": "1\n"},
        {"kid": " 1"},
    ],
)
def test_a_header_leads_to_no_other_key(
    adapter: Adapter, header: dict[str, Any], no_network: list[object]
) -> None:
    token = sign(claims(sub="eve"), key=pair("P-256", "eve"), header=header)
    assert_refused(ask(adapter, token))
    assert no_network == []


@both_adapters
def test_what_a_valid_header_says_about_keys_is_not_used(
    adapter: Adapter, no_network: list[object]
) -> None:
    """RFC 7515, 4: what is not understood is ignored; some issuers send all of these."""
    header = {
        "jku": "https://id.example/jwks",
        "x5u": "https://id.example/cert",
        "jwk": public(pair("P-256", "eve")),
        "x5c": ["not a certificate"],
        "x5t": "x",
        "cty": "x",
        "nonce": "x",
        "http://example.com/is_root": True,
    }
    assert ask(adapter, sign(header=header)).body == b"alice"
    assert no_network == []


@both_adapters
@pytest.mark.parametrize(
    "header",
    [
        {"kid": 1},
        {"kid": None},
        {"kid": ["1"]},
        {"kid": {"1": "1"}},
        {"kid": "k" * 257},
        {"jwk": "x"},
        {"jwk": None},
        {"x5c": "x"},
        {"x5c": [1]},
        {"jku": 1},
        {"jku": "file:///etc/passwd"},
        {"x5u": "//eve.example"},
        {"cty": 1},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"crit": "exp"},
        {"crit": ["b64"], "b64": False},
        {"crit": ["b64"], "b64": True},
        {"b64": False},
        {"b64": True},
        {"crit": ["x"], "x": 1},
        {"enc": "A256GCM"},
        {"zip": "DEF"},
        {"epk": {}},
    ],
)
def test_a_header_that_is_not_understood_is_refused(
    adapter: Adapter, header: dict[str, Any]
) -> None:
    assert_refused(ask(adapter, sign(header=header)))


# -- serializations -------------------------------------------------------------------------------


def spellings(token: str) -> dict[str, str]:
    """Return other spellings of a token, all of which some library has taken for the same."""
    head, body, end = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = end[:-1] + alphabet[alphabet.index(end[-1]) + 1]
    return {
        "padded header": f"{head}=.{body}.{end}",
        "padded payload": f"{head}.{body}=.{end}",
        "padded signature": f"{head}.{body}.{end}==",
        "stray bits": f"{head}.{body}.{stray}",
        "other alphabet": f"{head}.{body}.{end[:-4]}+/{end[-2:]}",
        "four parts": f"{token}.",
        "five parts": f"{token}..",
        "leading dot": f".{token}",
        "tab": f"{head}.{body}.\t{end}",
        "space": f"{head}.{body}. {end}",
        "space before a dot": f"{head} .{body}.{end}",
        "nul": f"{token}\0",
        "percent": token.replace(".", "%2E"),
        "quotes": f'"{token}"',
        "other characters": f"{head}.{body}.{end}!",
        "full stop": token.replace(".", "\uff0e".encode().decode("latin-1")),
        "no signature": f"{head}.{body}.",
        "no payload": f"{head}..{end}",
        "no header": f".{body}.{end}",
        "two parts": f"{head}.{body}",
        "twice": f"{token}.{token}",
        "scheme twice": f"Bearer {token}",
        "upper case": token.upper(),
        "comment": f"{token}#",
        "empty": "..",
        "dots": "." * 100,
        "long": f"{token}{'A' * 9000}",
    }


@both_adapters
@pytest.mark.parametrize("name", spellings("a.b.ccccccA"))
def test_a_token_has_one_spelling(adapter: Adapter, name: str) -> None:
    token = sign()
    app = adapter.wrap(whoami, Authenticator(jwt()))

    def answer(value: str) -> Answer:
        return adapter.drive(app, headers=[("Authorization", f"Bearer {value}")])

    assert answer(token).status == 200  # and is remembered
    assert_refused(answer(spellings(token)[name]))


@both_adapters
def test_the_json_serialization_is_refused(adapter: Adapter) -> None:
    head, body, end = sign().split(".")
    text = json.dumps({"payload": body, "protected": head, "signature": end})
    assert ask(adapter, text).status == 400
    assert_refused(ask(adapter, b64(text.encode())))


@both_adapters
def test_a_nested_token_is_refused(adapter: Adapter) -> None:
    """A signed token within a signed one (RFC 7519, 5.2)."""
    inner = sign()
    assert_refused(ask(adapter, sign(inner.encode(), header={"cty": "JWT"})))
    assert_refused(ask(adapter, sign(json.dumps(inner).encode(), header={"cty": "JWT"})))


# -- bounds ---------------------------------------------------------------------------------------


def test_a_long_token_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one = jwt()
    monkeypatch.setattr(scheme, "sha256", None)
    monkeypatch.setattr(compact, "decode_base64url", None)
    for token in ("a" * 8193, "." * 10**6, "{" * 10**6):
        with pytest.raises(InvalidCredential, match="too long"):
            one.verify(NO_REQUEST, token)
        assert not one.accepts(token)


def count(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> int:
    """Return how many signatures an action verifies."""
    found = 0
    verify = jwk.VerificationKey.verify

    def counted(self: Any, *args: Any) -> bool:
        nonlocal found
        found += 1
        return verify(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(jwk.VerificationKey, "verify", counted)
        with pytest.raises(InvalidCredential):
            action()
    return found


@pytest.mark.parametrize("keys", [1, 3, 4, 5, 50])
def test_a_forged_token_costs_few_signatures(monkeypatch: pytest.MonkeyPatch, keys: int) -> None:
    made = jwks(*(public(pair("P-256", str(n)), kid=str(n)) for n in range(keys)))
    one = jwt(keys=made)
    forged = sign(key=pair("P-256", "eve"), header={"kid": ...})
    request: Any = _Request()
    assert count(monkeypatch, lambda: one.verify(request, forged)) <= 4
    named = sign(key=pair("P-256", "eve"), header={"kid": "0"})
    assert count(monkeypatch, lambda: one.verify(request, named)) == 1
    for cheap in ({"kid": "unknown"}, {"alg": "none"}, {"typ": "JWT"}, {"crit": ["x"]}):
        token = sign(key=pair("P-256", "eve"), header=cheap)
        assert count(monkeypatch, partial(one.verify, request, token)) == 0


class _Request:
    """What a scheme uses of a request."""

    def add_cleanup(self, cleanup: Callable[[], object]) -> None:
        """Forget it."""


texts = (
    st.text(st.characters())
    | st.text(st.sampled_from('eyJAQ.-_=+/ {}"\\'))
    | st.builds(
        ".".join,
        st.lists(st.binary(max_size=40).map(b64), max_size=5),
    )
)
json_texts = st.text(st.sampled_from('{}[]":,algtypkid0eE-.\\u d8N')).map(str.encode)
TOKEN = sign()


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return a valid token with some characters changed."""
    token = TOKEN
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(token)))
        length = draw(st.integers(0, 3))
        token = token[:place] + draw(st.text(max_size=2)) + token[place + length :]
    return token


@given(texts | mutated() | st.builds(raw, json_texts, json_texts))
@settings(max_examples=300)
def test_no_token_raises_anything_else_or_shows_anything(token: str) -> None:
    one = jwt()
    one.accepts(token)
    if token == TOKEN:
        return
    with pytest.raises(InvalidCredential) as caught:
        one.verify(_Request(), token)  # type: ignore[arg-type]
    error = caught.value
    assert error.error == "invalid_token"
    assert error.__context__ is None
    shown = f"{error!r} {error.reason}"
    assert all(len(part) < 12 or part not in shown for part in token.split("."))


@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "scope", "jti", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=4,
        ),
    )
)
@settings(max_examples=200)
def test_no_claims_raise_anything_else(changes: dict[str, Any]) -> None:
    """The issuer itself may be hostile to this API, or broken."""
    payload = json.dumps(claims(**changes)).encode()
    try:
        who = jwt(roles="x").verify(_Request(), sign(payload))  # type: ignore[arg-type]
    except InvalidCredential:
        return
    assert isinstance(who, mantlet.Identity)
    assert who.subject
    assert who.expires is not None
    assert who.expires > time() - 10


def test_log_records_have_nothing_of_a_token(caplog: pytest.LogCaptureFixture) -> None:
    from tests.drive import WsgiAdapter

    secret = sha256(b"a claim of a test").hexdigest()
    for token in (
        sign(claims(sub=secret, exp=1)),
        sign(claims(iss=secret)),
        sign(claims(aud=secret)),
        sign(claims(scope=[secret, 1])),
        sign(claims(**{secret: 1, "exp": secret})),
        sign(header={"kid": secret}),
        sign(header={"typ": secret}),
        sign(header={"alg": secret}),
        sign(f'{{"{secret}": 1, "{secret}": 2}}'.encode()),
        sign(secret.encode()),
    ):
        answer = ask(WsgiAdapter(), token)
        assert_refused(answer)
        assert secret not in answer.text()
        assert ISSUER not in answer.text()
    assert len(caplog.records) >= 8
    assert secret not in caplog.text


def test_the_gate_itself_bounds_a_token() -> None:
    """Also for those who use it without a scheme, as for proofs of possession."""
    token = sign()
    assert compact.parse_compact(token, max_size=len(token)).header["typ"] == "at+jwt"
    with pytest.raises(InvalidCredential, match="too long") as caught:
        compact.parse_compact(token, max_size=len(token) - 1, error="invalid_dpop_proof")
    assert caught.value.error == "invalid_dpop_proof"
