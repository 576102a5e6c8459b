"""Everyday errors of databases, drivers and clients are found in whatever form they are sent."""

from __future__ import annotations

import html
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import markupsafe
import pytest

from tests.sanitize.rules.error_messages import MESSAGES, split
from tests.sanitize.rules.test_rules import scanned, streamed

if TYPE_CHECKING:
    from collections.abc import Callable

#: How apps send ``str(error)``: the media type, and the body.
FORMS: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "text": ("text/plain", lambda text: text),
    "text after a prefix": ("text/plain", lambda text: f"Error: {text}"),
    "text in a page": ("text/plain", lambda text: f"500\n\n{text}\n\nSee the log.\n"),
    "HTML": (
        "text/html",
        lambda text: f"<body><h1>Error</h1><pre>{html.escape(text)}</pre></body>",
    ),
    "HTML by Jinja": ("text/html", lambda text: f'<p class="e">{markupsafe.escape(text)}</p>'),
    "HTML, not escaped": ("text/html", lambda text: f"<p>{text}</p>"),
    "an attribute": ("text/html", lambda text: f'<i title="{html.escape(text)}">!</i>'),
    "JSON": ("application/json", lambda text: json.dumps({"detail": text, "b": 2})),
    "JSON after a prefix": (
        "application/json",
        lambda text: json.dumps({"detail": f"Database error: {text}", "b": 2}),
    ),
    "compact JSON": (
        "application/json",
        lambda text: json.dumps({"detail": text, "b": 2}, separators=(",", ":")),
    ),
    "a JSON string": ("application/json", json.dumps),
    "JSON, a list of lines": ("application/json", lambda text: json.dumps(text.splitlines())),
    "JSON, an indented list": (
        "application/json",
        lambda text: json.dumps({"errors": ["x", *text.splitlines()]}, indent=2),
    ),
    "JSON, repr()": (
        "application/json",
        lambda text: json.dumps({"error": f"OperationalError({text!r})", "b": 2}),
    ),
    "JSON in JSON": ("application/json", lambda text: json.dumps({"a": json.dumps({"m": text})})),
    "JSON in a script": (
        "text/html",
        lambda text: f"<script>const state = {json.dumps({'error': text})};</script>",
    ),
    "an event": (
        "text/event-stream",
        lambda text: f"data: {json.dumps({'error': text})}\n\n",
    ),
}


def left(marked: str, media: str, form: Callable[[str], str]) -> str | None:
    """Return what is left of a message, or None if it is found and nothing internal is left."""
    text, inner = split(marked)
    out, told = scanned(form(text).encode(), media)
    parts = [part for part in inner if len(part) > 2 and part.encode() in out]
    return None if told and not parts else f"{text[:60]}: {parts}"


def test_the_corpus_is_broad() -> None:
    """Ten systems and more, most of them with more than one driver."""
    assert len(MESSAGES) > 200
    assert len({name.partition(":")[0] for name in MESSAGES}) >= 20


@pytest.mark.parametrize("form", FORMS)
def test_an_everyday_error_is_found(form: str) -> None:
    """At least 95 of 100, and what is found keeps nothing of the database's structure."""
    media, write = FORMS[form]
    kept = [found for marked in MESSAGES.values() if (found := left(marked, media, write))]
    assert len(kept) <= len(MESSAGES) * 0.05, kept


@pytest.mark.unmeasured
@pytest.mark.few_cases(2)
@pytest.mark.parametrize("form", ["text in a page", "HTML by Jinja", "JSON", "JSON, repr()"])
def test_an_everyday_error_is_masked_alike_over_any_cut(form: str) -> None:
    """Byte by byte."""
    media, write = FORMS[form]
    for marked in MESSAGES.values():
        body = write(split(marked)[0]).encode()
        pieces = [body[at : at + 1] for at in range(len(body))]
        assert streamed(pieces, media) == scanned(body, media)[0], marked


@pytest.mark.parametrize(
    "form",
    ["JSON", "JSON after a prefix", "compact JSON", "a JSON string", "JSON, a list of lines",
     "JSON, repr()", "JSON in JSON"],
)  # fmt: skip
def test_json_around_an_everyday_error_stays_json(form: str) -> None:
    """With all of its members."""
    _, write = FORMS[form]
    for marked in MESSAGES.values():
        body = write(split(marked)[0])
        out, _ = scanned(body.encode(), "application/json")
        before, after = json.loads(body), json.loads(out)
        assert type(before) is type(after)
        if isinstance(before, dict):
            assert {**before, **after}.keys() == before.keys()
            assert after.get("b") == before.get("b")


STATEMENTS: Final = (
    "SELECT * FROM inner_users", "SELECT inner_column FROM users",
    "SELECT u.inner_column FROM users u",
    "SELEKT inner_name", "SELECT inner_function(1)", "INSERT INTO users VALUES (1, 'inner')",
    "INSERT INTO users VALUES (2, NULL)", "INSERT INTO users (inner_name) VALUES (1)",
    "ALTER TABLE users ADD COLUMN id", "SELECT 'inner",
    "ATTACH '/inner/directory/x' AS y",
)  # fmt: skip


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("form", ["text", "HTML by Jinja", "JSON"])
def test_an_error_of_sqlite_is_masked(statement: str, form: str) -> None:
    """As SQLite itself reports it."""
    media, write = FORMS[form]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        connection.execute("INSERT INTO users VALUES (1, 'a')")
        with pytest.raises(sqlite3.Error) as raised:
            connection.execute(statement)
    out, told = scanned(write(str(raised.value)).encode(), media)
    assert told == ["sqlite-error"]
    assert b"inner" not in out
