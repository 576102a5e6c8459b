"""Log records without secrets: a filter and a formatter for ``logging``, and one for structlog.

A filter changes the record, so that all handlers behind it are given it masked. On a handler it
holds for whatever comes to that handler; on a logger only for what is logged on that one itself,
and not on those below it. Handlers that write something of their own, such as the variables of an
exception's frames, are given none where the exception has a secret in it: its text is all that is
left.

What it does not stop: ``print()``; handlers without it; text that is shortened, so that half a
secret is left of it.
"""

import logging
from collections.abc import MutableMapping
from typing import Any

from mantlet.redact.masking import Masker
from mantlet.redact.registry import Registry, SecretValues, registry_of

__all__ = ["MaskingFilter", "MaskingFormatter", "MaskingProcessor"]


class MaskingFilter(logging.Filter):
    """Mask secrets in records: message, arguments, exception, stack and whatever was added.

    Args:
        secrets: a `SecretLoader`, or several values.
    """

    def __init__(self, secrets: SecretValues) -> None:
        super().__init__()
        self._masker = _masker(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record, which passes."""
        self._masker.record(record)
        return True


class MaskingFormatter(logging.Formatter):
    """Mask secrets in what another formatter writes.

    Args:
        secrets: a `SecretLoader`, or several values.
        formatter: the other one; the standard library's by default.
    """

    def __init__(self, secrets: SecretValues, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self._masker = _masker(secrets)
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a text without secrets; the record stays as it is."""
        return self._masker.text(self._formatter.format(record))


class MaskingProcessor:
    """Mask secrets in structlog's events: every value, also those within others.

    It goes behind what makes text of exceptions, and before the renderer; behind it too, since it
    takes text as well.

    Args:
        secrets: a `SecretLoader`, or several values.
    """

    def __init__(self, secrets: SecretValues) -> None:
        self._masker = _masker(secrets)

    def __call__(self, logger: Any, method: str, event: Any) -> Any:
        """Return an event without secrets."""
        if not isinstance(event, MutableMapping):
            return self._masker.value(event)
        exception = event.get("exc_info")
        masked: Any = self._masker.value(
            {name: value for name, value in event.items() if name != "exc_info"}
        )
        if exception:
            self._exception(masked, exception)
        event.clear()
        event.update(masked)
        return event

    def _exception(self, event: MutableMapping[str, Any], exception: Any) -> None:
        """Keep an exception that is not made text of yet, unless it has a secret in it."""
        text = self._masker.exception(exception)
        if text is None:
            event["exc_info"] = exception
        else:
            event["exception"] = text


def _masker(secrets: SecretValues) -> Masker:
    return Masker(registry_of(secrets) or Registry())
