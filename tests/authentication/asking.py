"""Schemes, credentials and an app that says who asked, for the tests of `Authenticator`."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import ApiKeys, Basic, Identity, Session
from mantlet.authentication.errors import AuthenticationUnavailable, InvalidCredential
from mantlet.authentication.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mantlet import Request
    from tests.drive import Said

KEY = "a-key-of-a-test"
KEYS = {sha256(KEY.encode()).hexdigest(): "robot"}
WITH_KEY = ("X-API-Key", KEY)
#: A request with each of these is one of its subject.
SUBJECTS = {"good": "ada", "other": "grace"}


class Tokens(Scheme):
    """Bearer tokens that are their own verdict."""

    name = "tokens"
    source = "Bearer"
    authorization = ("Bearer",)
    challenge = "Bearer"

    def __init__(self) -> None:
        self.verified = 0

    def verify(self, request: Request, credential: str) -> Identity:
        self.verified += 1
        if credential == "away":
            raise AuthenticationUnavailable("the provider is away", retry_after=7.2)
        if credential in SUBJECTS:
            return Identity(SUBJECTS[credential], self.name)
        raise InvalidCredential("the token has expired", error="invalid_token")


def bearer(token: str) -> tuple[str, str]:
    """Return the header of a token."""
    return "Authorization", f"Bearer {token}"


def basic(pair: str = "ada:pässword") -> tuple[str, str]:
    """Return the header of a user name and a password."""
    return "Authorization", f"Basic {b64encode(pair.encode()).decode()}"


def is_right(user: str, password: str) -> bool:
    """Return whether a password is that of the tests."""
    return password == "pässword"


def load(value: str) -> str | None:
    """Return whose session it is."""
    return {"s1": "ada", "s2": "grace"}.get(value)


def whoami(raw: MutableMapping[str, Any]) -> Said:
    """Answer with the subject and the scheme."""
    who = mantlet.state(raw).identity
    text = f"{who.subject} by {who.scheme}" if who else "nobody"
    return 200, [("content-type", "text/plain")], text.encode()


def every_scheme() -> tuple[Scheme, ...]:
    """Return one scheme of each kind."""
    return Tokens(), ApiKeys(KEYS), Basic(is_right), Session(load)


CHALLENGES = (
    'Bearer realm="api"{}, ApiKey realm="api", Basic realm="api", charset="UTF-8", '
    'Cookie realm="api"'
)
