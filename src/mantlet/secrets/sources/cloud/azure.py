"""Read secrets from Azure Key Vault."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.cloud.per_secret import PerSecretSource, SecretDenied, SecretNotFound
from mantlet.secrets.sources.remote import (
    TIMED_OUT,
    ErrorTable,
    SourceUnavailable,
    look_up_error,
)
from mantlet.secrets.sources.source import SecretField, SourceError

__all__ = ["AzureKeyVault"]

#: https://learn.microsoft.com/en-us/azure/key-vault/general/rest-error-codes
_STATUSES: Final[Mapping[int, tuple[type[SourceError], str]]] = {
    401: (SourceError, "the credential is not accepted"),
    403: (SecretDenied, "access denied: assign Key Vault Secrets User, or enable the secret"),
    404: (SecretNotFound, "does not exist"),
    429: (SourceUnavailable, "too many requests"),
}


class AzureKeyVault(PerSecretSource):
    """The secrets of an Azure key vault, in their latest versions.

    https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/get-secret/get-secret. Requires
    ``pip install "mantlet[azure]"``, and the role *Key Vault Secrets User* for the identity.

    Args:
        url: the address of the vault, such as ``https://shop.vault.azure.net``.
        prefix: the prefix of the names of the app's secrets. Key Vault does not allow ``_``: with
            ``shop-`` the secret ``signing_key`` is ``shop-signing-key``.
        credential: a credential of ``azure.identity``; ``DefaultAzureCredential()`` by default. It
            has its own timeouts for getting a token.
        client: makes a ``SecretClient`` for each reading, which is closed after it; by default one
            for the address and the credential.
        timeout: seconds for reading all secrets, including retries and pauses.
        retries: the number of retries after temporary errors.
        refresh_interval: seconds until the secrets are read again; None for never.

    Raises:
        ImportError: the libraries are not installed; the message names the extra.
        ValueError: an option is invalid; the message names it.
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
        host = _check_url(url)
        if not prefix.replace("-", "a").isalnum() * prefix.isascii() and prefix:
            raise ValueError(f"prefix must be letters, digits and -, not {prefix!r}")
        super().__init__(
            f"azure {host}", timeout=timeout, retries=retries, refresh_interval=refresh_interval
        )
        self._errors = _error_table()
        self._prefix = prefix
        if client is None:
            known = credential or import_extra("azure.identity", "azure").DefaultAzureCredential()
            make = import_extra("azure.keyvault.secrets", "azure").SecretClient
            self._connect: Callable[[], Any] = lambda: make(url, known, permit_redirects=False)
        else:
            self._connect = client

    def location(self, field: SecretField) -> str:
        """Return the name of the secret."""
        return f"{self._prefix}{field.key.replace('_', '-')}"

    def connect(self) -> Any:
        """Return the library's client."""
        return self._connect()

    def getter(
        self, client: Any, name: str, seconds: float
    ) -> Callable[[], tuple[str | bytes, float | None]]:
        """Return a function that reads the latest version."""

        def get() -> tuple[str, float | None]:
            response = client.get_secret(
                name, retry_total=0, connection_timeout=seconds / 3, read_timeout=seconds * 2 / 3
            )
            updated = response.properties.updated_on
            return response.value or "", updated and updated.timestamp()

        return get

    def to_error(self, error: Exception) -> SourceError:
        """Convert an exception of the library, by its HTTP status if it has one."""
        status: Any = getattr(error, "status_code", None)
        if status in _STATUSES:
            error_type, reason = _STATUSES[status]
            return error_type(f"{status}: {reason}")
        if status is not None and status >= 400:
            error_type = SourceUnavailable if status >= 500 else SourceError
            return error_type(f"{status}: the vault refused the request")
        return look_up_error(error, self._errors)


def _error_table() -> ErrorTable:
    of = import_extra("azure.core.exceptions", "azure")
    return (
        (of.ServiceRequestTimeoutError, SourceUnavailable, TIMED_OUT),
        (of.ServiceResponseTimeoutError, SourceUnavailable, TIMED_OUT),
        (of.ServiceRequestError, SourceUnavailable, "can't be reached"),
        (of.IncompleteReadError, SourceUnavailable, "closed the connection early"),
        (of.ServiceResponseError, SourceUnavailable, "closed the connection early"),
        (of.ClientAuthenticationError, SourceError, "no valid credential found"),
    )


def _check_url(url: str) -> str:
    """Return the host of a vault's address."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError("url must be https://NAME.vault.azure.net, without a user or a query")
    return parts.hostname
