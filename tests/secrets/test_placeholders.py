"""Tests for what is taken for a placeholder or a weak value: everything that is, and no other."""

import base64
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

from mantlet.redact.strength import weak_reason
from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel, SecretsError
from mantlet.secrets.placeholders import is_placeholder

#: Everyday words, with many of those of placeholders among them.
WORDS_TEXT = """
    abacus acorn again anchor apple arrow autumn badge bamboo banana barrel basket battery beacon
    bicycle blanket bottle branch breeze bridge bronze bucket butter button cabin cactus camera
    candle canyon carpet castle cedar chalk change cherry circle cloud clover coffee copper
    correct cotton cradle crystal daisy danger desert dinner doctor dragon eagle early earth echo
    elbow ember engine enter falcon feather fiddle finger flower forest fossil garden ginger
    glacier goat guitar hammer harbor hazel helmet here hollow honey horse hunter island ivory
    jacket jasmine jelly jungle kettle kitten ladder lantern lemon letter lizard lotus magnet
    maple marble meadow mellow mirror monkey mountain nectar needle never oasis ocean olive onion
    orange orchid oyster paddle paper parrot pebble pencil pepper picnic pillow pirate planet
    plaza pocket pony purple quartz rabbit random ribbon river robin rocket saddle salmon sample
    secret shadow silver some spider staple string summer sunset table temple thunder ticket tiger
    timber token trumpet tulip turtle valley value velvet violet walnut water whisper window
    winter wizard yellow zebra
"""
WORDS = WORDS_TEXT.split()
GUESSABLE = """
    production Changeme 12345678 123456789012 abababababab aabbccddeeff abcdefghijklmnop
    zyxwvutsrqponm qwertyuiopasdfgh 1qaz2wsx3edc4rfv passwordpassword administrator authentication
    Configuration NOTIFICATIONS adminadminadmin aaaaaaaaaaaaaaaaaaaab
"""


def characters(alphabet: str, length: int) -> Callable[[random.Random], str]:
    """Return a generator of random text."""
    return lambda source: "".join(source.choices(alphabet, k=length))


def words(count: int, separator: str) -> Callable[[random.Random], str]:
    """Return a generator of passphrases."""
    return lambda source: separator.join(source.sample(WORDS, count))


LOWER = "abcdefghijklmnopqrstuvwxyz"
BASE32 = f"{LOWER.upper()}234567"
DIGITS = "0123456789"
KINDS: dict[str, Callable[[random.Random], str]] = {
    **{f"lower-{size}": characters(LOWER, size) for size in (12, 13, 16, 24, 32, 64)},
    **{f"upper-{size}": characters(LOWER.upper(), size) for size in (12, 20)},
    **{f"digits-{size}": characters(DIGITS, size) for size in (12, 16, 20, 32)},
    **{f"base32-{size}": characters(BASE32, size) for size in (12, 16, 26, 32)},
    **{f"hex-{size}": characters(f"{DIGITS}abcdef", size) for size in (12, 16, 32, 40, 64)},
    **{f"upper-hex-{size}": characters(f"{DIGITS}ABCDEF", size) for size in (16, 32)},
    **{
        f"alphanumeric-{size}": characters(LOWER + LOWER.upper() + DIGITS, size)
        for size in (12, 16, 22, 40)
    },
    **{f"marks-{size}": characters("".join(map(chr, range(33, 127))), size) for size in (10, 24)},
    **{f"base64-{size}": lambda s, n=size: base64.b64encode(s.randbytes(n)).decode()  # type: ignore[misc]
       for size in (9, 16, 32, 48)},
    **{f"base64url-{size}": lambda s, n=size: base64.urlsafe_b64encode(s.randbytes(n)).decode()  # type: ignore[misc]
       for size in (9, 16, 32, 64)},
    "uuid": lambda source: str(uuid.UUID(int=source.getrandbits(128), version=4)),
    "uuid-hex": lambda source: uuid.UUID(int=source.getrandbits(128), version=4).hex,
    **{f"{count}-words-{name}": words(count, separator)
       for count in (4, 5, 6)
       for name, separator in (("spaces", " "), ("hyphens", "-"), ("dots", "."), ("joined", ""))},
}  # fmt: skip


