"""The laws of the architecture page, with the policies of identity and origins in the stacks."""

from __future__ import annotations

import time
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

import mantlet
from mantlet import (
    Allow,
    ApiKeys,
    Authenticator,
    Authorizer,
    Cors,
    CrossOrigin,
    Hosts,
    Identity,
    Jwt,
    Policy,
    Session,
)
from tests.conformance.exchanges import Script, play_asgi, play_wsgi
from tests.conformance.recorder import Plan
from tests.conformance.site import (
    Sent,
    Site,
    check_alike,
    check_pairing,
    check_reports,
    mixed,
    open_websocket,
    with_modes,
)
from tests.conformance.test_laws import methods, scripts
from tests.drive import AsgiAdapter, WsgiAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.drive import Said

    Make = Callable[..., Policy]

pytestmark = [
    pytest.mark.slow,
    # A policy that stands where it can't do all of its work is what these tests want, too.
    pytest.mark.filterwarnings("ignore:.* is inside "),
    # Werkzeug's checker wants Content-Length in a 204, where none may be (RFC 9110, 8.6).
    pytest.mark.filterwarnings("ignore:204 responses must have an empty content length"),
]

KEY = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"})
NOW = int(time.time())
FRONT_END, ELSEWHERE = "https://app.shop.example", "https://evil.example"


def bearer(scope: str, **changes: Any) -> tuple[str, str]:
    """Return a header with an access token."""
    claims = {"iss": "https://id.example", "aud": "https://api.example", "sub": "ann"}
    claims |= {"client_id": "shop", "jti": "1", "scope": scope}
    header = {"alg": "ES256", "kid": "1", "typ": "at+jwt"}
    token = jwt.encode(header, {**claims, "iat": NOW, "exp": NOW + 9999, **changes}, KEY)
    return "Authorization", f"Bearer {token}"


READER, WRITER = bearer("read"), bearer("read write")
COOKIE = ("Cookie", "session=ben; theme=dark")
#: Headers that say who asks, and from where.
CREDENTIALS: Sequence[tuple[tuple[str, str], ...]] = (
    (),
    (READER,),
    (WRITER,),
    (READER, WRITER),
    (READER, ("X-API-Key", "key")),
    (("X-API-Key", "key"),),
    (("X-API-Key", "another"),),
    (COOKIE,),
    (COOKIE, READER),
    (("Cookie", "session=nobody"),),
    (bearer("read", exp=1),),
    (("Authorization", "Bearer x.y.z"),),
    (("Authorization", "Basic YW5uOjE="),),
)
SITES: Sequence[tuple[tuple[str, str], ...]] = (
    (),
    (("Origin", FRONT_END),),
    (("Origin", ELSEWHERE),),
    (("Origin", "null"),),
    (("Sec-Fetch-Site", "cross-site"), ("Origin", ELSEWHERE)),
    (("Sec-Fetch-Site", "cross-site"), ("Origin", FRONT_END)),
    (("Sec-Fetch-Site", "same-origin"),),
    (("Origin", FRONT_END), ("Access-Control-Request-Method", "PUT")),
    (("Origin", ELSEWHERE), ("Access-Control-Request-Method", "POST")),
)


def load(value: str) -> Identity | None:
    """Return whose session a cookie is."""
    return None if value == "nobody" else Identity(value, "session", scopes=frozenset({"read"}))


def is_own(identity: Identity | None, _action: str, _resource: object) -> bool:
    return identity is not None and identity.subject == "ann"


def authenticator(schemes: Sequence[Any], **options: Any) -> Policy:
    return Authenticator(*(one() for one in schemes), **options)


def token_scheme() -> Jwt:
    return Jwt(
        issuer="https://id.example",
        audience="https://api.example",
        algorithms=["ES256"],
        keys={"keys": [KEY.as_dict(private=False)]},
    )


def key_scheme() -> ApiKeys:
    return ApiKeys({sha256(b"key").hexdigest(): Identity("ann", "api_key")})


