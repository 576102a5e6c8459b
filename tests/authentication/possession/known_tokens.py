"""Tokens that a test has issued, each with its claims, as an `Authenticator` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mantlet
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.scheme import Scheme
from mantlet.core.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from mantlet import Request
    from tests.drive import Said


class KnownTokens(Scheme):
    """Take tokens from ``Authorization``.

    Args:
        tokens: the claims of each token.
    """

    name = "known"
    source = "Bearer"
    authorization = ("Bearer", "DPoP")
    challenge = "Bearer"

    def __init__(self, tokens: Mapping[str, Mapping[str, Any]]) -> None:
        self._tokens = tokens

    def verify(self, request: Request, credential: str) -> Identity:
        """Return the identity of a token."""
        claims = self._tokens.get(credential)
        if claims is None:
            raise InvalidCredential("unknown", error="invalid_token")
        return Identity("alice", self.name, claims=claims)


def whoami(raw: MutableMapping[str, Any]) -> Said:
    """Answer with the subject."""
    identity = mantlet.state(raw).identity
    return 200, [("content-type", "text/plain")], (identity.subject if identity else "-").encode()
