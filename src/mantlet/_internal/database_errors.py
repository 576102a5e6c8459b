"""Tell what the exceptions of databases mean, by error code and class, never by their text.

An exception is classified by its SQLSTATE, else by its system's own number, else by the name of its
class. Wrappers (SQLAlchemy, Django, Peewee) are unwrapped first, to the driver's exception. No
driver is imported. One number is read from a text: that of an ODBC message, which has no attribute
for it.

Sources of the codes: PostgreSQL 17 manual, appendix A, with the SQLSTATE classes of ISO/IEC 9075-2;
ODBC 3.8 reference, appendix A; SQLite, "Result and Error Codes"; MySQL 8.4 and MariaDB 11 "Server
Error Message Reference"; SQL Server's ``sys.messages``; Oracle Database 23ai "Database Error
Messages" and python-oracledb's own ``DPY`` codes; MongoDB's ``error_codes.yml``.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from mantlet._internal.exception_chain import class_names, safe_getattr

__all__ = [
    "CONFLICT",
    "FAULT",
    "INVALID",
    "RETRY",
    "TIMEOUT",
    "UNAVAILABLE",
    "database_meaning",
]

# -- codes ----------------------------------------------------------------------------------------

#: The change conflicts with stored data: a unique or a foreign key.
CONFLICT: Final = 409
#: The column does not accept the value: null, out of range, too long, violates a check.
INVALID: Final = 422
#: Any other error, such as an invalid statement.
FAULT: Final = 500
#: The connection was lost, or a resource is exhausted.
UNAVAILABLE: Final = 503
#: The statement took too long.
TIMEOUT: Final = 504
#: A deadlock, a failed serialization or a lock: nothing was changed, and a retry would succeed.
RETRY: Final = -503


def _table(**codes: str) -> dict[str, int]:
    """Return the meaning of each code, from the codes of each meaning, separated by spaces."""
    meanings = {
        "conflict": CONFLICT,
        "invalid": INVALID,
        "fault": FAULT,
        "unavailable": UNAVAILABLE,
        "timeout": TIMEOUT,
        "retry": RETRY,
    }
    return {code: meanings[name] for name, text in codes.items() for code in text.split()}


#: By SQLSTATE, else by its class, the first two characters. ``HY000`` has no meaning.
SQLSTATES: Final = _table(
    conflict="23",
    invalid="22 23502 23514 44",
    retry="40 55P03",
    unavailable="08 40003 53 57 25P03 HYT01",  # 40003: nobody knows whether it was completed
    timeout="57014 HYT00",
)

#: By extended result code, else by primary result code.
SQLITE: Final = _table(
    conflict="19",  # a constraint; of these the unique, primary, row id and foreign keys
    invalid="275 1299 3091 18 20",  # check, not null, data type; too big, mismatch
    retry="5 6",  # busy, locked
    unavailable="7 10 13 14",  # no memory, I/O, full, cannot open
    timeout="9",  # interrupted
)

MYSQL: Final = _table(
    conflict="1022 1062 1169 1216 1217 1451 1452 1557 1586 1761 1762",
    invalid="1048 1263 1264 1265 1292 1364 1366 1367 1406 1411 1416 1690 3140 3819 4025",
    retry="1020 1205 1213 1412 3058 3572",
    unavailable=(
        "1021 1037 1038 1040 1041 1042 1043 1053 1077 1079 1080 1081 1114 1129 1135 1152 1153 1154"
        " 1156 1157 1158 1159 1160 1161 1184 1203 1226 1290 1836 1927 2002 2003 2004 2005 2006 2012"
        " 2013 2024 2025 2026 2055 3159 3168 4031"
    ),
    timeout="1317 1907 1969 3024",
)

SQL_SERVER: Final = _table(
    conflict="547 2601 2627",
    invalid="220 232 241 242 245 248 295 296 515 517 2628 8114 8115 8152 8169",
    retry="1205 1222 3960 41302 41305 41325 41839",
    unavailable=(
        "64 121 233 701 802 845 1101 1105 3617 4060 8645 8651 9002 10053 10054 10060 10061 10928"
        " 10929 11001 17142 17197 18401 20002 20003 20004 20006 20009 20047 40197 40501 40613 40615"
        " 49918 49919 49920"
    ),
    timeout="-2",
)

ORACLE: Final = _table(
    conflict="1 2266 2291 2292",
    invalid=(
        "932 1400 1401 1407 1426 1438 1461 1722 1830 1839 1840 1841 1843 1847 1858 1861 2290 2359"
        " 12899"
    ),
    retry="54 60 104 4020 8176 8177 30006",
    unavailable=(
        "18 19 20 21 28 55 257 604 1033 1034 1035 1089 1090 1092 1109 1115 1536 1578 1650 1652 1653"
        " 1654 1658 1688 1691 1692 2391 2396 2399 3113 3114 3135 4021 4030 4031 12153 12154 12170"
        " 12500 12505 12514 12516 12518 12519 12520 12521 12525 12526 12527 12528 12537 12541 12543"
        " 12545 12547 12560 12571 12637 17002 17008 25408 28547 65011"
    ),
    timeout="40 1013 3136 3156",
)

ORACLE_DRIVER: Final = _table(
    unavailable="DPY-1001 DPY-4005 DPY-4011 DPY-6000 DPY-6001 DPY-6002 DPY-6003 DPY-6005",
    timeout="DPY-4024",
)

MONGODB: Final = _table(
    conflict="11000 11001 12582",
    invalid="2 121 10334 17280 17419",
    retry="112 225 244 251",
    unavailable=(
        "6 7 89 91 133 189 202 216 317 358 384 9001 10058 10107 11600 11602 13388 13435 13436 14031"
    ),
    timeout="50 64 262",
)

# -- the exception --------------------------------------------------------------------------------

#: The most levels of wrappers that are unwrapped.
_MAX_UNWRAPPED: Final = 8
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}")
_CAPITAL: Final = re.compile("(?<!^)(?=[A-Z])")
_ODBC_NUMBER: Final = re.compile(r"\((-?\d{1,9})\)")
#: The most characters of an ODBC message that are read.
_ODBC_TEXT: Final = 4096


def database_meaning(error: BaseException) -> int | None:
    """Return the meaning of an exception of a database, a driver or a wrapper, else None."""
    return _meaning(error, _MAX_UNWRAPPED)


def _meaning(error: BaseException, depth: int) -> int | None:
    module = _module(type(error))
    if module in _WRAPPERS:
        inner = safe_getattr(error, "orig") or safe_getattr(error, "__cause__")
        inner = inner or safe_getattr(error, "__context__")
        if isinstance(inner, BaseException) and depth:
            meaning = _meaning(inner, depth - 1)
            if meaning is not None:
                return meaning
        if safe_getattr(error, "connection_invalidated") is True:
            return UNAVAILABLE
    reader = _READERS.get(module)
    meaning = reader(error) if reader else None
    if meaning is None:
        code = safe_getattr(error, "sqlstate") or safe_getattr(error, "pgcode")
        meaning = None if code is None else _by_sqlstate(code)
    if meaning is None and module:
        meaning = _by_class(error)
    return meaning


def _find_module(kind: type) -> str:
    for name in class_names(kind):
        root = name.partition(".")[0].lstrip("_")
        if root == "django" and not name.startswith("django.db.utils."):
            continue
        if root in _READERS or root in _WRAPPERS or root in _SQLSTATE_DRIVERS:
            return root
    return ""


#: Returns the driver or wrapper that a class, or one of its bases, belongs to; else "".
_module: Callable[[type], str] = lru_cache(maxsize=1024)(_find_module)


# -- by code --------------------------------------------------------------------------------------


def _by_sqlstate(code: object) -> int | None:
    if not isinstance(code, str) or not _SQLSTATE.fullmatch(code) or code == "HY000":
        return None
    table = SQLSTATES
    return table.get(code, table.get(code[:2], FAULT))


def _by_number(table: Mapping[str, int], code: object) -> int | None:
    return table.get(str(code), FAULT) if isinstance(code, int) and code else None


def _first_argument(error: BaseException) -> Any:
    """Return the first of an exception's arguments, where some drivers keep the code."""
    arguments = safe_getattr(error, "args")
    while isinstance(arguments, (tuple, list)) and arguments:
        arguments = arguments[0]
    return arguments


