"""Which error answers of an app become problems: those that a framework made by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import falcon
import falcon.asgi
import fastapi
import flask
import litestar
import pytest
import quart
from litestar.exceptions import HTTPException as LitestarHTTPException
from litestar.params import Body
from pydantic import BaseModel, SecretStr, field_validator
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from werkzeug.exceptions import BadGateway

import mantlet
from mantlet import ErrorEnvelope, RateLimiter
from tests.drive import Adapter, Answer, both_adapters, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from starlette.requests import Request as StarletteRequest

JSON = [("Accept", "application/json")]
WORDS = "No such order"


# -- frameworks' apps: the same paths in each -----------------------------------------------------


def flask_app() -> Any:
    app = flask.Flask(__name__)
    app.add_url_rule("/words", view_func=lambda: flask.abort(404, WORDS), endpoint="words")
    app.add_url_rule("/large", view_func=lambda: flask.abort(413), endpoint="large")
    app.add_url_rule("/own", view_func=lambda: ("<h1>Lost?</h1>", 404), endpoint="own")
    app.add_url_rule("/own-json", view_func=lambda: ({"error": "lost"}, 404), endpoint="json")
    app.add_url_rule("/get", view_func=lambda: "fine", endpoint="get")
    return app


def quart_app() -> Any:
    app = quart.Quart(__name__)

    async def words() -> None:
        quart.abort(404, WORDS)

    async def large() -> None:
        quart.abort(413)

    async def own() -> Any:
        return "<h1>Lost?</h1>", 404

    async def own_json() -> Any:
        return {"error": "lost"}, 404

    async def get() -> str:
        return "fine"

    views: dict[str, Any] = {"words": words, "large": large, "own": own, "get": get}
    for path, view in views.items():
        app.add_url_rule(f"/{path}", view_func=view)
    app.add_url_rule("/own-json", view_func=own_json)
    return app


def starlette_app() -> Any:
    async def large(request: StarletteRequest) -> None:
        raise StarletteHTTPException(413)

    async def own(request: StarletteRequest) -> Any:
        return PlainTextResponse("Lost?", 404)

    async def own_json(request: StarletteRequest) -> Any:
        return JSONResponse({"error": "lost"}, 404)

    async def get(request: StarletteRequest) -> Any:
        return PlainTextResponse("fine")

    paths = {"/large": large, "/own": own, "/own-json": own_json, "/get": get}
    return Starlette(routes=[Route(path, view) for path, view in paths.items()])


def fastapi_app() -> Any:
    app = fastapi.FastAPI()

    @app.get("/words")
    async def words() -> None:
        raise fastapi.HTTPException(404, WORDS)

    @app.get("/large")
    async def large() -> None:
        raise fastapi.HTTPException(413)

    @app.get("/own")
    async def own() -> PlainTextResponse:
        return PlainTextResponse("Lost?", 404)

    @app.get("/own-json")
    async def own_json() -> JSONResponse:
        return JSONResponse({"detail": "lost", "more": 1}, 404)

    @app.get("/get")
    async def get() -> str:
        return "fine"

    return app


def litestar_app() -> Any:
    @litestar.get("/words")
    async def words() -> None:
        raise LitestarHTTPException(WORDS, status_code=404)

    @litestar.get("/large")
    async def large() -> str:  # whose own media type Litestar gives its document
        raise LitestarHTTPException(status_code=413)

    @litestar.get("/own")
    async def own() -> litestar.Response[str]:
        return litestar.Response("Lost?", status_code=404, media_type="text/plain")

    @litestar.get("/own-json")
    async def own_json() -> litestar.Response[dict[str, str]]:
        return litestar.Response({"error": "lost"}, status_code=404)

    @litestar.get("/get")
    async def get() -> str:
        return "fine"

    return litestar.Litestar([words, large, own, own_json, get], logging_config=None)


class FalconPath:
    """A resource of either Falcon."""

    def __init__(self, name: str) -> None:
        self.name = name

    def say(self, resp: Any) -> None:
        match self.name:
            case "large":
                raise falcon.HTTPContentTooLarge
            case "own":
                resp.status, resp.text = 404, "Lost?"
                resp.content_type = falcon.MEDIA_TEXT
            case "own-json":
                resp.status, resp.media = 404, {"error": "lost"}
            case "words":
                raise falcon.HTTPNotFound(description=WORDS)


class FalconWsgiPath(FalconPath):
    def on_get(self, req: Any, resp: Any) -> None:
        self.say(resp)


class FalconAsgiPath(FalconPath):
    async def on_get(self, req: Any, resp: Any) -> None:
        self.say(resp)


def falcon_app(app: Any, path: type[FalconPath]) -> Any:
    for name in ("large", "own", "own-json", "words", "get"):
        app.add_route(f"/{name}", path(name))
    return app


APPS: dict[str, tuple[Any, Any]] = {
    "flask": (flask_app, drive_wsgi),
    "quart": (quart_app, drive_asgi),
    "starlette": (starlette_app, drive_asgi),
    "fastapi": (fastapi_app, drive_asgi),
    "litestar": (litestar_app, drive_asgi),
    "falcon": (lambda: falcon_app(falcon.App(), FalconWsgiPath), drive_wsgi),
    "falcon-asgi": (lambda: falcon_app(falcon.asgi.App(), FalconAsgiPath), drive_asgi),
}
frameworks = pytest.mark.parametrize("name", APPS)


def ask(
    name: str, path: str, *, method: str = "GET", accept: str | None = None, **options: Any
) -> tuple[Answer, Answer]:
    """Return what the bare app answers, and what the wrapped one does."""
    make, drive = APPS[name]
    headers = [("Host", "localhost")] + ([("Accept", accept)] if accept is not None else [])
    bare = drive(make(), method, path, headers=headers)
    return bare, drive(
        mantlet.wrap(make(), ErrorEnvelope(**options), baseline=False),
        method,
        path,
        headers=headers,
    )


def own_fields(answer: Answer) -> list[tuple[str, str]]:
    """Return the fields that the envelope does not add, but for what differs by the moment."""
    return [pair for pair in answer.headers if pair[0].lower() not in ("x-request-id", "date")]


def check_problem(answer: Answer, status: int) -> dict[str, Any]:
    """Hold an answer against RFC 9457; return its document."""
    assert answer.status == status
    assert answer.get("content-type") == "application/problem+json"
    assert answer.get("content-length") == str(len(answer.body))
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["request_id"] == answer.get("x-request-id")
    return document


# -- frameworks' own answers ----------------------------------------------------------------------


@frameworks
def test_an_unknown_path_is_a_problem_for_who_asks_for_json(name: str) -> None:
    """Whether the framework answers with a page, a phrase or a document."""
    bare, wrapped = ask(name, "/nowhere", accept="application/json")
    assert bare.status == 404
    assert "detail" not in check_problem(wrapped, 404)


@frameworks
def test_a_wrong_method_is_a_problem_that_says_which_are_right(name: str) -> None:
    """``Allow`` is kept as the framework sent it (RFC 9110, 15.5.6)."""
    bare, wrapped = ask(name, "/get", method="DELETE", accept="application/json")
    check_problem(wrapped, 405)
    assert sorted(wrapped.get("allow").split(", ")) == sorted(bare.get("allow").split(", "))  # type: ignore[union-attr]  # it is there, or the test fails


@frameworks
def test_a_status_that_the_app_raises_is_a_problem(name: str) -> None:
    """By the framework's own exception, without words of the app's."""
    _, wrapped = ask(name, "/large", accept="application/problem+json, */*;q=0.1")
    assert wrapped.get("content-type") == "application/problem+json"
    assert wrapped.json()["status"] == wrapped.status == 413


@frameworks
@pytest.mark.parametrize("path", ["/own", "/own-json"])
def test_what_the_app_says_stays(name: str, path: str) -> None:
    """A page or a document that it made on purpose."""
    bare, wrapped = ask(name, path, accept="application/json")
    assert wrapped.status == bare.status == 404
    assert wrapped.body == bare.body
    assert own_fields(wrapped) == own_fields(bare)


@frameworks
@pytest.mark.parametrize("path", ["/nowhere", "/large", "/own", "/own-json"])
@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html, application/json;q=0.5"],
    ids=str,
)
def test_who_does_not_ask_for_json_gets_what_the_app_answers(
    name: str, path: str, accept: str | None
) -> None:
    """Not a byte is different."""
    bare, wrapped = ask(name, path, accept=accept)
    assert (wrapped.status, wrapped.chunks) == (bare.status, bare.chunks)
    assert own_fields(wrapped) == own_fields(bare)


@frameworks
def test_never_leaves_all_as_it_is(name: str) -> None:
    """Exceptions are answered all the same."""
    bare, wrapped = ask(name, "/nowhere", accept="application/json", convert="never")
    assert (wrapped.status, wrapped.chunks) == (bare.status, bare.chunks)
    assert own_fields(wrapped) == own_fields(bare)


@frameworks
@pytest.mark.parametrize("accept", [None, "application/json", "text/html", "text/plain"], ids=str)
def test_always_makes_each_a_problem_in_the_form_that_is_accepted(
    name: str, accept: str | None
) -> None:
    """Also of what the app said."""
    for path in ("/nowhere", "/own", "/own-json"):
        _, wrapped = ask(name, path, accept=accept, convert="always")
        assert wrapped.status == 404
        expected = accept if accept in ("text/html", "text/plain") else "application/problem+json"
        assert wrapped.get("content-type").partition(";")[0] == expected  # type: ignore[union-attr]  # it is there, or the test fails
        assert b"ost?" not in wrapped.body
        assert b"error" not in wrapped.body


@frameworks
def test_a_head_is_left_alone(name: str) -> None:
    """What its body would be is not known."""
    bare, wrapped = ask(name, "/nowhere", method="HEAD", accept="application/json")
    assert wrapped.status == bare.status
    assert wrapped.body in (b"", bare.body)  # which no server sends on
    assert own_fields(wrapped) == own_fields(bare)


@pytest.mark.parametrize("name", ["flask", "quart"])
def test_words_of_an_abort_are_kept_with_details_alone(name: str) -> None:
    """They were an exception's text, which no default lets out."""
    _, without = ask(name, "/words", accept="application/json")
    assert WORDS not in without.text()
    check_problem(without, 404)
    _, with_them = ask(name, "/words", accept="application/json", expose_details=True)
    assert check_problem(with_them, 404)["detail"] == WORDS


