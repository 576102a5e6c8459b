"""A text that stands for all that is internal, and the forms in which it could get out."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from urllib.parse import quote, quote_plus

#: The part of the text that no way of escaping changes.
CORE = "seed7f3a"
#: Has what URLs, HTML, JSON and Python's ``repr()`` each escape in their own way.
SEED = CORE + " <b>\"é\"</b> & 'x'/9"

#: What only the source, the interpreter or the database would say.
_CODE = re.compile(rb"Traceback|\.py|site-packages|(?i:sqlite|\borders\b|nowhere)")
#: A class's name ends so, with no space before it: unlike "Internal Server Error".
_CLASS = re.compile(rb"[A-Za-z](Error|Exception|Group)\b")


def seeded(fault: str) -> str:
    """Return the text that an exception of a fault carries; it is in no other fault's."""
    return f"{fault}: {SEED}"


def marker(fault: str) -> str:
    """Return what of the fault's text is in a log, however that is escaped."""
    return f"{fault}: {CORE}"


def leaks(answer: bytes) -> list[bytes]:
    """Return what is in an answer and should not be there."""
    found = [form for form in FORMS if form in answer]
    return found + [match[0] for rule in (_CODE, _CLASS) for match in rule.finditer(answer)]


def _in_base64(text: str) -> list[bytes]:
    """Return what of a text is in the base64 of any longer one: it may begin at three places."""
    forms = []
    for before in range(3):
        # Each of the characters at the ends may also hold bits of what is around.
        encoded = b64encode(b"\0" * before + text.encode()).rstrip(b"=")
        forms.append(encoded[(0, 2, 3)[before] : -1])
    return forms


FORMS = tuple(
    dict.fromkeys(
        [
            *(text.encode() for text in (CORE, SEED, html.escape(SEED), html.escape(SEED, False))),
            *(text.encode() for text in (json.dumps(SEED)[1:-1], repr(SEED)[1:-1])),
            *(text.encode() for text in (quote(SEED), quote(SEED, safe=""), quote_plus(SEED))),
            json.dumps(SEED, ensure_ascii=False)[1:-1].encode(),
            *_in_base64(CORE),
            *_in_base64(SEED),
        ]
    )
)
