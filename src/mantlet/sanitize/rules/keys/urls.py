"""Passwords in URLs: ``scheme://user:password@host`` (RFC 3986, 3.2.1), of any scheme."""

import re
from collections.abc import Collection, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from mantlet.redact.matches import NEED_MORE, NO_MATCH, MatchFound, MatchResult
from mantlet.sanitize.rules.keys.checks import is_documented
from mantlet.sanitize.rules.rule import LeakRule, PatternDetector

__all__ = ["ESCAPED_URLS", "URLS"]

_ID: Final = "url-password"

_USER: Final = rb"(?:[A-Za-z0-9._~!$*+,;=\-]|%[0-9A-Fa-f]{2}|&amp;){0,100}+"
#: Whatever is no delimiter of a URL or of the text around it. A braced name stands for a password.
_CHAR: Final = (
    rb"(?:[^\x00-\x20\x7f\"'`<>@/\\?#&]|&(?!quot;|apos;|lt;|gt;|#[0-9x])"
    rb"|\\u00(?:2[14-9a-bdA-BD]|3[bdBD]|5[eE]|7[c-eC-E]))"
)
_PASSWORD: Final = _CHAR + rb"{1,256}+"
_HOST: Final = rb"(?:[A-Za-z0-9._~\-]|%[0-9A-Fa-f]{2}|[\[\]{}$()]){1,100}+"
_MAIN: Final = re.compile(rb"://(" + _USER + rb"):(" + _PASSWORD + rb")@(" + _HOST + rb")")
_TAIL: Final = re.compile(
    rb"://"
    + _USER
    + rb"(?:%[0-9A-Fa-f]?|&[amp]{0,3})?(?::(?:"
    + _CHAR
    + rb"{0,256}+(?:&[a-z#0-9]{0,4}|\\(?:u[0-9a-fA-F]{0,3})?)?)(?:@(?:"
    + _HOST
    + rb")?)?)?\Z"
)
_REACH: Final = 700
#: A number, since in Python 3.11 only a search for an int is a memchr().
_AT: Final = 0x40

#: In lower case, as the hosts.
_NAMES: Final = re.compile(
    rb"(?:my|your|the|a|some|db|database|user|admin|root|redis|mysql|postgres|postgresql|new|test|proxy"
    rb"|actual|real|secure|strong|super|very|[_\-. ])*"
    rb"(?:password|passwd|passw|passwort|passphrase|pass|pwd|pw|secret|token|credentials?|apikey|api[_-]?key"
    rb"|key|tiger|anoncvs|changeme|change[_-]?me|change[_-]?this|here|foo|bar|baz|qux|example|placeholder|redacted|hidden|masked|removed|secure"
    rb"|user(?:name)?|word|p|pp|x)?[0-9]{0,4}(?:here|[_-]here)?!?"
)
#: What stands for a password: a variable of a shell, a template or a format.
_VARIABLE: Final = re.compile(
    rb":?(?:\$?\{.*\}.*|\$\(.*\).*|\$[A-Z_]+|\$[a-z_]*(?:pass|pwd|pw|secret)\w*|%s|%\(.*\)s|%[A-Z_]+%|#\{.*\}|\[.*\]|\(.*\)|[*.xX_\-]+"
    rb"|[\xe2\x80\xa2\xa6]+|:\w*)",
    re.DOTALL,
)
_EXAMPLE_HOST: Final = re.compile(
    rb"(?:.*\.)?(?:example(?:\.(?:com|org|net|edu))?|test|invalid|localhost|local|domain(?:\.com)?"
    rb"|(?:[a-z]{0,4}[_-]?)?host(?:name)?|server|127\.0\.0\.1|foo(?:\.com)?|bar(?:\.com)?)|.*[\[\]{}$(].*",
    re.DOTALL,
)


_PORT: Final = re.compile(rb"[0-9]{1,5}(?:,.*)?", re.DOTALL)


def _is_secret(user: bytes, password: bytes, host: bytes) -> bool:
    """Return whether this is a password, and not what documentation puts in its place."""
    plain = password if b"%" not in password else unquote_to_bytes(password)
    if b"%" in user:
        user = unquote_to_bytes(user)
    if plain == user or _NAMES.fullmatch(plain.lower()) or _VARIABLE.fullmatch(plain):
        return False
    if is_documented(plain):
        return False
    if _PORT.fullmatch(plain) and (b"." in user or user == b"localhost"):
        return False  # a host and its port, maybe with further hosts
    return len(plain) >= 4 and (_is_strong(plain) or not _EXAMPLE_HOST.fullmatch(host.lower()))


