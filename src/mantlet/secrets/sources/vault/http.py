"""HTTP with a Vault: no answer takes longer than it may, or more memory, or leads elsewhere.

It needs requests and urllib3, which hvac brings, and so is imported only where there is a `Vault`.
"""

import json
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPResponse
from io import BufferedReader, BytesIO, RawIOBase
from time import monotonic
from typing import Any, Final

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ProxyError, RequestException, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from mantlet._internal.exception_chain import walk_chain
from mantlet.secrets.sources.remote import LATE, Unavailable, attempt, remaining
from mantlet.secrets.sources.source import SourceError

__all__ = ["Answer", "answered", "session"]

#: The most bytes of one answer. Vault's own limit for an entry is 1 MiB with its default storage.
_MOST: Final = 1024 * 1024
#: What its head, and the sizes of its chunks, may take on top.
_HEAD: Final = 64 * 1024
_PART: Final = 64 * 1024
#: Of the time that is left, what one address of the server's may take to be connected to.
_CONNECT: Final = 1 / 3
#: The longest that a server may ask for patience, in seconds.
_MOST_PATIENCE: Final = 300.0
_TOO_MUCH: Final = f"answers with more than {_MOST // 1024} KiB"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in JSON.

    Attributes:
        status: the HTTP status.
        body: the JSON object; empty where the status alone says all.
        patience: seconds that the server asks to be left alone.
    """

    status: int
    body: Mapping[str, Any] = field(repr=False)
    patience: float = 0.0


def session(until: float, verify: bool | str) -> Session:
    """Return a session for one reading.

    It is not kept for the next one: a worker that is forked meanwhile would share its connection.

    Args:
        until: when all of it has to be over, by ``time.monotonic()``.
        verify: whose certificates are trusted: those that requests does, or the CA's at a path.
    """
    made = Session()
    made.verify = verify
    made.headers["Accept-Encoding"] = "identity"
    made.mount("http://", _Adapter(until))
    made.mount("https://", _Adapter(until))
    return made


def answered(call: Callable[[], Response]) -> Answer:
    """Return what a request is answered with, if that is an answer of Vault's at all.

    Args:
        call: makes the request.

    Raises:
        Unavailable: there was no answer, or none in time, or one of a server that has trouble.
        SourceError: it is not Vault that answers.
    """
    return _answer(attempt(call, _failure))


def _failure(error: Exception) -> SourceError:
    """Return what to say of a request that had no answer."""
    if isinstance(error, SourceError):
        return type(error)(str(error))
    causes = [one for cause in walk_chain(error) for one in (cause, *cause.args)]
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return SourceError("its certificate can't be verified: give that of its CA as verify")
    if any(isinstance(one, Timeout | TimeoutError) for one in causes):
        return Unavailable(LATE)
    if isinstance(error, ProxyError):
        return Unavailable("can't be reached through the proxy")
    if isinstance(error, RequestException | HTTPError | OSError):
        return Unavailable("can't be reached, or broke off its answer")
    return SourceError(f"can't be asked: {type(error).__qualname__}")


def _answer(response: Response) -> Answer:
    status = response.status_code
    if 300 <= status < 400:
        raise SourceError(
            f"{status}: it sends on to another address, which is not followed: "
            "url must be that of the active server"
        )
    patience = _seconds(response.headers.get("Retry-After", "")) if status == 429 else 0.0
    content = response.content
    body: Any = None
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return Answer(status, body, patience)
    # A proxy in front of it says these without JSON.
    if status == 429 or status >= 500:
        return Answer(status, {}, patience)
    what = "a page of HTML" if content.lstrip()[:1] == b"<" else "no JSON object"
    raise SourceError(f"{status}: answers with {what}: is url that of a Vault?")


def _seconds(text: str) -> float:
    """Return what ``Retry-After`` says; the date that it may be too is not Vault's way."""
    return min(float(text), _MOST_PATIENCE) if text.isascii() and text.isdigit() else 0.0


class _Adapter(HTTPAdapter):
    """Requests' adapter, with an end to the time and the memory that it takes."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        kind = _HTTPSConnection if pool.scheme == "https" else _HTTPConnection
        pool.ConnectionCls = partial(kind, until=self._until)
        return pool

    def send(  # noqa: PLR0917  # as requests has it
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        seconds = remaining(self._until)
        times = (seconds * _CONNECT, seconds)
        response = super().send(request, True, times, verify, cert, proxies)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            # A few bytes of it may stand for any amount of memory.
            response.close()
            raise SourceError("answers with a compressed body, which it was not asked for")
        try:
            body = _body(response.raw)
        finally:
            response.close()
        response.raw = BytesIO(body)
        return response


def _body(raw: Any) -> bytes:
    """Read a body by parts: one read of all would take the memory that the server says it needs."""
    body = bytearray()
    while part := raw.read(_PART, decode_content=False):
        body += part
        if len(body) > _MOST:
            raise SourceError(_TOO_MUCH)
    return bytes(body)


class _Options:
    """The options of sockets, which are asked for before each address is connected to."""

    def __init__(self, options: Iterable[Any] | None, until: float) -> None:
        self._options = tuple(options or ())
        # What is begun by then is over in time.
        now = monotonic()
        self._until = until - (until - now) * _CONNECT

    def __iter__(self) -> Iterator[Any]:
        if monotonic() >= self._until:
            raise TimeoutError
        return iter(self._options)


class _HTTPConnection(HTTPConnection):
    def __init__(self, *args: Any, until: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _bind(self, until)


class _HTTPSConnection(HTTPSConnection):
    def __init__(self, *args: Any, until: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _bind(self, until)


def _bind(connection: Any, until: float) -> None:
    connection.socket_options = _Options(connection.socket_options, until)
    connection.response_class = partial(_Response, until=until)


class _Response(HTTPResponse):
    """The standard library's, which reads all that it reads from one stream."""

    def __init__(self, sock: Any, *args: Any, until: float, **kwargs: Any) -> None:
        all_it_asks_of_a_socket: Any = _Bounded(sock, until)
        super().__init__(all_it_asks_of_a_socket, *args, **kwargs)


class _Bounded:
    """A socket, as far as an answer needs it."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._until = until

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(_Stream(self._sock, self._until))


class _Stream(RawIOBase):
    """What a socket receives: by a clock, since each byte may be in time and all of them not."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._until = until
        self._room = _MOST + _HEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(remaining(self._until))
        count = self._raw.readinto(buffer)
        self._room -= count or 0
        if self._room < 0:
            raise SourceError(_TOO_MUCH)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
