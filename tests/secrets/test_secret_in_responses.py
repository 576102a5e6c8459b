"""Tests of what happens to a `Secret` that an endpoint returns, with the real frameworks."""

import asyncio
import copy
import dataclasses
import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import django.template
import falcon
import falcon.asgi
import falcon.media
import falcon.testing
import fastapi
import flask
import jinja2
import litestar
import litestar.testing
import msgspec
import pydantic
import pytest
import quart
import starlette.applications
import starlette.testclient
from django.http import JsonResponse
from fastapi.encoders import jsonable_encoder
from litestar.serialization import encode_json, encode_msgpack
from starlette.responses import JSONResponse
from starlette.routing import Route

from mantlet.secrets import Secret, SecretModel

VALUE = "kR7vT2qX9mB4w"
SECRET = Secret(VALUE)
MASK = "Secret('***')"


@dataclasses.dataclass
class Data:
    secret: object


class Model(pydantic.BaseModel):
    secret: Any


class Declared(pydantic.BaseModel):
    secret: Secret[str]


class Struct(msgspec.Struct):
    secret: Any


class App(SecretModel):
    token: Secret[str]


def flask_json(value: Any) -> Any:
    """Encode as Flask does."""
    with flask.Flask("test").app_context():
        return flask.jsonify(value)


ENCODERS: dict[str, Callable[[Any], Any]] = {
    "json": json.dumps,
    "flask": flask_json,
    "fastapi": jsonable_encoder,
    "starlette": JSONResponse,
    "django": lambda value: JsonResponse(value, safe=False),
    "litestar": encode_json,
    "litestar-msgpack": encode_msgpack,
    "falcon": lambda value: falcon.media.JSONHandler().serialize(value, "application/json"),
    "msgspec": msgspec.json.encode,
    "msgpack": msgspec.msgpack.encode,
    "builtins": msgspec.to_builtins,
    "pydantic": lambda value: Model(secret=value).model_dump_json(),
    "pydantic-mode": lambda value: Model(secret=value).model_dump(mode="json"),
    "adapter": pydantic.TypeAdapter(Any).dump_json,
}
VALUES: dict[str, Any] = {
    "value": SECRET,
    "dict": {"a": SECRET},
    "list": [1, [SECRET]],
}
#: The composite values that some encoders know.
COMPOSITES: list[tuple[str, Any]] = [
    ("flask", Data(SECRET)),
    ("fastapi", Data(SECRET)),
    ("fastapi", Model(secret=SECRET)),
    ("fastapi", App(token=VALUE)),
    ("litestar", Data(SECRET)),
    ("litestar", Struct(SECRET)),
    ("msgspec", Data(SECRET)),
    ("msgspec", Struct(SECRET)),
    ("pydantic", Data(SECRET)),
    ("pydantic", Model(secret=SECRET)),
]


def assert_hint(encode: Callable[[Any], Any], value: Any) -> None:
    """Assert that encoding fails with the way out, and without the value."""
    with pytest.raises((TypeError, ValueError, litestar.exceptions.SerializationException)) as told:
        encode(value)
    assert "reveal()" in str(told.value)
    assert VALUE not in repr(told.value)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoders_raise_an_error_that_names_reveal(encoder: str, kind: str) -> None:
    """Wherever the secret is in what they encode."""
    assert_hint(ENCODERS[encoder], VALUES[kind])


@pytest.mark.parametrize(
    ("encoder", "value"),
    COMPOSITES,
    ids=[f"{name}-{type(one).__name__}" for name, one in COMPOSITES],
)
def test_so_they_do_within_composite_values(encoder: str, value: Any) -> None:
    """Data classes, structs and models."""
    assert_hint(ENCODERS[encoder], value)


def test_an_endpoint_of_starlette_raises_it() -> None:
    """As the value itself, and within."""
    app = starlette.applications.Starlette(
        routes=[Route("/", lambda _: JSONResponse({"a": SECRET}))]
    )
    with pytest.raises(TypeError, match=r"reveal\(\)"):
        starlette.testclient.TestClient(app).get("/")


@pytest.mark.parametrize("value", [SECRET, {"a": SECRET}, Data(SECRET)])
def test_an_endpoint_of_fastapi_raises_it(value: Any) -> None:
    """With and without an annotation."""
    app = fastapi.FastAPI()

    @app.get("/plain")
    def plain():  # type: ignore[no-untyped-def]  # noqa: ANN202  # as many are
        return value

    @app.get("/any")
    def annotated() -> Any:
        return value

    client = starlette.testclient.TestClient(app)
    for path in ("/plain", "/any"):
        with pytest.raises((ValueError, TypeError)) as told:
            client.get(path)
        assert "reveal()" in str(told.value)
        assert VALUE not in str(told.value)


