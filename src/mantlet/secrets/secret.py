"""A value that shows itself only when it is asked to."""

import hmac
import os
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Generic, NoReturn, TypeVar, final, get_args

from mantlet.exceptions import MantletError
from mantlet.secrets.parts import identified
from mantlet.secrets.sealed import Sealed

__all__ = ["InvalidSecret", "Secret", "as_bytes"]

T = TypeVar("T")

_SHOWN: Final = "Secret('***')"
#: Hashes of secrets are alike within one process, and tell nothing outside of it.
_KEY: Final = os.urandom(16)


class InvalidSecret(MantletError):
    """A value is not what its type asks for. Unlike pydantic's error, this one does not show it."""


@final
class Secret(Sealed, Generic[T]):
    """A value that `reveal` alone gives out.

    Text made of it, in whatever way, is ``Secret('***')``. It can't be pickled, nor written as JSON
    without an encoder of one's own. Two are equal if their values are, which takes as long for
    those that differ early as for those that differ late.

    Python cannot erase memory: a value that was in it may be found in a dump of the process, and so
    may the variable that it was revealed into.

    Args:
        value: what is kept.
    """

    __slots__ = ("reveal",)

    #: Return the value.
    reveal: Callable[[], T]

    def __init__(self, value: T) -> None:
        # A closure, and no attribute: what walks through those finds no value.
        object.__setattr__(self, "reveal", lambda: value)

    def __repr__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return format(_SHOWN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        own, others = self.reveal(), other.reveal()
        return type(own) is type(others) and hmac.compare_digest(_compared(own), _compared(others))

    def __hash__(self) -> int:
        return hash(blake2b(_compared(self.reveal()), digest_size=8, key=_KEY).digest())

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret has no state to be saved")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let pydantic's models have secrets: they are made of plain values, and shown as none."""
        from pydantic_core import core_schema  # noqa: PLC0415  # who asks has imported it

        inner = handler.generate_schema(next(iter(get_args(source)), Any))

        def validate(value: Any, validator: Any) -> Secret[Any]:
            if isinstance(value, Secret):
                value = value.reveal()
            try:
                checked = validator(value)
            except ValueError:
                checked = _REFUSED
            # Outside of the handler, so that the error which shows the value is not its context;
            # and without the value among the variables of this frame.
            if checked is _REFUSED:
                del value
                raise InvalidSecret("a secret is not of the type that its model asks for")
            return Secret(checked)

        shown = core_schema.plain_serializer_function_ser_schema(
            lambda secret, info: secret if info.mode == "python" else _SHOWN, info_arg=True
        )
        return core_schema.no_info_wrap_validator_function(validate, inner, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "string", "format": "password", "writeOnly": True}


_REFUSED: Final = object()


def _compared(value: object) -> bytes:
    return as_bytes(value if isinstance(value, (str, bytes)) else identified(value))


def as_bytes(value: object) -> bytes:
    """Return a value as bytes, to be compared, hashed or searched for."""
    if isinstance(value, bytes):
        return value
    text = str(value)
    if any("\ud800" <= char < "\udc80" or "\udcff" < char <= "\udfff" for char in text):
        return text.encode("utf-8", "surrogatepass")  # no bytes that once were decoded
    return text.encode("utf-8", "surrogateescape")
