"""The laws of the architecture page, each held against random apps in random stacks."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import ErrorEnvelope, Policy, Quota, RateLimiter, Request, Response
from tests.conformance.exchanges import Outcome, Script, play_asgi, play_wsgi
from tests.conformance.recorder import Plan, Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

scripts = st.builds(
    Script,
    status=st.sampled_from([200, 200, 201, 302, 206, 400, 404, 500, 503]),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["content-type", "x-one", "etag", "set-cookie", "server"]),
            st.sampled_from(["text/plain", "text/html", '"abc"', "a=b", "é", ""]),
        ).filter(lambda field: field[0] != "etag" or field[1] == '"abc"'),
        max_size=4,
    ).map(tuple),
    chunks=st.lists(st.sampled_from([b"", b"a", b"Hello", b"x" * 70_000]), max_size=4).map(tuple),
    raises_at=st.sampled_from([None, None, None, -1, 0, 1, 2]),
    declares_length=st.booleans(),
    wsgi_style=st.sampled_from(["list", "generator", "late", "write"]),
    ends_with_last=st.booleans(),
    raises_behind=st.booleans(),
).filter(lambda script: script.raises_at is None or script.raises_at <= len(script.chunks))

plans = st.builds(
    Plan,
    on_request=st.sampled_from([None, "pass", "pass", "pass", "pass", "reply", "raise", "body"]),
    on_response=st.sampled_from(
        [
            None,
            "pass",
            "pass",
            "edit",
            "status",
            "transform",
            "body",
            "small body",
            "reply",
            "raise",
        ]
    ),
    on_error=st.sampled_from(
        [None, "pass", "pass", "reply", "raise", "keep", "keep shouted", "body"]
    ),
    on_finish=st.booleans(),
    waits=st.booleans(),
)
stacks = st.lists(plans, min_size=1, max_size=4)
methods = st.sampled_from(["GET", "GET", "POST", "HEAD"])

checked = settings(deadline=None, max_examples=400)


def fused_asgi(script: Script, chosen: Sequence[Plan], method: str) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    policies = recorder.policies(chosen)
    return play_asgi(lambda app: mantlet.asgi.Stack(app, policies), script, method), recorder


def fused_wsgi(script: Script, chosen: Sequence[Plan], method: str) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    policies = recorder.policies(chosen)
    return play_wsgi(lambda app: mantlet.wsgi.Stack(app, policies), script, method), recorder


def nested_asgi(script: Script, chosen: Sequence[Plan], method: str) -> tuple[Outcome, Recorder]:
    recorder = Recorder()

    def make(app: ASGIApp) -> ASGIApp:
        for policy in reversed(recorder.policies(chosen)):
            app = apart_asgi(mantlet.asgi.Stack(app, [policy]))
        return app

    return play_asgi(make, script, method), recorder


def nested_wsgi(script: Script, chosen: Sequence[Plan], method: str) -> tuple[Outcome, Recorder]:
    recorder = Recorder()

    def make(app: Any) -> Any:
        for policy in reversed(recorder.policies(chosen)):
            app = apart_wsgi(mantlet.wsgi.Stack(app, [policy]))
        return app

    return play_wsgi(make, script, method), recorder


def apart_asgi(app: ASGIApp) -> ASGIApp:
    """Return an app around a stack, so that it does not fuse with the next one."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return layer


def apart_wsgi(app: Any) -> Any:
    """Return an app around a stack, so that it does not fuse with the next one."""

    def layer(environ: dict[str, Any], start_response: Any) -> Any:
        return app(environ, start_response)

    return layer


@checked
@given(scripts, stacks, methods)
def test_every_policy_sees_one_outcome_and_one_end(
    script: Script, chosen: list[Plan], method: str
) -> None:
    """Law 1: who let the request pass sees one of response and error; who ran sees one end."""
    for play in (fused_asgi, fused_wsgi, nested_asgi, nested_wsgi):
        _, recorder = play(script, chosen, method)
        reached = True
        for place, plan in enumerate(chosen):
            seen = recorder.seen[place]
            outcomes = [event for event in seen if event.startswith(("on_response", "on_error"))]
            if not reached:
                assert not seen
                continue
            if plan.on_finish:
                assert seen.count("on_finish") == 1
                assert seen[-1] == "on_finish"
            reached = plan.on_request not in ("reply", "raise")
            if not reached:
                assert not outcomes
            elif plan.on_response and plan.on_error:
                assert len(outcomes) == 1
            else:
                assert len(outcomes) <= 1


#: An error answer that its app then raises behind, and that a policy makes none of.
RECANTED = Script(status=400, chunks=(b"a",), raises_at=1, wsgi_style="list", ends_with_last=False)

#: Two chunks, neither of which is said to be the last.
CHUNKED = Script(chunks=(b"a", b"Hello"), declares_length=True, ends_with_last=False)


