r"""Replace the bytes of a leak, and keep the structure of the body.

In JSON the quotes, the brackets and the commas of a leak that is more than one string are kept, and
the digits of a number become nines, since an asterisk would be a syntax error. No escape is split:
``\u00e9`` is masked whole or not at all. In markup tags are kept, and in events the names of
fields, unless the leak is a single value.
"""

import re
from typing import Final

from mantlet.redact.endings import LeakKind
from mantlet.redact.open_strings import LOOKBEHIND, BodyForm, backslashes

__all__ = ["UNESCAPED_FORMS", "after_escape", "before_escape", "before_structure", "mask_leak"]

#: Bodies in which a backslash escapes nothing.
UNESCAPED_FORMS: Final = (BodyForm.TEXT, BodyForm.CSV)

#: What JSON may contain outside of strings.
_NUMBER: Final = rb"-?+[0-9]*+(?:\.[0-9]*+)?+(?:(?<=[0-9.])[eE][+-]?+[0-9]*+)?+"
_STRUCTURE: Final = re.compile(rb"\s*+%b(?:\s*+[,:\[\]{}]\s*+%b)*+\s*+" % (_NUMBER, _NUMBER))
_LITERALS: Final = re.compile(rb"(?:true|false|null|[\s,:\[\]{}]++|-?+[0-9][0-9.eE+\-]*+)*+")
#: A quote that begins or ends a string: no other one is in JSON that is well-formed.
_STRING_QUOTE: Final = re.compile(
    rb"(?<!\\)(?:\\\\)*+(?:(?<=[{\[,:\s])\"|\"(?=\s*+(?:[,:}\]]|\Z)))"
)
_UNESCAPED_QUOTE: Final = re.compile(rb"(?<!\\)(?:\\\\)*+\"")
_OPENING: Final = re.compile(rb"(?<=[{\[,:\s])\"")
_CLOSING: Final = re.compile(rb"\"(?=\s{0,40}+[,:}\]])")
_DIGITS: Final = bytes.maketrans(b"012345678", b"9" * 9)
#: A text between tags, and one between the names of fields.
_BETWEEN_TAGS: Final = re.compile(rb"(<[A-Za-z/!?][^<>]*+>)")
_BETWEEN_FIELDS: Final = re.compile(rb"(\r?\n(?:[a-z]{2,5}:[ ]?)?|\r)")
#: The data before and after a number: in scripts and in JSON within a page, and in JSON.
_BEFORE_NUMBER: Final = re.compile(rb"[:,\[=(][ \t\r\n]{0,16}+\Z")
_AFTER_NUMBER: Final = re.compile(rb"[ \t\r\n]{0,16}+[,\]})]")
_IN_NUMBER: Final = re.compile(rb"(?:\A|[:,\[\s\x1e])-?+[0-9.eE+\-]*+\Z")
_REST_OF_NUMBER: Final = re.compile(rb"[0-9.eE+\-]*+(?:[,\]}\s]|\Z)")

_PARTIAL_ESCAPE: Final = re.compile(rb"u[0-9A-Fa-f]{0,3}|")
_LOW_SURROGATE: Final = re.compile(rb"\\++u[dD][c-fC-F][0-9A-Fa-f]{2}")
_HIGH_SURROGATE: Final = re.compile(rb"(?<!\\)\\++u[dD][89abAB][0-9A-Fa-f]{2}\Z")
#: As many backslashes as may belong to one escape.
_MOST_BACKSLASHES: Final = 63
_RUN: Final = re.compile(rb"\\*+")
_QUOTE: Final = 0x22


def mask_leak(data: bytes, start: int, end: int, form: BodyForm, kind: LeakKind) -> bytes:
    """Return the replacement of a leak, which has the same length.

    Args:
        data: the data, which includes some around the leak.
        start: where the leak begins.
        end: where it ends.
        form: the format of the body.
        kind: the kind of the leak.
    """
    leak = data[start:end]
    if kind is LeakKind.PAGE or (kind is LeakKind.TEXT and form is BodyForm.JSON):
        return b"*" * len(leak)
    if form is BodyForm.EVENTS and kind is not LeakKind.VALUE:
        return _mask_between(_BETWEEN_FIELDS, leak)
    if form in (BodyForm.JSON, BodyForm.EVENTS):
        mask = _mask_strings if kind is LeakKind.CROSSING else _mask_json
        return mask(data, start, end)
    if kind is LeakKind.VALUE:
        is_number = leak.isdigit() and _is_number(data, start, end)
        return (b"9" if is_number else b"*") * len(leak)
    if form is BodyForm.MARKUP and b"<" in leak:
        return _mask_between(_BETWEEN_TAGS, leak)
    return b"*" * len(leak)


