"""Mask secrets in what an app sends to Sentry and through OpenTelemetry.

Both collect more than the text of an exception: the variables of its frames, the request's headers
and body, log records, the statements of a database. Neither library is imported before something
has to be masked.

It does not mask data of exporters and transports that the masker is not given to, attributes of
OpenTelemetry's metrics, compressed attachments, or text that the library has truncated in the
middle of a secret.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from mantlet.redact.registry import SecretValues
from mantlet.secrets.logs import masker_of

__all__ = ["MaskingLogRecordProcessor", "MaskingSpanProcessor", "SentryMasker"]

#: A base that type checkers take for any class of the SDK, which is not imported.
_Processor: Any = object


class SentryMasker:
    """Mask secrets in what Sentry's SDK sends.

    One object is the hook for every kind of data::

        mask = SentryMasker(secrets)
        sentry_sdk.init(
            before_send=mask,
            before_send_transaction=mask,
            before_send_log=mask,
            before_send_metric=mask,
            before_send_span=mask,  # with trace_lifecycle="stream"
        )

    An event that can't be masked, and an attachment that can't be read, are not sent.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        names: names and globs of fields, the values of which are masked whatever they are, such as
            `SECRET_NAMES`; in headers, form data, variables and tags.
    """

    def __init__(self, secrets: SecretValues, *, names: Iterable[str] = ()) -> None:
        self._masker = masker_of(secrets, names)

    # Any: Sentry's own types are dicts with keys for each kind.
    def __call__(self, event: Any, hint: Any = None) -> Any:
        """Return an event, a transaction, a log, a metric, a span or a breadcrumb without secrets.

        Args:
            event: the data that the SDK is about to send.
            hint: information about its origin; its attachments are replaced by masked copies.
        """
        try:
            masked = self._masker.value(event)
            if hint and hint.get("attachments"):
                found = map(self._attachment, hint["attachments"])
                hint["attachments"] = [one for one in found if one is not None]
        except Exception:  # noqa: BLE001  # Sentry would send a streamed span as it is
            return {"name": "***", "attributes": {}} if "is_segment" in event else None
        return masked

    def _attachment(self, attachment: Any) -> Any:
        """Return a copy of an attachment with its masked content, or None if it can't be read."""
        masked = copy(attachment)
        try:
            content = attachment.bytes
            if content is None:
                content = Path(attachment.path).read_bytes()
            masked.bytes = self._masker.value(bytes(content() if callable(content) else content))
            masked.filename = self._masker.text(attachment.filename)
        except Exception:  # noqa: BLE001  # raised by a function of the app, or for a missing file
            return None
        return masked


class _MaskingProcessor(_Processor):  # type: ignore[misc]  # it is untyped
    """A processor of OpenTelemetry that passes masked copies on to another one."""

    def __init__(self, secrets: SecretValues, processor: Any, *, names: Iterable[str] = ()) -> None:
        self._masker = masker_of(secrets, names)
        self._processor = processor

    def __getattr__(self, name: str) -> Any:
        # Delegate everything else, whatever the version of the SDK.
        return getattr(self._processor, name)

    def _resource(self, resource: Any) -> Any:
        attributes = self._masker.value(resource.attributes)
        if attributes is resource.attributes:
            return resource
        return type(resource)(attributes, resource.schema_url)


class MaskingSpanProcessor(_MaskingProcessor):
    """Mask secrets in spans before another span processor of OpenTelemetry gets them.

    Add it in place of the other: ``provider.add_span_processor(MaskingSpanProcessor(secrets,
    BatchSpanProcessor(exporter)))``. The name, the status, the attributes, the events with their
    exceptions, the attributes of links and of the resource are masked; the app's own span stays as
    it is. A processor that exports spans at their start gets those unmasked.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        processor: the processor that exports the spans.
        names: names and globs of attributes, the values of which are masked whatever they are, such
            as `SECRET_NAMES`: ``*_authorization`` matches ``http.request.header.authorization``.
    """

    def on_end(self, span: Any) -> None:
        """Give a masked copy of a span to the other processor."""
        from opentelemetry.sdk.trace import Event, ReadableSpan  # optional
        from opentelemetry.trace import Link, Status  # optional

        value, text = self._masker.value, self._masker.text
        description = span.status.description
        self._processor.on_end(
            ReadableSpan(
                name=text(span.name),
                context=span.context,
                parent=span.parent,
                resource=self._resource(span.resource),
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


class MaskingLogRecordProcessor(_MaskingProcessor):
    """Mask secrets in log records before another log processor of OpenTelemetry gets them.

    Add it in place of the other: ``provider.add_log_record_processor(MaskingLogRecordProcessor(
    secrets, BatchLogRecordProcessor(exporter)))``. The body, the attributes with those of an
    exception, the name of the event and the attributes of the resource are masked. Records of
    `logging` may be masked by `mask_logging` instead.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        processor: the processor that exports the records.
        names: names and globs of attributes to mask, as in `MaskingSpanProcessor`.
    """

    def on_emit(self, log_record: Any) -> None:
        """Give a masked copy of a record to the other processor."""
        value = self._masker.value
        masked = copy(log_record.log_record)
        masked.body = value(masked.body)
        masked.attributes = value(dict(masked.attributes or {}))
        masked.event_name = value(masked.event_name)
        masked.exception = None  # its text is in the attributes
        resource = log_record.resource and self._resource(log_record.resource)
        self._processor.on_emit(replace(log_record, log_record=masked, resource=resource))
