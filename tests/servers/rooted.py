"""Logins under a root path, with a rule of their own, and a page that trusts a proxy's header."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from litestar import Litestar, post
from quart import Quart

import mantlet
from mantlet import RateLimiter, Rule, keys

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse


def _limited(app: Any) -> Any:
    rules = [Rule("POST /login", "1/hour")]
    return mantlet.asgi.wrap(app, RateLimiter(rules=rules), baseline=False)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # FastAPI advises against the option
    _fastapi = FastAPI(root_path="/api")


@_fastapi.post("/login")
async def _login() -> str:
    return "in"


@post("/login", sync_to_thread=False, status_code=200)
def _litestar_login() -> str:
    return "in"


_quart = Quart(__name__)
_quart.add_url_rule("/login", view_func=_login, methods=["POST"])

fastapi = _limited(_fastapi)
litestar = _limited(Litestar([_litestar_login], openapi_config=None, logging_config=None))
quart = _limited(_quart)


def _page(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"page"]


proxied = mantlet.wsgi.wrap(
    _page, RateLimiter("1000/hour", key=keys.client_address(trusted_proxies=["127.0.0.1"]))
)
