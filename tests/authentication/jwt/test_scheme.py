"""`Jwt`: which tokens are valid, and whose they are."""

from __future__ import annotations

import math
from time import time
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Authenticator, Jwt
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.jwt.key_set import KeySet
from tests.authentication.jwt.tokens import (
    AUDIENCE,
    ISSUER,
    claims,
    jwks,
    kind_of,
    pair,
    public,
    sign,
)
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mantlet import Identity
    from tests.drive import Answer, Said


def jwt(**changes: Any) -> Jwt:
    """Return a scheme with the key of `sign()`."""
    made: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithms": ["ES256"],
        "keys": jwks(pair()),
        **changes,
    }
    return Jwt(**{name: value for name, value in made.items() if value is not ...})


def identity(token: str, **changes: Any) -> Identity:
    """Return whose a token is, by a stack around an app."""
    found: list[Identity] = []

    def app(raw: MutableMapping[str, Any]) -> Said:
        who = mantlet.state(raw).identity
        assert who is not None
        found.append(who)
        return 200, [], b""

    from tests.drive import WsgiAdapter

    adapter = WsgiAdapter()
    answer = ask(adapter, token, app=app, **changes)
    assert answer.status == 200, answer.text()
    return found[0]


def whoami(raw: MutableMapping[str, Any]) -> Said:
    """Answer with the subject."""
    who = mantlet.state(raw).identity
    assert who is not None
    return 200, [("content-type", "text/plain")], who.subject.encode()


def ask(adapter: Adapter, token: str, *, app: Any = whoami, **changes: Any) -> Answer:
    """Send a token to an app with a scheme of its own."""
    wrapped = adapter.wrap(app, Authenticator(jwt(**changes)))
    return adapter.drive(wrapped, headers=[("Authorization", f"Bearer {token}")])


def assert_refused(answer: Answer) -> None:
    """Check that an answer is that to an invalid token (RFC 6750, 3.1)."""
    assert answer.status == 401, answer.text()
    challenge = answer.get("www-authenticate")
    assert challenge is not None
    assert challenge.startswith("Bearer ")
    assert 'error="invalid_token"' in challenge


@both_adapters
def test_a_valid_token_says_who_it_is(adapter: Adapter) -> None:
    assert ask(adapter, sign()).body == b"alice"


def test_an_identity_has_what_the_claims_say() -> None:
    expires = int(time()) + 60
    who = identity(
        sign(claims(exp=expires, realm_access={"roles": ["admin", "clerk"]})),
        roles="/realm_access/roles",
    )
    assert who.subject == "alice"
    assert who.scheme == "jwt"
    assert who.scopes == {"orders:read", "orders:write"}
    assert who.roles == {"admin", "clerk"}
    assert who.claims["client_id"] == "web"
    assert who.expires == expires


@pytest.mark.parametrize(
    "algorithm",
    [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
        "ES256", "ES384", "ES512", "Ed25519", "Ed448", "EdDSA",
    ],
)  # fmt: skip
def test_every_algorithm_works(algorithm: str) -> None:
    keys = jwks(pair(kind_of(algorithm)))
    assert identity(sign(algorithm=algorithm), algorithms=[algorithm], keys=keys).subject == "alice"


def test_eddsa_is_for_both_curves() -> None:
    """RFC 8037, 3.1; RFC 9864 gives each curve a name of its own."""
    keys = jwks(pair("Ed448"))
    token = sign(algorithm="EdDSA", key=pair("Ed448"))
    assert identity(token, algorithms=["EdDSA"], keys=keys).subject == "alice"


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_shared_secret_works(algorithm: str, size: int) -> None:
    secret = bytes(range(size))
    token = sign(algorithm=algorithm, key=secret, header={"kid": "any"})
    for given in (secret, mantlet.Secret(secret), [b"z" * size, mantlet.Secret(secret)]):
        who = identity(token, algorithms=[algorithm], keys=..., secret=given)
        assert who.subject == "alice"
    text = "a-secret-of-a-test" * 4
    token = sign(algorithm=algorithm, key=text.encode())
    assert identity(token, algorithms=[algorithm], keys=..., secret=text).subject == "alice"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_a_type_is_a_media_type(typ: str) -> None:
    """RFC 7515, 4.1.9; RFC 9068, 2.1."""
    assert identity(sign(header={"typ": typ})).subject == "alice"
    assert identity(sign(header={"typ": typ}), typ="application/at+jwt").subject == "alice"


