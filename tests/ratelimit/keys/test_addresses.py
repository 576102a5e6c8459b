"""Addresses, nodes and networks as they are written, well and badly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.http.trusted_proxies import (
    TrustedNetworks,
    parse_address,
    parse_network,
    parse_node,
)
from mantlet.ratelimit.keys.client_address import hop_reader
from mantlet.ratelimit.keys.forwarding import forwarded_node

ADDRESSES = [
    # RFC 4291, 2.2
    ("ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"),
    ("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"),
    ("2001:DB8::8:800:200C:417A", "2001:db8::8:800:200c:417a"),
    ("FF01:0:0:0:0:0:0:101", "ff01::101"),
    ("FF01::101", "ff01::101"),
    ("0:0:0:0:0:0:0:1", "::1"),
    ("::1", "::1"),
    ("0:0:0:0:0:0:0:0", "::"),
    ("::", "::"),
    ("0:0:0:0:0:0:13.1.68.3", "::d01:4403"),
    ("::13.1.68.3", "::d01:4403"),
    # 2.5.5.2: IPv4-mapped
    ("0:0:0:0:0:FFFF:129.144.52.38", "129.144.52.38"),
    ("::FFFF:129.144.52.38", "129.144.52.38"),
    ("::ffff:8190:3426", "129.144.52.38"),
    ("0000:0000:0000:0000:0000:ffff:8190:3426", "129.144.52.38"),
    # RFC 4007, 11: zones
    ("fe80::1234%1", "fe80::1234"),
    ("fe80::1%eth0", "fe80::1"),
    ("ff02::9abc%pvc1.3", "ff02::9abc"),
    ("::ffff:192.0.2.1%eth0", "192.0.2.1"),
    ("192.0.2.1", "192.0.2.1"),
    ("0.0.0.0", "0.0.0.0"),
    ("255.255.255.255", "255.255.255.255"),
]
NO_ADDRESSES = [
    "",
    " ",
    "-",
    "unknown",
    "_hidden",
    "localhost",
    "192.0.2",
    "192.0.2.1.",
    ".192.0.2.1",
    "192.0.2.256",
    "192.0.2.01",
    "0192.0.2.1",
    "0xC0.0.2.1",
    "3221225985",
    "192.0.2.1 ",
    " 192.0.2.1",
    "192.0.2.1\t",
    "192.0.2.1\n",
    "192.0.2.1/32",
    "192.0.2.1%eth0",
    "+192.0.2.1",
    "192.0.2.-1",
    "\u0661\u0669\u0662.0.2.1",
    "192\uff0e0.2.1",
    "192.0.2.\u00b2",
    ":",
    ":::",
    "1:2",
    "%eth0",
    "2001:db8",
    "2001:db8:::1",
    "1::2::3",
    "2001:db8::g",
    "2001:db8::12345",
    "1:2:3:4:5:6:7:8:9",
    "::ffff:192.0.2.256",
    "::ffff:192.0.02.1",
    "::1/64",
    "2001:db8::\uff11",
    "\x00",
    "x" * 70,
]


@pytest.mark.parametrize(("text", "address"), ADDRESSES, ids=str)
def test_an_address_reads_in_every_form_that_it_has(text: str, address: str) -> None:
    """The examples of RFC 4291 and RFC 4007; zones are left out, mapped ones are IPv4."""
    assert str(parse_address(text)) == address
    assert str(parse_node(text)) == address


@pytest.mark.parametrize("text", NO_ADDRESSES, ids=ascii)
def test_what_is_no_address_is_none(text: str) -> None:
    """Nothing is guessed, rounded or trimmed."""
    assert parse_address(text) is None
    assert parse_node(text) is None


@pytest.mark.parametrize(
    ("node", "address"),
    [
        # RFC 7239, 6
        ("192.0.2.43:47011", "192.0.2.43"),
        ("[2001:db8:cafe::17]:47011", "2001:db8:cafe::17"),
        ("[2001:db8:cafe::17]", "2001:db8:cafe::17"),
        ("192.0.2.43:_gazonk", "192.0.2.43"),
        ("[2001:db8:cafe::17]:_OBF.port-1", "2001:db8:cafe::17"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("[fe80::1%25eth0]", "fe80::1"),
        ("192.0.2.1:0", "192.0.2.1"),
        ("192.0.2.1:65535", "192.0.2.1"),
    ],
)
def test_a_node_may_have_brackets_and_a_port(node: str, address: str) -> None:
    """The forms of RFC 7239, 6."""
    assert str(parse_node(node)) == address


@pytest.mark.parametrize(
    "node",
    [
        "192.0.2.1:",
        "192.0.2.1:80:80",
        "192.0.2.1:http",
        "192.0.2.1:123456",
        "192.0.2.1:-1",
        "192.0.2.1:8\u0660",
        "192.0.2.1: 80",
        "192.0.2.1:_",
        "[192.0.2.1]",
        "[192.0.2.1]:80",
        "[2001:db8::1",
        "2001:db8::1]",
        "[[2001:db8::1]]",
        "[2001:db8::1]80",
        "[2001:db8::1]:",
        "[2001:db8::1]:80:80",
        "[2001:db8::1] ",
        "[]",
        "[]:80",
        "[:]",
        ":80",
        "unknown:80",
        "_hidden:80",
        '"192.0.2.1"',
        "http://192.0.2.1",
    ],
    ids=ascii,
)
def test_a_malformed_node_is_none(node: str) -> None:
    """Half a bracket, an empty port and the like are not read."""
    assert parse_node(node) is None


@pytest.mark.parametrize(
    ("element", "node"),
    [
        # RFC 7239, 4
        ('for="_gazonk"', "_gazonk"),
        ('For="[2001:db8:cafe::17]:4711"', "[2001:db8:cafe::17]:4711"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ("for=192.0.2.43", "192.0.2.43"),
        ("for=198.51.100.17", "198.51.100.17"),
        # 6.2 and 6.3
        ("for=unknown", "unknown"),
        ("for=_hidden", "_hidden"),
        ("for=_SEVKISEK", "_SEVKISEK"),
        ("FOR=192.0.2.1;PROTO=https", "192.0.2.1"),
        ('by=203.0.113.43;host="example.com:8080";for=192.0.2.1', "192.0.2.1"),
        ("; for=192.0.2.1 ; ;proto=http;", "192.0.2.1"),
        ("for=192.0.2.1;secret=_k.2;x-1=y", "192.0.2.1"),
    ],
)
def test_an_element_of_forwarded_says_whom_it_is_for(element: str, node: str) -> None:
    """The examples of RFC 7239, and other names of parameters, in any case and order."""
    assert forwarded_node(element) == node


@pytest.mark.parametrize(
    "element",
    [
        "",
        ";",
        "192.0.2.1",
        "for",
        "for=",
        'for=""',
        "for:192.0.2.1",
        "for =192.0.2.1",
        "for= 192.0.2.1",
        "proto=http",
        "xfor=192.0.2.1",
        "for=192.0.2.1 proto=http",
        "for=192.0.2.1;for=192.0.2.2",
        "for=192.0.2.1;FOR=192.0.2.1",
        "proto=http;proto=http;for=192.0.2.1",
        'for="192.0.2.1',
        'for=192.0.2.1"',
        'for="192.0.2.1"x',
        "for='192.0.2.1'x\"",
        'for="192.0.2\\.1"',
        "for=[2001:db8::1]",
        "for=192.0.2.1:80",
        'for=192.0.2.1;host="x',
        'for=192.0.2.1;host="a;b"',
        'for=192.0.2.1;host="a=b"',
        'for=6.6.6.6;z=";proto=http',
        'for=6.6.6.6;z=";by="_x"',
        "for=192.0.2.1\x00",
        "for=192.0.2.1;f\u00f6r=x",
        "for=192.0.2.1;x=" + "y" * 600,
    ],
    ids=ascii,
)
def test_a_malformed_element_says_nothing(element: str) -> None:
    """It is read as the grammar of RFC 7239, 4 has it, or not at all."""
    assert forwarded_node(element) == ""


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("::1", "::1/128"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::/1", "::/1"),
    ],
)
def test_a_network_reads(text: str, network: str) -> None:
    """An address is a network of one; an IPv4-mapped network is that of IPv4."""
    assert str(parse_network(text)) == network


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "*",
        "all",
        "UNIX",
        "proxy.example",
        "10.0.0/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.00/8",
        " 10.0.0.0/8",
        "::/129",
        "fe80::1%eth0",
    ],
)
def test_what_is_no_network_is_an_error_that_shows_one(text: str) -> None:
    """The message names the value, and what would be right."""
    with pytest.raises(ValueError, match="trusted_proxies must hold networks such as") as refused:
        parse_network(text)
    assert repr(text) in str(refused.value)
    assert '"10.0.0.0/8"' in str(refused.value)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::ffff:10.0.0.1/104", "::ffff:a00:0/104"),
    ],
)
def test_host_bits_are_an_error_that_shows_the_network_without_them(text: str, right: str) -> None:
    """Nobody knows whether the host or the network was meant."""
    with pytest.raises(ValueError, match="host bits") as refused:
        parse_network(text)
    assert repr(text) in str(refused.value)
    assert f'"{right}"' in str(refused.value)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_everybody_is_no_network_of_proxies(text: str) -> None:
    """Who trusts everybody lets everybody choose their key."""
    with pytest.raises(ValueError, match="every address") as refused:
        parse_network(text)
    assert repr(text) in str(refused.value)
    assert "hops=1" in str(refused.value)


@pytest.mark.parametrize("value", [5, None, b"10.0.0.0/8", 3232235777, ["10.0.0.0/8"]], ids=repr)
def test_a_network_that_is_no_text_is_a_type_error(value: Any) -> None:
    """Numbers and bytes would be read as addresses."""
    with pytest.raises(TypeError, match="trusted_proxies must hold networks") as refused:
        TrustedNetworks([value])
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize("value", ["10.0.0.0/8", b"10", 5, None], ids=repr)
def test_networks_that_are_no_list_are_a_type_error(value: Any) -> None:
    """A single text would be taken letter by letter."""
    with pytest.raises(TypeError, match=r'such as \["10.0.0.0/8"\]') as refused:
        TrustedNetworks(value)
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize(
    ("address", "held"),
    [
        ("10.255.255.255", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.0", False),
        ("::a01:203", False),
        ("2001:db8:ffff::1", True),
        ("2001:db9::", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
    ],
)
def test_networks_hold_their_addresses(address: str, held: bool) -> None:
    """IPv4-mapped addresses count as IPv4; IPv4-compatible ones don't."""
    networks = TrustedNetworks(["10.0.0.0/8", "2001:db8::/32", "unix", "::ffff:192.0.2.7"])
    parsed = parse_address(address)
    assert parsed is not None
    assert (parsed in networks) is held
    assert networks.unix
    assert not TrustedNetworks(["10.0.0.0/8"]).unix


