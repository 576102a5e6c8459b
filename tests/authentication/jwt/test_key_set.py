"""Which keys of a document are used, and which ones a token is tried with."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.authentication.jwt.key_set import FixedKeys, InvalidKeySet, KeySet
from tests.authentication.jwt.tokens import Jwk, b64, jwks, pair, public, weak_rsa


def test_each_key_fits_the_algorithms_of_its_type_and_curve() -> None:
    keys = KeySet.from_jwks(
        jwks(
            *(
                public(pair(kind), kid=kind)
                for kind in ("RSA", "P-256", "P-384", "P-521", "Ed25519", "Ed448")
            )
        )
    )
    fitting = {key.kid: set(key.algorithms) for key in keys}
    assert fitting == {
        "RSA": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
        "P-256": {"ES256"},
        "P-384": {"ES384"},
        "P-521": {"ES512"},
        "Ed25519": {"Ed25519", "EdDSA"},
        "Ed448": {"Ed448", "EdDSA"},
    }


def test_an_alg_fixes_the_algorithm() -> None:
    keys = KeySet.from_jwks(jwks(public(pair("RSA"), alg="PS256", kid="1")))
    assert keys.algorithms == {"PS256"}
    assert keys.candidates("1", "RS256") == ()
    (key,) = keys.candidates("1", "PS256")
    assert not key.verify("RS256", b"", b"\0" * 256)


def without_kid(key: Any) -> Jwk:
    return public(key, kid=None)


GOOD = public(pair(), kid="good")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (public(pair("RSA"), use="enc"), "use is not sig"),
        (public(pair("RSA"), use=["sig"]), "use is not sig"),
        (public(pair("RSA"), key_ops=["encrypt"]), "key_ops"),
        (public(pair("RSA"), key_ops=["verify", "encrypt"]), "key_ops"),
        (public(pair("RSA"), key_ops=["verify", "verify"]), "key_ops"),
        (public(pair("RSA"), key_ops=["sign"]), "key_ops"),
        (public(pair("RSA"), key_ops=[]), "key_ops"),
        (public(pair("RSA"), key_ops="verify"), "key_ops"),
        (public(pair("RSA"), key_ops=[["verify"]]), "key_ops"),
        (public(pair("RSA"), alg="ES256"), "alg"),
        (public(pair("RSA"), alg="HS256"), "alg"),
        (public(pair("RSA"), alg="none"), "alg"),
        (public(pair("RSA"), alg="RSA-OAEP"), "alg"),
        (public(pair("RSA"), alg=["RS256"]), "alg"),
        (public(pair("RSA"), alg=1), "alg"),
        (public(pair("P-384"), alg="ES256"), "alg"),
        (public(pair(), crv="P-384"), "48 bytes"),
        (public(pair(), crv="secp256k1"), "crv"),
        (public(pair(), crv=["P-256"]), "crv"),
        (public(pair(), crv=None), "crv"),
        (public(pair(), y=b64(b"\1" * 32)), "point"),
        (public(pair(), x=b64(b"\0" * 32), y=b64(b"\0" * 32)), "point"),
        (public(pair(), x=public(pair())["x"] + "="), "Base64url"),
        (public(pair(), x="ä" * 43), "Base64url"),
        (public(pair(), x=7), "Base64url"),
        (public(pair(), kid=7), "kid"),
        (public(pair(), kid="k" * 257), "kid"),
        (public(pair("X25519")), "crv"),
        (public(pair(), kty="RSA"), "Base64url"),
        (public(pair(), kty="ec"), "kty"),
        (public(pair(), kty=None), "kty"),
        ({"kty": "oct", "k": b64(b"k" * 32)}, "secret"),
        (pair("RSA").as_dict(private=True), "private"),
        (pair().as_dict(private=True), "private"),
        (pair("Ed25519").as_dict(private=True), "private"),
        ({**public(pair("RSA")), "e": b64(b"\1")}, "exponent"),
        ({**public(pair("RSA")), "e": b64(b"\3")}, "exponent"),
        ({**public(pair("RSA")), "e": b64(b"\1\0\2")}, "exponent"),
        ({**public(pair("RSA")), "e": b64(b"\1" * 64)}, "exponent"),
        ({**public(pair("RSA")), "e": b64(b"\0\1\0\1")}, "leading zeros"),
        ({**public(pair("RSA")), "n": b64(b"\xff" * 1025)}, "8192 bits"),
        ({**public(pair("RSA")), "n": b64(b"\xff" * 255 + b"\xfe")}, "random primes"),
        (weak_rsa(), "1024"),
        ("a text", "not an object"),
        (None, "not an object"),
    ],
)
def test_a_key_that_can_not_be_used_is_skipped_alone_and_logged_without_values(
    bad: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = KeySet.from_jwks({"keys": [bad, GOOD]})
    assert [key.kid for key in keys] == ["good"]
    (skipped,) = keys.skipped
    assert reason in skipped
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert reason in record.getMessage()
    if isinstance(bad, dict):
        for value in bad.values():
            if isinstance(value, str) and len(value) > 12:
                assert value not in caplog.text


def test_the_same_reasons_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    document = json.dumps({"keys": [public(pair("RSA"), use="enc"), GOOD]}).encode()
    first = KeySet.from_json(document)
    second = KeySet.from_json(document, previous=first)
    assert len(caplog.records) == 1
    KeySet.from_jwks({"keys": [GOOD, {"kty": "oct"}]}, previous=second)
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldA"}]}',
        json.dumps({"keys": [GOOD] * 101}).encode(),
        b"\xff",
        b'{"keys": ' + b"[" * 10_000,
    ],
)
def test_a_document_without_usable_keys_is_refused_without_values(document: bytes) -> None:
    with pytest.raises(InvalidKeySet) as caught:
        KeySet.from_json(document)
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_duplicate_kid_names_no_key() -> None:
    """Wycheproof expects that; RFC 7517, 4.5 allows it for keys of different types alone."""
    twins = [public(pair(), kid="1"), public(pair("P-256", "b"), kid="1")]
    keys = KeySet.from_jwks({"keys": [*twins, GOOD]})
    assert keys.candidates("1", "ES256") == ()
    assert len(keys.skipped) == 2
    both = KeySet.from_jwks({"keys": [public(pair(), kid="1"), public(pair("RSA"), kid="1")]})
    (found,) = both.candidates("1", "ES256")
    assert found.key_type == "EC"
    (found,) = both.candidates("1", "RS256")
    assert found.key_type == "RSA"


def test_one_kid_may_be_of_keys_for_different_algorithms() -> None:
    """Such as one RSA key, listed for each padding."""
    keys = KeySet.from_jwks(
        jwks(*(public(pair("RSA"), kid="1", alg=name) for name in ("RS256", "PS256")))
    )
    for name in ("RS256", "PS256"):
        assert len(keys.candidates("1", name)) == 1
    overlapping = [public(pair("RSA"), kid="1"), public(pair("RSA", "b"), kid="1", alg="RS256")]
    with pytest.raises(InvalidKeySet, match="same kid"):
        KeySet.from_jwks(jwks(*overlapping))


def test_the_same_key_twice_is_one_key() -> None:
    keys = KeySet.from_jwks({"keys": [GOOD, dict(GOOD)]})
    assert len(keys.candidates("good", "ES256")) == 1
    assert keys.skipped == ()


def test_a_kid_is_only_looked_up() -> None:
    keys = KeySet.from_jwks(jwks(GOOD))
    assert len(keys.candidates("good", "ES256")) == 1
    for other in ("", "../good", "GOOD", "good\0", "good' OR 1=1"):
        assert keys.candidates(other, "ES256") == ()
    assert keys.candidates("good", "ES384") == ()


def test_a_token_without_kid_is_tried_with_few_keys() -> None:
    keys = KeySet.from_jwks(jwks(*(public(pair("P-256", str(n)), kid=str(n)) for n in range(4))))
    assert len(keys.candidates(None, "ES256")) == 4
    many = KeySet.from_jwks(jwks(*(public(pair("P-256", str(n)), kid=str(n)) for n in range(5))))
    assert many.candidates(None, "ES256") == ()
    assert len(many.candidates("0", "ES256")) == 1


def test_where_no_key_has_an_id_a_kid_means_nothing() -> None:
    keys = KeySet.from_jwks(jwks(without_kid(pair())))
    assert len(keys.candidates("anything", "ES256")) == 1
    mixed = KeySet.from_jwks(jwks(without_kid(pair()), GOOD))
    assert mixed.candidates("anything", "ES256") == ()


def test_signatures_of_the_wrong_length_are_wrong() -> None:
    (key,) = KeySet.from_jwks(jwks(GOOD))
    for size in (0, 1, 63, 65, 128):
        assert not key.verify("ES256", b"message", b"\1" * size)


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("AQAB"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)
members = st.fixed_dictionaries(
    {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct", "AKP"]) | odd},
    optional=dict.fromkeys(
        ("kid", "use", "key_ops", "alg", "crv", "x", "y", "n", "e", "d", "k", "x5c"), odd
    ),
)
changed = st.builds(
    lambda key, changes: {**key, **changes},
    st.sampled_from([public(pair(kind)) for kind in ("P-256", "RSA", "Ed25519")]),
    st.dictionaries(st.sampled_from(["kid", "use", "key_ops", "alg", "crv", "x", "n", "e"]), odd),
)


@given(st.lists(members | changed | odd, max_size=4) | odd)
@settings(max_examples=300)
def test_no_document_does_more_than_raise(keys: Any) -> None:
    """An issuer that is hostile or broken."""
    try:
        found = KeySet.from_json(json.dumps({"keys": keys}).encode())
    except InvalidKeySet:
        return
    for key in found:
        assert not key.verify(min(key.algorithms), b"message", b"\0" * 64)


def test_nothing_shows_a_key() -> None:
    keys = KeySet.from_secrets([b"s" * 32])
    (key,) = keys
    assert "s" * 8 not in repr(keys) + repr(key) + str(key)
    assert repr(keys) == "<KeySet of 1 keys>"
    assert len(keys) == 1


def test_fixed_keys_are_a_source() -> None:
    keys = KeySet.from_jwks(jwks(GOOD))
    source = FixedKeys(keys)
    source.startup()
    source.report_unknown("x")
    source.renew()
    source.shutdown()
    assert source.key_set is keys
    assert source.health() == "ok"
    assert source.unavailable().retry_after > 0
