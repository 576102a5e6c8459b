"""The class that states which secrets an app has, and what is asked of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from mantlet._internal.options import check_int
from mantlet.secrets.sealed import Sealed
from mantlet.secrets.secret import Secret
from mantlet.secrets.sources.source import SecretField

__all__ = ["Encoding", "SecretModel", "SecretSpec", "secret_field", "specs"]

Encoding = Literal["base64", "base64url", "hex"]

#: The fewest characters of text, or bytes, unless said otherwise. A shorter one can't be masked.
_LEAST: Final = 8
_REQUIRED: Final = object()
#: PostgreSQL's and POSIX' names of variables, which all platforms take.
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `secret_field()` was told."""

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
    """One secret of an app.

    Attributes:
        field: where it is looked for.
        type: what it is made into.
        required: whether some source must have it; else it is None where none has.
        min_length: the fewest characters of text, or bytes.
        pattern: what all of the text must match.
        encoding: how its bytes are written.
        allow_weak: whether it may be easy to guess.
        description: what it is for.
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
    r"""Say more of a secret than its type does.

    Args:
        default: ``None``, where the app can do without it. It is required otherwise: a secret that
            is in the code is none.
        env: the variable's name; that of the attribute in upper case, behind the model's prefix, by
            default.
        key: its name in directories and stores; that of the attribute by default.
        min_length: the fewest characters of text, or bytes after decoding; 8 by default.
        pattern: a regular expression that all of the text must match, as ``r"sk_live_\w+"``.
        encoding: how the value of a ``Secret[bytes]`` is written, if it is.
        allow_weak: take a value that is easy to guess, or stands for another. It can't be masked.
        description: what it is for, for the example file.

    Returns:
        What `SecretModel` reads; typed as the value of any annotation.

    Raises:
        ValueError: an option that can't be; the message says which.
    """
    if default is not _REQUIRED and default is not None:
        raise ValueError("default must be None, or left out: a secret in the code is none")
    if env is not None and not _VARIABLE.fullmatch(env):
        raise ValueError(f"env must be the name of a variable, not {env!r}")
    if key is not None and not key:
        raise ValueError("key must not be empty")
    if min_length is not None:
        check_int("min_length", min_length, unit="characters")
    if encoding not in (None, *get_args(Encoding)):
        raise ValueError(f"encoding must be one of {get_args(Encoding)}, not {encoding!r}")
    compiled = None if pattern is None else _compiled(pattern)
    return _Asked(default, env, key, min_length, compiled, encoding, allow_weak, description)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern must be a regular expression: {error}") from None


class SecretModel(Sealed):
    """The secrets of an app: a class of one's own, with an annotation for each.

    For example::

        class AppSecrets(SecretModel, prefix="APP_"):
            database_url: Secret[PostgresDsn]
            signing_key: Secret[bytes] = secret_field(min_length=32, encoding="base64")
            smtp_password: Secret[str] | None = None

    ``Secret[str]`` and ``Secret[bytes]`` are taken as they are; every other type is pydantic's to
    make (``pip install "mantlet[secrets]"``).

    An instance is one state of them all. It can't be changed, and shows none.

    Args:
        **values: the secrets, each a `Secret`, or what one is made of. `SecretLoader` checks them;
            this does not, which is for tests.

    Raises:
        TypeError: a secret is missing, or none of the class's.
    """

    _prefix: str = ""

    def __init_subclass__(cls, *, prefix: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if prefix is not None:
            if prefix and not _VARIABLE.fullmatch(prefix):
                raise ValueError(f"prefix must be what a variable may begin with, not {prefix!r}")
            cls._prefix = prefix

    def __init__(self, **values: Any) -> None:
        known = {spec.field.name: spec for spec in specs(type(self))}
        for name in values:
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no secret {name!r}")
        for name, spec in known.items():
            if name not in values and spec.required:
                raise TypeError(f"{type(self).__name__} needs the secret {name!r}")
            value = values.get(name)
            kept = value if value is None or isinstance(value, Secret) else Secret(value)
            object.__setattr__(self, name, kept)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({shown})"


def specs(model: type[SecretModel]) -> tuple[SecretSpec, ...]:
    """Return what a model asks for, in the order in which it is written.

    Raises:
        TypeError: an annotation is not that of a secret, or a default not one of those there are.
        ValueError: two secrets have one variable, or one key.
    """
    given: object = model
    if not (
        isinstance(given, type) and issubclass(given, SecretModel) and given is not SecretModel
    ):
        raise TypeError(f"model must be a class made of SecretModel, not {model!r}")
    found = tuple(_specs(model))
    if not found:
        raise TypeError(f"{model.__name__} has no secrets: annotate some as Secret[str]")
    for what in ("env", "key"):
        names = [getattr(spec.field, what) for spec in found]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{model.__name__} has several secrets with the {what} {twice[0]!r}")
    return found


def _specs(model: type[SecretModel]) -> Iterator[SecretSpec]:
    for name, annotation in get_type_hints(model, include_extras=True).items():
        if name.startswith("_"):
            continue
        given = getattr(model, name, _REQUIRED)
        if not isinstance(given, _Asked):
            given = _Asked(given, None, None, None, None, None, allow_weak=False, description="")
        kind, optional = _type(model, name, annotation)
        if given.default is not _REQUIRED and (given.default is not None or not optional):
            raise TypeError(f"{model.__name__}.{name} must have no default but None, if optional")
        if given.encoding is not None and kind is not bytes:
            raise TypeError(f"{model.__name__}.{name} has an encoding, so it must be Secret[bytes]")
        least = given.min_length
        if least is None:
            least = _LEAST if kind in (str, bytes) and not given.allow_weak else 1
        env = given.env or f"{model._prefix}{name}".upper()  # the class's own
        yield SecretSpec(
            SecretField(name, env, given.key or name, model._prefix),  # the class's own
            kind,
            not optional,
            least,
            given.pattern,
            given.encoding,
            given.allow_weak,
            given.description,
        )


def _type(model: type[SecretModel], name: str, annotation: Any) -> tuple[Any, bool]:
    """Return what a secret holds, and whether there may be none."""
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
            f"{model.__name__}.{name} must be Secret[...], or Secret[...] | None, not {annotation}"
        )
    return get_args(inner)[0], optional
