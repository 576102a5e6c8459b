"""Collect the raw texts of one place, and read the values of its parameters from them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

from mantlet.guard.errors import ErrorItem, Place, ValidationFailed, pointer
from mantlet.guard.parameters.decoding import UndecodableText
from mantlet.guard.parameters.deep import MAX_DEPTH, Path, read_deep, split_name
from mantlet.guard.parameters.parameter import Parameter
from mantlet.guard.parameters.styles import StyleParser, parse_items

__all__ = [
    "InvalidMemberName",
    "NameIndex",
    "ParameterErrors",
    "ParameterReader",
    "ValueCollector",
]

#: Characters of a name from the client in a pointer.
_LONGEST_NAME: Final = 64
_NO_SCALARS: Final = frozenset({"array", "null", "object"})


class ParameterErrors:
    """The errors of the parameters of one place.

    Args:
        place: the place, for the errors.
        limit: the maximum number of errors to keep.

    Attributes:
        items: the errors.
        unreadable: whether a part of the place is malformed or ambiguous.
        excused: the parameters that are not reported as missing.
    """

    __slots__ = ("_limit", "excused", "items", "place", "unreadable")

    def __init__(self, place: Place, limit: int) -> None:
        self.place: Place = place
        self._limit = limit
        self.items: list[ErrorItem] = []
        self.unreadable = False
        self.excused: set[str] = set()

    def add_undecodable(self, name: str, error: UndecodableText) -> None:
        """Add the error of a parameter that can't be read.

        Args:
            name: the declared name.
            error: the reason.
        """
        where = pointer((name,))
        names = (error.member,) if isinstance(error.member, str) else error.member or ()
        where += pointer(tuple(one[:_LONGEST_NAME] for one in names))
        self.add_unreadable(where, error.code, error.detail)
        self.excused.add(name)

    def add_unreadable(self, where: str, code: str, detail: str) -> None:
        """Add an error that makes the whole place unreadable."""
        self.unreadable = True
        self._add(ErrorItem(self.place, where, code, detail))

    def add_undeclared(self, name: str) -> None:
        """Add the error of an undeclared name."""
        where = pointer((name[:_LONGEST_NAME],))
        self._add(ErrorItem(self.place, where, "undeclared_parameter", "Unknown parameter"))

    def add_missing(self, name: str) -> None:
        """Add the error of a missing parameter."""
        where = pointer((name,))
        self._add(ErrorItem(self.place, where, "missing_parameter", "Missing required parameter"))

    def add_nested(self, name: str, failure: ValidationFailed) -> None:
        """Add the errors within a parameter's value."""
        where = pointer((name,))
        self.unreadable = self.unreadable or failure.status != 422
        for error in failure.errors:
            self._add(ErrorItem(self.place, where + error.pointer, error.code, error.detail))
        self.excused.add(name)

    def add_schema_errors(self, failure: ValidationFailed) -> None:
        """Add the errors of the schema, except for places that have an error already."""
        known = {error.pointer for error in self.items}
        missing = any(error.code == "missing_parameter" for error in self.items)
        for error in failure.errors:
            if error.pointer not in known and not (error.code == "required" and missing):
                self._add(error)

    def failure(self) -> ValidationFailed:
        """Return the exception: with 400 if the place is unreadable, else 422."""
        return ValidationFailed(400 if self.unreadable else 422, self.items)

    def _add(self, error: ErrorItem) -> None:
        if len(self.items) < self._limit and error not in self.items:
            self.items.append(error)


