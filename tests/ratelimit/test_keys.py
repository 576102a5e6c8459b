"""Whose bucket a request is taken from."""

from __future__ import annotations

import pytest

from mantlet import RateLimiter
from tests.drive import Face, both_faces, hello

SAME = [
    ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
    ("2001:db8:1:2::1", "2001:0DB8:0001:0002:0:0:0:7"),
    ("2001:db8:1:2::1%eth0", "2001:db8:1:2::2%eth1"),
    ("fe80::1%eth0", "fe80::2"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("::FFFF:c000:201", "192.0.2.1"),
    ("::ffff:192.0.2.1%eth0", "192.0.2.1"),
    ("::1", "::2"),
    (None, None),
    (None, ""),
]
DIFFERENT = [
    ("2001:db8:1:2::1", "2001:db8:1:3::1"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ("192.0.2.1", "192.0.2.2"),
    ("192.0.2.1", None),
    ("2001:db8:1:2::1", None),
    ("garbage", "other garbage"),
    ("not:an:address", "nor:this:one"),
    ("unix:", None),
    ("999.999.999.999", "999.999.999.998"),
]


def share(face: Face, one: str | None, other: str | None) -> bool:
    app = face.wrap(hello, RateLimiter("1/hour", clock=lambda: 0))
    first = face.drive(app, client=one)
    second = face.drive(app, client=other)
    assert first.error is None
    assert second.error is None
    assert first.status == 200
    return second.status == 429


@both_faces
@pytest.mark.parametrize(("one", "other"), SAME, ids=str)
def test_addresses_of_one_client_share_a_bucket(
    face: Face, one: str | None, other: str | None
) -> None:
    """An IPv6 /64 is one client, and an IPv4-mapped address is the IPv4 one."""
    assert share(face, one, other)
    assert share(face, other, one)


@both_faces
@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=str)
def test_addresses_of_two_clients_do_not_share_a_bucket(
    face: Face, one: str | None, other: str | None
) -> None:
    """Whatever a server says that is no address is still told apart."""
    assert not share(face, one, other)
    assert not share(face, other, one)


@both_faces
@pytest.mark.parametrize(
    "address",
    ["::", "%", "%eth0", ":", ":::", "1:2", "[::1]", "::ffff:", "x" * 5000, "::1%" + "z" * 5000],
    ids=lambda address: address[:12],
)
def test_no_address_makes_the_limiter_fail(face: Face, address: str) -> None:
    """Garbage is counted, neither refused nor let through uncounted."""
    assert share(face, address, address)


@both_faces
@pytest.mark.parametrize(
    "field",
    ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip", "via"],
)
def test_header_fields_that_a_client_can_write_change_nothing(face: Face, field: str) -> None:
    """Nobody gets a fresh bucket by saying where it comes from."""
    app = face.wrap(hello, RateLimiter("1/hour", clock=lambda: 0))
    answers = [
        face.drive(app, headers=[(field, f"203.0.113.{number}")]).status for number in range(3)
    ]
    assert answers == [200, 429, 429]