def async_key_scheme() -> ApiKeys:
    async def look_up(digest: str) -> str | None:
        return "ann" if digest == sha256(b"key").hexdigest() else None

    return ApiKeys(look_up)


def session_scheme() -> Session:
    return Session(cookie="session", load=load)


def authorizer(rules: Sequence[Callable[[], Allow]], **options: Any) -> Policy:
    return Authorizer(rules=[rule() for rule in rules], **options)


RULES = (
    partial(Allow, "GET /orders", scope="read"),
    partial(Allow, "POST /orders", scope="write"),
    partial(Allow, "GET /orders/{number}", check=is_own),
    partial(Allow, "* /health", public=True),
    partial(Allow, "* /admin/*", role="admin", hide=True),
)
public = st.sampled_from([(), (), ("GET /health",), ("* /orders",)])
makes: st.SearchStrategy[Make] = st.one_of(
    st.builds(
        partial,
        st.just(authenticator),
        schemes=st.sampled_from(
            [
                (token_scheme,),
                (token_scheme, key_scheme),
                (token_scheme, async_key_scheme, session_scheme),
                (session_scheme,),
            ]
        ),
        public=public,
    ),
    st.builds(
        partial,
        st.just(authorizer),
        rules=st.lists(st.sampled_from(RULES), min_size=1, unique=True),
        unmatched=st.sampled_from(["deny", "allow", "hide"]),
    ),
    st.builds(
        partial,
        st.just(Cors),
        origins=st.sampled_from([FRONT_END, "*", "https://*.shop.example"]),
        methods=st.sampled_from([("GET", "POST"), ("GET", "PUT"), "*"]),
    ),
    st.builds(partial, st.just(CrossOrigin), trusted=st.sampled_from([(), (), FRONT_END])),
    st.builds(
        partial,
        st.just(Hosts),
        allowed=st.sampled_from([["127.0.0.1"], ["shop.example"], ["127.0.0.1", "shop.example"]]),
    ),
)
chosen_modes = with_modes(makes)
stacks = mixed(makes)

requests = st.builds(
    lambda method, path, host, who, where, status, *, asks: Sent(
        method, path, (("Host", host), *who, *where), status, asks
    ),
    st.sampled_from(["GET", "GET", "POST", "HEAD", "OPTIONS"]),
    st.sampled_from(["/orders", "/orders", "/orders/7", "//orders", "/health", "/admin/x"]),
    st.sampled_from(["127.0.0.1", "127.0.0.1", "shop.example", "evil.example", "a@b", ""]),
    st.sampled_from(CREDENTIALS),
    st.sampled_from(SITES),
    st.sampled_from([200, 200, 404, 500, 0]),
    asks=st.booleans(),
)
checked = settings(deadline=None, max_examples=150)


class Shop(Site):
    """An app that says who asks."""

    def answer(self, carrier: Any, sent: Sent) -> Said:
        if sent.asks and mantlet.state(carrier)._authorizations:
            mantlet.authorize(carrier, "read")
        if not sent.status:
            raise ValueError("the app's own")
        identity = mantlet.state(carrier).identity
        subject = "nobody" if identity is None else identity.subject
        fields = [("x-app", "1"), ("vary", "Accept"), ("access-control-allow-origin", "null")]
        return sent.status, fields, b"" if sent.method == "HEAD" else subject.encode()


#: A route that is hidden, and a policy inside that answers in the app's place.
HIDDEN = partial(authorizer, [RULES[1]], unmatched="hide")
ANONYMOUS = Sent("GET", "/orders", (("Host", "127.0.0.1"),), 200, asks=False)


def closed() -> Policy:
    return authenticator((token_scheme,))


@checked
@example([HIDDEN, Plan(on_response="status"), closed], [ANONYMOUS])
@given(stacks, st.lists(requests, min_size=1, max_size=4))
def test_neither_fusion_nor_the_protocol_can_be_told(
    chosen: list[Plan | Make], sent: list[Sent]
) -> None:
    """Laws 2 and 3: the same responses, and the same seen by other policies."""
    check_alike(Shop, chosen, sent)


