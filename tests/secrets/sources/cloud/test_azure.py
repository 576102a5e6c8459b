"""The store of Azure, with an HTTPS server that behaves as documented.

https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/get-secret/get-secret, and the challenge
of https://learn.microsoft.com/en-us/azure/key-vault/general/authentication-requests-and-responses
"""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

from mantlet.secrets import AzureKeyVault, RejectedValue, SecretField, SourceError, SourceValue
from mantlet.secrets.sources.remote import SourceUnavailable
from tests.secrets.sources import assertions
from tests.secrets.sources.assertions import assert_unlogged, value
from tests.secrets.sources.server import (
    Behavior,
    ReceivedRequest,
    Server,
    closes_early,
    drops_connection,
    responds,
    sends_slowly,
)

VALUE, NEW, TOKEN = "kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w", "token-of-a-test-8Uj4Rf"
HIDDEN = (VALUE, NEW, TOKEN)
KEY = SecretField("signing_key", "APP_SIGNING_KEY", "signing_key", "APP_")
UPDATED = 1493938433


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Assert that no library logs a secret during a test."""
    caplog.set_level(logging.DEBUG)
    yield
    assert_unlogged(caplog, HIDDEN)


class Credential:
    """A credential of the user.

    Attributes:
        error: the exception to raise instead of returning a token.
    """

    error: Exception | None = None

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Return a token."""
        if self.error is not None:
            raise self.error
        return AccessToken(TOKEN, int(time.time()) + 3600)


class KeyVault(Server):
    """A key vault.

    Attributes:
        secrets: the latest versions, by the names of the secrets.
        credential: the credential that it accepts.
    """

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        super().__init__(certificate)
        self.secrets: dict[str, str] = {}
        self.credential = Credential()
        self._trusted = str(certificate[0])

    def respond(self, request: ReceivedRequest) -> tuple[int, Any]:
        """Respond as documented."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"error": {"code": "Unauthorized", "message": "AKV10000"}}
        name = urlsplit(request.line.split(" ")[1]).path.removeprefix("/secrets/").rstrip("/")
        if name not in self.secrets:
            return 404, {"error": {"code": "SecretNotFound", "message": f"{name} {VALUE}"}}
        attributes = {"enabled": True, "created": UPDATED, "updated": UPDATED}
        identity = f"https://shop.vault.azure.net/secrets/{name}/4387e9f3d6e14c459867679a90fd0f79"
        return 200, {"value": self.secrets[name], "id": identity, "attributes": attributes}

    def client(self) -> SecretClient:
        """Return a client for this server that trusts it."""
        return SecretClient(
            self.url,
            self.credential,
            verify_challenge_resource=False,
            connection_verify=self._trusted,
        )

    def source(self, **options: Any) -> AzureKeyVault:
        """Return a source for this server, without retries."""
        return AzureKeyVault(self.url, **{"client": self.client, "retries": 0, **options})


#: The response of a vault to a request without a token; the library then gets one and retries.
CHALLENGE = responds(
    401,
    {"error": {"code": "Unauthorized", "message": "AKV10000"}},
    WWW_Authenticate='Bearer authorization="https://login.microsoftonline.com/t", '
    'resource="https://vault.azure.net"',
)


@pytest.fixture
def vault(certificate: tuple[Path, Path]) -> Iterator[KeyVault]:
    with KeyVault(certificate) as server:
        server.next = [CHALLENGE]
        yield server


def read_error(source: AzureKeyVault) -> SourceError:
    """Return the error of a source that can't be read."""
    return assertions.read_error(source, HIDDEN)


def test_each_secret_is_read_in_its_newest_version(vault: KeyVault) -> None:
    """By a name without underscores, which Key Vault does not allow."""
    vault.secrets = {"shop-signing-key": VALUE}
    other = SecretField("token", "APP_TOKEN", "token", "APP_")
    found = vault.source(prefix="shop-").read([KEY, other])
    assert found == {"signing_key": SourceValue(VALUE, "shop-signing-key", UPDATED)}
    paths = [urlsplit(line.split(" ")[1]).path.rstrip("/") for line in vault.lines]
    assert paths == [
        "/secrets/shop-signing-key",
        "/secrets/shop-signing-key",
        "/secrets/shop-token",
    ]
    vault.secrets["shop-signing-key"] = NEW
    vault.next = [CHALLENGE]
    assert value(vault.source(prefix="shop-"), KEY).raw == NEW