class ParameterReader:
    """Reads the values of one parameter.

    Args:
        parameter: the declared parameter.
        decode: decodes one part of its text.
        encoded: whether the text has percent-encoding, unlike that of a part of a multipart form.

    Attributes:
        name: the name of the parameter.
        parameter: the declared parameter.
        whole: whether one text, under one name, has the complete value. Else it is an array whose
            items repeat its name, or an object whose members have names of their own.
        chunked: whether this text begins with a name (an exploded ``form`` in a cookie).
        scalar: converts the text of a parameter that can only be a scalar; else None.
    """

    __slots__ = ("_styles", "chunked", "decode", "name", "parameter", "scalar", "whole")

    def __init__(
        self, parameter: Parameter, decode: Callable[[str], str], *, encoded: bool = True
    ) -> None:
        self.name = parameter.name
        self.parameter = parameter
        self.decode = decode
        self._styles = StyleParser(parameter, decode, encoded=encoded)
        shape, style = parameter.shape, parameter.style
        exploded = (
            parameter.decode is None
            and bool(parameter.explode)
            and shape.structured
            and style in ("form", "cookie")
        )
        self.chunked = exploded and parameter.place == "cookie" and style == "form"
        self.whole = self.chunked or not (exploded or self.is_deep)
        plain = not shape.structured and parameter.decode is None
        unmarked = style in ("form", "simple", "cookie")
        self.scalar: Callable[[str], Any] | None = shape.read if plain and unmarked else None

    @property
    def is_deep(self) -> bool:
        """Whether members are written as ``name[member]``."""
        return self.parameter.style == "deepObject" and self.parameter.decode is None

    @property
    def has_own_members(self) -> bool:
        """Whether members are written under their own names."""
        parameter = self.parameter
        exploded = self.chunked or not self.whole
        return exploded and not self.is_deep and "object" in parameter.shape.types

    @property
    def may_be_scalar(self) -> bool:
        """Whether a closed object with own names may be a scalar instead, under its own name."""
        shape = self.parameter.shape
        return not self.chunked and shape.additional is None and bool(shape.types - _NO_SCALARS)

    def names(self) -> Iterable[tuple[str, str | None]]:
        """Return the names that the parameter reads, each with its member, if any."""
        if self.is_deep:
            return ()
        if not self.has_own_members:
            return ((self.name, None),)
        shape = self.parameter.shape
        names: list[tuple[str, str | None]] = [(name, name) for name in shape.properties]
        if self.may_be_scalar and self.name not in shape.properties:
            names.append((self.name, None))
        return names

    def read(self, text: str) -> Any:
        """Return the value of a text that contains all of it.

        Raises:
            UndecodableText: the text is not in the parameter's style.
            ValidationFailed: see `Parameter.decode`.
        """
        if self.scalar is not None:
            return self.scalar(self.decode(text))
        decode = self.parameter.decode
        return self._styles.read(text) if decode is None else decode(self.decode(text))

    def read_items(self, texts: list[str]) -> Any:
        """Return the value of the texts of items.

        Raises:
            UndecodableText: a text can't be read.
        """
        shape = self.parameter.shape
        if len(texts) == 1:
            scalar = shape.read(self.decode(texts[0]))
            if shape.is_scalar(scalar):
                return scalar
        return parse_items(texts, shape, self.decode)

    def read_members(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return the value of the texts of members.

        Raises:
            UndecodableText: a text can't be read.
        """
        member = self.parameter.shape.member
        return {name: member(name).read(self.decode(text)) for name, text in texts.items()}

    def read_paths(self, pairs: Iterable[tuple[Path, str]], *, unique: bool) -> Any:
        """Return the value of the texts of members, and of members and items in them.

        Raises:
            UndecodableText: a text can't be read, or two are in conflict.
        """
        parameter = self.parameter
        return read_deep(pairs, parameter.deep or parameter.shape, self.decode, unique=unique)


#: The reader of a name, and the member that it stands for, if any: its name, or the way to it.
Owner = tuple[ParameterReader, str | Path | None]


class InvalidMemberName(UndecodableText):
    """A name such as ``filter[a`` that is not a valid name of an object's member.

    Args:
        name: the parameter's name.
    """

    def __init__(self, name: str) -> None:
        detail = f"Members must be in brackets, one pair each, at most {MAX_DEPTH}"
        super().__init__("malformed_parameter", detail)
        self.name = name


class NameIndex:
    """The readers of one place by the names that they read.

    An exploded object reads the names of its properties. It also reads the names that no other
    parameter reads, if its schema allows additional members (`Coercer.additional`).

    Args:
        readers: all readers of the place.

    Raises:
        ValueError: two readers read the same name.
    """

    __slots__ = ("_deep", "_rest", "exact")

    def __init__(self, readers: Iterable[ParameterReader]) -> None:
        self.exact: dict[str, Owner] = {}
        self._deep: dict[str, ParameterReader] = {}
        self._rest: ParameterReader | None = None
        for reader in readers:
            for name, member in reader.names():
                if name in self.exact:
                    _reject_conflict(reader, self.exact[name][0], name)
                self.exact[name] = (reader, member)
            if reader.is_deep:
                self._deep[reader.name] = reader
            if reader.has_own_members and reader.parameter.shape.additional is not None:
                if self._rest is not None:
                    _reject_conflict(reader, self._rest, "any")
                self._rest = reader
        for name, (reader, _) in self.exact.items():
            deep = self._deep.get(name.partition("[")[0])
            if deep is not None:
                _reject_conflict(reader, deep, name)

    def find(self, name: str) -> Owner | None:
        """Return the reader of a name, and the member that the name stands for, if any.

        Raises:
            InvalidMemberName: the name is not in the style ``deepObject``.
        """
        found = self.exact.get(name)
        if found is not None:
            return found
        if self._deep:
            head, bracket, tail = name.partition("[")
            deep = self._deep.get(head)
            if deep is not None:
                path = split_name(bracket + tail)
                if path is None:
                    raise InvalidMemberName(deep.name)
                return deep, path
        return None if self._rest is None else (self._rest, name)


def _reject_conflict(reader: ParameterReader, other: ParameterReader, name: str) -> NoReturn:
    raise ValueError(
        f"{reader.parameter.place} parameters {other.name!r} and {reader.name!r} must not both "
        f"read the name {name!r}"
    )


class ValueCollector:
    """Collects the texts of one place in one request.

    Args:
        errors: collects the errors.
        unique: whether to reject repeated scalars; else the last one counts.
    """

    __slots__ = ("_errors", "_members", "_paths", "_texts", "_unique")

    def __init__(self, errors: ParameterErrors, unique: bool) -> None:
        self._errors = errors
        self._unique = unique
        self._texts: dict[str, list[str]] = {}
        self._members: dict[str, dict[str, str]] = {}
        self._paths: dict[str, list[tuple[Path, str]]] = {}

    def add(self, owner: Owner, text: str) -> None:
        """Add one encoded text of a reader."""
        reader, member = owner
        if isinstance(member, tuple):
            self._paths.setdefault(reader.name, []).append((member, text))
            return
        if reader.whole or member is None:
            texts = self._texts.setdefault(reader.name, [])
            if texts and (reader.whole or reader.has_own_members):
                self._reject_duplicate(reader, None)
                texts.clear()
            texts.append(text)
            return
        members = self._members.setdefault(reader.name, {})
        if member in members:
            self._reject_duplicate(reader, member)
        members[member] = text

    def values(self, readers: Iterable[ParameterReader]) -> dict[str, Any]:
        """Return the values of the parameters that are present and readable, by name."""
        values: dict[str, Any] = {}
        for reader in readers:
            name = reader.name
            texts, members = self._texts.get(name), self._members.get(name)
            paths = self._paths.get(name)
            if reader.parameter.allow_empty and (texts == [""] or paths == [((), "")]):
                self._errors.excused.add(name)
                continue
            try:
                if members is not None and texts is not None:
                    raise UndecodableText(
                        "malformed_parameter", "Must be either a value or an object's members"
                    )
                if paths is not None:
                    values[name] = reader.read_paths(paths, unique=self._unique)
                elif members is not None:
                    values[name] = reader.read_members(members)
                elif texts is not None:
                    values[name] = (
                        reader.read(texts[0]) if reader.whole else reader.read_items(texts)
                    )
            except UndecodableText as error:
                self._errors.add_undecodable(name, error)
            except ValidationFailed as failure:
                self._errors.add_nested(name, failure)
        return values

    def _reject_duplicate(self, reader: ParameterReader, member: str | None) -> None:
        if self._unique:
            error = UndecodableText("duplicate_parameter", "Duplicate parameter", member)
            self._errors.add_undecodable(reader.name, error)