@pytest.mark.unmeasured
@pytest.mark.few_cases(2)
@pytest.mark.parametrize("kind", KINDS)
def test_no_random_value_is_refused_or_left_out_of_masking(kind: str) -> None:
    """Of two thousand, for each way in which values are generated."""
    source = random.Random(f"a seed for {kind}")
    values = [KINDS[kind](source) for _ in range(2000)]
    assert [one for one in values if is_placeholder(one)] == []
    assert [one for one in values if weak_reason(one.encode()) is not None] == []


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n"], ids=["lf", "crlf", "escaped"])
@pytest.mark.parametrize("kind", ["ed25519", "x25519", "p256", "p256-sec1", "public"])
def test_short_keys_in_pem_are_secrets(kind: str, newline: str) -> None:
    """Their last lines end with hyphens."""
    key: Any = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "x25519": x25519.X25519PrivateKey.generate,
    }.get(kind, lambda: ec.generate_private_key(ec.SECP256R1()))()
    pem = serialization.Encoding.PEM
    if kind == "public":
        raw = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    else:
        sec1 = serialization.PrivateFormat.TraditionalOpenSSL
        form = sec1 if kind == "p256-sec1" else serialization.PrivateFormat.PKCS8
        raw = key.private_bytes(pem, form, serialization.NoEncryption())
    text = raw.decode().replace("\n", newline)

    class Keys(SecretModel):
        key: Secret[str]

    loader = SecretLoader(Keys, sources=[Environment({"KEY": text})])
    assert loader.current.key.reveal() == text
    assert loader.report[0].note is None


@pytest.mark.parametrize(
    "text",
    ["k7Rv2mB4\nwqX9vT2q", "user\nk7Rv2mB4wqX9\n---", "a: k7Rv2mB4wqX9\nb: xxxxxxxx\n"],
)
def test_a_short_value_of_several_lines_is_a_secret(text: str) -> None:
    """Whatever its last line is."""
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    """
    changeme|CHANGE_ME|change-me-please|your-secret-key|your_secret_key_here|<your key>|<API_KEY>
    |xxxxxxxx|XXXX-XXXX-XXXX|TODO|example|replace-me|REPLACE_WITH_YOUR_KEY|dummy|test1234
    |django-insecure-#k2v8(x|your-stripe-api-key|my-company-password|put-your-random-string-here
    |enter your password here|some random string|paste-key-here|sk_test_your_key|a-very-secret-key
    |super-secret-jwt-token-with-at-least-32-characters-long|this is a secret|thisisasecret
    |mySuperSecretKey|mysupersecretkey|SUPER_SECRET_KEY_123|YourStrong!Passw0rd|insecure-dev-key
    |keep-it-secret|ghp_xxxxxxxxxxxxxxxxxxxx|AKIAXXXXXXXXXXXXXXXX|sk-...|fake-key|local-dev-secret
    |development-secret-key|generate-a-secure-random-string|change-this-to-something-secure
    |lorem ipsum|to be changed|pk_test_placeholder|secret123|[your key]|(your key)|"your key"
    |your key goes here|<<<secret>>>|$(openssl rand -hex 32)|%API_KEY%|${API_KEY:-none}
    """.replace("\n", "")
    .replace("    |", "|")
    .strip()
    .split("|"),
)
def test_a_placeholder_is_one(text: str) -> None:
    """As real projects have them in their examples."""
    assert is_placeholder(text)


@pytest.mark.parametrize("inner", ["...", "your-key-here", "xxxxxxxxxxxx", "changeme"])
def test_a_placeholder_in_pem_is_one(inner: str) -> None:
    """The lines around it are those of any key."""
    for newline in ("\n", "\\n"):
        lines = ["-----BEGIN PRIVATE KEY-----", inner, "-----END PRIVATE KEY-----", ""]
        assert is_placeholder(newline.join(lines))


@pytest.mark.parametrize("text", ["changeme", "aaaaaaaabbbb", "postgres://app:changeme@db/x"])
def test_the_error_names_the_way_out(text: str) -> None:
    """A value may look weak and be none."""

    class App(SecretModel):
        token: Secret[str]

    with pytest.raises(SecretsError, match="; allow_weak=True accepts it"):
        SecretLoader(App, sources=[Environment({"TOKEN": text})])


@pytest.mark.parametrize(
    "text",
    GUESSABLE.split(),
)
def test_a_guessable_value_is_weak(text: str) -> None:
    """Words, repetitions, sequences, and runs over the keyboard."""
    assert weak_reason(text.encode()) is not None
