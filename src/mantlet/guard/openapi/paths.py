"""What of a document can only be judged across objects: templates, their parameters, security."""

import re
from collections import Counter
from typing import Any, Final

from mantlet.guard.openapi.diagnostics import Problems
from mantlet.guard.openapi.locations import Located, Location
from mantlet.guard.openapi.path_items import (
    fields_of,
    key_of,
    listed_parameters,
    operations_in,
)
from mantlet.guard.openapi.references import References

__all__ = ["check_paths", "names_in"]

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")


def names_in(template: str) -> list[str]:
    """Return the names in a path template."""
    return _EXPRESSION.findall(template)


def check_paths(references: References, version: str, problems: Problems) -> None:
    """Check templates, and each operation's parameters, name and security."""
    root: dict[str, Any] = references.documents[""]
    check = _Paths(references, version, problems, root)
    check.security(root.get("security"), Location("", "/security"))
    paths = root.get("paths")
    if isinstance(paths, dict):
        for template, item in paths.items():
            if not template.startswith("x-"):
                check.path(template, Located(item, Location("", "/paths").child(template)))


class _Paths:
    def __init__(
        self, references: References, version: str, problems: Problems, root: dict[str, Any]
    ) -> None:
        self._references = references
        self._version = version
        self._problems = problems
        components = root.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, dict) else None
        self._schemes: dict[str, Any] = schemes if isinstance(schemes, dict) else {}
        #: Templates by what they match and the method, and operations by their names.
        self._templates: dict[tuple[str, str], str] = {}
        self._identifiers: dict[str, Located] = {}

    def path(self, template: str, item: Located) -> None:
        location = item.location
        self._template(template, location)
        try:
            fields = fields_of(self._references, item)
            shared = listed_parameters(self._references, fields.get("parameters"))
        except ValueError as error:
            # What leads to nothing has been told of where it stands; only this is new.
            if "beside it" in str(error):
                self._problems.add(location.child("$ref"), f"{error}")
            return
        self._duplicates(shared, fields["parameters"].location if shared else location)
        for method, operation in operations_in(fields, self._version):
            self._collision(template, method, operation.location)
            if isinstance(operation.value, dict):
                self._operation(template, operation, shared)

    def _template(self, template: str, location: Location) -> None:
        if not template.startswith("/"):
            self._problems.add(location, "must begin with a slash")
        if re.search(r"[{}?#]", _EXPRESSION.sub("", template)):
            self._problems.add(location, "has a lone brace, a query or a fragment in its template")
        for name, count in Counter(names_in(template)).items():
            if count > 1 or not name:
                self._problems.add(location, f"has the name {name!r} twice, or it is empty")
        if "}{" in template:
            self._problems.add(location, "has two parameters with nothing between them")

    def _collision(self, template: str, method: str, location: Location) -> None:
        # By the letter no two templates may match the same paths (OpenAPI, "Paths Object"), but
        # real documents have them, and by their methods such are told apart.
        key = (_EXPRESSION.sub("{}", template), method)
        other = self._templates.setdefault(key, template)
        if other != template:
            self._problems.add(
                location, f"{method} {template!r} matches the same paths as {other!r}"
            )

    def _operation(self, template: str, operation: Located, shared: list[Located]) -> None:
        value, location = operation
        holder = value.get("parameters")
        listed = Located(holder, location.child("parameters"))
        try:
            own = listed_parameters(self._references, listed)
        except ValueError:
            own = None
        if own is not None:
            self._duplicates(own, listed.location)
            self._parameters(template, location, [*shared, *own])
        self.security(value.get("security"), location.child("security"))
        identifier = value.get("operationId")
        if isinstance(identifier, str):
            other = self._identifiers.setdefault(identifier, operation)
            if other.location != location:
                self._problems.add(
                    location.child("operationId"), f"is also that of {other.location}"
                )

    def _parameters(self, template: str, location: Location, merged: list[Located]) -> None:
        keys = {key for parameter in merged if (key := key_of(parameter.value)) is not None}
        named, declared = set(names_in(template)), {name for place, name in keys if place == "path"}
        for name in sorted(named - declared):
            self._problems.add(location, f"must have a path parameter for {{{name}}}")
        for name in sorted(declared - named):
            self._problems.add(
                location, f"has the path parameter {name!r}, which is not in {template!r}"
            )
        places = Counter(place for place, _ in keys)
        if places["querystring"] and (places["query"] or places["querystring"] > 1):
            self._problems.add(
                location, "has a querystring, beside which no other parameter may be in the query"
            )

    def _duplicates(self, parameters: list[Located], holder: Location) -> None:
        known: dict[tuple[str, str], int] = {}
        for index, parameter in enumerate(parameters):
            key = key_of(parameter.value)
            if key is not None and known.setdefault(key, index) != index:
                place, name = key
                self._problems.add(holder.child(index), f"is the {place} parameter {name!r} again")

    def security(self, requirements: Any, location: Location) -> None:
        if not isinstance(requirements, list):
            return
        for index, requirement in enumerate(requirements):
            for name in requirement if isinstance(requirement, dict) else ():
                if name not in self._schemes:
                    self._problems.add(
                        location.child(index, name),
                        f"the security scheme {name!r} is not in components.securitySchemes",
                    )
