"""The package's own exceptions: one small tree."""

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = [
    "ClientDisconnected",
    "DocumentError",
    "MantletError",
    "NoResponse",
    "ResponseTooLarge",
    "StartupError",
    "StoreError",
    "StoreOutage",
]

#: How many problems the message lists; `DocumentError.problems` has all of them.
_MAX_LISTED: Final = 50


class MantletError(Exception):
    """The base class of Mantlet's own exceptions."""


class ClientDisconnected(MantletError, ConnectionError):
    """The client disconnected before its request was read, or before the response was sent.

    A ConnectionError, since servers and frameworks expect one where reading a body fails.
    """


class DocumentError(MantletError, ValueError):
    """An OpenAPI document is invalid.

    Args:
        problems: all problems, at least one.
        message: the text of the exception; by default one that lists the problems.
        advice: a further line, such as the option that tolerates the problems.

    Attributes:
        problems: pairs of a JSON Pointer (RFC 6901) and a message. Pointers into other files are
            prefixed with the name of the file and ``#``.
    """

    def __init__(
        self, problems: Iterable[tuple[str, str]], message: str | None = None, advice: str = ""
    ) -> None:
        self.problems = tuple(problems)
        super().__init__(message or "\n".join(filter(None, [*_listing(self.problems), advice])))


def _listing(problems: tuple[tuple[str, str], ...]) -> Iterator[str]:
    summary = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    yield f"SchemaGuard: the OpenAPI document has {summary}:"
    for pointer, message in problems[:_MAX_LISTED]:
        yield f"  {pointer or '(root)'}: {message}"
    if len(problems) > _MAX_LISTED:
        yield f"  and {len(problems) - _MAX_LISTED} more"


class NoResponse(MantletError):
    """The app ended without sending a response."""


class ResponseTooLarge(MantletError):
    """The app's body is larger than the limit given to `Response.body()`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the response body is larger than {limit} bytes")
        self.limit = limit


class StartupError(MantletError):
    """A policy can't start, so neither can the server. The message says why, and what to do.

    Args:
        policy: the name of the policy's class.
        reason: why it can't start.
    """

    def __init__(self, policy: str, reason: str) -> None:
        super().__init__(
            f"{policy} can't start: {reason}\n"
            f'Fix this and restart, or pass startup="lazy" to start the server without it.'
        )
        self.policy = policy
        self.reason = reason


class StoreError(MantletError):
    """A store cannot be opened or used, and waiting does not help."""


class StoreOutage(StoreError):
    """A store is temporarily unavailable."""
