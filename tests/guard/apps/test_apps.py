"""Guards made of the documents that apps have of themselves, in front of these apps."""

import json
from pathlib import Path
from typing import Annotated, Any

import django.core.handlers.wsgi
import falcon
import falcon.asgi
import flask
import litestar
import pytest
import quart
import starlette.applications
from litestar.datastructures import UploadFile
from litestar.params import FromPath, FromQuery, JSONBody, MultipartBody, QueryParameter
from litestar.static_files import create_static_files_router
from pydantic import BaseModel

import mantlet
from mantlet.guard import SchemaGuard
from tests.drive import Adapter, Answer, both_adapters, drive_asgi, drive_wsgi
from tests.guard.asking import JSON, Guarded, faults

DATA = Path(__file__).parent.with_name("openapi") / "data"


class Item(BaseModel):
    name: str
    price: float = 1.0


@litestar.get("/files/{name:path}")
async def litestar_file(name: FromPath[str]) -> str:
    return name


@litestar.post("/items")
async def litestar_add(data: JSONBody[Item]) -> Item:
    return data


def asked(app: Any, method: str, target: str, **more: Any) -> Any:
    path, _, query = target.partition("?")
    body = more.pop("body", b"")
    headers = [*more.pop("headers", ()), ("Content-Length", str(len(body)))] if body else []
    return drive_asgi(
        app, method, path, body=body, headers=headers, scope={"query_string": query.encode()}
    )


def test_a_guard_of_a_litestar_app_stands_in_front_of_it() -> None:
    """What is in its document is validated."""
    app = litestar.Litestar([litestar_file, litestar_add], logging_config=None)
    guard = SchemaGuard.from_app(app)
    stack = mantlet.asgi.wrap(app, guard, baseline=False)
    assert asked(stack, "GET", "/files/a/b.txt").status == 200
    answer = asked(stack, "POST", "/items", body=b'{"name": "a"}', headers=JSON)
    assert answer.json() == {"name": "a", "price": 1.0}
    refused = asked(stack, "POST", "/items", body=b'{"name": 5}', headers=JSON)
    assert faults(refused) == [("body", "/name", "type")]
    assert asked(stack, "GET", "/none").status == 404


@litestar.get("/hidden/{name:str}", include_in_schema=False)
async def litestar_hidden(name: FromPath[str]) -> str:
    return name


@litestar.post("/hook", include_in_schema=False)
async def litestar_hook(request: litestar.Request[Any, Any, Any]) -> str:
    return (await request.body()).decode()


@litestar.get("/items", include_in_schema=False)
async def litestar_list() -> str:
    return "list"


@litestar.get("/paged", include_in_schema=False)
async def litestar_paged(page: FromQuery[int]) -> int:
    return page


@litestar.websocket("/live")
async def litestar_live(socket: litestar.WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.close()


@litestar.websocket("/live/{number:int}")
async def litestar_numbered(
    socket: litestar.WebSocket[Any, Any, Any], number: FromPath[int]
) -> None:
    await socket.accept()
    await socket.close()


@litestar.asgi("/mounted", is_mount=True, copy_scope=True)
async def litestar_mounted(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"mounted"})


