"""`Authorizer`: who may do what, by rules on routes.

Each route has a rule, `Allow`, that says which identity may use it: by the scopes of its
credential, the roles of its subject, its authentication context, or any claim. `Authenticator`,
around it, says whose identity it is. A request that no rule matches is refused. Who may use a very
object is for the app to ask, by `mantlet.authorize()`; a rule with ``check="object"`` finds views
that do not ask, the most common hole of APIs (OWASP API1:2023, broken object level authorization).

A rule holds for every spelling of a path and a method that the app may take for its route: see
`mantlet.http.routing` for the readings of a path, all of which must be allowed. It holds for
whatever case letters have, for HEAD, for the handshake of a WebSocket, which is a GET, and for a
method in ``X-HTTP-Method-Override``. It holds as well for paths that the app's own router, where
it can be read, gives to a route that it tries earlier.

When it is unsafe: if a middleware of the app replaces the path, or replaces the method by a form
field; if the app does something else for another host or header under the same path; if a view
asks `mantlet.authorize()` for another object than it shows.

What it costs: one look-up for a request that was seen before.
"""

import logging
from collections.abc import Awaitable, Collection, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from mantlet._internal.coroutines import start_eagerly
from mantlet._internal.log_throttle import LogThrottle
from mantlet.authorization.access_rules import AccessRules, MatchedRules
from mantlet.authorization.documents import DocumentOption, document_rules
from mantlet.authorization.engine import Engine
from mantlet.authorization.hidden import restore_path, unroutable_path
from mantlet.authorization.redirects import is_slash_redirect
from mantlet.authorization.route_coverage import routes_without_rules
from mantlet.authorization.rules import AccessRule, Allow, Missing
from mantlet.core.error_log import logged_method
from mantlet.core.identity import Identity
from mantlet.core.listed_routes import ListedRoute
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Policy
from mantlet.core.preflight import METHOD_OVERRIDE_NAMES, may_replace_method
from mantlet.core.problem import FixedProblem, Problem
from mantlet.core.request import Request
from mantlet.core.request_view import RequestView
from mantlet.core.response import Reply, Response
from mantlet.core.state import state_of

__all__ = ["AccessRow", "AccessTable", "Authorizer"]

_log: Final = logging.getLogger("mantlet.authorization")
_FORBIDDEN: Final = FixedProblem(403)
_NOT_FOUND: Final = FixedProblem(404)
_NEVER_ASKED: Final = FixedProblem(500)
#: The kinds of identities whose credential is a token, to which RFC 6750 and RFC 9470 apply.
_TOKENS: Final = frozenset({"jwt", "introspection"})
_REASONS: Final = {
    "acr": "another authentication context is needed",
    "claim": "a claim is missing or has another value",
    "role": "a role is missing",
    "scheme": "another kind of credential is needed",
    "scope": "a scope is missing",
}


class AccessRow(NamedTuple):
    """One line of `Authorizer.table()`.

    Attributes:
        route: the route pattern.
        needs: who may use it, in words.
        check: ``"object"`` if the view must ask, else empty.
        hidden: whether refusals look as if the route did not exist.
        source: ``"rules"``, ``"openapi"``, or ``"unmatched"`` for all other requests.
    """

    route: str
    needs: str
    check: str
    hidden: bool
    source: str


