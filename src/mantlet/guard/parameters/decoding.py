"""Text as it stands in a request, decoded strictly: what may be read in two ways is refused."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

__all__ = [
    "Unreadable",
    "cookie_text",
    "field_text",
    "form_text",
    "path_text",
    "percent_decoded",
    "plain_text",
    "reserved_form_text",
]

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Unicode's Cc, and surrogates, which no text has.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What RFC 6265, 4.1.1 has no place for and readers disagree on: Werkzeug drops a value with a space
# or a quote inside, others keep it; it and Django decode UTF-8, Starlette latin-1. They agree on
# commas and backslashes.
_NOT_IN_COOKIE: Final = re.compile(r"[^\x21\x23-\x7e]")


class Unreadable(Exception):
    """A text that can't be read in one way only.

    Args:
        code: what is wrong, for programs.
        detail: the same for people; never with a value in it.
        member: the name of the member that it is about, as the client has it.
    """

    def __init__(self, code: str, detail: str, member: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.member = member


def plain_text(text: str) -> str:
    """Return a text without control characters.

    Raises:
        Unreadable: it has some.
    """
    # Nearly all text is printable, and no text that is has one.
    if not text.isprintable() and _CONTROL.search(text):
        raise Unreadable("control_character", "It has a control character.")
    return text


def path_text(text: str) -> str:
    """Return a text of a decoded path.

    Raises:
        Unreadable: it has control characters, or bytes that are not UTF-8, which stand as U+FFFD.
    """
    if "\N{REPLACEMENT CHARACTER}" in text:
        raise Unreadable("invalid_utf8", "It is not valid UTF-8.")
    return plain_text(text)


def percent_decoded(text: str) -> str:
    """Return a text of ASCII with its percent-encoding undone (RFC 3986, 2.1).

    Raises:
        Unreadable: an escape is malformed, or what is encoded is not UTF-8 or a control character.
    """
    if "%" not in text:
        return plain_text(text)
    if _BAD_ESCAPE.search(text):
        raise Unreadable("invalid_percent_escape", "A % is not followed by two hexadecimal digits.")
    try:
        text = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        pass  # it has the value; what is raised in here would have it too
    else:
        return plain_text(text)
    raise Unreadable("invalid_utf8", "It is not valid UTF-8.")


def reserved_form_text(text: str) -> str:
    """Return a decoded text of a query, in which ``+`` is a space (WHATWG URL, 5.1).

    Raises:
        Unreadable: see `percent_decoded()`.
    """
    return percent_decoded(text.replace("+", " "))


def form_text(text: str) -> str:
    """Return a decoded text of a query that has no raw ``;``, which some take for ``&``.

    Raises:
        Unreadable: it has one, or see `percent_decoded()`.
    """
    if ";" in text:
        raise Unreadable("reserved_character", "A semicolon must be percent-encoded.")
    return percent_decoded(text.replace("+", " "))


def field_text(text: str) -> str:
    """Return a text of a header field: ASCII (RFC 9110, 5.5) with tabs.

    Raises:
        Unreadable: it has others, which readers decode in different ways, or control characters.
    """
    if not text.isascii():
        raise Unreadable("non_ascii", "It has a character outside of ASCII.")
    if not text.isprintable():
        plain_text(text.replace("\t", " "))
    return text


def cookie_text(text: str) -> str:
    """Return a cookie's value as it is.

    Raises:
        Unreadable: it has quotes, spaces, control characters, or some outside of ASCII.
    """
    if _NOT_IN_COOKIE.search(text):
        raise Unreadable(
            "ambiguous_cookie",
            "A cookie's value must not have quotes, spaces or characters outside of ASCII.",
        )
    return text
