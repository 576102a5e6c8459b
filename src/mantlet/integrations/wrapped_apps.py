"""Look through wrappers: the apps that an app calls, as far as its attributes tell."""

from collections.abc import Iterator, Mapping
from functools import partial
from inspect import isclass, isfunction, ismethod
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet.integrations.app_search import attributes, held_by_function, kinds_of

__all__ = ["held_apps", "wrapped_apps"]

#: The most objects that are looked at.
_MOST: Final = 400
#: How wrappers call the app that they wrap.
_NAMES: Final = ("app", "application", "wsgi_app", "asgi_app")
#: Packages whose apps are not looked into: they are what is searched for.
_FRAMEWORKS: Final = frozenset({"django", "falcon", "fastapi", "flask", "litestar", "quart"})


# Any: the frameworks' own classes, which are not imported here.
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
    waiting = [app]
    while waiting and len(seen) < _MOST:
        one = waiting.pop(0)
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


def _held(wrapper: Any, kind: str) -> Iterator[Any]:
    if isinstance(wrapper, partial):
        yield from (wrapper.func, *wrapper.args, *wrapper.keywords.values())
    elif ismethod(wrapper):
        yield wrapper.__self__
    elif isfunction(wrapper):
        yield from held_by_function(wrapper)
    else:
        for value in attributes(wrapper):
            if isinstance(value, Mapping):
                yield value.get(kind)
            else:
                yield value
