"""Azure's store, by a real HTTPS server that answers as its reference says.

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
from tests.secrets.sources import unshown
from tests.secrets.sources.server import Asked, Server, Way, breaks_off, drops, says, sends
from tests.secrets.sources.unshown import assert_unlogged, value

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
        error: what becomes of asking it for a token.
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
        secrets: the newest versions, by the secrets' names.
        credential: the one that it knows.
    """

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        super().__init__(certificate)
        self.secrets: dict[str, str] = {}
        self.credential = Credential()
        self._trusted = str(certificate[0])

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Respond as documented."""
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"error": {"code": "Unauthorized", "message": "AKV10000"}}
        name = urlsplit(asked.line.split(" ")[1]).path.removeprefix("/secrets/").rstrip("/")
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


#: What a vault answers who has no token yet; the library then asks for one, and the vault again.
CHALLENGE = says(
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


def refusal(source: AzureKeyVault) -> SourceError:
    """Return the error of a source that can't be read."""
    return unshown.refusal(source, HIDDEN)


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
    vault.next.append(says(403, {"error": inner}))
    found = vault.source().read([KEY])
    why = "403: access denied: assign Key Vault Secrets User, or enable the secret"
    assert found == {"signing_key": RejectedValue("signing-key", why)}


@pytest.mark.parametrize(
    ("way", "why"),
    [
        (says(429, {"error": {"code": "Throttled", "message": VALUE}}), "429: too many requests"),
        (says(500, {"error": {"message": VALUE}}), "500: "),
        (says(503, b"<html>busy"), "503: "),
        (drops, "closed the connection early"),
        (breaks_off, "closed the connection early"),
    ],
    ids=["throttled", "internal", "html-503", "drops", "breaks-off"],
)
def test_passing_trouble_is_tried_again(vault: KeyVault, way: Way, why: str) -> None:
    vault.secrets = {"signing-key": VALUE}
    vault.next = [CHALLENGE, way, CHALLENGE]
    assert value(vault.source(retries=1), KEY).raw == VALUE
    vault.next = [CHALLENGE, way]
    refused = refusal(vault.source())
    assert isinstance(refused, SourceUnavailable)
    assert str(refused).startswith(why)


@pytest.mark.parametrize(
    ("way", "why"),
    [
        (says(401, {"error": {"message": VALUE}}), "401: the credential is not accepted"),
        (says(400, {"error": {"code": "BadParameter", "message": VALUE}}), "400: "),
        (says(200, b"<html>"), "can't be read: "),
    ],
    ids=["unauthorized", "bad", "html"],
)
def test_other_trouble_is_told_once(vault: KeyVault, way: Way, why: str) -> None:
    vault.next.append(way)
    refused = refusal(vault.source(retries=5))
    assert str(refused).startswith(why)
    assert not isinstance(refused, SourceUnavailable)
    assert len(vault.asked) == 2


def test_a_vault_that_says_nothing_is_given_up(vault: KeyVault) -> None:
    vault.next = [sends(b"", b"", 0.05)] * 5
    begun = time.monotonic()
    assert str(refusal(vault.source(timeout=0.6, retries=4))) == "did not respond in time"
    assert time.monotonic() - begun < 5


def test_nobody_there(vault: KeyVault) -> None:
    url = "https://127.0.0.1:1"
    source = AzureKeyVault(url, credential=vault.credential, retries=0)
    refused = refusal(source)
    assert isinstance(refused, SourceUnavailable)
    assert str(refused) == "can't be reached"


def test_a_certificate_that_nobody_knows_is_not_trusted(vault: KeyVault) -> None:
    refused = refusal(AzureKeyVault(vault.url, credential=vault.credential, retries=0))
    assert str(refused) == "can't be reached"
    assert vault.asked == []


def test_no_credential_is_told(vault: KeyVault) -> None:
    vault.credential.error = ClientAuthenticationError(f"because of {VALUE}")
    assert str(refusal(vault.source())) == "no valid credential found"


def test_a_credential_of_azures_own(vault: KeyVault) -> None:
    """Its own server can't be reached."""
    credential = ClientSecretCredential(
        "tenant", "client", TOKEN, authority="https://127.0.0.1:1", disable_instance_discovery=True
    )
    vault.credential = credential  # type: ignore[assignment]  # the test's is like it
    assert str(refusal(vault.source())) == "no valid credential found"


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
