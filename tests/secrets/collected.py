"""What Sentry and OpenTelemetry send of an app, in a process of its own, since both patch modules.

``python -m tests.secrets.collected masked`` prints it as JSON, with the maskers; ``plain`` without.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import flask
import sentry_sdk
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from sentry_sdk.transport import Transport

import mantlet
from mantlet import ErrorEnvelope
from mantlet.secrets import SECRET_NAMES, MaskingSpanProcessor, SentryMasker
from tests.drive import drive_wsgi

if TYPE_CHECKING:
    from sentry_sdk.types import Hint

TOKEN = "kR7-vT2_qX9.mB4w"
#: A value that no masker knows, under names that look secret.
UNKNOWN = "not-registered-anywhere"


def sentry(sent: list[str], *, masked: bool) -> None:
    class Recording(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(envelope.serialize().decode())

    def keep(event: Any, hint: Hint) -> Any:
        return event

    mask = SentryMasker([TOKEN], names=SECRET_NAMES) if masked else keep
    sentry_sdk.init(
        dsn="https://public@localhost/1",
        transport=Recording,
        enable_logs=True,
        traces_sample_rate=1.0,
        send_default_pii=True,
        before_send=mask,
        before_send_transaction=mask,
        before_send_log=mask,
    )


def telemetry(spans: list[str], *, masked: bool) -> None:
    class Recording:
        def write(self, text: str) -> None:
            spans.append(text)

        def flush(self) -> None:
            """Nothing is kept back."""

    out: Any = Recording()
    processor: Any = SimpleSpanProcessor(ConsoleSpanExporter(out=out))
    if masked:
        processor = MaskingSpanProcessor([TOKEN], processor, names=SECRET_NAMES)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)


def shop() -> flask.Flask:
    app = flask.Flask("collected")
    FlaskInstrumentor().instrument_app(app)  # type: ignore[no-untyped-call]  # it has no types

    @app.post("/orders")
    def order() -> str:
        db_password = UNKNOWN
        span = trace.get_current_span()
        span.set_attribute("db.statement", f"ALTER USER app PASSWORD '{TOKEN}'")
        span.set_attribute("http.request.header.authorization", UNKNOWN)
        span.add_event("connect", {"url": f"redis://:{TOKEN}@db"})
        sentry_sdk.set_tag("token", UNKNOWN)
        sentry_sdk.add_breadcrumb(message=f"signing with {TOKEN}")
        logging.getLogger("shop").warning("connecting with %s", TOKEN, extra={"api_key": UNKNOWN})
        raise LookupError(f"no {TOKEN}, {len(db_password)}")

    return app


def main(masked: bool) -> None:
    sent: list[str] = []
    spans: list[str] = []
    sentry(sent, masked=masked)
    telemetry(spans, masked=masked)
    app = mantlet.wrap(shop(), ErrorEnvelope(on_exception=lambda error, _: capture(error)))
    body = json.dumps({"password": UNKNOWN, "code": TOKEN}).encode()
    headers = [("Content-Type", "application/json"), ("Authorization", f"Bearer {TOKEN}")]
    answer = drive_wsgi(app, "POST", "/orders", headers=headers, body=body)
    sentry_sdk.flush()
    trace.get_tracer_provider().shutdown()  # type: ignore[attr-defined]  # the SDK's has it
    sys.stdout.write(json.dumps({"status": answer.status, "sentry": sent, "spans": spans}) + "\n")


def capture(error: BaseException) -> None:
    sentry_sdk.capture_exception(error)


if __name__ == "__main__":
    main(sys.argv[1] == "masked")
