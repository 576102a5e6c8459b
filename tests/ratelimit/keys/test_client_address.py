"""The client's address, through proxies that are believed and past those that are not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mantlet.ratelimit import keys
from tests.drive import ADAPTERS, Adapter, both_adapters
from tests.ratelimit.keys.asking import ask, key_of

PROXY = "10.0.0.1"
NEXT = "10.0.0.2"
CLIENT = "203.0.113.7"
PROXIES = ["10.0.0.0/8", "2001:db8:a::/48"]

#: Any value that a server may hand on (RFC 9110, 5.5).
values = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\x00\r\n"), max_size=80)
marks = st.sampled_from(
    [",", ";", '"', "\\", "=", " ", "\t", "[", "]", ":", "_x", "\xe9", "unknown"]
)
names = st.sampled_from(["for=", "for", 'for="', 'host="', "by=", "z="])
nodes = st.sampled_from([PROXY, NEXT, CLIENT, "6.6.6.6", "::1", "[2001:db8::1]", "2001:db8:a::1"])
#: The same, of what means something in a forwarding field.
crafted = st.lists(marks | names | nodes, max_size=12).map("".join)
fields = pytest.mark.parametrize("field", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])


@both_adapters
@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002:ffff::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("::ffff:192.0.2.1%eth0", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        (None, "-"),
        ("", "-"),
    ],
    ids=str,
)
def test_the_key_is_the_peers_address(adapter: Adapter, peer: str | None, key: str) -> None:
    """An IPv6 /64 is one client, an IPv4-mapped address is IPv4, and a socket file is nobody."""
    assert ask(adapter, keys.client_address(), client=peer) == key


@both_adapters
def test_peers_that_are_no_addresses_are_told_apart_in_little_memory(adapter: Adapter) -> None:
    """Whatever a server says, a short text is kept of it."""
    peers = ["garbage", "other garbage", "unix:", "999.999.999.999", "x" * 5000, "x" * 4999, "\xe9"]
    peers += ["not:an:address", "::1%" + "z" * 5000, "2001:db8::/64", "#" * 40]
    found = [ask(adapter, keys.client_address(), client=peer) for peer in peers]
    assert len(set(found)) == len(peers)
    assert all(key and len(key) <= 33 and key.isascii() for key in found)
    assert "2001:db8::/64" not in found


@both_adapters
@pytest.mark.parametrize(
    "field",
    ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip", "via"],
)
def test_without_proxies_no_header_field_changes_the_key(adapter: Adapter, field: str) -> None:
    """Nobody gets a fresh bucket by saying where they come from."""
    for value in ("198.51.100.1", "for=198.51.100.1"):
        assert (
            ask(adapter, keys.client_address(), client=CLIENT, headers=[(field, value)]) == CLIENT
        )


@both_adapters
@pytest.mark.parametrize(
    ("value", "key"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        (f" {CLIENT}\t", CLIENT),
        (f"6.6.6.6, {CLIENT}", CLIENT),
        (f"6.6.6.6, {CLIENT}, {NEXT}", CLIENT),
        (f"6.6.6.6,{CLIENT},{NEXT},10.9.9.9:80", CLIENT),
        (f"{CLIENT}, ::ffff:10.0.0.9", CLIENT),
        (f"{CLIENT}, [2001:db8:a::1]:443", CLIENT),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", CLIENT),
        # All of them trusted: the leftmost.
        (f"10.7.7.7, {NEXT}", "10.7.7.7"),
        # Not to be read: the proxy that it came through.
        ("unknown", PROXY),
        ("", PROXY),
        (f"{CLIENT},", PROXY),
        (f"{CLIENT}, , {NEXT}", NEXT),
        (f"{CLIENT}, garbage", PROXY),
        (f"{CLIENT}, garbage, {NEXT}", NEXT),
        (f"{CLIENT} {CLIENT}", PROXY),
        (f'"{CLIENT}"', PROXY),
        ("203.0.113.07", PROXY),
        ("203.0.113.\xb2", PROXY),
        (f"{CLIENT}, " + "9" * 5000, PROXY),
        (f"{CLIENT}," + f"{NEXT}," * 100 + PROXY, NEXT),
        ("for=203.0.113.7", PROXY),
    ],
    ids=lambda text: text[:40],
)
def test_x_forwarded_for_is_read_from_the_right_across_trusted_networks(
    adapter: Adapter, value: str, key: str
) -> None:
    """The first that is not trusted is the client; what can't be read is the proxy's."""
    asked = keys.client_address(trusted_proxies=PROXIES)
    assert ask(adapter, asked, client=PROXY, headers=[("X-Forwarded-For", value)]) == key


@both_adapters
@pytest.mark.parametrize(
    ("value", "key"),
    [
        # RFC 7239, 4
        ('for="_gazonk"', PROXY),
        ('For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::/64"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
        # 6.3 and 7.1
        ("for=_hidden, for=_SEVKISEK", PROXY),
        ('for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', PROXY),
        ('for=192.0.2.43,for="[2001:db8:cafe::17]"', "2001:db8:cafe::/64"),
        (f"for=6.6.6.6, for={CLIENT}, for={NEXT}", CLIENT),
        (f"for={CLIENT}, for=_mystery, for={NEXT}", NEXT),
        (f'for="{CLIENT}:4711";proto=https', CLIENT),
        (f"for={CLIENT};for=6.6.6.6", PROXY),
        (f"for=6.6.6.6;for={CLIENT}", PROXY),
        (f"proto=https;by={NEXT}", PROXY),
        # What a client has left open does not swallow what the proxy appended.
        (f'for="x, for={CLIENT}', CLIENT),
        (f'for="6.6.6.6;x=", for={CLIENT}', CLIENT),
        (f'for="\\, for={CLIENT}', CLIENT),
        # A Host in the proxy's own element does not pass for one.
        (f'for={CLIENT};host="x, for=6.6.6.6"', PROXY),
        (f'for={CLIENT};host="x, for=6.6.6.6;y=\\""', PROXY),
        (f'for={CLIENT};host="x, for=6.6.6.6;y=";proto=https', PROXY),
        (f'for={CLIENT};host="x, for=6.6.6.6;y=";by="_p"', PROXY),
        (f'for={CLIENT};host="x, for=6.6.6.6, "', PROXY),
        (CLIENT, PROXY),
        ("", PROXY),
    ],
)
def test_forwarded_is_read_from_the_right_across_trusted_networks(
    adapter: Adapter, value: str, key: str
) -> None:
    """The examples of RFC 7239, and what clients may do to them."""
    asked = keys.client_address(trusted_proxies=PROXIES, header="Forwarded")
    assert ask(adapter, asked, client=PROXY, headers=[("Forwarded", value)]) == key


@both_adapters
@pytest.mark.parametrize(
    ("value", "key"),
    [
        (CLIENT, CLIENT),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        (NEXT, NEXT),
        (f"6.6.6.6, {CLIENT}", PROXY),
        (f"{CLIENT}, 6.6.6.6", PROXY),
        ("unknown", PROXY),
        ("", PROXY),
    ],
)
@pytest.mark.parametrize("options", [{"trusted_proxies": PROXIES}, {"hops": 1}, {"hops": 3}])
def test_x_real_ip_is_one_address(
    adapter: Adapter, value: str, key: str, options: dict[str, Any]
) -> None:
    """A second one means that the proxy has not replaced the client's."""
    asked = keys.client_address(header="X-Real-IP", **options)
    assert ask(adapter, asked, client=PROXY, headers=[("X-Real-IP", value)]) == key


