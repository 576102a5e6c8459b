"""Nobody gets the response of another client, whatever key and body they send."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mantlet
from mantlet import ApiKeys, Authenticator, Identity, Policy
from mantlet.idempotency import identification
from mantlet.idempotency.identification import record_key
from tests.idempotency.driving import KEY, Shop, both_protocols, is_replay

if TYPE_CHECKING:
    from mantlet import Request
    from mantlet.testing import Protocol, ReceivedResponse

#: Headers by which apps, or proxies in front of them, tell users apart.
CREDENTIALS: list[dict[str, str]] = [
    {},
    {"Authorization": "Bearer a"},
    {"Authorization": "Bearer b"},
    {"Authorization": "Basic YTpi"},
    {"Cookie": "session=a"},
    {"Cookie": "session=b"},
    {"Authorization": "Bearer a", "Cookie": "session=a"},
    {"Authorization": "Bearer a", "Cookie": "session=b"},
    {"X-API-Key": "a"},
    {"X-API-Key": "b"},
    {"X-ApiKey": "a"},
    {"Api-Key": "a"},
    {"X-Auth-Token": "a"},
    {"X-Access-Token": "a"},
    {"X-Amz-Security-Token": "a"},
    {"Proxy-Authorization": "Basic a"},
    {"X-Forwarded-User": "a"},
    {"X-Forwarded-User": "b"},
    {"X-Forwarded-Email": "a@example.com"},
    {"X-Forwarded-Access-Token": "a"},
    {"Remote-User": "a"},
    {"X-Remote-User": "a"},
    {"X-User-Id": "a"},
    {"X-User": "a"},
    {"X-Auth-Request-User": "a"},
    {"X-Auth-Request-Email": "a"},
    {"X-Goog-Authenticated-User-Email": "accounts.google.com:a"},
    {"X-Goog-IAP-JWT-Assertion": "a"},
    {"X-Amzn-Oidc-Identity": "a"},
    {"X-MS-Client-Principal": "a"},
    {"X-MS-Client-Principal-Id": "a"},
    {"Cf-Access-Jwt-Assertion": "a"},
    {"Cf-Access-Authenticated-User-Email": "a"},
    {"X-Tenant-Id": "a"},
    {"X-Tenant": "a"},
    {"X-Account-Id": "a"},
    {"X-Organization-Id": "a"},
    {"X-Client-Cert": "a"},
    {"X-Forwarded-Client-Cert": "a"},
    {"SSL-Client-S-DN": "a"},
    {"X-SSL-Client-S-DN": "a"},
    {"X-Session-Id": "a"},
    {"X-Subject": "a"},
    {"X-Token": "a"},
    {"X-Secret": "a"},
    {"X-Login": "a"},
    {"Ocp-Apim-Subscription-Key": "a"},
    {"X-Customer-Id": "a"},
    {"X-Merchant-Id": "a"},
    {"X-Workspace-Id": "a"},
    {"X-On-Behalf-Of": "a"},
    {"X-Principal": "a"},
    {"Account-Id": "a"},
    {"Client-Id": "a"},
    {"X" * 129: "a"},
    {"X" * 60_000: "a"},
    {"Authorization": "Bearer " + "a" * 70_000},
    {"Authorization": "Bearer " + "b" * 70_000},
]


@both_protocols
def test_credentials_tell_clients_apart(protocol: Protocol) -> None:
    """Each has its own payment with the same key and the same body, and its own replay."""
    shop = Shop(protocol)
    first = [shop.pay(**_keywords(who)) for who in CREDENTIALS]
    assert not any(is_replay(one) for one in first)
    assert len({one.body for one in first}) == len(CREDENTIALS)
    second = [shop.pay(**_keywords(who)) for who in CREDENTIALS]
    assert all(is_replay(one) for one in second)
    assert [one.body for one in second] == [one.body for one in first]


def _keywords(headers: dict[str, str]) -> dict[str, Any]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


@pytest.mark.few_cases(1)
@both_protocols
def test_few_and_short_names_are_remembered(protocol: Protocol) -> None:
    """Clients choose them, and they may be many and large."""
    shop = Shop(protocol)
    for number in range(3000):
        shop.pay(**{f"x-{number}": "a"})
    shop.pay(**{"x" * 129: "a"})
    known = identification._tells_apart
    assert len(known) <= 1024
    assert max(map(len, known)) <= 133


@both_protocols
def test_other_headers_do_not(protocol: Protocol) -> None:
    """A client may send each request with another id, over another proxy, or as another program."""
    shop = Shop(protocol)
    shop.pay()
    for name in (
        *("User-Agent", "X-Request-Id", "Traceparent", "X-Forwarded-For", "Via", "Accept", "Date"),
        *("Accept-Language", "X-Amzn-Trace-Id", "Cf-Ray", "Referer", "Priority", "Dpop"),
    ):
        assert is_replay(shop.pay(**{name.replace("-", "_"): "other"})), name


@both_protocols
def test_a_header_with_a_long_name_does(protocol: Protocol) -> None:
    """No proxy's has one; so a client can't have many of them looked at, or remembered."""
    shop = Shop(protocol)
    name = "x_" + 128 * "a"
    assert not is_replay(shop.pay(**{name: "ann"}))
    assert not is_replay(shop.pay(**{name: "ben"}))
    assert is_replay(shop.pay(**{name: "ann"}))


@both_protocols
@pytest.mark.parametrize(
    ("key", "is_shared"),
    [("1", False), ("x" * 19, False), ("x" * 20, True), (KEY["Idempotency-Key"], True)],
    ids=["number", "short", "long", "uuid"],
)
def test_strangers_share_no_short_keys(protocol: Protocol, key: str, *, is_shared: bool) -> None:
    """Two clients without credentials may choose the same number, but not the same UUID."""
    shop = Shop(protocol)

    def pay(address: str, **headers: str) -> ReceivedResponse:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shop.client, "_client", address)
            return shop.pay(key, **headers)

    assert not is_replay(pay("192.0.2.1"))
    assert is_replay(pay("192.0.2.1"))
    assert is_replay(pay("192.0.2.2")) is is_shared
    assert not is_replay(pay("192.0.2.1", Cookie="session=a"))
    assert is_replay(pay("192.0.2.2", Cookie="session=a"))


@pytest.mark.parametrize(
    "name", ["REMOTE_USER", "SSL_CLIENT_CERT", "SSL_CLIENT_S_DN", "SSL_CLIENT_M_SERIAL"]
)
def test_what_a_wsgi_server_knows_counts(name: str) -> None:
    """A user that the server itself has authenticated."""
    shop = Shop("wsgi")
    made = shop.client._environ

    def pay(who: str) -> bytes:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shop.client, "_environ", lambda *args: made(*args) | {name: who})
            return shop.pay().body

    assert [pay(who) for who in "abab"] == [b"payment 1", b"payment 2"] * 2


def test_a_certificate_that_an_asgi_server_knows_counts() -> None:
    """The TLS extension has it."""
    shop = Shop("asgi")
    made = shop.client._scope

    def pay(who: str) -> bytes:
        extensions = {"tls": {"client_cert_chain": [who]}}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                shop.client, "_scope", lambda *args: made(*args) | {"extensions": extensions}
            )
            return shop.pay().body

    assert [pay(who) for who in "abab"] == [b"payment 1", b"payment 2"] * 2


# -- identities ------------------------------------------------------------------------------------


class Identify(Policy):
    """Takes a header's word for who is asking, as no Authenticator would."""

    def on_request(self, request: Request) -> None:
        """Set the identity."""
        text = request.headers.get("X-Who")
        if text:
            subject, scheme, issuer = text.split("|")
            claims = {"iss": issuer} if issuer else {}
            request.state.identity = Identity(subject, scheme, claims=claims)


