"""`Authenticator`: which requests pass, as whom, and how the others are answered."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import ApiKeys, Authenticator, Basic, Session
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tests.drive import Said

KEY = "a-key-of-a-test"
KEYS = {sha256(KEY.encode()).hexdigest(): "robot"}


def whoami(raw: MutableMapping[str, Any]) -> Said:
    """Answer with the subject."""
    identity = mantlet.state(raw).identity
    return 200, [("content-type", "text/plain")], (identity.subject if identity else "-").encode()


def nobody(value: str) -> None:
    """Know no session."""


def is_right(user: str, password: str) -> bool:
    """Return whether a password is that of the tests."""
    return password == "pässword"


@both_adapters
def test_a_request_without_a_credential_is_refused_with_every_challenge(adapter: Adapter) -> None:
    auth = Authenticator(ApiKeys(KEYS), Basic(is_right), Session(nobody))
    answer = adapter.drive(adapter.wrap(whoami, auth))
    assert answer.status == 401
    assert answer.get("www-authenticate") == (
        'ApiKey realm="api", Basic realm="api", charset="UTF-8", Cookie realm="api"'
    )
    assert answer.get("cache-control") == "no-store"


@both_adapters
def test_a_valid_key_sets_the_identity(adapter: Adapter) -> None:
    app = adapter.wrap(whoami, Authenticator(ApiKeys(KEYS)))
    assert adapter.drive(app, headers=[("X-API-Key", KEY)]).body == b"robot"
    assert adapter.drive(app, headers=[("X-API-Key", "another")]).status == 401
