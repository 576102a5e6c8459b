"""Tracebacks, error pages of frameworks, and messages of databases.

The literals are fixed parts of the output of Flask 3.1, Werkzeug 3.1, Django 5.2, Starlette 0.50
and rich 14; of PHP, Java, Node, Ruby, Go and .NET, which may run behind a proxy; and of the English
messages of PostgreSQL, SQLite, MySQL and MariaDB, SQL Server, Oracle, MongoDB and Redis, and of
SQLAlchemy, which appends the statement.
"""

from typing import Final

from mantlet.sanitize.rules.incremental_regex import literal, one_of, repeat
from mantlet.sanitize.rules.rule import LeakRule, to_end_of_body, to_end_of_text

__all__ = ["DATABASES", "ERRORS"]

#: A line end, raw or escaped in JSON. Not two of them: an event that ends there is not held back
#: for data that may follow.
_NEW_LINE: Final = one_of(b"\n", b"\r\n", rb"\n", rb"\r\n")
_INDENTED: Final = repeat(rb" \t\\|+", 1, 20)
_QUOTE: Final = one_of(b'"', b"&quot;", b"&#34;", b'\\"', b"\\u0022")
_NOT_A_FILE: Final = (b"<", b"&lt;", b"\\u003c")
_NUMBER: Final = repeat(rb"0-9", 1, 6)


def _is_code(matched: bytes) -> bool:
    """Return whether a frame is in a file, and not from a console session shown in a document."""
    file = matched.partition(b"File ")[2]
    for quote in (b'\\"', b"&quot;", b"&#34;", b"\\u0022", b'"'):
        if file.startswith(quote):
            return not file[len(quote) :].startswith(_NOT_A_FILE)
    return False


_JAVA: Final = (
    repeat(rb"A-Za-z0-9_.$", 0, 80),
    one_of(b"Exception", b"Error"),
    repeat(rb"^\r\n\\<", 0, 300),
    _NEW_LINE,
    repeat(rb" \t\\t", 1, 10),
    literal(b"at "),
)

ERRORS: Final = (
    LeakRule(
        "python-traceback",
        [b"Traceback (most recent call last)"],
        repeat(rb":", 0, 1),
        _NEW_LINE,
        _INDENTED,
        literal(b"File "),
        _QUOTE,
        repeat(rb'^"&\\\n', 1, 300),
        check=_is_code,
        extent=to_end_of_text,
    ),
    LeakRule(
        "rich-traceback",
        [
            b"Traceback (most recent call last) \xe2\x94\x80",
            b"Traceback (most recent call last) --",
        ],
        extent=to_end_of_text,
    ),
    LeakRule(
        "werkzeug-debugger",
        [b"<html lang=en>\n  <head>\n    <title>"],
        repeat(rb"^<", 0, 2000),
        literal(b"// Werkzeug Debugger</title>"),
        extent=to_end_of_body,
    ),
    LeakRule("werkzeug-debugger", [b"?__debugger__=yes"], extent=to_end_of_body),
    LeakRule("starlette-debug-page", [b"<title>Starlette Debugger</title>"], extent=to_end_of_body),
    LeakRule(
        "django-debug-page",
        [b'content="NONE,NOARCHIVE">'],
        repeat(rb"\r\n\t ", 0, 12),
        literal(b"<title>"),
        repeat(rb"^<", 0, 500),
        literal(b"\n          at /"),
        extent=to_end_of_body,
    ),
    LeakRule(
        "django-debug-page",
        [b"<title>Page not found at "],
        repeat(rb"^<", 0, 2000),
        literal(b"</title>"),
        repeat(rb"\r\n\t ", 0, 12),
        literal(b'<meta name="robots" content="NONE,NOARCHIVE">'),
        extent=to_end_of_body,
    ),
    LeakRule(
        "django-debug-page",
        [b"Request Method: "],
        repeat(rb"A-Z", 3, 8),
        repeat(rb"\r\n\\rn", 1, 4),
        literal(b"Request URL: "),
        extent=to_end_of_body,
    ),
    # From servers behind a proxy.
    LeakRule(
        "php-error",
        [b"<b>Fatal error</b>: ", b"<b>Warning</b>: "],
        repeat(rb"^\n", 1, 600),
        literal(b" on line <b>"),
        repeat(rb"0-9", 1, 6),
        extent=to_end_of_text,
    ),
    LeakRule(
        "php-error",
        [b"Fatal error: Uncaught "],
        repeat(rb"A-Za-z0-9_\\", 1, 100),
        extent=to_end_of_text,
    ),
    LeakRule(
        "java-stack-trace",
        [b"java.lang.", b"java.io.", b"java.sql.", b"javax.", b"jakarta.", b"org.springframework."],
        *_JAVA,
        not_preceded_by=rb"A-Za-z0-9_.$",
        extent=to_end_of_text,
    ),
    LeakRule(
        "java-stack-trace",
        [b'Exception in thread "'],
        repeat(rb'^"\n', 1, 80),
        literal(b'" '),
        extent=to_end_of_text,
    ),
    LeakRule(
        "node-stack-trace",
        [b"(node:internal/", b"at Object.<anonymous> (/", b"at Module._compile ("],
        repeat(rb"^)\n", 1, 200),
        literal(b")"),
        extent=to_end_of_text,
    ),
    LeakRule(
        "node-stack-trace",
        [b"<br> &nbsp; &nbsp;at "],
        repeat(rb"^<\n", 1, 300),
        extent=to_end_of_text,
    ),
    LeakRule(
        "ruby-stack-trace",
        [b".rb:"],
        _NUMBER,
        one_of(b":in `", b":in '", b":in &#39;"),
        extent=to_end_of_text,
    ),
    LeakRule(
        "rails-error-page",
        [b"<title>Action Controller: Exception caught</title>"],
        extent=to_end_of_body,
    ),
    LeakRule(
        "go-stack-trace",
        [b"goroutine "],
        _NUMBER,
        literal(b" [running]:"),
        extent=to_end_of_text,
    ),
    LeakRule("dotnet-error-page", [b"<title>Runtime Error</title>"], extent=to_end_of_body),
    LeakRule(
        "dotnet-stack-trace",
        [b"--- End of inner exception stack trace ---"],
        extent=to_end_of_text,
    ),
)


