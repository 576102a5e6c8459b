"""Split texts that may be SQL into tokens, and classify the tokens."""

import re
from itertools import islice
from typing import Final

__all__ = ["MARK", "PLACEHOLDER", "PROSE", "Statement", "depth_of", "statements", "words"]


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


#: Stands for a value inserted into a text, as by an f-string. It may be part of a name.
MARK: Final = "\uffff"
#: How much of a text is read at most.
_MAX_TEXT: Final = 20_000
_MAX_TOKENS: Final = 400

_TOKEN: Final = re.compile(
    r"""
    '[^'\n]*' | "[^"\n]*" | `[^`\n]*` | \[\w+\]  # quoted
    | %\(\w+\)s | %[sd] | [:$@]\w+ | \{[\w.:]*\} # placeholders, and fields of format()
    | [\w\uffff.]+ (?: '\w+ )?                   # names, numbers and words
    | [^\s\w]                                    # operators
    """,
    re.VERBOSE,
)
_COMMENT: Final = re.compile(r"--[^\n]*|/\*[^*]*\*/")
_NAME: Final = re.compile(r"""[^\W\d][\w$\uffff.]*|\uffff[\w\uffff.]*|".*"|`.*`|\[\w+\]|\{.*\}""")
PLACEHOLDER: Final = re.compile(r"%\(\w+\)s|%[sd]|[:$@]\w+|\?|\{.*\}|[\w.]*\uffff[\w.\uffff]*")
_LITERAL: Final = re.compile(r"'.*'|\d[\d.]*")

#: Words of sentences, which are not names in SQL.
PROSE: Final = words(
    "a an and another any are as at be below above both but by each either every exactly for from "
    "has have her here his how if in into is it its least many me more most multiple my next no "
    "none not of on one only or other our several she so some that the their them there these "
    "they this those to two up us was we what when where whether which who whom whose will with "
    "you your"
)


class Statement:
    """The tokens of a statement."""

    def __init__(self, tokens: list[str]) -> None:
        self.raw = tokens
        self.low = [token.lower() for token in tokens]

    def at(self, index: int) -> str:
        """Return a token in lower case, or "" after the end."""
        return self.low[index] if index < len(self.low) else ""

    def is_caps(self, *indexes: int) -> bool:
        """Return whether all of these tokens are in capitals."""
        return all(index < len(self.raw) and self.raw[index].isupper() for index in indexes)

    def is_sentence(self) -> bool:
        """Return whether the text begins like a sentence, with one capital letter."""
        return self.raw[0].istitle()

    def is_name(self, index: int) -> bool:
        """Return whether the token is the name of a table or a column, or a placeholder for one."""
        word = self.at(index)
        if word.startswith("%") and len(word) > 1:
            return self.is_caps(0)
        return word not in PROSE and _NAME.fullmatch(word) is not None

    def is_odd_name(self, index: int) -> bool:
        """Return whether the token is a name that does not occur in sentences."""
        return self.is_name(index) and not self.at(index).isalpha()

    def is_value(self, index: int) -> bool:
        """Return whether the token is a placeholder, a number or a quoted string."""
        word = self.at(index)
        return PLACEHOLDER.fullmatch(word) is not None or _LITERAL.fullmatch(word) is not None

    def find(self, word: str, start: int, most: int = _MAX_TOKENS) -> int:
        """Return the index of a word outside of parentheses, or -1."""
        depth = 0
        for index, found in enumerate(self.low[start : start + most], start):
            depth += depth_of(found)
            if found == word and depth <= 0:
                return index
        return -1

    def after(self, index: int) -> "Statement":
        """Return the rest of the statement, starting with a token."""
        return Statement(self.raw[index:])


def depth_of(token: str) -> int:
    """Return the change in the nesting depth of parentheses."""
    return {"(": 1, ")": -1}.get(token, 0)


def statements(text: str) -> list[Statement]:
    """Return the statements of a text, without comments or text before them."""
    without = _COMMENT.sub(" ", text[:_MAX_TEXT])
    found = []
    for part in without.split(";"):
        tokens = [match[0] for match in islice(_TOKEN.finditer(part), _MAX_TOKENS)]
        while tokens and tokens[0] in ("(", MARK, ",", ")"):
            tokens = tokens[1:]
        if tokens:
            found.append(Statement(tokens))
    return found
