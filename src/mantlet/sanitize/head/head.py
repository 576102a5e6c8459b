"""The head of an answer: what may not be in it, what has to be, and what it says of the body.

Fields are looked at in the protocol's own pairs. What is to be done for answers with the same names
of fields is the same, so it is planned once: an app has a few dozen of these.
"""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.http.headers import FieldNames, bytes_field, is_token, text_field
from mantlet.http.routing import Routes
from mantlet.sanitize.head.content import ContentType, content_type
from mantlet.sanitize.head.cookies import Cookies
from mantlet.sanitize.head.rules import MOST, NO_STORE, Pair, Plan, Rules, as_text
from mantlet.sanitize.head.security import Preset, SecurityHeaders, security_headers

__all__ = ["Head", "Seen", "joined_values"]

#: Where an exchange's state has the nonce of its scripts and styles.

# RFC 9110, 5.5.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_CREDENTIALS: Final = FieldNames("Authorization", "Cookie")
_SECURE: Final = ("https", "wss")

#: Told of what was found: the request, the rule's id, and the place.
Report = Callable[[Request, str, str], None]


#: What the head says of the body: its media type in lower case, without parameters, and its coding,
#: each None where it is not said; and the values of the app's fields, to be searched for leaks.
Seen = tuple[str | None, str | None, bytes]


class Head:
    """What is done with the head of each answer. Immutable.

    Args:
        headers: the security fields.
        cookies: what cookies get; None to leave them.
        unsafe_headers: what becomes of fields that must not be sent.
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
        unsafe_headers: Literal["drop", "refuse"],
        routes: Mapping[str, Preset | SecurityHeaders | None],
        report: Report,
    ) -> None:
        if unsafe_headers not in ("drop", "refuse"):
            raise ValueError(f'unsafe_headers must be "drop" or "refuse", not {unsafe_headers!r}')
        if not (cookies is None or isinstance(cookies, Cookies)):
            raise TypeError(f"cookies must be Cookies(...) or None, not {cookies!r}")
        if not isinstance(routes, Mapping):
            raise TypeError(f"routes must be fields by pattern, not {routes!r}")
        if not all(isinstance(route, str) for route in routes):
            raise TypeError(f"routes must have patterns of text, not {[*routes]!r}")
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
        self._refuses = unsafe_headers == "refuse"
        self._report = report
        self._types: dict[Any, ContentType] = {}
        self.needs_request = any(
            rules.has_nonce for rules in (self._rules, *(rules for _, rules in by_route))
        )

    def on_request(self, request: Request) -> None:
        """Hand the app a nonce of 128 bits (CSP Level 3, 7.1)."""
        request.state._csp_nonce = _nonce()

    def apply(self, request: Request, response: Response) -> Seen:
        """Make the head of an answer safe; return what it says of the body.

        Raises:
            Problem: a field must not be sent, and the answer is to be refused for it.
        """
        raw = response.raw
        rules = self._rules if self._routes is None else self._rules_for(request)
        try:
            plan, text, values = _read(raw, rules, in_bytes=request.is_async)
        except (TypeError, ValueError, AttributeError):
            raw = self._well_formed(request, raw)
            plan, text, values = _read(raw, rules, in_bytes=request.is_async)
        if not (plan.sound and text.isprintable()):
            gone = self._gone(request, raw, plan)
            if gone:  # what the app said in a field that goes is not said: it is planned anew
                raw = _without(raw, gone)
                plan, _, values = _read(raw, rules, in_bytes=request.is_async)
        media = mended = coding = None
        if plan.content_type >= 0:
            value = raw[plan.content_type][1]
            try:
                media, mended = self._types.get(value) or self._read_type(value)
            except TypeError:  # a bytearray, which servers take, is no key
                media, mended = content_type(as_text(value))
        if mended is not None or plan.cookies:
            raw = self._mend(request, raw, plan, mended)
        if plan.codings:
            coding = ", ".join(as_text(raw[index][1]).strip().lower() for index in plan.codings)
        kept: list[Pair] = [*raw] if not plan.dropped else _without(raw, plan.dropped)
        if response.status != 101:
            kept += plan.added
            if plan.varies:
                kept = self._varied(request, plan, kept, response.status)
        response.raw = kept
        return media, coding, values

    def _rules_for(self, request: Request) -> Rules:
        found = self._routes.match(request.method, request.route_path) if self._routes else ()
        return found[0][0] if found else self._rules

    def _varied(self, request: Request, plan: Plan, kept: list[Pair], status: int) -> list[Pair]:
        """Return the fields with those that depend on the request."""
        native = bytes_field if request.is_async else text_field
        if plan.added_secure and request.scheme in _SECURE:
            kept += plan.added_secure
        # A cache takes over what a 304 says (RFC 9111, 3.2): the page that it has would be left
        # with a nonce that is not the one in its scripts.
        if plan.nonced and status != 304:
            nonce = request.state._csp_nonce or _nonce()
            for name, policy in plan.nonced:
                kept.append(native(name, policy.value(nonce)))
        if plan.no_store and request.get_headers(_CREDENTIALS):
            if plan.caching:
                kept = [pair for pair in kept if pair[0] not in plan.caching]
            kept.append(native(*NO_STORE))
        return kept

    def _read_type(self, value: Any) -> ContentType:
        read = content_type(as_text(value))
        if len(self._types) < MOST:
            self._types[value] = read
        return read

    def _mend(self, request: Request, raw: Any, plan: Plan, media: str | None) -> list[Pair]:
        """Return the fields, with a charset, and with what cookies lack."""
        mended = list(raw)
        if media is not None:
            mended[plan.content_type] = _with(raw[plan.content_type], media)
        if self._cookies is None:
            return mended
        https = request.scheme in _SECURE
        for index in plan.cookies:
            value = as_text(raw[index][1])
            better, fault = self._cookies.mend(value, https=https)
            if fault is not None:
                self._report(request, fault, "header set-cookie")
            if better is not value:
                mended[index] = _with(raw[index], better)
        return mended

    def trailers(self, request: Request, raw: Any) -> Any:
        """Return the fields behind a body without those that must not be sent."""
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

    def _gone(self, request: Request, raw: Any, plan: Plan) -> set[int]:
        """Return the indexes of fields that must not be sent, or not again.

        Raises:
            Problem: one must not, and the answer is to be refused for it.
        """
        gone = set(plan.unsafe)
        gone |= {i for i, (_, value) in enumerate(raw) if _FORBIDDEN.search(as_text(value))}
        for index in sorted(gone):
            name = "" if index in plan.unsafe else f" {as_text(raw[index][0]).lower()}"
            self._report(request, "header-injection", f"header{name or f' {index}'}")
        if gone and self._refuses:
            raise Problem(500)
        for indexes in plan.repeated:
            usable = [index for index in indexes if index not in gone]
            # Browsers frame nothing if one X-Frame-Options allows what another doesn't.
            denying = (i for i in usable if as_text(raw[i][1]).strip().upper() == "DENY")
            gone |= {*usable} - {next(denying, usable[0] if usable else -1)}
        return gone

    def _well_formed(self, request: Request, raw: Any) -> list[Pair]:
        """Return the pairs that are some, in the protocol's form."""
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


