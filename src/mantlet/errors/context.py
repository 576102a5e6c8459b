"""The request's id in log records: of whatever is logged while a request is being answered."""

import logging
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final

__all__ = ["RequestIdFilter", "add_request_id", "current_request_id", "enter", "leave"]

#: A request that is being answered: its id, whether its exchange has ended, the request around it
#: that was being answered when it came, for an app may call another, and how many there are around.
Current = list[Any]

#: How many requests within each other are remembered. Servers that never end their exchanges would
#: make it any number of them.
_DEEPEST: Final = 8

_current: ContextVar[Current | None] = ContextVar("mantlet_request", default=None)


def current_request_id() -> str | None:
    """Return the id of the request that is being answered in this context, or None outside of one.

    It is there from `ErrorEnvelope` inwards: in the app, in the tasks that it starts, and in
    threads that are given its context, as those of `asyncio.to_thread()` are. A task that goes on
    behind the answer keeps it.
    """
    current = _current.get()
    request_id: str | None = None if current is None else current[0]
    return request_id


def enter(request_id: str) -> Current:
    """Make a request the one that is being answered; return what `leave()` takes."""
    outer = _living(_current.get())
    if outer is None or outer[3] >= _DEEPEST:
        current: Current = [request_id, False, None, 0]
    else:
        current = [request_id, False, outer, outer[3] + 1]
    _current.set(current)
    return current


def leave(current: Current) -> None:
    """Take a request whose exchange has ended out of the context.

    Exchanges may end in any order, and in another context than they began in.
    """
    current[1] = True
    now = _current.get()
    living = _living(now)
    if living is not now:
        _current.set(living)


def _living(current: Current | None) -> Current | None:
    """Return the innermost request that has not ended."""
    while current is not None and current[1]:
        current = current[2]
    return current


class RequestIdFilter(logging.Filter):
    """Give every log record a ``request_id``, "-" outside of a request; it drops none.

    Add it to handlers, so that it sees the records of all loggers::

        handler.addFilter(RequestIdFilter())
        handler.setFormatter(logging.Formatter("%(levelname)s %(request_id)s %(message)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Set ``record.request_id``, unless the record has one."""
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id() or "-"
        return True


# Any: the shape that structlog gives its processors.
def add_request_id(
    _logger: Any, _method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add ``request_id`` to an event, unless it has one: a structlog processor."""
    request_id = current_request_id()
    if request_id is not None:
        event_dict.setdefault("request_id", request_id)
    return event_dict
