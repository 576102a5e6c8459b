"""`Hosts`: answer only under the app's own names, and only over HTTPS.

Anybody can send any ``Host``. Apps build links from it (also in mails that reset passwords), caches
store what they build, and a page whose name has been rebound to this server's address reaches it
under the page's own name (DNS rebinding). So requests for other names are refused before the app,
and the app gets one ``Host``: the one that was checked. Headers that some frameworks and proxies
put in its place are removed.

What it does not stop: a wrong host among the allowed ones, where a client has a choice; names that
an attacker controls below a wildcard; an attacker on the way to the first request over http, which
only ``Strict-Transport-Security`` can prevent (`OutputSanitizer`).
"""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from mantlet.core.client_scheme import ClientScheme
from mantlet.core.exact_routes import ExactRoutes
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Policy
from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.http.header_name import spellings
from mantlet.http.headers import HeaderNames
from mantlet.http.trusted_proxies import TrustedNetworks, forwarded_parameters
from mantlet.origins.matching import check_wildcard, list_of
from mantlet.origins.origin import parse_host, split_port

__all__ = ["Hosts"]


_HOST: Final = "Host"
_FORWARDED_HOST: Final = "X-Forwarded-Host"
_FORWARDED: Final = "Forwarded"
#: Headers that a framework, a middleware or a proxy may believe in place of ``Host``; to an app of
#: WSGI inside of one of ASGI, underscores are hyphens too.
_ALTERNATIVES: Final = spellings(
    _FORWARDED_HOST,
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Host",
    "X-HTTP-Host-Override",
    "X-Original-Host",
)
_OTHERS: Final = frozenset({_FORWARDED, *_ALTERNATIVES})
_UPGRADE: Final = HeaderNames("Upgrade")
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})
#: The most elements of ``Forwarded`` that are read.
_MAX_ELEMENTS: Final = 64
#: Characters of a target that stay as they are: reserved and unreserved ones, and escapes.
_URL_SAFE: Final = "/:?@!$&'()*+,;=-._~%[]"

_MALFORMED: Final = FixedProblem(400, detail="The Host header is missing or malformed.")
_CONTRADICTORY: Final = FixedProblem(400, detail="The target of the request is not of its Host.")
_MISDIRECTED: Final = FixedProblem(421, detail="This server does not serve the requested host.")
_INSECURE: Final = FixedProblem(403, detail="This request needs https.")

#: A host in its one spelling, and its port, or None for the scheme's own.
_Authority = tuple[str, int | None]