class AccessTable(tuple[AccessRow, ...]):
    """Who may do what; ``print()`` shows it in columns."""

    __slots__ = ()

    def __str__(self) -> str:
        lines = [
            AccessRow._fields,
            *((*row[:3], "hidden" * row.hidden, row.source) for row in self),
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


class Authorizer(Policy):
    """Let a request pass only if its rule allows it.

    Args:
        rules: the rules. Of those that match, the one with the most specific pattern counts.
        openapi: an OpenAPI document whose ``security`` applies beside the rules: its path, or the
            document as a dict. See `mantlet.authorization.documents`.
        engine: decides the questions of `mantlet.authorize()`, such as a `Cedar`.
        unmatched: what happens to requests that no rule matches: ``"deny"`` refuses them with 403;
            ``"hide"`` has the app answer them with its own 404; ``"allow"`` lets them pass.
        mode: see `Policy.mode`.

    Raises:
        TypeError: an option is of the wrong type.
        ValueError: an option is invalid, two rules are for the same requests, a rule needs an
            engine and there is none, or there are neither rules nor a document.
        DocumentError: the document is invalid.
        ImportError: the extra ``openapi`` is not installed, and a document is given.
    """

    position = 70
    needs_identity = True
    sees_routes = True
    _usual_option = "rules"

    def __init__(
        self,
        *,
        rules: Sequence[Allow] = (),
        openapi: DocumentOption | None = None,
        engine: Engine | None = None,
        unmatched: Literal["deny", "hide", "allow"] = "deny",
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        if unmatched not in ("deny", "hide", "allow"):
            raise ValueError(f'unmatched must be "deny", "hide" or "allow", not {unmatched!r}')
        self._unmatched = unmatched
        self._refuses_unmatched = unmatched != "allow"
        if engine is not None and not isinstance(engine, Engine):
            raise TypeError(f"engine must have a method decide(), such as a Cedar, not {engine!r}")
        if isinstance(engine, type):
            raise TypeError(f"engine must be an object; did you mean {engine.__name__}()?")
        if isinstance(rules, Allow):
            raise TypeError('rules must be a list, such as rules=[Allow("GET /orders")]')
        own = list(rules)
        for rule in own:
            if not isinstance(rule, Allow):
                raise TypeError(f'a rule must be an Allow("GET /orders", ...), not {rule!r}')
            if rule.is_object and rule.check is None and engine is None:
                raise ValueError(
                    f'the rule {rule.pattern!r} has check="object", but nothing decides about '
                    f"objects: pass engine= to the Authorizer, or a callable as check"
                )
        tables: list[Sequence[AccessRule]] = [own]
        if openapi is not None:
            tables.append(document_rules(openapi))
        self._throttle = LogThrottle(_log)
        self._table = AccessRules(tables, engine, self._throttle)
        self._recent = self._table.recent
        if not self._table.rules:
            raise ValueError('an Authorizer needs rules such as Allow("GET /orders"), or openapi')
        has_hidden = unmatched == "hide" or any(rule.hide for rule in own)
        self._needs_response = has_hidden or any(rule.is_object for rule in own)
        self.disabled_hooks = frozenset(() if self._needs_response else ("on_response",))
        self._enforces = self.mode == "enforce"
        self._named: set[str] = set()

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Let the request pass, or refuse it."""
        method = request.raw.get(request.method_key, "GET")
        paths = request.route_paths
        if may_replace_method(request):
            overrides = request.get_headers(METHOD_OVERRIDE_NAMES).values()
            matched = self._table.find_for_each(method, paths, overrides)
        else:
            matched = self._recent.get((method, paths)) or self._table.find(method, paths)
        # For `mantlet.authorize()`.
        state = request.state
        if self._enforces and not state._authorizations and not matched.is_object:
            state._authorizations = matched.authorizations[0].alone  # the usual case
        else:
            self._prepare(request, matched)
        if not matched.is_complete and self._refuses_unmatched:
            return self._refuse_unmatched(request, matched)
        identity = state.identity
        for rule in matched.rules:
            if identity is None:
                if not rule.public:
                    return start_eagerly(self._identify(request, matched))
            elif (missing := rule.missing(identity, request)) is not None:
                return self._refuse(request, matched, rule, identity, missing)
        if matched is self._table.too_many:
            return self._refuse_unmatched(request, matched)
        return None

    def _prepare(self, request: Request, matched: MatchedRules) -> None:
        """Leave what `mantlet.authorize()` and `on_response` need."""
        reports = not self._enforces and isinstance(request, RequestView)
        state = state_of(request.raw)  # the app's, not the copy of a view
        state._authorizations = (*state._authorizations, matched.authorizations[reports])
        if matched.is_object:
            # Also where an app outside hands in a request twice.
            state._has_asked = state._replied_early = False
            request.local(self)["matched"] = matched
            if not isinstance(request, RequestView):
                state._before_commit += (partial(self._check_commit, request),)

    def _refuse_unmatched(self, request: Request, matched: MatchedRules) -> Reply | None:
        reason = "no rule matches"
        if matched is self._table.too_many:
            reason = "its headers name too many methods"
        elif self._unmatched == "hide":
            return self._hide(request, matched, None, reason)
        return self._forbid(request, matched.pattern, reason)

    async def _identify(self, request: Request, matched: MatchedRules) -> Reply | None:
        """Decide about a request that nobody has authenticated so far."""
        authentication = request.state._authentication
        identity = None
        if authentication is not None:
            identity = await authentication.identify(request)
        for rule in matched.rules:
            if identity is None:
                if rule.public:
                    continue
                if rule.hide:
                    return self._hide(request, matched, rule, "it is anonymous")
                if authentication is None:
                    # A 401 must have a challenge (RFC 9110, 15.5.2), and there is none.
                    reason = "no policy authenticates: put an Authenticator outside the Authorizer"
                    return self._forbid(request, rule.pattern, reason)
                raise authentication.unauthorized()
            if (missing := rule.missing(identity, request)) is not None:
                return self._refuse(request, matched, rule, identity, missing)
        if identity is not None:
            request.state.identity = identity
        return None

    def _refuse(
        self,
        request: Request,
        matched: MatchedRules,
        rule: AccessRule,
        identity: Identity,
        missing: Missing,
    ) -> Reply | None:
        """Refuse an identity that lacks something."""
        reason = _REASONS[missing.kind]
        if rule.hide:
            return self._hide(request, matched, rule, reason)
        if missing.kind == "scope":
            authentication = request.state._authentication
            if authentication is not None:
                raise authentication.insufficient_scope(missing.scopes)
            raise _insufficient_scope(missing.scopes)
        if missing.kind == "acr" and identity.scheme in _TOKENS:
            raise _insufficient_authentication(rule.acr)
        return self._forbid(request, rule.pattern, reason)

    def _forbid(self, request: Request, route: str, reason: str) -> Reply:
        self._log_refusal(request, route, reason)
        return _FORBIDDEN.reply(request)

    def _hide(
        self, request: Request, matched: MatchedRules, rule: AccessRule | None, reason: str
    ) -> Reply | None:
        """Have the app answer a request as one for a path that it does not have."""
        self._log_refusal(request, matched.pattern, f"{reason} (hidden)")
        path = unroutable_path(request.route_path, None if rule is None else rule.pattern)
        identity = request.state.identity
        other = self._table.find(request.method, (path,))
        if any(
            one.is_object
            or (not one.public if identity is None else one.missing(identity, request) is not None)
            for one in other.rules
        ):
            return _NOT_FOUND.reply(request)  # the app has a route for every path
        request.replace_path(path)
        request.local(self)["hidden"] = True
        return None

    def on_response(
        self, request: Request, response: Response
    ) -> Reply | Awaitable[Reply | None] | None:
        """Restore the path in the response to a hidden request; stop a view that has not asked."""
        if request._local is None:
            return None
        own = request.local(self)
        if "hidden" in own:
            return self._show_hidden(request, response)
        return _NEVER_ASKED.reply(request) if self._is_unasked(request, response) else None

    # Any: the session of the app's database, which is not used.
    def _check_commit(self, request: Request, _session: Any, response: Response) -> None:
        """Stop the commit of a view that has not asked; see `mantlet.database`.

        Raises:
            Problem: it has not, so nothing of the request must be committed.
        """
        if self._is_unasked(request, response):
            raise _NEVER_ASKED

    def _is_unasked(self, request: Request, response: Response) -> bool:
        """Return whether the view responds though it should have asked first, and log it."""
        matched: MatchedRules | None = request.local(self).get("matched")
        if matched is None or response.status >= 400:
            return False
        state = state_of(request.raw)
        if state._has_asked or state._replied_early or is_slash_redirect(request, response):
            return False
        self._log_unasked(request, matched.pattern)
        return True

    async def _show_hidden(self, request: Request, response: Response) -> Reply | None:
        if response.reply or request.state._replied:
            return None
        is_other = self._unmatched != "allow" and response.status < 400
        if is_other or not await restore_path(response):
            return _NOT_FOUND.reply(request)
        return None

    def check_routes(self, routes: Sequence[ListedRoute], *, takes_first: bool) -> None:
        """Log the routes of the app that have no rule; see `Policy.check_routes()`."""
        self._table.set_order(routes if takes_first else ())
        bare = [one for one in routes_without_rules(routes, self._table) if one not in self._named]
        self._named.update(bare)
        if bare:
            outcome = "are open" if self._unmatched == "allow" else "refuse every request"
            _log.warning("These routes have no rule, so they %s: %s", outcome, "; ".join(bare))

    def table(self) -> AccessTable:
        """Return who may do what: the rules, the document's, and what happens to the rest."""
        rows = [
            AccessRow(rule.pattern, rule.needs(), "object" * rule.is_object, rule.hide, rule.source)
            for rule in self._table.rules
        ]
        rest = "anyone" if self._unmatched == "allow" else "nobody"
        return AccessTable(
            [*rows, AccessRow("* /*", rest, "", self._unmatched == "hide", "unmatched")]
        )

    # -- logs -------------------------------------------------------------------------------------

    def _log_refusal(self, request: Request, route: str, reason: str) -> None:
        """Log a refusal, throttled; without anything that the client has sent."""
        self._log(logging.WARNING, request, route, "refused", reason)

    def _log_unasked(self, request: Request, route: str) -> None:
        reason = (
            'the view has not called mantlet.authorize(), though the rule has check="object" '
            "(OWASP API1:2023, broken object level authorization)"
        )
        self._log(logging.ERROR, request, route, "stopped the response to", reason)

    def _log(self, level: int, request: Request, route: str, action: str, reason: str) -> None:
        suppressed = self._throttle.suppressed(f"{route} {reason}")
        if suppressed is None:
            return
        method, request_id = logged_method(request), request.state._request_id or "-"
        _log.log(
            level,
            "Authorizer %s%s %s for %s: %s (request %s)%s",
            "would have " if isinstance(request, RequestView) else "",
            action,
            method,
            route,
            reason,
            request_id,
            f" (and {suppressed} more like it)" if suppressed else "",
            extra={
                "policy": "Authorizer",
                "method": method,
                "route": route,
                "request_id": request_id,
            },
        )


def _insufficient_scope(scopes: Collection[str]) -> Problem:
    """Return the response of RFC 6750, 3.1, where the policy that authenticates gives none."""
    challenge = f'Bearer error="insufficient_scope", scope="{" ".join(scopes)}"'
    return Problem(403, headers={"WWW-Authenticate": challenge})


def _insufficient_authentication(acr: Collection[str]) -> Problem:
    """Return the response that asks for another authentication context (RFC 9470, 3)."""
    challenge = (
        'Bearer error="insufficient_user_authentication", '
        f'error_description="another authentication context is needed", '
        f'acr_values="{" ".join(acr)}"'
    )
    return Problem(401, headers={"WWW-Authenticate": challenge})
