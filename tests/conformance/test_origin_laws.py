"""The laws, for a policy that sets and removes headers of responses that others make."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import Cors, CrossOrigin, ErrorEnvelope, Hosts, OutputSanitizer, Policy, RateLimiter
from tests.drive import ADAPTERS, Answer, AsgiAdapter, Said

APP = "https://app.example"
OTHER = "https://other.example"

cors = st.builds(
    Cors,
    origins=st.sampled_from(["*", APP, [OTHER, "https://*.app.example"]]),
    methods=st.sampled_from([["GET"], ["PUT"], "*"]),
    expose=st.sampled_from([[], ["X-Total"], "*"]),
    mode=st.sampled_from(["enforce", "enforce", "report", "off"]),
)
outer = st.sampled_from([[], [ErrorEnvelope], [OutputSanitizer], [OutputSanitizer, ErrorEnvelope]])
inner = st.sampled_from(
    [
        CrossOrigin,
        lambda: Hosts(allowed=["app.example"]),
        lambda: RateLimiter("1/hour", clock=lambda: 0),
        lambda: Cors(origins=[OTHER], credentials=False),
    ]
)
own_headers = st.lists(
    st.sampled_from(
        [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-own"),
            ("vary", "accept"),
            ("vary", "Origin, cookie"),
            ("content-type", "text/plain"),
            ("retry-after", "1"),
        ]
    ),
    unique=True,
    max_size=5,
)
requests = st.tuples(
    st.sampled_from(["GET", "OPTIONS", "POST"]),
    st.lists(
        st.sampled_from(
            [
                ("Origin", APP),
                ("Access-Control-Request-Method", "PUT"),
                ("Cookie", "a=b"),
                ("Sec-Fetch-Site", "cross-site"),
            ]
        ),
        unique=True,
    ),
    st.sampled_from(["app.example", "evil.example", "APP.example"]),
)


def shown(answer: Answer) -> Any:
    """Return what a client sees, but for what differs between two exchanges."""
    headers = sorted(
        (name.lower(), value)
        for name, value in answer.headers
        if name.lower() not in ("x-request-id", "content-length")
    )
    return answer.status, headers, type(answer.error)


# Any order of those inside is tried.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Cors is inside:UserWarning")
@settings(max_examples=60, deadline=None)
@given(
    st.tuples(outer, cors, st.lists(inner, max_size=2)),
    own_headers,
    st.booleans(),
    requests,
)
def test_fused_nested_and_both_protocols_are_alike(
    layers: Any, headers: list[tuple[str, str]], fails: bool, request: Any
) -> None:
    """One response, whoever makes it, and no header of CORS twice."""

    def app(_carrier: Any) -> Said:
        if fails:
            raise LookupError("inside")
        return 200, headers, b"hello"

    outermost, policy, inward = layers
    method, fields, host = request
    seen = []
    for adapter in ADAPTERS:
        for nests in (False, True):
            policies: list[Policy] = [*(make() for make in outermost), policy]
            policies += [make() for make in inward]
            module: Any = adapter.module
            made: Any = adapter.app(app)
            if nests:
                for one in reversed(policies):
                    made = hidden(adapter, module.Stack(made, [one]))
            else:
                made = module.Stack(made, policies)
            answer = adapter.drive(made, method, headers=[("Host", host), *fields])
            for name in set(answer.names):
                if name.startswith("access-control-"):
                    assert policy.mode != "enforce" or answer.names.count(name) == 1
            seen.append(shown(answer))
    assert seen == [seen[0]] * 4


def hidden(adapter: Any, stack: Any) -> Any:
    """Return an app around a stack, which does not fuse with the next one."""
    if isinstance(adapter, AsgiAdapter):

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            await stack(scope, receive, send)

        return asgi

    def wsgi(environ: Any, start_response: Any) -> Any:
        return stack(environ, start_response)

    return wsgi
