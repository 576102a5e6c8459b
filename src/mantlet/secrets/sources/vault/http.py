"""HTTP requests to Vault, with limits on the time and the memory of a response.

It needs requests and urllib3, which hvac requires, so it is only imported by a `Vault`.
"""

import json
import ssl
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from http.client import HTTPResponse
from io import BytesIO
from time import monotonic
from typing import Any, Final

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ProxyError, RequestException, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from mantlet._internal.exception_chain import walk_chain
from mantlet._internal.limited_socket import LimitedSocket
from mantlet.secrets.sources.remote import (
    TIMED_OUT,
    SourceUnavailable,
    call_library,
    remaining_seconds,
)
from mantlet.secrets.sources.source import SourceError
from mantlet.secrets.sources.vault.tokens import VaultResponse

__all__ = ["open_session", "send_request"]

#: The maximum size of a body. Vault's own limit for an entry is 1 MiB with its default storage.
_MAX_BODY: Final = 1024 * 1024
#: The allowance for the head of a response and the framing of its chunks.
_MAX_OVERHEAD: Final = 64 * 1024
_CHUNK: Final = 64 * 1024
#: The share of the remaining time for connecting to one of the server's addresses.
_CONNECT_SHARE: Final = 1 / 3
#: The maximum of ``Retry-After``, in seconds.
_MAX_RETRY_AFTER: Final = 300.0
_TOO_LARGE: Final = f"sent a response of more than {_MAX_BODY // 1024} KiB"


def open_session(deadline: float, verify: bool | str) -> Session:
    """Return a session for one reading.

    It is not kept for the next one: a worker forked meanwhile would share its connection.

    Args:
        deadline: the end of the timeout by ``time.monotonic()``.
        verify: True for the certificates that requests trusts, or the path of the CA certificate.
    """
    session = Session()
    session.verify = verify
    session.headers["Accept-Encoding"] = "identity"
    session.mount("http://", _LimitedAdapter(deadline))
    session.mount("https://", _LimitedAdapter(deadline))
    return session


def send_request(call: Callable[[], Response]) -> VaultResponse:
    """Make a request, and parse the response.

    Args:
        call: makes the request.

    Raises:
        SourceUnavailable: there was no response in time.
        SourceError: the response is not from Vault.
    """
    return _parse_response(call_library(call, _to_error))


def _to_error(error: Exception) -> SourceError:
    """Convert an exception of a request without a response."""
    if isinstance(error, SourceError):
        return type(error)(str(error))
    causes = [one for cause in walk_chain(error) for one in (cause, *cause.args)]
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return SourceError("its certificate can't be verified: set verify to its CA certificate")
    if any(isinstance(one, Timeout | TimeoutError) for one in causes):
        return SourceUnavailable(TIMED_OUT)
    if isinstance(error, ProxyError):
        return SourceUnavailable("can't be reached through the proxy")
    if isinstance(error, RequestException | HTTPError | OSError):
        return SourceUnavailable("can't be reached, or closed the connection early")
    return SourceError(f"can't be read: {type(error).__qualname__}")


def _parse_response(response: Response) -> VaultResponse:
    status = response.status_code
    if 300 <= status < 400:
        raise SourceError(
            f"{status}: redirects to another address, which is not followed: "
            "set url to that of the active server"
        )
    retry_after = _parse_seconds(response.headers.get("Retry-After", "")) if status == 429 else 0.0
    content = response.content
    body: Any = None
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return VaultResponse(status, body, retry_after)
    # A proxy in front of Vault sends these without JSON.
    if status == 429 or status >= 500:
        return VaultResponse(status, {}, retry_after)
    kind = "an HTML page" if content.lstrip()[:1] == b"<" else "something other than a JSON object"
    raise SourceError(f"{status}: sent {kind}: check whether url is that of a Vault server")


def _parse_seconds(text: str) -> float:
    """Parse ``Retry-After``; Vault does not send the other form, a date."""
    return min(float(text), _MAX_RETRY_AFTER) if text.isascii() and text.isdigit() else 0.0


class _LimitedAdapter(HTTPAdapter):
    """An adapter for requests that limits the total time and memory of a response."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        connection = _LimitedHTTPSConnection if pool.scheme == "https" else _LimitedHTTPConnection
        pool.ConnectionCls = partial(connection, deadline=self._deadline)
        return pool

    def send(  # noqa: PLR0917  # the signature of requests
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        seconds = remaining_seconds(self._deadline)
        timeouts = (seconds * _CONNECT_SHARE, seconds)
        response = super().send(request, True, timeouts, verify, cert, proxies)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            # A few compressed bytes may expand to any amount of memory.
            response.close()
            raise SourceError("sent a compressed response, which was not requested")
        try:
            body = _read_body(response.raw)
        finally:
            response.close()
        response.raw = BytesIO(body)
        return response


def _read_body(raw: Any) -> bytes:
    """Read a body in chunks: a single read would allocate the announced length."""
    body = bytearray()
    while chunk := raw.read(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > _MAX_BODY:
            raise SourceError(_TOO_LARGE)
    return bytes(body)


class _SocketOptions:
    """Socket options that raise after a while: they are read before each attempt to connect."""

    def __init__(self, options: Iterable[Any] | None, deadline: float) -> None:
        self._options = tuple(options or ())
        # An attempt that starts before this time ends before the deadline.
        now = monotonic()
        self._last_start = deadline - (deadline - now) * _CONNECT_SHARE

    def __iter__(self) -> Iterator[Any]:
        if monotonic() >= self._last_start:
            raise TimeoutError
        return iter(self._options)


class _LimitedHTTPConnection(HTTPConnection):
    def __init__(self, *args: Any, deadline: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _limit(self, deadline)


class _LimitedHTTPSConnection(HTTPSConnection):
    def __init__(self, *args: Any, deadline: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _limit(self, deadline)


def _limit(connection: Any, deadline: float) -> None:
    connection.socket_options = _SocketOptions(connection.socket_options, deadline)
    connection.response_class = partial(_LimitedResponse, deadline=deadline)


class _LimitedResponse(HTTPResponse):
    """The standard library's response, which reads from one stream only."""

    def __init__(self, sock: Any, *args: Any, deadline: float, **kwargs: Any) -> None:
        limited: Any = LimitedSocket(
            sock,
            partial(remaining_seconds, deadline),
            max_size=_MAX_BODY + _MAX_OVERHEAD,
            too_large=partial(SourceError, _TOO_LARGE),
        )
        super().__init__(limited, *args, **kwargs)
