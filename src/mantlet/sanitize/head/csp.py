"""`Csp`: a Content-Security-Policy, checked where it is made (Content Security Policy Level 3)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["Csp"]

#: CSP Level 3, 6; upgrade-insecure-requests, require-trusted-types-for and trusted-types are of
#: specifications of their own, plugin-types and block-all-mixed-content are not taken any more.
_DIRECTIVES: Final = frozenset(
    [
        "base-uri",
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
_WITHOUT_VALUE: Final = frozenset({"upgrade-insecure-requests"})
#: Directives whose values are no sources.
_NO_SOURCES: Final = frozenset(
    ["report-to", "report-uri", "require-trusted-types-for", "sandbox", "trusted-types", "webrtc"]
)
_KEYWORDS: Final = frozenset(
    [
        "self",
        "none",
        "unsafe-inline",
        "unsafe-eval",
        "strict-dynamic",
        "unsafe-hashes",
        "report-sample",
        "wasm-unsafe-eval",
        "inline-speculation-rules",
        "unsafe-allow-redirects",
    ]
)
_WITH_NONCE: Final = ("script-src", "style-src")
#: Stands for the nonce of a request. It is no value that a source may have.
_PLACE: Final = "\x00"
# CSP Level 3, 2.3.1: no semicolon, comma, control or anything beyond ASCII.
_VALUE: Final = re.compile(r"[!-+\--:<-~]+")
_QUOTED: Final = re.compile(r"'(?:(?:nonce-|sha(?:256|384|512)-)[A-Za-z0-9+/_-]+={0,2}|[a-z-]+)'")


class Csp:
    """A Content-Security-Policy.

    Args:
        directives: what may be loaded, by directive: ``{"default-src": ["'self'"]}``.
        nonce: give the scripts and styles of each answer a nonce, which the app finds in
            ``mantlet.state(...)["csp_nonce"]`` and puts into ``<script nonce="...">``.
        **more: directives as keywords: ``default_src=["'self'"]``.

    Raises:
        TypeError: a directive's value is not text, and not several.
        ValueError: there is no such directive, or a source is malformed.
    """

    __slots__ = ("_directives", "_parts", "nonce")

    def __init__(
        self,
        directives: Mapping[str, str | Iterable[str]] | None = None,
        *,
        nonce: bool = False,
        **more: str | Iterable[str],
    ) -> None:
        given = dict(directives or {})
        given |= {name.replace("_", "-"): sources for name, sources in more.items()}
        self._directives = {name: _sources(name, sources) for name, sources in given.items()}
        self.nonce = nonce
        if nonce and not any(name in self._directives for name in _WITH_NONCE):
            raise ValueError("nonce must not be True without a script-src or a style-src")
        self._parts = self._written().split(_PLACE)

    def extend(self, **more: str | Iterable[str]) -> "Csp":
        """Return this policy with further sources: ``extend(img_src=["https://cdn.example"])``.

        A directive that it has not had begins with them; ``'none'`` gives way.
        """
        directives = {name: list(sources) for name, sources in self._directives.items()}
        for keyword, sources in more.items():
            name = keyword.replace("_", "-")
            known = [source for source in directives.get(name, ()) if source != "'none'"]
            directives[name] = [*known, *_sources(name, sources)]
        return Csp(directives, nonce=self.nonce)

    def value(self, nonce: str = "") -> str:
        """Return the field's value.

        Args:
            nonce: of the answer, where the policy has one.
        """
        return nonce.join(self._parts)

    def _written(self) -> str:
        written = []
        for name, sources in self._directives.items():
            values = [name, *sources]
            if self.nonce and name in _WITH_NONCE:
                values.insert(1, f"'nonce-{_PLACE}'")
            written.append(" ".join(values))
        return "; ".join(written)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Csp) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(tuple(self._parts))

    def __repr__(self) -> str:
        return f"Csp({self.value('...')!r})"


def _sources(name: str, sources: str | Iterable[str]) -> list[str]:
    if name not in _DIRECTIVES:
        raise ValueError(f'a directive must be one of CSP, such as "script-src", not {name!r}')
    values = sources.split() if isinstance(sources, str) else list(sources)
    if not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must have texts as sources, not {sources!r}")
    for value in values:
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{name} has the source {value!r}, which must not stand in a policy")
        if name not in _NO_SOURCES:
            _check_source(name, value)
    if bool(values) == (name in _WITHOUT_VALUE):
        wanted = "no value" if values else "at least one source, such as \"'none'\""
        raise ValueError(f"{name} must have {wanted}")
    if "'none'" in values and len(values) > 1:
        raise ValueError(f"{name} must not have 'none' beside other sources")
    return values


def _check_source(name: str, value: str) -> None:
    if value in _KEYWORDS or value.startswith(("nonce-", "sha256-", "sha384-", "sha512-")):
        raise ValueError(f"{name} has {value!r}, a keyword: write it in quotes, \"'{value}'\"")
    if "'" in value and (
        not _QUOTED.fullmatch(value) or ("-" not in value and value[1:-1] not in _KEYWORDS)
    ):
        raise ValueError(f"{name} has {value!r}, which is no keyword of CSP")
