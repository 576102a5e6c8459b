"""Match a secret in base64 or hexadecimal digits, by decoding them as far as they match."""

import re
from base64 import b64encode
from binascii import a2b_base64
from typing import Final, NamedTuple

from mantlet.redact.escaped_text import ESCAPED_COST
from mantlet.redact.escapes import LINE_BREAK, MAX_BREAKS, PARTIAL_BREAK
from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchFound, MatchResult
from mantlet.redact.variants import SecretVariant

__all__ = ["Base64Variant", "HexVariant", "stable_base64"]

#: How many bytes are decoded at first. As long as these do not decide, four times as many are.
_FIRST_BYTES: Final = 12
_MAX_BYTES: Final = 1024 * 1024
#: How far before a literal the beginning of the value is looked for.
_MAX_LOOKBEHIND: Final = 64
_MAX_BEGINNINGS: Final = 8

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{1,4096}")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
#: The characters ``+`` and ``/`` of base64 as encoders escape them.
_ESCAPED: Final = re.compile(
    rb"\\{1,32}(?:(/)|u002(?:([fF])|[bB]))|%(?:25){0,3}2(?:([fF])|[bB])"
    rb"|&(?:amp;){0,3}\#0{0,6}(?:(47)|43|[xX]0{0,6}2(?:([fF])|[bB]));"
)
_BETWEEN_PAIRS: Final = rb"(?:[:. ,_\r\n\t-]|\\{1,32}[xnr]|0[xX]){0,8}"
_HEX: Final = re.compile(rb"(?:" + _BETWEEN_PAIRS + rb"[0-9A-Fa-f]{2}){1,1048576}")
_PAIR: Final = re.compile(_BETWEEN_PAIRS + rb"([0-9A-Fa-f]{2})")
_PARTIAL_PAIR: Final = re.compile(rb"[:. ,_\r\n\t\\xXnr0-9A-Fa-f-]{0,300}\Z")


class _Digits(NamedTuple):
    """The digits that begin at an offset."""

    digits: bytes
    #: For each part that is contiguous in the data: its first digit and its offset, in reverse.
    parts: list[tuple[int, int]]
    #: Whether there may be more digits in the data, or only if more data follows.
    is_cut: bool
    is_open: bool

    def place(self, count: int) -> int:
        """Return the offset of the end of the first digits."""
        first, offset = next(part for part in reversed(self.parts) if part[0] < count)
        return offset + count - first


class _DecodedVariant(SecretVariant):
    """A secret in digits.

    Args:
        pattern: the literal.
        inner: matches the decoded bytes.
    """

    __slots__ = ("_inner",)
    cost: Final = ESCAPED_COST

    def __init__(self, pattern: bytes, inner: SecretVariant) -> None:
        super().__init__(pattern, inner.fingerprint, inner.id)
        self.whole = b""
        self._inner = inner

    def _match(self, data: bytes, start: int, more: bool, before: int = 0) -> MatchResult:
        """Match the digits from an offset on.

        Args:
            data: the data.
            start: the offset.
            more: whether more data follows.
            before: how many decoded bytes precede the secret.
        """
        size = _FIRST_BYTES
        while True:
            found = self._digits(data, start, size)
            if self.whole and found.digits.translate(_STANDARD).startswith(self.whole):
                return MatchFound(start, found.place(len(self.whole)))
            may_go_on = found.is_cut or (found.is_open and more)
            decoded = self._decode(found.digits)
            result = self._inner.match(decoded, before, before, may_go_on, None)
            if isinstance(result, MatchFound):
                return MatchFound(start, found.place(self._count(result.end)))
            if result is NEED_MORE and found.is_cut and size < _MAX_BYTES:
                size *= 4
                continue
            return NEED_MORE if result is NEED_MORE and found.is_open and more else NO_MATCH

    def _digits(self, data: bytes, start: int, size: int) -> _Digits:
        raise NotImplementedError

    def _decode(self, digits: bytes) -> bytes:
        raise NotImplementedError

    def _count(self, size: int) -> int:
        """Return how many digits stand for the first bytes, and for nothing else."""
        raise NotImplementedError


