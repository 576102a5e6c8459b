"""The flood itself: its good requests are good, and a short one finds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.guard.flood import BytesChance, RandomChance, guards, send
from tests.guard.flooding import SAMPLES

if TYPE_CHECKING:
    from tests.guard.asking import Guarded
    from tests.guard.flooding import Sample

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def apps() -> list[Guarded]:
    """Apps behind guards of every kind."""
    return guards()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.method} {sample.target}")
def test_what_is_mutated_is_let_through_as_it_is(apps: list[Guarded], sample: Sample) -> None:
    """By the guards that declare it, on both adapters: else the mutations would say little."""
    statuses = [
        app.ask(sample.method, sample.target, headers=list(sample.fields), body=sample.body).status
        for app in apps
    ]
    assert statuses.count(200) >= len(apps) / 2
    assert set(statuses) <= {200, 404, 422}


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_random_requests_find_nothing(apps: list[Guarded]) -> None:
    """Run the module for as long as you like; this is a few of them, always the same."""
    chance = RandomChance(1)
    assert {send(chance, apps) for _ in range(1000)} >= {200, 400, 404, 405, 415, 422}


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_bytes_make_requests(apps: list[Guarded]) -> None:
    """As a fuzzer gives them, however few they are."""
    for number in range(256):
        send(BytesChance(bytes([number % 7, number, number ^ 0x55, number % 5] * 9)), apps)
    assert send(BytesChance(b""), apps) == 200
