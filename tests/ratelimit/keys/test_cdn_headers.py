"""The client's address in the headers of content delivery networks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import RateLimiter
from mantlet.ratelimit import keys
from tests.drive import ADAPTERS, Adapter, both_adapters, hello
from tests.ratelimit.keys.asking import ask, key_of
from tests.ratelimit.keys.test_client_address import crafted, values

EDGE = "203.0.113.10"
OTHER_EDGE = "2001:db8:cd::1"
NETWORKS = ["203.0.113.0/24", "2001:db8:cd::/48"]
CLIENT = "198.51.100.7"
PLAIN = ["CF-Connecting-IP", "True-Client-IP", "Fastly-Client-IP", "Fly-Client-IP"]
VIEWER = "CloudFront-Viewer-Address"

every_header = pytest.mark.parametrize("header", [*PLAIN, VIEWER])


def written(header: str, address: str) -> str:
    """Return an address as the network writes it."""
    return f"{address}:46532" if header == VIEWER else address


@both_adapters
@every_header
@pytest.mark.parametrize(
    ("client", "key"),
    [
        (CLIENT, CLIENT),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("::ffff:198.51.100.7", CLIENT),
        (EDGE, EDGE),  # of the network itself: a worker at its edge
    ],
)
def test_the_edge_names_the_client(adapter: Adapter, header: str, client: str, key: str) -> None:
    """IPv4 and IPv6, whose port stands behind the last colon."""
    asked = keys.client_address(header=header, trusted_proxies=NETWORKS)
    headers = [(header, written(header, client)), ("X-Forwarded-For", "192.0.2.66")]
    for edge in (EDGE, OTHER_EDGE):
        assert ask(adapter, asked, client=edge, headers=headers) == key


@both_adapters
@every_header
@pytest.mark.parametrize("peer", [CLIENT, "203.0.114.1", "2001:db8:ce::1", None])
def test_anyone_else_is_not_believed(adapter: Adapter, header: str, peer: str | None) -> None:
    """Whoever finds the app's own address can write what they like."""
    asked = keys.client_address(header=header, trusted_proxies=NETWORKS)
    alone = ask(adapter, asked, client=peer)
    forged = [(header, written(header, "192.0.2.66"))]
    assert ask(adapter, asked, client=peer, headers=forged) == alone
    assert alone in (CLIENT, "203.0.114.1", "2001:db8:ce::/64", "-")


@both_adapters
@every_header
@pytest.mark.parametrize(
    "value",
    [
        "",
        "unknown",
        "192.0.2.66, 198.51.100.7",
        "192.0.2.66 198.51.100.7",
        "192.0.2.256",
        "localhost",
        "192.0.2.66/32",
        "for=192.0.2.66",
        "2001:db8::1::2",
        "9" * 5000,
        "\xe9",
    ],
)
def test_what_is_not_one_address_counts_for_the_edge(
    adapter: Adapter, header: str, value: str
) -> None:
    """Nobody gets a bucket of their own by it."""
    asked = keys.client_address(header=header, trusted_proxies=NETWORKS)
    for sent in (value, f"{value}:443"):
        assert ask(adapter, asked, client=EDGE, headers=[(header, sent)]) == EDGE
    assert ask(adapter, asked, client=EDGE) == EDGE


@both_adapters
@every_header
def test_several_lines_count_for_the_edge(adapter: Adapter, header: str) -> None:
    """Which one the network has written can't be known, even if they are the same."""
    asked = keys.client_address(header=header, trusted_proxies=NETWORKS)
    one, other = written(header, CLIENT), written(header, "192.0.2.66")
    for lines in ([one, other], [other, one], [one, one], [one, ""], [one, other, one]):
        headers = [(header, line) for line in lines]
        assert ask(adapter, asked, client=EDGE, headers=headers) == EDGE


@both_adapters
@pytest.mark.parametrize(
    "value", [CLIENT, "198.51.100.7:", "198.51.100.7:http", "198.51.100.7:\u0661", ":443"]
)
def test_the_address_of_a_viewer_has_a_port(adapter: Adapter, value: str) -> None:
    """Without one it is not what CloudFront writes."""
    asked = keys.client_address(header=VIEWER, trusted_proxies=NETWORKS)
    sent = [(VIEWER, value.encode().decode("latin-1"))]
    assert ask(adapter, asked, client=EDGE, headers=sent) == EDGE


@both_adapters
def test_clients_of_one_edge_have_buckets_of_their_own(adapter: Adapter) -> None:
    """And an edge does not multiply them."""
    key = keys.client_address(header="cf-connecting-ip", trusted_proxies=NETWORKS)
    app = adapter.wrap(hello, RateLimiter("1/hour", key=key, clock=lambda: 0))
    seen = [
        adapter.drive(app, client=edge, headers=[("CF-Connecting-IP", client)]).status
        for client in (CLIENT, "192.0.2.1")
        for edge in (EDGE, OTHER_EDGE)
    ]
    assert seen == [200, 429, 200, 429]


@every_header
@given(value=values | crafted)
def test_every_text_makes_a_short_key(header: str, value: str) -> None:
    """The same under both protocols."""
    asked = keys.client_address(header=header, trusted_proxies=NETWORKS)
    found = {key_of(adapter, asked, [(header, value)], client=EDGE) for adapter in ADAPTERS}
    (key,) = found
    assert key is not None
    assert set(key) <= set("0123456789abcdef.:/")
    assert len(key) <= 43


@given(address=st.ip_addresses(), port=st.integers(0, 65_535))
def test_every_address_with_a_port_is_read_as_the_address(address: Any, port: int) -> None:
    """IPv6 without brackets, in whatever form."""
    asked = keys.client_address(header=VIEWER, trusted_proxies=NETWORKS, ipv6_prefix=128)
    plain = keys.client_address(ipv6_prefix=128)
    expected = key_of(ADAPTERS[0], plain, client=str(address))
    for text in {str(address), address.exploded}:
        found = key_of(ADAPTERS[0], asked, [(VIEWER, f"{text}:{port}")], client=EDGE)
        assert found == expected


# -- options --------------------------------------------------------------------------------------


@every_header
@pytest.mark.parametrize("options", [{}, {"hops": 1}, {"trusted_proxies": []}], ids=str)
def test_the_networks_must_be_given(header: str, options: dict[str, Any]) -> None:
    """Else the header would be believed from anyone, or never read."""
    with pytest.raises(TypeError, match=f"header='{header}' needs trusted_proxies"):
        keys.client_address(header=header.lower(), **options)


@pytest.mark.parametrize("header", ["Forwarded", "X-Real-IP"])
def test_a_header_that_is_never_read_is_an_error(header: str) -> None:
    """It says what is missing."""
    with pytest.raises(TypeError, match=f"header='{header}' needs trusted_proxies or hops"):
        keys.client_address(header=header)


def test_its_repr_says_how_to_make_it() -> None:
    """The header in its usual case."""
    key = keys.client_address(header="cloudfront-viewer-address", trusted_proxies=["::1"])
    assert repr(key) == (
        "client_address(trusted_proxies=['::1'], header='CloudFront-Viewer-Address')"
    )
