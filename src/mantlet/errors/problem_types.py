"""`Catalogue`: define the problem types of an app once, raise them, and document them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mantlet._internal.options import KnowsOptions
from mantlet.core.problem import MEDIA_TYPE, Problem, phrase
from mantlet.core.response import Reply
from mantlet.errors.rendering import html_document

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Catalogue", "ProblemType"]

_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

#: The members of every problem (RFC 9457, 3.1), and the request id.
_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "A problem (RFC 9457).",
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "default": "about:blank",
            "description": "The kind of problem.",
        },
        "title": {"type": "string", "description": "A short name of the kind of problem."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "An explanation of this occurrence."},
        "instance": {
            "type": "string",
            "format": "uri-reference",
            "description": "A URI of this occurrence.",
        },
        "request_id": {"type": "string", "description": "The id to give when asking for help."},
    },
    "required": ["type", "title", "status"],
}


@dataclass(frozen=True, slots=True)
class ProblemType(KnowsOptions):
    """A kind of problem. Call it to make a `Problem` of that kind, to raise or to reply with.

    Attributes:
        slug: the last part of its URI.
        uri: the ``type`` of its problems.
        status: the HTTP status.
        title: a short text, the same for every occurrence.
        description: its meaning and the remedy, for people.
        extensions: the JSON Schemas of its problems' further members, by name.
    """

    slug: str
    uri: str
    status: int
    title: str
    description: str
    extensions: Mapping[str, Any]

    def __call__(
        self,
        detail: str | None = None,
        *,
        instance: str | None = None,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> Problem:
        """Return a problem of this kind.

        Args:
            detail: an explanation of this occurrence.
            instance: a URI of this occurrence.
            headers: further headers of the response.
            extensions: the values of the members that the type declares.

        Raises:
            ValueError: a member is not declared.
        """
        unknown = sorted((extensions or {}).keys() - self.extensions.keys())
        if unknown:
            raise ValueError(f"the problem type {self.slug} declares no member {unknown}")
        return Problem(
            self.status,
            type=self.uri,
            title=self.title,
            detail=detail,
            instance=instance,
            headers=headers,
            extensions=extensions,
        )


class Catalogue(KnowsOptions):
    """The problem types of an app.

    ::

        problems = Catalogue("/problems/")
        out_of_stock = problems.add("out-of-stock", 409, "Out of stock", "Order again tomorrow.")

        raise out_of_stock("Only 2 lamps are left.")

    An `ErrorEnvelope` with this catalogue serves a page at ``/problems/out-of-stock``.

    Args:
        base: the beginning of the types' URIs: a path or a URL that ends with a slash.

    Raises:
        ValueError: ``base`` is neither.
    """

    def __init__(self, base: str = "/problems/") -> None:
        path = urlsplit(base).path
        if not (path.startswith("/") and path.endswith("/")) or urlsplit(base).query:
            raise ValueError(f"base must be a path or a URL that ends with a slash, not {base!r}")
        self.base = base
        #: The path of the types' pages.
        self.path = path
        self._types: dict[str, ProblemType] = {}

    def add(
        self,
        slug: str,
        status: int,
        title: str | None = None,
        description: str = "",
        *,
        extensions: Mapping[str, Any] | None = None,
    ) -> ProblemType:
        """Define a problem type.

        Args:
            slug: the last part of its URI: lower case letters, digits and hyphens.
            status: the HTTP status, 400 to 599.
            title: a short text, by default the reason phrase of the status.
            description: its meaning and the remedy, for people.
            extensions: the JSON Schemas of its problems' further members, by name.

        Raises:
            ValueError: the slug is malformed or already defined, the status is not an error, or a
                member has the name of a standard one.
        """
        if not _SLUG.fullmatch(slug):
            raise ValueError(f"slug must be lower case letters, digits and hyphens, not {slug!r}")
        if slug in self._types:
            raise ValueError(f"slug {slug!r} is already defined")
        Problem(status, extensions=extensions)  # checks them
        made = ProblemType(
            slug, self.base + slug, status, title or phrase(status), description, extensions or {}
        )
        self._types[slug] = made
        return made

    def __iter__(self) -> Iterator[ProblemType]:
        return iter(self._types.values())

    def openapi(self) -> dict[str, Any]:
        """Return a fragment for an OpenAPI document (3.0 and later).

        It has ``components.schemas.Problem``, and in ``components.responses`` one response for each
        type under its slug, for ``{"$ref": "#/components/responses/out-of-stock"}``.
        """
        return {
            "components": {
                "schemas": {"Problem": _SCHEMA},
                "responses": {kind.slug: _response(kind) for kind in self},
            }
        }

    def reply(self, path: str) -> Reply | None:
        """Return the page of a type, or the list of all types, or None for another path.

        Args:
            path: the request's whole decoded path: `Request.path`.
        """
        if path == self.path:
            from markupsafe import Markup  # for pages alone

            content = Markup("\n").join(
                Markup('<h2><a href="{}">{}</a></h2>\n{}').format(
                    kind.slug, kind.title, _about(kind)
                )
                for kind in self
            )
            return _page("Problem types", content)
        kind = self._types.get(path.removeprefix(self.path)) if path.startswith(self.path) else None
        return None if kind is None else _page(kind.title, _about(kind))


def _response(kind: ProblemType) -> dict[str, Any]:
    own = {
        "properties": {"type": {"enum": [kind.uri]}, "status": {"enum": [kind.status]}}
        | dict(kind.extensions)
    }
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "object", **own}]}
    return {"description": kind.title, "content": {MEDIA_TYPE: {"schema": schema}}}


def _about(kind: ProblemType) -> "Markup":
    from markupsafe import Markup  # for pages alone

    parts = [Markup("<p>{}</p>").format(kind.description)] if kind.description else []
    parts.append(
        Markup("<dl><dt>Status</dt><dd>{} {}</dd><dt>Type</dt><dd><code>{}</code></dd>").format(
            kind.status, phrase(kind.status), kind.uri
        )
    )
    for name, schema in kind.extensions.items():
        about = schema.get("description", schema.get("type", "")) if schema else ""
        parts.append(Markup("<dt>Member <code>{}</code></dt><dd>{}</dd>").format(name, about))
    parts.append(Markup("</dl>"))
    return Markup("\n").join(parts)


def _page(title: str, content: "Markup") -> Reply:
    from markupsafe import Markup  # for pages alone

    body = html_document(title, Markup("<h1>{}</h1>\n{}").format(title, content))
    return Reply(200, {"Content-Type": "text/html; charset=utf-8"}, body)