@pytest.mark.slow
@checked
@example(
    RECANTED, [Plan(on_error="reply"), Plan(on_response="status"), Plan(on_error="pass")], "GET"
)
@example(RECANTED, [Plan(on_error="reply"), Plan(on_error="pass")], "GET")
@example(CHUNKED, [Plan(on_response="transform"), Plan(on_response="small body")], "GET")
@example(CHUNKED, [Plan(on_response="transform"), Plan(on_response="transform")], "HEAD")
@given(scripts, stacks, methods)
def test_a_fused_stack_behaves_like_its_policies_nested_one_by_one(
    script: Script, chosen: list[Plan], method: str
) -> None:
    """Law 2: fusion can't be told from nesting, by the client, the server or a policy."""
    # A filter that swallows the first bytes lets nested stacks, but not a fused one, wait for more
    # before the next policy sees the head; whether the app then raises makes the difference.
    swallows = method == "HEAD" and any(plan.on_response == "transform" for plan in chosen)
    assume(not (swallows and script.raises_at is not None))
    for fused, nested in ((fused_asgi, nested_asgi), (fused_wsgi, nested_wsgi)):
        one, seen = fused(script, chosen, method)
        other, seen_nested = nested(script, chosen, method)
        assert one.seen() == other.seen()
        assert seen.seen == seen_nested.seen
        assert one.calls == other.calls


def assume_alike(script: Script) -> None:
    """Leave out what the protocols do not have in common."""
    # Under WSGI an app can't raise behind its whole answer, and nothing is held for that.
    early = script.raises_at is None or script.raises_at <= 0
    assume(early or not (script.raises_behind or script.status >= 500))
    # Under ASGI the head of a stream has gone out when the app fails before its first chunk.
    fails = script.raises_at is not None and script.raises_at >= 0
    assume(not (script.goes_first and fails and not any(script.chunks[: script.raises_at])))


@checked
@given(scripts, stacks, methods)
def test_both_adapters_give_the_same_answer(
    script: Script, chosen: list[Plan], method: str
) -> None:
    """Law 3: the same policies and the same exchange end alike under WSGI and ASGI."""
    assume_alike(script)
    asgi, seen_asgi = fused_asgi(script, chosen, method)
    wsgi, seen_wsgi = fused_wsgi(script, chosen, method)
    assert asgi.seen() == wsgi.seen()
    assert seen_asgi.seen == seen_wsgi.seen
    assert asgi.calls == wsgi.calls


class Nothing(Policy):
    """Overrides every hook, and does nothing in it."""

    def on_request(self, request: mantlet.Request) -> None: ...
    def on_response(self, request: mantlet.Request, response: mantlet.Response) -> None: ...
    def on_error(self, request: mantlet.Request, error: BaseException) -> None: ...
    def on_finish(self, request: mantlet.Request) -> None: ...


@checked
@given(scripts, st.integers(1, 3), methods)
def test_policies_that_do_nothing_change_nothing(script: Script, count: int, method: str) -> None:
    """Law 4: not a byte, a chunk's boundary, a header's order, or the app's exception."""
    policies = [Nothing() for _ in range(count)]
    pairs = (
        (
            play_asgi(lambda app: app, script, method),
            play_asgi(lambda app: mantlet.asgi.Stack(app, policies), script, method),
        ),
        (
            play_wsgi(lambda app: app, script, method),
            play_wsgi(lambda app: mantlet.wsgi.Stack(app, policies), script, method),
        ),
    )
    for bare, wrapped in pairs:
        assert wrapped.seen() == bare.seen()
        if bare.status is not None:
            assert wrapped.chunks == bare.chunks


@checked
@given(scripts, stacks, methods)
def test_a_policy_that_fails_on_the_way_in_never_lets_the_app_be_called(
    script: Script, chosen: list[Plan], method: str
) -> None:
    """Law 8: an exception out of a policy is not a yes."""
    assume(any(plan.on_request in ("raise", "reply") for plan in chosen))
    for play in (fused_asgi, fused_wsgi):
        outcome, _ = play(script, chosen, method)
        assert outcome.calls == 0
        assert outcome.error is not None or outcome.status is not None


class Reads(Policy):
    """Reads both bodies, and filters the answer's."""

    async def on_request(self, request: Request) -> None:
        await request.body(1000)

    async def on_response(self, request: Request, response: Response) -> None:
        response.transform(lambda chunk, _: chunk)
        await response.body(1000)


@pytest.mark.few_cases(8)
@pytest.mark.parametrize("quota", [Quota("1000/second"), Quota("1/hour")], ids=["pass", "refused"])
@pytest.mark.parametrize("inner", [(), (Reads(),)], ids=["looks", "reads"])
@pytest.mark.parametrize(
    "script",
    [
        Script(),
        Script(declares_length=True),
        Script(declares_length=True, wsgi_style="list"),
        Script(status=404, wsgi_style="list"),
    ],
    ids=["stream", "whole", "list", "error"],
)
@pytest.mark.parametrize("play", [play_asgi, play_wsgi], ids=["asgi", "wsgi"])
def test_an_exchange_leaves_no_cycle_behind(
    play: Any, script: Script, inner: tuple[Policy, ...], quota: Quota
) -> None:
    """What it held is free at its end, and does not wait for the garbage collector."""
    policies = ErrorEnvelope(), RateLimiter(quota), *inner

    def garbage(wrap: Any) -> int:
        current: list[Any] = []

        def app_of_now(*arguments: Any) -> Any:
            return current[0](*arguments)

        wrapped = wrap(app_of_now)  # one stack for all exchanges

        def make(app: Any) -> Any:
            current[:] = [app]
            return wrapped

        play(make, script)  # spends the quota of one
        gc.collect()
        for _ in range(20):
            play(make, script)
        return gc.collect()

    kind = mantlet.asgi.Stack if play is play_asgi else mantlet.wsgi.Stack
    gc.disable()
    try:
        assert garbage(lambda app: kind(app, policies)) <= garbage(lambda app: app)
    finally:
        gc.enable()
