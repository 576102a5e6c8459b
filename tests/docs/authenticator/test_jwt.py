"""docs/authenticator/jwt.md: the examples run, and the limits are those of the code."""

from __future__ import annotations

import asyncio
import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Authenticator, Jwt
from mantlet.authentication.jwt import jwk, key_set, scheme, strict_json
from mantlet.authentication.jwt.claims import RFC_9068
from mantlet.authentication.jwt.key_set import KeySet
from tests.authentication.jwt.tokens import AUDIENCE, ISSUER, claims, jwks, pair, sign
from tests.docs.pages import DOCS, block_with, blocks, run
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

PAGE = "authenticator/jwt.md"
TEXT = (DOCS / PAGE).read_text()
OPTIONS = inspect.signature(Jwt).parameters
SETTINGS: dict[str, Any] = {
    "issuer": ISSUER,
    "audience": AUDIENCE,
    "algorithms": ["ES256"],
    "keys": jwks(pair()),
}


@both_adapters
def test_the_first_example_runs(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """With keys that the issuer's discovery would lead to."""

    async def startup(self: Any) -> None:
        self.key_set = KeySet.from_jwks(SETTINGS["keys"])

    monkeypatch.setattr(mantlet.Discovery, "startup", startup)
    names: dict[str, Any] = {}

    def app(raw: MutableMapping[str, Any]) -> Said:
        return 200, [], names["view"](raw).encode()

    first, view = blocks(PAGE)[:2]
    names |= run(PAGE, first, view, app=adapter.app(app))
    headers = [("Authorization", f"Bearer {sign()}")]
    wrapped = adapter.wrap(app, names["auth"])
    answer = adapter.drive(wrapped, headers=headers)
    assert answer.body.startswith(b"alice may ['orders:read', 'orders:write'] until ")
    assert answer.body.endswith(b" by web")
    assert adapter.drive(wrapped).status == 401


def test_keys_may_be_in_a_file() -> None:
    names = run(PAGE, block_with(PAGE, "JwksFile"))
    assert isinstance(names["jwt"]._keys, mantlet.JwksFile)


def test_a_secret_may_be_shared() -> None:
    secret = mantlet.Secret("a-secret-of-a-test" * 2)
    last = mantlet.Secret("another-secret-of-a-test" * 2)
    current = SimpleNamespace(token_secret=secret, last_token_secret=last)
    secrets = SimpleNamespace(current=current)
    names = run(PAGE, block_with(PAGE, "token_secret"), Jwt=Jwt, secrets=secrets)
    token = sign(claims(iss="shop", aud="shop"), key=secret.reveal().encode(), algorithm="HS256")
    who = names["own"].verify(None, token)
    assert who.subject == "alice"


@both_adapters
def test_tokens_may_be_revoked(adapter: Adapter) -> None:
    ended: set[str] = set()

    async def has_ended(sid: str) -> bool:
        if adapter.name == "asgi":
            await asyncio.sleep(0)
        return sid in ended

    names = run(
        PAGE,
        block_with(PAGE, "revoked_ids"),
        Jwt=Jwt,
        settings=SETTINGS,
        sessions=SimpleNamespace(has_ended=has_ended),
    )

    def app(raw: MutableMapping[str, Any]) -> Said:
        return 200, [], b""

    headers = [("Authorization", f"Bearer {sign(claims(sid='s'))}")]
    for kind, ids, value in (
        ("by_id", names["revoked_ids"], "token-1"),
        ("by_session", ended, "s"),
    ):
        wrapped = adapter.wrap(app, Authenticator(names[kind]))
        assert adapter.drive(wrapped, headers=headers).status == 200
        ids.add(value)
        assert adapter.drive(wrapped, headers=headers).status == 401


def test_every_option_is_on_the_page() -> None:
    table = TEXT.partition("| option | |")[2].partition("\n\n")[0]
    assert len(OPTIONS) > 10
    for name in OPTIONS:
        assert f"`{name}`" in table, name


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (OPTIONS["cache"].default, "remembered: {:,};"),
        (OPTIONS["max_size"].default, "in characters: {:,} "),
        (OPTIONS["leeway"].default, "may differ: {}, at most 300"),
        (scheme._MAX_LEEWAY, "at most {} "),
        (scheme._MAX_CACHE_MEMORY // 2**20, "within {} MiB"),
        (strict_json.MAX_DEPTH, "more than {} levels"),
        (strict_json._MAX_CONTAINERS, "more than {:,} objects and arrays"),
        (jwk.MAX_KID, "longer than {} characters"),
        (key_set.MAX_CANDIDATES, "more than {} keys fit"),
        (jwk._MIN_RSA_BITS, "RSA below {:,}"),
        (jwk._MAX_RSA_BITS, "above {:,} bits"),
    ],
)
def test_limits_are_those_of_the_code(value: int, words: str) -> None:
    assert words.format(value) in TEXT


def test_the_required_claims_are_those_of_the_code() -> None:
    assert sorted(["sub", "client_id", "iat", "jti"]) == sorted(RFC_9068)
    assert "those of RFC 9068: `sub`, `client_id`, `iat`, `jti`" in TEXT
