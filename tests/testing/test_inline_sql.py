"""`no_inline_sql()` finds the SQL of a package, and takes no prose for it."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.testing import no_inline_sql
from mantlet.testing.sql_text import is_command, is_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

CORPUS = Path(__file__).parent / "corpus"
#: A line that begins a text, or the one that ends it and says how many lines it has before.
EXPECTED = re.compile(r"# SQL(?:-ABOVE-(\d+))?$")


def package(directory: Path, files: Mapping[str, str]) -> Path:
    """Write a package that can't be imported."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def lines(path: Path) -> set[int]:
    """Return the numbers of the lines that are found in a file."""
    try:
        no_inline_sql(path)
    except AssertionError as error:
        return {
            int(line)
            for line in re.findall(rf"^{re.escape(str(path))}:(\d+): ", str(error), re.MULTILINE)
        }
    return set()


def test_sql_is_found_in_each_of_its_forms(tmp_path: Path) -> None:
    """DB-API, asyncpg, SQLAlchemy, Django, pandas, Peewee; constants, and texts that are built."""
    source = (CORPUS / "sql.txt").read_text()
    path = package(tmp_path, {"shop.py": source}) / "shop.py"
    expected = {
        number - int(match[1] or 0)
        for number, line in enumerate(source.splitlines(), 1)
        if (match := EXPECTED.search(line))
    }
    assert len(expected) > 130
    found = lines(path)
    assert sorted(expected - found) == []
    assert sorted(found - expected) == []


def test_prose_is_not_sql(tmp_path: Path) -> None:
    """Docstrings, messages, HTML and other languages with the words of SQL."""
    path = package(tmp_path, {"shop.py": (CORPUS / "prose.txt").read_text()}) / "shop.py"
    no_inline_sql(path)


@pytest.mark.few_cases(2)
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["flask", "starlette", "httpx", "rich", "hypothesis", "botocore", "email", "asyncio"]
)
def test_packages_without_a_database_have_no_sql(name: str) -> None:
    """Hundreds of thousands of lines of others' messages."""
    no_inline_sql(name, allowed=[])


def test_the_message_lists_each_place(tmp_path: Path) -> None:
    """With the beginning of its text in one line, whatever is in it."""
    query = 'f"""SELECT \\x1b[2J\n  {column}\n FROM ' + "long" * 50 + '"""'
    files = {"shop/__init__.py": "", "shop/views.py": f"\nQUERY = {query}\n"}
    directory = package(tmp_path, files)
    with pytest.raises(AssertionError) as caught:
        no_inline_sql(directory / "shop")
    first, second = str(caught.value).splitlines()
    assert first == "SQL outside of adapters, migrations:"
    assert second.startswith(f"{directory}/shop/views.py:2: SELECT \\x1b[2J {{}} FROM longlong")
    assert second.endswith("...")
    assert len(second) < len(str(directory)) + 100


ADAPTERS = {
    "shop/__init__.py": "",
    "shop/views.py": "",
    "shop/adapters/__init__.py": "",
    "shop/adapters/sql/orders.py": "Q = 'SELECT id FROM orders'",
    "shop/billing/adapters.py": "Q = 'SELECT id FROM bills'",
    "shop/migrations/0001.py": "Q = 'DROP TABLE orders'",
}


def test_adapters_and_migrations_may_have_sql(tmp_path: Path) -> None:
    """At any depth, with all that is in them."""
    no_inline_sql(package(tmp_path, ADAPTERS) / "shop")


def test_what_may_have_sql_is_chosen(tmp_path: Path) -> None:
    """By the names of modules and packages, not by parts of these."""
    shop = package(tmp_path, ADAPTERS) / "shop"
    no_inline_sql(shop, allowed=["adapters.sql", "billing", "migrations"])
    for allowed, found in (
        ([], ["sql/orders.py", "billing/adapters.py", "0001.py"]),
        (["adapter", "sql.orders"], ["billing/adapters.py", "0001.py"]),
        (["billing.adapters"], ["sql/orders.py", "0001.py"]),
        (["orders", "0001"], ["billing/adapters.py"]),
    ):
        with pytest.raises(AssertionError) as caught:
            no_inline_sql(shop, allowed=allowed)
        listed = str(caught.value).splitlines()[1:]
        assert len(listed) == len(found)
        assert all(any(name in line for line in listed) for name in found)


