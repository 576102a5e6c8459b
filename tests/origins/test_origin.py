"""Origins and hosts have one spelling, the one of browsers; anything else is none."""

from __future__ import annotations

from ipaddress import IPv6Address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.origins.origin import DEFAULT_PORTS, Origin, parse_host, parse_origin, split_port

letters = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=10)
labels = st.builds("{}{}".format, letters, st.sampled_from(["", "-a", "_b", "--1"]))
names = st.builds(
    "{}.{}".format,
    st.lists(labels, max_size=4).map(".".join),
    st.sampled_from(["example", "com", "xn--p1ai"]),
).map(lambda text: text.lstrip("."))
ipv4 = st.ip_addresses(v=4).map(str)
hosts = st.one_of(names, ipv4, st.sampled_from(["[::1]", "[2001:db8::1]", "localhost"]))
schemes = st.sampled_from([*DEFAULT_PORTS, "capacitor", "chrome-extension", "moz-extension"])
ports = st.one_of(st.none(), st.integers(1, 65535))


@given(schemes, hosts, ports)
def test_an_origin_is_read_as_it_is_written(scheme: str, host: str, port: int | None) -> None:
    """Its parts are those that it was made of, and those that the standard library reads."""
    if port == DEFAULT_PORTS.get(scheme):
        port = None
    text = f"{scheme}://{host}" + ("" if port is None else f":{port}")
    assert parse_origin(text) == Origin(scheme, host, port)
    parts = urlsplit(text)
    assert (parts.scheme, parts.hostname, parts.port) == (scheme, host.strip("[]"), port)


@given(st.text(max_size=40))
def test_what_is_parsed_has_one_spelling(text: str) -> None:
    """No two texts are the same origin."""
    for candidate in (text, f"https://{text}", f"https://example.com{text}"):
        origin = parse_origin(candidate)
        if origin is not None:
            end = "" if origin.port is None else f":{origin.port}"
            assert f"{origin.scheme}://{origin.host}{end}" == candidate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "https://",
        "https:",
        "https:///example.com",
        "https:example.com",
        "//example.com",
        "example.com",
        "https://example.com/",
        "https://example.com/path",
        "https://example.com?query",
        "https://example.com#fragment",
        "https://example.com\\@evil.example",
        "https://user@example.com",
        "https://user:password@example.com",
        "https://@example.com",
        "https://EXAMPLE.com",
        "HTTPS://example.com",
        "https://example.com.",
        "https://.example.com",
        "https://example..com",
        "https://-example.com",
        "https://example-.com",
        "https://exam ple.com",
        " https://example.com",
        "https://example.com ",
        "https://example.com\n",
        "https://example.com\x00",
        "https://example.com, https://evil.example",
        "https://example.com https://evil.example",
        "https://example.com:",
        "https://example.com:443",
        "http://example.com:80",
        "https://example.com:0",
        "https://example.com:08443",
        "https://example.com:65536",
        "https://example.com:1:2",
        "https://example.com:8443/",
        "https://example.com:+8443",
        "https://example.com:\uff18\uff14\uff14\uff13",
        "https://bücher.example",
        "https://ex%61mple.com",
        "https://*.example.com",
        "https://1.2.3",
        "https://1.2.3.256",
        "https://01.2.3.4",
        "https://0x7f.1",
        "https://2130706433",
        "https://[::1",
        "https://::1",
        "https://[0:0::1]",
        "https://[::FFFF]",
        "https://[::1%25eth0]",
        "https://[::ffff:127.0.0.1]",
        "https://[127.0.0.1]",
        f"https://{'a' * 64}.example",
        f"https://{'a.' * 130}example",
        f"https://{'a' * 100_000}",
    ],
)
def test_another_spelling_is_no_origin(text: str) -> None:
    """Browsers never send it."""
    assert parse_origin(text) is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        ("my_host", "my_host"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a.b..", None),
        (".", None),
        ("", None),
        ("user@example.com", None),
        ("example.com/path", None),
        ("example.com,evil.example", None),
        ("\u212a.example", None),  # the sign of kelvin, a k in lower case
        ("[::1", None),
        ("[fe80::1%eth0]", None),
        ("127.1", None),
        ("bücher.example", None),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str | None) -> None:
    """Names in any case and with one dot at their end are the same host (RFC 4343)."""
    assert parse_host(text) == host


@given(st.ip_addresses(v=6))
def test_an_address_has_one_spelling(address: IPv6Address) -> None:
    """All ways to write an address lead to it, and it to itself."""
    found = {parse_host(f"[{one}]") for one in (address.exploded, address.compressed)}
    assert len(found) == 1
    (host,) = found
    assert host is not None
    assert parse_host(host) == host
    assert IPv6Address(host[1:-1]) == address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("example.com", ("example.com", None)),
        ("example.com:1", ("example.com", 1)),
        ("[::1]", ("[::1]", None)),
        ("[::1]:65535", ("[::1]", 65535)),
        ("example.com:", None),
        ("example.com:65536", None),
        ("example.com:0", None),
        ("example.com:a", None),
        ("example.com:٣", None),
    ],
)
def test_a_port_is_a_number(text: str, parts: tuple[str, int | None] | None) -> None:
    """In ASCII, from 1 to 65535."""
    assert split_port(text) == parts
