"""`SecurityHeaders`: the security headers of responses, and presets of them.

The headers and values follow the OWASP Secure Headers Project and the OWASP REST Security Cheat
Sheet. Their purposes:

===================================  =============================================================
header                               purpose
===================================  =============================================================
Strict-Transport-Security            only the first request can be plain http (RFC 6797); only sent
                                     over https
Content-Security-Policy              an injected script does not run
X-Content-Type-Options               a response that is not a script is not run as one
X-Frame-Options                      the page cannot be framed for clickjacking; for browsers
                                     without frame-ancestors
Referrer-Policy                      URLs, which may contain secrets, are not sent to other sites
Permissions-Policy                   injected content cannot use the camera and similar features
Cross-Origin-Opener-Policy           a page that opened this one has no access to it
Cross-Origin-Embedder-Policy         only resources that allow it are embedded
Cross-Origin-Resource-Policy         pages of other sites cannot load this into their process
Cache-Control                        no cache stores the response to a single user
===================================  =============================================================

``X-XSS-Protection`` is not among them: browsers have removed it, since it could be used against the
pages that it was meant to protect.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

from mantlet._internal.options import KnowsOptions
from mantlet.http.headers import check_value
from mantlet.sanitize.headers.csp import Csp

__all__ = [
    "CACHING",
    "HSTS",
    "PRESETS",
    "REVEALING",
    "SINGLE_VALUED",
    "Preset",
    "SecurityHeaders",
    "clear_site_data",
    "security_headers",
]

#: Headers that reveal the server software or its version: those on the list of the OWASP Secure
#: Headers Project that have no other purpose.
REVEALING: Final = frozenset(
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
#: Headers that show that the app itself controls caching.
CACHING: Final = frozenset({"cache-control", "expires", "pragma"})
HSTS: Final = "strict-transport-security"
#: Headers with a single value. If they are repeated, browsers use the first of some, and ignore
#: others altogether (RFC 6797, 8.1; HTML, 7.1.3 and 7.1.4; Fetch, 3.7).
SINGLE_VALUED: Final = frozenset(
    [
        HSTS,
        "x-content-type-options",
        "x-frame-options",
        "cross-origin-opener-policy",
        "cross-origin-embedder-policy",
        "cross-origin-resource-policy",
    ]
)

Preset = Literal["safe", "api", "docs", "web"]
NoStore = Literal["credentials", "always"]

#: The features that the cheat sheet and the Secure Headers Project list and browsers know.
_DENIED: Final = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), "
    "fullscreen=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), "
    "idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    "picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), "
    "web-share=(), xr-spatial-tracking=()"
)
_HSTS_VALUE: Final = "max-age=63072000; includeSubDomains"
_MAX_AGE: Final = re.compile(r'(?:^|;)\s*max-age\s*=\s*"?(\d+)"?\s*(?=;|$)', re.IGNORECASE)
#: The minimum of hstspreload.org.
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
_NOT_HEADERS: Final = ("no_store", "cache_nonces", "override")
_POLICIES: Final = ("Content-Security-Policy", "Content-Security-Policy-Report-Only")
#: A member of the dictionary in a Permissions-Policy (W3C Permissions Policy, 5.2; RFC 9651).
_PERMISSION: Final = re.compile(
    r'[a-z][a-z0-9-]*=(?:\*|self|src|"[^"]*"|\((?:self|src|\*|"[^"]*"| +)*\))(?:;[a-z-]+=\S+)?'
)
_SEPARATOR: Final = re.compile(r',(?=[^"]*(?:"[^"]*"[^"]*)*$)')


@dataclass(frozen=True, kw_only=True)
class SecurityHeaders(KnowsOptions):
    """The security headers to add to responses. None leaves a header out.

    A header set by the app is kept, unless it is in ``override``.

    Attributes:
        strict_transport_security: the value; only sent over https.
        content_security_policy: a `Csp`, or its value.
        content_security_policy_report_only: the same, for a policy that browsers only report.
        x_content_type_options: ``"nosniff"``.
        x_frame_options: ``"DENY"`` or ``"SAMEORIGIN"``.
        referrer_policy: one value or several, of which a browser uses the last that it knows.
        permissions_policy: the value.
        cross_origin_opener_policy: the value.
        cross_origin_embedder_policy: the value.
        cross_origin_resource_policy: the value.
        no_store: set ``Cache-Control: no-store`` unless the app controls caching itself: in
            responses to requests with ``"credentials"`` and in those that set cookies, or
            ``"always"``.
        cache_nonces: whether caches may store HTML whose policy has a nonce. By default it gets
            ``Cache-Control: private, no-store``, whatever the app says, since a nonce that is sent
            twice can be known to an attacker.
        override: names of headers whose value here replaces the app's; ``Cache-Control`` stands
            for ``no_store``.

    Raises:
        ValueError: browsers would ignore a value; the message names the header.
        TypeError: a value is neither text nor, for a Content-Security-Policy, a `Csp`.
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
    cache_nonces: bool = False
    override: Collection[str] = ()

    def __post_init__(self) -> None:
        for option, choices in _CHOICES.items():
            value = getattr(self, option)
            if value is not None and value not in choices:
                raise ValueError(f"{option} must be one of {choices}, not {value!r}")
        if not isinstance(self.cache_nonces, bool):
            raise TypeError(f"cache_nonces must be True or False, not {self.cache_nonces!r}")
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
            raise ValueError(f"override must be names of headers set here, not {sorted(unknown)}")
        object.__setattr__(self, "override", lower)

    def values(self) -> list[tuple[str, str | Csp]]:
        """Return the names and values of the headers that are set."""
        found = []
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name not in _NOT_HEADERS and value is not None:
                found.append((option.name.replace("_", "-").title(), value))
        return found


