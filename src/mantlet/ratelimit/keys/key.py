"""`Key`: a function of the request that names the bucket it counts for, and the text it returns.

Clients choose much of the text of a key, so the functions here keep key texts short, read
parameters strictly, and give one spelling to names that have several.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final, Literal
from unicodedata import normalize

from mantlet._internal.coroutines import is_coroutine_function
from mantlet.core.request import Request

__all__ = [
    "AMBIGUOUS",
    "MISSING",
    "Ambiguous",
    "Key",
    "KeyFunction",
    "KeyResult",
    "Missing",
    "as_key",
    "casefold_key",
    "check_missing",
    "check_text",
    "constant",
    "describe",
    "digest",
    "hash_if_long",
    "is_digest",
    "join_texts",
    "path_parameter",
]

Address = IPv4Address | IPv6Address
#: A key's text, None for a request that is not limited, or an awaitable of either.
KeyResult = str | Awaitable[str | None] | None
KeyFunction = Callable[[Request], KeyResult]
"""A function that returns the text that names the bucket of a request."""

#: The key of every request that two parsers may read differently. `hash_if_long()` never returns
#: it.
AMBIGUOUS: Final = "#ambiguous"
#: The key of every request without the value, where those share a bucket. See above.
MISSING: Final = "#missing"

#: What a request without the value counts for: nothing, or one bucket for all of them.
Missing = Literal["skip", "share"]

_MAX_LENGTH = 64
#: In characters. Unicode normalization takes quadratic time in the worst case.
_MAX_NORMALIZED = 1024
_DIGEST_MARK = "#"
_DIGEST = re.compile(rf"{_DIGEST_MARK}[0-9a-f]{{32}}")


class Ambiguous(ValueError):
    """The app may read the request in another way than Mantlet does."""


class Key:
    """Names the bucket that a request is taken from.

    ``a & b`` is a key too: each pair of texts has a bucket of its own. It is None if either of the
    two is None, and ``b`` is called only if ``a`` is not None. One of the two may be a plain
    function.

    Args:
        function: returns the key's text, None, or an awaitable of either.
        name: how the key is shown to a reader.
        parts: the keys that it joins; empty for a key that joins none.
        reads_identity: whether it depends on who is asking.
        reads_path: whether it depends on the path parameters of the matching rule.
        waits: whether it waits for something, such as the body. Limits whose keys don't are taken
            first.
        addresses: returns the client's address, and the IPv4 address in it if it contains one (none
            for a client without an address), and whether that is not the address of a proxy instead
            of a client that can't be told; for a key that finds it.
        trusted_headers: names of the headers that it trusts, since a proxy sets them.

    Attributes:
        function: the same as calling the key, without one of the calls.
        reads_identity, reads_path, waits, addresses, trusted_headers: see above.
    """

    __slots__ = (
        "_name",
        "_parts",
        "addresses",
        "function",
        "reads_identity",
        "reads_path",
        "trusted_headers",
        "waits",
    )

    def __init__(
        self,
        function: KeyFunction,
        name: str,
        parts: tuple["Key", ...] = (),
        *,
        reads_identity: bool = False,
        reads_path: bool = False,
        waits: bool = False,
        addresses: Callable[[Request], tuple[Sequence[Address], bool]] | None = None,
        trusted_headers: Iterable[str] = (),
    ) -> None:
        self.function = function
        self.reads_identity = reads_identity
        self.reads_path = reads_path
        self.waits = waits
        self.addresses = addresses
        self.trusted_headers = frozenset(trusted_headers)
        self._name = name
        self._parts = parts

    def __call__(self, request: Request) -> KeyResult:
        """Return the key of a request."""
        return self.function(request)

    @property
    def parts(self) -> tuple["Key", ...]:
        """The keys that it joins; the key itself if it joins none."""
        return self._parts or (self,)

    def __and__(self, other: KeyFunction) -> "Key":
        return _join(self, as_key(other))

    def __rand__(self, other: KeyFunction) -> "Key":
        return _join(as_key(other), self)

    def __repr__(self) -> str:
        return self._name


def as_key(function: KeyFunction) -> Key:
    """Return a function as a `Key` whose texts are short; return a `Key` unchanged.

    Raises:
        TypeError: it is not callable, or is one of the functions here that make a key, such as
            `client_address`; or, when the key is called, the function returned neither text nor
            None.
    """
    if isinstance(function, Key):
        return function
    if not callable(function):
        raise TypeError(f"a key must be a function of the request, not {function!r}")
    name = getattr(function, "__qualname__", None) or repr(function)
    if name.isidentifier() and (getattr(function, "__module__", None) or "").startswith(
        __package__
    ):
        raise TypeError(f"keys.{name} returns a key, and is not one: write key=keys.{name}(...)")

    def key(request: Request) -> KeyResult:
        text = function(request)
        if text is None or isinstance(text, str):
            return text and hash_if_long(text)
        if not isinstance(text, Awaitable):
            raise TypeError(f"the key {name} must return text or None, not {type(text).__name__}")
        return _await_text(text, name)

    return Key(key, name, waits=is_coroutine_function(function))


def constant(text: str = "global") -> Key:
    """Return a key that is the same for every request: one bucket for all clients."""
    key = hash_if_long(check_text("text", text, "global"))
    return Key(lambda _request: key, describe("constant", text))


def path_parameter(name: str) -> Key:
    """Return the key of a path parameter, as named in the rule's template.

    It is None if no rule with that parameter matches.

    Args:
        name: for example ``"kind"`` for the rule ``"GET /export/{kind}"``.
    """
    check_text("name", name, "kind")

    def key(request: Request) -> str | None:
        value = (request.state._path_parameters or {}).get(name)
        return None if value is None else hash_if_long(value)

    return Key(key, describe("path_parameter", name), reads_path=True)


# -- texts ----------------------------------------------------------------------------------------


def digest(text: str) -> str:
    """Return a hash of a text: 33 characters, of which the first is ``#``.

    It does not reveal the text, though anyone who can guess the text can confirm the guess.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    return _DIGEST_MARK + blake2b(encoded, digest_size=16).hexdigest()


