"""Another body in place of what came: what the app, and the policies further in, get of it."""

from __future__ import annotations

from typing import Any

import pytest

import mantlet
from mantlet import BodyTooLarge, Policy, Request
from mantlet.core.body import SpooledBody
from mantlet.wsgi.request import WsgiRequest
from tests.drive import ADAPTERS, Adapter, both_adapters, drive_asgi, make_environ, make_scope
from tests.uploads import App, Body, upload

FIELDS = [
    ("Content-Encoding", "gzip"),
    ("Content-Digest", "sha-256=:AAAA:"),
    ("Repr-Digest", "sha-256=:AAAA:"),
    ("Digest", "sha-256=AAAA"),
    ("Content-MD5", "AAAA"),
    ("Trailer", "Content-Digest"),
    ("Transfer-Encoding", "chunked"),
    ("Content-Type", "application/x-ndjson"),
    ("X-Kept", "as it was"),
]


class Replaces(Policy):
    """Replaces the body, once it has read some bytes of it."""

    def __init__(
        self, body: bytes, *, content_type: str | None = None, reads: int | None = None
    ) -> None:
        self.body = body
        self.content_type = content_type
        self.reads = reads

    async def on_request(self, request: Request) -> None:
        if self.reads is not None:
            size = 0
            async for piece in request.chunks(1000, memory=10):
                size += len(piece)
                if size >= self.reads:
                    break
        request.replace_body(self.body, content_type=self.content_type)


class Sees(Policy):
    """Keeps what it finds in the request."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    async def on_request(self, request: Request) -> None:
        headers = request.headers
        self.seen = {
            "length": headers.get("content-length"),
            "type": headers.get("content-type"),
            "encoding": headers.get("content-encoding"),
            "body": await request.body(100),
            "chunks": [piece async for piece in request.chunks(100, memory=0)],
        }
        with pytest.raises(BodyTooLarge):
            await request.body(1)


@both_adapters
@pytest.mark.parametrize("reads", [None, 0, 1, 20, 100], ids=lambda reads: f"reads {reads}")
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
@pytest.mark.parametrize("new", [b"", b"other", b"x" * 200_000], ids=len)
@pytest.mark.breaks_rules("a Content-Length beside a Transfer-Encoding")
def test_the_app_gets_the_other_body_and_fields_that_are_true_of_it(
    adapter: Adapter, reads: int | None, declared: bool, new: bytes
) -> None:
    """However much of what came has been read; the rest of that never reaches it."""
    app = App()
    answer = upload(
        adapter,
        app.behind(adapter, Replaces(new, reads=reads)),
        [b"x" * 20] * 5,
        length=100 if declared else None,
        headers=FIELDS,
    )
    assert answer.status == 200
    assert app.body == new
    assert app.ended
    assert app.fields.pop("host", None) in {None, "127.0.0.1"}
    assert app.fields == {
        "content-length": str(len(new)),
        "content-type": "application/x-ndjson",
        "x-kept": "as it was",
    }


@both_adapters
def test_the_content_type_is_replaced_if_one_is_given(adapter: Adapter) -> None:
    """It stands there once."""
    app = App()
    policy = Replaces(b"{}", content_type="application/json")
    upload(adapter, app.behind(adapter, policy), b"x", headers=[("Content-Type", "a/b")])
    assert app.fields["content-type"] == "application/json"
    assert app.body == b"{}"


@both_adapters
@pytest.mark.parametrize("fused", [True, False])
def test_policies_further_in_see_the_other_body(adapter: Adapter, fused: bool) -> None:
    """In a fused stack as in a nested one, though they have looked at the fields before."""
    app, sees = App(), Sees()

    class Looks(Policy):
        def on_request(self, request: Request) -> None:
            assert request.headers.get("content-encoding") == "gzip"

    replaces = Replaces(b"other", content_type="a/b", reads=5)
    if fused:
        stack = app.behind(adapter, Looks(), replaces, sees)
    else:
        inner = app.behind(adapter, sees)
        stack = adapter.module.wrap(
            inner.__call__, Looks(), replaces, baseline=False
        )  # which hides it
    answer = upload(adapter, stack, b"x" * 20, headers=[("Content-Encoding", "gzip")])
    assert answer.error is None
    assert sees.seen == {
        "length": "5",
        "type": "a/b",
        "encoding": None,
        "body": b"other",
        "chunks": [b"other"],
    }
    assert app.body == b"other"


@both_adapters
def test_the_last_of_several_bodies_counts(adapter: Adapter) -> None:
    """Two policies may each put the body into a form of their own."""
    app = App()
    policies = Replaces(b"first"), Replaces(b"second", reads=3), Replaces(b"third")
    assert upload(adapter, app.behind(adapter, *policies), b"x" * 50).status == 200
    assert app.body == b"third"
    assert app.fields["content-length"] == "5"


@both_adapters
def test_a_body_is_no_longer_replaced_once_the_app_has_the_request(adapter: Adapter) -> None:
    """It would change nothing but the fields."""
    seen: list[str] = []

    class Late(Policy):
        def on_response(self, request: Request, response: mantlet.Response) -> None:
            with pytest.raises(RuntimeError, match="on_request"):
                request.replace_body(b"")
            with pytest.raises(RuntimeError, match="on_request"):
                request.set_content_length()
            seen.append(str(request.headers.get("content-length")))

    app = App()
    upload(adapter, app.behind(adapter, Late()), b"12345", length=5)
    assert app.body == b"12345"
    assert seen == ["5"]


@both_adapters
@pytest.mark.parametrize("content_type", ["a/b\r\nx: y", "a/\u20ac"])
def test_no_type_that_splits_the_head_is_taken(adapter: Adapter, content_type: str) -> None:
    """RFC 9110, 5.5; and nothing has changed then."""
    app = App()

    class Tries(Policy):
        def on_request(self, request: Request) -> None:
            with pytest.raises(ValueError, match=r"(?i)content-type"):
                request.replace_body(b"", content_type=content_type)

    upload(adapter, app.behind(adapter, Tries()), b"12345", length=5)
    assert app.body == b"12345"
    assert app.fields["content-length"] == "5"


@both_adapters
@pytest.mark.parametrize("memory", [1, 10, 100, 10**6])
def test_a_large_body_comes_from_a_file(adapter: Adapter, memory: int) -> None:
    """The part that does not fit into memory; a policy further in reads it, and then the app."""
    body, app, seen = SpooledBody(memory), App(), []

    class Spools(Policy):
        def on_request(self, request: Request) -> None:
            for piece in (b"12345", b"x" * 100_000, b"end"):
                body.write(piece)
            request.replace_body(body, content_type="a/b")

    class Reads(Policy):
        async def on_request(self, request: Request) -> None:
            seen.append(b"".join([piece async for piece in request.chunks(10**6, memory=1)]))

    answer = upload(adapter, app.behind(adapter, Spools(), Reads()), b"other", headers=FIELDS[:1])
    assert answer.status == 200
    assert app.body == b"12345" + b"x" * 100_000 + b"end"
    assert seen == [app.body]
    assert body.closed
    assert app.fields["content-length"] == "100008"
    assert app.fields["content-type"] == "a/b"
    assert "content-encoding" not in app.fields


class States(Policy):
    """Reads the body to its end, and has its length stated."""

    def __init__(self, memory: int = 1000) -> None:
        self.memory = memory

    async def on_request(self, request: Request) -> None:
        with pytest.raises(RuntimeError, match="read to its end"):
            request.set_content_length()
        async for _ in request.chunks(1000, memory=self.memory):
            pass
        request.set_content_length()


@both_adapters
@pytest.mark.parametrize("memory", [1, 1000])
@pytest.mark.breaks_rules("a Content-Length beside a Transfer-Encoding")
def test_a_body_gets_the_length_that_it_has(adapter: Adapter, memory: int) -> None:
    """Fields that describe its bytes stay, those of how it was sent do not."""
    app = App()
    upload(adapter, app.behind(adapter, States(memory)), [b"x" * 20] * 5, headers=FIELDS)
    assert app.body == b"x" * 100
    assert app.fields["content-length"] == "100"
    assert app.fields["content-encoding"] == "gzip"
    assert app.fields["content-digest"] == "sha-256=:AAAA:"
    assert not {"transfer-encoding", "trailer"} & app.fields.keys()


@both_adapters
def test_a_policy_that_only_reports_states_and_replaces_nothing(adapter: Adapter) -> None:
    """And its file is closed."""
    app, body = App(), SpooledBody(1)

    class Spools(Policy):
        mode = "report"

        async def on_request(self, request: Request) -> None:
            await request.body(1000)
            request.set_content_length()
            body.write(b"12345")
            request.replace_body(body)

    upload(adapter, app.behind(adapter, Spools()), b"other")
    assert app.body == b"other"
    assert "content-length" not in app.fields
    assert body.closed


def test_the_list_of_fields_that_the_server_made_is_left_alone() -> None:
    """An app further out may hold it."""
    (asgi, _), app = ADAPTERS, App()
    fields = [(b"content-length", b"5"), (b"x-a", b"b")]
    drive_asgi(app.behind(asgi, Replaces(b"")), "POST", body=b"12345", scope={"headers": fields})
    assert fields == [(b"content-length", b"5"), (b"x-a", b"b")]
    assert app.fields == {"content-length": "0", "x-a": "b"}


def test_after_the_other_body_the_app_hears_of_the_disconnect_and_of_nothing_before_it() -> None:
    """What is still to come of the old body is no part of the new one."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([await receive(), await receive()])

    body = Body([b"old"] * 5, gone=True)
    drive_asgi(
        mantlet.asgi.wrap(app, Replaces(b"new", reads=3), baseline=False),
        "POST",
        events=body.events(),
    )
    assert seen == [
        {"type": "http.request", "body": b"new", "more_body": False},
        {"type": "http.disconnect"},
    ]