def _check_hsts(value: str | None) -> None:
    """Reject values that browsers or their preload list reject (RFC 6797, 6.1; hstspreload.org)."""
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
    """Reject values that browsers ignore, such as the syntax of the former Feature-Policy."""
    for member in _SEPARATOR.split(value) if value else ():
        if not _PERMISSION.fullmatch(member.strip()):
            raise ValueError(
                f"permissions_policy must be like 'camera=(), fullscreen=(self)', "
                f"not {member.strip()!r}"
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

#: The presets by name.
PRESETS: Final[dict[str, SecurityHeaders]] = {
    # Headers that cannot break an app.
    "safe": SecurityHeaders(referrer_policy="strict-origin-when-cross-origin"),
    # Browsers never display, frame, run or store a response of an API. Pages with its documentation
    # get "docs" instead.
    "api": SecurityHeaders(
        strict_transport_security=_HSTS_VALUE,
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
    # Pages with an API's documentation: Swagger UI, ReDoc and others, from wherever they are
    # loaded, started by inline scripts. Some compile schemas to functions. A window for OAuth has
    # to reach the page that opened it.
    "docs": SecurityHeaders(
        strict_transport_security=_HSTS_VALUE,
        content_security_policy=Csp(
            {
                "default-src": ["'none'"],
                "script-src": ["'self'", "'unsafe-inline'", "'unsafe-eval'", "https:"],
                "style-src": ["'self'", "'unsafe-inline'", "https:"],
                "img-src": ["'self'", "data:", "blob:", "https:"],
                "font-src": ["'self'", "data:", "https:"],
                "connect-src": ["'self'", "https:"],
                "worker-src": ["'self'", "blob:"],
                "manifest-src": ["'self'"],
                "base-uri": ["'self'"],
                "form-action": ["'self'"],
                "frame-ancestors": ["'none'"],
            }
        ),
        x_frame_options="DENY",
        referrer_policy="no-referrer",
        permissions_policy=_DENIED,
        cross_origin_resource_policy="same-origin",
        no_store="always",
    ),
    # Pages whose scripts carry the nonce, and whose resources come from the same site.
    "web": SecurityHeaders(
        strict_transport_security=_HSTS_VALUE,
        content_security_policy=_NONCED,
        x_frame_options="SAMEORIGIN",
        referrer_policy="strict-origin-when-cross-origin",
        permissions_policy=_DENIED.replace("fullscreen=()", "fullscreen=(self)"),
        cross_origin_opener_policy="same-origin",
        cross_origin_resource_policy="same-origin",
    ),
}  # fmt: skip


def security_headers(option: str, value: Preset | SecurityHeaders | None) -> SecurityHeaders:
    """Return the headers of a preset or of an option's value.

    Raises:
        ValueError: the preset is unknown.
        TypeError: the value is neither the name of a preset nor `SecurityHeaders`.
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


#: https://www.w3.org/TR/clear-site-data/
_CLEARED_TYPES: Final = (
    "*", "cache", "clientHints", "cookies", "executionContexts", "prefetchCache",
    "prerenderCache", "storage",
)  # fmt: skip


def clear_site_data(*types: str) -> tuple[str, str]:
    """Return the header that makes a browser delete the data of the site, as after a logout.

    Browsers only accept it over https::

        response.headers.append(*clear_site_data("cookies", "storage"))

    Args:
        *types: ``"cache"``, ``"cookies"``, ``"storage"``, ``"executionContexts"``,
            ``"clientHints"``, ``"prefetchCache"``, ``"prerenderCache"``; by default all.

    Returns:
        The name and value of the header.

    Raises:
        ValueError: a type is unknown.
    """
    for name in types:
        if name not in _CLEARED_TYPES:
            raise ValueError(f"types must be among {_CLEARED_TYPES}, not {name!r}")
    return "Clear-Site-Data", ", ".join(f'"{name}"' for name in types or ("*",))
