"""Environment variables, and the files that they name."""

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from mantlet.secrets.sources.read import Unfit, identity, opened_file, read_file
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceResult,
    SourceValue,
    typos,
)
from mantlet.secrets.sources.steady import steady

__all__ = ["Environment"]

_FILE: Final = "_FILE"


class Environment(SecretSource):
    """The environment: ``NAME``, or in ``NAME_FILE`` the path of a file that has the value.

    Args:
        environ: another mapping in place of ``os.environ``.
        allow_world_readable: take files that every user of the machine may read.
    """

    name = "environment"

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, allow_world_readable: bool = False
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._allow_world_readable = allow_world_readable

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return what there is in the environment, and the files of one state."""
        return steady(lambda: self._read(fields), lambda: self.change_token(fields))

    def _read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        found = ((field.name, self._value(field.env)) for field in fields)
        return {name: value for name, value in found if value is not None}

    def _value(self, env: str) -> SourceResult | None:
        path = self._environ.get(env + _FILE)
        raw = self._environ.get(env)
        if path is None:
            return None if raw is None else SourceValue(raw, env)
        if raw is not None:
            return RejectedValue(env, f"is there, and {env}{_FILE} is too: which one counts?")
        try:
            with opened_file(path) as file:
                # The path comes from whoever runs the app, and is no secret.
                return read_file(
                    file, f"{env}{_FILE}", allow_world_readable=self._allow_world_readable
                )
        except FileNotFoundError:
            return RejectedValue(f"{env}{_FILE}", "names a file that is not there")
        except Unfit as unfit:
            return RejectedValue(f"{env}{_FILE}", f"names a file that {unfit}")

    def location(self, field: SecretField) -> str:
        """Return the variable."""
        return field.env

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return what tells the values, by hashes alone, and the files."""
        return tuple(self._stamp(field.env) for field in fields)

    def _stamp(self, env: str) -> Hashable:
        path = self._environ.get(env + _FILE)
        if path is None:
            return hash(self._environ.get(env))
        try:
            with opened_file(path) as file:
                return path, identity(file)
        except (FileNotFoundError, Unfit) as unfit:
            return path, str(unfit)

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return variables that resemble a secret's."""
        known = [name for field in fields for name in (field.env, field.env + _FILE)]
        return typos(self._environ, known)
