"""The head of an answer: what may not be in it, what has to be, and what it says of the body.

Fields are looked at in the protocol's own pairs. What is to be done for answers with the same names
of fields is the same, so it is planned once: an app has a few dozen of these.
"""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from mantlet.fields import FieldNames, bytes_field, text_field
from mantlet.policy import Response
from mantlet.problem import Problem
from mantlet.request import Request
from mantlet.routing import Routes
from mantlet.sanitize.head.content import ContentType, content_type
from mantlet.sanitize.head.cookies import Cookies
from mantlet.sanitize.head.rules import MOST, NO_STORE, Pair, Plan, Rules, as_text
from mantlet.sanitize.head.security import Preset, SecurityHeaders, security_headers

__all__ = ["NONCE", "Head", "Seen", "joined_values"]

#: Where an exchange's state has the nonce of its scripts and styles.
NONCE: Final = "csp_nonce"

# RFC 9110, 5.5.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_CREDENTIALS: Final = FieldNames("Authorization", "Cookie")
_SECURE: Final = ("https", "wss")

#: Told of what was found: the request, the rule's id, and the place.
Report = Callable[[Request, str, str], None]


class Seen(NamedTuple):
    """What the head says of the body, and what was in it.

    Attributes:
        media: the media type in lower case, without parameters, or None.
        coding: the value of ``Content-Encoding`` in lower case, or None.
        values: those of the app's fields, one after the other, to be searched for leaks.
    """

    media: str | None
    coding: str | None
    values: bytes


