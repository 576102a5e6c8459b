"""Exceptions of database drivers, of clients of other services, and of HTTP clients.

The texts are those of the drivers themselves, and of the servers that they pass on: SQLAlchemy 2,
psycopg, PyMongo 4 and MongoDB 8, redis-py and Valkey 9, Elasticsearch 9, kafka-python and
confluent-kafka, botocore, urllib3 2, requests, aiohttp, asyncio, and the runtimes of Node and Go.
"""

from typing import Final

from mantlet.sanitize.rules.incremental_regex import PatternPart, literal, one_of, repeat
from mantlet.sanitize.rules.message_patterns import ErrorRule, MessageRule, message_rules
from mantlet.sanitize.rules.rule import to_end_of_text

__all__ = ["DRIVERS", "SERVICES"]

#: The exceptions of PEP 249.
_NAMES: Final = (
    b"Warning", b"Error", b"InterfaceError", b"DatabaseError", b"DataError", b"OperationalError",
    b"IntegrityError", b"InternalError", b"ProgrammingError", b"NotSupportedError",
)  # fmt: skip
#: Modules that have them, among much else.
_SQL_MODULES: Final = (
    b"psycopg2.", b"psycopg.", b"sqlite3.", b"pymysql.", b"MySQLdb.", b"oracledb.", b"cx_Oracle.",
    b"pyodbc.", b"pymssql.", b"mariadb.", b"peewee.",
)  # fmt: skip
#: Modules of exceptions.
_SQL_ERRORS: Final = (
    b"psycopg2.errors.", b"psycopg.errors.", b"pymysql.err.", b"MySQLdb._exceptions.",
    b"_mysql_exceptions.", b"mysql.connector.errors.", b"asyncmy.errors.", b"asyncpg.exceptions.",
    b"oracledb.exceptions.", b"pymssql.exceptions.", b"pymssql._pymssql.", b"sqlalchemy.exc.",
    b"sqlalchemy.orm.exc.", b"sqlalchemy.dialects.postgresql.asyncpg.", b"django.db.utils.",
    b"django.db.migrations.exceptions.", b"django.db.models.deletion.", b"django.db.transaction.",
    b"tortoise.exceptions.",
)  # fmt: skip
_OTHER_ERRORS: Final = (
    b"pymongo.errors.", b"redis.exceptions.", b"botocore.exceptions.", b"kafka.errors.",
    b"requests.exceptions.", b"urllib3.exceptions.", b"aiohttp.client_exceptions.",
)  # fmt: skip
#: A class, with its module if that has several.
_CLASS: Final = PatternPart(
    rb"[a-z0-9_.]{0,60}[A-Z][A-Za-z0-9_]{2,80}+", rb"[A-Za-z0-9_.]{0,141}", 141
)


DRIVERS: Final = (
    # SQLAlchemy: (sqlite3.OperationalError) no such table: users
    MessageRule(
        "sqlalchemy-error",
        [b"(" + module for module in (*_SQL_MODULES, *_SQL_ERRORS)],
        _CLASS,
        literal(b") "),
        extent=to_end_of_text,
    ),
    ErrorRule(
        "sqlalchemy-statement",
        [b"[SQL: "],
        one_of(b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"WITH", b"CREATE", b"ALTER", b"DROP"),
        extent=to_end_of_text,
    ),
    # The last line of a traceback: sqlite3.OperationalError: no such table: users
    MessageRule(
        "driver-error",
        [
            *(module + name + b": " for module in _SQL_MODULES for name in _NAMES),
            b"psycopg2.extensions.QueryCanceledError: ",
            b"psycopg2.extensions.TransactionRollbackError: ",
        ],
        repeat(rb"^\s\"'<", 1, 1),
        extent=to_end_of_text,
    ),
    MessageRule(
        "driver-error",
        [*_SQL_ERRORS, *_OTHER_ERRORS],
        _CLASS,
        literal(b": "),
        repeat(rb"^\s\"'<", 1, 1),
        extent=to_end_of_text,
    ),
    ErrorRule(
        "sqlstate-error",
        [b"SQLSTATE["],
        repeat(rb"0-9A-Z", 5, 5),
        literal(b"]"),
        extent=to_end_of_text,
    ),
)

