"""What a guard made of models lets through, what it refuses, and how it says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

import mantlet
from mantlet import ErrorEnvelope, SchemaGuard
from mantlet.guard import BodyLimits, Contract, File, RouteOptions
from tests.drive import Adapter, both_adapters
from tests.guard.asking import FORM, JSON, Guarded, faults

if TYPE_CHECKING:
    from collections.abc import Mapping


class Item(BaseModel):
    name: str = Field(max_length=40)
    price: float = Field(gt=0)
    tags: list[str] = Field(default=[], max_length=5)


class ItemPath(BaseModel):
    item_id: int = Field(ge=1)


class ItemQuery(BaseModel):
    fields: list[str] = Field(default=[], max_length=3)
    limit: int = Field(default=20, le=100)
    order: Literal["asc", "desc"] = "asc"


class Tracing(BaseModel):
    x_trace: str | None = Field(default=None, pattern="^[0-9a-f]{8}$")


class Session(BaseModel):
    session: str = Field(min_length=4)


class Login(BaseModel):
    username: str
    password: str = Field(min_length=12)

    @field_validator("username")
    @classmethod
    def check_username(cls, value: str) -> str:
        if value == "root":
            raise ValueError(f"no one is called {value}")
        return value


CONTRACTS: Mapping[str, Any] = {
    "POST /items": Item,
    "GET /items/{item_id}": Contract(path=ItemPath, query=ItemQuery, headers=Tracing),
    "GET /items/mine": Contract(cookies=Session),
    "POST /login": Contract(form=Login),
    "PUT /items/{item_id}": Contract(path=ItemPath, body=Item, required=False),
}
ITEM = {"name": "pavise", "price": 9.5}


@both_adapters
def test_a_valid_body_reaches_the_app_as_it_came_and_as_the_model(adapter: Adapter) -> None:
    """The app need not parse it again, and may."""
    app = Guarded(adapter, CONTRACTS)
    answer = app.ask("POST", "/items", body='{"name": "pavise", "price": 9.5 }', headers=JSON)
    assert answer.status == 200
    assert app.bodies == [b'{"name": "pavise", "price": 9.5 }']
    assert app.seen[0].body == Item(name="pavise", price=9.5)
    assert app.seen[0].operation == "POST /items"


@both_adapters
def test_parameters_reach_the_app_as_models(adapter: Adapter) -> None:
    """Each place has its own; what is not sent has its default."""
    app = Guarded(adapter, CONTRACTS)
    answer = app.ask(
        "GET",
        "/items/7?fields=name&limit=5&fields=price",
        headers=[("X-Trace", "0123abcd"), ("Accept", "*/*")],
    )
    assert answer.status == 200, answer.text()
    (seen,) = app.seen
    assert seen.path == ItemPath(item_id=7)
    assert seen.query == ItemQuery(fields=["name", "price"], limit=5)
    assert seen.headers == Tracing(x_trace="0123abcd")
    assert seen.cookies is None
    assert seen.body is None


@both_adapters
def test_the_most_specific_path_is_the_one_that_counts(adapter: Adapter) -> None:
    """``/items/mine`` is not an item whose id is "mine", for no method."""
    app = Guarded(adapter, CONTRACTS)
    assert app.ask("GET", "/items/mine", headers=[("Cookie", "session=abcd; x=1")]).status == 200
    assert app.seen[0].cookies == Session(session="abcd")
    answer = app.ask("PUT", "/items/mine", headers=JSON, body="{}")
    assert answer.status == 405
    assert answer.get("allow") == "GET, HEAD"


UNDECLARED: list[Any] = [
    ("GET", "/nothing", [], b"", 404, ("path", "", "undeclared_path")),
    ("GET", "/items/", [], b"", 404, ("path", "", "undeclared_path")),
    ("GET", "/Items/7", [], b"", 404, ("path", "", "undeclared_path")),
    ("DELETE", "/items/7", [], b"", 405, ("path", "", "undeclared_method")),
    ("GET", "/items/7?page=1", [], b"", 422, ("query", "/page", "undeclared_parameter")),
    ("GET", "/items/mine?page=1", [("Cookie", "session=abcd")], b"", 422,
     ("query", "", "undeclared_parameter")),
    ("GET", "/items/7", JSON, b"{}", 400, ("body", "", "undeclared_body")),
    ("POST", "/items", [("Content-Type", "text/plain")], b"{}", 415, ("body", "", "media_type")),
    ("POST", "/items", [], b"{}", 415, ("body", "", "media_type")),
    ("POST", "/items", [("Content-Type", "application/json, text/plain")], b"{}", 415,
     ("body", "", "media_type")),
    ("POST", "/items", [("Content-Type", "application/json;")], b"{}", 415,
     ("body", "", "media_type")),
    ("POST", "/items", [], b"", 422, ("body", "", "missing_body")),
    ("POST", "/items", JSON, b"", 422, ("body", "", "missing_body")),
]  # fmt: skip


@both_adapters
@pytest.mark.parametrize(
    ("request_", "status", "fault"),
    [(case[:4], *case[4:]) for case in UNDECLARED],
    ids=[
        f"{method} {target} {body!r} {headers}" for method, target, headers, body, *_ in UNDECLARED
    ],
)
def test_what_is_not_declared_is_refused(
    adapter: Adapter, request_: Any, status: int, fault: Any
) -> None:
    """By default, with the status that says what is not declared; the app is not called."""
    app = Guarded(adapter, CONTRACTS)
    method, target, headers, body = request_
    answer = app.ask(method, target, headers=headers, body=body)
    assert answer.status == status, answer.text()
    assert fault in faults(answer)
    assert not app.seen


@both_adapters
@pytest.mark.breaks_rules("a method has a case (RFC 9110, 9.1); Django, Flask and Quart ignore it")
@pytest.mark.parametrize("method", ["post", "WS"])
def test_a_method_that_only_looks_like_a_declared_one_is_refused(
    adapter: Adapter, method: str
) -> None:
    """In another case, or as a WebSocket is named here."""
    app = Guarded(adapter, {**CONTRACTS, "WS /live": Contract(message=Item)})
    for target in ("/items", "/live"):
        answer = app.ask(method, target, headers=JSON, body=b"{}")
        assert answer.status in (404, 405)
    assert not app.seen


@both_adapters
def test_all_that_is_wrong_is_told_at_once_and_no_value(adapter: Adapter) -> None:
    """In the order of path, query, header, cookie and body."""
    app = Guarded(
        adapter, {"PUT /items/{item_id}": Contract(path=ItemPath, query=ItemQuery, body=Item)}
    )
    answer = app.ask(
        "PUT",
        "/items/seeded1?limit=seeded2&order=seeded3",
        body='{"name": 5, "price": "seeded4", "tags": ["a", 7, null], "more": "seeded5"}',
        headers=JSON,
    )
    assert answer.status == 422
    assert faults(answer) == [
        ("path", "/item_id", "int_parsing"),
        ("query", "/limit", "int_parsing"),
        ("query", "/order", "literal_error"),
        ("body", "/name", "string_type"),
        ("body", "/price", "float_parsing"),
        ("body", "/tags/1", "string_type"),
        ("body", "/tags/2", "string_type"),
        ("body", "/more", "extra_forbidden"),
    ]
    assert "seeded" not in answer.text()
    assert not app.seen


@both_adapters
def test_as_many_errors_are_told_as_the_limit_says(adapter: Adapter) -> None:
    """A client can't make an answer large."""
    app = Guarded(adapter, {"POST /numbers": list[int]}, limits=BodyLimits(errors=3))
    answer = app.post("/numbers", ["x"] * 100)
    assert len(faults(answer)) == 3


