"""What apps let out: made by the frameworks themselves where they run here, and as documented else.

Keys are put together when a test runs, from letters that mean nothing.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import sqlite3
import sys
import traceback
import types
from random import Random
from typing import TYPE_CHECKING

import flask
import sqlalchemy
from rich.console import Console
from sqlalchemy.exc import IntegrityError
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client

if TYPE_CHECKING:
    from starlette.requests import Request

#: What must not be read in any of them.
INNER = "inner-detail-4711"

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def letters(count: int, chars: str = LETTERS) -> str:
    """Return letters that look random, the same in each run."""
    return "".join(Random(count).choices(chars, k=count))


def plain() -> str:
    """Return a traceback, of an exception that came of another."""
    try:
        try:
            raise KeyError(INNER)
        except KeyError as error:
            raise ValueError(f"what {INNER} was for") from error
    except ValueError:
        return traceback.format_exc()


def group() -> str:
    """Return a traceback of a group of exceptions."""

    async def fail() -> None:
        raise ValueError(INNER)

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())

    try:
        asyncio.run(main())
    except ExceptionGroup:
        return traceback.format_exc()
    raise AssertionError


def rich() -> str:
    """Return what rich prints."""
    console = Console(file=io.StringIO(), width=100)
    try:
        raise ValueError(INNER)
    except ValueError:
        console.print_exception()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def werkzeug() -> str:
    """Return the page of Werkzeug's debugger around Flask."""
    app = flask.Flask("failing")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.route("/")
    def fail() -> str:
        raise ValueError(INNER)

    return Client(DebuggedApplication(app)).get("/").text


def starlette(accept: str) -> str:
    """Return Starlette's debug page."""

    async def fail(request: Request) -> None:
        raise ValueError(INNER)

    app = Starlette(debug=True, routes=[Route("/", fail)])
    client = TestClient(app, raise_server_exceptions=False)
    return client.get("/", headers={"accept": accept}).text


def django(path: str, accept: str) -> str:
    """Return Django's debug page."""
    from django.test import RequestFactory, override_settings
    from django.views import debug

    request = RequestFactory().get(path, headers={"accept": accept})
    with override_settings(DEBUG=True, ROOT_URLCONF=types.ModuleType("urls")):
        try:
            raise ValueError(INNER)
        except ValueError:
            return debug.technical_500_response(request, *sys.exc_info()).content.decode()


def alchemy() -> str:
    """Return what SQLAlchemy says of a constraint, with its statement and values."""
    engine = sqlalchemy.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE users (email TEXT UNIQUE)")
            insert = sqlalchemy.text("INSERT INTO users VALUES (:email)")
            connection.execute(insert, [{"email": INNER}, {"email": INNER}])
    except IntegrityError as error:
        return str(error)
    finally:
        engine.dispose()
    raise AssertionError


def sqlite() -> str:
    """Return what sqlite3 says of a constraint."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE TABLE inner_detail_4711 (email TEXT UNIQUE)")
        connection.execute("INSERT INTO inner_detail_4711 VALUES (1)")
        connection.execute("INSERT INTO inner_detail_4711 VALUES (1)")
    except sqlite3.IntegrityError as error:
        return str(error)
    finally:
        connection.close()
    raise AssertionError


def in_json(text: str) -> str:
    return json.dumps({"detail": text, "b": 2})


def in_html(text: str) -> str:
    return f"<html><body><pre>{html.escape(text)}</pre></body></html>"


def errors() -> dict[str, tuple[str, str, str]]:
    """Return samples: the rule, the media type, and the body."""
    text = plain()
    return {
        "plain": ("python-traceback", "text/plain", text),
        "plain-crlf": ("python-traceback", "text/plain", text.replace("\n", "\r\n")),
        "plain-json": ("python-traceback", "application/json", in_json(text)),
        "plain-html": ("python-traceback", "text/html", in_html(text)),
        "plain-event": ("python-traceback", "text/event-stream", f"data: {in_json(text)}\n\n"),
        "group": ("python-traceback", "text/plain", group()),
        "rich": ("rich-traceback", "text/plain", rich()),
        "werkzeug": ("werkzeug-debugger", "text/html", werkzeug()),
        "starlette-html": ("starlette-debug-page", "text/html", starlette("text/html")),
        "starlette-text": ("python-traceback", "text/plain", starlette("*/*")),
        "sqlalchemy": ("sqlalchemy-error", "text/plain", alchemy()),
        "sqlalchemy-json": ("sqlalchemy-error", "application/json", in_json(alchemy())),
        "sqlite": ("sqlite-error", "text/plain", sqlite()),
        **{
            f"{rule}-{number}": (rule, "text/plain", text)
            for rule, texts in DOCUMENTED.items()
            for number, text in enumerate(texts)
        },
    }


#: Of what does not run here: from the systems' own documentation of their messages.
DOCUMENTED: dict[str, list[str]] = {
    "postgresql-error": [
        "DETAIL:  Key (email)=(inner-detail-4711) already exists.\n",
        'duplicate key value violates unique constraint "inner-detail-4711"\nDETAIL:  Key',
        'null value in column "x" violates not-null constraint\nDETAIL:  inner-detail-4711',
        'syntax error at or near "inner-detail-4711"\nLINE 1: SELECT inner-detail-4711',
    ],
    "mysql-error": [
        "You have an error in your SQL syntax; check the manual near 'inner-detail-4711' at line 1",
        "Duplicate entry 'inner-detail-4711' for key 'users.email'",
        "Access denied for user 'inner-detail-4711'@'10.0.0.1' (using password: YES)",
    ],
    "sqlstate-error": ["SQLSTATE[23000]: Integrity constraint violation: inner-detail-4711"],
    "sqlserver-error": [
        "Unclosed quotation mark after the character string 'inner-detail-4711'.",
        "Violation of PRIMARY KEY constraint 'PK_inner-detail-4711'.",
        "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Invalid object inner-detail-4711",
    ],
    "oracle-error": ["ORA-00942: table or view INNER.inner-detail-4711 does not exist"],
    "mongodb-error": [
        'E11000 duplicate key error collection: a.b dup key: { x: "inner-detail-4711" }'
    ],
    "redis-error": ["WRONGTYPE Operation against a key holding the wrong kind inner-detail-4711"],
    "php-error": [
        "<b>Warning</b>: inner-detail-4711 in <b>/srv/x.php</b> on line <b>3</b><br />",
        "PHP Fatal error: Uncaught PDOException: inner-detail-4711 in /srv/x.php:3\nStack trace:",
    ],
    "java-stack-trace": [
        "java.lang.IllegalStateException: inner-detail-4711\n\tat a.Shop.pay(Shop.java:12)\n",
        "org.springframework.dao.DataAccessException: inner-detail-4711\n    at a.B.c(D.java:1)\n",
        'Exception in thread "main" java.lang.Error: inner-detail-4711\n\tat A.main(A.java:3)\n',
    ],
    "node-stack-trace": [
        "at Module._compile (node:x:1358:14)\n    at inner-detail-4711 (/srv/app.js:1:2)\n",
        "<br> &nbsp; &nbsp;at inner-detail-4711 (/srv/node_modules/express/layer.js:95:5)",
    ],
    "ruby-stack-trace": [
        "app.rb:12:in `pay': undefined method `x' for inner-detail-4711 (NoMethodError)"
    ],
    "go-stack-trace": [
        "goroutine 18 [running]:\nmain.pay(0xc000)\n\t/srv/inner-detail-4711.go:12 +0x1d"
    ],
}