@both_protocols
def test_an_identity_is_its_subject_and_its_issuer(protocol: Protocol) -> None:
    """Another issuer's subject of the same name is another client; so is one of another scheme."""
    shop = Shop(protocol, outer=(Identify(),))
    names = ["a|jwt|x", "b|jwt|x", "a|jwt|y", "a|jwt|", "a|api_key|", "x|jwt|a", "|jwt|ax", ""]
    bodies = [shop.pay(X_Who=name).body for name in names]
    assert len({*bodies}) == len(names)
    assert [shop.pay(X_Who=name).body for name in names] == bodies


@both_protocols
def test_an_identity_may_change_its_credential(protocol: Protocol) -> None:
    """Its token is renewed between the request and its repeat."""
    shop = Shop(protocol, outer=(Identify(),))
    shop.pay(X_Who="a|jwt|x", Authorization="Bearer 1", Cookie="a=1")
    assert is_replay(shop.pay(X_Who="a|jwt|x", Authorization="Bearer 2"))


@both_protocols
def test_an_authenticator_tells_clients_apart(protocol: Protocol) -> None:
    """With API keys, as apps have them."""
    hashes = {sha256(f"key-of-{who}-0123456789".encode()).hexdigest(): who for who in "abc"}
    shop = Shop(protocol, outer=(Authenticator(ApiKeys(hashes)),))

    def pay(who: str) -> Any:
        return shop.pay(X_API_Key=f"key-of-{who}-0123456789")

    assert [pay(who).body for who in "abcabc"] == [b"payment 1", b"payment 2", b"payment 3"] * 2
    assert shop.pay(X_API_Key="key-of-nobody").status == 401


