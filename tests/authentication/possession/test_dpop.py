"""DPoP (RFC 9449) through whole stacks: which proofs pass, and how the others are answered."""

from __future__ import annotations

import asyncio
import hmac
import json
from time import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import Authenticator, Dpop
from mantlet.authentication.possession.replays import Replays
from tests.authentication.possession.dpop_client import Client, encoded
from tests.authentication.possession.known_tokens import KnownTokens, whoami
from tests.drive import ADAPTERS, Adapter, Answer, both_adapters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORIGIN = "https://api.example"
URI = "https://api.example/orders"
NOW = 1_800_000_000.0
TOKEN = "token-of-alice"
#: Nothing of these may be in a log.
SECRETS = (TOKEN, "eyJ")


class Exchange:
    """A stack that knows one token, bound to the key of one client.

    Args:
        adapter: the protocol.
        key: of the client.
        options: of `Dpop`.
    """

    def __init__(self, adapter: Adapter, key: Any = None, **options: Any) -> None:
        self.now = NOW
        self.client = Client(key)
        self.adapter = adapter
        tokens = {TOKEN: {"cnf": {"jkt": self.client.thumbprint}}, "unbound": {}}
        options = {"origin": ORIGIN, "clock": lambda: self.now, **options}
        auth = Authenticator(KnownTokens(tokens), dpop=Dpop(**options))
        self.app = adapter.wrap(whoami, auth)

    def send(
        self,
        proof: str | None,
        *,
        method: str = "GET",
        path: str = "/orders",
        token: str = TOKEN,
        auth_scheme: str = "DPoP",
        more: tuple[tuple[str, str], ...] = (),
        **options: Any,
    ) -> Answer:
        """Send a request with a proof."""
        headers = [("Authorization", f"{auth_scheme} {token}"), *more]
        if proof is not None:
            headers.append(("DPoP", proof))
        return self.adapter.drive(self.app, method, path, headers=headers, **options)

    def prove(self, method: str = "GET", uri: str = URI, token: str = TOKEN, **options: Any) -> str:
        """Return a right proof."""
        return self.client.prove(method, uri, token, self.now, **options)


def is_refused(answer: Answer, error: str = "invalid_dpop_proof") -> bool:
    """Return whether a request was refused for its proof, as RFC 9449, 7.1 says."""
    challenge = answer.get("www-authenticate") or ""
    dpop = challenge[challenge.index("DPoP ") :]
    return answer.status == 401 and f'error="{error}"' in dpop and 'algs="ES256 ' in dpop


