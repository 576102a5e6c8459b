"""Networks that are never limited, and networks that are refused."""

from __future__ import annotations

import logging
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import RateLimiter, Rule, keys
from mantlet.ratelimit.networks import NetworkLists
from tests.drive import CLIENT, Adapter, both_adapters, hello
from tests.ratelimit.meter import SECOND, Clock
from tests.ratelimit.test_websocket_messages import client as websocket_client
from tests.ratelimit.test_websocket_messages import say

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


def statuses(adapter: Adapter, limiter: RateLimiter, *clients: str | None, **request: Any) -> Any:
    """Send a request from each client; return what came back."""
    app = adapter.wrap(hello, limiter)
    answers = [adapter.drive(app, client=client, **request) for client in clients]
    assert [answer.error for answer in answers] == [None] * len(answers)
    return [answer.status for answer in answers]


def limited(**options: Any) -> RateLimiter:
    return RateLimiter("1/hour", **{"clock": lambda: 0, **options})


@both_adapters
@pytest.mark.parametrize(
    "client",
    ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:db8:64::808:808"],
)
def test_a_client_that_counts_as_an_ipv4_address_is_looked_up_as_it(
    adapter: Adapter, client: str
) -> None:
    """Else a translator or a tunnel would be a way around the list."""
    key = keys.client_address(nat64_prefixes=["2001:db8:64::/96"])
    assert statuses(adapter, limited(key=key, deny=["8.8.8.0/24"]), client) == [403]
    assert statuses(adapter, limited(key=key, deny=["8.8.4.0/24"]), client) == [200]


def test_the_header_that_names_the_address_is_trusted() -> None:
    """So that servers which let clients forge it are warned about."""
    proxied = keys.client_address(trusted_proxies=["10.0.0.0/8"], header="X-Real-IP")
    limiter = limited(key=keys.constant(), address=proxied, deny=["8.8.8.0/24"])
    assert limiter.trusted_headers == {"X-Real-IP"}


@both_adapters
@pytest.mark.parametrize(
    "entry",
    [
        "192.0.2.0/24",
        CLIENT,
        f"{CLIENT}/32",
        "::ffff:192.0.2.1",
        "::ffff:192.0.2.0/120",
        IPv4Network("192.0.2.0/24"),
        ip_address(CLIENT),
        "0.0.0.0/0",
    ],
    ids=str,
)
def test_an_allowed_network_takes_no_tokens(adapter: Adapter, entry: Any) -> None:
    """Nor does it get headers, since there is no limit."""
    limiter = limited(allow=[entry])
    assert statuses(adapter, limiter, *[CLIENT] * 3) == [200] * 3
    assert limiter.peek(CLIENT).allowed
    answer = adapter.drive(adapter.wrap(hello, limiter))
    assert answer.get("RateLimit") is None


@both_adapters
@pytest.mark.parametrize("peer", ["198.51.100.1", "2001:db8::1", "::ffff:198.51.100.1", None])
def test_others_are_limited(adapter: Adapter, peer: str | None) -> None:
    """Also a peer without an address, whom no list can know."""
    limiter = limited(allow=["192.0.2.0/24", "2001:db8:1::/48"])
    assert statuses(adapter, limiter, peer, peer) == [200, 429]


@both_adapters
@pytest.mark.parametrize("peer", [CLIENT, f"::ffff:{CLIENT}"])
def test_a_denied_network_is_refused(adapter: Adapter, peer: str) -> None:
    """With a problem that promises nothing for later, and without a token being taken."""
    limiter = limited(deny=["192.0.2.0/24"])
    app = adapter.wrap(hello, limiter)
    answer = adapter.drive(app, client=peer)
    assert answer.status == 403
    assert answer.json() == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "Requests from this network are refused.",
    }
    assert answer.get("Retry-After") is None
    assert answer.get("RateLimit") is None
    assert limiter.peek(CLIENT).allowed
    assert statuses(adapter, limiter, "198.51.100.1") == [200]


@both_adapters
def test_a_limiter_may_only_deny(adapter: Adapter) -> None:
    """Without any quota."""
    limiter = RateLimiter(deny=["192.0.2.0/24"])
    assert statuses(adapter, limiter, CLIENT, "198.51.100.1") == [403, 200]


@both_adapters
def test_a_denied_client_is_refused_before_anything_else(adapter: Adapter) -> None:
    """An exemption, or a preflight, is no way around."""
    limiter = RateLimiter(rules=[Rule("* /*", exempt=True)], deny=[CLIENT])
    preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]
    found = statuses(adapter, limiter, CLIENT, method="OPTIONS", headers=preflight)
    assert found == [403]
    assert statuses(adapter, limiter, CLIENT) == [403]


