"""Other packages' adapters from one protocol to the other."""

from __future__ import annotations

from typing import Any

from a2wsgi import ASGIMiddleware
from asgiref.wsgi import WsgiToAsgi


def asgiref_adapter(app: Any) -> Any:
    """Return a WSGI app as an ASGI app, by asgiref."""
    return WsgiToAsgi(app)  # type: ignore[no-untyped-call]  # it has no types


class A2Wsgi:
    """a2wsgi's adapter, read to its end as it leaves the app's task pending otherwise."""

    def __init__(self, app: Any) -> None:
        self.adapter = ASGIMiddleware(app)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Call the ASGI app as a WSGI app."""
        return list(self.adapter(environ, start_response))
