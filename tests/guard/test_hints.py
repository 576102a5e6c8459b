"""Mistakes in a declaration say what was meant, at construction."""

from __future__ import annotations

import dataclasses
import sys
import warnings
from pathlib import Path
from typing import Any

import fastapi
import flask
import litestar
import pytest
from pydantic import BaseModel

from mantlet import BodyLimits, Contract, File, RateLimiter, RouteOptions, SchemaGuard

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of Pythons that pydantic 1 does not support
    from pydantic.v1 import BaseModel as OldModel

    class Old(OldModel):
        name: str


class Item(BaseModel):
    name: str = "a"


@dataclasses.dataclass
class Point:
    x: int = 0


NOWHERE: Any = object()
DOCUMENT: Any = {"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": {}}


class APISpec:
    """Looks like apispec's."""

    openapi_version = "3.1.0"

    def to_dict(self) -> Any:
        return DOCUMENT


SPEC = APISpec()


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("openapi.yaml", r"SchemaGuard\(openapi='openapi.yaml'\)"),
        (Path("api/openapi.yaml"), r"SchemaGuard\(openapi='api/openapi.yaml'\)"),
        (DOCUMENT, r"SchemaGuard\(openapi=document\)"),
        ({"swagger": "2.0"}, r"SchemaGuard\(openapi=document\)"),
        (fastapi.FastAPI(), r"pass the FastAPI app as SchemaGuard.from_app\(app\)"),
        (
            litestar.Litestar(logging_config=None),
            r"pass the Litestar app as SchemaGuard.from_app\(app\)",
        ),
        (SPEC, r"pass the APISpec as SchemaGuard.from_app"),
        (flask.Flask("a"), r"a Flask has no document: write contracts, and wrap it: mantlet.wrap"),
        (Item, r'SchemaGuard\(\{"POST /items": Item\}\)'),
        ([Item], "not list; write SchemaGuard"),
        (5, "not int; write SchemaGuard"),
    ],
)
def test_the_first_argument_is_contracts(argument: Any, hint: str) -> None:
    """A document, an app and a model go elsewhere."""
    with pytest.raises(TypeError, match=f"contracts must be a mapping.*{hint}"):
        SchemaGuard(argument)


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        (fastapi.FastAPI(), r"SchemaGuard.from_app\(app\)"),
        (SPEC, "SchemaGuard.from_app"),
        (flask.Flask("a"), "has no document"),
        ({"POST /items": Item}, r"pass contracts first: SchemaGuard\(\{'POST /items'"),
        ('{"openapi": "3.1.0"}', "not the text of a document"),
        ("openapi: 3.1.0\ninfo: {}", "not the text of a document"),
        (5, "not int"),
    ],
)
def test_a_document_is_a_path_or_a_dict(document: Any, hint: str) -> None:
    """An app, contracts and a document's text are not."""
    with pytest.raises(TypeError, match=f"openapi must be a path or a dict.*{hint}"):
        SchemaGuard(openapi=document)


def test_nothing_at_all_shows_what_there_is() -> None:
    """Three ways to declare operations."""
    with pytest.raises(TypeError, match=r"needs either .*openapi=.*from_app"):
        SchemaGuard()


@pytest.mark.parametrize(
    ("app", "shown"),
    [("openapi.yaml", "'openapi.yaml'"), (DOCUMENT, "document")],
    ids=["path", "dict"],
)
def test_from_app_needs_an_app(app: Any, shown: str) -> None:
    """A document is an option."""
    with pytest.raises(TypeError, match=rf"pass a document as SchemaGuard\(openapi={shown}\)"):
        SchemaGuard.from_app(app)


