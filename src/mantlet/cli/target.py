"""What a command is about: a class of secrets, or a loader, named as ``module:name``."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mantlet.secrets.loader import SecretLoader
from mantlet.secrets.model import SecretModel
from mantlet.secrets.report import SecretsError
from mantlet.secrets.sources import (
    DotEnv,
    Environment,
    SecretFiles,
    SecretSource,
    SystemdCredentials,
)

__all__ = ["UsageError", "loader_of", "model_of"]


class UsageError(Exception):
    """The command can't do what it was asked for. The message is for the user, without a value."""


def model_of(target: str) -> type[SecretModel]:
    """Return a class of secrets.

    Raises:
        UsageError: it is not there, or something else.
    """
    found = _found(target)
    if isinstance(found, type) and issubclass(found, SecretModel):
        return found
    raise UsageError(f"{target} is no class made of SecretModel")


def loader_of(
    target: str, sources: Sequence[str], *, allow_world_readable: bool
) -> SecretLoader[Any]:
    """Return a loader: the one that is named, or one for the class that is.

    Args:
        target: as ``module:name``.
        sources: as the user names them; those for a developer's machine where there are none.
        allow_world_readable: take files that every user of the machine may read.

    Raises:
        SecretsError: something is wrong with the secrets.
        UsageError: it is not there, or something else.
    """
    found = _found(target)
    if isinstance(found, SecretLoader):
        if sources:
            raise UsageError(f"{target} is a loader, which has its sources")
        return found
    if not isinstance(found, type) or not issubclass(found, SecretModel):
        raise UsageError(f"{target} is neither a class made of SecretModel nor a SecretLoader")
    try:
        named = [_source(name, allow_world_readable=allow_world_readable) for name in sources]
        return SecretLoader(
            found, sources=named or _usual(allow_world_readable=allow_world_readable)
        )
    except (ImportError, TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def _found(target: str) -> Any:
    module, _, name = target.partition(":")
    if not module or not name:
        raise UsageError(f"{target!r} is not of the form module:name")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  # as `python -m` has it
    why = None
    found = None
    try:
        found = import_module(module)
    except SecretsError:
        raise
    except ModuleNotFoundError as error:
        why = f"there is no module {error.name}"
    except Exception as error:  # noqa: BLE001  # of the user's module, whose words may tell
        why = f"{module} can't be imported: {type(error).__qualname__}"
    if why is not None:
        raise UsageError(why)
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module} has no {name}")
        found = getattr(found, part)
    return found


def _usual(*, allow_world_readable: bool) -> list[SecretSource]:
    sources: list[SecretSource] = [Environment(allow_world_readable=allow_world_readable)]
    if find_spec("dotenv") is not None:
        sources.append(DotEnv(allow_world_readable=allow_world_readable))
    return sources


def _source(name: str, *, allow_world_readable: bool) -> SecretSource:
    kind, _, place = name.partition(":")
    if kind == "env" and not place:
        return Environment(allow_world_readable=allow_world_readable)
    if kind == "dotenv":
        return DotEnv(place or ".env", allow_world_readable=allow_world_readable)
    if kind == "files" and place:
        return SecretFiles(place, allow_world_readable=allow_world_readable)
    if kind == "systemd":
        return SystemdCredentials(place or None)
    raise UsageError(f"{name!r} is none of env, dotenv:PATH, files:DIRECTORY and systemd")
