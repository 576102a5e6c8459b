"""Protect cookies from other sites and from scripts (draft-ietf-httpbis-rfc6265bis)."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase, translate
from typing import Final, Literal, NamedTuple

from mantlet._internal.options import KnowsOptions

__all__ = ["Cookies"]

SameSite = Literal["Lax", "Strict", "None"]

#: Names of cookies that represent a login or a session: those of frameworks, and usual ones.
SESSION_LIKE: Final = (
    "*session*", "sess*", "ssess*", "*sess", "*sessid*", "sid", "*.sid", "*_sid", "*-sid", "auth",
    "auth_*", "auth-*", "auth.*", "authn*", "authori[sz]*", "*_auth", "*-auth", "*oauth*",
    "*token*", "jwt*", "*_jwt", "*-jwt", "remember*", "*_remember*", "login*", "identity*",
    "wordpress_logged_in*", "wordpress_sec*", ".aspnet*", "asp.net*", "__host-*", "__secure-*",
)  # fmt: skip
#: Cookies that a site's own scripts have to read: CSRF tokens.
READABLE: Final = ("*csrf*", "*xsrf*")

_PREFIXES: Final = ("__host-", "__secure-")
#: The characters that browsers strip (RFC 6265bis, 5.6).
_WHITESPACE: Final = " \t"
#: The most attributes of a cookie that are read; browsers know a dozen.
_MAX_ATTRIBUTES: Final = 64
#: The most names whose kind is cached, and the longest, in characters.
_MAX_CACHED: Final = 256
_MAX_NAME: Final = 64
_NOTHING: Final[Mapping[str, str]] = {}
#: The attributes that are added, as they are read.
_ADDED: Final = {
    "Secure": ("secure", ""),
    "HttpOnly": ("httponly", ""),
    **{f"SameSite={value}": ("samesite", value.lower()) for value in ("Lax", "Strict", "None")},
}
#: Called with the pattern that a cookie's name matches, and the attributes that are added.
OnAdded = Callable[[str, tuple[str, ...]], object]


@dataclass(frozen=True, kw_only=True)
class Cookies(KnowsOptions):
    """The attributes to add to session cookies that lack them.

    Names are globs and case-insensitive.

    Attributes:
        secure: add ``Secure`` in responses over https.
        http_only: add ``HttpOnly``, except to ``readable`` cookies.
        same_site: the ``SameSite`` to add; None to leave it to the browser.
        session_like: the names of session cookies.
        readable: the names of cookies that scripts have to read.

    Raises:
        ValueError: ``same_site`` is unknown, or ``"None"`` without ``secure``.
        TypeError: ``secure`` or ``http_only`` is not a bool, or the names are not several texts.
    """

    secure: bool = True
    http_only: bool = True
    same_site: SameSite | None = "Lax"
    session_like: Collection[str] = SESSION_LIKE
    readable: Collection[str] = READABLE
    _is_session: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _is_readable: re.Pattern[str] = field(init=False, repr=False, compare=False)
    #: The kinds of cookies by their names, a cache.
    _kinds: "dict[str, _Kind]" = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for option, value in (("secure", self.secure), ("http_only", self.http_only)):
            if not isinstance(value, bool):
                raise TypeError(f"{option} must be True or False, not {value!r}")
        if self.same_site not in ("Lax", "Strict", "None", None):
            raise ValueError(
                f'same_site must be "Lax", "Strict", "None" or None, not {self.same_site!r}'
            )
        if self.same_site == "None" and not self.secure:
            raise ValueError('same_site must not be "None" without secure: browsers reject it')
        object.__setattr__(self, "_is_session", _compile("session_like", self.session_like))
        object.__setattr__(self, "_is_readable", _compile("readable", self.readable))

    def fix(self, value: str, *, https: bool, on_added: OnAdded) -> tuple[str, str | None]:
        """Return a ``Set-Cookie`` with the attributes that it lacks, and its fault, if any.

        Existing attributes are kept byte for byte.

        Args:
            value: the value of the header.
            https: whether the response is sent over https.
            on_added: called with the pattern that a session's cookie matches, and what it lacked.
        """
        pair, _, rest = value.partition(";")
        name, _, content = pair.partition("=")
        # Browsers send back a cookie without a name as its value alone, which servers then read as
        # a name and a value (RFC 6265bis, 5.7 and 5.8.3).
        name = (name.strip(_WHITESPACE) or content.partition("=")[0].strip(_WHITESPACE)).lower()
        kind = self._kinds.get(name) or self._kind(name)
        known = _NOTHING
        if rest:
            if kind is _PLAIN and "samesite" not in rest.lower():
                return value, None
            # Attributes after those are not read: the missing ones are added after them, and count.
            # The last attribute of a name counts (RFC 6265bis, 5.7).
            known = {
                key.strip(_WHITESPACE): worth.strip(_WHITESPACE)
                for key, _, worth in (
                    attribute.partition("=")
                    for attribute in rest.lower().split(";", _MAX_ATTRIBUTES)[:_MAX_ATTRIBUTES]
                )
            }
        elif kind is _PLAIN:
            return value, None
        added = self._missing(kind, known, https=https)
        if not added:
            return value, _fault(name, known)
        if kind.pattern:
            on_added(kind.pattern, added)
        known = {**known, **dict(_ADDED[attribute] for attribute in added)}
        return "; ".join([value, *added]), _fault(name, known)

    def _kind(self, name: str) -> "_Kind":
        """Return the kind of a cookie, and cache it."""
        readable = self._is_readable.fullmatch(name)
        session = readable or self._is_session.fullmatch(name)
        prefixed = name.startswith(_PREFIXES)
        kind = _PLAIN
        if session is not None or prefixed:
            globs = self.readable if readable else self.session_like if session else ()
            pattern = next((glob for glob in globs if fnmatchcase(name, glob.lower())), "")
            kind = _Kind(session is not None, readable is not None, prefixed, pattern)
        if len(self._kinds) < _MAX_CACHED and len(name) <= _MAX_NAME:
            self._kinds[name] = kind
        return kind

    def _missing(self, kind: "_Kind", known: Mapping[str, str], *, https: bool) -> tuple[str, ...]:
        """Return the attributes that a cookie lacks."""
        missing = []
        # Browsers reject these without Secure, whatever their purpose.
        needs_secure = kind.prefixed or known.get("samesite") == "none"
        if https and "secure" not in known and (needs_secure or (kind.session and self.secure)):
            missing.append("Secure")
        if kind.session and not kind.readable and self.http_only and "httponly" not in known:
            missing.append("HttpOnly")
        rejected = self.same_site == "None" and not https  # by browsers
        if kind.session and self.same_site and "samesite" not in known and not rejected:
            missing.append(f"SameSite={self.same_site}")
        return tuple(missing)


class _Kind(NamedTuple):
    """The kind of a cookie, by its name.

    Attributes:
        session: whether it belongs to a session, or scripts have to read it.
        readable: whether scripts have to read it.
        prefixed: whether browsers have rules for its name.
        pattern: the pattern that it matches, or an empty text.
    """

    session: bool
    readable: bool
    prefixed: bool
    pattern: str


_PLAIN: Final = _Kind(False, False, False, "")


def _fault(name: str, known: Mapping[str, str]) -> str | None:
    """Return why browsers reject a cookie (RFC 6265bis, 5.7), as the id of a rule."""
    secure = "secure" in known
    at_host = known.get("path") == "/" and not known.get("domain")
    if name.startswith(_PREFIXES) and not (secure and (at_host or name.startswith("__secure-"))):
        return "cookie-prefix"
    if known.get("samesite") == "none" and not secure:
        return "cookie-samesite"
    return None


def _compile(option: str, globs: Collection[str]) -> re.Pattern[str]:
    """Return a pattern of the names, in lower case, that match any of several globs."""
    if isinstance(globs, str) or not all(isinstance(glob, str) for glob in globs):
        raise TypeError(f"{option} must be several names, not {globs!r}")
    return re.compile("|".join(translate(glob.lower()) for glob in globs) or r"(?!)")
