"""The examples of the page on all policies run, in order; and the picture of README.md is true."""

from __future__ import annotations

import base64
import re
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import django
import pydantic
import sqlalchemy
from django.conf import settings
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

import mantlet
from mantlet.database import SqlRepository
from tests.docs.pages import DOCS, blocks, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = "policies.md"


class Base(DeclarativeBase):
    """The tables of the page."""


class Order(Base):
    """An order of the page."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


class SqlOrders(SqlRepository[Order]):
    """The repository of the page."""


class Item(pydantic.BaseModel):
    """A body."""

    name: str


class ItemPath(pydantic.BaseModel):
    """The parameters of a path."""

    item_id: int


class ItemQuery(pydantic.BaseModel):
    """The parameters of a query."""

    page: int = 1


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, and the views of the page work in the end."""
    if not settings.configured:
        settings.configure()
        django.setup()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openapi.yaml").write_text(
        "{openapi: 3.1.0, info: {title: Shop, version: '1'}, paths: {/orders: {get: {}}}}"
    )
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@localhost/shop")
    monkeypatch.setenv("SIGNING_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    Base.metadata.create_all(engine)
    names: dict[str, Any] = {
        "OrderNotFound": LookupError,
        "SIGNING_KEY": "not-the-key-of-anything",
        "DATABASE_URL": "postgresql://app@localhost/shop",
        "Item": Item,
        "ItemPath": ItemPath,
        "ItemQuery": ItemQuery,
        "PostgresDsn": pydantic.PostgresDsn,
        "digests": {},
        "may_see": bool,
        "sessionmaker": sessionmaker,
        "engine": engine,
        "Order": Order,
        "SqlOrders": SqlOrders,
    }
    code = [block.replace("/var/lib/app", str(tmp_path)) for block in blocks(PAGE)]
    names = run(PAGE, *[one.replace("/run/secrets", str(tmp_path)) for one in code], **names)
    assert all(isinstance(names[one], mantlet.Policy) for one in ("secrets", "uow"))


def test_the_picture_shows_what_the_demo_does() -> None:
    """The number of refused requests depends on the speed of the machine."""
    drawn = (
        "import sys; sys.path.insert(0, 'scripts'); import draw_demo as d; print(d.draw(d.rows()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", drawn], capture_output=True, text=True, check=True, cwd=DOCS.parent
    )

    def steady(text: str) -> str:
        return re.sub(r"\d+ x 200, \d+ x 429", "", text).strip()

    assert steady(done.stdout) == steady((DOCS / "demo.svg").read_text())
