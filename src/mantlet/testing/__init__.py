"""Test a policy under both protocols, without a server or a framework.

`PolicyClient` wraps a small app in policies and sends requests to it, as a server would. The same
test runs under WSGI and under ASGI::

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_a_long_target_is_refused(protocol: Protocol) -> None:
        client = PolicyClient(MaxUriLength(limit=10), protocol=protocol)
        assert client.get("/").status == 200
        assert client.get("/much-too-long").status == 414

The app is a function from an `AppRequest` to a response: a `mantlet.Reply`, text, bytes, or an
iterable of bytes for a streamed body. It may raise an exception. The default app responds with
``200 OK``.

An exception that reaches the server is raised in the test. Requests are sent one at a time. To test
load, timeouts and the behaviour of a real server, use a real server.
"""

from mantlet.testing.client import PROTOCOLS, PolicyClient, Protocol
from mantlet.testing.inline_sql import no_inline_sql
from mantlet.testing.received import (
    AppRequest,
    ReceivedHeaders,
    ReceivedResponse,
    WebSocketSession,
)
from mantlet.testing.repositories import RepositoryContract

__all__ = [
    "PROTOCOLS",
    "AppRequest",
    "PolicyClient",
    "Protocol",
    "ReceivedHeaders",
    "ReceivedResponse",
    "RepositoryContract",
    "WebSocketSession",
    "no_inline_sql",
]
