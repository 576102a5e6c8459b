"""Build the variants of a secret value: literals to search for, each with its matcher."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from mantlet.redact.base64_and_hex import Base64Variant, HexVariant, stable_base64
from mantlet.redact.escaped_text import SecretText, TextVariant
from mantlet.redact.search_literals import encoded_once, hex_beginnings, text_beginnings
from mantlet.redact.strength import weak_reason
from mantlet.redact.variants import SecretVariant, url_password

__all__ = ["build_variants"]

#: How many digits of base64 a literal has, and the least number if an escaped one may follow.
_DIGITS: Final = 6
_MIN_DIGITS: Final = 4
_PLAIN_DIGITS: Final = re.compile(rb"[A-Za-z0-9]{4,6}")
_DIGITS_ALONE: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
#: How many bytes of a value are encoded for its literals in base64.
_BYTES: Final = 24


def build_variants(value: bytes, fingerprint: str | None) -> tuple[SecretVariant, ...]:
    """Return the variants of a value, and of the password in it if it is a URL.

    Args:
        value: text as UTF-8, or any bytes.
        fingerprint: the fingerprint of the value.
    """
    values = [value]
    password = url_password(value)
    if password is not None and weak_reason(password) is None:
        values.append(password)
    found = {
        (one.pattern, type(one), number): one
        for number, value in enumerate(values)
        for one in _variants(value, fingerprint)
    }
    return tuple(found.values())


def _variants(value: bytes, fingerprint: str | None) -> Iterator[SecretVariant]:
    text = SecretText(value)
    for pattern in sorted(text_beginnings(text.value)):
        yield TextVariant(pattern, text, fingerprint)
    for number, beginning in enumerate(encoded_once(text.value)):
        inner = TextVariant(beginning[:_BYTES], text, fingerprint)
        for pattern in hex_beginnings(beginning, is_raw=not number):
            yield HexVariant(pattern, inner)
        if not number:
            yield from _late_in_base64(inner)
        for variant in _in_base64(inner):
            yield variant
            if not number and not variant.pattern.translate(None, _DIGITS_ALONE):
                yield from _in_base64(variant)
                yield from _late_in_base64(variant)
    with suppress(UnicodeDecodeError):
        for coding in ("utf-16-le", "utf-16-be"):
            wide = text.value.decode().encode(coding)
            # One literal for both, if each character has a zero byte.
            yield SecretVariant(wide.removeprefix(b"\x00").removesuffix(b"\x00"), fingerprint)


def _in_base64(inner: SecretVariant) -> Iterator[Base64Variant]:
    """Yield literals for a secret in base64, at each offset in a group of three bytes."""
    for before in range(3):
        digits = stable_base64(inner.pattern, before)[:_DIGITS]
        special = next((at for at, digit in enumerate(digits) if digit in b"+/"), len(digits))
        if special >= _MIN_DIGITS:
            yield Base64Variant(digits[:special], inner, before)
            continue
        # Escaped in JSON or in URLs, or in the other alphabet.
        head, digit, rest = digits[:special], digits[special : special + 1], digits[special + 1 :]
        rest = rest.replace(b"+", b"/").partition(b"/")[0]
        escapes = (
            (b"+", b"-", b"%2B", b"%2b") if digit == b"+" else (b"/", b"_", b"\\/", b"%2F", b"%2f")
        )
        for escape in escapes:
            yield Base64Variant(head + escape + rest, inner, before)


def _late_in_base64(inner: SecretVariant) -> Iterator[Base64Variant]:
    """Yield literals for a secret in base64 with a line break within its first digits."""
    for before in range(3):
        digits = stable_base64(inner.pattern, before)
        plain = _PLAIN_DIGITS.search(digits, _DIGITS)
        if plain:
            yield Base64Variant(plain[0], inner, before, digits[: plain.start()])
