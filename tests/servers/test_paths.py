"""Targets that could be read in two ways, as clients send them to real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What each of them makes of a target is not the same; see `HIDDEN`.
SERVERS = ("gunicorn-sync", "granian-wsgi", "uvicorn-h11", "uvicorn-httptools")

#: Targets, and what the app is to see: the path and its segments.
PLAIN: dict[bytes, tuple[str, list[str]]] = {
    b"/": ("/", []),
    b"/a": ("/a", ["a"]),
    b"/a/b?": ("/a/b", ["a", "b"]),
    b"/a%20b": ("/a b", ["a b"]),
    b"/caf%c3%a9/%C3%A9": ("/caf\u00e9/\u00e9", ["caf\u00e9", "\u00e9"]),
    b"/100%25/%41": ("/100%/A", ["100%", "A"]),
    b"/a%3Fb/c%23d": ("/a?b/c#d", ["a?b", "c#d"]),
    b"/...": ("/...", ["..."]),
    b"/http:": ("/http:", ["http:"]),
}
AMBIGUOUS = [
    *(b"/a%2Fb", b"/a%2fb", b"//a", b"/a//b", b"//h/x", b"/./a", b"/a/..", b"/%2e%2E/a", b"/.%2e"),
    *(b"/a;b", b"/a%3Bb", b"/%", b"/%zz", b"/%4", b"/%ff", b"/%c0%af", b"/%ed%a0%80", b"/%00"),
    *(b"/a%0A", b"/a%0d%0ab", b"/%252f", b"/%25%32%66", b"/a\\b", b"/a%5Cb", b"/a#b", b"/a\tb"),
    *(b"/a\x01", b"/a\x7f", b"/a b", b"/\xc3\xa9", b"/\xff", b"http://h/a", b"HTTP://h/a/b"),
    *(b"http://h/a;b", b"h:80", b"*", b"a/b", b"?x", b"/%EF%BF%BD", b"/%C2%80"),
]
#: What a server tells nobody of: the app, too, sees what is left of it.
HIDDEN: dict[str, dict[bytes, str]] = {
    "granian-wsgi": {
        b"/a%2Fb": "/a/b",
        b"/a%2fb": "/a/b",
        b"/%": "/%",
        b"/%zz": "/%zz",
        b"/%4": "/%4",
        b"/a#b": "/a",
        b"/\xc3\xa9": "/\u00e9",
        b"http://h/a": "/a",
        b"HTTP://h/a/b": "/a/b",
        b"h:80": "",
    },
    "uvicorn-httptools": {b"/a#b": "/a", b"http://h/a": "/a", b"HTTP://h/a/b": "/a/b"},
}


@pytest.fixture(scope="module", params=SERVERS)
def judged(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The app behind its guard under each server."""
    app = "judged:wsgi" if request.param in SERVERS[:2] else "judged:asgi"
    with serve(request.param, app, directory=Path(__file__).parent) as started:
        yield started


def ask(server: Server, target: bytes) -> tuple[int, object]:
    """Send a target as it is; return the status, and what the app has seen if it was reached."""
    answer = server.exchange(
        "127.0.0.1", b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head[9:12])
    if status != 200:
        return status, None
    start, end = (
        body.index(b"["),
        body.rindex(b"]") + 1,
    )  # there may be the sizes of chunks around it
    return status, json.loads(body[start:end])


def test_the_app_sees_the_path_that_was_matched(judged: Server) -> None:
    """Where it can be read in one way only."""
    seen = {target: ask(judged, target) for target in PLAIN}
    assert seen == {target: (200, list(path)) for target, path in PLAIN.items()}


def test_what_could_be_read_in_two_ways_is_refused(judged: Server) -> None:
    """By the server or by the guard, but for what the server has made into another path."""
    hidden = HIDDEN.get(judged.name, {})
    for target in AMBIGUOUS:
        status, seen = ask(judged, target)
        if target in hidden:
            path = hidden[target]
            assert (status, seen) == (200, [path, path.split("/")[1:]]), target
        else:
            assert (status, seen) == (400, None), target
    assert "Traceback" not in judged.log
