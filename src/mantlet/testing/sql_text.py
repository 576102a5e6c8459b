"""Distinguish SQL from prose that uses the same words.

"Select an item from the list" is a sentence, but ``select id, name from items`` is a statement. A
text is SQL if its first words have the form of a statement or clause, its names are not words of a
sentence, and there is further evidence: keywords in capitals, an operator, or a placeholder. Only
the first words of a statement are read, in linear time.
"""

from collections.abc import Callable
from typing import Final

from mantlet.testing.sql_tokens import (
    MARK,
    PLACEHOLDER,
    PROSE,
    Statement,
    depth_of,
    statements,
    words,
)

__all__ = ["is_command", "is_sql"]

_OPERATORS: Final = words("= < > ! ~ like ilike in is between")
_JOINS: Final = frozenset(["left", "right", "inner", "full", "cross", "outer", "natural"])
#: The keywords that follow the table of a DELETE or a SELECT.
_CLAUSES: Final = words(
    "where join left right inner full cross natural order group limit using returning having "
    "union for offset fetch window on as except intersect"
)
_COLUMNS: Final = words("id uuid pk rowid key name email count 1")
_KINDS: Final = words(
    "table index view trigger function procedure schema database sequence type extension role "
    "user domain policy"
)
_MODIFIERS: Final = words(
    "or replace temp temporary unlogged global local unique virtual materialized recursive spatial "
    "fulltext"
)
_CHANGES: Final = words(
    "add drop rename alter modify change comment set owner enable disable attach detach convert"
)
_PRIVILEGES: Final = words(
    "select insert update delete all usage execute connect create references trigger"
)
#: The first words of statements, for texts that are certainly meant for a database.
_COMMANDS: Final = words(
    "alter analyze attach begin call checkpoint comment commit copy create deallocate declare "
    "delete detach do drop end exec execute explain fetch grant insert listen lock merge notify "
    "optimize pragma prepare reindex release replace reset revoke rollback savepoint select set "
    "show start truncate unlisten update use vacuum values with"
)

#: Texts to which a table's name will be appended.
_BEGINNINGS: Final = frozenset(
    {
        *("SELECT * FROM", "INSERT INTO", "DELETE FROM", "ALTER TABLE", "TRUNCATE TABLE"),
        *("CREATE TABLE", "CREATE TEMPORARY TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX"),
        *("DROP TABLE", "DROP INDEX", "DROP VIEW"),
    }
)
#: Words of sentences that do not follow the first word of a statement.
_AFTER_VERBS: Final = PROSE - words("for from if in into not on to")


def is_sql(text: str) -> bool:
    """Return whether a text is SQL: a statement, several, or a clause of one."""
    return any(_is_statement(tokens) for tokens in statements(text))


def is_command(text: str) -> bool:
    """Return whether a text passed to a database is SQL, even if it could also be prose."""
    for tokens in statements(text):
        is_prose = tokens.at(1) in _AFTER_VERBS or tokens.is_sentence()
        if tokens.at(0) in _COMMANDS and not is_prose:
            return True
    return is_sql(text)


def _is_statement(text: Statement) -> bool:
    shape = _SHAPES.get(text.at(0))
    return " ".join(text.raw) in _BEGINNINGS or (shape is not None and shape(text))


# -- queries --------------------------------------------------------------------------------------


def _select(text: Statement) -> bool:
    start = 1
    while text.at(start) in ("distinct", "all", "sql_no_cache", "straight_join"):
        start += 1
    end = text.find("from", start)
    if end < 0:
        return _select_alone(text, start)
    if not _is_source(text, end + 1) or not _is_column_list(text, start, end):
        return False
    if text.is_caps(0, end):
        return True
    symbols = [token for token in text.low if not token.replace("'", "").isalpha()]
    if text.is_sentence():
        return any(token in ("*", "=") or PLACEHOLDER.fullmatch(token) for token in symbols)
    if any(token not in (".", "-", "!", "?", "…") for token in symbols):
        return True
    follows = text.at(end + 2)
    return (follows in _CLAUSES and len(text.low) > end + 4) or (
        not follows and end == start + 1 and text.at(start) in _COLUMNS
    )


def _select_alone(text: Statement, start: int) -> bool:
    """Return whether this is a SELECT without a table, or the first part of one."""
    is_call = text.is_name(start) and text.at(start + 1) == "("
    if text.is_caps(0):
        return is_call or text.is_value(start) or text.at(start) in ("*", "case", "exists", "(")
    return not text.is_sentence() and (
        is_call or (len(text.low) == start + 1 and text.at(start).isdigit())
    )


def _is_source(text: Statement, index: int) -> bool:
    return text.is_name(index) or text.is_value(index) or text.at(index) == "("


