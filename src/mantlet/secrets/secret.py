"""A value that is only shown when it is asked for explicitly."""

import hmac
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import Any, Final, Generic, NoReturn, Self, TypeVar, final, get_args

from mantlet.exceptions import MantletError

__all__ = ["Immutable", "InvalidSecret", "Secret", "as_bytes", "canonical_text", "iter_texts"]

T = TypeVar("T")

_REPR: Final = "Secret('***')"
_HINT: Final = "call reveal() for the value"
#: Makes the hashes of secrets useless outside of this process.
_HASH_KEY: Final = os.urandom(16)
_INVALID: Final = object()


class InvalidSecret(MantletError):
    """A value is not a valid secret. Unlike pydantic's error, the message does not contain it."""


class Immutable:
    """A base for objects that can be neither changed nor pickled, and are their own copies."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{_short_name(self)} can't be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{_short_name(self)} can't be changed")

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{_short_name(self)} can't be pickled")


def _short_name(value: object) -> str:
    return type(value).__qualname__.rpartition(".")[2]


class _SecretType(type):
    """The type of `Secret`: encoders show its representation, or its name, in their errors."""

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__qualname__}': {_HINT}>"


@final
class Secret(Immutable, Generic[T], metaclass=_SecretType):
    """A value that only `reveal` returns.

    ``str()``, ``repr()`` and formatting give ``Secret('***')``. A secret can't be pickled, and an
    encoder, such as of JSON, raises an error that names `reveal`. Two secrets are equal if their
    values are; the comparison takes constant time.

    Python cannot erase memory: a dump of the process may contain the value, and so may any variable
    that it was revealed into.

    Args:
        value: the value to protect.
    """

    __slots__ = ("reveal",)

    #: Return the value.
    reveal: Callable[[], T]

    def __init__(self, value: T) -> None:
        # A closure rather than an attribute: code that walks attributes finds no value.
        object.__setattr__(self, "reveal", lambda: value)

    def __repr__(self) -> str:
        return _REPR

    def __format__(self, spec: str) -> str:
        return format(_REPR, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        own, others = self.reveal(), other.reveal()
        return type(own) is type(others) and hmac.compare_digest(
            _comparison_key(own), _comparison_key(others)
        )

    def __hash__(self) -> int:
        key = _comparison_key(self.reveal())
        return hash(blake2b(key, digest_size=8, key=_HASH_KEY).digest())

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret has no state to be saved")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let pydantic models have secrets: validate plain values, and serialize a mask."""
        from pydantic_core import core_schema  # the caller has imported it

        inner = handler.generate_schema(next(iter(get_args(source)), Any))

        def validate(value: Any, validator: Any) -> Secret[Any]:
            if isinstance(value, Secret):
                value = value.reveal()
            try:
                checked = validator(value)
            except ValueError:
                checked = _INVALID
            # Raised outside of the handler, so that pydantic's error, which shows the value, is not
            # the context; and without the value among the variables of this frame.
            if checked is _INVALID:
                del value
                raise InvalidSecret("the value of a secret does not have the type of its field")
            return Secret(checked)

        serialization = core_schema.plain_serializer_function_ser_schema(
            lambda secret, info: secret if info.mode == "python" else _REPR, info_arg=True
        )
        return core_schema.no_info_wrap_validator_function(
            validate, inner, serialization=serialization
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "string", "format": "password", "writeOnly": True}


# All encoders name the type that they can't encode, and so the error says what to do. The
# qualified name, which annotations show, stays.
Secret.__name__ = f"Secret ({_HINT})"


def as_bytes(value: object) -> bytes:
    """Convert a value to bytes, for comparing, hashing and searching."""
    if isinstance(value, bytes):
        return value
    text = str(value)
    if any("\ud800" <= char < "\udc80" or "\udcff" < char <= "\udfff" for char in text):
        return text.encode("utf-8", "surrogatepass")  # these surrogates do not stand for bytes
    return text.encode("utf-8", "surrogateescape")


def iter_texts(value: object) -> Iterator[str | bytes]:
    """Yield the texts within a value: of models, data classes, collections and secrets."""
    inner = _unpack(value)
    if isinstance(inner, (str, bytes)):
        yield inner
    elif isinstance(inner, (dict, list)):
        for one in inner.values() if isinstance(inner, dict) else inner:
            yield from iter_texts(one)
    elif inner is not None and not isinstance(inner, (bool, int, float)):
        yield str(inner)


def _comparison_key(value: object) -> bytes:
    return as_bytes(value if isinstance(value, (str, bytes)) else canonical_text(value))


def canonical_text(value: object) -> str:
    """Return the same text for two values with equal content.

    ``str()`` would not do: it is the same for all of pydantic's secrets.
    """
    inner = _unpack(value)
    if isinstance(inner, dict):
        pairs = ((canonical_text(key), canonical_text(one)) for key, one in inner.items())
        return f"{{{', '.join(sorted(': '.join(pair) for pair in pairs))}}}"
    if isinstance(inner, list):
        items = [canonical_text(one) for one in inner]
        # The iteration order of a set depends on how it was built.
        return f"[{', '.join(sorted(items) if isinstance(value, AbstractSet) else items)}]"
    plain = inner is None or isinstance(inner, (str, bytes, bool, int, float))
    return repr(inner) if plain else repr((type(inner).__qualname__, str(inner)))


def _unpack(value: Any) -> object:
    """Return the content of a composite value as a dict or a list, and any other value as it is."""
    value = _reveal(value)
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name, None) for one in fields(value)}
    if hasattr(value, "model_dump"):
        return dict(value)  # every pydantic model is iterable as pairs
    return list(value) if isinstance(value, (Sequence, AbstractSet)) else value


def _reveal(value: Any) -> Any:
    """Return the value of a secret, also of pydantic's, and any other value as it is."""
    if isinstance(value, Secret):
        return _reveal(value.reveal())
    return _reveal(value.get_secret_value()) if hasattr(value, "get_secret_value") else value
