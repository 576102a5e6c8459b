"""`SchemaGuard(security=auth)`: one judge for the credentials that a document requires."""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ApiKeys, Authenticator, Basic, Identity, SchemaGuard, Session
from mantlet.authentication.errors import AuthenticationUnavailable, InvalidCredential
from mantlet.authentication.scheme import Scheme
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol
from tests.drive import Adapter, both_adapters
from tests.guard.openapi.documents import api

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mantlet import Request
    from mantlet.core.policy import HealthState
    from tests.drive import Said

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)

SCHEMES: dict[str, Any] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "admin": {"type": "apiKey", "in": "header", "name": "X-Admin-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "basic": {"type": "http", "scheme": "Basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "oauth": {"type": "oauth2", "flows": {"password": {
        "tokenUrl": "https://a.test/", "scopes": {"read": "", "write": "", "admin": ""}}}},
    "openid": {"type": "openIdConnect", "openIdConnectUrl": "https://a.test/"},
    "tls": {"type": "mutualTLS"},
}  # fmt: skip
KEY = "a-key-of-a-test"
KEYS = {sha256(KEY.encode()).hexdigest(): Identity("robot", "api_key", roles=frozenset({"bot"}))}
WITH_KEY = ("X-API-Key", KEY)
BEARER = 'Bearer realm="api"'
AMBIGUOUS = BEARER + ', error="invalid_request"'
LACKS = BEARER + ', error="insufficient_scope", scope="{}"'


class Tokens(Scheme):
    """Bearer tokens that list their scopes."""

    name = "tokens"
    source = "Bearer"
    authorization = ("Bearer",)
    challenge = "Bearer"

    def __init__(self) -> None:
        self.verified = self.started = self.stopped = 0
        self.state: HealthState = "ok"

    def verify(self, request: Request, credential: str) -> Identity:
        self.verified += 1
        if credential == "away":
            raise AuthenticationUnavailable("the provider is away", retry_after=3)
        if credential == "expired":
            raise InvalidCredential("the token has expired", error="invalid_token")
        return Identity("ada", self.name, scopes=frozenset(credential.split("+")))

    async def startup(self) -> None:
        self.started += 1

    async def shutdown(self) -> None:
        self.stopped += 1

    def health(self) -> HealthState:
        return self.state


def bearer(*scopes: str) -> tuple[str, str]:
    """Return the header of a token with some scopes."""
    return "Authorization", f"Bearer {'+'.join(scopes)}"


def document(*security: dict[str, list[str]]) -> dict[str, Any]:
    """Return a document of ``GET /a`` with these alternatives."""
    more = {"components": {"securitySchemes": SCHEMES}}
    return api(target="GET /a", security=list(security), more=more)


def whoami(raw: MutableMapping[str, Any]) -> Said:
    """Answer with the subject."""
    who = mantlet.state(raw).identity
    return 200, [("content-type", "text/plain")], (who.subject if who else "nobody").encode()


def authenticator(*schemes: Scheme) -> Authenticator:
    """Return an Authenticator of usual schemes."""
    session = Session(lambda value: "ada" if value == "s1" else None)
    return Authenticator(*(schemes or (Tokens(), ApiKeys(KEYS), session)))


