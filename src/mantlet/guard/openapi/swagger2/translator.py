"""Translate the objects of a Swagger 2.0 document: paths, parameters, bodies and responses."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from mantlet.guard.openapi.swagger2.schemas import (
    Pointers,
    SchemaTranslator,
    component_names,
    subpointer,
)
from mantlet.guard.openapi.swagger2.security import rename_schemes, translate_scheme

__all__ = ["Translator"]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
#: Members of operations and path items that are translated, or have no equivalent.
_REPLACED: Final = frozenset({"consumes", "produces", "schemes", "parameters", "responses"})
#: Members of a parameter that are not those of its schema.
_OF_PARAMETER: Final = frozenset(
    {"name", "in", "description", "required", "allowEmptyValue", "collectionFormat", "schema"}
)
#: The styles of ``collectionFormat`` in each place; tabs have none.
_STYLES: Final[Mapping[str, Mapping[str, tuple[str, bool]]]] = {
    "query": {
        "csv": ("form", False),
        "multi": ("form", True),
        "ssv": ("spaceDelimited", False),
        "pipes": ("pipeDelimited", False),
    },
    "path": {"csv": ("simple", False)},
    "header": {"csv": ("simple", False)},
}
_SUMMARY: Final = "Swagger 2.0 is read as OpenAPI 3.0"

# Any: plain JSON.
Json = dict[str, Any]


class Translator:
    """Translates one document.

    Args:
        root: the document, which is not changed.

    Attributes:
        notes: see `Translation`.
        pointers: the locations of its parts, before and after.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self.pointers = Pointers()
        self.notes: dict[tuple[str, str], None] = {}
        self._schemas = SchemaTranslator(self.pointers, self._note)
        self._definitions = self._rename("definitions", "schemas")
        self._schemes = self._rename("securityDefinitions", "securitySchemes")
        for kind in ("parameters", "responses"):
            self._rename(kind, kind)

    def _note(self, pointer: str, message: str) -> None:
        self.notes[pointer, message] = None

    def _rename(self, kind: str, to: str) -> dict[str, str]:
        """Return the names that components have in OpenAPI 3, which allows fewer characters."""
        names = component_names(_object(self._root.get(kind)))
        for name, new in names.items():
            old = subpointer(f"/{kind}", name)
            self.pointers.move(old, subpointer(f"/components/{to}", new))
            if name != new:
                self._note(old, f"{name!r} is called {new!r}, as OpenAPI 3 allows")
        self.pointers.move(f"/{kind}", f"/components/{to}")
        return names

    def translate(self) -> Json:
        """Return the document in OpenAPI 3.0."""
        root = self._root
        made: Json = {"openapi": "3.0.4"}
        for name, value in root.items():
            if name in ("info", "tags", "externalDocs") or name.startswith("x-"):
                made[name] = value
        self.pointers.move("/swagger", "/openapi")
        servers = self._servers()
        if servers:
            made["servers"] = servers
            self.pointers.move("/basePath", "/servers")
        if "security" in root:
            made["security"] = rename_schemes(root["security"], self._schemes)
        made["paths"] = self._paths(root.get("paths"))
        components = {
            "schemas": self._components("definitions", self._definitions, self._schema),
            "parameters": self._shared_parameters(),
            "responses": self._components(
                "responses", component_names(_object(root.get("responses"))), self._response
            ),
            "securitySchemes": self._components("securityDefinitions", self._schemes, self._scheme),
        }
        made["components"] = {name: value for name, value in components.items() if value}
        self._schemas.rewrite_references()
        self._note("/swagger", _SUMMARY)
        return made

    def _servers(self) -> list[Json]:
        root = self._root
        base, host = root.get("basePath", "/"), root.get("host")
        if not isinstance(base, str):
            return [{"url": base}]  # for the validation to report
        if not isinstance(host, str):
            return [{"url": base}] if base.strip("/") else []
        schemes = [one for one in _list(root.get("schemes")) if isinstance(one, str)]
        return [{"url": f"{scheme}://{host}{base}"} for scheme in schemes or ["https"]]

    def _components(self, kind: str, names: Mapping[str, str], translate: Any) -> Json:
        values = _object(self._root.get(kind))
        return {
            new: translate(values[name], *self._moved(kind, name)) for name, new in names.items()
        }

    def _moved(self, *tokens: str) -> tuple[str, str]:
        """Return a location in the original, and where it was moved to."""
        old = subpointer("", *tokens)
        return old, self.pointers.target(old)

    def _scheme(self, scheme: Any, old: str, new: str) -> Any:
        return translate_scheme(scheme, self.pointers, old, new)

    def _schema(self, schema: Any, old: str, new: str) -> Any:
        return self._schemas.translate(schema, old, new)

    # -- paths ------------------------------------------------------------------------------------

    def _paths(self, paths: Any) -> Any:
        if not isinstance(paths, dict):
            return paths
        return {
            template: item
            if template.startswith("x-") or not isinstance(item, dict)
            else self._path_item(item, subpointer("/paths", template))
            for template, item in paths.items()
        }

    def _path_item(self, item: Json, at: str) -> Json:
        made = {
            name: value for name, value in item.items() if name == "$ref" or name.startswith("x-")
        }
        shared = _listed(item.get("parameters"), f"{at}/parameters")
        common, bodies = self._parameters(shared, f"{at}/parameters")
        if common:
            made["parameters"] = common
        for method in _METHODS:
            if method in item:
                where = f"{at}/{method}"
                operation = item[method]
                made[method] = (
                    self._operation(operation, where, bodies)
                    if isinstance(operation, dict)
                    else operation
                )
        return made

    def _operation(self, operation: Json, at: str, shared: list[tuple[Json, str]]) -> Json:
        made = {name: value for name, value in operation.items() if name not in _REPLACED}
        if "security" in operation:
            made["security"] = rename_schemes(operation["security"], self._schemes)
        listed = _listed(operation.get("parameters"), f"{at}/parameters")
        parameters, bodies = self._parameters(listed, f"{at}/parameters")
        if parameters:
            made["parameters"] = parameters
        # A parameter overrides a shared one of the same name and place; there is one body.
        own = {_key(value) for value, _ in bodies}
        bodies = [pair for pair in shared if _key(pair[0]) not in own] + bodies
        if bodies:
            consumes = operation.get("consumes", self._root.get("consumes"))
            made["requestBody"] = self._body(bodies, consumes, at)
            self.pointers.origin(f"{at}/requestBody", f"{at}/parameters")
        if "responses" in operation:
            responses = operation["responses"]
            produces = operation.get("produces")
            made["responses"] = (
                {
                    status: self._response(
                        value, f"{at}/responses/{status}", f"{at}/responses/{status}", produces
                    )
                    for status, value in responses.items()
                }
                if isinstance(responses, dict)
                else responses
            )
        return made

    # -- parameters -------------------------------------------------------------------------------

    def _shared_parameters(self) -> Json:
        """Return the shared parameters that are not in a body."""
        values = _object(self._root.get("parameters"))
        return {
            new: self._parameter(values[name], *self._moved("parameters", name))
            for name, new in component_names(values).items()
            if _object(values[name]).get("in") not in ("body", "formData")
        }

    def _parameters(
        self, listed: Iterable[tuple[Any, str]], at: str
    ) -> tuple[list[Any], list[tuple[Json, str]]]:
        """Translate a list of parameters; return the others, and those of the body untranslated."""
        made: list[Any] = []
        bodies: list[tuple[Json, str]] = []
        for value, old in listed:
            target, origin = self._follow(value, "parameters", old)
            if isinstance(target, dict) and target.get("in") in ("body", "formData"):
                bodies.append((target, origin))
                continue
            new = f"{at}/{len(made)}"
            self.pointers.origin(new, old)
            if target is not value or not isinstance(value, dict) or "$ref" in value:
                made.append(self._schemas.reference(value))
            else:
                made.append(self._parameter(value, old, new))
        return made, bodies

    def _follow(self, value: Any, kind: str, old: str) -> tuple[Any, str]:
        """Return the target of a reference to a shared parameter or response, and its location."""
        reference = value.get("$ref") if isinstance(value, dict) else None
        prefix = f"#/{kind}/"
        if isinstance(reference, str) and reference.startswith(prefix):
            name = unquote(reference.removeprefix(prefix)).replace("~1", "/").replace("~0", "~")
            target = _object(self._root.get(kind)).get(name)
            if target is not None:
                return target, subpointer(f"/{kind}", name)
        return value, old

    def _parameter(self, parameter: Any, old: str, new: str) -> Any:
        if not isinstance(parameter, dict):
            return parameter
        made = {
            name: parameter[name]
            for name in ("name", "in", "description", "required", "allowEmptyValue")
            if name in parameter
        }
        made |= {name: value for name, value in parameter.items() if name.startswith("x-")}
        if made.get("in") != "query":
            made.pop("allowEmptyValue", None)
        self.pointers.origin(f"{new}/schema", old)
        schema, style = self._value(parameter, str(made.get("in")), old, f"{new}/schema")
        made["schema"] = schema
        if style is not None:
            made["style"], made["explode"] = style
        return made

    def _value(
        self, parameter: Json, place: str, old: str, new: str
    ) -> tuple[Any, tuple[str, bool] | None]:
        """Return the schema of a parameter that is not a body, and its style, if it is an array."""
        own = {
            name: value
            for name, value in parameter.items()
            if name not in _OF_PARAMETER and (not name.startswith("x-") or name == "x-nullable")
        }
        if "schema" in parameter and "type" not in parameter:
            return self._schema(parameter["schema"], f"{old}/schema", new), None
        style: tuple[str, bool] | None = None
        if own.get("type") == "array":
            separator = parameter.get("collectionFormat", "csv")
            style = _STYLES.get(place, {}).get(separator) if isinstance(separator, str) else None
            if style is None:
                self._note(old, f"the items of an array as {separator!r} are not checked here")
                return {"type": "string"}, None
            items = own.get("items")
            if isinstance(items, dict) and items.get("type") == "array":
                self._note(f"{old}/items", "the items of arrays in arrays are not checked here")
                own["items"] = {"type": "string"}
        return self._schema(own, old, new), style

    # -- bodies and responses ---------------------------------------------------------------------

    def _body(self, parameters: list[tuple[Json, str]], consumes: Any, at: str) -> Json:
        kinds = [one for one in _list(consumes) if isinstance(one, str)]
        body = next((pair for pair in parameters if pair[0].get("in") == "body"), None)
        if body is None:
            return self._form(parameters, kinds, at)
        if len(parameters) > 1:
            self._note(f"{at}/parameters", "an operation has a body or form parameters, not both")
        value, old = body
        if not kinds:
            kinds = ["application/json"]
            self._note(old, "without consumes, the body must be JSON")
        made: Json = {"content": {}}
        for name in ("description", "required"):
            if name in value:
                made[name] = value[name]
        for kind in kinds:
            media: Json = {}
            where = subpointer(f"{at}/requestBody/content", kind)
            self.pointers.origin(where, old)
            if "schema" in value:
                media["schema"] = self._schema(value["schema"], f"{old}/schema", f"{where}/schema")
            made["content"][kind] = media
        return made

    def _form(self, parameters: list[tuple[Json, str]], kinds: list[str], at: str) -> Json:
        has_file = any(value.get("type") == "file" for value, _ in parameters)
        forms = [one for one in kinds if one.partition(";")[0].strip().lower() in _FORMS]
        if has_file:  # which an urlencoded form cannot have
            forms = [one for one in forms if "multipart" in one.lower()] or [_FORMS[1]]
        elif not forms:
            forms = [_FORMS[0]]
        content = {}
        for kind in forms:
            where = subpointer(f"{at}/requestBody/content", kind)
            properties: Json = {}
            encoding: Json = {}
            required: list[Any] = []
            for value, old in parameters:
                name = value.get("name")
                if not isinstance(name, str):
                    self._note(old, "a parameter without a name is ignored")
                    continue
                new = subpointer(f"{where}/schema/properties", name)
                self.pointers.origin(new, old)
                properties[name], style = self._value(value, "query", old, new)
                if value.get("allowEmptyValue") is True and style is None:
                    empty = {"type": "string", "maxLength": 0}
                    properties[name] = {"anyOf": [properties[name], empty]}
                    self.pointers.origin(f"{new}/anyOf/0", old)
                if style is not None:
                    encoding[name] = {"style": style[0], "explode": style[1]}
                if value.get("required") is True:
                    required.append(name)
            schema: Json = {"type": "object", "properties": properties}
            if required:
                schema["required"] = required
            content[kind] = {"schema": schema} | ({"encoding": encoding} if encoding else {})
        return {"content": content, "required": any(one.get("required") for one, _ in parameters)}

    def _response(self, response: Any, old: str, new: str, produces: Any = None) -> Any:
        target, origin = self._follow(response, "responses", old)
        if target is not response and produces is None:
            return self._schemas.reference(response)
        if not isinstance(target, dict) or "$ref" in target:
            return target
        produces = self._root.get("produces") if produces is None else produces
        made = {
            name: value
            for name, value in target.items()
            if name not in ("schema", "headers", "examples")
        }
        self.pointers.origin(new, origin)
        if isinstance(target.get("headers"), dict):
            made["headers"] = {
                name: self._header(
                    value,
                    subpointer(f"{origin}/headers", name),
                    subpointer(f"{new}/headers", name),
                )
                for name, value in target["headers"].items()
            }
        if "schema" in target:
            kinds = [one for one in _list(produces) if isinstance(one, str)]
            made["content"] = {}
            for kind in kinds or ["application/json"]:
                where = subpointer(f"{new}/content", kind)
                self.pointers.origin(where, origin)
                schema = self._schema(target["schema"], f"{origin}/schema", f"{where}/schema")
                made["content"][kind] = {"schema": schema}
        return made

    def _header(self, header: Any, old: str, new: str) -> Any:
        if not isinstance(header, dict):
            return header
        schema, _ = self._value(header, "header", old, f"{new}/schema")
        self.pointers.origin(f"{new}/schema", old)
        about = {"description": header["description"]} if "description" in header else {}
        return {**about, "schema": schema}


def _key(parameter: Json) -> tuple[Any, str]:
    """Return the identity of a parameter of the body."""
    place = parameter.get("in")
    return place, "" if place == "body" else str(parameter.get("name"))


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _listed(value: Any, at: str) -> list[tuple[Any, str]]:
    return [(one, f"{at}/{index}") for index, one in enumerate(_list(value))]
