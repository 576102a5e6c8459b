"""`CrossOrigin`: refuse requests that another site makes in the user's name (CSRF).

A browser sends the user's credentials with each request to a server, whichever page has caused it.
It also tells where the request comes from, in headers that no page can set: ``Sec-Fetch-Site``
(W3C Fetch Metadata; all browsers since 2023, over HTTPS and to localhost) and ``Origin`` (RFC 6454,
7; with all unsafe methods and WebSocket handshakes since 2020). So a request can be judged by
itself, without tokens, sessions or changes of the app. The algorithm is that of
``http.CrossOriginProtection`` of Go 1.25.

What it does not stop: requests with GET, HEAD and OPTIONS, so the app must not change anything for
these; scripts that an attacker gets into the app's own pages (XSS); and, where neither header is
sent, browsers from before 2020.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from mantlet.core.exact_routes import ExactRoutes
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Policy
from mantlet.core.preflight import METHOD_OVERRIDES
from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.http.headers import HeaderNames
from mantlet.origins.matching import AnyOf, OriginMatcher
from mantlet.origins.origin import DEFAULT_PORTS, parse_origin

__all__ = ["CrossOrigin"]

_SITE: Final = "Sec-Fetch-Site"
_MODE: Final = "Sec-Fetch-Mode"
_ORIGIN: Final = "Origin"
_UPGRADE: Final = "Upgrade"
_OWN_SITES: Final = frozenset({"same-origin", "none"})
#: RFC 9110, 9.2.1, without TRACE, which no app needs.
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: By these, a request with a safe method is not safe.
_UNSAFE_HEADERS: Final = (_UPGRADE, *METHOD_OVERRIDES)
#: A page, a frame or a resource, and not a script that calls an API.
_NO_API_MODES: Final = frozenset({"navigate", "no-cors"})
#: Browsers never add these schemes by themselves. A script has to, after a preflight.
_EXPLICIT_SCHEMES: Final = ("bearer ", "dpop ")
#: In an environ: the server has authenticated the client, and may have kept ``Authorization`` to
#: itself, as mod_wsgi does (RFC 3875, 4.1.1 and 4.1.11).
_SERVER_AUTHENTICATED: Final = ("SSL_CLIENT_CERT", "REMOTE_USER", "AUTH_TYPE")
#: Browsers add it to navigations alone (Upgrade Insecure Requests, 3.2.1), also over plain HTTP,
#: where they tell no mode.
_NAVIGATION: Final = "Upgrade-Insecure-Requests"
_CREDENTIALS: Final = HeaderNames("Host", "Cookie", "Authorization", _MODE, _NAVIGATION)

_REFUSED: Final = FixedProblem(403, detail="The request comes from another site.")


class CrossOrigin(Policy):
    """Refuse unsafe requests of other sites with credentials that browsers add by themselves.

    A request with a method other than GET, HEAD and OPTIONS, with a header that replaces its
    method, or that opens a WebSocket, is refused with 403 if

    1. ``Sec-Fetch-Site`` is neither ``same-origin`` nor ``none`` (the user's own doing), or is
       missing and ``Origin`` has another host or port than ``Host``;
    2. and it has a cookie, an ``Authorization`` that browsers may add by themselves (anything but
       Bearer and DPoP), a client certificate, or a user whom the server, or an `Authenticator`'s
       ambient scheme, has authenticated; or it is a form post, a beacon or the like rather than a
       script's call of an API, since these can log the user in to the attacker's account;
    3. and its origin is not trusted, and its route is not exempt.

    A request with neither header passes, since it does not come from a browser. Other hosts of the
    same site are not trusted: a subdomain may be somebody else's.

    Args:
        trusted: the origins that may send such requests, as for the option ``origins`` of `Cors`:
            other front ends of the app, and providers that post logins (SAML, OIDC's form_post).
        exempt: route patterns of requests that are not looked at, such as ``"POST /saml/acs"``.
            Each needs a protection of its own, such as a signature.
        without_credentials: ``"pass"``; or ``"refuse"``, where the network or a proxy authenticates
            (an intranet, client certificates that only the proxy sees).
        mode: ``"enforce"``; ``"report"``, which logs and refuses nothing; ``"off"``; or a mapping
            of route patterns to these.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an origin, a pattern or ``without_credentials`` is malformed.
    """

    position = 80
    request_headers = HeaderNames(_SITE, _ORIGIN, *_UNSAFE_HEADERS)

    def __init__(
        self,
        *,
        trusted: AnyOf = (),
        exempt: Iterable[str] = (),
        without_credentials: str = "pass",
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        if without_credentials not in ("pass", "refuse"):
            raise ValueError(
                f'without_credentials must be "pass" or "refuse", not {without_credentials!r}'
            )
        self._trusted = OriginMatcher("trusted", trusted, may_be_empty=True)
        self._exempt = ExactRoutes("exempt", exempt)
        self._needs_credentials = without_credentials == "pass"

    def on_request(self, request: Request) -> Reply | None:
        """Refuse a request that another site makes in the user's name."""
        found = request.declared_headers(self.request_headers)
        site = found.get(_SITE)
        if site in _OWN_SITES or (site is None and _ORIGIN not in found):
            return None
        if (
            request.method in _SAFE_METHODS
            and request.protocol == "http"
            and found.keys().isdisjoint(_UNSAFE_HEADERS)
        ):
            return None
        return self._judge(request, site, found.get(_ORIGIN))

    def _judge(self, request: Request, site: str | None, origin: str | None) -> Reply | None:
        """Refuse an unsafe request unless it comes from the site itself, or from a trusted one."""
        found = request.get_headers(_CREDENTIALS)
        if site is None and origin is not None and _is_same_host(origin, found.get("Host", "")):
            return None
        if origin is not None and self._trusted.matches(origin):
            return None
        if (
            self._needs_credentials
            and found.get(_MODE) not in _NO_API_MODES
            and _NAVIGATION not in found
            and not _has_ambient_credentials(request, found)
        ):
            return None
        return None if self._exempt.include(request) else _REFUSED.reply(request)


def _is_same_host(origin: str, host: str) -> bool:
    """Return whether an origin has the host and port that the client has asked.

    The scheme is not compared: behind a proxy it is unknown. See the module's limits.
    """
    parsed = parse_origin(origin)
    if parsed is None:
        return False
    host = host.lower()
    if parsed.port is not None:
        return host == f"{parsed.host}:{parsed.port}"
    return host in (parsed.host, f"{parsed.host}:{DEFAULT_PORTS.get(parsed.scheme)}")


def _has_ambient_credentials(request: Request, found: Mapping[str, str]) -> bool:
    """Return whether a request has credentials that a browser may have added by itself."""
    if "Cookie" in found:
        return True
    authorization = found.get("Authorization")
    if authorization is not None and not authorization.lower().startswith(_EXPLICIT_SCHEMES):
        return True
    credential = request.state._credential
    if credential is not None and credential.is_ambient:  # as a certificate that a proxy forwards
        return True
    if request.is_async:
        tls = (request.raw.get("extensions") or {}).get("tls") or {}
        # A certificate need not have a subject (RFC 5280, 4.1.2.6).
        return bool(tls.get("client_cert_chain") or tls.get("client_cert_name"))
    # As mod_ssl and its followers name it; "NONE" is without a certificate.
    verified: str = request.raw.get("SSL_CLIENT_VERIFY") or "NONE"
    return verified != "NONE" or any(map(request.raw.get, _SERVER_AUTHENTICATED))
