"""Requests to providers: encrypted, bounded in time and size, and silent about credentials."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from mantlet.authentication.http import (
    ProviderError,
    ProviderResponse,
    check_tls,
    check_url,
    parse_document,
    send,
)
from tests.authentication.provider import (
    Behavior,
    Provider,
    breaks_off,
    drips,
    drops,
    hangs,
    make_certificate,
    raw,
    says,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "not-a-real-credential"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


def get(
    provider: Provider,
    *behavior: Behavior,
    seconds: float = 30.0,
    max_size: int = 1000,
    path: str = "/document",
) -> ProviderResponse:
    provider.next += behavior
    return send(
        provider.url + path,
        deadline=monotonic() + seconds,
        max_size=max_size,
        headers={"Authorization": f"Basic {SECRET}"},
        form=f"token={SECRET}",
    )


def test_a_response_is_returned_as_it_came(provider: Provider) -> None:
    response = get(provider, says({"a": 1}, headers={"Cache-Control": "max-age=5"}))
    assert response == (b'{"a": 1}', "max-age=5")
    (received,) = provider.received
    assert received.method == "POST"
    assert received.body == f"token={SECRET}".encode()
    assert received.headers["content-type"] == "application/x-www-form-urlencoded"
    assert received.headers["accept"] == "application/json"
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["host"] == provider.url.removeprefix("http://")


def test_a_get_has_no_body_and_keeps_the_query(provider: Provider) -> None:
    provider.next.append(says({}))
    send(provider.url + "/a%20b?c=d", deadline=monotonic() + 30, max_size=10)
    (received,) = provider.received
    assert (received.method, received.path, received.body) == ("GET", "/a%20b?c=d", b"")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON ; charset=utf-8", "application/json;charset=utf-8"],
)
def test_the_parameters_of_a_media_type_are_ignored(provider: Provider, content_type: str) -> None:
    assert get(provider, says({}, content_type=content_type)).body == b"{}"


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("behavior", "reason"),
    [
        (says({}, status=500), "responded with status 500"),
        (says({}, status=401), "responded with status 401"),
        (says({}, status=204), "responded with status 204"),
        (says({}, status=302, headers={"Location": "/other"}), "redirects, which is not followed"),
        (
            says({}, status=307, headers={"Location": "https://evil.example/"}),
            "redirects, which is not followed",
        ),
        (says(b"<html>", content_type="text/html; charset=utf-8"), "sent an HTML page instead of"),
        (says({}, content_type="text/plain"), "sent another type instead of application/json"),
        (says({}, content_type=None), "sent another type instead of"),
        (says({}, headers={"Content-Type": "text/html"}), "sent another type instead of"),
        (says({}, headers={"Content-Encoding": "gzip"}), "sent a compressed response"),
        (says(b" " * 1001), "sent a response of more than 1000 bytes"),
        (drops, "can't be reached, or closed the connection early"),
        (breaks_off(OK + b"Content-Length: 10\r\n\r\n{}"), "closed the connection early"),
        (raw(OK + b"Content-Length: 10\r\n\r\n{}"), "closed the connection early"),
        (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), "sent a malformed response"),
        (raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "sent a malformed response"),
        (raw(b"HTTP/1.1 200 OK\r\n"), "sent another type"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n"), "malformed|more than"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n"), "sent a malformed response"),
        (raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 4000), "more than"),
        (raw(b"SSH-2.0-OpenSSH\r\n"), "sent a malformed response"),
        (raw(b"HTTP/1.1 2000 OK\r\n\r\n"), "sent a malformed response"),
    ],
)
def test_an_unusable_response_is_an_error(
    provider: Provider, behavior: Behavior, reason: str
) -> None:
    with pytest.raises(ProviderError, match=reason) as caught:
        get(provider, behavior)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert SECRET not in str(caught.value)
    assert len(provider.received) == 1  # nothing is followed, and nothing repeated


def test_a_chunked_body_is_read_within_the_size(provider: Provider) -> None:
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    assert get(provider, raw(head + b"2\r\n{}\r\n0\r\n\r\n")).body == b"{}"
    with pytest.raises(ProviderError, match="sent a response of more than"):
        get(provider, raw(head + b"3e9\r\n" + b" " * 1001 + b"\r\n0\r\n\r\n"))


def test_a_huge_length_is_not_allocated(provider: Provider) -> None:
    with pytest.raises(ProviderError, match="closed the connection early"):
        get(provider, raw(OK + b"Content-Length: 99999999999999\r\n\r\n{}"))


def test_endless_trailers_are_bounded(provider: Provider) -> None:
    trailers = b"X: y\r\n" * 20_000
    with pytest.raises(ProviderError, match="sent a response of more than"):
        get(provider, raw(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + trailers))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX:",
        OK + b"Content-Length: 900\r\n\r\n",
        OK + b"\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX:",
    ],
)
def test_bytes_that_drip_do_not_extend_the_deadline(provider: Provider, head: bytes) -> None:
    with pytest.raises(ProviderError, match="did not respond in time"):
        get(provider, drips(head, provider), seconds=0.3, max_size=10**6)


def test_silence_ends_with_the_deadline(provider: Provider) -> None:
    with pytest.raises(ProviderError, match="did not respond in time"):
        get(provider, hangs(provider), seconds=0.2)
    with pytest.raises(ProviderError, match="did not respond in time"):
        get(provider, seconds=-1.0)
    assert len(provider.received) == 1  # nothing is sent after the deadline


def test_a_provider_that_is_away_is_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(ProviderError, match="can't be reached"):
            send(url, deadline=monotonic() + 30, max_size=10)


@pytest.mark.parametrize("host", ["unknown.invalid", "a" * 64 + ".example", "a..example"])
def test_an_unknown_host_is_an_error(host: str) -> None:
    with pytest.raises(ProviderError, match="its host can't be found"):
        send(f"https://{host}/", deadline=monotonic() + 30, max_size=10)


def test_the_next_address_of_a_host_is_tried(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", closed.getsockname()),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", provider.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
        assert get(provider, says({})).body == b"{}"


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (503, "7", 7.0),
        (429, "100000", 60.0),
        (503, "-1", 0.0),
        (503, "1e5", 0.0),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        (500, "7", 0.0),
    ],
)
def test_a_provider_may_ask_to_be_left_alone(
    provider: Provider, status: int, value: str, seconds: float
) -> None:
    with pytest.raises(ProviderError) as caught:
        get(provider, says({}, status=status, headers={"Retry-After": value}))
    assert caught.value.retry_after == seconds
    assert caught.value.status == status


def test_the_certificate_is_checked(tmp_path: Path) -> None:
    with Provider(make_certificate(tmp_path, "127.0.0.1")) as provider:
        with pytest.raises(ProviderError, match="its certificate can't be verified"):
            get(provider)
        trusted = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        provider.next.append(says({}))
        response = send(provider.url, deadline=monotonic() + 30, max_size=10, tls=trusted)
        assert response.body == b"{}"
        assert len(provider.received) == 1  # the first request has not been sent


def test_the_certificate_is_that_of_the_host_in_the_url(tmp_path: Path) -> None:
    with Provider(make_certificate(tmp_path, "localhost")) as provider:
        trusted = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        provider.next.append(says({}))
        url = provider.url.replace("127.0.0.1", "localhost")
        assert send(url, deadline=monotonic() + 30, max_size=10, tls=trusted).body == b"{}"
        with pytest.raises(ProviderError, match="its certificate can't be verified"):
            send(provider.url, deadline=monotonic() + 30, max_size=10, tls=trusted)


@pytest.mark.parametrize(("name", "days"), [("id.example", 1), ("127.0.0.1", -1)])
def test_a_certificate_of_another_host_or_that_has_ended_is_refused(
    tmp_path: Path, name: str, days: int
) -> None:
    with Provider(make_certificate(tmp_path, name, days=days)) as provider:
        trusted = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        with pytest.raises(ProviderError, match="its certificate can't be verified"):
            send(provider.url, deadline=monotonic() + 30, max_size=10, tls=trusted)
        assert not provider.received


def test_a_handshake_that_never_ends_is_left() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(ProviderError, match="did not respond in time"):
            send(url, deadline=monotonic() + 0.2, max_size=10)


def test_plain_http_on_a_port_for_tls_is_an_error(provider: Provider) -> None:
    with pytest.raises(ProviderError, match="can't be reached"):
        send(provider.url.replace("http:", "https:"), deadline=monotonic() + 30, max_size=10)


def test_no_socket_is_left_open(provider: Provider) -> None:
    for behavior in (says({}), drops, says({}, status=500), raw(OK + b"\r\n")):
        with suppress(ProviderError):
            get(provider, behavior)
    gc.collect()  # an open socket would be a ResourceWarning, and so an error
    assert threading.active_count() < 20


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example",
        "https://id.example:8443/realms/a?b=c",
        "https://[::1]/",
        "http://127.0.0.1:1234/introspect",
        "http://127.9.9.9/",
        "http://[::1]:80/",
        "http://localhost/",
    ],
)
def test_urls_of_providers(url: str) -> None:
    assert check_url("issuer", url) == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://id.example", "issuer must begin with https://"),
        ("http://127.0.0.1.example/", "issuer must begin with https://"),
        ("http://localhost.example/", "issuer must begin with https://"),
        ("http://10.0.0.1/", "issuer must begin with https://"),
        ("http://0.0.0.0/", "issuer must begin with https://"),
        ("id.example", "issuer must be an absolute URL"),
        ("//id.example/", "issuer must be an absolute URL"),
        ("file:///etc/passwd", "issuer must be an absolute URL"),
        ("ftp://id.example/", "issuer must be an absolute URL"),
        ("https:///path", "issuer must be an absolute URL"),
        ("https://user:password@id.example/", "issuer must not contain a user or a password"),
        ("https://id.example/#a", "issuer must not have a fragment"),
        ("https://id.example/#", "issuer must not have a fragment"),
        ("https://id.example/a b", "printable ASCII"),
        ("https://id.example/a\r\nX: y", "printable ASCII"),
        ("https://id.exämple/", "printable ASCII"),
        ("https://id.example:99999/", "issuer must be a valid URL"),
        ("https://[::1", "issuer must be a valid URL"),
        ("https://id.example/" + "a" * 2048, "at most 2048"),
    ],
)
def test_other_urls_are_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        check_url("issuer", url)
    assert "password@" not in str(caught.value)


def test_a_url_is_a_string() -> None:
    with pytest.raises(TypeError, match="issuer must be a URL"):
        check_url("issuer", b"https://id.example")  # type: ignore[arg-type]


def test_a_context_that_checks_nothing_is_refused() -> None:
    assert check_tls(None) is None
    context = ssl.create_default_context()
    assert check_tls(context) is context
    context.verify_mode = ssl.CERT_OPTIONAL
    with pytest.raises(ValueError, match="tls must check certificates"):
        check_tls(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = False
    with pytest.raises(ValueError, match="tls must check certificates"):
        check_tls(context)
    with pytest.raises(ValueError, match="tls must check certificates"):
        check_tls(ssl._create_unverified_context())  # noqa: S323  # what must be refused
    with pytest.raises(TypeError, match=r"tls must be an ssl\.SSLContext"):
        check_tls(True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"1", b"{}x", b'{"a":1,"a":1}', b'{"a":NaN}', b'{"a":"\xff"}', b"\xef\xbb\xbf{}"],
)
def test_a_document_is_strict_json(body: bytes) -> None:
    with pytest.raises(ProviderError, match="sent a document that"):
        parse_document(body)