@both_adapters
@pytest.mark.parametrize(
    "typ",
    [..., "JWT", "dpop+jwt", "logout+jwt", "secevent+jwt", "at+jwt;x=1", " at+jwt", "text/at+jwt",
     "application/application/at+jwt", "", None, 1, ["at+jwt"], {"at+jwt": 1}, "AT+JWT\u0130"],
)  # fmt: skip
def test_a_token_of_another_type_is_refused(adapter: Adapter, typ: Any) -> None:
    assert_refused(ask(adapter, sign(header={"typ": typ})))


def test_another_type_can_be_asked_for() -> None:
    token = sign(claims(jti=..., client_id=...), header={"typ": "JWT"})
    assert identity(token, typ="JWT").subject == "alice"


NOW = 1_000_000_000_000


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1},
    "exp missing": {"exp": ...},
    "exp null": {"exp": None},
    "exp true": {"exp": True},
    "exp text": {"exp": "9999999999"},
    "exp list": {"exp": [NOW]},
    "exp negative": {"exp": -NOW},
    "nbf in the future": {"nbf": NOW},
    "nbf text": {"nbf": "0"},
    "nbf null": {"nbf": None},
    "nbf false": {"nbf": False},
    "iat in the future": {"iat": NOW},
    "iat text": {"iat": "0"},
    "iat true": {"iat": True},
    "iat missing": {"iat": ...},
    "iss missing": {"iss": ...},
    "iss null": {"iss": None},
    "iss list": {"iss": [ISSUER]},
    "iss with a slash": {"iss": ISSUER + "/"},
    "iss in upper case": {"iss": ISSUER.upper()},
    "iss of another": {"iss": "https://id.example.evil"},
    "aud missing": {"aud": ...},
    "aud null": {"aud": None},
    "aud of another": {"aud": "https://other.example"},
    "aud with a slash": {"aud": AUDIENCE + "/"},
    "aud with more": {"aud": f"{AUDIENCE} https://other.example"},
    "aud empty": {"aud": []},
    "aud object": {"aud": {AUDIENCE: 1}},
    "aud number": {"aud": 1},
    "aud list with a number": {"aud": [AUDIENCE, 1]},
    "aud list in a list": {"aud": [[AUDIENCE]]},
    "sub missing": {"sub": ...},
    "sub empty": {"sub": ""},
    "sub null": {"sub": None},
    "sub number": {"sub": 1},
    "sub list": {"sub": ["alice"]},
    "client_id missing": {"client_id": ...},
    "client_id number": {"client_id": 1},
    "jti missing": {"jti": ...},
    "jti number": {"jti": 1},
    "scope number": {"scope": 1},
    "scope null": {"scope": None},
    "scope list with a number": {"scope": ["orders:read", 1]},
    "scope list with a space": {"scope": ["orders:read admin"]},
    "scp object": {"scope": ..., "scp": {"admin": True}},
}


