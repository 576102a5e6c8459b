"""Warn where a client could write a header that a policy trusts, under another name.

CGI's names of headers have underscores for hyphens (RFC 3875, 4.1.18), so that in an environ
``X_Forwarded_For`` is the same as ``X-Forwarded-For``, the one that a proxy has written. Most
servers drop names with underscores: gunicorn (unless ``--header-map dangerous``), Werkzeug,
Waitress, Cheroot, mod_wsgi and Django's ``runserver``. Under granian the client's value replaces
the proxy's, under hypercorn, uWSGI and wsgiref it is joined to it, and so it is in adapters that
run a WSGI app under ASGI. The environ does not tell the two apart.

Under ASGI there is nothing to warn about: names are given as they were sent.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from mantlet._internal.server_settings import drops_underscores
from mantlet.core.policy import Policy

__all__ = ["warn_of_underscores"]

_log = logging.getLogger("mantlet")


def warn_of_underscores(environ: Mapping[str, Any], policies: Iterable[Policy]) -> None:
    """Log a warning if a policy trusts a header that the server may take from another name.

    Args:
        environ: of the first request.
        policies: those of the stack.
    """
    trusted = {name for policy in policies for name in policy.trusted_headers if "-" in name}
    if trusted and not drops_underscores(environ):
        name = min(trusted)
        server = environ.get("SERVER_SOFTWARE") or "this server or adapter"
        _log.warning(
            "%s does not drop headers such as %s, which then look like %s, and a policy trusts "
            "that one: have the proxy drop names with underscores (nginx does by default, Apache "
            "since 2.4), or use an ASGI server or gunicorn",
            server,
            name.replace("-", "_"),
            name,
        )
