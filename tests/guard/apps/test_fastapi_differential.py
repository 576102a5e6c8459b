"""Random FastAPI apps judge random requests as their guards do."""

import asyncio
import re
from collections import Counter
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mantlet
from mantlet.guard import SchemaGuard
from tests.drive import Answer, drive_asgi, make_scope
from tests.guard.apps.fastapi_apps import Case, cases
from tests.guard.apps.fastapi_requests import Asked, requests

pytestmark = pytest.mark.slow

#: The ways in which a guard is stricter than FastAPI, by their codes in problems, as in
#: docs/schema-guard.md ("What is rejected").
STRICTER = {
    "ambiguous_cookie",
    "control_character",
    "duplicate_field",
    "duplicate_parameter",
    "encoded_slash",
    "extra_forbidden",
    "media_parameter",
    "media_type",
    "non_ascii",
    "not_a_field",
    "not_a_file",
    "undeclared_body",
    "undeclared_field",
    "undeclared_parameter",
    "unexpected_keyword_argument",
}


def ask(app: Any, asked: Asked) -> Answer:
    """Send a request to an app."""
    if asked.method == "WS":
        return asyncio.run(connect(app, asked))
    scope = {"query_string": asked.query.encode(), "raw_path": asked.path.encode()}
    return drive_asgi(
        app, asked.method, unquote(asked.path), body=asked.body, headers=asked.headers, scope=scope
    )


async def connect(app: Any, asked: Asked) -> Answer:
    """Begin a WebSocket connection; the answer is a 200 if the app accepts it, or a 422."""
    answer = Answer()

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        kind = message["type"]
        if answer.status is None:
            answer.status = message.get("status", 200 if kind == "websocket.accept" else 422)
            answer.headers = [
                (name.decode(), value.decode()) for name, value in message.get("headers", ())
            ]
        if kind == "websocket.http.response.body":
            answer.chunks.append(message["body"])

    scope = make_scope("GET", unquote(asked.path), headers=asked.headers)
    scope |= {
        "type": "websocket",
        "scheme": "ws",
        "subprotocols": [],
        "query_string": asked.query.encode(),
        "raw_path": asked.path.encode(),
        "extensions": {"websocket.http.response": {}},
    }
    del scope["method"]
    await app(scope, receive, send)
    return answer


def codes(answer: Answer) -> set[str]:
    """Return the codes of a refusal by the guard.

    Text for a file in a form without files is a field that is not declared, and a missing file.
    """
    assert answer.get("content-type") == "application/problem+json", answer.text()
    errors = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    undeclared = {pointer for pointer, code in errors if code == "undeclared_field"}
    return {code for pointer, code in errors if code != "missing" or pointer not in undeclared}


#: The body of a multipart form that has nothing but empty files.
EMPTY_FILES = re.compile(rb'(--\w+\r\n[^\r]*; filename=""\r\n[^\r]*\r\n\r\n\r\n)+--\w+--\r\n')


def is_refused_for_empty_files(asked: Asked, own: Answer) -> bool:
    """Return whether FastAPI takes empty file parts for members that a model of a form forbids.

    The files are declared beside the model, and absent; the guard lets such a request pass. So it
    does where they are all that there is, and FastAPI misses the others of a model with a default.
    """
    if own.status == 422 and EMPTY_FILES.fullmatch(asked.body):
        return {error["type"] for error in own.json()["detail"]} == {"missing"}
    return own.status == 422 and all(
        error["type"] == "extra_forbidden"
        and f'name="{error["loc"][-1]}"; filename=""'.encode() in asked.body
        for error in own.json()["detail"]
    )


#: What came of the requests, for those who look for differences longer.
SEEN: Counter[str] = Counter()


def compare(case: Case, stack: Any, asked: Asked) -> None:
    """Require the same verdict, or a stricter one that the documentation lists."""
    own = ask(case.app, asked)
    guarded = ask(stack, asked)
    assert (own.error, guarded.error) == (None, None), f"{case.told}\n{asked}"
    refused = guarded.get("content-type") == "application/problem+json"
    told = f"{case.told}\n{asked}\napp: {own.text()}\nguarded: {guarded.text()}"
    if own.status == 200:
        SEEN["ran"] += 1
        if refused:
            SEEN["stricter"] += 1
            SEEN.update(codes(guarded))
            assert codes(guarded) <= STRICTER, f"refused an honest client\n{told}"
        else:
            assert guarded.status == 200, told
    else:
        SEEN["refused"] += 1
        assert own.status in (400, 404, 422), told
        assert refused or is_refused_for_empty_files(asked, own), (
            f"let in a request that the app refuses\n{told}"
        )


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_guard_judges_as_fastapi_does(data: st.DataObject) -> None:
    """A request passes if, and only if, FastAPI calls the endpoint for it."""
    judge(data)


def judge(data: st.DataObject) -> None:
    """Compare the verdicts on one app."""
    case = data.draw(cases())
    guard = SchemaGuard.from_app(case.app)
    stack = mantlet.asgi.wrap(case.app, guard, baseline=False)
    for _ in range(8):
        compare(case, stack, data.draw(requests(case)))
