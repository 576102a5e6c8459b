"""Sentry and OpenTelemetry get no secret, with their own SDKs."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, Status, StatusCode

from mantlet.redact import Registry
from mantlet.secrets import SECRET_NAMES, MaskingSpanProcessor, SentryMasker
from tests.secrets.collected import TOKEN, UNKNOWN


@functools.cache
def collected(how: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.secrets.collected", how],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert found["status"] == 500
    return found


@pytest.mark.slow
@pytest.mark.parametrize("service", ["sentry", "spans"])
@pytest.mark.parametrize("value", [TOKEN, UNKNOWN], ids=["known", "by-name"])
def test_a_service_gets_no_secret(service: str, value: str) -> None:
    """Of an exception, its variables, the request, tags, breadcrumbs, logs and attributes."""
    shown = "".join(collected("plain")[service])
    masked = "".join(collected("masked")[service])
    assert value in shown
    assert "LookupError" in masked
    assert "***" in masked
    assert value not in masked


@pytest.mark.slow
def test_a_service_gets_all_else() -> None:
    """Every kind of data is still sent: the error, the transaction, the log."""
    kinds = [line for text in collected("masked")["sentry"] for line in text.splitlines()]
    assert {'"type":"event"', '"type":"transaction"', '"type":"log"'} <= {
        part for line in kinds for part in line.strip("{}").split(",")
    }
    assert len(collected("masked")["spans"]) == len(collected("plain")["spans"])


def test_an_event_keeps_its_structure() -> None:
    """Only secrets change."""
    mask = SentryMasker([TOKEN], names=["*_key"])
    event = {"a": [1, None, True, {"apiKey": 5, "other": f"is {TOKEN}"}], "api_key": None}
    assert mask(event, {}) == {
        "a": [1, None, True, {"apiKey": "***", "other": "is ***"}],
        "api_key": None,
    }


def spans_of(processor: Any, exporter: InMemorySpanExporter) -> ReadableSpan:
    provider = TracerProvider()
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("tests", "1")
    with tracer.start_as_current_span("outer") as outer:
        link = Link(outer.get_span_context(), {"with": TOKEN, "count": 3})
    span = tracer.start_span(f"GET /{TOKEN}", links=[link], attributes={"n": 1, "s": ["a", TOKEN]})
    span.record_exception(LookupError(TOKEN))
    span.set_status(Status(StatusCode.ERROR, f"no {TOKEN}"))
    span.end()
    assert provider.force_flush()
    provider.shutdown()
    (ended,) = [one for one in exporter.get_finished_spans() if one.name != "outer"]
    return ended


def test_a_span_keeps_its_structure() -> None:
    """Its context, times, kind, scope and resource; only secrets change, in every place."""
    plain, masked = InMemorySpanExporter(), InMemorySpanExporter()
    expected = json.loads(spans_of(SimpleSpanProcessor(plain), plain).to_json())
    processor = MaskingSpanProcessor([TOKEN], SimpleSpanProcessor(masked), names=SECRET_NAMES)
    span = spans_of(processor, masked)
    shown = json.loads(span.to_json())
    assert TOKEN in json.dumps(expected)
    assert TOKEN not in json.dumps(shown)
    assert shown.keys() == expected.keys()
    assert shown["name"] == "GET /***"
    assert shown["attributes"] == {"n": 1, "s": ["a", "***"]}
    assert shown["status"] == {"status_code": "ERROR", "description": "no ***"}
    assert shown["links"][0]["attributes"] == {"with": "***", "count": 3}
    assert shown["events"][0]["attributes"]["exception.message"] == "***"
    assert shown["resource"] == expected["resource"]
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "tests"
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.end_time


def test_the_maskers_follow_a_rotation() -> None:
    """As logs do."""
    registry = Registry(["first-4Kx8-Lw2q"])
    mask = SentryMasker(registry)
    registry.replace(["second-9Pv3-Zt7m"])
    assert mask({"a": "first-4Kx8-Lw2q second-9Pv3-Zt7m"}) == {"a": "*** ***"}