def _is_column_list(text: Statement, start: int, end: int) -> bool:
    """Return whether the tokens are a list of columns: no item reads like a sentence."""
    item: list[str] = []
    depth = 0
    for index in range(start, end + 1):
        part = text.at(index)
        if index == end or (part == "," and depth == 0):
            if not item or item[0] in PROSE - {"not"}:
                return False
            is_sentence = len(item) > 2 and all(map(str.isalpha, item))
            if is_sentence and not {"as", "case", "is", "like"} & set(item):
                return False
            item = []
        else:
            depth += depth_of(part)
            item.append(part)
    return True


def _with(text: Statement) -> bool:
    start = 2 if text.at(1) == "recursive" else 1
    if not text.is_name(start):
        return False
    end = text.find("as", start + 1, 40)
    while end > 0 and text.at(end + 1) in ("not", "materialized"):
        end += 1
    if end < 0 or text.at(end + 1) != "(":
        return False
    return text.is_caps(0) or text.at(end + 2) in ("select", "insert", "update", "delete", "values")


def _explain(text: Statement) -> bool:
    start = 1
    while text.at(start) in ("analyze", "verbose", "query", "plan", "("):
        start = text.find(")", start) + 1 if text.at(start) == "(" else start + 1
        if not start:
            return False
    return len(text.low) > start and _is_statement(text.after(start))


# -- changes --------------------------------------------------------------------------------------


def _insert(text: Statement) -> bool:
    start = 1
    while text.at(start) in ("or", "ignore", "replace", "abort", "fail", "rollback"):
        start += 1
    if text.at(start) != "into" or not text.is_name(start + 1):
        return False
    if text.is_caps(0, start):
        return True
    follows = text.at(start + 2)
    return (
        (follows == "(" and (not text.is_sentence() or text.find("values", start + 2) > 0))
        or (follows in ("values", "value") and text.at(start + 3) == "(")
        or (follows in ("select", "default", "set") and not text.is_sentence())
    )


def _update(text: Statement) -> bool:
    start = 2 if text.at(1) == "only" else 1
    end = text.find("set", start + 1, 6)
    if end < 0 or not text.is_name(start) or not (_is_source(text, end + 1)):
        return False
    if text.at(end - 1) in PROSE:
        return False
    if text.is_caps(0, end):
        return True
    return "=" in text.low[end + 2 : end + 4]


def _delete(text: Statement) -> bool:
    if text.at(1) != "from" or not _is_source(text, 2):
        return False
    follows = text.at(3)
    if text.is_caps(0, 1):
        return not follows or follows in _CLAUSES or text.at(4) in _CLAUSES
    if not follows:
        return text.is_odd_name(2) and not text.is_sentence()
    return follows in ("where", "using") and _has_condition(text, 4)


def _merge(text: Statement) -> bool:
    return text.at(1) == "into" and text.is_name(2) and text.find("using", 3, 6) > 0


def _truncate(text: Statement) -> bool:
    if text.at(1) == "table":
        return text.is_name(2) and (text.is_caps(0, 1) or len(text.low) == 3)
    return text.is_caps(0) and text.is_name(1) and len(text.low) <= 3


# -- definitions ----------------------------------------------------------------------------------


def _create(text: Statement) -> bool:
    start = 1
    while text.at(start) in _MODIFIERS:
        start += 1
    kind = text.at(start)
    if kind not in _KINDS:
        return False
    name = start + 1
    name += text.at(name) == "concurrently"
    if text.low[name : name + 3] == ["if", "not", "exists"]:
        return True
    if kind == "index" and text.at(name) != "on":
        name += 1
    if kind == "index":
        return (
            text.at(name) == "on" and text.is_name(name + 1) and text.at(name + 2) in ("(", "using")
        )
    if not text.is_name(name):
        return False
    follows = text.at(name + 1)
    wanted = {
        "table": ("(", "as", "using", "partition"),
        "view": ("as", "("),
        "trigger": ("before", "after", "instead"),
        "function": ("(",),
        "procedure": ("(",),
    }
    if kind in wanted:
        is_odd = follows == "(" and not text.is_sentence()
        return follows in wanted[kind] and (text.is_caps(0, start) or is_odd)
    return text.is_caps(0, start)


def _drop(text: Statement) -> bool:
    start = 2 if text.at(1) == "materialized" else 1
    if text.at(start) not in _KINDS and text.at(start) not in ("column", "constraint"):
        return False
    name = start + 1 + (text.at(start + 1) == "concurrently")
    if text.low[name : name + 2] == ["if", "exists"]:
        return True
    if not text.is_name(name):
        return False
    follows = text.at(name + 1)
    return follows in ("cascade", "restrict") or (
        text.is_caps(0, start) and (not follows or follows in (",", "on"))
    )


