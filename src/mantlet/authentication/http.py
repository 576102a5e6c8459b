"""HTTPS requests to identity providers, with limits on the time and the size of a response.

A provider's responses decide whose tokens are valid. So the connection is encrypted and the
certificate is checked, redirects are not followed, and a response that is late, long or of another
type is an error. Plain HTTP is for this machine alone: tests, and proxies beside the app.

Errors name no URL, no header and nothing of a body, since those may hold credentials. Proxies of
the environment (``HTTPS_PROXY``) are not used.
"""

import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import cache, partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from mantlet._internal.limited_socket import LimitedSocket
from mantlet.authentication.jwt.strict_json import NotStrictJson, parse_object

__all__ = ["ProviderError", "ProviderResponse", "check_tls", "check_url", "parse_document", "send"]

#: The allowance for the head of a response and the framing of its chunks, in bytes.
_MAX_OVERHEAD: Final = 64 * 1024
_CHUNK: Final = 64 * 1024
_MAX_URL: Final = 2048
#: The longest ``Retry-After`` of a provider that is followed, in seconds.
_MAX_RETRY_AFTER: Final = 60.0
_LATE: Final = "did not respond in time"


class ProviderError(Exception):
    """A provider can't be reached, or its response is unusable.

    Args:
        reason: what is wrong, for the log; never anything of a credential.
        retry_after: the seconds for which the provider asks to be left alone; 0 if it does not.
        status: the status of the response, if that is the reason.
    """

    def __init__(self, reason: str, *, retry_after: float = 0.0, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class ProviderResponse(NamedTuple):
    """The response of a provider, whose status was 200.

    Attributes:
        body: the body, as it came.
        cache_control: the values of ``Cache-Control``, joined by commas.
    """

    body: bytes
    cache_control: str


def check_url(option: str, url: str) -> str:
    """Return an option that is the URL of a provider.

    Args:
        option: its name.
        url: its value.

    Raises:
        TypeError: it is not a string.
        ValueError: it is not an absolute HTTPS URL, or has a user, a password or a fragment.
    """
    if not isinstance(url, str):
        raise TypeError(f"{option} must be a URL, not {url!r}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{option} must be a valid URL") from None
    if "@" in parts.netloc:
        raise ValueError(f"{option} must not contain a user or a password")
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > _MAX_URL:
        raise ValueError(
            f"{option} must be a URL of at most {_MAX_URL} printable ASCII characters: "
            "percent-encode the others"
        )
    if not host or parts.scheme not in ("https", "http"):
        raise ValueError(f"{option} must be an absolute URL that begins with https://, not {url!r}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(
            f"{option} must begin with https://, not {url!r}: only this machine, such as "
            "127.0.0.1, can be asked by plain HTTP"
        )
    if "#" in url:
        raise ValueError(f"{option} must not have a fragment, such as in {url!r}")
    return url


def check_tls(tls: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return the option ``tls``.

    Raises:
        TypeError: it is not a context.
        ValueError: it does not check certificates and the names in them.
    """
    if tls is None:
        return None
    if not isinstance(tls, ssl.SSLContext):
        raise TypeError(f"tls must be an ssl.SSLContext, not {tls!r}")
    if tls.verify_mode != ssl.CERT_REQUIRED or not tls.check_hostname:
        raise ValueError(
            "tls must check certificates and the names in them: "
            "make it with ssl.create_default_context(cafile=...)"
        )
    return tls


def _is_loopback(host: str) -> bool:
    """Return whether a host is this machine: ``localhost`` (RFC 6761, 6.3) or its addresses."""
    if host.rstrip(".") == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False


def send(
    url: str,
    *,
    deadline: float,
    max_size: int,
    media_types: Sequence[str] = ("application/json",),
    headers: Mapping[str, str] | None = None,
    form: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> ProviderResponse:
    """Send a request, and return the response. This blocks the thread, until the deadline.

    The look-up of a host's addresses has a time limit of the operating system's own.

    Args:
        url: a URL that `check_url` has accepted.
        deadline: the end of the exchange by ``time.monotonic()``.
        max_size: the most bytes of a body.
        media_types: those that the body may have.
        headers: further request headers.
        form: the body of a POST, form-urlencoded in ASCII; None for a GET.
        tls: for the certificate check; None for the authorities that this machine trusts.

    Raises:
        ProviderError: there was no response in time, or it is not one of status 200 with such a
            body.
    """
    parts = urlsplit(url)
    sent = {
        **(headers or {}),
        "Accept": ", ".join(media_types),
        "Accept-Encoding": "identity",  # a few compressed bytes expand to any amount of memory
        "Connection": "close",
        "User-Agent": "mantlet",
    }
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(_Connection(parts, deadline, max_size + _MAX_OVERHEAD, tls)) as connection:
            connection.request("GET" if form is None else "POST", target, form, sent)
            with closing(connection.getresponse()) as response:
                _check_head(response, media_types)
                body = _read_body(response, max_size)
                cache_control = ", ".join(response.headers.get_all("Cache-Control", ()))
                return ProviderResponse(body, cache_control)
    except ProviderError as error:
        failure = error
    except (OSError, HTTPException, ValueError) as error:  # whose messages may quote the response
        failure = ProviderError(_reason(error))
    # Raised outside of the handler, so that the library's exception is not the context.
    raise failure


# Any: a JSON value.
def parse_document(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a response, which every parser reads alike.

    Raises:
        ProviderError: it is not one, or an object has the same name twice.
    """
    try:
        return parse_object(body)
    except NotStrictJson as error:
        reason = f"sent a document that {error}"
    raise ProviderError(reason)


def _check_head(response: HTTPResponse, media_types: Sequence[str]) -> None:
    status = response.status
    if 300 <= status < 400:
        raise ProviderError(f"{status}: redirects, which is not followed: set the final URL")
    if status != 200:
        raise ProviderError(
            f"responded with status {status}",
            retry_after=_retry_after(response, status),
            status=status,
        )
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise ProviderError("sent a compressed response, which was not requested")
    types = response.headers.get_all("Content-Type", ())
    sent = types[0].partition(";")[0].strip().lower() if len(types) == 1 else ""
    if sent not in media_types:
        kind = "an HTML page" if sent == "text/html" else "another type"
        raise ProviderError(f"sent {kind} instead of {' or '.join(media_types)}")


def _retry_after(response: HTTPResponse, status: int) -> float:
    text = response.headers.get("Retry-After", "") if status in (429, 503) else ""
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return min(float(text), _MAX_RETRY_AFTER) if is_number else 0.0


def _read_body(response: HTTPResponse, max_size: int) -> bytes:
    """Read a body in chunks: a single read would allocate the announced length."""
    body = bytearray()
    while chunk := response.read(_CHUNK):
        body += chunk
        if len(body) > max_size:
            raise _too_large(max_size)
    if response.length:
        raise ProviderError("closed the connection early")
    return bytes(body)


def _too_large(size: int) -> ProviderError:
    return ProviderError(f"sent a response of more than {size} bytes")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate can't be verified"
    if isinstance(error, TimeoutError):
        return _LATE
    if isinstance(error, ssl.SSLError):
        return "can't be reached by TLS"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "its host can't be found"
    if isinstance(error, OSError):
        return "can't be reached, or closed the connection early"
    return "sent a malformed response"


def _remaining(deadline: float) -> float:
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


@cache
def _default_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Connection(HTTPConnection):
    """One request and its response, until a deadline.

    Args:
        parts: the URL.
        deadline: by ``time.monotonic()``.
        max_size: the most bytes of a response, with its head.
        tls: for the certificate check.
    """

    def __init__(
        self, parts: SplitResult, deadline: float, max_size: int, tls: ssl.SSLContext | None
    ) -> None:
        is_encrypted = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._deadline = deadline
        self._max_size = max_size
        self._tls = (tls or _default_tls()) if is_encrypted else None
        self.default_port = 443 if is_encrypted else 80  # left out of the Host header
        super().__init__(self._host, parts.port or self.default_port)

    def connect(self) -> None:
        sock = self._open()
        try:
            if self._tls is not None:
                sock.settimeout(_remaining(self._deadline))
                sock = self._tls.wrap_socket(sock, server_hostname=self._host)
        except BaseException:
            sock.close()
            raise
        limited: Any = LimitedSocket(
            sock,
            partial(_remaining, self._deadline),
            max_size=self._max_size,
            too_large=partial(_too_large, self._max_size - _MAX_OVERHEAD),
        )
        self.sock = limited  # all that http.client needs of a socket

    def _open(self) -> socket.socket:
        """Connect to one of the host's addresses; each gets an equal share of the time."""
        addresses = socket.getaddrinfo(self._host, self.port, type=socket.SOCK_STREAM)
        failure: OSError = OSError()
        for position, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(_remaining(self._deadline) / (len(addresses) - position))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure
