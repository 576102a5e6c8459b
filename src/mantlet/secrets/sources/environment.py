"""Read secrets from environment variables, and from files that they name."""

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from mantlet.secrets.sources.read import (
    UnreadableFile,
    file_identity,
    note_separate_files,
    open_file,
    read_consistently,
    read_file,
)
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceResult,
    SourceValue,
    find_similar_names,
)

__all__ = ["Environment"]

#: The suffix of a variable with the path of a file.
_FILE: Final = "_FILE"


class Environment(SecretSource):
    """The environment: the value in ``NAME``, or the path of a file with it in ``NAME_FILE``.

    Args:
        environ: a mapping to use instead of ``os.environ``.
        allow_world_readable: accept files that every user of the machine can read.
    """

    name = "environment"

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, allow_world_readable: bool = False
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._allow_world_readable = allow_world_readable

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return the values of the variables and files, in a consistent state."""
        return read_consistently(lambda: self._read(fields), lambda: self.change_token(fields))

    def _read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        found = ((field.name, self._read_variable(field.env)) for field in fields)
        return note_separate_files({name: value for name, value in found if value is not None})

    def _read_variable(self, env: str) -> SourceResult | None:
        path = self._environ.get(env + _FILE)
        raw = self._environ.get(env)
        if path is None:
            return None if raw is None else SourceValue(raw, env)
        if raw is not None:
            return RejectedValue(env, f"is set, and so is {env}{_FILE}: unset one of them")
        # The path itself is not secret, but set by the operator.
        location = f"{env}{_FILE}"
        try:
            with open_file(path) as file:
                return read_file(file, location, allow_world_readable=self._allow_world_readable)
        except FileNotFoundError:
            return RejectedValue(location, "names a file that does not exist")
        except UnreadableFile as error:
            return RejectedValue(location, f"names a file that {error}")

    def location(self, field: SecretField) -> str:
        """Return the name of the variable."""
        return field.env

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return hashes of the values and the identities of the files."""
        return tuple(self._variable_token(field.env) for field in fields)

    def _variable_token(self, env: str) -> Hashable:
        path = self._environ.get(env + _FILE)
        if path is None:
            return hash(self._environ.get(env))
        try:
            with open_file(path) as file:
                return path, file_identity(file)
        except (FileNotFoundError, UnreadableFile) as error:
            return path, str(error)

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return unknown variables that resemble a secret's."""
        known = [name for field in fields for name in (field.env, field.env + _FILE)]
        return find_similar_names(self._environ, known)