class Head:
    """What is done with the head of each answer. Immutable.

    Args:
        headers: the security fields.
        cookies: what cookies get; None to leave them.
        unsafe_fields: what becomes of fields that must not be sent.
        routes: security fields by route, in the place of ``headers``.
        report: is told of what was found.

    Raises:
        TypeError: an option is of a wrong type.
        ValueError: an option is none of those that there are.

    Attributes:
        needs_request: whether the app has to be handed a nonce.
    """

    def __init__(
        self,
        *,
        headers: Preset | SecurityHeaders | None,
        cookies: Cookies | None,
        unsafe_fields: Literal["drop", "refuse"],
        routes: Mapping[str, Preset | SecurityHeaders | None],
        report: Report,
    ) -> None:
        if unsafe_fields not in ("drop", "refuse"):
            raise ValueError(f'unsafe_fields must be "drop" or "refuse", not {unsafe_fields!r}')
        if not (cookies is None or isinstance(cookies, Cookies)):
            raise TypeError(f"cookies must be Cookies(...) or None, not {cookies!r}")
        self._rules = Rules(security_headers("headers", headers))
        by_route = [
            (
                f"* {route}" if route.startswith("/") else route,
                Rules(security_headers(f"routes[{route!r}]", value)),
            )
            for route, value in routes.items()
        ]
        self._routes = Routes(by_route) if by_route else None
        self._cookies = cookies
        self._refuses = unsafe_fields == "refuse"
        self._report = report
        self._types: dict[Any, ContentType] = {}
        self.needs_request = any(
            rules.has_nonce for rules in (self._rules, *(rules for _, rules in by_route))
        )

    def on_request(self, request: Request) -> None:
        """Hand the app a nonce of 128 bits (CSP Level 3, 7.1)."""
        request.state[NONCE] = b64encode(os.urandom(16)).decode()

    def apply(self, request: Request, response: Response) -> Seen:
        """Make the head of an answer safe; return what it says of the body.

        Raises:
            Problem: a field must not be sent, and the answer is to be refused for it.
        """
        raw = response.raw
        rules = self._rules if self._routes is None else self._rules_for(request)
        try:
            plan = rules.plan(tuple([name for name, _ in raw]), in_bytes=request.waits)
            text, values = _joined(raw)
        except (TypeError, ValueError, AttributeError):
            raw = self._well_formed(request, raw)
            plan = rules.plan(tuple([name for name, _ in raw]), in_bytes=request.waits)
            text, values = _joined(raw)
        dropped: frozenset[int] | set[int] = plan.dropped
        if plan.unsafe or not text.isprintable():
            dropped = self._unsafe(request, raw, plan)
        media = None
        replaced: dict[int, str] | None = None
        if plan.content_type >= 0:
            value = raw[plan.content_type][1]
            read = self._types.get(value)
            if read is None:
                read = self._read_type(value)
            media = read.media
            if read.mended is not None:
                replaced = {plan.content_type: read.mended}
        if plan.cookies and self._cookies is not None:
            mended = self._mend(request, raw, plan.cookies, self._cookies)
            replaced = {**(replaced or {}), **mended}
        if replaced:
            raw = [_with(pair, replaced.get(i)) for i, pair in enumerate(raw)]
        if response.status != 101:
            kept = raw if not dropped else _without(raw, dropped)
            response.raw = [*kept, *plan.added, *self._more(request, plan)]
        elif dropped or replaced:
            response.raw = _without(raw, dropped)
        coding = None if plan.coding < 0 else as_text(raw[plan.coding][1]).strip().lower()
        return Seen(media, coding, values)

    def _rules_for(self, request: Request) -> Rules:
        found = self._routes.match(request.method, request.route_path) if self._routes else ()
        return found[0][0] if found else self._rules

    def _more(self, request: Request, plan: Plan) -> list[Pair]:
        """Return the fields that depend on the request."""
        more: list[Pair] = []
        native = bytes_field if request.waits else text_field
        if plan.added_secure and request.scheme in _SECURE:
            more += plan.added_secure
        for name, policy in plan.nonced:
            more.append(native(name, policy.value(request.state[NONCE])))
        if plan.no_store and request.pick_headers(_CREDENTIALS):
            more.append(native(*NO_STORE))
        return more

    def _read_type(self, value: Any) -> ContentType:
        read = content_type(as_text(value))
        if len(self._types) < MOST:
            self._types[value] = read
        return read

    def _mend(
        self, request: Request, raw: Any, indexes: tuple[int, ...], cookies: Cookies
    ) -> dict[int, str]:
        """Return the cookies that lack something, with it, by their indexes."""
        mended = {}
        https = request.scheme in _SECURE
        for index in indexes:
            value = as_text(raw[index][1])
            better, fault = cookies.mend(value, https=https)
            if fault is not None:
                self._report(request, fault, "header set-cookie")
            if better != value:
                mended[index] = better
        return mended

    def _unsafe(self, request: Request, raw: Any, plan: Plan) -> set[int]:
        """Return the indexes of fields that must not be sent, and of those dropped anyway."""
        unsafe = set(plan.unsafe)
        unsafe |= {i for i, (_, value) in enumerate(raw) if _FORBIDDEN.search(as_text(value))}
        for index in sorted(unsafe):
            name = "" if index in plan.unsafe else f" {as_text(raw[index][0]).lower()}"
            self._report(request, "header-injection", f"header{name or f' {index}'}")
        if unsafe and self._refuses:
            raise Problem(500)
        return unsafe | plan.dropped

    def _well_formed(self, request: Request, raw: Any) -> list[Pair]:
        """Return the pairs that are some, in the protocol's form."""
        wanted = bytes if request.waits else str
        kept = []
        for index, pair in enumerate(raw):
            if isinstance(pair, (tuple, list)) and len(pair) == 2:
                name, value = pair
                if isinstance(value, (bytearray, memoryview)) and wanted is bytes:
                    value = bytes(value)
                if isinstance(name, wanted) and isinstance(value, wanted):
                    kept.append((name, value))
                    continue
            self._report(request, "malformed-field", f"header {index}")
            if self._refuses:
                raise Problem(500)
        return kept


def joined_values(raw: Any) -> bytes:
    """Return the values of fields, one after the other, to be searched."""
    return _joined(raw)[1]


def _joined(raw: Any) -> tuple[str, bytes]:
    """Return the values of fields, joined, as text and as bytes.

    Raises:
        TypeError: they are not all bytes, nor all text.
        ValueError: a field is no pair.
    """
    values = [value for _, value in raw]
    if not values:
        return "", b""
    if isinstance(values[0], str):
        text = ",".join(values)
        return text, text.encode("latin-1", "replace")
    data = b",".join(values)
    return data.decode("latin-1"), data


def _with(pair: Pair, value: str | None) -> Pair:
    """Return a pair with another value, in its own form."""
    name = pair[0]
    if value is None:
        return pair
    return name, value if isinstance(name, str) else value.encode("latin-1")


def _without(raw: Any, dropped: frozenset[int] | set[int]) -> list[Pair]:
    return [pair for index, pair in enumerate(raw) if index not in dropped]
