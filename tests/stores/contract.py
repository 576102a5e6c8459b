"""What every store of records does: tests to inherit, given a fixture ``subject``.

class TestMyRecords(RecordStoreContract):
@pytest.fixture
def subject(self) -> Subject: ...
"""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.subject import Subject, increment

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RecordStoreContract", "Subject"]

#: Seconds by which the clock of a real server may be ahead of the test's.
SLACK = 5.0
_examples = count()


class RecordStoreContract:
    """The tests. `subject` is an empty store, or one of whose keys no others are used."""

    def test_a_record_is_created_once(self, subject: Subject) -> None:
        """Whoever comes second gets the first one, also with the same value."""
        assert subject.create(b"key", b"first") is None
        for value in (b"second", b"first", b""):
            found = subject.create(b"key", value)
            assert found is not None
            assert found.value == b"first"
            assert 0 <= found.age < SLACK

    def test_keys_are_apart(self, subject: Subject) -> None:
        """Whatever bytes they have, and however long they are."""
        keys = [b"k", b"K", b"k\0", b"\0k", b"k:", b"{k}", b"k}", b"*", b"\r\n", b"\xff" * 64]
        keys += [b"%d" % number + b"x" * 60 for number in range(10)]
        for key in keys:
            assert subject.create(key, b"of " + key) is None
        assert [subject.value(key) for key in keys] == [b"of " + key for key in keys]

    @pytest.mark.parametrize(
        "value",
        [b"", b"\0", b"\x00" * 17, b"\x01" * 40, bytes(range(256)) * 8, b"x" * 1_000_000],
        ids=["empty", "nul", "like-deleted", "like-a-record", "all-bytes", "large"],
    )
    def test_a_value_is_kept_byte_for_byte(self, subject: Subject, value: bytes) -> None:
        """As created, and as replaced."""
        assert subject.create(b"key", value) is None
        assert subject.value(b"key") == value
        assert subject.replace(b"key", value, value + b"!")
        assert subject.value(b"key") == value + b"!"
        assert not subject.replace(b"key", value, b"other")
        assert subject.delete(b"key", value + b"!")
        assert subject.value(b"key") is None

    def test_a_record_is_replaced_by_whoever_knows_it(self, subject: Subject) -> None:
        """Once, and by nobody who knows another value, a part of it, or none."""
        assert not subject.replace(b"key", b"", b"new")
        assert subject.value(b"key") is None
        subject.create(b"key", b"old")
        for other in (b"", b"ol", b"old ", b"OLD", b"new"):
            assert not subject.replace(b"key", other, b"new")
        assert subject.value(b"key") == b"old"
        assert subject.replace(b"key", b"old", b"new")
        assert not subject.replace(b"key", b"old", b"newer")
        assert subject.value(b"key") == b"new"

    def test_a_record_is_deleted_by_whoever_knows_it(self, subject: Subject) -> None:
        """Once; and then there is none, so that it can be created again."""
        assert not subject.delete(b"key", b"")
        subject.create(b"key", b"old")
        for other in (b"", b"ol", b"old ", b"new"):
            assert not subject.delete(b"key", other)
        assert subject.delete(b"key", b"old")
        assert not subject.delete(b"key", b"old")
        assert not subject.replace(b"key", b"old", b"new")
        assert subject.create(b"key", b"again") is None
        assert subject.value(b"key") == b"again"

    def test_a_record_ages(self, subject: Subject) -> None:
        """From when its value was stored."""
        subject.create(b"key", b"old")
        subject.advance(100)
        assert 100 <= subject.age(b"key") < 100 + SLACK
        assert not subject.replace(b"key", b"other", b"new")
        subject.advance(50)
        assert 150 <= subject.age(b"key") < 150 + SLACK
        assert subject.replace(b"key", b"old", b"new")
        assert 0 <= subject.age(b"key") < SLACK
        subject.advance(30)
        assert 30 <= subject.age(b"key") < 30 + SLACK

    def test_a_record_expires(self, subject: Subject) -> None:
        """At its own time, whatever the order they came in; then it is as if there were none."""
        for key, seconds in ((b"long", 300), (b"short", 100), (b"other", 100)):
            subject.create(key, b"old", seconds)
        subject.advance(100 - SLACK)
        assert [subject.value(key) for key in (b"long", b"short")] == [b"old", b"old"]
        subject.advance(SLACK)
        assert not subject.replace(b"short", b"old", b"new")
        assert not subject.delete(b"other", b"old")
        assert subject.create(b"short", b"new", 300) is None
        assert subject.value(b"long") == b"old"
        subject.advance(200)
        assert [subject.value(key) for key in (b"long", b"short")] == [None, b"new"]

    def test_a_replaced_record_is_kept_for_its_new_time(self, subject: Subject) -> None:
        """Longer than the old one would have been, or not as long."""
        subject.create(b"longer", b"old", 100)
        subject.create(b"shorter", b"old", 500)
        subject.advance(50)
        subject.replace(b"longer", b"old", b"new", 300)
        subject.replace(b"shorter", b"old", b"new", 100)
        subject.advance(100)
        assert [subject.value(key) for key in (b"longer", b"shorter")] == [b"new", None]
        subject.advance(200)
        assert subject.value(b"longer") is None

    def test_many_records_are_kept(self, subject: Subject) -> None:
        """While others expire."""
        for number in range(300):
            subject.create(b"%d" % number, b"%d" % number, 100 if number % 3 else 900)
        subject.advance(500)
        for number in range(300, 400):
            subject.create(b"%d" % number, b"%d" % number, 900)
        kept = [number for number in range(400) if subject.value(b"%d" % number) is not None]
        assert kept == [number for number in range(400) if number >= 300 or number % 3 == 0]

    def test_of_many_threads_one_creates(self, subject: Subject) -> None:
        """Those that come second see the value of the first."""
        if not subject.has_threads:
            return
        seen: list[tuple[bytes, bytes | None]] = []

        def work(me: bytes) -> None:
            for number in range(10):
                key = b"key %d" % number
                found = subject.create(key, me)
                seen.append((key, me if found is None else None))
                seen.append((key, found.value if found else me))

        _together([lambda me=b"%d" % n: work(me) for n in range(8)])  # type: ignore[misc]
        for number in range(10):
            values = [value for key, value in seen if key == b"key %d" % number]
            created = [value for value in values if value is not None]
            assert values.count(None) == 7, "several have created it"
            assert len({*created}) == 1

    def test_threads_count_exactly_by_replacing(self, subject: Subject) -> None:
        """A counter whose every increment is a comparison and an exchange."""
        if not subject.has_threads:
            return
        subject.create(b"count", b"0")

        def work() -> None:
            for _ in range(20):
                increment(subject, b"count")

        _together([work] * 4)
        assert subject.value(b"count") == b"80"

    @given(steps=st.data())
    @settings(
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    def test_it_agrees_with_a_model(self, subject: Subject, steps: st.DataObject) -> None:
        """Random calls, and random times between them."""
        prefix = b"%d " % next(_examples)
        model: dict[bytes, tuple[bytes, int, int]] = {}
        now = 0
        keys, values = st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([b"", b"1", b"2"])
        # In the middle of the moments to which the clock is advanced.
        seconds = st.integers(0, 6).map(lambda tens: 10 * tens + 5)
        for _ in range(steps.draw(st.integers(1, 25))):
            action = steps.draw(st.sampled_from(["create", "replace", "delete", "advance"]))
            if action == "advance":
                passed = 10 * steps.draw(st.integers(1, 4))
                subject.advance(passed)
                now += passed
                continue
            key, value, kept = steps.draw(keys), steps.draw(values), steps.draw(seconds)
            there = model.get(key)
            if there is not None and there[2] <= now:
                there = None
            if action == "create":
                found = subject.create(prefix + key, value, kept)
                if there is None:
                    assert found is None
                    model[key] = value, now, now + kept
                else:
                    assert found is not None
                    assert found.value == there[0]
                    assert now - there[1] <= found.age < now - there[1] + SLACK
                continue
            old = steps.draw(values)
            matches = there is not None and there[0] == old
            if action == "replace":
                assert subject.replace(prefix + key, old, value, kept) is matches
                if matches:
                    model[key] = value, now, now + kept
            else:
                assert subject.delete(prefix + key, old) is matches
                if matches:
                    del model[key]


def _together(works: list[Callable[[], None]]) -> None:
    """Run functions in threads at the same time, and raise their errors."""
    raised: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def guarded(work: Callable[[], None]) -> None:
        try:
            barrier.wait(120)
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
