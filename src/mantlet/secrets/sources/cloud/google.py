"""Read secrets from Google Secret Manager."""

import re
from collections.abc import Callable
from typing import Any, Final

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.cloud.per_secret import PerSecretSource, SecretDenied, SecretNotFound
from mantlet.secrets.sources.remote import (
    TIMED_OUT,
    ErrorTable,
    SourceUnavailable,
    look_up_error,
    silence_logger,
)
from mantlet.secrets.sources.source import SecretField, SourceError

__all__ = ["GoogleSecretManager"]

#: The ids of projects and secrets that the documentation allows.
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,255}")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{0,200}")
#: The logger that logs responses with their payload.
_LOGGER: Final = "google.cloud.secretmanager_v1.services.secret_manager_service.transports.grpc"


class GoogleSecretManager(PerSecretSource):
    """The secrets of a Google Cloud project, in their latest versions.

    https://cloud.google.com/secret-manager/docs/reference/rpc/google.cloud.secretmanager.v1.
    Requires ``pip install "mantlet[google]"``, and the role
    ``roles/secretmanager.secretAccessor`` for the account.

    Args:
        project: the id or the number of the project.
        prefix: the prefix of the names of the app's secrets: with ``shop-`` the secret
            ``signing_key`` is ``shop-signing_key``.
        client: makes a ``SecretManagerServiceClient`` for each reading, which is closed after it;
            by default one with the Application Default Credentials.
        timeout: seconds for reading all secrets, including retries and pauses. Finding the
            credentials, at the first reading, has the library's own timeout
            ``$GCE_METADATA_TIMEOUT``.
        retries: the number of retries after temporary errors.
        refresh_interval: seconds until the secrets are read again; None for never.

    Raises:
        ImportError: google-cloud-secret-manager is not installed; the message names the extra.
        ValueError: an option is invalid; the message names it.
    """

    def __init__(
        self,
        project: str,
        *,
        prefix: str = "",
        client: Callable[[], Any] | None = None,
        timeout: float = 10.0,
        retries: int = 2,
        refresh_interval: float | None = 300.0,
    ) -> None:
        if not _ID.fullmatch(project):
            raise ValueError(f"project must be the id or the number of a project, not {project!r}")
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"prefix must be letters, digits, - and _, not {prefix!r}")
        name = f"google secrets {project}"
        super().__init__(name, timeout=timeout, retries=retries, refresh_interval=refresh_interval)
        library = import_extra("google.cloud.secretmanager", "google")
        self._connect = library.SecretManagerServiceClient if client is None else client
        self._errors = _error_table()
        self._path = f"projects/{project}/secrets"
        self._prefix = prefix

    def location(self, field: SecretField) -> str:
        """Return the id of the secret."""
        return f"{self._prefix}{field.key}"

    def connect(self) -> Any:
        """Return the library's client."""
        return self._connect()

    def getter(
        self, client: Any, name: str, seconds: float
    ) -> Callable[[], tuple[str | bytes, float | None]]:
        """Return a function that reads the latest version."""
        path = f"{self._path}/{name}/versions/latest"

        def get() -> tuple[bytes, None]:
            with silence_logger(_LOGGER):
                response = client.access_secret_version(name=path, retry=None, timeout=seconds)
            return response.payload.data, None

        return get

    def to_error(self, error: Exception) -> SourceError:
        """Convert an exception of the library."""
        return look_up_error(error, self._errors)


def _error_table() -> ErrorTable:
    """Return the errors of the library: https://cloud.google.com/apis/design/errors."""
    of, auth = (import_extra(f"google.{one}.exceptions", "google") for one in ("api_core", "auth"))
    role = "roles/secretmanager.secretAccessor"
    return (
        (of.NotFound, SecretNotFound, "does not exist"),
        (of.PermissionDenied, SecretDenied, f"access denied: the account needs {role}"),
        (of.FailedPrecondition, SecretDenied, "its latest version is disabled or destroyed"),
        (of.DeadlineExceeded, SourceUnavailable, TIMED_OUT),
        (of.TooManyRequests, SourceUnavailable, "too many requests, or the quota is exhausted"),
        (of.ServerError, SourceUnavailable, "can't be reached, or failed"),
        (of.Unauthenticated, SourceError, "the credentials are not accepted"),
        (auth.TransportError, SourceUnavailable, "the credentials server can't be reached"),
        (auth.GoogleAuthError, SourceError, "no valid credentials found"),
    )
