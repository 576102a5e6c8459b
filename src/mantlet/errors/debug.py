"""The traceback as a page, for a developer's own browser and for nobody else.

When it is unsafe: behind a proxy on the same host every client has a loopback address. Requests
that show that they came through one get no traceback, but a proxy need not show it. So never switch
it on where others can reach the server.
"""

import os
import re
from ipaddress import ip_address
from traceback import format_exception
from typing import Final

from mantlet.core.policy import Reply
from mantlet.core.request import Request
from mantlet.errors.rendering import ACCEPT, HTML, document, form
from mantlet.http.headers import FieldNames

__all__ = ["VARIABLES", "debug_reply", "production"]

#: Environment variables that name the environment, and what they call the one that is live.
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
_LIVE: Final = frozenset({"production", "prod", "live"})

#: What proxies add to the requests that they hand on.
_FORWARDED: Final = FieldNames(
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
_HOST: Final = FieldNames("host")
#: What a browser on the same machine asks for. Any other name may have been pointed at it by
#: somebody else's DNS.
_LOCAL_HOST: Final = re.compile(
    r"(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE
)
#: How much of a traceback is shown, in characters: its end.
_LONGEST: Final = 200_000


def production() -> str | None:
    """Return the environment variable that says that this is production, or None."""
    for name in VARIABLES:
        if os.environ.get(name, "").strip().lower() in _LIVE:
            return name
    return None


def debug_reply(request: Request, error: BaseException, status: int) -> Reply | None:
    """Return the traceback as a page, or None where this client must not, or need not, see it."""
    given = request.get_headers(ACCEPT)
    if not _is_local(request) or form(given.get("accept")) != HTML:
        return None
    from markupsafe import Markup  # noqa: PLC0415  # for pages alone

    title = f"{status} {type(error).__qualname__}"
    text = "".join(format_exception(error))[-_LONGEST:]
    content = Markup("<h1>{}</h1>\n<pre>{}</pre>").format(title, text)
    return Reply(
        status,
        {
            "Content-Type": f"{HTML}; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        },
        document(title, content).encode("utf-8", "replace"),
    )


def _is_local(request: Request) -> bool:
    """Return whether a client on this machine asks, by a name of this machine, without a proxy."""
    try:
        address = ip_address(request.client or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    carrier = request.raw
    version = carrier.get("http_version") or carrier.get("SERVER_PROTOCOL") or ""
    host = request.get_headers(_HOST).get("host", "")
    return (
        (mapped or address).is_loopback
        and _LOCAL_HOST.fullmatch(host) is not None
        and not request.get_headers(_FORWARDED)
        and not version.endswith("1.0")  # which no browser speaks, and nginx does by default
    )
