"""Manage the token of a Vault source: get it, renew it, and replace it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final

from mantlet.secrets.sources.source import SourceError
from mantlet.secrets.sources.vault.auth import TokenAuth, VaultLogin, check_token

__all__ = [
    "RENEWAL_SHARE",
    "TokenLease",
    "TokenManager",
    "VaultResponse",
    "get_seconds",
    "require_object",
]

#: The share of a lease after which it is renewed, as by Vault's own agent.
RENEWAL_SHARE: Final = 2 / 3
#: The share of a login's first lease that a renewal must grant. If it grants less, the token nears
#: its maximum lifetime, and a new login is better.
_MIN_RENEWED_SHARE: Final = 1 / 2
#: The maximum of seconds: longer than any lease, and small enough for a float.
_MAX_SECONDS: Final = 1e12
_UNEXPECTED: Final = "sent a response that does not follow the API"


@dataclass(frozen=True, slots=True)
class VaultResponse:
    """A JSON response of Vault.

    Attributes:
        status: the HTTP status code.
        body: the JSON object; empty for an error response that has none.
        retry_after: the seconds for which the server asks to be left alone.
    """

    status: int
    body: Mapping[str, Any] = field(repr=False)
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class TokenLease:
    """A token and its validity.

    Attributes:
        token: the token.
        granted_at: the time at which it was granted or renewed, by the clock of leases.
        seconds: its validity from then on; infinite if it does not expire.
        renewable: whether it can be renewed.
        first_seconds: its validity when it was new.
    """

    token: str = field(repr=False)
    granted_at: float
    seconds: float
    renewable: bool
    first_seconds: float

    @property
    def renew_at(self) -> float:
        """The time at which it has to be renewed."""
        return self.granted_at + self.seconds * RENEWAL_SHARE

    @property
    def expires_at(self) -> float:
        """The time at which it expires."""
        return self.granted_at + self.seconds


class TokenManager:
    """The tokens of a source, one at a time.

    https://developer.hashicorp.com/vault/api-docs/auth/token

    Args:
        auth: the way to get a token.
        clock: a monotonic clock, in seconds.
        request: makes a request, and raises an error for a response that any request could have.

    Attributes:
        lease: the current token, or None.
    """

    def __init__(
        self,
        auth: TokenAuth | VaultLogin,
        clock: Callable[[], float],
        request: Callable[[Callable[[], Any]], VaultResponse],
    ) -> None:
        self._auth = auth
        self._clock = clock
        self._request = request
        self.lease: TokenLease | None = None

    def apply(self, client: Any) -> bool:
        """Set a valid token in a client of hvac.

        Returns:
            Whether the token is new.

        Raises:
            SourceError: a valid token is missing.
        """
        if isinstance(self._auth, TokenAuth):
            token = self._auth.token()
            client.token = token
            if self.lease is None or self.lease.token != token:
                self._look_up(client, token)
                return True
        elif self.lease is None or self._clock() >= self.lease.expires_at:
            return self.log_in(client)
        lease = self.lease
        client.token = lease.token
        if self._clock() < lease.renew_at:
            return False
        renewed = self._renew(client, lease) if lease.renewable else None
        if isinstance(self._auth, VaultLogin) and (
            renewed is None or renewed.seconds < renewed.first_seconds * _MIN_RENEWED_SHARE
        ):
            return self.log_in(client)
        # Without a login there is no other token: use this one until it expires.
        self.lease = renewed or replace(lease, renewable=False)
        return False

    def log_in(self, client: Any) -> bool:
        """Get a new token by a login (``auth/<mount>/login``), if there is one.

        Returns:
            Whether there is.

        Raises:
            SourceError: the login is refused.
        """
        auth = self._auth
        if isinstance(auth, TokenAuth):
            return False
        self.lease = None
        client.token = ""
        now = self._clock()
        response = self._request(lambda: auth.log_in(client))
        path = f"auth/{auth.mount}/login"
        if response.status == 404:
            raise SourceError(f"404: {path} does not exist: check the mount")
        if response.status != 200:
            raise SourceError(f"{response.status}: {path} was refused: {auth.hint}")
        granted = require_object(response.body.get("auth"))
        token = granted.get("client_token")
        if not isinstance(token, str):
            raise SourceError(_UNEXPECTED)
        seconds = get_seconds(granted, "lease_duration") or inf
        renewable = granted.get("renewable") is True
        client.token = check_token(token, "the response of the login")
        self.lease = TokenLease(token, now, seconds, renewable, seconds)
        return True

    def seconds_until_renewal(self) -> float:
        """Return the seconds until the token has to be renewed or replaced; infinite for never."""
        lease = self.lease
        if lease is None or not (lease.renewable or isinstance(self._auth, VaultLogin)):
            return inf
        return lease.renew_at - self._clock()

    def _look_up(self, client: Any, token: str) -> None:
        """Look up the validity of a token (``auth/token/lookup-self``)."""
        now = self._clock()
        response = self._request(client.auth.token.lookup_self)
        # A token may lack that permission: reading the secret will show whether it is valid.
        seconds, renewable = inf, False
        if response.status == 200:
            data = require_object(response.body.get("data"))
            seconds = get_seconds(data, "ttl") or inf
            renewable = data.get("renewable") is True
        self.lease = TokenLease(token, now, seconds, renewable, seconds)

    def _renew(self, client: Any, lease: TokenLease) -> TokenLease | None:
        """Renew a token (``auth/token/renew-self``), or return None if that is refused."""
        now = self._clock()
        response = self._request(client.auth.token.renew_self)
        if response.status != 200:
            return None
        granted = require_object(response.body.get("auth"))
        seconds = get_seconds(granted, "lease_duration") or inf
        renewable = granted.get("renewable") is True
        return replace(lease, granted_at=now, seconds=seconds, renewable=renewable)


def require_object(found: object) -> Mapping[str, Any]:
    """Return a JSON object of a response.

    Raises:
        SourceError: it is not an object.
    """
    if not isinstance(found, dict):
        raise SourceError(_UNEXPECTED)
    return found


def get_seconds(found: Mapping[str, Any], name: str) -> float:
    """Return a member that is a number of seconds; 0 if it is missing.

    Raises:
        SourceError: it is not a number of seconds.
    """
    seconds = found.get(name, 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise SourceError(_UNEXPECTED)
    if not 0 <= seconds <= _MAX_SECONDS:
        raise SourceError(_UNEXPECTED)
    return float(seconds)
