"""Validate the app's responses."""

from collections.abc import Awaitable, Iterator, Mapping
from typing import Final

from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.exceptions import ResponseTooLarge
from mantlet.guard.bodies.content_decoding import decode, parse_codings
from mantlet.guard.bodies.strict_json import StrictJson
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.operation import DeclaredResponse
from mantlet.guard.readers import Schema
from mantlet.http.media_types import read_media_type

__all__ = ["UNCHECKED", "ResponseValidator"]

#: The error code of a response that is too large to validate.
UNCHECKED: Final = "unchecked"
#: Error codes of a body that exceeds the limits, which are meant for clients.
_TOO_LARGE: Final = frozenset(
    {
        "decoded_too_large",
        "json_depth",
        "json_digits",
        "json_items",
        "json_members",
        "json_string",
        "ratio_too_large",
    }
)

#: Headers that any response may have undeclared: those of servers and intermediaries, those that
#: RFC 9110 and RFC 9111 define for all responses, and those of policies and browsers.
_ALWAYS_ALLOWED_TEXT: Final = """
    accept-ranges access-control-allow-credentials access-control-allow-headers
    access-control-allow-methods access-control-allow-origin access-control-expose-headers
    access-control-max-age age allow alt-svc cache-control clear-site-data connection
    content-disposition content-encoding content-language content-length content-location
    content-range content-security-policy content-security-policy-report-only content-type
    cross-origin-embedder-policy cross-origin-opener-policy cross-origin-resource-policy date etag
    expires keep-alive last-modified link location nel origin-agent-cluster permissions-policy
    pragma proxy-authenticate ratelimit ratelimit-policy referrer-policy report-to
    reporting-endpoints retry-after server server-timing set-cookie strict-transport-security te
    trailer transfer-encoding upgrade vary via warning www-authenticate x-content-type-options
    x-frame-options x-request-id x-xss-protection
"""
_ALWAYS_ALLOWED: Final = frozenset(_ALWAYS_ALLOWED_TEXT.split())
_UNCHECKED: Final = ErrorItem("body", "", UNCHECKED, "The body is too large to validate")


class ResponseValidator:
    """Validates the responses of one operation.

    Args:
        shapes: the declared responses by status, as written in the document.
        limits: bounds on the structure of a body to validate; ``decoded`` also bounds how much of
            a streamed body is buffered. A larger response is not rejected, but not validated.
    """

    __slots__ = ("_json", "_limits", "_shapes")

    def __init__(self, shapes: Mapping[str, DeclaredResponse], limits: BodyLimits) -> None:
        self._shapes = shapes
        self._limits = limits
        self._json = StrictJson(limits)

    def validate(
        self, request: Request, response: Response
    ) -> list[ErrorItem] | Awaitable[list[ErrorItem]]:
        """Return the errors of a response, or an awaitable of them if its body is needed."""
        status = response.status
        shape = (
            self._shapes.get(str(status))
            or self._shapes.get(f"{status // 100}XX")
            or self._shapes.get("default")
        )
        if shape is None and status == 304:
            return []  # the client has the response already (RFC 9110, 15.4.5)
        if shape is None:
            return [ErrorItem("body", "", "undeclared_status", "Undeclared status code")]
        errors = list(_header_errors(response, shape))
        if response.no_body or status in (204, 304):
            return errors
        stated = response.headers.get("content-type")
        if stated is None:
            if shape.content and response.full_body != b"":  # the body of a stream is yet to come
                errors.append(ErrorItem("body", "", "media_type", "Missing Content-Type"))
            return errors
        media = read_media_type(stated)
        kind = "" if media is None else media.kind
        declared, schema = _schema(shape, kind)
        if not declared:
            errors.append(ErrorItem("body", "", "media_type", "Undeclared media type"))
        if schema is None or media is None or not media.is_json:
            return errors
        return self._validate_body(request, response, schema, errors)

    async def _validate_body(
        self, request: Request, response: Response, schema: Schema, errors: list[ErrorItem]
    ) -> list[ErrorItem]:
        try:
            body = await response.body(self._limits.decoded)
            coding = response.headers.get("content-encoding")
            if coding is not None:
                body = await decode(request, body, parse_codings(coding), self._limits)
            if len(body) <= self._limits.in_loop:
                self._load(body, schema)
            else:
                await request.run_in_thread(self._load, body, schema)
        except ResponseTooLarge:
            errors.append(_UNCHECKED)
        except ValidationFailed as failure:
            too_large = any(error.code in _TOO_LARGE for error in failure.errors)
            errors += [_UNCHECKED] if too_large else failure.errors
        return errors

    def _load(self, text: bytes, schema: Schema) -> None:
        schema.load(text, self._json.parse(text, "body"), "body")


def _schema(shape: DeclaredResponse, kind: str) -> tuple[bool, Schema | None]:
    """Return whether a media type is declared, and its schema."""
    for declared in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if declared in shape.content:
            return True, shape.content[declared]
    return False, None


def _header_errors(response: Response, shape: DeclaredResponse) -> Iterator[ErrorItem]:
    values: dict[str, str] = {}
    for name, value in response.headers:
        name = name.lower()  # noqa: PLW2901  # names are case-insensitive
        if name in shape.header_names:
            values[name] = f"{values[name]}, {value}" if name in values else value
        elif name not in _ALWAYS_ALLOWED:
            yield ErrorItem("header", "", "undeclared_header", "Undeclared header")
    if shape.headers is not None:
        try:
            shape.headers.check(values, "header")
        except ValidationFailed as failure:
            yield from failure.errors