@pytest.mark.breaks_rules("the length and the type under names that are not CGI's")
def test_a_length_that_a_server_gives_under_two_names_goes_under_both() -> None:
    """Two lengths are read in two ways."""
    request = WsgiRequest(
        make_environ(
            body=b"12345", environ={"HTTP_CONTENT_LENGTH": "5", "HTTP_CONTENT_TYPE": "a/b"}
        )
    )
    request.replace_body(b"", content_type="c/d")
    assert request.environ["CONTENT_LENGTH"] == "0"
    assert request.environ["CONTENT_TYPE"] == "c/d"
    assert not {"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"} & request.environ.keys()


def test_a_handshake_has_no_body_to_read_or_to_replace() -> None:
    """RFC 6455, 4.1."""
    seen: list[bytes] = []
    asked: list[str] = []

    class Tries(Policy):
        async def on_request(self, request: Request) -> None:
            seen.append(await request.body(10))
            seen.extend([piece async for piece in request.chunks(10, memory=10)])
            with pytest.raises(RuntimeError, match="handshake"):
                request.replace_body(b"")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append((await receive())["type"])
        await send({"type": "websocket.close"})

    scope = make_scope(scope={"type": "websocket", "method": ...})
    drive_asgi(
        mantlet.asgi.wrap(app, Tries(), baseline=False),
        scope=scope,
        events=[{"type": "websocket.connect"}],
    )
    assert seen == [b""]
    assert asked == ["websocket.connect"]
