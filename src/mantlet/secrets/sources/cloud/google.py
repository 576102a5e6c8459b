"""Google Secret Manager."""

import re
from collections.abc import Callable
from typing import Any, Final

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.cloud.per_secret import Absent, Each, Refused
from mantlet.secrets.sources.cloud.unlogged import unlogged
from mantlet.secrets.sources.remote import LATE, Unavailable, Words, worded
from mantlet.secrets.sources.source import SecretField, SourceError

__all__ = ["GoogleSecretManager"]

#: What its pages allow in the id of a project, and of a secret.
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,255}")
#: Who logs the answers, with their payload.
_LOGGER: Final = "google.cloud.secretmanager_v1.services.secret_manager_service.transports.grpc"
_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{0,200}")


class GoogleSecretManager(Each):
    """The secrets of a project of Google Cloud's, the newest version of each.

    https://cloud.google.com/secret-manager/docs/reference/rpc/google.cloud.secretmanager.v1. It
    takes ``pip install "mantlet[google]"``. The account needs the role
    ``roles/secretmanager.secretAccessor``.

    Args:
        project: the project's id or number.
        prefix: what the names of the app's secrets begin with: with ``shop-`` the secret
            ``signing_key`` is ``shop-signing_key``.
        client: makes the ``SecretManagerServiceClient`` for a reading, which is closed behind it;
            by default that of the account that the library finds (Application Default Credentials).
        timeout: seconds that reading all of it may take, retries and their pauses included.
            Finding the account, which is done at the first reading, is bounded by the library's
            own ``$GCE_METADATA_TIMEOUT``.
        retries: how often it is tried again where that may help.
        refresh_interval: seconds after which it is read again; None for only once.

    Raises:
        ImportError: google-cloud-secret-manager is not installed; the message names the extra.
        ValueError: an option that can't be; the message says which.
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
        self._words = _words()
        self._path = f"projects/{project}/secrets"
        self._prefix = prefix

    def location(self, field: SecretField) -> str:
        """Return the secret's id."""
        return f"{self._prefix}{field.key}"

    def connect(self) -> Any:
        """Return the library's client."""
        return self._connect()

    def getting(
        self, client: Any, name: str, seconds: float
    ) -> Callable[[], tuple[str | bytes, float | None]]:
        """Return what asks for the newest version."""
        path = f"{self._path}/{name}/versions/latest"

        def get() -> tuple[bytes, None]:
            with unlogged(_LOGGER):
                answer = client.access_secret_version(name=path, retry=None, timeout=seconds)
            return answer.payload.data, None

        return get

    def failure(self, error: Exception) -> SourceError:
        """Return what to say of an error."""
        return worded(error, self._words)


def _words() -> Words:
    """Return what to say of which code: https://cloud.google.com/apis/design/errors."""
    of, auth = (import_extra(f"google.{one}.exceptions", "google") for one in ("api_core", "auth"))
    role = "roles/secretmanager.secretAccessor"
    return (
        (of.NotFound, Absent, "is not there"),
        (of.PermissionDenied, Refused, f"the account may not read it, without {role}"),
        (of.FailedPrecondition, Refused, "its newest version is disabled, or destroyed"),
        (of.DeadlineExceeded, Unavailable, LATE),
        (of.TooManyRequests, Unavailable, "too many requests, or the quota is used up"),
        (of.ServerError, Unavailable, "can't be reached, or has trouble"),
        (of.Unauthenticated, SourceError, "the credentials are not accepted"),
        (auth.TransportError, Unavailable, "the server of the credentials can't be reached"),
        (auth.GoogleAuthError, SourceError, "there are no credentials, or none that are good"),
    )