@both_adapters
@pytest.mark.parametrize("changes", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_a_wrong_claim_makes_a_token_invalid(adapter: Adapter, changes: dict[str, Any]) -> None:
    assert_refused(ask(adapter, sign(claims(**changes))))


@pytest.mark.parametrize("exp", [math.inf, -math.inf, math.nan])
def test_a_time_is_finite(exp: float) -> None:
    with pytest.raises(InvalidCredential):
        jwt().verify(NO_REQUEST, sign(claims(exp=exp)))


#: For calls that use no request.
NO_REQUEST: Any = None


def test_a_time_may_have_a_fraction() -> None:
    """RFC 7519, 2: a NumericDate is any number of seconds."""
    expires = int(time()) + 60.5
    who = identity(sign(claims(exp=expires, iat=1.5, nbf=0.25)))
    assert who.expires == expires


def test_clocks_may_differ_by_the_leeway() -> None:
    now = int(time())
    late = sign(claims(exp=now - 5))
    early = sign(claims(nbf=now + 5, iat=now + 5))
    assert identity(late).subject == "alice"
    assert identity(early).subject == "alice"
    for token in (late, early):
        with pytest.raises(InvalidCredential):
            jwt(leeway=0).verify(NO_REQUEST, token)


def test_a_token_may_be_too_old() -> None:
    now = int(time())
    token = sign(claims(iat=now - 100, exp=now + 1000))
    who = identity(token, max_age=200)
    assert who.expires == now + 100
    for changes in ({"max_age": 50}, {"max_age": 200, "required": ["iat", "x"]}):
        with pytest.raises(InvalidCredential):
            jwt(**changes).verify(NO_REQUEST, token)
    with pytest.raises(InvalidCredential, match="iat"):
        jwt(max_age=50, required=["sub"]).verify(NO_REQUEST, sign(claims(iat=...)))


@pytest.mark.parametrize(
    ("said", "scopes"),
    [
        ({"scope": "a b  c"}, {"a", "b", "c"}),
        ({"scope": ""}, set()),
        ({"scope": ["a", "b"]}, {"a", "b"}),
        ({"scope": ..., "scp": ["a", "b"]}, {"a", "b"}),
        ({"scope": ..., "scp": "a b"}, {"a", "b"}),
        ({"scope": "a", "scp": ["b"]}, {"a"}),
        ({"scope": ...}, set()),
    ],
)
def test_scopes_are_read_from_either_claim(said: dict[str, Any], scopes: set[str]) -> None:
    assert identity(sign(claims(**said))).scopes == scopes


@pytest.mark.parametrize(
    ("option", "said", "roles"),
    [
        ("roles", {"roles": ["a"]}, {"a"}),
        ("roles", {"roles": None}, set()),
        ("roles", {}, set()),
        ("https://x.example/roles", {"https://x.example/roles": ["a"]}, {"a"}),
        ("/access/api~1v1/roles", {"access": {"api/v1": {"roles": ["a"]}}}, {"a"}),
        ("/access/api/roles", {"access": {}}, set()),
        (None, {"roles": ["a"]}, set()),
    ],
)  # fmt: skip
def test_roles_are_where_the_option_says(
    option: str | None, said: dict[str, Any], roles: set[str]
) -> None:
    assert identity(sign(claims(**said)), roles=option).roles == roles


@pytest.mark.parametrize("value", ["admin", {"admin": 1}, [1], 1, True])
def test_roles_of_another_form_make_a_token_invalid(value: Any) -> None:
    with pytest.raises(InvalidCredential, match="roles"):
        jwt(roles="roles").verify(NO_REQUEST, sign(claims(roles=value)))
    with pytest.raises(InvalidCredential, match="roles"):
        jwt(roles="/roles/all").verify(NO_REQUEST, sign(claims(roles=["a"])))


def test_cognito_has_its_audience_elsewhere_and_no_type() -> None:
    settings: dict[str, Any] = {
        "typ": None,
        "claims": {"token_use": "access"},
        "audience": "web",
        "audience_claim": "client_id",
    }
    token = sign(claims(aud=..., token_use="access"), header={"typ": ...})
    assert identity(token, **settings).subject == "alice"
    for changes in ({"token_use": "id"}, {"token_use": ...}, {"client_id": "other"}):
        made = claims(**{"aud": ..., "token_use": "access", **changes})
        with pytest.raises(InvalidCredential):
            jwt(**settings).verify(NO_REQUEST, sign(made))


def test_expected_claims_have_types() -> None:
    """1 is not true."""
    verify = jwt(claims={"email_verified": True}).verify
    verify(NO_REQUEST, sign(claims(email_verified=True)))
    for value in (1, "true", 1.0, False):
        with pytest.raises(InvalidCredential):
            verify(NO_REQUEST, sign(claims(email_verified=value)))


def test_the_subject_may_be_another_claim() -> None:
    assert identity(sign(claims(oid="0-1")), subject="oid").subject == "0-1"


def test_one_of_several_audiences_is_enough() -> None:
    assert identity(sign(claims(aud=["https://other.example", AUDIENCE]))).subject == "alice"
    assert identity(sign(), audience=["https://other.example", AUDIENCE]).subject == "alice"


def test_claims_can_not_be_changed() -> None:
    """The same identity is given to later requests with the token."""
    scheme = jwt()
    token = sign(claims(roles=["a"], nested={"list": [{"x": 1}]}))
    who = scheme.verify(NO_REQUEST, token)
    assert isinstance(who, mantlet.Identity)
    assert scheme.verify(NO_REQUEST, token) is who
    with pytest.raises(TypeError):
        who.claims["sub"] = "eve"  # type: ignore[index]
    with pytest.raises(TypeError):
        who.claims["nested"]["list"][0]["x"] = 2
    assert who.claims["roles"] == ("a",)


def test_a_scheme_accepts_tokens_of_its_issuer_alone() -> None:
    scheme = jwt()
    token = sign()
    assert scheme.accepts(token)
    assert scheme.accepts(sign(key=pair("P-256", "another")))  # nothing is verified
    for other in (
        sign(claims(iss="https://other.example")),
        sign(claims(iss=...)),
        sign(claims(iss=[ISSUER])),
        "opaque-token",
        "",
        "a" * 10_000,
        token + "=",
        "é" * 3,
    ):
        assert not scheme.accepts(other)
    scheme.verify(NO_REQUEST, token)
    assert scheme.accepts(token)


@both_adapters
def test_each_issuer_has_its_own_keys(adapter: Adapter) -> None:
    """A key of one issuer signs nothing for another."""
    other = "https://other.example"
    keys = jwks(pair("P-256", "other"))
    app = adapter.wrap(whoami, Authenticator(jwt(), jwt(issuer=other, keys=keys)))

    def status(token: str) -> int | None:
        return adapter.drive(app, headers=[("Authorization", f"Bearer {token}")]).status

    assert status(sign()) == 200
    assert status(sign(claims(iss=other), key=pair("P-256", "other"))) == 200
    assert status(sign(claims(iss=other))) == 401
    assert status(sign(key=pair("P-256", "other"))) == 401
    assert status(sign(claims(iss="https://third.example"))) == 401


def test_two_schemes_of_one_issuer_are_refused() -> None:
    """The first would take every token of it, and refuse those of the second."""
    with pytest.raises(ValueError, match=f"two schemes are for tokens of {ISSUER}"):
        Authenticator(jwt(), jwt(audience="https://other.example"))


#: A public key in DER (RFC 5280, 4.1.2.7), of an algorithm that nobody knows.
UNKNOWN_KEY = bytes.fromhex("3032300506032a0304032900") + bytes(40)


def secret_of_a_test(size: int = 32) -> bytes:
    return bytes(range(size))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algorithms": []}, "at least one"),
        ({"algorithms": ["none"]}, "not signed"),
        ({"algorithms": ["ES256", "None"]}, "not signed"),
        ({"algorithms": ["ES257"]}, "'ES257'"),
        ({"algorithms": ["es256"]}, "'es256'"),
        ({"algorithms": ["A256KW"]}, "'A256KW'"),
        ({"algorithms": ["ES256", "ES256"]}, "once"),
        ({"algorithms": ["ES256", "HS256"]}, "mix"),
        ({"algorithms": ["HS256"]}, "secret=..."),
        ({"algorithms": ["ES256"], "keys": ..., "secret": secret_of_a_test()}, "public keys"),
        ({"algorithms": ["ES256", "RS256"]}, "no key fits"),
        ({"algorithms": ["ES384"]}, "no key fits"),
        ({"algorithms": ["HS256"], "secret": secret_of_a_test()}, "one of them"),
        ({"algorithms": ["HS256"], "keys": ..., "secret": b"short"}, "at least 32 bytes"),
        ({"algorithms": ["HS256", "HS512"], "keys": ..., "secret": bytes(63)}, "64 bytes"),
        ({"algorithms": ["HS256"], "keys": ..., "secret": []}, "at most 4"),
        ({"algorithms": ["HS256"], "keys": ..., "secret": [bytes(32)] * 5}, "at most 4"),
        ({"algorithms": ["HS256"], "keys": ..., "secret": ""}, "at least 32"),
        ({"algorithms": ["HS256"], "keys": ..., "secret": pair().as_pem()}, "key of a pair"),
        ({"algorithms": ["HS256"], "keys": ..., "secret": pair().as_der()}, "key of a pair"),
        ({"algorithms": ["HS256"], "keys": ..., "secret": "ssh-ed25519 AAAA" + "A" * 60}, "pair"),
        ({"algorithms": ["HS256"], "keys": ..., "secret": UNKNOWN_KEY}, "key of a pair"),
        ({"keys": {"keys": []}}, "can be used"),
        ({"keys": {}}, "list of keys"),
        ({"keys": {"keys": [{"kty": "oct", "k": "a" * 43}]}}, "can be used"),
        ({"audience": []}, "audience"),
        ({"audience": ""}, "audience"),
        ({"audience": [""]}, "audience"),
        ({"issuer": ""}, "issuer"),
        ({"typ": None}, "RFC 8725"),
        ({"typ": ""}, "typ"),
        ({"typ": "at jwt"}, "typ"),
        ({"claims": {"aud": "x"}}, "always checked"),
        ({"leeway": -1}, "leeway"),
        ({"leeway": 301}, "leeway"),
        ({"leeway": math.nan}, "leeway"),
        ({"max_age": 0}, "max_age"),
        ({"cache": -1}, "cache"),
        ({"max_size": 0}, "max_size"),
        ({"roles": ""}, "roles"),
        ({"roles": "/a~b"}, "roles"),
        ({"subject": ""}, "subject"),
        ({"required": [""]}, "required"),
    ],
)  # fmt: skip
def test_contradictory_options_are_found_at_construction(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        jwt(**changes)
    secret = changes.get("secret")
    if isinstance(secret, bytes) and len(secret) > 8:
        assert str(secret)[2:-1] not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": None},
        {"issuer": b"https://id.example"},
        {"audience": None},
        {"audience": 1},
        {"audience": [1]},
        {"audience": {"a": 1}},
        {"algorithms": None},
        {"algorithms": b"ES256"},
        {"algorithms": [1]},
        {"typ": 1},
        {"keys": "https://id.example/jwks"},
        {"keys": 1},
        {"algorithms": ["HS256"], "keys": ..., "secret": 1},
        {"leeway": "10"},
        {"leeway": True},
        {"max_age": "10"},
        {"claims": ["a"]},
        {"claims": {"a": 1.5}},
        {"claims": {"a": None}},
        {"required": 1},
        {"roles": 1},
        {"revoked": 1},
        {"revoked": "redis://localhost"},
        {"revoked": b"token-1"},
        {"cache": 1.5},
        {"max_size": "1"},
        {"leway": 1},
    ],
)
def test_an_option_of_the_wrong_type_is_a_type_error(changes: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        jwt(**changes)


def test_audience_and_algorithms_can_not_be_left_out() -> None:
    for name in ("audience", "algorithms", "issuer"):
        with pytest.raises(TypeError, match=name):
            jwt(**{name: ...})


def test_a_key_set_may_be_given_as_such() -> None:
    keys = KeySet.from_jwks(jwks(pair()))
    assert identity(sign(), keys=keys).subject == "alice"


def test_a_key_id_is_bounded_also_where_it_means_nothing() -> None:
    keys = jwks(public(pair(), kid=None))
    assert identity(sign(header={"kid": "k" * 256}), keys=keys).subject == "alice"
    with pytest.raises(InvalidCredential, match="key id"):
        jwt(keys=keys).verify(NO_REQUEST, sign(header={"kid": "k" * 257}))


def test_a_scheme_shows_no_secret() -> None:
    secret = "a-secret-of-a-test" * 4
    scheme = jwt(algorithms=["HS256"], keys=..., secret=secret)
    assert secret not in repr(scheme)
    assert secret not in repr(vars(scheme))


def test_a_key_for_encryption_verifies_nothing() -> None:
    """A key set with such a key beside the right one is usual."""
    keys = jwks(public(pair("RSA"), use="enc", kid="2"), public(pair(), kid="1"))
    assert identity(sign(), keys=keys).subject == "alice"
    with pytest.raises(ValueError, match="no key fits"):
        jwt(keys=keys, algorithms=["ES256", "RS256"])
