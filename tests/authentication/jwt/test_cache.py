"""Tokens that are remembered, for as long as they are valid and no longer."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from hashlib import sha256
from math import inf
from time import time
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import pytest

import mantlet
from mantlet import Authenticator, Identity
from mantlet.authentication.errors import AuthenticationUnavailable, InvalidCredential
from mantlet.authentication.jwt import jwk, scheme
from mantlet.authentication.jwt.base64url import decode_base64url
from mantlet.authentication.jwt.cache import TokenCache
from mantlet.authentication.jwt.key_set import KeySet
from mantlet.authentication.jwt.secret_keys import SecretKeys
from mantlet.authentication.keys.discovery import Discovery
from mantlet.authentication.keys.jwks_url import JwksUrl
from tests.authentication.asking import whoami as anyone
from tests.authentication.jwt.test_scheme import NO_REQUEST, assert_refused, jwt, whoami
from tests.authentication.jwt.tokens import claims, jwks, pair, public, sign
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said


class Source:
    """A `KeySource` that tests change."""

    def __init__(self, key_set: KeySet | None) -> None:
        self.key_set = key_set
        self.generation = 1
        self.next_renewal = inf
        self.log: list[str] = []

    def replace(self, key_set: KeySet) -> None:
        self.key_set = key_set
        self.generation += 1

    def renew(self) -> None:
        self.log.append("renewed")

    def report_unknown(self, kid: str) -> None:
        self.log.append(f"unknown {kid}")

    def unavailable(self) -> AuthenticationUnavailable:
        return AuthenticationUnavailable("no keys", retry_after=7)

    def startup(self) -> None:
        self.log.append("started")

    def shutdown(self) -> None:
        self.log.append("stopped")

    def health(self) -> Literal["stale"]:
        return "stale"


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the algorithms of the signatures that have been verified so far."""
    log: list[str] = []
    verify = jwk.VerificationKey.verify

    def counted(self: Any, algorithm: str, message: bytes, signature: bytes) -> bool:
        log.append(algorithm)
        return verify(self, algorithm, message, signature)

    monkeypatch.setattr(jwk.VerificationKey, "verify", counted)
    return log


def at(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    """Set the time of schemes."""
    monkeypatch.setattr(scheme, "time", lambda: now)


def test_a_valid_token_is_verified_once(verified: list[str]) -> None:
    one = jwt()
    token = sign()
    for _ in range(3):
        one.verify(NO_REQUEST, token)
    assert len(verified) == 1
    jwt().verify(NO_REQUEST, token)  # another scheme has a cache of its own
    assert len(verified) == 2


def test_a_hit_is_one_hash_and_one_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    one = jwt()
    token = sign()
    one.verify(NO_REQUEST, token)
    hashed: list[bytes] = []

    def digest(data: bytes) -> Any:
        hashed.append(data)
        return sha256(data)

    monkeypatch.setattr(scheme, "sha256", digest)
    for name in ("parse_compact", "parse_payload", "check_header"):
        monkeypatch.setattr(scheme, name, None)
    one.verify(NO_REQUEST, token)
    assert hashed == [token.encode()]


def test_an_invalid_token_is_never_remembered(verified: list[str]) -> None:
    one = jwt()
    forged = sign(key=pair("P-256", "other"))
    for _ in range(3):
        with pytest.raises(InvalidCredential):
            one.verify(NO_REQUEST, forged)
    assert len(verified) == 3
    assert len(one._cache) == 0


def test_a_token_is_never_valid_past_exp_by_the_cache(
    monkeypatch: pytest.MonkeyPatch, verified: list[str]
) -> None:
    now = int(time())
    one = jwt(leeway=30)
    token = sign(claims(exp=now + 100))
    one.verify(NO_REQUEST, token)
    at(monkeypatch, now + 99.9)
    one.verify(NO_REQUEST, token)
    assert len(verified) == 1
    at(monkeypatch, now + 100)
    one.verify(NO_REQUEST, token)  # within the leeway, verified each time
    one.verify(NO_REQUEST, token)
    assert len(verified) == 3
    at(monkeypatch, now + 130)
    with pytest.raises(InvalidCredential, match="expired"):
        one.verify(NO_REQUEST, token)


def test_a_token_is_never_valid_past_max_age_by_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time())
    one = jwt(max_age=50, leeway=0)
    token = sign(claims(iat=now, exp=now + 1000))
    one.verify(NO_REQUEST, token)
    at(monkeypatch, now + 50)
    with pytest.raises(InvalidCredential, match="long ago"):
        one.verify(NO_REQUEST, token)