@checked
@given(stacks, requests)
def test_every_policy_sees_one_outcome_and_one_end(chosen: list[Plan | Make], sent: Sent) -> None:
    """Law 1, whatever these policies refuse."""
    check_pairing(Shop, chosen, [sent])


@checked
@given(st.lists(makes, min_size=1, max_size=4), st.lists(requests, min_size=1, max_size=4))
def test_report_mode_changes_nothing(chosen: list[Make], sent: list[Sent]) -> None:
    """Not a byte, and nothing that the app sees."""
    check_reports(Shop, chosen, sent)


@checked
@given(stacks, st.sampled_from(SITES), st.sampled_from(["GET", "POST", "HEAD", "DELETE"]))
def test_no_stack_lets_a_request_without_a_credential_to_the_app(
    chosen: list[Plan | Make], where: tuple[tuple[str, str], ...], method: str
) -> None:
    """Law 8: wherever the policy that refuses stands."""
    sent = Sent(method, "/orders", where, 200, asks=False)
    place = len(chosen) // 2
    stack: list[Plan | Make] = [*chosen[:place], closed, *chosen[place:]]
    for adapter in (AsgiAdapter(), WsgiAdapter()):
        site = Shop(adapter, stack)
        site.ask(sent)
        assert site.calls == 0


@checked
@given(scripts, methods)
def test_policies_that_a_request_passes_change_nothing(script: Script, method: str) -> None:
    """Law 4: not a byte, a chunk's boundary, a header's order, or the app's exception."""
    policies = [
        Hosts(allowed=["example.org", "127.0.0.1"]),
        authenticator((token_scheme, key_scheme)),
        authorizer([partial(Allow, "* /items", scope="read")]),
        CrossOrigin(),
    ]
    pairs: Mapping[Any, Any] = {play_asgi: mantlet.asgi.Stack, play_wsgi: mantlet.wsgi.Stack}
    for play, kind in pairs.items():
        bare = play(lambda app: app, script, method, headers=(READER,))
        wrapped = play(
            lambda app, kind=kind: kind(app, policies), script, method, headers=(READER,)
        )
        assert wrapped.calls == 1
        assert wrapped.seen() == bare.seen()
        if bare.status is not None:
            assert wrapped.chunks == bare.chunks


@checked
@given(st.lists(makes, max_size=3), requests)
def test_the_front_end_can_read_every_response(chosen: list[Make], sent: Sent) -> None:
    """CORS headers are on what any policy inside answers, once, and the app's are not."""
    assume(not any(make.func is Cors for make in chosen if isinstance(make, partial)))
    headers = (*(one for one in sent.headers if one[0] != "Origin"), ("Origin", FRONT_END))
    cors = partial(Cors, origins=FRONT_END, methods=["GET", "PUT", "POST"])
    for adapter in (AsgiAdapter(), WsgiAdapter()):
        site = Shop(adapter, [cors, *chosen])
        status, fields, *_ = site.ask(sent._replace(headers=headers))
        allowed = [value for name, value in fields if name == "access-control-allow-origin"]  # type: ignore[attr-defined]  # pairs
        assert allowed == ([FRONT_END] if status else [])


# -- WebSockets -----------------------------------------------------------------------------------


def handshake(chosen: Sequence[Make], sent: Sent, *, nested: bool) -> list[Any]:
    """Open a WebSocket whose app says who asks."""

    def who(scope: Any) -> str:
        identity = mantlet.state(scope).identity
        return str(identity and identity.subject)

    return open_websocket(chosen, sent, who, nested=nested)


@checked
@given(st.lists(chosen_modes, min_size=1, max_size=4), requests)
def test_handshakes_keep_the_laws(chosen: list[Make], sent: Sent) -> None:
    """Laws 2 and 8: fusion can't be told, and who may not ask does not reach the app."""
    assert handshake(chosen, sent, nested=False) == handshake(chosen, sent, nested=True)
    anonymous = sent._replace(headers=(("Host", "127.0.0.1"), ("Origin", FRONT_END)))
    assert "called" not in handshake([*chosen, closed], anonymous, nested=False)
