"""`Cors`: which origins' scripts may read responses (Fetch, 3.3, "CORS protocol").

Browsers let a script read a response of another origin only where the response says so, and ask by
a preflight before they send a request that no form could send. `Cors` says so on every response,
whoever makes it, and answers preflights before any policy that refuses requests.

It decides alone: CORS headers of the app and of a middleware in it are removed, and preflights do
not reach them.

CORS protects no endpoint: it lets more requests through, never fewer. Requests that need no
preflight are sent whatever it says. `CrossOrigin` refuses those.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from mantlet._internal.options import check_int
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Policy
from mantlet.core.preflight import is_preflight
from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.http.header_name import FixedHeaders
from mantlet.http.headers import EXPOSED, UNEXPOSED, HeaderNames, is_token
from mantlet.origins.matching import AnyOf, OriginMatcher

__all__ = ["Cors"]

_REQUEST_METHOD: Final = "Access-Control-Request-Method"
_REQUEST_HEADERS: Final = "Access-Control-Request-Headers"
_REQUEST_PRIVATE: Final = "Access-Control-Request-Private-Network"
_ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
_ORIGIN: Final = "Origin"
_ANY: Final = "*"
#: All parts of a preflight that its answer depends on.
_PREFLIGHT_VARY: Final = (_ORIGIN, _REQUEST_METHOD, _REQUEST_HEADERS, _REQUEST_PRIVATE)
#: The most names of headers in a preflight. No script needs as many.
_MAX_NAMES: Final = 128
_LONGEST_MAX_AGE: Final = 86_400
#: How many allowed origins are remembered.
_MAX_KNOWN: Final = 256

_PREFLIGHT_PASSED: Final = Reply(204)
_WRONG_ORIGIN: Final = FixedProblem(
    403, detail="Scripts of this origin may not read responses of this server."
)
_WRONG_METHOD: Final = FixedProblem(
    403, detail="Scripts of other origins may not send requests with this method."
)
_WRONG_HEADER: Final = FixedProblem(
    403, detail="Scripts of other origins may not send requests with one of these headers."
)
_PRIVATE: Final = FixedProblem(
    403, detail="Scripts of public sites may not send requests to this private network."
)


class Cors(Policy):
    """Let scripts of other origins read responses, and send requests that need a preflight.

    The headers are on every response, those of errors and of other policies included, and
    ``Vary: Origin`` wherever they depend on the origin. Headers that policies add are exposed.

    A preflight (an OPTIONS request as browsers send it, without credentials or a body) is answered
    with 204, or with 403 and no CORS headers if it asks for an origin, method or header that is not
    allowed. Any other OPTIONS request goes to the app.

    Args:
        origins: the origins that may read responses: ``"https://app.example"``;
            ``"https://*.example.com"``, where the asterisk is exactly one label; a function of the
            origin's text; several of these; or ``"*"``, which is every origin.
        methods: the methods of requests that need a preflight, in upper case, or ``"*"``.
        headers: the names of request headers that scripts may set, or ``"*"``. ``Authorization``
            is not one of ``"*"``: add it by name (Fetch, 4.8). JSON needs ``Content-Type``.
        credentials: whether scripts may send, and read the responses to, requests with the user's
            cookies, HTTP authentication and client certificates. Then no option may be ``"*"``.
        expose: the names of the app's response headers that scripts may read, or ``"*"``. Those
            that Mantlet's policies add are readable anyway.
        max_age: how many seconds a browser may remember the answer to a preflight, at most a day.
        private_network: whether public sites may send requests to this server on a private network
            (Private Network Access, a draft of WICG).
        mode: ``"enforce"``; ``"report"``, which logs preflights that would be answered and changes
            nothing; ``"off"``; or a mapping of route patterns to these.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: an origin, a method or a name is malformed; or a wildcard is used with
            credentials.
    """

    position = 30
    position_reason = "responses of {} can't be read by other origins, and it judges preflights"
    request_headers = HeaderNames(_ORIGIN, _REQUEST_METHOD, _REQUEST_HEADERS, _REQUEST_PRIVATE)

    def __init__(
        self,
        *,
        origins: AnyOf,
        methods: Iterable[str] | Literal["*"] = ("GET", "HEAD", "POST"),
        headers: Iterable[str] | Literal["*"] = (),
        credentials: bool = False,
        expose: Iterable[str] | Literal["*"] = (),
        max_age: int = 600,
        private_network: bool = False,
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        for name, value in (("credentials", credentials), ("private_network", private_network)):
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, not {value!r}")
        own_methods = _tokens("methods", methods)
        own_headers = _tokens("headers", headers)
        exposed = _tokens("expose", expose)
        for method in own_methods:
            _check_method(method)
        is_any = origins in (_ANY, [_ANY], (_ANY,))
        self._matcher = None if is_any else OriginMatcher("origins", origins)
        if credentials:
            _refuse_wildcards(
                origins=self._matcher is None,
                methods=_ANY in own_methods,
                headers=_ANY in own_headers,
                expose=_ANY in exposed,
            )
        self._methods = frozenset(own_methods)
        self._headers = frozenset(map(str.lower, own_headers))
        self._private_network = private_network

        allowed = {"Access-Control-Allow-Credentials": "true"} if credentials else {}
        self._on_response = dict(allowed)
        if exposed:
            self._on_response["Access-Control-Expose-Headers"] = ", ".join(exposed)
        self._on_preflight = {**allowed, "Access-Control-Allow-Methods": ", ".join(own_methods)}
        if own_headers:
            self._on_preflight["Access-Control-Allow-Headers"] = ", ".join(own_headers)
        if private_network:
            self._on_preflight["Access-Control-Allow-Private-Network"] = "true"
        seconds = check_int("max_age", max_age, least=0, most=_LONGEST_MAX_AGE, unit="seconds")
        self._on_preflight["Access-Control-Max-Age"] = str(seconds)

        #: The headers of refused preflights.
        self._refused = FixedHeaders({"Vary": ", ".join(_PREFLIGHT_VARY)}, cors=UNEXPOSED)
        #: Those of a response to a request without an origin, and to one that is not allowed.
        self._usual = FixedHeaders({"Vary": _ORIGIN}, cors=UNEXPOSED)
        exact: Iterable[str] = (_ANY,)
        if self._matcher is None:
            # The same for all, so that caches need to know of no origin (Fetch, 3.3.6).
            self._usual = FixedHeaders({_ALLOW_ORIGIN: _ANY, **self._on_response}, cors=UNEXPOSED)
        else:
            exact = self._matcher.exact
        #: Those of a response to an allowed origin; of origins that match a pattern, the first few.
        self._of_origin = {one: self._allow(one) for one in exact}

    def on_request(self, request: Request) -> Reply | None:
        """Set the headers of the response, whoever makes it; answer a preflight."""
        if request.protocol != "http":  # a handshake is not CORS's concern (RFC 6455, 10.2)
            return None
        found = request.declared_headers(self.request_headers)
        origin = found.get(_ORIGIN)
        if origin is None:
            request._add_fixed(self._usual)
            return None
        fixed = self._of_origin.get(origin) or self._find(origin)
        if _REQUEST_METHOD in found and request.method == "OPTIONS" and is_preflight(request):
            problem = _WRONG_ORIGIN if fixed is None else self._judge(found)
            if problem is not None:
                request._add_fixed(self._refused)
                return problem.reply(request)
            request._add_fixed(self._pass(origin))
            return _PREFLIGHT_PASSED
        request._add_fixed(fixed or self._usual)
        return None

    def _find(self, origin: str) -> FixedHeaders | None:
        """Return the headers for an origin that is not named in full; None if it is not allowed."""
        if self._matcher is None:
            return self._of_origin[_ANY]
        if not self._matcher.matches(origin):
            return None
        headers = self._allow(origin)
        if self._matcher.is_fixed and len(self._of_origin) < _MAX_KNOWN:
            self._of_origin[origin] = headers
        return headers

    def _allow(self, origin: str) -> FixedHeaders:
        """Return the headers of a response that an origin may read."""
        headers = {_ALLOW_ORIGIN: origin, **self._on_response}
        if origin != _ANY:
            headers["Vary"] = _ORIGIN
        return FixedHeaders(headers, cors=EXPOSED)

    def _pass(self, origin: str) -> FixedHeaders:
        """Return the headers of the answer to a preflight."""
        allowed = _ANY if self._matcher is None else origin
        headers = {_ALLOW_ORIGIN: allowed, **self._on_preflight, **self._refused.values}
        return FixedHeaders(headers, cors=UNEXPOSED)

    def _judge(self, found: Mapping[str, str]) -> FixedProblem | None:
        """Return the problem of a preflight of an allowed origin, or None (Fetch, 4.8)."""
        method = found[_REQUEST_METHOD]
        if method not in self._methods and not (_ANY in self._methods and is_token(method)):
            return _WRONG_METHOD
        names = found.get(_REQUEST_HEADERS, "").lower().split(",", _MAX_NAMES)
        if names != [""] and not all(self._allows_header(name.strip(" \t")) for name in names):
            return _WRONG_HEADER
        if found.get(_REQUEST_PRIVATE, "true") != "true":
            return _PRIVATE
        return None if self._private_network or _REQUEST_PRIVATE not in found else _PRIVATE

    def _allows_header(self, name: str) -> bool:
        if name in self._headers:
            return name != _ANY
        return _ANY in self._headers and name != "authorization" and is_token(name)


def _refuse_wildcards(**options: bool) -> None:
    """Raise a ValueError for the first option that is a wildcard beside credentials."""
    for option, is_wildcard in options.items():
        if is_wildcard:
            raise ValueError(
                f'{option} must not be "*" with credentials=True, where it is no wildcard to '
                f"browsers (Fetch, 3.3.5): name them"
            )


def _tokens(option: str, values: Iterable[str]) -> list[str]:
    """Return the tokens of an option, each once.

    Raises:
        TypeError: the option is not a list of texts.
        ValueError: one of them is not a token (RFC 9110, 5.6.2).
    """
    if values == _ANY:
        return [_ANY]
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f'{option} must be a list of texts or "*", not {values!r}')
    tokens = list(dict.fromkeys(values))
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(f"{option} must hold texts, not {token!r}")
        if not is_token(token):
            raise ValueError(f"{option}: {token!r} is not a token (RFC 9110, 5.6.2)")
    return tokens


def _check_method(method: str) -> None:
    """Raise a ValueError for a method that no preflight asks for."""
    if method in ("CONNECT", "TRACE", "TRACK"):
        raise ValueError(f"methods: browsers never send {method} (Fetch, 2.2.1)")
    if method != method.upper():
        raise ValueError(
            f"methods are case-sensitive (RFC 9110, 9.1): write {method.upper()!r}, not {method!r}"
        )