@both_adapters
@pytest.mark.parametrize(
    ("hops", "value", "key"),
    [
        (1, CLIENT, CLIENT),
        (1, f"6.6.6.6, {CLIENT}", CLIENT),
        (2, f"6.6.6.6, {CLIENT}, 198.51.100.1", CLIENT),
        (3, f"6.6.6.6, {CLIENT}, 198.51.100.1, 198.51.100.2", CLIENT),
        (2, f"{CLIENT}, unknown", CLIENT),
        (2, f"{CLIENT}, {'9' * 5000}", CLIENT),
        # Another way in.
        (2, CLIENT, PROXY),
        (1, "", PROXY),
        # Not to be read: the proxy that it came through.
        (1, "unknown", PROXY),
        (2, "unknown, 198.51.100.1", "198.51.100.1"),
        (3, "unknown, 198.51.100.1, garbage", "198.51.100.1"),
        (3, "unknown, garbage, 198.51.100.1", "198.51.100.1"),
        (2, f"{CLIENT},", PROXY),
    ],
)
def test_hops_count_from_the_right(adapter: Adapter, hops: int, value: str, key: str) -> None:
    """The n-th is the client, whatever the addresses are; with fewer the peer is."""
    asked = keys.client_address(hops=hops)
    assert ask(adapter, asked, client=PROXY, headers=[("X-Forwarded-For", value)]) == key