@pytest.mark.parametrize("name", ["fastapi", "litestar"])
def test_words_in_a_document_stay_in_it_or_become_the_detail(name: str) -> None:
    """It is the app's own document, until expose_details says what to do with its words."""
    bare, without = ask(name, "/words", accept="application/json")
    assert without.body == bare.body
    _, with_them = ask(name, "/words", accept="application/json", expose_details=True)
    assert check_problem(with_them, 404)["detail"] == WORDS


# -- refused input --------------------------------------------------------------------------------


class Account(BaseModel):
    """What is posted."""

    name: str
    age: int
    password: SecretStr

    @field_validator("name")
    @classmethod
    def checked(cls, name: str) -> str:
        if name == "taken":
            raise ValueError(f"db-7 says that {name} is taken")
        return name


def test_input_that_fastapi_refuses_is_listed_without_a_value() -> None:
    """FastAPI sends the input back: of the password, that it is no text, and the password."""
    app = fastapi.FastAPI()

    @app.post("/accounts/{number}")
    async def account(number: int, account: Account) -> None:
        pass

    sent = json.dumps({"name": "taken", "age": "hunter2", "password": ["hunter2"]}).encode()
    headers = [*JSON, ("Content-Type", "application/json")]

    bare = drive_asgi(app, "POST", "/accounts/x", headers=headers, body=sent)
    assert b"hunter2" in bare.body

    answer = drive_asgi(
        mantlet.wrap(app, ErrorEnvelope(), baseline=False),
        "POST",
        "/accounts/x",
        headers=headers,
        body=sent,
    )
    assert b"hunter2" not in answer.body
    assert b"db-7" not in answer.body
    assert check_problem(answer, 422)["errors"] == [
        {
            "in": "path",
            "pointer": "/number",
            "code": "int_parsing",
            "detail": "Input should be a valid integer, unable to parse string as an integer",
        },
        {"in": "body", "pointer": "/name", "code": "value_error"},
        {
            "in": "body",
            "pointer": "/age",
            "code": "int_parsing",
            "detail": "Input should be a valid integer, unable to parse string as an integer",
        },
        {
            "in": "body",
            "pointer": "/password",
            "code": "string_type",
            "detail": "Input should be a valid string",
        },
    ]


