"""The secrets as a dependency of FastAPI's."""

from collections.abc import Callable
from importlib import import_module
from inspect import Parameter, Signature
from typing import Any, Protocol, TypeVar

from mantlet.core.state import state

__all__ = ["dependency"]

T_co = TypeVar("T_co", covariant=True)


class _Loader(Protocol[T_co]):
    @property
    def current(self) -> T_co: ...


def dependency(loader: _Loader[T_co]) -> Callable[..., T_co]:
    """Return a function that gives an exchange the secrets that it began with.

    Where no policy has put them there, they are those of now.

    Raises:
        ImportError: Starlette is not installed.
    """

    def secrets(connection: Any) -> Any:
        kept = getattr(state(connection), "secrets", None)
        return loader.current if kept is None else kept

    # FastAPI hands over what a parameter's annotation says.
    wanted = import_module("starlette.requests").HTTPConnection
    kind = Parameter.POSITIONAL_OR_KEYWORD
    parameter = Parameter("connection", kind, annotation=wanted)
    secrets.__signature__ = Signature([parameter])  # type: ignore[attr-defined]  # inspect reads it
    return secrets
