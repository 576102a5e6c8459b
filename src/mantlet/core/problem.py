"""Problem details for HTTP APIs (RFC 9457): the errors that policies and apps answer with."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from json.encoder import encode_basestring_ascii
from types import MappingProxyType
from typing import Any, Final, Protocol

from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.exceptions import MantletError
from mantlet.http.headers import check_name, check_value

__all__ = [
    "BodyTooLarge",
    "Envelope",
    "FixedProblem",
    "MalformedRequest",
    "Problem",
    "forget_raise",
]

MEDIA_TYPE = "application/problem+json"

# Reason phrases of RFC 9110; the standard library has older ones before Python 3.13.
_PHRASES = {int(status): status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
#: The status lines with registered phrases, as servers and frameworks write them.
STATUS_LINES: Final = frozenset(
    f"{int(status)} {text}"
    for status in HTTPStatus
    for one in (status.phrase, _PHRASES[status])
    for text in (one, one.upper())
)
# RFC 9110, 15: an unknown status code is treated as the x00 of its class.
_CLASSES = {1: "Continue", 2: "OK", 3: "Redirect", 4: "Client Error", 5: "Server Error"}
_JSON = re.compile(r"application/(?:[^\s;]+\+)?json(?:\s*;|$)", re.IGNORECASE)
_UUID = re.compile("([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")
_encode = json.JSONEncoder(allow_nan=False).encode
_STANDARD = frozenset({"type", "title", "status", "detail", "instance", "request_id"})


class Problem(MantletError):
    """An error response as problem details: only text that is meant for the client.

    It is an exception as well: `ErrorEnvelope` answers a raised Problem with exactly its contents,
    and a policy's hook that raises one answers with it.

    Args:
        status: the HTTP status, 400 to 599.
        type: a URI that identifies the kind of problem; ``about:blank`` adds nothing to the status.
        title: a short text for this type; by default the status code's reason phrase.
        detail: an explanation of this occurrence, for the client to read.
        instance: a URI of this occurrence; by default a ``urn:uuid:`` of the request id.
        headers: further headers, such as ``Retry-After``. A ``Content-Type`` is that of the
            document in JSON, which then is the only form of the response.
        extensions: further members, as the problem type defines them (RFC 9457, 3.2).

    Raises:
        TypeError: the status is not an int.
        ValueError: the status is not an error, an extension has the name of a standard member or
            a value that JSON cannot hold, or the ``Content-Type`` is not a JSON type.
    """

    def __init__(
        self,
        status: int,
        *,
        type: str = "about:blank",  # RFC 9457's own name
        title: str | None = None,
        detail: str | None = None,
        instance: str | None = None,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(status, int):
            raise TypeError(f"status must be a number such as Problem(409), not {status!r}")
        if not 400 <= status <= 599:
            raise ValueError(f"status must be between 400 and 599, not {status}")
        taken = _STANDARD.intersection(extensions or ())
        if taken:
            raise ValueError(f"extensions must not be named as standard members: {sorted(taken)}")
        self.status = status
        self.type = type
        self.title = title or phrase(status)
        self.detail = detail
        self.instance = instance
        self.headers: Mapping[str, str] = MappingProxyType(
            {check_name(name): check_value(name, value) for name, value in (headers or {}).items()}
        )
        #: Their names in lower case.
        self._names = frozenset(map(str.lower, self.headers))
        for name, value in self.headers.items():
            if name.lower() == "content-type" and not _JSON.match(value):
                raise ValueError(
                    f"the Content-Type of a problem must be a JSON type, not {value!r}"
                )
        #: The extensions as JSON text, so that answering cannot fail on them.
        self._members = _as_json(extensions) if extensions else "{}"
        super().__init__(f"{status} {self.title}")

    @property
    def extensions(self) -> Mapping[str, Any]:
        """The further members, as they are in JSON."""
        return MappingProxyType(json.loads(self._members))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be pickled, and `args` are not the constructor's arguments.
        state = self.__dict__ | {"headers": dict(self.headers)}
        return _restore, (type(self), self.args, state)

    def reply(self, request: Request) -> Reply:
        """Return a response with this problem, in a form that the client accepts.

        It has the request's id, where there is one. Outside of an
        `ErrorEnvelope` the form is always ``application/problem+json``.
        """
        envelope: Envelope | None = request.state._envelope
        if envelope is not None:
            return envelope.render(self, request)
        return self._reply_in_json()

    def _reply_in_json(self) -> Reply:
        """Return the response outside of an `ErrorEnvelope`, where clients know no id."""
        return self.with_body(MEDIA_TYPE, self._document(None))

    def with_body(self, media_type: str, body: bytes, *, varies: bool = False) -> Reply:
        """Return a response with the headers of this problem and the given body.

        Args:
            media_type: of the body, unless the problem's own headers have a ``Content-Type``.
            body: the body.
            varies: whether the form depends on ``Accept``, which caches that may store the response
                have to know.
        """
        headers = [("Content-Type", media_type), ("Cache-Control", "no-store")]
        if self.headers:
            headers = [pair for pair in headers if pair[0].lower() not in self._names]
            headers += self.headers.items()
            if varies and "cache-control" in self._names:
                headers.append(("Vary", "Accept"))
        return Reply(self.status, headers, body)

    def members(self, request: Request) -> dict[str, Any]:
        """Return the members of the problem's document (RFC 9457, 3.1)."""
        members: dict[str, Any] = json.loads(self.as_json(request))
        return members

    def as_json(self, request: Request) -> bytes:
        """Return the problem's document."""
        state = request.state
        # Without an envelope that is enforced, clients know no id.
        return self._document(None if state._envelope is None else state._request_id)

    def _document(self, request_id: str | None) -> bytes:
        start, end = self._common_parts()
        instance = self.instance
        if instance:
            start += f', "instance": {_text(instance)}'
        elif request_id:
            start += f', "instance": "urn:uuid:{as_uuid(request_id)}"'
        if request_id:
            start += f', "request_id": {encode_basestring_ascii(request_id)}'
        return (start + end).encode("ascii")

    def _common_parts(self) -> tuple[str, str]:
        """Return the document before and after the members that differ between requests."""
        # Written by hand: refusals in a flood have to be quick.
        start = f'{{"type": {_text(self.type)}, "title": {_text(self.title)}, '
        start += f'"status": {self.status}'
        if self.detail is not None:
            start += f', "detail": {_text(self.detail)}'
        return start, "}" if self._members == "{}" else f", {self._members[1:]}"


