"""The paths under which a document's servers offer what it describes."""

import re
from collections.abc import Mapping
from itertools import product
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from mantlet.guard.openapi.diagnostics import Problems
from mantlet.guard.openapi.locations import Located

__all__ = ["base_paths"]

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
#: How many paths the variables of a server may make.
_MOST: Final = 256


def base_paths(servers: Located | None, problems: Problems) -> tuple[str, ...]:
    """Return what may stand before each path: ``""`` for the root, ``"/v1"``.

    A variable with an ``enum`` has each of its values, another one its default. A relative URL is
    taken from the root, since where the document is served is not known (OpenAPI, "Server Object").

    Args:
        servers: an array of Server Objects, checked; none or an empty one is the root.
        problems: takes what can't be read.
    """
    if servers is None or not servers.value:
        return ("",)
    found: dict[str, None] = {}
    for index, server in enumerate(servers.value):
        location = servers.location.child(index, "url")
        try:
            for url in _urls(server["url"], server.get("variables", {})):
                found[_path(url)] = None
        except ValueError as error:
            problems.add(location, str(error))
    return tuple(found)


def _urls(url: str, variables: Mapping[str, Any]) -> list[str]:
    # What only stands in the host or the scheme makes no difference to the path.
    start = url.find("/", url.find("//") + 2) if "//" in url else 0
    host, path = (url, "") if start < 0 else (url[:start], url[start:])
    if _is_all(url):  # the whole of it is a variable
        host, path = "", url
    names = list(dict.fromkeys(_VARIABLE.findall(path)))
    choices = [variables[name].get("enum") or [variables[name]["default"]] for name in names]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MOST:
        raise ValueError(f"has variables that make more than {_MOST} paths")
    host = _VARIABLE.sub("host", host)
    made = []
    for values in product(*choices):
        chosen = dict(zip(names, values, strict=True))
        made.append(host + _filled(path, chosen))
    return made


def _filled(path: str, chosen: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda read: chosen[read[1]], path)


def _is_all(url: str) -> bool:
    return url.startswith("{") and "//" not in url


def _path(url: str) -> str:
    try:
        parts = urlsplit(url)
        path = unquote(parts.path, errors="strict")
    except ValueError:
        raise ValueError("is no URL") from None
    if parts.query or parts.fragment:
        raise ValueError("must have no query and no fragment, also by its variables")
    if "{" in path or "}" in path:
        raise ValueError("must have no braces but those of its variables")
    segments = [segment for segment in path.split("/") if segment not in {"", "."}]
    if ".." in segments:
        raise ValueError("must not have '..' in its path: where it would lead is not known")
    return "".join(f"/{segment}" for segment in segments)
