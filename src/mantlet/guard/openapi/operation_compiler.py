"""From what a document says of its operations to compiled ones."""

from collections.abc import Iterator, Mapping

from mantlet.guard.openapi.bodies import body_of
from mantlet.guard.openapi.model import OperationDescription, SchemeDescription
from mantlet.guard.openapi.parameters import Parameters
from mantlet.guard.openapi.responses import answers_of
from mantlet.guard.openapi.schema_registry import Parts
from mantlet.guard.operation import Operation, Requirement, Scheme
from mantlet.guard.options import OperationSettings

__all__ = ["compile_operation"]


def compile_operation(
    parts: Parts,
    described: OperationDescription,
    schemes: Mapping[str, SchemeDescription],
    settings: OperationSettings,
    *,
    servers: bool,
) -> Iterator[Operation]:
    """Yield an operation, compiled, once for each path that it lies under.

    What is wrong goes to the problems of ``parts``.

    Args:
        parts: the schemas of the document.
        described: the operation.
        schemes: the security schemes of the document.
        settings: how strictly it is dealt with.
        servers: whether its path begins with those of the document's servers.
    """
    used = {name for requirement in described.security for name, _ in requirement}
    parameters = Parameters(
        parts,
        described.parameters,
        [schemes[name] for name in used],
        pointer=described.pointer,
        settings=settings,
    )
    made = Operation(
        method=described.method,
        template=described.template,
        path=parameters.group("path"),
        query=parameters.group("query"),
        headers=parameters.group("header"),
        cookies=parameters.group("cookie"),
        body=None if described.body is None else body_of(parts, described.body, settings),
        responses=answers_of(parts, described.responses, settings.limits)
        if described.responses and settings.responses != "off"
        else None,
        security=tuple(_requirement(one, schemes) for one in described.security),
        pointer=described.pointer,
        operation_id=described.operation_id,
    )
    for base in described.base_paths if servers else ("",):
        yield made.under(base.rstrip("/"))


def _requirement(
    required: tuple[tuple[str, tuple[str, ...]], ...], schemes: Mapping[str, SchemeDescription]
) -> Requirement:
    return tuple((_scheme(schemes[name]), scopes) for name, scopes in required)


def _scheme(described: SchemeDescription) -> Scheme:
    return Scheme(
        described.name,
        described.kind,
        described.place or "",
        described.parameter or "",
        described.scheme or "",
    )
