"""docs/secret-loader.md: the examples run, and the error is what the page shows."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Secret, SecretLoader, SecretModel, SecretsError
from tests.docs.pages import DOCS, block_with, blocks, run
from tests.drive import Adapter, Said, both_adapters

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "secret-loader.md"
TEXT = (DOCS / PAGE).read_text()
FIRST = blocks(PAGE)[0]
#: The content of a key ring.
VALUES = {("app", "api_key"): "wT7_kR2.vX9q"}
#: A text, in base64.
KEY = "c2l4LWFuZC10aGlydHktZml2ZS1ieXRlcy1vZi1hLWtleSE="


class AppSecrets(SecretModel):
    api_key: Secret[str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the current one, with a place for secret files in it."""
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "SIGNING_KEY", "STRIPE_API_KEY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)


@both_adapters
def test_the_first_example_runs(
    adapter: Adapter, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With secrets from three sources, which the app can't send."""
    url = "postgresql://app:wT7_kR2.vX9q@db.internal/shop"
    monkeypatch.setenv("DATABASE_URL", url)
    write(place / ".env", "STRIPE_API_KEY=sk_test_q8Zt4Wv2Lm6X\n")
    write(place / "run" / "signing_key", KEY)
    connected: list[str] = []

    def app(carrier: Any) -> Said:
        value = mantlet.state(carrier).secrets.stripe_key.reveal()
        return 200, [("content-type", "text/plain")], f"{url} {value}".encode()

    code = FIRST.replace("/run/secrets", str(place / "run"))
    names = run(PAGE, code, connect=connected.append, app=adapter.wrap(app))
    assert connected == [url]
    assert names["secrets"].current.signing_key.reveal().startswith(b"six-and-thirty")
    answer = adapter.drive(names["app"])
    assert (answer.status, re.sub(r"\*+", "*", answer.body.decode())) == (200, "* *")


def test_the_error_is_as_shown(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem, in the words of the page."""
    monkeypatch.setenv("DATABASE_ULR", "x")
    monkeypatch.setenv("STRIPE_API_KEY", "abcdefghijkl9823")
    write(place / ".env", "SMTP_PASSWORD=changeme\n")
    write(place / "run" / "signing_key", "no base64 !!")
    with pytest.raises(SecretsError) as caught:
        run(PAGE, FIRST.replace("/run/secrets", str(place / "run")), connect=str, app=None)
    (shown,) = [block for block in blocks(PAGE, "") if "SecretsError" in block]
    name, _, text = shown.partition(": ")
    error = caught.value
    assert name == f"{type(error).__module__}.{type(error).__qualname__}"
    assert str(error).replace(str(place / "run"), "/run/secrets").split() == text.split()


def test_a_source_of_your_own() -> None:
    """The class of the page, with a ring of a single key."""
    ring = SimpleNamespace(get_password=lambda service, name: VALUES.get((service, name)))
    source = run(PAGE, block_with(PAGE, "class Keyring"), keyring=ring)["Keyring"]()

    loader = SecretLoader(AppSecrets, sources=[source])
    assert loader.current.api_key.reveal() == "wT7_kR2.vX9q"


def test_the_error_of_a_returned_secret() -> None:
    """As the page quotes it."""
    (message,) = re.findall(r"`(Object of type Secret[^`]*)`", TEXT.replace("\n", " "))
    with pytest.raises(TypeError, match=re.escape(message)):
        json.dumps({"key": Secret("wT7_kR2.vX9q")})
