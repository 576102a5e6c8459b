"""Guards of FastAPI apps: they let in what FastAPI takes, and nothing else."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import fastapi
import pytest
from fastapi import Body, Cookie, Depends, File, Form, Header, Query, Request, UploadFile
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBearer
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, model_validator
from typing_extensions import TypedDict

import mantlet
from mantlet.guard import Contract, RouteOptions, SchemaGuard
from tests.drive import Answer, Fields, drive_asgi
from tests.guard.asking import FORM, JSON, faults

BOUNDARY = "limit"
MULTIPART: Fields = [("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")]


class Api:
    """A FastAPI app behind its guard.

    Args:
        endpoint: the function of its only route, ``/x``.
        path: of that route.
        method: of that route.
        app: options of the app.
        options: of the guard.
    """

    def __init__(
        self,
        endpoint: Callable[..., Any],
        path: str = "/x",
        *,
        method: str = "POST",
        app: dict[str, Any] | None = None,
        dependencies: Any = None,
        **options: Any,
    ) -> None:
        self.app = fastapi.FastAPI(**(app or {}))
        self.app.add_api_route(path, endpoint, methods=[method], dependencies=dependencies)
        self.method = method
        self.guard = SchemaGuard.from_app(self.app, **options)
        self.stack = mantlet.asgi.wrap(self.app, self.guard, baseline=False)

    def ask(self, target: str = "/x", body: bytes = b"", headers: Fields = ()) -> Answer:
        """Send a request, and require the app by itself to judge it alike."""
        guarded = send(self.stack, self.method, target, body, headers)
        own = send(self.app, self.method, target, body, headers)
        assert own.error is guarded.error is None
        refused = guarded.get("content-type") == "application/problem+json"
        assert refused is (own.status != 200), (own.text(), guarded.text())
        return guarded

    def refusal(self, target: str = "/x", body: bytes = b"", headers: Fields = ()) -> Any:
        """Return the faults of a request that only the guard refuses."""
        own = send(self.app, self.method, target, body, headers)
        assert own.status == 200, own.text()
        return faults(send(self.stack, self.method, target, body, headers))


def send(app: Any, method: str, target: str, body: bytes = b"", headers: Fields = ()) -> Answer:
    """Send a request to an app."""
    path, _, query = target.partition("?")
    if body:
        headers = [*headers, ("Content-Length", str(len(body)))]
    scope = {"query_string": query.encode(), "raw_path": path.encode()}
    return drive_asgi(app, method, unquote(path), body=body, headers=headers, scope=scope)


def multipart(*parts: tuple[str, str | None, str]) -> bytes:
    """Return a body of parts: name, file name or None, content."""
    lines = []
    for name, filename, content in parts:
        head = f'Content-Disposition: form-data; name="{name}"'
        if filename is not None:
            head += f'; filename="{filename}"\r\nContent-Type: application/octet-stream'
        lines.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n{content}\r\n")
    return f"{''.join(lines)}--{BOUNDARY}--\r\n".encode()


# -- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "fits"),
    [
        (bool, "on", True),
        (bool, "yes", True),
        (bool, "True", True),
        (bool, "1", True),
        (bool, "2", False),
        (float, "2.5", True),
        (int, "2.0", True),
        (int, "2.5", False),
        (date, "1700006400", True),
        (datetime, "1700000000", True),
        (datetime, "yesterday", False),
        (set[int], "1&q=1", True),
        (list[int], "1&q=2", True),
        (tuple[int, str], "1&q=a", True),
        (tuple[int, str], "1", False),
        (int | None, "", False),
        (Json[list[int]], "[1]", True),
        (Json[list[int]], "[a]", False),
    ],
)
def test_texts_are_converted_as_pydantic_does(kind: Any, text: str, fits: bool) -> None:
    """Not as JSON Schema would have them."""

    def endpoint(q: Annotated[kind, Query()]) -> None: ...

    answer = Api(endpoint, method="GET").ask(f"/x?q={text}")
    assert (answer.status == 200) is fits


def test_headers_have_the_names_that_fastapi_reads() -> None:
    """Underscores are hyphens, unless they are kept; each line of a list is an item."""

    def endpoint(
        x_token: Annotated[int, Header()],
        raw_name: Annotated[int, Header(convert_underscores=False)],
        x_many: Annotated[list[str], Header(max_length=2)],
        other: Annotated[str, Header(alias="X-Other")] = "",
    ) -> list[str]:
        return x_many

    api = Api(endpoint, method="GET")
    sent: Fields = [("X-Token", "5"), ("Raw_Name", "1"), ("X-Many", "a, b"), ("X-Many", "c")]
    assert api.ask(headers=sent).json() == ["a, b", "c"]
    assert api.ask(headers=[*sent, ("X-Many", "d")]).status == 422
    assert faults(api.ask(headers=[("X_Token", "5"), ("Raw-Name", "1"), ("X-Many", "a")])) == [
        ("header", "/raw_name", "missing_parameter"),
        ("header", "/x-token", "missing_parameter"),
    ]


class Filters(BaseModel):
    """A model of parameters."""

    limit: int = Field(10, gt=0)
    order_by: Literal["a", "b"] = "a"
    tags: list[str] = []


def test_models_of_queries_headers_and_cookies_are_read_as_fields() -> None:
    """Each of their fields is a parameter of its own."""

    def endpoint(
        query: Annotated[Filters, Query()],
        header: Annotated[Filters, Header()],
        cookie: Annotated[Filters | None, Cookie()] = None,
    ) -> list[Any]:
        return [query, header, cookie]

    api = Api(endpoint, method="GET")
    answer = api.ask("/x?limit=5&tags=a&tags=b", headers=[("Order-By", "b"), ("Cookie", "limit=7")])
    assert [one["limit"] for one in answer.json()] == [5, 10, 7]
    assert [one["order_by"] for one in answer.json()] == ["a", "b", "a"]
    assert api.ask().json()[2] is None
    wrong = api.ask("/x?limit=0", headers=[("Order-By", "c"), ("Cookie", "limit=x")])
    assert faults(wrong) == [
        ("query", "/limit", "greater_than"),
        ("header", "/order-by", "literal_error"),
        ("cookie", "/limit", "int_parsing"),
    ]
    assert api.refusal("/x?page=1") == [("query", "/page", "undeclared_parameter")]


@pytest.mark.parametrize("extra", ["allow", "forbid", "ignore"])
def test_a_query_model_decides_about_undeclared_parameters(extra: Any) -> None:
    """If it configures them; else they are refused."""

    class Model(BaseModel):
        model_config = ConfigDict(extra=extra)
        a: int = 1

    def endpoint(query: Annotated[Model, Query()]) -> Any:
        return query

    api = Api(endpoint, method="GET")
    answer = api.ask("/x?a=2&more=3")
    assert answer.status == (422 if extra == "forbid" else 200)
    if extra == "allow":
        assert answer.json() == {"a": 2, "more": "3"}


def test_extra_parameters_have_their_declared_type() -> None:
    """As pydantic types them."""

    class Model(BaseModel):
        model_config = ConfigDict(extra="allow")
        __pydantic_extra__: dict[str, int]

    def endpoint(query: Annotated[Model, Query()]) -> None: ...

    api = Api(endpoint, method="GET")
    assert api.ask("/x?any=1").status == 200
    assert api.ask("/x?any=x").status == 422


# -- JSON -----------------------------------------------------------------------------------------


@dataclass
class Point:
    """A dataclass."""

    x: int
    y: int = 0


class Options(TypedDict, total=False):
    """A typed dict."""

    deep: bool


class Item(BaseModel):
    """A model."""

    name: str
    price: float = 1.0


@pytest.mark.parametrize(
    ("parameters", "bodies", "wrong"),
    [
        ({"d": Item}, ['{"name": "a", "price": "2.5"}'], ['{"name": 5}', "null", "[]", ""]),
        ({"d": Item | None}, ['{"name": "a"}', "null"], ['{"name": null}', ""]),
        ({"d": Annotated[Item, Body(embed=True)]}, ['{"d": {"name": "a"}}'], ['{"name": "a"}']),
        (
            {"d": Item, "e": Annotated[int, Body()]},
            ['{"d": {"name": "a"}, "e": "5"}'],
            ['{"d": {"name": "a"}}', "5", '{"d": {"name": "a"}, "e": null}'],
        ),
        ({"d": Annotated[int, Body()]}, ["5", '"5"', "5.0"], ['"x"', "null"]),
        ({"d": Annotated[bool, Body()]}, ["true", '"on"', "1"], ["2"]),
        ({"d": Point}, ['{"x": "1"}'], ['{"y": 1}']),
        ({"d": Options}, ["{}", '{"deep": "yes"}'], ['{"deep": 2}']),
        ({"d": set[int]}, ["[1, 1]", '["1"]'], ["{}"]),
        ({"d": dict[str, datetime]}, ['{"a": 1700000000}'], ['{"a": []}']),
        ({"d": Annotated[Any, Body()]}, ["null", "[1]", '{"a": 1}'], [""]),
    ],
)
def test_json_bodies_are_read_as_fastapi_reads_them(
    parameters: dict[str, Any], bodies: list[str], wrong: list[str]
) -> None:
    """Embedded, several, optional, and of any type."""

    def endpoint(**_values: Any) -> None: ...

    endpoint.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
            for name, kind in parameters.items()
        ]
    )
    api = Api(endpoint)
    for body in bodies:
        assert api.ask(body=body.encode(), headers=JSON).status == 200
    for body in wrong:
        assert api.ask(body=body.encode(), headers=JSON).status == 422


def test_optional_bodies_may_be_absent() -> None:
    """All of them; but null is not an object of them."""

    def endpoint(d: Item | None = None, e: Annotated[int, Body()] = 5) -> Any:
        return [d, e]

    api = Api(endpoint)
    assert api.ask().json() == [None, 5]
    assert api.ask(body=b"{}", headers=JSON).json() == [None, 5]
    assert api.ask(body=b'{"d": null}', headers=JSON).json() == [None, 5]
    assert faults(api.ask(body=b"null", headers=JSON)) == [
        ("body", "/d", "missing"),
        ("body", "/e", "missing"),
    ]


def test_members_that_no_model_declares_are_refused() -> None:
    """Unless they are allowed, or the model configures them."""

    def endpoint(d: Item, e: Item) -> None: ...

    body = b'{"d": {"name": "a", "role": "b"}, "e": {"name": "a"}, "f": 1}'
    codes = [("body", "/d/role", "extra_forbidden"), ("body", "/f", "extra_forbidden")]
    assert Api(endpoint).refusal(body=body, headers=JSON) == codes
    assert Api(endpoint, allow=["members"]).ask(body=body, headers=JSON).status == 200


@pytest.mark.parametrize("strict", [True, False])
def test_the_media_type_is_judged_as_fastapi_does(strict: bool) -> None:
    """Any JSON type counts; a missing one only where the app says so."""

    def endpoint(d: Item) -> None: ...

    api = Api(endpoint, app={"strict_content_type": strict})
    body = b'{"name": "a"}'
    for media in (
        "application/json",
        "application/vnd.api+json",
        "application/json; charset=utf-8",
    ):
        assert api.ask(body=body, headers=[("Content-Type", media)]).status == 200
    assert api.ask(body=body).status == (415 if strict else 200)
    answer = api.ask(body=body, headers=[("Content-Type", "text/plain")])
    assert (answer.status, answer.get("accept")) == (415, "application/json, application/*+json")


def test_bodies_of_text_and_bytes_need_no_json() -> None:
    """FastAPI gives such an endpoint the bytes of any other type."""

    def endpoint(d: Annotated[str, Body()]) -> str:
        return d

    api = Api(endpoint)
    assert api.ask(body=b"plain", headers=[("Content-Type", "text/plain")]).json() == "plain"
    assert api.ask(body=b"plain").json() == "plain"
    assert api.ask(body=b'"text"', headers=JSON).json() == "text"
    assert api.ask(body=b"plain", headers=JSON).status == 400


# -- forms ----------------------------------------------------------------------------------------


def test_forms_are_read_in_both_media_types() -> None:
    """Empty fields have their defaults, and text keeps its line ends."""

    def endpoint(
        name: Annotated[str, Form()],
        text: Annotated[str, Form()] = "none",
        age: Annotated[int | None, Form()] = None,
        tags: Annotated[set[int], Form()] = frozenset(),  # type: ignore[assignment]
        agreed: Annotated[bool, Form()] = False,
    ) -> list[Any]:
        return [name, text, age, sorted(tags), agreed]

    api = Api(endpoint)
    sent = b"name=a&text=one%0D%0Atwo&age=&tags=1&tags=1&agreed=on"
    expected = ["a", "one\r\ntwo", None, [1], True]
    assert api.ask(body=sent, headers=FORM).json() == expected
    parts = multipart(
        ("name", None, "a"), ("text", None, "one\r\ntwo"), ("age", None, ""), ("tags", None, "1"),
        ("tags", None, "1"), ("agreed", None, "on"),
    )  # fmt: skip
    assert api.ask(body=parts, headers=MULTIPART).json() == expected
    assert faults(api.ask(body=b"name=", headers=FORM)) == [("body", "/name", "missing")]
    assert faults(api.ask()) == [("body", "/name", "missing")]
    assert api.refusal(body=b"name=a&role=b", headers=FORM) == [
        ("body", "/role", "undeclared_field")
    ]
    assert api.refusal(body=b"name=a&name=b", headers=FORM) == [
        ("body", "/name", "duplicate_field")
    ]


def test_fields_for_the_sites_own_middleware_are_ignored() -> None:
    """As in contracts, and so are parameters of campaigns."""

    def endpoint(name: Annotated[str, Form()]) -> str:
        return name

    api = Api(endpoint, ignored_fields=["csrf_token"], undeclared_query="ignore")
    assert api.ask("/x?utm_source=a", b"name=a&csrf_token=b", FORM).json() == "a"
    assert api.refusal("/x", b"name=a&other=b", FORM) == [("body", "/other", "undeclared_field")]


class Signup(BaseModel):
    """A form, which must have one of two fields."""

    mail: str | None = None
    phone: str | None = None
    photo: UploadFile | None = None

    @model_validator(mode="after")
    def reachable(self) -> "Signup":
        """Require one of them."""
        if self.mail is None and self.phone is None:
            raise ValueError("a way to reach you is missing")
        return self


def test_models_of_forms_are_read_as_fields() -> None:
    """Files of theirs included; a form without any field is judged by the model too."""

    def endpoint(form: Annotated[Signup, Form()]) -> Any:
        return [form.mail, form.photo and form.photo.filename]

    api = Api(endpoint)
    assert api.ask(body=b"mail=a", headers=FORM).json() == ["a", None]
    body = multipart(("mail", None, "a"), ("photo", "a.png", "content"))
    assert api.ask(body=body, headers=MULTIPART).json() == ["a", "a.png"]
    empty = multipart(("mail", None, "a"), ("photo", "", ""))
    assert api.ask(body=empty, headers=MULTIPART).json() == ["a", None]
    assert api.ask(body=b"mail=", headers=FORM).status == 422
    assert api.ask().status == 422


FILES = [UploadFile, bytes]


@pytest.mark.parametrize("kind", FILES)
def test_optional_files_may_be_absent(kind: Any) -> None:
    """By an empty part as browsers send it, or without any; also in an urlencoded form."""

    def endpoint(
        photo: Annotated[kind | None, File()] = None,
        others: Annotated[list[kind] | None, File()] = None,
        name: Annotated[str, Form()] = "",
    ) -> list[Any]:
        return [photo is not None, len(others or ())]

    api = Api(endpoint)
    both = multipart(("photo", "a.png", "content"), ("others", "b", "1"), ("others", "c", ""))
    assert api.ask(body=both, headers=MULTIPART).json() == [True, 2]
    empty = multipart(("name", None, ""), ("photo", "", ""), ("others", "", ""))
    assert api.ask(body=empty, headers=MULTIPART).json() == [False, 0]
    assert api.ask(body=b"name=a", headers=FORM).json() == [False, 0]
    assert api.ask().json() == [False, 0]


@pytest.mark.parametrize("kind", FILES)
def test_required_files_must_be_there(kind: Any) -> None:
    """An empty part is no file."""

    def endpoint(
        photo: Annotated[kind, File()],
        others: Annotated[list[kind], File(min_length=2, max_length=3)],
    ) -> int:
        return len(others)

    api = Api(endpoint)
    both = multipart(("photo", "a.png", "content"), ("others", "b", "1"), ("others", "c", "2"))
    assert api.ask(body=both, headers=MULTIPART).json() == 2
    empty = multipart(("photo", "", ""), ("others", "", ""))
    assert faults(api.ask(body=empty, headers=MULTIPART)) == [
        ("body", "/photo", "missing"),
        ("body", "/others", "missing"),
    ]
    one = multipart(("photo", "a.png", "content"), ("others", "b", "1"))
    assert faults(api.ask(body=one, headers=MULTIPART)) == [("body", "/others", "too_short")]


@pytest.mark.parametrize("names", [("a.png", ""), ("", "a.png"), ("", ""), ("a.png", "b.png")])
def test_a_repeated_file_is_refused(names: tuple[str, str]) -> None:
    """FastAPI takes the last part, which may be empty, and others take the first."""

    def endpoint(photo: UploadFile | None = None) -> None: ...

    body = multipart(*(("photo", name, "content" if name else "") for name in names))
    assert Api(endpoint).refusal(body=body, headers=MULTIPART) == [
        ("body", "/photo", "duplicate_field")
    ]


def test_validators_of_files_get_the_apps_own_class() -> None:
    """With the name, the size and the type; they may read it."""

    def check(file: UploadFile) -> UploadFile:
        if file.content_type != "application/octet-stream" or file.file.read(1) != b"G":
            raise ValueError("not a picture")
        file.file.seek(0)
        return file

    def endpoint(photo: Annotated[UploadFile, AfterValidator(check)]) -> str:
        return photo.file.read().decode()

    api = Api(endpoint)
    body = multipart(("photo", "a.gif", "GIF89a"))
    assert api.ask(body=body, headers=MULTIPART).json() == "GIF89a"
    body = multipart(("photo", "a.gif", "MZ"))
    assert faults(api.ask(body=body, headers=MULTIPART)) == [("body", "/photo", "value_error")]


# -- endpoints that read requests themselves ------------------------------------------------------


def test_an_endpoint_that_takes_the_request_may_read_anything() -> None:
    """Its query and body pass, within the limits."""

    async def endpoint(request: Request) -> list[Any]:
        body = await request.body()
        return [dict(request.query_params), dict(await request.form()), len(body)]

    api = Api(endpoint)
    assert api.ask("/x?any=1", b"a=1", FORM).json() == [{"any": "1"}, {"a": "1"}, 3]
    assert api.ask("/x", b"\xff\x00", [("Content-Type", "image/png")]).json() == [{}, {}, 2]
    assert api.ask("/x", b"untyped").json() == [{}, {}, 7]
    large = send(api.stack, "POST", "/x", b"a" * 1_000_001, FORM)
    assert large.status == 413
    canonical = Api(endpoint, forward="canonical")
    assert canonical.ask("/x", b"a=1", FORM).json() == [{}, {"a": "1"}, 3]
    notes = dict(api.guard.coverage.notes)
    assert "the app reads the request itself: its query passes" in notes.values()


def test_declared_parts_stay_closed_where_the_request_is_taken_too() -> None:
    """Only what is not declared at all is open."""

    def endpoint(request: Request, item: Item) -> None: ...

    api = Api(endpoint)
    assert api.ask(body=b'{"name": "a"}', headers=JSON).status == 200
    assert api.refusal("/x?any=1", b'{"name": "a"}', JSON) == [
        ("query", "", "undeclared_parameter")
    ]

    def declared(q: int, request: Request) -> None: ...

    api = Api(declared)
    assert api.ask("/x?q=1", b"any", [("Content-Type", "text/plain")]).status == 200
    assert api.refusal("/x?q=1&any=1") == [("query", "/any", "undeclared_parameter")]


# -- dependencies and credentials -----------------------------------------------------------------


def test_parameters_of_dependencies_are_parameters_of_the_endpoint() -> None:
    """Nested, without a value, and with ``yield``."""

    def inner(page: int = 1) -> Any:
        yield page

    def outer(found: Annotated[int, Depends(inner)], x_key: Annotated[int, Header()]) -> int:
        return found

    def endpoint(found: Annotated[int, Depends(outer)]) -> int:
        return found

    def unused(flag: bool) -> None: ...

    api = Api(endpoint, method="GET", dependencies=[Depends(unused)])
    assert api.ask("/x?page=3&flag=on", headers=[("X-Key", "1")]).json() == 3
    assert faults(api.ask("/x?page=a")) == [
        ("query", "/flag", "missing_parameter"),
        ("query", "/page", "int_parsing"),
        ("header", "/x-key", "missing_parameter"),
    ]


@pytest.mark.parametrize("auto_error", [True, False])
def test_the_app_authenticates_by_itself(auto_error: bool) -> None:
    """Unless the guard is given callables; keys in the query are no undeclared parameters."""
    bearer = HTTPBearer(auto_error=auto_error)
    key = APIKeyQuery(name="key", auto_error=auto_error)

    def endpoint(
        _bearer: Annotated[Any, Depends(bearer)], _key: Annotated[Any, Depends(key)]
    ) -> str:
        return "in"

    api = Api(endpoint, method="GET")
    sent: Fields = [("Authorization", "Bearer abc")]
    assert send(api.stack, "GET", "/x?key=1", headers=sent).json() == "in"
    without = send(api.stack, "GET", "/x")
    assert without.status == (401 if auto_error else 200)
    assert without.get("content-type") == "application/json"
    assert send(api.stack, "GET", "/x?other=1", headers=sent).status == 422

    checks = {"HTTPBearer": lambda _, given: given.value == "abc", "APIKeyQuery": lambda *_: True}
    guarded = Api(endpoint, method="GET", security=checks)
    assert send(guarded.stack, "GET", "/x?key=1", headers=sent).json() == "in"
    refused = send(guarded.stack, "GET", "/x")
    assert refused.status == (401 if auto_error else 200)
    if auto_error:
        assert refused.get("content-type") == "application/problem+json"


def test_a_header_of_credentials_is_left_to_the_app() -> None:
    """It is read by the app alone."""

    def endpoint(key: Annotated[str, Depends(APIKeyHeader(name="X-Key"))]) -> str:
        return key

    api = Api(endpoint, method="GET")
    assert send(api.stack, "GET", "/x", headers=[("X-Key", "k")]).json() == "k"


# -- options --------------------------------------------------------------------------------------


def test_responses_are_validated_by_the_document() -> None:
    """If the option says so."""

    def endpoint(wrong: bool = False) -> fastapi.Response:
        body = b'{"name": 5}' if wrong else b'{"name": "a"}'
        return fastapi.Response(body, media_type="application/json")

    app = fastapi.FastAPI()
    app.add_api_route("/x", endpoint, methods=["GET"], response_model=Item)
    app.add_api_route("/rest/{rest:path}", endpoint, methods=["GET"], response_model=Item)
    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app, responses="enforce"), baseline=False)
    assert send(stack, "GET", "/x").json() == {"name": "a"}
    assert send(stack, "GET", "/x?wrong=1").status == 500
    assert send(stack, "GET", "/rest/a/b?wrong=1").status == 500


def test_contracts_stand_beside_the_routes_of_the_app() -> None:
    """They replace operations, and declare what the app's own routes do not."""

    class Query(BaseModel):
        q: int

    def endpoint(request: Request) -> str:
        return request.url.query

    contracts = {"GET /x": Contract(query=Query), "GET /docs": None}
    api = Api(endpoint, method="GET", contracts=contracts)
    assert send(api.stack, "GET", "/x?q=5").json() == "q=5"
    assert send(api.stack, "GET", "/x?q=a").status == 422
    assert send(api.stack, "GET", "/docs").status == 200
    assert send(api.stack, "GET", "/docs?any=1").status == 422


