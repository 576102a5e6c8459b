"""`SchemaGuard`: reject requests that the API's schema does not allow.

It works with any framework and is configured with pydantic models or an OpenAPI document. It is
closed by default: it rejects an undeclared path, method, media type, query parameter or body, and
anything that two parsers could read differently. The structure of a body is bounded while it is
read, before it is parsed. All errors are reported together in a problem (RFC 9457) whose ``errors``
name each place, and never a value from the client.

What it does not stop: values that fit the schema and do harm all the same, such as another user's
id; undeclared parts of the request that the app reads, such as other headers; and a schema that
allows too much.

When it is unsafe: with ``forward="original"``, the default, the app parses the body again. Known
differences between parsers are rejected, but only ``forward="canonical"``, or an app that uses
``mantlet.state(...).validated``, guarantees that the app reads the validated value.

What it costs: a few microseconds for a small body, most of them in the schema library.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from os import PathLike
from typing import Any, Final, Literal, Self
from weakref import finalize

from mantlet._internal.extras import import_extra
from mantlet.core.modes import Mode, ModeOption, RouteModes, check_mode
from mantlet.core.policy import Close, Message, Policy
from mantlet.core.problem import BodyTooLarge, Problem
from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.guard.combined import CombinedSource
from mantlet.guard.coverage import Coverage, OperationSource
from mantlet.guard.credentials import (
    CredentialCheck,
    check_security,
    make_security,
    validate_checks,
)
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.findings.finding import Finding
from mantlet.guard.findings.reports import ViolationReports
from mantlet.guard.hints import (
    check_app,
    check_declaration,
    check_flag,
    check_mapping,
    check_no_document_options,
)
from mantlet.guard.limits import BodyLimits
from mantlet.guard.operation_validator import (
    OperationValidator,
    is_method_replaced,
    operation_validator,
)
from mantlet.guard.options import (
    Allowance,
    Compile,
    DocumentOptions,
    Forward,
    OnInvalid,
    OperationPattern,
    OperationSettings,
    RouteOptions,
    ServerMode,
    UndeclaredQuery,
    ValidatorMessages,
    check_choice,
    settings_by_operation,
)
from mantlet.guard.refusals import InvalidStatus, Refusals, Shape, name_limits, to_failure
from mantlet.guard.responses import UNCHECKED
from mantlet.guard.routing.exemptions import Exemptions
from mantlet.guard.routing.paths import PathChecker
from mantlet.guard.routing.route_logs import crossing_notes, log_crossings, log_unmatched
from mantlet.guard.routing.router import OperationRouter, UndeclaredOptions
from mantlet.guard.websocket import close_for

__all__ = ["SchemaGuard"]

# Any: a model, a Contract, a JsonRpc or a GraphQL.
Contracts = Mapping[str, Any]

#: The beginnings of the headers that stay where a response is replaced: a browser needs them to
#: read the problem, and to stay logged in.
_KEPT_HEADERS: Final = ("access-control-", "set-cookie", "vary")


class SchemaGuard(Policy):
    """Reject requests that the API does not declare, with all errors in one problem.

    The validated values are in ``mantlet.state(...).validated``, a `Validated`.

    Args:
        contracts: the operations by names such as ``"POST /items"`` or ``"WS /live"``: each a model
            of the JSON body, a `Contract`, a `JsonRpc` or a `GraphQL`; None for an operation
            without a query and a body.
        openapi: an OpenAPI document (3.0 to 3.2) or one of Swagger 2.0: its path, or its content as
            a dict. Contracts beside it are added to its operations, and replace those of the same
            method and path.
        routes: `RouteOptions` of some operations, by patterns such as ``"* /legacy/*"``.
        mode: ``"enforce"``; ``"report"`` to log and count violations and let them pass; ``"off"``;
            or a mapping of route patterns to modes.
        sample_rate: the share of requests to validate, from 0 to 1.
        findings: a directory for the findings of all workers, which
            ``python -m mantlet guard report DIRECTORY`` shows; see `findings()`.
        allow: undeclared input to let through; see `RouteOptions`.
        undeclared_query: what to do with undeclared names in the query: ``"refuse"`` or
            ``"ignore"``, another way to write ``allow=["query"]``.
        ignored_fields: fields of contracts' forms that are not handed to the model, such as
            ``["csrf_token"]``.
        exempt: requests that pass unchecked, by patterns such as ``"GET /docs"`` and
            ``"* /static/*"``.
        paths: what to do with a path that could be read in two ways: ``"refuse"``, ``"normalize"``
            or ``"raw"``; see `mantlet.guard.routing.paths`.
        undeclared_options: what to do with an OPTIONS request that is not declared: let CORS
            preflights ``"pass"`` to the app, which have neither a body nor credentials, and refuse
            others; ``"answer"`` all with the allowed methods; or ``"refuse"`` all.
        limits: bounds on the structure of requests.
        forward: the body that the app gets: the client's bytes, decoded if they are in a content
            coding (``"original"``), or one serialized from the validated value (``"canonical"``).
        responses: ``"report"`` or ``"enforce"`` to validate the app's responses too; an invalid
            response is logged, or also replaced by a 500.
        status: the status of the response to a request that is readable but wrong: 422, or 400.
        shape: the form of error responses: ``"problem"`` (RFC 9457), or ``"fastapi"`` for
            ``{"detail": [{"type": ..., "loc": [...], "msg": ...}]}``, without the input.
        validator_messages: which messages of the models' own validators, such as that of a
            ``ValueError``, reach the client: those that hold nothing of the input (``"safe"``),
            also the others with ``...`` in place of the input (``"stripped"``), or ``"none"``.
        security: callables that check credentials, by the names of the document's schemes; or
            ``"app"`` if the app authenticates. Operations that no callable can open are closed with
            401.
        on_invalid: what to do with an operation whose declaration in the document is faulty:
            ``"error"`` to raise a `DocumentError` with all faults, ``"close"`` to answer requests
            for it with 501, or ``"open"`` to let them pass with only the path, the method and the
            credentials checked.
        compile: when to compile the operations of a document: all at construction (``"eager"``),
            each at its first request (``"lazy"``), or ``"auto"``: at construction if there are at
            most 300. A fault that is found at a first request closes the operation.
        servers: whether the base paths of the document's ``servers``, such as ``/v1``, precede
            the paths of requests: they may be there (``"optional"``), must be there
            (``"required"``), or are no part of paths (``"ignore"``, the default of `from_app()`).
        ref_root: the folder that must contain the files that a document refers to; by default the
            document's own. Nothing is read from the network.
        formats: whether to validate a document's ``format`` of strings: True for all known formats,
            or a mapping of names to checks.
        regex_lookaround: what to do with a ``pattern`` of the document that no linear-time engine
            supports: ``"refuse"`` it at construction, or match it with ``"bounded"`` effort.
        require_bounds: whether the document's schemas must bound every string, array and object.

    Raises:
        TypeError: neither ``contracts`` nor ``openapi`` is given, or a model can't be compiled.
        ValueError: an option, a name or the document is wrong. `DocumentError` lists all errors of
            a document.
        ImportError: a library is not installed; the message names the extra.
    """

    position = 100

    def __init__(
        self,
        contracts: Contracts | None = None,
        *,
        openapi: str | PathLike[str] | Mapping[str, Any] | None = None,
        routes: Mapping[str, RouteOptions] | None = None,
        mode: ModeOption = "enforce",
        sample_rate: float = 1.0,
        findings: str | PathLike[str] | None = None,
        # undeclared input
        allow: Collection[Allowance] = (),
        undeclared_query: UndeclaredQuery | None = None,
        ignored_fields: Collection[str] = (),
        exempt: Collection[str] = (),
        paths: Literal["refuse", "normalize", "raw"] = "refuse",
        undeclared_options: UndeclaredOptions = "pass",
        # bodies and responses
        limits: BodyLimits | None = None,
        forward: Forward = "original",
        responses: Literal["off", "report", "enforce"] = "off",
        # errors
        status: InvalidStatus = 422,
        shape: Shape = "problem",
        validator_messages: ValidatorMessages = "safe",
        # documents and apps
        security: Literal["app"] | Mapping[str, CredentialCheck] | None = None,
        on_invalid: OnInvalid = "error",
        compile: Compile = "auto",
        servers: ServerMode = "optional",
        ref_root: str | PathLike[str] | None = None,
        formats: bool | Mapping[str, Callable[[str], bool]] = False,
        regex_lookaround: Literal["refuse", "bounded"] = "refuse",
        require_bounds: bool = False,
    ) -> None:
        check_declaration(contracts, openapi)
        check_mapping("routes", routes, "route patterns to RouteOptions")
        check_flag("require_bounds", require_bounds)
        if undeclared_options not in ("pass", "answer", "refuse"):
            raise ValueError(
                'undeclared_options must be "pass", "answer" or "refuse", '
                f"not {undeclared_options!r}"
            )
        own = RouteOptions(
            sample_rate=sample_rate,
            allow=allow,
            forward=forward,
            responses=responses,
            limits=limits,
            undeclared_query=undeclared_query,
            ignored_fields=ignored_fields,
        )
        patterns = [OperationPattern(text, options) for text, options in (routes or {}).items()]
        modes = self._decide_modes(mode, patterns)
        check_choice("validator_messages", validator_messages, "safe", "stripped", "none")
        settings = OperationSettings(limits=BodyLimits(), validator_messages=validator_messages)
        self._settings = replace(settings.override(own), mode=modes)
        self._patterns = patterns
        self._paths = PathChecker(paths)
        self._undeclared_options: UndeclaredOptions = undeclared_options
        if on_invalid not in ("error", "close", "open"):
            raise ValueError(f'on_invalid must be "error", "close" or "open", not {on_invalid!r}')
        if compile not in ("auto", "eager", "lazy"):
            raise ValueError(f'compile must be "auto", "eager" or "lazy", not {compile!r}')
        self._security = check_security(security)
        self._document_options = DocumentOptions(
            formats,
            regex_lookaround,
            require_bounds,
            servers,
            ref_root,
            on_invalid,
            security_by_app=self._security is None,
            compile=compile,
        )
        if servers not in ("optional", "required", "ignore"):
            raise ValueError(f'servers must be "optional", "required" or "ignore", not {servers!r}')
        if openapi is None:
            check_no_document_options(self._document_options)
        self._exempt = Exemptions(exempt) if exempt else None
        self._refusals = Refusals(status, shape)
        self._reports = ViolationReports(findings)
        if self._reports.file is not None:
            finalize(self, self._reports.file.write)  # if the process has no lifespan
        self._source = self._read_source(contracts, openapi)
        self._router = self._build_router(self._source, self._security)
        disabled = {"on_finish", "shutdown"} if findings is None else set()
        if not self._router.has_websockets:
            disabled.add("on_message")
        response_modes = {responses, *(pattern.options.responses for pattern in patterns)}
        if not {"report", "enforce"} & response_modes:
            disabled.add("on_response")
        self.needs_first_chunk = "on_response" not in disabled
        self.disabled_hooks = frozenset(disabled)

    def _decide_modes(
        self, option: ModeOption, patterns: list[OperationPattern]
    ) -> Mode | RouteModes:
        """Set ``mode``, and return the mode of operations that have none of their own.

        Where operations have their own modes, the guard applies all modes itself.
        """
        modes = check_mode(option)
        by_operation = [pattern for pattern in patterns if pattern.options.mode is not None]
        if check_mode("enforce") != "enforce":  # MANTLET_MODE overrides every mode
            for pattern in by_operation:
                pattern.options = replace(pattern.options, mode=None)
        elif by_operation:
            if not isinstance(modes, str):
                raise ValueError(
                    "modes by route must be set either by mode={...} or by RouteOptions(mode=...), "
                    "not by both"
                )
            self.mode = "enforce"
            return modes
        self.mode = modes
        return modes

    @classmethod
    # Any: an app's class is the framework's; the options are those of the constructor.
    def from_app(cls, app: Any, **options: Any) -> Self:
        """Return a guard for the operations that an app declares.

        A FastAPI app's are its routes, validated by its own validators; see
        `mantlet.guard.apps.fastapi`. Other apps generate an OpenAPI document.

        Args:
            app: a FastAPI or Litestar app with all of its routes, a flask-smorest Api or an
                APISpec. Wrap it afterwards: ``mantlet.wrap(app, guard)``.
            options: the options of `SchemaGuard` for a document. ``security`` is ``"app"`` by
                default: the app authenticates. ``servers`` is ``"ignore"``: its own routes count.

        Raises:
            TypeError: the app has no document.
            ValueError: see `SchemaGuard`.
        """
        check_app(app)
        declared = import_module("mantlet.guard.apps").read_app(app)
        return cls(openapi=declared, **{"security": "app", "servers": "ignore", **options})

    # Any: whatever openapi= takes, or the document of an app.
    def _read_source(self, contracts: Contracts | None, document: Any) -> OperationSource:
        if document is None:
            return _contract_source(contracts or {})
        source = self._read_document(document)
        if contracts is None:
            return source
        return CombinedSource(source, _contract_source(contracts))

    # Any: whatever openapi= takes, or the document of an app.
    def _read_document(self, document: Any) -> OperationSource:
        if hasattr(document, "source"):  # the routes of an app
            own: OperationSource = document.source(self._document_options, self._settings.limits)
            return own
        import_extra("jsonschema_rs", "openapi")
        source: OperationSource = import_module("mantlet.guard.openapi.document").DocumentSource(
            document, self._document_options, self._settings.limits
        )
        return source

    def _build_router(
        self,
        source: OperationSource,
        security: Mapping[str, CredentialCheck] | None,
        *,
        allow_unused: bool = False,
    ) -> OperationRouter:
        settings = settings_by_operation(self._settings, self._patterns, source.names())
        operations = list(source.compile(settings))
        if security is not None:
            validate_checks(operations, security, allow_unused=allow_unused)
        source.log_ignored()
        validators = [
            operation_validator(
                operation,
                settings[operation.method, operation.template],
                make_security(operation.security, security),
            )
            for operation in operations
        ]
        router = OperationRouter(
            validators,
            paths=self._paths,
            allow=self._settings.allow,
            undeclared_options=self._undeclared_options,
            servers=self._document_options.servers,
            routes=source.app_routes,
            exempt=self._exempt,
            on_unmatched=partial(log_unmatched, operations) if source.reloads else None,
        )
        log_crossings(router.crossings)
        return router

    def reload(
        self,
        document: str | PathLike[str] | Mapping[str, Any],
        *,
        security: Mapping[str, CredentialCheck] | None = None,
    ) -> tuple[str, ...]:
        """Replace the guard's document by another one.

        The new document is built and checked first; a request sees either the old operations or the
        new ones.

        Args:
            document: as for ``openapi=`` of `SchemaGuard`.
            security: callables for its schemes, added to the guard's own.

        Returns:
            Descriptions of requests that the old document accepts and the new one does not, or may
            not; empty if it accepts all.

        Raises:
            TypeError: the guard is made of models.
            ValueError: the document is wrong; the old one stays.
        """
        old = self._source
        if not old.reloads:
            raise TypeError("reload() needs a guard made of a document; make another guard")
        new = self._read_document(document)
        if isinstance(old, CombinedSource):
            new = old.with_document(new)
        checks = self._security
        if security is not None:
            if checks is None:
                raise ValueError('reload() takes no callables: with security="app" the app checks')
            checks = {**checks, **security}
        router = self._build_router(new, checks, allow_unused=True)
        narrower = new.narrower_than(old)
        self._source, self._router, self._security = new, router, checks
        return narrower

    @property
    def coverage(self) -> Coverage:
        """A report of the parts of the API that are checked, and of those that are not.

        It compiles the operations that are not compiled yet.
        """
        operations = [one.operation.compiled() for one in self._router.validators]
        found = self._source.coverage(operations)
        return replace(found, notes=(*found.notes, *crossing_notes(self._router.crossings)))

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """The number of violations that were let through, by operation name and error code."""
        return self._reports.counts

    def findings(self) -> list[Finding]:
        """Return the kinds of violations that this process has seen, the most frequent first.

        These are the ones that were refused, and those that would have been in report mode; also
        of undeclared paths and methods, invalid responses and messages. A finding has no value of
        a client's. With ``findings=``, the files of a directory have those of all workers.
        """
        return self._reports.findings()

    # -- requests ---------------------------------------------------------------------------------

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Validate a request; see `SchemaGuard`."""
        validator = None
        try:
            found = self._router.find(request)
            if not isinstance(found, tuple):
                if isinstance(found, Reply):  # to an OPTIONS request: it changes the response
                    return found if _mode(self._settings, request) == "enforce" else None
                return None if found is None else self._wait(request, None, found)
            validator, captured = found
            if validator.may_skip and validator.skips():
                waiting = validator.check_credentials(request)
            else:
                if validator.has_later_hooks:
                    request.local(self)["validator"] = validator
                waiting = validator.validate(request, captured)
        except (ValidationFailed, Problem) as error:
            return self._reject(request, validator, error)
        return None if waiting is None else self._wait(request, validator, waiting)

    async def _wait(
        self, request: Request, validator: OperationValidator | None, waiting: Awaitable[None]
    ) -> Reply | None:
        try:
            await waiting
        except (ValidationFailed, Problem) as error:
            return self._reject(request, validator, error)
        return None

    def _reject(
        self,
        request: Request,
        validator: OperationValidator | None,
        error: ValidationFailed | Problem,
    ) -> Reply | None:
        """Return the reply to an invalid request, or report it."""
        settings = self._settings if validator is None else validator.settings
        mode = _mode(settings, request)
        if mode != "enforce" and validator is not None and is_method_replaced(error):
            # The mode of one operation must not open another one.
            modes = {_mode(other.settings, request) for other in self._router.replaced(request)}
            mode = "enforce" if "enforce" in modes else mode
        if mode == "off":
            return None
        failure = name_limits(to_failure(error), settings.limits)
        refused = mode == "enforce"
        self._reports.record(
            request,
            None if validator is None else validator.name,
            "request",
            failure,
            self._refusals.status(failure),
            refused=refused,
            level=None if refused else logging.WARNING,
        )
        if not refused:
            return None
        # A credential check may raise its own problem.
        own = isinstance(error, Problem) and not isinstance(error, BodyTooLarge)
        return self._refusals.reply(error if own else failure, request, settings.limits)

    # -- responses --------------------------------------------------------------------------------

    def on_response(
        self, request: Request, response: Response
    ) -> Reply | Awaitable[Reply | None] | None:
        """Validate a response of the app, if the operation's options say so."""
        validator: OperationValidator | None = request.local(self).get("validator")
        if validator is None or validator.responses is None or response.status >= 500:
            return None
        # A reply of an inner policy is not the app's response.
        if response.reply or request.state._replied:
            return None
        errors = validator.responses.validate(response)
        if isinstance(errors, list):
            return self._judge_response(request, response, validator, errors)
        return self._judge_response_later(request, response, validator, errors)

    async def _judge_response_later(
        self,
        request: Request,
        response: Response,
        validator: OperationValidator,
        waiting: Awaitable[list[ErrorItem]],
    ) -> Reply | None:
        return self._judge_response(request, response, validator, await waiting)

    def _judge_response(
        self,
        request: Request,
        response: Response,
        validator: OperationValidator,
        errors: list[ErrorItem],
    ) -> Reply | None:
        """Let a response pass, or replace it by a 500; its errors are only in the log."""
        if not errors:
            return None
        settings = validator.settings
        enforced = (
            settings.responses == "enforce"
            and any(error.code != UNCHECKED for error in errors)
            and _mode(settings, request) == "enforce"
        )
        self._reports.record(
            request,
            validator.name,
            "response",
            ValidationFailed(500, errors),
            500,
            refused=enforced,
            level=logging.ERROR if enforced else logging.WARNING,
        )
        if not enforced:
            return None
        # Not the declared headers, one of which may be the violation.
        kept = [pair for pair in response.headers if pair[0].lower().startswith(_KEPT_HEADERS)]
        reply = self._refusals.reply(Problem(500), request, settings.limits)
        return reply.keep_headers(kept)

    # -- WebSocket messages -----------------------------------------------------------------------

    def on_message(self, request: Request, message: Message) -> Message | Close:
        """Validate a WebSocket message."""
        validator: OperationValidator | None = request.local(self).get("validator")
        if validator is None or validator.messages is None:
            return message  # of a connection that was let through undeclared
        try:
            return validator.messages.validate(message)
        except ValidationFailed as failure:
            return self._reject_message(request, validator, message, failure)

    def _reject_message(
        self,
        request: Request,
        validator: OperationValidator,
        message: Message,
        failure: ValidationFailed,
    ) -> Message | Close:
        """Close the connection for an invalid message, or report it."""
        reported = _mode(validator.settings, request) != "enforce"
        level = logging.WARNING if reported else logging.ERROR
        incoming = message.direction == "in"
        self._reports.record(
            request,
            validator.name,
            "message",
            name_limits(failure, validator.settings.limits),
            0,
            refused=not reported,
            level=None if incoming and not reported else level,
            event=f"{'incoming' if incoming else 'outgoing'} message",
        )
        return message if reported else close_for(message, failure)

    # -- findings ---------------------------------------------------------------------------------

    def on_finish(self, request: Request) -> None:
        """Write the findings to the worker's file, every few seconds."""
        if self._reports.file is not None:
            self._reports.file.write_if_due()

    async def shutdown(self) -> None:
        """Write the last findings to the worker's file."""
        if self._reports.file is not None:
            self._reports.file.write()


def _mode(settings: OperationSettings, request: Request) -> Mode:
    """Return the mode of a request."""
    mode = settings.mode
    return mode.find(request) if isinstance(mode, RouteModes) else mode


def _contract_source(contracts: Contracts) -> OperationSource:
    import_extra("pydantic", "guard")
    source: OperationSource = import_module("mantlet.guard.models.compiling").ContractSource(
        contracts
    )
    return source
