"""The values that must not get out, now and for a while after they were replaced."""

import gc
import weakref

import pytest

from mantlet.redact.registry import Registry
from mantlet.redact.variants import SecretVariant

OLD, NEW = "old-secret-value-1", "new-secret-value-2"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def raw(registry: Registry) -> set[bytes]:
    """Return the values that are searched for."""
    return {
        variant.whole for variant in registry.variants if variant.whole.startswith((b"old", b"new"))
    }


def test_a_replaced_value_is_searched_for_until_its_time_is_over() -> None:
    """Answers that were made with the old value may still be on their way."""
    clock = Clock()
    registry = Registry([OLD], overlap=60, clock=clock)
    before = registry.variants
    registry.replace([NEW])
    assert registry.variants is not before
    assert raw(registry) == {OLD.encode(), NEW.encode()}
    clock.now = 59
    registry.expire()
    assert raw(registry) == {OLD.encode(), NEW.encode()}
    clock.now = 60
    registry.expire()
    assert raw(registry) == {NEW.encode()}


def test_nothing_is_rebuilt_while_nothing_changes() -> None:
    """A scanner is made anew when it sees another object."""
    registry = Registry([OLD])
    before = registry.variants
    registry.expire()
    assert registry.variants is before


def test_a_value_that_comes_back_is_not_forgotten() -> None:
    """Rotated, and rotated back."""
    clock = Clock()
    registry = Registry([OLD], overlap=10, clock=clock)
    registry.replace([NEW])
    registry.replace([OLD])
    clock.now = 100
    registry.expire()
    assert raw(registry) == {OLD.encode()}


def test_like_values_have_like_fingerprints_within_a_process() -> None:
    """And they tell nothing of the value without the process's key."""
    one = Registry([OLD])
    assert {variant.fingerprint for variant in one.variants} == {one.fingerprint(OLD.encode())}
    assert one.fingerprint(OLD.encode()) != Registry([OLD]).fingerprint(OLD.encode())


def test_a_weak_value_is_left_out_with_a_warning_that_does_not_tell_it() -> None:
    """By its index alone."""
    with pytest.warns(
        UserWarning, match=r"secrets\[1\] is not searched for: it is shorter"
    ) as told:
        registry = Registry([OLD, "hunter2"])
    assert "hunter2" not in str(told[0].message)
    assert told[0].filename == __file__
    assert raw(registry) == {OLD.encode()}


@pytest.mark.parametrize("secrets", ["one-secret-value", b"one-secret-value"])
def test_one_value_is_not_several(secrets: str) -> None:
    """Text iterates over its characters, which nobody means."""
    with pytest.raises(TypeError, match="several values"):
        Registry(secrets)


def test_other_values_are_refused() -> None:
    """Nothing but text and bytes, and no negative time."""
    with pytest.raises(TypeError, match=r"secrets\[0\] must be text or bytes, not int"):
        Registry([1])  # type: ignore[list-item]  # what is tested
    with pytest.raises(ValueError, match="overlap must be at least 0 seconds"):
        Registry(overlap=-1)


def test_a_registry_shows_no_value() -> None:
    """Not in its text, nor are its values iterated over."""
    registry = Registry([OLD])
    assert repr(registry) == "Registry(1 values, 0 old)"
    assert OLD in registry
    assert NEW not in registry


class Searcher:
    """Records the variants it is told of, and those the registry had at that moment."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.told: list[tuple[bool, bool]] = []

    def rebuild(self, variants: tuple[SecretVariant, ...]) -> None:
        forms = {variant.whole for variant in variants}
        counted = {variant.whole for variant in self._registry.variants}
        self.told.append((NEW.encode() in forms, NEW.encode() in counted))


def test_who_searches_is_ready_before_a_change_counts() -> None:
    """So nobody has a value that is not searched for yet, and no answer waits for a search."""
    registry = Registry([OLD])
    searcher = Searcher(registry)
    registry.attach(searcher)
    registry.replace([NEW])
    assert searcher.told == [(False, False), (True, False)]
    assert NEW in registry


def test_who_searches_no_more_is_not_kept() -> None:
    """A stack that is made anew leaves nothing behind in the registry that it shares."""
    registry = Registry([OLD])
    searcher = Searcher(registry)
    registry.attach(searcher)
    gone = weakref.ref(searcher)
    del searcher
    gc.collect()
    assert gone() is None


def test_fingerprints_of_one_key_are_alike() -> None:
    """In every process that has it."""
    key = b"the-key-of-all-workers"
    prints = {Registry([OLD], key=key).fingerprint(OLD.encode()) for _ in range(2)}
    assert len(prints) == 1
