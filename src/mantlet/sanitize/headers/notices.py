"""Say once where an option takes the place of the app's own setting."""

import logging
from contextlib import suppress
from typing import Final

__all__ = ["OverrideNotices"]

_log: Final = logging.getLogger("mantlet.sanitize")


class OverrideNotices:
    """Logs each kind of override once for a policy, in the options' own words.

    Nothing that an app or a client has sent is logged: a cookie is named by the pattern that takes
    it for a session's, and a header is one of the options'. So the kinds are as many as the options
    have entries.
    """

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: set[str] = set()

    def header(self, name: str) -> None:
        """Say that a header gives way to ``SecurityHeaders(override=...)``."""
        self._say(
            logging.WARNING,
            f"header {name}",
            "OutputSanitizer: the app sets %s, and its value is replaced unless this is report "
            "mode, as SecurityHeaders(override=...) says; take it off that list to keep the app's",
            name,
        )

    def nonce(self) -> None:
        """Say that the app's own ``Cache-Control`` gives way, since the page has a nonce."""
        self._say(
            logging.WARNING,
            "nonce",
            "OutputSanitizer: the app lets caches store pages with a nonce; unless this is report "
            'mode, they get "private, no-store", since a stored nonce is not a secret. '
            "SecurityHeaders(cache_nonces=True) keeps the app's Cache-Control",
        )

    def cookie(self, pattern: str, added: tuple[str, ...]) -> None:
        """Say that cookies get attributes that the app has left out.

        Args:
            pattern: the pattern of `Cookies` that their names match.
            added: the attributes.
        """
        # Frameworks set it unless they are told not to, as by SESSION_COOKIE_HTTPONLY=False; not
        # so the others.
        level = logging.WARNING if "HttpOnly" in added else logging.INFO
        self._say(
            level,
            f"cookie {pattern} {level}",
            "OutputSanitizer: cookies named like %s come without %s, which is added unless this is "
            "report mode, whatever the app's own settings say; Cookies(readable=..., "
            "session_like=..., http_only=..., same_site=..., secure=...) changes that",
            pattern,
            ", ".join(added),
        )

    def _say(self, level: int, kind: str, message: str, *arguments: str) -> None:
        if kind in self._said:
            return
        self._said.add(kind)
        with suppress(Exception):  # raised by a handler or a filter
            _log.log(level, message, *arguments)