@both_adapters
@pytest.mark.parametrize("is_in_stack", [False, True], ids=["alone", "in the stack"])
@pytest.mark.parametrize(
    ("security", "headers", "status", "challenge"),
    [
        ([{"oauth": ["read"]}], [], 401, BEARER),
        ([{"oauth": ["read"]}], [bearer("expired")], 401, BEARER + ', error="invalid_token"'),
        ([{"oauth": ["read"]}], [bearer("read")], 200, None),
        ([{"oauth": ["read"]}], [bearer("read", "write")], 200, None),
        (
            [{"oauth": ["write", "read"]}],
            [bearer("read")],
            403,
            LACKS.format("read write"),
        ),
        ([{"oauth": ["write"]}, {"oauth": ["read"]}], [bearer("read")], 200, None),
        ([{"openid": ["read"]}], [bearer("read")], 200, None),
        ([{"bearer": []}], [bearer("any")], 200, None),
        # A credential of another kind than the operation lists is not one for it.
        ([{"oauth": ["read"]}], [WITH_KEY], 401, BEARER),
        ([{"key": []}], [bearer("read")], 401, BEARER),
        ([{"admin": []}], [WITH_KEY], 401, BEARER),
        ([{"key": []}, {"oauth": ["read"]}], [WITH_KEY], 200, None),
        ([{"cookie": []}], [("Cookie", "session=s1")], 200, None),
        ([{"cookie": []}], [("Cookie", "session=s9")], 401, BEARER),
        ([{"key": ["bot"]}], [WITH_KEY], 200, None),  # a role, for schemes without scopes
        ([{"key": ["human"]}], [WITH_KEY], 403, LACKS.format("human")),
        ([{"oauth": ["bot"]}], [bearer("x")], 403, LACKS.format("bot")),
        ([{"oauth": ["read"]}], [bearer("away")], 503, None),
        ([{"oauth": ["read"]}], [bearer("read"), WITH_KEY], 400, AMBIGUOUS),
        # Keys in queries are not read, and no client has two credentials.
        ([{"query": []}], [WITH_KEY], 401, BEARER),
        ([{"key": [], "oauth": []}], [WITH_KEY], 401, BEARER),
        ([{"key": [], "oauth": []}, {"key": []}], [WITH_KEY], 200, None),
    ],
)  # fmt: skip
def test_the_document_says_what_is_needed_and_the_authenticator_answers(
    adapter: Adapter,
    *,
    is_in_stack: bool,
    security: list[dict[str, list[str]]],
    headers: list[tuple[str, str]],
    status: int,
    challenge: str | None,
) -> None:
    tokens = Tokens()
    session = Session(lambda value: "ada" if value == "s1" else None)
    auth = Authenticator(tokens, ApiKeys(KEYS), session)
    guard = SchemaGuard(openapi=document(*security), security=auth)
    outer = [auth] if is_in_stack else []
    answer = adapter.drive(adapter.wrap(whoami, *outer, guard), path="/a", headers=headers)
    assert answer.status == status, answer.text()
    found = answer.get("www-authenticate")
    if challenge is None or status != 401:
        assert found == challenge
    else:  # every scheme's
        assert found == f'{challenge}, ApiKey realm="api", Cookie realm="api"'
    if status >= 400:
        assert answer.get("cache-control") == "no-store"
        assert answer.json()["status"] == status
    assert tokens.verified <= 1


@both_adapters
@pytest.mark.parametrize("security", [[], [{}], [{"oauth": ["read"]}, {}]])
@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ([], "nobody"),
        ([bearer("read")], "ada"),
        ([bearer("expired")], "nobody"),
        ([bearer("away")], "nobody"),
        ([bearer("read"), WITH_KEY], "nobody"),
    ],
)
def test_an_operation_without_requirements_is_public(
    adapter: Adapter, security: list[dict[str, list[str]]], headers: list[Any], who: str
) -> None:
    guard = SchemaGuard(openapi=document(*security), security=authenticator())
    answer = adapter.drive(adapter.wrap(whoami, guard), path="/a", headers=headers)
    assert (answer.status, answer.body) == (200, who.encode())


@both_adapters
def test_where_both_stand_in_the_stack_a_request_has_to_pass_both(adapter: Adapter) -> None:
    auth = authenticator()
    guard = SchemaGuard(openapi=document({}), security=auth)
    assert adapter.drive(adapter.wrap(whoami, auth, guard), path="/a").status == 401


@both_adapters
def test_an_authenticator_in_report_mode_still_judges_for_the_guard(adapter: Adapter) -> None:
    tokens = Tokens()
    auth = Authenticator(tokens, mode="report")
    guard = SchemaGuard(openapi=document({"oauth": ["read"]}), security=auth)
    app = adapter.wrap(whoami, auth, guard)
    assert adapter.drive(app, path="/a").status == 401
    assert adapter.drive(app, path="/a", headers=[bearer("read")]).body == b"ada"


@both_adapters
def test_a_guard_in_report_mode_refuses_nothing(adapter: Adapter) -> None:
    guard = SchemaGuard(
        openapi=document({"oauth": ["read"]}), security=authenticator(), mode="report"
    )
    answer = adapter.drive(adapter.wrap(whoami, guard), path="/a", headers=[bearer("read")])
    assert (answer.status, answer.body) == (200, b"nobody")


@both_adapters
def test_the_credential_is_judged_before_anything_else_of_the_request(adapter: Adapter) -> None:
    guard = SchemaGuard(openapi=document({"oauth": []}), security=authenticator())
    answer = adapter.drive(adapter.wrap(whoami, guard), path="/a", body=b"unexpected")
    assert answer.status == 401


@both_adapters
def test_contracts_need_a_credential_of_any_kind(adapter: Adapter) -> None:
    guard = SchemaGuard({"GET /a": None}, security=authenticator())
    app = adapter.wrap(whoami, guard)
    assert adapter.drive(app, path="/a").status == 401
    assert adapter.drive(app, path="/a", headers=[WITH_KEY]).body == b"robot"


