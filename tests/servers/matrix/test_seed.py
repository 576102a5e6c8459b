"""The proof's own eyes: a leak is seen in each form, and a clean problem is none."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from tests.servers.matrix.seed import SEED, leaks, seeded

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS: dict[str, Callable[[str], str]] = {
    "as-it-is": str,
    "repr": repr,
    "json": json.dumps,
    "json-unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "html": html.escape,
    "html-text": lambda text: html.escape(text, quote=False),
    "url": quote,
    "url-component": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64-after-one": lambda text: b64encode(f"1{text}".encode()).decode(),
    "base64-after-two": lambda text: b64encode(f"12{text}2".encode()).decode(),
    "base64-of-a-url": lambda text: urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("text", [SEED, seeded("view")], ids=["alone", "in-a-message"])
def test_a_leak_is_seen_in_each_form(form: Callable[[str], str], text: str) -> None:
    """However the text is escaped on its way out."""
    assert leaks(b"HTTP/1.1 500 \r\nX: " + form(text).encode()) != []


@pytest.mark.parametrize(
    "said",
    [
        "ValueError",
        "sqlalchemy.exc.IntegrityError: ",
        "ExceptionGroup",
        "HTTPException()",
        "Traceback (most recent call last)",
        "/app/views.py",
        "site-packages",
        "UNIQUE constraint failed: orders.name",
        "SQLite",
    ],
)
def test_what_only_the_code_would_say_is_a_leak(said: str) -> None:
    """Names of classes and of files, and what a database says."""
    assert leaks(said.encode()) != []


def test_a_clean_problem_is_no_leak() -> None:
    """The phrase of 500 is no exception's name."""
    body = b'{"title": "Internal Server Error", "status": 500, "request_id": "0d8a280e83f464f8"}'
    assert leaks(b"HTTP/1.1 500 Internal Server Error\r\nServer: gunicorn\r\n\r\n" + body) == []
