"""Match origins: exactly, by a pattern with a wildcard for one label, or by a function."""

from collections.abc import Callable, Iterable
from typing import Final

from mantlet._internal.coroutines import is_plain_function
from mantlet.origins.origin import DEFAULT_PORTS, Origin, parse_host, parse_origin, split_port

__all__ = ["AnyOf", "OriginMatcher", "check_wildcard", "list_of"]

#: Whether an origin, such as ``"https://app.example"``, is meant.
OriginFunction = Callable[[str], bool]
#: One origin, pattern or function, or several.
AnyOf = str | OriginFunction | Iterable[str | OriginFunction]

_WILDCARD: Final = "*."
_EXAMPLE: Final = '"https://app.example" or "https://*.example.com"'


class OriginMatcher:
    """Finds out whether an origin is one of those that an option names.

    Args:
        option: the option's name, for errors.
        origins: one, or several, of: an origin, as browsers write it; a pattern whose host begins
            with ``*.``, which stands for exactly one label; a function of the origin's text. A
            function is not asked about ``null``, nor about a text that is not an origin.
        may_be_empty: whether there may be none.

    Attributes:
        exact: the origins that are named in full.
        is_fixed: whether there is no function, so that a match is one for ever.

    Raises:
        TypeError: ``origins`` holds something else, or a function is ``async``.
        ValueError: a text is not an origin or a pattern; the message says what to write.
    """

    __slots__ = ("_functions", "_patterns", "exact", "is_fixed")

    def __init__(self, option: str, origins: AnyOf, *, may_be_empty: bool = False) -> None:
        exact: list[str] = []
        patterns: list[Origin] = []
        functions: list[OriginFunction] = []
        for one in list_of(option, origins, _EXAMPLE, may_be_empty=may_be_empty):
            if not isinstance(one, str):
                functions.append(_check_function(option, one))
            elif "*" in one:
                patterns.append(_check_pattern(option, one))
            else:
                exact.append(_check_origin(option, one))
        self.exact = frozenset(exact)
        self._patterns = frozenset(patterns)
        self._functions = tuple(functions)
        self.is_fixed = not functions

    def matches(self, origin: str) -> bool:
        """Return whether an origin is meant.

        Args:
            origin: the value of the header ``Origin``.
        """
        if origin in self.exact:
            return True
        if not (self._patterns or self._functions):
            return False
        parsed = parse_origin(origin)
        if parsed is None:
            return False
        _, dot, parent = parsed.host.partition(".")
        if dot and parsed._replace(host=parent) in self._patterns:
            return True
        return any(function(origin) for function in self._functions)


def list_of(
    option: str, values: AnyOf, example: str, *, may_be_empty: bool = False
) -> list[str | OriginFunction]:
    """Return one or several values of an option as a list.

    Raises:
        TypeError: it is neither text, a function nor a list of these.
        ValueError: it is empty.
    """
    if isinstance(values, str) or callable(values):
        return [values]
    checked: object = values
    if isinstance(checked, bytes) or not isinstance(checked, Iterable):
        raise TypeError(f"{option} must be a list of texts such as {example}, not {values!r}")
    found = list(values)
    if not found and not may_be_empty:
        raise ValueError(f"{option} must not be empty: name at least one, such as {example}")
    return found


def check_wildcard(option: str, host: str) -> str:
    """Return the part of a host pattern that follows its wildcard.

    Raises:
        ValueError: the wildcard is not the whole first label, or stands for a whole domain.
    """
    parent = host.removeprefix(_WILDCARD)
    if parent == host or "*" in parent:
        raise ValueError(
            f"{option}: * stands for one whole label at the beginning of a host, as in "
            f'"*.example.com", not as in {host!r}'
        )
    name = parse_host(parent)
    if name != parent or "." not in name or parent.replace(".", "").isdigit():
        if name == parent == "localhost":
            return name
        raise ValueError(
            f"{option}: * must be followed by a name in lower case that is your own, as in "
            f'"*.example.com", not by {parent!r}'
        )
    return name


def _check_function(option: str, function: object) -> OriginFunction:
    if not callable(function):
        raise TypeError(f"{option} must hold texts and functions, not {function!r}")
    if not is_plain_function(function):
        raise TypeError(f"{option}: {function!r} must be a plain function, not an async one")
    return function


def _check_origin(option: str, text: str) -> str:
    if parse_origin(text) is not None:
        return text
    if text == "null":
        raise ValueError(
            f"{option} must not hold 'null': it is the origin of every sandboxed page and local "
            f"file, whoever wrote it"
        )
    raise ValueError(f"{option}: {text!r} is not an origin; {_hint(text)}")


def _hint(text: str) -> str:
    """Return what to write for a text that is not quite an origin."""
    if not text.isascii():
        return 'write the host as the browser sends it, such as "https://xn--bcher-kva.example"'
    scheme, separator, rest = text.lower().partition("://")
    if not separator:
        return f'it needs a scheme, such as "https://{text}"'
    parts = split_port(rest.partition("/")[0].rpartition("@")[2])
    if parts is not None:
        host, port = parts
        end = "" if port is None or port == DEFAULT_PORTS.get(scheme) else f":{port}"
        meant = f"{scheme}://{parse_host(host)}{end}"
        if parse_origin(meant) is not None and parse_host(host) is not None:
            return f'browsers write it as "{meant}"'
    return f"write it as browsers do, such as {_EXAMPLE}"


def _check_pattern(option: str, text: str) -> Origin:
    scheme, separator, authority = text.partition("://")
    if text == "*" or not separator:
        raise ValueError(
            f"{option}: {text!r} is not a pattern: a wildcard needs a scheme and a domain, as in "
            f'"https://*.example.com"'
        )
    parts = split_port(authority)
    host = authority if parts is None else parts[0]
    parent = check_wildcard(option, host)
    parsed = parse_origin(f"{scheme}://{parent}" + authority.removeprefix(host))
    if parsed is None:
        raise ValueError(f"{option}: {text!r} is not a pattern; write it as {_EXAMPLE}")
    return parsed
