"""`identity()`: a key by who is asking, as the policy that authenticates has found out."""

from mantlet.core.request import Request
from mantlet.exceptions import MantletError
from mantlet.ratelimit.keys.key import (
    MISSING,
    Key,
    Missing,
    check_missing,
    describe,
    hash_if_long,
    join_texts,
)

__all__ = ["identity"]


def identity(*, missing: Missing = "skip") -> Key:
    """Return the key of the identity that an `Authenticator` has verified.

    That is the subject with its issuer; without an ``iss`` claim, with the scheme of the
    credential. So a client has one bucket for all of its tokens, and none that another issuer's
    subject of the same name has.

    Args:
        missing: what a request without an identity, on a public route, counts for: ``"skip"``: it
            is not limited; ``"share"``: all of them share one bucket.

    Raises:
        ValueError: ``missing`` has another value.
        MantletError: when the key is called: no Authenticator has decided about the request. It
            has to be outside of the limiter.
    """
    check_missing(missing)
    absent = None if missing == "skip" else MISSING

    def key(request: Request) -> str | None:
        state = request.state
        who = state.identity
        if who is None:
            if state._authentication is None:
                raise MantletError(
                    "keys.identity() needs an Authenticator outside of the RateLimiter: none has "
                    "decided about this request"
                )
            return absent
        issuer = who.claims.get("iss")
        named = ("iss", issuer) if isinstance(issuer, str) else ("scheme", who.scheme)
        return hash_if_long(join_texts([*named, who.subject]))

    name = describe("identity", **({} if missing == "skip" else {"missing": missing}))
    return Key(key, name, reads_identity=True)
