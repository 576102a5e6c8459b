"""Convert the fields of a form to one value, and validate it."""

from collections.abc import Callable, Container, Iterable, Mapping
from json import dumps
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from mantlet.guard.bodies.forms.errors import error_item, form_error
from mantlet.guard.bodies.forms.uploads import UploadedFile
from mantlet.guard.errors import ErrorItem, ValidationFailed, pointer
from mantlet.guard.readers import Schema
from mantlet.http.forms import Pairs

__all__ = ["Form", "FormFields"]

# Any: plain JSON values.
Decode = Callable[[Pairs], tuple[dict[str, Any], list[ErrorItem]]]
Encode = Callable[[Mapping[str, Any]], Pairs]
ReadJson = Callable[[bytes], Any]

_UNDECLARED: Final = "Unknown field"


class Form(NamedTuple):
    """A form that has been read and validated.

    Attributes:
        value: the validated fields.
        files: the files by field name; a list if there may be several.
    """

    value: Any  # whatever the schema makes
    files: Mapping[str, UploadedFile | list[UploadedFile]] = MappingProxyType({})


class FormFields:
    """The fields of a form that are not files.

    A repeated field is rejected unless it is an array: some frameworks take the first value, others
    the last one.

    Args:
        scalars: names of fields that have one value.
        arrays: names of fields that may be repeated; their values are lists.
        json: parsers of fields that are JSON (OpenAPI's ``encoding.contentType``), by name. They
            raise `ValidationFailed`, with pointers into the field's own value. A field that is in
            ``arrays`` too is a list of such values.
        whole: names in both ``json`` and ``arrays`` whose only value may be the whole array.
        ignored: names of fields that are accepted, once each, and left out of the value.
        closed: whether to reject undeclared fields. Else a repeated undeclared field is a list.
        unique: whether to reject repeated scalars. Else the last value counts.
        decode: converts all fields except for JSON fields, instead of the rules above, such as for
            ``deepObject`` or delimited arrays. It returns errors with the values, and may raise
            `ValidationFailed`.
        encode: its inverse, which `write()` needs.

    Raises:
        ValueError: a name is empty, or declared both as a scalar and as an array.
    """

    def __init__(
        self,
        scalars: Iterable[str] = (),
        arrays: Iterable[str] = (),
        json: Mapping[str, ReadJson] | None = None,
        *,
        whole: Iterable[str] = (),
        ignored: Iterable[str] = (),
        closed: bool = True,
        unique: bool = True,
        decode: Decode | None = None,
        encode: Encode | None = None,
    ) -> None:
        self.arrays: Final = frozenset(arrays)
        self.json: Final = dict(json or {})
        self.closed: Final = closed
        self._unique = unique
        self._whole = frozenset(whole)
        self._scalars = frozenset(scalars) | self.json.keys() - self.arrays
        both = self._scalars & self.arrays
        if both:
            raise ValueError(f"{sorted(both)!r} can't be both in scalars and in arrays")
        #: All declared names.
        self.names: Final = self._scalars | self.arrays
        if "" in self.names:
            raise ValueError("a field must have a name, not ''")
        self._ignored = frozenset(ignored) - self.names
        self._decode = decode
        self._encode = encode

    def knows(self, name: str) -> bool:
        """Return whether a field of that name is allowed."""
        known = name in self.names or name in self._ignored
        return known or not self.closed or self._decode is not None

    def read(self, pairs: Pairs) -> tuple[dict[str, Any], list[ErrorItem]]:
        """Return the value of a form's fields, and their errors.

        Raises:
            ValidationFailed: with 400 for a duplicate field; with the errors of invalid JSON.
        """
        values: dict[str, Any] = {}
        errors: list[ErrorItem] = []
        if self._ignored:
            pairs = self._without_ignored(pairs)
        if self._decode is not None:
            others = _without(pairs, self.json) if self.json else pairs
            values, errors = self._decode(others)
            pairs = [pair for pair in pairs if pair[0] in self.json] if self.json else []
        undeclared: dict[str, list[str]] = {}
        for name, text in pairs:
            if name in self.arrays:
                items: list[Any] = values.setdefault(name, [])
                items.append(self._load(text, name, len(items)))
            elif name not in self._scalars:
                undeclared.setdefault(name, []).append(text)
            elif self._unique and name in values:
                raise form_error(400, "duplicate_field", "Duplicate field", name)
            else:
                values[name] = self._load(text, name) if name in self.json else text
        if self._whole:
            self._unwrap(values)
        if self.closed:
            errors += [error_item("undeclared_field", _UNDECLARED, name) for name in undeclared]
        else:
            values |= {
                name: texts if len(texts) > 1 else texts[0] for name, texts in undeclared.items()
            }
        return values, errors

    def _unwrap(self, values: dict[str, Any]) -> None:
        for name in self._whole & values.keys():
            if len(values[name]) == 1 and isinstance(values[name][0], list):
                (values[name],) = values[name]

    def _without_ignored(self, pairs: Pairs) -> Pairs:
        kept, seen = [], set()
        for pair in pairs:
            name = pair[0]
            if name not in self._ignored:
                kept.append(pair)
            elif name in seen:
                raise form_error(400, "duplicate_field", "Duplicate field", name)
            seen.add(name)
        return kept

    def check(
        self, pairs: Pairs, schema: Schema | None, errors: Iterable[ErrorItem], limit: int
    ) -> Any:  # whatever the schema makes
        """Return the validated value of a form's fields.

        Args:
            pairs: the fields.
            schema: the schema of their value; None for a form that has only files.
            errors: errors that are known already.
            limit: the maximum number of errors to report.

        Raises:
            ValidationFailed: with all errors.
        """
        value, found = self.read(pairs)
        found[:0] = errors
        try:
            checked = value if schema is None else schema.check(value, "body")
        except ValidationFailed as failure:
            if not found:
                raise
            found += failure.errors
        if found:
            raise ValidationFailed(422, found[:limit])
        return checked

    def write(self, value: Mapping[str, Any]) -> Pairs:
        """Return the fields for a plain value, from which `read()` makes the same value.

        A ``null`` field is omitted, since forms can't express it.

        Raises:
            TypeError: a field is an object, or an array of them, and ``encode`` is missing.
        """
        if self._encode is not None:
            others = {name: item for name, item in value.items() if name not in self.json}
            pairs = self._encode(others)
            value = {name: item for name, item in value.items() if name in self.json}
        else:
            pairs = []
        for name, item in value.items():
            repeats = isinstance(item, list) and self._repeats(name)
            items = item if repeats and (item or name not in self._whole) else [item]
            to_text = _json_text if name in self.json else _text
            pairs += [(name, to_text(one)) for one in items if one is not None]
        return pairs

    def _repeats(self, name: str) -> bool:
        return name not in self._scalars

    def _load(self, text: str, *path: str | int) -> Any:
        read = self.json.get(str(path[0]))
        if read is None:
            return text
        try:
            return read(text.encode())
        except ValidationFailed as failure:
            where = pointer(path)
            errors = [
                error._replace(place="body", pointer=where + error.pointer)
                for error in failure.errors
            ]
            raise ValidationFailed(failure.status, errors, failure.headers) from None


def _without(pairs: Pairs, names: Container[str]) -> Pairs:
    return [pair for pair in pairs if pair[0] not in names]


def _json_text(value: Any) -> str:
    return dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(value: Any) -> str:
    """Return the text of a scalar in a form."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise TypeError("a form field that is an object or a nested array needs encode")
    return _json_text(value)
