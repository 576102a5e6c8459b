"""Headers that must not be sent: malformed, injected, or repeated where one alone is allowed."""

import re
from collections.abc import Callable
from typing import Any, Final

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.http.headers import is_token
from mantlet.sanitize.headers.native import HeaderPair, as_text
from mantlet.sanitize.headers.plan import HeaderPlan

__all__ = ["Report", "UnsafeHeaders"]

# RFC 9110, 5.5.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")

#: Reports a finding: the request, the id of the rule, and the place.
Report = Callable[[Request, str, str], None]


class UnsafeHeaders:
    """Finds and reports the headers that must not be sent.

    Args:
        refuses: whether such a response is refused; else the headers are dropped.
        report: called with each finding.
    """

    __slots__ = ("_refuses", "_report")

    def __init__(self, *, refuses: bool, report: Report) -> None:
        self._refuses = refuses
        self._report = report

    def unsafe(self, request: Request, raw: Any, plan: HeaderPlan) -> set[int]:
        """Return the indexes of headers that must not be sent, or not repeatedly.

        Raises:
            Problem: a header must not be sent, and the response is refused for it.
        """
        removed = set(plan.unsafe)
        removed |= {i for i, (_, value) in enumerate(raw) if _FORBIDDEN.search(as_text(value))}
        for index in sorted(removed):
            name = "" if index in plan.unsafe else f" {as_text(raw[index][0]).lower()}"
            self._report(request, "header-injection", f"header{name or f' {index}'}")
        if removed and self._refuses:
            raise Problem(500)
        for indexes in plan.repeated:
            usable = [index for index in indexes if index not in removed]
            # If one X-Frame-Options allows framing and another denies it, browsers deny it.
            denying = (i for i in usable if as_text(raw[i][1]).strip().upper() == "DENY")
            removed |= {*usable} - {next(denying, usable[0] if usable else -1)}
        return removed

    def well_formed(self, request: Request, raw: Any) -> list[HeaderPair]:
        """Return the valid pairs, in the types that the protocol requires.

        Raises:
            Problem: a header is malformed, and the response is refused for it.
        """
        wanted = bytes if request.is_async else str
        kept = []
        for index, pair in enumerate(raw):
            if isinstance(pair, (tuple, list)) and len(pair) == 2:
                name, value = pair
                if isinstance(value, (bytearray, memoryview)) and wanted is bytes:
                    value = bytes(value)
                if isinstance(name, wanted) and isinstance(value, wanted):
                    kept.append((name, value))
                    continue
            self._report(request, "malformed-header", f"header {index}")
            if self._refuses:
                raise Problem(500)
        return kept

    def safe_trailers(self, request: Request, raw: Any) -> Any:
        """Return the trailers without those that must not be sent."""
        try:
            raw = raw if isinstance(raw, list | tuple) else list(raw)
            safe = [
                pair
                for pair in raw
                if is_token(as_text(pair[0])) and not _FORBIDDEN.search(as_text(pair[1]))
            ]
        except (TypeError, LookupError, AttributeError):
            raw, safe = (None,), []
        if len(safe) != len(raw):
            self._report(request, "header-injection", "trailer")
            return safe
        return raw