@pytest.mark.parametrize("part", ["alone", "body", "query", "form", "response"])
@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (Item(), "pass the class Item, not an instance of it"),
        (Old, "Old is a model of pydantic.v1: derive it from pydantic.BaseModel"),
        (Old(name="a"), "pass the class Old, not an instance"),
        (Point(), "not a Point"),
        ("Item", "pass the class itself, not its name 'Item'"),
        ([Item], r"write list\[Item\], not a list"),
        ({Item}, r"write set\[Item\], not a set"),
        ({"name": str}, "write a BaseModel or a TypedDict"),
        (File(), "not a File"),
        (RouteOptions(), "not a RouteOptions"),
        (Contract, r"write Contract\(...\), not the class"),
        (print, "not a builtin_function_or_method"),
        (lambda value: value, "not a function"),
        (5, "not a int"),
        (True, "not a bool"),
    ],
    ids=range(15),
)
def test_a_model_is_a_type(part: str, kind: Any, hint: str) -> None:
    """Wherever a contract names one."""
    if part == "response" and isinstance(kind, dict):
        return  # of statuses
    contract = kind if part == "alone" else Contract(**{part: kind})
    with pytest.raises(TypeError, match=f"^POST /items: .* must be a model.*{hint}"):
        SchemaGuard({"POST /items": contract})


GUARD: Any = SchemaGuard
CONTRACT: Any = Contract
ITEMS = {"POST /": Item}


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (CONTRACT, {"boddy": Item}, "did you mean 'body'"),
        (CONTRACT, {"files": [1]}, "files must be a mapping of names to File"),
        (CONTRACT, {"required": "no"}, "required must be True or False, not 'no'"),
        (CONTRACT, {"raw": [5]}, "raw must be a list of media types"),
        (BodyLimits, {"itens": 5}, "did you mean 'items'"),
        (RouteOptions, {"mood": "off"}, "did you mean 'mode'"),
        (File, {"max_sise": 5}, "did you mean 'max_size'"),
        (GUARD, {"contracts": ITEMS, "limit": BodyLimits()}, "did you mean 'limits'"),
        (GUARD, {"contracts": ITEMS, "finding": "x"}, "did you mean 'findings'"),
        (GUARD, {"contracts": ITEMS, "statuses": 400}, "did you mean 'status'"),
        (GUARD, {"contracts": ITEMS, "routes": [1]}, "routes must be a mapping of route"),
        (GUARD, {"contracts": ITEMS, "sample_rate": "x"}, "sample_rate must be a number"),
        (GUARD, {"contracts": ITEMS, "sample_rate": True}, "sample_rate must be a number"),
        (GUARD, {"contracts": ITEMS, "formats": True}, "formats is an option for documents"),
        (GUARD, {"contracts": ITEMS, "require_bounds": True}, "an option for documents"),
        (GUARD, {"openapi": DOCUMENT, "require_bounds": "no"}, "require_bounds must be True"),
    ],
    ids=range(16),
)
def test_wrong_options_are_type_errors(kind: Any, given: dict[str, Any], message: str) -> None:
    """With the near one, and what would be right."""
    with pytest.raises(TypeError, match=message):
        kind(**given)


@pytest.mark.parametrize(
    ("kind", "given", "usual"),
    [(CONTRACT, Item, "body"), (BodyLimits, 100, "body"), (RouteOptions, "report", "mode")],
)
def test_options_are_keywords(kind: Any, given: Any, usual: str) -> None:
    """With an example."""
    name = kind.__name__
    message = rf"{name}\(\) takes its options by keyword, such as {name}\({usual}=\.\.\.\)"
    with pytest.raises(TypeError, match=message):
        kind(given)


def test_arguments_by_position_stay_where_there_are_some() -> None:
    """The first ones of other policies, and no more of them."""
    assert RateLimiter("10/minute").mode == "enforce"
    rates: Any = ("5/second", "10/minute")
    with pytest.raises(TypeError, match=r"^RateLimiter\(\) takes quota by position, all else by"):
        RateLimiter(*rates)


def test_an_allowance_is_a_collection() -> None:
    """Not a number."""
    wrong: Any = 5
    with pytest.raises(ValueError, match="allow must be some of"):
        RouteOptions(allow=wrong)


@pytest.mark.parametrize("library", ["jiter", "pydantic"])
@pytest.mark.parametrize("declared", ["contracts", "app"])
def test_a_missing_library_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, library: str, declared: str
) -> None:
    """At construction, also where the app has brought one of the two."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf'{library} .*: pip install "mantlet\[guard\]"$'):
        SchemaGuard({"POST /": Item}) if declared == "contracts" else SchemaGuard.from_app(
            fastapi.FastAPI()
        )
