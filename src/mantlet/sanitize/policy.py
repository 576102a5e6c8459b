"""`OutputSanitizer`: what leaves is safe, whatever the app wrote."""

from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import Final, Literal

from mantlet._internal.options import check_int
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import Close, Message, Policy, Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.exceptions import ResponseTooLarge
from mantlet.http.html import HtmlPolicy
from mantlet.redact.registry import SecretValues, registry_of
from mantlet.redact.scanner import Scanner
from mantlet.sanitize.body import Answer, Body, Kind, Stage, kind_of
from mantlet.sanitize.codings import codings
from mantlet.sanitize.encoded import Encoded
from mantlet.sanitize.escape import escape_json
from mantlet.sanitize.findings import Finding, Findings, Listener
from mantlet.sanitize.head import Cookies, Head, Preset, SecurityHeaders, looks_like_json
from mantlet.sanitize.json_fields import FieldMasker, JsonField
from mantlet.sanitize.leaks import Leaks
from mantlet.sanitize.markup import CleanBody, HtmlRoutes, charset_of
from mantlet.sanitize.search import Search

__all__ = ["OutputSanitizer"]

#: Stands for a content coding that can't be looked into.
_UNKNOWN: Final = "?"
_JSON: Final = "application/json"
#: RFC 6455, 7.4.1: the endpoint has seen a message that violates its policy.
_POLICY_VIOLATION: Final = 1008
#: What a body is that can't be decoded.
_UNREAD: Final = kind_of(None, scan_binary=True, cleans=False)
_LEAKS: Final = Leaks()
_COOKIES: Final = Cookies()
#: Bodies of so many bytes are copied behind the fields, to be searched with them.
_SMALL: Final = 8 * 1024
#: How many media types are remembered with what they mean. An app has a handful.
_KINDS: Final = 256