@both_adapters
def test_words_of_the_apps_validators_are_not_told(adapter: Adapter) -> None:
    """They may have the value in them; the code tells what it was."""
    app = Guarded(adapter, CONTRACTS)
    body = "username=root&password=seeded"
    answer = app.ask("POST", "/login", body=body, headers=FORM)
    assert faults(answer) == [
        ("body", "/username", "value_error"),
        ("body", "/password", "string_too_short"),
    ]
    assert "root" not in answer.text()
    assert "seeded" not in answer.text()


@both_adapters
def test_a_form_reaches_the_app_as_a_model(adapter: Adapter) -> None:
    """Urlencoded as well as multipart, and never as JSON."""
    app = Guarded(adapter, CONTRACTS)
    wanted = Login(username="ada", password="a long password")
    answer = app.ask("POST", "/login", body="username=ada&password=a+long+password", headers=FORM)
    assert answer.status == 200, answer.text()
    assert app.seen[0].body == wanted
    assert app.post("/login", {"username": "ada", "password": "a long password"}).status == 415


PHOTO = b"\x89PNG\r\n\x1a\n" + bytes(100)


def multipart(*parts: tuple[str, bytes]) -> bytes:
    body = b"".join(b"--limit\r\n%s\r\n\r\n%s\r\n" % (head.encode(), data) for head, data in parts)
    return body + b"--limit--\r\n"


