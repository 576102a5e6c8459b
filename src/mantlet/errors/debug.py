"""Show the traceback as a page, to a browser on the same machine only.

When it is unsafe: behind a proxy on the same host every client has a loopback address. Requests
with headers of a proxy get no traceback, but a proxy need not add any. So never turn it on where
others can reach the server.
"""

import os
import re
import sys
from ipaddress import ip_address
from traceback import format_exception
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.errors.rendering import ACCEPT, HTML, html_document, negotiate
from mantlet.http.headers import HeaderNames

__all__ = ["VARIABLES", "debug_reply", "development_reason", "production_variable"]

#: The variable with the module of Django's settings, such as ``shop.settings.production``.
_SETTINGS: Final = "DJANGO_SETTINGS_MODULE"
#: Environment variables that name the environment.
VARIABLES: Final = (
    "MANTLET_ENV",
    "APP_ENV",
    "APPLICATION_ENV",
    "APP_ENVIRONMENT",
    "ENVIRONMENT",
    "ENV",
    "DEPLOY_ENV",
    "DEPLOYMENT_ENVIRONMENT",
    "STAGE",
    "PYTHON_ENV",
    "DJANGO_CONFIGURATION",
    "DJANGO_ENV",
    _SETTINGS,
    "FASTAPI_ENV",
    "FLASK_ENV",
    "QUART_ENV",
    "STARLETTE_ENV",
    "SENTRY_ENVIRONMENT",
    "NODE_ENV",
    "RAILS_ENV",
    "RAILWAY_ENVIRONMENT",
    "VERCEL_ENV",
)
#: As the value of such a variable, or as the beginning of it: ``prod-eu``.
_PRODUCTION: Final = re.compile(r"(?:production|prod|prd|live)(?![a-z])")

#: Headers that proxies and CDNs add to the requests that they forward, beside `_X_FORWARDED`.
_FORWARDED: Final = frozenset(
    {
        "cdn-loop",
        "cf-connecting-ip",
        "cf-ray",
        "client-ip",
        "cloudfront-viewer-address",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-amzn-trace-id",
        "x-appengine-user-ip",
        "x-azure-clientip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-original-forwarded-for",
        "x-original-host",
        "x-real-ip",
    }
)
_X_FORWARDED: Final = "x-forwarded-"
_HOST: Final = HeaderNames("host")
#: Hosts that a browser on the same machine asks for. The DNS of an attacker may point any other
#: name at this machine.
_LOCAL_HOST: Final = re.compile(
    r"(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE
)
#: Not used by browsers, but by nginx by default. Granian has the short form.
_OLD_VERSIONS: Final = ("1.0", "1", "0.9")
#: The key of the environ that Werkzeug's debugger sets.
_DEBUGGER: Final = "werkzeug.debug.preserve_context"
#: The ASGI extension that only the test client of Starlette has, for `raise_server_exceptions`.
_TEST_CLIENT: Final = "http.response.debug"
#: The most characters of a traceback that are shown: its end.
_MAX_TEXT: Final = 200_000


def production_variable() -> str | None:
    """Return the environment variable that names this environment production, or None."""
    for name in VARIABLES:
        value = os.environ.get(name, "").strip().lower()
        if name == _SETTINGS:
            value = value.rpartition(".")[2]
        if _PRODUCTION.match(value):
            return name
    return None


def debug_reply(request: Request, error: BaseException, status: int) -> Reply | None:
    """Return the traceback as a page, or None if this client must not see it or wants no HTML."""
    given = request.get_headers(ACCEPT)
    if not _is_local(request) or negotiate(given.get("accept")) != HTML:
        return None
    from markupsafe import Markup  # for pages alone

    title = f"{status} {type(error).__qualname__}"
    text = "".join(format_exception(error))[-_MAX_TEXT:]
    content = Markup("<h1>{}</h1>\n<pre>{}</pre>").format(title, text)
    return Reply(
        status,
        {
            "Content-Type": f"{HTML}; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        },
        html_document(title, content).encode("utf-8", "replace"),
    )


def development_reason(request: Request) -> str | None:
    """Return why a developer on this machine may see exceptions and debug pages, or None.

    The framework is in a mode for development or tests, the client and the host that it asks for
    are this machine's, no header says that a proxy has forwarded the request, and no environment
    variable says that this is production. A forgotten ``DEBUG=True`` shows nothing to others.
    """
    raw = request.raw
    is_test_client = _is_test_client(raw)
    if is_test_client:
        reason = "the requests are from Starlette's test client"
    elif _DEBUGGER in raw:
        reason = "Werkzeug's debugger is on"
    else:
        mode = _framework_mode(request.state._app or raw.get("app"))
        if mode is None:  # the usual case, before anything that takes longer
            return None
        reason = mode
    allowed = (is_test_client or _is_local(request)) and production_variable() is None
    return reason if allowed else None


# Any: a scope or an environ.
def _is_test_client(raw: Any) -> bool:
    """Return whether a request comes from the test client of Starlette.

    It raises the app's exceptions. No server has its extension. A WebSocket has none, but no
    ``asgi`` either, which servers have to give. The client's name alone says nothing, since servers
    take it from ``X-Forwarded-For``, such as uvicorn from a proxy that it trusts.
    """
    if raw.get("type") == "websocket":
        client = raw.get("client")
        return bool(client) and client[0] == "testclient" and "asgi" not in raw
    return _TEST_CLIENT in (raw.get("extensions") or ())


# Any: the frameworks' own app classes, which are not imported here.
def _framework_mode(app: Any) -> str | None:
    """Return the mode for development or tests that an app's framework is in, else None."""
    if app is not None:
        config = safe_getattr(app, "config")
        if isinstance(config, dict):  # Flask, Quart
            for option in ("TESTING", "PROPAGATE_EXCEPTIONS", "DEBUG"):
                if config.get(option):
                    return f"{option} is set in app.config"
        if safe_getattr(app, "debug") is True:  # Starlette, FastAPI, Litestar
            return "app.debug is set"
    django = sys.modules.get("django.conf")
    if django is None:
        return None
    settings = safe_getattr(django, "settings")
    if safe_getattr(settings, "configured") and safe_getattr(settings, "DEBUG") is True:
        return "DEBUG is set in Django's settings"
    return None


def _is_local(request: Request) -> bool:
    """Return whether the client is on this machine, asks for a name of it, and uses no proxy."""
    try:
        address = ip_address(request.client or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    raw = request.raw
    version = raw.get("http_version") or raw.get("SERVER_PROTOCOL") or "1.1"
    host = request.get_headers(_HOST).get("host", "")
    return (
        (mapped or address).is_loopback
        and _LOCAL_HOST.fullmatch(host) is not None
        and not any(_is_of_proxy(name) for name, _ in request.headers)
        and version.rpartition("/")[2] not in _OLD_VERSIONS
    )


def _is_of_proxy(name: str) -> bool:
    """Return whether proxies add a header of this name; some servers keep underscores."""
    lower = name.lower().replace("_", "-")
    return lower in _FORWARDED or lower.startswith(_X_FORWARDED)
