"""Keys of what a request carries to say who sent it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.ratelimit import keys
from mantlet.ratelimit.keys.key import AMBIGUOUS
from tests.drive import ADAPTERS, Adapter, both_adapters
from tests.ratelimit.keys.asking import ask, hashed, key_of

ASGI, WSGI = ADAPTERS


def never(token: str) -> str:
    """Fail where nobody should have asked."""
    raise AssertionError("this token is not to be verified")


# -- header fields and cookies --------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("name", ["X-API-Key", "x-api-key", "User-Agent", "Content-Type"])
def test_a_header_field_is_hashed(adapter: Adapter, name: str) -> None:
    """What is kept does not open any door."""
    key = keys.header(name)
    assert ask(adapter, key, headers=[(name.swapcase(), "s3cret, \xe9")]) == hashed("s3cret, \xe9")
    assert ask(adapter, key, headers=[(name, "  s3cret\t")]) == hashed("s3cret")
    assert ask(adapter, key) is None
    assert ask(adapter, key, headers=[(name, "")]) is None
    assert ask(adapter, key, headers=[(name, " \t")]) is None


def test_a_field_that_comes_with_two_values_has_the_key_of_all_such() -> None:
    """Of these, frameworks take the first or the last, so either may be the one that counts."""
    for field, key in [
        ("x-api-key", keys.header("X-API-Key")),
        ("authorization", keys.bearer_subject()),
    ]:
        for other in ("Bearer other", "Basic Og==", ""):
            for values in (("Bearer valid", other), (other, "Bearer valid")):
                headers = [(field, value) for value in values]
                assert key_of(ASGI, key, headers) == AMBIGUOUS
        twice = [(field, "Bearer valid")] * 2
        assert key_of(ASGI, key, twice) == key_of(ASGI, key, twice[:1])
        assert key_of(WSGI, key, twice) != key_of(WSGI, key, twice[:1])  # the app sees it so too


@pytest.mark.parametrize("adapter", ADAPTERS, ids=["asgi", "wsgi"])
def test_a_header_field_may_have_an_underscore_and_a_comma(adapter: Adapter) -> None:
    """Under WSGI it can't be told from a hyphen."""
    assert ask(adapter, keys.header("X_Key"), headers=[("X_Key", "a, b")]) == hashed("a, b")


@both_adapters
@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (["sid=abc"], "abc"),
        (["a=b; sid=abc; c=d"], "abc"),
        (["a=b;sid=abc;"], "abc"),
        (["  sid = abc ; x"], "abc"),
        (['sid="abc"'], "abc"),
        (["sid=a=b=="], "a=b=="),
        (["sid=a%62c"], "abc"),
        (["sid=abc; sid=abc"], "abc"),
        (['sid=abc; sid="abc"'], "abc"),
        (['sid="'], '"'),
        (["sid="], ""),
        (["sid=\xe9"], "\xe9"),
    ],
)
def test_a_cookie_is_hashed_whatever_its_spelling(
    adapter: Adapter, lines: list[str], value: str
) -> None:
    """Quotes and percent signs are read as frameworks do."""
    headers = [("Cookie", line) for line in lines]
    assert ask(adapter, keys.cookie("sid"), headers=headers) == hashed(value)


@both_adapters
@pytest.mark.parametrize(
    "line", ["", "a=b", "sid", "; sid;", "SID=abc", "xsid=abc", "sidx=abc", "=abc", ";" * 5000]
)
def test_a_cookie_that_is_missing_is_none(adapter: Adapter, line: str) -> None:
    """Names have a case, and a cookie has an equals sign."""
    assert ask(adapter, keys.cookie("sid"), headers=[("Cookie", line)]) is None
    assert ask(adapter, keys.cookie("sid")) is None


@both_adapters
@pytest.mark.parametrize(
    "line",
    ["sid=a; sid=b", "sid=a; x=y; sid=", 'sid="\\141bc"', 'x="; sid=a; "; sid=b', 'sid="a\\"b"'],
)
def test_a_cookie_that_reads_in_two_ways_has_the_key_of_all_such(
    adapter: Adapter, line: str
) -> None:
    """Django and Starlette take the last, Werkzeug the first; some decode backslashes."""
    assert ask(adapter, keys.cookie("sid"), headers=[("Cookie", line)]) == AMBIGUOUS


