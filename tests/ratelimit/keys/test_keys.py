"""Whose bucket a request is taken from, by what it carries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import RateLimiter
from mantlet.ratelimit import keys
from mantlet.ratelimit.keys import Key, as_key, hash_if_long
from mantlet.ratelimit.keys.key import AMBIGUOUS
from tests.drive import ADAPTERS, CLIENT, Adapter, both_adapters
from tests.ratelimit.keys.asking import ask, hashed, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request

ASGI, WSGI = ADAPTERS


async def waits(request: Request) -> str:
    """Return a key after having waited for it."""
    return f"waited {request.method}"


def never(request: Request) -> str:
    """Fail where nobody should have asked."""
    raise AssertionError("this key is not to be asked")


# -- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "alice", "2001:db8::/64", "a b", "~" * 64, "a#", "ambiguous"])
def test_a_short_plain_text_stays_as_it_is(text: str) -> None:
    """Whoever looks at a store can read it."""
    assert hash_if_long(text) == text


@pytest.mark.parametrize(
    "text",
    ["x" * 65, "x" * 10**6, "#", AMBIGUOUS, hashed("x"), "\n", "\x7f", "\xe9", "\u2028", "\ud800"],
    ids=lambda text: ascii(text[:12]),
)
def test_any_other_text_is_hashed(text: str) -> None:
    """It takes little memory, and nobody can choose one that another's is hashed to."""
    key = hash_if_long(text)
    assert len(key) == 33
    assert key.startswith("#")
    assert key not in (text, AMBIGUOUS)
    assert key.isascii()


@given(st.text(), st.text())
def test_different_texts_have_different_keys(one: str, other: str) -> None:
    """Also hashed ones, and a text that looks like what another is hashed to."""
    assert (hash_if_long(one) == hash_if_long(other)) == (one == other)
    assert hash_if_long(hash_if_long("#" + one)) != hash_if_long("#" + one)


# -- composites -----------------------------------------------------------------------------------


def of(*texts: str) -> Key:
    """Return a composite whose parts have these texts."""
    first, *others = map(saying, texts)
    for other in others:
        first = first & other
    return first


def saying(text: str) -> Key:
    """Return a key that has this text."""
    return Key(lambda _request: text, repr(text))


short = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=6)
digits = st.text("0123456789:#", max_size=4)


@given(st.lists(short | digits, min_size=2, max_size=4), st.lists(digits, min_size=2, max_size=4))
def test_no_two_composites_have_the_same_key(one: list[str], other: list[str]) -> None:
    """Whatever marks a client puts into its part."""
    found = [key_of(ASGI, of(*texts)) for texts in (one, other)]
    assert (found[0] == found[1]) == (one == other)


@both_adapters
def test_a_composite_tells_where_its_parts_end(adapter: Adapter) -> None:
    """("a", "bc") is not ("ab", "c"), nor is it what a client could write for it."""
    assert ask(adapter, of("a", "bc")) == "1:a2:bc"
    assert ask(adapter, of("ab", "c")) == "2:ab1:c"
    assert ask(adapter, of("a2:b", "c")) == "4:a2:b1:c"


@both_adapters
def test_a_composite_of_composites_is_flat(adapter: Adapter) -> None:
    """How they are bracketed makes no difference."""
    a, b, c, d = map(keys.constant, "abcd")
    for key in ((a & b) & (c & d), a & (b & (c & d)), ((a & b) & c) & d):
        assert ask(adapter, key) == "1:a1:b1:c1:d"
        assert len(key.parts) == 4
    assert a.parts == (a,)


@both_adapters
@pytest.mark.parametrize(
    "make",
    [
        lambda: keys.constant("a") & (lambda _request: None) & never,
        lambda: keys.header("x-missing") & never,
        lambda: keys.json("x") & never,
        lambda: keys.constant("a") & keys.json("x") & never,
        lambda: keys.json("x") & keys.constant("a"),
    ],
)
def test_a_composite_is_none_where_a_part_is(adapter: Adapter, make: Callable[[], Key]) -> None:
    """And what stands behind that part is not asked."""
    assert ask(adapter, make()) is None


@both_adapters
def test_parts_may_wait_or_not_in_any_order(adapter: Adapter) -> None:
    """The texts are in the order of the parts."""
    a = keys.constant("a")
    assert ask(adapter, a & waits & keys.constant("b")) == "1:a10:waited GET1:b"
    assert ask(adapter, waits & a) == "10:waited GET1:a"
    assert ask(adapter, waits & a & waits) == "10:waited GET1:a10:waited GET"


@both_adapters
def test_a_composite_waits_only_if_a_part_does(adapter: Adapter) -> None:
    """Its text is there at once."""
    assert (
        key_of(adapter, keys.client_address() & keys.constant("a")) == f"{len(CLIENT)}:{CLIENT}1:a"
    )


@both_adapters
@pytest.mark.parametrize("kind", ["plain", "waiting"])
def test_a_function_of_ones_own_is_bounded(adapter: Adapter, kind: str) -> None:
    """What it returns may come from the client."""
    long = "x" * 1000

    def plain(request: Request) -> str:
        return long

    async def waiting(request: Request) -> str:
        return long

    function = plain if kind == "plain" else waiting
    assert ask(adapter, as_key(function)) == hashed(long)
    assert ask(adapter, keys.constant("a") & function) == f"1:a33:{hashed(long)}"
    assert ask(adapter, function & keys.constant("a")) == f"33:{hashed(long)}1:a"


