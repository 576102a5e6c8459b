"""Apps access their secrets in the conventional way of their framework."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from flask import Flask, current_app
from quart import Quart
from starlette.testclient import TestClient

import mantlet
from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel

OLD, NEW = "old-kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"


class App(SecretModel):
    token: Secret[str]


@pytest.fixture
def environ() -> dict[str, str]:
    return {"TOKEN": OLD}


@pytest.fixture
def loader(environ: dict[str, str]) -> SecretLoader[App]:
    return SecretLoader(App, sources=[Environment(environ)])


@pytest.mark.parametrize("wrapped", [True, False], ids=["wrapped", "bare"])
def test_fastapi_injects_the_secrets_of_the_exchange(
    loader: SecretLoader[App], environ: dict[str, str], wrapped: bool
) -> None:
    """The snapshot of the request, or the current one without a stack."""
    api = FastAPI()
    Current = Annotated[App, Depends(loader.dependency)]  # noqa: N806  # a type

    @api.get("/")
    def read(secrets: Current) -> dict[str, bool]:
        environ["TOKEN"] = NEW
        loader.reload()
        same = secrets is loader.current
        return {"old": secrets.token.reveal() == OLD, "same": same}

    @api.websocket("/ws")
    async def talk(websocket: WebSocket, secrets: Current) -> None:
        await websocket.accept()
        await websocket.send_json({"new": secrets.token.reveal() == NEW})
        await websocket.close()

    app: Any = mantlet.wrap(api, loader, baseline=False) if wrapped else api
    client = TestClient(app)
    assert client.get("/").json() == {"old": True, "same": False}
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_json() == {"new": True}
    assert "connection" not in client.get("/openapi.json").text


@pytest.mark.parametrize("kind", [Flask, Quart], ids=["flask", "quart"])
def test_an_app_has_the_loader_among_its_extensions(
    loader: SecretLoader[App], kind: type[Any]
) -> None:
    """Like other extensions, in ``app.extensions``."""
    app = kind(__name__)
    loader.init_app(app)
    assert app.extensions["mantlet_secrets"] is loader


def test_a_flask_view_finds_the_secrets(loader: SecretLoader[App]) -> None:
    """From the state of the request, or from the extension."""
    app = Flask(__name__)
    loader.init_app(app)

    @app.get("/")
    def read() -> dict[str, bool]:
        from flask import request

        kept = mantlet.state(request).secrets
        return {"same": kept is current_app.extensions["mantlet_secrets"].current}

    app.wsgi_app = mantlet.wrap(app.wsgi_app, loader, baseline=False)  # type: ignore[method-assign]  # Flask's own way
    assert app.test_client().get("/").json == {"same": True}


def test_the_middleware_takes_the_policys_options(environ: dict[str, str]) -> None:
    """The middleware functions of both protocols pass the options on."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(mantlet.state(scope).secrets.token.reveal())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    wrapped: Any = mantlet.asgi.Stack(
        app, policies=[SecretLoader(App, sources=[Environment(environ)])]
    )
    assert TestClient(wrapped).get("/").status_code == 204
    assert seen == [OLD]
