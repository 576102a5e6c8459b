"""Parse the raw values of sources, and check them against the rules of their secrets."""

import base64
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, get_args
from urllib.parse import unquote, urlsplit

from mantlet._internal.extras import import_extra
from mantlet.redact.strength import MIN_SECRET_BYTES, weak_reason
from mantlet.secrets.model import SecretSpec
from mantlet.secrets.placeholders import is_placeholder
from mantlet.secrets.secret import InvalidSecret, as_bytes, iter_texts

__all__ = ["find_broken_rule", "parse", "searchable_values"]

#: The way out for a value that only looks weak.
_WAY_OUT: Final = "; allow_weak=True accepts it"
_WHITESPACE: Final = re.compile(r"\s+")
_DECODERS: Final = {
    "base64": lambda text: base64.b64decode(_pad(text), validate=True),
    "base64url": lambda text: base64.b64decode(_pad(text), b"-_", validate=True),
    "hex": bytes.fromhex,
}


def parse(spec: SecretSpec, raw: str | bytes) -> Any:
    """Parse a raw value into the type of its secret.

    Args:
        spec: the secret.
        raw: the text or the bytes that a source has.

    Raises:
        InvalidSecret: the value is empty or malformed. The message does not contain it.
    """
    if not raw.strip():
        raise InvalidSecret("is empty")
    if spec.type is bytes:
        return _parse_bytes(spec, raw)
    text = _decode(raw)
    if spec.type is str:
        return text
    value = _parse_with_pydantic(spec, text)
    if isinstance(value, _PydanticFailure):
        # Raised outside of every handler: pydantic's error shows the value.
        raise InvalidSecret(f"is malformed ({value})")
    return value


def _decode(raw: str | bytes) -> str:
    data = as_bytes(raw)
    text = data.decode("utf-8", "replace")
    if text.encode() != data:
        raise InvalidSecret("is not UTF-8 text")
    if "\0" in text:  # UTF-16, as some editors write it, may be valid UTF-8
        raise InvalidSecret("is not text: it contains a NUL character")
    return text


def _parse_bytes(spec: SecretSpec, raw: str | bytes) -> bytes:
    if spec.encoding is None:
        return as_bytes(raw)
    decoded = None
    text = _WHITESPACE.sub("", _decode(raw))
    with suppress(ValueError):  # its message shows a part of the value
        decoded = _DECODERS[spec.encoding](text)
    if decoded is None:
        raise InvalidSecret(f"is not {spec.encoding}")
    return decoded


def _pad(text: str) -> str:
    return text + "=" * (-len(text) % 4)


class _PydanticFailure(Exception):
    """The codes of pydantic's errors, without the value."""


def _parse_with_pydantic(spec: SecretSpec, text: str) -> Any:
    """Return the parsed value, or a `_PydanticFailure`; raised here, it would show the value."""
    adapter = _adapter(spec.type)
    pydantic = import_extra("pydantic", "secrets")
    try:
        return adapter.validate_python(text)
    except pydantic.ValidationError as error:
        failure = _failure(error)
    except Exception as error:  # noqa: BLE001  # a user's validator may put the value in the message
        failure = _PydanticFailure(type(error).__qualname__)
    if text.lstrip()[:1] not in ("{", "["):
        return failure
    try:
        return adapter.validate_json(text)
    except pydantic.ValidationError as error:
        return _failure(error)
    except Exception as error:  # noqa: BLE001  # as above
        return _PydanticFailure(type(error).__qualname__)


def _failure(error: Any) -> _PydanticFailure:
    """Keep only the codes that pydantic defines: a user's own code could contain the value."""
    known = get_args(import_extra("pydantic_core.core_schema", "secrets").ErrorType)
    codes = dict.fromkeys(one["type"] for one in error.errors(include_url=False))
    return _PydanticFailure(", ".join(code if code in known else "value_error" for code in codes))


@lru_cache(maxsize=256)
def _adapter(value_type: Any) -> Any:
    return import_extra("pydantic", "secrets").TypeAdapter(value_type)


# -- rules ----------------------------------------------------------------------------------------


def find_broken_rule(
    spec: SecretSpec, raw: str | bytes, value: object, examples: Iterable[str]
) -> str | None:
    """Return the rule that a parsed value breaks, as a predicate such as ``"is too short"``.

    Args:
        spec: the secret.
        raw: the text or the bytes that a source has.
        value: the parsed value.
        examples: the values of example files.

    Returns:
        The first broken rule, or None.
    """
    text = as_bytes(raw).decode("utf-8", "surrogateescape")
    stand_in = None if spec.allow_weak else _find_stand_in(text, examples)
    if stand_in is not None:
        return stand_in
    if spec.pattern is not None and not spec.pattern.fullmatch(text):
        return "does not match its pattern"
    measured = value if isinstance(value, (str, bytes)) else text
    if len(measured) < spec.min_length:
        unit = "bytes" if isinstance(measured, bytes) else "characters"
        return f"is shorter than {spec.min_length} {unit}"
    # A shorter value is allowed by the app's own min_length, and always weak.
    data = as_bytes(value)
    judged = spec.type in (str, bytes) and not spec.allow_weak and len(data) >= MIN_SECRET_BYTES
    return f"is easy to guess{_WAY_OUT}" if judged and weak_reason(data) is not None else None


def _find_stand_in(text: str, examples: Iterable[str]) -> str | None:
    """Return why a value only stands in for a secret, or None."""
    if text in examples or text.strip() in examples:
        return "is the value from the example file"
    if is_placeholder(text):
        return f"is a placeholder{_WAY_OUT}"
    password = _url_password(text)
    if password is not None and is_placeholder(password):
        return f"has a placeholder as its password{_WAY_OUT}"
    return None


def _url_password(text: str) -> str | None:
    if "://" not in text:
        return None
    try:
        password = urlsplit(text).password
    except ValueError:
        return None
    return password and unquote(password)


# -- masking --------------------------------------------------------------------------------------


def searchable_values(raw: str | bytes, value: object) -> tuple[list[bytes], str | None]:
    """Return the values to mask for a secret: the raw value, and all texts within the parsed one.

    Args:
        raw: the text or the bytes that a source has.
        value: the parsed value.

    Returns:
        The values that are strong enough to search for, and a note for the report if the raw value
        or the password in it is too weak.
    """
    first = as_bytes(raw).strip()
    values = dict.fromkeys((first, *map(as_bytes, iter_texts(value))))
    return [one for one in values if weak_reason(one) is None], _masking_note(first)


def _masking_note(raw: bytes) -> str | None:
    reason = weak_reason(raw)
    if reason is not None:
        return f"can't be masked: {reason}"
    password = _url_password(raw.decode("utf-8", "surrogateescape"))
    reason = weak_reason(as_bytes(password)) if password else None
    return None if reason is None else f"its password can't be masked on its own: {reason}"
