"""Credentials that a document requires: there, in form, and good by the app's word."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from typing import TYPE_CHECKING, Annotated, Any

import fastapi
import pytest
from fastapi.security import APIKeyQuery, HTTPBearer
from fastapi.testclient import TestClient

import mantlet
from mantlet import ErrorEnvelope, Problem
from mantlet.guard import SchemaGuard
from tests.drive import Adapter, AsgiAdapter, both_adapters
from tests.guard.asking import JSON, Guarded, faults
from tests.guard.openapi.documents import api, json_body, parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet.core.request import Request
    from mantlet.guard.credentials import Credential

SCHEMES: dict[str, Any] = {
    "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
    "basic": {"type": "http", "scheme": "Basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "digest": {"type": "http", "scheme": "digest"},
    "oauth": {"type": "oauth2", "flows": {"password": {
        "tokenUrl": "https://a.test/", "scopes": {"read": ""}}}},
    "openid": {"type": "openIdConnect", "openIdConnectUrl": "https://a.test/"},
    "tls": {"type": "mutualTLS"},
}  # fmt: skip
SECRET = "s3cr3t-Value.1"
BASIC = b64encode(f"ada:{SECRET}".encode()).decode()


def secured(*requirements: Any, **operation: Any) -> dict[str, Any]:
    """Return a document of ``GET /a`` with security requirements."""
    return api(
        target="GET /a",
        security=list(requirements),
        more={"components": {"securitySchemes": SCHEMES}},
        **operation,
    )


class Checking:
    """Callables that say what is good, and keep what they were given."""

    def __init__(self, good: bool = True) -> None:
        self.good = good
        self.seen: list[Credential] = []

    def __call__(self, request: Request, credential: Credential) -> bool:
        self.seen.append(credential)
        return self.good


def asked(adapter: Adapter, name: str, checker: Any = None, target: str = "/a", **more: Any) -> Any:
    """Ask an operation that requires one scheme."""
    app = Guarded(adapter, openapi=secured({name: []}), security={name: checker or Checking()})
    return app.ask("GET", target, **more)


SHOWN: list[tuple[str, str, Any, str]] = [
    ("header", "/a", [("x-key", SECRET)], SECRET),
    ("query", f"/a?key={SECRET}", [], SECRET),
    ("query", "/a?key=a%20b", [], "a b"),
    ("cookie", "/a", [("Cookie", f"a=1; sid={SECRET}; b=2")], SECRET),
    ("basic", "/a", [("Authorization", f"Basic {BASIC}")], f"ada:{SECRET}"),
    ("basic", "/a", [("Authorization", f"bAsIc  {BASIC} ")], f"ada:{SECRET}"),
    ("bearer", "/a", [("Authorization", f"Bearer {SECRET}")], SECRET),
    ("bearer", "/a", [("Authorization", "Bearer abc==")], "abc=="),
    ("digest", "/a", [("Authorization", 'Digest username="x", uri="/a"')],
     'username="x", uri="/a"'),
    ("oauth", "/a", [("Authorization", f"Bearer {SECRET}")], SECRET),
    ("openid", "/a", [("Authorization", f"Bearer {SECRET}")], SECRET),
    ("tls", "/a", [], ""),
]  # fmt: skip


@both_adapters
@pytest.mark.parametrize(("name", "target", "headers", "value"), SHOWN)
def test_a_credential_is_found_and_handed_to_the_callable(
    adapter: Adapter, name: str, target: str, headers: Any, value: str
) -> None:
    """Of each kind of scheme, in each place; what is good passes, and what is not is a 401."""
    checking = Checking()
    assert asked(adapter, name, checking, target, headers=headers).status == 200
    ((scheme, shown, scopes),) = [(one.scheme, one.value, one.scopes) for one in checking.seen]
    assert (scheme, shown, scopes) == (name, value, ())
    refused = asked(adapter, name, Checking(good=False), target, headers=headers)
    assert refused.status == 401
    assert [code for _, _, code in faults(refused)] == ["refused_credential"]
    assert value == "" or value not in refused.text()


MISSING: list[tuple[str, str, Any]] = [
    ("header", "/a", []),
    ("header", "/a", [("X-Key", "")]),
    ("header", "/a", [("X-Key", "x" * 8193)]),
    ("query", "/a", []),
    ("query", "/a?key=", []),
    ("query", "/a?key=a&key=b", []),
    ("query", "/a?Key=a", []),
    ("query", "/a?key=%00", []),
    ("cookie", "/a", []),
    ("cookie", "/a", [("Cookie", "sid=")]),
    ("cookie", "/a", [("Cookie", "sid=a; sid=b")]),
    ("cookie", "/a", [("Cookie", "SID=a")]),
    ("basic", "/a", []),
    ("basic", "/a", [("Authorization", f"Bearer {BASIC}")]),
    ("basic", "/a", [("Authorization", "Basic")]),
    ("basic", "/a", [("Authorization", "Basic !!!!")]),
    ("basic", "/a", [("Authorization", f"Basic {b64encode(b'nocolon').decode()}")]),
    ("basic", "/a", [("Authorization", f"Basic {b64encode(b'a:' + bytes([255])).decode()}")]),
    ("basic", "/a", [("Authorization", f"Basic {b64encode(b'a:b' + bytes(1)).decode()}")]),
    ("bearer", "/a", [("Authorization", "Bearer ")]),
    ("bearer", "/a", [("Authorization", "Bearer a b")]),
    ("bearer", "/a", [("Authorization", "Bearer a,b")]),
    ("bearer", "/a", [("Authorization", SECRET)]),
    ("bearer", "/a", [("Authorization", f"Basic {BASIC}")]),
    ("digest", "/a", [("Authorization", "Digest")]),
    ("oauth", "/a", [("Authorization", "OAuth x")]),
    ("openid", "/a", []),
]
CHALLENGES = {
    "header": "ApiKey", "query": "ApiKey", "cookie": "ApiKey", "basic": 'Basic realm="api"',
    "bearer": "Bearer", "digest": "Digest", "oauth": "Bearer", "openid": "Bearer",
}  # fmt: skip
PLACES = {
    "header": ("header", "/X-Key"), "query": ("query", "/key"), "cookie": ("cookie", "/sid"),
}  # fmt: skip


@both_adapters
@pytest.mark.parametrize(("name", "target", "headers"), MISSING)
def test_a_credential_that_is_not_there_in_form_is_a_401(
    adapter: Adapter, name: str, target: str, headers: Any
) -> None:
    """With a challenge (RFC 9110, 15.5.2), and the callable is not asked."""
    checking = Checking()
    answer = asked(adapter, name, checking, target, headers=headers)
    assert answer.status == 401
    assert answer.get("www-authenticate") == CHALLENGES[name]
    place = PLACES.get(name, ("header", "/Authorization"))
    assert faults(answer) == [(*place, "missing_credential")]
    assert not checking.seen


def test_a_field_that_comes_twice_is_no_credential() -> None:
    """Where the server tells the two apart; parsers take different ones."""
    adapter = AsgiAdapter()
    for name, field in (("header", "X-Key"), ("digest", "Authorization")):
        headers = [(field, "Digest a"), (field, "Digest b")]
        assert asked(adapter, name, headers=headers).status == 401


def test_a_cookie_may_be_in_one_of_several_fields() -> None:
    """HTTP/2 parts them (RFC 9113, 8.2.3)."""
    checking = Checking()
    headers = [("Cookie", "a=1"), ("Cookie", f"sid={SECRET}")]
    assert asked(AsgiAdapter(), "cookie", checking, headers=headers).status == 200
    assert checking.seen[0].value == SECRET


@both_adapters
def test_scopes_are_handed_to_the_callable(adapter: Adapter) -> None:
    """It says whether the token has them."""
    checking = Checking()
    app = Guarded(
        adapter, openapi=secured({"oauth": ["read", "write"]}), security={"oauth": checking}
    )
    app.ask("GET", "/a", headers=[("Authorization", "Bearer x")])
    assert checking.seen[0].scopes == ("read", "write")


@both_adapters
def test_one_of_several_alternatives_is_enough(adapter: Adapter) -> None:
    """Each in whole; in the order of the document, and only as many as must be are asked."""
    checkers = {name: Checking() for name in ("header", "query", "bearer")}
    root = secured({"header": [], "query": []}, {"bearer": []})
    app = Guarded(adapter, openapi=root, security=checkers)
    key = ("X-Key", SECRET)
    assert app.ask("GET", f"/a?key={SECRET}", headers=[key]).status == 200
    assert not checkers["bearer"].seen
    assert app.ask("GET", "/a", headers=[("Authorization", "Bearer x")]).status == 200
    answer = app.ask("GET", "/a", headers=[key])
    assert answer.status == 401
    assert answer.get("www-authenticate") == "ApiKey, Bearer"
    assert faults(answer) == [
        ("query", "/key", "missing_credential"),
        ("header", "/Authorization", "missing_credential"),
    ]
    checkers["query"].good = False
    answer = app.ask("GET", f"/a?key={SECRET}", headers=[key])
    assert answer.status == 401
    assert ("query", "/key", "refused_credential") in faults(answer)
    assert app.ask(
        "GET", f"/a?key={SECRET}", headers=[key, ("Authorization", "Bearer x")]
    ).status == 200  # fmt: skip


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
@both_adapters
def test_an_empty_requirement_makes_credentials_optional(adapter: Adapter, first: bool) -> None:
    """OpenAPI, "Security Requirement Object"; one that is shown is still looked at first."""
    checking = Checking()
    alternatives: list[Any] = [{"bearer": []}, {}]
    if first:
        alternatives.reverse()
    app = Guarded(adapter, openapi=secured(*alternatives), security={"bearer": checking})
    assert app.ask("GET", "/a").status == 200
    assert not checking.seen
    assert app.ask("GET", "/a", headers=[("Authorization", "Bearer x")]).status == 200
    assert len(checking.seen) == 1
    checking.good = False  # a stale credential is as good as none
    assert app.ask("GET", "/a", headers=[("Authorization", "Bearer x")]).status == 200
    assert app.ask("GET", "/a", headers=[("Authorization", "Basic x")]).status == 200


#: What a client may send to an app that authenticates, good or not.
SENT: list[Any] = [
    [],
    [("Authorization", "Bearer x")],
    [("Authorization", "Bearer 1|abc")],  # as some frameworks make tokens
    [("Authorization", "Token x")],
    [("Authorization", "Basic ???")],
    [("Cookie", "sid=stale; sid=newer")],
    [("X-Key", "")],
]


@pytest.mark.parametrize("sent", SENT, ids=str)
@pytest.mark.parametrize("name", SCHEMES)
@both_adapters
def test_an_app_may_authenticate_alone(adapter: Adapter, name: str, sent: Any) -> None:
    """Whatever is sent reaches it: it may know other schemes, and answers in its own way."""
    app = Guarded(adapter, openapi=secured({name: []}), security="app")
    assert app.ask("GET", "/a", headers=sent).status == 200


@both_adapters
def test_a_key_in_the_query_is_declared_where_the_app_authenticates(adapter: Adapter) -> None:
    """Once; other names are not."""
    app = Guarded(adapter, openapi=secured({"query": []}), security="app")
    assert app.ask("GET", "/a?key=x").status == 200
    assert app.ask("GET", "/a").status == 200
    assert app.ask("GET", "/a?key=x&key=y").status == 400
    assert app.ask("GET", "/a?any=x").status == 422


@pytest.mark.parametrize("name", ["basic", "bearer", "digest", "oauth", "openid"])
def test_an_app_sees_one_authorization(name: str) -> None:
    """Of two, a proxy and the app may read different ones. A WSGI server joins them to one."""
    app = Guarded(AsgiAdapter(), openapi=secured({name: []}), security="app")
    twice = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]
    answer = app.ask("GET", "/a", headers=twice)
    assert answer.status == 400
    assert faults(answer) == [("header", "/Authorization", "repeated_credential")]
    open_ = Guarded(AsgiAdapter(), openapi=api(target="GET /a"), security="app")
    assert open_.ask("GET", "/a", headers=twice).status == 200


def test_an_unknown_scheme_is_no_fault_where_the_app_authenticates() -> None:
    """The guard has nothing to ask for it; else it closes the operation."""
    root = secured({"none": []})
    assert not SchemaGuard(openapi=root, security="app").coverage.closed
    coverage = SchemaGuard(openapi=root, on_invalid="close").coverage
    assert [name for name, _ in coverage.closed] == ["GET /a"]


@both_adapters
def test_operations_without_callables_are_closed(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """With a 401, and one line in the log that says how to open them."""
    root = secured({"bearer": []}, {"header": [], "query": []})
    root["paths"]["/b"] = {"get": {**root["paths"]["/a"]["get"], "security": [{"basic": []}]}}
    root["paths"]["/c"] = {"get": {**root["paths"]["/a"]["get"], "security": [{"basic": []}, {}]}}
    with caplog.at_level(logging.WARNING, "mantlet.guard"):
        app = Guarded(adapter, openapi=root)
    (message,) = caplog.messages
    assert message == (
        "SchemaGuard: 2 operations are closed (401), since no callable checks their credentials: "
        "pass security={...} with 'bearer', 'header', 'query', 'basic', or security=\"app\" if the "
        "app authenticates"
    )
    answer = app.ask("GET", "/a", headers=[("Authorization", "Bearer x")])
    assert answer.status == 401
    assert faults(answer) == [
        ("header", "/Authorization", "missing_credential"),
        ("header", "/X-Key", "missing_credential"),
    ]
    assert "Bearer" in (answer.get("www-authenticate") or "")
    assert [app.ask("GET", path).status for path in ("/b", "/c")] == [401, 200]
    one = Guarded(adapter, openapi=root, security={"bearer": Checking(), "basic": Checking()})
    assert one.ask("GET", "/a", headers=[("Authorization", "Bearer x")]).status == 200
    assert one.ask("GET", "/a", headers=[("X-Key", "x")]).status == 401


@both_adapters
def test_the_documents_requirement_holds_unless_an_operation_has_its_own(adapter: Adapter) -> None:
    """An empty list opens the operation."""
    root = api(target="GET /a", more={"components": {"securitySchemes": SCHEMES}})
    root["security"] = [{"bearer": []}]
    root["paths"]["/b"] = {"get": {**root["paths"]["/a"]["get"], "security": []}}
    app = Guarded(adapter, openapi=root, security={"bearer": Checking()})
    assert app.ask("GET", "/a").status == 401
    assert app.ask("GET", "/b").status == 200


@both_adapters
def test_a_key_in_the_query_is_declared_by_its_scheme(adapter: Adapter) -> None:
    """It is no parameter that is not declared, beside others and alone, in a form as well."""
    checkers = {"query": Checking()}
    root = secured({"query": []}, parameters=[parameter("query", "x")])
    app = Guarded(adapter, openapi=root, security=checkers)
    assert app.ask("GET", f"/a?x=1&key={SECRET}").status == 200
    assert app.ask("GET", f"/a?y=1&key={SECRET}").status == 422
    declared = secured({"query": []}, parameters=[parameter("query", "key", {"maxLength": 3})])
    assert Guarded(adapter, openapi=declared, security=checkers).ask(
        "GET", f"/a?key={SECRET}"
    ).status == 422  # fmt: skip
    form: Any = {"application/x-www-form-urlencoded": {"schema": {"properties": {"x": {}}}}}
    whole = secured({"query": []}, parameters=[parameter("querystring", "q", content=form)])
    whole["openapi"] = "3.2.0"
    app = Guarded(adapter, openapi=whole, security=checkers)
    assert app.ask("GET", f"/a?x=1&key={SECRET}").status == 200


@pytest.mark.parametrize("parsed", ["sync", "async"])
@both_adapters
def test_a_callable_may_be_async_under_asgi(adapter: Adapter, parsed: str) -> None:
    """And is awaited, also under WSGI as long as it waits for nothing."""

    async def good(request: Request, credential: Credential) -> bool:
        return credential.value == SECRET

    def later(request: Request, credential: Credential) -> Any:
        return good(request, credential)

    checker: Callable[..., Any] = good if parsed == "async" else later
    for value, status in ((SECRET, 200), ("other", 401)):
        answer = asked(adapter, "header", checker, headers=[("X-Key", value)])
        assert answer.status == status


@both_adapters
def test_a_callable_that_waits_fails_loudly_under_wsgi(adapter: Adapter) -> None:
    """There is no loop to wait on; under ASGI it is waited for."""

    async def waiting(request: Request, credential: Credential) -> bool:
        await asyncio.sleep(0)
        return True

    answer = asked(adapter, "header", waiting, headers=[("X-Key", SECRET)])
    if adapter.name == "asgi":
        assert answer.status == 200
    else:
        assert "under WSGI" in str(answer.error)
        assert SECRET not in str(answer.error)


@both_adapters
def test_a_callable_may_answer_itself(adapter: Adapter) -> None:
    """Such as with a 403 for a credential that is good and does not go far enough."""

    def checker(request: Request, credential: Credential) -> bool:
        raise Problem(403, detail="The scope is missing.")

    answer = asked(adapter, "bearer", checker, headers=[("Authorization", f"Bearer {SECRET}")])
    assert answer.status == 403
    assert answer.json()["detail"] == "The scope is missing."


@both_adapters
@pytest.mark.parametrize("returned", [None, 1, "yes"])
def test_only_true_opens(adapter: Adapter, returned: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Anything else than True and False is a mistake of the callable, which fails closed."""
    app = Guarded(
        adapter,
        openapi=secured({"bearer": []}),
        security={"bearer": lambda *_: returned},
        policies=[ErrorEnvelope()],
    )
    answer = app.ask("GET", "/a", headers=[("Authorization", f"Bearer {SECRET}")])
    assert answer.status == 500
    assert not app.seen
    assert "must return True or False" in caplog.text
    assert SECRET not in caplog.text


