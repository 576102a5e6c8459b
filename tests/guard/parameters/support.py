"""What the tests of parameters share: shapes, requests of both protocols, a schema that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet.asgi.request import AsgiRequest
from mantlet.guard import BodyLimits
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.parameters import TEXT, Coercer, Parameter, ParameterGroup
from mantlet.http.headers import environ_key
from mantlet.wsgi.request import WsgiRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mantlet._internal.asgi_types import AsgiMessage
    from mantlet.core.request import Request
    from mantlet.guard.errors import Place

LIMITS = BodyLimits()


def of(*types: str) -> Coercer:
    """Return the shape of scalars."""
    return Coercer(types=frozenset(types))


def array(items: Coercer = TEXT, *others: str) -> Coercer:
    """Return the shape of an array, or of scalars."""
    return Coercer(types=frozenset({"array", *others}), items=items)


def members(*others: str, additional: Coercer | None = None, **properties: Coercer) -> Coercer:
    """Return the shape of an object, or of scalars."""
    return Coercer(
        types=frozenset({"object", *others}), properties=properties, additional=additional
    )


class Stub:
    """A schema that is what it is told to be.

    Attributes:
        seen: the values that it was given.
    """

    def __init__(self, *faults: ErrorItem, made: Any = None) -> None:
        self.faults = faults
        self.made = made
        self.seen: list[tuple[Any, Place]] = []

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        raise AssertionError

    def check(self, value: Any, place: Place) -> Any:
        self.seen.append((value, place))
        if self.faults:
            raise ValidationFailed(422, self.faults)
        return value if self.made is None else self.made

    def dump(self, value: Any) -> bytes:
        raise AssertionError


async def _receive() -> AsgiMessage:
    raise AssertionError


def asgi(fields: Sequence[tuple[str, str]]) -> Request:
    """Return a request under ASGI."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
    return AsgiRequest({"type": "http", "headers": raw}, _receive)


def wsgi(fields: Sequence[tuple[str, str]]) -> Request:
    """Return a request under WSGI, whose server joins fields of one name."""
    environ: dict[str, Any] = {}
    for name, value in fields:
        key = environ_key(name)
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return WsgiRequest(environ)


both = pytest.mark.parametrize("request_of", [asgi, wsgi])


def query(*parameters: Parameter, **options: Any) -> Callable[[bytes], Any]:
    """Return what reads a query."""
    limits = options.pop("limits", LIMITS)
    return ParameterGroup(
        "query", parameters, options.pop("schema", None), limits, **options
    ).read_query


def one(name: str = "a", shape: Coercer = TEXT, **options: Any) -> Parameter:
    """Return a parameter, of a query unless something else is said."""
    return Parameter(**{"name": name, "place": "query", "shape": shape, **options})


def told(error: ValidationFailed) -> tuple[int, list[tuple[str, str]]]:
    """Return an error's status, with the pointers and codes of its faults."""
    return error.status, [(fault.pointer, fault.code) for fault in error.errors]


def refused(read: Callable[..., Any], *arguments: Any) -> tuple[int, list[tuple[str, str]]]:
    """Return how something is refused."""
    with pytest.raises(ValidationFailed) as caught:
        read(*arguments)
    return told(caught.value)
