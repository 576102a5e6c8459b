"""`Introspection`: tokens that their provider is asked about (RFC 7662).

For opaque tokens, and for those that have to be invalid as soon as the provider has revoked them.
The provider is asked about a token that is not in the cache; how many requests it gets at a time is
bounded, and several requests with the same token cost one. Only valid tokens are cached, by their
SHA-256 digest, and never past their end. A wrong token is not cached, since anyone can make up any
number of them: each costs a request to the provider, so limit the rate of clients before.

If the provider does not respond, or its response is unusable, a token that is not in the cache is
neither valid nor invalid: the response is 503 with ``Retry-After``. After three failures in a row
the provider is left alone for a while.

Signed responses (RFC 9701) are not supported: the response comes from the provider by TLS.
"""

import logging
import os
import re
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from hashlib import sha256
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from mantlet._internal.event_loop import wait_for
from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.options import KnowsOptions, check_int, check_number
from mantlet.authentication.client_credentials import (
    Client,
    check_client,
    client_authorization,
)
from mantlet.authentication.errors import AuthenticationUnavailable, InvalidCredential
from mantlet.authentication.http import (
    ProviderError,
    check_tls,
    check_url,
    parse_document,
    send,
)
from mantlet.authentication.jwt.cache import TokenCache
from mantlet.authentication.jwt.claims import frozen
from mantlet.authentication.jwt.options import check_path, check_text, check_texts
from mantlet.authentication.scheme import Scheme
from mantlet.authentication.threads import Busy, ShortThreads
from mantlet.core.identity import Identity
from mantlet.core.policy import HealthState
from mantlet.core.request import Request

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Introspection"]

_log = logging.getLogger("mantlet.authentication")

