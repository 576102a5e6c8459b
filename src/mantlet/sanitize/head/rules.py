"""What is done for answers whose fields have certain names: planned once for each set of names."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from mantlet.http.headers import bytes_field, is_token, text_field
from mantlet.sanitize.head.csp import Csp
from mantlet.sanitize.head.security import SecurityHeaders

__all__ = ["MOST", "NO_STORE", "Pair", "Plan", "Rules", "as_text"]

# Any: a name and a value, of bytes under ASGI and of str under WSGI.
Pair = tuple[Any, Any]

#: Fields that tell what the app runs on, and which version of it: those that the OWASP Secure
#: Headers Project lists, as far as they only tell.
_TELLING: Final = frozenset(
    {
        "liferay-portal",
        "server",
        "x-aspnet-version",
        "x-aspnetmvc-version",
        "x-cf-powered-by",
        "x-cms",
        "x-content-encoded-by",
        "x-framework",
        "x-generated-by",
        "x-generator",
        "x-php-version",
        "x-powered-by",
        "x-powered-by-plesk",
        "x-powered-cms",
        "x-redirect-by",
        "x-server-powered-by",
        "x-turbo-charged-by",
        "x-version",
    }
)
#: What says that an app has decided what caches do.
_CACHING: Final = frozenset({"cache-control", "expires", "pragma"})
NO_STORE: Final = ("Cache-Control", "no-store")
_HSTS: Final = "strict-transport-security"
#: Fields of one value. Browsers take the first of some, and of others none where there are several
#: (RFC 6797, 8.1; HTML, 7.1.3 and 7.1.4; Fetch, 3.7).
_SINGLE: Final = frozenset(
    [
        _HSTS,
        "x-content-type-options",
        "x-frame-options",
        "cross-origin-opener-policy",
        "cross-origin-embedder-policy",
        "cross-origin-resource-policy",
    ]
)
#: How many plans are remembered.
MOST: Final = 256


class Plan(NamedTuple):
    """What is done for answers whose fields have certain names.

    Attributes:
        unsafe: the indexes of fields whose names must not be sent.
        repeated: the indexes of fields that must come once and do not, those of one name together.
        sound: whether there are none of either.
        dropped: the indexes of fields that are taken out.
        added: the pairs that are put behind them.
        added_secure: those over https.
        nonced: those that have the request's nonce in them.
        no_store: whether to look if caches have to be told to store nothing.
        caching: the app's own names for what caches are told, which then give way.
        varies: whether any of the three has to be looked at.
        content_type: the index of that field; -1 where there is none, or more than one, of which
            browsers may take either.
        codings: the indexes of ``Content-Encoding``.
        cookies: the indexes of ``Set-Cookie``.
    """

    unsafe: tuple[int, ...]
    repeated: tuple[tuple[int, ...], ...]
    sound: bool
    dropped: frozenset[int]
    added: tuple[Pair, ...]
    added_secure: tuple[Pair, ...]
    nonced: tuple[tuple[str, Csp], ...]
    no_store: bool
    caching: frozenset[Any]
    varies: bool
    content_type: int
    codings: tuple[int, ...]
    cookies: tuple[int, ...]


class Rules:
    """Security fields, made ready.

    Args:
        headers: the fields.

    Attributes:
        plans: those that are remembered, by the names of fields: of WSGI, and of ASGI, for the same
            policy may be around apps of both.
    """

    def __init__(self, headers: SecurityHeaders) -> None:
        self._headers = headers
        self._override = frozenset(headers.override)
        self._values = [(name, name.lower(), value) for name, value in headers.values()]
        self.has_nonce = any(isinstance(v, Csp) and v.nonce for _, _, v in self._values)
        self.plans: tuple[dict[Any, Plan], dict[Any, Plan]] = ({}, {})

    def plan(self, names: tuple[Any, ...], *, in_bytes: bool) -> Plan:
        """Make a plan for answers whose fields have these names, and remember it."""
        plan = self._make(names, bytes_field if in_bytes else text_field)
        plans = self.plans[in_bytes]
        if len(plans) < MOST:
            plans[names] = plan
        return plan

    def _make(self, names: tuple[Any, ...], native: Callable[[str, str], Pair]) -> Plan:
        lower = [as_text(name).lower() for name in names]
        overridden = self._override
        kept = {name for name in lower if name not in overridden}
        added: list[Pair] = []
        secure: list[Pair] = []
        nonced: list[tuple[str, Csp]] = []
        for name, key, value in self._values:
            if key in kept:
                continue
            if isinstance(value, Csp) and value.nonce:
                nonced.append((name, value))
            else:
                text = value.value() if isinstance(value, Csp) else value
                (secure if key == _HSTS else added).append(native(name, text))
        replaces = "cache-control" in overridden
        no_store = self._headers.no_store if replaces or not kept & _CACHING else None
        if no_store == "always" or (no_store and "set-cookie" in kept):
            added.append(native(*NO_STORE))
            no_store = None
        elif replaces:  # what the app says holds until it is known that the answer is private
            overridden -= {"cache-control"}
        types = _indexes(lower, "content-type")
        unsafe = tuple(i for i, name in enumerate(lower) if not is_token(name))
        repeated = tuple(_indexes(lower, name) for name in sorted(_SINGLE) if lower.count(name) > 1)
        return Plan(
            unsafe=unsafe,
            repeated=repeated,
            sound=not unsafe and not repeated,
            dropped=frozenset(
                i for i, name in enumerate(lower) if name in _TELLING or name in overridden
            ),
            added=tuple(added),
            added_secure=tuple(secure),
            nonced=tuple(nonced),
            no_store=no_store is not None,
            caching=frozenset(
                name for name in names if replaces and as_text(name).lower() == "cache-control"
            ),
            varies=bool(secure or nonced or no_store),
            content_type=types[0] if len(types) == 1 else -1,
            codings=_indexes(lower, "content-encoding"),
            cookies=_indexes(lower, "set-cookie"),
        )


def as_text(native: Any) -> str:
    """Return a name or a value as text."""
    if isinstance(native, memoryview):
        native = native.tobytes()
    text: str = native if isinstance(native, str) else native.decode("latin-1")
    return text


def _indexes(names: list[str], wanted: str) -> tuple[int, ...]:
    return tuple(index for index, name in enumerate(names) if name == wanted)
