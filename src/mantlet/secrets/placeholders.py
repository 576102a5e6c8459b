"""Tell values that stand in for a secret, as in examples and templates, from secrets.

A value of nothing but the words that such values consist of is a placeholder, whatever separates
them; so is one of a shape that nothing random has. A value with more than that in it is none:
passphrases may have any word in them, and what comes out of a random generator may begin or end
in any way.
"""

import re
from typing import Final

__all__ = ["is_placeholder"]


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Words that stand alone, without separators and case.
_ALONE: Final = re.compile(
    r"""
    abc|abcd|abcdef|admin|administrator|apikey|asdf|bar|baz|blah|changeit|changeme|changethis
    |changethis(?:secret|password|key)|default|demo|dev|development|dummy|empty|example|fake|fillme
    |fixme|foo|foobar|guest|hunter|insecure|insert|keyboardcat|letmein
    |na|nil|no(?:key|pass|password|secret|ne)|notset|null|pass|passw[o0]rd|passwd|placeholder
    |postgres|pw|pwd|qwerty|redacted|replace|replaceme|replacethis|root|s3cr3t|sample
    |secret|setme|string|tbd|temp|test|tester|testing|thisisa(?:secret|key)|tmp|todo
    |token|undefined|unset|user|value|welcome|xyz
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: Words that placeholders consist of.
_WORDS: Final = _split(
    """
    a access account actual add admin an and any anyone api app application at auth aws bar base
    be bit bits byte bytes change changed changeme character characters chars client code config
    connection credential credentials database db default demo dev development django done dont
    dummy encryption enter env example fake fill filled fixme flask foo for from generate
    generated github goes google has hash here hex in insecure is keep insert ipsum it jwt kept
    key keys least like local long lorem mail me must my mysql need never no not of openai or our
    own pass passphrase passwd password paste pk placeholder please postgres postgresql private
    prod production put pwd random real redacted redis replace replaced root safe salt same sample
    secret secrets secure sendgrid session set should signing sk smtp so some something string
    stripe strong super tbd tell temp test testing text the their these this to todo token top
    unset use user username value values very webhook who with word xxx xxxx you your
    """
)
#: Words at the beginning that address the reader, or say what to do.
_ADDRESSING: Final = _split(
    """
    add change enter fill insert my our paste please put replace set some use your
    """
)
#: Words at the end that name what is missing, or its place.
_NAMING: Final = _split(
    """
    here id key keys pass passphrase password placeholder secret string token value
    """
)
#: Values with this many other words are no placeholders: nobody guesses two of a dictionary.
_MAX_OTHERS: Final = 1
_MIN_WORDS: Final = 2
#: The words that are also found where nothing separates them.
_JOINED: Final = frozenset(one for one in _WORDS if len(one) > 2 or one == "my")
_LONGEST_WORD: Final = max(map(len, _WORDS))
#: A beginning that says what to do, after which a few more may follow.
_INSTRUCTION: Final = re.compile(
    r"(?:please[-_. ]?)?(?:change|replace|fill|set)[-_. ]?(?:me|this|it|in|with|your)(?![a-z0-9])"
    r"|(?:insert|paste|enter|put)[-_. ](?:your|in|here)(?![a-z0-9])",
    re.IGNORECASE,
)
_MAX_OTHERS_INSTRUCTED: Final = 2
_SHAPES: Final = re.compile(
    r"""
    please[-_. ](?:change|replace|set)
    | not[-_. ]?a[-_. ]?real[-_. ].* | todo[: ].*
    | to[-_. ]be[-_. ](?:changed|done|filled|replaced|set)(?:[-_. ].*)?
    | django-insecure-.*
    | <[\w .:-]+> | \$\{.*\} | \$\([\w .:-]*\) | \{\{.*\}\} | \{%.*%\} | %\(\w+\)s | %\w+%
    | (?:[a-z0-9]{1,12}[-_]){0,3}[x*]{3,} | (?:[a-z0-9]{1,12}[-_]){0,2}(.)\1{2,}
    | .*[x*]{6,}.*
    | (?-i:[A-Za-z0-9/+]+EXAMPLE(?:KEY)?)
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: Sequences of consecutive characters.
_SEQUENCES: Final = (
    "01234567890123456789",
    "0123456789abcdef" * 4,
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
)
_SEPARATORS: Final = re.compile(r"[\W_]+")
_CAMEL_CASE: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
#: Digits and marks at the end, as added where a password must have some.
_SUFFIX: Final = re.compile(r"[\W_\d]+$")
#: Characters that are written in place of letters.
_LEET: Final = str.maketrans("@430$5", "aaeoss")
#: The lines around a key in PEM (RFC 7468). In the environment ``\n`` may stand for a newline.
_ARMOR: Final = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]{1,40}-----|\\n")
#: The maximum length of a placeholder, in characters.
_MAX_LENGTH: Final = 256


def is_placeholder(text: str) -> bool:
    """Return whether a value is a placeholder, such as ``changeme`` or ``${PASSWORD}``."""
    stripped = text.strip()
    if stripped.startswith("-----BEGIN "):
        stripped = _ARMOR.sub("", stripped).strip()
    stripped = stripped.strip("'\"")
    if len(stripped) > _MAX_LENGTH or "\n" in stripped:
        return False
    word = _SUFFIX.sub("", stripped)
    readings = (word, word.translate(_LEET), stripped)
    return (
        any(_ALONE.fullmatch(_SEPARATORS.sub("", one)) for one in readings)
        or any(map(_has_only_words, readings))
        or any(stripped.lower() in sequence for sequence in _SEQUENCES)
        or _SHAPES.fullmatch(stripped) is not None
    )


def _has_only_words(text: str) -> bool:
    """Return whether a text consists of words of placeholders, but for one in a frame of them."""
    parts = [one for one in _SEPARATORS.split(_CAMEL_CASE.sub("_", text).lower()) if one]
    words = [one for one in parts if not one.isdigit()]
    counts = [_count_words(one) for one in words]
    if sum(counts) < _MIN_WORDS:
        return False
    others = counts.count(0)
    if _INSTRUCTION.match(text):
        return others <= _MAX_OTHERS_INSTRUCTED
    is_framed = words[0] in _ADDRESSING and words[-1] in _NAMING
    return others <= (_MAX_OTHERS if is_framed else 0)


def _count_words(part: str) -> int:
    """Return of how many words of placeholders a part consists; 0 if it has anything else."""
    if part in _WORDS:
        return 1
    fewest = {0: 0}
    for end in range(1, len(part) + 1):
        before = [
            fewest[start]
            for start in range(max(0, end - _LONGEST_WORD), end)
            if start in fewest and part[start:end] in _JOINED
        ]
        if before:
            fewest[end] = min(before) + 1
    return fewest.get(len(part), 0)
