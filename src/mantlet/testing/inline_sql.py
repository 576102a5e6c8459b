"""`no_inline_sql()`: check in a test that SQL occurs only in the modules meant for it."""

import ast
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final

from mantlet._internal.printable import printable
from mantlet.testing.sql_text import is_command, is_sql
from mantlet.testing.sql_tokens import MARK, words

__all__ = ["no_inline_sql"]

_ALLOWED: Final = ("adapters", "migrations")
_MAX_SNIPPET: Final = 60

#: Methods and functions, of any object, that pass their string arguments to a database.
_EXECUTES: Final = words(
    "copy_expert exec_driver_sql exec_sql execute execute_batch execute_many execute_sql "
    "execute_values executemany executescript fetchrow fetchval mogrify raw raw_sql read_sql "
    "read_sql_query"
)
#: Functions and classes of libraries that turn any string into SQL.
_MAKES_SQL: Final = words("DDL RawQuery RawSQL SQL TextClause literal_column raw_sql text")
_LIBRARIES: Final = words(
    "django flask_sqlalchemy peewee pony psycopg psycopg2 sqlalchemy sqlmodel tortoise"
)
#: Usual names of an object that has SQLAlchemy's functions as attributes.
_USUAL_NAMES: Final = frozenset({"db", "sa"})
#: Arguments of Django's ``QuerySet.extra()``.
_EXTRA: Final = frozenset({"where", "select", "tables"})
#: String methods that return nearly the same string.
_TEXT_METHODS: Final = words(
    "casefold encode expandtabs format format_map lower lstrip replace rstrip strip upper"
)


def no_inline_sql(package: str | ModuleType | Path, *, allowed: Iterable[str] = _ALLOWED) -> None:
    """Check that no module of a package has SQL in a string, except for the allowed ones.

    The modules are parsed, not imported. The check finds SQL in constants, f-strings,
    concatenations and formatted strings, and all strings that are passed to functions known to run
    SQL. It ignores docstrings and prose.

    Args:
        package: the package or module: its name, the imported module, or a directory or file.
        allowed: names of subpackages and modules that may contain SQL, with all their submodules:
            ``"adapters"`` matches at any depth, ``"orders.adapters"`` only within ``orders``.

    Raises:
        AssertionError: SQL was found; each place is listed as ``file:line``.
        ModuleNotFoundError: the package was not found.
        SyntaxError: a module can't be parsed.
        TypeError: an argument has the wrong type.
        ValueError: the package has no Python modules.
    """
    if isinstance(allowed, str):
        raise TypeError(f"allowed must be a list of names such as [{allowed!r}], not a text")
    names = [tuple(name.split(".")) for name in allowed]
    modules = list(_modules(package))
    if not modules:
        raise ValueError(f"{package} has no modules in Python")
    found = [
        f"{path}:{line}: {printable(' '.join(text.replace(MARK, '{}').split()), _MAX_SNIPPET)}"
        for path, parts in modules
        if not any(_contains(parts, name) for name in names)
        for line, text in _find(path)
    ]
    if found:
        listed = "\n".join(found)
        raise AssertionError(
            f"SQL outside of {', '.join('.'.join(name) for name in names) or 'nowhere'}:\n{listed}"
        )


# -- modules --------------------------------------------------------------------------------------


