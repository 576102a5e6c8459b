"""An app that tells its secrets to every log that it can reach, under a loader that masks them."""

import logging
from typing import Any

import mantlet
from mantlet import Secret, SecretLoader, SecretModel
from mantlet.secrets import Environment, mask_logging

#: Made up.
TOKEN = "kR7-vT2_qX9.mB4w"

log = logging.getLogger("shop")


class App(SecretModel):
    token: Secret[str]


loader = SecretLoader(App, sources=[Environment({"TOKEN": TOKEN})])
mask_logging(loader)


async def plain_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    log.warning("is %s", TOKEN)
    if scope["path"] == "/error":
        raise LookupError(f"no {TOKEN}")
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def plain_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    log.warning("is %s", TOKEN)
    if environ["PATH_INFO"] == "/error":
        raise LookupError(f"no {TOKEN}")
    start_response("200 OK", [("Content-Length", "0")])
    return []


asgi = mantlet.wrap(plain_asgi, loader)
wsgi = mantlet.wrap(plain_wsgi, loader)
