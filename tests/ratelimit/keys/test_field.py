"""The key that finds a field wherever an app could read it."""

from __future__ import annotations

from typing import Any

import pytest

from mantlet import RateLimiter, Rule
from mantlet.ratelimit import keys
from mantlet.ratelimit.keys import hash_if_long
from mantlet.ratelimit.keys.key import AMBIGUOUS, MISSING
from tests.drive import Adapter, AsgiAdapter, both_adapters, hello
from tests.ratelimit.keys.asking import ask
from tests.ratelimit.keys.test_body_keys import MULTIPART, OTHER, URLENCODED, multipart, part

JSON = "application/json"


def with_query(adapter: Adapter, query: str) -> dict[str, Any]:
    """Return the options of a request that has a query."""
    if isinstance(adapter, AsgiAdapter):
        return {"scope": {"query_string": query.encode("latin-1")}}
    return {"environ": {"QUERY_STRING": query}}


def ask_field(
    adapter: Adapter,
    body: bytes = b"",
    kind: str = "",
    *,
    query: str = "",
    name: str = "username",
    **options: Any,
) -> str | None:
    """Return the key of a field."""
    headers = [("Content-Type", kind)] if kind else []
    return ask(
        adapter,
        keys.field(name, **options),
        method="POST",
        headers=headers,
        body=body,
        **with_query(adapter, query),
    )


@both_adapters
@pytest.mark.parametrize(
    ("body", "kind", "query"),
    [
        (b"username=Alice+&x=y", URLENCODED, ""),
        (multipart(part("x", OTHER), part("alice")), MULTIPART, ""),
        (b'{"username": "ALICE", "x": 1}', JSON, ""),
        (b'{"username": "alice"}', "application/vnd.api+json", ""),
        (b'{"username": "alice"}', "", ""),
        (b'{"username":"alice"}', "text/plain;charset=UTF-8", ""),
        (b'{"username":"alice"}', URLENCODED, ""),
        (b"", "", "x=%&user%6eame=alice&y"),
        (b"", URLENCODED, "?&&username=%41lice"),
        # In two places, but the same account.
        (b"username=alice", URLENCODED, "username=ALICE"),
        (b'{"username": "alice"}', JSON, "username=alice"),
    ],
    ids=repr,
)
def test_the_field_is_found_wherever_it_is(
    adapter: Adapter, body: bytes, kind: str, query: str
) -> None:
    """Moving it from one place to another does not make it another account."""
    assert ask_field(adapter, body, kind, query=query) == "alice"


@both_adapters
@pytest.mark.parametrize(
    ("body", "kind", "query"),
    [
        # In several places, and the app may take either.
        (b"username=bob", URLENCODED, "username=alice"),
        (b'{"username": "bob"}', JSON, "username=alice"),
        (b'{"username":"bob","x":"&username=alice&"}', JSON, ""),
        (multipart(part("bob"), part("&username=alice&", OTHER)), MULTIPART, ""),
        (b"", "", "username=alice&username=alice"),
        (b"", "", "username=alice&user%6Eame=bob"),
        # In a body of unknown kind.
        (b"username=alice", "", ""),
        (b"username=alice", "text/plain", ""),
        (b"username=alice", JSON, ""),
        (b"username=alice", "*/*", ""),
        (b"<username>alice</username>", "application/xml", ""),
        (b"\x81\xa8username\xa5alice", "application/x-msgpack", ""),
        (b'{"username": "alice"}', "application/json; charset=utf-7", ""),
        (b'{"username": "alice"}', f"{JSON}, {URLENCODED}", ""),
        # Unreadable where it is.
        (b"username=%FF", URLENCODED, ""),
        (b"username=a&username=a", URLENCODED, ""),
        (b'{"username": ["alice"]}', JSON, ""),
        (b"", "", "username=%FF"),
        (b"", "text/plain; charset=utf-7", "username=%2BAGE-lice"),
        (b"", "*/*", "username=alice"),
        (b"", "", "username=%00"),
        (b"", "", "username=a%"),
        (b"", "", "username=\xe9"),
        (b"", "", "x=y;username=alice"),
        (b"", "", "username=alice;x=y"),
    ],
    ids=repr,
)
def test_what_may_be_read_as_another_account_has_the_key_of_all_such(
    adapter: Adapter, body: bytes, kind: str, query: str
) -> None:
    """Nobody gets a bucket of their own by it, nor none at all."""
    assert ask_field(adapter, body, kind, query=query) == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize(
    ("body", "kind", "query"),
    [
        (b"", "", ""),
        (b"", URLENCODED, "x=%FF;y"),
        (b"user=alice", URLENCODED, ""),
        # Names that no Python framework takes for it.
        (b"Username=alice&username[]=a&username.x=b&xusername=c", URLENCODED, "USERNAME=a"),
        (b"", "", "username%5B%5D=alice&?username=x&username.0=y"),
        (b'{"Username": "alice", "user": {"username": "alice"}}', JSON, ""),
        (b'{"username": null}', JSON, ""),
        (b'[{"username": "alice"}]', JSON, ""),
        (b"{}", JSON, ""),
        (multipart(part("alice", OTHER)), MULTIPART, ""),
    ],
    ids=repr,
)
def test_a_request_without_the_field_shares_a_bucket_by_option(
    adapter: Adapter, body: bytes, kind: str, query: str
) -> None:
    """Else it is not limited."""
    assert ask_field(adapter, body, kind, query=query) is None
    assert ask_field(adapter, body, kind, query=query, missing="share") == MISSING


