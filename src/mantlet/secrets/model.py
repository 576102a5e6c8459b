"""Declare an app's secrets: `SecretModel` and `secret_field()`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from mantlet._internal.options import check_int
from mantlet.secrets.secret import Immutable, Secret
from mantlet.secrets.sources.source import SecretField

__all__ = ["Encoding", "SecretModel", "SecretSpec", "secret_field", "specs"]

Encoding = Literal["base64", "base64url", "hex"]

#: The default minimum length, in characters or bytes. A shorter value can't be masked.
_MIN_LENGTH: Final = 8
_REQUIRED: Final = object()
#: The variable names of POSIX and PostgreSQL, valid on every platform.
_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class _FieldOptions:
    """The arguments of `secret_field()`."""

    default: Any
    env: str | None
    key: str | None
    min_length: int | None
    pattern: re.Pattern[str] | None
    encoding: Encoding | None
    allow_weak: bool
    description: str


@dataclass(frozen=True, slots=True)
class SecretSpec:
    """A secret of a model, with its type and its rules.

    Attributes:
        field: the names under which sources look for it.
        type: the type that its value is parsed into.
        required: whether a source must have it; an optional secret is None if none has.
        min_length: the minimum length, in characters of text or in bytes.
        pattern: a pattern that the whole text must match.
        encoding: how bytes are encoded as text.
        allow_weak: whether the value may be easy to guess.
        description: its purpose, for the example file.
    """

    field: SecretField
    type: Any
    required: bool
    min_length: int
    pattern: re.Pattern[str] | None
    encoding: Encoding | None
    allow_weak: bool
    description: str


def secret_field(
    default: Any = _REQUIRED,
    *,
    env: str | None = None,
    key: str | None = None,
    min_length: int | None = None,
    pattern: str | None = None,
    encoding: Encoding | None = None,
    allow_weak: bool = False,
    description: str = "",
) -> Any:
    r"""Give a secret of a model names, rules or a description.

    Args:
        default: ``None`` if the secret is optional. There are no other defaults, since a value in
            the code is not secret.
        env: the name of the environment variable; by default the model's prefix and the attribute's
            name, in upper case.
        key: the name in directories and stores; by default the attribute's name.
        min_length: the minimum length in characters of text, or in bytes after decoding; 8 by
            default.
        pattern: a regular expression that the whole text must match, such as ``r"sk_live_\w+"``.
        encoding: how the value of a ``Secret[bytes]`` is encoded as text.
        allow_weak: accept a placeholder or a value that is easy to guess. It can't be masked.
        description: the purpose, for the example file.

    Returns:
        Options for `SecretModel`. The type is ``Any``, so that a type checker accepts it as the
        default of any annotation.

    Raises:
        ValueError: an option is invalid; the message names it.
    """
    if default is not _REQUIRED and default is not None:
        raise ValueError("default must be None or omitted: a value in the code is not secret")
    if env is not None and not _VARIABLE_NAME.fullmatch(env):
        raise ValueError(f"env must be the name of an environment variable, not {env!r}")
    if key is not None and not key:
        raise ValueError("key must not be empty")
    if min_length is not None:
        check_int("min_length", min_length, unit="characters")
    if encoding not in (None, *get_args(Encoding)):
        raise ValueError(f"encoding must be one of {get_args(Encoding)}, not {encoding!r}")
    compiled = None if pattern is None else _compile(pattern)
    return _FieldOptions(default, env, key, min_length, compiled, encoding, allow_weak, description)


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern must be a regular expression: {error}") from None


class SecretModel(Immutable):
    """The base of a class that declares an app's secrets, one annotation each.

    For example::

        class AppSecrets(SecretModel, prefix="APP_"):
            database_url: Secret[PostgresDsn]
            signing_key: Secret[bytes] = secret_field(min_length=32, encoding="base64")
            smtp_password: Secret[str] | None = None

    ``Secret[str]`` and ``Secret[bytes]`` are taken as they are; pydantic parses all other types
    (``pip install "mantlet[secrets]"``).

    An instance is an immutable snapshot of all the secrets, and its ``repr()`` shows no value.

    Args:
        **values: the secrets, as `Secret` or as plain values. They are not checked: `SecretLoader`
            does that, and this is for tests.

    Raises:
        TypeError: a required secret is missing, or a name is unknown.
    """

    _prefix: str = ""

    def __init_subclass__(cls, *, prefix: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if prefix is not None:
            if prefix and not _VARIABLE_NAME.fullmatch(prefix):
                raise ValueError(f"prefix must be a valid start of a variable name, not {prefix!r}")
            cls._prefix = prefix

    def __init__(self, **values: Any) -> None:
        known = {spec.field.name: spec for spec in specs(type(self))}
        for name in values:
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no secret {name!r}")
        for name, spec in known.items():
            if name not in values and spec.required:
                raise TypeError(f"{type(self).__name__} requires the secret {name!r}")
            value = values.get(name)
            wrapped = value if value is None or isinstance(value, Secret) else Secret(value)
            object.__setattr__(self, name, wrapped)

    def __repr__(self) -> str:
        attributes = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({attributes})"


def specs(model: type[SecretModel]) -> tuple[SecretSpec, ...]:
    """Return the secrets that a model declares, in their order.

    Args:
        model: the class.

    Raises:
        TypeError: the class is not a model, declares no secrets, or has an invalid annotation or
            default.
        ValueError: two secrets share a variable or a key.
    """
    given: object = model
    is_model = isinstance(given, type) and issubclass(given, SecretModel)
    if not is_model or given is SecretModel:
        raise TypeError(f"model must be a subclass of SecretModel, not {model!r}")
    found = tuple(_specs(model))
    if not found:
        raise TypeError(f"{model.__name__} has no secrets: annotate attributes as Secret[str]")
    for kind in ("env", "key"):
        names = [getattr(spec.field, kind) for spec in found]
        duplicates = sorted({name for name in names if names.count(name) > 1})
        if duplicates:
            raise ValueError(
                f"{model.__name__} has several secrets with the {kind} {duplicates[0]!r}"
            )
    return found


def _specs(model: type[SecretModel]) -> Iterator[SecretSpec]:
    for name, annotation in get_type_hints(model, include_extras=True).items():
        if name.startswith("_"):
            continue
        given = getattr(model, name, _REQUIRED)
        if not isinstance(given, _FieldOptions):
            given = _FieldOptions(
                given, None, None, None, None, None, allow_weak=False, description=""
            )
        value_type, optional = _value_type(model, name, annotation)
        if given.default is not _REQUIRED and (given.default is not None or not optional):
            raise TypeError(
                f"{model.__name__}.{name} must have no default, "
                "or None if it is annotated as Secret[...] | None"
            )
        if given.encoding is not None and value_type is not bytes:
            raise TypeError(f"{model.__name__}.{name} has an encoding, so it must be Secret[bytes]")
        min_length = given.min_length
        if min_length is None:
            min_length = _MIN_LENGTH if value_type in (str, bytes) and not given.allow_weak else 1
        env = given.env or f"{model._prefix}{name}".upper()  # the class's own attribute
        yield SecretSpec(
            SecretField(name, env, given.key or name, model._prefix),  # the class's own attribute
            value_type,
            not optional,
            min_length,
            given.pattern,
            given.encoding,
            given.allow_weak,
            given.description,
        )


def _value_type(model: type[SecretModel], name: str, annotation: Any) -> tuple[Any, bool]:
    """Return the type of a secret's value, and whether the secret is optional."""
    inner = annotation
    optional = False
    if get_origin(annotation) in (Union, UnionType):
        others = [one for one in get_args(annotation) if one is not NoneType]
        optional = len(others) == 1
        inner = others[0] if optional else None
    if inner is Secret:
        return str, optional
    if get_origin(inner) is not Secret:
        raise TypeError(
            f"{model.__name__}.{name} must be annotated as Secret[...] or Secret[...] | None, "
            f"not {annotation}"
        )
    return get_args(inner)[0], optional
