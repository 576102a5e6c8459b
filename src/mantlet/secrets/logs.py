"""Mask secrets in log records: a filter and a formatter for ``logging``, a processor for structlog.

A filter changes the record, so every later handler gets it masked. On a handler, a filter covers
all records of that handler; on a logger, only those logged on exactly that logger, and not those of
its children. If an exception has a secret in it, the record keeps only its masked text, since some
handlers send the variables of its frames.

It does not stop: ``print()``; handlers without the filter; text that is truncated within a secret.
"""

import logging
from collections.abc import MutableMapping
from typing import Any

from mantlet.redact.masking import Masker
from mantlet.redact.registry import Registry, SecretValues, registry_of

__all__ = ["MaskingFilter", "MaskingFormatter", "MaskingProcessor"]


class MaskingFilter(logging.Filter):
    """Mask secrets in log records: message, arguments, exception, stack and ``extra``.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
    """

    def __init__(self, secrets: SecretValues) -> None:
        super().__init__()
        self._masker = _masker(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record, and let it pass."""
        self._masker.record(record)
        return True


class MaskingFormatter(logging.Formatter):
    """Mask secrets in the output of another formatter.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        formatter: the other formatter; ``logging.Formatter()`` by default.
    """

    def __init__(self, secrets: SecretValues, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self._masker = _masker(secrets)
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted record without secrets. The record is not changed."""
        return self._masker.text(self._formatter.format(record))


class MaskingProcessor:
    """Mask secrets in structlog events: every value, and values within them.

    Place it after the processors that format exceptions, and before or after the renderer: it
    accepts text as well.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
    """

    def __init__(self, secrets: SecretValues) -> None:
        self._masker = _masker(secrets)

    def __call__(self, logger: Any, method: str, event: Any) -> Any:
        """Return the event without secrets."""
        if not isinstance(event, MutableMapping):
            return self._masker.value(event)
        exception = event.get("exc_info")
        masked: Any = self._masker.value(
            {name: value for name, value in event.items() if name != "exc_info"}
        )
        if exception:
            self._add_exception(masked, exception)
        event.clear()
        event.update(masked)
        return event

    def _add_exception(self, event: MutableMapping[str, Any], exception: Any) -> None:
        """Add an unformatted exception; if it has a secret in it, only its masked text."""
        text = self._masker.exception(exception)
        if text is None:
            event["exc_info"] = exception
        else:
            event["exception"] = text


def _masker(secrets: SecretValues) -> Masker:
    return Masker(registry_of(secrets) or Registry())