class Upload(BaseModel):
    title: str


@both_adapters
def test_files_are_checked_and_handed_over(adapter: Adapter) -> None:
    """By their size, by what they say to be and by what they are."""
    contract = Contract(
        form=Upload, files={"photo": File(max_size="1 KB", types=["image/png", "image/jpeg"])}
    )
    app = Guarded(adapter, {"POST /upload": contract})
    headers = [("Content-Type", "multipart/form-data; boundary=limit")]
    title = ('Content-Disposition: form-data; name="title"', b"Castle")
    photo = (
        'Content-Disposition: form-data; name="photo"; filename="a.png"\r\nContent-Type: image/png'
    )
    sent = multipart(title, (photo, PHOTO))
    read: list[bytes] = []
    stack, app.stack = app.stack, None

    def reading(carrier: Any) -> None:
        read.append(mantlet.state(carrier).validated.files["photo"].read())

    app._see = lambda carrier, body: (reading(carrier), Guarded._see(app, carrier, body))  # type: ignore[method-assign, assignment, func-returns-value]  # a spy
    app.stack = stack
    assert app.ask("POST", "/upload", body=sent, headers=headers).status == 200
    assert app.bodies == [sent]
    assert app.seen[0].body == Upload(title="Castle")
    assert read == [PHOTO]
    assert app.seen[0].files["photo"].name == "a.png"
    for data, status, code in (
        (b"GIF89a" + bytes(10), 422, "file_type"),
        (PHOTO * 10, 413, "file_too_large"),
    ):
        answer = app.ask("POST", "/upload", body=multipart(title, (photo, data)), headers=headers)
        assert answer.status == status
        assert code in {found for _, _, found in faults(answer)}
    assert len(app.seen) == 1


@both_adapters
def test_head_follows_get_and_options_passes(adapter: Adapter) -> None:
    """As apps and browsers expect."""
    app = Guarded(adapter, CONTRACTS)
    assert app.ask("HEAD", "/items/7").status == 200
    assert app.ask("HEAD", "/items/x").status == 422
    preflight = [("Origin", "https://a.test"), ("Access-Control-Request-Method", "POST")]
    assert app.ask("OPTIONS", "/items", headers=preflight).status == 200
    assert app.ask("OPTIONS", "/nothing").status == 404


@both_adapters
def test_options_is_answered_or_refused_by_option(adapter: Adapter) -> None:
    """With the methods that there are."""
    answering = Guarded(adapter, CONTRACTS, undeclared_options="answer")
    answer = answering.ask("OPTIONS", "/items/7")
    assert answer.status == 204
    assert answer.get("allow") == "GET, HEAD, PUT, OPTIONS"
    assert not answering.seen
    assert (
        Guarded(adapter, CONTRACTS, undeclared_options="refuse").ask("OPTIONS", "/items").status
        == 405
    )