def test_cookies_may_come_on_lines_of_their_own() -> None:
    """As HTTP/2 allows (RFC 9113, 8.2.3)."""
    key = keys.cookie("sid")
    lines = [("cookie", "a=b"), ("cookie", "sid=abc"), ("cookie", "c=d")]
    assert key_of(ASGI, key, lines) == hashed("abc")
    assert key_of(ASGI, key, [*lines, ("cookie", "sid=x")]) == AMBIGUOUS


# -- bearer tokens --------------------------------------------------------------------------------


def bearer(token: str) -> list[tuple[str, str]]:
    """Return a request's header fields."""
    return [("Authorization", f"Bearer {token}")]


@both_adapters
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_stands_hashed_for_its_subject(adapter: Adapter, scheme: str) -> None:
    """RFC 6750, 2.1, has this one; a scheme's name has no case (RFC 9110, 11.1)."""
    headers = [("Authorization", f"{scheme} mF_9.B5f-4.1JqM")]
    found = ask(adapter, keys.bearer_subject(), headers=headers)
    assert found == ask(adapter, keys.bearer_subject(), headers=bearer("mF_9.B5f-4.1JqM"))
    assert ask(adapter, keys.bearer_subject(), headers=bearer("opaque~+/-_==")) == (
        hashed("opaque~+/-_==")
    )
    assert found is not None
    assert len(found) == 33


@both_adapters
@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Basic YTpi", "bearerx abc", "x"])
def test_without_a_bearer_token_the_key_is_none(adapter: Adapter, value: str | None) -> None:
    """Another scheme is for another rule."""
    headers = [] if value is None else [("Authorization", value)]
    assert ask(adapter, keys.bearer_subject(), headers=headers) is None
    assert ask(adapter, keys.bearer_subject(verify=never), headers=headers) is None


@both_adapters
@pytest.mark.parametrize(
    "token", ["a b", "a,b", "a, Bearer b", "a=b", "\xe9", '"abc"', "=", "a;b", "a\tb", "{}"]
)
def test_a_malformed_token_has_the_key_of_all_such(adapter: Adapter, token: str) -> None:
    """An app may read a token out of it all the same."""
    assert ask(adapter, keys.bearer_subject(), headers=bearer(token)) == AMBIGUOUS


def spellings(signature: bytes) -> list[str]:
    """Return what all decodes to the same signature with Python's decoder."""
    text = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(text[-1])
    other = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    return [
        text,
        text + "=",
        text + "==",
        "~" + text,
        text[:5] + "~~" + text[5:],
        text[:-1] + other,
    ]


def test_all_spellings_of_a_web_token_are_one() -> None:
    """Or one valid token would make any number of buckets."""
    found = {
        key_of(ASGI, keys.bearer_subject(), bearer(f"eyJh.eyJzdWIi.{signature}"))
        for signature in spellings(b"\xff" * 32)
    }
    assert len(found) == 1
    others = {
        key_of(ASGI, keys.bearer_subject(), bearer(token))
        for token in ("eyJh.eyJzdWIi.AAAA", "eyJh.eyJzdWIj.AAAA", "eyJi.eyJzdWIi.AAAA", "a.b.c")
    }
    assert len(found | others) == 5