def _is_strong(password: bytes) -> bool:
    """Return whether a password is more than a word: nobody writes such a one as an example."""
    kinds = (
        re.search(kind, password) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[^A-Za-z0-9]")
    )
    return len(password) >= 8 and sum(map(bool, kinds)) >= 2 and len(set(password)) >= 6


class UrlDetector(PatternDetector):
    """Passwords in URLs that are not escaped."""

    mark = _AT

    def __init__(self, ignored: bool = False) -> None:
        self._ignored = ignored

    @property
    def ids(self) -> frozenset[str]:
        """The ids that leaks are reported under."""
        return frozenset() if self._ignored else frozenset({_ID})

    def without(self, ids: Collection[str]) -> "PatternDetector":
        """Return a detector without some of the leaks."""
        return UrlDetector(_ID in ids)

    def find(
        self, data: bytes, start: int, more: bool, media: str | None
    ) -> list[tuple[str, int, int]]:
        """Return the passwords that begin at or after ``start``, each as its id, start and end."""
        size = len(data)
        return [
            (_ID, *match.span(2))
            for match in self._passwords(data, start)
            if not (more and match.end() == size)
        ]

    def _passwords(self, data: bytes, start: int) -> Iterator[re.Match[bytes]]:
        if b"://" not in data or self._ignored:
            return
        for match in _MAIN.finditer(data, max(0, start - 4)):
            if match.start(2) >= start and _is_secret(match[1], match[2], match[3]):
                yield match

    def hits(self, data: bytes, start: int) -> bool:
        """Return whether a password begins at or after ``start``."""
        return any(True for _ in self._passwords(data, start))

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a leak when more follow."""
        size = len(data)
        at = data.rfind(b"://", max(0, size - _REACH))
        if at >= 0:
            return size - at if _TAIL.match(data, at) else 0
        return 2 if data.endswith(b":/") else int(data.endswith(b":"))


URLS: Final = UrlDetector()


class EscapedUrlRule(LeakRule):
    """Passwords in URLs that are escaped, for JSON, in the query of another URL, or for HTML.

    Args:
        slashes: how ``://`` is written.
        colon: how ``:`` is written.
        at: how ``@`` is written.
    """

    __slots__ = ("_beginning", "_whole")

    def __init__(self, slashes: list[bytes], colon: bytes, at: bytes) -> None:
        super().__init__(_ID, slashes)
        char = (
            rb"(?:[A-Za-z0-9._~!$*+,;=\-]"
            rb"|%(?!40|2[fF]|3[aA]|2[267]|0[aAdD])(?:25)?[0-9A-Fa-f]{2}|&amp;)"
        )
        self._whole = re.compile(
            rb"(%s{0,100}+)%s(%s{1,256}+)%s(%s{1,100}+)" % (char, colon, char, at, char)
        )
        self._beginning = re.compile(
            rb"%s{0,100}+(?:%s%s{0,256}+(?:%s%s{0,100}+)?)?[%%&0-9A-Fa-f#x\\u]{0,6}\Z"
            % (char, colon, char, at, char)
        )

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where escaped slashes were found."""
        found = self._whole.match(data, end)
        if found is None or (more and found.end() == len(data)):
            waits = more and len(data) - end < _REACH and self._beginning.match(data, end)
            return NEED_MORE if waits else NO_MATCH
        user, password, host = (unquote_to_bytes(part) for part in found.groups())
        if not _is_secret(user, password, host):
            return NO_MATCH
        return MatchFound(*found.span(2))


ESCAPED_URLS: Final = (
    EscapedUrlRule([b":\\/\\/", b":\\\\/\\\\/"], b":", b"@"),
    EscapedUrlRule([b"%3A%2F%2F", b"%3a%2f%2f", b"%3A//"], rb"(?:%3[aA]|:)", rb"(?:%40|@)"),
    EscapedUrlRule([b":&#x2F;&#x2F;", b":&#47;&#47;"], b":", rb"(?:@|&#64;|&#x40;)"),
)
