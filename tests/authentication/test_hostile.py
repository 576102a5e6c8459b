"""Whatever a client sends as a credential is refused: nothing of it raises, or lets anyone in."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mantlet import Authenticator, Basic
from mantlet._internal.coroutines import run_sync
from mantlet.authentication.errors import InvalidCredential
from tests.authentication.asking import CHALLENGES, every_scheme, is_right, whoami
from tests.authentication.jwt.test_scheme import NO_REQUEST
from tests.drive import ADAPTERS, Adapter, both_adapters

STACKS = {
    adapter.name: (adapter, adapter.wrap(whoami, Authenticator(*every_scheme())))
    for adapter in ADAPTERS
}
NAMES = st.sampled_from(["Authorization", "X-API-Key", "Cookie"])
WORDS = st.sampled_from(
    ["Bearer", "Basic", "DPoP", "session", "=", ";", ",", " ", "\t", '"', "\\", "good", ":", "\xff"]
)
#: Of the characters that servers let through (RFC 9110, 5.5).
LETTERS = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")
VALUES = st.one_of(st.lists(WORDS, max_size=12).map("".join), st.text(LETTERS, max_size=60))


@given(NAMES, VALUES)
@example("Authorization", "Basic " + b64encode(b"\xff:\xff").decode())
@example("Authorization", "Basic " + b64encode(b"ada\x00:x").decode())
@example("Authorization", "Basic " + b64encode(b":").decode())
@example("Cookie", "session")
@example("Cookie", "session=s1\\")
@example("Cookie", 'x="; session=s1"')
def test_any_text_is_refused(name: str, value: str) -> None:
    for adapter, app in STACKS.values():
        answer = adapter.drive(app, headers=[(name, value)])
        assert answer.error is None
        valid = answer.status == 200
        assert valid == (answer.body in (b"ada by tokens", b"ada by session"))
        assert valid or answer.status in (400, 401)
        assert not valid or "good" in value or "s1" in value


@both_adapters
@pytest.mark.parametrize(
    "value",
    ["x" * 70_000, "Bearer " + "x" * 70_000, "session=" + "x" * 70_000, ";" * 60_000, " " * 60_000],
    ids=["text", "token", "session", "semicolons", "spaces"],
)
@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "Cookie"])
def test_long_values_are_refused(adapter: Adapter, name: str, value: str) -> None:
    answer = adapter.drive(STACKS[adapter.name][1], headers=[(name, value)])
    assert answer.status in (400, 401)


@both_adapters
def test_a_header_beyond_the_bounds_says_so_like_any_invalid_one(adapter: Adapter) -> None:
    headers = [("Authorization", "Bearer " + "x" * 70_000)]
    answer = adapter.drive(STACKS[adapter.name][1], headers=headers)
    assert answer.status == 401
    assert answer.get("www-authenticate") == CHALLENGES.format("")


def test_the_exception_for_a_password_has_none_that_holds_it() -> None:
    """A UnicodeDecodeError has all the bytes, also as the context of another exception."""
    credential = b64encode(b"ada:\xffpassword").decode()
    with pytest.raises(InvalidCredential) as raised:
        run_sync(Basic(is_right).verify(NO_REQUEST, credential))
    assert raised.value.__context__ is None
