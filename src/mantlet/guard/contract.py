"""What a user declares for an operation with models."""

from collections.abc import Collection, Mapping
from typing import Any

from mantlet.guard.forms.file import File

__all__ = ["Contract"]


class Contract:
    """What one operation takes, and answers.

    A model is anything that pydantic takes for a type: a ``BaseModel``, a dataclass, a
    ``TypedDict``, ``list[Item]``, ...

    Args:
        path: a model of the path's parameters, whose names are the template's.
        query: a model of the query. A list stands for a name that may come several times.
        headers: a model of header fields; ``x_token`` stands for ``X-Token``.
        cookies: a model of cookies.
        body: a model of the JSON body, a `JsonRpc` or a `GraphQL`.
        lines: a model of one item of a body of many JSON texts: ``application/x-ndjson``,
            ``application/jsonl`` or ``application/json-seq``.
        form: a model of the fields of a form, urlencoded or multipart.
        files: the files of a form, which is multipart then.
        raw: media types of a body that is bounded in size and not looked into, such as
            ``["text/csv", "image/*"]``.
        required: whether a request without a body is refused.
        media_types: what a JSON body may be called; JSON types only.
        message: of a WebSocket: a model of what the client sends, or a `JsonRpc`.
        outgoing: of a WebSocket: a model of what the app sends.
        response: a model of the JSON answer with status 200, or models by status; ``None`` for one
            without a body.

    Raises:
        TypeError: options that do not go together.
        ValueError: an option has a wrong value.
    """

    # Any: whatever pydantic takes for a type.
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
            if isinstance(kinds, str):
                raise TypeError(f"{name} must be a list of media types, not {kinds!r}")
        for name, file in self.files.items():
            checked: object = file
            if not isinstance(checked, File):
                raise TypeError(f"files must hold a File for {name!r}, not {file!r}")
        if outgoing is not None and message is None:
            raise TypeError("outgoing needs message: what a client may send must be declared")

    @property
    def has_body(self) -> bool:
        """Whether a body is declared."""
        return bool(
            self.files
            or self.raw
            or any(part is not None for part in (self.body, self.lines, self.form))
        )
