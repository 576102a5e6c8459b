"""Patterns of error messages, written as templates that read like the messages.

A message may be sent as it is, in a JSON string, in HTML, or in the ``repr()`` of an exception; so
a quote in a template stands for every form that these give it. In a template:

==========  ===============================================================
``^``       at the beginning: the message begins a text (see `MessageRule`)
``$``       at the end: the message ends its line, string or element
``"  '``    a quote, an apostrophe, plain or escaped
``*``       a name in quotes
``~``       a name without quotes
``#``       a number
``%``       a value in quotes, which may contain quotes
``(a|b)``   one of several texts
==========  ===============================================================

A message in the middle of a sentence, in backticks or in ``<code>`` is a quotation in a text about
it. Neither ``^`` nor ``$`` matches there.
"""

import re
from collections.abc import Sequence
from typing import Final

from mantlet.redact.matches import NO_MATCH, MatchResult
from mantlet.sanitize.rules.incremental_regex import PatternPart, literal, one_of, repeat
from mantlet.sanitize.rules.quotations import is_quotation
from mantlet.sanitize.rules.rule import Extent, LeakRule, to_end_of_text

__all__ = [
    "APOSTROPHE",
    "NEW_LINE",
    "QUOTE",
    "ErrorRule",
    "MessageRule",
    "any_of",
    "begins_text",
    "message_rules",
]

_QUOTES: Final = (
    b'"', b'\\"', b'\\\\\\"', b"&quot;", b"&#34;", b"&#x22;", b"\\u0022", b'""',
)  # fmt: skip
_APOSTROPHES: Final = (
    b"'", b"\\'", b"\\\\'", b"&#39;", b"&#x27;", b"&apos;", b"\\u0027", b"&#039;",
)  # fmt: skip
QUOTE: Final = one_of(*_QUOTES)
APOSTROPHE: Final = one_of(*_APOSTROPHES)
#: A line end, raw or escaped in JSON. Not two of them: an event that ends there is not held back
#: for data that may follow.
NEW_LINE: Final = one_of(b"\n", b"\r\n", rb"\n", rb"\r\n", rb"\\n")

#: Maximum length of a literal: the search represents longer ones by their beginning.
_LONGEST: Final = 60
#: Maximum length of a beginning that is too common to be a literal without what follows it.
_SHORT: Final = 20
_PARTS: Final = {
    '"': QUOTE,
    "'": APOSTROPHE,
    "*": repeat(rb"^\r\n\"'<>&\\%{}*", 1, 130),
    "~": repeat(rb"A-Za-z0-9_.$\-", 1, 130, possessive=True),
    "#": repeat(rb"0-9", 1, 6, possessive=True),
    "%": PatternPart(rb"[^\r\n]{0,120}?", rb"[^\r\n]{0,120}", 120),
    # Not before the end of an inline element whose text is a quotation, nor within a sentence.
    "$": PatternPart(
        rb"""(?=[\r\n"'\\)&]|[ ](?:at[ ]character[ ]|\[SQL|\((?:SQLSTATE|code[ ]))|\Z"""
        rb"""|<[^/]|</(?!a>|co|kb|q>|sa|ti|tt)[\s\S]{2})""",
        rb"(?:<(?:/[\s\S]{0,2})?|[ ](?:[a\[(][ -~]{0,12})?)?",
        14,
    ),
}
_TOKEN: Final = re.compile(
    r"""["'*~#%$]|\([^()|]*\|[^()]*\)|(?:[^"'*~#%$(]|\((?![^()|]*\|[^()]*\)))+"""
)
#: What precedes a message: a line end, a tag, a colon, or the quote that begins a string of JSON,
#: of Python or an attribute, which follows punctuation.
_BEGINNING: Final = re.compile(
    rb"""
    \A | (?<=[\n>])(?<!code>)(?<!kbd>)(?<!samp>)
    | (?<=:[ ]) | (?<=[A-Z]:[ ][ ]) | (?<=[ ]-[ ]) | (?<=\\n)
    | (?<=["']) (?: (?<=[:=\[({,]["']) | (?<=[:=\[({,][ ]["']) | (?<=\A["'])
        | (?<=\\["']) (?: (?<=[:=\[({,]\\["']) | (?<=[:=\[({,][ ]\\["'])
            | (?<=\\\\["']) (?: (?<=[:=\[({,]\\\\["']) | (?<=[:=\[({,][ ]\\\\["'])
                | (?<=[:=\[({,]\\\\\\["']) | (?<=[:=\[({,][ ]\\\\\\["']) ) ) )
    | (?<=;) (?: (?<=[:=\[({,]&(?:quot|apos|\#x2[27]|\#039);)
        | (?<=[:=\[({,][ ]&(?:quot|apos|\#x2[27]|\#039);)
        | (?<=[:=\[({,]&\#3[49];) | (?<=[:=\[({,][ ]&\#3[49];) )
    | (?<=[27]) (?: (?<=[:=\[({,]\\u002[27]) | (?<=[:=\[({,][ ]\\u002[27]) )
    """,
    re.VERBOSE,
)

