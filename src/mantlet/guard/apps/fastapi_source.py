"""Compile the routes of a FastAPI app into operations."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from mantlet.guard.apps.bodies import form_body, json_body, unread_body
from mantlet.guard.apps.documents import AppDocument
from mantlet.guard.apps.fastapi import FastApiRoute, read_routes
from mantlet.guard.apps.fields import (
    AppField,
    field_names,
    form_models,
    is_json_field,
    model_names,
    model_of,
)
from mantlet.guard.apps.files import class_names
from mantlet.guard.apps.parameters import app_group, open_query
from mantlet.guard.coverage import Coverage, checked_parts
from mantlet.guard.errors import Place
from mantlet.guard.limits import BodyLimits
from mantlet.guard.models.schema import ModelSchema
from mantlet.guard.operation import DeclaredBody, Operation, Requirement, SecurityScheme
from mantlet.guard.options import WEBSOCKET_METHOD, DocumentOptions, OperationSettings

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from mantlet.guard.parameters import ParameterGroup

__all__ = ["FastApiSource"]

_log = logging.getLogger(__name__)

#: How many faulty operations the log names.
_MAX_LOGGED: Final = 10
_Part = Literal["path_params", "query_params", "header_params", "cookie_params", "body_params"]
#: The attributes of a ``Dependant`` that takes the request, or the socket, itself.
_REQUESTS: Final = ("request_param_name", "http_connection_param_name", "websocket_param_name")
#: Converters of paths that change the value: the others return the text.
_TEXTS: Final = frozenset({"StringConvertor", "PathConvertor"})


class FastApiSource:
    """The operations of a FastAPI app; an `OperationSource`.

    Args:
        app: the app, with all of its routes.
        options: the options for documents, none of which apply.
        limits: the bounds of the guard.

    Attributes:
        app_routes: all routes of the app, in its router's order.

    Raises:
        ValueError: an option does not apply.
    """

    reloads = False

    # Any: the app's class is not imported here.
    def __init__(self, app: Any, options: DocumentOptions, limits: BodyLimits) -> None:
        for name in ("formats", "require_bounds", "ref_root"):
            if getattr(options, name):
                raise ValueError(
                    f"{name} is an option for documents: FastAPI's routes are validated by their "
                    f"own models; use SchemaGuard(openapi=app.openapi(), {name}=...) for it"
                )
        self._app = app
        self._options = options
        self._limits = limits
        self._faulty: list[Operation] = []
        self.app_routes, self._routes, self._notes = read_routes(app)

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and templates of the operations."""
        return [
            (method, route.template) for route in self._routes for method in sorted(route.methods)
        ]

    def compile(self, settings: Mapping[tuple[str, str], OperationSettings]) -> Iterator[Operation]:
        """Yield the operations; those whose declaration is faulty as ``on_invalid`` says.

        Raises:
            ValueError: declarations are faulty.
        """
        responses = self._responses(settings)
        self._faulty = []
        for route in self._routes:
            compiled: dict[int, Operation] = {}
            for method in sorted(route.methods):
                chosen = settings[method, route.template]
                operation = compiled.get(id(chosen))
                if operation is None:
                    operation = compiled[id(chosen)] = self._compile(method, route, chosen)
                operation = replace(
                    operation,
                    method=method,
                    responses=responses.get((method, route.template)),
                )
                if operation.faults:
                    self._faulty.append(operation)
                yield operation
        if self._faulty and self._options.on_invalid == "error":
            faults = "".join(f"\n  {one.name}: {one.faults[0][1]}" for one in self._faulty)
            raise ValueError(
                f"{len(self._faulty)} operations of the app can't be validated:{faults}\n"
                'Pass on_invalid="close" to answer requests for them with 501, or "open" to let '
                "them pass unvalidated"
            )

    def _compile(self, method: str, route: FastApiRoute, settings: OperationSettings) -> Operation:
        compiler = _Compiler(method, route, settings, self._app)
        try:
            return compiler.operation()
        except (TypeError, ValueError) as error:
            return Operation(
                method=method,
                template=route.template,
                security=compiler.security(),
                faults=((route.template, str(error)),),
                is_open=self._options.on_invalid == "open",
            )

    # Any: DeclaredResponse by status.
    def _responses(
        self, settings: Mapping[tuple[str, str], OperationSettings]
    ) -> Mapping[tuple[str, str], Any]:
        """Return the declared responses, which only the generated document has."""
        if all(one.responses == "off" for one in settings.values()):
            return {}
        from mantlet.guard.openapi.document import DocumentSource  # an extra

        templates = {
            route.template.replace(":path}", "}"): route.template for route in self._routes
        }
        generated = AppDocument(self._app.openapi(), templates, ())
        document = DocumentSource(generated, self._options, self._limits)
        own = {name: settings.get(name) for name in document.names()}
        known = next(iter(settings.values()))
        return {
            (one.method, one.template): one.responses
            for one in document.compile({name: one or known for name, one in own.items()})
        }

    def log_ignored(self) -> None:
        """Log the faulty operations."""
        if self._faulty:
            _log.warning(
                "%d operations of the app can't be validated, so these are %s: %s. guard.coverage "
                "has the faults",
                len(self._faulty),
                "open" if self._options.on_invalid == "open" else "closed (501)",
                ", ".join(one.name for one in self._faulty[:_MAX_LOGGED]),
            )

    # Any: one of the same class.
    def narrower_than(self, other: Any) -> tuple[str, ...]:
        """Return nothing, since apps are not reloaded."""
        return ()

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Report which parts of the operations are checked."""
        notes = list(self._notes)
        for operation in operations:
            notes += [(operation.name, note) for note in operation.notes]
            state = "open, unvalidated" if operation.is_open else "closed (501)"
            notes += [(operation.name, f"{state}: {fault}") for _, fault in operation.faults]
            notes += [
                (operation.name, f"OPEN to undeclared members by its own configuration: {opened}")
                for opened in operation.opened
            ]
        return Coverage(
            tuple((operation.name, tuple(checked_parts(operation))) for operation in operations),
            notes=tuple(notes),
        )


class _Overrides:
    """Tells whether a dependency of an operation is replaced by another one (in tests)."""

    def __init__(self, name: str, app: Any, calls: frozenset[Any]) -> None:
        self._name = name
        self._app = app
        self._calls = calls
        self._is_logged = False

    def __call__(self) -> bool:
        overrides = getattr(self._app, "dependency_overrides", None)
        if not overrides or self._calls.isdisjoint(overrides):
            return False
        if not self._is_logged:
            self._is_logged = True
            _log.warning("%s is not validated: dependency_overrides replace its own", self._name)
        return True


class _Compiler:
    """Compiles one route."""

    def __init__(
        self, method: str, route: FastApiRoute, settings: OperationSettings, app: Any
    ) -> None:
        self._name = f"{method} {route.template}"
        self._method = method
        self._template = route.template
        self._route = route.route
        self._settings = settings
        self._opened: list[str] = []
        self._reads_request = False
        self._app = getattr(route.route, "dependency_overrides_provider", None) or app
        self._schemes: list[tuple[Any, tuple[str, ...]]] = []
        #: FastAPI's ``Dependant`` of the endpoint and of all that it depends on.
        self._dependants = list(self._walk(self._route.dependant, ()))

    def _walk(self, dependant: Any, scopes: tuple[str, ...]) -> Iterator[Any]:
        call = dependant.call
        scopes = (*scopes, *(getattr(dependant, "own_oauth_scopes", None) or ()))
        if hasattr(call, "scheme_name") and hasattr(call, "model"):
            self._schemes.append((call, scopes))
        elif any(getattr(dependant, name, None) for name in _REQUESTS):
            self._reads_request = True
        yield dependant
        for inner in dependant.dependencies:
            yield from self._walk(inner, scopes)

    def operation(self) -> Operation:
        """Return the operation."""
        converters = {
            name: converter.convert
            for name, converter in self._route.param_convertors.items()
            if type(converter).__name__ not in _TEXTS
        }
        is_socket = self._method == WEBSOCKET_METHOD
        body = None if is_socket else self._body()
        query_fields = self._fields("query_params", "query")
        notes = []
        if self._reads_request and body is None and not is_socket:
            body = unread_body(self._settings)
            notes.append("the app reads the request itself: a body passes if it is within limits")
        query: ParameterGroup | None
        if self._reads_request and not query_fields and (is_socket or notes):
            query = open_query(self._settings)
            notes.append("the app reads the request itself: its query passes")
        else:
            known = [call.model.name for call, _ in self._schemes if _place_of(call) == "query"]
            query = app_group("query", query_fields, self._settings, known=known)
        calls = frozenset(one.call for one in self._dependants[1:])
        return Operation(
            method=self._method,
            template=self._template,
            path=app_group(
                "path", self._fields("path_params", "path"), self._settings, converters=converters
            ),
            query=query,
            headers=app_group("header", self._fields("header_params", "header"), self._settings),
            cookies=app_group("cookie", self._fields("cookie_params", "cookie"), self._settings),
            body=body,
            security=self.security(),
            opened=tuple(self._opened),
            notes=tuple(notes),
            is_replaced=_Overrides(self._name, self._app, calls) if calls else None,
        )

    # -- fields -----------------------------------------------------------------------------------

    def _fields(self, part: _Part, place: Place) -> list[AppField]:
        return [
            self._field(declared, place)
            for dependant in self._dependants
            for declared in getattr(dependant, part)
        ]

    def _field(self, declared: Any, place: Place) -> AppField:
        info = declared.field_info
        models = self._models(info, place)
        if models:
            convert = getattr(info, "convert_underscores", True)
            names = [
                one
                for model in models
                for one in model_names(model, place, convert_underscores=convert)
            ]
        else:
            names = [
                field_names(
                    declared.name, info, getattr(declared, "config", None) or {}, place=place
                )
            ]
        return AppField(declared, self._schema(declared, place), place, names, models=models)

    def _models(self, info: Any, place: Place) -> tuple[Any, ...]:
        """Return the models whose fields are parameters of their own."""
        if place == "path" or is_json_field(info):
            return ()
        if place != "body":
            model = model_of(info.annotation)
            return () if model is None else (model,)
        is_form = "Form" in class_names(type(info))
        return form_models(info.annotation) if is_form and not info.embed else ()

    def _schema(self, declared: Any, place: Place) -> ModelSchema:
        # The validator that FastAPI calls.
        adapter: TypeAdapter[Any] = declared._type_adapter
        part = f"{place} {declared.name}"
        schema = ModelSchema(
            adapter,
            name=f"{self._name}: {part}",
            errors=self._settings.limits.errors,
            closed="members" not in self._settings.allow,
            serialized=self._settings.forward == "canonical" and place == "body",
            checks=self._settings.limits.checks,
            python=True,
        )
        self._opened += [f"{part}: {opened}" for opened in schema.opened]
        return schema

    # -- bodies -----------------------------------------------------------------------------------

    def _body(self) -> DeclaredBody | None:
        route = self._route
        if route.body_field is None:
            return None
        fields = self._fields("body_params", "body")
        if "Form" in class_names(type(route.body_field.field_info)):
            return form_body(fields, self._settings, name=self._name)
        strict = getattr(route, "strict_content_type", False)  # older versions parse it as JSON
        return json_body(
            fields,
            self._settings,
            embedded=route._embed_body_fields,
            strict_content_type=getattr(strict, "value", strict),
        )

    # -- security ---------------------------------------------------------------------------------

    def security(self) -> tuple[Requirement, ...]:
        """Return the alternatives of credentials."""
        return tuple(self._requirements())

    def _requirements(self) -> Iterator[Requirement]:
        if not self._schemes:
            return
        yield tuple((_scheme(call), scopes) for call, scopes in self._schemes)
        required = [one for one in self._schemes if getattr(one[0], "auto_error", True)]
        if len(required) < len(self._schemes):
            yield tuple((_scheme(call), scopes) for call, scopes in required)


def _place_of(call: Any) -> str:
    place = getattr(call.model, "in_", "")
    return getattr(place, "value", place) or ""


def _scheme(call: Any) -> SecurityScheme:
    """Return the scheme of one of FastAPI's security classes."""
    model = call.model
    kind = model.type_
    return SecurityScheme(
        call.scheme_name,
        getattr(kind, "value", kind),
        place=_place_of(call),
        field=getattr(model, "name", "") or "",
        scheme=(getattr(model, "scheme", "") or "").lower(),
    )
