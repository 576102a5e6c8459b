"""Wrapped apps that something watches, in a process of their own, since watchers patch frameworks.

``python -m tests.integrations.watched sentry`` prints, for each framework and each kind of
exception, the status and what the watcher has told, as JSON.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import sentry_sdk
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as AsgiMiddleware
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as WsgiMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

import mantlet
from mantlet import ErrorEnvelope
from tests.conformance import checkers
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMEWORKS = (
    "flask",
    "quart",
    "starlette",
    "fastapi",
    "litestar",
    "falcon",
    "falcon-asgi",
    "django-wsgi",
    "django-asgi",
)
WSGI = ("flask", "falcon", "django-wsgi")


def sentry() -> Callable[[], list[str]]:
    """Return a function that gives the exceptions of the events since its last call."""
    events: list[str] = []

    class Recording(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            for item in envelope.items:
                if item.type == "event":
                    values = item.payload.json.get("exception", {}).get("values", [])
                    events.append(values[-1]["type"] if values else "message")

    sentry_sdk.init(
        dsn="http://key@localhost/1", transport=Recording, integrations=[DjangoIntegration()]
    )

    def told() -> list[str]:
        found, events[:] = list(events), []
        return found

    return told


def opentelemetry() -> Callable[[], list[str]]:
    """Return a function that gives the spans that are errors since its last call."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    def told() -> list[str]:
        found = [
            f"{span.status.status_code.name} {[event.name for event in span.events]}"
            for span in exporter.get_finished_spans()
            if span.status.status_code.name == "ERROR" or span.events
        ]
        exporter.clear()
        return found

    return told


def instrument(name: str, app: Any) -> Any:
    """Return an app with OpenTelemetry's middleware inside of the policies."""
    if name == "flask":
        FlaskInstrumentor().instrument_app(app)  # type: ignore[no-untyped-call]  # no types
    elif name == "fastapi":
        FastAPIInstrumentor.instrument_app(app)
    elif name in WSGI:
        return WsgiMiddleware(app)
    else:
        return AsgiMiddleware(app)
    return app


def main(watcher: str) -> dict[str, dict[str, list[Any]]]:
    """Return the statuses and what the watcher has told."""
    logging.disable(logging.CRITICAL if watcher == "opentelemetry" else logging.NOTSET)
    logging.getLogger().addHandler(logging.NullHandler())
    checkers.standing = False  # Django sends names in upper case under ASGI
    told = {"sentry": sentry, "opentelemetry": opentelemetry}[watcher]()
    between = importlib.import_module("tests.integrations.test_between")
    results: dict[str, dict[str, list[Any]]] = {}
    if watcher == "opentelemetry":
        with between.made("django-wsgi", debug=False):  # with settings
            DjangoInstrumentor().instrument()
    for name in FRAMEWORKS:
        drive = drive_wsgi if name in WSGI else drive_asgi
        module = mantlet.wsgi if name in WSGI else mantlet.asgi
        middleware: tuple[str, ...] = ("mantlet.integrations.django.ProblemMiddleware",)
        if watcher == "opentelemetry" and name.startswith("django"):
            middleware = (
                "opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware",
                *middleware,
            )
        with between.made(name, debug=False, middleware=middleware) as bare:
            app = bare
            if watcher == "opentelemetry" and not name.startswith("django"):
                app = instrument(name, bare)
            envelope = ErrorEnvelope(exceptions={between.ConflictError: 402})
            stack = module.wrap(app, envelope, baseline=False)
            told()
            for kind in between.EXPECTED:
                answer = drive(stack, headers=[("Host", "localhost"), ("X-Kind", kind)])
                results.setdefault(name, {})[kind] = [answer.status, told()]
    return results


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))  # noqa: T201  # the result of this process
