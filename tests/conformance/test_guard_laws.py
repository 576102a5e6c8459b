"""The laws of the architecture page with a `SchemaGuard` somewhere in the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import mantlet
from mantlet import Contract, OutputSanitizer, Policy, SchemaGuard
from tests.conformance.exchanges import Outcome, Script, play_asgi, play_wsgi
from tests.conformance.recorder import Plan, Recorder
from tests.conformance.test_laws import (
    apart_asgi,
    apart_wsgi,
    assume_alike,
    methods,
    plans,
    scripts,
    stacks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Make = Callable[[], Policy]


class Item(BaseModel):
    name: str


def guard(**options: Any) -> Make:
    """Return what makes a guard; /items is what every request is for."""
    contract = Contract(response={200: Item, "4XX": None})
    return lambda: SchemaGuard({"GET,POST /items": contract}, **options)


ENFORCING = guard(responses="enforce")
#: Of an API that has no /items.
ELSEWHERE: Make = lambda: SchemaGuard({"GET /others": Contract()})  # noqa: E731  # as the others are

# Each plan of a recorder, or what makes a policy of the package.
makes: st.SearchStrategy[Make] = st.sampled_from(
    [
        guard(),
        guard(mode="report"),
        guard(responses="report"),
        ENFORCING,
        ELSEWHERE,
        guard(responses="enforce", mode="report"),
        lambda: SchemaGuard({"GET /others": Contract()}, mode="report", responses="enforce"),
        lambda: SchemaGuard({"GET /items": Contract()}, allow=["method"], responses="enforce"),
        OutputSanitizer,
    ]
)
checked = settings(deadline=None, max_examples=100)
mixed = st.lists(st.one_of(plans, makes), min_size=1, max_size=4)


def make_policies(chosen: Sequence[Plan | Make], recorder: Recorder) -> list[Policy]:
    """Return the policies; recorders have the places that they have among all."""
    recorded = recorder.policies([plan for plan in chosen if not callable(plan)])
    left = iter(recorded)
    return [one() if callable(one) else next(left) for one in chosen]


def fused(
    play: Any, kind: Any, script: Script, chosen: Sequence[Plan | Make], method: str
) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    policies = make_policies(chosen, recorder)
    return play(lambda app: kind(app, policies), script, method), recorder


def nested(
    play: Any, kind: Any, script: Script, chosen: Sequence[Plan | Make], method: str
) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    policies = make_policies(chosen, recorder)

    apart = apart_asgi if kind is mantlet.asgi.Stack else apart_wsgi

    def make(app: Any) -> Any:
        for policy in reversed(policies):
            app = apart(kind(app, [policy]))
        return app

    return play(make, script, method), recorder


ADAPTERS = ((play_asgi, mantlet.asgi.Stack), (play_wsgi, mantlet.wsgi.Stack))


@pytest.mark.filterwarnings("ignore:.* is inside ")
@checked
@example(Script(), [ENFORCING, ELSEWHERE], "GET")
@example(Script(), [ENFORCING, Plan(on_response="status"), ELSEWHERE], "GET")
@given(scripts, mixed, methods)
def test_a_stack_with_guards_behaves_like_its_policies_nested(
    script: Script, chosen: list[Any], method: str
) -> None:
    """Law 2, fusion, and law 3, two adapters."""
    # As in `test_laws`: what swallows the first bytes lets nested stacks wait for more.
    swallows = method == "HEAD" or OutputSanitizer in chosen
    assume(not (swallows and script.raises_at is not None))
    assume_alike(script)
    outcomes = []
    for play, kind in ADAPTERS:
        one, seen = fused(play, kind, script, chosen, method)
        other, seen_nested = nested(play, kind, script, chosen, method)
        assert one.seen() == other.seen()
        assert seen.seen == seen_nested.seen
        assert one.calls == other.calls
        outcomes.append((one.seen(), one.calls, seen.seen))
    assert outcomes[0] == outcomes[1]


@checked
@given(scripts, st.sampled_from(["GET", "POST", "HEAD"]))
def test_a_guard_that_a_request_passes_changes_nothing(script: Script, method: str) -> None:
    """Law 4: not a byte, a chunk's boundary, a field's order, or the app's exception."""
    # Answers in JSON would be collected to be looked at; no script's are.
    guards = [guard()(), guard(mode="report")(), guard(responses="report")()]
    pairs = (
        (play_asgi(_bare, script, method), play_asgi(_asgi(guards), script, method)),
        (play_wsgi(_bare, script, method), play_wsgi(_wsgi(guards), script, method)),
    )
    for bare, wrapped in pairs:
        assert wrapped.seen() == bare.seen()
        if bare.status is not None:
            assert wrapped.chunks == bare.chunks


def _bare(app: Any) -> Any:
    return app


def _asgi(policies: Sequence[Policy]) -> Callable[[Any], Any]:
    return lambda app: mantlet.asgi.Stack(app, policies)


def _wsgi(policies: Sequence[Policy]) -> Callable[[Any], Any]:
    return lambda app: mantlet.wsgi.Stack(app, policies)


@checked
@given(scripts, stacks, st.sampled_from(["DELETE", "PURGE"]))
def test_what_a_guard_refuses_never_reaches_an_app(
    script: Script, chosen: list[Plan], method: str
) -> None:
    """Law 8, whatever stands around it."""
    for play, kind in ADAPTERS:
        outcome, _ = fused(play, kind, script, [*chosen, guard()], method)
        assert outcome.calls == 0
        assert outcome.error is not None or outcome.status is not None
