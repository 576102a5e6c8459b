"""`SecurityHeaders`: the fields that tell a browser what a site never does, and the presets.

The fields and their values are those of the OWASP Secure Headers Project and of the OWASP REST
Security Cheat Sheet. What each is for:

===================================  =============================================================
field                                why
===================================  =============================================================
Strict-Transport-Security            the first plain request is the last one (RFC 6797); only sent
                                     over https
Content-Security-Policy              a script that got into a page does not run
X-Content-Type-Options               what is no script is not run as one
X-Frame-Options                      the page is not framed to have its buttons clicked; for
                                     browsers without frame-ancestors
Referrer-Policy                      URLs, with what is in them, are not told to other sites
Permissions-Policy                   what got into a page can't use the camera and the like
Cross-Origin-Opener-Policy           a page that opened this one can't reach into it
Cross-Origin-Embedder-Policy         nothing is loaded that does not want to be
Cross-Origin-Resource-Policy         other sites' pages can't load this into their process
Cache-Control                        no cache keeps what was answered to one user
===================================  =============================================================

``X-XSS-Protection`` is not among them: browsers have dropped it, since it could be used against the
pages that it was meant to protect.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

from mantlet.http.headers import check_value
from mantlet.sanitize.head.csp import Csp

__all__ = ["PRESETS", "Preset", "SecurityHeaders", "security_headers"]

Preset = Literal["safe", "api", "web"]
NoStore = Literal["credentials", "always"]

#: Those that the cheat sheet and the Secure Headers Project name, as far as browsers know them.
_DENIED: Final = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), "
    "fullscreen=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), "
    "idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    "picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), "
    "web-share=(), xr-spatial-tracking=()"
)
_HSTS: Final = "max-age=63072000; includeSubDomains"
_MAX_AGE: Final = re.compile(r'(?:^|;)\s*max-age\s*=\s*"?(\d+)"?\s*(?=;|$)', re.IGNORECASE)
#: What hstspreload.org asks for.
_PRELOAD_AGE: Final = 31_536_000
_REFERRER_POLICIES: Final = frozenset(
    [
        "no-referrer",
        "no-referrer-when-downgrade",
        "origin",
        "origin-when-cross-origin",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
        "unsafe-url",
    ]
)
_CHOICES: Final = {
    "x_content_type_options": ("nosniff",),
    "x_frame_options": ("DENY", "SAMEORIGIN"),
    "cross_origin_opener_policy": (
        "same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none",
    ),
    "cross_origin_embedder_policy": ("require-corp", "credentialless", "unsafe-none"),
    "cross_origin_resource_policy": ("same-origin", "same-site", "cross-origin"),
    "no_store": get_args(NoStore),
}  # fmt: skip
_NOT_FIELDS: Final = ("no_store", "override")
_POLICIES: Final = ("Content-Security-Policy", "Content-Security-Policy-Report-Only")
#: A member of the dictionary that a Permissions-Policy is (W3C Permissions Policy, 5.2; RFC 9651).
_PERMISSION: Final = re.compile(
    r'[a-z][a-z0-9-]*=(?:\*|self|src|"[^"]*"|\((?:self|src|\*|"[^"]*"| +)*\))(?:;[a-z-]+=\S+)?'
)
_BETWEEN: Final = re.compile(r',(?=[^"]*(?:"[^"]*"[^"]*)*$)')


@dataclass(frozen=True, kw_only=True)
class SecurityHeaders:
    """Which security fields answers get. None leaves one out.

    The app's own value of a field wins, unless the field is in ``override``.

    Attributes:
        strict_transport_security: the field's value; it is sent over https alone.
        content_security_policy: a `Csp`, or its value.
        content_security_policy_report_only: the same, only reported by browsers.
        x_content_type_options: ``"nosniff"``.
        x_frame_options: ``"DENY"`` or ``"SAMEORIGIN"``.
        referrer_policy: one or several, the last that a browser knows holds.
        permissions_policy: the field's value.
        cross_origin_opener_policy: the field's value.
        cross_origin_embedder_policy: the field's value.
        cross_origin_resource_policy: the field's value.
        no_store: set ``Cache-Control: no-store`` where the app says nothing of caches: in answers
            to requests with ``"credentials"`` and in those that set cookies, or ``"always"``.
        override: names of fields whose value here replaces the app's; ``Cache-Control`` for what
            ``no_store`` sets.

    Raises:
        ValueError: a value that browsers do not take; the message names the field.
        TypeError: a value that is no text, nor, for a policy of content, a `Csp`.
    """

    strict_transport_security: str | None = None
    content_security_policy: Csp | str | None = None
    content_security_policy_report_only: Csp | str | None = None
    x_content_type_options: str | None = "nosniff"
    x_frame_options: str | None = None
    referrer_policy: str | None = None
    permissions_policy: str | None = None
    cross_origin_opener_policy: str | None = None
    cross_origin_embedder_policy: str | None = None
    cross_origin_resource_policy: str | None = None
    no_store: NoStore | None = "credentials"
    override: Collection[str] = ()

    def __post_init__(self) -> None:
        for option, choices in _CHOICES.items():
            value = getattr(self, option)
            if value is not None and value not in choices:
                raise ValueError(f"{option} must be one of {choices}, not {value!r}")
        for name, value in self.values():
            if not isinstance(value, (str, Csp) if name in _POLICIES else str):
                raise TypeError(f"{name} must be text, not {value!r}")
            if not value:
                raise ValueError(f"{name} must not be empty; None leaves it out")
            check_value(name, value if isinstance(value, str) else value.value())
        _check_hsts(self.strict_transport_security)
        _check_permissions(self.permissions_policy)
        policies = (self.referrer_policy or "origin").replace(",", " ").split()
        if not _REFERRER_POLICIES.issuperset(policies):
            raise ValueError(f"referrer_policy must be known, not {self.referrer_policy!r}")
        names = self.override
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"override must be several names, not {names!r}")
        lower = frozenset(name.lower() for name in names)
        known = {name.lower() for name, _ in self.values()}
        unknown = lower - (known | {"cache-control"} if self.no_store else known)
        if unknown:
            raise ValueError(f"override must be names of fields set here, not {sorted(unknown)}")
        object.__setattr__(self, "override", lower)

    def values(self) -> list[tuple[str, str | Csp]]:
        """Return the names and the values of the fields that are set."""
        found = []
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name not in _NOT_FIELDS and value is not None:
                found.append((option.name.replace("_", "-").title(), value))
        return found


def _check_hsts(value: str | None) -> None:
    """Refuse what browsers and their preload list refuse (RFC 6797, 6.1; hstspreload.org)."""
    if value is None:
        return
    age = _MAX_AGE.search(value)
    if age is None:
        raise ValueError(f"strict_transport_security must have a max-age, not {value!r}")
    directives = {part.strip().lower() for part in value.split(";")}
    if "preload" in directives and (
        int(age[1]) < _PRELOAD_AGE or "includesubdomains" not in directives
    ):
        raise ValueError(
            f"strict_transport_security must have a max-age of at least {_PRELOAD_AGE} and "
            f"includeSubDomains to be preloaded, not {value!r}"
        )


def _check_permissions(value: str | None) -> None:
    """Refuse what browsers pass over, such as the words of the Feature-Policy of old."""
    for member in _BETWEEN.split(value) if value else ():
        if not _PERMISSION.fullmatch(member.strip()):
            raise ValueError(
                f"permissions_policy must be such as 'camera=(), fullscreen=(self)', "
                f"which {member.strip()!r} is not"
            )


_NONCED: Final = Csp(
    {
        "default-src": ["'self'"],
        "script-src": ["'strict-dynamic'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
    },
    nonce=True,
)

#: By name.
PRESETS: Final[dict[str, SecurityHeaders]] = {
    # What no app depends on the lack of.
    "safe": SecurityHeaders(referrer_policy="strict-origin-when-cross-origin"),
    # Nothing of an API is ever shown, framed, run or kept by a browser.
    "api": SecurityHeaders(
        strict_transport_security=_HSTS,
        content_security_policy=Csp(
            {"default-src": ["'none'"], "base-uri": ["'none'"], "form-action": ["'none'"],
             "frame-ancestors": ["'none'"]}
        ),
        x_frame_options="DENY",
        referrer_policy="no-referrer",
        permissions_policy=_DENIED,
        cross_origin_opener_policy="same-origin",
        cross_origin_embedder_policy="require-corp",
        cross_origin_resource_policy="same-origin",
        no_store="always",
    ),
    # Pages of one's own, whose scripts carry the nonce and whose parts come from the site itself.
    "web": SecurityHeaders(
        strict_transport_security=_HSTS,
        content_security_policy=_NONCED,
        x_frame_options="SAMEORIGIN",
        referrer_policy="strict-origin-when-cross-origin",
        permissions_policy=_DENIED.replace("fullscreen=()", "fullscreen=(self)"),
        cross_origin_opener_policy="same-origin",
        cross_origin_embedder_policy="require-corp",
        cross_origin_resource_policy="same-origin",
    ),
}  # fmt: skip


def security_headers(option: str, value: Preset | SecurityHeaders | None) -> SecurityHeaders:
    """Return what an option stands for.

    Raises:
        ValueError: there is no such preset.
        TypeError: it is neither a preset's name nor `SecurityHeaders`.
    """
    if value is None:
        return SecurityHeaders(x_content_type_options=None, no_store=None)
    if isinstance(value, SecurityHeaders):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{option} must be a preset or SecurityHeaders(...), not {value!r}")
    if value not in PRESETS:
        raise ValueError(f"{option} must be one of {tuple(PRESETS)}, not {value!r}")
    return PRESETS[value]
