"""What a found text or file is made into, and all that may be wrong with it."""

import base64
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, get_args
from urllib.parse import unquote, urlsplit

from mantlet._internal.extras import import_extra
from mantlet.redact.variants import MIN_SECRET_BYTES, weak_reason
from mantlet.secrets.model import SecretSpec
from mantlet.secrets.parts import nested
from mantlet.secrets.placeholders import is_placeholder
from mantlet.secrets.secret import as_bytes

__all__ = ["Unusable", "broken_rule", "make", "searchable"]

_BLANK: Final = re.compile(r"\s+")
_DECODERS: Final = {
    "base64": lambda text: base64.b64decode(_padded(text), validate=True),
    "base64url": lambda text: base64.b64decode(_padded(text), b"-_", validate=True),
    "hex": bytes.fromhex,
}


class Unusable(Exception):
    """A value can't be taken. The message is a line of the report."""


def make(spec: SecretSpec, raw: str | bytes) -> Any:
    """Parse a value from a source into the type of its secret.

    Args:
        spec: the secret's type and rules.
        raw: the value, as the source has it.

    Raises:
        Unusable: the value is empty or malformed. The message does not show it.
    """
    if not raw.strip():
        raise Unusable("is empty")
    return _converted(spec, raw)


def broken_rule(
    spec: SecretSpec, raw: str | bytes, value: object, examples: Iterable[str]
) -> str | None:
    """Return which rule of its secret a parsed value breaks, or None.

    Args:
        spec: the secret's type and rules.
        raw: the value, as the source has it.
        value: the parsed value.
        examples: the values of example files.
    """
    text = as_bytes(raw).decode("utf-8", "surrogateescape")
    stands_for = None if spec.allow_weak else _stands_for(text, examples)
    if stands_for is not None:
        return stands_for
    if spec.pattern is not None and not spec.pattern.fullmatch(text):
        return "does not match its pattern"
    measured = value if isinstance(value, (str, bytes)) else text
    if len(measured) < spec.min_length:
        unit = "bytes" if isinstance(measured, bytes) else "characters"
        return f"is shorter than {spec.min_length} {unit}"
    # The app itself allows a shorter value by its min_length, and such a value is always weak.
    data = as_bytes(value)
    judged = spec.type in (str, bytes) and not spec.allow_weak and len(data) >= MIN_SECRET_BYTES
    return "is easy to guess" if judged and weak_reason(data) is not None else None


def _stands_for(text: str, examples: Iterable[str]) -> str | None:
    """Return why a value is no secret but stands for one, or None."""
    if text in examples or text.strip() in examples:
        return "is the value that the example file has"
    if is_placeholder(text):
        return "is a placeholder"
    password = _password(text)
    if password is not None and is_placeholder(password):
        return "has a placeholder for a password"
    return None


def _converted(spec: SecretSpec, raw: str | bytes) -> Any:
    if spec.type is bytes:
        return _bytes(spec, raw)
    text = _decoded(raw)
    if spec.type is str:
        return text
    value = _by_pydantic(spec, text)
    if isinstance(value, Exception):
        # Raised here, out of every handler: pydantic's error shows the value.
        raise Unusable(f"is malformed ({value})")
    return value


def _decoded(raw: str | bytes) -> str:
    data = as_bytes(raw)
    text = data.decode("utf-8", "replace")
    if text.encode() != data:
        raise Unusable("is not UTF-8 text")
    if "\0" in text:  # UTF-16, as some editors write it, would be taken for UTF-8 otherwise
        raise Unusable("is no text: it has a NUL in it")
    return text


def _bytes(spec: SecretSpec, raw: str | bytes) -> bytes:
    if spec.encoding is None:
        return as_bytes(raw)
    decoded = None
    text = _BLANK.sub("", _decoded(raw))
    with suppress(ValueError):  # whose text shows a part of the value
        decoded = _DECODERS[spec.encoding](text)
    if decoded is None:
        raise Unusable(f"is not {spec.encoding}")
    return decoded


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


class _Told(Exception):
    """What pydantic says of a value, without the value."""


def _by_pydantic(spec: SecretSpec, text: str) -> Any:
    """Return what pydantic makes of a text, or an exception that tells why it can't."""
    adapter = _adapter(spec.type)
    pydantic = import_extra("pydantic", "secrets")
    try:
        return adapter.validate_python(text)
    except pydantic.ValidationError as error:
        told = _told(error)
    except Exception as error:  # noqa: BLE001  # of a validator of the user's: its words may tell
        told = _Told(type(error).__qualname__)
    if text.lstrip()[:1] not in ("{", "["):
        return told
    try:
        return adapter.validate_json(text)
    except pydantic.ValidationError as error:
        return _told(error)
    except Exception as error:  # noqa: BLE001  # as above
        return _Told(type(error).__qualname__)


def _told(error: Any) -> _Told:
    """Return the codes of the errors, as far as they are pydantic's own."""
    known = get_args(import_extra("pydantic_core.core_schema", "secrets").ErrorType)
    codes = dict.fromkeys(one["type"] for one in error.errors(include_url=False))
    return _Told(", ".join(code if code in known else "value_error" for code in codes))


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> Any:
    return import_extra("pydantic", "secrets").TypeAdapter(kind)


def _password(text: str) -> str | None:
    if "://" not in text:
        return None
    try:
        password = urlsplit(text).password
    except ValueError:
        return None
    return password and unquote(password)


def searchable(raw: str | bytes, value: object) -> tuple[list[bytes], str | None]:
    """Return the values that must not get out, and what is to be known of those left out, if any.

    They are the text as it was found, what it was made into, and the texts within that.
    """
    first = as_bytes(raw).strip()
    wanted = dict.fromkeys((first, *map(as_bytes, nested(value))))
    return [one for one in wanted if weak_reason(one) is None], _left_out(first)


def _left_out(first: bytes) -> str | None:
    weak = weak_reason(first)
    if weak is not None:
        return f"can't be masked: {weak}"
    password = _password(first.decode("utf-8", "surrogateescape"))
    weak = weak_reason(as_bytes(password)) if password else None
    return None if weak is None else f"its password can't be masked by itself: {weak}"
