"""Read secrets from ``.env`` files."""

import io
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress

from mantlet._internal.extras import import_extra
from mantlet.secrets.sources.read import (
    UnreadableFile,
    file_identity,
    open_file,
    read_consistently,
    read_file,
)
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceError,
    SourceResult,
    SourceValue,
    find_similar_names,
)

__all__ = ["DotEnv", "parse_dotenv", "read_example_values"]


class DotEnv(SecretSource):
    """A ``.env`` file in the syntax of python-dotenv, without interpolation: ``$`` is literal.

    Args:
        path: the file. A missing file has no secrets.
        allow_world_readable: accept a file that every user of the machine can read.

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
        """Return the values of the file's variables."""
        values, changed_at = read_consistently(
            self._read_variables, lambda: self.change_token(fields)
        )
        return {
            field.name: _to_result(field.env, values[field.env], changed_at)
            for field in fields
            if field.env in values
        }

    def _read_variables(self) -> tuple[dict[str, str | None], float | None]:
        try:
            with open_file(self.name) as file:
                content = read_file(
                    file, self.name, allow_world_readable=self._allow_world_readable
                )
        except FileNotFoundError:
            return {}, None
        except UnreadableFile as error:
            raise SourceError(str(error)) from None
        return parse_dotenv(content.raw), content.changed_at

    def location(self, field: SecretField) -> str:
        """Return the name of the variable."""
        return field.env

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return the identity of the file."""
        try:
            with open_file(self.name) as file:
                return file_identity(file)
        except (FileNotFoundError, UnreadableFile) as error:
            return str(error)

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return unknown variables that resemble a secret's."""
        return find_similar_names(self._read_variables()[0], [field.env for field in fields])


def _to_result(name: str, text: str | None, changed_at: float | None) -> SourceResult:
    if text is None:
        return RejectedValue(name, "has no value")
    return SourceValue(text, name, changed_at)


def parse_dotenv(raw: str | bytes, *, strict: bool = True) -> dict[str, str | None]:
    """Parse the variables of a ``.env`` file; the last of several with one name wins.

    Args:
        raw: the content of the file.
        strict: raise an error for malformed lines rather than skip them.

    Raises:
        SourceError: lines are malformed. The message has their numbers and not their content.
    """
    data = raw.encode() if isinstance(raw, str) else raw
    undecodable = [at for at, line in enumerate(data.split(b"\n"), 1) if not _is_text(line)]
    if undecodable and strict:
        raise SourceError(f"is not UTF-8 text in {_format_lines(undecodable)}")
    parse = import_extra("dotenv.parser", "secrets").parse_stream
    bindings = tuple(parse(io.StringIO(data.decode(errors="replace"))))
    malformed = [
        one.original.line + _count_blank_lines(one.original.string) for one in bindings if one.error
    ]
    if malformed and strict:
        raise SourceError(f"can't be parsed in {_format_lines(malformed)}")
    return {one.key: one.value for one in bindings if one.key is not None}


def _is_text(line: bytes) -> bool:
    return line.decode(errors="replace").encode() == line and b"\0" not in line


def _count_blank_lines(text: str) -> int:
    """Return the number of blank lines at the start of a part of a file."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def _format_lines(lines: Sequence[int]) -> str:
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"


def read_example_values(paths: Iterable[str | os.PathLike[str]]) -> frozenset[str]:
    """Return the values of example files. Missing and unreadable files are skipped."""
    found: set[str] = set()
    for path in paths:
        with (
            suppress(OSError, ImportError, SourceError, UnreadableFile),
            open_file(os.fspath(path)) as file,
        ):
            raw = read_file(file, "", allow_world_readable=True).raw
            found.update(filter(None, parse_dotenv(raw, strict=False).values()))
    return frozenset(found)