@both_adapters
@pytest.mark.parametrize(
    ("value", "key"),
    [
        (f"for={CLIENT}, for=198.51.100.1", CLIENT),
        (f"for={CLIENT}, for=_hidden", CLIENT),
        (f"for={CLIENT}", PROXY),
        (f'for={CLIENT};host="x, for=6.6.6.6, y", for=198.51.100.1', "198.51.100.1"),
        (
            f'for={CLIENT};host="x, for=6.6.6.6, y", for=198.51.100.1;host="x, for=6.6.6.6, y"',
            PROXY,
        ),
    ],
)
def test_hops_count_elements_of_forwarded_and_no_pieces_of_them(
    adapter: Adapter, value: str, key: str
) -> None:
    """A comma in a Host that proxies repeat does not move the client's place."""
    asked = keys.client_address(hops=2, header="Forwarded")
    assert ask(adapter, asked, client=PROXY, headers=[("Forwarded", value)]) == key


@both_adapters
@pytest.mark.parametrize("options", [{"trusted_proxies": PROXIES}, {"hops": 2}], ids=str)
def test_all_lines_of_the_field_are_one_list(adapter: Adapter, options: dict[str, Any]) -> None:
    """A proxy may append a line of its own (RFC 9110, 5.3)."""
    lines = [("X-Forwarded-For", value) for value in ("6.6.6.6", f"{CLIENT}", NEXT)]
    assert ask(adapter, keys.client_address(**options), client=PROXY, headers=lines) == CLIENT


@both_adapters
@fields
def test_only_the_one_configured_field_is_read(adapter: Adapter, field: str) -> None:
    """A proxy that writes one field lets the others through as they come."""
    others = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"}
    del others[field]
    asked = keys.client_address(trusted_proxies=PROXIES, header=field.upper())
    assert ask(adapter, asked, client=PROXY, headers=list(others.items())) == PROXY


@both_adapters
@pytest.mark.parametrize(
    ("trusted", "peer", "key"),
    [
        (["unix"], None, CLIENT),
        (["10.0.0.0/8"], None, "-"),
        (["unix"], PROXY, PROXY),
        (["unix", "10.0.0.0/8"], PROXY, CLIENT),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", CLIENT),
        (["::ffff:10.0.0.0/104"], PROXY, CLIENT),
        (["10.0.0.1"], "10.0.0.2", "10.0.0.2"),
        (["fe80::/10"], "fe80::1%eth0", CLIENT),
        (["10.0.0.0/8"], "10.0.0.1 garbage", None),
    ],
)
def test_only_a_trusted_peer_is_believed(
    adapter: Adapter, trusted: list[str], peer: str | None, key: str | None
) -> None:
    """By its network, or as the socket file that nobody else can open."""
    asked = keys.client_address(trusted_proxies=trusted)
    found = ask(adapter, asked, client=peer, headers=[("X-Forwarded-For", CLIENT)])
    assert found == key if key else found != CLIENT


@both_adapters
def test_hops_do_not_ask_who_the_peer_is(adapter: Adapter) -> None:
    """Also where it has no address."""
    asked = keys.client_address(hops=1)
    assert ask(adapter, asked, client=None, headers=[("X-Forwarded-For", CLIENT)]) == CLIENT
    assert ask(adapter, asked, client=None) == "-"


@both_adapters
def test_prefixes_group_clients_behind_proxies_and_before_them(adapter: Adapter) -> None:
    """IPv4 and IPv6 each by their own, and IPv4-mapped addresses as IPv4."""
    asked = keys.client_address(trusted_proxies=PROXIES, ipv4_prefix=24, ipv6_prefix=128)
    assert ask(adapter, asked, client="192.0.2.9") == "192.0.2.0/24"
    assert ask(adapter, asked, client="2001:db8::9") == "2001:db8::9"
    for value in (CLIENT, f"::ffff:{CLIENT}"):
        field = ("X-Forwarded-For", value)
        assert ask(adapter, asked, client=PROXY, headers=[field]) == "203.0.113.0/24"


# -- laws -----------------------------------------------------------------------------------------


@fields
@given(value=values | crafted)
def test_no_text_from_an_untrusted_peer_changes_its_key(field: str, value: str) -> None:
    """Whoever is not trusted is the client."""
    asked = keys.client_address(trusted_proxies=PROXIES, header=field)
    for adapter in ADAPTERS:
        assert key_of(adapter, asked, [(field, value)], client=CLIENT) == CLIENT


