"""Validate requests for one operation."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from random import random
from typing import Any, Final

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.preflight import METHOD_OVERRIDE_NAMES, METHOD_OVERRIDES
from mantlet.core.request import Request
from mantlet.guard.bodies.body_validator import (
    CODING_HEADERS,
    CONTENT_HEADERS,
    BodyValidator,
    Validated,
)
from mantlet.guard.credentials import Security, SecurityOfApp
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.operation import Operation, PendingOperation
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters.group import joined_cookies
from mantlet.guard.parameters.query import check_query_charset
from mantlet.guard.responses import ResponseValidator
from mantlet.guard.websocket import MessageValidator
from mantlet.http.headers import HeaderNames

__all__ = [
    "REQUEST_HEADERS",
    "OperationValidator",
    "check_method",
    "is_method_replaced",
    "operation_validator",
]

#: The headers that are read in each request.
REQUEST_HEADERS: Final = HeaderNames(*CONTENT_HEADERS, *METHOD_OVERRIDES)
_METHOD_OVERRIDE: Final = "method_override"
_REPLACED_METHOD: Final = "The method must not be replaced by a header"
_SECURITY_OF_APP: Final = SecurityOfApp()
_CLOSED: Final = ErrorItem(
    "path", "", "closed_operation", "The declaration of this operation is invalid"
)
_UNDECLARED_QUERY: Final = ErrorItem(
    "query", "", "undeclared_parameter", "This operation takes no query parameters"
)
#: Reads the parameters of one place from the request and the captured path parameters.
ReadParameters = Callable[[Request, Mapping[str, str]], Any]


class OperationValidator:
    """Validates requests for one operation.

    Args:
        operation: the compiled operation.
        settings: how strictly to treat it.
        security: the credentials that it requires, or None.

    Attributes:
        name: the operation's.
        messages: the validator of WebSocket messages, or None.
        responses: the validator of responses, or None if they are not validated.
        has_later_hooks: whether later hooks need this validator.
        may_skip: whether some requests are not validated.
        allows_semicolons: whether the path may have semicolons (RFC 3986, 3.3), which most readers
            do not support.
    """

    __slots__ = (
        "_body",
        "_has_parameters",
        "_is_replaced",
        "_joins_cookies",
        "_overrides",
        "_parameters",
        "_reads_query",
        "_security",
        "_takes_no_query",
        "_unusual",
        "allows_semicolons",
        "has_later_hooks",
        "may_skip",
        "messages",
        "name",
        "operation",
        "responses",
        "settings",
    )

    def __init__(
        self,
        operation: Operation,
        settings: OperationSettings,
        security: Security | None = None,
    ) -> None:
        self.operation = operation
        self.settings = settings
        self.name = operation.name
        self._security = security
        self._parameters = tuple(_parameter_readers(operation, settings))
        self._has_parameters = bool(self._parameters)
        self._takes_no_query = operation.query is None and "query" not in settings.allow
        self._joins_cookies = settings.mode != "report" and _has_cookie_key(operation)
        self._reads_query = operation.query is not None
        self._body = BodyValidator(operation.body, settings, operation.method)
        declared = {name.lower() for name in (operation.headers.names if operation.headers else ())}
        #: Undeclared headers by which a middleware of the app could take another operation.
        self._overrides = frozenset(n for n in METHOD_OVERRIDES if n.lower() not in declared)
        #: Headers that need a closer look.
        self._unusual = self._overrides.union(CODING_HEADERS)
        self._is_replaced = operation.is_replaced
        self.may_skip = (
            settings.sample_rate < 1 or settings.mode == "off" or self._is_replaced is not None
        )
        self.messages = None if operation.message is None else MessageValidator(operation, settings)
        self.responses = (
            ResponseValidator(operation.responses, settings.limits)
            if operation.responses is not None and settings.responses != "off"
            else None
        )
        self.allows_semicolons = ";" in operation.template or (
            operation.path is not None and operation.path.semicolons
        )
        self.has_later_hooks = self.messages is not None or self.responses is not None

    def skips(self) -> bool:
        """Decide whether to leave out one request, and its response."""
        settings = self.settings
        if self._is_replaced is not None and self._is_replaced():
            return True
        return settings.mode == "off" or random() >= settings.sample_rate  # noqa: S311  # a sample

    def check_credentials(self, request: Request) -> Awaitable[None] | None:
        """Check only the method and the credentials of a request, also outside of the sample.

        Raises:
            ValidationFailed: a credential is missing or rejected, or a header replaces the method.
            Problem: a credential check raised its own response.
        """
        check_method(request, request.get_headers(METHOD_OVERRIDE_NAMES), self._overrides)
        if self.settings.mode == "off":
            return None
        if self._security is None:
            return None
        if self._joins_cookies:
            joined_cookies(request, join=True)
        return start_eagerly(self._security.check(request))

    def validate(self, request: Request, captured: Mapping[str, str]) -> Awaitable[None] | None:
        """Validate a request for the operation.

        Args:
            request: the request.
            captured: the decoded text of each path parameter.

        Returns:
            An awaitable if the validation must wait, else None.

        Raises:
            ValidationFailed: the request is invalid.
            Problem: the body can't be read.
        """
        if self._joins_cookies:
            joined_cookies(request, join=True)
        if self._security is not None:
            return start_eagerly(self._validate_authorized(request, captured, self._security))
        return self._validate(request, captured)

    async def _validate_authorized(
        self, request: Request, captured: Mapping[str, str], security: Security
    ) -> None:
        await security.check(request)
        waiting = self._validate(request, captured)
        if waiting is not None:
            await waiting

    def _validate(self, request: Request, captured: Mapping[str, str]) -> Awaitable[None] | None:
        headers = request.declared_headers(REQUEST_HEADERS)
        validated = Validated()
        validated.operation = self.name
        is_uncoded = False
        if headers:
            is_uncoded = self._unusual.isdisjoint(headers)
            if not is_uncoded:
                check_method(request, headers, self._overrides)
        failures = None
        if self._has_parameters or (self._takes_no_query and request.query):
            failures = self._read_parameters(request, headers, captured, validated)
        try:
            if is_uncoded:  # the usual case of a body
                waiting = self._body.validate_uncoded(request, headers, validated)
            else:
                waiting = self._body.validate(request, headers, validated)
        except ValidationFailed as failure:
            failures = [*(failures or ()), failure]
            waiting = None
        if waiting is not None:
            return self._finish_later(waiting, request, validated, failures or [])
        if failures:
            raise _combine(failures, self.settings.limits.errors)
        request.state.validated = validated
        return None

    def _read_parameters(
        self,
        request: Request,
        headers: Mapping[str, str],
        captured: Mapping[str, str],
        validated: Validated,
    ) -> list[ValidationFailed]:
        """Validate the parameters, and return the failures, to be reported with the body's.

        Raises:
            ValidationFailed: one that has a more specific status than 422.
        """
        if self._reads_query and "Content-Type" in headers and request.query:
            check_query_charset(headers["Content-Type"])
        failures: list[ValidationFailed] = []
        if self._takes_no_query and request.query:
            failures.append(ValidationFailed(422, [_UNDECLARED_QUERY]))
        for name, read in self._parameters:
            try:
                setattr(validated, name, read(request, captured))
            except ValidationFailed as failure:
                failures.append(failure)
        if failures and any(failure.status != 422 for failure in failures):
            raise _combine(failures, self.settings.limits.errors)
        return failures

    async def _finish_later(
        self,
        waiting: Awaitable[None],
        request: Request,
        validated: Validated,
        failures: list[ValidationFailed],
    ) -> None:
        try:
            await waiting
        except ValidationFailed as failure:
            failures.append(failure)
        if failures:
            raise _combine(failures, self.settings.limits.errors)
        request.state.validated = validated


class _WithoutCredentials(OperationValidator):
    """Validates requests that need no credentials, one call shorter."""

    __slots__ = ()

    validate = OperationValidator._validate


class _AuthenticatedByApp(OperationValidator):
    """Validates requests whose credentials are left to the app, without a coroutine for them."""

    __slots__ = ()

    def validate(self, request: Request, captured: Mapping[str, str]) -> Awaitable[None] | None:
        """Validate a request for the operation; see `OperationValidator.validate()`."""
        _SECURITY_OF_APP.check_form(request)
        return self._validate(request, captured)


class _ClosedOperation(OperationValidator):
    """Refuses requests for an operation whose declaration is faulty, also outside of the sample."""

    __slots__ = ()

    def skips(self) -> bool:
        """Decide whether to leave a request alone."""
        return self.settings.mode == "off"

    def validate(self, request: Request, captured: Mapping[str, str]) -> Awaitable[None] | None:
        """Refuse a request.

        Raises:
            ValidationFailed: with 501.
        """
        raise ValidationFailed(501, [_CLOSED])

    _validate = validate


class _OpenOperation(OperationValidator):
    """Checks only the method and credentials of requests for a faulty operation."""

    __slots__ = ()

    def _validate(self, request: Request, captured: Mapping[str, str]) -> None:
        check_method(request, request.get_headers(METHOD_OVERRIDE_NAMES), self._overrides)


class _LazyOperation(OperationValidator):
    """Compiles its operation at the first request that has the required credentials."""

    __slots__ = ("_pending", "_ready")

    def __init__(
        self,
        operation: PendingOperation,
        settings: OperationSettings,
        security: Security | None = None,
    ) -> None:
        super().__init__(operation, settings, security)
        self._pending = operation
        self._ready: OperationValidator | None = None
        self.allows_semicolons = self.allows_semicolons or operation.has_matrix
        self.has_later_hooks = settings.responses != "off"

    def validate(self, request: Request, captured: Mapping[str, str]) -> Awaitable[None] | None:
        """Validate a request for the operation; see `OperationValidator`."""
        ready = self._ready
        if ready is None:
            return super().validate(request, captured)
        return ready.validate(request, captured)

    def _validate(self, request: Request, captured: Mapping[str, str]) -> Awaitable[None] | None:
        ready = self._ready
        if ready is None:  # two threads may come here: they get the same operation
            ready = operation_validator(self._pending.compiled(), self.settings, self._security)
            self.responses = ready.responses
            self._ready = ready
        return ready._validate(request, captured)


def check_method(
    request: Request,
    headers: Mapping[str, str],
    names: Collection[str] = METHOD_OVERRIDES,
) -> None:
    """Reject a header that replaces the method.

    A middleware of the app that honors it would run another operation than this one.

    Args:
        request: the request.
        headers: headers of it.
        names: those that may replace the method.

    Raises:
        ValidationFailed: with 400.
    """
    for name in names:
        if name in headers and headers[name] != request.method:
            item = ErrorItem("header", f"/{name}", _METHOD_OVERRIDE, _REPLACED_METHOD)
            raise ValidationFailed(400, [item])


def is_method_replaced(error: Exception) -> bool:
    """Return whether a request was refused by `check_method()`."""
    return isinstance(error, ValidationFailed) and any(
        item.code == _METHOD_OVERRIDE for item in error.errors
    )


def operation_validator(
    operation: Operation, settings: OperationSettings, security: Security | None = None
) -> OperationValidator:
    """Return the validator of an operation; see `OperationValidator`."""
    if isinstance(operation, PendingOperation):
        return _LazyOperation(operation, settings, security)
    kind = OperationValidator
    if operation.faults:
        kind = _OpenOperation if operation.is_open else _ClosedOperation
    elif isinstance(security, SecurityOfApp):
        kind = _AuthenticatedByApp
    elif security is None and not operation.security:
        kind = _WithoutCredentials
    return kind(operation, settings, security)


def _has_cookie_key(operation: Operation) -> bool:
    """Return whether a credential of the operation is in a cookie."""
    return any(
        scheme.kind == "apiKey" and scheme.place == "cookie"
        for requirement in operation.security
        for scheme, _ in requirement
    )


def _parameter_readers(
    operation: Operation, settings: OperationSettings
) -> Iterable[tuple[str, ReadParameters]]:
    """Yield the reader of each place, by the name of the place in `Validated`."""
    path, query = operation.path, operation.query
    headers, cookies = operation.headers, operation.cookies
    if path is not None:
        yield "path", lambda _, captured: path.read_path(captured)
    elif "{" in operation.template:
        yield "path", lambda _, captured: dict(captured)
    if query is not None:
        yield "query", lambda request, _: query.read_query(request.query)
    if headers is not None:
        yield "headers", lambda request, _: headers.read_headers(request)
    if cookies is not None:
        join = settings.mode != "report"
        yield "cookies", lambda request, _: cookies.read_cookies(request, join=join)


def _combine(failures: list[ValidationFailed], limit: int) -> ValidationFailed:
    """Return one failure with all errors, and the first status that is more specific than 422.

    The list is emptied: a frame that holds an exception which it raises is only freed by the
    garbage collector.
    """
    if len(failures) == 1 and len(failures[0].errors) <= limit:
        return failures.pop()
    status = next((failure.status for failure in failures if failure.status != 422), 422)
    headers = {name: value for failure in failures for name, value in failure.headers.items()}
    errors = [error for failure in failures for error in failure.errors]
    values = {place: value for failure in failures for place, value in failure.values.items()}
    failures.clear()
    return ValidationFailed(status, errors[:limit], headers, values)
