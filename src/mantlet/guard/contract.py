"""Declare an operation with models."""

from collections.abc import Collection, Mapping
from typing import Any

from mantlet._internal.options import KnowsOptions
from mantlet.guard.bodies.forms.file import File
from mantlet.guard.hints import check_flag, check_mapping

__all__ = ["Contract"]


class Contract(KnowsOptions):
    """The requests and responses of one operation.

    A model is any type that pydantic supports: a ``BaseModel``, a dataclass, a
    ``TypedDict``, ``list[Item]``, ...

    Args:
        path: a model of the path parameters, with the names of the template.
        query: a model of the query. A list is a parameter that may be repeated.
        headers: a model of headers; ``x_token`` is ``X-Token``.
        cookies: a model of cookies.
        body: a model of the JSON body, a `JsonRpc` or a `GraphQL`.
        lines: a model of one item of a body of many JSON texts: ``application/x-ndjson``,
            ``application/jsonl`` or ``application/json-seq``.
        form: a model of the fields of a form, urlencoded or multipart.
        files: the files of a multipart form.
        raw: media types of bodies that are bounded in size and not parsed, such as
            ``["text/csv", "image/*"]``.
        required: whether to reject a request without a body.
        media_types: the media types of the JSON body; JSON types only.
        message: for a WebSocket, a model of the client's messages, or a `JsonRpc`.
        outgoing: for a WebSocket, a model of the app's messages.
        response: a model of the JSON response with status 200, or models by status; ``None`` for a
            response without a body.

    Raises:
        TypeError: options can't be combined, or have a wrong type.
    """

    #: Named where a model is passed by position.
    _usual_option = "body"

    # Any: any type that pydantic supports.
    def __init__(
        self,
        *,
        path: Any = None,
        query: Any = None,
        headers: Any = None,
        cookies: Any = None,
        body: Any = None,
        lines: Any = None,
        form: Any = None,
        files: Mapping[str, File] | None = None,
        raw: Collection[str] = (),
        required: bool = True,
        media_types: Collection[str] = ("application/json",),
        message: Any = None,
        outgoing: Any = None,
        response: Any = None,
    ) -> None:
        check_mapping("files", files, "names to File")
        check_flag("required", required)
        self.path = path
        self.query = query
        self.headers = headers
        self.cookies = cookies
        self.body = body
        self.lines = lines
        self.form = form
        self.files = dict(files or {})
        self.raw = tuple(raw)
        self.required = required
        self.media_types = tuple(media_types)
        self.message = message
        self.outgoing = outgoing
        self.response = response
        for name, kinds in (("raw", raw), ("media_types", media_types)):
            if isinstance(kinds, str) or not all(isinstance(kind, str) for kind in kinds):
                raise TypeError(f"{name} must be a list of media types, not {kinds!r}")
        for name, file in self.files.items():
            checked: object = file
            if not isinstance(checked, File):
                raise TypeError(f"files must hold a File for {name!r}, not {file!r}")
        if outgoing is not None and message is None:
            raise TypeError("outgoing needs message: the messages of clients must be declared")

    @property
    def has_body(self) -> bool:
        """Whether a body is declared."""
        return bool(
            self.files
            or self.raw
            or any(part is not None for part in (self.body, self.lines, self.form))
        )