class OutputSanitizer(Policy):
    """See to it that every answer is safe to send: its head, its body, and what must not be in it.

    Without arguments it changes nothing that an app depends on: it removes what names the server,
    drops header fields that would break the protocol, adds the security fields that no app minds,
    makes JSON safe inside of HTML, and masks private keys, providers' keys, tracebacks and database
    errors.

    Args:
        headers: the security fields: ``"safe"``, ``"api"``, ``"web"`` or one's own; None for none.
        escape_json: write ``<``, ``>``, ``&``, U+2028 and U+2029 in JSON as escapes, which is the
            same document to a parser, and harmless where a page has it inside.
        leaks: what must not get out, and what is done about it; None to look for nothing but
            ``secrets``.
        secrets: values that must not get out in any form: a `SecretLoader`, or several of text or
            bytes. Those of less than 8 bytes, or easy to guess, are left out with a warning.
        mask: members of JSON to mask, at any depth: names, globs or JSON Pointers, or a `JsonField`
            to drop one, or for a route.
        html: routes whose HTML is cleaned, with a preset of `mantlet.http.html` or an allow-list.
        cookies: what is added to cookies; None to leave them.
        routes: security fields by route, in the place of ``headers``.
        unsafe_headers: ``"drop"`` a header field that must not be sent as it is, or ``"refuse"``
            the answer with a 500.
        json_as_html: JSON that is sent as HTML: ``"report"`` it, or ``"fix"`` its type.
        undecodable: a body in a coding that can't be looked into: ``"report"`` or ``"block"`` it.
        scan_binary: look into ``application/octet-stream`` too.
        max_html_size: the most bytes of HTML that are cleaned; a larger page is a 500.
        max_decoded_size: the most bytes that a compressed body may have when decoded; one that has
            more is unreadable.
        on_finding: called with each `Finding`, and its request.
        mode: ``"enforce"``; ``"report"`` to change nothing and report what would be changed; or
            ``"off"``; for all requests, or by route. It is about the whole policy; whether leaks
            alone are reported or redacted is up to ``leaks``.

    Raises:
        ValueError: an option that can't be; the message says which.
        TypeError: an option of another type than those above.
    """

    position = 10
    position_reason = "the responses of {} are sent without being sanitized"

    def __init__(
        self,
        *,
        headers: Preset | SecurityHeaders | None = "safe",
        escape_json: bool = True,
        leaks: Leaks | None = _LEAKS,
        secrets: SecretValues = (),
        mask: Iterable[str | JsonField] = (),
        html: Mapping[str, str | HtmlPolicy] | None = None,
        cookies: Cookies | None = _COOKIES,
        routes: Mapping[str, Preset | SecurityHeaders | None] | None = None,
        unsafe_headers: Literal["drop", "refuse"] = "drop",
        json_as_html: Literal["report", "fix"] = "report",
        undecodable: Literal["report", "block"] = "report",
        scan_binary: bool = False,
        max_html_size: int = 1024 * 1024,
        max_decoded_size: int = 256 * 1024 * 1024,
        on_finding: Listener | None = None,
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        _check("json_as_html", json_as_html, "report", "fix")
        _check("undecodable", undecodable, "report", "block")
        check_int("max_html_size", max_html_size, unit="bytes")
        check_int("max_decoded_size", max_decoded_size, unit="bytes")
        self._findings = Findings(on_finding)
        self._head = Head(
            headers=headers,
            cookies=cookies,
            unsafe_headers=unsafe_headers,
            routes=routes or {},
            report=self._report,
        )
        registry = registry_of(secrets)
        self._search = None
        if leaks is not None or registry is not None:
            leaks = Leaks(detect=()) if leaks is None else leaks
            self._search = Search(leaks, registry, self._findings)
        self._members = FieldMasker(mask) if mask else None
        self._html = HtmlRoutes(html) if html else None
        self._escapes = escape_json
        self._mends = json_as_html == "fix"
        self._blocks_unreadable = undecodable == "block"
        self._scan_binary = scan_binary
        self._max_html_size = max_html_size
        self._max_decoded_size = max_decoded_size
        self._kinds: dict[str | None, Kind] = {}
        idle = set()
        if not self._head.needs_request:
            idle.add("on_request")
        if self._search is None:
            idle.add("on_message")
        self.disabled_hooks = frozenset(idle)

    def on_request(self, request: Request) -> None:
        """Hand the app its nonce, where a policy of content needs one."""
        self._head.on_request(request)

    def on_response(self, request: Request, response: Response) -> Awaitable[Reply | None] | None:
        """Make the head safe, and register what looks at the body."""
        media, coding, values = self._head.apply(request, response)
        kind = self._kinds.get(media) or self._kind_of(media)
        scanner = None if self._search is None else self._search.scanner()
        if response.has_trailers:
            self._watch_trailers(request, response, scanner)
        if response.complete and coding is None and kind.plain:  # as it mostly is
            body = response.first_chunk
            if self._is_clean(values, body, scanner, kind):
                escaped = escape_json(body) if kind.json and self._escapes else body
                if escaped is not body:
                    response.transform(lambda _chunk, _more: escaped)
                return None
        return self._look_at(Answer(request, response, scanner, kind, coding), values)

    def _is_clean(self, values: bytes, body: bytes, scanner: Scanner | None, kind: Kind) -> bool:
        """Return whether there is nothing to do about an answer but to escape its JSON."""
        if scanner is not None:
            if len(body) <= _SMALL:  # one search takes less than two
                if not scanner.is_clean(b"%b\n%b" % (values, body), kind.media):
                    return False
            elif not (scanner.is_clean(values) and scanner.is_clean(body, kind.media)):
                return False
        if kind.html:
            return not looks_like_json(body, complete=True)
        return not (kind.json and self._members is not None and self._members.prefilter.find(body))

    def _look_at(self, answer: Answer, values: bytes) -> Awaitable[Reply | None] | None:
        """Look at the fields of an answer, and see to it that its body is looked at."""
        request, response, scanner, kind, _ = answer
        if self._search is not None and scanner is not None and not scanner.is_clean(values):
            response.raw = self._search.fields(request, scanner, response.raw)
        if not kind.looked_at or response.is_file or response.status == 206:
            return None
        if kind.html:
            cleaner = None if self._html is None else self._html.for_request(request)
            if cleaner is not None:
                return self._clean(answer, cleaner)
            if looks_like_json(response.first_chunk, complete=response.full_body is not None):
                answer = self._mistyped(answer)
        self._watch(answer)
        return None

    def _watch_trailers(
        self, request: Request, response: Response, scanner: Scanner | None
    ) -> None:
        """See to it that the fields behind the body are looked at."""
        response.transform_trailers(partial(self._head.trailers, request))
        if self._search is not None and scanner is not None:
            response.transform_trailers(partial(self._search.trailers, request, scanner))

    def _mistyped(self, answer: Answer) -> Answer:
        """Deal with JSON that is sent as HTML."""
        self._report(answer.request, "json-as-html", "header content-type")
        if not self._mends:
            return answer
        answer.response.headers.set("Content-Type", _JSON)
        return answer._replace(kind=self._kind_of(_JSON))

    async def _clean(self, answer: Answer, cleaner: CleanBody) -> None:
        """Clean HTML, which takes all of it."""
        request, response = answer.request, answer.response
        try:
            await response.body(self._max_html_size)
        except ResponseTooLarge:
            self._report(request, "html-too-large", "body")
            raise Problem(500) from None
        charset = charset_of(response.headers.get("Content-Type"))

        def cleaned(page: bytes, _more: bool) -> bytes:
            return cleaner(page, charset)

        coding = self._coding(answer, blocks=True)
        response.transform(
            cleaned
            if coding is None
            else self._encoded(answer, coding, cleaned, self._max_html_size, otherwise=None)
        )
        response.headers.set("Content-Type", f"{answer.kind.media}; charset=utf-8")
        self._watch(answer)

    def _watch(self, answer: Answer) -> None:
        """Register what looks at the body."""
        _, response, scanner, kind, _ = answer
        structured = kind.json or kind.events
        escapes = self._escapes and structured
        members = self._members if structured else None
        if scanner is None and members is None and not escapes:
            return
        coding = self._coding(answer, blocks=self._blocks_unreadable)
        body = Body(answer, self._search, members, escapes=escapes)
        if coding is None:
            response.transform(body, keeps_length=not escapes and members is None)
            return
        # What can't be decoded may be no more than what it is: it is searched for leaks as such.
        undecoded = Body(answer._replace(kind=_UNREAD), self._search, None, escapes=False)
        if coding is _UNKNOWN:
            response.transform(undecoded, keeps_length=True)
            return
        otherwise = None if self._blocks_unreadable else undecoded
        response.transform(
            self._encoded(answer, coding, body, self._max_decoded_size, otherwise=otherwise)
        )

    def _encoded(
        self, answer: Answer, coding: str, inner: Stage, largest: int, *, otherwise: Stage | None
    ) -> Encoded:
        unreadable = partial(self._report, answer.request, "undecodable-body", "body")
        return Encoded(coding, inner, largest, unreadable, otherwise=otherwise)

    def _coding(self, answer: Answer, *, blocks: bool) -> str | None:
        """Return the coding of a body: None for none, `_UNKNOWN` for one that can't be decoded.

        Raises:
            Problem: it can't be decoded, and is to be blocked.
        """
        coding = answer.coding
        if not coding or coding == "identity":
            return None
        if coding in codings():
            return coding
        self._report(answer.request, "unknown-encoding", "header content-encoding")
        if blocks:
            raise Problem(502)
        return _UNKNOWN

    def on_message(self, request: Request, message: Message) -> Message | Close:
        """Look at what the app sends over a WebSocket."""
        search = self._search
        if search is None or message.direction == "in":
            return message
        try:
            data = search.message(request, search.scanner(), message.data)
        except Problem:
            return Close(_POLICY_VIOLATION)
        return message if data is message.data else Message(data, "out")

    def _kind_of(self, media: str | None) -> Kind:
        cleans = self._html is not None
        kind = kind_of(media, scan_binary=self._scan_binary, cleans=cleans)
        if len(self._kinds) < _KINDS:
            self._kinds[media] = kind
        return kind

    def _report(self, request: Request, rule: str, place: str) -> None:
        self._findings.tell(request, Finding(rule, place))


def _check(option: str, value: object, *choices: str) -> None:
    if value not in choices:
        raise ValueError(f"{option} must be one of {choices}, not {value!r}")
