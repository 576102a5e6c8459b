"""Read the text fields of a multipart form, each in its style."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mantlet.guard.errors import ErrorItem, pointer
from mantlet.guard.parameters.coercion import TEXTS, Coercer
from mantlet.guard.parameters.collector import (
    InvalidMemberName,
    NameIndex,
    ParameterErrors,
    ParameterReader,
    ValueCollector,
)
from mantlet.guard.parameters.parameter import Parameter
from mantlet.guard.parameters.writing import field_pairs

__all__ = ["PartsReader"]


class PartsReader:
    """Reads the fields of a form that are neither files nor JSON.

    Args:
        parameters: the fields; an array without a style is one part for each item.
        optional: the fields that may be absent; an empty one that could only be null is left out.
        other: the shape of undeclared fields; None to reject them.
        limit: the maximum number of errors.
        unique: whether to reject repeated scalars. Else the last value counts.

    Raises:
        ValueError: two fields read the same name.
    """

    __slots__ = ("_limit", "_names", "_optional", "_other", "_readers", "_scalars", "_unique")

    def __init__(
        self,
        parameters: Sequence[Parameter],
        optional: Collection[str],
        other: Coercer | None,
        limit: int,
        *,
        unique: bool = True,
    ) -> None:
        self._readers = [ParameterReader(one, str, encoded=False) for one in parameters]
        self._names = NameIndex(self._readers)
        self._scalars = {
            reader.name: reader.scalar
            for reader in self._readers
            if reader.scalar is not None and not reader.parameter.allow_empty
        }
        self._optional = frozenset(optional)
        self._other = other
        self._limit = limit
        self._unique = unique

    # Any: values of JSON.
    def __call__(self, pairs: list[tuple[str, str]]) -> tuple[dict[str, Any], list[ErrorItem]]:
        """Return the values of fields, and the errors of those that are not declared.

        Raises:
            ValidationFailed: with 400 for a field that can be read in two ways.
        """
        # Most forms are a few scalars.
        values: dict[str, Any] = {}
        for name, text in pairs:
            read = self._scalars.get(name)
            if read is None or name in values:
                return self._read_any(pairs)
            values[name] = read(text)
        self._leave_out(values)
        return values, []

    def _read_any(self, pairs: list[tuple[str, str]]) -> tuple[dict[str, Any], list[ErrorItem]]:
        errors = ParameterErrors("body", self._limit)
        collector = ValueCollector(errors, unique=self._unique)
        others: dict[str, list[str]] = {}
        for name, text in pairs:
            try:
                owner = self._names.find(name)
            except InvalidMemberName as error:
                errors.add_undecodable(error.name, error)
                continue
            if owner is None:
                others.setdefault(name, []).append(text)
            else:
                collector.add(owner, text)
        values = collector.values(self._readers)
        if errors.unreadable:
            raise errors.failure()
        self._leave_out(values)
        if self._other is None:
            undeclared = [
                ErrorItem("body", pointer((name,)), "undeclared_field", "Unknown field")
                for name in others
            ]
            return values, undeclared
        return values | {name: self._undeclared(texts) for name, texts in others.items()}, []

    def _leave_out(self, values: dict[str, Any]) -> None:
        if None in values.values():
            for name in self._optional & values.keys():
                if values[name] is None:
                    del values[name]

    def write(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the fields of values, from which the same are read."""
        known = {reader.name: reader.parameter for reader in self._readers}
        return [
            pair
            for name, value in values.items()
            for pair in field_pairs(
                known.get(name) or Parameter(name=name, place="query", shape=TEXTS), value
            )
        ]

    def _undeclared(self, texts: list[str]) -> Any:
        shape = self._other
        if shape is None or (len(texts) == 1 and "array" not in shape.types):
            return None if shape is None else shape.read(texts[0])
        return [shape.item(index).read(text) for index, text in enumerate(texts)]
