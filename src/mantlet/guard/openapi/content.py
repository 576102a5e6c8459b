"""The content of bodies, parameters and header fields, described."""

from typing import Any

from mantlet.guard.openapi.locations import Located, Location
from mantlet.guard.openapi.model import (
    EncodingDescription,
    HeaderDescription,
    MediaDescription,
)
from mantlet.guard.openapi.references import References

__all__ = ["Contents"]


class Contents:
    """Describes what has a ``content`` or ``headers``.

    Args:
        references: the document, in which nothing is wrong.
    """

    def __init__(self, references: References) -> None:
        self._references = references

    def media(self, holder: Located) -> tuple[MediaDescription, ...]:
        """Describe a body's media types."""
        content = holder.value.get("content", {})
        location = holder.location.child("content")
        return tuple(
            self._media(name, Located(value, location.child(name)))
            for name, value in content.items()
        )

    def headers(self, holder: Located) -> tuple[HeaderDescription, ...]:
        """Describe header fields; ``Content-Type`` is ignored (OpenAPI, "Response Object")."""
        headers = holder.value.get("headers", {})
        location = holder.location.child("headers")
        return tuple(
            self._header(name, Located(value, location.child(name)))
            for name, value in headers.items()
            if name.lower() != "content-type"
        )

    def schema_or_content(self, holder: Located) -> tuple[Located | None, MediaDescription | None]:
        """Return the schema of a parameter's value, and the media type if it is of one."""
        value, location = holder
        if "content" not in value:
            return _member(value, location, "schema"), None
        (media,) = self.media(holder)
        return media.schema, media

    def _media(self, name: str, media: Located) -> MediaDescription:
        value, location = self._references.follow(media)
        return MediaDescription(
            media=name,
            pointer=str(location),
            schema=_member(value, location, "schema"),
            item_schema=_member(value, location, "itemSchema"),
            encoding={
                of: self._encoding(Located(encoding, location.child("encoding", of)))
                for of, encoding in value.get("encoding", {}).items()
            },
        )

    def _encoding(self, encoding: Located) -> EncodingDescription:
        value, location = encoding
        styled = value.keys() & {"style", "explode", "allowReserved"}
        style = value.get("style", "form") if styled else None
        types = value.get("contentType", "")
        return EncodingDescription(
            pointer=str(location),
            content_types=tuple(filter(None, map(str.strip, types.split(",")))),
            style=style,
            explode=value.get("explode", style in {None, "form", "deepObject"}),
            allow_reserved=value.get("allowReserved", False),
            headers=self.headers(encoding),
        )

    def _header(self, name: str, header: Located) -> HeaderDescription:
        header = self._references.follow(header)
        value, location = header
        schema, content = self.schema_or_content(header)
        return HeaderDescription(
            name=name,
            pointer=str(location),
            required=value.get("required", False),
            explode=value.get("explode", False),
            schema=schema,
            content=None if content is None else content.media,
        )


def _member(value: dict[str, Any], location: Location, name: str) -> Located | None:
    return Located(value[name], location.child(name)) if name in value else None