@both_protocols
def test_an_authenticator_belongs_outside(protocol: Protocol) -> None:
    """Else a replay would be given before anybody has asked who the client is."""
    keys = Authenticator(ApiKeys({sha256(b"key-of-a-0123456789").hexdigest(): "a"}))
    with pytest.warns(UserWarning, match="Authenticator is inside Idempotency"):
        Shop(protocol, inner=(keys,))


@both_protocols
def test_a_replay_needs_what_the_request_needed(protocol: Protocol) -> None:
    """Whoever has lost the permission gets no replay either."""

    class Gate(Policy):
        is_open = True

        def on_request(self, request: Request) -> mantlet.Reply | None:
            return None if self.is_open else mantlet.Reply(403)

    gate = Gate()
    shop = Shop(protocol, outer=(gate,))
    shop.pay()
    gate.is_open = False
    assert shop.pay().status == 403


# -- by --------------------------------------------------------------------------------------------


@both_protocols
def test_by_says_whose_a_key_is(protocol: Protocol) -> None:
    """In place of the credentials; None is for them."""
    shop = Shop(protocol, by=lambda request: request.headers.get("X-Shop"))
    assert shop.pay(X_Shop="a", Authorization="Bearer 1").body == b"payment 1"
    assert shop.pay(X_Shop="b", Authorization="Bearer 1").body == b"payment 2"
    assert shop.pay(X_Shop="a", Authorization="Bearer 2").body == b"payment 1"
    assert shop.pay(Authorization="Bearer 1").body == b"payment 3"
    assert shop.pay(Authorization="Bearer 2").body == b"payment 4"
    assert shop.pay(Authorization="Bearer 1").body == b"payment 3"


@both_protocols
def test_by_is_never_an_identity(protocol: Protocol) -> None:
    """However much its text looks like one."""
    outer = (Identify(),)
    shop = Shop(protocol, outer=outer, by=lambda request: request.headers.get("X-Shop"))
    shop.pay(X_Who="a|jwt|x")
    for text in ("a", "jwtxa", "identity", "issxa", "3:iss1:x1:a"):
        assert not is_replay(shop.pay(X_Shop=text))


texts = st.lists(st.text(max_size=8), max_size=5).map(tuple)


@given(texts, st.text(max_size=8), texts, st.text(max_size=8))
def test_no_two_owners_share_a_record(
    one: tuple[str, ...], key: str, other: tuple[str, ...], other_key: str
) -> None:
    """Parts are never joined so that they could be read in two ways."""
    joined = (record_key(one, key), record_key(other, other_key))
    assert (joined[0] == joined[1]) == ((one, key) == (other, other_key))
    assert {len(each) for each in joined} == {32}