@both_adapters
def test_each_thing_can_be_opened(adapter: Adapter) -> None:
    """For the whole guard, one at a time."""

    def asked(allow: str, *args: Any, **kwargs: Any) -> int | None:
        closed, opened = Guarded(adapter, CONTRACTS), Guarded(adapter, CONTRACTS, allow=[allow])
        assert closed.ask(*args, **kwargs).status in (400, 404, 405, 415, 422)
        return opened.ask(*args, **kwargs).status

    assert asked("path", "GET", "/nothing") == 200
    assert asked("method", "DELETE", "/items/7") == 200
    assert asked("query", "GET", "/items/7?page=1") == 200
    assert (
        asked("query", "POST", "/items?page=1", body='{"name":"a","price":1}', headers=JSON) == 200
    )
    assert asked("duplicates", "GET", "/items/7?limit=1&limit=2") == 200
    assert asked("body", "GET", "/items/7", body=b"{}", headers=JSON) == 200
    text = [("Content-Type", "text/plain")]
    assert asked("media_type", "POST", "/items", body=b"{}", headers=text) == 200
    more = '{"name":"a","price":1,"more":2}'
    assert asked("members", "POST", "/items", body=more, headers=JSON) == 200


@both_adapters
def test_a_route_can_be_opened_alone(adapter: Adapter) -> None:
    """By a pattern; the others stay closed."""
    app = Guarded(
        adapter,
        CONTRACTS,
        routes={"GET /items/{item_id}": RouteOptions(allow=["query"], mode="enforce")},
    )
    assert app.ask("GET", "/items/7?page=1").status == 200
    assert app.ask("GET", "/items/mine?page=1", headers=[("Cookie", "session=abcd")]).status == 422


