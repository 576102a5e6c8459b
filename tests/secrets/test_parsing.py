"""Values are parsed and checked, and problems are described without the value."""

import base64
import traceback
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, PostgresDsn, SecretStr
from pydantic_core import PydanticCustomError

from mantlet.redact.variants import encoded_variants
from mantlet.secrets import (
    Environment,
    Secret,
    SecretLoader,
    SecretModel,
    SecretsError,
    secret_field,
)

GOOD = "kR7-vT2_qX9.mB4w"
KEY = base64.b64encode(bytes(range(100, 132))).decode()


def load(annotation: Any, text: str, **asked: Any) -> Any:
    """Return the parsed value of a variable."""
    model = type(
        "App",
        (SecretModel,),
        {"__annotations__": {"x": Secret[annotation]}, "x": secret_field(**asked)},
    )
    loader: Any = SecretLoader(model, sources=[Environment({"X": text})], example_file=None)
    return loader.current.x.reveal()


def problem(annotation: Any, text: str, **asked: Any) -> str:
    """Return the only problem of a value."""
    with pytest.raises(SecretsError) as told:
        load(annotation, text, **asked)
    shown = "".join(traceback.format_exception(told.value)) + repr(told.value.report)
    assert told.value.__context__ is None
    if text.strip() not in ("", "xxx", "secret", "placeholder"):  # words of the report's own
        assert not any(form in shown.encode() for form in encoded_variants(text.strip().encode()))
    (only,) = told.value.problems
    assert only.startswith("x: ")
    assert only.endswith(" (environment X)")
    return only.removeprefix("x: ").removesuffix(" (environment X)")


class Database(BaseModel):
    host: str
    password: SecretStr


def _refuse(value: str) -> str:
    raise PydanticCustomError(value.replace("-", "_"), "the value is {value}", {"value": value})


def _fail(value: str) -> str:
    raise LookupError(value)


@pytest.mark.parametrize(
    ("annotation", "text", "asked", "made"),
    [
        (str, GOOD, {}, GOOD),
        (str, f" {GOOD}", {}, f" {GOOD}"),
        (str, "pässwörter-ß-€", {}, "pässwörter-ß-€"),
        (bytes, GOOD, {}, GOOD.encode()),
        (bytes, KEY, {"encoding": "base64", "min_length": 32}, bytes(range(100, 132))),
        (bytes, KEY.rstrip("="), {"encoding": "base64"}, bytes(range(100, 132))),
        (bytes, f"{KEY[:20]}\n{KEY[20:]}", {"encoding": "base64"}, bytes(range(100, 132))),
        (
            bytes,
            base64.urlsafe_b64encode(b"\xfb\xef\xbe12345678").decode(),
            {"encoding": "base64url"},
            b"\xfb\xef\xbe12345678",
        ),
        (
            bytes,
            "00ff" * 2 + "a1b2c3d4e5f6",
            {"encoding": "hex"},
            b"\0\xff\0\xff\xa1\xb2\xc3\xd4\xe5\xf6",
        ),
        (int, "482913", {}, 482913),
        (dict[str, int], '{"a": 1}', {}, {"a": 1}),
        (list[str], '["a", "b"]', {}, ["a", "b"]),
        (str, "changeme", {"allow_weak": True}, "changeme"),
        (str, "1234", {"allow_weak": True}, "1234"),
        (str, "7391", {"min_length": 4}, "7391"),
        (str, "sk_test_a1B2c3D4", {"pattern": r"sk_(live|test)_\w+"}, "sk_test_a1B2c3D4"),
    ],
    ids=[
        "text",
        "blank-kept",
        "not-ascii",
        "bytes",
        "base64",
        "unpadded",
        "in-lines",
        "base64url",
        "hex",
        "number",
        "mapping",
        "list",
        "weak-allowed",
        "short-allowed",
        "short-by-own-word",
        "pattern",
    ],
)
def test_a_value_is_made_of_its_text(
    annotation: Any, text: str, asked: dict[str, Any], made: object
) -> None:
    """By its annotation and its encoding."""
    assert load(annotation, text, **asked) == made


def test_models_and_urls_are_pydantics() -> None:
    """They are parsed from JSON and from text."""
    made = load(Database, f'{{"host": "db", "password": "{GOOD}"}}')
    assert made.password.get_secret_value() == GOOD
    url = f"postgresql://app:{GOOD}@db.internal:5432/shop"
    assert str(load(PostgresDsn, url)) == url


