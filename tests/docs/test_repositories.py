"""The examples of the page on repositories."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import sessionmaker

from mantlet.testing import RepositoryContract
from tests.docs.pages import blocks, run
from tests.drive import drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mantlet.events.event import Event

PAGE = "repositories.md"


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.SimpleNamespace]:
    """What the blocks of the page define, one after the other."""
    monkeypatch.chdir(tmp_path)
    # Annotations of mapped classes are looked up in their module.
    monkeypatch.setitem(sys.modules, "page", types.ModuleType("page"))
    names = types.SimpleNamespace(**run(PAGE, *blocks(PAGE)))
    yield names
    names.engine.dispose()


def test_an_order_is_closed(names: types.SimpleNamespace) -> None:
    """Over the app of the page, whose event is relayed, and in memory."""
    names.Base.metadata.create_all(names.engine)
    with sessionmaker(names.engine).begin() as session:
        session.add(names.Order(user="ada"))
        session.add(names.Order(user="grace"))
    statuses = [drive_wsgi(names.app, "POST", f"/orders/{key}/close").status for key in (1, 2, 3)]
    assert statuses == [200, 404, 404]
    published: list[Event] = []
    names.relay(published.append)
    assert [(event.type, event.data) for event in published] == [("order.closed", {"order": 1})]
    names.test_an_order_is_closed()


def test_no_sql(
    names: types.SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a package with SQL in its adapters, and elsewhere."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop" / "adapters").mkdir(parents=True)
    (tmp_path / "shop" / "adapters" / "orders.py").write_text("Q = 'SELECT id FROM orders'")
    names.test_sql_is_in_the_adapters()
    (tmp_path / "shop" / "views.py").write_text("Q = 'SELECT id FROM orders'")
    with pytest.raises(AssertionError, match=r"views\.py:1: SELECT id FROM orders"):
        names.test_sql_is_in_the_adapters()


TESTS = [name for name in vars(RepositoryContract) if name.startswith("test_")]


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("kind", ["TestSqlOrders", "TestInMemoryOrders"])
def test_the_contract(kind: str, test: str, names: types.SimpleNamespace, tmp_path: Path) -> None:
    """Both repositories of the page pass it."""
    contract = getattr(names, kind)()
    if kind == "TestInMemoryOrders":
        contract.work = names.InMemoryWork(orders=names.InMemoryOrders())
        getattr(contract, test)()
        return
    engine = names.create_engine(f"sqlite:///{tmp_path}/db")
    names.Base.metadata.create_all(engine)
    contract.sessions = sessionmaker(engine)
    getattr(contract, test)()
    engine.dispose()
