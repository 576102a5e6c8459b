"""Decode text of requests strictly, and reject text that can be read in two ways."""

import re
from collections.abc import Callable
from typing import Final

from mantlet.http.percent_encoding import decode_escapes

__all__ = [
    "UndecodableText",
    "check_controls",
    "check_cookie",
    "check_path",
    "decode_cookie_content",
    "decode_form",
    "decode_header",
    "decode_percent",
    "form_decoder",
]

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Unicode's Cc, and surrogates, which are not characters.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# The same, without tabs and line ends.
_NOT_IN_LINES: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# Not allowed in forms either; pasted text may have any other character.
_NOT_IN_FIELD: Final = re.compile(r"[\x00\ud800-\udfff]")
# Characters that RFC 6265, 4.1.1 excludes and readers disagree on: Werkzeug drops a value with a
# space or a quote inside, others keep it; Werkzeug and Django decode UTF-8, Starlette latin-1. They
# agree on commas, and on backslashes outside of quotes.
_NOT_IN_COOKIE: Final = re.compile(r"[^\x21\x23-\x7e]")
# Litestar decodes percent-encoding, others do not. A "%" that begins no escape is the same to all.
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_TWICE_ENCODED: Final = "%25"
_AMBIGUOUS_COOKIE: Final = (
    "Quotes, percent-encoding, spaces and non-ASCII characters are not allowed in cookies"
)


class UndecodableText(Exception):
    """A text is malformed or ambiguous.

    Args:
        code: the error code.
        detail: the error for people; never with a value.
        member: the name of the affected member, as sent by the client, or the names of those that
            lead to it.
    """

    def __init__(self, code: str, detail: str, member: str | tuple[str, ...] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.member = member


def check_controls(text: str) -> str:
    """Return a text, and reject control characters.

    Raises:
        UndecodableText: the text has a control character.
    """
    # Nearly all text is printable, and printable text has no control characters.
    if not text.isprintable() and _CONTROL.search(text):
        raise UndecodableText("control_character", "Control characters are not allowed")
    return text


def _check_lines(text: str) -> str:
    if not text.isprintable() and _NOT_IN_LINES.search(text):
        detail = "Control characters are not allowed, except for tabs and line ends"
        raise UndecodableText("control_character", detail)
    return text


def _check_field(text: str) -> str:
    if not text.isprintable() and _NOT_IN_FIELD.search(text):
        raise UndecodableText("control_character", "NUL is not allowed")
    return text


def check_path(text: str) -> str:
    """Return a text of a decoded path.

    Raises:
        UndecodableText: the text has control characters, or U+FFFD in place of invalid UTF-8.
    """
    if "\N{REPLACEMENT CHARACTER}" in text:
        raise UndecodableText("invalid_utf8", "Invalid UTF-8")
    return check_controls(text)


def decode_percent(text: str, check: Callable[[str], str] = check_controls) -> str:
    """Decode the percent-encoding of an ASCII text (RFC 3986, 2.1).

    Args:
        text: the text.
        check: rejects decoded characters.

    Raises:
        UndecodableText: an escape is malformed, or encodes invalid UTF-8 or a control character.
    """
    if "%" not in text:
        return check(text)
    if _BAD_ESCAPE.search(text):
        raise UndecodableText("invalid_percent_escape", "Invalid percent-encoding")
    try:
        text = decode_escapes(text.encode()).decode()
    except UnicodeDecodeError:
        pass  # its object has the value, so the error must not be chained to it
    else:
        return check(text)
    raise UndecodableText("invalid_utf8", "Invalid UTF-8")


def decode_form(text: str, check: Callable[[str], str] = check_controls) -> str:
    """Decode a name or a value of a query, and reject a raw ``;``, which some take for ``&``.

    ``+`` is a space (WHATWG URL, 5.1).

    Args:
        text: the text.
        check: rejects decoded characters.

    Raises:
        UndecodableText: the text has a raw ``;``, or see `decode_percent()`.
    """
    if ";" in text:
        raise UndecodableText("reserved_character", "Semicolons must be percent-encoded")
    return decode_percent(text.replace("+", " "), check)


def form_decoder(*, body: bool = False, allow_semicolons: bool = False) -> Callable[[str], str]:
    """Return the function that decodes values of a query, or of an urlencoded body.

    A value of a query may have tabs and line ends. One of a body may have all characters but NUL,
    since that is where the text of a textarea is, pasted from anywhere.

    Args:
        body: whether the values are those of a body.
        allow_semicolons: whether a value may have a raw ``;``.
    """
    check = _check_field if body else _check_lines
    if allow_semicolons:
        return lambda text: decode_percent(text.replace("+", " "), check)
    return lambda text: decode_form(text, check)


def decode_header(text: str) -> str:
    """Return a header's value: ASCII with tabs (RFC 9110, 5.5).

    Raises:
        UndecodableText: the value has control characters, or others, which readers decode
            differently.
    """
    if not text.isascii():
        raise UndecodableText("non_ascii", "Non-ASCII characters are not allowed")
    if not text.isprintable():
        check_controls(text.replace("\t", " "))
    return text


def check_cookie(text: str) -> str:
    """Return a cookie's value as it is.

    Raises:
        UndecodableText: the value has quotes, percent-encoding, spaces, control or non-ASCII
            characters.
    """
    if _NOT_IN_COOKIE.search(text) or _ESCAPE.search(text):
        raise UndecodableText("ambiguous_cookie", _AMBIGUOUS_COOKIE)
    return text


def decode_cookie_content(text: str) -> str:
    """Decode the percent-encoding of a cookie whose content, such as JSON, needs it.

    Apps decode it themselves. An encoded percent sign is rejected, since in one that Litestar has
    decoded already they would decode it twice.

    Raises:
        UndecodableText: the value has quotes, spaces, control or non-ASCII characters, or percent
            signs in encoded form; or see `decode_percent()`.
    """
    if _NOT_IN_COOKIE.search(text) or _TWICE_ENCODED in text:
        raise UndecodableText("ambiguous_cookie", _AMBIGUOUS_COOKIE)
    return decode_percent(text)
