"""Error messages of SQL databases: PostgreSQL, MySQL and MariaDB, SQLite, SQL Server, Oracle.

Messages that disclose nothing but the engine, such as ``database is locked``, are left alone. The
sources are the servers' own English messages: PostgreSQL 15's ``backend/po`` and libpq, MySQL's
Server Error Message Reference and MariaDB 10.11's ``errmsg-utf8.txt``, SQLite 3.46, Microsoft's
list of Database Engine events, and Oracle's Database Error Messages.
"""

from typing import Final

from mantlet.sanitize.rules.incremental_regex import literal, repeat
from mantlet.sanitize.rules.message_patterns import MessageRule, message_rules
from mantlet.sanitize.rules.rule import to_end_of_text

__all__ = ["DATABASES"]

_OBJECTS: Final = (
    "(table |relation |view |sequence |schema |function |database |column |language |type |large )"
)

_CLAUSES: Final = (
    "(SELECT|WHERE|ON|HAVING|GROUP BY|ORDER BY|field list|where clause|on clause|order clause|"
    "group statement|having clause)"
)

_POSTGRESQL: Final = (
    *message_rules(
        "postgresql-error",
        [
            '^relation "*" (does not exist|already exists)$',
            '^column "*" of relation "*" (does not exist|already exists)$',
            '^column "*" (does not exist|must appear in the GROUP BY clause|contains null values)',
            "^column ~ (does not exist|must appear in the GROUP BY clause)$",
            '^column reference "*" is ambiguous$',
            '^null value in column "*" (of relation |violates not-null constraint)',
            '^duplicate key value violates unique constraint "*"$',
            '^could not create unique index "*"$',
            '^insert or update on table "*" violates foreign key constraint "*"',
            '^update or delete on table "*" violates ',
            "^new row (for relation |violates row-level security )",
            "^invalid input syntax for type ~",
            "^invalid input syntax for (integer|uuid|json|boolean|double precision|numeric): ",
            '^invalid input value for enum ~: "',
            "^value too long for type (character|bit)",
            "^integer out of range$",
            f"^permission denied for {_OBJECTS}",
            "^must be owner of (table|relation|view|schema|database|sequence|function) ~$",
            "^deadlock detected$",
            '^syntax error at or near "%"$',
            "^syntax error at end of input$",
            '^unterminated quoted (string|identifier) at or near "',
            'FROM-clause entry for table "*"$',
            "^operator does not exist: ",
            '^could not translate host name "*" to address',
            'connection to server (at |on socket )"*"',
            '^password authentication failed for user "*"',
            '^no pg_hba.conf entry for (host |replication |local )',
            "^could not connect to server: ",
            "^canceling statement due to (statement timeout|user request|lock timeout)$",
            "^could not serialize access due to ",
            "^could not obtain lock on (row in relation |relation )",
            "^cannot drop (table|column|type|view|schema|function|constraint) ~ because other ",
            "^current transaction is aborted, commands ignored",
            "^server closed the connection unexpectedly",
            '^date/time field value out of range: "',
            '^malformed array literal: "',
            '^unrecognized configuration parameter "',
            '^remaining connection slots are reserved for ',
            "^failed to resolve host '*'",
            '^could not (open|access) file "/',
            "^INSERT has more (expressions than target columns|target columns than expressions)",
            '^role "*" (does not exist|already exists|is not permitted to log in)',
            '^database "*" (does not exist|already exists)$',
        ],
    ),
    # The lines that follow a message: DETAIL, HINT and the statement.
    MessageRule(
        "postgresql-error",
        [b"DETAIL:  ", b"CONTEXT:  ", b"HINT:  "],
        repeat(rb"^{%\"'<", 1, 1),
        extent=to_end_of_text,
    ),
    MessageRule(
        "postgresql-error",
        [b"LINE %d" % digit for digit in range(1, 10)],
        repeat(rb"0-9", 0, 6, possessive=True),
        literal(b": "),
        extent=to_end_of_text,
    ),
)  # fmt: skip

