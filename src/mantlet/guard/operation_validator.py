"""One operation as it is guarded: what is done with a request for it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import random
from typing import Any

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.request import Request
from mantlet.guard.body_validator import Entity
from mantlet.guard.credentials import Credentials
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.operation import Operation
from mantlet.guard.options import Settings
from mantlet.guard.responses import Responses
from mantlet.guard.validated import Validated
from mantlet.guard.websocket import Messages

__all__ = ["Entry"]

#: Reads the parameters of one place, of the request and of what the path has for its names.
Reading = Callable[[Request, Mapping[str, str]], Any]


class Entry:
    """One operation, with how strictly it is dealt with.

    Args:
        operation: what a request may bring.
        settings: how strictly.
        credentials: what checks them; None for an operation that asks for none.

    Attributes:
        messages: what the messages of a WebSocket may be; None for anything else.
        responses: what the answers may be; None where they are not looked at.
    """

    __slots__ = (
        "_credentials",
        "_entity",
        "_name",
        "_places",
        "messages",
        "noted",
        "operation",
        "responses",
        "sampled",
        "semicolons",
        "settings",
    )

    def __init__(
        self,
        operation: Operation,
        settings: Settings,
        credentials: Credentials | None = None,
    ) -> None:
        self.operation = operation
        self.settings = settings
        self._name = operation.name
        self._credentials = credentials
        self._places = tuple(_readings(operation, settings))
        self._entity = Entity(operation.body, settings)
        #: Whether only a share of requests is looked at.
        self.sampled = settings.sample_rate < 1
        self.messages = None if operation.message is None else Messages(operation, settings)
        self.responses = (
            Responses(operation.responses, settings.limits)
            if operation.responses is not None and settings.responses != "off"
            else None
        )
        #: Whether its path may have semicolons (RFC 3986, 3.3), which most readers know nothing of.
        self.semicolons = ";" in operation.template or (
            operation.path is not None and operation.path.semicolons
        )
        #: Whether later hooks have to know it.
        self.noted = self.messages is not None or self.responses is not None

    def passes_by(self) -> bool:
        """Return whether this time a request, and its answer, is not to be looked at."""
        return random() >= self.settings.sample_rate  # noqa: S311  # a sample, no secret

    def admit_unseen(self, request: Request) -> Awaitable[None] | None:
        """Judge the credentials of a request alone, which samples do not open.

        Raises:
            Invalid: they are missing or refused.
            Problem: a checker's own answer.
        """
        return (
            None if self._credentials is None else start_eagerly(self._credentials.check(request))
        )

    def admit(self, request: Request, captured: Mapping[str, str]) -> Awaitable[None] | None:
        """Judge a request for this operation.

        Args:
            request: the request.
            captured: what the path has for each name of the template, decoded.

        Returns:
            None where it may pass, or what is to be waited for first.

        Raises:
            Invalid: the operation does not allow it.
            Problem: its body can't be read.
        """
        if self._credentials is not None:
            return start_eagerly(self._admit_known(request, captured, self._credentials))
        return self._admit(request, captured)

    async def _admit_known(
        self, request: Request, captured: Mapping[str, str], credentials: Credentials
    ) -> None:
        """Judge a request once its credentials are known to be good."""
        await credentials.check(request)
        waiting = self._admit(request, captured)
        if waiting is not None:
            await waiting

    def _admit(self, request: Request, captured: Mapping[str, str]) -> Awaitable[None] | None:
        validated = Validated(self._name)
        found: list[Invalid] = []
        for name, read in self._places:
            try:
                setattr(validated, name, read(request, captured))
            except Invalid as invalid:  # all are told of at once
                found.append(invalid)
        if found and any(invalid.status != 422 for invalid in found):
            self._conclude(request, validated, found)
        try:
            waiting = self._entity.take(request, validated)
        except Invalid as invalid:
            found.append(invalid)
            waiting = None
        if waiting is not None:
            return self._conclude_later(waiting, request, validated, found)
        self._conclude(request, validated, found)
        return None

    async def _conclude_later(
        self,
        waiting: Awaitable[None],
        request: Request,
        validated: Validated,
        found: list[Invalid],
    ) -> None:
        try:
            await waiting
        except Invalid as invalid:
            found.append(invalid)
        self._conclude(request, validated, found)

    def _conclude(self, request: Request, validated: Validated, found: list[Invalid]) -> None:
        if found:
            raise _together(found, self.settings.limits.errors)
        request.state.validated = validated


def _readings(operation: Operation, settings: Settings) -> Iterable[tuple[str, Reading]]:
    """Yield what reads the parameters of each place that has some, by its name in `Validated`."""
    path, query = operation.path, operation.query
    headers, cookies = operation.headers, operation.cookies
    if path is not None:
        yield "path", lambda _, captured: path.read_path(captured)
    elif "{" in operation.template:
        yield "path", lambda _, captured: dict(captured)
    if query is not None:
        yield "query", lambda request, _: query.read_query(request.query)
    elif "query" not in settings.allow:
        yield "query", _no_query
    if headers is not None:
        yield "headers", lambda request, _: headers.read_headers(request)
    if cookies is not None:
        yield "cookies", lambda request, _: cookies.read_cookies(request)


def _no_query(request: Request, _captured: Mapping[str, str]) -> None:
    if request.query:
        raise Invalid(
            422, [Fault("query", "", "undeclared_parameter", "This operation takes no query")]
        )


def _together(found: list[Invalid], most: int) -> Invalid:
    """Return one error for all that is wrong: of two statuses that which says more."""
    if len(found) == 1 and len(found[0].faults) <= most:
        return found[0]
    status = next((invalid.status for invalid in found if invalid.status != 422), 422)
    headers = {name: value for invalid in found for name, value in invalid.headers.items()}
    faults = [fault for invalid in found for fault in invalid.faults]
    return Invalid(status, faults[:most], headers)
