"""What databases' own codes mean for a client: facts, by system.

Sources: PostgreSQL 17 manual, appendix A, with ISO/IEC 9075-2's SQLSTATE classes that it is built
on; ODBC 3.8 reference, appendix A; SQLite, "Result and Error Codes"; MySQL 8.4 and MariaDB 11
"Server Error Message Reference"; SQL Server's ``sys.messages``; Oracle Database 23ai "Database
Error Messages" and python-oracledb's own ``DPY`` codes; MongoDB's ``error_codes.yml``.
"""

from typing import Final

__all__ = [
    "CONFLICT",
    "FAULT",
    "INVALID",
    "MONGODB",
    "MYSQL",
    "ORACLE",
    "ORACLE_DRIVER",
    "RETRY",
    "SQLITE",
    "SQLSTATES",
    "SQL_SERVER",
    "TIMEOUT",
    "UNAVAILABLE",
]

#: What is stored stands against it: a unique or a foreign key.
CONFLICT: Final = 409
#: A value that its column does not take: null, out of range, too long, against a check.
INVALID: Final = 422
#: Anything else, such as a statement that is wrong.
FAULT: Final = 500
#: No connection, or not enough of some resource.
UNAVAILABLE: Final = 503
#: The statement took too long.
TIMEOUT: Final = 504
#: A deadlock or a failed serialization: the same again would succeed. A 503 with Retry-After.
RETRY: Final = -503


def _table(**codes: str) -> dict[str, int]:
    """Return what each code means, from the codes of each meaning in one text."""
    meanings = {
        "conflict": CONFLICT,
        "invalid": INVALID,
        "fault": FAULT,
        "unavailable": UNAVAILABLE,
        "timeout": TIMEOUT,
        "retry": RETRY,
    }
    return {code: meanings[name] for name, text in codes.items() for code in text.split()}


#: By SQLSTATE, else by its class, the first two characters. ``HY000`` says nothing.
SQLSTATES: Final = _table(
    conflict="23",
    invalid="22 23502 23514 44",
    retry="40 55P03",
    unavailable="08 53 57 25P03 HYT01",
    timeout="57014 HYT00",
)

#: By extended, else by primary result code.
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