def _sqlite(error: BaseException) -> int | None:
    code = safe_getattr(error, "sqlite_errorcode")
    if not isinstance(code, int):
        return None
    table = SQLITE
    return table.get(str(code), table.get(str(code & 0xFF), FAULT))


def _mysql(error: BaseException) -> int | None:
    number = safe_getattr(error, "errno")
    number = number if isinstance(number, int) and number > 0 else _first_argument(error)
    return _by_number(MYSQL, number)


def _sql_server(error: BaseException) -> int | None:
    return _by_number(SQL_SERVER, safe_getattr(error, "number") or _first_argument(error))


def _odbc(error: BaseException) -> int | None:
    """Read the SQLSTATE, or a number in the text if the SQLSTATE is that of all constraints."""
    state = _first_argument(error)
    if state == "23000":
        text = " ".join(part for part in error.args[1:] if isinstance(part, str))[:_ODBC_TEXT]
        meanings = (SQL_SERVER.get(number) for number in _ODBC_NUMBER.findall(text))
        return next((meaning for meaning in meanings if meaning is not None), CONFLICT)
    return _by_sqlstate(state)


def _oracle(error: BaseException) -> int | None:
    details = _first_argument(error)
    driver = safe_getattr(details, "full_code")
    if isinstance(driver, str) and driver in ORACLE_DRIVER:
        return ORACLE_DRIVER[driver]
    return _by_number(ORACLE, safe_getattr(details, "code"))


