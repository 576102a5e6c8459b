"""A request is read as if it were the first one, whichever requests came before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mantlet
from mantlet import Version, Versions
from mantlet.versions import header, media_type, path, query
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

VERSIONS = {"1": Version(), "2": Version(), "3": Version(sunset="2020-01-01")}
READ: Any = [
    path("/v{version}"),
    path("/api/{version}"),
    header("API-Version"),
    media_type("version"),
    query("version"),
]


def make(**options: Any) -> Versions:
    """Return a policy that has seen no request."""
    return Versions(VERSIONS, **{"read": READ, "neutral": ["* /health"], "default": "2", **options})


def told(carrier: MutableMapping[str, Any]) -> Said:
    """Answer with the version, and with the headers that the app gets."""
    state = mantlet.state(carrier)
    names = [name for name, _ in carrier["headers"]] if "headers" in carrier else []
    text = f"{getattr(state, 'version', None)} {sorted(set(names))}"
    return 200, [("content-type", "text/plain")], text.encode()


#: Path, query, headers.
Sent = tuple[str, str, list[tuple[str, str]]]


def ask(adapter: Adapter, policy: Versions, sent: Sent) -> tuple[Any, bytes]:
    """Send a request; return the status and the body."""
    where, asked, fields = sent
    extra: dict[str, Any] = (
        {"scope": {"query_string": asked.encode(), "raw_path": where.encode()}}
        if adapter.name == "asgi"
        else {"environ": {"QUERY_STRING": asked}}
    )
    answer = adapter.drive(adapter.wrap(told, policy), "GET", where, headers=fields, **extra)
    return answer.status, answer.body


paths = st.lists(
    st.sampled_from(["/", "//", "v1", "v2", "V1", "v3", "api", "api/", "/api/1", "1", "2", "/.."]),
    max_size=5,
).map(lambda parts: "/" + "".join(parts))
queries = st.sampled_from(
    ["", "a=1", "version=1", "version=2", "%76ersion=1", "version=1&version=2"]
)
fields = st.lists(
    st.sampled_from(
        [
            *(("API-Version", one) for one in ("1", "2", "9", " 1", "1, 2")),
            *(("API_Version", "1"), ("Accept", "*/*"), ("Accept", "a/b;version=1")),
            *(("Accept", "a/b;version=9"), ("Content-Type", "a/b;version=1"), ("Content-Type", "")),
            ("Content-Type", "a/b;version=2"),
        ]
    ),
    max_size=3,
)
SEEN = {name: make() for name in ("asgi", "wsgi")}


@both_adapters
@given(sent=st.lists(st.tuples(paths | st.just("/health"), queries, fields), max_size=4))
def test_requests_in_any_order(adapter: Adapter, sent: list[Sent]) -> None:
    """Get the response that they would get from a policy that has seen none before."""
    for one in sent:
        for _ in range(2):
            assert ask(adapter, SEEN[adapter.name], one) == ask(adapter, make(), one)


@both_adapters
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # The same beginning, but for a reading that leads elsewhere:
        (("/api/", "", []), ("/api//1", "", []), 400),
        (("/v2/x", "", []), ("/v2/../v1", "", []), 400),
        (("/x", "", []), ("/x/../v1", "", []), 400),
        # The same value in another place:
        (
            ("/x", "", [("Accept", "a/b;version=9")]),
            ("/x", "", [("Content-Type", "a/b;version=9")]),
            415,
        ),
        (("/x", "", [("API-Version", "1")]), ("/x", "1", []), 200),
        (("/x", "version=9", []), ("/x", "version=1", []), 200),
    ],
    ids=range(6),
)
def test_a_request_like_another(adapter: Adapter, first: Sent, second: Sent, expected: int) -> None:
    """Is not taken for that one."""
    policy = make()
    ask(adapter, policy, first)
    assert ask(adapter, policy, second)[0] == expected
    assert ask(adapter, policy, first) == ask(adapter, make(), first)


@both_adapters
def test_outcomes_are_bounded(adapter: Adapter) -> None:
    """So many that a client can send are not kept, and long ones never."""
    policy = make()
    for number in range(600):
        ask(adapter, policy, ("/x", "", [("Accept", f"a/b{number}")]))
        ask(adapter, policy, ("/x", "", [("API-Version", str(number + 4))]))
        assert len(policy._table.outcomes) <= 512
    before = list(policy._table.outcomes)
    ask(adapter, policy, ("/x", "", [("Accept", "a" * 300)]))
    ask(adapter, policy, ("/v" + "x" * 300, "", []))
    ask(adapter, policy, ("/x", "version=1&" + "x" * 300, []))
    assert list(policy._table.outcomes) == before


@both_adapters
def test_places_without_a_version(adapter: Adapter) -> None:
    """Are all alike."""
    policy = make()
    for number in range(20):
        ask(adapter, policy, (f"/items{number}", f"page={number}", []))
    assert len(policy._table.outcomes) == 1


@both_adapters
def test_many_headers(adapter: Adapter) -> None:
    """Count each, however many are read."""
    policy = make(read=[header("X-My-Version"), header("Other-Version"), media_type("version")])
    for fields, expected in (
        ([], 2),
        ([("X-My-Version", "1")], 1),
        ([("Other-Version", "1")], 1),
        ([("Accept", "a/b;version=1")], 1),
        ([("Content-Type", "a/b;version=1")], 1),
        ([("Other-Version", "1"), ("Content-Type", "a/b;version=1")], 1),
    ):
        for _ in range(2):
            status, body = ask(adapter, policy, ("/x", "", fields))
            assert (status, body[:1]) == (200, str(expected).encode())
