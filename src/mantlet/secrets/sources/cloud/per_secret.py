"""The base of stores that need one call per secret."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mantlet.secrets.sources.remote import RemoteSource, call_library, remaining_seconds
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SourceError,
    SourceResult,
    SourceValue,
)

__all__ = ["PerSecretSource", "SecretDenied", "SecretNotFound"]


class SecretNotFound(SourceError):
    """The store does not have the secret."""


class SecretDenied(SourceError):
    """The app may not read the secret, which may exist."""


class PerSecretSource(RemoteSource):
    """A store that is called once per secret."""

    def read_once(
        self, fields: Sequence[SecretField], deadline: float
    ) -> Mapping[str, SourceResult]:
        """Read each secret, within the time left by those before it."""
        found: dict[str, SourceResult] = {}
        with call_library(self.connect, self.to_error) as client:
            for wanted in fields:
                location = self.location(wanted)
                get = self.getter(client, location, remaining_seconds(deadline))
                try:
                    raw, changed_at = call_library(get, self.to_error)
                except SecretNotFound:
                    continue
                except SecretDenied as error:
                    found[wanted.name] = RejectedValue(location, str(error))
                else:
                    found[wanted.name] = SourceValue(raw, location, changed_at)
        return found

    @abstractmethod
    def connect(self) -> Any:
        """Return a client of the provider's library, which is closed after the reading.

        It is not kept: a worker forked meanwhile would share its connections.
        """

    @abstractmethod
    def getter(
        self, client: Any, name: str, seconds: float
    ) -> Callable[[], tuple[str | bytes, float | None]]:
        """Return a function that reads a secret and returns it with the time of its last change.

        Args:
            client: the client.
            name: the name of the secret in the store.
            seconds: the timeout.
        """

    @abstractmethod
    def to_error(self, error: Exception) -> SourceError:
        """Convert an exception of the provider's library.

        `SecretNotFound` and `SecretDenied` concern one secret; all others end the reading.
        """
