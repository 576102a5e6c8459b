"""`Dpop`: proofs that a client has the key that its token is bound to (RFC 9449).

A stolen token is of no use without the key. A stolen proof is good for one request, with the method
and the URL that it was made for, within a minute, and not even for that once it was used.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from hmac import compare_digest
from math import ceil
from time import time
from typing import Any, Final

from mantlet._internal.options import KnowsOptions, check_int, check_number
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.jwt.algorithms import ASYMMETRIC, algorithm_model
from mantlet.authentication.possession.nonces import Nonces
from mantlet.authentication.possession.proof import ERROR, Proof, base64url_digest
from mantlet.authentication.possession.replays import Replays
from mantlet.authentication.possession.target_uri import TargetUri
from mantlet.core.policy import HealthState
from mantlet.core.preflight import METHOD_OVERRIDES
from mantlet.core.request import Request
from mantlet.http.headers import HeaderNames

__all__ = ["Dpop"]

_DEFAULT: Final = ("ES256", "Ed25519", "EdDSA", "PS256")
_NAMES: Final = HeaderNames("DPoP", *METHOD_OVERRIDES)
#: RFC 9449, 8 and 9: the code that asks for a proof with the nonce of ``DPoP-Nonce``.
_USE_NONCE: Final = "use_dpop_nonce"


class Dpop(KnowsOptions):
    """Verify DPoP proofs, for `Authenticator`.

    A token with ``cnf.jkt`` (RFC 9449, 6.1) is accepted with a proof of its key alone, whether or
    not this is configured; a token without one is not accepted as ``Authorization: DPoP``.

    Args:
        origin: the scheme and host of the app as clients see them, such as
            ``"https://api.example"``; with a path if a proxy removes that from each path; a list if
            there are several. The ``Host`` header is not believed: a server that gets a token and a
            proof for itself could pass them on with its own name in it.
        store: remembers the proofs that were used: ``"memory"`` of each process,
            ``"lmdb:///var/lib/app/proofs"`` for all processes of a host, ``"redis://..."`` for all
            hosts.
        algorithms: those of proofs, all with a key pair.
        max_age: in seconds; how old a proof may be.
        leeway: in seconds; how far the clocks of clients and hosts may be apart.
        nonce: a secret of 32 bytes or more, as bytes, text or a `Secret`, or a list with the newest
            first: proofs then need a nonce that this server has provided (RFC 9449, 9), so that
            none can be made in advance. All workers need the same secret.
        nonce_period: in seconds; a new nonce is provided this often, and accepted twice as long.
        max_proofs: the most proofs that ``"memory"`` and ``"lmdb://..."`` keep; a store that is
            full refuses with 503, since it can't forget one.
        clock: returns Unix time in seconds.

    Attributes:
        challenge: for ``WWW-Authenticate``, without realm and error (RFC 9449, 7.1).

    Raises:
        ImportError: a library is not installed; the message names the extra.
        TypeError: an option is of the wrong type.
        ValueError: an option is invalid.
    """

    def __init__(
        self,
        *,
        origin: str | Iterable[str],
        store: str = "memory",
        algorithms: Iterable[str] = _DEFAULT,
        max_age: int = 60,
        leeway: int = 5,
        # Any: a `Secret`, which belongs to another policy.
        nonce: Any = None,
        nonce_period: int = 300,
        max_proofs: int = 200_000,
        clock: Callable[[], float] = time,
    ) -> None:
        self._uris = TargetUri(origin)
        self._algorithms = _checked_algorithms(algorithms)
        self._max_age = check_number("max_age", max_age, most=3600)
        self._leeway = check_number("leeway", leeway, least=0, most=300)
        self._clock = clock
        self._nonces = None
        if nonce is not None:
            check_int("nonce_period", nonce_period, most=86_400, unit="seconds")
            self._nonces = Nonces(nonce, period=nonce_period, clock=clock)
        # A proof is accepted from `leeway` before to `max_age` after it was made, by the clocks of
        # hosts that may be `leeway` apart.
        window = ceil(max_age + 2 * leeway) + 1
        self._replays = Replays(store, window=window, max_proofs=max_proofs)
        self.challenge = f'DPoP algs="{" ".join(self._algorithms)}"'

    def verify(self, request: Request, token: str, thumbprint: str) -> Awaitable[None] | None:
        """Verify the proof of a request (RFC 9449, 4.3).

        Args:
            request: the request.
            token: its access token.
            thumbprint: of the key that the token is bound to, ``cnf.jkt``.

        Returns:
            None, or an awaitable of it, which must be awaited.

        Raises:
            InvalidCredential: there is no proof, or it is not valid for this request.
            AuthenticationUnavailable: whether it was used before can't be told now.
        """
        headers = request.get_headers(_NAMES)
        value = headers.get("DPoP")
        if value is None:
            raise InvalidCredential("a proof is missing (DPoP)", error=ERROR)
        if "," in value:  # as servers join lines
            raise InvalidCredential("a proof must be sent once (DPoP)", error=ERROR)
        try:
            proof = Proof.parse(value, self._algorithms)
        except InvalidCredential as error:
            reason = f"the DPoP proof is malformed: {error.reason}"
            raise InvalidCredential(reason, error=ERROR) from None
        if not compare_digest(proof.thumbprint.encode(), thumbprint.encode()):
            raise InvalidCredential("the token is bound to another key", error=ERROR)
        if not compare_digest(proof.token_hash.encode(), base64url_digest(token.encode()).encode()):
            raise InvalidCredential("the proof is for another token (ath)", error=ERROR)
        self._check_target(request, proof, headers)
        is_newest = self._check_nonce(request, proof)
        self._check_age(proof)
        proof.verify_signature()
        if not is_newest:
            self._provide_nonce(request)
        return self._use(request, proof)

    def _check_target(self, request: Request, proof: Proof, headers: Mapping[str, str]) -> None:
        method = request.method
        if proof.method != method:
            raise InvalidCredential("the proof is for another method (htm)", error=ERROR)
        if any(headers.get(name, method).upper() != method.upper() for name in METHOD_OVERRIDES):
            raise InvalidCredential("a header replaces the method of the proof", error=ERROR)
        if not self._uris.matches(proof.uri, request):
            raise InvalidCredential("the proof is for another URI (htu)", error=ERROR)

    def _check_age(self, proof: Proof) -> None:
        age = self._clock() - proof.issued
        if age < -self._leeway:
            raise InvalidCredential("the proof is from the future (iat)", error=ERROR)
        if age > self._max_age:
            raise InvalidCredential("the proof is too old (iat)", error=ERROR)

    def _use(self, request: Request, proof: Proof) -> Awaitable[None] | None:
        parts = "\n".join((proof.thumbprint, proof.uri, proof.identifier))
        digest = base64url_digest(parts.encode())
        use = self._replays.place, digest
        if use in (request.state._proofs or ()):  # by another stack of this exchange
            return None
        is_first = self._replays.is_first(digest, is_async=request.is_async)
        if isinstance(is_first, bool):
            _note(request, use, is_first)
            return None
        return _wait_for(request, use, is_first)

    def _check_nonce(self, request: Request, proof: Proof) -> bool:
        """Return whether a proof has the newest nonce, or needs none."""
        if self._nonces is None:
            return True
        is_newest = self._nonces.check(proof.nonce)
        if is_newest is None:
            self._provide_nonce(request)
            raise InvalidCredential("the proof needs a nonce of this server", error=_USE_NONCE)
        return is_newest

    def _provide_nonce(self, request: Request) -> None:
        if self._nonces is not None:
            request.add_response_header("DPoP-Nonce", self._nonces.current, replace=True)
            # RFC 9449, 8.2: a stored response would bring back an old nonce.
            request.add_response_header("Cache-Control", "no-store", replace=True)

    def startup(self) -> Awaitable[None] | None:
        """Open the store, as `Policy.startup`."""
        return self._replays.startup()

    def shutdown(self) -> Awaitable[None] | None:
        """Close the store, as `Policy.shutdown`."""
        return self._replays.shutdown()

    async def health(self) -> HealthState:
        """Return ``"ok"`` if the store responds, else ``"down"``."""
        return await self._replays.health()


async def _wait_for(request: Request, use: tuple[object, str], is_first: Awaitable[bool]) -> None:
    _note(request, use, await is_first)


def _note(request: Request, use: tuple[object, str], is_first: bool) -> None:
    """Note that a proof is used in this exchange, and refuse one that was used in another."""
    if not is_first:
        raise InvalidCredential("the proof was used before (jti)", error=ERROR)
    used = request.state._proofs
    if used is None:
        used = request.state._proofs = set()
    used.add(use)


def _checked_algorithms(algorithms: Iterable[str]) -> tuple[str, ...]:
    if isinstance(algorithms, str) or not isinstance(algorithms, Iterable):
        raise TypeError(f'algorithms must be a list such as ["ES256"], not {algorithms!r}')
    checked = tuple(dict.fromkeys(algorithms))
    for one in checked:
        if one not in ASYMMETRIC:
            raise ValueError(
                f"algorithms must be of signatures with a key pair, such as "
                f"{', '.join(ASYMMETRIC)}, not {one!r}"
            )
        algorithm_model(one)  # raises an ImportError that names the extra
    if not checked:
        raise ValueError("algorithms must name at least one algorithm")
    return checked
