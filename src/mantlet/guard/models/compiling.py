"""From contracts made of models to compiled operations."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mantlet.guard.contract import Contract
from mantlet.guard.forms.fields import FormFields
from mantlet.guard.forms.multipart import MultipartForm
from mantlet.guard.forms.urlencoded import UrlencodedForm
from mantlet.guard.graphql import GraphQL
from mantlet.guard.jsonbody import JsonBody
from mantlet.guard.jsonrpc import JsonRpc, RpcSchema
from mantlet.guard.models.fields import GroupPlace, group_of, names_of
from mantlet.guard.models.schema import ModelSchema
from mantlet.guard.ndjson import JsonLines
from mantlet.guard.operation import Body, Operation, ResponseShape
from mantlet.guard.options import Settings
from mantlet.guard.raw import RawBody
from mantlet.guard.readers import BodyReader
from mantlet.guard.schemas import Schema
from mantlet.http.media_types import read_media_type

__all__ = ["compile_contract", "read_name"]

_NAME: Final = re.compile(r"([A-Z]+(?:,[A-Z]+)*) (/.*)")
_CAPTURED: Final = re.compile(r"\{([^{}:]*)(?::path)?\}")
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
#: How the parts begin that may be written anew for the app.
_WRITTEN: Final = ("body", "form", "message", "params")
_STATUS: Final = re.compile(r"[1-5](?:\d\d|XX)|default")


def read_name(name: str) -> tuple[list[str], str]:
    """Return the methods and the template that the name of a contract states.

    Raises:
        ValueError: it states none.
    """
    read = _NAME.fullmatch(name)
    if read is None:
        raise ValueError(
            f'a contract must be named by a method and a path such as "GET /items/{{item_id}}", '
            f"not {name!r}"
        )
    return read[1].split(","), read[2]


def compile_contract(
    method: str, template: str, contract: Contract, settings: Settings
) -> Operation:
    """Return the operation that a contract declares.

    Args:
        method: ``"WS"`` for a WebSocket.
        template: the path.
        contract: what it takes.
        settings: how strictly it is dealt with.

    Raises:
        TypeError: what is declared can't be compiled, or does not go with the method.
        ValueError: what is declared is wrong; the message names the operation.
    """
    compiler = _Compiler(f"{method} {template}", settings)
    socket = method == "WS"
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

    def __init__(self, name: str, settings: Settings) -> None:
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
            written=self._canonical and part.startswith(_WRITTEN),
        )
        if model.opened:
            self.opened.append(part)
        return model

    def schema(self, part: str, kind: Any, *, reads_only: bool = False) -> Schema | None:
        """Return the schema of a JSON value, whatever it is declared by."""
        if kind is None:
            return None
        if isinstance(kind, JsonRpc):
            return self._rpc(kind)
        if isinstance(kind, GraphQL):
            from mantlet.guard.graphql.requests import GraphQLRequestSchema  # noqa: PLC0415  # an extra

            return GraphQLRequestSchema(kind, errors=self._limits.errors, reads_only=reads_only)
        return self.model(part, kind)

    def _rpc(self, service: JsonRpc) -> RpcSchema:
        models = {
            name: None if kind is None else self.model(f"params of {name!r}", kind)
            for name, kind in service.methods.items()
        }
        return RpcSchema(
            models,
            {name: names_of(model) for name, model in models.items() if model is not None},
            max_batch=service.max_batch,
            errors=self._limits.errors,
        )

    # -- parameters -------------------------------------------------------------------------------

    def group(
        self, place: GroupPlace, kind: Any, captured: Iterable[str] = ()
    ) -> Any:  # a Group, or None
        if kind is None:
            return None
        model = self.model(place, kind)
        names = names_of(model)
        if place == "path" and set(names) != set(captured):
            raise ValueError(
                f"{self.name}: path must have a field for each name of the template, "
                f"{sorted(captured)}, not {sorted(names)}"
            )
        return group_of(place, model, self._settings)

    def query(self, method: str, contract: Contract) -> Any:  # a Group, or None
        if method == "GET" and isinstance(contract.body, GraphQL):
            from mantlet.guard.graphql.requests import graphql_query  # noqa: PLC0415  # an extra

            return graphql_query(contract.body, self._limits)
        return self.group("query", contract.query)

    # -- bodies -----------------------------------------------------------------------------------

    def body(self, method: str, contract: Contract) -> Body | None:
        if not contract.has_body or (method == "GET" and isinstance(contract.body, GraphQL)):
            return None
        if method in ("GET", "HEAD", "TRACE"):
            # RFC 9110, 9.3.1: no generally defined semantics; servers and caches drop it.
            raise TypeError(f"{self.name}: {method} has no body")
        return Body(dict(self._readers(contract)), required=contract.required)

    def _readers(self, contract: Contract) -> Iterator[tuple[str, BodyReader]]:
        schema = self.schema("body", contract.body)
        if schema is not None:
            for text in contract.media_types:
                media = read_media_type(text)
                if media is None or media.parameters or not media.is_json:
                    raise ValueError(f"{self.name}: media_types must be of JSON, not {text!r}")
                yield media.kind, JsonBody(schema, self._limits)
        lines = self.schema("lines", contract.lines)
        if lines is not None:
            for kind in ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"):
                yield kind, JsonLines(lines, self._limits, "lines")
            yield "application/json-seq", JsonLines(lines, self._limits, "sequence")
        if contract.form is not None or contract.files:
            yield from self._forms(contract)
        for kind in contract.raw:
            media = read_media_type(kind)
            if media is None or media.parameters:
                raise ValueError(
                    f'{self.name}: raw must hold types such as "text/csv", not {kind!r}'
                )
            yield media.kind, RawBody()

    def _forms(self, contract: Contract) -> Iterator[tuple[str, BodyReader]]:
        schema = None if contract.form is None else self.model("form", contract.form)
        arrays = () if schema is None else names_of(schema, arrays=True)
        scalars = () if schema is None else set(names_of(schema)) - set(arrays)
        fields = FormFields(scalars, arrays)
        both = fields.names & contract.files.keys()
        if both:
            raise ValueError(f"{self.name}: form and files have the same names: {sorted(both)}")
        if schema is not None and not contract.files:
            yield _URLENCODED, UrlencodedForm(fields, schema, self._limits)
        yield _MULTIPART, MultipartForm(fields, contract.files, schema, self._limits)

    # -- answers ----------------------------------------------------------------------------------

    def responses(self, declared: Any) -> Mapping[str, ResponseShape] | None:
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
            shapes[str(status)] = ResponseShape(content)
        return shapes
