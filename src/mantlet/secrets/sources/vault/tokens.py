"""The token that a Vault is asked with: had, renewed, and had anew."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Final

from mantlet.secrets.sources.source import SourceError
from mantlet.secrets.sources.vault.auth import TokenAuth, VaultLogin, usable

if TYPE_CHECKING:
    from mantlet.secrets.sources.vault.http import Answer

__all__ = ["SHARE", "Lease", "Tokens", "json_object", "number"]

#: Of a lease, after which it is renewed: Vault's own agent does so too.
SHARE: Final = 2 / 3
#: Of a login's lease. A renewal that grants less nears the token's end: a new login is better.
_WORN: Final = 1 / 2
_STRANGE: Final = "answers with something else than its API's pages say"


@dataclass(frozen=True, slots=True)
class Lease:
    """A token, and how long it is good.

    Attributes:
        token: the token.
        since: when it was granted or renewed, by the clock of leases.
        seconds: how long it is good from then on; infinite where it does not end.
        renewable: whether it can be renewed.
        first: how long it was good when it was new, in seconds.
    """

    token: str = field(repr=False)
    since: float
    seconds: float
    renewable: bool
    first: float

    @property
    def due(self) -> float:
        """When it is to be renewed."""
        return self.since + self.seconds * SHARE

    @property
    def end(self) -> float:
        """When it is good no more."""
        return self.since + self.seconds


class Tokens:
    """The tokens of one source, of which it has one at a time.

    https://developer.hashicorp.com/vault/api-docs/auth/token

    Args:
        auth: how they are had.
        clock: seconds, from any beginning.
        ask: makes a request, and raises what has nothing to do with what was asked.

    Attributes:
        lease: the token of now.
    """

    def __init__(
        self,
        auth: TokenAuth | VaultLogin,
        clock: Callable[[], float],
        ask: Callable[[Callable[[], Any]], "Answer"],
    ) -> None:
        self._auth = auth
        self._clock = clock
        self._ask = ask
        self.lease: Lease | None = None

    def apply(self, client: Any) -> bool:
        """Have hvac's client use a token that is good; return whether it is a new one.

        Raises:
            SourceError: none is to be had.
        """
        if isinstance(self._auth, TokenAuth):
            token = self._auth.token()
            client.token = token
            if self.lease is None or self.lease.token != token:
                self._look_up(client, token)
                return True
        elif self.lease is None or self._clock() >= self.lease.end:
            return self.log_in(client)
        lease = self.lease
        client.token = lease.token
        if self._clock() < lease.due:
            return False
        renewed = self._renewed(client, lease) if lease.renewable else None
        if isinstance(self._auth, VaultLogin) and (
            renewed is None or renewed.seconds < renewed.first * _WORN
        ):
            return self.log_in(client)
        # Where nothing else is to be had: until it ends, it is good.
        self.lease = renewed or replace(lease, renewable=False)
        return False

    def log_in(self, client: Any) -> bool:
        """Have a new token by a login (``auth/<mount>/login``), if that is the way.

        Returns:
            Whether it is.

        Raises:
            SourceError: the login is refused.
        """
        auth = self._auth
        if isinstance(auth, TokenAuth):
            return False
        self.lease = None
        client.token = ""
        now = self._clock()
        answer = self._ask(lambda: auth.log_in(client))
        where = f"auth/{auth.mount}/login"
        if answer.status == 404:
            raise SourceError(f"404: there is no {where}: is the mount another?")
        if answer.status != 200:
            raise SourceError(f"{answer.status}: {where} is refused: {auth.hint}")
        granted = json_object(answer.body.get("auth"))
        token = granted.get("client_token")
        if not isinstance(token, str):
            raise SourceError(_STRANGE)
        seconds = number(granted, "lease_duration") or inf
        renewable = granted.get("renewable") is True
        client.token = usable(token, "what the login gave")
        self.lease = Lease(token, now, seconds, renewable, seconds)
        return True

    def until_due(self) -> float:
        """Return the seconds until the token has to be renewed, or had anew, if it can be."""
        lease = self.lease
        if lease is None or not (lease.renewable or isinstance(self._auth, VaultLogin)):
            return inf
        return lease.due - self._clock()

    def _look_up(self, client: Any, token: str) -> None:
        """Ask how long a token is good (``auth/token/lookup-self``)."""
        now = self._clock()
        answer = self._ask(client.auth.token.lookup_self)
        # A token need not be allowed to do so: reading will tell whether it is good.
        seconds, renewable = inf, False
        if answer.status == 200:
            data = json_object(answer.body.get("data"))
            seconds = number(data, "ttl") or inf
            renewable = data.get("renewable") is True
        self.lease = Lease(token, now, seconds, renewable, seconds)

    def _renewed(self, client: Any, lease: Lease) -> Lease | None:
        """Renew a token (``auth/token/renew-self``); None if that is refused."""
        now = self._clock()
        answer = self._ask(client.auth.token.renew_self)
        if answer.status != 200:
            return None
        granted = json_object(answer.body.get("auth"))
        seconds = number(granted, "lease_duration") or inf
        renewable = granted.get("renewable") is True
        return replace(lease, since=now, seconds=seconds, renewable=renewable)


def json_object(found: object) -> Mapping[str, Any]:
    """Return an object of an answer's.

    Raises:
        SourceError: it is none.
    """
    if not isinstance(found, dict):
        raise SourceError(_STRANGE)
    return found


def number(found: Mapping[str, Any], name: str) -> float:
    """Return seconds of an answer's; 0 where there are none.

    Raises:
        SourceError: they are none.
    """
    seconds = found.get(name, 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise SourceError(_STRANGE)
    if not 0 <= seconds <= _LONGEST:
        raise SourceError(_STRANGE)
    return float(seconds)


#: Longer than any lease, in seconds; and so short that it can be a float.
_LONGEST: Final = 1e12