def test_errors_in_large_bodies_are_bounded() -> None:
    """Before pydantic makes them; here it would be a million."""

    def endpoint(items: list[Item]) -> None: ...

    body = b"[" + b",".join([b'{"a":1,"b":1}'] * 9_000) + b"]"
    answer = send(Api(endpoint).stack, "POST", "/x", body, JSON)
    assert (answer.status, len(answer.json()["errors"])) == (422, 3)


def test_options_of_routes_hold() -> None:
    """By the names of the operations, without converters of segments."""

    def endpoint(number: int) -> int:
        return number

    options = {"GET /items/{number}": RouteOptions(allow=["query"])}
    api = Api(endpoint, "/items/{number:int}", method="GET", routes=options)
    assert api.ask("/items/5?any=1").json() == 5
    assert api.guard.coverage.operations[0][0] == "GET /items/{number}"


@pytest.mark.parametrize(
    "option", [{"require_bounds": True}, {"formats": True}, {"ref_root": "folder"}]
)
def test_options_of_documents_are_errors(option: dict[str, Any]) -> None:
    """They would have no effect."""
    with pytest.raises(ValueError, match=f"{next(iter(option))} is an option for documents"):
        SchemaGuard.from_app(fastapi.FastAPI(), **option)


def test_the_document_is_not_generated() -> None:
    """It takes much longer than all the rest."""
    app = fastapi.FastAPI()

    @app.get("/x")
    def endpoint() -> None: ...

    app.openapi = lambda: pytest.fail("the document was generated")  # type: ignore[method-assign]
    assert SchemaGuard.from_app(app).coverage.operations == (("GET /x", ()),)


def test_canonical_bodies_are_serialized_by_the_models() -> None:
    """Of one model, and of several; forms can't be."""

    def one(d: Item) -> Item:
        return d

    def several(d: Item, e: Annotated[int, Body()] = 5) -> list[Any]:
        return [d, e]

    def form(d: Annotated[int, Form()]) -> int:
        return d

    api = Api(one, forward="canonical")
    assert api.ask(body=b'{"price": "2", "name": "a"}', headers=JSON).json()["price"] == 2.0
    api = Api(several, forward="canonical")
    body = b'{"d": {"name": "a"}, "e": "7"}'
    assert api.ask(body=body, headers=JSON).json() == [{"name": "a", "price": 1.0}, 7]
    with pytest.raises(ValueError, match="forms of an app can't be forwarded"):
        Api(form, forward="canonical")
