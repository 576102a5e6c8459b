"""`state.identity`: found once, by the scheme alone, and told to the app."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, Any, assert_type

import pytest

import mantlet
from mantlet import ApiKeys, Authenticator, Basic, Identity, Policy, Session
from mantlet.authentication.errors import InvalidCredential
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol
from tests.authentication.asking import KEY, KEYS, WITH_KEY, Tokens, basic, bearer, whoami
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mantlet import Request
    from tests.drive import Said

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)
DIGEST = next(iter(KEYS))


@dataclass(frozen=True, slots=True)
class Member(Identity):
    """An identity with more than the package's own has."""

    team: str = ""


class Asks(Policy):
    """Asks the policy that authenticates, as inner policies do."""

    async def on_request(self, request: Request) -> None:
        authentication = request.state._authentication
        assert authentication is not None
        assert await authentication.identify(request) is request.state.identity


@both_adapters
def test_an_identity_of_the_apps_own_class_is_passed_on_as_it_is(adapter: Adapter) -> None:
    member = Member("ada", "api_key", team="core")
    seen = []

    def app(raw: MutableMapping[str, Any]) -> Said:
        seen.append(mantlet.state(raw).identity)
        return 200, [], b""

    adapter.drive(adapter.wrap(app, Authenticator(ApiKeys({DIGEST: member}))), headers=[WITH_KEY])
    assert seen == [member]
    assert seen[0] is member


@both_adapters
@pytest.mark.parametrize("awaits", [False, True], ids=["def", "async def"])
def test_user_loads_the_apps_own_object(adapter: Adapter, awaits: bool) -> None:
    users = {"robot": object()}
    seen: list[Any] = []

    async def find_later(identity: Identity) -> object | None:
        return users.get(identity.subject)

    def find(identity: Identity) -> object | None:
        return users.get(identity.subject)

    def app(raw: MutableMapping[str, Any]) -> Said:
        seen.append(mantlet.state(raw).identity)
        return 200, [], b""

    auth = Authenticator(
        ApiKeys(KEYS), Basic(lambda user, _: user), user=find_later if awaits else find
    )
    stack = adapter.wrap(app, auth)
    assert adapter.drive(stack, headers=[WITH_KEY]).status == 200
    assert seen[0].user is users["robot"]
    # A subject that the app does not know, such as one that it has deleted, is refused.
    refused = adapter.drive(stack, headers=[basic("ada:x")])
    assert refused.status == 401
    assert "error" not in str(refused.get("www-authenticate"))
    assert len(seen) == 1


@both_adapters
def test_a_credential_is_verified_once_in_an_exchange(adapter: Adapter) -> None:
    tokens = Tokens()
    auth = Authenticator(tokens)
    inner: Any = adapter.wrap(whoami, auth, Asks())
    app = adapter.module.wrap(inner, auth, Asks(), baseline=False)
    assert adapter.drive(app, headers=[bearer("good")]).body == b"ada by tokens"
    # The same policy twice in a stack decides twice, as any policy does; asking costs nothing more.
    assert tokens.verified == 2
    assert adapter.drive(adapter.wrap(whoami, auth, Asks()), headers=[bearer("good")]).status == 200
    assert tokens.verified == 3


@both_adapters
def test_the_innermost_authenticator_says_who_it_is(adapter: Adapter) -> None:
    inner: Any = adapter.wrap(whoami, Authenticator(ApiKeys(KEYS)))
    app = adapter.module.wrap(inner, Authenticator(Tokens()), baseline=False)
    assert adapter.drive(app, headers=[bearer("good"), WITH_KEY]).body == b"robot by api_key"
    assert adapter.drive(app, headers=[bearer("good")]).status == 401
    assert adapter.drive(app, headers=[WITH_KEY]).status == 401


@both_adapters
def test_a_mounted_stack_has_an_authenticator_of_its_own(adapter: Adapter) -> None:
    inner = adapter.wrap(whoami, Authenticator(ApiKeys(KEYS)))

    def outer(raw: Any, *rest: Any) -> Any:  # mounts the stack at /api
        prefix = "/api"
        if adapter.name == "asgi":
            return inner({**raw, "root_path": prefix}, *rest)
        path = raw["PATH_INFO"].removeprefix(prefix)
        return inner({**raw, "SCRIPT_NAME": prefix, "PATH_INFO": path}, *rest)

    app = adapter.module.wrap(outer, Authenticator(Tokens(), public=["* /api/*"]), baseline=False)
    assert adapter.drive(app, path="/api/x", headers=[WITH_KEY]).body == b"robot by api_key"
    assert adapter.drive(app, path="/api/x").status == 401


@both_adapters
@pytest.mark.parametrize("mode", ["report", "off", {"GET /": "report"}])
def test_report_mode_changes_nothing_not_even_the_identity(adapter: Adapter, mode: Any) -> None:
    app = adapter.wrap(whoami, Authenticator(Tokens(), ApiKeys(KEYS), mode=mode))
    bare = adapter.drive(adapter.app(whoami))
    for headers in ([], [bearer("good")], [bearer("expired")], [bearer("away")], [WITH_KEY] * 2):
        answer = adapter.drive(app, headers=headers)
        assert answer.text() == bare.text()
        assert answer.body == b"nobody"