_MYSQL: Final = message_rules(
    "mysql-error",
    [
        "^Unknown column '*' in '*'",
        "^You have an error in your SQL syntax; check the manual ",
        "^Duplicate entry '%' for key '",
        "^Duplicate column name '*'$",
        "^Data too long for column '",
        "^Data truncated for column '",
        "^Out of range value for column '",
        "^Truncated incorrect (DOUBLE|INTEGER|DECIMAL|datetime|time) value: '",
        "^Incorrect (integer|decimal|double|string|date|datetime|time|timestamp) value: '",
        "a foreign key constraint fails (",
        "^Unknown database '*'$",
        "^Unknown table '*'$",
        "Access denied for user '%'@'",
        "command denied to user '%'@'",
        "connect to (MySQL server on |server on )'*'",
        "connect to (local MySQL |local MariaDB |local )server through socket '/",
        "^Lost connection to (MySQL |)server at '",
        "^Lock wait timeout exceeded; try restarting transaction",
        "^Deadlock found when trying to get lock",
        "is not allowed to connect to this (MySQL|MariaDB) server",
        "^CONSTRAINT `~` failed for `~`.`~`",
        "^FUNCTION ~ does not exist$",
        "^PROCEDURE ~ does not exist$",
        "^BIGINT UNSIGNED value is out of range in '",
        "^Check constraint '*' is violated",
        "^Table '*' (doesn|already exists)",
        "^Column '*' cannot be null",
        f"^Column '*' in {_CLAUSES} is ambiguous",
        "^Field '*' doesn't have a default value",
    ],
)

_SQLITE: Final = message_rules(
    "sqlite-error",
    [
        "^no such table: ~$",
        "^no such column: ~$",
        '^no such column: "*"$',
        "^no such function: ~$",
        '^unrecognized token: "',
        "^UNIQUE constraint failed: ~$",
        "^UNIQUE constraint failed: ~, ~",
        "^NOT NULL constraint failed: ~$",
        "^CHECK constraint failed: ",
        "^FOREIGN KEY constraint failed$",
        "has no column named ~$",
        "^ambiguous column name: ~$",
        "^duplicate column name: ~$",
        "^unable to open database: /",
        "^unable to open database file$",
        "^Incorrect number of bindings supplied. The current statement uses ",
        '^near "*": syntax error$',
    ],
)

_CONSTRAINTS: Final = (
    "(FOREIGN KEY|FOREIGN KEY SAME TABLE|REFERENCE|SAME TABLE REFERENCE|CHECK|COLUMN FOREIGN KEY|"
    "COLUMN REFERENCE|COLUMN CHECK)"
)

_SQL_SERVER: Final = message_rules(
    "sqlserver-error",
    [
        "Invalid object name '*'",
        "^Invalid column name '*'",
        "^Incorrect syntax near (the keyword |)'",
        "^Unclosed quotation mark after the character string '",
        "^Violation of (PRIMARY|UNIQUE) KEY constraint '",
        "^Cannot insert (duplicate key row in object |the value NULL into column )'",
        f'conflicted with the {_CONSTRAINTS} constraint "*"',
        f"conflicted with the {_CONSTRAINTS} constraint '*'",
        "^Conversion failed when converting ",
        "^String or binary data would be truncated",
        "^Login failed for user '",
        '^Cannot open (database|server) "*"',
        "^Cannot open (database|server) '*'",
        "[Microsoft][ODBC ",
        "DB-Lib error message #, severity ",
        "^Could not find stored procedure '",
        "permission was denied on the object '",
        "^Arithmetic overflow error (converting |for data type )",
        "was deadlocked on lock ",
    ],
)

_ORACLE: Final = tuple(
    MessageRule(
        "oracle-error",
        [prefix],
        repeat(rb"0-9", 4, 5),
        literal(b": "),
        extent=to_end_of_text,
    )
    for prefix in (b"ORA-", b"DPY-")
)

DATABASES: Final = (*_POSTGRESQL, *_MYSQL, *_SQLITE, *_SQL_SERVER, *_ORACLE)
