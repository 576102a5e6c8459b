"""Secret variants: a secret value in every encoding in which it may reach a response or a log.

A value is searched for as it is; escaped for JSON, for HTML, by Python's ``repr()``, and for URLs
(once and twice); in hexadecimal; and in base64 and base64url at each of the three possible offsets
within a group of three bytes. The last covers ``Basic`` credentials (RFC 7617) of any user, and
tokens that contain the value. The password in a URL is a secret of its own.

A value that is short or easy to guess is not searched for: a search for ``admin`` would mask the
word in every response.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchFound, MatchResult
from mantlet.redact.strength import weak_reason

__all__ = [
    "SecretVariant",
    "encoded_variants",
    "url_password",
]

_PERCENT: Final = re.compile(rb"%[0-9A-F]{2}")
_JSON_ESCAPE: Final = re.compile(r"\\u[0-9a-f]{4}")
#: Characters left unescaped by RFC 3986, in a path, by encodeURIComponent() and by encodeURI()
#: (ECMA-262, 19.2.6).
_UNRESERVED: Final = ("", "/", "!'()*~", ";/?:@&=+$,#!'()*~")
#: Characters that are often escaped in JSON although the format does not require it.
_HTML_IN_JSON: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'"}


class SecretVariant:
    """One encoding of a secret value: a byte string that is a leak wherever it occurs.

    Args:
        pattern: the byte string.
        fingerprint: the fingerprint of the value.
        id: the id that it is reported under.

    Attributes:
        whole: all bytes of the secret in its plainest form in this encoding.
    """

    __slots__ = ("fingerprint", "id", "pattern", "whole")

    def __init__(self, pattern: bytes, fingerprint: str | None = None, id: str = "secret") -> None:
        self.pattern = self.whole = pattern
        self.fingerprint = fingerprint
        self.id = id

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the whole pattern; the literal that was found may be only the beginning of it."""
        pattern = self.pattern
        if data.startswith(pattern, start):
            return MatchFound(start, start + len(pattern))
        return NEED_MORE if more and pattern.startswith(data[start:]) else NO_MATCH


def encoded_variants(value: bytes) -> tuple[bytes, ...]:
    """Return the encodings of a value without duplicates, the raw one first.

    Args:
        value: text as UTF-8, or any bytes.
    """
    found = dict.fromkeys(_variants(value))
    password = url_password(value)
    if password is not None and weak_reason(password) is None:
        found |= dict.fromkeys(_variants(password))
    return tuple(found)


def url_password(value: bytes) -> bytes | None:
    """Return the decoded password in a URL, if there is one."""
    if b"://" in value:
        with suppress(ValueError):
            password = urlsplit(value).password
            return password and unquote_to_bytes(password)
    return None


def _variants(value: bytes) -> Iterator[bytes]:
    yield value
    with suppress(UnicodeDecodeError):
        text = value.decode()
        with suppress(UnicodeEncodeError):
            yield text.encode("latin-1")  # as in headers
        yield from _in_json(text)
        yield from _in_html(text)
        yield from _in_repr(repr(text)[1:-1])
    yield from _in_repr(repr(value)[2:-1])
    yield from _in_urls(value)
    yield value.hex().encode()
    yield value.hex().upper().encode()
    yield from _in_base64(value)


def _in_json(text: str) -> Iterator[bytes]:
    for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        variants = {
            escaped,
            escaped.replace("/", "\\/"),
            escaped.translate(_HTML_IN_JSON),
            escaped.replace("'", "\\u0027"),
            escaped.translate({char: _HTML_IN_JSON[char] for char in b"<>&"}),
        }
        variants |= {_JSON_ESCAPE.sub(_upper_hex, variant) for variant in variants}
        yield from (variant.encode() for variant in sorted(variants))


def _in_repr(shown: str) -> Iterator[bytes]:
    """Yield the ``repr()`` of a value, and its JSON escape, as in structured logs."""
    yield shown.encode(errors="surrogatepass")
    yield json.dumps(shown)[1:-1].encode()


def _upper_hex(match: re.Match[str]) -> str:
    return "\\u" + match[0][2:].upper()


def _in_html(text: str) -> Iterator[bytes]:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for double, single in (('"', "'"), ("&quot;", "'"), ("&quot;", "&#x27;"), ("&quot;", "&#39;")):
        yield plain.replace('"', double).replace("'", single).encode()
    from markupsafe import escape  # not needed without secrets

    yield str(escape(text)).encode()


def _in_urls(value: bytes) -> Iterator[bytes]:
    for safe in _UNRESERVED:
        once = quote_from_bytes(value, safe).encode()
        twice = quote_from_bytes(once, "").encode()
        for encoded in (once, once.replace(b"%20", b"+"), twice):
            yield encoded
            yield _PERCENT.sub(_lower, encoded)
        # With the inner encoding, or both, in lower case.
        twice = quote_from_bytes(_PERCENT.sub(_lower, once), "").encode()
        yield twice
        yield _PERCENT.sub(_lower, twice)


def _lower(match: re.Match[bytes]) -> bytes:
    return match[0].lower()


def _in_base64(value: bytes) -> Iterator[bytes]:
    for before in range(3):
        # Only the characters that depend on no bits of the neighboring bytes.
        encoded = b64encode(bytes(before) + value)
        first = -(-before * 8 // 6)
        stable = encoded[first : (before + len(value)) * 8 // 6]
        yield stable
        yield stable.translate(bytes.maketrans(b"+/", b"-_"))