@both_adapters
def test_report_mode_logs_what_it_would_have_refused(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    adapter.drive(
        adapter.wrap(whoami, Authenticator(Tokens(), mode="report")), headers=[bearer("expired")]
    )
    assert [record.getMessage() for record in caplog.records] == [
        "Authenticator would have refused a request: the token has expired (GET request -)",
        "Authenticator would have answered with 401 (GET request -)",
    ]


@both_adapters
def test_no_header_sets_the_identity(adapter: Adapter) -> None:
    app = adapter.wrap(whoami, Authenticator(Tokens(), public=["GET /"]))
    names = ("mantlet", "mantlet.state", "identity", "X-Identity", "Remote-User", "X-Remote-User")
    headers = [(name, "ada") for name in names]
    assert adapter.drive(app, headers=headers).body == b"nobody"


@both_adapters
def test_an_identity_that_has_expired_is_refused(adapter: Adapter) -> None:
    now = time()
    old, new = Identity("ada", "x", expires=now - 1), Identity("ada", "x", expires=now + 1000)

    def load(value: str) -> Identity:
        return new if value == "new" else old

    keys = {sha256(name.encode()).hexdigest(): load(name) for name in ("old", "new")}
    app = adapter.wrap(whoami, Authenticator(ApiKeys(keys), Session(load)))
    for headers, status in (
        ([("X-API-Key", "old")], 401),
        ([("X-API-Key", "new")], 200),
        ([("Cookie", "session=old")], 401),
        ([("Cookie", "session=new")], 200),
    ):
        assert adapter.drive(app, headers=headers).status == status


@both_protocols
def test_a_def_runs_in_a_thread_under_asgi(protocol: Protocol) -> None:
    threads = []

    def note(*args: Any) -> str:
        threads.append(threading.current_thread())
        return "ada"

    auth = Authenticator(ApiKeys(note), Session(note), Basic(note), user=note)
    client = PolicyClient(auth, protocol=protocol)
    for header in (WITH_KEY, ("Cookie", "session=s1"), basic()):
        assert client.get("/", headers=[header]).status == 200
    assert len(threads) == 6
    is_own = threading.current_thread() in threads
    assert is_own == (protocol == "wsgi")


@both_adapters
def test_a_failing_function_of_the_app_lets_nobody_in(adapter: Adapter) -> None:
    def fail(*args: Any) -> Any:
        raise ConnectionError("the database is away")

    for scheme, header in (
        (ApiKeys(fail), WITH_KEY),
        (Session(fail), ("Cookie", "session=s1")),
        (Basic(fail), basic()),
    ):
        # On a public route too: the app's own failure is not the client's.
        app = adapter.wrap(whoami, Authenticator(scheme, public=["GET /public"]))
        for path in ("/", "/public"):
            assert isinstance(
                adapter.drive(app, path=path, headers=[header]).error, ConnectionError
            )


@both_adapters
@pytest.mark.parametrize("result", [True, 7, "", b"ada", {"sub": "ada"}])
def test_other_results_of_a_function_are_errors(adapter: Adapter, result: Any) -> None:
    app = adapter.wrap(whoami, Authenticator(Session(lambda _: result)))
    answer = adapter.drive(app, headers=[("Cookie", "session=s1")])
    assert isinstance(answer.error, TypeError)
    assert "load must return a mantlet.Identity" in str(answer.error)


def test_lookup_gets_the_digest_alone() -> None:
    seen = []

    async def lookup(digest: str) -> None:
        seen.append(digest)

    PolicyClient(Authenticator(ApiKeys(lookup))).get("/", headers=[WITH_KEY])
    assert seen == [sha256(KEY.encode()).hexdigest()]


def test_right_and_wrong_keys_take_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, since time can't be asserted; see `benchmarks` for the times."""
    hashed = []

    def counting(data: bytes) -> Any:
        hashed.append(data)
        return sha256(data)

    monkeypatch.setattr("mantlet.authentication.api_keys.sha256", counting)
    scheme = ApiKeys(KEYS)
    request: Any = None
    assert isinstance(scheme.verify(request, KEY), Identity)
    for wrong in ("x", KEY[:-1] + "x", "x" * 1024):
        with pytest.raises(InvalidCredential):
            scheme.verify(request, wrong)
    assert len(hashed) == 4


def test_the_state_is_typed() -> None:
    """For the type checker of these tests."""
    state = mantlet.state({})
    assert_type(state.identity, Identity | None)
    assert state.identity is None


def test_identities_are_values() -> None:
    one = Identity("ada", "jwt", claims={"a": 1})
    assert one == replace(one)
    assert hash(one) == hash(replace(one))
    with pytest.raises(AttributeError):
        one.subject = "grace"  # type: ignore[misc]
