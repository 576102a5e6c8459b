"""Find the root paths that apps set themselves; no framework is imported.

``FastAPI(root_path=)`` and Django's ``FORCE_SCRIPT_NAME`` take the place of the server's root path,
also in an app that is mounted in another one. Falcon leaves root paths in the path.

An app that a wrapper hides, in a place other than its attributes or closure, is not found; nor is a
middleware that sets ``root_path`` from a header. Put the stack inside of these.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet.http.routing.root_paths import InnerRoot, RootPaths
from mantlet.integrations.app_search import kinds_of, wrapped_apps

__all__ = ["find_root_paths"]


# Any: the frameworks' own classes, which are not imported here.
def find_root_paths(app: Any, kind: str = "http") -> RootPaths:
    """Return the root paths that an app, and the apps mounted in it, set themselves.

    Args:
        app: any app, wrapped or not.
        kind: the scope type of the requests.
    """
    apps = list(_framework_apps(app, kind))
    inner = [root for one in apps for root in _mounted(one, kind, 0)]
    prefixes = tuple(prefix for one in apps for prefix in _prefixes(one))
    roots = [root for one in apps if (root := _own_root(one))]
    is_quart = any(("quart", "Quart") in kinds_of(one) for one in apps)
    if len(apps) == 1:
        is_falcon = ("falcon", "App") in kinds_of(apps[0])
        return RootPaths(roots[0] if roots else "", tuple(inner), is_falcon, prefixes, is_quart)
    own = tuple(InnerRoot(0, root) for root in roots)
    return RootPaths("", (*own, *inner), prefixes=prefixes, needs_root=is_quart)


def _framework_apps(app: Any, kind: str) -> Iterator[Any]:
    return (one for one in wrapped_apps(app, kind) if not _APPS.isdisjoint(kinds_of(one)))


#: The classes of apps that route requests.
_APPS: Final = {
    ("starlette", "Router"),
    ("starlette", "Starlette"),
    ("django", "ASGIHandler"),
    ("falcon", "App"),
    ("hypercorn", "_DispatcherMiddleware"),
    ("flask", "Flask"),
    ("litestar", "Litestar"),
    ("quart", "Quart"),
}


def _own_root(app: Any) -> str:
    kinds = kinds_of(app)
    root = None
    if ("fastapi", "FastAPI") in kinds:
        root = safe_getattr(app, "root_path")
    elif ("django", "ASGIHandler") in kinds:
        root = safe_getattr(sys.modules["django.conf"].settings, "FORCE_SCRIPT_NAME")
    return root if isinstance(root, str) else ""


def _mounted(app: Any, kind: str, segments: int, depth: int = 8) -> Iterator[InnerRoot]:
    """Iterate over the apps that are mounted in an app of Starlette or Hypercorn's dispatcher."""
    mounts = safe_getattr(app, "mounts")
    for path, one in mounts.items() if isinstance(mounts, Mapping) and depth else ():
        yield from _mounted_app(one, kind, segments + _count(path), depth - 1)
    routes = safe_getattr(app, "routes")
    for route in routes if isinstance(routes, Iterable) and depth else ():
        path = safe_getattr(route, "path")
        below = segments + (_count(path) if isinstance(path, str) else 0)
        included = safe_getattr(route, "original_router")
        if included is not None:  # FastAPI's include_router()
            prefix = safe_getattr(safe_getattr(route, "include_context"), "prefix")
            below += _count(prefix) if isinstance(prefix, str) else 0
            yield from _mounted(included, kind, below, depth - 1)
        elif not {("starlette", "Mount"), ("starlette", "Host")}.isdisjoint(kinds_of(route)):
            yield from _mounted_app(route.app, kind, below, depth - 1)


def _mounted_app(app: Any, kind: str, segments: int, depth: int) -> Iterator[InnerRoot]:
    yield InnerRoot(segments, "")
    for one in _framework_apps(app, kind):
        if root := _own_root(one):
            yield InnerRoot(segments, root)
        yield from _mounted(one, kind, segments, depth)


def _prefixes(app: Any) -> Iterator[str]:
    """Iterate over the paths of an app's mounts that need no slash after them."""
    mounts = safe_getattr(app, "mounts")
    if ("litestar", "Litestar") in kinds_of(app):
        mounts = safe_getattr(safe_getattr(app, "asgi_router"), "_mount_routes")
    for path in mounts if isinstance(mounts, Mapping) else ():
        if isinstance(path, str) and path.strip("/"):
            yield path.rstrip("/")


def _count(path: str) -> int:
    return len(path.strip("/").split("/")) if path.strip("/") else 0
