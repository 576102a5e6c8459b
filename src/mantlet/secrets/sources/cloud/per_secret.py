"""A store with a secret of its own for each name."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mantlet.secrets.sources.remote import Remote, attempt, remaining
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SourceError,
    SourceResult,
    SourceValue,
)

__all__ = ["Absent", "Each", "Refused"]


class Absent(SourceError):
    """There is no such secret."""


class Refused(SourceError):
    """There may be one, and this app does not get it."""


class Each(Remote):
    """A store that is asked for one secret after the other."""

    def ask(self, fields: Sequence[SecretField], until: float) -> Mapping[str, SourceResult]:
        """Ask for each secret, within the time that the ones before it have left."""
        found: dict[str, SourceResult] = {}
        with attempt(self.connect, self.failure) as client:
            for wanted in fields:
                place = self.location(wanted)
                get = self.getting(client, place, remaining(until))
                try:
                    raw, since = attempt(get, self.failure)
                except Absent:
                    continue
                except Refused as refused:
                    found[wanted.name] = RejectedValue(place, str(refused))
                else:
                    found[wanted.name] = SourceValue(raw, place, since)
        return found

    @abstractmethod
    def connect(self) -> Any:
        """Return the vendor's client, which is closed once it has been asked for all.

        It is not kept: a worker that is forked meanwhile would share its connections.
        """

    @abstractmethod
    def getting(
        self, client: Any, name: str, seconds: float
    ) -> Callable[[], tuple[str | bytes, float | None]]:
        """Return what asks for a secret, and returns it, and since when it is as it is.

        Args:
            client: the vendor's.
            name: the secret's, in the store.
            seconds: how long that may take.
        """

    @abstractmethod
    def failure(self, error: Exception) -> SourceError:
        """Return what to say of an error of the vendor's library's.

        `Absent` and `Refused` are for one secret, all others end the reading.
        """