def _modules(package: str | ModuleType | Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Iterate over the files of a package, with their names within it."""
    for place in _places(package):
        if place.is_file():
            yield place, (place.stem,)
        for path in sorted(place.rglob("*.py")):
            yield path, path.relative_to(place).with_suffix("").parts


def _places(package: str | ModuleType | Path) -> list[Path]:
    if isinstance(package, Path):
        if not package.exists():
            raise ModuleNotFoundError(f"there is no file or directory {package}")
        return [package]
    if isinstance(package, ModuleType):
        spec = package.__spec__
        name = package.__name__
    elif isinstance(package, str):
        spec, name = _spec(package), package
    else:
        raise TypeError(f"package must be a package's name, such as 'shop', not {package!r}")
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin and spec.origin.endswith(".py") else []


def _spec(name: str) -> ModuleSpec | None:
    """Find a module without importing it or its parents."""
    first, *rest = name.split(".")
    spec = find_spec(first)
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        places = list(spec.submodule_search_locations)
        spec = PathFinder.find_spec(f"{spec.name}.{part}", places)
    return spec


def _contains(parts: tuple[str, ...], name: tuple[str, ...]) -> bool:
    """Return whether a module's name contains the parts of an allowed name in sequence."""
    return any(
        parts[index : index + len(name)] == name for index in range(len(parts) - len(name) + 1)
    )


# -- texts ----------------------------------------------------------------------------------------


def _find(path: Path) -> list[tuple[int, str]]:
    """Return the line numbers and strings of the SQL in a file."""
    finder = _Finder()
    finder.visit(ast.parse(path.read_bytes(), str(path)))
    return sorted(finder.found)


class _Finder(ast.NodeVisitor):
    """Finds the SQL in a module."""

    def __init__(self) -> None:
        self.found: set[tuple[int, str]] = set()
        self._imports: dict[str, str] = {}
        #: The strings assigned to names in the current function so far, with their line numbers.
        self._assigned: dict[str, tuple[int, str]] = {}

    # -- statements ---

    def visit_Import(self, node: ast.Import) -> None:  # as NodeVisitor names it
        """Remember the names of modules."""
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self._imports[name] = alias.name if alias.asname else name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Remember where names come from; ``import *`` may import each function that makes SQL."""
        for alias in node.names:
            names = _MAKES_SQL if alias.name == "*" else [alias.asname or alias.name]
            for name in names:
                origin = name if alias.name == "*" else alias.name
                self._imports[name] = f"{node.module or ''}.{origin}"

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Visit a function, which has its own scope."""
        outer, self._assigned = self._assigned, {}
        self.generic_visit(node)
        self._assigned = outer

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815  # as `ast.NodeVisitor` looks it up

    def visit_Expr(self, node: ast.Expr) -> None:
        """Skip strings that stand alone, such as docstrings."""
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Remember a string, since others may be appended to it."""
        text = _text(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name) and text is not None:
                self._assigned[target.id] = node.value.lineno, text
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Check a string together with the strings that it is appended to."""
        text = _text(node.value)
        if isinstance(node.target, ast.Name) and text is not None:
            line, before = self._assigned.get(node.target.id, (node.lineno, ""))
            self._assigned[node.target.id] = line, before + text
            if not is_sql(before) and is_sql(before + text):
                self.found.add((line, before + text))
        self.generic_visit(node)

    # -- expressions ---

    def visit_Call(self, node: ast.Call) -> None:
        """Check the strings passed to functions that are known to run or make SQL."""
        path = _dotted(node.func)
        name = path.rpartition(".")[2]
        texts = [*node.args, *(one.value for one in node.keywords)]
        if self._makes_sql(path):
            self._report(texts[:1], anything=True)
        elif name in _EXECUTES:
            self._report(texts)
        elif name == "extra" and _EXTRA & {str(one.arg) for one in node.keywords}:
            self._report((one.value for one in node.keywords), anything=True)
        self._visit_text(node)

    def visit_List(self, node: ast.List | ast.Tuple) -> None:
        """Check strings that will be joined."""
        parts = [_text(one) for one in node.elts]
        whole = " ".join(map(_marked, node.elts))
        given = [part for part in parts if part is not None]
        if len(given) > 1 and not any(map(is_sql, given)) and is_sql(whole):
            self.found.add((node.lineno, whole))
        self.generic_visit(node)

    visit_Tuple = visit_List  # noqa: N815  # as `ast.NodeVisitor` looks it up

    def _visit_text(self, node: ast.expr) -> None:
        """Check a string, and visit the expressions in it."""
        text = _text(node)
        if text is None or not is_sql(text):
            if isinstance(node, ast.BinOp):
                self._visit_operands(node)
            else:
                self.generic_visit(node)
            return
        self.found.add((node.lineno, text))
        for child in ast.walk(node):
            if child is not node and isinstance(child, ast.Call):
                self.visit(child)

    def _visit_operands(self, node: ast.BinOp) -> None:
        """Visit the operands without recursion: a module of formulas can have very long chains."""
        waiting = _operands(node)
        while waiting:
            operand = waiting.pop()
            if isinstance(operand, ast.BinOp) and _text(operand) is None:
                waiting += _operands(operand)
            else:
                self.visit(operand)

    visit_Constant = _visit_text  # noqa: N815  # as `ast.NodeVisitor` looks it up
    visit_JoinedStr = _visit_text  # noqa: N815  # as `ast.NodeVisitor` looks it up
    visit_TemplateStr = _visit_text  # noqa: N815  # as `ast.NodeVisitor` looks it up
    visit_BinOp = _visit_text  # noqa: N815  # as `ast.NodeVisitor` looks it up

    def _makes_sql(self, path: str) -> bool:
        first, _, rest = path.partition(".")
        origin = self._imports.get(first, first) + (f".{rest}" if rest else "")
        if origin.rpartition(".")[2] not in _MAKES_SQL:
            return False
        return origin.partition(".")[0] in _LIBRARIES or (bool(rest) and first in _USUAL_NAMES)

    def _report(self, nodes: Iterable[ast.expr], *, anything: bool = False) -> None:
        for node in nodes:
            parts = node.elts if isinstance(node, ast.List | ast.Tuple) and anything else [node]
            parts = [*node.values] if isinstance(node, ast.Dict) and anything else parts
            for part in parts:
                text = _text(part)
                if text is not None and (anything or is_command(text)):
                    self.found.add((part.lineno, text))


def _dotted(node: ast.expr) -> str:
    """Return a dotted name; other expressions become "?"."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _text(node: ast.AST) -> str | None:
    """Return the string that an expression builds, with marks for inserted values, or None."""
    if isinstance(node, ast.Constant):
        value = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
        return value if isinstance(value, str) else None
    if isinstance(node, ast.BinOp):
        return _text_of_operation(node)
    if isinstance(node, ast.Call):
        return _text_of_call(node)
    if type(node).__name__ in ("JoinedStr", "TemplateStr"):  # the second is new in Python 3.14
        return "".join(map(_marked, getattr(node, "values", ())))
    return None


def _marked(node: ast.AST) -> str:
    text = _text(node)
    return MARK if text is None else text


def _text_of_operation(node: ast.BinOp) -> str | None:
    if isinstance(node.op, ast.Mod):
        return _text(node.left)
    parts = [_text(one) for one in _operands(node)] if isinstance(node.op, ast.Add) else []
    if not any(part is not None for part in parts):
        return None
    return "".join(MARK if part is None else part for part in parts)


def _operands(node: ast.BinOp) -> list[ast.expr]:
    """Return all operands of a chain of additions, or the two of any other operation."""
    operands = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and (left is node or isinstance(left.op, ast.Add)):
        operands.append(left.right)
        left = left.left
        if not isinstance(node.op, ast.Add):
            break
    return [left, *reversed(operands)]


def _text_of_call(node: ast.Call) -> str | None:
    function = node.func
    first = node.args[0] if node.args else None
    if isinstance(function, ast.Attribute):
        text = _text(function.value)
        if function.attr in _TEXT_METHODS:
            return text
        if function.attr == "join" and text is not None and isinstance(first, ast.List | ast.Tuple):
            return text.join(map(_marked, first.elts))
    if first is not None and _dotted(function).rpartition(".")[2] in ("dedent", "cleandoc"):
        return _text(first)
    return None
