"""What all sources have in common that go over a network."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, sleep
from typing import Final, TypeAlias, TypeVar

from mantlet._internal.options import check_int, check_number
from mantlet.secrets.sources.source import (
    SecretField,
    SecretSource,
    SourceError,
    SourceResult,
)

__all__ = ["LATE", "Remote", "Unavailable", "Words", "attempt", "remaining", "worded"]

#: What a source says that took too long.
LATE: Final = "did not answer in time"

#: Seconds before the first retry; twice that before each one after it.
_PAUSE: Final = 0.1

T = TypeVar("T")
#: Errors of a library's, each with what to raise and to say for it; the first that fits counts.
Words: TypeAlias = Sequence[tuple[type[Exception], type[SourceError], str]]


class Unavailable(SourceError):
    """A source can't be asked just now: it may help to try again.

    Args:
        why: a line of the report.
        after: seconds that it asks to be left alone for.
    """

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Remote(SecretSource):
    """A source that takes time.

    Args:
        name: what the report calls it.
        timeout: seconds that reading all of it may take, retries and their pauses included.
        retries: how often it is tried again where that may help.
        refresh_interval: seconds after which it is read again; None for only once, or when
            leases end.

    Raises:
        ValueError: an option that can't be; the message says which.
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
        """Return what there is, after some tries if need be."""
        until = monotonic() + self._timeout
        pause = _PAUSE
        left = self._retries
        while True:
            try:
                return self.ask(fields, until)
            except Unavailable as unavailable:
                wait = max(pause, unavailable.after)
                if not left or monotonic() + wait >= until:
                    raise
            sleep(wait)
            left -= 1
            pause *= 2

    @abstractmethod
    def ask(self, fields: Sequence[SecretField], until: float) -> Mapping[str, SourceResult]:
        """Read all of it, once.

        Args:
            fields: the secrets of the app.
            until: when it has to be over, by ``time.monotonic()``.

        Raises:
            Unavailable: it may help to try again.
            SourceError: it will not.
        """


def attempt(call: Callable[[], T], failure: Callable[[Exception], SourceError]) -> T:
    """Return what a library returns, or raise an error that has nothing of the library's own.

    Args:
        call: asks it.
        failure: makes the error, in the source's own words.

    Raises:
        SourceError: what ``failure`` made.
    """
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # of a library, whose words may tell
        failed = failure(error)
    # Outside of the handler, so that what the request was is not the context of this.
    raise failed


def worded(error: Exception, words: Words) -> SourceError:
    """Return what to say of a library's error."""
    for kind, ours, why in words:
        if isinstance(error, kind):
            return ours(why)
    return SourceError(f"can't be asked: {type(error).__qualname__}")


def remaining(until: float) -> float:
    """Return the seconds that are left.

    Args:
        until: when all has to be over, by ``time.monotonic()``.

    Raises:
        Unavailable: none are.
    """
    seconds = until - monotonic()
    if seconds <= 0:
        raise Unavailable(LATE)
    return seconds
