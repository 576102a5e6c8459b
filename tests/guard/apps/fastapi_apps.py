"""Random FastAPI apps, for Hypothesis."""

import enum
import inspect
import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePath
from typing import Annotated, Any, Literal, NamedTuple

import fastapi
from annotated_types import Gt, Len, MaxLen
from fastapi import Body, Cookie, File, Form, Header, Path, Query, UploadFile
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AnyUrl,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    Json,
    NaiveDatetime,
    SecretStr,
    StrictInt,
    StringConstraints,
    WrapValidator,
    create_model,
    model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

Draw = st.DrawFn


class Colour(enum.Enum):
    """An enumeration of texts."""

    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    """An enumeration of numbers."""

    LOW = 1
    HIGH = 2


@dataclass
class Point:
    """A dataclass."""

    x: int
    y: float = 0.5


class Options(TypedDict, total=False):
    """A typed dict."""

    deep: bool
    names: list[str]


class Cat(BaseModel):
    """A choice of a union."""

    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    """Another one."""

    kind: Literal["dog"]
    good: bool


class Word(enum.StrEnum):
    """An enumeration of texts that are texts."""

    ABC = "abc"


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


def _halves(value: Any) -> Any:
    return value.split(",")[0] if isinstance(value, str) else value


def _wrapped(value: Any, handler: Any) -> Any:
    return 7 if value == "seven" else handler(value)


SCALARS: list[Any] = [
    IPv4Address,
    PurePath,
    SecretStr,
    Word,
    NaiveDatetime,
    ByteSize,
    AnyUrl,
    Base64Bytes,
    Literal["a", 1, True],
    date | int,
    Annotated[Decimal, Field(max_digits=4, decimal_places=1, gt=0)],
    Annotated[int, Field(multiple_of=2)],
    Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=3)],
    Annotated[int, AfterValidator(_even)],
    Annotated[int, BeforeValidator(_halves)],
    Annotated[int, WrapValidator(_wrapped)],
    Annotated[timedelta, Field(le=timedelta(days=2))],
    int,
    float,
    bool,
    str,
    Decimal,
    date,
    datetime,
    time,
    timedelta,
    uuid.UUID,
    Colour,
    Level,
    Literal["a", "b"],
    Literal[1, 2],
    bytes,
    StrictInt,
    Annotated[int, Gt(0)],
    Annotated[str, Len(2, 4)],
    Annotated[float, Field(ge=0, le=10)],
    Annotated[str, Field(pattern="^[a-z]+$")],
    int | str,
    bool | int,
    Json[int],
    Json[list[int]],
    Any,
]
SEQUENCES: list[Any] = [
    list[Colour],
    list[Annotated[int, Gt(0)]],
    set[Literal["a", "b"]],
    list[int] | str,
    list[int],
    list[str],
    set[int],
    frozenset[str],
    tuple[int, ...],
    tuple[int, str],
    Annotated[list[int], MaxLen(2)],
    list[bool],
]
FILES: list[Any] = [
    UploadFile,
    UploadFile | None,
    list[UploadFile],
    list[UploadFile] | None,
    bytes,
    bytes | None,
    list[bytes],
    Annotated[bytes, MaxLen(5)],
]
TEXTS = [
    "192.0.2.1",
    "1 KB",
    "https://x.test/",
    "seven",
    "YWJj",
    " ABC ",
    "",
    "0",
    "1",
    "2",
    "-1",
    "01",
    "+1",
    "1_000",
    " 1",
    "2.5",
    "1.0",
    "1e3",
    "nan",
    "inf",
    "true",
    "True",
    "TRUE",
    "yes",
    "on",
    "off",
    "no",
    "f",
    "null",
    "None",
    "a",
    "b",
    "red",
    "RED",
    "abc",
    "abcde",
    "a,b",
    "1,2",
    "[1, 2]",
    '{"x": 1}',
    '"a"',
    "2024-01-31",
    "2024-02-30",
    "2024-01-31T10:00:00Z",
    "2024-01-31 10:00",
    "1700000000",
    "1700000000.5",
    "10:30",
    "P1D",
    "1 day",
    "01:00:00",
    "3600",
    "8f14e45f-ceea-467f-a0f4-0123456789ab",
    "8f14e45fceea467fa0f40123456789ab",
    "é",
    "line\r\nline",
    "a b",
    "x=y&z",
    "100%",
    "99999999999999999999",
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    2,
    -1,
    2.5,
    1.0,
    10**20,
    "",
    *TEXTS[1:30],
    "2024-01-31",
    "1700000000",
    [],
    [1, 2],
    ["1", "x"],
    [1, 1],
    [True, "on"],
    {},
    {"x": 1},
    {"x": "1", "y": 2},
    {"x": 1, "z": 2},
    {"deep": "yes"},
    {"deep": True, "names": ["a"]},
    {"kind": "cat"},
    {"kind": "dog", "good": "on"},
    {"kind": "cow"},
    {"a": 1},
    {"a": "1", "b": None},
    {"b_b": 2},
    {"a": 1, "more": 5},
]


