"""Azure Key Vault."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.cloud.per_secret import Absent, Each, Refused
from mantlet.secrets.sources.remote import LATE, Unavailable, Words, worded
from mantlet.secrets.sources.source import SecretField, SourceError

__all__ = ["AzureKeyVault"]

#: https://learn.microsoft.com/en-us/azure/key-vault/general/rest-error-codes
_STATUSES: Final[Mapping[int, tuple[type[SourceError], str]]] = {
    401: (SourceError, "the credential is not accepted"),
    403: (Refused, "may not be read, without Key Vault Secrets User, or is disabled"),
    404: (Absent, "is not there"),
    429: (Unavailable, "too many requests"),
}


class AzureKeyVault(Each):
    """The secrets of a vault of Azure's, the newest version of each.

    https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/get-secret/get-secret. It takes
    ``pip install "mantlet[azure]"``. Who asks needs the role *Key Vault Secrets User*.

    Args:
        url: the vault's address, such as ``https://shop.vault.azure.net``.
        prefix: what the names of the app's secrets begin with. There is no ``_`` in names there:
            with ``shop-`` the secret ``signing_key`` is ``shop-signing-key``.
        credential: one of ``azure.identity``'s; by default ``DefaultAzureCredential()``. The time
            that it takes itself to get a token is its own.
        client: makes the ``SecretClient`` for a reading, which is closed behind it; by default one
            for the address and the credential.
        timeout: seconds that reading all of it may take, retries and their pauses included.
        retries: how often it is tried again where that may help.
        refresh_interval: seconds after which it is read again; None for only once.

    Raises:
        ImportError: the libraries are not installed; the message names the extra.
        ValueError: an option that can't be; the message says which.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "",
        credential: Any = None,
        client: Callable[[], Any] | None = None,
        timeout: float = 10.0,
        retries: int = 2,
        refresh_interval: float | None = 300.0,
    ) -> None:
        host = _host(url)
        if not prefix.replace("-", "a").isalnum() * prefix.isascii() and prefix:
            raise ValueError(f"prefix must be letters, digits and -, not {prefix!r}")
        super().__init__(
            f"azure {host}", timeout=timeout, retries=retries, refresh_interval=refresh_interval
        )
        self._words = _words()
        self._prefix = prefix
        if client is None:
            known = credential or import_extra("azure.identity", "azure").DefaultAzureCredential()
            make = import_extra("azure.keyvault.secrets", "azure").SecretClient
            self._connect: Callable[[], Any] = lambda: make(url, known)
        else:
            self._connect = client

    def location(self, field: SecretField) -> str:
        """Return the secret's name."""
        return f"{self._prefix}{field.key.replace('_', '-')}"

    def connect(self) -> Any:
        """Return the library's client."""
        return self._connect()

    def getting(
        self, client: Any, name: str, seconds: float
    ) -> Callable[[], tuple[str | bytes, float | None]]:
        """Return what asks for the newest version."""

        def get() -> tuple[str, float | None]:
            answer = client.get_secret(
                name, retry_total=0, connection_timeout=seconds / 3, read_timeout=seconds * 2 / 3
            )
            updated = answer.properties.updated_on
            return answer.value or "", updated and updated.timestamp()

        return get

    def failure(self, error: Exception) -> SourceError:
        """Return what to say of an error, by its HTTP status."""
        status: Any = getattr(error, "status_code", None)
        if status in _STATUSES:
            ours, why = _STATUSES[status]
            return ours(f"{status}: {why}")
        if status is not None and status >= 400:
            again = status >= 500
            return (Unavailable if again else SourceError)(
                f"{status}: the vault does not answer it"
            )
        return worded(error, self._words)


def _words() -> Words:
    of = import_extra("azure.core.exceptions", "azure")
    return (
        (of.ServiceRequestTimeoutError, Unavailable, LATE),
        (of.ServiceResponseTimeoutError, Unavailable, LATE),
        (of.ServiceRequestError, Unavailable, "can't be reached"),
        (of.IncompleteReadError, Unavailable, "broke off its answer"),
        (of.ServiceResponseError, Unavailable, "broke off its answer"),
        (of.ClientAuthenticationError, SourceError, "there is no credential, or none that is good"),
    )


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError("url must be https://NAME.vault.azure.net, without a user and a query")
    return parts.hostname
