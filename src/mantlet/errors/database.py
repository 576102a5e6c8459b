"""What went wrong in a database, read off the exception's code and class, never off its text.

An exception tells it by its SQLSTATE, by its system's own number, or by its class's name. Wrappers
(SQLAlchemy, Django, Peewee) are asked for the driver's exception that they wrap first. No driver
is imported. That a number is read out of an ODBC message is the one exception: it has no attribute.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from mantlet._internal.exception_chain import class_names, safe_getattr
from mantlet.core.problem import Problem
from mantlet.errors import dbcodes
from mantlet.errors.dbcodes import CONFLICT, FAULT, INVALID, RETRY, TIMEOUT, UNAVAILABLE

__all__ = ["database_problem"]

_PROBLEMS: Final = {
    CONFLICT: Problem(409),
    INVALID: Problem(422),
    FAULT: Problem(500),
    UNAVAILABLE: Problem(503),
    TIMEOUT: Problem(504),
    RETRY: Problem(503, headers={"Retry-After": "1"}),
}

#: How many exceptions within each other are unwrapped.
_DEEPEST: Final = 8
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}")
_CAPITAL: Final = re.compile("(?<!^)(?=[A-Z])")
_ODBC_NUMBER: Final = re.compile(r"\((-?\d{1,9})\)")
#: How much of an ODBC message is read.
_ODBC_TEXT: Final = 4096


def database_problem(error: BaseException) -> Problem | None:
    """Return the problem that an exception of a database, or of its driver or wrapper, is.

    Returns:
        It; None where the exception is not one of a database.
    """
    meaning = _meaning(error, _DEEPEST)
    return None if meaning is None else _PROBLEMS[meaning]


def _meaning(error: BaseException, deepest: int) -> int | None:
    module = _module(type(error))
    if module in _WRAPPERS:
        inner = safe_getattr(error, "orig") or safe_getattr(error, "__cause__")
        inner = inner or safe_getattr(error, "__context__")
        if isinstance(inner, BaseException) and deepest:
            meaning = _meaning(inner, deepest - 1)
            if meaning is not None:
                return meaning
        if safe_getattr(error, "connection_invalidated") is True:
            return UNAVAILABLE
    reader = _READERS.get(module)
    meaning = reader(error) if reader else None
    if meaning is None:
        meaning = _by_sqlstate(safe_getattr(error, "sqlstate") or safe_getattr(error, "pgcode"))
    if meaning is None and (reader or module in _WRAPPERS or module in _PLAIN):
        meaning = _by_class(error)
    return meaning


def _find_module(kind: type) -> str:
    for name in class_names(kind):
        root = name.partition(".")[0].lstrip("_")
        if root == "django" and not name.startswith("django.db.utils."):
            continue
        if root in _READERS or root in _WRAPPERS or root in _PLAIN:
            return root
    return ""


#: Returns the driver or wrapper that a class, or one that it is derived from, is of; else "".
_module: Callable[[type], str] = lru_cache(maxsize=1024)(_find_module)


# -- by code --------------------------------------------------------------------------------------


def _by_sqlstate(code: object) -> int | None:
    if not isinstance(code, str) or not _SQLSTATE.fullmatch(code) or code == "HY000":
        return None
    table = dbcodes.SQLSTATES
    return table.get(code, table.get(code[:2], FAULT))


def _by_number(table: Mapping[str, int], code: object) -> int | None:
    return table.get(str(code), FAULT) if isinstance(code, int) and code else None


def _first_argument(error: BaseException) -> Any:
    """Return the first of an exception's arguments, where drivers keep the code."""
    arguments = safe_getattr(error, "args")
    while isinstance(arguments, (tuple, list)) and arguments:
        arguments = arguments[0]
    return arguments


def _sqlite(error: BaseException) -> int | None:
    code = safe_getattr(error, "sqlite_errorcode")
    if not isinstance(code, int):
        return None
    table = dbcodes.SQLITE
    return table.get(str(code), table.get(str(code & 0xFF), FAULT))


def _mysql(error: BaseException) -> int | None:
    number = safe_getattr(error, "errno")
    number = number if isinstance(number, int) and number > 0 else _first_argument(error)
    return _by_number(dbcodes.MYSQL, number)


def _sql_server(error: BaseException) -> int | None:
    return _by_number(dbcodes.SQL_SERVER, safe_getattr(error, "number") or _first_argument(error))