#: Texts that a type most likely takes, by the beginning of its name.
LIKELY = {
    "int": ["1", "2", "-1", "2.0"],
    "ipv4": ["192.0.2.1"],
    "bytesize": ["1 KB", "5"],
    "anyurl": ["https://x.test/"],
    "purepath": ["a", "a/b"],
    "secretstr": ["abc"],
    "word": ["abc"],
    "float": ["2.5", "1"],
    "bool": ["on", "yes", "1", "False"],
    "str": ["a", "abc"],
    "decimal": ["2.5", "1e3"],
    "datetime.date'": ["2024-01-31", "1700006400"],
    "datetime.datetime": ["2024-01-31T10:00:00Z", "1700000000"],
    "datetime.time'": ["10:30", "3600"],
    "datetime.timedelta": ["P1D", "3600"],
    "uuid": ["8f14e45f-ceea-467f-a0f4-0123456789ab"],
    "colour": ["red"],
    "level": ["1"],
    "literal": ["a", "1"],
    "bytes": ["a"],
}


def likely(kind: Any) -> list[str]:
    """Return texts that a type most likely takes."""
    told = str(kind).lower()
    return [text for begin, texts in LIKELY.items() if begin in told for text in texts] or TEXTS


class Part(NamedTuple):
    """A parameter of an endpoint.

    Attributes:
        place: path, query, header, cookie, body, form or file.
        names: the names that a request may have.
    """

    parameter: inspect.Parameter
    place: str
    names: tuple[str, ...]


class Case(NamedTuple):
    """A random app.

    Attributes:
        app: it has one route, which answers 200.
        method: of the route.
        template: its path.
        parts: its parameters.
        told: the source, for people.
    """

    app: fastapi.FastAPI
    method: str
    template: str
    parts: tuple[Part, ...]
    told: str


def scalars() -> st.SearchStrategy[Any]:
    """Return a strategy of types of scalars."""
    kinds = st.sampled_from(SCALARS)
    return st.one_of(kinds, kinds.map(lambda kind: kind | None))


def sequences() -> st.SearchStrategy[Any]:
    """Return a strategy of types of sequences."""
    kinds = st.sampled_from(SEQUENCES)
    return st.one_of(kinds, kinds.map(lambda kind: kind | None))


@st.composite
def models(
    draw: Draw, *, nested: bool, files: bool = False, extras: bool = True
) -> type[BaseModel]:
    """Return a strategy of models."""
    kinds = [scalars(), sequences()]
    if nested:
        kinds += [structures(), st.sampled_from([dict[str, int], Json[int]])]
    if files:
        kinds.append(st.sampled_from([UploadFile, UploadFile | None, list[UploadFile]]))
    fields: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(["a", "b_b", "c"]), min_size=1, unique=True)):
        kind = draw(st.one_of(kinds))
        alias = draw(st.sampled_from([None, None, None, f"{name}-x"]))
        choices = draw(st.sampled_from([None, None, None, AliasChoices(f"{name}1", f"{name}2")]))
        default = draw(st.sampled_from([..., None, ...]))
        if default is None:
            kind = kind | None
        fields[name] = (kind, Field(default, alias=alias, validation_alias=choices))
    config = ConfigDict()
    if draw(st.integers(0, 5)) == 0:
        config["alias_generator"] = to_camel
    extra: Any = draw(st.sampled_from([None, None, None, "forbid", "ignore", "allow"]))
    if extra and extras:
        config["extra"] = extra
    if draw(st.integers(0, 5)) == 0:
        config["populate_by_name"] = True
    if draw(st.integers(0, 7)) == 0:
        config["strict"] = True
    made: type[BaseModel] = create_model("Model", __config__=config, **fields)
    if draw(st.integers(0, 5)) == 0:
        made = _checked(made)
    return made