KEYS: dict[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", KEYS)
@both_adapters
def test_a_right_proof_passes_once(adapter: Adapter, kind: str) -> None:
    exchange = Exchange(adapter, KEYS[kind]())
    proof = exchange.prove()
    answer = exchange.send(proof)
    assert (answer.status, answer.body) == (200, b"alice")
    assert is_refused(exchange.send(proof))
    assert exchange.send(exchange.prove()).status == 200


@both_adapters
def test_the_example_of_the_rfc_passes_at_its_time(adapter: Adapter) -> None:
    """Figure 12 of RFC 9449, 7.1, with the thumbprint of figure 8, in 6.1."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    proof = (
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
        "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
        "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
        "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj"
        "oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z"
        "WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF"
        "c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E"
        "OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    )
    claims = {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
    dpop = Dpop(origin="https://resource.example.org", clock=lambda: 1562262618.0)
    app = adapter.wrap(whoami, Authenticator(KnownTokens({token: claims}), dpop=dpop))
    headers = [("Authorization", f"DPoP {token}"), ("DPoP", proof)]
    assert adapter.drive(app, "GET", "/protectedresource", headers=headers).body == b"alice"
    assert is_refused(adapter.drive(app, "GET", "/protectedresource", headers=headers))


# -- the checks of RFC 9449, 4.3 ------------------------------------------------------------------


@both_adapters
def test_1_more_than_one_header_is_refused(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Exchange(adapter)
    assert is_refused(exchange.send(exchange.prove(), more=(("DPoP", exchange.prove()),)))
    assert "must be sent once" in caplog.text
    assert is_refused(exchange.send(None))


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: proof[:0],
        lambda proof: proof[:1] + ".b.c",
        lambda proof: proof.rsplit(".", 1)[0],
        lambda proof: f"{proof}.",
        lambda proof: f"{proof}=",
        lambda proof: proof.rsplit(".", 1)[0] + ".",
        lambda proof: proof.replace(".", ".\t", 1),
        lambda proof: f"{proof} {proof}",
        lambda proof: f"{'A' * 9000}.{proof}",
        lambda proof: proof[:-86] + "\xff" * 86,
    ],
)
@both_adapters
def test_2_anything_but_one_well_formed_jwt_is_refused(adapter: Adapter, change: Any) -> None:
    exchange = Exchange(adapter)
    assert is_refused(exchange.send(change(exchange.prove())))


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "ath"])
@pytest.mark.parametrize("value", [..., None, "", 1.5, True, [], {}, "x" * 9000])
@both_adapters
def test_3_a_claim_that_is_missing_or_of_another_type_is_refused(
    adapter: Adapter, name: str, value: Any
) -> None:
    exchange = Exchange(adapter)
    claims = exchange.client.claims("GET", URI, TOKEN, NOW)
    del claims[name]
    if value is not ...:
        claims[name] = value
    assert is_refused(exchange.send(exchange.client.jws(exchange.client.header(), claims)))


@pytest.mark.parametrize("name", ["typ", "alg", "jwk"])
@both_adapters
def test_3_a_header_parameter_that_is_missing_is_refused(adapter: Adapter, name: str) -> None:
    exchange = Exchange(adapter)
    header = exchange.client.header()
    del header[name]
    claims = exchange.client.claims("GET", URI, TOKEN, NOW)
    assert is_refused(exchange.send(exchange.client.jws(header, claims)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("typ", "JWT"),
        ("typ", "at+jwt"),
        ("alg", "none"),
        ("alg", "HS256"),
        ("alg", "ES384"),
        ("alg", "RS256"),  # registered and asymmetric, but not in `algorithms`
        ("alg", ["ES256"]),
        ("jwk", "key"),
        ("jwk", {"kty": "oct", "k": encoded(b"k" * 32)}),
        ("jwk", {"kty": "EC"}),
        ("crit", ["b64"]),
        ("b64", False),
    ],
)
@both_adapters
def test_4_5_another_type_or_algorithm_is_refused(adapter: Adapter, name: str, value: Any) -> None:
    exchange = Exchange(adapter)
    header = {**exchange.client.header(), name: value}
    claims = exchange.client.claims("GET", URI, TOKEN, NOW)
    assert is_refused(exchange.send(exchange.client.jws(header, claims)))


@both_adapters
def test_5_the_public_key_is_no_shared_secret(adapter: Adapter) -> None:
    """The attack that HMAC with a public key is: RFC 8725, 2.1."""
    exchange = Exchange(adapter, algorithms=["ES256"])
    header = {**exchange.client.header(), "alg": "HS256"}
    unsigned = exchange.client.jws(header, exchange.client.claims("GET", URI, TOKEN, NOW))
    signed = unsigned.rpartition(".")[0]
    secret = json.dumps(exchange.client.jwk).encode()
    answer = exchange.send(f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}")
    assert answer.status == 401


@both_adapters
def test_6_a_wrong_signature_is_refused(adapter: Adapter) -> None:
    exchange = Exchange(adapter)
    other = Client()
    header = exchange.client.header()  # with the right key, signed by another
    claims = exchange.client.claims("GET", URI, TOKEN, NOW)
    assert is_refused(exchange.send(other.jws(header, claims)))
    # It has not used the proof up: the right one passes.
    assert exchange.send(exchange.client.jws(header, claims)).status == 200


@both_adapters
def test_7_a_private_key_is_refused(adapter: Adapter) -> None:
    exchange = Exchange(adapter)
    private = exchange.client.key.private_numbers().private_value  # type: ignore[union-attr]
    jwk = {**exchange.client.jwk, "d": encoded(private.to_bytes(32, "big"))}
    header = {**exchange.client.header(), "jwk": jwk}
    claims = exchange.client.claims("GET", URI, TOKEN, NOW)
    assert is_refused(exchange.send(exchange.client.jws(header, claims)))


@pytest.mark.parametrize("method", ["POST", "HEAD", "get", "GETS"])
@both_adapters
def test_8_another_method_is_refused(adapter: Adapter, method: str) -> None:
    exchange = Exchange(adapter)
    assert is_refused(exchange.send(exchange.prove(method)))


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
@both_adapters
def test_8_a_header_that_replaces_the_method_is_refused(adapter: Adapter, name: str) -> None:
    exchange = Exchange(adapter)
    more = ((name, "DELETE"),)
    assert is_refused(exchange.send(exchange.prove("POST"), method="POST", more=more))
    more = ((name, "post"),)
    assert exchange.send(exchange.prove("POST"), method="POST", more=more).status == 200


@pytest.mark.parametrize(
    "uri",
    [
        "https://api.example/orders/",
        "https://api.example/order",
        "https://api.example/",
        "http://api.example/orders",
        "https://api.example:444/orders",
        "https://evil.example/orders",
        "https://api.example.evil/orders",
        "https://api.example@evil.example/orders",
        "https://user@api.example/orders",
        "/orders",
        "api.example/orders",
        "https:///orders",
        "https://api.example/ORDERS",
        "https://api.example/orders%",
        "https://api.example/orders\u0000",
        "wss://api.example/orders",
    ],
)
@both_adapters
def test_9_another_uri_is_refused_whatever_host_the_request_names(
    adapter: Adapter, uri: str
) -> None:
    exchange = Exchange(adapter)
    more = (("Host", "evil.example"), ("X-Forwarded-Host", "evil.example"))
    assert is_refused(exchange.send(exchange.prove(uri=uri), more=more))


@pytest.mark.parametrize(
    "uri",
    [
        "https://api.example/orders?page=2",
        "https://api.example/orders#top",
        "HTTPS://API.example:443/orders",
        "https://api.example:/orders",
        "https://api.example/%6Frders",
        "https://api.example/x/../orders",
    ],
)
@both_adapters
def test_9_uris_are_compared_normalized_without_query_and_fragment(
    adapter: Adapter, uri: str
) -> None:
    exchange = Exchange(adapter)
    assert exchange.send(exchange.prove(uri=uri)).status == 200


@both_adapters
def test_10_a_nonce_has_to_be_one_of_the_server(adapter: Adapter) -> None:
    exchange = Exchange(adapter, nonce="n" * 32, nonce_period=100)
    answer = exchange.send(exchange.prove())
    assert is_refused(answer, "use_dpop_nonce")
    assert answer.get("cache-control") == "no-store"
    nonce = answer.get("dpop-nonce")
    assert nonce is not None
    for wrong in ("", "x" * 32, "é" * 32, nonce[:-1], "x" * 1000):
        assert is_refused(exchange.send(exchange.prove(nonce=wrong)), "use_dpop_nonce")
    passed = exchange.send(exchange.prove(nonce=nonce))
    assert (passed.status, passed.get("dpop-nonce")) == (200, None)
    # In the next period it still passes, and the response has the next one.
    exchange.now += 100
    passed = exchange.send(exchange.prove(nonce=nonce))
    newer = passed.get("dpop-nonce")
    assert passed.status == 200
    assert newer not in (None, nonce)
    assert passed.get("cache-control") == "no-store"
    exchange.now += 100
    assert is_refused(exchange.send(exchange.prove(nonce=nonce)), "use_dpop_nonce")
    assert exchange.send(exchange.prove(nonce=newer)).status == 200


@both_adapters
def test_10_the_secret_of_nonces_can_be_replaced(adapter: Adapter) -> None:
    old, new = b"o" * 32, mantlet.Secret("n" * 32)
    exchange = Exchange(adapter, nonce=old)
    nonce = exchange.send(exchange.prove()).get("dpop-nonce")
    client = exchange.client
    exchange = Exchange(adapter, client.key, nonce=[new, old])
    passed = exchange.send(exchange.prove(nonce=nonce))
    assert passed.status == 200
    assert passed.get("dpop-nonce") != nonce
    exchange = Exchange(adapter, client.key, nonce=new)
    assert is_refused(exchange.send(exchange.prove(nonce=nonce)), "use_dpop_nonce")


@pytest.mark.parametrize(
    ("seconds", "passes"), [(-61, False), (-60, True), (0, True), (5, True), (6, False)]
)
@both_adapters
def test_11_a_proof_that_is_stale_or_from_the_future_is_refused(
    adapter: Adapter, seconds: int, passes: bool
) -> None:
    exchange = Exchange(adapter)
    proof = exchange.client.prove("GET", URI, TOKEN, NOW + seconds)
    answer = exchange.send(proof)
    assert answer.status == 200 if passes else is_refused(answer)


@both_adapters
def test_12_another_token_or_another_key_is_refused(adapter: Adapter) -> None:
    exchange = Exchange(adapter)
    assert is_refused(exchange.send(exchange.prove(token="another")))
    assert is_refused(exchange.send(Client().prove("GET", URI, TOKEN, NOW)))


# -- tokens and their keys ------------------------------------------------------------------------


@both_adapters
def test_a_bound_token_is_no_bearer_token_and_the_other_way_round(adapter: Adapter) -> None:
    exchange = Exchange(adapter)
    answer = exchange.send(exchange.prove(), auth_scheme="Bearer")
    assert answer.status == 401
    assert 'Bearer realm="api", error="invalid_token"' in (answer.get("www-authenticate") or "")
    answer = exchange.send(exchange.prove(token="unbound"), token="unbound")
    assert is_refused(answer, "invalid_token")
    assert exchange.send(None, token="unbound", auth_scheme="Bearer").status == 200


@both_adapters
def test_a_bound_token_is_refused_where_no_proofs_are_verified(adapter: Adapter) -> None:
    client = Client()
    tokens = KnownTokens({TOKEN: {"cnf": {"jkt": client.thumbprint}}})
    app = adapter.wrap(whoami, Authenticator(tokens))
    proof = client.prove("GET", URI, TOKEN, NOW)
    for auth_scheme in ("Bearer", "DPoP"):
        headers = [("Authorization", f"{auth_scheme} {TOKEN}"), ("DPoP", proof)]
        assert adapter.drive(app, "GET", "/orders", headers=headers).status == 401


@both_adapters
def test_several_origins_and_paths_that_a_proxy_removes(adapter: Adapter) -> None:
    exchange = Exchange(adapter, origin=[ORIGIN, "https://www.example/api/"])
    assert exchange.send(exchange.prove(uri="https://www.example/api/orders")).status == 200
    assert exchange.send(exchange.prove()).status == 200
    assert is_refused(exchange.send(exchange.prove(uri="https://www.example/orders")))


def test_a_path_with_dot_segments_is_only_matched_by_itself() -> None:
    exchange = Exchange(ADAPTERS[0])
    uri = f"{ORIGIN}/a/../orders"
    assert is_refused(exchange.send(exchange.prove(), path="/a/../orders"))
    assert exchange.send(exchange.prove(uri=uri), path="/a/../orders").status == 200


def test_escapes_of_reserved_characters_are_kept_apart() -> None:
    exchange = Exchange(ADAPTERS[0])
    raw = {"raw_path": b"/a%2fb"}
    assert is_refused(exchange.send(exchange.prove(uri=f"{ORIGIN}/a/b"), path="/a/b", scope=raw))
    assert (
        exchange.send(exchange.prove(uri=f"{ORIGIN}/a%2Fb"), path="/a/b", scope=raw).status == 200
    )
    raw = {"raw_path": "/ä".encode()}
    assert exchange.send(exchange.prove(uri=f"{ORIGIN}/%c3%A4"), path="/ä", scope=raw).status == 200


# -- replays --------------------------------------------------------------------------------------


@both_adapters
def test_an_identifier_is_used_once_for_each_key_and_uri(adapter: Adapter) -> None:
    exchange = Exchange(adapter)
    claims = {**exchange.client.claims("GET", URI, TOKEN, NOW), "jti": "one\n"}
    header = exchange.client.header()
    assert exchange.send(exchange.client.jws(header, claims)).status == 200
    claims["iat"] += 1  # another proof, signed anew
    assert is_refused(exchange.send(exchange.client.jws(header, claims)))
    claims["htu"] = f"{ORIGIN}/others"
    assert exchange.send(exchange.client.jws(header, claims), path="/others").status == 200


@pytest.mark.parametrize("store", ["memory", "lmdb"])
@both_adapters
def test_a_full_store_refuses_and_forgets_nothing(
    adapter: Adapter, store: str, tmp_path: Path
) -> None:
    store = store if store == "memory" else f"lmdb://{tmp_path}/proofs"
    exchange = Exchange(adapter, max_proofs=100, store=store)
    first = exchange.prove()
    assert exchange.send(first).status == 200
    statuses = [exchange.send(exchange.prove()).status for _ in range(60)]
    assert statuses == [200] * 49 + [503] * 11
    answer = exchange.send(exchange.prove())
    assert answer.get("retry-after") == "1"
    assert is_refused(exchange.send(first))


def test_a_proof_is_remembered_for_as_long_as_it_may_be_accepted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """From when a host whose clock is behind accepts it, to when it is too old for all."""
    ticks = [0]
    monkeypatch.setattr("mantlet.ratelimit.factory.monotonic_ns", lambda: ticks[0])
    exchange = Exchange(ADAPTERS[0], max_age=60, leeway=5)
    proof = exchange.prove()
    exchange.now = NOW - 5
    assert exchange.send(proof).status == 200
    for seconds in (1, 30, 65, 70):
        ticks[0] = seconds * 1_000_000_000
        exchange.now = min(NOW - 5 + seconds, NOW + 60)
        assert is_refused(exchange.send(proof))
    assert caplog.text.count("was used before") == 4
    ticks[0] = 72 * 1_000_000_000
    exchange.now = NOW + 61
    assert is_refused(exchange.send(proof))
    assert "too old" in caplog.text


def test_memory_is_bounded_by_the_proofs_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are used one after the other."""
    ticks = [0]
    monkeypatch.setattr("mantlet.ratelimit.factory.monotonic_ns", lambda: ticks[0])
    replays = Replays("memory", window=10, max_proofs=200)
    (store, _) = replays._stores
    most = 0
    for number in range(5000):
        ticks[0] += 120_000_000  # 83 in a window
        assert replays.is_first(str(number), is_async=False) is True
        most = max(most, len(store))  # type: ignore[arg-type]  # a `MemoryStore`
    assert most < 400
    assert asyncio.run(replays.health()) == "ok"


@both_adapters
def test_without_its_store_no_proof_passes(adapter: Adapter) -> None:
    exchange = Exchange(adapter, store="redis://127.0.0.1:1")
    assert exchange.send(exchange.prove()).status == 503


def test_a_store_that_does_not_respond_is_reported_as_down() -> None:
    down = Authenticator(KnownTokens({}), dpop=Dpop(origin=ORIGIN, store="redis://127.0.0.1:1"))
    assert asyncio.run(_health(down)) == {"dpop": "down"}
    fine = Authenticator(KnownTokens({}), dpop=Dpop(origin=ORIGIN))
    assert asyncio.run(_health(fine)) == {"dpop": "ok"}


async def _health(auth: Authenticator) -> Any:
    return await auth.health()


# -- hostile proofs -------------------------------------------------------------------------------


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_no_change_of_a_proof_passes(data: st.DataObject) -> None:
    exchange = Exchange(ADAPTERS[0])
    proof = exchange.prove()
    place = data.draw(st.integers(0, len(proof) - 1))
    length = data.draw(st.integers(0, 3))
    text = data.draw(
        st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=4)
    )
    changed = proof[:place] + text + proof[place + length :]
    answer = exchange.send(changed)
    assert answer.error is None
    if changed == proof:
        assert answer.status == 200
    else:
        assert is_refused(answer)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    header=st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "kid", "crit"]), _json),
    jwk=st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg"]), _json),
    claims=st.dictionaries(st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce"]), _json),
)
@settings(max_examples=300, deadline=None)
def test_no_value_of_a_signed_proof_raises(
    header: dict[str, Any], jwk: dict[str, Any], claims: dict[str, Any]
) -> None:
    exchange = Exchange(ADAPTERS[0], nonce="n" * 32)
    client = exchange.client
    made = {**client.header(), **header}
    if "jwk" not in header:
        made["jwk"] = {**client.jwk, **jwk}
    answer = exchange.send(client.jws(made, {**client.claims("GET", URI, TOKEN, NOW), **claims}))
    assert answer.error is None
    assert answer.status == 401


