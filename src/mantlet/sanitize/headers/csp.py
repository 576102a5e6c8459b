"""`Csp`: a Content-Security-Policy, validated at construction (CSP Level 3)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from mantlet._internal.options import KnowsOptions

__all__ = ["Csp"]

#: CSP Level 3, 6, and the other entries of IANA's registry of Content Security Policy Directives,
#: with two harmless ones that browsers no longer support but many sites still send.
_DIRECTIVES: Final = frozenset(
    [
        "base-uri",
        "block-all-mixed-content",
        "child-src",
        "connect-src",
        "default-src",
        "fenced-frame-src",
        "font-src",
        "form-action",
        "frame-ancestors",
        "frame-src",
        "img-src",
        "manifest-src",
        "media-src",
        "object-src",
        "plugin-types",
        "report-to",
        "report-uri",
        "require-trusted-types-for",
        "sandbox",
        "script-src",
        "script-src-attr",
        "script-src-elem",
        "style-src",
        "style-src-attr",
        "style-src-elem",
        "trusted-types",
        "upgrade-insecure-requests",
        "webrtc",
        "worker-src",
    ]
)
_WITHOUT_VALUE: Final = frozenset({"block-all-mixed-content", "upgrade-insecure-requests"})
#: Directives that are strictest without a value.
_MAY_BE_EMPTY: Final = _WITHOUT_VALUE | {"sandbox", "trusted-types"}
#: Directives whose values are not sources.
_NO_SOURCES: Final = frozenset({"plugin-types", "report-to", "report-uri", "trusted-types"})
#: Directives with values of their own: Trusted Types, 4; WebRTC in CSP Level 3, 6.3.2; HTML, 7.1.5.
_CHOICES: Final = {
    "require-trusted-types-for": ("'script'",),
    "webrtc": ("'allow'", "'block'"),
    "sandbox": (
        "allow-downloads", "allow-forms", "allow-modals", "allow-orientation-lock",
        "allow-pointer-lock", "allow-popups", "allow-popups-to-escape-sandbox",
        "allow-presentation", "allow-same-origin", "allow-scripts",
        "allow-storage-access-by-user-activation", "allow-top-navigation",
        "allow-top-navigation-by-user-activation", "allow-top-navigation-to-custom-protocols",
    ),
}  # fmt: skip
_KEYWORDS: Final = frozenset(
    [
        "self",
        "none",
        "unsafe-inline",
        "unsafe-eval",
        "strict-dynamic",
        "unsafe-hashes",
        "report-sample",
        "report-sha256",
        "report-sha384",
        "report-sha512",
        "trusted-types-eval",
        "wasm-unsafe-eval",
        "inline-speculation-rules",
        "unsafe-allow-redirects",
        "unsafe-webtransport-hashes",
    ]
)
_QUOTED: Final = frozenset(f"'{keyword}'" for keyword in _KEYWORDS)
_WITH_NONCE: Final = ("script-src", "style-src")
#: Placeholder for the nonce of a request; not allowed in a source.
_PLACE: Final = "\x00"
# CSP Level 3, 2.3.1: printable ASCII except semicolon and comma.
_VALUE: Final = re.compile(r"[!-+\--:<-~]+")
_HASH_OR_NONCE: Final = re.compile(r"'(?:nonce|sha(?:256|384|512))-[A-Za-z0-9+/_-]+={0,2}'")
_UNQUOTED: Final = re.compile(r"(?:nonce|sha(?:256|384|512))-.*", re.IGNORECASE)
#: A scheme, or a host with its scheme, port and path. Browsers accept neither queries nor IPv6.
_PLACES: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:"
    r"|(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:\*|(?:\*\.)?[\w-]+(?:\.[\w-]+)*\.?)(?::(?:[0-9]+|\*))?(?:/[^?#]*)?"
)


class Csp(KnowsOptions):
    """A Content-Security-Policy.

    Args:
        directives: the allowed sources by directive: ``{"default-src": ["'self'"]}``.
        nonce: allow scripts and styles with the nonce of the response, which the app reads from
            `mantlet.csp_nonce()` and writes as ``<script nonce="...">``. A directive
            that is ``'none'`` is not changed.
        **more: directives as keywords: ``default_src=["'self'"]``.

    Raises:
        TypeError: the sources of a directive are not text.
        ValueError: a directive is unknown, a source is malformed, or directives are missing.
    """

    __slots__ = ("_directives", "_parts", "nonce")

    def __init__(
        self,
        directives: Mapping[str, str | Iterable[str]] | None = None,
        *,
        nonce: bool = False,
        **more: str | Iterable[str],
    ) -> None:
        if not isinstance(directives, Mapping | None):
            raise TypeError(f"directives must map directives to sources, not {directives!r}")
        given = dict(directives or {})
        for keyword, sources in more.items():
            name = keyword.replace("_", "-")
            if name in given:
                raise ValueError(f"{name} must not be given twice")
            given[name] = sources
        if not given:
            raise ValueError("directives must not be empty: an empty policy allows everything")
        self._directives = {name: _sources(name, sources) for name, sources in given.items()}
        self.nonce = nonce
        if nonce and not any(self._has_nonce(name) for name in self._directives):
            raise ValueError("nonce must not be True without a script-src or a style-src")
        self._parts = self._serialize().split(_PLACE)

    def extend(self, **more: str | Iterable[str]) -> "Csp":
        """Return this policy with more sources: ``extend(img_src=["https://cdn.example"])``.

        Missing directives are added, and ``'none'`` is replaced.
        """
        directives = {name: list(sources) for name, sources in self._directives.items()}
        for keyword, sources in more.items():
            name = keyword.replace("_", "-")
            known = [source for source in directives.get(name, ()) if source != "'none'"]
            directives[name] = [*known, *_sources(name, sources)]
        return Csp(directives, nonce=self.nonce)

    def value(self, nonce: str = "") -> str:
        """Return the value of the header.

        Args:
            nonce: the nonce of the response, if the policy has one.
        """
        return nonce.join(self._parts)

    def _serialize(self) -> str:
        parts = []
        for name, sources in self._directives.items():
            values = [name, *sources]
            if self.nonce and self._has_nonce(name):
                values.insert(1, f"'nonce-{_PLACE}'")
            parts.append(" ".join(values))
        return "; ".join(parts)

    def _has_nonce(self, name: str) -> bool:
        return name in _WITH_NONCE and self._directives[name] != ["'none'"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Csp) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(tuple(self._parts))

    def __repr__(self) -> str:
        return f"Csp({self.value('...')!r})"


def _sources(name: str, sources: str | Iterable[str]) -> list[str]:
    if name not in _DIRECTIVES:
        raise ValueError(f'directives must be those of CSP, such as "script-src", not {name!r}')
    if not isinstance(sources, Iterable):
        raise TypeError(f"{name} must have text as sources, not {sources!r}")
    values = sources.split() if isinstance(sources, str) else list(sources)
    if not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must have text as sources, not {sources!r}")
    for value in values:
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{name} has the source {value!r}, with characters not allowed in CSP")
        if name not in _NO_SOURCES:
            _check_source(name, value)
    if (name in _WITHOUT_VALUE) if values else (name not in _MAY_BE_EMPTY):
        wanted = "no value" if values else "at least one source, such as \"'none'\""
        raise ValueError(f"{name} must have {wanted}")
    if "'none'" in values and len(values) > 1:
        raise ValueError(f"{name} must not have 'none' together with other sources")
    return values


def _check_source(name: str, value: str) -> None:
    choices = _CHOICES.get(name)
    if choices is not None:
        if value not in choices:
            raise ValueError(f"{name} must have some of {choices}, not {value!r}")
    elif value.lower() in _KEYWORDS or _UNQUOTED.fullmatch(value):
        raise ValueError(f"{name} has {value!r}, a keyword: write it in quotes, \"'{value}'\"")
    elif "'" in value:
        if value not in _QUOTED and not _HASH_OR_NONCE.fullmatch(value):
            raise ValueError(f"{name} has {value!r}, which is not a keyword of CSP")
    elif not _PLACES.fullmatch(value):
        raise ValueError(
            f"{name} has {value!r}, which is not a valid source; write one such as https://cdn.example"
        )
