"""No request has a framework read another account than the key does, whatever its media type."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import falcon
import falcon.asgi
import pytest
from fastapi import Body, FastAPI, Form
from flask import Flask
from flask import request as flask_request
from hypothesis import example, given, settings
from hypothesis import strategies as st
from litestar import Litestar, post
from litestar.enums import RequestEncodingType
from litestar.params import Body as LitestarBody
from quart import Quart
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mantlet
from mantlet.ratelimit import keys
from mantlet.ratelimit.keys import hash_if_long
from mantlet.ratelimit.keys.key import AMBIGUOUS, casefold_key
from tests.drive import drive_asgi, drive_wsgi
from tests.integrations.django_site import django_site
from tests.ratelimit.keys.asking import Asks
from tests.ratelimit.keys.test_body_keys import FIELD, MULTIPART, URLENCODED, multipart, part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest
    from starlette.requests import Request as StarletteRequest

    from mantlet.ratelimit.keys import Key

pytestmark = pytest.mark.slow

FORM, JSON, ANY = keys.form("username"), keys.json("username"), keys.field("username")


class Endpoint(NamedTuple):
    """An app that responds with the account that it reads.

    Attributes:
        app: the app.
        path: the path of the endpoint.
        key: the key for the place that the endpoint reads.
        protocol: that of the app.
    """

    app: Any
    path: str
    key: Key
    protocol: str = "asgi"

    def read(self, kinds: tuple[str, ...], body: bytes, query: str) -> tuple[str, list[str | None]]:
        """Return the account that the framework reads, and the keys of the request."""
        asked = [Asks(self.key), Asks(ANY)]
        headers = [("Content-Type", kind) for kind in kinds]
        if self.protocol == "asgi":
            stack = mantlet.asgi.wrap(self.app, *asked, baseline=False)
            scope = {"query_string": query.encode("latin-1")}
            answer = drive_asgi(stack, "POST", self.path, headers=headers, body=body, scope=scope)
        else:
            wsgi = mantlet.wsgi.wrap(self.app, *asked, baseline=False)
            environ = {"QUERY_STRING": query}
            answer = drive_wsgi(
                wsgi, "POST", self.path, headers=headers, body=body, environ=environ
            )
        keys_of = [found for one in asked for found in one.seen]
        return answer.body.decode() if answer.status == 200 else "", keys_of


def text_of(fields: Any) -> str:
    """Return the account in what a framework has read, as text."""
    account = fields.get("username") if hasattr(fields, "get") else None
    return (
        "" if account is None or isinstance(account, bool | float | list | dict) else str(account)
    )


# -- the frameworks -------------------------------------------------------------------------------

flask = Flask("test")
quart = Quart("test")
fastapi = FastAPI()


@flask.post("/form")
def flask_form() -> str:
    return text_of(flask_request.form)


@flask.post("/values")
def flask_values() -> str:
    return text_of(flask_request.values)


@flask.post("/json")
def flask_json() -> str:
    return text_of(flask_request.get_json())


@flask.post("/force")
def flask_force() -> str:
    return text_of(flask_request.get_json(force=True))


@quart.post("/form")
async def quart_form() -> str:
    return text_of(await quart_request.form)


@quart.post("/json")
async def quart_json() -> str:
    return text_of(await quart_request.get_json(force=True))


@fastapi.post("/form", response_class=PlainTextResponse)
async def fastapi_form(username: Annotated[str, Form()]) -> str:
    return username


@fastapi.post("/json", response_class=PlainTextResponse)
async def fastapi_json(username: Annotated[str, Body(embed=True)]) -> str:
    return username


@fastapi.post("/query", response_class=PlainTextResponse)
async def fastapi_query(username: str) -> str:
    return username


async def starlette_form(request: StarletteRequest) -> PlainTextResponse:
    async with request.form() as form:
        return PlainTextResponse(text_of(form))


async def starlette_json(request: StarletteRequest) -> PlainTextResponse:
    return PlainTextResponse(text_of(await request.json()))


@post("/form", media_type="text/plain", status_code=200)
async def litestar_form(
    data: Annotated[dict[str, Any], LitestarBody(media_type=RequestEncodingType.URL_ENCODED)],
) -> str:
    return text_of(data)


@post("/multipart", media_type="text/plain", status_code=200)
async def litestar_multipart(
    data: Annotated[dict[str, Any], LitestarBody(media_type=RequestEncodingType.MULTI_PART)],
) -> str:
    return text_of(data)


@post("/json", media_type="text/plain", status_code=200)
async def litestar_json(data: Annotated[dict[str, Any], LitestarBody()]) -> str:
    return text_of(data)


class Media:
    """Whatever Falcon takes the body for."""

    def on_post(self, request: Any, response: Any) -> None:
        media = request.get_media()
        if isinstance(media, falcon.media.multipart.MultipartForm):
            media = {part.name: part.get_text() for part in media}
        response.text = text_of(media)


class AsyncMedia:
    """The same under ASGI."""

    async def on_post(self, request: Any, response: Any) -> None:
        media = await request.get_media()
        if isinstance(media, falcon.asgi.multipart.MultipartForm):
            media = {part.name: await part.get_text() async for part in media}
        response.text = text_of(media)


falcon_wsgi = falcon.App()
falcon_wsgi.add_route("/", Media())
falcon_asgi = falcon.asgi.App()
falcon_asgi.add_route("/", AsyncMedia())
litestar = Litestar([litestar_form, litestar_multipart, litestar_json], logging_config=None)
starlette = Starlette(
    routes=[
        Route("/form", starlette_form, methods=["POST"]),
        Route("/json", starlette_json, methods=["POST"]),
    ]
)

ENDPOINTS = {
    "flask form": Endpoint(flask, "/form", FORM, "wsgi"),
    "flask values": Endpoint(flask, "/values", ANY, "wsgi"),
    "flask json": Endpoint(flask, "/json", JSON, "wsgi"),
    "flask forced json": Endpoint(flask, "/force", JSON, "wsgi"),
    "quart form": Endpoint(quart, "/form", FORM),
    "quart json": Endpoint(quart, "/json", JSON),
    "fastapi form": Endpoint(fastapi, "/form", FORM),
    "fastapi json": Endpoint(fastapi, "/json", JSON),
    "fastapi query": Endpoint(fastapi, "/query", ANY),
    "starlette form": Endpoint(starlette, "/form", FORM),
    "starlette json": Endpoint(starlette, "/json", JSON),
    "litestar form": Endpoint(litestar, "/form", FORM),
    "litestar multipart": Endpoint(litestar, "/multipart", FORM),
    "litestar json": Endpoint(litestar, "/json", JSON),
    "falcon wsgi": Endpoint(falcon_wsgi, "/", ANY, "wsgi"),
    "falcon asgi": Endpoint(falcon_asgi, "/", ANY),
}


def django_index(request: HttpRequest) -> str:
    """Read JSON, the form, or the query, whichever has the account first."""
    try:
        found = text_of(json.loads(request.body))
    except ValueError:
        found = ""
    return found or text_of(request.POST) or text_of(request.GET)


@pytest.fixture(scope="module", autouse=True)
def _endpoints() -> Iterator[None]:
    logging.disable(logging.CRITICAL)  # what they say about malformed requests
    with django_site("wsgi", index=django_index) as django:
        ENDPOINTS["django"] = Endpoint(django, "/", ANY, "wsgi")
        yield
    del ENDPOINTS["django"]
    logging.disable(logging.NOTSET)


def check(kinds: tuple[str, ...], body: bytes, query: str = "") -> set[str]:
    """Check that no framework reads an account of another bucket; return those that read one."""
    read = set()
    for name, endpoint in ENDPOINTS.items():
        account, found = endpoint.read(kinds, body, query)
        if account:
            read.add(name)
            expected = (hash_if_long(casefold_key(account)), AMBIGUOUS)
            assert all(key in expected for key in found), (name, account, found)
    return read


# -- the requests ---------------------------------------------------------------------------------

TYPES = [
    "",
    URLENCODED,
    f"{URLENCODED}, text/plain",
    f"text/plain, {URLENCODED}",
    f"application/json, {URLENCODED}",
    f"{URLENCODED}, application/json",
    f"{URLENCODED}; q=0.5",
    f"{URLENCODED}; charset=utf-8",
    f"{URLENCODED}; charset=utf-7",
    f"{URLENCODED}; boundary=b",
    "application/x-www-form-urlencoded;charset=utf-16",
    MULTIPART,
    f"{MULTIPART}, text/plain",
    "multipart/*; boundary=b",
    "multipart/mixed; boundary=b",
    "text/plain; boundary=b",
    "application/json; boundary=b",
    "*/*",
    "*/*; boundary=b",
    "application/*",
    "*",
    "json",
    "text/plain",
    "text/plain;charset=UTF-8",
    "application/x-unknown",
    "application/json",
    "application/json; charset=utf-8",
    "application/json; charset=utf-7",
    "application/json; charset=utf-16",
    "application/json; charset*=utf-8''utf-7",
    "application/vnd.api+json; version=1",
    "application/x-msgpack",
    "text/json",
]
DOCUMENT = b'{"username": "alice"}'
BODIES = [
    b"username=alice",
    b"user%6eame=alice&x=y",
    b"x=y;username=alice",
    b"username=alice&username=bob",
    b'{"x":"&username=alice&"}',
    b'{"username":"bob","x":"&username=alice&"}',
    DOCUMENT,
    DOCUMENT.replace(b" ", b""),
    b"\xef\xbb\xbf" + DOCUMENT,
    b"/* x */ " + DOCUMENT,
    b"// x\n" + DOCUMENT,
    b"\xc2\xa0" + DOCUMENT,
    b" \r\n" + DOCUMENT,
    b'{"username": "alice", "x": NaN}',
    b'{"username": "bob", "username": "alice"}',
    b'{"username": 7}',
    b"{'username': 'alice'}",
    DOCUMENT.decode().encode("utf-16"),
    DOCUMENT.decode().encode("utf-32"),
    b'+AHs-"username": "alice"}',
    multipart(part("alice")),
    multipart(part("&username=alice&", 'form-data; name="x"')),
    multipart(part("bob"), part("&username=alice&", 'form-data; name="x"')),
    multipart(part('{"username": "alice"}', 'form-data; name="x"')),
    multipart(part("alice", FIELD, "Content-Type: text/plain; charset=utf-8")),
]


def test_each_framework_reads_its_own_kind() -> None:
    """The law below is about requests that are read."""
    forms = check((URLENCODED,), b"username=Alice")
    json_readers = check(("application/json",), DOCUMENT)
    multiparts = check((MULTIPART,), multipart(part("alice")))
    queries = check((), b"", "username=alice")
    assert forms | json_readers | multiparts | queries == ENDPOINTS.keys()


@pytest.mark.few_cases(4)
@pytest.mark.parametrize("kind", TYPES)
def test_no_media_type_moves_the_account_out_of_sight(kind: str) -> None:
    """What a framework reads has its own bucket, or that of all that is ambiguous."""
    for body in BODIES:
        check((kind,) if kind else (), body)


@pytest.mark.few_cases(4)
@pytest.mark.parametrize("body", BODIES, ids=ascii)
def test_no_two_lines_of_media_types_move_the_account_out_of_sight(body: bytes) -> None:
    """Starlette takes the first line, Litestar the last, WSGI servers join them."""
    for first in (URLENCODED, MULTIPART, "application/json"):
        for second in (URLENCODED, MULTIPART, "application/json", "text/plain"):
            check((first, second), body)


def test_a_form_is_read_whatever_its_type_says() -> None:
    """So that such a type must not mean that there is no account."""
    assert "litestar form" in check(("application/x-unknown",), b"username=alice")
    assert "litestar form" in check(("application/json",), b"username=alice")
    assert "falcon wsgi" in check((f"text/plain, {URLENCODED}",), b"username=alice")
    assert "falcon asgi" in check(("*/*",), DOCUMENT)
    assert "litestar multipart" in check(("*/*; boundary=b",), multipart(part("alice")))
    assert "starlette json" in check((URLENCODED,), DOCUMENT)


@pytest.mark.few_cases(4)
@pytest.mark.parametrize(
    "query",
    [
        "username=alice",
        "username=alice&username=bob",
        "user%6Eame=alice",
        "username=%41lice+",
        "x=y;username=alice",
        "username=alice;x=y",
        "username=%FF",
        "username=%C3%A9",
        "username=\xc3\xa9",
        "x=%&username=alice",
        "?username=alice",
        "&&username=alice&",
        "username",
        "username[]=alice",
        "username=alice#x",
        "username=%2BAGEAbABpAGMAZQ-",
        "a=" + "%00" * 10 + "&username=alice%00",
    ],
)
def test_no_query_moves_the_account_out_of_sight(query: str) -> None:
    """Also beside a body that has another one."""
    for kinds, body in (
        ((), b""),
        ((URLENCODED,), b"username=bob"),
        ((URLENCODED,), b"username=alice"),
        (("application/json",), b'{"username": "bob"}'),
        (("text/plain",), b"x"),
        (("text/plain; charset=utf-7",), b""),
        (("text/plain; charset=utf-16",), b""),
    ):
        check(kinds, body, query)


def test_a_query_in_another_charset_is_not_out_of_sight() -> None:
    """Django decodes it as the media type says, also where there is no body."""
    query = "username=%2BAGEAbABpAGMAZQ-"
    kind = ("text/plain; charset=utf-7",)
    assert "django" in check(kind, b"", query)
    assert ENDPOINTS["django"].read(kind, b"", query) == ("alice", [AMBIGUOUS, AMBIGUOUS])


_tokens = st.sampled_from(
    [
        *(";", ",", " ", "\t", "=", '"', "*", "*/*", "/", "charset=", "utf-7", "utf-16", "UTF-8"),
        *("boundary=b", "q=1", "application/json", "text/plain", URLENCODED, MULTIPART, "+json"),
        *("x", "charset*=utf-8''utf-7", "multipart/"),
    ]
)


@given(
    kinds=st.lists(st.lists(_tokens, max_size=4).map("".join), max_size=2),
    body=st.sampled_from(BODIES),
    query=st.sampled_from(["", "username=alice", "username=%2BAGE-lice", "x=1"]),
)
@example(kinds=[URLENCODED], body=b"username=alice", query="username=bob")
@settings(max_examples=80)
def test_no_request_has_a_framework_read_another_account(
    kinds: list[str], body: bytes, query: str
) -> None:
    """Whatever the lines of its media type."""
    check(tuple(kinds), body, query)
