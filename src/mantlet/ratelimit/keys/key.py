"""What a key is, and how several make one."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mantlet.core.request import Request
from mantlet.ratelimit.keys.texts import bounded

__all__ = ["Found", "Key", "KeyFunction", "as_key", "described"]

#: A key's text, or None for a request that is not limited; or what has to be awaited for these.
Found = str | Awaitable[str | None] | None
#: Tells whose bucket a request is taken from.
KeyFunction = Callable[[Request], Found]


class Key:
    """Tells whose bucket a request is taken from.

    ``a & b`` is a key as well, of which each pair of texts is a bucket of its own. It is None where
    one of the two is None, and ``b`` is asked only if ``a`` is not. One of them may be any function
    that is a key.

    Args:
        function: returns the key's text, or None, or an awaitable of these.
        name: what it is, for a reader.
        parts: the keys that it joins; by default it is its own only part.

    Attributes:
        function: the same as calling the key, and a call less.
        parts: the keys that it joins.
    """

    __slots__ = ("_name", "_parts", "function")

    def __init__(self, function: KeyFunction, name: str, parts: tuple["Key", ...] = ()) -> None:
        self.function = function
        self._name = name
        self._parts = parts

    def __call__(self, request: Request) -> Found:
        """Return the key of a request."""
        return self.function(request)

    @property
    def parts(self) -> tuple["Key", ...]:
        """The keys that it joins."""
        return self._parts or (self,)

    def __and__(self, other: KeyFunction) -> "Key":
        return _joined(self, as_key(other))

    def __rand__(self, other: KeyFunction) -> "Key":
        return _joined(as_key(other), self)

    def __repr__(self) -> str:
        return self._name


def as_key(function: KeyFunction) -> Key:
    """Return a function as a `Key`, whose texts are bounded; a `Key` as it is.

    Raises:
        TypeError: it is no function; and when it is called, that it returned no text.
    """
    if isinstance(function, Key):
        return function
    if not callable(function):
        raise TypeError(f"a key must be a function of the request, not {function!r}")
    name = getattr(function, "__qualname__", None) or repr(function)

    def key(request: Request) -> Found:
        text = function(request)
        if text is None or isinstance(text, str):
            return text and bounded(text)
        if not isinstance(text, Awaitable):
            raise TypeError(f"the key {name} must return text or None, not {type(text).__name__}")
        return _awaited(text, name)

    return Key(key, name)


async def _awaited(waiting: Awaitable[str | None], name: str) -> str | None:
    # Any: it is somebody's function, whatever its annotations say.
    text: Any = await waiting
    if text is None or isinstance(text, str):
        return text and bounded(text)
    raise TypeError(f"the key {name} must return text or None, not {type(text).__name__}")


def described(factory: str, *arguments: object, **options: object) -> str:
    """Return the call that makes a key, as it would be written."""
    every = [_described(value) for value in arguments]
    every += [f"{name}={_described(value)}" for name, value in options.items()]
    return f"{factory}({', '.join(every)})"


def _described(value: object) -> str:
    return getattr(value, "__qualname__", None) or repr(value)


def _joined(one: Key, other: Key) -> Key:
    parts = one.parts + other.parts
    functions = tuple(part.function for part in parts)

    def key(request: Request) -> Found:
        texts: list[str] = []
        for index, function in enumerate(functions):
            text = function(request)
            if text is None:
                return None
            if not isinstance(text, str):
                return _later(texts, text, functions[index + 1 :], request)
            texts.append(text)
        return _netstrings(texts)

    return Key(key, " & ".join(map(repr, parts)), parts)


async def _later(
    texts: list[str],
    waiting: Awaitable[str | None],
    functions: Iterable[KeyFunction],
    request: Request,
) -> str | None:
    text = await waiting
    if text is None:
        return None
    texts.append(text)
    for function in functions:
        result = function(request)
        text = result if result is None or isinstance(result, str) else await result
        if text is None:
            return None
        texts.append(text)
    return _netstrings(texts)


def _netstrings(texts: list[str]) -> str:
    """Return one text for several, each with its length, so that no two lists have the same."""
    return "".join([f"{len(text)}:{text}" for text in texts])