@pytest.mark.parametrize("value", [5, b"x", ["a"], 1.5], ids=repr)
def test_a_function_that_returns_no_text_is_a_type_error_that_names_it(value: Any) -> None:
    """Also one that is awaited."""

    def plain(request: Request) -> Any:
        return value

    async def waiting(request: Request) -> Any:
        return value

    with pytest.raises(TypeError, match="plain must return text or None") as refused:
        key_of(WSGI, as_key(plain))
    assert type(value).__name__ in str(refused.value)
    found = as_key(waiting)(None)  # type: ignore[arg-type]  # it does not look at it
    with pytest.raises(TypeError, match="waiting must return text or None"):
        asyncio.run(found)  # type: ignore[arg-type]  # a coroutine


def test_a_function_may_be_any_callable_and_return_none() -> None:
    """None means that the request is not limited."""

    class Nobody:
        def __call__(self, request: Request) -> None:
            return None

        def __repr__(self) -> str:
            return "Nobody()"

    async def nobody(request: Request) -> None:
        return None

    for adapter in ADAPTERS:
        assert ask(adapter, as_key(Nobody())) is None
        assert ask(adapter, as_key(nobody)) is None
        assert ask(adapter, nobody & keys.constant("a")) is None
    assert repr(as_key(Nobody())) == "Nobody()"


@pytest.mark.parametrize("value", [5, "x", None], ids=repr)
def test_what_is_no_function_is_a_type_error(value: Any) -> None:
    """At construction, on either side."""
    for make in (
        lambda: as_key(value),
        lambda: keys.constant() & value,
        lambda: value & keys.constant(),
    ):
        with pytest.raises(TypeError, match="a key must be a function of the request") as refused:
            make()
        assert repr(value) in str(refused.value)


@pytest.mark.parametrize("name", ["client_address", "identity", "header", "field", "constant"])
def test_a_key_without_its_call_is_a_type_error_that_shows_the_call(name: str) -> None:
    """At construction: with each request it would be too late."""
    with pytest.raises(TypeError, match=rf"and is not one: write key=keys\.{name}\(\.\.\.\)$"):
        RateLimiter("5/hour", key=getattr(keys, name))


def test_a_key_stays_itself() -> None:
    """There is nothing to add to it."""
    key = keys.client_address()
    assert as_key(key) is key


def test_a_repr_says_what_a_key_is() -> None:
    """As it would be written, options with their defaults left out."""
    assert repr(keys.client_address() & keys.form("username")) == (
        "client_address() & form('username')"
    )
    assert repr(keys.constant() & waits) == "constant('global') & waits"
    assert repr(waits & keys.cookie("a")) == "waits & cookie('a')"
    assert repr(keys.header("X-API-Key")) == "header('X-API-Key')"
    assert repr(keys.path_parameter("kind")) == "path_parameter('kind')"
    assert repr(keys.bearer_subject()) == "bearer_subject()"
    assert repr(keys.bearer_subject(verify=str)) == "bearer_subject(verify=str)"
    assert repr(keys.json("/a/b", 1024, normalize=None)) == (
        "json('/a/b', limit=1024, normalize=None)"
    )


# -- constants and parameters of the path ---------------------------------------------------------


@both_adapters
def test_a_constant_is_one_bucket_for_all(adapter: Adapter) -> None:
    """Whoever asks."""
    assert ask(adapter, keys.constant(), client="192.0.2.1") == "global"
    assert ask(adapter, keys.constant("uploads"), client="192.0.2.2") == "uploads"


@both_adapters
@pytest.mark.parametrize(
    ("route", "key"),
    [
        ({"kind": "csv"}, "csv"),
        ({"kind": "CSV", "other": "x"}, "CSV"),
        ({"kind": "x" * 5000}, hashed("x" * 5000)),
        ({"kind": "\xe9"}, hashed("\xe9")),
        ({"other": "x"}, None),
        ({}, None),
        (None, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_parameter_of_the_path_is_what_the_rule_has_found(
    adapter: Adapter, route: dict[str, str] | None, key: str | None
) -> None:
    """None where no rule with that parameter has matched."""
    assert ask(adapter, keys.path_parameter("kind"), route=route) == key


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [keys.header, keys.cookie, keys.path_parameter, keys.constant])
@pytest.mark.parametrize("value", [5, b"x", ["a"]], ids=repr)
def test_a_name_that_is_no_text_is_a_type_error(make: Callable[[Any], Key], value: Any) -> None:
    """The message shows one that is right."""
    with pytest.raises(TypeError, match="must be text such as") as refused:
        make(value)
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize("make", [keys.header, keys.cookie, keys.path_parameter, keys.constant])
@pytest.mark.parametrize("value", ["", "a\nb", "\x00"], ids=repr)
def test_an_unprintable_name_is_a_value_error(make: Callable[[str], Key], value: str) -> None:
    """No request could ever have it."""
    with pytest.raises(ValueError, match="must be") as refused:
        make(value)
    assert repr(value) in str(refused.value)
