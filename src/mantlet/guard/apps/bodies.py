"""Read the bodies of an app's operations as FastAPI does: JSON, raw bytes, forms and files."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mantlet.guard.apps.fields import MISSING, AppField, read_fields
from mantlet.guard.bodies.forms.fields import Form, FormFields
from mantlet.guard.bodies.forms.file import File
from mantlet.guard.bodies.forms.multipart import MultipartForm, MultipartParse
from mantlet.guard.bodies.forms.urlencoded import UrlencodedForm
from mantlet.guard.bodies.strict_json import StrictJson, check_json_parameters
from mantlet.guard.errors import ErrorItem, ValidationFailed, pointer
from mantlet.guard.operation import DeclaredBody
from mantlet.guard.options import OperationSettings
from mantlet.guard.readers import LargeBodyReader
from mantlet.http.media_types import MediaType

if TYPE_CHECKING:
    from mantlet.guard.limits import BodyLimits
    from mantlet.guard.readers import BodyReader

__all__ = ["form_body", "json_body", "unread_body"]

_JSON: Final = ("application/json", "application/*+json")
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
#: The type of a body that is only bytes (RFC 9110, 8.3).
_OCTETS: Final = "application/octet-stream"
#: The types of a core schema that never take bytes.
_NO_BYTES: Final = frozenset(
    {"model", "typed-dict", "dataclass", "dict", "list", "tuple", "set", "frozenset", "bool"}
)


# -- JSON -----------------------------------------------------------------------------------------


def json_body(
    fields: Sequence[AppField],
    settings: OperationSettings,
    *,
    embedded: bool,
    strict_content_type: bool,
) -> DeclaredBody:
    """Return the JSON body of an operation.

    Args:
        fields: the fields of the body.
        settings: how strictly to treat the operation.
        embedded: whether the body is an object of the fields.
        strict_content_type: whether a body without a ``Content-Type`` is not JSON.
    """
    reader = _JsonReader(fields, settings, embedded=embedded)
    readers: dict[str, BodyReader] = dict.fromkeys(_JSON, reader)
    takes_bytes = not embedded and all(map(_takes_bytes, fields))
    if takes_bytes:
        readers["*/*"] = reader
    untyped = "" if not takes_bytes else _OCTETS
    return DeclaredBody(
        readers,
        required=any(field.required for field in fields),
        untyped=untyped if strict_content_type else _JSON[0],
    )


def _takes_bytes(field: AppField) -> bool:
    """Return whether the bytes of a body that is not JSON could be a field's value."""
    schema = field.schema.core_schema
    while schema.get("type") in ("default", "nullable", "definitions"):
        schema = schema["schema"]
    return schema.get("type") not in _NO_BYTES


def _is_json(kind: str) -> bool:
    return kind == _JSON[0] or (kind.startswith("application/") and kind.endswith("+json"))


class _JsonReader:
    """Reads JSON bodies, and others as bytes; a `FullBodyReader`."""

    def __init__(
        self, fields: Sequence[AppField], settings: OperationSettings, *, embedded: bool
    ) -> None:
        self._fields = tuple(fields)
        self._parse = StrictJson(settings.limits).parse
        self._limit = settings.limits.errors
        self._embedded = embedded
        self._closed = "members" not in settings.allow
        self._names = {wire for field in fields for _, wire in field.names[0].aliases}
        self._check: Callable[..., Any] = self._embedded_values if embedded else self._values
        if len(fields) == 1 and not embedded:
            self._check = fields[0].check

    # Any: plain JSON values in, models out.
    def read(self, body: bytes, media: MediaType) -> Any:
        """Return the validated value of a body.

        Raises:
            ValidationFailed: see `JsonBodyReader`.
        """
        if not _is_json(media.kind):
            return self._check(body)
        if media.parameters:
            check_json_parameters(media)
        return self._check(self._parse(body), text=body)

    def _values(self, value: Any, *, text: bytes = b"") -> Any:
        found = [field.check(value, text=text) for field in self._fields]
        return found[-1]

    def _embedded_values(self, value: Any, *, text: bytes = b"") -> dict[str, Any]:
        """Return the values of an object's members.

        Without an object all members are missing, also those with a default.
        """
        members: Mapping[str, Any] | None = value if isinstance(value, dict) else None
        found: dict[str, Any] = {}
        errors: list[ErrorItem] = []
        for field in self._fields:
            aliases = [wire for _, wire in field.names[0].aliases]
            if members is None:
                errors.append(ErrorItem("body", pointer(aliases[:1]), "missing", "Field required"))
                continue
            wire = next((name for name in aliases if name in members), None)
            try:
                member = MISSING if wire is None else members[wire]
                found[field.name] = field.check(member, wire or aliases[0], text=text)
            except ValidationFailed as failure:
                if failure.status != 422:
                    raise
                errors += failure.errors
        if self._closed and members is not None and not members.keys() <= self._names:
            errors += [
                ErrorItem(
                    "body", pointer((name,)), "extra_forbidden", "Extra inputs are not permitted"
                )
                for name in list(members.keys() - self._names)[: self._limit]
            ]
        if errors:
            raise ValidationFailed(422, errors[: self._limit])
        return found

    def dump(self, value: Any) -> bytes:
        """Serialize a value that `read()` returned in its canonical form."""
        if not self._embedded:
            return self._fields[-1].schema.dump(value)
        return _dump_object(self._fields, value)


