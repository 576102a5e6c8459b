"""The header fields and the refusals that are kept for the next request that is decided alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import ErrorEnvelope, Quota, RateLimiter
from mantlet.ratelimit.decision import BucketDecision
from mantlet.ratelimit.draft_headers import DraftHeaders
from tests.drive import ADAPTERS, Adapter, Answer, Said, both_adapters, hello

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

MILLISECOND = 1_000_000

quotas = st.builds(
    Quota,
    st.builds(
        "{}/{} {}".format,
        st.integers(1, 1_000_000),
        st.integers(1, 13),
        st.sampled_from(["second", "minute", "hour", "day", "year"]),
    ),
    burst=st.integers(1, 12),
)


class Asked:
    """A limiter around an app, and what became of each request."""

    def __init__(self, adapter: Adapter, *policies: Any, quota: Any, **options: Any) -> None:
        self.now = 0
        self.decisions: list[tuple[bool, int, int, float]] = []
        self.refused: list[tuple[bool, int, int, float]] = []
        self.limiter = RateLimiter(
            quota,
            clock=lambda: self.now,
            on_refuse=lambda decision, _: self.refused.append(_told(decision)),
            **options,
        )
        self._adapter = adapter
        self._app = adapter.wrap(self._tell, *policies, self.limiter)

    def ask(self, pauses: Sequence[int]) -> list[Answer]:
        """Send a request after each pause, in nanoseconds; return the answers."""
        answers = []
        for pause in pauses:
            self.now += pause
            answers.append(self._adapter.drive(self._app, headers=[("X-Request-ID", "one-id")]))
        return answers

    def _tell(self, carrier: MutableMapping[str, Any]) -> Said:
        self.decisions.append(_told(mantlet.state(carrier).rate_limit))
        return hello(carrier)


def _told(decision: Any) -> tuple[bool, int, int, float]:
    return decision.allowed, decision.remaining, decision.reset, decision.retry_after


# -- which decisions are shown alike --------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(quotas, st.data())
def test_rooms_of_the_same_step_are_shown_alike(quota: Quota, data: st.DataObject) -> None:
    """Those that are left, and those that are missing."""
    step = DraftHeaders(quota, "", "").step
    state = data.draw(st.integers(-4 * quota.capacity // step, quota.capacity // step))
    parts = st.integers(0, step - 1)
    first, second = (
        BucketDecision("default", quota, state * step + data.draw(parts)) for _ in range(2)
    )
    assert first.parameters() == second.parameters()
    assert first.parameters(first.whole_seconds) == first.parameters()
    assert (first.allowed, first.whole_seconds) == (second.allowed, second.whole_seconds)


# -- as the long way has it -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["2/second", "90/minute burst 3", "7/hour burst 2", "1000000/second burst 2"]),
    st.lists(st.sampled_from([0, 0, 0, 1, 250 * MILLISECOND, 60_000 * MILLISECOND]), max_size=20),
    st.booleans(),
)
@example("2/second", [0] * 6, False)
@example("90/minute burst 3", [0] * 8, True)
def test_a_kept_answer_is_the_one_that_would_be_made(
    adapter: Adapter, rate: str, pauses: list[int], has_envelope: bool
) -> None:
    """A limiter whose cost is a function keeps none."""
    outer = [ErrorEnvelope(request_id=None)] if has_envelope else []
    short, long = (
        Asked(adapter, *outer, quota=rate, cost=cost) for cost in (1, lambda _request: 1)
    )
    for one, other in zip(short.ask(pauses), long.ask(pauses), strict=True):
        assert (one.status, one.headers, one.body) == (other.status, other.headers, other.body)
    assert short.decisions == long.decisions
    assert short.refused == long.refused


@both_adapters
def test_every_refusal_is_reported(adapter: Adapter) -> None:
    """Also one that is answered as the one before it was."""
    asked = Asked(adapter, quota="1/hour")
    assert [answer.status for answer in asked.ask([0] * 4)] == [200, 429, 429, 429]
    assert asked.refused == [(False, 0, 3600, 3600.0)] * 3


@both_adapters
def test_limiters_that_keep_theirs_are_still_joined(adapter: Adapter) -> None:
    """Whichever has kept them."""
    inner, outer = (RateLimiter(Quota("9/hour", name=name), clock=lambda: 0) for name in "ab")
    app = adapter.wrap(hello, outer, inner)
    for left in (8, 7):
        fields = adapter.drive(app).get("RateLimit")
        assert fields == f'"b";r={left};t=400, "a";r={left};t=400'
    for limiter in (inner, outer):
        limiter.reset_all()
    assert adapter.drive(app).get("RateLimit") == '"b";r=8;t=400, "a";r=8;t=400'
    assert adapter.drive(app).get("RateLimit-Policy") == '"b";q=9;w=3600, "a";q=9;w=3600'


@pytest.mark.unmeasured
@both_adapters
def test_few_are_kept(adapter: Adapter) -> None:
    """However many states a client finds."""
    asked = Asked(adapter, quota=Quota("1/hour", burst=600))
    answers = asked.ask([1] * 600)
    assert len({answer.get("RateLimit") for answer in answers}) == 600
    default: Any = asked.limiter._default
    (limit,) = default.rules[0].limits
    assert 0 < sum(map(len, limit.headers.known)) <= 256
