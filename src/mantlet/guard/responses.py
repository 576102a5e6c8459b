"""Answers of the app: whether they are as declared."""

from collections.abc import Awaitable, Iterator, Mapping
from typing import Final

from mantlet.core.response import Response
from mantlet.exceptions import ResponseTooLarge
from mantlet.guard.content_decoding import read_codings, undo
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.limits import BodyLimits
from mantlet.guard.operation import ResponseShape
from mantlet.guard.schemas import Schema
from mantlet.guard.strict_json import Structure
from mantlet.http.media_types import read_media_type

__all__ = ["UNCHECKED", "Responses"]

#: The code of an answer that is larger than is looked at.
UNCHECKED: Final = "unchecked"
#: What is wrong with a body that is larger than the limits on what clients send.
_LARGE: Final = frozenset(
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

#: Fields that any answer may have without a word in the document: what servers and intermediaries
#: set, what RFC 9110 and RFC 9111 define for all answers, and what policies and browsers know.
_ALWAYS_TEXT: Final = """
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
_ALWAYS: Final = frozenset(_ALWAYS_TEXT.split())
_UNCHECKED: Final = Fault("body", "", UNCHECKED, "The body is larger than is looked at")


class Responses:
    """What the answers of an operation may be.

    Args:
        shapes: by status, as the document has them.
        limits: bounds on the structure of a body that is looked at; ``decoded`` is also how much
            of a streamed one is waited for. A larger one is not refused: it is not looked at.
    """

    __slots__ = ("_limits", "_shapes", "_structure")

    def __init__(self, shapes: Mapping[str, ResponseShape], limits: BodyLimits) -> None:
        self._shapes = shapes
        self._limits = limits
        self._structure = Structure(limits)

    def judge(self, response: Response) -> list[Fault] | Awaitable[list[Fault]]:
        """Return what is wrong with an answer, or what is to be waited for to know."""
        status = response.status
        shape = (
            self._shapes.get(str(status))
            or self._shapes.get(f"{status // 100}XX")
            or self._shapes.get("default")
        )
        if shape is None and status == 304:
            return []  # the client has the answer already (RFC 9110, 15.4.5)
        if shape is None:
            return [Fault("body", "", "undeclared_status", "The status is not declared")]
        faults = list(_header_faults(response, shape))
        if response.no_body or status in (204, 304):
            return faults
        stated = response.headers.get("content-type")
        if stated is None:
            if shape.content and response.first_chunk:
                faults.append(Fault("body", "", "media_type", "The body has no type"))
            return faults
        media = read_media_type(stated)
        kind = "" if media is None else media.kind
        known, schema = _schema(shape, kind)
        if not known:
            faults.append(Fault("body", "", "media_type", "The type of the body is not declared"))
        if schema is None or media is None or not media.is_json:
            return faults
        return self._judge_body(response, schema, faults)

    async def _judge_body(
        self, response: Response, schema: Schema, faults: list[Fault]
    ) -> list[Fault]:
        try:
            body = await response.body(self._limits.decoded)
            coded = response.headers.get("content-encoding")
            text = body if coded is None else undo(body, read_codings(coded), self._limits)
            schema.load(text, self._structure.read(text, "body"), "body")
        except ResponseTooLarge:
            faults.append(_UNCHECKED)
        except Invalid as invalid:
            large = any(fault.code in _LARGE for fault in invalid.faults)
            faults += [_UNCHECKED] if large else invalid.faults
        return faults


def _schema(shape: ResponseShape, kind: str) -> tuple[bool, Schema | None]:
    """Return whether a type is declared, and its schema."""
    for declared in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if declared in shape.content:
            return True, shape.content[declared]
    return False, None


def _header_faults(response: Response, shape: ResponseShape) -> Iterator[Fault]:
    values: dict[str, str] = {}
    for name, value in response.headers:
        name = name.lower()  # noqa: PLW2901  # names have no case
        if name in shape.header_names:
            values[name] = f"{values[name]}, {value}" if name in values else value
        elif name not in _ALWAYS:
            yield Fault("header", "", "undeclared_header", "A header field is not declared")
    if shape.headers is not None:
        try:
            shape.headers.check(values, "header")
        except Invalid as invalid:
            yield from invalid.faults
