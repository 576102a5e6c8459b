"""An urlencoded form of a document: its fields are written as the parameters of a query are."""

from collections.abc import Mapping
from urllib.parse import urlencode

from mantlet.guard.errors import ValidationFailed
from mantlet.guard.forms import Form
from mantlet.guard.forms.errors import check_form_parameters
from mantlet.guard.limits import BodyLimits
from mantlet.guard.openapi.fields import fields_of_form
from mantlet.guard.openapi.model import MediaDescription
from mantlet.guard.openapi.schema_registry import Parts
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import Group
from mantlet.guard.readers import BodyReader
from mantlet.http.media_types import MediaType

__all__ = ["urlencoded_form"]


def urlencoded_form(
    parts: Parts, described: MediaDescription, settings: OperationSettings
) -> BodyReader | None:
    """Return the reader of an urlencoded form: its fields are written as parameters of a query.

    None where it has no schema, or a wrong one.
    """
    fields = fields_of_form(parts, described, settings.limits)
    if fields is None:
        return None
    limits = settings.limits
    whole = BodyLimits.of(limits, query=limits.decoded, parameters=limits.fields)
    try:
        group = Group(
            "query",
            fields.parameters,
            fields.schema,
            whole,
            closed="query" not in settings.allow,
            unique="duplicates" not in settings.allow,
        )
    except ValueError as error:
        parts.problems[described.pointer, str(error)] = None
        return None
    return _StyledForm(group)


class _StyledForm:
    """Reads an urlencoded form whose fields are written as parameters are; a `WholeReader`."""

    __slots__ = ("_group",)

    def __init__(self, group: Group) -> None:
        self._group = group

    def read(self, body: bytes, media: MediaType) -> Form:
        """Return the form that a body is.

        Raises:
            ValidationFailed: with 400, 413, 415 or 422.
        """
        check_form_parameters(media)
        try:
            return Form(self._group.read_query(body))
        except ValidationFailed as invalid:
            status = 413 if invalid.status == 414 else invalid.status
            faults = [fault._replace(place="body") for fault in invalid.errors]
            raise ValidationFailed(status, faults) from None

    def dump(self, value: Form) -> bytes:
        """Return a form as WHATWG URL, 5.2 would write it; objects in the style of deepObject."""
        pairs: list[tuple[str, str]] = []
        for name, item in value.value.items():
            if isinstance(item, Mapping):
                pairs += [(f"{name}[{key}]", _text(inner)) for key, inner in item.items()]
            else:
                items = item if isinstance(item, list) else [item]
                pairs += [(name, _text(one)) for one in items if one is not None]
        return urlencode(pairs).encode()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
