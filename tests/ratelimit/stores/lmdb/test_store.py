"""Behaviour specific to buckets and slots that are records of a file."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from mantlet import Quota
from mantlet.ratelimit.stores.base import SlotRequest, TokenRequest
from mantlet.ratelimit.stores.lmdb import LmdbStore, open_lmdb
from mantlet.ratelimit.stores.lmdb.records import bucket_key, slots_key
from tests.ratelimit.stores.lmdb.worker import NOW
from tests.ratelimit.stores.model import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ratelimit.stores.model import Clock

    OpenStore = Callable[..., LmdbStore]

HOURLY = Quota("6/hour", burst=3)
TOKEN = HOURLY.interval
ALICE = TokenRequest("api:alice", HOURLY)
BOB = TokenRequest("login:bob", HOURLY)
SEAT = SlotRequest("seats:alice", 2, MINUTE, "0123456789abcdef")


def drain(store: LmdbStore, key: str, quota: Quota = HOURLY) -> int:
    """Take until a request is denied; return how many were granted."""
    count = 0
    while store.take_one(key, quota, 1) >= 0:
        count += 1
    return count


def spoil(store: LmdbStore, name: bytes, record: bytes) -> None:
    """Put a record into the file."""

    def work(transaction: object) -> None:
        transaction.put(name, record)  # type: ignore[attr-defined]  # the library's own
        transaction.commit()  # type: ignore[attr-defined]

    store._environment.run(work)


# -- what is in the file --------------------------------------------------------------------------


def test_all_that_is_done_is_in_the_file(open_store: OpenStore) -> None:
    """A store opened later continues from there, whatever was done."""
    store = open_store()
    store.take((ALICE, BOB, SEAT))
    store.take((ALICE._replace(cost=9, is_report_only=True), BOB))
    store.give_back((ALICE,))
    store.block((TokenRequest("api:carol", HOURLY),), HOUR)
    store.take_one("api:dave", HOURLY, 3)
    store.take_one("api:erin", HOURLY, 3)
    store.reset(["api:erin"])
    store.close()
    claims = [TokenRequest(f"api:{name}", HOURLY, 0) for name in ("alice", "carol", "dave", "erin")]
    seat = SEAT._replace(holder="f" * 16)
    later = open_store()
    for _ in range(2):
        rooms = later.peek((*claims, BOB._replace(cost=0), seat))
        in_an_hour = TOKEN - HOUR * HOURLY.scale
        assert rooms == [3 * TOKEN, in_an_hour, 0, 3 * TOKEN, TOKEN, 0]
    later.give_back((SEAT, BOB))
    later.reset(["api:carol", SEAT.key])
    assert later.peek((*claims[1:2], BOB._replace(cost=0), seat)) == [3 * TOKEN, 2 * TOKEN, 1]


def test_what_is_refused_is_not_written(open_store: OpenStore) -> None:
    """Nor is a peek: it adds no key, and affects no other client."""
    store = open_store()
    store.take((ALICE._replace(cost=4), BOB, SEAT))
    store.take_one(ALICE.key, HOURLY, 4)
    store.peek((ALICE, SEAT))
    store.give_back((ALICE, SEAT))
    store.reset([ALICE.key])
    assert len(store) == 0


def test_keys_are_not_in_the_file(path: Path, open_store: OpenStore) -> None:
    """Neither data from clients nor their identities: only hashes."""
    store = open_store()
    bucket = ALICE._replace(key=f"0a1b2c3d4e5f:{ALICE.key}")
    seat = SEAT._replace(key=f"0a1b2c3d4e5f:{SEAT.key}")
    store.take((bucket, seat))
    store.close()
    (file,) = path.glob("*.mdb")
    data = file.read_bytes()
    assert bucket_key(bucket.key) in data
    assert slots_key(seat.key) in data
    assert b"alice" not in data


@pytest.mark.parametrize(
    "key", ["", ":", "\0", "\ud800", "\udcff:\udfff", "x" * 100_000], ids=ascii
)
def test_any_text_is_a_key(open_store: OpenStore, key: str) -> None:
    """Also text that can't be encoded, or is longer than LMDB's keys."""
    store, place = open_store(), SEAT._replace(key=key)
    assert drain(store, key) == 3
    store.reset([key])
    assert drain(store, key) == 3
    assert store.take((place,)) == [1]
    store.give_back((place,))
    assert store.take((place,)) == [1]


@pytest.mark.parametrize(
    "record",
    [b"", b"x", b"\xff" * 23, b"\x7f" + b"\xff" * 23, b"\xff" * 25, b"\xff" * 1000],
    ids=lambda record: f"{record[:1]!r} {len(record)}",
)
def test_an_invalid_record_is_treated_as_missing(open_store: OpenStore, record: bytes) -> None:
    """Whichever operation reads it: nobody is locked out for ever, and nothing fails."""
    store = open_store()
    spoil(store, bucket_key(ALICE.key), record)
    assert drain(store, ALICE.key) == 3
    spoil(store, bucket_key(ALICE.key), record)
    assert store.peek((ALICE,)) == [2 * TOKEN]
    store.give_back((ALICE,))
    store.block((ALICE,), HOUR)
    assert store.peek((ALICE,)) == [-HOUR * HOURLY.scale]
    spoil(store, slots_key(SEAT.key), record)
    store.give_back((SEAT,))
    assert store.take((SEAT,)) == [1]


def test_invalid_records_are_removed_like_others(open_store: OpenStore, clock: Clock) -> None:
    """New keys come across them, too."""
    store = open_store()
    for number in range(100):
        spoil(store, bucket_key(f"spoilt:{number}"), b"x" * (number % 50))
    for number in range(200):
        store.take_one(f"api:{number}", Quota("1/year"), 1)
    assert len(store) < 250


# -- how much of it there is ----------------------------------------------------------------------


def test_keys_leave_a_while_after_they_are_full_again(open_store: OpenStore, clock: Clock) -> None:
    """With a hundred new keys a minute, a few hundred are kept at any time, not all of them."""
    store = open_store()
    most = 0
    for number in range(5000):
        store.take_one(f"api:{number}", Quota("1/second"), 1)
        clock.now += MINUTE // 100
        most = max(most, len(store))
    assert 100 <= most < 400


def test_slots_that_nobody_gave_back_are_removed_as_well(
    open_store: OpenStore, clock: Clock
) -> None:
    """Such as those of killed workers."""
    store = open_store()
    for number in range(500):
        store.take((SEAT._replace(key=f"seats:{number}"),))
    clock.now += HOUR
    for number in range(1000):
        store.take_one(f"api:{number}", Quota("1/year"), 1)
    assert len(store) < 1100


def test_a_client_that_owes_is_not_dropped_for_any_number_of_others(open_store: OpenStore) -> None:
    """New keys take the place of those that are less short, and have buckets of their own."""
    store = open_store(max_keys=100)
    quota = Quota("2/year")
    assert drain(store, "api:alice", quota) == 2
    for number in range(3000):
        assert store.take_one(f"api:{number}", quota, 1) >= 0
        assert store.take_one(f"login:{number}", quota, 1) >= 0
    assert len(store) == 100
    assert store.take_one("api:alice", quota, 1) < 0


def test_strangers_do_not_drain_the_bucket_of_a_new_client(open_store: OpenStore) -> None:
    """Whatever they do, it has one of its own."""
    store = open_store(max_keys=20)
    for number in range(100):
        assert drain(store, f"api:{number}") == 3
    assert drain(store, "api:new") == 3
    assert len(store) == 20


def test_slots_are_never_removed_to_make_room(open_store: OpenStore) -> None:
    """They would admit more requests than the limit."""
    store = open_store(max_keys=20)
    for number in range(20):
        assert store.take((SEAT._replace(key=f"seats:{number}", limit=1),)) == [0]
    for number in range(200):
        store.take_one(f"api:{number}", HOURLY, 3)
    for number in range(20):
        late = SEAT._replace(key=f"seats:{number}", limit=1, holder="f" * 16)
        assert store.take((late,)) == [-1]
    assert len(store) <= 20 + 20


def test_a_request_has_room_for_all_of_its_keys(open_store: OpenStore) -> None:
    """The number of keys stays within the bound, except for those of one request."""
    store = open_store(max_keys=3)
    for number in range(10):
        store.take((TokenRequest(f"api:{number}", HOURLY), TokenRequest(f"login:{number}", HOURLY)))
        assert len(store) <= 4


def test_a_limit_is_reset_in_batches(open_store: OpenStore) -> None:
    """However many keys there are, and no other limit's."""
    store = open_store()
    for number in range(2500):
        assert store.take_one(f"api:{number}", HOURLY, 3) == 0
        assert store.take_one(f"apis:{number}", HOURLY, 3) == 0
    store.reset_all(["api:", "other:"])
    assert len(store) == 2500
    store.reset_all(["ap"])
    assert len(store) == 0