@both_adapters
@pytest.mark.parametrize("waiting", [False, True], ids=["def", "async def"])
@pytest.mark.parametrize(
    ("verified", "key"),
    [
        ("alice", "alice"),
        ("x" * 100, hashed("x" * 100)),
        ({"sub": "alice", "iss": "x"}, "alice"),
        ({"sub": 7}, "7"),
        ({"iss": "x"}, hashed("tok")),
        ({"sub": None}, hashed("tok")),
        (None, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_verified_token_stands_for_its_subject(
    adapter: Adapter, waiting: bool, verified: Any, key: str | None
) -> None:
    """One without a subject stands for itself, and one that is not valid for nobody."""
    asked: list[str] = []

    def verify(token: str) -> Any:
        asked.append(token)
        return verified

    async def verify_later(token: str) -> Any:
        return verify(token)

    subject = keys.bearer_subject(verify=verify_later if waiting else verify)
    assert ask(adapter, subject, headers=bearer("tok")) == key
    assert asked == ["tok"]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=["asgi", "wsgi"])
def test_what_verify_raises_is_raised_on(adapter: Adapter) -> None:
    """Its faults are not the client's, and nobody gets past them."""

    def verify(token: str) -> str:
        raise ConnectionError("the key server is away")

    with pytest.raises(ConnectionError):
        key_of(adapter, keys.bearer_subject(verify=verify), bearer("abc"))


@both_adapters
@pytest.mark.parametrize("value", [5, True, ["alice"], b"alice"], ids=repr)
def test_a_verify_that_returns_something_else_is_a_type_error(adapter: Adapter, value: Any) -> None:
    """The message does not have what it returned, which may be from the token."""

    def verify(token: str) -> Any:
        return value

    with pytest.raises(TypeError, match="verify must return") as refused:
        key_of(adapter, keys.bearer_subject(verify=verify), bearer("abc"))
    assert str(refused.value).endswith(f"not {type(value).__name__}")


# -- laws and options -----------------------------------------------------------------------------

values = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\x00\r\n"), max_size=60)
marks = st.text('sid=;"\\ %,Bearer a.~\xe9', max_size=30)


@given(value=values | marks | marks.map("Bearer ".__add__) | marks.map("sid=".__add__))
def test_no_header_field_raises_or_gets_into_a_key(value: str) -> None:
    """Each key is None, a hash, or that of all that reads in more than one way."""
    every = [keys.header("X-A"), keys.cookie("sid"), keys.bearer_subject()]
    headers = [(name, value) for name in ("X-A", "Cookie", "Authorization")]
    for adapter in ADAPTERS:
        for key in every:
            found = key_of(adapter, key, headers)
            assert found in (None, AMBIGUOUS) or (len(found) == 33 and found[0] == "#")


@pytest.mark.parametrize("name", ["x y", "x:", "\xe9"])
def test_a_header_field_that_cannot_be_is_a_value_error(name: str) -> None:
    """RFC 9110, 5.6.2."""
    with pytest.raises(ValueError, match="token") as refused:
        keys.header(name)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("name", ["a b", "a=b", "a;b", "\xe9"])
def test_a_cookie_that_cannot_be_is_a_value_error(name: str) -> None:
    """RFC 6265, 4.1.1: a cookie's name is a token."""
    with pytest.raises(ValueError, match="token") as refused:
        keys.cookie(name)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("value", ["verify", 5, {"sub": "x"}], ids=repr)
def test_a_verify_that_is_no_function_is_a_type_error(value: Any) -> None:
    """At construction."""
    with pytest.raises(TypeError, match="verify must be a function") as refused:
        keys.bearer_subject(verify=value)
    assert repr(value) in str(refused.value)


# -- bounds ---------------------------------------------------------------------------------------


@both_adapters
def test_a_cookie_with_many_escapes_has_the_key_of_all_ambiguous_requests(adapter: Adapter) -> None:
    """No session id has them, and each takes time."""
    key = keys.cookie("session")
    assert key_of(adapter, key, [("Cookie", "session=" + "%41" * 256)]) == hashed("A" * 256)
    assert key_of(adapter, key, [("Cookie", "session=" + "%41" * 257)]) == AMBIGUOUS
    assert key_of(adapter, key, [("Cookie", "other=" + "%41" * 257 + "; session=a")]) == hashed("a")


@both_adapters
def test_a_token_with_more_parts_than_any_json_web_token_is_taken_as_it_is(
    adapter: Adapter,
) -> None:
    """Only these have spellings that are decoded alike."""
    key = keys.bearer_subject()
    for parts, alike in ((3, True), (5, True), (6, False)):
        token = ".".join(["QUI"] * parts)
        first, second = (
            key_of(adapter, key, [("Authorization", f"Bearer {text}")])
            for text in (token, token + "~")
        )
        assert (first == second) is alike
