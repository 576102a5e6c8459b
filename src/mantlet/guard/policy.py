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

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from importlib import import_module
from os import PathLike
from typing import Any, Literal, Self
from weakref import finalize

from mantlet.core.identity import Authentication
from mantlet.core.modes import ModeOption
from mantlet.core.policy import Close, HealthState, Message, Policy
from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.guard.building import Contracts, RouterBuilder, decide_modes, guard_settings
from mantlet.guard.coverage import Coverage
from mantlet.guard.credentials import CredentialCheck, check_security
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
from mantlet.guard.operation_validator import REQUEST_HEADERS, OperationValidator
from mantlet.guard.options import (
    Allowance,
    Compile,
    DocumentOptions,
    Forward,
    OnInvalid,
    OperationPattern,
    RouteOptions,
    ServerMode,
    UndeclaredQuery,
    ValidatorMessages,
    check_literal,
)
from mantlet.guard.refusals import InvalidStatus, Refusals, Shape
from mantlet.guard.routing.exemptions import Exemptions
from mantlet.guard.routing.paths import PathChecker
from mantlet.guard.routing.route_logs import crossing_note
from mantlet.guard.routing.router import UndeclaredOptions
from mantlet.guard.violations import Violations, mode_of

__all__ = ["SchemaGuard"]


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
        security: an `Authenticator`, which says who is asking and answers for missing and invalid
            credentials, while the document says which operations need one, of which kind and with
            which scopes; or callables that check credentials, by the names of the document's
            schemes; or ``"app"`` if the app authenticates. Operations that nobody can open are
            closed with 401.
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
    request_headers = REQUEST_HEADERS

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
        security: Literal["app"] | Mapping[str, CredentialCheck] | Authentication | None = None,
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
        self.mode, modes = decide_modes(mode, patterns)
        self._security = check_security(security)
        judge = self._security
        #: The policy that authenticates for this one, which has to start and stop with it.
        self._authentication = None if judge is None or isinstance(judge, Mapping) else judge
        if self._authentication is not None and {"path", "method"} & set(allow):
            raise ValueError(
                'allow must not have "path" or "method" where security is an Authenticator: '
                "undeclared requests would need no credential; declare or exempt them"
            )
        document_options = DocumentOptions(
            formats,
            regex_lookaround,
            require_bounds,
            servers,
            ref_root,
            on_invalid,
            security_by_app=self._security is None,
            compile=compile,
        )
        if openapi is None:
            check_no_document_options(document_options)
        check_literal("undeclared_options", undeclared_options, UndeclaredOptions)
        self._settings = guard_settings(own, modes, validator_messages)
        self._builder = RouterBuilder(
            settings=self._settings,
            patterns=patterns,
            paths=PathChecker(paths),
            undeclared_options=undeclared_options,
            exempt=Exemptions(exempt) if exempt else None,
            document=document_options,
        )
        refusals = Refusals(status, shape)
        self._reports = ViolationReports(findings)
        self._violations = Violations(self._settings, refusals, self._reports)
        if self._reports.file is not None:
            finalize(self, self._reports.file.write)  # if the process has no lifespan
        self._source = self._builder.read(contracts, openapi)
        #: Whether the last `reload()` has failed.
        self._is_stale = False
        self._router = self._builder.build(self._source, self._security)
        disabled = {"on_finish", "shutdown"} if findings is None else set()
        if self._authentication is None:
            disabled.add("startup")
        else:
            disabled.discard("shutdown")
        if not self._router.has_websockets:
            disabled.add("on_message")
        response_modes = {responses, *(pattern.options.responses for pattern in patterns)}
        if not {"report", "enforce"} & response_modes:
            disabled.add("on_response")
        self.needs_first_chunk = "on_response" not in disabled
        self.disabled_hooks = frozenset(disabled)

    @classmethod
    # Any: an app's class is the framework's; the options are those of the constructor.
    def from_app(cls, app: Any, **options: Any) -> Self:
        """Return a guard for the operations that an app declares.

        A FastAPI app's are its routes, validated by its own validators; see
        `mantlet.guard.apps.fastapi`. Litestar and flask-smorest generate an OpenAPI document; see
        `mantlet.guard.apps.documents`.

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
        checks = self._security
        if security is not None:
            if not isinstance(checks, Mapping):
                by = 'with security="app" the app' if checks is None else "the Authenticator"
                raise ValueError(f"reload() takes no callables: {by} checks")
            checks = {**checks, **security}
        self._is_stale = True  # until the new document has been accepted
        new = self._builder.replace_document(self._source, document)
        router = self._builder.build(new, checks, allow_unused=True)
        narrower = new.narrower_than(self._source)
        self._is_stale = False
        self._source, self._router, self._security = new, router, checks
        return narrower

    @property
    def coverage(self) -> Coverage:
        """A report of the parts of the API that are checked, and of those that are not.

        It compiles the operations that are not compiled yet.
        """
        operations = [one.operation.compiled() for one in self._router.validators]
        found = self._source.coverage(operations)
        return replace(found, notes=(*found.notes, *crossing_note(self._router.crossings)))

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
                    return found if mode_of(self._settings, request) == "enforce" else None
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
        return self._violations.reject_request(request, validator, error, self._router.replaced)

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
        errors = validator.responses.validate(request, response)
        if isinstance(errors, list):
            return self._violations.judge_response(request, response, validator, errors)
        return self._judge_response_later(request, response, validator, errors)

    async def _judge_response_later(
        self,
        request: Request,
        response: Response,
        validator: OperationValidator,
        waiting: Awaitable[list[ErrorItem]],
    ) -> Reply | None:
        return self._violations.judge_response(request, response, validator, await waiting)

    # -- WebSocket messages -----------------------------------------------------------------------

    def on_message(self, request: Request, message: Message) -> Message | Close:
        """Validate a WebSocket message."""
        validator: OperationValidator | None = request.local(self).get("validator")
        if validator is None or validator.messages is None:
            return message  # of a connection that was let through undeclared
        try:
            return validator.messages.validate(message)
        except ValidationFailed as failure:
            return self._violations.reject_message(request, validator, message, failure)

    # -- findings ---------------------------------------------------------------------------------

    def on_finish(self, request: Request) -> None:
        """Write the findings to the worker's file, every few seconds."""
        if self._reports.file is not None:
            self._reports.file.write_if_due()

    # -- lifecycle --------------------------------------------------------------------------------

    async def startup(self) -> None:
        """Start the Authenticator, which need not stand in the stack itself."""
        waiting = None if self._authentication is None else self._authentication.startup()
        if waiting is not None:
            await waiting

    async def shutdown(self) -> None:
        """Write the last findings to the worker's file, and stop the Authenticator."""
        if self._reports.file is not None:
            self._reports.file.write()
        waiting = None if self._authentication is None else self._authentication.shutdown()
        if waiting is not None:
            await waiting

    # -- health -----------------------------------------------------------------------------------

    async def health(self) -> Mapping[str, HealthState]:
        """Return whether the document is the last one that `reload()` was given.

        And the states of the Authenticator's providers.
        """
        states: dict[str, HealthState] = {}
        if self._authentication is not None:
            found = self._authentication.health()
            states.update(found if isinstance(found, Mapping) else await found)
        return {**states, "document": "stale" if self._is_stale else "ok"}
