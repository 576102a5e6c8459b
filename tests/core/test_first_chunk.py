"""What a policy sees of a body with the head, filters that keep lengths, files and trailers."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Policy, Reply, Request, Response
from tests.conformance.exchanges import Outcome, Script
from tests.core.test_response import play
from tests.drive import make_environ, make_scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send

__all__ = ["play"]  # the fixture

HTML = (("content-type", "text/html"),)
ETAG = (("content-type", "text/plain"), ("etag", '"abc"'))


class Beginning(Policy):
    """Keeps what it sees of the body with the head."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, bytes | None]] = []

    def on_response(self, request: Request, response: Response) -> None:
        self.seen.append((response.first_chunk, response.full_body))


class Mask(Policy):
    """Masks a word by as many asterisks."""

    def on_response(self, request: Request, response: Response) -> None:
        response.transform(lambda chunk, _: chunk.replace(b"secret", b"******"), keeps_length=True)


class Answers(Policy):
    """Answers in the app's place."""

    def on_request(self, request: Request) -> Reply:
        return Reply(200, {}, "reply")


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        (Script(declares_length=True), (b"hello", b"hello")),
        (Script(headers=HTML, chunks=(b"one", b"two")), (b"one", None)),
        (
            Script(headers=HTML, chunks=(b"", b"one", b"two"), ends_with_last=False),
            (b"one", None),
        ),
        (Script(chunks=(), wsgi_style="list"), (b"", None)),
    ],
    ids=["whole", "stream", "late", "empty"],
)
def test_a_policy_sees_the_beginning_of_the_body(
    play: Callable[..., Outcome], script: Script, seen: tuple[bytes, bytes | None]
) -> None:
    """As far as it is there with the head, and all of it where that is so."""
    policy = Beginning()
    play(script, policy)
    if script.chunks:
        assert policy.seen == [seen]
    else:
        assert policy.seen in ([(b"", b"")], [(b"", None)])


def test_a_policy_sees_the_body_of_a_reply_and_what_filters_make(
    play: Callable[..., Outcome],
) -> None:
    """Of the policies further in."""
    outer = Beginning()
    play(Script(), outer, Answers())
    play(Script(chunks=(b"a secret",), declares_length=True), outer, Mask())
    assert outer.seen == [(b"reply", b"reply"), (b"a ******", b"a ******")]


def test_there_is_no_body_to_see_of_an_answer_to_head(play: Callable[..., Outcome]) -> None:
    """Whatever the app sends."""
    policy = Beginning()
    play(Script(wsgi_style="list"), policy, method="HEAD")
    assert policy.seen == [(b"", b"")]


def test_a_filter_that_keeps_lengths_keeps_the_fields_of_a_clean_stream(
    play: Callable[..., Outcome],
) -> None:
    """Content-Length and the validators, for it may change nothing."""
    script = Script(headers=ETAG, chunks=(b"one", b"two"), declares_length=True)
    outcome = play(script, Mask())
    assert outcome.body == b"onetwo"
    assert dict(outcome.headers) == {**dict(ETAG), "content-length": "6"}


def test_a_filter_that_keeps_lengths_may_mask_a_stream(play: Callable[..., Outcome]) -> None:
    """The length that the app promised is true."""
    script = Script(chunks=(b"a secret", b" word"), declares_length=True)
    outcome = play(script, Mask())
    assert outcome.body == b"a ****** word"
    assert ("content-length", "13") in outcome.headers


def test_a_whole_body_that_was_masked_has_no_validators(play: Callable[..., Outcome]) -> None:
    """They were of other bytes."""
    script = Script(headers=ETAG, chunks=(b"secret",), declares_length=True, wsgi_style="list")
    outcome = play(script, Mask())
    assert outcome.body == b"******"
    assert dict(outcome.headers) == {"content-type": "text/plain", "content-length": "6"}


