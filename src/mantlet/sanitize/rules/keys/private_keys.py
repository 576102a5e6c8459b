"""Private keys as text: PEM (RFC 7468), OpenSSH, PGP (RFC 9580, 6.2), SSH2 (RFC 4716) and PuTTY.

A key is a first line, lines of base64 and a last line. What stands between the lines depends on the
text around: a line end, an escaped one, a tag, the end of one string and the beginning of the next.
It is taken from what stands between the first two lines, so that a key that was cut off ends where
its text ends.
"""

import re
from functools import cache
from typing import Final

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchEnd, MatchFound, MatchResult
from mantlet.sanitize.rules.keys.checks import decode_base64url, is_random, unescape
from mantlet.sanitize.rules.keys.rule import may_begin
from mantlet.sanitize.rules.rule import LeakRule

__all__ = ["PRIVATE_KEYS", "PrivateKeyRule"]

_B64: Final = (
    rb"(?:[A-Za-z0-9+/=]|\\{1,8}/|\\{1,8}u00(?:2[bBfF]|3[dD])|%(?:2[bBfF]|3[dD])"
    rb"|&#(?:43|47|61|x2[bBfF]|x3[dD]);)"
)
#: The least length of the first line. The keys of elliptic curves have no more.
_FIRST_LINE: Final = 40
#: The most data between the first line and the base64: headers such as ``Proc-Type``, and tags.
_MAX_HEADERS: Final = 300
#: How much of a key that goes on is held back, so that its end is known. What is longer is masked
#: to the end of its base64.
_MAX_HELD: Final = 16 * 1024
#: How much may follow the base64 so far before it is known to have ended.
_MAX_GAP: Final = 160

_LABEL: Final = re.compile(
    rb"[A-Z0-9 +%]{0,40}?PRIVATE(?: |\+|%20)KEY(?:(?: |\+|%20)BLOCK)? ?-{4,5}(?!-)"
)
_LABEL_BEGINNING: Final = re.compile(rb"[A-Z0-9 +%]{0,70} ?-{0,5}\Z")
_END: Final = rb"-{4,5} ?END[A-Z0-9 +%]{0,60} ?-{4,5}"
_LINE_COUNT: Final = re.compile(rb"[0-9]{1,3}(?![0-9])")
_LINE_COUNT_BEGINNING: Final = re.compile(rb"[0-9]{0,3}\Z")
_MAC: Final = rb"Private-MAC: [0-9a-f]{40,64}"
#: Not the dashes of a first or last line.
_OTHER: Final = rb"[^A-Za-z0-9+/=\-]|-(?!---)"
_HEADERS: Final = re.compile(
    rb"(?:[A-Za-z0-9+/=]{1,39}+(?![A-Za-z0-9+/=])|%s){0,%d}+" % (_OTHER, _MAX_HEADERS)
)
_BASE64_RUN: Final = re.compile(rb"%s{%d,}+" % (_B64, _FIRST_LINE))
_HEADER_LINE: Final = re.compile(rb"[A-Z][A-Za-z\-]{2,24}: [^\r\n\\\"<&]{0,120}")
#: Line ends, indents and escapes of line ends: they may stand between the lines of any key.
_ESCAPED_LINE_END: Final = rb"\\{1,8}[nrt]|&#(?:10|13|x0?[aAdD]);|%0[aAdD]"
_LINE_END: Final = re.compile(_ESCAPED_LINE_END + rb"|[\s\\]")


@cache
def _body(end: bytes, quotes: bool, tags: bool, brackets: bool, words: bool) -> re.Pattern[bytes]:
    """Return the pattern of the rest of a key, by its end and what may stand between its lines."""
    excluded = b"" if quotes else rb"\"'`"
    excluded += b"" if tags else rb"<>"
    excluded += b"" if brackets else rb"{}\[\]"
    between = rb"%s|[^A-Za-z0-9+/=\-%s]|-(?!---)|\+(?=\s)" % (_ESCAPED_LINE_END, excluded)
    word = rb"[A-Za-z0-9+/=]{1,15}+(?![A-Za-z0-9+/=])|" if words else b""
    gap = rb"(?:%s%s){1,64}+" % (word, between)
    any_gap = rb"(?:[A-Za-z0-9+/=]{1,15}+(?![A-Za-z0-9+/=])|%s){0,80}+" % between
    return re.compile(
        rb"(?:%s%s{16,}+)*+(?P<end>(?:%s{1,15}+)?%s%s)?" % (gap, _B64, _B64, any_gap, end)
    )


def _looks_like_key(line: bytes) -> bool:
    line = unescape(line[:200])
    kinds = (re.search(kind, line) for kind in (rb"[A-Z]", rb"[a-z]", rb"[0-9+/]"))
    return all(kinds) and line.count(b"/") < len(line) // 8 + 2 and is_random(b"", line)


