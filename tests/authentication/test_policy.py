"""`Authenticator`: which requests pass, as whom, and how the others are answered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import ApiKeys, Authenticator, Basic, ErrorEnvelope, Identity, Session
from mantlet.testing import PROTOCOLS, PolicyClient, Protocol
from tests.authentication.asking import (
    CHALLENGES,
    KEY,
    KEYS,
    WITH_KEY,
    basic,
    bearer,
    every_scheme,
    whoami,
)
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from tests.drive import Answer

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


def check_problem(answer: Answer, status: int, detail: str, challenge: str | None) -> None:
    """Check every byte of a refusal."""
    titles = {400: "Bad Request", 401: "Unauthorized", 503: "Service Unavailable"}
    assert answer.status == status
    assert answer.json() == {
        "type": "about:blank",
        "title": titles[status],
        "status": status,
        "detail": detail,
    }
    assert answer.get("content-type") == "application/problem+json"
    assert answer.get("cache-control") == "no-store"
    assert answer.get("www-authenticate") == challenge
    assert not set(answer.names) - {
        *("content-type", "cache-control", "www-authenticate", "content-length", "retry-after"),
    }


@both_adapters
def test_a_request_without_a_credential_gets_every_challenge_and_no_error(
    adapter: Adapter,
) -> None:
    answer = adapter.drive(adapter.wrap(whoami, Authenticator(*every_scheme())))
    check_problem(answer, 401, "A credential is required.", CHALLENGES.format(""))


@both_adapters
@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Token good")],
        [("Authorization", "good")],
        [("Authorization", "DPoP good")],
        [("Authorization", "Digest username=ada, Bearer good")],
        [("Authorization", "")],
        [("X-API-Key", " ")],
        [("Cookie", "session=")],
        [("Cookie", "mysession=s1; session2=s1")],
        [("X-Access-Token", "good")],
    ],
    ids=lambda headers: ": ".join(headers[0]),
)
def test_what_no_scheme_reads_is_no_credential(
    adapter: Adapter, headers: list[tuple[str, str]]
) -> None:
    answer = adapter.drive(adapter.wrap(whoami, Authenticator(*every_scheme())), headers=headers)
    check_problem(answer, 401, "A credential is required.", CHALLENGES.format(""))


@both_adapters
@pytest.mark.parametrize("token", ["expired", "", "café", "good good", "good\tx"])
def test_an_invalid_token_says_so_in_the_challenge_of_its_scheme(
    adapter: Adapter, token: str
) -> None:
    app = adapter.wrap(whoami, Authenticator(*every_scheme()))
    answer = adapter.drive(app, headers=[bearer(token)])
    expected = CHALLENGES.format(', error="invalid_token"')
    check_problem(answer, 401, "The credential is not valid.", expected)


@both_adapters
@pytest.mark.parametrize(
    "headers",
    [
        [("X-API-Key", "another")],
        [("X-API-Key", "x" * 1025)],
        [("X-API-Key", "caf\xe9")],
        [basic("ada:wrong")],
        [("Authorization", "Basic")],
        [("Authorization", "Basic YWRhOng=x")],
        [("Authorization", "Basic YWRh")],
        [("Cookie", "session=s9")],
        [("Cookie", 'session="s1"')],
    ],
    ids=lambda headers: ": ".join(headers[0])[:30],
)
def test_other_invalid_credentials_have_no_error_code(
    adapter: Adapter, headers: list[tuple[str, str]]
) -> None:
    answer = adapter.drive(adapter.wrap(whoami, Authenticator(*every_scheme())), headers=headers)
    check_problem(answer, 401, "The credential is not valid.", CHALLENGES.format(""))


@both_adapters
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([bearer("good"), WITH_KEY], "A request must have one credential."),
        ([bearer("expired"), WITH_KEY], "A request must have one credential."),
        ([bearer("good"), bearer("good")], "Authorization must be sent once."),
        ([bearer("good"), bearer("other")], "Authorization must be sent once."),
        ([bearer("good"), basic()], "Authorization must be sent once."),
        ([basic(), bearer("good")], "Authorization must be sent once."),
        ([WITH_KEY, WITH_KEY], "X-API-Key must be sent once."),
        ([WITH_KEY, ("x-api-key", "another")], "X-API-Key must be sent once."),
        ([basic(), WITH_KEY], "A request must have one credential."),
        ([("Cookie", "session=s1; session=s2")], "The session's cookie must be sent once."),
    ],
)
def test_two_credentials_are_a_bad_request(
    adapter: Adapter, headers: list[tuple[str, str]], reason: str
) -> None:
    answer = adapter.drive(adapter.wrap(whoami, Authenticator(*every_scheme())), headers=headers)
    check_problem(answer, 400, reason, 'Bearer realm="api", error="invalid_request"')


@both_adapters
def test_a_stack_without_tokens_has_no_challenge_for_two_credentials(adapter: Adapter) -> None:
    app = adapter.wrap(whoami, Authenticator(ApiKeys(KEYS)))
    answer = adapter.drive(app, headers=[WITH_KEY, WITH_KEY])
    check_problem(answer, 400, "X-API-Key must be sent once.", None)


@both_adapters
def test_a_token_in_the_query_or_in_a_form_is_ignored(adapter: Adapter) -> None:
    app = adapter.wrap(whoami, Authenticator(*every_scheme()))
    query = b"access_token=good&X-API-Key=" + KEY.encode()
    more: Any = (
        {"environ": {"QUERY_STRING": query.decode()}}
        if adapter.name == "wsgi"
        else {"scope": {"query_string": query}}
    )
    answer = adapter.drive(app, **more)
    check_problem(answer, 401, "A credential is required.", CHALLENGES.format(""))
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    answer = adapter.drive(app, "POST", headers=form, body=b"access_token=good")
    check_problem(answer, 401, "A credential is required.", CHALLENGES.format(""))
    # Neither does it make a second credential of the one in the header.
    assert adapter.drive(app, headers=[bearer("good")], **more).body == b"ada by tokens"


@both_adapters
def test_a_provider_that_is_away_is_503_with_retry_after(adapter: Adapter) -> None:
    app = adapter.wrap(whoami, Authenticator(*every_scheme()))
    answer = adapter.drive(app, headers=[bearer("away")])
    check_problem(answer, 503, "Credentials can't be verified at the moment.", None)
    assert answer.get("retry-after") == "8"


@both_adapters
@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ([bearer("good")], "ada by tokens"),
        ([("Authorization", "bEARER   good ")], "ada by tokens"),
        ([WITH_KEY], "robot by api_key"),
        ([("x-API-key", f" {KEY}\t")], "robot by api_key"),
        ([basic()], "ada by basic"),
        ([basic("a:b:pässword")], None),
        ([("Cookie", "session=s2")], "grace by session"),
        ([("Cookie", "a=b;session=s2 ; c=d")], "grace by session"),
        ([("Cookie", "a=b"), ("Cookie", "session=s2")], "grace by session"),
        # What a browser or a connection adds by itself does not count beside another credential.
        ([bearer("good"), ("Cookie", "session=s2")], "ada by tokens"),
        ([WITH_KEY, ("Cookie", "session=s9")], "robot by api_key"),
        # An auth-scheme of a proxy or of the app is not a credential.
        ([("Authorization", "Token x"), ("Cookie", "session=s2")], "grace by session"),
    ],
)
def test_a_valid_credential_sets_the_identity(
    adapter: Adapter, headers: list[tuple[str, str]], text: str | None
) -> None:
    if adapter.name == "wsgi" and [name for name, _ in headers] == ["Cookie", "Cookie"]:
        headers = [("Cookie", "; ".join(value for _, value in headers))]  # as servers join them
    answer = adapter.drive(adapter.wrap(whoami, Authenticator(*every_scheme())), headers=headers)
    if text is None:
        assert answer.status == 401
    else:
        assert (answer.status, answer.body) == (200, text.encode())


@both_adapters
def test_refusals_are_problems_of_the_envelope(adapter: Adapter) -> None:
    app = adapter.wrap(whoami, ErrorEnvelope(), Authenticator(*every_scheme()))
    answer = adapter.drive(app, headers=[bearer("expired"), ("Accept", "text/plain")])
    assert answer.status == 401
    assert (answer.get("content-type") or "").startswith("text/plain")
    assert answer.get("www-authenticate") == CHALLENGES.format(', error="invalid_token"')
    assert answer.get("cache-control") == "no-store"
    assert answer.get("x-request-id")


@both_adapters
def test_the_reason_is_logged_throttled_without_any_part_of_the_credential(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    app = adapter.wrap(whoami, Authenticator(*every_scheme()))
    secret = "n3ver-in-a-log"
    with caplog.at_level(logging.DEBUG, "mantlet"):
        for _ in range(50):
            adapter.drive(app, headers=[bearer(secret)])
        adapter.drive(app, headers=[("X-API-Key", secret)])
        adapter.drive(app, headers=[basic(f"{secret}:{secret}")])
        adapter.drive(app, headers=[("Cookie", f"session={secret}")])
        adapter.drive(app, headers=[bearer(secret), WITH_KEY])
        adapter.drive(app, headers=[("X-API-Key", f"{secret}\x80")])
    records = [record for record in caplog.records if record.name == "mantlet.authentication"]
    texts = [record.getMessage() for record in records]
    assert texts[0] == "Authenticator refused a request: the token has expired (GET request -)"
    assert sum("has expired" in text for text in texts) == 10
    assert [text.partition(": ")[2] for text in texts[10:]] == [
        "the key is unknown (GET request -)",
        "verify knows no such credential (GET request -)",
        "load knows no such credential (GET request -)",
        "a request must have one credential (GET request -)",
        "the key has characters other than printable ASCII (GET request -)",
    ]
    for record in caplog.records:
        assert secret not in record.getMessage() + repr(vars(record))


def test_nothing_of_a_credential_is_in_any_repr() -> None:
    who = Identity("ada", "jwt", claims={"email": "ada@example.com"}, user="secret user")
    assert "example.com" not in repr(who)
    assert "secret" not in repr(who)
    for scheme in (*every_scheme(), Authenticator(*every_scheme())):
        assert not any(digest in repr(scheme) for digest in KEYS)


@both_protocols
@pytest.mark.parametrize("awaits", [False, True], ids=["def", "async def"])
def test_callables_may_be_of_either_kind(protocol: Protocol, awaits: bool) -> None:
    known = {(next(iter(KEYS)),), ("s1",), ("ada", "pässword")}

    async def find(*args: str) -> str | None:
        return "grace" if args in known else None

    def find_now(*args: str) -> str | None:
        return "grace" if args in known else None

    one: Any = find if awaits else find_now
    auth = Authenticator(ApiKeys(one), Session(one), Basic(one))
    client = PolicyClient(auth, protocol=protocol)
    for header in (WITH_KEY, ("Cookie", "session=s1"), basic()):
        assert client.get("/", headers=dict([header])).status == 200
    for header in (("X-API-Key", "no"), ("Cookie", "session=no"), basic("no:pässword")):
        assert client.get("/", headers=dict([header])).status == 401
