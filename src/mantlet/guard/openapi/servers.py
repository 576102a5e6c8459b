"""The base paths of the servers that a document names."""

import re
from collections.abc import Mapping
from itertools import product
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from mantlet.guard.openapi.diagnostics import LocatedValue, ProblemList

__all__ = ["base_paths"]

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
#: How many paths the variables of a server may produce.
_MAX_PATHS: Final = 256


def base_paths(servers: LocatedValue | None, problems: ProblemList) -> tuple[str, ...]:
    """Return the path prefixes of servers: ``""`` for the root, or such as ``"/v1"``.

    A variable with an ``enum`` takes each of its values, any other takes its default. Relative URLs
    are relative to the root, since the URL of the document is unknown (OpenAPI, "Server Object").

    Args:
        servers: an array of valid Server Objects; None and an empty array mean the root.
        problems: collects problems.
    """
    if servers is None or not servers.value:
        return ("",)
    found: dict[str, None] = {}
    for index, server in enumerate(servers.value):
        location = servers.location.child(index, "url")
        try:
            for url in _expand_url(server["url"], server.get("variables", {})):
                found[_url_path(url)] = None
        except ValueError as error:
            problems.note(location, f"{error}, so this server is ignored")
    return tuple(found) or ("",)


def _expand_url(url: str, variables: Mapping[str, Any]) -> list[str]:
    # Variables in the scheme or host do not affect the path.
    start = url.find("/", url.find("//") + 2) if "//" in url else 0
    host, path = (url, "") if start < 0 else (url[:start], url[start:])
    names = list(dict.fromkeys(_VARIABLE.findall(path)))
    choices = [variables[name].get("enum") or [variables[name]["default"]] for name in names]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > _MAX_PATHS:
        raise ValueError(f"has variables that produce more than {_MAX_PATHS} paths")
    host = _VARIABLE.sub("host", host)
    urls = []
    for values in product(*choices):
        chosen: Mapping[str, str] = dict(zip(names, values, strict=True))
        urls.append(host + _substitute(path, chosen))
    return urls


def _substitute(path: str, chosen: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: chosen[match[1]], path)


def _url_path(url: str) -> str:
    try:
        parts = urlsplit(url)
        path = unquote(parts.path, errors="strict")
    except ValueError:
        raise ValueError("is not a valid URL") from None
    if parts.query or parts.fragment:
        raise ValueError("must have no query or fragment after its variables are substituted")
    if "{" in path or "}" in path:
        raise ValueError("must have no braces other than those of its variables")
    segments = [segment for segment in path.split("/") if segment not in {"", "."}]
    if ".." in segments:
        raise ValueError("must not have '..' in its path")
    return "".join(f"/{segment}" for segment in segments)