@pytest.mark.parametrize(
    ("annotation", "text", "asked", "said"),
    [
        (str, "", {}, "is empty"),
        (str, " \t", {}, "is empty"),
        (str, "k7-Rv2", {}, "is shorter than 8 characters"),
        (bytes, "k7-Rv2", {}, "is shorter than 8 bytes"),
        (bytes, "a7f3b2c1", {"encoding": "hex", "min_length": 32}, "is shorter than 32 bytes"),
        (str, "abababababab", {}, "is easy to guess; allow_weak=True accepts it"),
        (
            bytes,
            "00" * 8 + "01" * 8,
            {"encoding": "hex"},
            "is easy to guess; allow_weak=True accepts it",
        ),
        (str, GOOD, {"pattern": r"sk_\w+"}, "does not match its pattern"),
        (str, f"sk_{GOOD}", {"pattern": r"sk_"}, "does not match its pattern"),
        (bytes, "no base64!", {"encoding": "base64"}, "is not base64"),
        (bytes, "0x1234567890", {"encoding": "hex"}, "is not hex"),
        (int, GOOD, {}, "is malformed (int_parsing)"),
        (PostgresDsn, f"mysql://app:{GOOD}@db/x", {}, "is malformed (url_scheme)"),
        (Database, f'{{"host": "{GOOD}"}}', {}, "is malformed (missing)"),
        (Database, f'{{"{GOOD}"', {}, "is malformed (json_invalid)"),
        (Annotated[str, AfterValidator(_refuse)], GOOD, {}, "is malformed (value_error)"),
        (Annotated[str, AfterValidator(_fail)], GOOD, {}, "is malformed (LookupError)"),
        (
            PostgresDsn,
            "postgresql://app:changeme@db.internal/shop",
            {},
            "has a placeholder as its password; allow_weak=True accepts it",
        ),
    ],
    ids=[
        "empty",
        "blank",
        "short",
        "short-bytes",
        "short-decoded",
        "guessable",
        "guessable-decoded",
        "pattern",
        "pattern-of-a-part",
        "base64",
        "hex",
        "number",
        "url",
        "member",
        "json",
        "own-error",
        "failing-validator",
        "password-in-url",
    ],
)
def test_what_a_value_is_not_is_said_without_the_value(
    annotation: Any, text: str, asked: dict[str, Any], said: str
) -> None:
    """Neither in part, nor in the context of the exception."""
    assert problem(annotation, text, **asked) == said


@pytest.mark.parametrize(
    "text",
    [
        "changeme",
        "ChangeMe123",
        "change-this-in-production",
        "CHANGE_ME!",
        "xxx",
        "xxxxxxxxxxxx",
        "********",
        "sk_live_xxx",
        "sk_live_xxxxxxxxxxxxxxxx",
        "password",
        "Password1",
        "p@ssword".replace("@", "a"),
        "passw0rd",
        "secret",
        "my-secret-key",
        "your_api_key_here",
        "your-256-bit-secret",
        "<your password>",
        "${DATABASE_PASSWORD}",
        "{{ vault_password }}",
        "%(password)s",
        "replace with a real one",
        "insert-token-here",
        "django-insecure-k2#v8",
        "AKIAIOSFODNN7EXAMPLE",
        "todo",
        "none",
        "admin",
        "test1234",
        "12345678",
        "1234567890",
        "qwertyuiop",
        "abcdefgh",
        "placeholder",
        "'changeme'",
        "Password1!",
        "P@ssw0rd!",
        "Pa$$w0rd",
        "admin123!",
        "changeme123!",
        "mysecretpassword",
        "dummy-value",
        "example-password",
        "please-change-me",
        "PLEASE_CHANGE",
        "not-a-real-key",
        "to-be-filled",
        "TODO: ask the operators",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_a_placeholder_is_no_secret(text: str) -> None:
    """Regardless of its length."""
    assert problem(str, text) == "is a placeholder; allow_weak=True accepts it"


@pytest.mark.parametrize("annotation", [str, int, dict[str, str]], ids=["text", "int", "json"])
def test_utf_16_is_not_taken_for_text(annotation: Any) -> None:
    """Without a byte order mark it is valid UTF-8 with a NUL in every second byte."""
    raw = GOOD.encode("utf-16-le").decode()
    assert problem(annotation, raw) == "is not text: it contains a NUL character"
    assert load(bytes, raw) == raw.encode()


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "correct-horse-battery-staple",
        "the-secret-garden-of-eight-words",
        "example.com/k7Rv2mB4wqX9",
        "x7x7-xK2x-9xLm",
        "setmeup4K8v2",
        "AIzaSyD-k7Rv2mB4wqX9vT2qX9mB4wkR7vT2q",
        '{"a": "k7Rv2mB4wqX9"}',
        "to-be-or-not-to-be-that-is",
        "please-mind-the-gap-7",
        "$3cr4t-0f-5even-w0rds",
    ],
)
def test_what_only_looks_like_one_passes(text: str) -> None:
    """A false positive would prevent the app from starting."""
    assert load(str, text) == text
