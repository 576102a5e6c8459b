"""The base of sources that take time: timeouts, retries, and errors without a library's text."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from threading import get_ident
from time import monotonic, sleep
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from mantlet._internal.options import check_int, check_number
from mantlet.secrets.sources.source import SecretField, SecretSource, SourceError, SourceResult

__all__ = [
    "TIMED_OUT",
    "ErrorTable",
    "RemoteSource",
    "SourceUnavailable",
    "call_library",
    "is_in_clear",
    "look_up_error",
    "remaining_seconds",
    "silence_logger",
]

#: The message for a source that exceeded its timeout.
TIMED_OUT: Final = "did not respond in time"

#: Seconds before the first retry; the pause doubles with each further one.
_FIRST_PAUSE: Final = 0.1

T = TypeVar("T")
#: Exceptions of a library, each with the error to raise for it and a message; the first match wins.
ErrorTable: TypeAlias = Sequence[tuple[type[Exception], type[SourceError], str]]


class SourceUnavailable(SourceError):
    """A source can't be read at the moment; a retry may help.

    Args:
        reason: a line of the report.
        retry_after: the seconds for which the source asks to be left alone.
    """

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RemoteSource(SecretSource):
    """A source that takes time to read.

    Args:
        name: the name in the report.
        timeout: seconds for reading all secrets, including retries and pauses.
        retries: the number of retries after temporary errors.
        refresh_interval: seconds until the source is read again; None for never, or until a lease
            ends.

    Raises:
        ValueError: an option is invalid; the message names it.
    """

    is_remote = True

    def __init__(
        self, name: str, *, timeout: float, retries: int, refresh_interval: float | None
    ) -> None:
        check_number("timeout", timeout)
        check_int("retries", retries, least=0)
        if refresh_interval is not None:
            check_number("refresh_interval", refresh_interval)
        self.name = name
        self.lifetime = refresh_interval
        self._refresh_interval = refresh_interval
        self._timeout = timeout
        self._retries = retries

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return the values of secrets, with retries after temporary errors."""
        deadline = monotonic() + self._timeout
        pause = _FIRST_PAUSE
        retries = self._retries
        while True:
            try:
                return self.read_once(fields, deadline)
            except SourceUnavailable as error:
                wait = max(pause, error.retry_after)
                if not retries or monotonic() + wait >= deadline:
                    raise
            sleep(wait)
            retries -= 1
            pause *= 2

    @abstractmethod
    def read_once(
        self, fields: Sequence[SecretField], deadline: float
    ) -> Mapping[str, SourceResult]:
        """Return the values of secrets, without retries.

        Args:
            fields: the secrets to look for.
            deadline: the end of the timeout by ``time.monotonic()``.

        Raises:
            SourceUnavailable: a retry may help.
            SourceError: a retry will not help.
        """


def call_library(call: Callable[[], T], to_error: Callable[[Exception], SourceError]) -> T:
    """Call a library, and raise an error of ours in place of its own, which may contain a value.

    Args:
        call: calls the library.
        to_error: converts an exception of the library.

    Raises:
        SourceError: the library raised an exception.
    """
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # its message may contain a value
        failure = to_error(error)
    # Raised outside of the handler, so that the library's exception is not the context.
    raise failure


def look_up_error(error: Exception, table: ErrorTable) -> SourceError:
    """Return the error for an exception of a library."""
    for exception_type, error_type, reason in table:
        if isinstance(error, exception_type):
            return error_type(reason)
    return SourceError(f"can't be read: {type(error).__qualname__}")


def is_in_clear(url: str) -> bool:
    """Return whether requests to a URL can be read and changed on the network.

    That is without TLS, unless the host is this machine: ``localhost`` (RFC 6761, section 6.3) or a
    loopback address.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return False
    with suppress(ValueError):
        return not ip_address(host).is_loopback
    return True


def remaining_seconds(deadline: float) -> float:
    """Return the seconds until a deadline.

    Args:
        deadline: the end of the timeout by ``time.monotonic()``.

    Raises:
        SourceUnavailable: the deadline has passed.
    """
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise SourceUnavailable(TIMED_OUT)
    return seconds


class _ThreadFilter(logging.Filter):
    """Drop the records of the thread that created the filter."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return get_ident() != self._thread


@contextmanager
def silence_logger(name: str) -> Iterator[None]:
    """Silence a logger for the current thread.

    Some libraries log whole responses at level DEBUG. The values in them are not registered yet, so
    no filter could mask them.

    Args:
        name: the exact name; loggers below it are not silenced.
    """
    logger = logging.getLogger(name)
    thread_filter = _ThreadFilter()
    logger.addFilter(thread_filter)
    try:
        yield
    finally:
        logger.removeFilter(thread_filter)