# -- numbers and clocks ---------------------------------------------------------------------------


MOST = 999_999_999_999_999


@pytest.mark.parametrize(
    "rate", [f"{MOST}/second", "1/year", f"{MOST} per 999999999999998 seconds"]
)
def test_the_largest_quotas_there_are_fit(open_store: OpenStore, rate: str) -> None:
    """No token is lost, however many there are."""
    store, claim = open_store(), TokenRequest("api:1", Quota(rate, burst=MOST))
    assert store.take((claim._replace(cost=MOST - 2),)) == [2 * claim.quota.interval]
    assert drain(store, claim.key, claim.quota) == 2
    store.give_back((claim,))
    assert drain(store, claim.key, claim.quota) == 1
    store.block((claim,), 10 * 366 * DAY)
    assert store.take_one(*claim[:3]) < 0


def test_numbers_that_do_not_fit_are_no_error(open_store: OpenStore) -> None:
    """Such as a billion million tokens, each of which takes as many seconds."""
    store, claim = open_store(), TokenRequest("api:1", Quota(f"1 per {MOST} seconds", burst=MOST))
    for cost in (MOST - 1, 1, 1):
        store.take_one(claim.key, claim.quota, cost)
        store.take((claim._replace(cost=cost),))
    store.block((claim,), 10 * 366 * DAY)
    store.give_back((claim,))


