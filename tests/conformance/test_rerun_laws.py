"""The laws of the architecture page, for requests that a policy runs again."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

import mantlet
from mantlet import Policy, Request, Response
from mantlet.core.rerun import allow_rerun
from tests.conformance.exchanges import Outcome, Script, play_asgi, play_wsgi
from tests.conformance.recorder import Plan, Recorder
from tests.conformance.test_laws import (
    apart_asgi,
    apart_wsgi,
    assume_alike,
    checked,
    methods,
    plans,
    scripts,
)

Seen = dict[int, list[str]]
Chosen = tuple[list[Plan], list[Plan]]

#: The policies around the one that repeats requests, and those inside it.
around = st.tuples(st.lists(plans, max_size=2), st.lists(plans, max_size=2))
counts = st.integers(1, 3)


class Repeats(Policy):
    """Runs each request again, a number of times."""

    def __init__(self, times: int, seen: list[str], *, in_errors: bool) -> None:
        self.times = times
        self.seen = seen
        self.in_errors = in_errors

    async def on_request(self, request: Request) -> None:
        own = request.local(self)
        own["attempt"] = own.get("attempt", -1) + 1
        own["rerun"] = await allow_rerun(request, 1000)
        self.seen.append("on_request")

    def on_response(self, request: Request, response: Response) -> None:
        self.seen.append(f"on_response {response.status}")
        self.repeat(request)

    def on_error(self, request: Request, error: BaseException) -> None:
        self.seen.append(f"on_error {error}")
        if self.in_errors:
            self.repeat(request)

    def repeat(self, request: Request) -> None:
        own = request.local(self)
        if own["attempt"] < self.times:
            raise own["rerun"]

    def on_finish(self, request: Request) -> None:
        self.seen.append("on_finish")


def play(
    protocol: str,
    script: Script,
    method: str,
    chosen: Chosen,
    times: int,
    *,
    in_errors: bool = True,
    nested: bool = False,
) -> tuple[Outcome, Seen]:
    """Play a script within policies around and inside one that repeats requests.

    Returns:
        The outcome, and what the policies have seen.
    """
    recorder = Recorder()
    outer, inner = chosen
    seen: list[str] = []
    policies: list[Policy] = [
        *recorder.policies(outer),
        Repeats(times, seen, in_errors=in_errors),
    ]
    inside = Recorder()
    policies += inside.policies(inner)
    kind: Any = mantlet.asgi.Stack if protocol == "asgi" else mantlet.wsgi.Stack
    apart: Any = apart_asgi if protocol == "asgi" else apart_wsgi

    def make(app: Any) -> Any:
        if not nested:
            return kind(app, policies)
        for policy in reversed(policies):
            app = apart(kind(app, [policy]))
        return app

    run: Any = play_asgi if protocol == "asgi" else play_wsgi
    outcome = run(make, script, method)
    place = len(outer)
    recorded = {
        **recorder.seen,
        place: seen,
        **{place + 1 + at: own for at, own in inside.seen.items()},
    }
    return outcome, recorded


@checked
@given(scripts, around, methods, counts)
def test_the_client_and_the_outer_policies_see_one_response(
    script: Script, chosen: Chosen, method: str, times: int
) -> None:
    """Laws 1 and 5: repeated as often as it may be, it is answered as if it had run once."""
    for protocol in ("asgi", "wsgi"):
        once, seen_once = play(protocol, script, method, chosen, 0)
        many, seen = play(protocol, script, method, chosen, times)
        assert many.seen() == once.seen()
        for place in range(len(chosen[0])):
            assert seen[place] == seen_once[place]


@checked
@given(scripts, around, methods, counts)
def test_each_attempt_is_an_exchange_of_its_own_for_the_inner_policies(
    script: Script, chosen: Chosen, method: str, times: int
) -> None:
    """Law 1: they begin, see one outcome, and end, as often as the app is called."""
    assume(all(plan.on_request not in ("reply", "raise") for plan in chosen[0]))
    for protocol in ("asgi", "wsgi"):
        once, seen_once = play(protocol, script, method, chosen, 0)
        many, seen = play(protocol, script, method, chosen, times)
        place = len(chosen[0])
        repeated = seen_once[place][:-1] * (times + 1)
        assert seen[place] == [*repeated, "on_finish"]
        assert many.calls == once.calls * (times + 1)
        for at, plan in enumerate(chosen[1]):
            own, expected = seen[place + 1 + at], seen_once[place + 1 + at]
            assert Counter(own) == Counter(expected * (times + 1))
            if plan.on_finish and expected:
                assert own[-1] == "on_finish"


@checked
@given(scripts, around, methods, counts, st.booleans())
def test_a_fused_stack_repeats_requests_as_a_nested_one_does(
    script: Script, chosen: Chosen, method: str, times: int, in_errors: bool
) -> None:
    """Law 2: fusion can't be told from nesting."""
    swallows = method == "HEAD" and any(
        plan.on_response == "transform" for plan in (*chosen[0], *chosen[1])
    )
    assume(not (swallows and script.raises_at is not None))
    for protocol in ("asgi", "wsgi"):
        one, seen = play(protocol, script, method, chosen, times, in_errors=in_errors)
        other, seen_nested = play(
            protocol, script, method, chosen, times, in_errors=in_errors, nested=True
        )
        assert one.seen() == other.seen()
        assert seen == seen_nested
        assert one.calls == other.calls


@checked
@given(scripts, around, methods, counts, st.booleans())
def test_both_adapters_repeat_requests_alike(
    script: Script, chosen: Chosen, method: str, times: int, in_errors: bool
) -> None:
    """Law 3: the same policies and the same exchange end alike under WSGI and ASGI."""
    assume_alike(script)
    asgi, seen_asgi = play("asgi", script, method, chosen, times, in_errors=in_errors)
    wsgi, seen_wsgi = play("wsgi", script, method, chosen, times, in_errors=in_errors)
    assert asgi.seen() == wsgi.seen()
    assert seen_asgi == seen_wsgi
    assert asgi.calls == wsgi.calls
