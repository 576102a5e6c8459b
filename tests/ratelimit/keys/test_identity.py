"""`keys.identity()`: one bucket for a subject, and none for a client that nobody has identified."""

from __future__ import annotations

from hashlib import sha256
from types import MappingProxyType

import pytest

from mantlet import ApiKeys, Authenticator, Identity, MantletError, RateLimiter, keys
from tests.drive import Adapter, both_adapters, hello

EXAMPLE, OTHER = "https://id.example", "https://other.example"


def issued(subject: str, issuer: str) -> Identity:
    """Return the identity of a token."""
    return Identity(subject, "api_key", claims=MappingProxyType({"iss": issuer}))


def digest(key: str) -> str:
    """Return the digest of an API key."""
    return sha256(key.encode()).hexdigest()


KEYS = {
    digest("first"): issued("ada", EXAMPLE),
    digest("second"): issued("ada", EXAMPLE),
    digest("other"): issued("ada", OTHER),
    digest("plain"): Identity("ada", "api_key"),
    digest("named"): Identity("ada", EXAMPLE),
}


@both_adapters
def test_a_subject_has_one_bucket_for_all_of_its_credentials(adapter: Adapter) -> None:
    auth = Authenticator(ApiKeys(KEYS))
    app = adapter.wrap(hello, auth, RateLimiter("1/hour", key=keys.identity()))
    statuses = [
        adapter.drive(app, headers=[("X-API-Key", key)]).status
        for key in ("first", "second", "other", "plain", "named", "other")
    ]
    # An issuer's name is not a scheme's, whatever the two are.
    assert statuses == [200, 429, 200, 200, 200, 429]


@both_adapters
def test_anonymous_requests_are_not_limited_unless_they_share(adapter: Adapter) -> None:
    auth = Authenticator(ApiKeys(KEYS), public=["GET /"])
    skipping = adapter.wrap(hello, auth, RateLimiter("1/hour", key=keys.identity()))
    assert [adapter.drive(skipping).status for _ in range(3)] == [200] * 3
    key = keys.identity(missing="share")
    sharing = adapter.wrap(hello, auth, RateLimiter("1/hour", key=key))
    assert [adapter.drive(sharing).status for _ in range(2)] == [200, 429]
    assert adapter.drive(sharing, headers=[("X-API-Key", "first")]).status == 200


@both_adapters
@pytest.mark.parametrize("has_authenticator", [False, True], ids=["without", "inside"])
@pytest.mark.filterwarnings("ignore:Authenticator is inside RateLimiter:UserWarning")
def test_a_limiter_outside_of_every_authenticator_lets_nothing_pass(
    adapter: Adapter, has_authenticator: bool
) -> None:
    auth = [Authenticator(ApiKeys(KEYS))] if has_authenticator else []
    app = adapter.wrap(hello, RateLimiter("1/hour", key=keys.identity()), *auth)
    answer = adapter.drive(app, headers=[("X-API-Key", "first")])
    assert isinstance(answer.error, MantletError)
    assert "needs an Authenticator outside" in str(answer.error)


@both_adapters
def test_an_authenticator_that_only_reports_leaves_requests_anonymous(adapter: Adapter) -> None:
    auth = Authenticator(ApiKeys(KEYS), mode="report")
    app = adapter.wrap(hello, auth, RateLimiter("1/hour", key=keys.identity()))
    headers = [("X-API-Key", "first")]
    assert [adapter.drive(app, headers=headers).status for _ in range(2)] == [200, 200]


def test_the_key_is_shown_as_it_is_written() -> None:
    assert repr(keys.identity()) == "identity()"
    assert repr(keys.identity(missing="share")) == "identity(missing='share')"
    with pytest.raises(ValueError, match='missing must be "skip" or "share"'):
        keys.identity(missing="refuse")  # type: ignore[arg-type]