def _checked(model: type[BaseModel]) -> type[BaseModel]:
    """Return a model with validators of the whole."""

    class Checked(model):  # type: ignore[valid-type,misc]
        @model_validator(mode="before")
        @classmethod
        def before(cls, value: Any) -> Any:
            return (
                {**value, "a": "2"} if isinstance(value, dict) and value.get("c") == "on" else value
            )

        @model_validator(mode="after")
        def after(self) -> Any:
            if getattr(self, "a", None) == "abc":
                raise ValueError("not this one")
            return self

    return Checked


def structures() -> st.SearchStrategy[Any]:
    """Return a strategy of types of objects."""
    return st.sampled_from(
        [
            Point,
            Options,
            Annotated[Cat | Dog, Field(discriminator="kind")],
            Cat | Dog,
            list[Point],
            dict[str, int],
            list[Cat] | None,
            list[Cat | Dog],
            Point | list[int],
            Cat | int,
            dict[Colour, bool],
            tuple[Point, int],
        ]
    )


def model_wires(model: Any) -> list[str]:
    """Return all names that the fields of a model may have."""
    wires = []
    for name, info in model.model_fields.items():
        wires.append(info.alias or name)
        if isinstance(info.validation_alias, AliasChoices):
            wires += [one for one in info.validation_alias.choices if isinstance(one, str)]
        wires += [name, to_camel(name)]
    return list(dict.fromkeys(wires))


_MARKS: dict[str, Any] = {
    "path": Path,
    "query": Query,
    "header": Header,
    "cookie": Cookie,
    "body": Body,
    "form": Form,
    "file": File,
}


def _default(draw: Draw) -> Any:
    empty = inspect.Parameter.empty
    return draw(st.sampled_from([empty, empty, None, None, 7]))


def _parameter_kind(draw: Draw, name: str, place: str, options: dict[str, Any]) -> Any:
    """Return a type of a parameter, and the names that requests may have."""
    if draw(st.integers(0, 3)) == 0:
        # A guard knows no undeclared headers and cookies, which such a model would refuse.
        model = draw(models(nested=False, extras=place == "query"))
        wires = model_wires(model)
        kind = draw(st.sampled_from([model, model, model | None]))
    else:
        kind = draw(scalars() if place == "cookie" else st.one_of(scalars(), sequences()))
        wires = [name]
        if draw(st.integers(0, 3)) == 0:
            options["alias"] = f"{name}-z"
            wires = [f"{name}-z", name]
    if place == "header":
        if draw(st.integers(0, 2)) == 0:
            options["convert_underscores"] = False
        wires += [wire.replace("_", "-") for wire in wires]
    return kind, wires


def _body_kind(draw: Draw, name: str, options: dict[str, Any]) -> Any:
    kind = draw(st.one_of(scalars(), sequences(), structures(), models(nested=True)))
    wires = [name]
    if draw(st.integers(0, 4)) == 0:
        options["embed"] = True
    if draw(st.integers(0, 4)) == 0:
        options["alias"] = f"{name}-z"
        wires.append(f"{name}-z")
    return kind, wires


def _form_kind(draw: Draw, name: str) -> Any:
    if draw(st.integers(0, 2)):
        return draw(st.one_of(scalars(), sequences())), [name]
    model = draw(models(nested=False, files=draw(st.booleans())))
    return draw(st.sampled_from([model, model, model | None])), model_wires(model)


