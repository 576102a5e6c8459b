"""`SecretKeys`: shared secrets that are replaced while the app runs."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from mantlet._internal.locks import ForkSafeLock
from mantlet.authentication.jwt.key_set import FixedKeys, KeySet
from mantlet.authentication.jwt.options import check_secrets

__all__ = ["SecretKeys"]

_UNREAD: Final = object()


# Any: see `check_secrets()`.
class SecretKeys(FixedKeys):
    """A `KeySource` of what a function returns, which is called for each token.

    Args:
        read: returns the secrets, as the option of `Jwt` takes them.
        algorithms: those that they have to be long enough for.
    """

    def __init__(self, read: Callable[[], Any], algorithms: Iterable[str]) -> None:
        super().__init__(None)
        self._read = read
        self._algorithms = tuple(algorithms)
        self._generation = 0
        self._known: Any = _UNREAD
        self._lock = ForkSafeLock()

    @property
    def generation(self) -> int:
        """Another number whenever the secrets have changed; the first read of each verification.

        Raises:
            TypeError: what the function returns is not a secret.
            ValueError: it is a weak one.
        """
        given = self._read()
        if isinstance(given, list):
            given = tuple(given)
        if given is not self._known and given != self._known:
            with self._lock.plain:  # in this order, see `KeySource`
                self.key_set = KeySet.from_secrets(check_secrets(given, self._algorithms))
                self._generation += 1
                self._known = given
        return self._generation

    def startup(self) -> None:
        """Read the secrets, so that a weak one stops the server."""
        self.generation  # noqa: B018  # to read it is to check the secrets
