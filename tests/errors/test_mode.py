"""The `mode` option of `ErrorEnvelope`: report logs, and changes no response."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mantlet import ErrorEnvelope, RateLimiter
from tests.drive import Adapter, both_adapters, hello

MODES: list[Any] = ["report", {"* /*": "report"}]


def failing(_carrier: Any) -> Any:
    raise LookupError("db-7.internal")


@both_adapters
@pytest.mark.parametrize("mode", MODES, ids=["whole policy", "by route"])
def test_report_mode_logs_an_exception_and_leaves_it_to_the_server(
    adapter: Adapter, mode: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The record names the status that the response would have had."""
    answer = adapter.drive(adapter.wrap(failing, ErrorEnvelope(mode=mode)))
    assert isinstance(answer.error, LookupError)
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.getMessage().endswith(", would be answered with 500")


@both_adapters
@pytest.mark.parametrize("mode", MODES, ids=["whole policy", "by route"])
def test_report_mode_does_not_negotiate_the_problems_of_other_policies(
    adapter: Adapter, mode: Any
) -> None:
    """They are JSON, as outside of an envelope."""
    accept = [("Accept", "text/html")]
    app = adapter.wrap(hello, ErrorEnvelope(mode=mode), RateLimiter("1/hour"))
    adapter.drive(app, headers=accept)
    refused = adapter.drive(app, headers=accept)
    assert refused.status == 429
    assert refused.get("Content-Type") == "application/problem+json"
    assert refused.get("X-Request-ID") is None


@both_adapters
def test_a_route_that_no_pattern_matches_is_enforced(adapter: Adapter) -> None:
    """Its exceptions are answered."""
    stack = adapter.wrap(failing, ErrorEnvelope(mode={"* /quiet": "report"}))
    assert adapter.drive(stack, path="/loud").status == 500
    assert isinstance(adapter.drive(stack, path="/quiet").error, LookupError)


@pytest.mark.parametrize("mode", ["shadow", {"* /": "loud"}])
def test_an_unknown_mode_is_refused(mode: Any) -> None:
    """When the policy is made."""
    with pytest.raises(ValueError, match="mode must be"):
        ErrorEnvelope(mode=mode)