def test_a_key_that_is_withdrawn_takes_its_tokens_with_it() -> None:
    source = Source(KeySet.from_jwks(jwks(pair())))
    one = jwt(keys=source)
    token = sign()
    one.verify(NO_REQUEST, token)
    source.replace(KeySet.from_jwks(jwks(public(pair("P-256", "new"), kid="1"))))
    with pytest.raises(InvalidCredential, match="signature"):
        one.verify(NO_REQUEST, token)
    source.replace(KeySet.from_jwks(jwks(pair())))
    assert isinstance(one.verify(NO_REQUEST, token), Identity)


def test_keys_that_change_during_a_verification_are_not_taken_for_the_old_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source(KeySet.from_jwks(jwks(pair())))
    one = jwt(keys=source)
    token = sign()
    verify = jwk.VerificationKey.verify

    def changing(self: Any, *args: Any) -> bool:
        source.replace(KeySet.from_jwks(jwks(public(pair("P-256", "new"), kid="1"))))
        return verify(self, *args)

    monkeypatch.setattr(jwk.VerificationKey, "verify", changing)
    one.verify(NO_REQUEST, token)
    with pytest.raises(InvalidCredential, match="signature"):
        one.verify(NO_REQUEST, token)


@both_adapters
def test_an_unknown_key_is_reported_after_the_response(adapter: Adapter) -> None:
    source = Source(KeySet.from_jwks(jwks(pair())))
    app = adapter.wrap(whoami, Authenticator(jwt(keys=source)))
    token = sign(header={"kid": "new"})
    assert_refused(adapter.drive(app, headers=[("Authorization", f"Bearer {token}")]))
    assert source.log.count("unknown new") == 1
    forged = sign(key=pair("P-256", "other"))  # of a known key
    assert_refused(adapter.drive(app, headers=[("Authorization", f"Bearer {forged}")]))
    assert len([one for one in source.log if one.startswith("unknown")]) == 1


@both_adapters
@pytest.mark.parametrize(("kid", "named"), [(..., "1"), (..., None), ("1", None)])
def test_a_new_key_without_an_id_is_reported_too(
    adapter: Adapter, kid: Any, named: str | None
) -> None:
    """An issuer that names no keys renews them all the same."""
    source = Source(KeySet.from_jwks(jwks(public(pair(), kid=named))))
    app = adapter.wrap(whoami, Authenticator(jwt(keys=source)))
    for token in (
        sign(header={"kid": kid}),
        sign(header={"kid": kid}, key=pair("P-256", "new")),
    ):
        adapter.drive(app, headers=[("Authorization", f"Bearer {token}")])
    assert [one for one in source.log if one.startswith("unknown")] == [
        f"unknown {kid if kid is not ... else ''}"
    ]


@both_adapters
def test_keys_are_renewed_after_the_response(adapter: Adapter) -> None:
    source = Source(KeySet.from_jwks(jwks(pair())))
    seen: list[list[str]] = []

    def app(raw: MutableMapping[str, Any]) -> Said:
        seen.append(list(source.log))
        return 200, [], b""

    wrapped = adapter.wrap(app, Authenticator(jwt(keys=source)))
    token = sign()
    for due in (inf, 0.0):
        source.next_renewal = due
        adapter.drive(wrapped, headers=[("Authorization", f"Bearer {token}")])
    assert "renewed" not in [*seen[0], *seen[1]]
    assert source.log.count("renewed") == 1


@both_adapters
def test_without_keys_tokens_get_503_and_malformed_ones_401(adapter: Adapter) -> None:
    app = adapter.wrap(whoami, Authenticator(jwt(keys=Source(None))))
    answer = adapter.drive(app, headers=[("Authorization", f"Bearer {sign()}")])
    assert answer.status == 503
    assert answer.get("retry-after") == "7"
    assert_refused(adapter.drive(app, headers=[("Authorization", "Bearer nonsense")]))


@both_adapters
def test_before_the_start_a_token_counts_for_nothing_on_a_public_route(adapter: Adapter) -> None:
    auth = Authenticator(jwt(keys=JwksUrl("http://127.0.0.1:1/")), public=["GET /"])
    app = adapter.module.wrap(adapter.app(anyone), auth, baseline=False, startup="lazy")
    answer = adapter.drive(app, headers=[("Authorization", f"Bearer {sign()}")])
    assert (answer.status, answer.body) == (200, b"nobody")


def test_by_default_keys_are_discovered_at_the_issuer() -> None:
    one = jwt(keys=...)
    assert isinstance(one._keys, Discovery)
    assert one._keys._issuer == one.issuer
    with pytest.raises(ValueError, match="issuer"):
        jwt(keys=..., issuer="not a URL")


def test_the_lifecycle_is_that_of_the_source() -> None:
    source = Source(None)
    one = jwt(keys=source)
    one.startup()
    one.shutdown()
    assert source.log == ["started", "stopped"]
    assert one.health() == "stale"


