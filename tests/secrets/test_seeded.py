"""Careless apps do not leak secrets in responses, logs or output."""

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from flask import Flask, abort, jsonify, make_response
from starlette.testclient import TestClient
from werkzeug.test import Client

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer
from mantlet.redact.variants import encoded_variants
from mantlet.secrets import (
    Environment,
    MaskingFilter,
    Secret,
    SecretLoader,
    SecretModel,
    secret_field,
)
from tests.secrets.test_logs import FORMATTERS

pytestmark = pytest.mark.slow

TOKEN = "kR7-vT2_qX9<m&B4>w"
URL = "postgresql://app:pW9-uY3_rZ8.nC5x@db.internal/shop"
NEEDLES = {
    form for value in (TOKEN, "pW9-uY3_rZ8.nC5x") for form in encoded_variants(value.encode())
}


class App(SecretModel):
    token: Secret[str]
    database_url: Secret[str]
    spare: Secret[bytes] | None = secret_field(None, encoding="hex")


def shown(kept: App) -> dict[str, Any]:
    """Return the response of a careless view."""
    return {
        "token": kept.token.reveal(),
        "dsn": {"of": ["the", kept.database_url.reveal()]},
        "settings": repr(kept) + str(vars(kept)),
    }


def say(kept: App, log: logging.Logger) -> None:
    """Log everything, in every way."""
    token = kept.token.reveal()
    log.warning("using %s", token)
    log.warning("using", extra={"settings": shown(kept)})
    try:
        raise RuntimeError(kept.database_url.reveal())
    except RuntimeError:
        log.exception("no database")


def flask_app(log: logging.Logger) -> Any:
    """Return a Flask app."""
    app = Flask(__name__)

    def kept() -> App:
        from flask import request

        found: App = mantlet.state(request).secrets
        say(found, log)
        return found

    @app.get("/body")
    def body() -> Any:
        return jsonify(shown(kept()))

    @app.get("/head")
    def head() -> Any:
        answer = make_response("ok")
        answer.headers["X-Token"] = kept().token.reveal()
        answer.set_cookie("token", kept().token.reveal())
        return answer

    @app.get("/page")
    def page() -> str:
        return f"<p>{kept().token.reveal()}</p>"

    @app.get("/crash")
    def crash() -> str:
        raise LookupError(f"{kept().token.reveal()} at {kept().database_url.reveal()}")

    @app.get("/abort")
    def give_up() -> str:
        abort(409, f"not with {kept().token.reveal()}")

    @app.get("/problem")
    def problem() -> str:
        raise mantlet.Problem(409, detail=kept().token.reveal(), extensions=shown(kept()))

    @app.get("/stream")
    def stream() -> Iterator[str]:
        found = kept()
        return iter(found.token.reveal() + found.database_url.reveal())

    return app


def fastapi_app(log: logging.Logger) -> Any:
    """Return a FastAPI app."""
    app = FastAPI(debug=True)

    def kept(request: Request) -> App:
        found: App = mantlet.state(request).secrets
        say(found, log)
        return found

    @app.get("/body")
    def body(request: Request) -> JSONResponse:
        return JSONResponse(shown(kept(request)))

    @app.get("/head")
    def head(request: Request) -> Response:
        answer = Response("ok", headers={"X-Token": kept(request).token.reveal()})
        answer.set_cookie("token", kept(request).token.reveal())
        return answer

    @app.get("/page")
    def page(request: Request) -> Response:
        return Response(f"<p>{kept(request).token.reveal()}</p>", media_type="text/html")

    @app.get("/crash")
    def crash(request: Request) -> None:
        raise LookupError(
            f"{kept(request).token.reveal()} at {kept(request).database_url.reveal()}"
        )

    @app.get("/abort")
    def give_up(request: Request) -> None:
        raise HTTPException(409, {"not": kept(request).token.reveal()})

    @app.get("/problem")
    def problem(request: Request) -> None:
        found = kept(request)
        raise mantlet.Problem(409, detail=found.token.reveal(), extensions=shown(found))

    @app.get("/stream")
    def stream(request: Request) -> StreamingResponse:
        found = kept(request)
        return StreamingResponse(iter(found.token.reveal() + found.database_url.reveal()))

    return app


def answers(app: Any, paths: list[str], accept: str) -> Iterator[str]:
    """Request each path, and yield the complete responses as text."""
    if isinstance(app, mantlet.asgi.Stack):
        client = TestClient(app, raise_server_exceptions=False)
        for path in paths:
            answer = client.get(path, headers={"Accept": accept})
            yield f"{answer.status_code} {answer.headers} {answer.text}"
    else:
        for path in paths:
            got = Client(app).get(path, headers={"Accept": accept})
            with got:  # closing it ends the exchange
                yield f"{got.status} {got.headers} {got.text}"


PATHS = ["/body", "/head", "/page", "/crash", "/abort", "/problem", "/stream"]


@pytest.mark.parametrize("formatter", FORMATTERS.values(), ids=FORMATTERS)
@pytest.mark.parametrize("accept", ["application/json", "text/html"], ids=["json", "html"])
@pytest.mark.parametrize("make", [flask_app, fastapi_app], ids=["flask", "fastapi"])
def test_no_form_of_a_secret_gets_out(
    make: Callable[[logging.Logger], Any],
    accept: str,
    formatter: Callable[[], logging.Formatter],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Neither in a response, nor in a log with any formatter, nor in the output."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter())
    log = logging.Logger("app")
    log.addHandler(handler)
    roots = [logging.getLogger(name) for name in ("mantlet", "tests.secrets.test_seeded")]
    environ = {"TOKEN": TOKEN, "DATABASE_URL": URL}
    loader = SecretLoader(App, sources=[Environment(environ)])
    handler.addFilter(MaskingFilter(loader))
    policies = (OutputSanitizer(secrets=loader), ErrorEnvelope(), loader)
    for root in roots:
        root.addHandler(handler)
    try:
        got = list(answers(mantlet.wrap(make(log), *policies, baseline=False), PATHS, accept))
    finally:
        for root in roots:
            root.removeHandler(handler)
    printed = capfd.readouterr()
    for text in [*got, out.getvalue(), printed.out, printed.err]:
        assert not any(needle in text.encode() for needle in NEEDLES)
    assert [text[:3] for text in got] == ["200", "200", "200", "500", "409", "409", "200"]
    assert out.getvalue().count("***") >= len(PATHS) * 2


def test_these_apps_would_let_them_out() -> None:
    """Otherwise the test above would prove nothing."""
    loader = SecretLoader(App, sources=[Environment({"TOKEN": TOKEN, "DATABASE_URL": URL})])
    for make in (flask_app, fastapi_app):
        app = mantlet.wrap(make(logging.Logger("app")), loader, baseline=False)
        # Without an envelope, frameworks answer the others with pages of their own.
        paths = [path for path in PATHS if path not in ("/crash", "/problem")]
        got = list(answers(app, paths, "text/html"))
        assert all(any(needle in text.encode() for needle in NEEDLES) for text in got)