def test_litestars_routes_outside_of_its_document_pass_if_they_take_nothing(tmp_path: Path) -> None:
    """And so do its pages of documentation and static files; others are closed, with a note."""
    (tmp_path / "a.css").write_text("css")
    app = litestar.Litestar(
        [
            litestar_add,
            litestar_list,
            litestar_hidden,
            litestar_hook,
            litestar_paged,
            litestar_live,
            litestar_numbered,
            litestar_mounted,
            create_static_files_router("/static", directories=[tmp_path]),
        ],
        logging_config=None,
    )
    guard = SchemaGuard.from_app(app)
    stack = mantlet.asgi.wrap(app, guard, baseline=False)
    for path in ("/schema", "/schema/openapi.json", "/schema/swagger", "/static/a.css", "/items"):
        bare = asked(app, "GET", path)
        assert bare.status == 200
        assert asked(stack, "GET", path).body == bare.body
    assert asked(stack, "POST", "/hook", body=b"any").body == b"any"
    assert asked(stack, "GET", "/mounted/x").body == b"mounted"
    for path in ("/hidden/a", "/paged?page=1"):
        assert asked(app, "GET", path).status == 200
        assert asked(stack, "GET", path).status == 404
    assert asked(stack, "POST", "/items", body=b"{}", headers=JSON).status == 422
    assert asked(stack, "OPTIONS", "/items").status == 405
    notes = str(guard.coverage)
    assert "POST /hook is not in the app's document: requests for it pass" in notes
    assert "GET /paged is not in the app's document, so it is closed" in notes
    assert 'exempt=["WS /live/{number}"]' in notes
    opened = SchemaGuard.from_app(
        app, exempt=["GET /hidden/{name}"], contracts={"GET /paged": None}
    )
    stack = mantlet.asgi.wrap(app, opened, baseline=False)
    assert asked(stack, "GET", "/hidden/a").body == b"a"
    assert asked(stack, "GET", "/paged?page=1").status == 422


def test_options_of_the_guard_hold_for_apps_too() -> None:
    """And those that do not go with a document are refused."""
    app = litestar.Litestar([litestar_add], logging_config=None)
    guard = SchemaGuard.from_app(app, allow=["query"], mode="report")
    assert guard.coverage.operations
    with pytest.raises(ValueError, match="contracts must declare at least one"):
        SchemaGuard.from_app(app, contracts={})
    with pytest.raises(TypeError, match="from_app\\(\\) needs a FastAPI or Litestar app"):
        SchemaGuard.from_app(object())