_NAME: Final = repeat(rb"A-Za-z0-9_$.\"`\[\]\\", 1, 130)

DATABASES: Final = (
    LeakRule(
        "sqlalchemy-error",
        [
            b"(psycopg2.", b"(psycopg.", b"(sqlite3.", b"(pymysql.", b"(MySQLdb.",
            b"(oracledb.", b"(pyodbc.", b"(sqlalchemy.",
        ],
        repeat(rb"A-Za-z.", 3, 60),
        literal(b") "),
        extent=to_end_of_text,
    ),
    LeakRule(
        "sqlalchemy-statement",
        [b"[SQL: "],
        one_of(b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"WITH", b"CREATE", b"ALTER", b"DROP"),
        extent=to_end_of_text,
    ),
    LeakRule("sqlalchemy-error", [b"(Background on this error at: https://sqlalche.me"],
         extent=to_end_of_text),
    LeakRule(
        "postgresql-error",
        [
            b"duplicate key value violates unique constraint ",
            b"violates foreign key constraint ",
            b"violates not-null constraint",
            b"violates check constraint ",
            b"DETAIL:  Key (",
        ],
        extent=to_end_of_text,
    ),
    LeakRule("postgresql-error", [b"syntax error at or near "], one_of(b'"', b'\\"', b"&quot;"),
         extent=to_end_of_text),
    LeakRule(
        "sqlite-error",
        [b"UNIQUE constraint failed: ", b"NOT NULL constraint failed: "],
        _NAME,
        extent=to_end_of_text,
    ),
    LeakRule(
        "sqlite-error",
        [b"sqlite3.OperationalError", b"sqlite3.IntegrityError"],
        literal(b": "),
        extent=to_end_of_text,
    ),
    LeakRule("mysql-error", [b"You have an error in your SQL syntax"], extent=to_end_of_text),
    LeakRule(
        "mysql-error",
        [b"Duplicate entry '"],
        repeat(rb"^\n", 0, 300),
        literal(b"' for key "),
        extent=to_end_of_text,
    ),
    LeakRule(
        "mysql-error",
        [b"Access denied for user '"],
        repeat(rb"^'\n", 0, 100),
        literal(b"'@'"),
        extent=to_end_of_text,
    ),
    LeakRule("sqlstate-error", [b"SQLSTATE["], repeat(rb"0-9A-Z", 5, 5), literal(b"]"),
         extent=to_end_of_text),
    LeakRule(
        "sqlserver-error",
        [
            b"Unclosed quotation mark after the character string",
            b"Violation of PRIMARY KEY constraint ",
            b"[Microsoft][ODBC ",
        ],
        extent=to_end_of_text,
    ), LeakRule("oracle-error", [b"ORA-"], repeat(rb"0-9", 5, 5), literal(b": "),
    not_preceded_by=rb"A-Za-z0-9",
         extent=to_end_of_text),
    LeakRule("mongodb-error", [b"E11000 duplicate key error"], extent=to_end_of_text),
    LeakRule(
        "redis-error",
        [b"WRONGTYPE Operation against a key", b"NOAUTH Authentication required"],
        extent=to_end_of_text,
    ),
)  # fmt: skip