class FixedProblem(Problem):
    """A problem that nobody changes once it is made, so that most of its response is made once."""

    # Any: the arguments of `Problem`.
    def __init__(self, status: int, **options: Any) -> None:
        super().__init__(status, **options)
        self._parts = super()._common_parts()
        #: The headers of its response, by the media type of the body: as its only form, and as one
        #: of several.
        self._headers: tuple[dict[str, tuple[tuple[str, str], ...]], ...] = ({}, {})
        #: Its response outside of an `ErrorEnvelope`.
        self._plain = super()._reply_in_json()

    def _reply_in_json(self) -> Reply:
        return Reply._of(self.status, self._plain.headers, self._plain.body)

    def _common_parts(self) -> tuple[str, str]:
        return self._parts

    def with_body(self, media_type: str, body: bytes, *, varies: bool = False) -> Reply:
        """Return a response with the headers of this problem and the given body."""
        known = self._headers[varies]
        headers = known.get(media_type)
        if headers is None:
            reply = super().with_body(media_type, body, varies=varies)
            headers = known[media_type] = reply.headers
        return Reply._of(self.status, headers, body)


class Envelope(Protocol):
    """The policy that answers for all errors of an exchange, as the other policies see it."""

    def render(self, problem: Problem, request: Request) -> Reply:
        """Return a response with a problem, in a form that the client accepts."""
        ...

    def refuses(self, error: BaseException) -> bool:
        """Return whether an exception is a refusal on purpose, with a status below 500."""
        ...

    def on_error(self, request: Request, error: BaseException) -> Reply | None:
        """Report an exception, and answer it."""
        ...

    def report(self, request: Request, error: BaseException, outcome: str) -> None:
        """Report an exception that the exchange has not reported before."""
        ...


def forget_raise(error: BaseException | None) -> None:
    """Have an answered problem forget where it was raised, as the app may raise it again.

    Else a problem that is made once would keep the frames of its last request, and their variables,
    and its traceback would grow with each raise.
    """
    if isinstance(error, Problem):
        error.__traceback__ = error.__context__ = error.__cause__ = None


def _restore(kind: type[Problem], args: tuple[Any, ...], state: dict[str, Any]) -> Problem:
    """Return a problem from its copied or pickled state."""
    problem = kind.__new__(kind, *args)
    problem.__dict__.update(state)
    problem.headers = MappingProxyType(state["headers"])
    return problem


def _text(value: object) -> str:
    """Return a text as JSON; lazily translated texts are translated here."""
    return encode_basestring_ascii(str(value))


def _as_json(extensions: Mapping[str, Any]) -> str:
    """Return the extensions as a JSON object."""
    try:
        return _encode(dict(extensions))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"extensions must be JSON values: {error}") from None


class BodyTooLarge(Problem):
    """The request's body is larger than a policy's limit (RFC 9110, 15.5.14)."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, detail=f"The request body is larger than {limit} bytes.")
        self.limit = limit


class MalformedRequest(Problem):
    """The request violates HTTP (RFC 9110, 15.5.1)."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail=detail)


def phrase(status: int) -> str:
    """Return the reason phrase registered with IANA for ``status``, or a general one."""
    return _PHRASES.get(status) or _CLASSES[status // 100]


def as_uuid(request_id: str) -> str:
    """Return a request id as a UUID, or a UUID derived from it (RFC 9562, 5.5)."""
    match = _UUID.fullmatch(request_id)
    if match is not None:  # the usual case, quicker than a UUID object
        return "-".join(match.groups())
    from uuid import NAMESPACE_URL, UUID, uuid5  # for other ids alone

    try:
        return str(UUID(request_id))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, request_id))