@both_adapters
def test_a_contract_in_place_of_an_operation_keeps_its_requirements(adapter: Adapter) -> None:
    guard = SchemaGuard(
        {"GET /a": None}, openapi=document({"oauth": ["read"]}), security=authenticator()
    )
    app = adapter.wrap(whoami, guard)
    assert adapter.drive(app, path="/a").status == 401
    assert adapter.drive(app, path="/a", headers=[bearer("write")]).status == 403
    assert adapter.drive(app, path="/a", headers=[bearer("read")]).status == 200


@both_adapters
def test_the_same_with_callables(adapter: Adapter) -> None:
    """A contract beside the document must not open what a callable has closed."""
    guard = SchemaGuard(
        {"GET /a": None},
        openapi=document({"bearer": []}),
        security={"bearer": lambda _, credential: credential.value == "good"},
    )
    app = adapter.wrap(whoami, guard)
    assert adapter.drive(app, path="/a").status == 401
    assert adapter.drive(app, path="/a", headers=[bearer("good")]).status == 200


@both_protocols
def test_the_guard_starts_stops_and_checks_the_authenticator(protocol: Protocol) -> None:
    tokens = Tokens()
    guard = SchemaGuard(openapi=document({"oauth": []}), security=Authenticator(tokens))
    with PolicyClient(mantlet.Health(), guard, protocol=protocol) as client:
        assert tokens.started == 1
        ready = client.get("/-/ready")
        assert (ready.status, ready.json()["checks"]["SchemaGuard"]) == (
            200,
            {"tokens": "ok", "document": "ok"},
        )
    assert tokens.stopped == 1


@both_protocols
def test_a_provider_that_is_down_makes_the_guard_unready(protocol: Protocol) -> None:
    tokens = Tokens()
    tokens.state = "down"
    guard = SchemaGuard(openapi=document({"oauth": []}), security=Authenticator(tokens))
    assert PolicyClient(mantlet.Health(), guard, protocol=protocol).get("/-/ready").status == 503


def test_operations_that_no_scheme_opens_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    alternatives: list[dict[str, list[str]]] = [
        {"tls": []},
        {"query": []},
        {"key": [], "oauth": []},
    ]
    for one in alternatives:
        SchemaGuard(openapi=document(one), security=Authenticator(Tokens()))
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 3
    assert all(text.startswith("SchemaGuard: 1 operation is closed (401)") for text in texts)
    assert "'tls'" in texts[0]
    caplog.clear()
    SchemaGuard(openapi=document({"oauth": []}, {"tls": []}), security=Authenticator(Tokens()))
    SchemaGuard(openapi=document({}), security=Authenticator(Tokens()))
    assert not caplog.records


def test_basic_and_other_schemes_have_their_places() -> None:
    auth = Authenticator(Tokens(), ApiKeys(KEYS), Basic(lambda *_: True))
    assert auth.sources == {"bearer", "x-api-key", "basic"}


@pytest.mark.parametrize("allow", [["path"], ["method"], ["query", "path"]])
def test_undeclared_requests_can_t_pass_without_a_judge(allow: list[Any]) -> None:
    with pytest.raises(ValueError, match="undeclared requests would need no credential"):
        SchemaGuard(openapi=document({}), security=authenticator(), allow=allow)


def test_a_guard_with_an_authenticator_takes_no_callables() -> None:
    guard = SchemaGuard(openapi=document({"oauth": []}), security=authenticator())
    with pytest.raises(ValueError, match="the Authenticator checks"):
        guard.reload(document({"oauth": []}), security={"oauth": lambda *_: True})
    guard.reload(document({"bearer": []}))
    assert guard.coverage.operations


@both_adapters
def test_responses_to_keys_are_private(adapter: Adapter) -> None:
    guard = SchemaGuard(openapi=document({"key": []}, {"oauth": []}), security=authenticator())
    app = adapter.wrap(whoami, guard)
    assert adapter.drive(app, path="/a", headers=[WITH_KEY]).get("cache-control") == "private"
    assert adapter.drive(app, path="/a", headers=[bearer("x")]).get("cache-control") is None
    assert adapter.drive(app, path="/a").get("cache-control") == "no-store"


@both_adapters
def test_the_log_names_the_reason_once(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    guard = SchemaGuard(openapi=document({"oauth": []}), security=authenticator())
    with caplog.at_level(logging.INFO, "mantlet.authentication"):
        adapter.drive(adapter.wrap(whoami, guard), path="/a", headers=[bearer("expired")])
    texts = [one.getMessage() for one in caplog.records if one.name == "mantlet.authentication"]
    assert texts == ["Authenticator refused a request: the token has expired (GET request -)"]
