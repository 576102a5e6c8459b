"""Load the object that a command is about, named as ``module:name``."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from traceback import walk_tb
from typing import Any

from mantlet.core.lifecycle import without_startup
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
from mantlet.secrets.unread import without_values

__all__ = ["UsageError", "load_model", "load_secrets"]


class UsageError(Exception):
    """The command cannot do its work. The message is for the user and contains no value."""


def load_model(target: str) -> type[SecretModel]:
    """Import a model, before any secret has to exist: loaders that the module makes read nothing.

    Args:
        target: the class or a loader of it, as ``module:name``.

    Raises:
        UsageError: the target cannot be imported or is neither a `SecretModel` nor a loader.
    """
    with without_values():
        found = _import_target(target, fails_late=True)
    if isinstance(found, SecretLoader):
        found = found.model
    if isinstance(found, type) and issubclass(found, SecretModel):
        return found
    raise UsageError(f"{target} is neither a SecretModel class nor a SecretLoader")


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


def _import_target(target: str, *, fails_late: bool = False) -> Any:
    """Import an object.

    Args:
        target: the object, as ``module:name``.
        fails_late: take it from a module that fails after defining it, such as because it uses a
            secret.
    """
    module, _, name = target.partition(":")
    if not module or not name:
        raise UsageError(f"the target must be of the form module:name, not {target!r}")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  # as `python -m` does
    reason = None
    found: Any = None
    try:
        with without_startup():
            found = import_module(module)
    except Exception as error:  # the message of a user's module may contain a value
        defined = _defined_so_far(error, name) if fails_late else None
        if defined is not None:
            return defined
        if isinstance(error, SecretsError):
            raise
        reason = f"{module} can't be imported: {type(error).__qualname__}"
        if isinstance(error, ModuleNotFoundError):
            reason = f"no module named {error.name}"
    # Raised outside of the handler, so that the original error is not its context.
    if reason is not None:
        raise UsageError(reason)
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module} has no attribute {name}")
        found = getattr(found, part)
    return found


def _defined_so_far(error: BaseException, name: str) -> type[SecretModel] | None:
    """Return the model of a name that a module had when its import failed."""
    for frame, _ in walk_tb(error.__traceback__):
        found = frame.f_globals.get(name)
        is_model = isinstance(found, type) and issubclass(found, SecretModel)
        if is_model and found is not SecretModel and frame.f_code.co_name == "<module>":
            return found
    return None


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
