"""A policy that is only interested in answers from some status on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet import ErrorEnvelope, Policy, Problem, Reply, Request, Response
from tests.drive import Adapter, Said, both_adapters

if TYPE_CHECKING:
    from collections.abc import Callable


class Failures(Policy):
    """Notes the server errors."""

    min_status = 500

    def __init__(self, reply: Reply | None = None) -> None:
        self.reply = reply
        self.seen: list[int | str] = []

    def on_response(self, request: Request, response: Response) -> Reply | None:
        self.seen.append(response.status)
        return self.reply

    def on_finish(self, request: Request) -> None:
        self.seen.append("finish")


class Everything(Policy):
    """Notes all answers, and may change their status."""

    def __init__(self, status: int | None = None) -> None:
        self.status = status
        self.seen: list[int] = []

    def on_response(self, request: Request, response: Response) -> None:
        self.seen.append(response.status)
        response.status = self.status or response.status


def answering(status: int) -> Callable[[Any], Said]:
    return lambda _: (status, [("content-type", "text/plain")], b"body")


@both_adapters
@pytest.mark.parametrize("status", [200, 404, 499, 500, 503])
def test_it_is_told_of_answers_from_that_status_on(adapter: Adapter, status: int) -> None:
    """Alone, and beside a policy that is told of all."""
    for others in ((), (Everything(),), (ErrorEnvelope(),)):
        failures = Failures()
        answer = adapter.drive(adapter.wrap(answering(status), *others, failures))
        assert (answer.status, answer.body) == (status, b"body")
        assert failures.seen == ([status] if status >= 500 else []) + ["finish"]


@both_adapters
def test_what_counts_is_the_status_that_it_would_see(adapter: Adapter) -> None:
    """Policies further in may change it."""
    failures = Failures()
    assert adapter.drive(adapter.wrap(answering(200), failures, Everything(502))).status == 502
    assert failures.seen == [502, "finish"]
    failures = Failures()
    assert adapter.drive(adapter.wrap(answering(500), failures, Everything(200))).status == 200
    assert failures.seen == ["finish"]


@both_adapters
@pytest.mark.parametrize("refuses", [False, True])
def test_a_changed_status_counts_for_whole_responses_too(adapter: Adapter, refuses: bool) -> None:
    """Those of an app with a known length, and those of a policy further in."""

    class Errors(Failures):
        min_status = 400

    class Refuses(Policy):
        def on_request(self, request: Request) -> Reply | None:
            return Reply(403, body="body") if refuses else None

    def app(_: Any) -> Said:
        return 200, [("content-type", "text/plain"), ("content-length", "4")], b"body"

    for status in (200, 404, 502):
        errors, everything = Errors(), Everything()
        policies = (errors, everything, Everything(status), Refuses())
        assert adapter.drive(adapter.wrap(app, *policies)).status == status
        assert errors.seen == [status] * (status >= 400) + ["finish"]
        assert everything.seen == [status]


@both_adapters
def test_it_may_replace_what_it_is_told_of(adapter: Adapter) -> None:
    """And nothing else."""
    stack = adapter.wrap(answering(500), Failures(Reply(502, {}, b"replaced")))
    assert adapter.drive(stack).body == b"replaced"
    stack = adapter.wrap(answering(200), Failures(Reply(502, {}, b"replaced")))
    assert adapter.drive(stack).body == b"body"


@both_adapters
def test_refusals_of_policies_further_in_are_answers_like_others(adapter: Adapter) -> None:
    """By their status as well."""

    class Refuses(Policy):
        def __init__(self, status: int) -> None:
            self.status = status

        def on_request(self, request: Request) -> Reply:
            return Problem(self.status).reply(request)

    for status, seen in ((429, ["finish"]), (503, [503, "finish"])):
        failures = Failures()
        assert (
            adapter.drive(adapter.wrap(answering(200), failures, Refuses(status))).status == status
        )
        assert failures.seen == seen


@both_adapters
@pytest.mark.parametrize(
    ("policies", "status"),
    [
        ((Failures(),), 500),
        ((ErrorEnvelope(),), 400),
        ((ErrorEnvelope(), Failures()), 400),
        ((ErrorEnvelope(), Everything()), 0),
    ],
    ids=["one", "the envelope", "both", "one that is told of all"],
)
def test_other_answers_are_the_servers_at_once(
    adapter: Adapter, policies: tuple[Policy, ...], status: int
) -> None:
    """They take the way of an answer that interests no policy."""
    stack: Any = adapter.wrap(answering(200), *policies)
    assert stack._hooks.on_response[-1].min_status == status