def test_a_package_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without importing it, its parents or its modules."""
    files = {
        "a_shop/__init__.py": "raise SystemExit",
        "a_shop/orders/__init__.py": "raise SystemExit",
        "a_shop/orders/views.py": "raise SystemExit('SELECT id FROM orders')",
        "a_shop/texts.py": "",
        "a_module_of_a_shop.py": "Q = 'SELECT id FROM orders'",
    }
    monkeypatch.syspath_prepend(package(tmp_path, files))
    for name in ("a_shop", "a_shop.orders", "a_shop.orders.views", "a_module_of_a_shop"):
        with pytest.raises(AssertionError, match="SELECT id FROM orders"):
            no_inline_sql(name)
    no_inline_sql("a_shop.texts")
    assert not {name for name in sys.modules if name.startswith("a_shop")}


def test_a_package_that_is_imported_already() -> None:
    """As a module object."""
    import mantlet.health

    assert isinstance(mantlet.health, types.ModuleType)
    no_inline_sql(mantlet.health)


@pytest.mark.parametrize("name", ["no_shop", "mantlet.no_shop", "mantlet.health.policy.no_shop"])
def test_a_package_that_is_missing(name: str) -> None:
    """A check of nothing would always pass."""
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{name}'"):
        no_inline_sql(name)


def test_other_arguments_are_refused(tmp_path: Path) -> None:
    """With what would be right."""
    with pytest.raises(ModuleNotFoundError, match="no file or directory"):
        no_inline_sql(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no modules in Python"):
        no_inline_sql(tmp_path)
    with pytest.raises(ValueError, match="has no modules in Python"):
        no_inline_sql("math")
    with pytest.raises(TypeError, match="package must be a package's name"):
        no_inline_sql(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"a list of names such as \['adapters'\]"):
        no_inline_sql("mantlet", allowed="adapters")
    (tmp_path / "broken.py").write_text("def")
    with pytest.raises(SyntaxError):
        no_inline_sql(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000,
        "select " * 20_000,
        "select '" + "a'" * 20_000,
        "/*" * 20_000,
        "with a as (" * 20_000,
        "select " + "a, " * 20_000 + "from users",
        ";" * 50_000,
        "explain (" * 5_000,
        "\uffff" * 50_000,
    ],
    ids=[
        "parentheses",
        "verbs",
        "quotes",
        "comments",
        "with",
        "columns",
        "ends",
        "explain",
        "marks",
    ],
)
def test_long_texts_are_read_in_part(text: str) -> None:
    """No text takes longer than its first statement, of which the beginning is read."""
    is_sql(text)
    is_command(text)


@given(st.text())
def test_any_text_is_one_or_the_other(text: str) -> None:
    """Nothing fails."""
    assert is_sql(text) in (True, False)
    assert is_command(text) >= is_sql(text)


@pytest.mark.parametrize("operator", ["-", "|", "+ number -", "* 2 +"])
def test_a_long_formula_is_read(tmp_path: Path, operator: str) -> None:
    """As in modules of mathematics; a text within it is seen."""
    terms = ["'SELECT id FROM orders'.count('x')", *(f"x[{number}]" for number in range(700))]
    path = package(tmp_path, {"shop.py": f"y = {f' {operator} '.join(terms)}"}) / "shop.py"
    assert lines(path) == {1}


def test_a_long_concatenation_is_read_in_time(tmp_path: Path) -> None:
    """Generated code may have thousands of parts."""
    source = "Q = " + " + ".join(f"'word{number} '" for number in range(900))
    no_inline_sql(package(tmp_path, {"shop.py": source}) / "shop.py")
