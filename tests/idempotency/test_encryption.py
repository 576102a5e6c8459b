"""Records are encrypted at rest, if asked for."""

from __future__ import annotations

import base64
import logging
import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Reply, Secret
from mantlet.idempotency.records import (
    IN_FLIGHT,
    RESPONDED,
    RecordFormat,
    UnreadableRecord,
)
from tests.idempotency.driving import Shop, both_protocols, is_replay

if TYPE_CHECKING:
    from mantlet.testing import Protocol

OLD, NEW = os.urandom(32), os.urandom(32)


@both_protocols
def test_nothing_of_a_response_can_be_read_in_the_store(protocol: Protocol) -> None:
    """Without keys, all of it can."""
    response = Reply(201, {"Set-Cookie": "session=hunter2"}, b"card 4111111111111111")
    for keys in (None, [OLD]):
        shop = Shop(protocol, lambda *_: response, encryption_keys=keys)
        shop.pay()
        (value,) = shop.store.values
        assert (b"hunter2" in value, b"4111" in value) == (
            (True, True) if keys is None else (False, False)
        )
        repeat = shop.pay()
        assert (is_replay(repeat), repeat.body) == (True, response.body)


@both_protocols
def test_keys_are_rotated(protocol: Protocol) -> None:
    """The first one encrypts, all of them decrypt."""
    shop = Shop(protocol, encryption_keys=[OLD])
    shop.pay()
    rotated = Shop(protocol, store=shop.store, encryption_keys=[NEW, OLD])
    assert is_replay(rotated.pay())
    rotated.pay('"b"')
    renewed = Shop(protocol, store=shop.store, encryption_keys=[NEW])
    assert is_replay(renewed.pay('"b"'))
    assert renewed.pay().status == 503
    assert renewed.count == 0


@both_protocols
@pytest.mark.parametrize("keys", [[OLD], None], ids=["encrypted", "clear"])
def test_records_can_not_be_swapped(
    protocol: Protocol, keys: list[bytes] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """By someone who can write to the store; in the clear, anything can be written there."""
    shop = Shop(protocol, encryption_keys=keys)
    shop.pay('"a"')
    shop.pay('"b"')
    entries = shop.store.records._entries
    first, second = entries
    entries[first], entries[second] = entries[second], entries[first]
    with caplog.at_level(logging.WARNING, "mantlet.idempotency"):
        assert shop.pay('"a"').status == (503 if keys else 201)
    assert shop.count == 2


@both_protocols
def test_a_record_in_the_clear_is_not_believed(protocol: Protocol) -> None:
    """Once there are keys: anyone may have written it."""
    clear = Shop(protocol)
    clear.pay()
    shop = Shop(protocol, store=clear.store, encryption_keys=[OLD])
    assert shop.pay().status == 503
    encrypted = Shop(protocol, encryption_keys=[OLD])
    encrypted.pay()
    assert Shop(protocol, store=encrypted.store).pay().status == 503


@pytest.mark.parametrize(
    "key",
    [
        OLD,
        OLD.hex(),
        OLD.hex().upper(),
        base64.b64encode(OLD).decode(),
        base64.b64encode(OLD).decode() + "\n",
        base64.urlsafe_b64encode(OLD).decode(),
        Secret(OLD),
        Secret(OLD.hex()),
    ],
    ids=["bytes", "hex", "upper", "base64", "line", "urlsafe", "secret", "secret-text"],
)
def test_a_key_has_several_forms(key: object) -> None:
    """As it comes from a file, a variable of the environment or a secret."""
    written = RecordFormat([key]).write(b"key", IN_FLIGHT, bytes(16), bytes(32))
    assert RecordFormat([OLD]).read(b"key", written).kind == IN_FLIGHT


def test_an_error_shows_no_key() -> None:
    """Of an option that is not one."""
    for wrong in ("hunter2", Secret("hunter2"), b"hunter2"):
        with pytest.raises(ValueError, match=re.escape("32 random bytes")) as raised:
            RecordFormat([wrong])
        assert "hunter2" not in str(raised.value)


def test_equal_records_look_different() -> None:
    """Each has a nonce of its own."""
    written = {
        RecordFormat([OLD]).write(b"key", IN_FLIGHT, bytes(16), bytes(32)) for _ in range(100)
    }
    assert len({value[1:13] for value in written}) == 100


FORMATS = {"clear": RecordFormat(None), "encrypted": RecordFormat([NEW, OLD])}


@pytest.mark.parametrize("name", FORMATS)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_unreadable(name: str, value: bytes) -> None:
    """Nothing else is raised."""
    for one in (value, b"\x01" + value, b"\x02" + value, b"\x01R" + bytes(48) + value):
        try:
            record = FORMATS[name].read(b"key", one)
            reply = record.reply() if record.kind == RESPONDED else None
        except UnreadableRecord:
            continue
        assert name == "clear"
        assert reply is None or 200 <= reply.status <= 599


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_bit_is_noticed(place: int, change: int) -> None:
    """Anywhere in an encrypted record."""
    written = bytearray(FORMATS["encrypted"].write(b"key", IN_FLIGHT, bytes(16), bytes(32)))
    written[place % len(written)] ^= change
    with pytest.raises(UnreadableRecord):
        FORMATS["encrypted"].read(b"key", bytes(written))