class Hosts(Policy):
    """Refuse requests for hosts that are not the app's own, and those that are not over HTTPS.

    A ``Host`` that is missing, repeated or malformed is refused with 400 (RFC 9112, 3.2), one that
    is not allowed with 421 (RFC 9110, 7.4 and 15.5.20), and so is a request whose target names
    another host. The app gets ``Host`` in its usual spelling: in lower case, without a dot at its
    end and without the scheme's own port.

    Args:
        allowed: the app's hosts: ``"example.com"``; ``"*.example.com"``, where the asterisk is
            exactly one label; ``"[::1]"``. One without a port is allowed with the port of the
            client's scheme alone; others need it, as in ``"localhost:8000"``.
        https: whether requests over http are redirected with 308 (GET and HEAD), or refused with
            403 (anything else: the client has sent it in the clear already, and would again).
        allow_http: route patterns of requests that may come over http all the same, such as
            ``"GET /.well-known/acme-challenge/*"``.
        trusted_proxies: networks whose ``X-Forwarded-Host`` takes the place of ``Host``, and whose
            ``X-Forwarded-Proto`` or ``Forwarded`` tells the client's scheme. If there are several
            hosts, the last one counts, which the nearest proxy has added.
        mode: ``"enforce"``; ``"report"``, which logs and changes nothing; ``"off"``; or a mapping
            of route patterns to these.

    Raises:
        TypeError: an option has the wrong type.
        ValueError: a host, a pattern or a network is malformed; or ``allow_http`` is given without
            ``https``.
    """

    position = 40
    request_headers = HeaderNames(_HOST, _FORWARDED, *_ALTERNATIVES)

    def __init__(
        self,
        *,
        allowed: str | Iterable[str],
        https: bool = False,
        allow_http: Iterable[str] = (),
        trusted_proxies: Iterable[str] = (),
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        if not isinstance(https, bool):
            raise TypeError(f"https must be True or False, not {https!r}")
        exact: set[_Authority] = set()
        wild: set[_Authority] = set()
        for text in list_of("allowed", allowed, '"example.com" or "*.example.com"'):
            if not isinstance(text, str):
                raise TypeError(f"allowed must hold texts such as 'example.com', not {text!r}")
            (wild if "*" in text else exact).add(_parse_allowed(text))
        self._exact = frozenset(exact)
        self._wild = frozenset(wild)
        #: Values of ``Host`` that need no closer look.
        self._usual = frozenset(map(_spell, exact))
        self._https = https
        self._allow_http = ExactRoutes("allow_http", allow_http)
        if self._allow_http and not https:
            raise ValueError("allow_http has no effect without https=True")
        self._networks = TrustedNetworks(trusted_proxies)
        self._client_scheme = ClientScheme(self._networks.texts)
        self.trusted_headers = self._client_scheme.trusted_headers
        if self._networks.texts:
            self.trusted_headers |= {_FORWARDED_HOST}

    def on_request(self, request: Request) -> Reply | None:
        """Refuse or redirect a request; give the app the host that was checked."""
        found = request.declared_headers(self.request_headers)
        host = given = found.get(_HOST)
        if not found.keys().isdisjoint(_OTHERS):
            if not self._allows_forwarded(request, found.get(_FORWARDED, "")):
                return _MISDIRECTED.reply(request)
            host = self._choose(request, found)
        if host not in self._usual:
            checked = self._check(request, host)
            if isinstance(checked, FixedProblem):
                return checked.reply(request)
            host = checked
        if host != given:
            request.replace_header(_HOST, host)
        target = _target(request)
        if not target.startswith("/") and not self._is_target_of(request, target, host):
            return _CONTRADICTORY.reply(request)
        if self._https and not self._client_scheme.is_secure(request):
            return self._answer_http(request, host)
        return None

    def _choose(self, request: Request, found: Mapping[str, str]) -> str | None:
        """Return the host that the client has asked, and remove the headers that may differ."""
        host = found.get(_HOST)
        forwarded = found.get(_FORWARDED_HOST)
        if forwarded is not None and self._networks.trusts(request.client):
            host = forwarded.rpartition(",")[2].strip(" \t")
        for name in _ALTERNATIVES:
            if name in found:
                request.replace_header(name, None)
        return host

    def _check(self, request: Request, text: str | None) -> str | FixedProblem:
        """Return an allowed host in its usual spelling, or the problem of another one."""
        authority = None if text is None else self._parse(request, text)
        if authority is None:
            return _MALFORMED
        return _spell(authority) if self._allows(authority) else _MISDIRECTED

    def _parse(self, request: Request, text: str) -> _Authority | None:
        parts = split_port(text)
        if parts is None:
            return None
        host, port = parse_host(parts[0]), parts[1]
        if port in (80, 443):
            own = 443 if self._client_scheme.is_secure(request) else 80
            port = None if port == own else port
        return None if host is None else (host, port)

    def _allows(self, authority: _Authority) -> bool:
        host, port = authority
        return authority in self._exact or (host.partition(".")[2], port) in self._wild

    def _allows_forwarded(self, request: Request, value: str) -> bool:
        """Return whether all hosts in ``Forwarded`` are allowed, whoever believes which of them."""
        if "host" not in value.lower():
            return True
        for element in value.split(",", _MAX_ELEMENTS):
            parameters = forwarded_parameters(element.strip(" \t"))
            host = parameters.get("host")
            if host is None and "host" in element.lower():
                return False  # unreadable, though maybe not for others
            if host is not None:
                authority = self._parse(request, host)
                if authority is None or not self._allows(authority):
                    return False
        return True

    def _is_target_of(self, request: Request, target: str, host: str) -> bool:
        """Return whether a target that is not a path is one of the host (RFC 9112, 3.2)."""
        if target in ("*", ""):
            return True
        scheme, separator, rest = target.partition("://")
        if not separator or scheme.lower() not in _SCHEMES:
            return False
        authority = self._parse(request, rest.partition("/")[0].partition("?")[0])
        return authority is not None and _spell(authority) == host

    def _answer_http(self, request: Request, host: str) -> Reply | None:
        """Redirect a request over http to https, or refuse it."""
        if self._allow_http.include(request):
            return None
        if (
            request.protocol != "http"
            or request.method not in ("GET", "HEAD")
            or request.get_headers(_UPGRADE)
        ):
            return _INSECURE.reply(request)
        parts = split_port(host)
        name = host if parts is None else parts[0]
        target = request.raw_path
        if not target.startswith(b"/"):  # in absolute form
            target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
        location = f"https://{name}{quote(target, safe=_URL_SAFE)}"
        if request.query:
            location += f"?{quote(request.query, safe=_URL_SAFE)}"
        return Reply(308, [("Location", location), ("Cache-Control", "no-store")])


def _parse_allowed(text: str) -> _Authority:
    """Parse a host of the option; a wildcard is dropped.

    Raises:
        ValueError: it is not a host.
    """
    parts = split_port(text)
    if parts is not None:
        host, port = parts
        parsed = check_wildcard("allowed", host) if "*" in host else parse_host(host)
        if parsed is not None:
            return parsed, port
    hint = 'such as "example.com", "*.example.com" or "localhost:8000"'
    if "://" in text or "/" in text:
        hint = "without a scheme and a path, " + hint
    elif not text.isascii():
        hint = 'in ASCII, such as "xn--bcher-kva.example"'
    raise ValueError(f"allowed must hold hosts {hint}, not {text!r}")


def _spell(authority: _Authority) -> str:
    host, port = authority
    return host if port is None else f"{host}:{port}"


def _target(request: Request) -> str:
    """Return the target as sent, or the part of it that the server passes on."""
    raw = request.raw
    if request.is_async:
        return request.path
    target: str = raw.get("RAW_URI") or raw.get("REQUEST_URI") or request.path or "/"
    return target