def _alter(text: Statement) -> bool:
    if text.at(1) not in _KINDS:
        return False
    name = 4 if text.low[2:4] == ["if", "exists"] else 2
    name += text.at(name) == "only"
    return text.is_name(name) and text.at(name + 1) in _CHANGES and not text.is_sentence()


def _grant(text: Statement) -> bool:
    if text.at(1) not in _PRIVILEGES or text.at(2) not in ("on", ",", "privileges", "("):
        return False
    return text.find("on", 2) > 0 and (text.find("to", 3) > 0 or text.find("from", 3) > 0)


# -- others, and clauses: in capitals, since their words are common -------------------------------


def _set(text: Statement) -> bool:
    if not text.is_caps(0):
        return False
    if text.is_caps(1) and text.at(1) in ("local", "session", "transaction", "constraints", "role"):
        return True
    return text.is_name(1) and (text.at(2) == "=" or (text.at(2) == "to" and text.is_caps(2)))


def _caps_then_name(text: Statement) -> bool:
    return text.is_caps(0) and text.is_name(1)


def _lock(text: Statement) -> bool:
    return text.is_caps(0, 1) and text.at(1) in ("table", "tables", "database")


def _copy(text: Statement) -> bool:
    return text.is_caps(0) and text.is_name(1) and text.find("from", 2) + text.find("to", 2) > 0


def _call(text: Statement) -> bool:
    return text.is_caps(0) and (text.at(1) == "(" or (text.is_name(1) and text.at(2) == "("))


def _where(text: Statement) -> bool:
    return _has_condition(text, 1) and (text.is_caps(0) or text.at(0) == "where")


def _has_condition(text: Statement, start: int) -> bool:
    """Return whether a column is compared with a value."""
    is_caps = text.is_caps(start - 1)
    while text.at(start) in ("not", "(", "exists"):
        start += 1
    if text.at(start) == "select":
        return True
    if text.is_name(start) and text.at(start + 1) == "(":
        return is_caps
    if not text.is_name(start) or text.at(start + 1) not in _OPERATORS | {"not"}:
        return False
    if is_caps:
        return True
    end = start + 2
    while text.at(end) in ("=", "<", ">", "(", "not", "in", "like"):
        end += 1
    return MARK not in text.at(start) and text.is_value(end)


def _order(text: Statement) -> bool:
    return text.is_caps(0, 1) and text.at(1) == "by" and (text.is_name(2) or text.is_value(2))


def _join(text: Statement) -> bool:
    start = 0
    while text.at(start) in _JOINS:
        start += 1
    if text.at(start) != "join" or not text.is_caps(0, start):
        return False
    if text.at(start + 1) == "(":
        return True
    return text.is_name(start + 1) and (
        "=" in text.low or text.find("using", start) > 0 or start > 0
    )


def _union(text: Statement) -> bool:
    return text.is_caps(0) and text.at(2 if text.at(1) == "all" else 1) in ("select", "(")


def _limit(text: Statement) -> bool:
    return text.is_caps(0) and text.is_value(1) and len(text.low) <= 6


def _returning(text: Statement) -> bool:
    return text.is_caps(0) and (text.is_name(1) or text.at(1) == "*")


def _from(text: Statement) -> bool:
    return (
        text.is_caps(0)
        and text.is_name(1)
        and any(text.is_caps(index) and text.at(index) in _CLAUSES for index in (2, 3))
    )


def _on(text: Statement) -> bool:
    return text.is_caps(0, 1) and (
        text.at(1) in ("conflict", "duplicate") or (text.is_name(1) and text.at(2) == "=")
    )


_SHAPES: Final[dict[str, Callable[[Statement], bool]]] = {
    "alter": _alter,
    "and": _where,
    "attach": _lock,
    "call": _call,
    "copy": _copy,
    "create": _create,
    "cross": _join,
    "delete": _delete,
    "drop": _drop,
    "explain": _explain,
    "from": _from,
    "full": _join,
    "grant": _grant,
    "group": _order,
    "having": _where,
    "inner": _join,
    "insert": _insert,
    "join": _join,
    "left": _join,
    "limit": _limit,
    "lock": _lock,
    "merge": _merge,
    "offset": _limit,
    "on": _on,
    "or": _where,
    "order": _order,
    "pragma": _caps_then_name,
    "replace": _insert,
    "returning": _returning,
    "revoke": _grant,
    "right": _join,
    "savepoint": _caps_then_name,
    "select": _select,
    "set": _set,
    "truncate": _truncate,
    "union": _union,
    "update": _update,
    "values": _call,
    "where": _where,
    "with": _with,
}
