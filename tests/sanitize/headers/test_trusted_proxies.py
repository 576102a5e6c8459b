"""HTTPS behind proxies: the scheme of the client's connection, as far as trusted proxies say it."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet import OutputSanitizer
from tests.drive import CLIENT, Adapter, Answer, both_adapters
from tests.sanitize.headers.test_header_policy import HTTPS, said

pytestmark = pytest.mark.breaks_rules("apps send fields in any case")

COOKIE = ("set-cookie", "sessionid=1")
TRUSTED = [CLIENT, "10.0.0.0/8", "2001:db8::/32"]


def asked(
    adapter: Adapter, headers: dict[str, str], *, trusted: list[str] = TRUSTED, **options: Any
) -> Answer:
    """Return the answer to a request with these headers."""
    policy = OutputSanitizer(headers="api", trusted_proxies=trusted)
    return said(adapter, [COOKIE], policy, headers=[*headers.items()], **options)


def is_secure(answer: Answer) -> bool:
    """Return whether an answer goes out as over https: its transport's header, and its cookies."""
    strict = answer.get("strict-transport-security") is not None
    assert ("Secure" in (answer.get("set-cookie") or "")) is strict
    return strict


@both_adapters
@pytest.mark.parametrize(
    ("headers", "secure"),
    [
        ({}, False),
        ({"X-Forwarded-Proto": "https"}, True),
        ({"X-Forwarded-Proto": "HTTPS"}, True),
        ({"X-Forwarded-Proto": "wss"}, True),
        ({"X-Forwarded-Proto": "http"}, False),
        ({"X-Forwarded-Proto": "ftp"}, False),
        ({"X-Forwarded-Proto": ""}, False),
        ({"X-Forwarded-Proto": "on"}, False),
        ({"Forwarded": "for=203.0.113.9;proto=https"}, True),
        ({"Forwarded": 'for="[2001:db9::1]";Proto="https"'}, True),
        ({"Forwarded": "proto=https"}, True),
        ({"Forwarded": "for=203.0.113.9;proto=http"}, False),
        ({"Forwarded": "for=203.0.113.9"}, False),
        ({"Forwarded": "proto=https;proto=https"}, False),
        # The proxy nearest to the app is asked by another proxy, over http.
        ({"Forwarded": "for=203.0.113.9;proto=https, for=10.0.0.1;proto=http"}, True),
        (
            {"X-Forwarded-For": "203.0.113.9, 10.0.0.1", "X-Forwarded-Proto": "https, http"},
            True,
        ),
        ({"X-Forwarded-For": "203.0.113.9, 10.0.0.1", "X-Forwarded-Proto": "https"}, True),
        ({"X-Forwarded-For": "10.0.0.9, 10.0.0.1", "X-Forwarded-Proto": "https, http"}, True),
        # What stands further left was written by the client.
        ({"Forwarded": "for=10.0.0.1;proto=https, for=203.0.113.9;proto=http"}, False),
        ({"Forwarded": "proto=https, for=203.0.113.9;proto=http"}, False),
        ({"X-Forwarded-For": "10.0.0.1, 203.0.113.9", "X-Forwarded-Proto": "https, http"}, False),
        ({"X-Forwarded-Proto": "https, http"}, False),
        ({"X-Forwarded-For": "a, b, c, 10.0.0.1", "X-Forwarded-Proto": "https, http"}, True),
        ({"X-Forwarded-For": "10.0.0.1, 10.0.0.2, 10.0.0.3", "X-Forwarded-Proto": "https,http"},
         False),
        ({"X-Forwarded-Proto": "http", "Forwarded": "proto=https"}, False),
        ({"X-Forwarded-Proto": "," * 5000 + "https"}, True),
        ({"X-Forwarded-Proto": "https," * 5000}, False),
        ({"Forwarded": 'for="a,proto=https;for="10.0.0.1'}, False),
    ],
    ids=range(28),
)  # fmt: skip
def test_a_trusted_proxy_forwards_the_scheme(
    adapter: Adapter, headers: dict[str, str], secure: bool
) -> None:
    """Of the connection of the client itself."""
    assert is_secure(asked(adapter, headers)) is secure


@both_adapters
def test_a_proxy_may_have_come_over_https_itself(adapter: Adapter) -> None:
    """The client's connection counts, not that of the proxy to the app."""
    plain = {"X-Forwarded-Proto": "http"}
    assert not is_secure(asked(adapter, plain, **HTTPS[adapter.name]))
    assert is_secure(asked(adapter, {}, **HTTPS[adapter.name]))


@both_adapters
@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-Proto": "https"}, {"Forwarded": f"for={CLIENT};proto=https"}],
    ids=range(2),
)
def test_nobody_else_is_believed(adapter: Adapter, headers: dict[str, str]) -> None:
    """Neither without proxies, nor from another peer, whatever it forwards."""
    assert not is_secure(asked(adapter, headers, trusted=[]))
    assert not is_secure(asked(adapter, headers, trusted=["10.0.0.0/8", "unix"]))
    assert not is_secure(asked(adapter, headers, client="203.0.113.9"))
    assert is_secure(asked(adapter, headers, client="10.1.2.3"))
    assert is_secure(asked(adapter, headers, client="::ffff:10.1.2.3"))


def test_a_proxy_may_be_on_a_unix_socket() -> None:
    """Under ASGI it has no address."""
    from tests.drive import ADAPTERS

    headers = {"X-Forwarded-Proto": "https"}
    assert is_secure(asked(ADAPTERS[0], headers, trusted=["unix"], client=None))
    assert not is_secure(asked(ADAPTERS[0], headers, trusted=["10.0.0.0/8"], client=None))


def test_the_headers_that_are_trusted_are_named() -> None:
    """So that a WSGI server is known that lets a client write them with underscores."""
    assert OutputSanitizer().trusted_headers == frozenset()
    assert OutputSanitizer(trusted_proxies=["10.0.0.0/8"]).trusted_headers == {
        "X-Forwarded-Proto", "X-Forwarded-For", "Forwarded",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("10.0.0.0/8", TypeError),
        ([5], TypeError),
        (["10.0.0.1/8"], ValueError),
        (["0.0.0.0/0"], ValueError),
        (["proxy"], ValueError),
    ],
    ids=range(5),
)
def test_networks_that_are_none_are_refused(value: Any, error: type[Exception]) -> None:
    """In the limiter's words, at construction."""
    with pytest.raises(error, match="trusted_proxies"):
        OutputSanitizer(trusted_proxies=value)
