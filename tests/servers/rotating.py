"""An app that answers with its process, the one that started it, and its secret."""

from __future__ import annotations

import os
from typing import Any

import mantlet
from mantlet.secrets import Secret, SecretFiles, SecretLoader, SecretModel
from tests.drive import AsgiAdapter, WsgiAdapter


class Secrets(SecretModel):
    token: Secret[str]


loader = SecretLoader(
    Secrets,
    sources=[SecretFiles(os.environ["MANTLET_TEST_SECRETS"])],
    poll_interval=3600,
    reload_on_sighup=os.environ["MANTLET_TEST_SIGHUP"] == "reload",
)


def answer(carrier: Any) -> Any:
    """Return the two processes and the request's secret."""
    token = mantlet.state(carrier).secrets.token.reveal()
    return 200, [("content-type", "text/plain")], f"{os.getpid()} {os.getppid()} {token}".encode()


wsgi = mantlet.wrap(WsgiAdapter().app(answer), loader, baseline=False)
asgi = mantlet.wrap(AsgiAdapter().app(answer), loader, baseline=False)