@st.composite
def part(draw: Draw, name: str, place: str) -> Part:
    """Return a strategy of parameters of a place."""
    options: dict[str, Any] = {}
    wires = [name]
    if place == "path":
        kind = draw(st.sampled_from(SCALARS[:-3]))
    elif place == "body":
        kind, wires = _body_kind(draw, name, options)
    elif place == "form":
        kind, wires = _form_kind(draw, name)
    elif place == "file":
        kind = draw(st.sampled_from(FILES))
    else:
        kind, wires = _parameter_kind(draw, name, place, options)
    parameter = inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind, _MARKS[place](**options)],
        default=inspect.Parameter.empty if place == "path" else _default(draw),
    )
    return Part(parameter, place, tuple(dict.fromkeys(wires)))


@st.composite
def cases(draw: Draw) -> Case:
    """Return a strategy of apps."""
    method = draw(st.sampled_from(["GET", "POST", "POST", "POST", "PUT", "DELETE", "WS"]))
    template, parts, prefix = "/x", [], "/x"
    if draw(st.integers(0, 2)) == 0:
        parts.append(draw(part("p", "path")))
        converter = draw(st.sampled_from(["", "", ":path"]))
        template = f"/x/{{p{converter}}}"
        prefix = draw(st.sampled_from(["/x", "/x/{p}" if not converter else "/x"]))
    places = st.sampled_from(["query", "header", "cookie"])
    names = draw(st.lists(st.sampled_from(["q_q", "r"]), unique=True))
    parts += [draw(part(name, draw(places))) for name in names]
    kind = draw(st.sampled_from(["none", "body", "body", "form", "form", "bodies"]))
    if method not in ("GET", "WS") and kind != "none":
        count = draw(st.integers(1, 3)) if kind == "form" else 1 + (kind == "bodies")
        places = st.sampled_from(["form", "file"] if kind == "form" else ["body"])
        parts += [draw(part(name, draw(places))) for name in ("d", "e_e", "f")[:count]]
    dependency = [one for one in parts if draw(st.integers(0, 4)) == 0 and one.place != "path"]
    own = [one.parameter for one in parts if one not in dependency]

    def depended(**_values: Any) -> None: ...

    def endpoint(**_values: Any) -> str:
        return "ran"

    async def live(_socket: fastapi.WebSocket, **_values: Any) -> None:
        await _socket.accept()
        await _socket.close()

    socket = inspect.Parameter(
        "_socket", inspect.Parameter.KEYWORD_ONLY, annotation=fastapi.WebSocket
    )
    live.__signature__ = inspect.Signature([socket, *own])  # type: ignore[attr-defined]
    depended.__signature__ = inspect.Signature([one.parameter for one in dependency])  # type: ignore[attr-defined]
    endpoint.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    app = fastapi.FastAPI(strict_content_type=draw(st.integers(0, 4)) != 0)
    dependencies = [fastapi.Depends(depended)] if dependency else []
    where = draw(st.sampled_from(["app", "app", "router", "mount"]))

    def add(router: Any, path: str, dependencies: Any) -> None:
        if method == "WS":
            router.add_api_websocket_route(path, live, dependencies=dependencies)
        else:
            router.add_api_route(path, endpoint, methods=[method], dependencies=dependencies)

    if where == "router":
        router = fastapi.APIRouter(prefix=prefix, dependencies=dependencies)
        add(router, template.removeprefix(prefix), [])
        app.include_router(router)
    elif where == "mount" and template != "/x":
        sub = fastapi.FastAPI(strict_content_type=draw(st.integers(0, 4)) != 0)
        add(sub, template.removeprefix("/x"), dependencies)
        app.mount("/x", sub)
    else:
        add(app, template, dependencies)
    told = f"{method} {template} of {where}\n" + "\n".join(
        f"  {one.place} {one.parameter} {one.names}"
        + ("".join(f"\n     {n}: {i}" for n, i in model_fields(one)))
        for one in parts
    )
    return Case(app, method, template, tuple(parts), told)


def model_fields(one: Part) -> list[tuple[str, Any]]:
    """Return the fields of the model of a parameter, and its configuration."""
    kind = one.parameter.annotation.__origin__
    for each in (kind, *getattr(kind, "__args__", ())):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return [("config", each.model_config), *each.model_fields.items()]
    return []