def _odbc(error: BaseException) -> int | None:
    """Read the SQLSTATE; where it is that of all constraints, a number in the text."""
    state = _first_argument(error)
    if state == "23000":
        text = " ".join(part for part in error.args[1:] if isinstance(part, str))[:_ODBC_TEXT]
        meanings = (dbcodes.SQL_SERVER.get(number) for number in _ODBC_NUMBER.findall(text))
        return next((meaning for meaning in meanings if meaning is not None), CONFLICT)
    return _by_sqlstate(state)


def _oracle(error: BaseException) -> int | None:
    said = _first_argument(error)
    driver = safe_getattr(said, "full_code")
    if isinstance(driver, str) and driver in dbcodes.ORACLE_DRIVER:
        return dbcodes.ORACLE_DRIVER[driver]
    return _by_number(dbcodes.ORACLE, safe_getattr(said, "code"))


def _mongodb(error: BaseException) -> int | None:
    code = safe_getattr(error, "code")
    details = safe_getattr(error, "details")
    if isinstance(details, Mapping):  # a bulk write keeps the codes one by one
        failed = details.get("writeErrors")
        if isinstance(failed, list) and failed and isinstance(failed[0], Mapping):
            code = failed[0].get("code", code)
    known = dbcodes.MONGODB.get(str(code))
    return known if isinstance(code, int) else None


def _psycopg2(error: BaseException) -> int | None:
    """Read the SQLSTATE; where the server did not send the error, that of its class's condition."""
    code = safe_getattr(error, "pgcode")
    if code is None:
        condition = _CAPITAL.sub("_", type(error).__name__).upper()
        # Of a package that is loaded, this is its table of constants.
        code = safe_getattr(import_module("psycopg2.errorcodes"), condition)
    return _by_sqlstate(code)


def _redis(_error: BaseException) -> int | None:
    return None  # its errors differ by their class alone


_READERS: Final[Mapping[str, Callable[[BaseException], int | None]]] = {
    "MySQLdb": _mysql,
    "aiomysql": _mysql,
    "asyncmy": _mysql,
    "cx_Oracle": _oracle,
    "mariadb": _mysql,
    "mssql": _sql_server,
    "mysql": _mysql,
    "oracledb": _oracle,
    "psycopg2": _psycopg2,
    "pymongo": _mongodb,
    "pymssql": _sql_server,
    "pymysql": _mysql,
    "pyodbc": _odbc,
    "redis": _redis,
    "sqlite3": _sqlite,
    "valkey": _redis,
}

#: What raises an exception of its own in place of a driver's.
_WRAPPERS: Final = frozenset({"sqlalchemy", "django", "peewee"})
#: Drivers whose exceptions have a SQLSTATE.
_PLAIN: Final = frozenset({"asyncpg", "psycopg", "pg8000"})


# -- by class -------------------------------------------------------------------------------------

#: What a class's name says where there is no code: PEP 249's, and those of systems without one.
_CLASSES: Final[Mapping[str, int]] = {
    "DataError": INVALID,
    "IntegrityError": CONFLICT,
    "InterfaceError": UNAVAILABLE,
    "OperationalError": UNAVAILABLE,
    # SQLAlchemy
    "DisconnectionError": UNAVAILABLE,
    "StaleDataError": CONFLICT,
    # MongoDB
    "AutoReconnect": UNAVAILABLE,
    "ConnectionFailure": UNAVAILABLE,
    "DocumentTooLarge": INVALID,
    "DuplicateKeyError": CONFLICT,
    "ExecutionTimeout": TIMEOUT,
    "InvalidDocument": INVALID,
    "WTimeoutError": TIMEOUT,
    # Redis and Valkey
    "AuthenticationError": FAULT,  # which is a ConnectionError there
    "BusyLoadingError": UNAVAILABLE,
    "ClusterDownError": UNAVAILABLE,
    "ConnectionError": UNAVAILABLE,
    "OutOfMemoryError": UNAVAILABLE,
    "ReadOnlyError": UNAVAILABLE,
    "TryAgainError": RETRY,
    "WatchError": RETRY,
}
#: A name that says one thing of a system, and another of the next.
_TIMEOUTS: Final[Mapping[str, int]] = {
    "redis": TIMEOUT,
    "sqlalchemy": UNAVAILABLE,  # of its pool of connections
    "valkey": TIMEOUT,
}


def _by_class(error: BaseException) -> int:
    for kind in type(error).__mro__:
        name = kind.__name__
        if name == "TimeoutError":
            root = str(kind.__module__).partition(".")[0]
            if root in _TIMEOUTS:
                return _TIMEOUTS[root]
        elif name in _CLASSES and kind.__module__ != "builtins":
            return _CLASSES[name]
    return FAULT
