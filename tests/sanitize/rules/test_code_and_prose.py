"""Texts about errors are no errors: posts, documentation, and the code that raises them."""

from __future__ import annotations

import html
import importlib.util
import json
from pathlib import Path
from typing import Final

import markupsafe
import pytest

from tests.sanitize.rules.posts import POSTS
from tests.sanitize.rules.test_rules import scanned

#: Packages whose source has the messages that are searched for, and documentation about them.
PACKAGES: Final = (
    "aiohttp", "asyncpg", "botocore", "click", "django", "falcon", "fastapi", "flask", "httpx",
    "jinja2", "kafka", "litestar", "moto", "mysql", "oracledb", "peewee", "psycopg", "psycopg2",
    "pymongo", "pymssql", "pymysql", "quart", "redis", "requests", "rich", "s3transfer",
    "sentry_sdk", "sqlalchemy", "starlette", "structlog", "urllib3", "uvicorn", "werkzeug",
)  # fmt: skip
#: What is found in them all the same, and why: a page's own template, or a message as a client
#: sees it, alone in a string or a comment.
KNOWN: Final = {
    ("django", "base.py"): "a message of Oracle in a comment",
    ("moto", "models.py"): "messages of AWS, as moto imitates them",
    ("moto", "responses.py"): "a message of AWS, as moto imitates it",
    ("mysql", "client_error.py"): "a message in a table of messages",
    ("pymongo", "server_api.py"): "a message in a docstring",
    ("s3transfer", "processpool.py"): "a message in a docstring",
    ("sqlalchemy", "cx_oracle.py"): "a statement in a comment",
    ("starlette", "errors.py"): "the template of the page",
    ("werkzeug", "tbtools.py"): "the template of the page",
}
KINDS: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    **dict.fromkeys((".md", ".py", ".rst", ".txt"), "text/plain"),
}


def test_there_are_many_posts() -> None:
    assert len(POSTS) == len(set(POSTS)) > 70


@pytest.mark.parametrize("number", range(len(POSTS)))
def test_a_post_about_an_error_stays(number: int) -> None:
    """As text, in Markdown, in HTML, and in the JSON of a forum."""
    post = POSTS[number]
    for media, body in (
        ("text/plain", post),
        ("text/markdown", f"# Question\n\n{post}\n\nThanks!\n"),
        ("text/markdown", f"Why `{post.partition(chr(10))[0]}`?\n"),
        ("text/html", f"<article><p>{html.escape(post)}</p></article>"),
        ("text/html", f"<p>He says that {markupsafe.escape(post)}</p>"),
        ("text/html", f"<pre><code>{html.escape(post)}</code></pre>"),
        ("application/json", json.dumps({"posts": [{"id": 1, "body": post}]})),
        ("application/json", json.dumps({"body": f"I read that {post}"})),
    ):
        assert scanned(body.encode(), media) == (body.encode(), [])


@pytest.mark.parametrize(
    "message",
    [
        'relation "users" does not exist', "no such table: users", 'near "FROM": syntax error',
        "permission denied for table users", "deadlock detected", "UNIQUE constraint failed: a.b",
        "Unknown column 'x' in 'field list'", "ORA-00942: table or view does not exist",
        "Table 'shop.users' doesn't exist", "index_not_found_exception", "NoBrokersAvailable",
        "(sqlite3.OperationalError) no such table: a",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("media", "frame"),
    [
        ("text/markdown", "The message `%s` appears when the schema is older than the code."),
        ("text/plain", 'It says "%s" and stops.'),
        ("text/plain", "If you see %s in the log, run the migrations."),
        ("text/html", "<p>The message <code>%s</code> appears in the log.</p>"),
        ("text/html", "<li><a href='/q/12'>Why do I get %s in the tests</a></li>"),
        ("text/html", "<p>If you see <em>the message</em> %s in the log, do this.</p>"),
    ],
)
def test_a_quoted_message_stays(message: str, media: str, frame: str) -> None:
    """In the middle of a sentence, in backticks, or in an element for code."""
    body = (frame % message).encode()
    assert scanned(body, media) == (body, [])


def files(package: str) -> list[Path]:
    """Return the texts of a package, or none if it is not there."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return []
    root = Path(next(iter(spec.submodule_search_locations)))
    found = [path for path in root.rglob("*") if path.suffix in KINDS and path.is_file()]
    names = {package, package.replace("_", "-")}
    return found + [
        path
        for name in names
        for path in (*root.parent.glob(f"{name}-*/METADATA"), *root.parent.glob(f"{name}-*/RECORD"))
    ]


@pytest.mark.few_cases(12)
@pytest.mark.parametrize("package", PACKAGES)
def test_the_code_and_the_docs_of_a_package_stay(package: str) -> None:
    """As a viewer of code would serve them."""
    found = {
        (package, path.name)
        for path in files(package)
        if scanned(path.read_bytes(), KINDS.get(path.suffix, "text/plain"))[1]
    }
    assert found <= KNOWN.keys()
