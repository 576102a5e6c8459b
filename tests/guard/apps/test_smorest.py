"""Guards of real flask-smorest APIs, in front of their apps."""

from pathlib import Path
from typing import Any

import flask
import marshmallow as ma
import pytest
from flask_smorest import Api, Blueprint
from flask_smorest.fields import Upload

import mantlet
from mantlet.guard import SchemaGuard
from tests.drive import Answer, Fields, drive_wsgi
from tests.guard.asking import FORM, JSON, faults

MULTIPART: Fields = [("Content-Type", "multipart/form-data; boundary=limit")]


class Pet(ma.Schema):
    """A body of JSON or a form."""

    name = ma.fields.String(required=True)
    tame = ma.fields.Boolean()
    toys = ma.fields.List(ma.fields.String())


class Page(ma.Schema):
    """A query."""

    number = ma.fields.Integer(load_default=1)
    deep = ma.fields.Boolean()


class Photo(ma.Schema):
    """The files of a form."""

    photo = Upload(required=True)


@pytest.fixture(params=["3.0.3", "3.1.0"])
def api(request: pytest.FixtureRequest) -> Any:
    """Return an ``Api`` with its app."""
    app = flask.Flask("app", static_folder=str(Path(__file__).parent), static_url_path="/static")
    app.config.update(
        API_TITLE="x",
        API_VERSION="1",
        OPENAPI_VERSION=request.param,
        OPENAPI_URL_PREFIX="/",
        OPENAPI_SWAGGER_UI_PATH="/swagger-ui",
        OPENAPI_SWAGGER_UI_URL="https://cdn.test/",
    )
    api = Api(app)
    pets = Blueprint("pets", "pets", url_prefix="/pets")

    def index(page: dict[str, Any]) -> dict[str, Any]:
        return page

    def add(pet: dict[str, Any]) -> dict[str, Any]:
        return pet

    def change(pet: dict[str, Any], pet_id: int) -> dict[str, Any]:
        return pet

    def photo(pet: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
        return {**pet, "photo": files["photo"].read().decode()}

    def picture(files: dict[str, Any], pet: dict[str, Any]) -> dict[str, Any]:
        return {**pet, "photo": files["photo"].read().decode()}

    @app.route("/plain", methods=["GET", "POST"])
    def plain() -> str:
        return flask.request.get_data(as_text=True) or "plain"

    @app.route("/users/<name>")
    def user(name: str) -> str:
        return name

    body, query, form, files = (
        pets.arguments(Pet),
        pets.arguments(Page, location="query"),
        pets.arguments(Pet, location="form"),
        pets.arguments(Photo, location="files"),
    )
    pets.route("/", methods=["GET"])(query(index))
    pets.route("/", methods=["POST"])(body(add))
    pets.route("/<int:pet_id>", methods=["PUT"])(form(change))
    pets.route("/photos", methods=["POST"])(form(files(photo)))
    pets.route("/pictures", methods=["POST"])(files(form(picture)))
    api.register_blueprint(pets)
    return api


def both(api: Any, method: str, target: str, **more: Any) -> tuple[Answer, Answer]:
    """Ask the app, and the app behind its guard."""
    stack = mantlet.wsgi.wrap(api._app, SchemaGuard.from_app(api), baseline=False)
    path, _, query = target.partition("?")
    environ = {"QUERY_STRING": query}
    return (
        drive_wsgi(api._app, method, path, environ=environ, **more),
        drive_wsgi(stack, method, path, environ=environ, **more),
    )


@pytest.mark.parametrize("text", ["on", "yes", "1", "True", "off", "0", "FALSE"])
def test_booleans_are_those_of_marshmallow(api: Any, text: str) -> None:
    """A checkbox sends "on"."""
    for method, target, more in (
        ("GET", f"/pets/?deep={text}", {}),
        ("PUT", "/pets/5", {"body": f"name=a&tame={text}".encode(), "headers": FORM}),
    ):
        own, guarded = both(api, method, target, **more)
        assert own.status == guarded.status == 200
        assert guarded.body == own.body


def test_other_texts_are_refused_as_by_the_app(api: Any) -> None:
    """In the guard's own words."""
    own, guarded = both(api, "GET", "/pets/?deep=maybe&number=x")
    assert own.status == 422
    assert sorted(faults(guarded)) == [("query", "/deep", "type"), ("query", "/number", "type")]
    own, guarded = both(api, "POST", "/pets/", body=b'{"name": 5}', headers=JSON)
    assert own.status == 422
    assert faults(guarded) == [("body", "/name", "type")]


@pytest.mark.parametrize("path", ["/pets/photos", "/pets/pictures"])
def test_a_form_with_fields_and_files_is_one_multipart_form(api: Any, path: str) -> None:
    """flask-smorest documents one of them as the body, and the other as parameters of Swagger."""
    body = (
        b'--limit\r\nContent-Disposition: form-data; name="name"\r\n\r\nRex\r\n'
        b'--limit\r\nContent-Disposition: form-data; name="tame"\r\n\r\non\r\n'
        b'--limit\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
        b"bytes\r\n--limit--\r\n"
    )
    own, guarded = both(api, "POST", path, body=body, headers=MULTIPART)
    assert guarded.json() == own.json() == {"name": "Rex", "tame": True, "photo": "bytes"}
    _, guarded = both(api, "POST", path, body=body.replace(b"tame", b"wild"), headers=MULTIPART)
    assert faults(guarded) == [("body", "/wild", "undeclared_field")]
    _, guarded = both(api, "POST", path, body=b"--limit--\r\n", headers=MULTIPART)
    assert {pointer for _, pointer, _ in faults(guarded)} == {"/name", "/photo"}


@pytest.mark.parametrize(
    "path", ["/openapi.json", "/swagger-ui", "/static/test_smorest.py", "/plain"]
)
def test_the_apps_own_pages_files_and_views_without_parameters_pass(api: Any, path: str) -> None:
    """None of them is in the document."""
    own, guarded = both(api, "GET", path)
    assert own.status == 200
    assert (guarded.status, guarded.body) == (own.status, own.body)


def test_undocumented_views_with_parameters_are_closed_with_a_note(api: Any) -> None:
    """Which says how to open them."""
    own, guarded = both(api, "GET", "/users/me")
    assert (own.status, guarded.status) == (200, 404)
    notes = str(SchemaGuard.from_app(api).coverage)
    assert "GET,HEAD,OPTIONS /users/{name} is not in the app's document, so it is closed" in notes
    assert "/plain is not in the app's document: requests for it pass" in notes
    opened = SchemaGuard.from_app(api, exempt=["GET,HEAD,OPTIONS /users/{name}"])
    stack = mantlet.wsgi.wrap(api._app, opened, baseline=False)
    assert drive_wsgi(stack, "GET", "/users/me").body == b"me"


def test_the_app_of_an_api_is_not_taken_for_it(api: Any) -> None:
    """The message asks for the Api."""
    with pytest.raises(TypeError, match="pass the Api of flask-smorest instead of its app"):
        SchemaGuard.from_app(api._app)
