"""Load the object that a command is about, named as ``module:name``."""

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

__all__ = ["UsageError", "load_model", "load_secrets"]


class UsageError(Exception):
    """The command cannot do its work. The message is for the user and contains no value."""


def load_model(target: str) -> type[SecretModel]:
    """Import a model.

    Args:
        target: the class, as ``module:name``.

    Raises:
        UsageError: the target cannot be imported or is not a `SecretModel`.
    """
    found = _import_target(target)
    if isinstance(found, type) and issubclass(found, SecretModel):
        return found
    raise UsageError(f"{target} is not a SecretModel class")


def load_secrets(
    target: str, sources: Sequence[str], *, allow_world_readable: bool
) -> SecretLoader[Any]:
    """Import a loader, or make one for a model.

    Args:
        target: the loader or the model, as ``module:name``.
        sources: the names of the sources; by default the environment and, if python-dotenv is
            installed, ``.env``.
        allow_world_readable: accept files that every user of the machine can read.

    Raises:
        SecretsError: a secret is missing or invalid.
        UsageError: the target cannot be imported or is neither a model nor a loader, or a source
            is unknown.
    """
    found = _import_target(target)
    if isinstance(found, SecretLoader):
        if sources:
            raise UsageError(f"{target} is a SecretLoader with its own sources: remove --source")
        return found
    if not isinstance(found, type) or not issubclass(found, SecretModel):
        raise UsageError(f"{target} is neither a SecretModel class nor a SecretLoader")
    try:
        named = [_make_source(name, allow_world_readable) for name in sources]
        return SecretLoader(found, sources=named or _default_sources(allow_world_readable))
    except (ImportError, TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def _import_target(target: str) -> Any:
    module, _, name = target.partition(":")
    if not module or not name:
        raise UsageError(f"the target must be of the form module:name, not {target!r}")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  # as `python -m` does
    reason = None
    found = None
    try:
        found = import_module(module)
    except SecretsError:
        raise
    except ModuleNotFoundError as error:
        reason = f"no module named {error.name}"
    except Exception as error:  # noqa: BLE001  # the message of a user's module may contain a value
        reason = f"{module} can't be imported: {type(error).__qualname__}"
    # Raised outside of the handler, so that the original error is not its context.
    if reason is not None:
        raise UsageError(reason)
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module} has no attribute {name}")
        found = getattr(found, part)
    return found


def _default_sources(allow_world_readable: bool) -> list[SecretSource]:
    sources: list[SecretSource] = [Environment(allow_world_readable=allow_world_readable)]
    if find_spec("dotenv") is not None:
        sources.append(DotEnv(allow_world_readable=allow_world_readable))
    return sources


def _make_source(name: str, allow_world_readable: bool) -> SecretSource:
    kind, _, path = name.partition(":")
    if kind == "env" and not path:
        return Environment(allow_world_readable=allow_world_readable)
    if kind == "dotenv":
        return DotEnv(path or ".env", allow_world_readable=allow_world_readable)
    if kind == "files" and path:
        return SecretFiles(path, allow_world_readable=allow_world_readable)
    if kind == "systemd":
        return SystemdCredentials(path or None)
    raise UsageError(f"--source must be env, dotenv:PATH, files:DIRECTORY or systemd, not {name!r}")
