"""Sentry and OpenTelemetry get no secret, with their own SDKs."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sentry_sdk
import sentry_sdk.logger
import sentry_sdk.metrics
import sentry_sdk.traces
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, Status, StatusCode
from sentry_sdk.transport import Transport

from mantlet.redact import Registry
from mantlet.redact.masking import Masker
from mantlet.secrets import (
    SECRET_NAMES,
    MaskingLogRecordProcessor,
    MaskingSpanProcessor,
    SentryMasker,
)
from tests.secrets.collected import TOKEN, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


@pytest.mark.few_cases(1)
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


class Sentry:
    """A client of Sentry's SDK without its integrations, and what it sends.

    Args:
        mask: the hook for every kind of data.
        options: of the client.
    """

    def __init__(self, mask: Any, **options: Any) -> None:
        self.sent = sent = []  # type: list[str]

        class Recording(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                sent.append(envelope.serialize().decode(errors="replace"))

        self.client = sentry_sdk.Client(
            dsn="https://public@localhost/1",
            transport=Recording,
            default_integrations=False,
            auto_enabling_integrations=False,
            before_send=mask,
            before_send_transaction=mask,
            before_send_log=mask,
            before_send_metric=mask,
            traces_sample_rate=1.0,
            enable_logs=True,
            **options,
        )

    def __enter__(self) -> sentry_sdk.Scope:
        self._context = sentry_sdk.isolation_scope()
        scope = self._context.__enter__()
        scope.set_client(self.client)
        sentry_sdk.get_current_scope().set_client(self.client)
        return scope

    def __exit__(self, *_: object) -> None:
        self.client.flush()
        self.client.close()
        sentry_sdk.get_current_scope().set_client(None)
        self._context.__exit__(None, None, None)

    @property
    def text(self) -> str:
        """All that was sent."""
        return "".join(self.sent)


class Broken(Masker):
    """Fails, as no masker should."""

    def value(self, value: Any) -> Any:
        raise RuntimeError("broken")


def _transaction() -> None:
    with (
        sentry_sdk.start_transaction(name=f"GET /{TOKEN}") as transaction,
        sentry_sdk.start_span(op="db", name=f"ALTER USER app PASSWORD '{TOKEN}'") as span,
    ):
        span.set_data("url", f"redis://:{TOKEN}@db")
        transaction.set_tag("tag", TOKEN)


def _span() -> None:
    with sentry_sdk.traces.start_span(name=f"GET /{TOKEN}", attributes={"url": f"/?t={TOKEN}"}):
        """Ended at once."""


KINDS: dict[str, Callable[[], object]] = {
    "event": lambda: sentry_sdk.capture_message(f"is {TOKEN}"),
    "metric": lambda: sentry_sdk.metrics.count("orders", 1, attributes={"by": f"is {TOKEN}"}),
    "log": lambda: sentry_sdk.logger.warning("is {it}", it=TOKEN),
    "transaction": _transaction,
    "span": _span,
}


def sentry_for(kind: str, mask: Any) -> Sentry:
    if kind == "span":
        return Sentry(mask, trace_lifecycle="stream", before_send_span=mask)
    return Sentry(mask)


@pytest.mark.parametrize(("kind", "send"), KINDS.items(), ids=KINDS)
def test_every_kind_of_data_is_masked(kind: str, send: Callable[[], object]) -> None:
    """With the one object as the hook for all of them."""
    plain, masked = (sentry_for(kind, mask) for mask in (lambda it, _: it, SentryMasker([TOKEN])))
    for sentry in (plain, masked):
        with sentry:
            send()
    assert TOKEN in plain.text
    assert TOKEN not in masked.text
    assert "***" in masked.text


@pytest.mark.parametrize(("kind", "send"), KINDS.items(), ids=KINDS)
def test_what_can_not_be_masked_is_not_sent(kind: str, send: Callable[[], object]) -> None:
    """Of a span, which Sentry's SDK sends in any case, nothing but its times and its ids."""
    mask = SentryMasker([TOKEN])
    mask._masker = Broken(Registry([TOKEN]))
    with (sentry := sentry_for(kind, mask)):
        send()
    assert TOKEN not in sentry.text
    assert ("***" in sentry.text) == (kind == "span")