def _nonce() -> str:
    """Return 128 bits that can't be guessed (CSP Level 3, 7.1)."""
    return b64encode(os.urandom(16)).decode()


def joined_values(raw: Any) -> bytes:
    """Return the values of fields, one after the other, to be searched."""
    return _joined([value for _, value in raw])[1]


def _read(raw: Any, rules: Rules, *, in_bytes: bool) -> tuple[Plan, str, bytes]:
    """Return what is done about fields, and their values as text and as bytes.

    Raises:
        TypeError: the values are not all bytes, nor all text.
        ValueError: a field is no pair.
        AttributeError: a name is neither.
    """
    names: tuple[Any, ...]
    values: tuple[Any, ...]
    names, values = zip(*raw, strict=True) if raw else ((), ())
    plan = rules.plans[in_bytes].get(names)
    if plan is None:
        plan = rules.plan(names, in_bytes=in_bytes)
    return plan, *_joined(values)


def _joined(values: Sequence[Any]) -> tuple[str, bytes]:
    """Return values, joined, as text and as bytes."""
    if values and isinstance(values[0], str):
        text = ",".join(values)
        return text, text.encode("latin-1", "replace")
    data = b",".join(values)
    return data.decode("latin-1"), data


def _with(pair: Pair, value: str) -> Pair:
    """Return a pair with another value, in its own form."""
    name = pair[0]
    return name, value if isinstance(name, str) else value.encode("latin-1")


def _without(raw: Any, dropped: frozenset[int] | set[int]) -> list[Pair]:
    return [pair for index, pair in enumerate(raw) if index not in dropped]
