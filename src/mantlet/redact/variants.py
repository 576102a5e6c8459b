"""Needles: a secret value in each of the forms that it gets into an answer or a log in.

A value is looked for raw; escaped for JSON, for HTML, by Python's ``repr()`` and for URLs, once and
twice; in hexadecimal; and in base64 and base64url at each of the three places that it can begin at
in a group of three bytes. The last covers ``Basic`` credentials (RFC 7617), whatever the user is,
and tokens that the value is a part of. Of a URL, the password is a secret as well.

A value that is short or easy to guess is no needle: a search for ``admin`` would mask the word
wherever an answer has it.
"""

import json
import math
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from mantlet.redact.matches import MORE, NO, Found, Verdict

__all__ = ["LEAST_BITS", "LEAST_BYTES", "Needle", "forms", "weakness"]

#: A shorter value is refused.
LEAST_BYTES: Final = 8
#: A value that is easier to guess is refused.
LEAST_BITS: Final = 20

_PERCENT: Final = re.compile(rb"%[0-9A-F]{2}")
#: What is most likely a word, or a date: it is easier to guess than its characters say.
_PLAIN: Final = re.compile(rb"[0-9]+|[A-Z]?[a-z]+|[A-Z]+")
_JSON_ESCAPE: Final = re.compile(r"\\u[0-9a-f]{4}")
#: What is left as it is: by RFC 3986, in a path, by encodeURIComponent() and by encodeURI()
#: (ECMA-262, 19.2.6).
_UNRESERVED: Final = ("", "/", "!'()*~", ";/?:@&=+$,#!'()*~")
#: Characters that are often escaped in JSON though it doesn't ask for it.
_HTML_IN_JSON: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'"}


class Needle:
    """A text that is a leak wherever it stands: one form of a secret value.

    Args:
        form: the text.
        fingerprint: the value's.
        id: what it is reported as.
    """

    __slots__ = ("fingerprint", "form", "id")

    def __init__(self, form: bytes, fingerprint: str | None = None, id: str = "secret") -> None:
        self.form = form
        self.fingerprint = fingerprint
        self.id = id

    def judge(self, data: bytes, start: int, end: int, more: bool, media: str | None) -> Verdict:
        """Say whether all of the form is there; the literal may be the beginning of a long one."""
        form = self.form
        if data.startswith(form, start):
            return Found(start, start + len(form))
        return MORE if more and form.startswith(data[start:]) else NO


def forms(value: bytes) -> tuple[bytes, ...]:
    """Return a value's forms, each once, the raw one first.

    Args:
        value: text as UTF-8, or any bytes.
    """
    found = dict.fromkeys(_forms(value))
    password = _password(value)
    if password is not None and weakness(password) is None:
        found |= dict.fromkeys(_forms(password))
    return tuple(found)


def weakness(value: bytes) -> str | None:
    """Return why a value is no needle, in words that do not tell it, or None where it is one."""
    if len(value) < LEAST_BYTES:
        return f"it is shorter than {LEAST_BYTES} bytes"
    counts = Counter(value).values()
    bits = -sum(count * math.log2(count / len(value)) for count in counts)
    if _PLAIN.fullmatch(value):
        bits /= 2
    if bits < LEAST_BITS:
        return "it is a common word, or has few different characters"
    return None


def _password(value: bytes) -> bytes | None:
    """Return the password in a URL, decoded."""
    if b"://" in value:
        with suppress(ValueError):
            password = urlsplit(value).password
            return password and unquote_to_bytes(password)
    return None


def _forms(value: bytes) -> Iterator[bytes]:
    yield value
    with suppress(UnicodeDecodeError):
        text = value.decode()
        with suppress(UnicodeEncodeError):
            yield text.encode("latin-1")  # as header fields have it
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
    """Yield what Python shows of a value, and that within JSON, as logs have it."""
    yield shown.encode(errors="surrogatepass")
    yield json.dumps(shown)[1:-1].encode()


def _upper_hex(match: re.Match[str]) -> str:
    return "\\u" + match[0][2:].upper()


def _in_html(text: str) -> Iterator[bytes]:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for double, single in (('"', "'"), ("&quot;", "'"), ("&quot;", "&#x27;"), ("&quot;", "&#39;")):
        yield plain.replace('"', double).replace("'", single).encode()
    from markupsafe import escape  # noqa: PLC0415  # not needed without secrets

    yield str(escape(text)).encode()


def _in_urls(value: bytes) -> Iterator[bytes]:
    for safe in _UNRESERVED:
        once = quote_from_bytes(value, safe).encode()
        twice = quote_from_bytes(once, "").encode()
        for encoded in (once, once.replace(b"%20", b"+"), twice):
            yield encoded
            yield _PERCENT.sub(_lower, encoded)
        # The inner encoding in lower case, and both.
        twice = quote_from_bytes(_PERCENT.sub(_lower, once), "").encode()
        yield twice
        yield _PERCENT.sub(_lower, twice)


def _lower(match: re.Match[bytes]) -> bytes:
    return match[0].lower()


def _in_base64(value: bytes) -> Iterator[bytes]:
    for before in range(3):
        # Only the characters that none of the neighbours' bits are in.
        encoded = b64encode(bytes(before) + value)
        first = -(-before * 8 // 6)
        certain = encoded[first : (before + len(value)) * 8 // 6]
        yield certain
        yield certain.translate(bytes.maketrans(b"+/", b"-_"))
