"""Find the apps within an app: inside middlewares, adapters and mounts.

Objects refer to the app that they call by an attribute, a variable of a closure, a global name, an
argument of a partial, or in a list or a dict. These are followed breadth first, within limits. No
property is read, and nothing is called. An app that is made only once a request comes is not found.

`find_apps()` follows all of them, to every app of a framework. `wrapped_apps()` and `held_apps()`
follow only wrappers around one app, whose protocol and paths are those of the app inside.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from inspect import isclass
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr

__all__ = ["find_apps", "held_apps", "kinds_of", "wrapped_apps"]

#: The most objects that are looked at for apps, and for wrappers.
_MAX_OBJECTS: Final = 4000
_MAX_WRAPPERS: Final = 400
#: The package and the name of each class of apps, with the attributes that lead to other apps.
_APPS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("flask", "Flask"): ("wsgi_app",),
    ("quart", "Quart"): ("asgi_app",),
    ("starlette", "Starlette"): ("router", "user_middleware", "middleware_stack"),
    ("starlette", "ServerErrorMiddleware"): ("app",),
    ("starlette", "ExceptionMiddleware"): ("app",),
    ("litestar", "Litestar"): ("routes", "middleware"),
    ("falcon", "App"): ("_sinks",),
}
#: Further classes whose other attributes lead to many objects and to no app.
_KNOWN: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("django", "BaseHandler"): (),
    ("litestar", "ASGIRoute"): ("route_handler",),
    ("litestar", "BaseRoute"): (),
    ("litestar", "BaseRouteHandler"): ("fn", "_fn"),
    ("mantlet", "BaseStack"): ("app",),
    ("starlette", "Host"): ("app",),
    ("starlette", "Mount"): ("app",),
    ("starlette", "Router"): ("routes", "default", "middleware_stack"),
    ("starlette", "BaseRoute"): (),
}
#: The names by which wrappers call the app inside.
_NAMES: Final = ("app", "application", "wsgi_app", "asgi_app")
#: Packages whose apps are not wrappers.
_FRAMEWORKS: Final = frozenset({"django", "falcon", "fastapi", "flask", "litestar", "quart"})
_ATOMS: Final = (str, bytes, int, float, complex, bool, type, type(None), ModuleType)


# Any: objects of any kind.
def find_apps(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield the apps in an object, each with the name of its class in its framework."""
    waiting = deque([root])
    seen = {id(root): root}  # with the objects, so that no id is given anew meanwhile
    while waiting:
        one = waiting.popleft()
        kind = _kind(one)
        if kind in _APPS:
            yield kind[1], one
        known = _APPS.get(kind, _KNOWN.get(kind))
        found = _references(one) if known is None else [safe_getattr(one, name) for name in known]
        for other in found:
            if len(seen) >= _MAX_OBJECTS:
                return
            # The type, since a proxy's __class__ may raise.
            if id(other) not in seen and not issubclass(type(other), _ATOMS):
                seen[id(other)] = other
                waiting.append(other)


def kinds_of(one: Any) -> list[tuple[str, str]]:
    """Return the package and the name of each class of an object, the nearest first."""
    return [(base.__module__.partition(".")[0], base.__name__) for base in type(one).__mro__]


def _kind(one: Any) -> tuple[str, str]:
    """Return the first of them that is known here."""
    return next((kind for kind in kinds_of(one) if kind in _APPS or kind in _KNOWN), ("", ""))


def _references(one: Any) -> Iterable[Any]:
    """Return the objects that an object refers to."""
    kind = type(one)
    if kind is FunctionType:
        return _references_of_function(one)
    if kind is MethodType:
        return (one.__self__, one.__func__)
    if issubclass(kind, partial):
        return (one.func, *one.args, *one.keywords.values())
    if issubclass(kind, dict):
        return list(dict.values(one))
    if issubclass(kind, (list, tuple, set, frozenset, deque)):
        return tuple(one)
    found = list(_attributes(one))
    call = vars(kind).get("__call__")
    if type(call) is FunctionType:
        found += _references_of_function(call)
    return found


def _references_of_function(function: FunctionType) -> list[Any]:
    names = function.__code__.co_names
    found = [*_held_by_function(function), *(function.__defaults__ or ())]
    found += [function.__globals__[name] for name in names if name in function.__globals__]
    return found


def _held_by_function(function: FunctionType) -> Iterator[Any]:
    """Yield the function that a function wraps, and the variables of its closure."""
    yield vars(function).get("__wrapped__")
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _attributes(one: Any) -> Iterator[Any]:
    """Yield the values of an object's own attributes; no property is read."""
    try:
        own = object.__getattribute__(one, "__dict__")
    except Exception:  # noqa: BLE001  # a proxy outside of its context
        own = {}
    if isinstance(own, dict):
        yield from list(own.values())
    for base in type(one).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            if type(vars(base).get(name)) is MemberDescriptorType:
                try:
                    yield object.__getattribute__(one, name)
                except AttributeError:
                    continue


def wrapped_apps(app: Any, kind: str = "http") -> Iterator[Any]:
    """Iterate over an app and the callables that it may call, the outermost first.

    A wrapper is a function with a closure, a `functools.partial`, a method or an object whose
    attributes hold the app. The apps of frameworks, and of Starlette, are not looked into.

    Args:
        app: any app.
        kind: the scope type, for a wrapper with an app for each, such as channels'
            ``ProtocolTypeRouter``.
    """
    seen: set[int] = set()
    waiting = deque([app])
    while waiting and len(seen) < _MAX_WRAPPERS:
        one = waiting.popleft()
        if id(one) in seen or isclass(one) or not callable(one):
            continue
        seen.add(id(one))
        yield one
        kinds = kinds_of(one)
        if ("starlette", "Starlette") not in kinds and not _FRAMEWORKS.intersection(
            package for package, _ in kinds
        ):
            waiting += _held(one, kind)


def held_apps(wrapper: Any) -> list[Any]:
    """Return the apps that a wrapper calls: those with an app's name, or else every callable."""
    named = [safe_getattr(wrapper, name) for name in _NAMES]
    return [
        one
        for one in (list(filter(callable, named)) or _held(wrapper, "http"))
        if callable(one) and not isclass(one)
    ]


def _held(wrapper: Any, kind: str) -> Iterable[Any]:
    if isinstance(wrapper, partial):
        return (wrapper.func, *wrapper.args, *wrapper.keywords.values())
    if isinstance(wrapper, MethodType):
        return (wrapper.__self__,)
    if isinstance(wrapper, FunctionType):
        return _held_by_function(wrapper)
    # Of dicts alone: another mapping may refuse the key, as one of weak references does.
    return [
        dict.get(value, kind) if isinstance(value, dict) else value
        for value in _attributes(wrapper)
    ]
