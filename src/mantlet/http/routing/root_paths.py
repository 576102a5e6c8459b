"""The paths of its own routes that an app may take a request's path for.

A root path (ASGI's ``root_path``, WSGI's ``SCRIPT_NAME``) is the prefix that an app is mounted
under. Some servers put it before the path and some do not, some frameworks replace it by an option
of their own, and each removes it in a way of its own:

==================================  ============================================================
Starlette, FastAPI                  at the beginning, up to a slash; ``FastAPI(root_path=)``
                                    replaces the server's
Django (ASGI)                       at the beginning; ``FORCE_SCRIPT_NAME`` replaces the server's
Quart, channels, a2wsgi, asgiref    at the beginning: ``/apilogin`` under ``/api`` is ``/login``;
                                    Quart takes a path without it for a single space
Litestar                            with everything before it: ``/x/api/login`` is ``/login``
Hypercorn's dispatcher, Litestar's  mount an app at a prefix that no slash has to follow:
mounts                              ``/sublogin`` is the ``/login`` of an app at ``/sub``
Falcon                              not at all; an empty segment is the value of a parameter
WSGI                                the server has removed it: ``PATH_INFO`` is routed
==================================  ============================================================

Files are found by the path without its dot segments: Starlette, Django, Flask and Quart serve
``/static/a/../b`` as ``/static/b``.

So a path has a first reading, on which specifications and most frameworks agree, and, rarely,
further ones. A policy that treats them differently applies the strictest treatment.

Sources: ASGI specification, "HTTP Connection Scope" (``root_path``); PEP 3333, "environ Variables";
the frameworks' own code.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["NO_ROOT_PATHS", "InnerRoot", "RootPaths", "read_route_paths", "remove_root"]


class InnerRoot(NamedTuple):
    """An app that is mounted inside another one.

    Attributes:
        segments: the number of segments of the path that it is mounted at.
        root_path: the root path that it sets itself; empty if it sets none.
    """

    segments: int
    root_path: str


class RootPaths(NamedTuple):
    """How the apps in a stack treat root paths.

    Attributes:
        own: the root path that the app sets in place of the server's; empty if it sets none.
        inner: the apps that are mounted inside of it.
        is_literal: whether the app routes the path as it is, with its root path and its empty
            segments (Falcon).
        prefixes: the paths of mounts that need no slash after them.
        needs_root: whether the app takes a path without the root path for `_NO_ROUTE` (Quart).
    """

    own: str = ""
    inner: tuple[InnerRoot, ...] = ()
    is_literal: bool = False
    prefixes: tuple[str, ...] = ()
    needs_root: bool = False

    @property
    def is_set(self) -> bool:
        """Whether readings differ from those by the server's root path."""
        mounted = self.prefixes or any(one.root_path for one in self.inner)
        return bool(self.own or self.is_literal or mounted)


NO_ROOT_PATHS: Final = RootPaths()
#: What Quart routes in place of such a path, which a parameter of the rest of the path matches.
_NO_ROUTE: Final = " "


def remove_root(path: str, root: str) -> str:
    """Return a path without the root path, where it begins with it as a whole.

    Args:
        path: decoded, beginning with a slash.
        root: the root path, which may end with a slash.
    """
    root = root.rstrip("/")
    if path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path


def read_route_paths(
    path: str, root: str, apps: RootPaths = NO_ROOT_PATHS, sent: str | None = None
) -> tuple[str, ...]:
    """Return the readings of a path, the first one the specification's; usually there is one.

    Args:
        path: decoded, beginning with a slash, with or without the root path.
        root: the server's root path.
        apps: the root paths that apps set themselves.
        sent: the request's target, where it does not begin with a slash; else None.
    """
    if apps.is_literal:
        # The last segment of "/users/" is an empty one; elsewhere a slash at the end is ignored.
        readings = [path, f"{path}/"] if path.endswith("/") else [path]
    else:
        root = apps.own or root
        readings = [*_without_root(path, root), *_below_mounts(path, root, apps)]
        if apps.needs_root and root and (path == root or not path.startswith(root)):
            readings.append(_NO_ROUTE)
    if sent is not None:
        readings.append(sent)
        if root and root in sent:
            readings.append(sent.partition(root)[2])
    if any("/." in reading for reading in readings):
        readings += [_without_dots(reading) for reading in readings]
    return tuple(dict.fromkeys(map(_rooted, readings)))


def _without_root(path: str, root: str) -> Iterator[str]:
    yield remove_root(path, root)
    if root.strip("/"):
        if root in path:
            yield path.partition(root)[2]
        if root.endswith("/") and not path.startswith(f"{root}/"):
            yield path  # Starlette's reading


def _below_mounts(path: str, root: str, apps: RootPaths) -> Iterator[str]:
    first = remove_root(path, root)
    for inner in apps.inner:
        if inner.root_path or (root and first == path):
            # Without one, an app that is mounted below a root path that the path does not have
            # looks for both, and routes the whole path; so does one whose own the path has not.
            mount = "/".join(first.split("/", inner.segments + 1)[: inner.segments + 1])
            yield f"{mount}/{path.removeprefix(inner.root_path)}"
    for prefix in apps.prefixes:
        if not path.startswith(prefix):
            continue
        if path[len(prefix) : len(prefix) + 1] not in ("", "/"):
            yield f"{prefix}/{path.removeprefix(prefix)}"
        elif root and not path.startswith(f"{root.rstrip('/')}{prefix}"):
            # The mount adds itself to the root path, which the path then does not begin with.
            yield f"{prefix}{path}"


def _rooted(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _without_dots(path: str) -> str:
    """Return a path as file systems read it: without dot segments, and without empty ones."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/".join(("", *kept)) + ("/" if path.endswith("/") else "")
