"""`Jwt`: access tokens of one issuer, which are verified with its public keys (RFC 9068).

It stops tokens that are forged, changed, expired, meant for another audience, of another issuer or
of another kind, such as ID tokens; and every confusion of keys and algorithms of RFC 8725.

It does not stop a stolen token, for as long as that is valid: `Dpop` does, and ``revoked`` ends
it. It can't tell what the issuer has decided since it signed the token: ask `Introspection` where
that matters.

A token that was valid is remembered by its digest, until it expires, its key set changes, or room
is needed; the same token then costs a digest and a look-up. Nothing is remembered of invalid ones.
"""

from collections.abc import Awaitable, Callable, Collection, Container, Mapping
from functools import partial
from hashlib import sha256
from time import monotonic, time
from typing import Any, Final

from mantlet._internal.options import KnowsOptions, check_int, check_number
from mantlet.authentication.callbacks import call, check_callback
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.jwt import options
from mantlet.authentication.jwt.cache import TokenCache
from mantlet.authentication.jwt.claims import ClaimRules
from mantlet.authentication.jwt.compact import check_header, parse_compact, parse_payload
from mantlet.authentication.jwt.key_set import FixedKeys, KeySet, KeySource
from mantlet.authentication.jwt.secret_keys import SecretKeys
from mantlet.authentication.scheme import Scheme
from mantlet.core.identity import Identity
from mantlet.core.policy import HealthState
from mantlet.core.request import Request

__all__ = ["Jwt"]

_ERROR: Final = "invalid_token"
#: The most memory of the cache, in bytes.
_MAX_CACHE_MEMORY: Final = 64 * 1024 * 1024
_MAX_LEEWAY: Final = 300

# Any: text, bytes, or an object that reveals one, such as a `Secret`.
Secrets = Any
Revoked = Container[str] | Callable[[Identity], bool | Awaitable[bool]]


