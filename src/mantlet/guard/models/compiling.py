"""Compile contracts into operations."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mantlet.guard.bodies.forms.fields import FormFields
from mantlet.guard.bodies.forms.multipart import MultipartForm
from mantlet.guard.bodies.forms.optional import OptionalFields
from mantlet.guard.bodies.forms.urlencoded import UrlencodedForm
from mantlet.guard.bodies.ndjson import JsonLinesReader
from mantlet.guard.bodies.strict_json import JsonBodyReader
from mantlet.guard.contract import Contract
from mantlet.guard.coverage import Coverage, checked_parts
from mantlet.guard.graphql import GraphQL
from mantlet.guard.jsonrpc import JsonRpc, JsonRpcSchema
from mantlet.guard.models.fields import GroupPlace, optional_names, parameter_group, wire_names
from mantlet.guard.models.schema import ModelSchema
from mantlet.guard.operation import DeclaredBody, DeclaredResponse, Operation
from mantlet.guard.options import WEBSOCKET_METHOD, OperationSettings
from mantlet.guard.parameters import ParameterGroup
from mantlet.guard.readers import (
    BodyReader,
    LargeBodyReader,
    RawBodyReader,
    Schema,
    raw_body_reader,
)
from mantlet.guard.routing.app_routes import AppRoutes
from mantlet.http.media_types import read_media_type
from mantlet.http.routing import check_template, parse_pattern

__all__ = [
    "ContractSource",
    "compile_contract",
    "parse_operation_name",
]

_CAPTURED: Final = re.compile(r"\{([^{}:]*)(?::path)?\}")
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
#: Prefixes of the parts that may be serialized for the app.
_SERIALIZED: Final = ("body", "form", "lines", "message", "params")
_STATUS: Final = re.compile(r"[1-5](?:\d\d|XX)|default")


def parse_operation_name(name: str) -> tuple[list[str], str]:
    """Return the methods and the template in the name of a contract.

    Raises:
        TypeError: the name is not text.
        ValueError: the name is malformed, or does not name its methods.
    """
    pattern = parse_pattern(name, extra_methods=(WEBSOCKET_METHOD,))
    if pattern.any_method:
        raise ValueError(
            f'a contract must name its methods, such as "GET {pattern.path}", not {name!r}'
        )
    check_template(pattern)
    return list(pattern.methods), pattern.path


def compile_contract(
    method: str, template: str, contract: Contract, settings: OperationSettings
) -> Operation:
    """Return the operation that a contract declares.

    Args:
        method: ``"WS"`` for a WebSocket.
        template: the path.
        contract: the contract.
        settings: how strictly to treat the operation.

    Raises:
        TypeError: a declaration can't be compiled, or does not fit the method.
        ValueError: a declaration is wrong; the message names the operation.
    """
    compiler = _Compiler(f"{method} {template}", settings)
    socket = method == WEBSOCKET_METHOD
    if socket is (contract.message is None):
        raise TypeError(
            f"{compiler.name}: a WebSocket must have a message, and only a WebSocket has one"
        )
    if socket and contract.has_body:
        raise TypeError(f"{compiler.name}: a WebSocket has no body")
    captured = _CAPTURED.findall(template)
    return Operation(
        method=method,
        template=template,
        is_pattern=True,
        path=compiler.group("path", contract.path, captured),
        query=compiler.query(method, contract),
        headers=compiler.group("header", contract.headers),
        cookies=compiler.group("cookie", contract.cookies),
        body=compiler.body(method, contract),
        message=compiler.schema("message", contract.message),
        outgoing=compiler.schema("outgoing", contract.outgoing),
        responses=compiler.responses(contract.response),
        opened=tuple(compiler.opened),
    )


class _Compiler:
    """Compiles the parts of one contract."""

    def __init__(self, name: str, settings: OperationSettings) -> None:
        self.name = name
        self._settings = settings
        self._limits = settings.limits
        self._closed = "members" not in settings.allow
        self._canonical = settings.forward == "canonical"
        self.opened: list[str] = []

    def model(self, part: str, kind: Any) -> ModelSchema:
        model = ModelSchema(
            kind,
            name=f"{self.name}: {part}",
            errors=self._limits.errors,
            closed=self._closed,
            serialized=self._canonical and part.startswith(_SERIALIZED),
            checks=self._limits.checks,
            messages=self._settings.validator_messages,
        )
        self.opened += [f"{part}: {opened}" for opened in model.opened]
        return model

    def schema(self, part: str, kind: Any, *, reads_only: bool = False) -> Schema | None:
        """Return the schema of a JSON value declared by a model or a service."""
        if kind is None:
            return None
        if isinstance(kind, JsonRpc):
            return self._rpc(kind)
        if isinstance(kind, GraphQL):
            from mantlet.guard.graphql.requests import GraphQLRequestSchema  # an extra

            return GraphQLRequestSchema(
                kind,
                errors=self._limits.errors,
                reads_only=reads_only,
                checks=self._limits.checks,
            )
        return self.model(part, kind)

    def _rpc(self, service: JsonRpc) -> JsonRpcSchema:
        models = {
            name: None if kind is None else self.model(f"params of {name!r}", kind)
            for name, kind in service.methods.items()
        }
        return JsonRpcSchema(
            models,
            {name: wire_names(model) for name, model in models.items() if model is not None},
            max_batch=service.max_batch,
            errors=self._limits.errors,
        )

    # -- parameters -------------------------------------------------------------------------------

    def group(
        self, place: GroupPlace, kind: Any, captured: Iterable[str] = ()
    ) -> ParameterGroup | None:
        if kind is None:
            return None
        model = self.model(place, kind)
        names = wire_names(model)
        if place == "path" and set(names) != set(captured):
            raise ValueError(
                f"{self.name}: path must have a field for each name of the template, "
                f"{sorted(captured)}, not {sorted(names)}"
            )
        return parameter_group(place, model, self._settings)

    def query(self, method: str, contract: Contract) -> ParameterGroup | None:
        if method == "GET" and isinstance(contract.body, GraphQL):
            from mantlet.guard.graphql.requests import graphql_query_parameters  # an extra

            return graphql_query_parameters(contract.body, self._limits)
        return self.group("query", contract.query)

    # -- bodies -----------------------------------------------------------------------------------

    def body(self, method: str, contract: Contract) -> DeclaredBody | None:
        if not contract.has_body or (method == "GET" and isinstance(contract.body, GraphQL)):
            return None
        if method in ("GET", "HEAD", "TRACE"):
            # RFC 9110, 9.3.1: no generally defined semantics; servers and caches drop it.
            raise TypeError(f"{self.name}: {method} has no body")
        return DeclaredBody(dict(self._readers(contract)), required=contract.required)

    def _readers(self, contract: Contract) -> Iterator[tuple[str, BodyReader]]:
        schema = self.schema("body", contract.body)
        if schema is not None:
            for text in contract.media_types:
                media = read_media_type(text)
                if media is None or media.parameters or not media.is_json:
                    raise ValueError(f"{self.name}: media_types must be of JSON, not {text!r}")
                yield media.kind, JsonBodyReader(schema, self._limits)
        lines = self.schema("lines", contract.lines)
        if lines is not None:
            for kind in ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"):
                yield kind, JsonLinesReader(lines, self._limits, "lines")
            yield "application/json-seq", JsonLinesReader(lines, self._limits, "sequence")
        if contract.form is not None or contract.files:
            yield from self._forms(contract)
        for kind in contract.raw:
            media = read_media_type(kind)
            if media is None or media.parameters:
                raise ValueError(
                    f'{self.name}: raw must hold types such as "text/csv", not {kind!r}'
                )
            yield media.kind, raw_body_reader(self._limits)

    def _forms(self, contract: Contract) -> Iterator[tuple[str, BodyReader]]:
        schema = None if contract.form is None else self.model("form", contract.form)
        arrays = () if schema is None else wire_names(schema, arrays=True)
        scalars = () if schema is None else set(wire_names(schema)) - set(arrays)
        ignored = self._settings.ignored_fields
        if ignored and self._canonical:
            raise ValueError(
                f'{self.name}: forward="canonical" would take the ignored_fields from the app: '
                f"{sorted(ignored)}"
            )
        fields = FormFields(
            scalars,
            arrays,
            ignored=ignored,
            closed=self._closed,
            unique="duplicates" not in self._settings.allow,
        )
        read = None if schema is None else OptionalFields(schema, optional_names(schema))
        both = fields.names & contract.files.keys()
        if both:
            raise ValueError(f"{self.name}: form and files have the same names: {sorted(both)}")
        if read is not None and not contract.files:
            yield _URLENCODED, UrlencodedForm(fields, read, self._limits)
        try:
            form = MultipartForm(fields, contract.files, read, self._limits)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None
        yield _MULTIPART, form

    # -- responses --------------------------------------------------------------------------------

    def responses(self, declared: Any) -> Mapping[str, DeclaredResponse] | None:
        if declared is None:
            return None
        if not isinstance(declared, Mapping):
            declared = {200: declared}
        shapes = {}
        for status, kind in declared.items():
            if not _STATUS.fullmatch(str(status)):
                raise ValueError(
                    f'{self.name}: response must be by statuses, 200 or "4XX", not {status!r}'
                )
            schema = None if kind is None else self.model(f"response {status}", kind)
            content = {} if schema is None else {"application/json": schema}
            shapes[str(status)] = DeclaredResponse(content)
        return shapes


class ContractSource:
    """Operations declared by contracts; an `OperationSource`.

    Args:
        contracts: by names such as ``"POST /items"``: each a `Contract`, or its ``body``, or its
            ``message`` for a WebSocket.

    Raises:
        ValueError: a name is malformed, or an operation is declared twice.
    """

    reloads = False
    #: The order of an app's routes is not known.
    app_routes: AppRoutes | None = None

    # Any: any type that pydantic supports.
    def __init__(self, contracts: Mapping[str, Any]) -> None:
        self._contracts: dict[tuple[str, str], Contract] = {}
        if not contracts:
            raise ValueError("contracts must declare at least one operation")
        for name, declared in contracts.items():
            methods, template = parse_operation_name(name)
            for method in methods:
                contract = declared
                if not isinstance(declared, Contract):
                    part = "message" if method == WEBSOCKET_METHOD else "body"
                    contract = Contract(**{part: declared})
                if (method, template) in self._contracts:
                    raise ValueError(f"contracts declare {method} {template} twice")
                self._contracts[method, template] = contract

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and the templates of the operations."""
        return list(self._contracts)

    def compile(self, settings: Mapping[tuple[str, str], OperationSettings]) -> Iterator[Operation]:
        """Yield the operations."""
        for (method, template), contract in self._contracts.items():
            yield compile_contract(method, template, contract, settings[method, template])

    def log_ignored(self) -> None:
        """Do nothing: a part that can't be enforced is an error."""

    def narrower_than(self, other: Any) -> tuple[str, ...]:
        """Return nothing, since contracts are not reloaded."""
        return ()

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Report which parts of the contracts are checked."""
        return Coverage(
            tuple((operation.name, tuple(checked_parts(operation))) for operation in operations),
            notes=tuple(self._notes(operations)),
        )

    def _notes(self, operations: list[Operation]) -> Iterator[tuple[str, str]]:
        for operation in operations:
            if operation.path is None and "{" in operation.template:
                yield operation.name, "path parameters may have any text"
            if operation.headers is None and operation.cookies is None:
                yield operation.name, "headers and cookies are not checked"
            for kind, reader in (operation.body.readers if operation.body else {}).items():
                if isinstance(reader, RawBodyReader | LargeBodyReader):
                    yield operation.name, f"{kind} is bounded in size, but not parsed"
            for opened in operation.opened:
                yield (
                    operation.name,
                    f"OPEN to undeclared members by its own configuration: {opened}",
                )