def test_a_secret_that_changes_twice_at_once_is_the_newest() -> None:
    """A thread that has read the last but one does not end between the steps of another."""
    current = [b"1" * 32]
    slow: list[threading.Thread] = []

    class Interrupted(SecretKeys):
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "_known" and value == b"3" * 32 and not slow:
                current[0] = b"2" * 32  # as the other thread has read it before
                slow.append(threading.Thread(target=lambda: self.generation))
                slow[0].start()
                slow[0].join(0.1)  # it waits, unless it has a turn
                current[0] = b"3" * 32
            super().__setattr__(name, value)

    keys = Interrupted(lambda: current[0], ["HS256"])
    keys.startup()
    current[0] = b"3" * 32
    assert keys.generation
    slow[0].join(120)
    assert keys.generation
    assert keys.key_set is not None
    (key,) = keys.key_set
    token = sign(algorithm="HS256", key=current[0])
    message, _, made = token.rpartition(".")
    assert key.verify("HS256", message.encode(), decode_base64url(made.encode()))


def test_a_secret_may_change_while_the_app_runs() -> None:
    old, new = mantlet.Secret("o" * 32), mantlet.Secret("n" * 32)
    current: list[Any] = [old]
    asked: list[object] = []

    request: Any = SimpleNamespace(add_cleanup=lambda cleanup: cleanup())

    def read() -> Any:
        asked.append(None)
        return current[0] if len(current) == 1 else list(current)

    one = jwt(keys=..., algorithms=["HS256"], secret=read)
    assert asked == []  # secrets may not be there yet
    one.startup()
    assert asked
    by_old, by_new = (
        sign(algorithm="HS256", key=secret.reveal().encode()) for secret in (old, new)
    )

    def is_valid(token: str) -> bool:
        try:
            return isinstance(one.verify(request, token), Identity)
        except InvalidCredential:
            return False

    before = one._keys.generation
    current[0] = mantlet.Secret("o" * 32)  # an equal one
    assert [is_valid(by_old), is_valid(by_new)] == [True, False]
    current[:] = [new, old]
    assert [is_valid(by_old), is_valid(by_new)] == [True, True]
    assert one._keys.generation == before + 1
    current[:] = [new]
    assert [is_valid(by_old), is_valid(by_new)] == [False, True]
    current[:] = [mantlet.Secret("short")]
    with pytest.raises(ValueError, match="32 bytes"):
        is_valid(by_new)  # the app's own fault


# -- revocation -----------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("kind", ["set", "def", "async def"])
def test_revocation_is_asked_for_every_request(adapter: Adapter, kind: str) -> None:
    revoked: set[str] = set()

    def plain(identity: Identity) -> bool:
        return identity.claims["jti"] in revoked

    async def waiting(identity: Identity) -> bool:
        if adapter.name == "asgi":
            await asyncio.sleep(0)
        return plain(identity)

    option: Any = {"set": revoked, "def": plain, "async def": waiting}[kind]
    app = adapter.wrap(whoami, Authenticator(jwt(revoked=option)))
    headers = [("Authorization", f"Bearer {sign()}")]
    assert adapter.drive(app, headers=headers).body == b"alice"
    assert adapter.drive(app, headers=headers).body == b"alice"
    revoked.add("token-1")
    assert_refused(adapter.drive(app, headers=headers))
    assert_refused(adapter.drive(app, headers=headers))
    revoked.clear()
    assert adapter.drive(app, headers=headers).body == b"alice"


@both_adapters
def test_a_revocation_that_fails_lets_nobody_in(adapter: Adapter) -> None:
    def broken(identity: Identity) -> bool:
        raise ConnectionError("the database is away")

    app = adapter.wrap(whoami, Authenticator(jwt(revoked=broken)))
    answer = adapter.drive(app, headers=[("Authorization", f"Bearer {sign()}")])
    assert isinstance(answer.error, ConnectionError)
    assert answer.body == b""


def test_a_token_that_can_not_be_revoked_is_refused() -> None:
    one = jwt(revoked={"x"}, required=["sub"])
    with pytest.raises(InvalidCredential, match="jti"):
        one.verify(NO_REQUEST, sign(claims(jti=...)))


# -- bounds ---------------------------------------------------------------------------------------


def identity(**members: Any) -> Identity:
    return Identity("alice", "jwt", claims=MappingProxyType(members))


def digest(number: int) -> bytes:
    return sha256(number.to_bytes(8)).digest()


def test_the_oldest_entry_makes_room() -> None:
    cache = TokenCache(3, 2**20)
    for number in range(5):
        cache.add(digest(number), identity(), 1, inf)
    assert len(cache) == 3
    assert cache.get(digest(1)) is None
    assert cache.get(digest(2)) is not None
    cache.add(digest(2), identity(), 2, inf)
    entry = cache.get(digest(2))
    assert entry is not None
    assert entry.generation == 2
    assert len(cache) == 3
    cache.add(digest(9), identity(), 1, inf)
    assert cache.get(digest(2)) is None
    assert len(cache._order) == len(cache) == 3