class PrivateKeyRule(LeakRule):
    """A private key between its first and its last line.

    Args:
        literals: the beginnings of the first line.
        label: the rest of the first line.
        label_beginning: any beginning of it, to the end of the data.
        end: the pattern of the last line.
    """

    __slots__ = ("_end", "_label", "_label_beginning")

    def __init__(
        self,
        literals: list[bytes],
        label: re.Pattern[bytes],
        label_beginning: re.Pattern[bytes],
        end: bytes,
    ) -> None:
        super().__init__("private-key", literals)
        self._end = end
        self._label = label
        self._label_beginning = label_beginning

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where the beginning of a first line was found."""
        label = self._label.match(data, end)
        if label is None:
            begins = more and self._label_beginning.match(data, end)
            return NEED_MORE if begins else NO_MATCH
        if more and label.end() == len(data):
            return NEED_MORE
        headers_end = _end_of(_HEADERS, data, label.end())
        line = _BASE64_RUN.match(data, headers_end)
        if line is None:
            waits = more and len(data) - headers_end < 6 * _FIRST_LINE
            return NEED_MORE if waits and _may_go_on(data, label.end()) else NO_MATCH
        if not _looks_like_key(line[0]):
            return NO_MATCH
        return self._to_last_line(data, start, line.end(), data[label.end() : headers_end], more)

    def _to_last_line(
        self, data: bytes, start: int, end: int, headers: bytes, more: bool
    ) -> MatchResult:
        """Match the rest of a key, behind the first line of base64."""
        pattern = _body(self._end, *_between_lines(headers))
        body = pattern.match(data, end)
        is_whole = body is not None and body["end"] is not None
        end = end if body is None else body.end()
        if more and len(data) - end < (1 if is_whole else _MAX_GAP):
            if len(data) - start < _MAX_HELD:
                return NEED_MORE
            return MatchFound(start, end, _REST, crosses=True)
        return MatchFound(start, end, crosses=True)


def _end_of(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    """Return where a pattern that may match nothing ends."""
    found = pattern.match(data, start)
    return start if found is None else found.end()


#: The end of a key that is too long to be held back: what is neither base64 nor between its lines.
_REST: Final = MatchEnd(re.compile(rb"[^A-Za-z0-9+/=\s\\\"',%&#;<>\-]"), 1)


def _between_lines(headers: bytes) -> tuple[bool, bool, bool, bool]:
    """Return what stands between the lines of a key: quotes, tags, brackets and words."""
    text = _LINE_END.sub(b"", _HEADER_LINE.sub(b"", headers))
    return (
        any(quote in text for quote in (b'"', b"'", b"`")),
        b"<" in text or b">" in text,
        any(bracket in text for bracket in (b"{", b"}", b"[", b"]")),
        any(part.isalnum() for part in re.split(rb"[^A-Za-z0-9]", text) if part),
    )


def _may_go_on(data: bytes, at: int) -> bool:
    """Return whether base64 may follow the first line, whose end is the last that has arrived."""
    rest = data[at : at + _MAX_HEADERS]
    if len(rest) >= _MAX_HEADERS:
        return False
    return b": " in rest or not re.search(rb"\n\s*\n", rest)


class EncodedKeyRule(LeakRule):
    """A whole private key in base64, as in the secrets of Kubernetes."""

    __slots__ = ()

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where the base64 of a first line begins."""
        if not may_begin(data, start):
            return NO_MATCH
        line = _ENCODED.match(data, end)
        if line is None:
            waits = more and _ENCODED_BEGINNING.match(data, end)
            return NEED_MORE if waits else NO_MATCH
        text = decode_base64url(unescape(data[start : line.end()])[:80])
        if b"PRIVATE KEY" not in text:
            return NO_MATCH
        return MatchFound(start, line.end(), _END_OF_BASE64)


#: The first line, and as much of the next as tells that it is a key.
_ENCODED: Final = re.compile(rb"%s{86}" % _B64)
_ENCODED_BEGINNING: Final = re.compile(rb"%s{0,86}(?:[\\%%&][a-z0-9#]{0,12})?\Z" % _B64)
_END_OF_BASE64: Final = MatchEnd(re.compile(rb"[^A-Za-z0-9+/=\\%&#;\r\n]|[\r\n]{3}"), 3)

PRIVATE_KEYS: Final = (
    PrivateKeyRule(
        [b"---- BEGIN ", b"-----BEGIN ", b"-----BEGIN+", b"-----BEGIN%20"],
        _LABEL,
        _LABEL_BEGINNING,
        _END,
    ),
    # PuTTY
    PrivateKeyRule([b"Private-Lines: "], _LINE_COUNT, _LINE_COUNT_BEGINNING, _MAC),
    EncodedKeyRule("private-key", [b"LS0tLS1CRUdJTi"]),  # -----BEGIN in base64
)