def test_json_that_fastapi_cannot_parse_is_said_so() -> None:
    """What it says of the place is no pointer."""
    app = fastapi.FastAPI()

    @app.post("/")
    async def account(account: Account) -> None:
        pass

    answer = drive_asgi(
        mantlet.wrap(app, ErrorEnvelope(), baseline=False),
        "POST",
        headers=[*JSON, ("Content-Type", "application/json")],
        body=b'{"password": "hunter2',
    )
    assert check_problem(answer, 422)["errors"] == [
        {
            "in": "body",
            "pointer": "",
            "code": "json_invalid",
            "detail": "Input should be valid JSON",
        }
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # each version has another way to say it
def test_input_that_litestar_refuses_is_listed_without_a_value() -> None:
    """Litestar sends the query back, and the texts of the app's validators."""

    @litestar.post("/accounts")
    async def account(data: Annotated[Account, Body()], page: int) -> None:
        pass

    app = litestar.Litestar([account], logging_config=None)
    sent = json.dumps({"name": "taken", "age": 1, "password": "hunter2"}).encode()
    headers = [*JSON, ("Content-Type", "application/json")]
    scope = {"query_string": b"page=hunter2"}
    bare = drive_asgi(app, "POST", "/accounts", headers=headers, body=sent, scope=scope)
    assert bare.status == 400
    assert b"hunter2" in bare.body

    wrapped = mantlet.wrap(app, ErrorEnvelope(), baseline=False)
    answer = drive_asgi(wrapped, "POST", "/accounts", headers=headers, body=sent, scope=scope)
    assert b"hunter2" not in answer.body
    assert b"db-7" not in answer.body
    assert check_problem(answer, 400)["errors"] == [
        {"in": "body", "pointer": "/name", "code": "invalid"}
    ]


# -- bodies, one by one ---------------------------------------------------------------------------

WERKZEUG = b"<!doctype html>\n<html lang=en>\n<title>%s</title>\n<h1>Lost</h1>\n%s"
DJANGO = (
    b'<!doctype html>\n<html lang="en">\n<head>\n<title>%s</title>\n</head>\n'
    b"<body>\n<h1>Lost</h1><p>a</p>\n</body>\n</html>"
)

OWN: list[tuple[int, str, bytes]] = [
    (404, "text/plain", b"Not Found in the shop"),
    (404, "text/plain", b"Internal Server Error"),  # another status's phrase
    (404, "text/html", b"<h1>Not Found</h1>"),
    (404, "text/html", WERKZEUG % (b"404 Not Found", b"<p>a</p>\n<p>b</p>\n")),
    (404, "text/html", WERKZEUG % (b"500 Error", b"<p>a</p>\n")),
    (404, "text/html", DJANGO % b"Lost"),
    (404, "application/json", b'{"detail": "No such order"}'),
    (404, "application/json", b'{"detail": "Not Found", "hint": "x"}'),
    (404, "application/json", b'{"detail": null}'),
    (404, "application/json", b'{"detail": ["Not Found"]}'),
    (422, "application/json", b'{"detail": [{"msg": "x"}]}'),
    (400, "application/json", b'{"status_code":400,"detail":"Bad Request","extra":[{"key":"a"}]}'),
    (404, "application/json", b'{"status_code": 404}'),
    (404, "application/json", b'"Not Found"'),
    (404, "application/json", b"[]"),
    (404, "application/json", b"{"),
    (404, "application/json", b"\xff{}"),
    (404, "application/json", b"[" * 10_000),
    (404, "application/json", b'{"a":' * 3000),
    (404, "application/vnd.api+json", b'{"detail": "Not Found"}'),
    (404, "image/png", b""),
    (404, "application/xml", b""),
    (404, "text/plain", b"x" * 100_000),
]


@both_adapters
@pytest.mark.parametrize(("status", "kind", "body"), OWN, ids=lambda value: repr(value)[:40])
def test_an_answer_that_says_anything_of_its_own_stays(
    adapter: Adapter, status: int, kind: str, body: bytes
) -> None:
    """It is the app's."""
    stack = adapter.wrap(lambda _: (status, [("content-type", kind)], body), ErrorEnvelope())
    answer = adapter.drive(stack, headers=JSON)
    assert (answer.status, answer.get("content-type"), answer.body) == (status, kind, body)


FRAMEWORKS: list[tuple[int, str | None, bytes]] = [
    (404, None, b""),
    (404, "text/html; charset=utf-8", b""),
    (404, "TEXT/PLAIN", b" \r\n"),
    (404, "application/json", b""),
    (404, "text/plain", b"Not Found"),
    (404, "text/plain", b"404 Not Found\n"),
    (413, "text/plain", b"Request Entity Too Large"),
    (413, "text/plain", b"Content Too Large"),
    (422, "text/plain", b"Unprocessable Entity"),
    (499, "text/plain", b"Client Error"),
    (404, "application/json", b'{"detail":"Not found."}'),  # Django REST framework
    (500, "text/html", WERKZEUG % (b"500 Bad", b"<p>The server &lt;x&gt;<br>failed.</p>\n")),
    (404, "text/html", DJANGO % b"Not Found"),
]


@both_adapters
@pytest.mark.parametrize(("status", "kind", "body"), FRAMEWORKS, ids=lambda value: repr(value)[:40])
def test_an_answer_that_says_nothing_of_its_own_becomes_a_problem(
    adapter: Adapter, status: int, kind: str | None, body: bytes
) -> None:
    """Whoever made it: nothing is lost."""
    fields = [] if kind is None else [("content-type", kind)]
    stack = adapter.wrap(lambda _: (status, fields, body), ErrorEnvelope())
    check_problem(adapter.drive(stack, headers=JSON), status)


@both_adapters
def test_the_fields_of_the_answer_are_kept_but_for_those_of_its_body(adapter: Adapter) -> None:
    """Each as often as it came."""
    fields = [
        ("content-type", "text/plain"),
        ("content-length", "9"),
        ("content-language", "en"),
        ("etag", '"x"'),
        ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("www-authenticate", "Basic"),
        ("www-authenticate", "Bearer"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("access-control-allow-origin", "*"),
        ("cache-control", "max-age=60"),
        ("vary", "Origin"),
    ]
    stack = adapter.wrap(lambda _: (404, fields, b"Not Found"), ErrorEnvelope())
    answer = adapter.drive(stack, headers=JSON)
    check_problem(answer, 404)
    assert answer.getall("www-authenticate") == ["Basic", "Bearer"]
    assert answer.getall("set-cookie") == ["a=1", "b=2"]
    assert answer.get("access-control-allow-origin") == "*"
    assert answer.get("cache-control") == "max-age=60"
    assert answer.getall("vary") == ["Origin", "Accept"]
    assert not {"content-language", "etag", "last-modified"} & set(answer.names)


@both_adapters
def test_a_compressed_body_stays(adapter: Adapter) -> None:
    """What it says is not looked into."""
    fields = [("content-type", "text/plain"), ("content-encoding", "gzip")]
    stack = adapter.wrap(lambda _: (404, fields, b"Not Found"), ErrorEnvelope())
    assert adapter.drive(stack, headers=JSON).body == b"Not Found"


@both_adapters
@pytest.mark.parametrize("mode", ["auto", "always"])
def test_a_problem_stays_as_it_is(adapter: Adapter, mode: Any) -> None:
    """The app's own, and those of policies further in, also as a page."""
    document = b'{"type": "https://example.com/x", "title": "X", "status": 404}'
    fields = [("content-type", "application/problem+json; charset=utf-8")]
    stack = adapter.wrap(lambda _: (404, fields, document), ErrorEnvelope(convert=mode))
    assert adapter.drive(stack, headers=JSON).body == document

    limited = adapter.wrap(
        lambda _: (200, [], b""), ErrorEnvelope(convert=mode), RateLimiter("1/h")
    )
    for accept in ("application/json", "text/html", "text/plain"):
        adapter.drive(limited, headers=[("Accept", accept)])
        refused = adapter.drive(limited, headers=[("Accept", accept)])
        form = "application/problem+json" if "json" in accept else accept
        assert refused.status == 429
        assert b"quota" in refused.body or b"Retry" in refused.body or b"Too" in refused.body
        assert refused.get("content-type").startswith(form)  # type: ignore[union-attr]  # it is there, or the test fails
        assert refused.get("retry-after")


@both_adapters
def test_an_answer_below_400_is_not_looked_at(adapter: Adapter) -> None:
    """Whatever it says."""
    stack = adapter.wrap(
        lambda _: (200, [("content-type", "text/plain")], b"Not Found"),
        ErrorEnvelope(convert="always"),
    )
    assert adapter.drive(stack, headers=JSON).body == b"Not Found"


# -- words with 500 and above ---------------------------------------------------------------------

TELLING: list[tuple[str, bytes]] = [
    ("text/html; charset=utf-8", WERKZEUG % (b"502 Bad Gateway", b"<p>db-7 refused</p>\n")),
]


@both_adapters
@pytest.mark.parametrize("accept", [None, "application/json", "text/html"], ids=str)
@pytest.mark.parametrize(("kind", "body"), TELLING, ids=lambda value: repr(value)[:50])
def test_what_an_http_exception_says_with_500_and_above_is_left_out(
    adapter: Adapter, kind: str, body: bytes, accept: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """For every client: it is most often another exception's text. The log has it."""
    fields = [("content-type", kind), ("retry-after", "7")]
    stack = adapter.wrap(lambda _: (502, fields, body), ErrorEnvelope(expose_details=True))
    headers = [] if accept is None else [("Accept", accept)]
    answer = adapter.drive(stack, headers=headers)
    assert (answer.status, answer.get("retry-after")) == (502, "7")
    assert "db-7" not in answer.text()
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "'db-7 refused'" in record.getMessage()
    assert record.__dict__["request_id"] == answer.get("x-request-id")


@both_adapters
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"detail": "Bad Gateway"}'),
        # Of an app, as no exception stands behind them: FastAPI's, Litestar's and Falcon's forms.
        ("application/json", b'{"detail": "db-7 refused"}'),
        ("application/json", b'{"status_code": 502, "detail": "db-7 refused"}'),
        ("text/plain", b'{"status_code": 502, "detail": "db-7 refused", "extra": {"host": "7"}}'),
        ("application/json", b'{"title": "502 Bad Gateway", "description": "db-7 refused"}'),
        ("application/json", b'{"error": "db-7 refused"}'),
        ("application/json", b'{"detail": "db-7 refused", "code": 7}'),
        ("text/plain", b"db-7 refused"),
        ("text/html", WERKZEUG % (b"502 Bad Gateway", b"")),
        (
            "text/html",
            WERKZEUG % (b"502 Bad Gateway", f"<p>{BadGateway.description}</p>\n".encode()),
        ),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_other_answers_with_500_and_above_stay_for_who_does_not_ask_for_json(
    adapter: Adapter, kind: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """They say nothing, or are the app's own."""
    stack = adapter.wrap(lambda _: (502, [("content-type", kind)], body), ErrorEnvelope())
    answer = adapter.drive(stack)
    assert (answer.status, answer.get("content-type"), answer.body) == (502, kind, body)
    assert not caplog.records


def test_words_that_fastapi_sends_with_a_500_are_left_out() -> None:
    """For real."""
    app = fastapi.FastAPI()

    @app.get("/")
    async def failing() -> None:
        raise fastapi.HTTPException(500, "db-7 refused", {"X-Own": "yes"})

    assert b"db-7" in drive_asgi(app).body
    answer = drive_asgi(mantlet.wrap(app, ErrorEnvelope(), baseline=False))
    assert (answer.status, answer.get("x-own")) == (500, "yes")
    assert b"db-7" not in answer.body
    assert (
        b"db-7"
        in drive_asgi(mantlet.wrap(app, ErrorEnvelope(convert="never"), baseline=False)).body
    )
