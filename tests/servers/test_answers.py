"""What a client of a wrapped app sees when all goes well, or when it asks too often."""

from __future__ import annotations

import json
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.server import HOST, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY_FIELDS = ("x-request-id", "ratelimit", "ratelimit-policy")
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"


def test_ordinary_answer_carries_each_policy_field_once(client: httpx.Client) -> None:
    """An ordinary answer has the app's body and each of the policies' fields once."""
    answer = client.get("/")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert [answer.headers.get_list(name) for name in POLICY_FIELDS] == [
        [answer.json()["request_id"]],
        ['"default";r=19;t=1'],
        ['"default";q=100;w=60'],
    ]
    assert answer.json()["remaining"] == 19


def test_keep_alive(server: Server, source: str) -> None:
    """Several requests go over one connection where the server keeps it."""
    connection = HTTPConnection(HOST, server.port, timeout=120, source_address=(source, 0))
    sockets = set()
    try:
        for path in ("/", "/crash", "/stream", "/stream/fails-early", "/"):
            connection.request("GET", path)
            sockets.add(id(connection.sock))
            with connection.getresponse() as answer:
                assert answer.read()
                assert answer.status in (200, 500)
    finally:
        connection.close()

    if server.name != "gunicorn-sync":  # it closes after each answer
        assert len(sockets) == 1


@pytest.mark.parametrize("path", ["/", "/crash"])
def test_given_request_id_is_echoed(client: httpx.Client, path: str) -> None:
    """A valid id that the request came with is the answer's."""
    answer = client.get(path, headers={"X-Request-ID": "order-66.a/B"})

    assert answer.headers.get_list("x-request-id") == ["order-66.a/B"]
    assert answer.json()["request_id"] == "order-66.a/B"


@pytest.mark.parametrize(
    "given",
    [b"<script>", b"two words", b"a" * 129, b"", b"id\tforged", b"na\xefve"],
    ids=["markup", "space", "too-long", "empty", "tab", "latin-1"],
)
def test_invalid_request_id_is_replaced(client: httpx.Client, given: bytes) -> None:
    """An id that could do harm in a log or a page is replaced by a new one."""
    answer = client.get("/", headers=[(b"X-Request-ID", given)])

    (request_id,) = answer.headers.get_list("x-request-id")
    assert len(request_id) == 32
    int(request_id, 16)


@pytest.mark.parametrize("path", ["/", "/crash", "/stream", "/stream/fails-early", "/nowhere"])
def test_head_has_no_body(server: Server, source: str, path: str) -> None:
    """A HEAD request gets the head and not a byte more."""
    answer = server.exchange(
        source, f"HEAD {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    )

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 ")
    assert head.lower().count(b"\r\nx-request-id: ") == 1
    assert body == b""


def test_post_body_reaches_the_app(client: httpx.Client) -> None:
    """A JSON body of half a megabyte is read by the app and sent back."""
    name = "é" * 250_000

    answer = client.post("/items", json={"name": name})

    assert answer.status_code == 201
    assert answer.json() == {"name": name}
    assert len(answer.headers.get_list("x-request-id")) == 1


@pytest.mark.parametrize("body", [b"{not json", b"[]", b"", b'{"name"'])
def test_body_that_is_no_item_is_a_client_error(client: httpx.Client, body: bytes) -> None:
    """A body that the app can't use is the client's fault, and answered as the app says."""
    answer = client.post("/items", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code in (400, 422)
    assert len(answer.headers.get_list("x-request-id")) == 1


def test_chunked_upload_without_length(server: Server, client: httpx.Client) -> None:
    """A body sent in chunks with no Content-Length reaches the app."""

    def chunks() -> Iterator[bytes]:
        yield b'{"name": '
        yield b'"in pieces"}'

    answer = client.post("/items", content=chunks(), headers={"Content-Type": "application/json"})

    if server.app == "django_app:application":  # Django reads no body without a length under WSGI
        assert answer.status_code == 400
    else:
        assert answer.status_code == 201
        assert answer.json() == {"name": "in pieces"}


def test_expect_continue_upload(server: Server, source: str) -> None:
    """A client that waits for a 100 before it sends the body gets one, and then the answer."""
    body = b'{"name": "patient"}'
    head = (
        f"POST /items HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with server.connect(source) as connection:
        connection.sendall(head.encode())
        interim = connection.recv(1024)
        assert interim.startswith(b"HTTP/1.1 100 ")

        connection.sendall(body)
        with HTTPResponse(connection) as answer:
            answer.begin()
            assert answer.status == 201
            assert json.loads(answer.read()) == {"name": "patient"}


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [("GET", "/", None), ("POST", "/items", b'{"name": "unread"}')],
    ids=["get", "post"],
)
def test_excess_is_refused(
    client: httpx.Client, method: str, path: str, content: bytes | None
) -> None:
    """What exceeds the burst is answered with a 429 that says when to come back."""
    answers: list[httpx.Response] = []
    while len(answers) < 30:
        # A server may close a kept connection behind a body that nobody has read (RFC 9112, 9.6).
        with suppress(httpx.RemoteProtocolError):
            answers.append(client.request(method, path, content=content))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(answer.status_code != 429 for answer in answers[:20])
    assert len(refused) >= 5
    for answer in refused:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["ratelimit"] == '"default";r=0;t=1'
        assert [len(answer.headers.get_list(name)) for name in POLICY_FIELDS] == [1, 1, 1]
        problem = answer.json()
        assert problem["type"] == QUOTA_EXCEEDED
        assert problem["status"] == 429
        assert problem["violated-policies"] == ["default"]
        assert problem["request_id"] == answer.headers["x-request-id"]


def test_other_client_is_not_refused(server: Server, client: httpx.Client, source: str) -> None:
    """A client that has spent its quota takes nothing from another one."""
    while client.get("/").status_code != 429:
        pass
    neighbour = source.replace("127.1.", "127.2.")

    answer = server.exchange(
        neighbour, f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    )

    assert answer.startswith(b"HTTP/1.1 200 ")
