"""The credentials of this API at a provider, read for each request so that they can be replaced."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote_plus

from mantlet._internal.secret_values import revealed
from mantlet.authentication.http import ProviderError

__all__ = [
    "Client",
    "ClientCredentials",
    "CurrentCredentials",
    "check_client",
    "client_authorization",
]


class ClientCredentials(Protocol):
    """An object with the credentials of a client, such as a `mantlet.SecretModel`."""

    # Any: str, or an object that reveals one, such as `mantlet.Secret`.
    @property
    def client_id(self) -> Any:
        """The id."""

    @property
    def client_secret(self) -> Any:
        """The secret."""


class CurrentCredentials(Protocol):
    """An object with the current ones, such as a `mantlet.SecretLoader`."""

    # Any: a `ClientCredentials`, which a loader of any model has.
    @property
    def current(self) -> Any:
        """The current credentials."""


# Any: the same.
_Pair = tuple[Any, Any]
Client = _Pair | Callable[[], _Pair] | ClientCredentials | CurrentCredentials


def check_client(client: Client) -> Client:
    """Return the option ``client``.

    Raises:
        TypeError: it is neither a pair of strings, nor a function, nor an object with both, nor a
            loader. The message does not contain it.
    """
    if isinstance(client, tuple):
        try:
            client_authorization(client)
        except ProviderError:
            raise TypeError(
                "client must be a pair of id and secret, two strings that are not empty"
            ) from None
        return client
    # The attributes of a loader may not be there yet.
    if callable(client) or hasattr(type(client), "current"):
        return client
    if hasattr(client, "client_id") and hasattr(client, "client_secret"):
        return client
    raise TypeError(
        "client must be a pair of id and secret, a function that returns one, an object with "
        "client_id and client_secret, or a SecretLoader of such a model, not one of type "
        f"{type(client).__name__}"
    )


def client_authorization(client: Client) -> str:
    """Return the header ``Authorization`` with the client's current credentials (RFC 6749, 2.3.1).

    Raises:
        ProviderError: there are none now; without the exception, whose text may have a secret.
    """
    try:
        pair = ":".join(quote_plus(_reveal(value)) for value in _read(client))
    except Exception as error:  # noqa: BLE001  # of the app's own code
        reason = f"can't be asked: client raised {type(error).__name__}"
    else:
        return f"Basic {b64encode(pair.encode()).decode()}"
    raise ProviderError(reason)


def _read(client: Client) -> _Pair:
    if isinstance(client, tuple):
        identifier, secret = client
    elif callable(client):
        identifier, secret = client()
    else:
        current: Any = getattr(client, "current", client)
        identifier, secret = current.client_id, current.client_secret
    return identifier, secret


def _reveal(value: Any) -> str:
    text = revealed(value)
    if not isinstance(text, str) or not text:
        raise TypeError
    return text
