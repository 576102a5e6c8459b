"""An app that says who the certificate of a client names, behind a proxy that ends TLS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import mantlet
from mantlet import Authenticator, ClientCertificate
from tests.authentication.possession.known_tokens import KnownTokens

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse

    from mantlet._internal.asgi_types import Receive, Scope, Send

FORM = cast("Any", os.environ["MANTLET_TEST_FORM"])
AUTH = Authenticator(
    KnownTokens({"token": {"cnf": {"x5t#S256": os.environ["MANTLET_TEST_X5T"]}}}),
    ClientCertificate(
        header="X-Client-Cert",
        form=FORM,
        trusted_proxies=["127.0.0.1"],
        drops_underscores="MANTLET_TEST_DROPS_UNDERSCORES" in os.environ,
    ),
    public=["GET /"],
)


def _subject(raw: Any) -> bytes:
    identity = mantlet.state(raw).identity
    return b"nobody" if identity is None else identity.subject.encode()


def _wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [_subject(environ)]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    head = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": _subject(scope)})


wsgi = mantlet.wsgi.wrap(_wsgi, AUTH, baseline=False)
asgi = mantlet.asgi.wrap(_asgi, AUTH, baseline=False)
