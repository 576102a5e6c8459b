"""JSON Web Tokens (RFC 7519), signed (RFC 7515) and encrypted (RFC 7516)."""

import re
from typing import Final

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchFound, MatchResult
from mantlet.sanitize.rules.incremental_regex import IncrementalPattern, literal, repeat
from mantlet.sanitize.rules.keys.checks import decode_json
from mantlet.sanitize.rules.keys.rule import may_begin
from mantlet.sanitize.rules.rule import LeakRule

__all__ = ["JWT"]

_DASHED: Final = rb"A-Za-z0-9_\-"
_DOT: Final = literal(b".")
_HEADER: Final = re.compile(rb"[%s]{8,2000}+" % _DASHED)
_HEADER_BEGINNING: Final = re.compile(rb"[%s]{0,2000}+\Z" % _DASHED)


#: The payload, which may be detached, and the signature.
_SIGNED: Final = IncrementalPattern(
    (
        _DOT,
        repeat(_DASHED, 0, 8000, possessive=True),
        _DOT,
        repeat(_DASHED, 16, 1500, possessive=True),
    ),
    not_followed_by=_DASHED,
)
#: The encrypted key, which may be empty, the initialization vector, the text and the tag.
_ENCRYPTED: Final = IncrementalPattern(
    (
        _DOT,
        repeat(_DASHED, 0, 1500, possessive=True),
        _DOT,
        repeat(_DASHED, 16, 100, possessive=True),
        _DOT,
        repeat(_DASHED, 4, 8000, possessive=True),
        _DOT,
        repeat(_DASHED, 16, 100, possessive=True),
    ),
    not_followed_by=_DASHED,
)


class JwtRule(LeakRule):
    """A token whose header is JSON that names an algorithm, in whatever order its members are."""

    __slots__ = ()

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where the beginning of a header was found."""
        if not may_begin(data, start):
            return NO_MATCH
        header = _HEADER.match(data, end)
        if header is None or header.end() == len(data):
            begins = more and _HEADER_BEGINNING.match(data, end)
            return NEED_MORE if begins else NO_MATCH
        members = decode_json(data[start : header.end()])
        if not isinstance(members.get("alg"), str):
            return NO_MATCH
        pattern = _ENCRYPTED if "enc" in members else _SIGNED
        found = pattern.match(data, header.end())
        if found is None:
            waits = more and pattern.may_match(data, header.end())
            return NEED_MORE if waits else NO_MATCH
        if more and found.end() == len(data):
            return NEED_MORE
        return MatchFound(start, found.end())


JWT: Final = (
    JwtRule(
        "jwt",
        # {" and, with white space, { ", {LF and {CR.
        [b"eyJ", b"eyAi", b"ewog", b"ewoi", b"ewoJ", b"ew0K"],
    ),
)
