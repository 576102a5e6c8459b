"""The request's id in log records: of whatever is logged while a request is being answered."""

import logging
from collections.abc import MutableMapping
from contextvars import ContextVar, Token
from typing import Any

__all__ = ["CURRENT", "RequestIdFilter", "add_request_id", "current_request_id", "leave"]

#: The request that is being answered: its id, and whether its exchange has ended.
Current = list[Any]

CURRENT: ContextVar[Current | None] = ContextVar("mantlet_request", default=None)


def current_request_id() -> str | None:
    """Return the id of the request that is being answered in this context, or None outside of one.

    It is there from `ErrorEnvelope` inwards: in the app, in the tasks that it starts, and in
    threads that are given its context, as those of `asyncio.to_thread()` are. A task that goes on
    behind the answer keeps it.
    """
    current = CURRENT.get()
    request_id: str | None = None if current is None else current[0]
    return request_id


def leave(current: Current, token: Token[Current | None]) -> None:
    """Take a request whose exchange has ended out of the context."""
    current[1] = True
    try:
        CURRENT.reset(token)
    except ValueError:
        return  # a server may end an exchange in another context than it began it in
    outer = CURRENT.get()
    if outer is not None and outer[1]:  # exchanges may end in any order
        CURRENT.set(None)


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
