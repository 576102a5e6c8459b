"""Preflights: what a browser does after the answer is what the options say (Fetch, 4.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import Cors, ErrorEnvelope, Policy, RateLimiter, Reply, Request
from tests.drive import ADAPTERS, Adapter, Answer, both_adapters, hello

APP = "https://app.example"
EVIL = "https://evil.example"


# -- A browser, as Fetch describes it --------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """A request that a script wants to send.

    Attributes:
        origin: of the script's page.
        method: the request's, as the script gives it.
        headers: the names of the headers that the script sets and that need permission, in lower
            case and sorted, as the browser asks for them.
        credentials: whether it is to have cookies.
        private: whether the server is in a private network, and the page is not.
    """

    origin: str
    method: str
    headers: tuple[str, ...] = ()
    credentials: bool = False
    private: bool = False

    def preflight(self) -> list[tuple[str, str]]:
        """Return the headers of the preflight."""
        fields = [("Origin", self.origin), ("Access-Control-Request-Method", self.method)]
        if self.headers:
            fields.append(("Access-Control-Request-Headers", ",".join(self.headers)))
        if self.private:
            fields.append(("Access-Control-Request-Private-Network", "true"))
        return fields


def passes_cors_check(answer: Answer, wanted: Wanted) -> bool:
    """Run the CORS check (Fetch, 4.9)."""
    allowed = answer.getall("access-control-allow-origin")
    if len(allowed) != 1:
        return False
    if not wanted.credentials and allowed == ["*"]:
        return True
    if allowed != [wanted.origin]:
        return False
    return not wanted.credentials or answer.getall("access-control-allow-credentials") == ["true"]


def listed(answer: Answer, name: str) -> list[str]:
    """Extract the values of a header that is a list."""
    return [one.strip() for line in answer.getall(name) for one in line.split(",") if one.strip()]


def goes_on(answer: Answer, wanted: Wanted) -> bool:
    """Return whether the browser sends the request after the preflight (Fetch, 4.8, 7 on)."""
    assert answer.status is not None
    if not (passes_cors_check(answer, wanted) and 200 <= answer.status <= 299):
        return False
    if wanted.private and answer.getall("access-control-allow-private-network") != ["true"]:
        return False
    methods = listed(answer, "access-control-allow-methods")
    headers = [one.lower() for one in listed(answer, "access-control-allow-headers")]
    any_method = "*" in methods and not wanted.credentials
    is_safelisted = wanted.method in ("GET", "HEAD", "POST")
    if not (wanted.method in methods or is_safelisted or any_method):
        return False
    if "authorization" in wanted.headers and "authorization" not in headers:
        return False
    any_header = "*" in headers and not wanted.credentials
    return all(one in headers or any_header for one in wanted.headers)


# -- What the options say --------------------------------------------------------------------------

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "patch", "PURGE"]
HEADERS = ["authorization", "content-type", "x-one", "x-two"]
ORIGINS = [APP, "https://a.example.com", "https://a.b.example.com", EVIL, "null"]

options = st.fixed_dictionaries(
    {
        "origins": st.sampled_from(
            ["*", [APP], ["https://*.example.com"], [APP, lambda one: one == EVIL]]
        ),
        "methods": st.one_of(
            st.just("*"),
            st.lists(st.sampled_from([one for one in METHODS if one.isupper()]), unique=True),
        ),
        "headers": st.one_of(
            st.just("*"),
            st.lists(
                st.sampled_from(["Authorization", "Content-Type", "X-One", "x-two", "*"]),
                unique=True,
            ),
        ),
        "credentials": st.booleans(),
        "private_network": st.booleans(),
    }
)
requests = st.builds(
    Wanted,
    origin=st.sampled_from(ORIGINS),
    method=st.sampled_from(METHODS),
    headers=st.lists(st.sampled_from(HEADERS), unique=True).map(sorted).map(tuple),
    credentials=st.booleans(),
    private=st.booleans(),
)


def is_meant(chosen: dict[str, Any], wanted: Wanted) -> bool:
    """Return whether the options allow a request, in plain words."""
    if chosen["origins"] == "*":
        of_us = True
    elif chosen["origins"] == [APP]:
        of_us = wanted.origin == APP
    elif len(chosen["origins"]) == 1:
        of_us = wanted.origin == "https://a.example.com"
    else:
        of_us = wanted.origin in (APP, EVIL)
    names = {one.lower() for one in chosen["headers"]}
    return (
        of_us
        and (chosen["credentials"] or not wanted.credentials)
        and (chosen["private_network"] or not wanted.private)
        and ("*" in chosen["methods"] or wanted.method in chosen["methods"])
        and all(one in names or ("*" in names and one != "authorization") for one in wanted.headers)
    )


@given(options, requests)
def test_a_browser_goes_on_where_the_options_say_so(chosen: dict[str, Any], wanted: Wanted) -> None:
    """And only there: a model of Fetch reads the answers."""
    is_wild = "*" in (chosen["origins"], chosen["methods"]) or "*" in chosen["headers"]
    if chosen["credentials"] and is_wild:
        with pytest.raises(ValueError, match="credentials=True"):
            Cors(**chosen)
        return
    policy = Cors(**chosen)
    found = []
    for adapter in ADAPTERS:
        app = adapter.wrap(hello, policy)
        answer = adapter.drive(app, "OPTIONS", headers=wanted.preflight())
        found.append(goes_on(answer, wanted))
        assert answer.status in (204, 403)
        assert (answer.body == b"") == (answer.status == 204)
        cors = [name for name in answer.names if name.startswith("access-control-")]
        assert bool(cors) == (answer.status == 204)
        assert answer.get("vary") is not None
    assert found == [is_meant(chosen, wanted)] * 2


# -- The answers -----------------------------------------------------------------------------------

PREFLIGHT = Wanted(APP, "PUT", ("content-type", "x-one"))
POLICY = Cors(origins=[APP], methods=["PUT"], headers=["Content-Type", "X-One"], max_age=60)


@both_adapters
def test_the_whole_answer(adapter: Adapter) -> None:
    """Without a body, and with nothing that the app has."""
    answer = adapter.drive(adapter.wrap(hello, POLICY), "OPTIONS", headers=PREFLIGHT.preflight())
    assert answer.status == 204
    assert {name.lower(): value for name, value in answer.headers} == {
        "access-control-allow-origin": APP,
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "Content-Type, X-One",
        "access-control-max-age": "60",
        "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, "
        "Access-Control-Request-Private-Network",
    }


@both_adapters
@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ([("Origin", EVIL)], "this origin"),
        ([("Origin", "null")], "this origin"),
        ([("Origin", APP), ("Origin", APP)], "this origin"),
        ([("Access-Control-Request-Method", "DELETE")], "this method"),
        ([("Access-Control-Request-Method", "put")], "this method"),
        ([("Access-Control-Request-Method", "PUT, PUT")], "this method"),
        ([("Access-Control-Request-Headers", "x-other")], "one of these headers"),
        ([("Access-Control-Request-Headers", "content-type,,x-one")], "one of these headers"),
        ([("Access-Control-Request-Headers", "content-type x-one")], "one of these headers"),
        ([("Access-Control-Request-Headers", "*")], "one of these headers"),
        ([("Access-Control-Request-Headers", "x-one," * 200)], "one of these headers"),
        ([("Access-Control-Request-Headers", "x-one," * 20_000)], "one of these headers"),
        ([("Access-Control-Request-Private-Network", "true")], "private network"),
        ([("Access-Control-Request-Private-Network", "yes")], "private network"),
    ],
)
def test_a_refused_preflight_has_no_cors_headers(
    adapter: Adapter, fields: list[tuple[str, str]], detail: str
) -> None:
    """It is a problem that says which part was not allowed, and repeats nothing of it."""
    names = {name for name, _ in fields}
    kept = [pair for pair in Wanted(APP, "PUT").preflight() if pair[0] not in names]
    app = adapter.wrap(hello, ErrorEnvelope(), POLICY)
    answer = adapter.drive(app, "OPTIONS", headers=[*kept, *fields])
    assert answer.status == 403
    assert detail in answer.json()["detail"]
    assert not [name for name in answer.names if name.startswith("access-control-")]
    assert "Access-Control-Request-Method" in (answer.get("vary") or "")


def test_authorization_has_to_be_named() -> None:
    """The asterisk does not include it."""
    wanted = Wanted(APP, "GET", ("authorization",))
    for headers, status in (("*", 403), (["*", "authorization"], 204), (["*"], 403)):
        for adapter in ADAPTERS:
            app = adapter.wrap(hello, Cors(origins="*", headers=headers))
            answer = adapter.drive(app, "OPTIONS", headers=wanted.preflight())
            assert answer.status == status
            assert goes_on(answer, wanted) is (status == 204)


class Refusing(Policy):
    """Refuses everything, as an authenticator does with requests without credentials."""

    position = 60

    def on_request(self, request: Request) -> Reply:
        return Reply(401)


@both_adapters
def test_preflights_come_before_authentication_and_limits(adapter: Adapter) -> None:
    """They have no credentials, and take no tokens."""
    app = adapter.wrap(hello, POLICY, Refusing())
    assert adapter.drive(app, "OPTIONS", headers=PREFLIGHT.preflight()).status == 204
    assert adapter.drive(app, "OPTIONS").status == 401
    limited = adapter.wrap(hello, POLICY, RateLimiter("1/hour"))
    for _ in range(3):
        assert adapter.drive(limited, "OPTIONS", headers=PREFLIGHT.preflight()).status == 204
    assert adapter.drive(limited, headers=[("Origin", APP)]).status == 200


@both_adapters
@pytest.mark.parametrize(
    ("method", "extra"),
    [
        ("OPTIONS", [("Cookie", "a=b")]),
        ("OPTIONS", [("Authorization", "Basic YTpi")]),
        ("OPTIONS", [("Content-Length", "1")]),
        ("OPTIONS", [("Transfer-Encoding", "chunked")]),
        ("OPTIONS", [("X-HTTP-Method-Override", "DELETE")]),
        ("GET", []),
        ("POST", []),
    ],
)
def test_anything_else_goes_to_the_app(
    adapter: Adapter, method: str, extra: list[tuple[str, str]]
) -> None:
    """With the CORS headers of any other response."""
    app = adapter.wrap(hello, POLICY)
    answer = adapter.drive(app, method, headers=[*PREFLIGHT.preflight(), *extra])
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.get("access-control-allow-origin") == APP
    assert answer.get("access-control-allow-methods") is None
    assert answer.get("vary") == "Origin"


@both_adapters
def test_an_options_request_without_a_method_is_the_apps(adapter: Adapter) -> None:
    """Such as those of WebDAV and of monitors."""
    app = adapter.wrap(hello, POLICY)
    assert adapter.drive(app, "OPTIONS", headers=[("Origin", APP)]).body == b"hello"
    assert adapter.drive(app, "OPTIONS").body == b"hello"