def _dump_object(fields: Iterable[AppField], values: Mapping[str, Any]) -> bytes:
    members = (
        json.dumps(field.names[0].aliases[0][1]).encode()
        + b":"
        + field.schema.dump(values[field.name])
        for field in fields
    )
    return b"{" + b",".join(members) + b"}"


# -- forms ----------------------------------------------------------------------------------------


def form_body(
    fields: Sequence[AppField], settings: OperationSettings, *, name: str
) -> DeclaredBody:
    """Return the form of an operation, urlencoded or multipart.

    Args:
        fields: the fields of the form.
        settings: how strictly to treat the operation.
        name: the name of the operation, for errors.

    Raises:
        ValueError: the form is to be forwarded in a canonical form.
    """
    if settings.forward == "canonical":
        raise ValueError(
            f"{name}: forms of an app can't be forwarded in a canonical form; use "
            f'forward="original"'
        )
    texts: dict[str, bool] = {}
    files: dict[str, bool] = {}
    for field in fields:
        for names in field.names:
            for _, wire in names.aliases:
                kind = texts if names.convert is None else files
                kind[wire] = kind.get(wire, False) or names.sequence
    for wire in files.keys() & texts.keys():
        del texts[wire]
    settled = {setting for field in fields for setting in field.extra_settings}
    declared = FormFields(
        [wire for wire, repeats in texts.items() if not repeats],
        [wire for wire, repeats in texts.items() if repeats],
        closed="members" not in settings.allow and settled <= {"forbid"},
        unique="duplicates" not in settings.allow,
        ignored=settings.ignored_fields,
    )
    schema = _FormSchema(fields, settings.limits.errors)
    rules = {
        wire: File(required=False, min_size=0, many=repeats) for wire, repeats in files.items()
    }
    readers: dict[str, BodyReader] = {
        _URLENCODED: UrlencodedForm(declared, schema, settings.limits),
        _MULTIPART: _MultipartReader(MultipartForm(declared, rules, None, settings.limits), schema),
    }
    return DeclaredBody(readers, required=False, check_absence=lambda: schema.check({}, "body"))


class _FormSchema:
    """Validates the fields and files of a form; a `Schema`."""

    def __init__(self, fields: Sequence[AppField], limit: int) -> None:
        self._fields = tuple(fields)
        self._limit = limit

    # Any: the interface's.
    def check(self, value: Any, _place: object) -> Any:
        """Return the validated values by the names of the app's parameters.

        Raises:
            ValidationFailed: with 422.
        """
        return read_fields(self._fields, value, self._limit)

    def load(self, text: bytes, value: Any, place: object) -> Any:
        """Return the validated values of an object."""
        return self.check(value, place)

    def dump(self, value: Any) -> bytes:
        """Forms are never serialized; see `form_body()`."""
        raise TypeError("a form can't be serialized")


class _MultipartReader:
    """Reads multipart forms whose fields and files are validated together."""

    def __init__(self, form: MultipartForm, schema: _FormSchema) -> None:
        #: Those of the form, which may have to take its files.
        self.limits: BodyLimits = form.limits
        self._form = form
        self._schema = schema

    def start(self, media: MediaType) -> "_MultipartParse":
        """Begin to read a body.

        Raises:
            ValidationFailed: see `MultipartForm`.
        """
        return _MultipartParse(self._form.start(media), self._schema)


class _MultipartParse:
    """Parses one body while it is received."""

    def __init__(self, parse: MultipartParse, schema: _FormSchema) -> None:
        self.completes: Final = parse.completes
        self.feed: Final = parse.feed
        self.dump: Final = parse.dump
        self.close: Final = parse.close
        self._parse = parse
        self._schema = schema

    def finish(self) -> Form:
        """Return the form.

        Raises:
            ValidationFailed: the form is invalid.
        """
        form = self._parse.finish()
        present = {name: file for name, file in form.files.items() if file}
        return Form(self._schema.check({**form.value, **present}, "body"), form.files)


# -- bodies that the app reads itself -------------------------------------------------------------


def unread_body(settings: OperationSettings) -> DeclaredBody:
    """Return a body of any type that is bounded in size, and not parsed."""
    reader = LargeBodyReader(settings.limits, checks_text=False)
    return DeclaredBody({"*/*": reader}, required=False, untyped=_OCTETS)
