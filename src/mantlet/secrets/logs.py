"""Mask secrets in log records: a filter and a formatter for ``logging``, a processor for structlog.

A filter changes the record, so every later handler gets it masked. On a handler, a filter covers
all records of that handler; on a logger, only those logged on exactly that logger, and not those of
its children. If an exception has a secret in it, the record keeps only its masked text, since some
handlers send the variables of its frames.

It does not mask ``print()``, handlers without the filter, or text that was truncated in the middle
of a secret.
"""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet.redact.masking import Masker, message_of
from mantlet.redact.registry import Registry, SecretValues, registry_of
from mantlet.secrets.loader import SecretLoader

__all__ = ["MaskingFilter", "MaskingFormatter", "MaskingProcessor", "mask_logging", "masker_of"]

#: Modules with a handler that a framework adds to its logger on first use.
_LATE_HANDLERS: Final = ("flask.logging", "quart.logging")


class MaskingFilter(logging.Filter):
    """Mask secrets in log records: message, arguments, exception, stack and ``extra``.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        names: names and globs of fields, such as `SECRET_NAMES`. Their values are masked whatever
            they are: of attributes from ``extra``, of keys of dictionaries in them and in the
            arguments. ``access_token`` matches ``accessToken`` and ``ACCESS-TOKEN`` too.

    Raises:
        TypeError: a secret is neither text nor bytes, or a name is not text.
        ValueError: a name is empty or too long.
    """

    def __init__(self, secrets: SecretValues, *, names: Iterable[str] = ()) -> None:
        super().__init__()
        self._masker = masker_of(secrets, names)

    def add_to_handlers(self) -> None:
        """Add this filter to all log handlers, in place of one for the same secrets."""
        for handler in _all_handlers():
            if self not in handler.filters:
                others = [one for one in handler.filters if not self._replaces(one)]
                handler.filters = [*others, self]  # at once: other threads are logging

    def _replaces(self, other: object) -> bool:
        same = isinstance(other, MaskingFilter) and other._masker.registry
        return same is self._masker.registry

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
        self._masker = masker_of(secrets)
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted record without secrets. The record is not changed."""
        try:
            text = self._formatter.format(record)
        except Exception:  # noqa: BLE001  # `logging` would print the arguments
            text = message_of(record)
        return self._masker.text(text)


class MaskingProcessor:
    """Mask secrets in structlog events: every value, and values within them.

    Place it after the processors that format exceptions, and before or after the renderer: it
    accepts text as well.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        names: names and globs of fields to mask, as in `MaskingFilter`.
    """

    def __init__(self, secrets: SecretValues, *, names: Iterable[str] = ()) -> None:
        self._masker = masker_of(secrets, names)

    def __call__(self, logger: Any, method: str, event: Any) -> Any:
        """Return the event without secrets."""
        is_rendered = not isinstance(event, Mapping)
        return self._masker.value(event) if is_rendered else self._masker.event(event)


def mask_logging(secrets: SecretValues, *, names: Iterable[str] = ()) -> MaskingFilter:
    """Add one `MaskingFilter` to every log handler that exists.

    These are the handlers of the root logger and of all other loggers, the one that Python uses
    if there are none, and those that Flask and Quart add to the app's logger later. Nothing else
    is changed: no logger, no level, no formatter.

    A `SecretLoader` adds the filter to further handlers when it polls its sources, first of all at
    the next request: some servers and frameworks configure logging after they have imported the
    app. For a collection of values, call this again after that. A handler has one filter of the
    same loader or registry.

    Args:
        secrets: a `SecretLoader`, or a collection of values.
        names: names and globs of fields to mask, as in `MaskingFilter`.

    Returns:
        The filter, for handlers that are made later: ``handler.addFilter(...)``.

    Raises:
        TypeError: a secret is neither text nor bytes, or a name is not text.
        ValueError: a name is empty or too long.
    """
    masking = MaskingFilter(secrets, names=names)
    masking.add_to_handlers()
    if isinstance(secrets, SecretLoader):
        secrets.on_poll(masking.add_to_handlers)
    return masking


def _all_handlers() -> Iterator[logging.Handler]:
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    handlers = [one for logger in loggers for one in getattr(logger, "handlers", ())]
    late = (safe_getattr(sys.modules.get(name), "default_handler") for name in _LATE_HANDLERS)
    found = (*handlers, logging.lastResort, *late)
    yield from dict.fromkeys(one for one in found if isinstance(one, logging.Handler))


def masker_of(secrets: SecretValues, names: Iterable[str] = ()) -> Masker:
    """Return a masker of secrets, and of the fields with some names."""
    return Masker(registry_of(secrets) or Registry(), names)
