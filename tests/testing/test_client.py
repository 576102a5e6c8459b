"""`mantlet.testing`: policies under both protocols, without a server."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Close, ErrorEnvelope, Message, Policy, Problem, RateLimiter, Reply
from mantlet.testing import PROTOCOLS, AppRequest, PolicyClient, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mantlet import Request, Response

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


@both_protocols
def test_the_app_responds_without_a_function(protocol: Protocol) -> None:
    """A test of a policy that refuses needs none."""
    response = PolicyClient(protocol=protocol).get("/")
    assert (response.status, response.text) == (200, "ok")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


@both_protocols
def test_the_app_sees_the_request_as_it_was_sent(protocol: Protocol) -> None:
    """Under both protocols alike."""
    client = PolicyClient(protocol=protocol, app=lambda request: request.body[::-1])
    response = client.post(
        "/items/é?a=1&b=%20", body="abc", headers=[("X-A", "1"), ("X-A", "2"), ("Cookie", "c=d")]
    )
    assert response.body == b"cba"
    (seen,) = client.requests
    assert (seen.method, seen.path, seen.query, seen.body) == (
        *("POST", "/items/é", "a=1&b=%20", b"abc"),
    )
    assert seen.headers.get("x-a") in ("1, 2", "1,2")
    assert seen.headers.get("COOKIE") == "c=d"
    assert seen.headers["content-length"] == "3"
    assert seen.headers["host"] == "testserver"
    assert "x-b" not in seen.headers
    assert seen.headers.get("x-b", "none") == "none"


@both_protocols
def test_a_response_is_received_as_it_was_sent(protocol: Protocol) -> None:
    """Its headers in order, and its chunks."""

    def app(request: AppRequest) -> Reply:
        return Reply(201, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], '{"a": 5}')

    response = PolicyClient(protocol=protocol, app=app).get("/")
    assert response.status == 201
    assert response.headers.getall("set-cookie") == ["a=1", "b=2"]
    assert response.json() == {"a": 5}


@both_protocols
def test_a_body_may_be_streamed(protocol: Protocol) -> None:
    """Chunk by chunk, as the policy sees it."""

    class Upper(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            response.transform(lambda chunk, _more: chunk.upper())

    def app(request: AppRequest) -> Iterator[bytes]:
        yield b"one"
        yield b"two"

    response = PolicyClient(Upper(), protocol=protocol, app=app).get("/")
    assert response.chunks == (b"ONE", b"TWO")


@both_protocols
def test_what_reaches_the_server_is_raised_to_the_test(protocol: Protocol) -> None:
    """Unless a policy makes a response of it."""

    def app(request: AppRequest) -> str:
        raise LookupError("s3cr3t")

    with pytest.raises(LookupError):
        PolicyClient(protocol=protocol, app=app).get("/")
    response = PolicyClient(ErrorEnvelope(), protocol=protocol, app=app).get("/")
    assert response.status == 500
    assert "s3cr3t" not in response.text


@both_protocols
def test_policies_meet_each_request_in_their_order(protocol: Protocol) -> None:
    """With the state that the app reads."""

    def app(request: AppRequest) -> str:
        return str(request.state.rate_limit.remaining)

    limiter = RateLimiter("2/hour", clock=lambda: 0)
    client = PolicyClient(ErrorEnvelope(), limiter, protocol=protocol, app=app)
    assert [client.get("/").text for _ in range(2)] == ["1", "0"]
    refused = client.get("/")
    assert refused.status == 429
    assert refused.headers["x-request-id"] == refused.json()["request_id"]
    assert len(client.requests) == 2


@both_protocols
def test_the_baseline_is_an_option(protocol: Protocol) -> None:
    """Off, so that a test sees its policy alone."""
    bare = PolicyClient(protocol=protocol).get("/")
    safe = PolicyClient(protocol=protocol, baseline=True).get("/")
    assert "x-request-id" not in bare.headers
    assert "x-request-id" in safe.headers


@both_protocols
def test_the_peer_has_an_address(protocol: Protocol) -> None:
    """Policies count by it."""

    class Seen(Policy):
        def on_request(self, request: Request) -> Reply:
            return Reply(200, body=str(request.client))

    assert PolicyClient(Seen(), protocol=protocol).get("/").text == "192.0.2.1"
    client = PolicyClient(Seen(), protocol=protocol, client="198.51.100.7")
    assert client.get("/").text == "198.51.100.7"


class Starting(Policy):
    """Keeps what happened."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def startup(self) -> None:
        self.events.append("startup")

    def on_request(self, request: Request) -> None:
        self.events.append("request")

    async def shutdown(self) -> None:
        self.events.append("shutdown")