@pytest.mark.parametrize(
    ("field", "appended"),
    [
        ("X-Forwarded-For", [CLIENT]),
        ("X-Forwarded-For", [CLIENT, NEXT]),
        ("X-Forwarded-For", ["unknown", NEXT]),
        ("Forwarded", [f"for={CLIENT};proto=https"]),
        ("Forwarded", [f'for="{CLIENT}:80"', f"for={NEXT}"]),
        ("Forwarded", ["for=_hidden", f"for={NEXT}"]),
    ],
    ids=str,
)
@given(said=values | crafted)
@example(said='for="x')
@example(said='for="\\')
@example(said="6.6.6.6,")
def test_what_a_client_writes_left_of_the_proxies_changes_nothing(
    field: str, appended: list[str], said: str
) -> None:
    """The key is that of the same request without it; on the same line, and on one of its own."""
    written = ", ".join(appended)
    for options in ({"trusted_proxies": PROXIES}, {"hops": len(appended)}):
        asked = keys.client_address(header=field, **options)
        for adapter in ADAPTERS:
            alone = key_of(adapter, asked, [(field, written)], client=PROXY)
            joined = [(field, f"{said}, {written}")]
            apart = [(field, said), (field, written)]
            assert key_of(adapter, asked, joined, client=PROXY) == alone
            assert key_of(adapter, asked, apart, client=PROXY) == alone


@fields
@given(value=values | crafted, hops=st.integers(1, 4))
def test_every_text_makes_a_short_key(field: str, value: str, hops: int) -> None:
    """Nothing of what a client sends raises, nor gets into the key as it is."""
    asked = (
        keys.client_address(hops=hops, header=field),
        keys.client_address(trusted_proxies=PROXIES, header=field),
    )
    for one in asked:
        found = {key_of(adapter, one, [(field, value)], client=PROXY) for adapter in ADAPTERS}
        (key,) = found
        assert key is not None
        assert set(key) <= set("0123456789abcdef.:/")
        assert len(key) <= 43


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["X-Client-IP", "", "Forwarded ", None, 5], ids=repr)
def test_a_header_that_is_not_understood_is_an_error_that_names_those_that_are(header: Any) -> None:
    """Another field can't be read like any of these."""
    with pytest.raises(ValueError, match='"X-Forwarded-For", "Forwarded", "X-Real-IP"') as refused:
        keys.client_address(header=header)
    assert repr(header) in str(refused.value)


@pytest.mark.parametrize(
    ("option", "value", "error", "right"),
    [
        ("hops", 0, ValueError, "from 1 to 64"),
        ("hops", -1, ValueError, "from 1 to 64"),
        ("hops", 65, ValueError, "from 1 to 64"),
        ("hops", True, TypeError, "whole number of proxies"),
        ("hops", "1", TypeError, "whole number of proxies"),
        ("hops", 1.0, TypeError, "whole number of proxies"),
        ("ipv6_prefix", 0, ValueError, "from 1 to 128"),
        ("ipv6_prefix", 129, ValueError, "from 1 to 128"),
        ("ipv6_prefix", None, TypeError, "whole number of bits"),
        ("ipv6_prefix", "/64", TypeError, "whole number of bits"),
        ("ipv4_prefix", 0, ValueError, "from 1 to 32"),
        ("ipv4_prefix", 33, ValueError, "from 1 to 32"),
        ("ipv4_prefix", False, TypeError, "whole number of bits"),
    ],
)
def test_a_bad_number_is_an_error_that_names_it(
    option: str, value: Any, error: type[Exception], right: str
) -> None:
    """The message has the option, the value and what would be right."""
    with pytest.raises(error, match=option) as refused:
        keys.client_address(**{option: value})
    assert str(value) in str(refused.value)
    assert right in str(refused.value)


def test_trusted_proxies_and_hops_exclude_each_other() -> None:
    """Which of the two were meant can't be known; an empty list is none."""
    with pytest.raises(TypeError, match=r"trusted_proxies .* hops=2"):
        keys.client_address(trusted_proxies=["10.0.0.0/8"], hops=2)
    assert repr(keys.client_address(trusted_proxies=(), hops=2)) == "client_address(hops=2)"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (keys.client_address(), "client_address()"),
        (
            keys.client_address(trusted_proxies=["10.0.0.0/8", "unix"], header="forwarded"),
            "client_address(trusted_proxies=['10.0.0.0/8', 'unix'], header='Forwarded')",
        ),
        (keys.client_address(hops=1, ipv6_prefix=56), "client_address(hops=1, ipv6_prefix=56)"),
        (keys.client_address(ipv4_prefix=24), "client_address(ipv4_prefix=24)"),
    ],
)
def test_its_repr_says_how_to_make_it(key: keys.Key, text: str) -> None:
    """Options with their defaults are left out."""
    assert repr(key) == text
