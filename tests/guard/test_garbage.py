"""Refused requests leave nothing behind that only the garbage collector can free."""

import gc
from io import BytesIO
from typing import Any

import pytest
from pydantic import BaseModel

from mantlet import SchemaGuard, wsgi
from tests.guard.openapi.building import document

REQUESTS = 50


class Item(BaseModel):
    name: str
    price: float | None = None


POST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
                    "required": ["name"],
                }
            }
        },
    },
    "responses": {"200": {"description": "done"}},
}
GUARDS = {
    "models": lambda: SchemaGuard({"POST /items": Item}),
    "a document": lambda: SchemaGuard(openapi=document({"/items": {"post": POST}})),
}


@pytest.mark.parametrize("kind", GUARDS)
@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ("", b'{"name": 5, "price": "x"}', 422),
        ("a=1", b'{"name": "a"}', 422),
        ("a=1", b'{"name": 5}', 422),
        ("", b'{"name": "a", "name": "b"}', 400),
        ("", b"[%s]" % b",".join([b'{"name": 5}'] * 400), 422),
    ],
    ids=["wrong", "query", "both", "twice", "many"],
)
def test_a_refused_request_leaves_no_reference_cycle(
    kind: str, query: str, body: bytes, status: int
) -> None:
    answers: list[str] = []
    stack = wsgi.wrap(lambda *_: [], GUARDS[kind](), baseline=False)

    def ask() -> None:
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/items",
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
            "wsgi.url_scheme": "http",
        }

        def start_response(line: str, _headers: Any, _error: Any = None) -> Any:
            answers.append(line)

        answer = stack(environ, start_response)
        b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()

    ask()
    gc.collect()
    gc.disable()
    try:
        for _ in range(REQUESTS):
            ask()
        assert gc.collect() < REQUESTS  # not one object of each
    finally:
        gc.enable()
    assert {line[:3] for line in answers} == {str(status)}