@both_adapters
def test_report_lets_through_logs_and_counts(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a value of the client's in the log, and with the whole body for the app."""
    app = Guarded(adapter, CONTRACTS, mode="report", limits=BodyLimits(body=10))
    sent = '{"name": "seeded", "price": -1}'
    with caplog.at_level(logging.WARNING, "mantlet.guard"):
        assert app.ask("POST", "/items", body=sent, headers=JSON).status == 200
        assert app.ask("GET", "/seeded").status == 200
        assert app.ask("GET", "/items/seeded?seeded=1").status == 200
    assert app.bodies[0] == sent.encode()
    assert app.seen == [None, None, None]
    assert app.guard.counts["GET /items/{item_id}", "undeclared_parameter"] == 1
    assert app.guard.counts["undeclared", "undeclared_path"] == 1
    assert len(caplog.records) == 3
    assert "seeded" not in caplog.text


@both_adapters
def test_a_sample_is_looked_at(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others pass unseen."""
    app = Guarded(adapter, CONTRACTS, routes={"POST /items": RouteOptions(sample_rate=0.25)})
    monkeypatch.setattr("mantlet.guard.operation_validator.random", lambda: 0.2)
    assert app.post("/items", {}).status == 422
    monkeypatch.setattr("mantlet.guard.operation_validator.random", lambda: 0.3)
    assert app.post("/items", {}).status == 200


@both_adapters
def test_canonical_hands_over_what_was_validated(adapter: Adapter) -> None:
    """Written anew, so that no second parser can see another document."""
    app = Guarded(adapter, CONTRACTS, forward="canonical")
    answer = app.ask("POST", "/items", body=' {"price":"9.50", "name":"\\u0061"} ', headers=JSON)
    assert answer.status == 200
    assert app.bodies == [b'{"name":"a","price":9.5,"tags":[]}']
    assert int(app_length(app)) == len(app.bodies[0])
    answer = app.ask("POST", "/login", body="password=a+long%20password&username=ada", headers=FORM)
    assert answer.status == 200
    assert app.bodies[1] == b"username=ada&password=a+long+password"


def app_length(app: Guarded) -> str:
    carrier = app.carriers[0]
    if "CONTENT_LENGTH" in carrier:
        return str(carrier["CONTENT_LENGTH"])
    return str(dict(carrier["headers"])[b"content-length"].decode())


@both_adapters
def test_an_envelope_gives_refusals_the_form_that_the_client_accepts(adapter: Adapter) -> None:
    """And the id of the request."""
    app = Guarded(adapter, CONTRACTS, policies=[ErrorEnvelope()])
    answer = app.ask("GET", "/items/x", headers=[("Accept", "application/json")])
    assert answer.status == 422
    assert answer.json()["request_id"] == answer.get("x-request-id")
    html = app.ask("GET", "/items/x", headers=[("Accept", "text/html")])
    assert html.get("content-type") == "text/html; charset=utf-8"


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


@both_adapters
def test_a_model_that_opens_itself_is_open(adapter: Adapter) -> None:
    """What a model says of members that it does not declare holds."""
    app = Guarded(adapter, {"POST /open": Open, "POST /closed": Upload})
    assert app.post("/open", {"name": "a", "more": 1}).status == 200
    assert app.post("/closed", {"title": "a", "more": 1}).status == 422


# -- construction ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contracts", "words"),
    [
        ({}, "contracts must declare at least one operation"),
        ({"items": Item}, "has no path; write"),
        ({"GET items": Item}, "has no path; write"),
        ({"GET /items": Item}, "GET /items: GET has no body"),
        ({"POST /items": object()}, "POST /items: body is not a type"),
        ({"GET /{a}": Contract(path=ItemPath)}, r"must have a field for each name .*\['a'\]"),
        ({"GET /a": Contract(query=int)}, "must be a model with fields"),
        ({"GET /a": Contract(message=Item)}, "only a WebSocket has one"),
        ({"WS /a": Contract(body=Item)}, "a WebSocket must have a message"),
        ({"GET /a/{x}": Contract(), "GET /a/{y}": Contract()}, r"/a/\{x\}.*/a/\{y\}"),
        ({"GET /a": Contract(), "POST,GET /a": Contract()}, "GET /a twice"),
        ({"POST /a": Contract(body=Item, media_types=["text/json"])}, "must be of JSON"),
        ({"POST /a": Contract(raw=["csv"])}, "raw must hold types"),
        ({"GET /a": Contract(response={99: Item})}, "response must be by statuses"),
    ],
)  # fmt: skip
def test_wrong_contracts_are_refused_at_construction(contracts: Any, words: str) -> None:
    """Never at the first request."""
    with pytest.raises((TypeError, ValueError), match=words):
        SchemaGuard(contracts)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs either contracts or openapi"),
        ({"contracts": CONTRACTS, "mode": "open"}, "mode must be"),
        ({"contracts": CONTRACTS, "sample_rate": 2}, "sample_rate must be from 0 to 1"),
        ({"contracts": CONTRACTS, "allow": "query"}, "allow must be some of"),
        ({"contracts": CONTRACTS, "allow": ["all"]}, "allow must be some of"),
        ({"contracts": CONTRACTS, "forward": "raw"}, "forward must be"),
        ({"contracts": CONTRACTS, "responses": "on"}, "responses must be"),
        ({"contracts": CONTRACTS, "undeclared_options": "yes"}, "undeclared_options must be"),
        ({"contracts": CONTRACTS, "paths": "any"}, "paths must be"),
        ({"contracts": CONTRACTS, "limits": 5}, "limits must be a BodyLimits"),
        ({"contracts": CONTRACTS, "routes": {"GET /x": RouteOptions()}}, "match no operation"),
        ({"contracts": CONTRACTS, "routes": {"GET /items/mine": {}}}, "must hold a RouteOptions"),
        (
            {"contracts": CONTRACTS, "routes": {"POST /items": RouteOptions(allow=["path"])}},
            "for the whole guard",
        ),
        ({"contracts": CONTRACTS, "security": {"key": print}}, "no operation requires"),
    ],
)
def test_wrong_options_are_refused_at_construction(options: Any, words: str) -> None:
    """With words that name the option."""
    with pytest.raises((TypeError, ValueError), match=words):
        SchemaGuard(**options)


def test_a_guard_of_models_can_not_be_reloaded() -> None:
    """Another guard is made in its place."""
    with pytest.raises(TypeError, match="made of a document"):
        SchemaGuard(CONTRACTS).reload({})