@pytest.mark.parametrize("code", ["Forbidden", "SecretDisabled"])
def test_a_secret_that_is_refused_is_no_missing_one(vault: KeyVault, code: str) -> None:
    inner = {"code": "Forbidden", "message": VALUE, "innererror": {"code": code}}
    vault.next.append(responds(403, {"error": inner}))
    found = vault.source().read([KEY])
    why = "403: access denied: assign Key Vault Secrets User, or enable the secret"
    assert found == {"signing_key": RejectedValue("signing-key", why)}


@pytest.mark.parametrize(
    ("behavior", "why"),
    [
        (
            responds(429, {"error": {"code": "Throttled", "message": VALUE}}),
            "429: too many requests",
        ),
        (responds(500, {"error": {"message": VALUE}}), "500: "),
        (responds(503, b"<html>busy"), "503: "),
        (drops_connection, "closed the connection early"),
        (closes_early, "closed the connection early"),
    ],
    ids=["throttled", "internal", "html-503", "drops", "breaks-off"],
)
def test_passing_trouble_is_tried_again(vault: KeyVault, behavior: Behavior, why: str) -> None:
    vault.secrets = {"signing-key": VALUE}
    vault.next = [CHALLENGE, behavior, CHALLENGE]
    assert value(vault.source(retries=1), KEY).raw == VALUE
    vault.next = [CHALLENGE, behavior]
    refused = read_error(vault.source())
    assert isinstance(refused, SourceUnavailable)
    assert str(refused).startswith(why)


@pytest.mark.parametrize(
    ("behavior", "why"),
    [
        (responds(401, {"error": {"message": VALUE}}), "401: the credential is not accepted"),
        (responds(400, {"error": {"code": "BadParameter", "message": VALUE}}), "400: "),
        (responds(200, b"<html>"), "can't be read: "),
    ],
    ids=["unauthorized", "bad", "html"],
)
def test_other_trouble_is_told_once(vault: KeyVault, behavior: Behavior, why: str) -> None:
    vault.next.append(behavior)
    refused = read_error(vault.source(retries=5))
    assert str(refused).startswith(why)
    assert not isinstance(refused, SourceUnavailable)
    assert len(vault.received) == 2


def test_a_vault_that_says_nothing_is_given_up(vault: KeyVault) -> None:
    vault.next = [sends_slowly(b"", b"", 0.05)] * 5
    assert str(read_error(vault.source(timeout=0.6, retries=4))) == "did not respond in time"
    assert vault.next, "the timeout covers all attempts"


def test_nobody_there(vault: KeyVault) -> None:
    url = "https://127.0.0.1:1"
    source = AzureKeyVault(url, credential=vault.credential, retries=0)
    refused = read_error(source)
    assert isinstance(refused, SourceUnavailable)
    assert str(refused) == "can't be reached"


def test_a_certificate_that_nobody_knows_is_not_trusted(vault: KeyVault) -> None:
    refused = read_error(AzureKeyVault(vault.url, credential=vault.credential, retries=0))
    assert str(refused) == "can't be reached"
    assert vault.received == []


def test_no_credential_is_told(vault: KeyVault) -> None:
    vault.credential.error = ClientAuthenticationError(f"because of {VALUE}")
    assert str(read_error(vault.source())) == "no valid credential found"


def test_a_credential_of_azures_own(vault: KeyVault) -> None:
    """Its own server can't be reached."""
    credential = ClientSecretCredential(
        "tenant", "client", TOKEN, authority="https://127.0.0.1:1", disable_instance_discovery=True
    )
    vault.credential = credential  # type: ignore[assignment]  # the test's is like it
    assert str(read_error(vault.source())) == "no valid credential found"


def test_the_default_credential_is_made_at_the_start() -> None:
    """Without a request."""
    assert AzureKeyVault("https://shop.vault.azure.net/").name == "azure shop.vault.azure.net"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: AzureKeyVault("http://shop.vault.azure.net"), "url must be https"),
        (lambda: AzureKeyVault("shop"), "url must be https"),
        (lambda: AzureKeyVault("https://me:secret@shop.vault.azure.net"), "url must be https"),
        (lambda: AzureKeyVault("https://shop.vault.azure.net", prefix="a_"), "prefix must be"),
        (
            lambda: AzureKeyVault("https://shop.vault.azure.net", refresh_interval=0),
            "refresh_interval must be",
        ),
    ],
)
def test_options_that_can_not_be(make: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()