def _mongodb(error: BaseException) -> int | None:
    code = safe_getattr(error, "code")
    details = safe_getattr(error, "details")
    if isinstance(details, Mapping):  # a bulk write has one code per write
        failed = details.get("writeErrors")
        if isinstance(failed, list) and failed and isinstance(failed[0], Mapping):
            code = failed[0].get("code", code)
    known = MONGODB.get(str(code))
    return known if isinstance(code, int) else None


def _psycopg2(error: BaseException) -> int | None:
    """Read the SQLSTATE, or that of the class's condition if the server did not send one."""
    code = safe_getattr(error, "pgcode")
    if code is None:
        condition = _CAPITAL.sub("_", type(error).__name__).upper()
        # The package is loaded already; this is its table of constants.
        code = safe_getattr(import_module("psycopg2.errorcodes"), condition)
    return _by_sqlstate(code)


def _redis(_error: BaseException) -> int | None:
    return None  # its errors differ only by class


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

#: Libraries that raise their own exceptions in place of a driver's.
_WRAPPERS: Final = frozenset({"sqlalchemy", "django", "peewee"})
#: Other drivers, whose exceptions have a SQLSTATE.
_SQLSTATE_DRIVERS: Final = frozenset({"asyncpg", "psycopg", "pg8000"})


# -- by class -------------------------------------------------------------------------------------

#: Meanings of class names, for exceptions without a code: PEP 249's, and other systems'.
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
    "AuthenticationError": FAULT,  # a ConnectionError there
    "BusyLoadingError": UNAVAILABLE,
    "ClusterDownError": UNAVAILABLE,
    "ConnectionError": UNAVAILABLE,
    "OutOfMemoryError": UNAVAILABLE,
    "ReadOnlyError": UNAVAILABLE,
    "TryAgainError": RETRY,
    "WatchError": RETRY,
}
#: Meanings of ``TimeoutError``, which differ between systems.
_TIMEOUTS: Final[Mapping[str, int]] = {
    "redis": TIMEOUT,
    "sqlalchemy": UNAVAILABLE,  # of its connection pool
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