#: The quote of a string on a line of its own, as in an array with indentation.
_ITEM: Final = re.compile(rb"[:\[,](?:\r?\n[ \t]{0,80}|\\n[ ]{0,80}\\)\"\Z")


def begins_text(data: bytes, start: int) -> bool:
    """Return whether a line, a string, an element, or a text after a colon begins at an offset."""
    if _BEGINNING.match(data, start):
        return True
    return data[start - 1 : start] == b'"' and bool(_ITEM.search(data, max(0, start - 90), start))


class ErrorRule(LeakRule):
    """An error that is not quoted."""

    __slots__ = ()

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its literal was found."""
        found = super().match(data, start, end, more, media)
        return found if found is NO_MATCH or not is_quotation(data, start, media) else NO_MATCH


class MessageRule(ErrorRule):
    """A leak that begins a line, a string or an element; or a text, after a colon."""

    __slots__ = ()

    def __init__(
        self,
        id: str,
        literals: Sequence[bytes],
        *parts: PatternPart,
        extent: Extent | None = None,
    ) -> None:
        super().__init__(id, literals, *parts, extent=extent)
        self.begins_word = True

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its literal was found."""
        if not begins_text(data, start):
            return NO_MATCH
        return super().match(data, start, end, more, media)


def message_rules(id: str, messages: Sequence[str]) -> tuple[LeakRule, ...]:
    """Return rules for error messages, one for those that begin alike.

    The text before the first placeholder is the literal that finds a message. Where it would be too
    common, the alternatives that follow it belong to it, or the first character of a quote.

    Args:
        id: the id that they are reported under.
        messages: templates.
    """
    heads: dict[tuple[str, str], list[tuple[PatternPart, ...]]] = {}
    for template in messages:
        begins = "^" if template.startswith("^") else ""
        for head, *tokens in _expand(_TOKEN.findall(template.removeprefix("^"))):
            parts = [_part(token) for token in tokens]
            literals, rest = head[:_LONGEST], head[_LONGEST:]
            if rest:
                parts.insert(0, literal(rest.encode()))
            quote = tokens[0] if " " not in head[:-1] and tokens and tokens[0] in "\"'" else ""
            if quote:
                quotes = _QUOTES if quote == '"' else _APOSTROPHES
                parts[0] = one_of(*(text[1:] for text in quotes))
            heads.setdefault((begins + literals, quote), []).append(tuple(parts))
    return tuple(_rule(id, head, quote, sequences) for (head, quote), sequences in heads.items())


def _expand(tokens: Sequence[str]) -> list[list[str]]:
    """Return a template with each of the alternatives that follow a short beginning."""
    head, *rest = tokens
    if len(head) > _SHORT or not rest or not rest[0].startswith("("):
        return [[head, *rest]]
    alternatives = rest[0][1:-1].split("|")
    return [["".join((head, one)), *rest[1:]] for one in alternatives]


def _rule(id: str, head: str, quote: str, sequences: Sequence[Sequence[PatternPart]]) -> LeakRule:
    text = head.removeprefix("^").encode()
    literals = [text + first for first in (quote.encode(), b"\\", b"&")] if quote else [text]
    kind = MessageRule if head.startswith("^") else ErrorRule
    return kind(id, literals, any_of(sequences), extent=to_end_of_text)


def any_of(sequences: Sequence[Sequence[PatternPart]]) -> PatternPart:
    """Return a part that matches one of several sequences of parts."""
    wholes, beginnings = [], []
    for parts in sequences:
        wholes.append(b"".join(part.whole for part in parts))
        beginning = rb"\Z"
        for part in reversed(parts):
            beginning = b"(?:" + part.beginning + rb"\Z|" + part.whole + beginning + b")"
        beginnings.append(beginning)
    size = max(sum(part.size for part in parts) for parts in sequences)
    return PatternPart(
        b"(?:" + b"|".join(wholes) + b")", b"(?:" + b"|".join(beginnings) + b")", size
    )


def _part(token: str) -> PatternPart:
    if token in _PARTS:
        return _PARTS[token]
    if token.startswith("(") and "|" in token:
        return one_of(*(text.encode() for text in token[1:-1].split("|")))
    return literal(token.encode())
