"""Read secrets from ``.env`` files."""

import io
import logging
import os
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from mantlet._internal.extras import import_extra
from mantlet._internal.trusted_paths import READ_FLAGS, is_world_readable
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

log = logging.getLogger("mantlet.secrets")

__all__ = ["DotEnv", "parse_dotenv", "read_example_values"]

#: What a checkout has at its top: a directory, or a file in a worktree of Git.
_CHECKOUTS: Final = (".git", ".hg", ".svn", ".jj")

#: The beginning of a line, as python-dotenv reads it.
_ASSIGNED: Final = re.compile(
    r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^'=#\s][^=#\s]*)[^\S\r\n]*(?P<sign>=?)"
)


class DotEnv(SecretSource):
    """A ``.env`` file in the syntax of python-dotenv, without interpolation: ``$`` is literal.

    In a checkout of Git, Mercurial, Subversion or Jujutsu, a file that every user of the machine
    can read is accepted with a warning, if the file and the checkout belong to this user.

    Args:
        path: the file. A missing file has no secrets.
        allow_world_readable: accept a file that every user of the machine can read, without a
            warning.

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
        self._has_warned = False

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return the values of the file's variables."""
        values, content = read_consistently(self._read_variables, lambda: self.change_token(fields))
        return {
            field.name: _to_result(field.env, values[field.env], content)
            for field in fields
            if content is not None and field.env in values
        }

    def _read_variables(self) -> tuple[dict[str, str | None], SourceValue | None]:
        try:
            with open_file(self.name) as file:
                warns = self._is_tolerated(os.fstat(file))
                allowed = warns or self._allow_world_readable
                content = read_file(file, self.name, allow_world_readable=allowed)
        except FileNotFoundError:
            return {}, None
        except UnreadableFile as error:
            raise SourceError(str(error)) from None
        if warns and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s is readable by every user of this machine: chmod 600 %s", self.name, self.name
            )
        note = "its file is readable by every user of this machine: chmod 600" if warns else None
        return parse_dotenv(content.raw), replace(content, note=note)

    def _is_tolerated(self, status: os.stat_result) -> bool:
        """Return whether a file that everybody can read is in a checkout of this user."""
        is_readable = is_world_readable(status) and not self._allow_world_readable
        return is_readable and status.st_uid == os.geteuid() and _is_in_checkout(self.name)

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


def _to_result(name: str, text: str | None, content: SourceValue) -> SourceResult:
    if text is None:
        return RejectedValue(name, "has no value")
    return SourceValue(text, name, content.changed_at, content.note)


def _is_in_checkout(path: str) -> bool:
    """Return whether a file is below a directory of a version control system of this user."""
    for directory in Path(path).absolute().parents:
        for name in _CHECKOUTS:
            with suppress(OSError):
                return (directory / name).lstat().st_uid == os.geteuid()
    return False


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
    # With every newline as "\n", as in a file that is opened as text.
    bindings = tuple(parse(io.StringIO(data.decode(errors="replace"), newline=None)))
    malformed = {
        one.original.line + _count_blank_lines(one.original.string): _fault(one.original.string)
        for one in bindings
        if one.error
    }
    if malformed and strict:
        reasons = "; ".join(dict.fromkeys(malformed.values()))
        raise SourceError(f"can't be parsed in {_format_lines(tuple(malformed))}: {reasons}")
    return {one.key: one.value for one in bindings if one.key is not None}


def _fault(text: str) -> str:
    """Return why a line can't be parsed, without its content."""
    found = _ASSIGNED.match(text)
    if found is None:
        return "a name is missing"
    if found["sign"]:
        return "a quote is not closed, or text follows it"
    return "text follows a name without ="


def _is_text(line: bytes) -> bool:
    return line.decode(errors="replace").encode() == line and b"\0" not in line


def _count_blank_lines(text: str) -> int:
    """Return the number of blank lines at the start of a part of a file."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def _format_lines(lines: Sequence[int]) -> str:
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"


def _open_without_waiting(path: str, _flags: int) -> int:
    return os.open(path, READ_FLAGS)


def read_example_values(paths: Iterable[str | os.PathLike[str]]) -> frozenset[str]:
    """Return the values of example files. Missing and unreadable files are skipped."""
    found: set[str] = set()
    for path in paths:
        # Whoever wrote it: its values are only rejected.
        with (
            suppress(OSError, ValueError, ImportError, SourceError, UnreadableFile),
            open(path, "rb", opener=_open_without_waiting) as stream,  # an opener
        ):
            file = stream.fileno()
            raw = read_file(file, "", allow_world_readable=True, must_be_trusted=False).raw
            found.update(filter(None, parse_dotenv(raw, strict=False).values()))
    return frozenset(found)
