"""A store's permissions on its server: exactly those that its manual names."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mantlet import Quota
from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.stores.base import SlotRequest, Strikes, TokenRequest
from mantlet.ratelimit.stores.redis import store as page
from tests.ratelimit.stores.redis.store_driver import drive_store
from tests.servers.server import HOST
from tests.stores.redis.servers import quiet_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores.redis.conftest import Way
    from tests.stores.redis.servers import Cluster, Valkey

PASSWORD = "correct-horse"
CLAIM = TokenRequest("api:192.0.2.1", Quota("1/year", burst=2))
SEAT = SlotRequest("seats:192.0.2.1", 1, 60_000_000_000, "0" * 16)


def documented_rights() -> tuple[list[str], str]:
    """Return the permissions that the store's docstring names, and the one for a cluster."""
    said = re.search(r"An ACL user needs ``(.+?)``; for a cluster also\s+``(.+?)``", *_page())
    assert said is not None
    return said[1].split(), said[2]


def _page() -> tuple[str, re.RegexFlag]:
    return page.__doc__ or "", re.DOTALL


RIGHTS, CLUSTER_RIGHT = documented_rights()


@contextmanager
def user(server: Valkey, rights: list[str]) -> Iterator[str]:
    """Create a user with exactly these permissions; yield the server's URI for it."""
    server.ask("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", *rights)
    try:
        yield f"redis://app:{PASSWORD}@{server.place}/1"
    finally:
        server.ask("ACL", "DELUSER", "app")


def test_the_manual_page_names_rights() -> None:
    """The tests below remove them one by one."""
    assert {"+evalsha", "+time", "~mantlet:*"} <= set(RIGHTS)


def test_a_user_with_the_rights_of_the_manual_page_can_do_everything(
    way: Way, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    """And no command fails along the way."""
    with user(valkey, RIGHTS) as uri, drive_store(way, uri) as store:
        store.open()
        valkey.ask("SCRIPT", "FLUSH")
        assert store.admits(CLAIM, SEAT)
        assert store.admits(CLAIM)
        assert not store.admits(CLAIM, SEAT)
        store.give_back(CLAIM, SEAT)
        assert all((room or 0) >= 0 for room in store.peek(CLAIM, SEAT))
        assert not store.strike(CLAIM, Strikes(2, 1_000_000_000, 1_000_000_000))
        store.block(1_000_000_000, CLAIM)
        store.reset(CLAIM.key, SEAT.key)
        assert store.admits(CLAIM, SEAT)
    assert [record.event for record in caplog.records] == ["reset"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "right",
    RIGHTS,
)
def test_a_missing_right_is_known_when_the_store_is_opened(
    way: Way, valkey: Valkey, right: str
) -> None:
    """Not in the middle of the night on first use; and the password is not shown."""
    rights = [one for one in RIGHTS if one != right]
    with user(valkey, rights) as uri, drive_store(way, uri) as store:
        with pytest.raises(StoreError) as caught:
            store.open()
        shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {store.store!r}"
        assert PASSWORD not in shown
        assert valkey.place in shown


def test_a_reset_of_all_needs_one_right_more(way: Way, valkey: Valkey) -> None:
    """To look for the keys."""
    assert "for `RateLimiter.reset_all()` also ``+scan``" in " ".join(_page()[0].split())
    with user(valkey, [*RIGHTS, "+scan"]) as uri, drive_store(way, uri) as store:
        store.open()
        assert [store.admits(CLAIM) for _ in range(3)] == [True, True, False]
        store.reset_all("api:")
        assert store.admits(CLAIM)
    with user(valkey, RIGHTS) as uri, drive_store(way, uri) as store:
        with pytest.raises(StoreOutage, match="NOPERM") as caught:
            store.reset_all("api:")
        assert PASSWORD not in str(caught.value)


def test_a_user_of_a_cluster_needs_one_right_more(way: Way, cluster: Cluster) -> None:
    """To look slots up; and no other."""
    rights = [*RIGHTS, CLUSTER_RIGHT]
    for node in cluster.nodes:
        node.ask("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", *rights)
        node.ask("FLUSHALL")
    uri = f"redis+cluster://app:{PASSWORD}@{cluster.nodes[0].place}"
    clients = [TokenRequest(f"api:{number}", CLAIM.quota) for number in range(10)]
    try:
        with drive_store(way, uri) as store:
            store.open()
            assert store.admits(*clients)
            for node in cluster.nodes:
                node.ask("ACL", "SETUSER", "app", f"-{CLUSTER_RIGHT[1:]}")
        with drive_store(way, uri) as store, pytest.raises(StoreError) as caught:
            store.open()
        assert PASSWORD not in str(caught.value)
    finally:
        for node in cluster.nodes:
            node.ask("ACL", "DELUSER", "app")


def test_a_wrong_password_is_an_error_that_hides_it(way: Way, valkey: Valkey) -> None:
    """The text of the error may end up in logs."""
    wrong = "battery-staple"
    with user(valkey, RIGHTS) as uri, drive_store(way, uri.replace(PASSWORD, wrong)) as store:
        with pytest.raises(StoreError, match="WRONGPASS") as caught:
            store.open()
        assert wrong not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
        assert wrong not in repr(store.store)


def test_opening_leaves_nothing_behind(way: Way, valkey: Valkey) -> None:
    """Its test keys expire within a moment."""
    with drive_store(way, f"redis://{valkey.place}") as store:
        store.open()
    for key in valkey.ask("KEYS", "*"):
        assert 0 <= valkey.ask("PTTL", key) <= 20_000 or not valkey.ask("EXISTS", key)


def test_a_server_that_is_not_there_yet_is_no_error(
    way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """An app may start before its store; this is logged, without the password."""
    caplog.set_level(logging.WARNING)
    with drive_store(way, f"redis://app:{PASSWORD}@{HOST}:{quiet_port()}") as store:
        store.open()
    (record,) = caplog.records
    assert record.event == "lost"  # type: ignore[attr-defined]
    assert "can't be reached" in record.getMessage()
    assert PASSWORD not in caplog.text
