"""A ``.env`` file."""

import io
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.read import Unfit, identity, opened_file, read_file
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceError,
    SourceResult,
    SourceValue,
    typos,
)
from mantlet.secrets.sources.steady import steady

__all__ = ["DotEnv", "bindings"]


class DotEnv(SecretSource):
    """A ``.env`` file, as python-dotenv reads it, without interpolation: a ``$`` is a ``$``.

    Args:
        path: the file. One that isn't there has no secrets.
        allow_world_readable: take a file that every user of the machine may read.

    Raises:
        ImportError: python-dotenv is not installed; the message names the extra.
    """

    def __init__(
        self, path: str | os.PathLike[str] = ".env", *, allow_world_readable: bool = False
    ) -> None:
        import_extra("dotenv.parser", "secrets")
        self.name = os.fspath(path)
        self.example_files = (f"{self.name}.example",)
        self._allow_world_readable = allow_world_readable

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return what there is in the file."""
        values, since = steady(self._values, lambda: self.change_token(fields))
        return {
            field.name: _value(field.env, values[field.env], since)
            for field in fields
            if field.env in values
        }

    def _values(self) -> tuple[dict[str, str | None], float | None]:
        try:
            with opened_file(self.name) as file:
                whole = read_file(file, self.name, allow_world_readable=self._allow_world_readable)
        except FileNotFoundError:
            return {}, None
        except Unfit as unfit:
            raise SourceError(str(unfit)) from None
        return bindings(whole.raw), whole.changed_at

    def location(self, field: SecretField) -> str:
        """Return the variable."""
        return field.env

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return what tells the file."""
        try:
            with opened_file(self.name) as file:
                return identity(file)
        except (FileNotFoundError, Unfit) as unfit:
            return str(unfit)

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return variables that resemble a secret's."""
        return typos(self._values()[0], [field.env for field in fields])


def _value(name: str, text: str | None, since: float | None) -> SourceResult:
    return RejectedValue(name, "has no value") if text is None else SourceValue(text, name, since)


def bindings(raw: str | bytes, *, strict: bool = True) -> dict[str, str | None]:
    """Return the variables of a ``.env`` file; of one that is there twice, the last.

    Args:
        raw: what is in it.
        strict: refuse what can't be read; else leave it out.

    Raises:
        SourceError: it is not one; the lines are named, and not what is in them.
    """
    data = raw.encode() if isinstance(raw, str) else raw
    lines = [at for at, line in enumerate(data.split(b"\n"), 1) if not _is_text(line)]
    if lines and strict:
        raise SourceError(f"is not UTF-8 text in {_named(lines)}")
    parse = import_extra("dotenv.parser", "secrets").parse_stream
    found = tuple(parse(io.StringIO(data.decode(errors="replace"))))
    wrong = [one.original.line + _blank_lines(one.original.string) for one in found if one.error]
    if wrong and strict:
        raise SourceError(f"can't be read in {_named(wrong)}")
    return {one.key: one.value for one in found if one.key is not None}


def _is_text(line: bytes) -> bool:
    return line.decode(errors="replace").encode() == line and b"\0" not in line


def _blank_lines(text: str) -> int:
    """Return how many lines of a part of the file come before what is in it."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def _named(lines: Sequence[int]) -> str:
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"