def _mask_strings(data: bytes, start: int, end: int) -> bytes:
    """Mask the strings of JSON, and keep the data between them."""
    parts: list[bytes] = []
    is_string, at = _is_in_string(data, start), start
    for quote in _UNESCAPED_QUOTE.finditer(data, start, end):
        parts += _masked(data[at : quote.end() - 1], is_string=is_string), b'"'
        is_string, at = not is_string, quote.end()
    parts.append(_masked(data[at:end], is_string=is_string))
    return b"".join(parts)


def _masked(text: bytes, *, is_string: bool) -> bytes:
    return b"*" * len(text) if is_string else text.translate(_DIGITS)


def _is_in_string(data: bytes, at: int) -> bool:
    """Return whether an offset is in a string of JSON.

    It counts the quotes since the last one that certainly begins or ends a string.
    """
    is_string = True
    for quote in _UNESCAPED_QUOTE.finditer(data, max(0, at - LOOKBEHIND), at):
        place = quote.end() - 1
        begins = _OPENING.match(data, place) is not None
        ends = _CLOSING.match(data, place) is not None
        is_string = not is_string if begins == ends else begins
    return is_string


def _mask_json(data: bytes, start: int, end: int) -> bytes:
    leak = data[start:end]
    if b'"' not in leak:
        is_number = _STRUCTURE.fullmatch(leak) and _is_json_number(data, start, end)
        return leak.translate(_DIGITS) if is_number else b"*" * len(leak)
    parts: list[bytes] = []
    at = start
    for quote in _STRING_QUOTE.finditer(data, start):
        if quote.end() > end:
            break
        parts += _mask_content(data[at : quote.end() - 1]), b'"'
        at = quote.end()
    parts.append(_mask_content(data[at:end]))
    return b"".join(parts) if at > start else b"*" * len(leak)


def _mask_content(text: bytes) -> bytes:
    if _STRUCTURE.fullmatch(text) or _LITERALS.fullmatch(text):
        return text.translate(_DIGITS)
    return b"*" * len(text)


def _mask_between(kept: re.Pattern[bytes], leak: bytes) -> bytes:
    parts = kept.split(leak)
    parts[::2] = [b"*" * len(part) for part in parts[::2]]
    return b"".join(parts)


def _is_number(data: bytes, start: int, end: int) -> bool:
    before = _BEFORE_NUMBER.search(data[max(0, start - 17) : start])
    return before is not None and _AFTER_NUMBER.match(data, end) is not None


def _is_json_number(data: bytes, start: int, end: int) -> bool:
    before = _IN_NUMBER.search(data[max(0, start - 40) : start])
    return before is not None and _REST_OF_NUMBER.match(data, end, end + 40) is not None


# -- escapes --------------------------------------------------------------------------------------


def before_escape(data: bytes, at: int) -> int:
    """Move an offset back to the beginning of the escape that it is in.

    All backslashes before it count as part of one, as they are in JSON that is a string in JSON.
    """
    slash = data.rfind(b"\\", max(0, at - 5), at)
    if slash >= 0 and _PARTIAL_ESCAPE.fullmatch(data, slash + 1, at):
        count = backslashes(data, slash + 1)
        if count <= _MOST_BACKSLASHES:
            at = slash + 1 - count
        elif count % 2:
            at = slash
    if data[at : at + 1] == b"\\" and _LOW_SURROGATE.match(data, at):
        high = _HIGH_SURROGATE.search(data, max(0, at - _MOST_BACKSLASHES - 5), at)
        at = high.start() if high else at
    return at


def after_escape(data: bytes, at: int) -> int | None:
    """Move an offset after a backslash forwards, so that it splits no run of them.

    It does not split an escaped quote after the run either.

    Returns:
        The offset; None if it depends on the data that follows.
    """
    if data[at - 1 : at] != b"\\":
        return at
    found = _RUN.match(data, at)
    end = found.end() if found else at
    if end == len(data):
        return None
    if data[end] == _QUOTE:
        count = backslashes(data, end) + 1
        end -= (count & -count) - 1
    return end


def before_structure(data: bytes, at: int, form: BodyForm) -> int:
    """Move an offset back so that it splits no escape, tag or field name."""
    if form in UNESCAPED_FORMS:
        return at
    at = before_escape(data, at)
    if form is BodyForm.MARKUP:
        tag = data.rfind(b"<", max(0, at - 200), at)
        return tag if tag >= 0 and data.find(b">", tag, at) < 0 else at
    if form is BodyForm.EVENTS:
        line = max(data.rfind(b"\n", max(0, at - 9), at), data.rfind(b"\r", max(0, at - 9), at))
        return line if line >= 0 else at
    return at
