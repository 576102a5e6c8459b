"""The baseline alone. Run it with ``gunicorn minimal:app``."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import mantlet


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello"]


app = mantlet.wrap(hello)
