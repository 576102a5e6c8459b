"""The package's own exceptions: one small tree."""

__all__ = [
    "ClientDisconnected",
    "MantletError",
    "NoResponse",
    "ResponseTooLarge",
    "StoreError",
    "StoreOutage",
]


class MantletError(Exception):
    """The root of everything that Mantlet raises on its own account."""


class ClientDisconnected(MantletError):
    """The client disconnected before its request was read, or before the response was sent."""


class NoResponse(MantletError):
    """The app ended without sending a response."""


class ResponseTooLarge(MantletError):
    """The app's body is larger than the limit given to `Response.body()`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the response body is larger than {limit} bytes")
        self.limit = limit


class StoreError(MantletError):
    """A store cannot be opened or used, and waiting does not help."""


class StoreOutage(StoreError):
    """A store is temporarily unavailable."""
