"""The modes of `OutputSanitizer`: report changes nothing, off does nothing, each also by route."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet import OutputSanitizer, Policy
from mantlet.sanitize import Leaks
from tests.drive import Adapter, both_adapters
from tests.sanitize.test_policy import MASKED, SECRET, Told, answering, ask, talk

BODY = f'{{"password":"x","html":"<b>","key":"{SECRET}"}}'
APP = answering(BODY, "application/json", server="gunicorn", x_key=SECRET)


def sanitizer(told: Told, **options: Any) -> OutputSanitizer:
    return OutputSanitizer(secrets=[SECRET], mask=["password"], on_finding=told, **options)


@both_adapters
def test_report_finds_everything_and_changes_nothing(adapter: Adapter) -> None:
    """Neither headers nor the body."""
    plain, told = ask(adapter, APP, Policy()), Told()
    answer = ask(adapter, APP, sanitizer(told, mode="report"))
    assert (answer.status, answer.headers, answer.body) == (
        plain.status,
        plain.headers,
        plain.body,
    )
    assert told.rules == ["secret", "secret"]
    assert [finding.place.partition(",")[0] for finding in told] == ["header x-key", "body"]


@both_adapters
def test_report_blocks_nothing(adapter: Adapter) -> None:
    """What a leak does when the policy is in force is only reported."""
    told = Told()
    answer = ask(adapter, APP, sanitizer(told, leaks=Leaks("block"), mode="report"))
    assert (answer.status, answer.body.decode()) == (200, BODY)
    assert told.rules[0] == "secret"


@both_adapters
def test_off_looks_at_nothing(adapter: Adapter) -> None:
    """As if the policy were not there."""
    plain, told = ask(adapter, APP, Policy()), Told()
    answer = ask(adapter, APP, sanitizer(told, mode="off"))
    assert (answer.headers, answer.body) == (plain.headers, plain.body)
    assert told == []


@both_adapters
def test_a_mode_may_be_for_a_route(adapter: Adapter) -> None:
    """Other routes are enforced."""
    policy = sanitizer(Told(), mode={"* /admin/*": "report", "GET /off": "off"})
    stack = adapter.wrap(APP, policy)
    bodies = {
        path: adapter.drive(stack, path=path).body.decode()
        for path in ("/admin/users", "/off", "/other")
    }
    assert bodies["/admin/users"] == bodies["/off"] == BODY
    assert MASKED in bodies["/other"]


@both_adapters
def test_leaks_alone_may_be_reported(adapter: Adapter) -> None:
    """The rest of the policy stays in force."""
    told = Told()
    answer = ask(adapter, APP, sanitizer(told, leaks=Leaks("report")))
    assert answer.get("server") is None
    expected = BODY.replace('"x"', '"***"').replace("<b>", "\\u003cb\\u003e")
    assert answer.body.decode() == expected
    assert told.rules == ["secret", "secret"]


def test_report_changes_no_message() -> None:
    """Of a WebSocket."""
    told = Told()
    sent = talk(sanitizer(told, mode="report"), [SECRET])
    assert sent[0]["headers"] == [(b"x-key", SECRET.encode())]
    assert sent[1]["text"] == SECRET
    assert told.rules == ["secret", "secret"]


def test_an_unknown_mode_is_refused() -> None:
    """At construction."""
    with pytest.raises(ValueError, match='mode must be "enforce", "report" or "off"'):
        OutputSanitizer(mode="redact")  # type: ignore[arg-type]  # what is tested
