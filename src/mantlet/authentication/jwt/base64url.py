"""Base64url as JOSE uses it (RFC 7515, 2): one text for each value, and no other."""

from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64, b2a_base64
from typing import Final

__all__ = ["decode_base64url", "encode_base64url"]

# The characters of other alphabets, and padding, become one that no Base64 has.
_TO_BASE64: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING: Final = (b"", b"", b"==", b"=")


def encode_base64url(value: bytes) -> str:
    """Return a value in Base64url, without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def decode_base64url(text: bytes) -> bytes:
    """Return the value of a text in Base64url.

    Raises:
        ValueError: it has padding, white space, characters of another alphabet, or bits that no
            byte takes; the message has nothing of the text.
    """
    standard = text.translate(_TO_BASE64)
    try:
        value = a2b_base64(standard + _PADDING[len(text) % 4])
    except Error:
        value = b""
    # The decoder skips what it does not know; encoding again shows it.
    if b2a_base64(value, newline=False).rstrip(b"=") != standard:
        raise ValueError("is not in canonical Base64url")
    return value
