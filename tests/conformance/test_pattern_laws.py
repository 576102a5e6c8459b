"""The laws of the architecture page, with versions, repeated requests and units of work."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, StaticPool, Table, create_engine, func, select
from sqlalchemy.orm import sessionmaker

import mantlet
from mantlet import (
    Allow,
    ApiKeys,
    Authenticator,
    Authorizer,
    Cors,
    CrossOrigin,
    ErrorEnvelope,
    Hosts,
    Idempotency,
    OutputSanitizer,
    Policy,
    RateLimiter,
    SchemaGuard,
    UnitOfWork,
    Version,
    VersionedGuard,
    Versions,
)
from mantlet.core.statuses import below
from mantlet.versions import header, media_type, path, query
from tests.conformance.exchanges import Script, play_asgi, play_wsgi
from tests.conformance.recorder import Plan, Recorder
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
from tests.conformance.test_laws import scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mantlet import Request
    from tests.drive import Said

    Make = Callable[..., Policy]

pytestmark = [
    pytest.mark.slow,
    # A policy that stands where it can't do all of its work is what these tests want, too.
    pytest.mark.filterwarnings("ignore:.* is inside "),
    # Werkzeug's checker wants Content-Length in a 204, where none may be (RFC 9110, 8.6).
    pytest.mark.filterwarnings("ignore:204 responses must have an empty content length"),
]

FRONT_END = "https://app.shop.example"
PLAYED: Mapping[Any, Any] = {play_asgi: mantlet.asgi.Stack, play_wsgi: mantlet.wsgi.Stack}
checked = settings(deadline=None, max_examples=150)

# -- the app's database ---------------------------------------------------------------------------

ENGINE = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
SESSIONS = sessionmaker(ENGINE)
WRITTEN = Table("written", MetaData(), Column("site", Integer))
NUMBERS = count()


@pytest.fixture(scope="module", autouse=True)
def database() -> Iterator[None]:
    """One in memory, which all sites share."""
    WRITTEN.metadata.create_all(ENGINE)
    yield
    ENGINE.dispose()


# -- policies -------------------------------------------------------------------------------------


class Order(BaseModel):
    item: str


def versions(**options: Any) -> Policy:
    table = {
        "1": Version(deprecated="2024-01-01", docs="https://docs.example/1", successor="2"),
        "2": Version(),
        "3": Version(preview=True),
        "0": Version(sunset="2024-01-01"),
    }
    return Versions(table, **options)


def default(request: Request) -> str | None:
    return request.headers.get("X-Account")


def idempotency(**options: Any) -> Policy:
    return Idempotency(store="memory://", **options)


def unit(*, mode: object = None, **options: Any) -> Policy:
    """Return a unit of work, which has no mode."""
    return UnitOfWork(SESSIONS, **options)


def guard(*, mode: Any = "enforce") -> SchemaGuard:
    return SchemaGuard({"POST /orders": Order, "POST /v2/orders": Order}, mode=mode)


def versioned(*, mode: Any = "enforce", closed: bool = False) -> Policy:
    guards = {label: guard(mode=mode) for label in ("1", "2", "3", "0")}
    return VersionedGuard(guards, unversioned=None if closed else guard(mode=mode), mode=mode)


READERS = [
    (path("/v{version}"),),
    (header("API-Version"),),
    (path("/v{version}"), header("API-Version"), media_type("version"), query("api-version")),
    (media_type("version"),),
]
made_versions = st.builds(
    partial,
    st.just(versions),
    read=st.sampled_from(READERS),
    default=st.sampled_from(["2", "2", None, default]),
    forward=st.sampled_from([None, None, path("/v{version}"), path("/api/{version}"), header("V")]),
    neutral=st.sampled_from([(), ("* /health",)]),
)
made_idempotency = st.builds(
    partial,
    st.just(idempotency),
    methods=st.sampled_from([("POST", "PATCH"), ("POST", "PUT")]),
    required=st.sampled_from([(), (), ("POST /orders",), ("* /*",)]),
    max_body=st.sampled_from([1000, 1000, 5]),
    max_response=st.sampled_from([10_000, 10_000, 3]),
    stored=st.sampled_from([None, None, below(600), below(300)]),
)
made_unit = st.builds(
    partial, st.just(unit), commit=st.sampled_from([below(400), below(400), below(600)])
)
made_guard = st.builds(partial, st.just(versioned), closed=st.booleans())
makes: st.SearchStrategy[Make] = st.one_of(
    *(made_versions, made_versions, made_idempotency, made_idempotency, made_unit, made_guard),
    st.sampled_from(
        [
            partial(OutputSanitizer, headers="api", mask=["item"]),
            partial(ErrorEnvelope, convert="always"),
            ErrorEnvelope,
            partial(Cors, origins=FRONT_END),
            partial(Hosts, allowed=["127.0.0.1"]),
            partial(Authenticator, ApiKeys({}), public=["* /*"]),
            partial(Authorizer, rules=[Allow("* /health", public=True)], unmatched="allow"),
            CrossOrigin,
            partial(RateLimiter, "3/hour", clock=lambda: 0),
            guard,
        ]
    ),
)
chosen_modes = with_modes(makes)
stacks = mixed(makes)

# -- requests -------------------------------------------------------------------------------------

HEADERS: Sequence[tuple[tuple[str, str], ...]] = (
    (),
    (),
    (("API-Version", "1"),),
    (("API-Version", "2"), ("Accept", "application/json; version=1")),
    (("API-Version", "99"),),
    (("Accept", "application/json;version=3, text/html"),),
    (("X-Account", "1"),),
    (("X-Account", "5"),),
)
KEYS: Sequence[tuple[tuple[str, str], ...]] = (
    (),
    (("Idempotency-Key", '"one"'),),
    (("Idempotency-Key", "one"),),
    (("Idempotency-Key", "two"),),
    (("Idempotency-Key", "one"), ("Idempotency-Key", "two")),
    (("Idempotency-Key", '"'),),
    (("Idempotency-Key", "one"), ("X-HTTP-Method-Override", "PATCH")),
    (("Idempotency-Key", "one"), ("Cookie", "session=ben")),
    (("Idempotency-Key", "one"), ("Origin", FRONT_END)),
)
BODIES = (b'{"item": "tea"}', b'{"item": "tea"}', b'{"item": 1}', b"")
requests = st.builds(
    lambda method, path, version, key, body, status, *, asks: Sent(
        method,
        path,
        (
            ("Host", "127.0.0.1"),
            ("X-Request-ID", "one-of-these"),
            *((("Content-Type", "application/json"),) if body else ()),
            *version,
            *key,
        ),
        status,
        asks,
        body,
    ),
    st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "OPTIONS", "PUT"]),
    st.sampled_from(
        ["/orders", "/orders", "/v1/orders", "/v2/orders", "//v2/orders", "/v0/", "/health"]
    ),
    st.sampled_from(HEADERS),
    st.sampled_from(KEYS),
    st.sampled_from(BODIES),
    st.sampled_from([200, 201, 204, 302, 404, 409, 500, 0]),
    asks=st.booleans(),
)


class Orders(Site):
    """An app that writes to its database, and says how often it was called."""

    def __init__(self, adapter: Any, chosen: Sequence[Plan | Make], **options: Any) -> None:
        super().__init__(adapter, chosen, **options)
        self._number = next(NUMBERS)

    def answer(self, carrier: Any, sent: Sent) -> Said:
        state = mantlet.state(carrier)
        if sent.asks and state._work is not None:
            with mantlet.uow(carrier) as work:
                work.session.execute(WRITTEN.insert().values(site=self._number))
        if not sent.status:
            raise ValueError("the app's own")
        reached = carrier.get("PATH_INFO") or carrier.get("path")
        seen: list[object] = [reached, self.calls]
        if sent.asks:
            key = state.idempotency and state.idempotency.key
            seen += [getattr(state, "version", None), key]
        fields = [("x-app", "1"), ("vary", "Accept"), ("link", "</a>; rel=a")]
        if sent.status == 302:
            fields.append(("location", f"http://127.0.0.1{reached}/7"))
        empty = sent.method == "HEAD" or sent.status == 204
        return sent.status, fields, b"" if empty else repr(seen).encode()

    def ask(self, sent: Sent) -> tuple[object, ...]:
        """Return also how many rows were stored by now."""
        found = super().ask(sent)
        query = select(func.count()).where(WRITTEN.c.site == self._number)
        with ENGINE.connect() as connection:
            return *found, connection.scalar(query)


# -- the laws -------------------------------------------------------------------------------------


@checked
@given(stacks, st.lists(requests, min_size=1, max_size=5))
def test_neither_fusion_nor_the_protocol_can_be_told(
    chosen: list[Plan | Make], sent: list[Sent]
) -> None:
    """Laws 2 and 3: the same responses, rows, and the same seen by other policies."""
    check_alike(Orders, chosen, sent)


@checked
@given(stacks, st.lists(requests, min_size=1, max_size=3))
def test_every_policy_sees_one_outcome_and_one_end(
    chosen: list[Plan | Make], sent: list[Sent]
) -> None:
    """Law 1, whatever is refused or replayed."""
    check_pairing(Orders, chosen, sent)


@checked
@given(st.lists(makes, min_size=1, max_size=4), st.lists(requests, min_size=1, max_size=4))
def test_report_mode_changes_nothing(chosen: list[Make], sent: list[Sent]) -> None:
    """Not a byte, and nothing that the app sees."""
    check_reports(Orders, chosen, sent)


def plain_versions() -> Policy:
    return versions(read=[path("/v{version}")], default="2")


KEYED = {
    "key": ("Idempotency-Key", "one"),
    "id": ("X-Request-ID", "1"),
    "origin": ("Origin", FRONT_END),
}
#: What may stand around the policy, and treats all responses alike.
outer_makes: st.SearchStrategy[Make] = st.sampled_from(
    [
        partial(OutputSanitizer, headers="api", mask=["item"]),
        OutputSanitizer,
        ErrorEnvelope,
        partial(ErrorEnvelope, convert="always"),
        partial(Cors, origins=FRONT_END, expose=["X-One"]),
        partial(RateLimiter, "3/hour", clock=lambda: 0, headers=None),
        plain_versions,
    ]
)
passing = st.builds(
    Plan,
    on_request=st.sampled_from([None, "pass", "body"]),
    on_response=st.sampled_from([None, "pass", "edit", "status", "transform", "body"]),
    on_error=st.sampled_from([None, "pass", "reply"]),
    waits=st.booleans(),
)


@checked
@given(scripts, st.lists(st.one_of(passing, outer_makes), max_size=3), st.booleans())
def test_a_repeat_gets_the_response_of_the_first(
    script: Script, outer: list[Plan | Make], has_unit: bool
) -> None:
    """However it was sent, and whatever outer policies make of it."""
    for play, kind in PLAYED.items():
        recorder = Recorder()
        left = iter(recorder.policies([one for one in outer if isinstance(one, Plan)]))
        policies = [next(left) if isinstance(one, Plan) else one() for one in outer]
        policies += [idempotency(max_response=1_000_000), *([unit()] if has_unit else [])]

        def make(app: Any, kind: Any = kind, policies: Any = policies) -> Any:
            return kind(app, policies)

        first, second = (play(make, script, "POST", headers=KEYED.values()) for _ in "12")
        if second.calls:  # the key was free again
            assert first.seen() == second.seen()
            assert script.status >= 500 or script.raises_at is not None
        elif "idempotency-replayed" not in dict(second.headers):  # the response was not kept
            is_replaced = first.status != script.status  # by an outer policy, before it has begun
            assert is_replaced or script.raises_at is not None
        else:
            alike = [
                [pair for pair in one.headers if pair[0] not in UNALIKE] for one in (first, second)
            ]
            assert alike[0] == alike[1]
            assert (second.status, second.body) == (first.status, first.body)
            assert second.error is None


#: Headers in which a replay differs from the first response.
UNALIKE = ("idempotency-replayed", "content-length", "access-control-expose-headers")


# -- WebSockets -----------------------------------------------------------------------------------


def write_in_a_unit(scope: Any) -> str:
    """Write in a unit of work of its own, where there is one; return what the state has."""
    state = mantlet.state(scope)
    if state._work is not None:
        with mantlet.uow(scope) as work:
            work.session.execute(WRITTEN.insert().values(site=-1))
    return repr((scope["path"], getattr(state, "version", None), state.idempotency))


@checked
@given(st.lists(chosen_modes, min_size=1, max_size=4), requests)
def test_handshakes_keep_the_laws(chosen: list[Make], sent: Sent) -> None:
    """Law 2; and no key is asked of a handshake."""
    assume(("X-Account", "5") not in sent.headers)  # not a version: an error of its own
    fused, nested = (
        open_websocket(chosen, sent, write_in_a_unit, nested=nested) for nested in (False, True)
    )
    assert fused == nested
    keyless = partial(idempotency, required=["* /*"]), unit
    said = open_websocket(keyless, sent, write_in_a_unit, nested=False)
    assert said[-1] == {"type": "websocket.send", "text": repr((sent.path, None, None))}
