"""Error answers of the app, and whether a problem takes their place."""

from collections.abc import Awaitable
from contextlib import suppress
from typing import Literal

from mantlet.core.error_log import log
from mantlet.core.policy import Reply
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.errors.foreign import LARGEST, MEDIA_TYPES, failure_words, framework_problem
from mantlet.errors.frameworks import Fields, kept_fields
from mantlet.errors.negotiation import PROBLEM_JSON, PROBLEM_XML, asks_for_json
from mantlet.errors.rendering import ACCEPT
from mantlet.exceptions import ResponseTooLarge

__all__ = ["Conversion", "ConvertOption", "media_type", "with_fields"]

ConvertOption = Literal["auto", "always", "never"]


class Conversion:
    """Puts a problem in the place of an error answer of the app.

    Args:
        option: ``"auto"`` converts a framework's own error pages for clients that ask for JSON, and
            its pages for HTTP exceptions of 500 and above with a message for every client;
            ``"always"`` converts every error response that is not a problem yet.
        expose_details: keep the words of HTTP exceptions below 500.
    """

    def __init__(self, option: ConvertOption, *, expose_details: bool) -> None:
        self._always = option == "always"
        self._expose_details = expose_details

    def look_at(self, request: Request, response: Response) -> Awaitable[Reply | None] | None:
        """Return what is to take the place of an error answer, if anything may have to."""
        kind = media_type(response)
        if response.status > 599 or request.protocol != "http" or request.method == "HEAD":
            return None
        if kind in (PROBLEM_JSON, PROBLEM_XML):
            return None
        if not self._always and (
            kind not in MEDIA_TYPES
            or "Content-Encoding" in response.headers
            or not (response.status >= 500 or _asks_for_json(request))
        ):
            return None
        return self._replace(request, response, kind)

    async def _replace(self, request: Request, response: Response, kind: str) -> Reply | None:
        problem = Problem(response.status) if self._always else None
        if kind in MEDIA_TYPES:
            with suppress(ResponseTooLarge):
                body = await response.body(LARGEST)
                problem = self._find(request, response.status, kind, body) or problem
        if problem is None:
            return None
        fields = (*kept_fields(response.headers), ("Vary", "Accept"))
        return with_fields(problem.reply(request), fields)

    def _find(self, request: Request, status: int, kind: str, body: bytes) -> Problem | None:
        """Return the problem that a framework's own error answer is to become, if any."""
        words = failure_words(status, body) if status >= 500 else None
        if words is not None:
            request_id = request.state._request_id or "-"
            log.error(
                "What the app says with %d in request %s is left out: %.1000r",
                status,
                request_id,
                words,
                extra={"request_id": request_id, "status": status},
            )
            return Problem(status)
        if not self._always and not _asks_for_json(request):
            return None
        return framework_problem(status, kind, body, expose_details=self._expose_details)


def _asks_for_json(request: Request) -> bool:
    return asks_for_json(request.get_headers(ACCEPT).get("accept"))


def with_fields(reply: Reply, fields: Fields) -> Reply:
    """Return a reply with further fields, which take the place of its own."""
    if not fields:
        return reply
    names = {name.lower() for name, _ in fields}
    own = [pair for pair in reply.headers if pair[0].lower() not in names]
    return Reply(reply.status, [*own, *fields], reply.body)


def media_type(response: Response) -> str:
    """Return an answer's media type without its parameters, "" where it has none."""
    return (response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