@both_adapters
def test_the_longest_prefix_decides(adapter: Adapter) -> None:
    """An office in a denied country, a bad host in an allowed network; denied if both are equal."""
    limiter = limited(
        allow=["192.0.2.0/24", "198.51.100.7", "203.0.113.0/24"],
        deny=["192.0.2.1", "198.51.100.0/24", "203.0.113.0/24"],
    )
    found = statuses(adapter, limiter, "192.0.2.1", "198.51.100.8", "203.0.113.1")
    assert found == [403, 403, 403]
    for allowed in ("192.0.2.2", "198.51.100.7"):
        assert statuses(adapter, limiter, allowed, allowed) == [200, 200]


@both_adapters
def test_ipv6_is_compared_as_a_whole_address(adapter: Adapter) -> None:
    """Although its /64 is the key."""
    limiter = limited(allow=["2001:db8::1"], deny=["2001:db8::2", "2001:db8:f::/48"])
    assert statuses(adapter, limiter, "2001:db8::1", "2001:db8::1") == [200, 200]
    assert statuses(adapter, limiter, "2001:db8::2", "2001:db8:f:1::") == [403, 403]
    assert statuses(adapter, limiter, "2001:db8::3", "2001:db8::3") == [200, 429]


# -- whose address --------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("2002:808:808:1::1", "2002::/16"),
        ("2002:808:808:1::1", "2002:808:808:1::/64"),
        ("2001:0:1:2:3:4:f7f7:f7f7", "2001::/32"),
        ("64:ff9b::808:808", "64:ff9b::/96"),
        ("::ffff:0:808:808", "::ffff:0:0:0/96"),
        ("2001:db8:64::808:808", "2001:db8:64::/96"),
        ("64:ff9b:1::1", "64:ff9b:1::/48"),
    ],
)
def test_a_tunnel_or_a_translator_is_named_by_itself_or_by_the_ipv4_address(
    adapter: Adapter, peer: str, network: str
) -> None:
    """So that neither spelling of a list matches nothing; it is denied if one of the two is."""
    key = keys.client_address(nat64_prefixes=["2001:db8:64::/96"])
    has_ipv4 = not peer.startswith("64:ff9b:1:")
    cases: list[tuple[dict[str, Any], int]] = [
        ({"deny": [network]}, 403),
        ({"deny": ["8.8.8.0/24"]}, 403 if has_ipv4 else 200),
        ({"allow": ["8.8.8.8"], "deny": [network]}, 403),
        ({"allow": [peer], "deny": ["8.8.8.0/24"]}, 403 if has_ipv4 else 200),
        ({"allow": [peer], "deny": [network]}, 200),
    ]
    for options, status in cases:
        app = adapter.wrap(hello, RateLimiter("9/hour", key=key, **options))
        assert adapter.drive(app, client=peer).status == status


@both_adapters
def test_the_address_comes_through_the_trusted_proxies_of_the_key(adapter: Adapter) -> None:
    """And from no header otherwise."""
    key = keys.client_address(trusted_proxies=["10.0.0.0/8"])
    limiter = limited(key=key, allow=["192.0.2.7"], deny=["192.0.2.9", "10.0.0.0/8"])

    def ask(peer: str, forwarded: str) -> Any:
        headers = [("X-Forwarded-For", forwarded)]
        return statuses(adapter, limiter, peer, peer, headers=headers)

    assert ask("10.0.0.1", "192.0.2.7") == [200, 200]
    assert ask("10.0.0.1", "192.0.2.9") == [403, 403]
    assert ask("10.0.0.1", "192.0.2.7, 192.0.2.9") == [403, 403]
    assert ask("10.0.0.1", "192.0.2.9, 192.0.2.8") == [200, 429]
    # From somebody else, the header is just text.
    assert ask("198.51.100.1", "192.0.2.7") == [200, 429]
    assert ask("198.51.100.2", "192.0.2.9") == [200, 429]
    assert statuses(adapter, limiter, "10.0.0.1") == [403]


