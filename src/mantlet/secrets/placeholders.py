"""Values that stand for a secret and are none."""

import re
from typing import Final

__all__ = ["is_placeholder"]

#: What examples, templates and tutorials have where a secret goes, without what is between words.
_WORDS: Final = re.compile(
    r"""
    abc|abcd|abcdef|admin|administrator|apikey|asdf|bar|baz|blah|changeit|changeme|changethis
    |changethis(?:secret|password|key)|default|demo|dev|development|dummy|empty|example|fake|fillme
    |fixme|foo|foobar|guest|hunter|insecure|insert|keyboardcat|letmein
    |(?:admin|db|default|dummy|example|fake|jwt|my|root|sample|secret|some|super|test|the|top|user
        |very|your)+(?:api)?(?:key|pass|passw[o0]rd|secret|secretkey|token|value)
    |na|nil|no(?:key|pass|password|secret|ne)|notset|null|pass|passw[o0]rd|passwd|placeholder
    |postgres|pw|pwd|qwerty|redacted|replace|replaceme|replacethis|root|s3cr3t|sample
    |secret|secret(?:key|password|token|value)|setme|string|tbd|temp|test|tester|testing|tmp|todo
    |token|undefined|unset|user|welcome|xyz
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: What is between words, and behind them, as where a password must have a digit and a mark.
_BETWEEN: Final = re.compile(r"[\W_]+")
_BEHIND: Final = re.compile(r"[\W_\d]+$")
#: What else is written for letters.
_LETTERS: Final = str.maketrans("@430$5", "aaeoss")
_SHAPES: Final = re.compile(
    r"""
    (?:please[-_. ]?)?(?:change|replace|fill|set|put|insert|enter|paste)[-_. ]?
        (?:me|this|it|in|here|with|your)(?:[-_. !].*)?
    | please[-_. ](?:change|replace|set)
    | not[-_. ]?a[-_. ]?real[-_. ].* | todo[: ].*
    | to[-_. ]be[-_. ](?:changed|done|filled|replaced|set)(?:[-_. ].*)?
    | (?:your|my|some)[-_. ][a-z0-9]+(?:[-_. ][a-z0-9]+)*
    | .*[-_. ](?:here|goes[-_. ]here|placeholder)
    | django-insecure-.*
    | <[\w .:-]+> | \$\{.*\} | \$\([\w .:-]*\) | \{\{.*\}\} | \{%.*%\} | %\(\w+\)s | %\w+%
    | (?:.*[-_])?(.)\1{2,}
    | .*[x*]{6,}.*
    | (?-i:[A-Za-z0-9/+]+EXAMPLE(?:KEY)?)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
#: Characters one after the other.
_ROWS: Final = (
    "01234567890123456789",
    "0123456789abcdef" * 4,
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
)
#: A placeholder is no longer than this, in characters.
_LOOKED_AT: Final = 256


def is_placeholder(text: str) -> bool:
    """Return whether a value is one of those that are written where a secret is to be put."""
    stripped = text.strip().strip("'\"")[:_LOOKED_AT]
    word = _BEHIND.sub("", stripped)
    return (
        any(_WORDS.fullmatch(_BETWEEN.sub("", one)) for one in (word, word.translate(_LETTERS)))
        or any(stripped.lower() in row for row in _ROWS)
        or _SHAPES.fullmatch(stripped) is not None
    )