def test_attachments_are_masked(tmp_path: Path) -> None:
    """Given as bytes, as a function, as a path; the app's own stay as they are."""
    path = tmp_path / "log.txt"
    path.write_text(f"is {TOKEN}, from a file")
    content = f"is {TOKEN}, from memory".encode()
    with (sentry := Sentry(SentryMasker([TOKEN]))) as scope:
        scope.add_attachment(bytes=content, filename=f"{TOKEN}.txt")
        scope.add_attachment(bytes=lambda: b"is %s, from a function" % TOKEN.encode(), filename="a")
        scope.add_attachment(path=str(path))
        scope.add_attachment(path=str(tmp_path / "missing"))
        scope.add_attachment(bytes=b"\x00\xff untouched", filename="b")
        own = [one.bytes for one in scope._attachments]
        sentry_sdk.capture_message("x")
        assert [one.bytes for one in scope._attachments] == own
    assert TOKEN not in sentry.text
    for part in ("from a file", "from memory", "from a function", "untouched"):
        assert sentry.text.count(part) == 1
    assert sentry.text.count("is ***") == 3


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


def record_exporter() -> InMemoryLogRecordExporter:
    return InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # it has no types


def test_the_resource_of_spans_and_records_is_masked() -> None:
    """It may have the command line."""
    resource = Resource({"process.command_args": ["shop", f"--password={TOKEN}"], "n": 1})
    spans, records = InMemorySpanExporter(), record_exporter()
    tracers, loggers = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    tracers.add_span_processor(MaskingSpanProcessor([TOKEN], SimpleSpanProcessor(spans)))
    loggers.add_log_record_processor(
        MaskingLogRecordProcessor([TOKEN], SimpleLogRecordProcessor(records))
    )
    tracers.get_tracer("a").start_span("x").end()
    loggers.get_logger("a").emit(LogRecord(body="x"))
    for found in (spans.get_finished_spans()[0], records.get_finished_logs()[0]):
        attributes = found.resource.attributes
        assert attributes == {"process.command_args": ("shop", "--password=***"), "n": 1}


def test_a_log_record_keeps_its_structure() -> None:
    """Only secrets change, and the app's own record does not; nor that of another processor."""
    plain, masked = record_exporter(), record_exporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(
        MaskingLogRecordProcessor(
            [TOKEN], SimpleLogRecordProcessor(masked), names=["http.header.*"]
        )
    )
    provider.add_log_record_processor(SimpleLogRecordProcessor(plain))
    record = LogRecord(
        timestamp=5,
        severity_text="WARN",
        body={"deep": [f"is {TOKEN}", 1]},
        attributes={"a": TOKEN, "http.header.x": "plain", "n": 1},
        event_name=f"for.{TOKEN}",
        exception=LookupError(f"no {TOKEN}"),
    )
    provider.get_logger("tests", "1").emit(record)
    assert provider.force_flush()
    (expected,), (shown,) = plain.get_finished_logs(), masked.get_finished_logs()
    assert TOKEN not in shown.to_json()
    assert TOKEN in expected.to_json()
    assert json.loads(shown.to_json()).keys() == json.loads(expected.to_json()).keys()
    assert shown.log_record.body == {"deep": ["is ***", 1]}
    attributes = dict(shown.log_record.attributes or {})
    assert attributes["exception.message"] == "no ***"
    assert [attributes[name] for name in ("a", "http.header.x", "n")] == ["***", "***", 1]
    assert shown.log_record.timestamp == 5
    assert shown.instrumentation_scope == expected.instrumentation_scope


def test_the_maskers_follow_a_rotation() -> None:
    """As logs do."""
    registry = Registry(["first-4Kx8-Lw2q"])
    mask = SentryMasker(registry)
    registry.replace(["second-9Pv3-Zt7m"])
    assert mask({"a": "first-4Kx8-Lw2q second-9Pv3-Zt7m"}) == {"a": "*** ***"}
