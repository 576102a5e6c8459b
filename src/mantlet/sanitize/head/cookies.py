"""Cookies that other sites and scripts can't get at (draft-ietf-httpbis-rfc6265bis)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Final, Literal

__all__ = ["Cookies"]

SameSite = Literal["Lax", "Strict", "None"]

#: Names of cookies that stand for a login or a session: those of frameworks, and what is usual.
SESSION_LIKE: Final = (
    "*session*", "sess*", "ssess*", "*sess", "*sessid*", "sid", "*.sid", "*_sid", "*-sid", "auth",
    "auth_*", "auth-*", "auth.*", "authn*", "authori[sz]*", "*_auth", "*-auth", "*oauth*",
    "*token*", "jwt*", "*_jwt", "*-jwt", "remember*", "*_remember*", "login*", "identity*",
    "wordpress_logged_in*", "wordpress_sec*", ".aspnet*", "asp.net*", "__host-*", "__secure-*",
)  # fmt: skip
#: Those that a site's own scripts have to read: tokens against forged requests.
READABLE: Final = ("*csrf*", "*xsrf*")

_PREFIXES: Final = ("__host-", "__secure-")
#: What browsers strip off, and nothing else (RFC 6265bis, 5.6).
_BLANKS: Final = " \t"


@dataclass(frozen=True, kw_only=True)
class Cookies:
    """What is added to the cookies that stand for a session and lack it.

    Names are globs, compared without regard to case.

    Attributes:
        secure: ``Secure``, in answers over https.
        http_only: ``HttpOnly``, but for cookies that are ``readable``.
        same_site: ``SameSite``; None to leave it to the browser.
        session_like: the cookies that this is for.
        readable: the cookies that scripts have to read.

    Raises:
        ValueError: ``same_site`` is none that browsers know, or None without ``secure``.
        TypeError: ``secure`` or ``http_only`` is no bool, or the names are not several texts.
    """

    secure: bool = True
    http_only: bool = True
    same_site: SameSite | None = "Lax"
    session_like: Collection[str] = SESSION_LIKE
    readable: Collection[str] = READABLE
    _is_session: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _is_readable: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for option, value in (("secure", self.secure), ("http_only", self.http_only)):
            if not isinstance(value, bool):
                raise TypeError(f"{option} must be True or False, not {value!r}")
        if self.same_site not in ("Lax", "Strict", "None", None):
            raise ValueError(
                f'same_site must be "Lax", "Strict", "None" or None, not {self.same_site!r}'
            )
        if self.same_site == "None" and not self.secure:
            raise ValueError('same_site must not be "None" without secure: browsers refuse it')
        object.__setattr__(self, "_is_session", _matcher("session_like", self.session_like))
        object.__setattr__(self, "_is_readable", _matcher("readable", self.readable))

    def mend(self, value: str, *, https: bool) -> tuple[str, str | None]:
        """Return a ``Set-Cookie`` with what it lacks, and what is wrong with it, if anything.

        What is there already is left byte for byte.

        Args:
            value: the field's.
            https: whether the answer goes over https.
        """
        pair, *attributes = value.split(";")
        name = pair.partition("=")[0].strip(_BLANKS).lower()
        # The last one of a name holds (RFC 6265bis, 5.7).
        known = {
            key.strip(_BLANKS).lower(): worth.strip(_BLANKS).lower()
            for key, _, worth in (attribute.partition("=") for attribute in attributes)
        }
        added = self._lacking(name, known, https=https)
        for attribute in added:
            key, _, worth = attribute.lower().partition("=")
            known[key] = worth
        return "; ".join([value, *added]) if added else value, _fault(name, known)

    def _lacking(self, name: str, known: Mapping[str, str], *, https: bool) -> list[str]:
        """Return the attributes that a cookie lacks."""
        lacking = []
        readable = self._is_readable.fullmatch(name) is not None
        session = readable or self._is_session.fullmatch(name) is not None
        # Browsers refuse these without it, whatever they stand for.
        needs_secure = name.startswith(_PREFIXES) or known.get("samesite") == "none"
        if https and "secure" not in known and (needs_secure or (session and self.secure)):
            lacking.append("Secure")
        if session and not readable and self.http_only and "httponly" not in known:
            lacking.append("HttpOnly")
        crossing = self.same_site == "None" and not https  # browsers refuse that
        if session and self.same_site and "samesite" not in known and not crossing:
            lacking.append(f"SameSite={self.same_site}")
        return lacking


def _fault(name: str, known: Mapping[str, str]) -> str | None:
    """Return why a browser refuses a cookie (RFC 6265bis, 5.7), as a rule's id."""
    secure = "secure" in known
    at_host = known.get("path") == "/" and not known.get("domain")
    if name.startswith(_PREFIXES) and not (secure and (at_host or name.startswith("__secure-"))):
        return "cookie-prefix"
    if known.get("samesite") == "none" and not secure:
        return "cookie-samesite"
    return None


def _matcher(option: str, globs: Collection[str]) -> re.Pattern[str]:
    """Return what matches names, in lower case, that one of several globs does."""
    if isinstance(globs, str) or not all(isinstance(glob, str) for glob in globs):
        raise TypeError(f"{option} must be several names, not {globs!r}")
    return re.compile("|".join(translate(glob.lower()) for glob in globs) or r"(?!)")