@both_adapters
def test_a_document_of_flask_smorest_and_apispec_loads_as_it_is(adapter: Adapter) -> None:
    """As apispec's dict, whose statuses may be numbers, as well as from its file."""
    path = DATA / "flask-smorest.json"
    root = json.loads(path.read_bytes())
    for item in root["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "responses" in operation:
                responses = operation["responses"]
                operation["responses"] = {
                    int(status) if status.isdigit() else status: said
                    for status, said in responses.items()
                }
    for source in (path, root):
        app = Guarded(adapter, openapi=source)
        assert app.guard.coverage.operations
        for name, _ in app.guard.coverage.operations:
            method, _, template = name.partition(" ")
            target = template.replace("{", "").replace("}", "")
            answer = app.ask(method, target)
            assert answer.error is None
            assert answer.status in (200, 400, 415, 422), answer.text()


class _Spec:
    """The document of flask-smorest's Api."""

    openapi_version = "3.0.3"

    def to_dict(self) -> dict[str, Any]:
        confirm = {"name": "confirm", "in": "query", "required": True, "schema": {"type": "string"}}
        operation = {"parameters": [confirm], "responses": {"200": {"description": "ok"}}}
        return {
            "openapi": "3.0.3",
            "info": {"title": "Shop", "version": "1"},
            "paths": {"/admin": {"get": operation}},
        }


class _Api:
    """What flask-smorest's Api is to the guard: a document, and the app."""

    def __init__(self, app: flask.Flask) -> None:
        self._app = app
        self.spec = _Spec()


@pytest.mark.parametrize("by_host", [True, False])
def test_rules_of_another_host_or_subdomain_are_closed(*, by_host: bool) -> None:
    """Another endpoint would run than the one that is documented."""
    app = flask.Flask(
        "app", static_folder=None, host_matching=by_host, subdomain_matching=not by_host
    )
    app.config["SERVER_NAME"] = "shop.test"
    home: Any
    other: Any
    home, other = (
        ({"host": "shop.test"}, {"host": "sub.shop.test"})
        if by_host
        else ({}, {"subdomain": "sub"})
    )
    app.add_url_rule("/admin", "admin", lambda: "documented", **home)
    app.add_url_rule("/<name>", "any", lambda name: name, **home)
    app.add_url_rule("/admin", "other", lambda: "other", **other)
    stack = mantlet.wsgi.wrap(app, SchemaGuard.from_app(_Api(app)), baseline=False)

    def ask(to: Any, host: str, query: str) -> Answer:
        environ = {"QUERY_STRING": query, "RAW_URI": f"/admin?{query}"}
        return drive_wsgi(to, "GET", "/admin", headers=[("Host", host)], environ=environ)

    for host in ("sub.shop.test", "SUB.shop.test:80"):
        assert ask(stack, host, "confirm=1").status == 404
    assert ask(app, "sub.shop.test", "confirm=1").body == b"other"
    assert ask(stack, "shop.test", "confirm=1").body == b"documented"
    assert ask(stack, "shop.test", "").status == 422


# -- what Litestar documents less than it takes ---------------------------------------------------


@litestar.post("/search", status_code=200)
async def litestar_search(
    page: Annotated[int | None, QueryParameter()],
    deep: Annotated[bool, QueryParameter()] = False,
    ratio: Annotated[int | float | None, QueryParameter()] = None,
) -> list[Any]:
    return [page, deep, ratio]


@litestar.post("/one", status_code=200)
async def litestar_one(data: MultipartBody[UploadFile]) -> str:
    return (await data.read()).decode()


@litestar.post("/many", status_code=200)
async def litestar_many(data: MultipartBody[list[UploadFile]]) -> list[str]:
    return [(await one.read()).decode() for one in data]


@litestar.post("/named", status_code=200)
async def litestar_named(data: MultipartBody[dict[str, UploadFile]]) -> list[str]:
    return sorted(data)


@pytest.mark.parametrize(
    "query", ["", "page=5", "deep=True", "deep=1&ratio=1", "ratio=1.5", "page=&ratio=2"]
)
def test_parameters_that_may_be_null_need_not_be_there(query: str) -> None:
    """Litestar documents them as required; and it takes more booleans than JSON has."""
    app = litestar.Litestar([litestar_search], logging_config=None)
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    own, guarded = (asked(one, "POST", f"/search?{query}") for one in (app, stack))
    assert own.status in (200, 400)
    assert guarded.status == (own.status if own.status == 200 else guarded.status)
    assert own.status != 200 or guarded.body == own.body
    assert asked(stack, "POST", "/search?deep=maybe").status == 422


@pytest.mark.parametrize("path", ["/one", "/many", "/named"])
def test_a_form_of_uploads_alone_has_any_names(path: str) -> None:
    """Litestar documents it as an object with the field "file" or "files"."""
    app = litestar.Litestar([litestar_one, litestar_many, litestar_named], logging_config=None)
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app), baseline=False)
    body = (
        b'--limit\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\nbytes\r\n--limit--\r\n"
    )
    headers = [("Content-Type", "multipart/form-data; boundary=limit")]
    own, guarded = (asked(one, "POST", path, body=body, headers=headers) for one in (app, stack))
    assert own.status == 200
    assert guarded.body == own.body


# -- apps without declarations --------------------------------------------------------------------


@pytest.mark.parametrize(
    "app",
    [
        starlette.applications.Starlette(),
        quart.Quart("app"),
        flask.Flask("app"),
        django.core.handlers.wsgi.WSGIHandler.__new__(django.core.handlers.wsgi.WSGIHandler),
        falcon.App(),
        falcon.asgi.App(),
        lambda _environ, _start_response: [],
    ],
    ids=lambda app: f"{type(app).__module__}.{type(app).__name__}",
)
def test_an_app_without_a_document_is_told_what_to_use_instead(app: Any) -> None:
    """Contracts, in front of the app."""
    with pytest.raises(TypeError) as caught:
        SchemaGuard.from_app(app)
    words = str(caught.value)
    assert type(app).__qualname__ in words
    assert 'mantlet.wrap(app, SchemaGuard({"POST /items": Item}))' in words
    assert "flask-smorest Api" in words
