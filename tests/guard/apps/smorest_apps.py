"""Random apps of flask-smorest, for Hypothesis."""

from enum import Enum
from typing import Any

import flask
import marshmallow as ma
from flask_smorest import Api, Blueprint
from flask_smorest.fields import Upload
from hypothesis import strategies as st
from marshmallow import fields as mf
from marshmallow import validate

from tests.guard.apps.document_requests import Case, Field

Draw = st.DrawFn


class Colour(Enum):
    """An enumeration of names."""

    red = 1
    blue = 2


class Inner(ma.Schema):
    """A nested schema."""

    x = mf.Integer(required=True)
    y = mf.String(load_default="a")


#: Fields by names that tell which texts they most likely take.
SCALARS: dict[str, Any] = {
    "int": mf.Integer,
    "strict int": lambda **more: mf.Integer(strict=True, **more),
    "int 0 to 10": lambda **more: mf.Integer(validate=validate.Range(0, 10), **more),
    "float": mf.Float,
    "bool": mf.Boolean,
    "str": mf.String,
    "str 2 to 4": lambda **more: mf.String(validate=validate.Length(2, 4), **more),
    "str pattern": lambda **more: mf.String(validate=validate.Regexp("^[a-z]+$"), **more),
    "literal": lambda **more: mf.String(validate=validate.OneOf(["a", "b"]), **more),
    "decimal": mf.Decimal,
    "datetime.date'": mf.Date,
    "datetime.datetime": mf.DateTime,
    "datetime.time'": mf.Time,
    "timedelta": mf.TimeDelta,
    "uuid": mf.UUID,
    "colour": lambda **more: mf.Enum(Colour, **more),
    "url": mf.Url,
    "email": mf.Email,
    "ip": mf.IP,
}
SEQUENCES: dict[str, Any] = {
    "list int": lambda **more: mf.List(mf.Integer(), **more),
    "list str": lambda **more: mf.List(mf.String(), **more),
    "list bool": lambda **more: mf.List(mf.Boolean(), **more),
}
NESTED: dict[str, Any] = {
    "nested": lambda **more: mf.Nested(Inner, **more),
    "dict": lambda **more: mf.Dict(mf.String(), mf.Integer(), **more),
    "raw": mf.Raw,
}
FILES: dict[str, Any] = {"file": Upload}


@st.composite
def schemas(
    draw: Draw, names: list[str], *kinds: dict[str, Any]
) -> tuple[type[ma.Schema], list[Field]]:
    """Return a strategy of schemas, with their fields."""
    offered = {name: kind for one in kinds for name, kind in one.items()}
    made: dict[str, Any] = {}
    found = []
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        kind = draw(st.sampled_from(sorted(offered)))
        required, nullable = draw(st.booleans()), draw(st.integers(0, 3)) == 0
        key = draw(st.sampled_from([None, None, None, f"{name}-z"]))
        made[name] = offered[kind](required=required, allow_none=nullable, data_key=key)
        told = f"{kind} | none" if nullable else kind
        found.append(Field(key or name, told, required, kind == "file"))
    if draw(st.integers(0, 3)) == 0:
        made["Meta"] = type(
            "Meta", (), {"unknown": draw(st.sampled_from([ma.EXCLUDE, ma.INCLUDE]))}
        )
    return type("Args", (ma.Schema,), made), found


#: The places of arguments by webargs' names, with the fields that a request may have there.
LOCATIONS = {
    "json": "json",
    "form": "urlencoded",
    "query": "query",
    "headers": "header",
    "cookies": "cookie",
}


@st.composite
def cases(draw: Draw) -> Case:
    """Return a strategy of apps."""
    app = flask.Flask("app")
    app.config.update(
        API_TITLE="x", API_VERSION="1", OPENAPI_VERSION=draw(st.sampled_from(["3.0.3", "3.1.0"]))
    )
    api = Api(app)
    blueprint = Blueprint("x", "x")
    parts: dict[str, list[Field]] = {}
    path = "/x"
    if draw(st.integers(0, 2)) == 0:
        converter = draw(st.sampled_from(["int", "string", "float", "uuid", "path"]))
        path = f"/x/<{converter}:p>"
        parts["path"] = [Field("p", converter.replace("string", "str"), required=True)]

    def endpoint(*_values: Any, **_names: Any) -> str:
        return "ran"

    places = [one for one in ("query", "headers", "cookies") if draw(st.integers(0, 2)) == 0]
    places += draw(
        st.sampled_from([[], ["json"], ["json"], ["form"], ["files"], ["form", "files"]])
    )
    view: Any = endpoint
    for place in places:
        if place == "files":
            schema, found = draw(schemas(["f", "g"], FILES))
        elif place == "json":
            schema, found = draw(schemas(["a", "b", "c"], SCALARS, SEQUENCES, NESTED))
        elif place in ("query", "form"):
            schema, found = draw(schemas([f"{place[0]}1", f"{place[0]}2"], SCALARS, SEQUENCES))
        else:
            schema, found = draw(schemas([f"{place[0]}1", f"{place[0]}2"], SCALARS))
        if place == "headers":
            schema, found = _headers(schema, found)
        if "files" in places and place in ("form", "files"):
            parts.setdefault("form", []).extend(found)
        else:
            parts[LOCATIONS[place]] = found
        view = blueprint.arguments(schema, location=place)(view)
    blueprint.route(path, methods=["POST"])(view)
    api.register_blueprint(blueprint)
    told = f"POST {path}\n" + "\n".join(f"  {place} {one}" for place, one in parts.items() if one)
    return Case(app, path, parts, told, api)


def _headers(schema: Any, found: list[Field]) -> tuple[Any, list[Field]]:
    """Return a schema whose fields are headers as they are spelled in requests."""
    made = schema()
    names = {one.name: f"X-{one.name}" for one in found}
    renamed = {}
    for name, field in made.load_fields.items():
        field.data_key = names[field.data_key or name]
        renamed[name] = field
    meta = type("Meta", (), {"unknown": ma.EXCLUDE})
    return type("Args", (ma.Schema,), {**renamed, "Meta": meta}), found
