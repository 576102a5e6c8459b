"""The parameters of an operation, compiled: a group for each place."""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, Final

from mantlet.guard.errors import Place
from mantlet.guard.openapi.fields import fields_of_form, parameter_of
from mantlet.guard.openapi.locations import Located
from mantlet.guard.openapi.model import (
    MediaDescription,
    ParameterDescription,
    SchemeDescription,
)
from mantlet.guard.openapi.schema_registry import Parts, style_of
from mantlet.guard.options import OperationSettings
from mantlet.guard.parameters import Group, Parameter
from mantlet.guard.parameters.coercion import TEXT
from mantlet.guard.strict_json import StrictJson
from mantlet.http.media_types import read_media_type

__all__ = ["Parameters"]

_FORM: Final = "application/x-www-form-urlencoded"


class Parameters:
    """Compiles the parameters of one operation.

    Args:
        parts: the schemas of the document.
        described: the parameters, of all places.
        keys: the schemes that the operation may require, whose keys stand among them.
        pointer: where the operation stands.
        settings: how strictly it is dealt with.
    """

    def __init__(
        self,
        parts: Parts,
        described: Sequence[ParameterDescription],
        keys: Iterable[SchemeDescription],
        *,
        pointer: str,
        settings: OperationSettings,
    ) -> None:
        self._parts = parts
        self._described = described
        self._keys = [scheme for scheme in keys if scheme.kind == "apiKey"]
        self._pointer = pointer
        self._settings = settings

    def group(self, place: Place) -> Group | None:
        """Return the parameters of a place, or None where none are declared."""
        described = [one for one in self._described if one.place == place]
        whole = [one for one in self._described if one.place == "querystring"]
        if place == "query" and whole:
            return self._whole_query(whole[0])
        parameters = [made for made in map(self._parameter, described) if made is not None]
        if place == "query":
            parameters += self._keys_beside({one.name for one in described})
        if not parameters:
            return None
        schema = self._parts.combined(
            {one.name: one.schema for one in described}, f"{self._pointer}/parameters"
        )
        return self._made(place, parameters, schema)

    def _keys_beside(self, names: Container[str]) -> list[Parameter]:
        """Return the credentials in the query, which else would be parameters not declared."""
        return [
            Parameter(name=key.parameter, place="query")
            for key in self._keys
            if key.place == "query" and key.parameter and key.parameter not in names
        ]

    def _made(self, place: Place, parameters: Sequence[Parameter], schema: Any) -> Group | None:
        allow = self._settings.allow
        try:
            return Group(
                place,
                parameters,
                schema,
                self._settings.limits,
                closed="query" not in allow,
                unique="duplicates" not in allow,
            )
        except ValueError as error:
            self._parts.problems[self._pointer, str(error)] = None
            return None

    def _parameter(self, described: ParameterDescription) -> Parameter | None:
        schema = described.schema
        decode = None
        if described.content is not None:
            decode = self._decoder(described.content, described)
            if schema is not None:
                self._parts.schema(schema)  # so that it is among what is covered and bounded
        style = style_of(described.style)
        return parameter_of(
            self._parts,
            described.pointer,
            name=described.name,
            place=described.place,
            style=style,
            explode=described.explode if style else None,
            required=described.required,
            allow_reserved=described.allow_reserved,
            allow_empty=described.allow_empty,
            shape=TEXT if schema is None or decode else self._parts.shape(schema),
            decode=decode,
        )

    def _whole_query(self, described: ParameterDescription) -> Group | None:
        """Return the group of a query that is one value (3.2)."""
        content = described.content or ""
        if content == _FORM and described.schema is not None:
            return self._query_form(described, described.schema)
        parameter = Parameter(
            name=described.name,
            place="querystring",
            required=described.required,
            decode=self._decoder(content, described),
        )
        if described.schema is not None:
            self._parts.schema(described.schema)
        schema = self._parts.combined({described.name: described.schema}, described.pointer)
        return self._made("query", [parameter], schema)

    def _query_form(self, described: ParameterDescription, schema: Located) -> Group | None:
        """Return the group of a query that is a form with a schema."""
        form = MediaDescription(
            media=_FORM,
            pointer=described.pointer,
            schema=schema,
            item_schema=None,
            encoding=described.encoding,
        )
        fields = fields_of_form(
            self._parts, form, self._settings.limits, self._keys_beside(frozenset())
        )
        return None if fields is None else self._made("query", fields.parameters, fields.schema)

    def _decoder(self, content: str, described: ParameterDescription) -> Callable[[str], Any]:
        """Return what makes a value of a parameter's text, by its media type."""
        media = read_media_type(content)
        if media is None or not media.is_json:
            return str
        read = StrictJson(self._settings.limits).parse
        place: Place = "query" if described.place == "querystring" else described.place

        def decode(text: str) -> Any:
            return read(text.encode(), place)

        return decode