@both_adapters
def test_a_pointer_names_the_member_in_json(adapter: Adapter) -> None:
    """RFC 6901; a form has the plain name."""
    body = b'{"user": {"name": "alice"}, "username": "bob"}'
    assert ask_field(adapter, body, JSON, pointer="/user/name") == "alice"
    assert ask_field(adapter, b"username=bob", URLENCODED, pointer="/user/name") == "bob"
    assert ask_field(adapter, b'{"a.b": "x"}', JSON, name="a.b") == "x"
    assert ask_field(adapter, b"", "", query="a.b=x&a%2Eb=x", name="a.b") == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize("name", ["e mail", "Na\u00efve", "a[b]", "a.b*c", "\u540d"])
def test_a_name_is_found_in_every_spelling(adapter: Adapter, name: str) -> None:
    """Percent-encoded or not, in upper and in lower case, and with a plus for a space."""
    octets = name.encode()
    upper = "".join(f"%{octet:02X}" for octet in octets)
    lower = "".join(f"%{octet:02x}" for octet in octets)
    plus = upper.replace("%20", "+")
    for spelled in (upper, lower, plus):
        assert ask_field(adapter, query=f"x=y&{spelled}=1", name=name) == "1"
        assert ask_field(adapter, f"{spelled}=1".encode(), URLENCODED, name=name) == "1"
        assert ask_field(adapter, f"x&{spelled}=1".encode(), JSON, name=name) == AMBIGUOUS


@both_adapters
def test_spellings_of_an_account_are_one_unless_it_is_said_otherwise(adapter: Adapter) -> None:
    """Case, white space and compatibility; accents by a function."""
    accented = "\u212bl\u00edce".encode()
    quoted = "".join(f"%{octet:02X}" for octet in accented)
    assert ask_field(adapter, query=f"username={quoted}") == hash_if_long("\xe5l\xedce")

    def plain(text: str) -> str:
        return text.encode("ascii", "ignore").decode()

    assert ask_field(adapter, query=f"username={quoted}", normalize=plain) == "lce"
    assert ask_field(adapter, query="username=+A+", normalize=None) == " A "
    # It is normalized before places are compared.
    body = b"username=b-1"
    options: dict[str, Any] = {"normalize": lambda text: text[:1], "query": "username=b-2"}
    assert ask_field(adapter, body, URLENCODED, **options) == "b"


@both_adapters
def test_a_body_above_the_limit_is_refused_and_a_compressed_one_ambiguous(
    adapter: Adapter,
) -> None:
    """As for the other keys in bodies."""
    limiter = RateLimiter("1/minute", key=keys.field("username", 10))
    answer = adapter.drive(adapter.wrap(hello, limiter), "POST", body=b"x" * 11)
    assert answer.status == 413
    headers = [("Content-Encoding", "gzip"), ("Content-Type", JSON)]
    key = keys.field("username")
    assert ask(adapter, key, method="POST", headers=headers, body=b"{}") == AMBIGUOUS


@both_adapters
def test_the_login_rule_cannot_be_dodged(adapter: Adapter) -> None:
    """Wherever the name goes, a client has few guesses for one account."""
    limiter = RateLimiter(
        rules=[Rule("POST /login", "3/hour", key=keys.field("username", missing="share"))],
        clock=lambda: 0,
    )
    app = adapter.wrap(hello, limiter)
    ways: list[tuple[bytes, str, str]] = [
        (b"username=alice", URLENCODED, ""),
        (b'{"username": "alice"}', JSON, ""),
        (multipart(part("alice")), MULTIPART, ""),
        (b"", "", "username=alice"),
        (b"username=alice", "*/*", ""),
        (b"username=alice", f"text/plain, {URLENCODED}", ""),
        (b"username=alice", "", ""),
        (b'/**/{"username": "alice"}', JSON, ""),
        (b"+AHs-", "application/json; charset=utf-7", ""),
        (b"", "", ""),
        (b"x=y", URLENCODED, ""),
    ]
    passed = 0
    for round_ in range(10):
        for body, kind, query in ways:
            headers = [("Content-Type", kind)] if kind else []
            if round_ % 2:
                headers.append(("X-Forwarded-For", f"192.0.2.{round_}"))
            answer = adapter.drive(
                app, "POST", "/login", headers=headers, body=body, **with_query(adapter, query)
            )
            passed += answer.status == 200
    # Three each: for the account, for what is ambiguous, and for what has no name.
    assert passed == 9


def test_a_key_shows_its_options() -> None:
    """As the code that makes it."""
    assert repr(keys.field("username")) == "field('username')"
    made = keys.field("username", 10, pointer="/a", missing="share", normalize=None)
    assert repr(made) == (
        "field('username', pointer='/a', limit=10, missing='share', normalize=None)"
    )
    assert repr(keys.form("a", missing="share")) == "form('a', missing='share')"


def test_a_limiter_is_asked_by_hand_for_what_shares_a_bucket() -> None:
    """The keys that requests share are given as they are."""
    limiter = RateLimiter("1/hour", key=keys.field("username", missing="share"), clock=lambda: 0)
    app = AsgiAdapter().wrap(hello, limiter)
    assert AsgiAdapter().drive(app).status == 200
    assert not limiter.peek(MISSING).allowed
    assert limiter.peek(AMBIGUOUS).allowed


@pytest.mark.parametrize("pointer", ["/a~", "/~2"])
def test_a_malformed_pointer_is_an_error(pointer: str) -> None:
    """At construction."""
    with pytest.raises(ValueError, match="JSON Pointer such as"):
        keys.field("username", pointer=pointer)
    with pytest.raises(TypeError, match="pointer must be text"):
        keys.field("username", pointer=5)  # type: ignore[arg-type]  # what is tested
