"""The examples of the page on units of work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import sessionmaker

from mantlet import UnitOfWork
from tests.docs.pages import block_with, blocks, run
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = "unit-of-work.md"


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks, one after the other: an order is placed once, and listed."""
    monkeypatch.chdir(tmp_path)
    names = run(PAGE, *blocks(PAGE)[:1])
    names["Base"].metadata.create_all(names["engine"])
    json = [("Content-Type", "application/json")]
    for status in (201, 409):
        answer = drive_wsgi(names["app"], "POST", "/orders", headers=json, body=b'{"item": "tea"}')
        assert answer.status == status
    names = run(PAGE, *blocks(PAGE)[1:], **names)
    answer = drive_asgi(names["app"], "GET", "/orders")
    assert (answer.status, answer.json()) == (200, ["tea"])

    work = UnitOfWork(sessionmaker(names["engine"])).begin()
    with work:
        assert names["place_once"](work, "tea") is False
        assert names["place_once"](work, "cup") is True
        names["start_again"](work, "tea")  # which forgets the cup
    names["import_order"]("pot")
    assert drive_asgi(names["app"], "GET", "/orders").json() == ["tea", "pot"]
    assert "create_table" in block_with(PAGE, "records = ")
    names["engine"].dispose()
