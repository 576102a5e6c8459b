"""Check a guard's declaration for common mistakes, and suggest fixes."""

import re
from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

__all__ = [
    "check_app",
    "check_declaration",
    "check_flag",
    "check_mapping",
    "check_model",
    "check_no_document_options",
]

_EXAMPLES: Final = (
    'SchemaGuard({"POST /items": Item}), SchemaGuard(openapi="openapi.yaml") or '
    "SchemaGuard.from_app(app)"
)
_CONTRACT_NAME: Final = re.compile(r"[A-Z,*]+ /")
_DOCUMENT_KEYS: Final = ("openapi", "swagger", "paths")
#: Types of values that are mistaken for models.
_NOT_MODELS: Final = (
    *(bool, int, float, bytes),
    *(BuiltinFunctionType, FunctionType, MethodType),
)
#: Attributes of apps, and of objects of frameworks that generate documents.
_APP_ATTRIBUTES: Final = ("openapi", "openapi_schema", "wsgi_app", "asgi_app", "add_route")
_SPEC_ATTRIBUTES: Final = ("spec", "to_dict")


# Any: whatever was passed.
def check_declaration(contracts: Any, openapi: Any) -> None:
    """Require contracts to be a mapping, and a document to be a path or a mapping.

    Args:
        contracts: the guard's first argument, or None.
        openapi: its option of this name, or None.

    Raises:
        TypeError: neither is given, or one has another type; the message suggests a fix.
    """
    if contracts is None and openapi is None:
        raise TypeError(f"SchemaGuard needs either contracts or openapi, such as {_EXAMPLES}")
    if contracts is not None:
        hint = _contracts_hint(contracts)
        if hint is not None:
            raise TypeError(f"contracts must be a mapping of operations to models; {hint}")
    if openapi is not None:
        hint = _document_hint(openapi)
        if hint is not None:
            raise TypeError(f"openapi must be a path or a dict; {hint}")


def _contracts_hint(contracts: Any) -> str | None:
    if isinstance(contracts, Mapping):
        if any(key in contracts for key in _DOCUMENT_KEYS):
            return "pass an OpenAPI document as SchemaGuard(openapi=document)"
        return None
    if isinstance(contracts, (str, PathLike)):
        return f"pass the path of an OpenAPI document as SchemaGuard(openapi={str(contracts)!r})"
    if isinstance(contracts, type):
        return f'name the operation: SchemaGuard({{"POST /items": {contracts.__name__}}})'
    return _app_hint(contracts) or f"not {type(contracts).__qualname__}; write {_EXAMPLES}"


def _document_hint(openapi: Any) -> str | None:
    if isinstance(openapi, Mapping):
        name = next(iter(openapi), None)
        if isinstance(name, str) and _CONTRACT_NAME.match(name):
            return f"pass contracts first: SchemaGuard({{{name!r}: ...}})"
        return None
    if isinstance(openapi, str) and ("\n" in openapi or openapi.lstrip()[:1] in ("{", "[")):
        return "not the text of a document: parse it, or pass the path of its file"
    # An app's document, from `from_app()`.
    is_own = type(openapi).__module__.startswith("mantlet.")
    if is_own or isinstance(openapi, (str, PathLike)):
        return None
    return _app_hint(openapi) or f"not {type(openapi).__qualname__}"


def _app_hint(found: Any) -> str | None:
    name = type(found).__qualname__
    if callable(getattr(found, "openapi", None)) or hasattr(found, "openapi_schema"):
        return f"pass the {name} app as SchemaGuard.from_app(app)"
    if any(hasattr(found, attribute) for attribute in _SPEC_ATTRIBUTES):
        return f"pass the {name} as SchemaGuard.from_app(...)"
    if callable(found) or any(hasattr(found, attribute) for attribute in _APP_ATTRIBUTES):
        return (
            f"a {name} has no document: write contracts, and wrap it: "
            'mantlet.wrap(app, SchemaGuard({"POST /items": Item}))'
        )
    return None


def check_model(kind: Any, name: str) -> None:
    """Require a model to be a type.

    Args:
        kind: the model of a contract.
        name: of its part of the contract, for the message.

    Raises:
        TypeError: it is an instance, a model of pydantic 1, or something else that is not a type.
    """
    hint = _model_hint(kind)
    if hint is not None:
        raise TypeError(f"{name} must be a model, such as a BaseModel or list[Item]; {hint}")


def _model_hint(kind: Any) -> str | None:
    if isinstance(kind, type):
        return _class_hint(kind)
    cls = type(kind)
    if isinstance(kind, str):
        return f"pass the class itself, not its name {kind!r}"
    if isinstance(kind, (list, tuple, set, frozenset)):
        inner = next(iter(kind), None)
        example = inner.__name__ if isinstance(inner, type) else "Item"
        return f"write {cls.__name__}[{example}], not a {cls.__name__}"
    if isinstance(kind, dict):
        return "write a BaseModel or a TypedDict, not a dict"
    if hasattr(cls, "__pydantic_fields__") or hasattr(cls, "__fields__"):
        return f"pass the class {cls.__name__}, not an instance of it"
    is_other = (
        isinstance(kind, _NOT_MODELS)
        or hasattr(cls, "__dataclass_fields__")
        or cls.__module__.startswith("mantlet.")
    )
    return f"not a {cls.__name__}" if is_other else None


def _class_hint(kind: type) -> str | None:
    if any(base.__module__.startswith("pydantic.v1") for base in kind.__mro__):
        return f"{kind.__name__} is a model of pydantic.v1: derive it from pydantic.BaseModel"
    if kind.__module__.startswith("mantlet."):
        return f"write {kind.__name__}(...), not the class"
    return None


def check_no_document_options(options: Any) -> None:
    """Require that no option for documents is given, where there is no document.

    Args:
        options: the options, a dataclass with defaults.

    Raises:
        TypeError: an option is given.
    """
    for field in fields(options):
        if getattr(options, field.name) != field.default:
            raise TypeError(f"{field.name} is an option for documents: it needs openapi=")


# Any: whatever was passed.
def check_app(app: Any) -> None:
    """Require an app, and not a document.

    Raises:
        TypeError: it is a document, or the path of one.
    """
    if isinstance(app, (str, PathLike, Mapping)):
        shown = "document" if isinstance(app, Mapping) else repr(str(app))
        raise TypeError(f"from_app() needs an app; pass a document as SchemaGuard(openapi={shown})")


# Any: whatever was passed.
def check_mapping(option: str, value: Any, kinds: str) -> None:
    """Require an option to be a mapping, or None.

    Args:
        option: its name.
        value: its value.
        kinds: its keys and values, such as ``"names to File"``, for the message.

    Raises:
        TypeError: it is something else.
    """
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f"{option} must be a mapping of {kinds}, not {value!r}")


def check_flag(option: str, value: Any) -> None:
    """Require an option to be True or False.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{option} must be True or False, not {value!r}")
