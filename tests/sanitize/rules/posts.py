# ruff: noqa: E501  # sentences
"""Posts of people who ask about errors, answer, and write documentation: no leaks of the app."""

from __future__ import annotations

from typing import Final

__all__ = ["POSTS"]

POSTS: Final = (
    # PostgreSQL
    'I always get relation "users" does not exist when I run the tests. What is wrong?',
    'Why does Postgres say column "Email" does not exist although the column is there?',
    "You forgot the quotes: that is why the message says that column email does not exist.",
    "A column users.email does not exist in the schema of version 2, so run the migration first.",
    'The cause of "duplicate key value violates unique constraint" is a sequence that lags behind.',
    "Since the violates foreign key constraint error names the table, look there first.",
    "If null value in column violates not-null constraint appears, give the column a default.",
    "An invalid input syntax for type integer comes from an empty string in most cases.",
    "The deadlock detected message is followed by the two processes in the log of the server.",
    "We saw deadlock detected twice last night; both times the nightly job was running.",
    "With permission denied for table users you have to GRANT SELECT to the role.",
    "Permission denied for relation users was the wording before version 11.",
    "Connections fail with password authentication failed for user when the file is not reloaded.",
    'There is no pg_hba.conf entry for host "x" in the log means that the address is not listed.',
    "The server answers a syntax error at or near the end of the statement with a caret below it.",
    "A value too long for type character varying is rejected, not cut off.",
    "As of 9.5, ON CONFLICT avoids the duplicate key error. HINT: use DO NOTHING.",
    "The DETAIL line says which key it was; the HINT line says what to do about it.",
    "could not connect to server is what libpq said until version 13",
    "Statements are cancelled after a minute: canceling statement due to statement timeout.",
    # SQLite
    "The tests fail with no such table: users because the fixture does not call create_all().",
    "Whenever I see no such column: email I know that I forgot the migration, it never fails.",
    'Is there a way to catch only the near "FROM": syntax error case and not the others?',
    "Django raises an IntegrityError whose message contains UNIQUE constraint failed, as documented.",
    "FOREIGN KEY constraint failed does not say which constraint, which is annoying.",
    "with pytest.raises(sqlite3.ProgrammingError) as e:\n    connection.execute('SELECT 1')\n",
    "try:\n    run()\nexcept (sqlite3.OperationalError, sqlite3.IntegrityError) as error:\n    log(error)",
    "except sqlite3.OperationalError:\n    time.sleep(1)\n",
    "database is locked means that another connection is writing",
    # MySQL
    "What does Unknown column 'x' in 'field list' mean? I have checked the spelling twice.",
    "Error 1146 is raised if a table doesn't exist, and 1054 for an unknown column.",
    "When the client says Access denied for user, check the host part of the account first.",
    "You have an error in your SQL syntax is what the server says, and it is nearly always a comma.",
    "MySQL reports Duplicate entry with the value and the key, which tells you enough.",
    "Lock wait timeout exceeded is not a deadlock: the transaction just waited too long.",
    "Table 'a' and Table 'b' below are joined by the id.",
    "Column 'total' in the report cannot be sorted.",
    # SQL Server and Oracle
    "Invalid object name usually means that the default schema is another one.",
    "Incorrect syntax near a keyword: put the name in brackets.",
    "ORA-00942 is raised when the table does not exist or you may not see it.",
    "The list of causes for ORA-01017 and ORA-12154 is long; see the manual.",
    "Codes such as ORA-00942: they say what happened, not where.",
    "Login failed for user is error 18456, and the state in the log says why.",
    "Violation of PRIMARY KEY constraint is error 2627.",
    # other services
    "E11000 is the code of MongoDB for duplicate keys.",
    "I tried to read a list with GET and got WRONGTYPE Operation against a key holding the wrong kind.",
    "NOAUTH Authentication required goes away with requirepass unset, but please don't.",
    "elasticsearch throws index_not_found_exception unless ignore_unavailable is set",
    "kafka-python raises NoBrokersAvailable when bootstrap fails, see the FAQ.",
    "from kafka.errors import NoBrokersAvailable\n\ntry:\n    connect()\nexcept NoBrokersAvailable:\n    pass",
    "botocore says An error occurred (NoSuchKey) when calling the GetObject operation for a missing key",
    "requests raises ConnectionError: Max retries exceeded with url, and urllib3 is the cause.",
    "Use HTTPConnectionPool(host='localhost', maxsize=4) for one host and PoolManager for many.",
    "pool = HTTPConnectionPool(host='localhost', port=8080)\npool.request('GET', '/')\n",
    "asyncio says Connect call failed when nothing listens on the port.",
    "getaddrinfo failed on Windows, Name or service not known on Linux: the name has no address.",
    "ECONNREFUSED means that nothing listens on the port, ETIMEDOUT that a firewall drops packets.",
    # tracebacks
    "Python prints Traceback (most recent call last): above the frames, the innermost last.",
    (
        '>>> 1/0\nTraceback (most recent call last):\n  File "<stdin>", line 1, in <module>\n'
        "ZeroDivisionError: division by zero\n"
    ),
    (
        'Traceback (most recent call last):\n  File "example.py", line 3, in <module>\n    main()\n'
        "ValueError: x\n"
    ),
    "Traceback (most recent call last):\n  ...\nTypeError: can only concatenate str\n",
    (
        '```pytb\nTraceback (most recent call last):\n  File "/srv/x.py", line 1, in <module>\n'
        "KeyError: 'a'\n```\n"
    ),
    "Look at user.rb:12:in and at order.rb:7:in, both call save without a transaction.",
    "In Go, goroutine 1 [running]: is the first line of the dump.",
    "A NullPointerException: how to find out which reference was null?",
    "Error: the command at line 3 (of the script) failed.\n    at least one argument is needed\n",
    "throw new Error: at first glance this looks right, but the colon is wrong",
    "thread main panicked at an index out of bounds, so check the length first",
    "PHP stops with Fatal error: Allowed memory size exhausted, which is not an exception.",
    "Stack trace: the list of calls that were active.",
    "The debugger asks for a PIN, and the page is served under ?__debugger__ in development.",
    # format strings and code
    'raise DatabaseError("relation %s does not exist" % name)',
    "raise ProgrammingError('no such table: %s' % name)",
    "MESSAGES = {1146: \"Table '%s.%s' doesn't exist\", 1054: \"Unknown column '%s' in '%s'\"}",
    'message = f"connection to {host} failed: {error}"',
    "if 'UNIQUE constraint failed' in str(error):\n    raise Conflict from error\n",
    'assert "no such table" in str(raised.value)',
    'return HttpResponse(f"could not translate host name {name}")',
)
