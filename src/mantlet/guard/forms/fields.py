"""What a form declares of its fields, and how names and texts become one value to validate."""

from collections.abc import Callable, Iterable, Mapping
from json import dumps
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from mantlet.guard.errors import Fault, Invalid, pointer
from mantlet.guard.forms.errors import fault, refusal
from mantlet.guard.forms.uploads import UploadedFile
from mantlet.guard.schemas import Schema
from mantlet.http.forms import Pairs

__all__ = ["Form", "FormFields"]

# Any: plain JSON values.
Decode = Callable[[Pairs], tuple[dict[str, Any], list[Fault]]]
Encode = Callable[[Mapping[str, Any]], Pairs]
ReadJson = Callable[[bytes], Any]

_UNDECLARED: Final = "The form declares no such field."


class Form(NamedTuple):
    """A form that has been read and validated.

    Attributes:
        value: what the schema has made of the fields.
        files: the files by their fields' names; a list of them where there may be several.
    """

    value: Any  # whatever the schema makes
    files: Mapping[str, UploadedFile | list[UploadedFile]] = MappingProxyType({})


class FormFields:
    """The fields of a form that are no files.

    A field that comes twice is refused unless it is an array: one framework takes the first, the
    next one the last.

    Args:
        scalars: names of fields that come once.
        arrays: names of fields that may be repeated; their values are lists.
        json: names of fields that are JSON (OpenAPI's ``encoding.contentType``), each with what
            reads it. That raises `Invalid`, with pointers into the field's own value. One that is
            in ``arrays`` too is a list of such values.
        closed: whether fields that are not declared are refused. If they are not, one that comes
            more than once is a list.
        decode: makes values of all fields but the JSON ones, in place of the rules above, such as
            for ``deepObject`` or delimited arrays. It returns what is wrong besides, and may raise
            `Invalid`.
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
        closed: bool = True,
        decode: Decode | None = None,
        encode: Encode | None = None,
    ) -> None:
        self.arrays: Final = frozenset(arrays)
        self.json: Final = dict(json or {})
        self.closed: Final = closed
        self._scalars = frozenset(scalars) | self.json.keys() - self.arrays
        both = self._scalars & self.arrays
        if both:
            raise ValueError(f"{sorted(both)!r} can't be both in scalars and in arrays")
        #: All names that are declared.
        self.names: Final = self._scalars | self.arrays
        if "" in self.names:
            raise ValueError("a field must have a name, not ''")
        self._decode = decode
        self._encode = encode

    def knows(self, name: str) -> bool:
        """Return whether a field of that name may come at all."""
        return name in self.names or not self.closed or self._decode is not None

    def read(self, pairs: Pairs) -> tuple[dict[str, Any], list[Fault]]:
        """Return the value of a form's fields, and what is wrong with them.

        Raises:
            Invalid: with 400 where a field comes twice; with whatever reads JSON has raised.
        """
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        if self._decode is not None:
            others = [pair for pair in pairs if pair[0] not in self.json]
            values, faults = self._decode(others)
            pairs = [pair for pair in pairs if pair[0] in self.json] if self.json else []
        undeclared: dict[str, list[str]] = {}
        for name, text in pairs:
            if name in self.arrays:
                items: list[Any] = values.setdefault(name, [])
                items.append(self._load(text, name, len(items)))
            elif name not in self._scalars:
                undeclared.setdefault(name, []).append(text)
            elif name in values:
                raise refusal(400, "duplicate_field", "The field comes more than once.", name)
            else:
                values[name] = self._load(text, name)
        if self.closed:
            faults += [fault("undeclared_field", _UNDECLARED, name) for name in undeclared]
        else:
            values |= {
                name: texts if len(texts) > 1 else texts[0] for name, texts in undeclared.items()
            }
        return values, faults

    def check(
        self, pairs: Pairs, schema: Schema | None, faults: Iterable[Fault], most: int
    ) -> Any:  # whatever the schema makes
        """Return what a schema makes of a form's fields.

        Args:
            pairs: the fields.
            schema: what checks their value; None for a form of files alone.
            faults: what is known to be wrong already.
            most: how many faults are told of.

        Raises:
            Invalid: with all that is wrong.
        """
        value, wrong = self.read(pairs)
        wrong = [*faults, *wrong]
        try:
            checked = value if schema is None else schema.check(value, "body")
        except Invalid as invalid:
            if not wrong:
                raise
            wrong += invalid.faults
        if wrong:
            raise Invalid(422, wrong[:most])
        return checked

    def write(self, value: Mapping[str, Any]) -> Pairs:
        """Return the fields of a plain value, of which `read()` makes the same one.

        A field that is ``null`` is left out, since no form can say it.

        Raises:
            TypeError: a field is an object, or an array of them, and there is no ``encode``.
        """
        if self._encode is not None:
            others = {name: item for name, item in value.items() if name not in self.json}
            pairs = self._encode(others)
            value = {name: item for name, item in value.items() if name in self.json}
        else:
            pairs = []
        for name, item in value.items():
            items = item if isinstance(item, list) and self._repeats(name) else [item]
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
        except Invalid as invalid:
            place = pointer(path)
            moved = [
                wrong._replace(place="body", pointer=place + wrong.pointer)
                for wrong in invalid.faults
            ]
            raise Invalid(invalid.status, moved, invalid.headers) from None


def _json_text(value: Any) -> str:
    return dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(value: Any) -> str:
    """Return the text of a scalar as a form says it."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise TypeError("a form's field that is an object or a nested array needs encode")
    return _json_text(value)
