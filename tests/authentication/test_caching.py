"""Shared caches never store a response to a credential that they don't know for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet import ApiKeys, Authenticator, Session
from tests.authentication.asking import KEYS, WITH_KEY, Tokens, basic, bearer, every_scheme, load
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

SESSION = ("Cookie", "session=s1")


def saying(*values: str) -> Any:
    """Return an app with lines of ``Cache-Control``."""

    def handler(raw: MutableMapping[str, Any]) -> Said:
        return 200, [("cache-control", value) for value in values], b"ok"

    return handler


@both_adapters
@pytest.mark.parametrize("header", [WITH_KEY, SESSION], ids=["API key", "session"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ["private"]),
        (["max-age=60"], ["max-age=60", "private"]),
        (["No-Cache"], ["No-Cache", "private"]),
        (['ext="public"'], ['ext="public"', "private"]),
        # RFC 9111, 3.5: an app that says one of these knows what it does.
        (["public, max-age=60"], ["public, max-age=60"]),
        (["max-age=60", "S-MaxAge=5"], ["max-age=60", "S-MaxAge=5"]),
        (["max-age=0,must-revalidate"], ["max-age=0,must-revalidate"]),
        (['private="x-name"'], ['private="x-name"']),
        (["no-store"], ["no-store"]),
    ],
)
def test_responses_to_keys_and_sessions_are_as_private_as_to_authorization(
    adapter: Adapter, header: tuple[str, str], values: list[str], expected: list[str]
) -> None:
    app = adapter.wrap(saying(*values), Authenticator(*every_scheme()))
    assert adapter.drive(app, headers=[header]).getall("cache-control") == expected


@both_adapters
def test_caches_know_authorization_by_themselves(adapter: Adapter) -> None:
    app = adapter.wrap(saying(), Authenticator(*every_scheme()))
    assert adapter.drive(app, headers=[bearer("good")]).getall("cache-control") == []
    assert adapter.drive(app, headers=[basic()]).getall("cache-control") == []


@both_adapters
def test_anonymous_responses_of_public_routes_may_be_stored(adapter: Adapter) -> None:
    auth = Authenticator(ApiKeys(KEYS), Session(load), public=["GET /"])
    app = adapter.wrap(saying(), auth)
    for headers in ([], [("Cookie", "session=s9")], [("X-API-Key", "x")]):
        assert adapter.drive(app, headers=headers).getall("cache-control") == []
    assert adapter.drive(app, headers=[SESSION]).getall("cache-control") == ["private"]


@both_adapters
def test_streams_and_errors_too(adapter: Adapter) -> None:
    streaming = adapter.stream([b"a", b"b"], Authenticator(ApiKeys(KEYS)))
    assert adapter.drive(streaming, headers=[WITH_KEY]).get("cache-control") == "private"

    def missing(raw: MutableMapping[str, Any]) -> Said:
        return 404, [], b""  # may be stored by default (RFC 9110, 15.1)

    app = adapter.wrap(missing, Authenticator(ApiKeys(KEYS)))
    assert adapter.drive(app, headers=[WITH_KEY]).get("cache-control") == "private"


@both_adapters
def test_an_inner_authenticator_does_not_make_a_response_public(adapter: Adapter) -> None:
    outer, inner = Authenticator(ApiKeys(KEYS)), Authenticator(Tokens(), public=["GET /"])
    app = adapter.wrap(saying(), outer, inner)
    assert adapter.drive(app, headers=[WITH_KEY]).get("cache-control") == "private"


def test_tokens_alone_leave_responses_alone() -> None:
    assert "on_response" in Authenticator(Tokens()).disabled_hooks
    assert "on_response" not in Authenticator(ApiKeys(KEYS)).disabled_hooks