def test_memory_is_bounded() -> None:
    cache = TokenCache(1000, 100_000)
    for number in range(200):
        cache.add(digest(number), identity(text="x" * 9_000, number=number), 1, inf)
    assert 5 <= len(cache) <= 11
    assert cache._memory <= 100_000
    cache.add(digest(999), identity(text="x" * 200_000), 1, inf)  # larger than all of it
    assert cache.get(digest(999)) is None
    assert cache._memory == sum(entry.size for entry in cache._entries.values())


def test_a_fork_in_the_middle_of_a_change_leaves_an_empty_cache() -> None:
    cache = TokenCache(10, 2**20)
    cache.add(digest(1), identity(), 1, inf)
    with cache._lock.hold():
        cache._lock.reset()
        assert len(cache) == cache._memory == len(cache._order) == 0
    cache.add(digest(2), identity(), 1, inf)
    assert cache.get(digest(2)) is not None


def test_the_memory_of_an_entry_is_estimated_well() -> None:
    """Not less than it takes, for claims of any form."""
    import tracemalloc

    for text in (
        b'{"a": [' + b",".join([b"[]"] * 450) + b"]}",
        b'{"a": [' + b",".join([b"{}"] * 450) + b"]}",
        b'{"a": [' + b",".join([b'"\xc3\xa9\xc3\xa8"'] * 450) + b"]}",
        b'{"a": [' + b",".join([b"1.5"] * 450) + b"]}",
        b"{" + b",".join(b'"%d": %d' % (n, n + 1000) for n in range(900)) + b"}",
        b'{"a": [' + b",".join([b'{"b": {"c": 12345}}'] * 200) + b"]}",
    ):
        from mantlet.authentication.jwt.claims import frozen
        from mantlet.authentication.jwt.strict_json import parse_object

        cache = TokenCache(10, 2**30)
        parse_object(text)
        tracemalloc.start()
        made = Identity("alice", "jwt", claims=frozen(parse_object(text)))
        cache.add(digest(0), made, 1, inf)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert taken <= 1.05 * cache._memory, text[:40]


def test_no_cache_remembers_nothing(verified: list[str]) -> None:
    one = jwt(cache=0)
    token = sign()
    one.verify(NO_REQUEST, token)
    one.verify(NO_REQUEST, token)
    assert len(verified) == 2


def test_the_cache_has_no_token() -> None:
    one = jwt()
    token = sign()
    one.verify(NO_REQUEST, token)
    (key,) = one._cache._entries
    assert key == sha256(token.encode()).digest()
    shown = repr(one._cache._entries)
    for part in token.split("."):
        assert part not in shown


def test_threads_share_a_cache() -> None:
    """Of few entries, so that they come and go all the time, with tokens that come and go too."""
    source = Source(KeySet.from_jwks(jwks(pair())))
    one = jwt(cache=4, keys=source)
    tokens = {sign(claims(sub=f"user-{n}", jti=str(n))): f"user-{n}" for n in range(8)}
    forged = [sign(claims(sub=f"user-{n}"), key=pair("P-256", "other")) for n in range(8)]
    faults: list[object] = []
    barrier = threading.Barrier(8)

    def work(start: int) -> None:
        barrier.wait()
        items = list(tokens.items())
        for step in range(120):
            token, subject = items[(start + step) % len(items)]
            who = one.verify(NO_REQUEST, token)
            if not isinstance(who, mantlet.Identity) or who.subject != subject:
                faults.append(who)
            if step % 10 == 0:
                source.replace(KeySet.from_jwks(jwks(pair())))
                with suppress(InvalidCredential):
                    faults.append(one.verify(NO_REQUEST, forged[start]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(one._cache) <= 4
    sizes = [entry.size for entry in one._cache._entries.values()]
    assert one._cache._memory == sum(sizes)
    assert set(one._cache._order) == set(one._cache._entries)


# -- report mode ----------------------------------------------------------------------------------


@both_adapters
def test_in_report_mode_keys_are_renewed_all_the_same(adapter: Adapter) -> None:
    source = Source(KeySet.from_jwks(jwks(pair())))

    def app(raw: MutableMapping[str, Any]) -> Said:
        return 200, [], b""

    wrapped = adapter.wrap(app, Authenticator(jwt(keys=source), mode="report"))
    source.next_renewal = 0.0
    token = sign(header={"kid": "new"})
    answer = adapter.drive(wrapped, headers=[("Authorization", f"Bearer {token}")])
    assert answer.status == 200
    assert "renewed" in source.log
    assert "unknown new" in source.log