def is_digest(text: str) -> bool:
    """Return whether a text is a result of `digest()`, or a key that requests share."""
    return text in (AMBIGUOUS, MISSING) or _DIGEST.fullmatch(text) is not None


def hash_if_long(text: str) -> str:
    """Return a text that is safe to use in a key, whoever chose it.

    A text of at most 64 characters, all of them printable ASCII, is returned unchanged; any other
    is hashed. A text that looks like a hash is hashed too, so the two can't be confused.
    """
    if (
        len(text) <= _MAX_LENGTH
        and text.isascii()
        and text.isprintable()
        and not text.startswith(_DIGEST_MARK)
    ):
        return text
    return digest(text)


def casefold_key(text: str) -> str:
    """Return the one form that all usual spellings of a name share.

    That is its compatibility form (Unicode, UAX 15: NFKC), case-folded, without surrounding white
    space. A name of more than 1,024 characters is not normalized.
    """
    text = text.strip()
    if len(text) <= _MAX_NORMALIZED:
        text = normalize("NFKC", text).strip()
    return text.casefold()


# -- options of the key functions -----------------------------------------------------------------


def check_text(option: str, value: str, example: str) -> str:
    """Return an option if it is printable text, else raise."""
    if not isinstance(value, str):
        raise TypeError(f'{option} must be text such as "{example}", not {value!r}')
    if not value or not value.isprintable():
        raise ValueError(f'{option} must be printable text such as "{example}", not {value!r}')
    return value


def describe(factory: str, *arguments: object, **options: object) -> str:
    """Return the source code of the call that makes a key."""
    every = [_describe(value) for value in arguments]
    every += [f"{name}={_describe(value)}" for name, value in options.items()]
    return f"{factory}({', '.join(every)})"


def check_missing(missing: Missing) -> None:
    """Check the option of what a request without the value counts for.

    Raises:
        ValueError: it has another value.
    """
    if missing not in ("skip", "share"):
        raise ValueError(f'missing must be "skip" or "share", not {missing!r}')


def _describe(value: object) -> str:
    return getattr(value, "__qualname__", None) or repr(value)


async def _await_text(waiting: Awaitable[str | None], name: str) -> str | None:
    # Any: a user's function may return anything, whatever its annotations say.
    text: Any = await waiting
    if text is None or isinstance(text, str):
        return text and hash_if_long(text)
    raise TypeError(f"the key {name} must return text or None, not {type(text).__name__}")


# -- joined keys ----------------------------------------------------------------------------------


def _join(one: Key, other: Key) -> Key:
    parts = one.parts + other.parts
    functions = tuple(part.function for part in parts)

    def key(request: Request) -> KeyResult:
        texts: list[str] = []
        for index, function in enumerate(functions):
            text = function(request)
            if text is None:
                return None
            if not isinstance(text, str):
                return _join_later(texts, text, functions[index + 1 :], request)
            texts.append(text)
        return join_texts(texts)

    return Key(
        key,
        " & ".join(map(repr, parts)),
        parts,
        reads_identity=any(part.reads_identity for part in parts),
        reads_path=any(part.reads_path for part in parts),
        waits=any(part.waits for part in parts),
        trusted_headers=[header for part in parts for header in part.trusted_headers],
    )


async def _join_later(
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
    return join_texts(texts)


def join_texts(texts: list[str]) -> str:
    """Join texts, each preceded by its length, so that no two lists give the same text."""
    return "".join([f"{len(text)}:{text}" for text in texts])