class Jwt(KnowsOptions, Scheme):
    """Verify access tokens of one issuer: signed JWTs (RFC 7519, RFC 9068).

    Args:
        issuer: the ``iss`` of the tokens, exactly as the issuer writes it.
        audience: the ``aud`` that stands for this API, or several; one must be in the token.
        algorithms: those that the issuer signs with, such as ``["ES256"]``. No other is accepted,
            whatever a token or a key says.
        typ: the kind of token, as its header has it. ``None`` takes any, and needs ``claims``.
        keys: the issuer's public keys: a JWKS document (RFC 7517, 5) as a dict, a `KeySet`, or a
            source of key sets. By default they are discovered at the issuer.
        secret: the shared secret for HMAC, as text, bytes or a `Secret`; at least as long as the
            hash (RFC 7518, 3.2). While one is replaced by another, a list of both. A function that
            returns these is called for each token, for secrets that change while the app runs.
        leeway: how far the clocks of the issuer and of this host may differ, in seconds.
        max_age: the most seconds since the token was issued (``iat``), if its ``exp`` is too late.
        claims: further claims and the values that they must have.
        required: the names of further claims that must be there; by default those that RFC 9068
            requires, if ``typ`` is its ``at+jwt``.
        audience_claim: the claim that has the audience, for an issuer that does not use ``aud``.
        subject: the claim that has the subject.
        roles: the claim that has a list of roles: its name, or a JSON Pointer (RFC 6901) such as
            ``"/realm_access/roles"``.
        revoked: tells that a token is no longer valid: a container of ``jti``, such as a set; or a
            function (``def`` or ``async def``) of the identity. It is asked for every request.
        cache: the most tokens that are remembered; 0 for none.
        max_size: the most characters of a token.

    Raises:
        ImportError: the extra ``identity`` is not installed.
        TypeError: an option is of the wrong type.
        ValueError: an option has an invalid value, or contradicts another one.
    """

    name = "jwt"
    source = "Bearer"
    authorization = ("Bearer", "DPoP")
    challenge = "Bearer"

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Collection[str],
        algorithms: Collection[str],
        typ: str | None = "at+jwt",
        keys: Mapping[str, Any] | KeySet | KeySource | None = None,
        secret: Secrets = None,
        leeway: float = 10,
        max_age: float | None = None,
        claims: Mapping[str, str | int] | None = None,
        required: Collection[str] | None = None,
        audience_claim: str = "aud",
        subject: str = "sub",
        roles: str | None = None,
        revoked: Revoked | None = None,
        cache: int = 10_000,
        max_size: int = 8192,
    ) -> None:
        self.issuer = options.check_text("issuer", issuer)
        expected = options.check_claims(claims)
        self._types = options.check_type(typ, has_claims=bool(expected))
        self._keys = _key_source(keys, secret, algorithms, issuer)
        self._algorithms = options.check_algorithms(
            algorithms,
            has_secret=secret is not None,
            key_set=self._keys.key_set if isinstance(self._keys, FixedKeys) else None,
        )
        self._rules = ClaimRules(
            issuer=issuer,
            audiences=options.check_texts("audience", audience),
            audience_claim=options.check_text("audience_claim", audience_claim),
            required=options.check_required(required, typ),
            expected=expected,
            subject=options.check_text("subject", subject),
            roles=options.check_path("roles", roles),
            leeway=check_number("leeway", leeway, least=0, most=_MAX_LEEWAY),
            max_age=None if max_age is None else check_number("max_age", max_age),
        )
        self._max_size = check_int("max_size", max_size, unit="characters")
        self._cache = TokenCache(check_int("cache", cache, least=0), _MAX_CACHE_MEMORY)
        self._revoked_ids: Container[str] | None = None
        self._is_revoked: Callable[[Identity], Any] | None = None
        if isinstance(revoked, str | bytes):  # of which each part would be "in" it
            raise TypeError("revoked must be a container such as a set, or a function, not text")
        if isinstance(revoked, Container) and not callable(revoked):
            self._revoked_ids = revoked
        elif revoked is not None:
            self._is_revoked = check_callback("revoked", revoked)
        self._is_revocable = revoked is not None

    def accepts(self, credential: str) -> bool:
        """Return whether a token says that it is of this issuer; nothing of it is verified."""
        if len(credential) <= self._max_size and self._cache.get(_digest(credential)) is not None:
            return True
        try:
            payload = parse_compact(credential, max_size=self._max_size).payload
            claims = parse_payload(payload)
        except InvalidCredential:
            return False
        return claims.get("iss") == self.issuer

    def verify(self, request: Request, credential: str) -> Identity | Awaitable[Identity]:
        """Return who a token belongs to.

        Raises:
            InvalidCredential: it is malformed, wrong, expired or revoked.
            AuthenticationUnavailable: there are no keys yet.
        """
        if len(credential) > self._max_size:
            raise InvalidCredential("the token is too long", error=_ERROR)
        keys = self._keys
        if monotonic() >= keys.next_renewal:
            request.add_cleanup(keys.renew)
        digest = _digest(credential)
        entry = self._cache.get(digest)
        if entry is not None and entry[1] == keys.generation and time() < entry[2]:
            identity = entry[0]
        else:
            identity = self._verify(request, credential, digest)
        return self._unless_revoked(request, identity) if self._is_revocable else identity

    def _verify(self, request: Request, token: str, digest: bytes) -> Identity:
        """Return who a token belongs to that is not remembered."""
        jws = parse_compact(token, max_size=self._max_size)
        algorithm, kid = check_header(jws.header, self._algorithms, self._types)
        keys = self._keys
        generation = keys.generation  # before the keys, see `KeySource`
        key_set = keys.key_set
        if key_set is None:
            raise keys.unavailable()
        candidates = key_set.candidates(kid, algorithm)
        for key in candidates:
            if key.verify(algorithm, jws.signed, jws.signature):
                break
        else:
            if not key_set.knows(kid):
                request.add_cleanup(partial(keys.report_unknown, kid or ""))
            wrong = "the signature of the token is wrong" if candidates else "no key fits the token"
            raise InvalidCredential(wrong, error=_ERROR)
        now = time()
        identity = self._rules.identify(parse_payload(jws.payload), self.name, now)
        if identity.expires is not None and now < identity.expires:
            self._cache.add(digest, identity, generation, identity.expires)
        return identity

    def _unless_revoked(
        self, request: Request, identity: Identity
    ) -> Identity | Awaitable[Identity]:
        """Return the identity of a token, unless the token has been revoked."""
        if self._is_revoked is not None:
            return self._ask(request, self._is_revoked, identity)
        jti = identity.claims.get("jti")
        if not isinstance(jti, str):
            raise InvalidCredential("the token has no jti to be revoked by", error=_ERROR)
        if self._revoked_ids is not None and jti in self._revoked_ids:
            raise InvalidCredential("the token has been revoked", error=_ERROR)
        return identity

    async def _ask(
        self, request: Request, is_revoked: Callable[[Identity], Any], identity: Identity
    ) -> Identity:
        if await call(request, is_revoked, identity):
            raise InvalidCredential("the token has been revoked", error=_ERROR)
        return identity

    def startup(self) -> Awaitable[None] | None:
        """Load the keys; see `KeySource`."""
        return self._keys.startup()

    def shutdown(self) -> Awaitable[None] | None:
        """Release the resources of `startup`."""
        return self._keys.shutdown()

    def health(self) -> HealthState:
        """Return the state of the keys."""
        return self._keys.health()


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


# Any: see `Jwt`.
def _key_source(keys: Any, secret: Any, algorithms: Collection[str], issuer: str) -> KeySource:
    """Return the source of the keys, from the options of `Jwt`.

    Raises:
        TypeError: ``keys`` is of the wrong type.
        ValueError: there are both keys and a secret, or neither is valid.
    """
    if secret is not None:
        if keys is not None:
            raise ValueError("keys are for key pairs and secret is for HMAC; pass one of them")
        names = options.check_texts("algorithms", algorithms)
        if callable(secret):
            return SecretKeys(secret, names)
        return FixedKeys(KeySet.from_secrets(options.check_secrets(secret, names)))
    if isinstance(keys, Mapping):
        keys = KeySet.from_jwks(keys)
    if isinstance(keys, KeySet):
        return FixedKeys(keys)
    if keys is None:
        from mantlet.authentication.keys.discovery import Discovery

        return Discovery(issuer)
    if not hasattr(keys, "key_set") or not callable(getattr(keys, "report_unknown", None)):
        raise TypeError(
            f"keys must be a JWKS document, a KeySet or a source, not {type(keys).__name__}"
        )
    source: KeySource = keys
    return source
