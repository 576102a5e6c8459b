"""Mask secrets in what an app sends to Sentry and through OpenTelemetry.

Both collect more than the text of an exception: the variables of its frames, the request's headers
and body, log records, the statements of a database. Neither library is imported before a span has
to be masked.

It does not stop: an exporter or a transport that is not given the masker; text that the library has
cut off within a secret before it is masked.
"""

from collections.abc import Iterable
from typing import Any

from mantlet.redact.registry import SecretValues
from mantlet.secrets.logs import masker_of

__all__ = ["MaskingSpanProcessor", "SentryMasker"]


class SentryMasker:
    """Mask secrets in what Sentry's SDK sends.

    One object is the hook for every kind of data::

        mask = SentryMasker(secrets)
        sentry_sdk.init(
            before_send=mask, before_send_transaction=mask, before_send_log=mask
        )

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        names: names and globs of fields, the values of which are masked whatever they are, such as
            `SECRET_NAMES`; in headers, form data, variables and tags.
    """

    def __init__(self, secrets: SecretValues, *, names: Iterable[str] = ()) -> None:
        self._masker = masker_of(secrets, names)

    # Any: Sentry's own types are dicts with keys for each kind.
    def __call__(self, event: Any, hint: Any = None) -> Any:
        """Return an event, a transaction, a log or a breadcrumb without secrets.

        Args:
            event: the data that the SDK is about to send.
            hint: its origin; ignored.
        """
        return self._masker.value(event)


class MaskingSpanProcessor:
    """Mask secrets in spans before another span processor of OpenTelemetry gets them.

    Add it in place of the other: ``provider.add_span_processor(MaskingSpanProcessor(secrets,
    BatchSpanProcessor(exporter)))``. The name, the status, the attributes, the events with their
    exceptions, and the attributes of links are masked; the app's own span stays as it is.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        processor: the processor that exports the spans.
        names: names and globs of attributes, the values of which are masked whatever they are, such
            as `SECRET_NAMES`: ``*_authorization`` matches ``http.request.header.authorization``.
    """

    def __init__(self, secrets: SecretValues, processor: Any, *, names: Iterable[str] = ()) -> None:
        self._masker = masker_of(secrets, names)
        self._processor = processor

    def __getattr__(self, name: str) -> Any:
        # Delegate everything else, whatever the version of the SDK.
        return getattr(self._processor, name)

    def on_end(self, span: Any) -> None:
        """Give a masked copy of a span to the other processor."""
        from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415  # it is there
        from opentelemetry.trace import Link, Status  # noqa: PLC0415  # the same

        value, text = self._masker.value, self._masker.text
        description = span.status.description
        self._processor.on_end(
            ReadableSpan(
                name=text(span.name),
                context=span.context,
                parent=span.parent,
                resource=span.resource,
                attributes=value(span.attributes),
                events=[
                    Event(text(event.name), value(event.attributes), event.timestamp)
                    for event in span.events
                ],
                links=[Link(link.context, value(link.attributes)) for link in span.links],
                kind=span.kind,
                status=Status(span.status.status_code, description and text(description)),
                start_time=span.start_time,
                end_time=span.end_time,
                instrumentation_scope=span.instrumentation_scope,
            )
        )