@both_adapters
@pytest.mark.parametrize("options", [{"trusted_proxies": ["10.0.0.0/8"]}, {"hops": 1}, {"hops": 2}])
@pytest.mark.parametrize(
    ("value", "allowed"),
    [("10.0.0.3, 10.0.0.2", True), ("unknown", False), ("1.2.3.4," * 9000, False), (None, True)],
    ids=["inside", "unreadable", "too large", "none"],
)
def test_no_client_passes_for_its_proxy(
    adapter: Adapter, options: dict[str, Any], value: str | None, allowed: bool
) -> None:
    """A header that can't be read counts for the proxy, whose network may be allowed."""
    if value == "unknown" and options == {"hops": 2}:
        value = "unknown, unknown"
    limiter = RateLimiter("1/hour", key=keys.client_address(**options), allow=["10.0.0.0/8"])
    app = adapter.wrap(hello, limiter)
    headers = [] if value is None else [("X-Forwarded-For", value)]
    found = [adapter.drive(app, client="10.0.0.1", headers=headers).status for _ in range(2)]
    assert found == ([200, 200] if allowed else [200, 429])


@both_adapters
def test_a_joined_key_has_the_address_of_its_part(adapter: Adapter) -> None:
    """The login rule's usual key."""
    key = keys.client_address() & keys.header("X-Key")
    assert statuses(adapter, limited(key=key, deny=[CLIENT]), CLIENT) == [403]


@both_adapters
def test_a_key_without_an_address_needs_one_for_the_lists(adapter: Adapter) -> None:
    """Or else a list would compare the proxy's."""
    key = keys.header("X-API-Key")
    with pytest.raises(TypeError, match=r"give address=keys\.client_address"):
        limited(key=key, deny=[CLIENT])
    with pytest.raises(TypeError, match=r"give address=keys\.client_address"):
        limited(key=lambda _request: "x", allow=[CLIENT])
    address = keys.client_address(trusted_proxies=["10.0.0.0/8"])
    limiter = limited(key=key, deny=["192.0.2.9"], address=address)
    forwarded = [("X-Forwarded-For", "192.0.2.9")]
    assert statuses(adapter, limiter, "10.0.0.1", headers=forwarded) == [403]