@pytest.mark.parametrize(
    ("node", "ipv4", "ipv6", "key"),
    [
        ("192.0.2.129", 32, 64, "192.0.2.129"),
        ("192.0.2.129", 24, 64, "192.0.2.0/24"),
        ("192.0.2.129", 25, 64, "192.0.2.128/25"),
        ("192.0.2.129", 1, 64, "128.0.0.0/1"),
        ("2001:db8:1:2:3:4:5:6", 32, 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", 32, 56, "2001:db8:1::/56"),
        ("2001:db8:1:2:3:4:5:6", 32, 128, "2001:db8:1:2:3:4:5:6"),
        ("::ffff:192.0.2.129", 32, 128, "192.0.2.129"),
        ("::ffff:192.0.2.129", 24, 128, "192.0.2.0/24"),
    ],
)
def test_addresses_are_grouped_by_their_prefix(node: str, ipv4: int, ipv6: int, key: str) -> None:
    """A whole address is plain; a group is its network."""
    hop = hop_reader(TrustedNetworks([]), ipv4, ipv6)(node)
    assert hop == (key, False)


@given(st.text(max_size=120) | st.text("0123456789abcdefABCDEF.:[]%_", max_size=120))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """A text is an address of at most 80 characters, or it is none."""
    hop = hop_reader(TrustedNetworks(["10.0.0.0/8"]), 32, 64)(text)
    assert (hop is None) == (parse_node(text) is None or len(text) > 80)


@given(st.text(max_size=60) | st.text('for=;"\\ \t_[]:192,', max_size=60))
def test_no_text_makes_an_element_fail(text: str) -> None:
    """What it is for has no mark of the syntax in it, so none of what a client began is left."""
    assert not set(forwarded_node(text)) & set('";=\\')


def test_a_text_that_is_too_long_for_an_address_is_none() -> None:
    """What is remembered of addresses takes a bounded memory."""
    read = hop_reader(TrustedNetworks([]), 32, 64)
    assert read("fe80::1%" + "z" * 72) == ("fe80::/64", False)
    assert read("fe80::1%" + "z" * 73) is None


@given(st.ip_addresses())
def test_every_address_reads_as_itself_with_a_port_and_without(address: Any) -> None:
    """Whatever Python writes is read again; zones and mapped addresses aside."""
    mapped = getattr(address, "ipv4_mapped", None) or address
    bracketed = f"[{address}]" if address.version == 6 else str(address)
    assert parse_node(str(address)) == parse_node(bracketed) == mapped
    assert parse_node(f"{bracketed}:443") == mapped


def test_peers_are_remembered_in_bounded_memory() -> None:
    """A flood of clients changes neither what is trusted nor how much is kept."""
    networks = TrustedNetworks(["10.0.0.0/8"])
    for _ in range(2):
        for number in range(1000):
            assert networks.trusts(f"10.0.{number // 256}.{number % 256}")
            assert not networks.trusts(f"192.0.{number // 256}.{number % 256}")
    assert not networks.trusts("10.0.0.1, " * 100)
    assert len(networks._known) == 256
