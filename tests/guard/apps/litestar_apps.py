"""Random Litestar apps, for Hypothesis."""

import inspect
from collections.abc import Callable
from dataclasses import make_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import attrs
import litestar
import msgspec
from hypothesis import strategies as st
from litestar.datastructures import UploadFile
from litestar.params import (
    CookieParameter,
    FromPath,
    HeaderParameter,
    JSONBody,
    MultipartBody,
    QueryParameter,
    URLEncodedBody,
)
from pydantic import ConfigDict, create_model
from typing_extensions import TypedDict

from tests.guard.apps.document_requests import Case, Field

Draw = st.DrawFn


class Colour(Enum):
    """An enumeration of texts."""

    RED = "red"
    BLUE = "blue"


class Level(Enum):
    """An enumeration of numbers."""

    LOW = 1
    HIGH = 2


SCALARS: list[Any] = [
    int,
    float,
    bool,
    str,
    Decimal,
    date,
    datetime,
    time,
    timedelta,
    UUID,
    Colour,
    Level,
    Literal["a", "b"],
    Literal[1, 2],
    Any,
]
SEQUENCES: list[Any] = [list[int], list[str], set[int], tuple[int, ...], list[bool]]
FILES: list[Any] = [UploadFile, UploadFile | None, list[UploadFile], list[UploadFile] | None]
#: Types of the path's parameter, by Litestar's names of converters.
PATHS: dict[str, Any] = {
    "int": int,
    "str": str,
    "float": float,
    "uuid": UUID,
    "date": date,
    "datetime": datetime,
    "time": time,
    "decimal": Decimal,
    "timedelta": timedelta,
    "path": Path,
}


def kinds(*lists: list[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy of the types of lists, and of optional ones."""
    kinds = st.sampled_from([kind for one in lists for kind in one])
    return st.one_of(kinds, kinds.map(lambda kind: kind | None))


@st.composite
def fields(draw: Draw, names: list[str], *lists: list[Any]) -> list[Field]:
    """Return a strategy of fields, those that are required first."""
    found = []
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        kind = draw(kinds(*lists))
        found.append(Field(name, kind, draw(st.booleans()), "UploadFile" in str(kind)))
    return sorted(found, key=lambda one: not one.required)


def _default(field: Field) -> dict[str, Any]:
    return {} if field.required else {"default": None}


def _kind(field: Field) -> Any:
    return field.kind if field.required else field.kind | None


def _dataclass(found: list[Field]) -> Any:
    required = [(one.name, one.kind) for one in found if one.required]
    others = [(one.name, _kind(one), None) for one in found if not one.required]
    return make_dataclass("Model", [*required, *others])


def _struct(found: list[Field], *, closed: bool = False) -> Any:
    required = [(one.name, one.kind) for one in found if one.required]
    others = [(one.name, _kind(one), None) for one in found if not one.required]
    return msgspec.defstruct("Model", [*required, *others], forbid_unknown_fields=closed)


def _attrs(found: list[Field]) -> Any:
    made = {one.name: attrs.field(type=_kind(one), **_default(one)) for one in found}
    return attrs.make_class("Model", made)


def _model(found: list[Field]) -> Any:
    """Return a model that takes JSON as it is: a document does not tell what others convert."""
    made: dict[str, Any] = {one.name: (_kind(one), ... if one.required else None) for one in found}
    return create_model("Model", __config__=ConfigDict(strict=True), **made)


def _typed_dict(found: list[Field]) -> Any:
    return TypedDict("Model", {one.name: one.kind for one in found}, total=True)  # type: ignore[operator]


MODELS: list[Callable[[list[Field]], Any]] = [
    _dataclass,
    _struct,
    lambda found: _struct(found, closed=True),
    _attrs,
    _model,
    _typed_dict,
]


def _of(alias: Any, kind: Any) -> Any:
    """Return one of Litestar's aliases for a type."""
    return alias[kind]


@st.composite
def cases(draw: Draw) -> Case:
    """Return a strategy of apps."""
    parts: dict[str, list[Field]] = {}
    parameters: list[inspect.Parameter] = []
    path = "/x"

    def add(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> None:
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
            )
        )

    if draw(st.integers(0, 2)) == 0:
        converter = draw(st.sampled_from(sorted(PATHS)))
        path = f"/x/{{p:{converter}}}"
        parts["path"] = [Field("p", PATHS[converter], required=True)]
        add("p", _of(FromPath, PATHS[converter]))
    marks: dict[str, Any] = {
        "query": QueryParameter,
        "header": HeaderParameter,
        "cookie": CookieParameter,
    }
    for place, mark in marks.items():
        lists = [SCALARS] if place != "query" else [SCALARS, SEQUENCES]
        names = [f"{place[0]}1", f"{place[0]}2"]
        parts[place] = found = draw(fields(names, *lists)) if draw(st.booleans()) else []
        for one in found:
            more = {"name": f"X-{one.name}"} if place == "header" else {}
            empty = inspect.Parameter.empty if one.required else None
            add(one.name, Annotated[_kind(one), mark(**more)], empty)
    kind = draw(st.sampled_from(["none", "json", "json", "form", "urlencoded", "files"]))
    if kind == "json":
        parts["json"] = draw(fields(["a", "b", "c"], SCALARS, SEQUENCES))
        model = draw(st.sampled_from(MODELS))(parts["json"])
        add("data", _of(JSONBody, model))
    elif kind == "urlencoded":
        parts["urlencoded"] = draw(fields(["a", "b", "c"], SCALARS, SEQUENCES))
        add("data", _of(URLEncodedBody, draw(st.sampled_from(MODELS[:4]))(parts["urlencoded"])))
    elif kind == "form":
        parts["form"] = draw(fields(["a", "b", "c"], SCALARS, SEQUENCES, FILES, FILES))
        add("data", _of(MultipartBody, draw(st.sampled_from(MODELS[:2]))(parts["form"])))
    elif kind == "files":
        one = draw(st.sampled_from([*FILES, dict[str, UploadFile]]))
        parts["form"] = [Field("a", one, True, is_file=True)]
        add("data", _of(MultipartBody, one))

    async def endpoint(**_values: Any) -> str:
        return "ran"

    endpoint.__signature__ = inspect.Signature(parameters, return_annotation=str)  # type: ignore[attr-defined]
    endpoint.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": str}
    handler = litestar.post(path, status_code=200)(endpoint)
    app = litestar.Litestar([handler], logging_config=None)
    told = f"POST {path}\n" + "\n".join(f"  {place} {one}" for place, one in parts.items() if one)
    return Case(app, path, parts, f"{told}\n  {parameters[-1:]}", app)