@both_adapters
def test_the_log_says_why_and_has_nothing_of_token_and_proof(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Exchange(adapter)
    exchange.send(exchange.prove(uri="https://evil.example/"))
    exchange.send(exchange.prove("DELETE"))
    exchange.send("eyJ.eyJ.eyJ")
    exchange.send(exchange.prove(), auth_scheme="Bearer")
    assert "the proof is for another URI (htu)" in caplog.text
    assert "the proof is for another method (htm)" in caplog.text
    assert not any(secret in caplog.text for secret in (*SECRETS, exchange.client.thumbprint))


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, TypeError, "origin"),
        ({"origin": []}, ValueError, "at least one origin"),
        ({"origin": "api.example"}, ValueError, "https://api.example"),
        ({"origin": "ftp://api.example"}, ValueError, "https://api.example"),
        ({"origin": "https://api.example?x"}, ValueError, "https://api.example"),
        ({"origin": [b"https://api.example"]}, TypeError, "text"),
        ({"algorithms": "ES256"}, TypeError, "list"),
        ({"algorithms": []}, ValueError, "at least one"),
        ({"algorithms": ["HS256"]}, ValueError, "key pair"),
        ({"algorithms": ["none"]}, ValueError, "key pair"),
        ({"max_age": 0}, ValueError, "max_age"),
        ({"max_age": "60"}, TypeError, "max_age"),
        ({"leeway": -1}, ValueError, "leeway"),
        ({"nonce": "short"}, ValueError, "32 bytes"),
        ({"nonce": 5}, TypeError, "nonce must be bytes, text or a Secret"),
        ({"nonce": []}, ValueError, "at least one"),
        ({"nonce": "n" * 32, "nonce_period": 0}, ValueError, "nonce_period"),
        ({"store": "sqlite://x"}, ValueError, "store"),
        ({"store": None}, TypeError, "store"),
        ({"max_proofs": 1}, ValueError, "max_proofs"),
        ({"maxage": 1}, TypeError, "max_age"),
    ],
)
def test_options_that_are_wrong_are_refused(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    if options and "origin" not in options:
        options = {"origin": ORIGIN, **options}
    with pytest.raises(error, match=text) as raised:
        Dpop(**options)
    assert "short" not in str(raised.value)


def test_a_store_of_each_worker_alone_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mantlet.authentication.possession.replays.visible_workers", lambda: 4)
    with pytest.warns(UserWarning, match="each of 4 workers remembers the proofs"):
        Dpop(origin=ORIGIN)


@pytest.mark.parametrize("store", ["memory", "lmdb"])
@pytest.mark.parametrize("outer", ["the same", "another", "in report mode"])
@both_adapters
def test_stacks_of_one_exchange_use_a_proof_together(
    adapter: Adapter, outer: str, store: str, tmp_path: Path
) -> None:
    client = Client()
    uri = "memory" if store == "memory" else f"lmdb://{tmp_path}/proofs"
    tokens = KnownTokens({TOKEN: {"cnf": {"jkt": client.thumbprint}}})
    mode: Any = "report" if outer == "in report mode" else "enforce"

    def policy(mode: Any = "enforce") -> Authenticator:
        return Authenticator(tokens, dpop=Dpop(origin=ORIGIN, store=uri), mode=mode)

    inner = policy()
    around = inner if outer == "the same" else policy(mode)
    app = adapter.module.wrap(adapter.wrap(whoami, inner), around, baseline=False)
    proof = client.prove("GET", URI, TOKEN, time())
    headers = [("Authorization", f"DPoP {TOKEN}"), ("DPoP", proof)]
    answers = [adapter.drive(app, "GET", "/orders", headers=headers) for _ in range(2)]
    assert answers[0].status == 200
    assert is_refused(answers[1])


@both_adapters
def test_a_proof_that_another_store_knows_is_refused(adapter: Adapter, tmp_path: Path) -> None:
    """Another worker has used it, of which the outer stack's own memory knows nothing."""
    client = Client()
    tokens = KnownTokens({TOKEN: {"cnf": {"jkt": client.thumbprint}}})
    shared = f"lmdb://{tmp_path}/proofs"
    outer = Authenticator(tokens, dpop=Dpop(origin=ORIGIN))
    inner = Authenticator(tokens, dpop=Dpop(origin=ORIGIN, store=shared))
    app = adapter.wrap(whoami, inner)
    proof = client.prove("GET", URI, TOKEN, time())
    headers = [("Authorization", f"DPoP {TOKEN}"), ("DPoP", proof)]
    assert adapter.drive(app, "GET", "/orders", headers=headers).status == 200
    nested = adapter.module.wrap(app, outer, baseline=False)
    assert is_refused(adapter.drive(nested, "GET", "/orders", headers=headers))