@both_protocols
def test_a_block_starts_and_stops_the_policies(protocol: Protocol) -> None:
    """Once, around the requests in it."""
    policy = Starting()
    with PolicyClient(policy, protocol=protocol) as client:
        client.get("/")
        client.get("/")
    assert policy.events == ["startup", "request", "request", "shutdown"]


@both_protocols
def test_without_a_block_the_first_request_starts_the_policies(protocol: Protocol) -> None:
    """As under a server without lifespan."""
    policy = Starting()
    client = PolicyClient(policy, protocol=protocol)
    client.get("/")
    client.get("/")
    assert policy.events == ["startup", "request", "request"]


@both_protocols
def test_a_policy_that_cannot_start_is_an_error_of_the_block(protocol: Protocol) -> None:
    """As it would keep a server from starting."""

    class Broken(Policy):
        def startup(self) -> None:
            raise OSError("no such file")

    client = PolicyClient(Broken(), protocol=protocol)
    with pytest.raises(mantlet.StartupError, match="Broken can't start: OSError: no such file"):
        client.__enter__()


class Polite(Policy):
    """Ends a WebSocket whose client is rude, and refuses some handshakes."""

    def on_request(self, request: Request) -> Reply | None:
        if request.path == "/refused":
            return Problem(403, detail="Not here.").reply(request)
        return None

    def on_message(self, request: Request, message: Message) -> Message | Close:
        return Close(4001) if message.data == "rude" else message


def test_a_websocket_passes_through_the_policies() -> None:
    """The handshake and each message."""
    client = PolicyClient(Polite())
    session = client.websocket("/", ["hello", b"\x00"])
    assert session.accepted
    assert session.messages == ["hello", b"\x00"]
    assert session.close_code is None
    closed = client.websocket("/?a=1", ["hello", "rude", "more"])
    assert closed.messages == ["hello"]
    assert closed.close_code == 4001


def test_a_refused_handshake_has_a_response() -> None:
    """By the extension of ASGI for it."""
    session = PolicyClient(Polite()).websocket("/refused", headers={"Origin": "https://a.example"})
    assert not session.accepted
    assert session.response is not None
    assert session.response.status == 403
    assert session.response.json()["detail"] == "Not here."


def test_wsgi_has_no_websockets() -> None:
    """The error says which client has."""
    with pytest.raises(TypeError, match='needs a PolicyClient with protocol="asgi"'):
        PolicyClient(protocol="wsgi").websocket("/")


def test_wrong_arguments_are_refused() -> None:
    """When the client is made."""
    wrong: Any = "http"
    with pytest.raises(ValueError, match='protocol must be "wsgi" or "asgi", not \'http\''):
        PolicyClient(protocol=wrong)
    with pytest.raises(TypeError, match="a policy must be a mantlet"):
        PolicyClient(wrong)


def test_it_needs_no_test_framework() -> None:
    """It works with any, and a bare install is enough."""
    code = "import sys, mantlet.testing; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in run.stdout.split()}
    assert tops.isdisjoint({"pytest", "_pytest", "hypothesis", "starlette", "werkzeug", "limits"})


# -- the page -------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "write-a-policy.md"


def blocks() -> list[str]:
    """Return the page's blocks of Python."""
    return [block.partition("```")[0] for block in PAGE.read_text().split("```python\n")[1:]]


def test_the_policy_of_the_page_passes_its_own_tests(tmp_path: Path) -> None:
    """The page's two files, as a reader would copy them."""
    policy, tests, *rest = blocks()
    (tmp_path / "maintenance.py").write_text(policy)
    (tmp_path / "test_maintenance.py").write_text(tests)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"),
            *("--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
    for block in rest:
        compile(block, str(PAGE), "exec")


def test_the_page_uses_the_public_api_alone() -> None:
    """Names of the package itself, and of `mantlet.testing`."""
    for block in blocks():
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and "mantlet" in node.module:
                assert node.module in ("mantlet", "mantlet.testing"), ast.unparse(node)
                names = {alias.name for alias in node.names}
                source: Any = mantlet.testing if node.module == "mantlet.testing" else mantlet
                assert names <= set(source.__all__), names - set(source.__all__)
