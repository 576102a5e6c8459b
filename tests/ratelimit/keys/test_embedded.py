"""IPv6 addresses of clients that have IPv4: translated or tunnelled."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import RateLimiter
from mantlet.ratelimit import keys
from mantlet.ratelimit.keys.embedded import embedded_ipv4, parse_translators
from tests.drive import ADAPTERS, Adapter, both_adapters, hello
from tests.ratelimit.keys.asking import ask, key_of

#: A public address, and one of the examples of RFC 6052.
V4, EXAMPLE = "45.33.32.156", "192.0.2.33"
#: The table of RFC 6052, 2.4: prefixes, with the address of 192.0.2.33.
RFC_6052 = [
    ("2001:db8::/32", "2001:db8:c000:221::"),
    ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
    ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
    ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
]


@both_adapters
@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("64:ff9b::45.33.32.156", V4),
        ("64:ff9b::2d21:209c", V4),
        ("::ffff:0:45.33.32.156", V4),
        ("::ffff:45.33.32.156", V4),
        # 6to4: one address, 65,536 networks.
        ("2002:2d21:209c::1", V4),
        ("2002:2d21:209c:ffff:1:2:3:4", V4),
        # Teredo: the server 65.54.227.120, the port 40000, and the client (RFC 4380, 4).
        ("2001:0:4136:e378:8000:63bf:d2de:df63", V4),
        ("2001:0:1:2:0:1:d2de:df63", V4),
        # Each of a local translator's, whatever its format.
        ("64:ff9b:1::c000:221", "64:ff9b:1::c000:221"),
        ("64:ff9b:1:fffe:c0:2:2100::", "64:ff9b:1:fffe:c0:2:2100:0"),
        # Not translated.
        ("64:ff9b::1:192.0.2.33", "64:ff9b::/64"),
        ("64:ff9b:2::192.0.2.33", "64:ff9b:2::/64"),
        ("2003:c000:221::1", "2003:c000:221::/64"),
        ("2001:1:4136:e378:8000:63bf:d2de:df63", "2001:1:4136:e378::/64"),
        # Any client can choose its interface identifier (ISATAP), and nobody has these.
        ("2001:db8:1:2:0:5efe:192.0.2.33", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:200:5efe:192.0.2.33", "2001:db8:1:2::/64"),
        ("::192.0.2.33", "::/64"),
        ("::1", "::/64"),
        ("::", "::/64"),
    ],
)
def test_a_client_that_is_translated_or_tunnelled_counts_by_its_ipv4_address(
    adapter: Adapter, peer: str, key: str
) -> None:
    """As it does when it comes directly."""
    assert ask(adapter, keys.client_address(), client=peer) == key
    forwarded = keys.client_address(trusted_proxies=["10.0.0.1"])
    headers = [("X-Forwarded-For", f"6.6.6.6, {peer}")]
    assert ask(adapter, forwarded, client="10.0.0.1", headers=headers) == key


@both_adapters
@pytest.mark.parametrize(("prefix", "address"), RFC_6052)
def test_the_prefixes_of_translators_may_be_named(
    adapter: Adapter, prefix: str, address: str
) -> None:
    """In every length of RFC 6052; whatever comes after the address is not looked at."""
    asked = keys.client_address(nat64_prefixes=[prefix])
    assert ask(adapter, asked, client=address) == EXAMPLE
    assert ask(adapter, keys.client_address(), client=address) != EXAMPLE
    assert ask(adapter, asked, client="64:ff9b::45.33.32.156") == V4


def test_a_local_translator_may_be_named() -> None:
    """RFC 8215; the longer of two prefixes counts."""
    asked = keys.client_address(nat64_prefixes=["64:ff9b:1::/48", "64:ff9b:1:2::/96"])
    assert key_of(ADAPTERS[0], asked, client="64:ff9b:1:2::192.0.2.33") == EXAMPLE
    assert key_of(ADAPTERS[0], asked, client="64:ff9b:1:c000:2:2100::") == EXAMPLE
    assert repr(asked) == ("client_address(nat64_prefixes=['64:ff9b:1:2::/96', '64:ff9b:1::/48'])")


@pytest.mark.unmeasured
@both_adapters
def test_translated_clients_share_no_bucket_and_a_tunnel_has_one(adapter: Adapter) -> None:
    """NAT64 and Teredo have many clients in one /64, and a 6to4 client has many of these."""
    app = adapter.wrap(hello, RateLimiter("1/hour", clock=lambda: 0))

    def admitted(peers: list[str]) -> int:
        return sum(adapter.drive(app, client=peer).status == 200 for peer in peers)

    assert admitted([f"64:ff9b::45.33.100.{n}" for n in range(100)]) == 100
    assert admitted([f"64:ff9b:1::198.51.101.{n}" for n in range(100)]) == 100
    assert admitted([f"2001:0:4136:e378:8000:63bf:d2de:{n:x}" for n in range(100)]) == 100
    assert admitted([f"2002:2d21:209c:{n:x}::1" for n in range(100)]) == 1
    assert admitted([V4, "64:ff9b::45.33.32.156", f"::ffff:{V4}"]) == 0


@both_adapters
def test_the_prefix_of_ipv4_applies_to_the_address_inside(adapter: Adapter) -> None:
    """And that of IPv6 does not."""
    asked = keys.client_address(ipv4_prefix=24, ipv6_prefix=128)
    for peer in ("64:ff9b::45.33.32.156", "2002:2d21:209c::1", V4):
        assert ask(adapter, asked, client=peer) == "45.33.32.0/24"


@both_adapters
@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("64:ff9b::10.0.0.1", "64:ff9b::/64"),
        ("64:ff9b::127.0.0.1", "64:ff9b::/64"),
        ("::ffff:0:10.0.0.1", "::/64"),
        ("2002:a00:1::1", "2002:a00:1::/64"),
        ("2002:7f00:1::1", "2002:7f00:1::/64"),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "2001:0:4136:e378::/64"),
        ("2001:0:4136:e378:8000:63bf:9bbf:fffe", "2001:0:4136:e378::/64"),
    ],
)
def test_no_client_passes_for_one_of_the_local_network(
    adapter: Adapter, peer: str, key: str
) -> None:
    """Private addresses must not be in these (RFC 6052, 3.1; RFC 3056, 2; RFC 4380)."""
    assert ask(adapter, keys.client_address(), client=peer) == key
    own = keys.client_address(nat64_prefixes=["64:ff9b::/96"])
    assert ask(adapter, own, client="64:ff9b::10.0.0.1") == "10.0.0.1"


@both_adapters
@pytest.mark.parametrize("peer", ["64:ff9b::45.33.32.156", "2002:2d21:209c::1"])
def test_no_proxy_is_trusted_by_the_address_inside(adapter: Adapter, peer: str) -> None:
    """Who sends from such an address is known by the whole of it."""
    asked = keys.client_address(trusted_proxies=[V4])
    headers = [("X-Forwarded-For", "6.6.6.6")]
    assert ask(adapter, asked, client=peer, headers=headers) == V4
    named = keys.client_address(trusted_proxies=[peer])
    assert ask(adapter, named, client=peer, headers=headers) == "6.6.6.6"


@given(address=st.ip_addresses(v=4), suffix=st.integers(0, 2**80 - 1))
def test_every_ipv4_address_is_found_in_each_format(address: IPv4Address, suffix: int) -> None:
    """Written into the prefix around the reserved octet (RFC 6052, 2.2)."""
    found = address if address.is_global else None
    assert embedded_ipv4(IPv6Address(0x2002 << 112 | int(address) << 80 | suffix), ()) == found
    teredo = 0x20010000 << 96 | (suffix >> 16) << 32 | (~int(address) & 0xFFFFFFFF)
    assert embedded_ipv4(IPv6Address(teredo), ()) == found
    for text, _ in RFC_6052:
        (network,) = parse_translators([text])
        octets = bytearray(network.network_address.packed)
        places = [place for place in range(network.prefixlen // 8, 16) if place != 8]
        for place, octet in zip(places, address.packed, strict=False):
            octets[place] = octet
        assert embedded_ipv4(IPv6Address(bytes(octets)), (network,)) == address


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefixes", "error", "match"),
    [
        ("64:ff9b::/96", TypeError, "must be a list of networks"),
        (5, TypeError, "must be a list of networks"),
        ([5], TypeError, "must hold networks .* not 5"),
        (["192.0.2.0/24"], ValueError, "not '192.0.2.0/24'"),
        (["2001:db8::/33"], ValueError, "32, 40, 48, 56, 64 or 96 bits"),
        (["2001:db8::1/96"], ValueError, "without host bits"),
        (["2001:db8::1"], ValueError, "not '2001:db8::1'"),
        (["nat64"], ValueError, "not 'nat64'"),
    ],
    ids=str,
)
def test_a_bad_prefix_is_an_error_that_shows_it(
    prefixes: Any, error: type[Exception], match: str
) -> None:
    """At construction."""
    with pytest.raises(error, match=match):
        keys.client_address(nat64_prefixes=prefixes)
