"""Show the traceback as a page, to a browser on the same machine only.

When it is unsafe: behind a proxy on the same host every client has a loopback address. Requests
with headers of a proxy get no traceback, but a proxy need not add any. So never turn it on where
others can reach the server.
"""

import os
import re
from ipaddress import ip_address
from traceback import format_exception
from typing import Final

from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.errors.rendering import ACCEPT, HTML, html_document, negotiate
from mantlet.http.headers import HeaderNames

__all__ = ["VARIABLES", "debug_reply", "production_variable"]

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
    "DJANGO_ENV",
    "FASTAPI_ENV",
    "FLASK_ENV",
    "QUART_ENV",
    "STARLETTE_ENV",
    "SENTRY_ENVIRONMENT",
    "NODE_ENV",
    "RAILS_ENV",
)
_PRODUCTION: Final = frozenset({"production", "prod", "live"})

#: Headers that proxies add to the requests that they forward.
_FORWARDED: Final = HeaderNames(
    "cf-connecting-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
)
_HOST: Final = HeaderNames("host")
#: Hosts that a browser on the same machine asks for. The DNS of an attacker may point any other
#: name at this machine.
_LOCAL_HOST: Final = re.compile(
    r"(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE
)
#: The most characters of a traceback that are shown: its end.
_MAX_TEXT: Final = 200_000


def production_variable() -> str | None:
    """Return the environment variable that names this environment production, or None."""
    for name in VARIABLES:
        if os.environ.get(name, "").strip().lower() in _PRODUCTION:
            return name
    return None


def debug_reply(request: Request, error: BaseException, status: int) -> Reply | None:
    """Return the traceback as a page, or None if this client must not see it or wants no HTML."""
    given = request.get_headers(ACCEPT)
    if not _is_local(request) or negotiate(given.get("accept")) != HTML:
        return None
    from markupsafe import Markup  # noqa: PLC0415  # for pages alone

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


def _is_local(request: Request) -> bool:
    """Return whether the client is on this machine, asks for a name of it, and uses no proxy."""
    try:
        address = ip_address(request.client or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    raw = request.raw
    version = raw.get("http_version") or raw.get("SERVER_PROTOCOL") or ""
    host = request.get_headers(_HOST).get("host", "")
    return (
        (mapped or address).is_loopback
        and _LOCAL_HOST.fullmatch(host) is not None
        and not request.get_headers(_FORWARDED)
        and not version.endswith("1.0")  # not used by browsers, but by nginx by default
    )
