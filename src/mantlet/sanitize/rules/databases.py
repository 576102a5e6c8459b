"""What databases and their drivers say of an error: statements, values, names of tables.

The literals are the fixed words of PostgreSQL, SQLite, MySQL and MariaDB, SQL Server, Oracle,
MongoDB and Redis, in English, and of SQLAlchemy, which puts the statement behind them.
"""

from typing import Final

from mantlet.sanitize.rules.rule import Rule, to_end_of_text
from mantlet.sanitize.rules.shape import any_of, run, text

__all__ = ["DATABASES"]

_NAME: Final = run(rb"A-Za-z0-9_$.\"`\[\]\\", 1, 130)

DATABASES: Final = (
    Rule(
        "sqlalchemy-error",
        [
            b"(psycopg2.", b"(psycopg.", b"(sqlite3.", b"(pymysql.", b"(MySQLdb.",
            b"(oracledb.", b"(pyodbc.", b"(sqlalchemy.",
        ],
        run(rb"A-Za-z.", 3, 60),
        text(b") "),
        extent=to_end_of_text,
    ),
    Rule(
        "sqlalchemy-statement",
        [b"[SQL: "],
        any_of(b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"WITH", b"CREATE", b"ALTER", b"DROP"),
        extent=to_end_of_text,
    ),
    Rule("sqlalchemy-error", [b"(Background on this error at: https://sqlalche.me"],
         extent=to_end_of_text),
    Rule(
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
    Rule("postgresql-error", [b"syntax error at or near "], any_of(b'"', b'\\"', b"&quot;"),
         extent=to_end_of_text),
    Rule(
        "sqlite-error",
        [b"UNIQUE constraint failed: ", b"NOT NULL constraint failed: "],
        _NAME,
        extent=to_end_of_text,
    ),
    Rule(
        "sqlite-error",
        [b"sqlite3.OperationalError", b"sqlite3.IntegrityError"],
        text(b": "),
        extent=to_end_of_text,
    ),
    Rule("mysql-error", [b"You have an error in your SQL syntax"], extent=to_end_of_text),
    Rule(
        "mysql-error",
        [b"Duplicate entry '"],
        run(rb"^\n", 0, 300),
        text(b"' for key "),
        extent=to_end_of_text,
    ),
    Rule(
        "mysql-error",
        [b"Access denied for user '"],
        run(rb"^'\n", 0, 100),
        text(b"'@'"),
        extent=to_end_of_text,
    ),
    Rule("sqlstate-error", [b"SQLSTATE["], run(rb"0-9A-Z", 5, 5), text(b"]"),
         extent=to_end_of_text),
    Rule(
        "sqlserver-error",
        [
            b"Unclosed quotation mark after the character string",
            b"Violation of PRIMARY KEY constraint ",
            b"[Microsoft][ODBC ",
        ],
        extent=to_end_of_text,
    ),
    Rule("oracle-error", [b"ORA-"], run(rb"0-9", 5, 5), text(b": "), not_before=rb"A-Za-z0-9",
         extent=to_end_of_text),
    Rule("mongodb-error", [b"E11000 duplicate key error"], extent=to_end_of_text),
    Rule(
        "redis-error",
        [b"WRONGTYPE Operation against a key", b"NOAUTH Authentication required"],
        extent=to_end_of_text,
    ),
)  # fmt: skip