def test_a_ban_is_for_a_thousand_years_at_most(open_store: OpenStore, clock: Clock) -> None:
    """A record with a later time is damaged."""
    store = open_store()
    store.block((ALICE,), 10**40)
    clock.now += 999 * 366 * DAY
    assert drain(store, ALICE.key) == 0
    clock.now += 366 * DAY
    assert drain(store, ALICE.key) == 1


def test_a_step_of_the_systems_time_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is the monotonic one."""
    store = LmdbStore(path)
    assert drain(store, ALICE.key) == 3
    for step in (-DAY, DAY):
        monkeypatch.setattr(time, "time_ns", lambda step=step: NOW + step)
        monkeypatch.setattr(time, "time", lambda step=step: (NOW + step) / SECOND)
        assert drain(store, ALICE.key) == 0


# -- how it is made -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "lmdb:",
        "lmdb:/var/lib/app",
        "lmdb://",
        "lmdb:///",
        "lmdb:////",
        "lmdb://var/lib/app",
        "lmdb://localhost/var/lib/app",
        "lmdb://limits",
        "lmdb:limits",
        "lmdb://./limits",
        "lmdb:///var/lib/app?max_keys=10",
        "lmdb:///var/lib/app#x",
        "lmdb:///var/lib/a%00b",
        "lmdb:///var/lib/a\nb",
        "LMDB:///var/lib/app",
        "redis:///var/lib/app",
        "",
    ],
)
def test_a_uri_that_names_no_directory_is_an_error(uri: str) -> None:
    """The message shows the URI and a valid one."""
    with pytest.raises(ValueError, match='such as "lmdb:///var/lib/app/limits", not \'') as caught:
        open_lmdb(uri)
    assert repr(uri) in str(caught.value)


def test_a_password_in_a_uri_is_not_shown() -> None:
    """It is not expected there, but may be given by mistake."""
    with pytest.raises(ValueError, match="///var/lib") as caught:
        open_lmdb("lmdb://user:secret@host/0")
    assert "secret" not in str(caught.value)
    assert "//***@host/0" in str(caught.value)


def test_a_uri_that_is_no_text_is_an_error(path: Path) -> None:
    """Also a path."""
    with pytest.raises(TypeError, match="must be a string such as"):
        open_lmdb(path)  # type: ignore[arg-type]  # on purpose


def test_a_uri_names_a_directory(tmp_path: Path, clock: Clock) -> None:
    """Also one with a space in its name."""
    store = open_lmdb(f"lmdb://{tmp_path}/my%20limits", max_keys=7, clock=clock)
    assert store.max_keys == 7
    assert drain(store, ALICE.key) == 3
    assert list((tmp_path / "my limits").glob("*.mdb"))
    assert open_lmdb(f"lmdb://{tmp_path}/other").max_keys == 1_000_000


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_keys": 0}, ValueError, "max_keys must be at least 1, not 0"),
        ({"max_keys": True}, TypeError, "max_keys must be a whole number of clients, not True"),
        ({"max_keys": 1e6}, TypeError, "max_keys must be a whole number of clients, not"),
        ({"path": "limits"}, ValueError, "path must be absolute, such as \"/.*\", not 'limits'"),
    ],
)
def test_a_wrong_option_is_an_error(
    path: Path, options: dict[str, object], error: type[Exception], message: str
) -> None:
    """The message names it."""
    with pytest.raises(error, match=message):
        LmdbStore(**{"path": path, **options})  # type: ignore[arg-type]  # on purpose
    assert not path.exists()


def test_a_missing_library_is_an_error_that_names_it() -> None:
    """And the extra that installs it."""
    code = "import sys; sys.modules['lmdb'] = None; import mantlet.ratelimit.stores.lmdb"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.stderr.splitlines()[-1] == (
        'ImportError: lmdb:// needs a library: pip install "mantlet[lmdb]"'
    )