def test_a_declared_field_of_a_response_is_masked() -> None:
    """Whoever declares ``Secret[str]`` in a response asks for that."""
    app = fastapi.FastAPI()

    @app.get("/")
    def declared() -> Declared:
        return Declared(secret=SECRET)

    assert starlette.testclient.TestClient(app).get("/").json() == {"secret": MASK}


@pytest.mark.parametrize("value", [SECRET, {"a": SECRET}])
def test_an_endpoint_of_flask_raises_it(value: Any) -> None:
    """Also for a returned value that is no response."""
    app = flask.Flask("test")
    app.testing = True
    app.add_url_rule("/", view_func=lambda: value)
    with pytest.raises(TypeError, match=r"reveal\(\)"):
        app.test_client().get("/")


@pytest.mark.parametrize("value", [SECRET, {"a": SECRET}])
def test_an_endpoint_of_quart_logs_it(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Also for a returned value that is no response."""
    app = quart.Quart("test")

    async def view() -> Any:
        return value

    app.add_url_rule("/", view_func=view)
    assert asyncio.run(app.test_client().get("/")).status_code == 500
    assert "reveal()" in caplog.text
    assert VALUE not in caplog.text


def test_an_endpoint_of_litestar_logs_it() -> None:
    """Litestar answers with its own exception."""

    @litestar.get("/", sync_to_thread=False)
    def view() -> dict[str, Any]:
        return {"a": SECRET}

    app = litestar.Litestar([view], debug=True)
    response = litestar.testing.TestClient(app).get("/")
    assert response.status_code == 500
    assert "reveal()" in response.text
    assert VALUE not in response.text


def test_an_endpoint_of_falcon_raises_it() -> None:
    """As its media."""

    class Resource:
        def on_get(self, request: Any, response: Any) -> None:
            response.media = {"a": SECRET}

    app = falcon.App()
    app.add_route("/", Resource())
    app.add_error_handler(Exception, _reraise)
    with pytest.raises(TypeError, match=r"reveal\(\)"):
        falcon.testing.TestClient(app).simulate_get("/")


def _reraise(request: Any, response: Any, error: Exception, params: Any) -> None:
    raise error


def test_templates_show_the_mask() -> None:
    """Escaped as any text."""
    assert jinja2.Environment(autoescape=True).from_string("{{ s }}").render(s=SECRET) == (
        "Secret(&#39;***&#39;)"
    )
    assert jinja2.Environment().from_string("{{ s }}").render(s=SECRET) == MASK
    engine = django.template.Engine()
    shown = engine.from_string("{{ s }}").render(django.template.Context({"s": SECRET}))
    assert shown == "Secret(&#x27;***&#x27;)"


def test_no_way_of_showing_a_secret_shows_its_value(caplog: pytest.LogCaptureFixture) -> None:
    """Formatting, logging, exceptions, copies and attributes."""
    model = App(token=VALUE)
    logging.getLogger("test").error("%s %r %s", SECRET, model, {"a": SECRET}, extra={"b": SECRET})
    shown = [
        f"{SECRET} {SECRET!r} {SECRET:>20} {model}",
        "{} {!s}".format(SECRET, [SECRET]),  # noqa: UP032  # another way of formatting
        "%s %r" % (SECRET, SECRET),  # noqa: UP031  # another way of formatting
        caplog.text,
        repr(caplog.records[0].__dict__),
        repr(ValueError(SECRET).args),
        repr(dataclasses.asdict(Data(SECRET))),
        repr(copy.deepcopy([SECRET])),
        repr(copy.copy(model)),
        repr(vars(model)),
        repr(dir(SECRET)),
        repr([getattr(SECRET, name) for name in dir(SECRET)]),
        repr(Model(secret=SECRET).model_dump()),
        ascii(SECRET),
    ]
    assert not [one for one in shown if VALUE in one]
    assert not hasattr(SECRET, "__dict__")
    for value in (SECRET, model):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="can't be pickled"):
                pickle.dumps(value, protocol)
    with pytest.raises(AttributeError, match="Secret can't be changed"):
        SECRET.reveal = lambda: "other"


def test_an_annotation_shows_the_plain_name() -> None:
    """The hint stands in errors of encoders alone."""
    assert repr(Secret[str]) == "mantlet.secrets.secret.Secret[str]"
    assert Secret.__qualname__ == "Secret"
