"""Encoders that escape text, each as a translation table of characters.

An encoder escapes a character in the same way wherever it stands. So the encoded first characters
of a value are the beginning of the encoded value.
"""

import html
import json
import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote, quote_plus

__all__ = ["encode_again", "encode_commonly", "encode_first"]

_Encode = Callable[[str], str]


class _Table(dict[int, str]):
    """A table for `str.translate()`, filled as it is used."""

    def __init__(self, encode: _Encode) -> None:
        self._encode = encode

    def __missing__(self, code: int) -> str:
        self[code] = text = self._encode(chr(code))
        return text


_DIGITS: Final = re.compile(r"(?<=\\[uxU])[0-9a-f]+")


def _upper(text: str) -> str:
    return _DIGITS.sub(lambda digits: digits[0].upper(), text)


def _json(char: str) -> str:
    return json.dumps(char)[1:-1]


def _json_in_utf8(char: str) -> str:
    return json.dumps(char, ensure_ascii=False)[1:-1]


def _repr(char: str) -> str:
    return "\\'" if char == "'" else repr(char)[1:-1]


def _ascii(char: str) -> str:
    return ascii(char)[1:-1]


def _each_byte(form: str, char: str) -> str:
    return "".join(form % byte for byte in char.encode(errors="surrogatepass"))


def _escape(chars: str, form: str, rest: _Encode = str) -> _Encode:
    """Return an encoder that writes the code point of some characters in a form."""
    return lambda char: form % ord(char) if char in chars else rest(char)


def _prefix(chars: str, mark: str, rest: _Encode = str) -> _Encode:
    """Return an encoder that writes a mark before some characters."""
    return lambda char: mark + char if char in chars else rest(char)


def _replace(texts: dict[str, str], rest: _Encode = str) -> _Encode:
    return lambda char: texts.get(char) or rest(char)


def _percent(safe: str) -> _Encode:
    return lambda char: quote(char, safe, errors="surrogatepass")


def _lower_percent(char: str) -> str:
    return char if char.isascii() and char.isalnum() else _percent("")(char).lower()


def _double(quote: str) -> _Encode:
    return lambda char: char * 2 if char == quote else char


def _cookie(char: str) -> str:
    """Encode as ``http.cookies`` does; octal escapes end at U+00FF."""
    code = ord(char)
    is_raw = 0x20 <= code < 0x7F or code > 0xFF
    return char if is_raw and char not in ",;" else f"\\{code:03o}"


def _cookie_of_werkzeug(char: str) -> str:
    return _cookie(char) if char.isascii() else _each_byte("\\%03o", char)


def _quoted_printable(char: str) -> str:
    is_raw = char.isascii() and char.isprintable() and char not in "= "
    return char if is_raw else _each_byte("=%02X", char)


def _q(char: str) -> str:
    """Encode a word of a header as `email` does (RFC 2047, 4.2)."""
    is_raw = char.isascii() and (char.isalnum() or char in "!*+-/")
    return char if is_raw else "_" if char == " " else _each_byte("=%02X", char)


_QUOTES: Final = {'"': '\\"', "\\": "\\\\"}
_PUNCTUATION: Final = "".join(char for char in map(chr, range(0x21, 0x7F)) if not char.isalnum())

#: Encoders that are also applied to text that is already encoded.
_NESTED: Final[tuple[_Encode, ...]] = (
    # JSON and JavaScript
    _json,
    _json_in_utf8,
    lambda char: _upper(_json(char)),
    _prefix("/", "\\", _json),
    _escape("<>&'", "\\u%04x", _json),
    _escape("<>&", "\\u%04x", _json_in_utf8),
    _escape("<>&", "\\u%04X", _json),  # json_script of Django
    _escape("\\'\"><&=-;`", "\\u%04X"),  # escapejs of Django
    # HTML and XML
    html.escape,
    lambda char: html.escape(char, quote=False),
    _replace({'"': "&#34;", "'": "&#39;"}, html.escape),
    _replace({"'": "&#39;"}, html.escape),
    _replace({"'": "'"}, html.escape),
    lambda char: char.encode("ascii", "xmlcharrefreplace").decode(),
    # URLs
    _percent(""),
    _percent("/"),
    _percent("!'()*~"),  # encodeURIComponent()
    _percent(";/?:@&=+$,#!'()*~"),  # encodeURI()
    _percent(";/?:@&=+$,#!'()*~%"),  # redirects of Starlette
    _percent("/#%[]=:;$&()+,!?*@'~"),  # redirects of Django
    _percent("/#[]=:;$&()+,!?*@'~"),  # links of Falcon
    _lower_percent,
    quote_plus,
    # Python
    _repr,
    lambda char: repr(char)[1:-1],
    lambda char: repr(char.encode(errors="surrogatepass"))[2:-1],
    _ascii,
    # CSV, cookies
    _double('"'),
    _replace(_QUOTES, _cookie),
    _replace(_QUOTES, _cookie_of_werkzeug),
)
#: Encoders that are applied only to text that is not encoded yet.
_FIRST: Final[tuple[_Encode, ...]] = (
    # Rust and JavaScript, YAML, mail
    lambda char: char if char.isascii() else f"\\u{{{ord(char):x}}}",
    lambda char: _upper(_ascii(char)),
    _quoted_printable,
    _q,
    # SQL, shells, Markdown, regular expressions
    _double("'"),
    re.escape,
    _prefix(_PUNCTUATION, "\\"),
    _prefix("\\`*_{}[]()#+-.!|<>", "\\"),
)
_NESTED_TABLES: Final = tuple(map(_Table, _NESTED))
_TABLES: Final = (*_NESTED_TABLES, *map(_Table, _FIRST))
#: The most common ones.
_COMMON_TABLES: Final = tuple(
    map(
        _Table,
        (_json, _json_in_utf8, _escape("<>&'", "\\u%04x", _json), html.escape, _percent("")),
    )
)


def encode_first(text: str) -> set[str]:
    """Return a text as each encoder writes it, and the text itself."""
    return {text}.union(text.translate(table) for table in _TABLES)


def encode_again(texts: Iterable[str]) -> set[str]:
    """Return encoded texts as each encoder writes them once more, and the texts themselves."""
    return {text.translate(table) for text in texts for table in _NESTED_TABLES}.union(texts)


def encode_commonly(text: str) -> set[str]:
    """Return a text as the most common encoders write it, and the text itself."""
    return {text}.union(text.translate(table) for table in _COMMON_TABLES)