def test_a_filter_that_keeps_lengths_leaves_the_answer_to_head(
    play: Callable[..., Outcome],
) -> None:
    """Its fields are those that the answer to GET would have."""
    script = Script(headers=ETAG, declares_length=True, wsgi_style="list")
    outcome = play(script, Mask(), method="HEAD")
    assert dict(outcome.headers) == {**dict(ETAG), "content-length": "5"}


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_filter_is_given_bytes(kind: Callable[[bytes], Any]) -> None:
    """Though an ASGI app may send what is like them."""
    seen: list[type] = []

    class Types(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            def look(chunk: bytes, _more: bool) -> bytes:
                seen.append(type(chunk))
                return chunk

            seen.append(type(response.first_chunk))
            response.transform(look)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": kind(b"one"), "more_body": True})
        await send({"type": "http.response.body", "body": kind(b"two")})

    sent = run_asgi(mantlet.asgi.wrap(app, Types(), baseline=False))
    assert b"".join(message.get("body", b"") for message in sent) == b"onetwo"
    assert seen == [bytes, bytes, bytes]


# -- files and trailers ---------------------------------------------------------------------------


def run_asgi(app: Any) -> list[AsgiMessage]:
    """Run one exchange; return what was sent."""
    sent: list[AsgiMessage] = []

    async def receive() -> AsgiMessage:
        return {"type": "http.request"}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    asyncio.run(app(make_scope(), receive, send))
    return sent


class Files(Policy):
    """Keeps whether the body is a file."""

    def __init__(self) -> None:
        self.seen: list[bool] = []

    def on_response(self, request: Request, response: Response) -> None:
        self.seen.append(response.is_file)


def test_a_policy_sees_that_the_body_is_a_file_under_asgi(tmp_path: Path) -> None:
    """One that the server sends by itself (the pathsend extension)."""
    file = tmp_path / "file"
    file.write_bytes(b"hello")
    policy = Files()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.pathsend", "path": str(file)})

    sent = run_asgi(mantlet.asgi.wrap(app, policy, baseline=False))
    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.pathsend",
    ]
    assert policy.seen == [True]


@pytest.mark.breaks_rules("file wrappers are told by their identity, which a checker hides")
def test_a_policy_sees_that_the_body_is_a_file_under_wsgi() -> None:
    """One that the server wraps (PEP 3333, "Optional Platform-Specific File Handling")."""

    class Wrapper(list[bytes]):
        def __init__(self, file: Any, size: int) -> None:
            super().__init__([file.read()])

    def files(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"hello"), 8192)

    def no_files(environ: Any, start_response: Any) -> Any:
        environ["wsgi.file_wrapper"](io.BytesIO(b"hello"), 8192)
        start_response("200 OK", [])
        return [b"hello"]

    policy = Files()
    for app in (files, no_files):
        environ = make_environ(environ={"wsgi.file_wrapper": Wrapper})
        result = mantlet.wsgi.wrap(app, policy, baseline=False)(environ, lambda *_: list.append)  # type: ignore[arg-type]  # a server's write()
        assert b"".join(result) == b"hello"
    assert policy.seen == [True, False]


@pytest.mark.breaks_rules("sends trailers that it has not announced")
@pytest.mark.parametrize("length", [(b"content-length", b"5"), (b"x", b"")])
def test_trailers_that_were_not_announced_are_not_sent(length: tuple[bytes, bytes]) -> None:
    """Policies were told that there are none (ASGI, "Response Trailers")."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"hello"})
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"secret")]})

    sent = run_asgi(mantlet.asgi.wrap(app, Trailers(), baseline=False))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


class Trailers(Policy):
    """Masks the values of trailers."""

    def on_response(self, request: Request, response: Response) -> None:
        if response.has_trailers:
            response.transform_trailers(lambda raw: [(name, b"***") for name, _ in raw])


@pytest.mark.parametrize("announced", [True, False])
def test_trailers_can_be_changed(announced: bool) -> None:
    """The fields that follow the body (ASGI, "Response Trailers")."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send({**start, "trailers": True} if announced else start)
        await send({"type": "http.response.body", "body": b"hello"})
        if announced:
            trailers = [(b"x-sum", b"secret")]
            await send({"type": "http.response.trailers", "headers": trailers})

    sent = run_asgi(mantlet.asgi.wrap(app, Trailers(), baseline=False))
    if announced:
        assert sent[-1] == {"type": "http.response.trailers", "headers": [(b"x-sum", b"***")]}
    else:
        assert [message["type"] for message in sent] == [
            "http.response.start",
            "http.response.body",
        ]