def test_messages_of_an_allowed_network_are_not_limited() -> None:
    """Its WebSockets neither."""
    rule = Rule("* /ws", "1/hour", per="message")
    allowing = RateLimiter(rules=[rule], allow=[CLIENT], clock=lambda: 0)
    with websocket_client(allowing).websocket_connect("/ws") as connection:
        for text in "abc":
            assert say(connection, text) == [f"{text} {number}" for number in range(3)]


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "error", "said"),
    [
        (["192.0.2.1/24"], ValueError, "\"192.0.2.0/24\" instead of '192.0.2.1/24'"),
        (["2001:db8::1/64"], ValueError, '"2001:db8::/64" instead of'),
        (["192.0.2.300"], ValueError, "must be like"),
        (["192.0.2.0/33"], ValueError, "must be like"),
        (["192.0.2.0/-1"], ValueError, "must be like"),
        (["192.0.2.0/"], ValueError, "must be like"),
        (["192.0.2.0/٣"], ValueError, "must be like"),
        (["192.0.2"], ValueError, "must be like"),
        (["fe80::1%eth0"], ValueError, "neither a network nor a file of networks"),
        (["2001:db8::/129"], ValueError, "must be like"),
        (["no-such-file"], ValueError, "neither a network nor a file of networks"),
        ([Path("/no/such/file")], ValueError, "neither a network nor a file of networks"),
        (["/"], ValueError, "neither a network nor a file of networks"),
        ("192.0.2.0/24", TypeError, "must be a list"),
        (Path("list"), TypeError, "must be a list"),
        (5, TypeError, "must be a list"),
        ([5], TypeError, "not 5"),
        ([None], TypeError, "not None"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("option", ["allow", "deny"])
def test_a_mistake_in_a_list_is_an_error(
    option: str, entries: Any, error: type[Exception], said: str
) -> None:
    """When the limiter is made, with the option's name."""
    with pytest.raises(error) as refused:
        limited(**{option: entries})
    assert option in str(refused.value)
    assert said in str(refused.value)


def test_an_address_without_lists_is_an_error() -> None:
    """It would be read by nothing."""
    with pytest.raises(TypeError, match="address applies to allow and deny"):
        RateLimiter("1/hour", address=keys.client_address())


# -- files ----------------------------------------------------------------------------------------


class Listed:
    """A limiter with a list in a file, and a clock to turn."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.clock = Clock()
        path.write_text(text)
        self.limiter = RateLimiter(deny=[str(path)], clock=self.clock)

    def write(self, text: str | bytes) -> None:
        """Replace the file as careful programs do."""
        new = self.path.with_suffix(".new")
        new.write_bytes(text if isinstance(text, bytes) else text.encode())
        new.replace(self.path)

    def denies(self, adapter: Adapter, *clients: str) -> list[bool]:
        found = statuses(adapter, self.limiter, *clients)
        assert set(found) <= {200, 403}
        return [status == 403 for status in found]


@both_adapters
def test_a_file_has_a_network_a_line(adapter: Adapter, tmp_path: Path) -> None:
    """With comments, as the usual published lists have them."""
    text = "# a list\n\n192.0.2.1\n 198.51.100.0/24 ; SBL1\r\n2001:db8::/32 # six\n; end"
    listed = Listed(tmp_path / "list", text)
    found = listed.denies(adapter, "192.0.2.1", "198.51.100.9", "2001:db8::9", "192.0.2.2")
    assert found == [True, True, True, False]


@both_adapters
def test_a_changed_file_is_read_again(adapter: Adapter, tmp_path: Path) -> None:
    """A second later at the latest; several lists add up."""
    listed = Listed(tmp_path / "list", "192.0.2.1\n")
    assert listed.denies(adapter, "192.0.2.1", "192.0.2.2") == [True, False]
    listed.write("192.0.2.2\n")
    listed.clock.now += SECOND
    assert listed.denies(adapter, "192.0.2.1", "192.0.2.2") == [False, True]


def test_a_file_is_looked_at_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests there are, and read only if it has changed."""
    looked: list[Path] = []
    read: list[Path] = []
    stat, read_text = Path.stat, Path.read_text

    def counted_stat(self: Path, **options: Any) -> os.stat_result:
        looked.append(self)
        return stat(self, **options)

    def counted_read(self: Path, *args: Any, **options: Any) -> str:
        read.append(self)
        return read_text(self, *args, **options)

    adapter = both_adapters.args[1][1]
    listed = Listed(tmp_path / "list", "192.0.2.1\n")
    monkeypatch.setattr(Path, "stat", counted_stat)
    monkeypatch.setattr(Path, "read_text", counted_read)
    for _ in range(5):
        for _ in range(10):
            listed.denies(adapter, "192.0.2.1")
        listed.clock.now += SECOND
    assert (len(looked), len(read)) == (4, 0)


@both_adapters
@pytest.mark.parametrize(
    "broken", ["192.0.2.2\n192.0.2.3/8\n", "garbage", b"\xff\xfe1", None], ids=repr
)
def test_a_broken_file_leaves_the_list_as_it_was(
    adapter: Adapter, broken: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And an error in the log, once; a good file later is taken."""
    listed = Listed(tmp_path / "list", "192.0.2.1\n")
    if broken is None:
        listed.path.unlink()
    else:
        listed.write(broken)
    for _ in range(3):
        listed.clock.now += SECOND
        assert listed.denies(adapter, "192.0.2.1", "192.0.2.2") == [True, False]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "deny list" in errors[0].getMessage()
    assert "its 1 networks stay as they were" in errors[0].getMessage()
    listed.write("192.0.2.2\n")
    listed.clock.now += SECOND
    assert listed.denies(adapter, "192.0.2.1", "192.0.2.2") == [False, True]


@both_adapters
def test_a_file_that_comes_back_as_it_was_counts(
    adapter: Adapter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the very inode and time that it had."""
    listed = Listed(tmp_path / "list", "192.0.2.1\n")
    away = listed.path.rename(tmp_path / "away")
    listed.clock.now += SECOND
    assert listed.denies(adapter, "192.0.2.1") == [True]
    away.rename(listed.path)
    listed.clock.now += SECOND
    assert listed.denies(adapter, "192.0.2.1") == [True]
    assert "stay as they were" in caplog.text


@both_adapters
def test_a_file_that_is_being_written_is_not_an_empty_list(
    adapter: Adapter, tmp_path: Path
) -> None:
    """Programs that write in place truncate first; one that stays empty is meant so."""
    listed = Listed(tmp_path / "list", "192.0.2.1\n")
    listed.path.write_text("")
    listed.clock.now += SECOND
    assert listed.denies(adapter, "192.0.2.1") == [True]
    listed.path.write_text("192.0.2.2\n")
    listed.clock.now += SECOND
    assert listed.denies(adapter, "192.0.2.1", "192.0.2.2") == [False, True]
    listed.path.write_text("")
    for _ in range(2):
        listed.clock.now += SECOND
        found = listed.denies(adapter, "192.0.2.2")
    assert found == [False]


@both_adapters
def test_half_of_a_network_is_not_another_one(adapter: Adapter, tmp_path: Path) -> None:
    """A file without a newline at its end may be half written; one that stays so is meant so."""
    listed = Listed(tmp_path / "list", "192.0.2.1\n")
    listed.path.write_text("192.0.2.1\n128.0.0.0/1")  # of "128.0.0.0/16"
    listed.clock.now += SECOND
    assert listed.denies(adapter, "192.0.2.1", "198.51.100.1") == [True, False]
    listed.path.write_text("128.0.0.0/16\n192.0.2.7")
    for _ in range(2):
        listed.clock.now += SECOND
        found = listed.denies(adapter, "192.0.2.1", "198.51.100.1", "192.0.2.7", "128.0.0.7")
    assert found == [False, False, True, True]


@both_adapters
def test_a_file_that_changes_while_it_is_read_is_read_again(
    adapter: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a list is not the list."""
    listed = Listed(tmp_path / "list", "192.0.2.1\n")
    listed.write("192.0.2.2\n")
    read_text = Path.read_text

    def read(self: Path, *args: Any, **options: Any) -> str:
        text = read_text(self, *args, **options)
        monkeypatch.setattr(Path, "read_text", read_text)
        listed.write("192.0.2.2\n192.0.2.3\n")
        return text

    monkeypatch.setattr(Path, "read_text", read)
    listed.clock.now += SECOND
    assert listed.denies(adapter, "192.0.2.1", "192.0.2.2") == [True, False]
    listed.clock.now += SECOND
    found = listed.denies(adapter, "192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert found == [False, True, True]


@pytest.mark.parametrize("text", ["192.0.2.0/33\n", "\n\nnonsense\n"])
def test_a_broken_file_at_the_start_is_an_error(text: str, tmp_path: Path) -> None:
    """With the number of the line."""
    path = tmp_path / "list"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"{path}.*line \d"):
        RateLimiter(deny=[path])


# -- all networks ---------------------------------------------------------------------------------


def networks() -> st.SearchStrategy[IPv4Network | IPv6Network]:
    """Return networks that often contain each other."""
    four = st.builds(
        lambda value, length: ip_network((value << 24, length), strict=False),
        st.integers(0, 255),
        st.integers(0, 32),
    )
    six = st.builds(
        lambda value, length: ip_network(
            (value << 120 | 0xFFFF << 32 | value, length), strict=False
        ),
        st.integers(0, 255),
        st.integers(0, 128),
    )
    return st.one_of(four, six)


@settings(max_examples=300)
@given(st.lists(networks(), max_size=6), st.lists(networks(), max_size=6), st.data())
def test_the_lists_decide_as_a_search_through_all_networks(
    allow: Sequence[IPv4Network], deny: Sequence[IPv4Network], data: st.DataObject
) -> None:
    """By the longest prefix; mapped addresses and networks are IPv4."""
    every = [*allow, *deny]
    base = data.draw(st.sampled_from(every)) if every else ip_network("192.0.2.0/24")
    offset = data.draw(st.integers(0, min(base.num_addresses - 1, 1 << 34)))
    address = base.network_address + offset
    lists = NetworkLists(allow, map(str, deny), keys.client_address(ipv6_prefix=48), lambda: 0)
    verdict = lists.find(FakeRequest(str(address)))  # type: ignore[arg-type]  # it has a client
    best = (longest(allow, address), longest(deny, address))
    if best == (-1, -1):
        assert verdict is None
    else:
        assert verdict is not None
        assert verdict.denied == (best[1] >= best[0])


class FakeRequest:
    """A request of which nothing but the peer is read."""

    def __init__(self, client: str) -> None:
        self.client = client


def longest(entries: Sequence[Any], address: Any) -> int:
    address = getattr(address, "ipv4_mapped", None) or address
    return max((one.prefixlen for one in map(plain, entries) if address in one), default=-1)


def plain(network: Any) -> Any:
    """Return the IPv4 network of an IPv4-mapped one."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ip_network((int(mapped), network.prefixlen - 96))


def test_a_lookup_does_not_grow_with_the_number_of_networks(tmp_path: Path) -> None:
    """One step for each length of prefix: counted as the bytecode that runs."""
    counts = []
    for size in (1_000, 30_000):
        path = tmp_path / f"list{size}"
        path.write_text("\n".join(str(ip_address(number * 7 + 2**24)) for number in range(size)))
        lists = NetworkLists([], [path], keys.client_address(), lambda: 0)
        counts.append(steps(lambda lists=lists: lists.find(FakeRequest("9.9.9.9"))))
    assert counts[0] == counts[1]


def steps(function: Any) -> int:
    """Return how many lines a call runs."""
    import sys

    lines = 0

    def trace(_frame: Any, event: str, _arg: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    function()  # what is cached then
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return lines