class HexVariant(_DecodedVariant):
    """A secret in hexadecimal digits, in either case, with or without separators."""

    __slots__ = ()

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the digits from the literal on."""
        return self._match(data, start, more)

    def _digits(self, data: bytes, start: int, size: int) -> _Digits:
        window = data[start : start + 8 * size]
        is_cut = start + len(window) < len(data)
        run = _HEX.match(window)
        end = run.end() if run else 0
        parts: list[tuple[int, int]] = []
        digits: list[bytes] = []
        at = 0
        while at < end and (pair := _PAIR.match(window, at, end)):
            parts.append((2 * len(digits), start + pair.start(1)))
            digits.append(pair[1])
            at = pair.end()
        rest = bool(_PARTIAL_PAIR.match(window, end))
        return _Digits(b"".join(digits), parts, rest and is_cut, rest and not is_cut)

    def _decode(self, digits: bytes) -> bytes:
        return bytes.fromhex(digits.decode())

    def _count(self, size: int) -> int:
        return 2 * size


class Base64Variant(_DecodedVariant):
    """A secret in base64 or base64url, at one offset in a group of three bytes.

    Args:
        pattern: the literal.
        inner: matches the decoded bytes.
        before: how many bytes of the first group stand before the secret.
        skipped: the digits of the secret before the literal; a line break is among them.
    """

    __slots__ = ("_before", "_first", "_lead", "_skipped")

    def __init__(
        self, pattern: bytes, inner: SecretVariant, before: int, skipped: bytes = b""
    ) -> None:
        super().__init__(pattern, inner)
        self._before = before
        self._skipped = skipped
        # The first digits, which have bits of other bytes too.
        self._first = _first_digit(before)
        self._lead = b64encode(bytes(before) + inner.pattern)[: self._first]
        self.whole = stable_base64(inner.whole, before)

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the digits from the literal on, or from where those before it begin."""
        if self._skipped:
            begin = self._beginning(data, start)
            if begin is None:
                return NO_MATCH
            start = begin
        return self._match(data, start, more, self._before)

    def _beginning(self, data: bytes, start: int) -> int | None:
        """Return where the digits before the literal begin if a line break is among them."""
        skipped, at = self._skipped, start
        count = len(skipped)
        while count and at and data[at - 1] == skipped[count - 1]:
            count -= 1
            at -= 1
        if count in (0, len(skipped)):
            return None  # the literal of the first digits finds the value
        head = skipped[:count]
        begin = at
        for _ in range(_MAX_BEGINNINGS):
            # The break may have letters of the digits too.
            begin = data.rfind(head, max(0, at - _MAX_LOOKBEHIND), begin)
            if begin < 0:
                break
            if not data.endswith(b"\\", 0, begin) and _are_breaks(data, begin + count, at):
                return begin
        return None

    def _digits(self, data: bytes, start: int, size: int) -> _Digits:
        wanted = size * 4 // 3 + 8
        count, at, breaks = 0, start, 0
        parts: list[tuple[int, int]] = []
        digits: list[bytes] = []
        while count < wanted and breaks <= MAX_BREAKS:
            run = _BASE64.match(data, at) if not breaks or data[at : at + 5] != b"data:" else None
            if run:
                part = run[0]
                parts.append((count, at))
            elif escaped := _ESCAPED.match(data, at):
                run, part = escaped, b"/" if escaped.lastindex else b"+"
                # Only the offset of its end is used.
                parts.append((count, escaped.end() - 1))
            else:
                run = LINE_BREAK.match(data, at)
                if run is None:
                    break
                at = run.end()
                breaks += 1
                continue
            digits.append(part)
            count += len(part)
            at = run.end()
            breaks = 0
        is_open = at >= len(data) or bool(PARTIAL_BREAK.match(data, at))
        return _Digits(b"".join(digits), parts, count >= wanted, is_open)

    def _decode(self, digits: bytes) -> bytes:
        whole = self._lead + digits.translate(_STANDARD)
        size = len(whole) * 6 // 8
        return a2b_base64(whole + b"A" * (-len(whole) % 4))[:size]

    def _count(self, size: int) -> int:
        return size * 8 // 6 - self._first


def _are_breaks(data: bytes, start: int, end: int) -> bool:
    """Return whether a part of the data consists of line breaks."""
    for _ in range(MAX_BREAKS):
        part = LINE_BREAK.match(data, start, end)
        if part is None:
            break
        start = part.end()
    return start == end


def _first_digit(before: int) -> int:
    """Return the index of the first digit that has no bits of the bytes before."""
    return -(-before * 8 // 6)


def stable_base64(value: bytes, before: int) -> bytes:
    """Return the digits of a value that do not depend on the bytes around it.

    Args:
        value: the value.
        before: how many bytes stand before it, modulo three.
    """
    digits = b64encode(bytes(before) + value)
    return digits[_first_digit(before) : (before + len(value)) * 8 // 6]
