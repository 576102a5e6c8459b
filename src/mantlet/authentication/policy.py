"""`Authenticator`: who is asking.

Every request needs a credential that one of the schemes accepts, except on routes that are public.
The app reads who it was in ``mantlet.state(request).identity``.

A request with a credential in two places, such as a token and an API key, is refused with 400,
since the app might take the other one. Tokens in queries and forms are ignored: they end up in logs
and histories (RFC 9700, 4.3.2). Cookies and certificates, which browsers and connections add by
themselves, count only where a request has no other credential.

On a public route nothing is refused. A credential that is valid there is used; with any other, or
none, the request is anonymous, so that a stale cookie does not keep anyone from logging in again. A
route is public only if its path is spelled as the pattern, slashes included, and if all readings of
it are public, with its method and with any that a header puts in its place
(``X-HTTP-Method-Override``).

Clients are told that a credential is invalid, not why: the reason goes to the log
``mantlet.authentication``, which never has any part of the credential.

Shared caches don't store responses to requests with ``Authorization`` (RFC 9111, 3.5), but can't
know which other headers are credentials. So responses to API keys, sessions and certificates get
``Cache-Control: private``, unless they say themselves that caches may store them.

It does not log anyone in: it has no pages, no users and no authorization server.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mantlet._internal.coroutines import start_eagerly
from mantlet._internal.log_throttle import LogThrottle
from mantlet.authentication.callbacks import call, check_callback
from mantlet.authentication.challenges import CREDENTIAL_ERRORS, Challenges, CredentialError
from mantlet.authentication.credential_finder import (
    BEARER,
    DPOP,
    CredentialFinder,
    CredentialSource,
)
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.possession.binding import check_binding
from mantlet.authentication.possession.client_certificate import ClientCertificate
from mantlet.authentication.possession.dpop import Dpop
from mantlet.authentication.scheme import Scheme
from mantlet.core.error_log import logged_method
from mantlet.core.exact_routes import ExactRoutes
from mantlet.core.identity import Identity
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Close, HealthState, Policy
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView
from mantlet.core.response import Reply, Response

__all__ = ["Authenticator"]

_log: Final = logging.getLogger("mantlet.authentication")

#: A close code for applications (RFC 6455, 7.4.2): 4401, as 401 of HTTP.
_EXPIRED: Final = Close(4401, "The credential has expired.")
#: RFC 9111, 3.5: with one of these a shared cache may store a response to ``Authorization``; with
#: the others none stores it.
_STORABLE: Final = frozenset(("public", "s-maxage", "must-revalidate", "private", "no-store"))

#: Returns the app's own object for an identity; None if there is none, which refuses the request.
LoadUser = Callable[[Identity], Any]


class Authenticator(Policy):
    """Refuse requests without a valid credential with 401, except on public routes.

    The app finds the `Identity` in ``mantlet.state(request).identity``.

    Args:
        schemes: the kinds of credentials that are accepted, such as `Jwt` or `ApiKeys`. Of those
            that read the same header the first that accepts a credential verifies it.
        public: patterns of the routes that need no credential, such as ``"GET /health"``;
            ``"OPTIONS *"`` is the same as ``"OPTIONS /*"``.
        dpop: verifies that a client has the key of its token (RFC 9449).
        realm: names the protected routes in challenges (RFC 9110, 11.5).
        user: a function (``def`` or ``async def``) of the identity that returns the app's own
            object for it, `Identity.user`; None if there is none, which refuses the request.
        close_expired: whether a WebSocket is closed with 4401 when its credential expires.
        mode: ``"enforce"``; ``"report"`` to decide and log without refusing and without an
            identity; ``"off"``; or a mapping of route patterns to these.

    Raises:
        TypeError: an option is of the wrong type, or there is no scheme.
        ValueError: an option has an invalid value, or a scheme would never be used.
    """

    position = 60
    authenticates = True

    def __init__(
        self,
        *schemes: Scheme,
        public: Iterable[str] = (),
        dpop: Dpop | None = None,
        realm: str = "api",
        user: LoadUser | None = None,
        close_expired: bool = False,
        mode: ModeOption = "enforce",
    ) -> None:
        for scheme in schemes:
            if not isinstance(scheme, Scheme):  # nor shown, since it may be a credential
                raise TypeError(
                    "a scheme must be one such as Jwt(...), "
                    f"not an object of type {type(scheme).__name__}"
                )
        if not schemes:
            raise TypeError("an Authenticator needs a scheme such as Jwt(...) or ApiKeys(...)")
        self.mode = check_mode(mode)
        self._schemes = schemes
        if dpop is not None and not isinstance(dpop, Dpop):
            raise TypeError(f"dpop must be a Dpop(...), not {type(dpop).__name__}")
        self._dpop = dpop
        #: What is started and stopped.
        self._parts: tuple[Scheme | Dpop, ...] = schemes if dpop is None else (*schemes, dpop)
        certificates = [one for one in schemes if isinstance(one, ClientCertificate)]
        self._certificate = certificates[0] if certificates else None
        self.trusted_headers = frozenset().union(*(one.trusted_headers for one in schemes))
        self._public = ExactRoutes("public", public)
        self._user = None if user is None else check_callback("user", user)
        self._finder = finder = CredentialFinder(schemes, takes_dpop=dpop is not None)
        self.request_headers = finder.names
        #: Where credentials are read; see `source()`.
        self.sources = finder.places
        if not isinstance(close_expired, bool):
            raise TypeError(f"close_expired must be True or False, not {close_expired!r}")
        self._close_expired = close_expired
        #: Whether there is more to do with an identity than to tell who it is.
        self._remembers = close_expired or finder.has_private
        self._challenges = Challenges(_challenges(schemes, dpop), realm)
        self._throttle = LogThrottle(_log)
        self.disabled_hooks = _disabled_hooks(
            schemes, has_dpop=dpop is not None, is_private=finder.has_private
        )

    # -- requests ---------------------------------------------------------------------------------

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Verify the request's credential, and let the request pass if it is valid."""
        try:
            identity = self._authenticate(request)
        except CREDENTIAL_ERRORS as error:
            return self._decide(request, error)
        if not isinstance(identity, Identity):
            if identity is None:
                return self._decide(request, None)
            return start_eagerly(self._decide_later(request, identity))
        self._accept(request, identity)
        return None

    async def _decide_later(
        self, request: Request, waiting: Awaitable[Identity | None]
    ) -> Reply | None:
        try:
            identity = await waiting
        except CREDENTIAL_ERRORS as error:
            return self._decide(request, error)
        self._accept(request, identity)
        return None

    def _accept(self, request: Request, identity: Identity | None) -> None:
        """Tell the app and the other policies who is asking."""
        state = request.state
        state.identity = identity
        state._authentication = self
        if identity is None or not self._remembers:
            return
        if state._credential.is_private:
            # For `on_response`: an inner policy of this kind may find another identity, or none.
            request.local(self)["is_private"] = True
        if self._close_expired and identity.expires is not None and request.protocol != "http":
            request.close_at(identity.expires, _EXPIRED)

    def _decide(self, request: Request, error: CredentialError | None) -> Reply | None:
        """Decide about a request without a valid credential: public routes take it as anonymous."""
        if not self._public.include(request):
            return self._problem(request, error).reply(request)
        if error is not None:
            self._report(request, "took for anonymous", error.reason)
        self._accept(request, None)
        return None

    def _authenticate(self, request: Request) -> Identity | Awaitable[Identity] | None:
        """Return who is asking; None without a credential.

        Raises:
            CredentialError: the credential is not accepted.
        """
        found = self._finder.find(request)
        if found is None:
            return None
        source, credential = found
        request.state._credential = source
        scheme = source.last
        for earlier in source.earlier:
            if earlier.accepts(credential):
                scheme = earlier
                break
        identity = scheme.verify(request, credential)
        if not isinstance(identity, Identity):
            return self._complete_later(request, identity, source, credential)
        if self._user is not None or "cnf" in identity.claims or source.name == DPOP:
            return self._complete(request, identity, source, credential)
        return identity

    async def _complete_later(
        self,
        request: Request,
        waiting: Awaitable[Identity],
        source: CredentialSource,
        credential: str,
    ) -> Identity:
        return await self._complete(request, await waiting, source, credential)

    async def _complete(
        self, request: Request, identity: Identity, source: CredentialSource, credential: str
    ) -> Identity:
        """Check that the client has the key that a token is bound to, and load the user."""
        if not source.is_private:
            checking = check_binding(
                request,
                identity.claims,
                credential,
                is_dpop=source.name == DPOP,
                dpop=self._dpop,
                certificate=self._certificate,
            )
            if checking is not None:
                await checking
        if self._user is not None:
            user = await call(request, self._user, identity)
            if user is None:
                code = "invalid_token" if source.name in (BEARER, DPOP) else ""
                raise InvalidCredential("user knows no such subject", error=code)
            identity = replace(identity, user=user)
        return identity

    def on_response(self, request: Request, response: Response) -> None:
        """Keep shared caches from storing a response to a credential that they don't know."""
        if not request.local(self).get("is_private"):
            return
        directives = ",".join(response.headers.getall("Cache-Control"))
        names = {one.partition("=")[0].strip().lower() for one in directives.split(",")}
        if names.isdisjoint(_STORABLE):
            response.headers.append("Cache-Control", "private")

    # -- for other policies -----------------------------------------------------------------------

    async def identify(self, request: Request, *, optional: bool = False) -> Identity | None:
        """Return who is asking; see `Authentication`."""
        state = request.state
        # In report mode this policy is known, and the identity is not.
        if state._authentication is not self or "identity" not in vars(state):
            try:
                identity = self._authenticate(request)
                if identity is not None and not isinstance(identity, Identity):
                    identity = await identity
            except CREDENTIAL_ERRORS as error:
                if not optional:
                    raise self._problem(request, error) from None
                self._report(request, "took for anonymous", error.reason)
                identity = None
            self._accept(request, identity)
            if identity is not None and state._credential.is_private:
                # This policy need not be in the stack, and so may have no `on_response` here.
                request.add_response_header("Cache-Control", "private", unless_set=True)
        return state.identity

    def source(self, request: Request) -> str:
        """Return where the credential of an identified request was; see `Authentication`."""
        credential = request.state._credential
        return "" if credential is None else credential.place

    def unauthorized(self) -> Problem:
        """Return the response to a request without a credential; see `Authentication`."""
        return self._challenges.missing()

    def insufficient_scope(self, scopes: Collection[str]) -> Problem:
        """Return the response to a credential without a scope; see `Authentication`."""
        return self._challenges.insufficient_scope(scopes)

    def _problem(self, request: Request, error: CredentialError | None) -> Problem:
        """Return the response to a request that is refused, and log why."""
        if error is None:
            return self._challenges.missing()
        self._report(request, "refused", error.reason)
        source = request.state._credential
        return self._challenges.refusal(error, "" if source is None else source.name)

    def _report(self, request: Request, action: str, reason: str) -> None:
        """Log why a credential is not accepted, throttled."""
        suppressed = self._throttle.suppressed(f"{action}: {reason}")
        if suppressed is None:
            return
        method, request_id = logged_method(request), request.state._request_id or "-"
        _log.warning(
            "Authenticator %s%s a request: %s (%s request %s)%s",
            "would have " if isinstance(request, RequestView) else "",
            action,
            reason,
            method,
            request_id,
            f" (and {suppressed} more like it)" if suppressed else "",
            extra={"policy": "Authenticator", "request_id": request_id, "method": method},
        )

    # -- outside of exchanges ---------------------------------------------------------------------

    async def startup(self) -> None:
        """Start every scheme."""
        for scheme in self._parts:
            waiting = scheme.startup()
            if waiting is not None:
                await waiting

    def needs_startup(self, request: Request) -> bool:
        """Return whether the request is not on a public route."""
        return not self._public.include(request)

    async def shutdown(self) -> None:
        """Stop every scheme."""
        for scheme in self._parts:
            waiting = scheme.shutdown()
            if waiting is not None:
                await waiting

    async def health(self) -> Mapping[str, HealthState]:
        """Return the state of each scheme that depends on a provider, and of `Dpop`."""
        found: dict[str, HealthState] = {}
        for scheme in self._schemes:
            if type(scheme).health is not Scheme.health:
                name, count = scheme.name, 1
                while name in found:
                    count += 1
                    name = f"{scheme.name} {count}"
                found[name] = scheme.health()
        if self._dpop is not None:
            found["dpop"] = await self._dpop.health()
        return found


def _challenges(schemes: Sequence[Scheme], dpop: Dpop | None) -> list[str]:
    """Return the challenges; of a stack without any, one of its first scheme (RFC 9110, 15.5.2)."""
    found = [scheme.challenge for scheme in schemes if scheme.challenge]
    if dpop is not None:
        found.append(dpop.challenge)
    return found or [schemes[0].name.replace("_", "-")]


def _disabled_hooks(
    schemes: Sequence[Scheme], *, has_dpop: bool, is_private: bool
) -> frozenset[str]:
    """Return the hooks that have nothing to do."""
    disabled = set() if is_private else {"on_response"}
    for name in ("startup", "shutdown", "health"):
        own = getattr(Scheme, name)
        if not has_dpop and all(getattr(type(scheme), name) is own for scheme in schemes):
            disabled.add(name)
    return frozenset(disabled)