#: The longest token, in characters: that of a JWT with many claims.
_MAX_TOKEN: Final = 8192
#: The syntax of a bearer token (RFC 6750, 2.1).
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]++=*+")
_MAX_RESPONSE: Final = 64 * 1024
_DURATION: Final = re.compile(r"(\d{1,6})(s|m|h)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_MAX_CACHE: Final = 3600.0
#: The most memory of the cache, in bytes: a response may have up to 64 KiB.
_MAX_CACHE_MEMORY: Final = 64 * 1024 * 1024
#: Seconds by which the clocks of the provider and of this machine may differ, for ``nbf``.
_CLOCK_SKEW: Final = 5.0
#: Consecutive failures after which the provider is left alone, and for how many seconds: the first
#: pause, which each failure doubles, and the longest.
_FAILURES: Final = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
#: Requests for other tokens that may wait for each one that the provider is working on.
_WAITING_SHARE: Final = 16
#: The least share of its time that a request may have left when a thread is free for it: with less
#: it would fail, which would count as a failure of the provider.
_LEAST_SHARE: Final = 0.1
#: Claims that tell the kind of a token, each with the values of access tokens: refresh tokens and
#: ID tokens can be introspected too. RFC 6749, 7.1, and RFC 9449, 5; Keycloak; Ory Hydra.
_KINDS: Final = (
    ("token_type", frozenset({"bearer", "dpop"})),
    ("typ", frozenset({"bearer", "dpop", "at+jwt"})),
    ("token_use", frozenset({"access", "access_token"})),
)


class Introspection(KnowsOptions, Scheme):
    """Ask the provider whether a token is valid (RFC 7662).

    With `Jwt`, it gets the tokens that no `Jwt` accepts.

    Args:
        url: the provider's introspection endpoint.
        client: the credentials of this API at the endpoint, sent by HTTP Basic (RFC 6749, 2.3.1):
            a pair of id and secret; an object with the attributes ``client_id`` and
            ``client_secret``, or a `mantlet.SecretLoader` of such a model; or a function that
            returns a pair. All but the pair are read for each request to the provider, so that a
            secret can be replaced. Each part is a string or a `mantlet.Secret`.
        cache: how long the provider's word on a valid token counts, such as ``"30s"`` or ``"5m"``,
            or in seconds; 0 for one request. A token revoked meanwhile stays valid for as long.
        cache_size: the most tokens in the cache, which take at most 64 MiB.
        issuer: what ``iss`` has to be, if the provider tells it; None to accept any.
        audience: one of these has to be in ``aud``; None to accept any, for a provider that does
            not tell it, since each client of the provider is then trusted with its tokens.
        roles: the claim that has a list of roles: its name, or a JSON Pointer (RFC 6901) such as
            ``"/realm_access/roles"``.
        timeout: seconds for the provider's response.
        concurrency: the most requests to the provider at a time, in this process.
        tls: for the certificate check, if the provider's authority is not one that this machine
            trusts, or if the provider wants a client certificate.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: an option is invalid; the message names it.
    """

    name = "introspection"
    source = "Bearer"
    authorization = ("Bearer", "DPoP")
    challenge = "Bearer"

    def __init__(
        self,
        url: str,
        *,
        client: Client,
        cache: str | float = "30s",
        cache_size: int = 10_000,
        issuer: str | None = None,
        audience: str | Collection[str] | None = None,
        roles: str | None = None,
        timeout: float = 5.0,
        concurrency: int = 16,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = check_url("url", url)
        self._client = check_client(client)
        self._lifetime = _check_duration("cache", cache)
        self._issuer = None if issuer is None else check_text("issuer", issuer)
        self._audience = None if audience is None else check_texts("audience", audience)
        self._roles = check_path("roles", roles)
        self._timeout = check_number("timeout", timeout, most=60.0)
        self._tls = check_tls(tls)
        concurrency = check_int("concurrency", concurrency, most=256, unit="requests")
        self._threads = ShortThreads(concurrency, concurrency * _WAITING_SHARE)
        self._cache = TokenCache(
            check_int("cache_size", cache_size, unit="tokens"), _MAX_CACHE_MEMORY
        )
        #: By the process, as one that was forked has none of its parent's threads.
        self._flights: dict[tuple[int, bytes], Future[_Outcome]] = {}
        self._lock = ForkSafeLock()
        self._failures = 0
        self._failed_at = self._retry_at = -inf
        self._throttle = LogThrottle(_log)

    def verify(self, request: Request, credential: str) -> Identity | Awaitable[Identity]:
        """Return whose token it is.

        Raises:
            InvalidCredential: it is malformed, or not valid for this API.
            AuthenticationUnavailable: the provider can't be asked now.
        """
        digest = sha256(credential.encode("utf-8", "surrogatepass")).digest()
        entry = self._cache.get(digest)
        if entry is not None and entry.until > time():
            return entry.identity
        if len(credential) > _MAX_TOKEN or not _TOKEN.fullmatch(credential):
            raise InvalidCredential("the token is too long or malformed", error="invalid_token")
        return self._introspect(digest, credential)

    def health(self) -> HealthState:
        """Return ``"stale"`` while the provider is away: tokens in the cache are accepted.

        Never ``"down"``: only requests with tokens find out that the provider has returned.
        """
        return "stale" if self._failures >= _FAILURES else "ok"

    async def _introspect(self, digest: bytes, token: str) -> Identity:
        deadline = monotonic() + self._timeout
        future = self._join(digest, token, deadline)
        if not await wait_for(future, deadline - monotonic()):
            # It waits for a thread, or a thread waits for the addresses of the provider's host.
            raise AuthenticationUnavailable("the provider is busy", retry_after=1.0)
        # Requests with the same token share the outcome, but not an exception with a traceback.
        outcome = future.result()
        if isinstance(outcome, Identity):
            return outcome
        raise outcome()

    def _join(self, digest: bytes, token: str, deadline: float) -> "Future[_Outcome]":
        """Return the provider's word on a token, for which another request may have asked."""
        flight = os.getpid(), digest
        with self._lock.plain:
            future = self._flights.get(flight)
            if future is not None:
                return future
            pause = self._retry_at - monotonic()
            if pause > 0:
                raise AuthenticationUnavailable("the provider is away", retry_after=pause)
            try:
                future = self._threads.submit(partial(self._ask, flight, token, deadline))
            except Busy:
                raise AuthenticationUnavailable(
                    "too many tokens are waiting for the provider", retry_after=1.0
                ) from None
            self._flights[flight] = future
            if self._failures >= _FAILURES:  # this request finds out whether it has returned
                self._retry_at = deadline
        return future

    def _ask(self, flight: tuple[int, bytes], token: str, deadline: float) -> "_Outcome":
        """Ask the provider about a token, in a thread."""
        outcome: _Outcome
        began = monotonic()
        try:
            if deadline - began < self._timeout * _LEAST_SHARE:
                return partial(AuthenticationUnavailable, "the provider is busy", retry_after=1.0)
            outcome = self._judge(parse_document(self._fetch(token, deadline)))
        except InvalidCredential as error:
            outcome = partial(InvalidCredential, error.reason, error="invalid_token")
        except ProviderError as error:
            return self._note_failure(error, began)
        finally:
            with self._lock.plain:
                self._flights.pop(flight, None)
        self._note_success()
        if isinstance(outcome, Identity):
            self._remember(flight[1], outcome)
        return outcome

    def _fetch(self, token: str, deadline: float) -> bytes:
        form = urlencode({"token": token, "token_type_hint": "access_token"})
        headers = {"Authorization": client_authorization(self._client)}
        return send(
            self._url,
            deadline=deadline,
            max_size=_MAX_RESPONSE,
            headers=headers,
            form=form,
            tls=self._tls,
        ).body

    # Any: a JSON object.
    def _judge(self, claims: dict[str, Any]) -> Identity:
        """Return whose token it is, by the provider's response (RFC 7662, 2.2).

        Raises:
            InvalidCredential: the token is not valid for this API.
            ProviderError: the response is malformed.
        """
        active = claims.pop("active", None)
        if active is False:
            raise InvalidCredential("the provider says that the token is not active")
        if active is not True:
            raise ProviderError('sent a response whose "active" is neither true nor false')
        expires = _get_number(claims, "exp")
        not_before = _get_number(claims, "nbf")
        now = time()
        if expires is not None and expires <= now:
            raise InvalidCredential("the token has expired")
        if not_before is not None and not_before > now + _CLOCK_SKEW:
            raise InvalidCredential("the token is not valid yet")
        for name, kinds in _KINDS:
            kind = _get_text(claims, name)
            if kind is not None and kind.lower() not in kinds:
                raise InvalidCredential("the token is not an access token")
        if self._issuer is not None and claims.get("iss") != self._issuer:
            raise InvalidCredential("the token is from another issuer")
        if self._audience is not None and self._audience.isdisjoint(_as_texts(claims.get("aud"))):
            raise InvalidCredential("the token is for another audience")
        subject = _get_text(claims, "sub") or _get_text(claims, "client_id")
        if not subject:
            raise InvalidCredential("the token has neither sub nor client_id")
        return Identity(
            subject,
            self.name,
            scopes=frozenset((_get_text(claims, "scope") or "").split(" ")) - {""},
            roles=frozenset(_as_texts(_find(claims, self._roles))),
            claims=frozen(claims),
            expires=expires,
        )

    def _remember(self, digest: bytes, identity: Identity) -> None:
        if not self._lifetime:
            return
        until = time() + self._lifetime
        if identity.expires is not None:
            until = min(until, identity.expires)
        self._cache.add(digest, identity, 0, until)

    def _note_success(self) -> None:
        with self._lock.plain:
            was_away = self._failures >= _FAILURES
            self._failures, self._retry_at = 0, -inf
        if was_away:
            _log.warning("Introspection: the provider responds again")

    def _note_failure(self, error: ProviderError, began: float) -> "_Outcome":
        with self._lock.plain:
            now = monotonic()
            # Of those made at the same time, some may fail after the provider counts as away.
            if self._failures < _FAILURES or began > self._failed_at:
                self._failures += 1
                self._failed_at = now
                pause = error.retry_after
                if self._failures >= _FAILURES:
                    doubled = _FIRST_PAUSE * 2 ** min(self._failures - _FAILURES, 10)
                    pause = max(pause, min(doubled, _LONGEST_PAUSE))
                self._retry_at = now + pause
            retry_after = max(1.0, self._retry_at - now)
        suppressed = self._throttle.suppressed(error.reason)
        if suppressed is not None:
            more = f" (and {suppressed} more like it)" if suppressed else ""
            _log.warning("Introspection: the provider %s%s", error.reason, more)
        return partial(
            AuthenticationUnavailable, f"the provider {error.reason}", retry_after=retry_after
        )


#: Whose token it is, or what makes the exception that says why this is not known.
_Outcome = Identity | Callable[[], InvalidCredential | AuthenticationUnavailable]


def _check_duration(option: str, value: str | float) -> float:
    """Return an option that is a duration, in seconds."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None:
            raise ValueError(
                f'{option} must be a number with a unit, such as "30s", "5m" or "1h", not {value!r}'
            )
        value = int(match[1]) * _UNITS[match[2]]
    return check_number(option, value, least=0, most=_MAX_CACHE)


# Any: JSON values.
def _find(claims: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = claims
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if path else []


def _as_texts(value: Any) -> list[str]:
    """Return the strings of a claim that is a string or an array of them; none of another."""
    values = value if isinstance(value, list) else [value]
    return values if all(isinstance(one, str) for one in values) else []


def _get_text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ProviderError(f'sent a response whose "{name}" is not a string')


def _get_number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProviderError(f'sent a response whose "{name}" is not a number')
    return float(value)