_MONGODB: Final = message_rules(
    "mongodb-error",
    [
        "E11000 duplicate key error ",
        "^MongoServerError: ",
        "full error: {'",
        "Topology Description: <TopologyDescription ",
        "Topology Description: &lt;TopologyDescription ",
        "execute command { ",
    ],
)

_REDIS: Final = (
    *message_rules(
        "redis-error",
        [
            "^WRONGTYPE Operation against a key",
            "^NOAUTH Authentication required(.|)$",
            "^WRONGPASS invalid username-password pair",
            "^NOPERM ",
            "has no permissions to run the '*' command",
            "^No permissions to access a (key|channel)",
            "^MISCONF Redis is configured to save ",
            "^MISCONF Valkey is configured to save ",
            "^READONLY You can't write against a read only ",
            "^OOM command not allowed when used memory ",
            "^ERR unknown (command|subcommand) ",
            "^ERR wrong number of arguments for ",
        ],
    ),
    MessageRule(
        "redis-error",
        [b"MOVED "],
        repeat(rb"0-9", 1, 5, possessive=True),
        literal(b" "),
        repeat(rb"A-Za-z0-9.:\-", 3, 255, possessive=True),
    ),
    ErrorRule(
        "redis-error",
        [b"%d connecting to " % digit for digit in range(10)],
        repeat(rb"A-Za-z0-9.:\-_/", 3, 255, possessive=True),
        literal(b" "),
        extent=to_end_of_text,
    ),
)

_SEARCH: Final = message_rules(
    "elasticsearch-error",
    [
        "no such index [",
        "Error(40#, '*_exception'",
        "^index_not_found_exception$",
        "^search_phase_execution_exception$",
        "^resource_already_exists_exception$",
        "^version_conflict_engine_exception$",
    ],
)

_KAFKA: Final = message_rules(
    "kafka-error",
    [
        "^NoBrokersAvailable$",
        "KafkaError{code=",
        "Unable to bootstrap from ~:#",
        "/bootstrap: Connect to ipv",
    ],
)

_AWS: Final = message_rules(
    "aws-error",
    [
        "^An error occurred (~) when calling the ~ operation",
        '^Could not connect to the endpoint URL: "http',
    ],
)

_NETWORK_ERRORS: Final = (
    "(Connection |Name or service not known|Network is unreachable|No route to host|"
    "Temporary failure in name resolution|getaddrinfo failed|nodename nor servname provided)"
)
_CONNECTIONS: Final = (
    *message_rules(
        "connection-error",
        [
            "ConnectionPool(host='*', port=#): ",
            "Connection(host='*', port=#): ",
            "Failed to establish a new connection: [Errno ",
            "Connect call failed ('",
            "Cannot connect to host ~:# ssl:",
            "Failed to resolve '*' (",
            "urlopen error [Errno ",
            "failed to connect to all addresses",
            "connect ECONNREFUSED ~:#",
            "getaddrinfo (ENOTFOUND |EAI_AGAIN )~",
            "Tried connecting to [('",
            "ConnectionKey(host='*', port=#, ",
            "Connection to ~ timed out. (connect timeout=",
            "for url: http",
            "for url 'http",
            "dial tcp ~:#: ",
            "Could not connect to (Redis|Valkey) at ~:#",
        ],
    ),
    *message_rules(
        "os-error",
        [
            f"^[Errno (-|)#] {_NETWORK_ERRORS}",
            "^[Errno #] (No such file or directory|Permission denied|Is a directory): '/",
        ],
    ),
)

SERVICES: Final = (*_MONGODB, *_REDIS, *_SEARCH, *_KAFKA, *_AWS, *_CONNECTIONS)