@both_adapters
def test_credentials_come_before_all_else(adapter: Adapter) -> None:
    """Who may not ask is not told what would be right."""
    root = secured({"bearer": []}, requestBody=json_body({"type": "string"}))
    root["paths"]["/a"]["post"] = root["paths"]["/a"].pop("get")
    app = Guarded(adapter, openapi=root, security={"bearer": Checking()})
    answer = app.ask("POST", "/a?x=1", body="{", headers=JSON)
    assert answer.status == 401
    assert [code for _, _, code in faults(answer)] == ["missing_credential"]


@both_adapters
def test_no_credential_is_ever_told(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    """Not in an answer, a log line, or the words of a credential."""
    with caplog.at_level(logging.DEBUG):
        for name, target, headers, _ in SHOWN:
            answer = asked(adapter, name, Checking(good=False), target, headers=headers)
            assert SECRET not in answer.text()
            assert BASIC not in answer.text()
        app = Guarded(
            adapter, openapi=secured({"query": []}), security={"query": Checking(good=False)},
            mode="report",
        )  # fmt: skip
        assert app.ask("GET", f"/a?key={SECRET}").status == 200
    assert SECRET not in caplog.text
    checking = Checking()
    asked(adapter, "header", checking, headers=[("X-Key", SECRET)])
    assert repr(checking.seen[0]) == "Credential('header', scopes=())"


@pytest.mark.parametrize(
    ("security", "words"),
    [
        ({"bearer": print, "header": print, "x": print}, r"no operation requires: \['x'\]"),
        ("none", 'security must be "app" or a mapping of callables'),
        ({"bearer": print, "header": True}, "must hold a callable for 'header', not True"),
    ],
)
def test_callables_must_be_those_that_are_required(security: Any, words: str) -> None:
    """At construction: one too many is a mistake."""
    with pytest.raises((ValueError, TypeError), match=words):
        SchemaGuard(openapi=secured({"bearer": []}, {"header": []}), security=security)


@both_adapters
def test_a_sample_does_not_open_what_asks_for_credentials(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that are not looked at must have good ones all the same."""
    monkeypatch.setattr("mantlet.guard.operation_validator.random", lambda: 0.9)
    app = Guarded(
        adapter,
        openapi=secured({"bearer": []}),
        security={"bearer": lambda _, credential: credential.value == "good"},
        sample_rate=0.5,
    )
    assert app.ask("GET", "/a").status == 401
    assert app.ask("GET", "/a?more=1", headers=[("Authorization", "Bearer good")]).status == 200


def test_an_app_of_a_framework_authenticates_alone_by_default() -> None:
    """FastAPI's own answers reach the client, and ``auto_error=False`` lets anonymous ones in."""
    app = fastapi.FastAPI()

    @app.get("/me")
    def me(sent: Annotated[Any, fastapi.Security(HTTPBearer(auto_error=False))]) -> Any:
        return sent.credentials if sent else "nobody"

    @app.get("/mine")
    def mine(sent: Annotated[Any, fastapi.Security(HTTPBearer())]) -> Any:
        return sent.credentials

    @app.get("/key")
    def key(sent: Annotated[str, fastapi.Security(APIKeyQuery(name="key"))]) -> str:
        return sent

    client: Any = TestClient(mantlet.wrap(app, SchemaGuard.from_app(app)))
    bearer = {"Authorization": "Bearer 1|abc"}
    assert client.get("/me").json() == "nobody"
    assert client.get("/me", headers=bearer).json() == "1|abc"
    assert client.get("/me", headers={"Authorization": "Basic eA=="}).json() == "nobody"
    assert client.get("/mine").status_code in {401, 403}  # by FastAPI's version
    assert client.get("/mine", headers=bearer).json() == "1|abc"
    assert client.get("/key?key=x").json() == "x"
    assert client.get("/key?key=x&other=y").status_code == 422
    guard = SchemaGuard.from_app(
        app, security={"HTTPBearer": Checking(), "APIKeyQuery": Checking()}
    )
    client = TestClient(mantlet.wrap(app, guard))
    assert client.get("/mine").status_code == 401
    assert client.get("/key?key=x").json() == "x"
