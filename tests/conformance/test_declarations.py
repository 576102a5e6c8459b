"""What a policy declares saves work, and changes nothing: with declarations or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import ErrorEnvelope, Policy, Reply, Request
from mantlet.asgi.request import AsgiRequest
from mantlet.core.modes import check_mode
from mantlet.http.headers import HeaderNames
from tests.drive import Said, both_adapters, make_scope

if TYPE_CHECKING:
    from mantlet.core.response import Response

NAMES = ("X-One", "X-Two", "Content-Type", "X-Request-ID")
fields = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, "x-one", "X-Other"]), st.sampled_from(["a", "b, c", "", "é"])
    ),
    max_size=6,
)
#: What a policy does with a request: passes, replies, gives the app another header, or leaves one
#: out; and the headers that it reads and sets.
plans = st.tuples(
    st.sampled_from(["pass", "pass", "reply", "replace", "remove", "add"]),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    st.dictionaries(
        st.sampled_from(["X-Set", "X-Also", "Content-Type", "Access-Control-Allow-Origin"]),
        st.sampled_from(["1", "2", "*"]),
        max_size=2,
    ),
)
modes = st.sampled_from(["enforce", "enforce", "report", "off", "by route"])


class Declaring(Policy):
    """Declares the request headers that it reads and the response headers that it sets."""

    def __init__(self, plan: Any, mode: Any, seen: list[Any], *, declares: bool) -> None:
        self.action, names, headers = plan
        self.mode = check_mode({"GET /": "enforce", "* /*": "off"} if mode == "by route" else mode)
        self.names = HeaderNames(*names)
        self.seen = seen
        if declares:
            self.request_headers = self.names
            self.response_headers = headers
            self.own_headers: dict[str, str] = {}
        else:
            self.own_headers = headers

    def on_request(self, request: Request) -> Reply | None:
        for name, value in self.own_headers.items():
            request.add_response_header(name, value)
        found = request.declared_headers(self.names)
        self.seen.append({name: found.get(name) for name in self.names.lower.values()})
        if self.action == "replace":
            request.replace_header("X-One", "replaced")
        elif self.action == "remove":
            request.replace_header("x-two", None)
        elif self.action == "add":
            request.replace_header("X-Other", "added")
        return Reply(403, body="no") if self.action == "reply" else None

    def on_response(self, request: Request, response: Response) -> None:
        found = request.declared_headers(self.names)
        self.seen.append({name: found.get(name) for name in self.names.lower.values()})


def app(carrier: Any) -> Said:
    """Answer with a header that policies set too."""
    return 200, [("content-type", "text/plain"), ("x-set", "app")], b"hello"


@both_adapters
@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(plans, modes), min_size=1, max_size=4), fields)
def test_declarations_change_nothing(adapter: Any, stack: list[Any], sent: list[Any]) -> None:
    """The same policies, declaring what they need and not, see and give the same."""
    outcomes = []
    for declares in (True, False):
        seen: list[Any] = []
        policies = [Declaring(plan, mode, seen, declares=declares) for plan, mode in stack]
        answer = adapter.drive(adapter.wrap(app, *policies), headers=sent)
        assert answer.error is None
        outcomes.append((answer.status, answer.headers, answer.body, seen))
    assert outcomes[0] == outcomes[1]


@both_adapters
def test_declared_headers_reach_every_response(adapter: Any) -> None:
    """A policy without any hook sets its headers in the app's response and in a policy's reply."""

    class Fixed(Policy):
        def __init__(self) -> None:
            self.response_headers = {"X-Robots-Tag": "noindex"}

    class Refuses(Policy):
        def on_request(self, request: Request) -> Reply:
            return Reply(403)

    for policies in ([Fixed()], [Fixed(), Refuses()]):
        answer = adapter.drive(adapter.wrap(app, *policies))
        assert answer.get("x-robots-tag") == "noindex"


def test_a_declared_header_that_no_response_may_have_is_refused_at_once() -> None:
    """A value with a line feed (RFC 9110, 5.5)."""

    class Splits(Policy):
        def __init__(self) -> None:
            self.response_headers = {"X-Robots-Tag": "noindex\n"}

    with pytest.raises(ValueError, match="X-Robots-Tag"):
        mantlet.asgi.Stack(None, [Splits()])  # type: ignore[arg-type]  # never called


@both_adapters
def test_the_declared_headers_are_read_in_one_pass(adapter: Any) -> None:
    """Policies share one mapping; those that spell a name differently have their own."""
    seen: list[Any] = []

    class Reads(Policy):
        def __init__(self, *names: str) -> None:
            self.request_headers = HeaderNames(*names)

        def on_request(self, request: Request) -> None:
            assert self.request_headers is not None
            seen.append(request.declared_headers(self.request_headers))

    policies = [Reads("X-One"), Reads("X-Two", "X-One"), Reads("X-three"), Reads("x-Three")]
    sent = [("X-One", "1"), ("X-Two", "2"), ("X-Three", "3")]
    adapter.drive(adapter.wrap(app, *policies), headers=sent)
    assert seen[0] is seen[1]
    assert [dict(one) for one in seen[1:]] == [
        {"X-One": "1", "X-Two": "2"},
        {"X-three": "3"},
        {"x-Three": "3"},
    ]


def test_a_policy_that_is_in_no_stack_reads_its_headers_itself() -> None:
    """Its hook may be called by another policy, whose stack knows nothing of it."""
    request = AsgiRequest(
        make_scope(headers=[("X-One", "1"), ("X-Two", "2")]),
        lambda: None,  # type: ignore[arg-type,return-value]  # never called
    )
    assert request.declared_headers(HeaderNames("X-Two")) == {"X-Two": "2"}


@both_adapters
def test_a_request_id_is_seen_however_its_header_is_spelled(adapter: Any) -> None:
    """The envelope sets it after a policy further out has read the headers."""
    seen: list[str | None] = []

    class Reads(Policy):
        request_headers = HeaderNames("x-request-id")

        def on_request(self, request: Request) -> None:
            assert self.request_headers is not None
            seen.append(request.declared_headers(self.request_headers).get("x-request-id"))

    answer = adapter.drive(adapter.wrap(app, Reads(), ErrorEnvelope(), Reads()))
    assert seen == [None, answer.get("x-request-id")]
