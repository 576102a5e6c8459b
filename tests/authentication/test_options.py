"""The options of `Authenticator` and its schemes: bad ones are errors at construction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ApiKeys, Authenticator, Basic, Jwt, RateLimiter, Session
from tests.authentication.asking import KEY, KEYS, Tokens, is_right, load

if TYPE_CHECKING:
    from collections.abc import Callable

# Any: wrong arguments.
authenticator: Any = Authenticator
api_keys: Any = ApiKeys
session: Any = Session
basic: Any = Basic
jwt: Any = partial(Jwt, issuer="https://a.example", audience="b", algorithms=["ES256"])


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (authenticator, TypeError, "needs a scheme"),
        (lambda: authenticator(ApiKeys), TypeError, "a scheme must be one such as Jwt"),
        (lambda: authenticator({"X-API-Key": KEY}), TypeError, "a scheme must be one"),
        (lambda: authenticator(Tokens(), Tokens()), ValueError, "Tokens would never be used"),
        (lambda: authenticator(basic(is_right), basic(is_right)), ValueError, "never be used"),
        (lambda: authenticator(api_keys(KEYS), api_keys(KEYS)), ValueError, "x-api-key"),
        (lambda: authenticator(session(load), session(load)), ValueError, "cookie session"),
        (lambda: authenticator(Tokens(), realm='a"b'), ValueError, "realm"),
        (lambda: authenticator(Tokens(), realm="a\r\nb"), ValueError, "realm"),
        (lambda: authenticator(Tokens(), realm=""), ValueError, "realm"),
        (lambda: authenticator(Tokens(), realm=b"api"), TypeError, "realm"),
        (lambda: authenticator(Tokens(), mode="on"), ValueError, "mode"),
        (lambda: authenticator(Tokens(), user="load"), TypeError, "user must be a function"),
        (lambda: authenticator(Tokens(), close_expired=4401), TypeError, "close_expired"),
        (lambda: authenticator(Tokens(), publik=[]), TypeError, "did you mean 'public'"),
        (lambda: authenticator(Tokens(), dpop=True), TypeError, "dpop"),
        (lambda: api_keys([]), TypeError, "lookup must be a function"),
        (lambda: api_keys({KEY: "robot"}), ValueError, "not the keys themselves"),
        (lambda: api_keys({"A" * 64: "robot"}), ValueError, "lower-case"),
        (lambda: api_keys({b"a" * 64: "robot"}), TypeError, "digests as text"),
        (lambda: api_keys({"a" * 64: 7}), TypeError, "lookup must return"),
        (lambda: api_keys(KEYS, header="X API"), ValueError, "X API"),
        (lambda: api_keys(KEYS, header="authorization"), ValueError, "header must be one of its"),
        (lambda: api_keys(KEYS, header="Cookie"), ValueError, "header must be one of its"),
        (lambda: api_keys(KEYS, header=7), TypeError, "header must be a name"),
        (lambda: session("load"), TypeError, "load must be a function"),
        (lambda: session(load, cookie="a b"), ValueError, "cookie must be a token"),
        (lambda: session(load, cookie=7), TypeError, "cookie must be a name"),
        (lambda: basic({"ada": "x"}), TypeError, "verify must be a function"),
    ],
)
def test_a_bad_option_is_an_error_that_names_it(
    make: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: api_keys({KEY: "robot"}),
        lambda: api_keys([KEY]),
        lambda: basic({"ada": KEY}),
        lambda: session(KEY),
        lambda: authenticator(KEY),
        lambda: authenticator({"X-API-Key": KEY}),
        lambda: authenticator(Tokens(), dpop=KEY),
        lambda: authenticator(Tokens(), user=KEY),
        lambda: jwt(keys=[KEY]),
        lambda: jwt(keys={"keys": []}, revoked=KEY),
    ],
)
def test_no_error_shows_a_credential_in_the_wrong_place(make: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        make()
    assert KEY not in str(raised.value)


def test_schemes_that_read_other_headers_stand_side_by_side() -> None:
    Authenticator(ApiKeys(KEYS), ApiKeys(KEYS, header="X-Admin-Key"), Session(load))
    Authenticator(Session(load), Session(load, cookie="__Host-other"))


@pytest.mark.filterwarnings("error")
def test_every_usual_order_is_without_warnings() -> None:
    auth = Authenticator(Tokens())
    limiter = RateLimiter("1/minute")
    mantlet.wsgi.wrap(lambda *_: [], limiter, auth)
    mantlet.wsgi.wrap(lambda *_: [], auth, limiter)
