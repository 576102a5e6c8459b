"""What a client of a wrapped app sees when the app fails, and what its log says."""

from __future__ import annotations

import httpx
import pytest

from tests.servers.server import HOST, Server

SECRET = "hunter2"


def test_no_byte_of_an_exception_gets_out(server: Server, source: str) -> None:
    """Not in the head either."""
    for path in ("/crash", "/stream/fails-early", "/stream/fails-late"):
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        answer = server.exchange(source, request.encode())
        # Granian may end a connection that fails late before it has sent the head.
        may_be_cut = server.name == "granian-wsgi" and path == "/stream/fails-late"
        assert answer.startswith(b"HTTP/1.1 ") or (may_be_cut and not answer)
        for internal in (b"hunter2", b"db.internal", b"ConnectionError", b"Traceback", b".py"):
            assert internal not in answer


@pytest.mark.parametrize("path", ["/crash", "/stream/fails-early"])
def test_crash_is_a_clean_problem(server: Server, client: httpx.Client, path: str) -> None:
    """An app that raises before its first byte is answered for; the log has what happened."""
    answer = client.get(path)

    assert answer.status_code == 500
    assert answer.headers.get_list("content-type") == ["application/problem+json"]
    assert answer.headers["content-length"] == str(len(answer.content))
    (request_id,) = answer.headers.get_list("x-request-id")
    assert answer.headers.get_list("ratelimit") == ['"default";r=19;t=1']
    assert answer.headers.get_list("ratelimit-policy") == ['"default";q=100;w=60']
    problem = answer.json()
    assert problem["type"] == "about:blank"
    assert problem["title"] == "Internal Server Error"
    assert problem["status"] == 500
    assert problem["request_id"] == request_id

    _, found, entry = server.wait_for_log(request_id).partition(
        f"Unhandled ConnectionError in request {request_id}, answered with 500"
    )
    assert found
    assert "Traceback" in entry
    assert SECRET in entry


def test_failing_stream_breaks_off(server: Server, client: httpx.Client) -> None:
    """An app that raises under way breaks the connection, so that the client can tell."""
    received = bytearray()
    named = ""

    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream("GET", "/stream/fails-late") as answer,
    ):
        # Granian may end the connection before it has sent the head that it was given.
        assert answer.status_code == 200
        named = f"request {answer.headers['x-request-id']}, "
        received.extend(byte for chunk in answer.iter_raw() for byte in chunk)

    assert named or server.name == "granian-wsgi"
    assert b"tick 0\ntick 1\n".startswith(received)
    log = server.wait_for_log(f"{named}after the response had")
    assert SECRET in log


def test_stream_arrives_whole(client: httpx.Client) -> None:
    """An app that streams to its end is left alone."""
    answer = client.get("/stream")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text == "tick 0\ntick 1\ntick 2\n"
    assert "content-length" not in answer.headers


def test_server_lives_on(client: httpx.Client) -> None:
    """After all kinds of failures the next request is answered as ever."""
    for path in ("/crash", "/stream/fails-early", "/crash"):
        assert client.get(path).status_code == 500

    assert client.get("/").status_code == 200
